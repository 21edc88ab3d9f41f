/* Products of matrices rounded to bfloat16, with sums in float32. The algorithm is that of kernels/gemm.c; every operand is
 * packed, as it must be rounded. amx.h, avx512.h and bfmmla.h have the instructions.
 *
 * They multiply pairs: numbers 2g and 2g+1 of k. An element of C is alpha * (sum over all pairs, in the order of the
 * instruction, from 0), whatever its place in C, the sizes m and n, blocks, and threads: until k has ended C holds the sums.
 * With a beta C has something else to hold, and gets alpha * (sum over the pairs of a block) for each block of k. */
#include "../kernels/linear.h"
#include "../dispatch.h"
#include "../kernels/finish.h"

#if defined(UNIT_amx) || defined(UNIT_amx_model)
#include "amx.h"
#elif defined(UNIT_avx512)
#include "avx512.h"
#elif defined(UNIT_bfmmla)
#include "bfmmla.h"
#else
#error "define one of UNIT_amx, UNIT_amx_model, UNIT_avx512, UNIT_bfmmla"
#endif

enum {
    KC_STEP = 32,
    NC = 1024,
    PACKED_B = KC / 2 * NC + LANES, /* pairs */
    PACKED_A = MC * KC / 2 + LANES,
    STRIPE = 1 << 17, /* numbers of a C that is handed on, about, */
    MOST_STRIPE = 1 << 20, /* and at most */

    TASKS_PER_THREAD = 2,
    TASK_NS = 3000,
    PACKED_PER_NS = 16, /* numbers, */
    UPDATED_PER_NS = 4, /* and those of a weight or its state, about */
};
_Static_assert((PACKED_B + PACKED_A + MOST_STRIPE) * sizeof(pair) <= SCRATCH_BYTES,
               "scratch holds all blocks");

/* ---- blocks -------------------------------------------------------------------------------------------- */

/* Where a block of C is, and how it is stored. */
typedef struct {
    real *c;
    const real *bias; /* NULL: none */
    const product_finish *finish; /* NULL: none */
    ptrdiff_t c_row, rows, columns, k;
    real alpha, beta;
    bool goes_on, has_b; /* with the sums that C holds; and B is packed */
} block_args;

/* C <- alpha * sums + beta * C + bias, `rows` and `columns` of them, finished if `finishes`; the sums may lie in C. */
INLINE void store_columns(const bool finishes, const block_args *t, real *c, const real *bias,
                          const real *sums, ptrdiff_t sums_row, ptrdiff_t rows, const ptrdiff_t columns)
{
    const vec alpha = vset1(t->alpha), beta = vset1(t->beta);
    const product_finish finish = finishes ? *t->finish : (product_finish){0};
    for (ptrdiff_t i = 0; i < rows; i++, c += t->c_row, sums += sums_row)
        for (ptrdiff_t j = 0; j < columns; j += L) {
            const ptrdiff_t lanes = min_size(columns - j, L);
            vec y = alpha * vload(sums + j);
            if (t->beta != 0) y = vfma(alpha, vload(sums + j), beta * vload_upto(c + j, lanes));
            if (bias != NULL) y += vload_upto(bias + j, lanes);
            if (finishes) y = finished(y, &finish, c + j - (real *)finish.to, lanes);
            vstore_upto(c + j, y, lanes);
        }
}

/* The same, of whole vectors where all columns are there. */
INLINE void store_tile(const bool finishes, const block_args *t, real *c, const real *bias, const real *sums,
                       ptrdiff_t sums_row, ptrdiff_t rows, ptrdiff_t columns)
{
    if (columns == NR) store_columns(finishes, t, c, bias, sums, sums_row, rows, NR);
    else store_columns(finishes, t, c, bias, sums, sums_row, rows, columns);
}
static NOINLINE void finish_tile(const block_args *t, real *c, const real *bias, const real *sums,
                                 ptrdiff_t sums_row, ptrdiff_t rows, ptrdiff_t columns)
{
    store_tile(true, t, c, bias, sums, sums_row, rows, columns);
}

/* Some of the sums that C holds, zeros beside them. */
static void load_tile(real *room, const real *c, ptrdiff_t c_row, ptrdiff_t rows, ptrdiff_t columns)
{
    for (ptrdiff_t i = 0; i < MR; i++)
        for (ptrdiff_t j = 0; j < NR; j += L) {
            const ptrdiff_t lanes = i < rows && j < columns ? min_size(columns - j, L) : 0;
            vstore(room + i * NR + j, vload_upto(c + i * c_row + j, lanes));
        }
}

/* One block of k. */
static void multiply_block(const gemm_args *g, const block_args *t, const real *a, const real *b)
{
    pair *packed_b = thread_scratch(), *packed_a = packed_b + PACKED_B;
    const ptrdiff_t pairs = pairs_of(t->k);
    for (ptrdiff_t i_begin = 0; i_begin < t->rows; i_begin += MC) {
        const ptrdiff_t i_end = min_size(i_begin + MC, t->rows);
        for (ptrdiff_t i = i_begin; i < i_end; i += MR)
            pack_a(packed_a + (i - i_begin) * pairs, a + i * g->a_row, g->a_row, g->a_col,
                   min_size(MR, i_end - i), t->k);
        for (ptrdiff_t j = 0; j < t->columns; j += NR) {
            const ptrdiff_t columns = min_size(NR, t->columns - j);
            const real *bias = t->bias == NULL ? NULL : t->bias + j;
            pair *panel = packed_b + j * pairs;
            if (i_begin == 0 && !t->has_b)
                pack_pairs(NR, panel, b + j * g->b_col, g->b_col, g->b_row, columns, t->k, pairs);
            for (ptrdiff_t i = i_begin; i < i_end; i += MR) {
                _Alignas(VEC_BYTES) real room[MR * NR];
                const ptrdiff_t rows = min_size(MR, i_end - i);
                real *c = t->c + i * t->c_row + j;
                const bool is_whole = rows == MR && columns == NR && t->beta == 0;
                real *sums = is_whole ? c : room;
                const ptrdiff_t sums_row = is_whole ? t->c_row : NR;
                if (is_whole)
                    for (ptrdiff_t r = 0; r < MR; r++)
                        __builtin_prefetch(c + r * t->c_row, 1), __builtin_prefetch(c + r * t->c_row + L, 1);
                else if (t->goes_on) load_tile(room, c, t->c_row, rows, columns);
                sum_tile(rows, t->goes_on, sums, sums_row, packed_a + (i - i_begin) * pairs, panel, pairs);
                if (t->finish != NULL) finish_tile(t, c, bias, sums, sums_row, rows, columns);
                else if (!is_whole || t->alpha != 1 || bias != NULL)
                    store_tile(false, t, c, bias, sums, sums_row, rows, columns);
            }
        }
    }
}

/* Tasks are parts of C: row_size x column_size of it. */
typedef struct {
    const gemm_args *args;
    const real *bias;
    const product_finish *finish;
    ptrdiff_t kc, row_size, column_size;
} product;

static void multiply_tasks(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const product of = *(const product *)context;
    const gemm_args *g = of.args;
    const ptrdiff_t columns = ceil_div(g->n, of.column_size), rows = ceil_div(g->m, of.row_size);
    begin_tiles();
    for (ptrdiff_t task = begin; task < end; task++) {
        const ptrdiff_t matrix = task / (rows * columns);
        const ptrdiff_t i = task / columns % rows * of.row_size, j = task % columns * of.column_size;
        const real *a = (const real *)g->a + matrix * g->a_batch + i * g->a_row;
        const real *b = (const real *)g->b + matrix * g->b_batch + j * g->b_col;
        block_args t = {.c = (real *)g->c + matrix * g->c_batch + i * g->c_row + j,
                        .c_row = g->c_row,
                        .rows = min_size(of.row_size, g->m - i),
                        .columns = min_size(of.column_size, g->n - j),
                        .beta = (real)g->beta};
        ptrdiff_t p = 0;
        do { /* once if k is 0 */
            t.k = min_size(g->k - p, of.kc);
            const bool is_last = p + t.k == g->k;
            t.alpha = is_last || g->beta != 0 ? (real)g->alpha : 1;
            t.bias = of.bias != NULL && is_last ? of.bias + j : NULL;
            t.finish = is_last ? of.finish : NULL;
            multiply_block(g, &t, a + p * g->a_col, b + p * g->b_row);
            t.goes_on = g->beta == 0;
            if (g->beta != 0) t.beta = 1; /* the blocks that follow add */
            p += t.k;
        } while (p < g->k);
    }
    end_tiles();
}

/* Nanoseconds, about. */
static double cost_of(const gemm_args *g)
{
    const double macs = (double)g->m * (double)ceil_div(g->n, L) * (double)g->k / MACS_PER_NS;
    return (double)g->batch * (macs + (double)(g->m + g->n) * (double)g->k / PACKED_PER_NS);
}

/* How many tasks a product is worth. */
static double tasks_worth(double cost)
{
    const int threads = threads_get();
    const double worth = cost / TASK_NS, most = threads == 1 ? 1 : TASKS_PER_THREAD * threads;
    return worth < most ? worth : most;
}

static void multiply(const gemm_args *g, const real *bias, const product_finish *finish)
{
    if (g->m == 0 || g->n == 0 || g->batch == 0) return;
    const double cost = cost_of(g);
    product of = {g, bias, finish, g->k, ceil_div(g->m, MR) * MR, min_size(ceil_div(g->n, NR) * NR, NC)};
    if (g->k > KC) of.kc = ceil_div(ceil_div(g->k, ceil_div(g->k, KC)), KC_STEP) * KC_STEP;
    const double tasks = tasks_worth(cost) / (double)(g->batch * ceil_div(g->n, of.column_size));
    const ptrdiff_t parts =
        tasks < 1 ? 1 : (ptrdiff_t)tasks; /* of the longer side: the other is packed in each */
    if (g->m > g->n) of.row_size = ceil_div(ceil_div(g->m, parts), MR) * MR;
    else of.column_size = ceil_div(ceil_div(of.column_size, parts), NR) * NR;
    const ptrdiff_t blocks = ceil_div(g->m, of.row_size) * ceil_div(g->n, of.column_size);
    parallel_for(blocks * g->batch, 1, cost, multiply_tasks, &of);
}

/* ---- by stripes of rows ----------------------------------------------------------------------------------- */

typedef struct {
    const gemm_args *args;
    const gemm_stripes *stripes;
    partition tiles; /* of MR rows, cut into stripes */
} stripe_product;

/* Some stripes, all of their columns and of k. Nothing that they are used with is fetched beside the tiles, which wait for it. */
static void multiply_stripes(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const stripe_product *of = context;
    const gemm_args *g = of->args;
    block_args t = {.c = (real *)thread_scratch() + PACKED_B + PACKED_A,
                    .c_row = g->n,
                    .columns = g->n,
                    .k = g->k,
                    .alpha = (real)g->alpha};
    begin_tiles();
    threads_alone(1);
    for (ptrdiff_t s = begin; s < end; s++) {
        const ptrdiff_t i = MR * part_begin(of->tiles, s);
        t.rows = min_size(MR * part_begin(of->tiles, s + 1), g->m) - i;
        multiply_block(g, &t, (const real *)g->a + i * g->a_row, g->b);
        of->stripes->use(of->stripes->context, i, t.rows, t.c);
        t.has_b = true;
    }
    threads_alone(0);
    end_tiles();
}

static bool hands_on(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n)
{
    return k >= LEAST_K && k <= KC && m >= MR && n >= NR && MR * n <= MOST_STRIPE &&
           ceil_div(n, NR) * NR * pairs_of(k) <= PACKED_B - LANES;
}

/* A task is some stripes, each low enough for the second cache, and packs B: there is one for each thread. */
static bool by_stripes(const gemm_args *g, const gemm_stripes *stripes)
{
    if (!hands_on(g->m, g->k, g->n)) return false;
    const double cost = cost_of(g) + (double)g->m * (double)g->n * stripes->arrays / UPDATED_PER_NS;
    const ptrdiff_t threads =
        tasks_worth(cost) < threads_get() ? (ptrdiff_t)tasks_worth(cost) : threads_get();
    const ptrdiff_t tiles = ceil_div(g->m, MR), tasks = threads < 1 ? 1 : min_size(threads, tiles);
    const ptrdiff_t most = STRIPE / (MR * g->n), each = ceil_div(ceil_div(tiles, tasks), most < 1 ? 1 : most);
    const stripe_product of = {g, stripes, cut_into(min_size(tasks * each, tiles), tiles)};
    parallel_for(of.tiles.parts, each, cost, multiply_stripes, &of);
    return true;
}

/* ---- kernels ---------------------------------------------------------------------------------------------- */

static void gemm(const void *args) { multiply(args, NULL, NULL); }

static void linear_forward_finished(const void *args, const product_finish *finish)
{
    const linear_forward_args *a = args;
    gemm_args y = product_y(a);
    if (finish != NULL) y.c = finish->to;
    multiply(&y, a->b, finish);
}

static void linear_forward(const void *args) { linear_forward_finished(args, NULL); }

static void linear_backward_finished(const void *args, const product_finish *finish, kernel_fn update,
                                     const void *update_args)
{
    const linear_backward_args *a = args;
    gemm_args dx = product_dx(a);
    if (finish != NULL) dx.c = finish->to;
    if (a->dx != NULL) multiply(&dx, NULL, finish);
    compute_dw(a, gemm, by_stripes, update, update_args);
    linear_backward_args db = *a; /* the sums are float32's */
    db.dx = db.dw = NULL;
    if (a->db != NULL) KERNEL(linear_backward)(&db);
}

static void linear_backward(const void *args) { linear_backward_finished(args, NULL, NULL, NULL); }

/* A tile is in the first cache when it is finished. */
static bool finishes(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n)
{
    (void)m, (void)k, (void)n;
    return true;
}

const bfloat16_fns TABLE = {{gemm, linear_forward, linear_backward},
                            {finishes, hands_on, linear_forward_finished, linear_backward_finished}};
