/* C = alpha A B + beta C (+ bias), after Goto & van de Geijn 2008 (doi:10.1145/1356052.1356053) and
 * BLIS (Van Zee & van de Geijn 2015, doi:10.1145/2764454).
 *
 *                     n                  A task is a block of C, at most NC columns of it, and belongs to one thread:
 *             +---------------+
 *             |     : NC  :   |          for each KC of k
 *           B |  KC :[]---:   | k            for each MC of the rows
 *             |     : NR  :   |                  bring MC x KC of A together                    it stays in L2
 *      k      +---------------+                  for each NR of the columns
 *   +------+  +---------------+                      the first time: pack KC x NR of B          in L1 while used
 *   |  KC  |  |     : NC  :   |                      for each MR of the rows
 * A | ==== |  |   MC:[]   :   | m C                      MR x NR of C += MR x KC of A * KC x NR of B
 *   | ==== |  |     :     :   |                              summed in registers: for each p, MR numbers of A,
 *   +------+  +---------------+                              each in all lanes, times NV vectors of B
 *
 * Packed, an operand lies in the order of its use: MR (NR) numbers of one p, then those of the next. What is
 * used few times is read as it lies, if that is by runs: rows of A along k, columns of B side by side, and so on.
 *
 * An element of C is the sum over blocks of k, in order, of alpha * (sum over p of the block, in order, by
 * vfma from 0), whatever its place in C, the sizes m and n, packing, and threads. So a row has the same bits
 * alone and in a batch, and C may be cut into tasks in any way. If C is small and k long (the gradient of a small
 * layer's weights), the blocks of k are the tasks: their sums stand side by side in the scratch, and are then
 * added in order. */
#include "gemm.h"
#include "../simd/transpose.h"
#include "finish.h"

#include <math.h>

/* MR x NV vectors of C, NV of B and one of A fill the registers: 16 on x86-64, 32 with AVX-512 and NEON. (GCC
 * spills an 8 x 3 tile on NEON.) KC x NR is at most half of an L1 of 32 KiB, with AVX-512 two thirds of 48; MC x KC
 * is 252 KiB and NC x KC 512, for an L2 of 1 MiB or more. Processors whose best is AVX2 have one of 256 or 512 KiB: MC x KC
 * is 144 KiB, and NC x KC, the columns of C that are one task and of B that stripes take, is 1 MiB, from an L3. Two threads
 * often share a core, and with it the fetching of instructions: with AVX2 and AVX-512 two turns of the tile's loop are
 * written out where C is high, which take 1 to 2 % less alone, 3 to 10 % beside another thread. */
#if defined(ISA_avx512) || defined(ISA_wide)
enum { MR = 14, NV = 2, MC = 1008 / sizeof(real), NC_BYTES = 2048 };
#define TURNS TWICE
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#elif defined(ISA_avx2)
enum { MR = 6, NV = 2, MC = 576 / sizeof(real), NC_BYTES = 4096 };
#define TURNS TWICE
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#elif defined(ISA_neon)
enum { MR = 7, NV = 3, MC = 1008 / sizeof(real), NC_BYTES = 2048 };
#define TURNS
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_NV(X, r) X(r, 1) X(r, 2) X(r, 3)
#else
enum { MR = 4, NV = 2, MC = 1024 / sizeof(real), NC_BYTES = 2048 };
#define TURNS
#define EACH_MR(X) X(1) X(2) X(3) X(4)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#endif
enum {
    NR = NV * LANES,
    MANY_ROWS = MR > 8, /* more than registers for their places in A */
    TURNED_ROWS = MR - 2, /* of tiles of 50 rows and more: fewer rows are slower by two turns */
    FREQUENT_ROWS = MR - (MR < 8 ? 2 : 4), /* of tiles, where 30 rows and more are cut evenly */
    WHOLE_PANELS = 4, /* beside which one whose last vector is not whole takes little */
    KC = 256,
    KC_STEP = 16, /* blocks of k are as equal as multiples of it can be */
    NC = NC_BYTES / sizeof(real) / NR * NR,
    A_PACKED_FROM = 16 * NR, /* columns of a high C from which it pays to pack rows of A, */
    LONG_A_PACKED_FROM = 8 * NR, /* of more than KC numbers, */
    A_READ_UP_TO = 8 * NR,  /* up to which A is read as it lies, a short run for each p, */
    B_READ_UP_TO = 12 * MR, /* and rows of C up to which B is */
    PACKED_A = ((MC + MR - 1) / MR * MR * KC + LANES + 15) / 16 * 16,
    PACKED_B = KC * NC + LANES,

    SMALL_C = 64 * 64, /* numbers in a C that is too small to be cut well, */
    SUMS = 1 << 20, /* and room for those of one for each block of k */
    ADDED_ROWS = 8, /* of C, a task */
    FETCHED_P = 8, /* so many p ahead */

    TASKS_PER_THREAD = 2, /* evens out threads that come late, as long as a task has */
    TASK_NS = 3000, /* this much work, */
    MACS_PER_NS = 5, /* multiply-adds of one lane in a nanosecond, about, */
    MACS_PER_PACKED = 8, /* and those of all lanes while a number is brought together, */
    LATENCY = 8, /* with so many sums at least */
};
_Static_assert((PACKED_A + PACKED_B + SUMS) * sizeof(real) <= SCRATCH_BYTES, "scratch holds all blocks");

/* ---- the tile ------------------------------------------------------------------------------------------ */

typedef struct {
    real *c;
    const real *a, *b;
    const real *bias; /* NULL: none */
    ptrdiff_t k;
    ptrdiff_t a_row, a_col, b_row, c_row;
    ptrdiff_t last; /* lanes of the last vector of columns, 1..L */
    real alpha, beta;
    const product_finish *finish; /* of the sum over all of k; NULL: it is stored as it is */
    const char *fetch; /* of tiles that fetch: a line for each p, from here on, is brought near */
} tile_args;

#define EACH_SUM                                 \
    UNROLL for (int i = 0; i < rows; i++) UNROLL \
        for (int v = 0; v < columns; v++)

/* C <- alpha * sum + beta * C + bias, finished if it is to be and `finishes`. `last`: lanes of the last vector of a row. */
INLINE void store_tile(const int rows, const int columns, const ptrdiff_t last, const bool finishes,
                       vec sum[MR][NV], const tile_args *t)
{
#define LANES_OF(v) (v == columns - 1 ? last : L)
    const vec alpha = vset1(t->alpha), beta = vset1(t->beta);
    if (t->beta == 0) EACH_SUM sum[i][v] = alpha * sum[i][v];
    else EACH_SUM
        {
            vec c = vload_upto(t->c + i * t->c_row + v * L, LANES_OF(v));
            sum[i][v] = vfma(alpha, sum[i][v], beta * c);
        }
    if (t->bias != NULL) EACH_SUM sum[i][v] += vload_upto(t->bias + v * L, LANES_OF(v));
    if (finishes && t->finish != NULL) {
        const product_finish *f = t->finish;
        const ptrdiff_t at = t->c - (real *)f->to;
        if (f->relu) EACH_SUM sum[i][v] = relu(sum[i][v]);
        if (f->kept != NULL) EACH_SUM sum[i][v] = kept(sum[i][v], f, at + i * t->c_row + v * L, LANES_OF(v));
        if (f->gate != NULL) EACH_SUM sum[i][v] = gated(sum[i][v], f, at + i * t->c_row + v * L, LANES_OF(v));
    }
    EACH_SUM vstore_upto(t->c + i * t->c_row + v * L, sum[i][v], LANES_OF(v));
#undef LANES_OF
}

/* Finishes a tile that was stored as it is. */
static void NOINLINE finish_stored(const tile_args *t, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t v = 0; v < columns; v++) {
            const ptrdiff_t lanes = v == columns - 1 ? t->last : L;
            real *c = t->c + i * t->c_row + v * L;
            vstore_upto(c, finished(vload_upto(c, lanes), t->finish, c - (real *)t->finish->to, lanes),
                        lanes);
        }
}

/* The sums and one p more. */
INLINE void add_turn(const int rows, const int columns, const real *a, ptrdiff_t a_row, const real *b,
                     vec sum[MR][NV])
{
    vec b_p[NV];
    UNROLL for (int v = 0; v < columns; v++)
        b_p[v] = vload(b + v * L);
    UNROLL for (int i = 0; i < rows; i++) {
        vec a_ip = vset1(a[i * a_row]);
        UNROLL for (int v = 0; v < columns; v++)
            sum[i][v] = vfma(a_ip, b_p[v], sum[i][v]);
    }
}

/* rows x (columns * L) of C. Both, whether A is packed, and whether it fetches, are constant where this is inlined: the
 * numbers of a packed A are found without a register for the place of each row. */
INLINE void tile(const int rows, const int columns, const bool packed, const bool fetches, const tile_args *t)
{
    vec sum[MR][NV];
    EACH_SUM sum[i][v] = (vec){0};
    UNROLL for (int i = 0; i < rows; i++)
        __builtin_prefetch(t->c + i * t->c_row, 1);

    const real *a = t->a, *b = t->b;
    const ptrdiff_t a_row = packed ? 1 : t->a_row, a_col = packed ? MR : t->a_col, b_row = t->b_row;
    const bool is_frequent = rows >= FREQUENT_ROWS; /* the others finish in L1, by less code */
    if (rows >= TURNED_ROWS && columns == NV) {
        TURNS for (ptrdiff_t p = 0; p < t->k; p++, a += a_col, b += b_row)
        {
            if (fetches) __builtin_prefetch(t->fetch + p * LINE_BYTES, 0, 2);
            add_turn(rows, columns, a, a_row, b, sum);
        }
    } else
        for (ptrdiff_t p = 0; p < t->k; p++, a += a_col, b += b_row)
            add_turn(rows, columns, a, a_row, b, sum);
    if (t->last == L) store_tile(rows, columns, L, is_frequent, sum, t);
    else store_tile(rows, columns, t->last, false, sum, t);
    if (t->finish != NULL && !(t->last == L && is_frequent)) finish_stored(t, rows, columns);
}

#define TILE(r, v) \
    static void tile_##r##_##v(const tile_args *t) { tile(r, v, false, false, t); }
#define TILES(r) EACH_NV(TILE, r)
EACH_MR(TILES)
#define TILE_NAME(r, v) tile_##r##_##v,
#define TILE_ROW(r) {EACH_NV(TILE_NAME, r)},
static void (*const tile_fns[MR][NV])(const tile_args *) = {EACH_MR(TILE_ROW)};

/* Of many rows, cut evenly, nearly all tiles have these shapes. */
static void packed_tile(const tile_args *t) { tile(MR, NV, true, false, t); }
static void lower_packed_tile(const tile_args *t) { tile(MR - 1, NV, true, false, t); }
static void fetching_tile(const tile_args *t) { tile(MR, NV, false, true, t); }
static void lower_fetching_tile(const tile_args *t) { tile(MR - 1, NV, false, true, t); }

/* Computes a tile of these sizes: one of a packed A by shapes of their own where the others run out of registers. */
INLINE void any_tile(ptrdiff_t rows, ptrdiff_t vectors, bool packed, const tile_args *t)
{
    if (MANY_ROWS && packed && rows >= MR - 1 && vectors == NV)
        (rows == MR ? packed_tile : lower_packed_tile)(t);
    else tile_fns[rows - 1][vectors - 1](t);
}

/* ---- packing ------------------------------------------------------------------------------------------- */

/* to[p*width + i] <- from[i*along + p*k_stride] for i < count, p < k; what lies at count <= i < width is not
 * defined. Whole vectors are stored, in an order in which each overwrites what the one before spilled; at the
 * end that is less than L numbers past the last. `width` is constant where this is inlined. */
INLINE void pack(const int width, real *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                 ptrdiff_t count, ptrdiff_t k)
{
    if (along == 1) /* copy rows */
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t i = 0; i < count; i += L)
                vstore(to + p * width + i, vload_upto(from + p * k_stride + i, min_size(count - i, L)));
    else if (k_stride == 1) /* transpose L x L */
        for (ptrdiff_t i = (count - 1) / L * L; i >= 0; i -= L)
            for (ptrdiff_t p = 0; p < k; p += L) {
                const ptrdiff_t rows = min_size(count - i, L), columns = min_size(k - p, L);
                vec row[LANES];
                UNROLL for (ptrdiff_t r = 0; r < L; r++)
                    row[r] = r < rows ? vload_upto(from + (i + r) * along + p, columns) : (vec){0};
                vtranspose(row);
                UNROLL for (ptrdiff_t q = 0; q < L; q++)
                    if (q < columns) vstore(to + (p + q) * width + i, row[q]);
            }
    else /* any strides */
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t i = 0; i < count; i++) to[p * width + i] = from[i * along + p * k_stride];
}

/* A panel of B. */
static NOINLINE void pack_panel(real *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                                ptrdiff_t count, ptrdiff_t k)
{
    pack(NR, to, from, along, k_stride, count, k);
}

/* ---- blocks -------------------------------------------------------------------------------------------- */

typedef struct {
    const gemm_args *args;
    const real *bias;
    const product_finish *finish;
    ptrdiff_t kc; /* length of a block of k */
    ptrdiff_t row_blocks, column_blocks; /* tasks of one matrix */
    bool pack_a, pack_b;
} gemm_plan;

/* Packs tiles s .. s_end-1 of an A whose rows lie side by side: all of them for each p, so that long runs are read, and
 * those of a later p fetched. */
static void pack_tiles(real *to, const real *from, ptrdiff_t k_stride, partition tiles, ptrdiff_t s,
                       ptrdiff_t s_end, ptrdiff_t k)
{
    const ptrdiff_t run = part_begin(tiles, s_end) - part_begin(tiles, s);
    for (ptrdiff_t p = 0; p < k; p++, from += k_stride, to += MR) {
        const real *rows = from;
        for (ptrdiff_t i = 0; i < run; i += LINE) __builtin_prefetch(from + FETCHED_P * k_stride + i);
        for (ptrdiff_t q = s; q < s_end; q++) {
            const ptrdiff_t count = part_size(tiles, q);
            for (ptrdiff_t i = 0; i < count; i += L)
                vstore_upto(to + (q - s) * MR * k + i, vload_upto(rows + i, min_size(count - i, L)),
                            min_size(MR - i, L));
            rows += count;
        }
    }
}

/* Brings the tiles s .. s_end-1 of k columns of A into the form they are read in, and says in *t how. The
 * result is where tile s begins. */
static const real *prepare_a(const gemm_plan *plan, real *room, const real *a, ptrdiff_t k, partition tiles,
                             ptrdiff_t s, ptrdiff_t s_end, tile_args *t)
{
    const gemm_args *g = plan->args;
    a += part_begin(tiles, s) * g->a_row;
    t->a_row = plan->pack_a ? 1 : g->a_row, t->a_col = plan->pack_a ? MR : g->a_col;
    if (!plan->pack_a) return a;
    if (g->a_row == 1) pack_tiles(room, a, g->a_col, tiles, s, s_end, k);
    else
        for (real *to = room; s < s_end; a += part_size(tiles, s++) * g->a_row, to += MR * k)
            pack(MR, to, a, g->a_row, g->a_col, part_size(tiles, s), k);
    return room;
}

/* One block of k of rows x columns of C: t holds the corner of C, and how to store. */
static void multiply_block(const gemm_plan *plan, tile_args t, const real *a, const real *b, ptrdiff_t rows,
                           ptrdiff_t columns)
{
    const gemm_args *g = plan->args;
    real *packed_b = thread_scratch(), *room_a = packed_b + PACKED_B, *c = t.c;
    const real *bias = t.bias;
    const partition tiles = cut_into(ceil_div(rows, MR), rows);
    const ptrdiff_t panel =
        tiles.parts > MC / MR ? t.k : 0; /* used once, a panel needs no place of its own */
    for (ptrdiff_t s_begin = 0; s_begin < tiles.parts; s_begin += MC / MR) {
        const ptrdiff_t s_end = min_size(s_begin + MC / MR, tiles.parts);
        const real *a_block = prepare_a(plan, room_a, a, t.k, tiles, s_begin, s_end, &t);
        for (ptrdiff_t j = 0; j < columns; j += NR) {
            const ptrdiff_t nr = min_size(columns - j, NR), vectors = ceil_div(nr, L);
            t.b = b + j * g->b_col, t.b_row = g->b_row;
            if (plan->pack_b || nr % L != 0) {
                real *packed = packed_b + j * panel;
                if (s_begin == 0) pack_panel(packed, t.b, g->b_col, g->b_row, nr, t.k);
                t.b = packed, t.b_row = NR;
            }
            t.last = nr - (vectors - 1) * L;
            t.bias = bias == NULL ? NULL : bias + j;
            t.a = a_block, t.c = c + part_begin(tiles, s_begin) * t.c_row + j;
            for (ptrdiff_t s = s_begin; s < s_end; s++) {
                const ptrdiff_t count = part_size(tiles, s);
                any_tile(count, vectors, plan->pack_a, &t);
                t.a += plan->pack_a ? MR * t.k : count * t.a_row;
                t.c += count * t.c_row;
            }
        }
    }
}

/* A block of C, all of k: rows i..i_end-1, columns j..j_end-1 of one matrix. */
static void multiply(const gemm_plan *plan, ptrdiff_t matrix, ptrdiff_t i, ptrdiff_t i_end, ptrdiff_t j,
                     ptrdiff_t j_end)
{
    const gemm_args *g = plan->args;
    const real *a = (const real *)g->a + matrix * g->a_batch + i * g->a_row;
    const real *b = (const real *)g->b + matrix * g->b_batch + j * g->b_col;
    tile_args t = {.c = (real *)g->c + matrix * g->c_batch + i * g->c_row + j,
                   .c_row = g->c_row,
                   .alpha = (real)g->alpha,
                   .beta = (real)g->beta};
    ptrdiff_t p = 0;
    do { /* once if k is 0 */
        t.k = min_size(g->k - p, plan->kc);
        const bool is_last = p + t.k == g->k;
        t.bias = plan->bias != NULL && is_last ? plan->bias + j : NULL;
        t.finish = is_last ? plan->finish : NULL;
        multiply_block(plan, t, a + p * g->a_col, b + p * g->b_row, i_end - i, j_end - j);
        t.beta = 1; /* the blocks that follow add */
        p += t.k;
    } while (p < g->k);
}

static void multiply_task(const gemm_plan *plan, ptrdiff_t task)
{
    const gemm_args *g = plan->args;
    const ptrdiff_t row_blocks = plan->row_blocks, column_blocks = plan->column_blocks;
    const ptrdiff_t matrix = task / (row_blocks * column_blocks);
    const ptrdiff_t row_block = task / column_blocks % row_blocks, column_block = task % column_blocks;
    const partition rows = cut_into(row_blocks, g->m), panels = cut_into(column_blocks, ceil_div(g->n, NR));
    multiply(plan, matrix, part_begin(rows, row_block), part_begin(rows, row_block + 1),
             NR * part_begin(panels, column_block),
             min_size(NR * part_begin(panels, column_block + 1), g->n));
}

static void multiply_tasks(const void *plan, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t task = begin; task < end; task++) multiply_task(plan, task);
}

/* How many tasks a product is worth. */
static ptrdiff_t tasks_worth(double cost)
{
    if (cost < 2 * TASK_NS) return 1;
    const int threads = threads_get();
    const double most = threads == 1 ? 1 : TASKS_PER_THREAD * threads, worth = cost / TASK_NS;
    return (ptrdiff_t)(worth < most ? worth : most);
}

/* Numbers of C, of the thread that has the most of them: each takes a run of the tasks, as many as the others. */
static ptrdiff_t longest_run(partition rows, partition panels, ptrdiff_t threads)
{
    const ptrdiff_t tasks = rows.parts * panels.parts;
    ptrdiff_t longest = 0, task = 0;
    for (ptrdiff_t thread = 1; thread <= threads; thread++) {
        ptrdiff_t run = 0;
        for (; task < tasks * thread / threads; task++)
            run += NR * part_size(rows, task / panels.parts) * part_size(panels, task % panels.parts);
        if (run > longest) longest = run;
    }
    return longest;
}

/* Cuts a matrix of C into `most` tasks, or into one for each thread, in the way that takes least: the threads wait for the
 * one with the most, and every task packs for itself. How C is cut has no part in what is computed, so it may depend on the
 * number of threads. */
static void cut(gemm_plan *plan, ptrdiff_t most)
{
    const gemm_args *g = plan->args;
    const ptrdiff_t least = ceil_div(g->n, NC), panels = ceil_div(g->n, NR), tiles = ceil_div(g->m, MR);
    const ptrdiff_t threads = min_size(threads_get(), most);
    double least_cost = INFINITY;
    for (ptrdiff_t tasks = threads; tasks <= most; tasks += threads)
        for (ptrdiff_t columns = least; columns <= tasks || columns == least; columns *= 2) {
            const partition row_blocks = cut_into(min_size(ceil_div(tasks, columns), tiles), g->m);
            const partition column_blocks = cut_into(min_size(columns, panels), panels);
            const ptrdiff_t packed = column_blocks.parts * g->m + 2 * row_blocks.parts * g->n;
            const double cost = (double)longest_run(row_blocks, column_blocks, threads) +
                                MACS_PER_PACKED * (double)packed / (double)threads;
            if (cost < least_cost)
                least_cost = cost, plan->column_blocks = column_blocks.parts,
                plan->row_blocks = row_blocks.parts;
        }
}

/* ---- by blocks of k --------------------------------------------------------------------------------------- */

typedef struct {
    const gemm_plan *plan;
    real *sums; /* a C for each block of k */
    ptrdiff_t blocks;
} block_product;

/* What the caller's scratch holds behind the packed operands. */
static real *room_for_sums(void) { return (real *)thread_scratch() + PACKED_A + PACKED_B; }

static void multiply_blocks(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const block_product *of = context;
    const gemm_args *g = of->plan->args;
    for (ptrdiff_t block = begin; block < end; block++) {
        const ptrdiff_t p = block * of->plan->kc;
        const tile_args t = {.c = of->sums + block * g->m * g->n,
                             .c_row = g->n,
                             .k = min_size(g->k - p, of->plan->kc),
                             .alpha = 1};
        multiply_block(of->plan, t, (const real *)g->a + p * g->a_col, (const real *)g->b + p * g->b_row,
                       g->m, g->n);
    }
}

/* C = beta C + alpha * sum of block 0 + alpha * sum of block 1 ... (+ bias), finished */
static void add_blocks(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const block_product of = *(const block_product *)context;
    const gemm_args g = *of.plan->args;
    const real *bias = of.plan->bias;
    const product_finish *finish = of.plan->finish;
    for (ptrdiff_t i = begin; i < end; i++)
        for (ptrdiff_t j = 0; j < g.n; j += L) {
            const ptrdiff_t lanes = min_size(g.n - j, L);
            const real *sums = of.sums + i * g.n + j;
            real *c = (real *)g.c + i * g.c_row + j;
            vec total = {0};
            for (ptrdiff_t block = 0; block < of.blocks; block++, sums += g.m * g.n)
                total = add_block(&g, block, total, vload_upto(sums, lanes), c, lanes);
            if (bias != NULL) total += vload_upto(bias + j, lanes);
            if (finish != NULL) total = finished(total, finish, c - (real *)finish->to, lanes);
            vstore_upto(c, total, lanes);
        }
}

static void multiply_by_blocks(const gemm_plan *plan, ptrdiff_t blocks, double cost)
{
    const gemm_args *g = plan->args;
    const block_product of = {plan, room_for_sums(), blocks};
    parallel_for(blocks, 1, cost, multiply_blocks, &of);
    parallel_for(g->m, ADDED_ROWS, (double)(g->m * ceil_div(g->n, L) * blocks) / 2, add_blocks, &of);
}

/* ---- by stripes of rows ----------------------------------------------------------------------------------- */

typedef struct {
    const gemm_plan *plan;
    const gemm_stripes *stripes;
    partition tiles; /* of rows: a stripe each */
} stripe_product;

/* Computes a tile and fetches a part of what its stripe is used with: of the arrays in turn, those bytes that lie as far
 * on as the tile does, a line for each p. */
INLINE void fetching(const gemm_stripes *stripes, ptrdiff_t rows, ptrdiff_t vectors, ptrdiff_t at,
                     ptrdiff_t panel, tile_args *t)
{
    if (rows < MR - 1 || vectors < NV) {
        tile_fns[rows - 1][vectors - 1](t);
        return;
    }
    t->fetch = (const char *)stripes->with[panel % stripes->arrays] + at;
    (rows == MR ? fetching_tile : lower_fetching_tile)(t);
}

/* Some stripes, all of their columns and of k: all of B is packed first. */
static void multiply_stripes(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const stripe_product *of = context;
    const gemm_args *g = of->plan->args;
    const ptrdiff_t n = g->n, k = g->k, panels = ceil_div(n, NR), row_bytes = n * (ptrdiff_t)sizeof(real);
    real *packed_b = thread_scratch(), *room_a = packed_b + PACKED_B, *c = room_for_sums();
    for (ptrdiff_t j = 0; j < n; j += NR)
        pack_panel(packed_b + j * k, (const real *)g->b + j * g->b_col, g->b_col, g->b_row,
                   min_size(n - j, NR), k);
    threads_alone(1);
    for (ptrdiff_t s = begin; s < end; s++) {
        const ptrdiff_t row = part_begin(of->tiles, s), rows = part_size(of->tiles, s);
        tile_args t = {.c_row = n, .b_row = NR, .k = k, .alpha = (real)g->alpha};
        t.a = prepare_a(of->plan, room_a, g->a, k, of->tiles, s, s + 1, &t);
        for (ptrdiff_t j = 0; j < n; j += NR) {
            const ptrdiff_t columns = min_size(n - j, NR), vectors = ceil_div(columns, L);
            t.b = packed_b + j * k, t.c = c + j, t.last = columns - (vectors - 1) * L;
            fetching(of->stripes, rows, vectors, row * row_bytes + rows * row_bytes * (j / NR) / panels,
                     j / NR, &t);
        }
        of->stripes->use(of->stripes->context, row, rows, c);
    }
    threads_alone(0);
}

/* ---- gemm ------------------------------------------------------------------------------------------------- */

/* C of `args` in the way that suits its shape. */
static gemm_plan plan_of(const gemm_args *args, const real *bias, const product_finish *finish, ptrdiff_t kc)
{
    gemm_plan plan = {
        .args = args, .bias = bias, .finish = finish, .kc = kc, .row_blocks = 1, .column_blocks = 1};
    const bool is_high = args->m / ceil_div(args->m, MR) >= TURNED_ROWS;
    if (args->a_col == 1)
        plan.pack_a = is_high && args->n >= (args->k > KC ? LONG_A_PACKED_FROM : A_PACKED_FROM);
    else plan.pack_a = args->a_row != 1 || args->n > A_READ_UP_TO;
    plan.pack_b = args->b_col != 1 || args->m > B_READ_UP_TO;
    return plan;
}

/* Nanoseconds, about. The lanes of a vector that lie beyond C cost as much as the others, and few sums as many as hide
 * the latency of vfma. */
static double cost_of(const gemm_args *g)
{
    const double vectors = (double)g->m * (double)ceil_div(g->n, L);
    return (vectors < LATENCY ? LATENCY : vectors) * (double)g->k * (double)g->batch / MACS_PER_NS;
}

/* Few lanes of the tiles of a narrow C are used, but most of its transpose, B^T A^T. */
static bool is_better_turned(const gemm_args *g, const real *bias)
{
    return g->n < L && 2 * g->n * ceil_div(g->m, L) <= g->m && g->a_row == 1 && g->m <= NC && g->k > 0 &&
           g->beta == 0 && bias == NULL && g->batch == 1;
}

static void multiply_turned(const gemm_args *g, ptrdiff_t kc, ptrdiff_t blocks)
{
    real *c = g->c;
    const real *turned_c = room_for_sums();
    const gemm_args turned = {.c = room_for_sums(),
                              .a = g->b,
                              .b = g->a,
                              .m = g->n,
                              .n = g->m,
                              .k = g->k,
                              .a_row = g->b_col,
                              .a_col = g->b_row,
                              .b_row = g->a_col,
                              .b_col = g->a_row,
                              .c_row = g->m,
                              .batch = 1,
                              .alpha = g->alpha};
    const gemm_plan plan = plan_of(&turned, NULL, NULL, kc);
    multiply_by_blocks(&plan, blocks, cost_of(&turned));
    for (ptrdiff_t i = 0; i < g->m; i++)
        for (ptrdiff_t j = 0; j < g->n; j++) c[i * g->c_row + j] = turned_c[j * g->m + i];
}

void KERNEL(gemm_finished)(const gemm_args *g, const real *bias, const product_finish *finish)
{
    if (g->m == 0 || g->n == 0 || g->batch == 0) return;
    ptrdiff_t kc = g->k, blocks = 1;
    if (g->k > KC) {
        kc = ceil_div(ceil_div(g->k, ceil_div(g->k, KC)), KC_STEP) * KC_STEP;
        blocks = ceil_div(g->k, kc);
    }
    if (finish == NULL && KERNEL(gemv_bias)(g, bias, kc)) return;
    const bool have_room = g->m * g->n <= SUMS / blocks;
    if (have_room && finish == NULL && is_better_turned(g, bias)) {
        multiply_turned(g, kc, blocks);
        return;
    }
    gemm_plan plan = plan_of(g, bias, finish, kc);
    const double cost = cost_of(g);
    const ptrdiff_t tasks = tasks_worth(cost);
    if (g->n <= NC && g->batch == 1) {
        if (tasks == 1) {
            multiply(&plan, 0, 0, g->m, 0, g->n);
            return;
        }
        if (blocks >= tasks && have_room && g->m * g->n <= SMALL_C) {
            multiply_by_blocks(&plan, blocks, cost);
            return;
        }
    }
    cut(&plan, ceil_div(tasks, g->batch));
    parallel_for(plan.row_blocks * plan.column_blocks * g->batch, 1, cost, multiply_tasks, &plan);
}

bool KERNEL(gemm_hands_on)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n)
{
    return k >= LEAST_K && k <= KC && m >= MR && n >= NR && ceil_div(n, NR) * NR * k <= PACKED_B - L &&
           MR * n <= SUMS;
}

bool KERNEL(gemm_by_stripes)(const gemm_args *g, const gemm_stripes *stripes)
{
    if (!KERNEL(gemm_hands_on)(g->m, g->k, g->n)) return false;
    gemm_plan plan = plan_of(g, NULL, NULL, g->k);
    const double cost = cost_of(g);
    const stripe_product of = {&plan, stripes, cut_into(ceil_div(g->m, MR), g->m)};
    parallel_for(of.tiles.parts, ceil_div(of.tiles.parts, tasks_worth(cost)), cost, multiply_stripes, &of);
    return true;
}

bool KERNEL(gemm_finishes)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n)
{
    return m >= FREQUENT_ROWS && m / ceil_div(m, MR) >= FREQUENT_ROWS && k > 1 &&
           (n % L == 0 || n >= WHOLE_PANELS * NR);
}

void KERNEL(gemm_bias)(const gemm_args *g, const real *bias) { KERNEL(gemm_finished)(g, bias, NULL); }

void KERNEL(gemm)(const void *args) { KERNEL(gemm_bias)(args, NULL); }

void KERNEL(gemm_alone)(const gemm_args *g)
{
    const partition tiles = cut_into(ceil_div(g->m, MR), g->m);
    for (ptrdiff_t matrix = 0; matrix < g->batch; matrix++)
        for (ptrdiff_t j = 0; j < g->n; j += NR) {
            tile_args t = {.c = (real *)g->c + matrix * g->c_batch + j,
                           .a = (const real *)g->a + matrix * g->a_batch,
                           .b = (const real *)g->b + matrix * g->b_batch + j,
                           .k = g->k,
                           .a_row = g->a_row,
                           .a_col = g->a_col,
                           .b_row = g->b_row,
                           .c_row = g->c_row,
                           .last = L,
                           .alpha = (real)g->alpha,
                           .beta = (real)g->beta};
            for (ptrdiff_t s = 0; s < tiles.parts; s++) {
                const ptrdiff_t count = part_size(tiles, s);
                tile_fns[count - 1][min_size(g->n - j, NR) / L - 1](&t);
                t.a += count * g->a_row;
                t.c += count * g->c_row;
            }
        }
}
