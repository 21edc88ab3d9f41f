/* C = alpha A B + beta C (+ bias), after Goto & van de Geijn 2008 (doi:10.1145/1356052.1356053) and
 * BLIS (Van Zee & van de Geijn 2015, doi:10.1145/2764454).
 *
 *                     n                  A task is a block of C, at most MC x NC, and belongs to one thread:
 *             +---------------+
 *             |     : NC  :   |          for each KC of k
 *           B |  KC :[]---:   | k            pack MC x KC of A                                 it stays in L2
 *             |     : NR  :   |              for each NR of the columns
 *      k      +---------------+                  pack KC x NR of B                             it stays in L1
 *   +------+  +---------------+                  for each MR of the rows
 *   |  KC  |  |     : NC  :   |                      MR x NR of C += MR x KC of A * KC x NR of B
 * A | ==== |  |   MC:[]   :   | m C                      summed in registers: for each p, MR numbers of A,
 *   | ==== |  |     :     :   |                          each in all lanes, times NV vectors of B
 *   +------+  +---------------+
 *
 * Packed, an operand lies in the order of its use: MR (NR) numbers of one p, then those of the next. What can
 * be read as it lies is not packed where that costs nothing: rows of A along k, rows of B along n.
 *
 * An element of C is the sum over blocks of k, in order, of alpha * (sum over p of the block, in order, by
 * vfma from 0), whatever its place in C, the sizes m and n, packing, and threads. So a row has the same bits
 * alone and in a batch, and C may be cut into tasks in any way. */
#include "gemm.h"
#include "../simd/transpose.h"

#include <stdbool.h>

/* MR x NV vectors of C, NV of B and one of A fill the registers: 16 on x86-64, 32 with AVX-512 and NEON. (GCC
 * spills an 8 x 3 tile on NEON.) KC x NR is half to two thirds of L1, MC x KC at most half of L2. */
#if defined(ISA_avx512) || defined(ISA_wide)
enum { MR = 14, NV = 2, MC = 252 };
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#elif defined(ISA_avx2)
enum { MR = 6, NV = 2, MC = 252 };
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#elif defined(ISA_neon)
enum { MR = 7, NV = 3, MC = 252 };
#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_NV(X, r) X(r, 1) X(r, 2) X(r, 3)
#else
enum { MR = 4, NV = 2, MC = 256 };
#define EACH_MR(X) X(1) X(2) X(3) X(4)
#define EACH_NV(X, r) X(r, 1) X(r, 2)
#endif
enum {
    NR = NV * LANES,
    KC = 256,
    KC_STEP = 16, /* blocks of k are as equal as multiples of it can be */
    NC = 512,
    PACKED_A = ((MC + MR - 1) / MR * MR * KC + LANES + 15) / 16 * 16,
    PACKED_B = KC * NR + LANES,

    TASKS_PER_THREAD = 3, /* evens out threads that come late, as long as a task has */
    TASK_NS = 15000,      /* this much work, */
    TASK_ROWS = 4 * MR,   /* and this much of C: every task packs for itself */
    TASK_COLUMNS = 4 * NR,
    MACS_PER_NS = 3,      /* multiply-adds of one lane in a nanosecond, about */
};
_Static_assert((PACKED_A + PACKED_B) * sizeof(real) <= SCRATCH_BYTES, "scratch holds the packed blocks");

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- the tile ------------------------------------------------------------------------------------------ */

typedef struct {
    real *c;
    const real *a, *b;
    const real *bias; /* NULL: none */
    ptrdiff_t k;
    ptrdiff_t a_row, a_col, b_row, c_row;
    ptrdiff_t last; /* lanes of the last vector of columns, 1..L */
    real alpha, beta;
} tile_args;

#define EACH_VECTOR                              \
    UNROLL for (int i = 0; i < rows; i++) UNROLL \
        for (int v = 0; v < columns; v++)

/* C <- alpha * sum + beta * C + bias. `last`: lanes of the last vector of a row. */
INLINE void store_tile(const int rows, const int columns, const ptrdiff_t last, vec sum[MR][NV],
                       const tile_args *t)
{
#define LANES_OF(v) (v == columns - 1 ? last : L)
    const vec alpha = vset1(t->alpha), beta = vset1(t->beta);
    if (t->beta == 0) EACH_VECTOR sum[i][v] = alpha * sum[i][v];
    else EACH_VECTOR
        {
            vec c = vload_upto(t->c + i * t->c_row + v * L, LANES_OF(v));
            sum[i][v] = vfma(alpha, sum[i][v], beta * c);
        }
    if (t->bias != NULL) EACH_VECTOR sum[i][v] += vload_upto(t->bias + v * L, LANES_OF(v));
    EACH_VECTOR vstore_upto(t->c + i * t->c_row + v * L, sum[i][v], LANES_OF(v));
#undef LANES_OF
}

/* rows x (columns * L) of C. Both are constant where this is inlined. */
INLINE void tile(const int rows, const int columns, const tile_args *t)
{
    vec sum[MR][NV];
    EACH_VECTOR sum[i][v] = (vec){0};

    const real *a = t->a, *b = t->b;
    const ptrdiff_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;
    for (ptrdiff_t p = 0; p < t->k; p++, a += a_col, b += b_row) {
        vec b_p[NV];
        UNROLL for (int v = 0; v < columns; v++)
            b_p[v] = vload(b + v * L);
        UNROLL for (int i = 0; i < rows; i++) {
            vec a_ip = vset1(a[i * a_row]);
            UNROLL for (int v = 0; v < columns; v++)
                sum[i][v] = vfma(a_ip, b_p[v], sum[i][v]);
        }
    }
    if (t->last == L) store_tile(rows, columns, L, sum, t);
    else store_tile(rows, columns, t->last, sum, t);
}

#define TILE(r, v) \
    static void tile_##r##_##v(const tile_args *t) { tile(r, v, t); }
#define TILES(r) EACH_NV(TILE, r)
EACH_MR(TILES)
#define TILE_NAME(r, v) tile_##r##_##v,
#define TILE_ROW(r) {EACH_NV(TILE_NAME, r)},
static void (*const tiles[MR][NV])(const tile_args *) = {EACH_MR(TILE_ROW)};

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

/* ---- blocks -------------------------------------------------------------------------------------------- */

typedef struct {
    const gemm_args *args;
    const real *bias;
    ptrdiff_t kc;                        /* length of a block of k */
    ptrdiff_t row_blocks, column_blocks; /* tasks of one matrix */
    bool pack_a, pack_b;
} gemm_plan;

INLINE ptrdiff_t max_size(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
INLINE ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

/* Where part i begins when n things are cut into `parts` parts as equal as can be. */
static ptrdiff_t part_begin(ptrdiff_t n, ptrdiff_t parts, ptrdiff_t i)
{
    return n / parts * i + min_size(n % parts, i);
}

/* One block of k of rows x columns of C: t holds the corner of C, the strides of A, and how to store. */
static void multiply_block(const gemm_plan *plan, tile_args t, const real *a, const real *b, ptrdiff_t rows,
                           ptrdiff_t columns)
{
    const gemm_args *g = plan->args;
    real *packed_a = thread_scratch(), *packed_b = packed_a + PACKED_A, *c = t.c;
    const real *bias = t.bias;
    const ptrdiff_t tile_rows = ceil_div(rows, MR);
    ptrdiff_t a_tile = 0; /* from a tile's packed A to the next */
    if (plan->pack_a) {
        a_tile = MR * t.k;
        for (ptrdiff_t s = 0; s < tile_rows; s++) {
            ptrdiff_t i = part_begin(rows, tile_rows, s), i_end = part_begin(rows, tile_rows, s + 1);
            pack(MR, packed_a + s * a_tile, a + i * g->a_row, g->a_row, g->a_col, i_end - i, t.k);
        }
        t.a_row = 1, t.a_col = MR;
    } else {
        t.a_row = g->a_row, t.a_col = g->a_col;
    }
    for (ptrdiff_t j = 0; j < columns; j += NR) {
        const ptrdiff_t nr = min_size(columns - j, NR), vectors = ceil_div(nr, L);
        t.b = b + j * g->b_col, t.b_row = g->b_row;
        if (plan->pack_b || nr < NR) {
            pack(NR, packed_b, t.b, g->b_col, g->b_row, nr, t.k);
            t.b = packed_b, t.b_row = NR;
        }
        t.last = nr - (vectors - 1) * L;
        t.bias = bias == NULL ? NULL : bias + j;
        for (ptrdiff_t s = 0; s < tile_rows; s++) {
            ptrdiff_t i = part_begin(rows, tile_rows, s), i_end = part_begin(rows, tile_rows, s + 1);
            t.a = plan->pack_a ? packed_a + s * a_tile : a + i * g->a_row;
            t.c = c + i * g->c_row + j;
            tiles[i_end - i - 1][vectors - 1](&t);
        }
    }
}

/* One task: a block of C, all of k. */
static void multiply_task(const gemm_plan *plan, ptrdiff_t task)
{
    const gemm_args *g = plan->args;
    const ptrdiff_t row_blocks = plan->row_blocks, column_blocks = plan->column_blocks;
    const ptrdiff_t matrix = task / (row_blocks * column_blocks);
    const ptrdiff_t row_block = task / column_blocks % row_blocks, column_block = task % column_blocks;
    const ptrdiff_t panels = ceil_div(g->n, NR);
    const ptrdiff_t i = part_begin(g->m, row_blocks, row_block);
    const ptrdiff_t i_end = part_begin(g->m, row_blocks, row_block + 1);
    const ptrdiff_t j = NR * part_begin(panels, column_blocks, column_block);
    const ptrdiff_t j_end = min_size(NR * part_begin(panels, column_blocks, column_block + 1), g->n);

    const real *a = (const real *)g->a + matrix * g->a_batch + i * g->a_row;
    const real *b = (const real *)g->b + matrix * g->b_batch + j * g->b_col;
    tile_args t = {.c = (real *)g->c + matrix * g->c_batch + i * g->c_row + j,
                   .c_row = g->c_row,
                   .alpha = (real)g->alpha,
                   .beta = (real)g->beta};
    ptrdiff_t p = 0;
    do { /* once if k is 0 */
        t.k = min_size(g->k - p, plan->kc);
        t.bias = plan->bias != NULL && p + t.k == g->k ? plan->bias + j : NULL;
        multiply_block(plan, t, a + p * g->a_col, b + p * g->b_row, i_end - i, j_end - j);
        t.beta = 1; /* the blocks that follow add */
        p += t.k;
    } while (p < g->k);
}

static void multiply_tasks(const void *plan, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t task = begin; task < end; task++) multiply_task(plan, task);
}

/* Cuts a matrix of C into tasks, no more than the threads are worth, as every task packs for itself. How C is
 * cut has no part in what is computed, so the number of threads may be asked for. */
static void cut(gemm_plan *plan, double cost)
{
    const gemm_args *g = plan->args;
    const int threads = threads_get();
    const double most = threads == 1 ? 1 : TASKS_PER_THREAD * threads, worth = cost / TASK_NS;
    const ptrdiff_t wanted = ceil_div((ptrdiff_t)(worth < most ? worth : most), g->batch);
    plan->column_blocks = max_size(ceil_div(g->n, NC), min_size(ceil_div(g->n, TASK_COLUMNS), wanted));
    plan->row_blocks = max_size(ceil_div(g->m, MC),
                                min_size(ceil_div(g->m, TASK_ROWS), ceil_div(wanted, plan->column_blocks)));
}

void KERNEL(gemm_bias)(const gemm_args *g, const real *bias)
{
    if (g->m == 0 || g->n == 0 || g->batch == 0) return;
    const double macs = (double)g->m * (double)g->n * (double)g->k * (double)g->batch;
    const double cost = macs / (double)(MACS_PER_NS * L);
    gemm_plan plan = {.args = g, .bias = bias};
    cut(&plan, cost);
    plan.kc = g->k <= KC ? g->k : ceil_div(ceil_div(g->k, ceil_div(g->k, KC)), KC_STEP) * KC_STEP;
    plan.pack_a = g->a_col != 1;
    plan.pack_b = g->b_col != 1 || g->m > 2 * MR;
    parallel_for(plan.row_blocks * plan.column_blocks * g->batch, 1, cost, multiply_tasks, &plan);
}

void KERNEL(gemm)(const void *args) { KERNEL(gemm_bias)(args, NULL); }
