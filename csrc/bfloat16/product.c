/* Products of matrices rounded to bfloat16, with sums in float32, by VDPBF16PS of AVX512_BF16. The algorithm is that of
 * kernels/gemm.c; every operand is packed, as it must be rounded.
 *
 * What the instruction multiplies at a time is a pair: numbers 2g and 2g+1 of k, rounded to nearest even, the first in the
 * low half of a lane. An element of C is the sum over blocks of k, in order, of alpha * (sum over the pairs of the block,
 * in order, from 0; of a pair the second product is added first, each by one multiply-add), whatever its place in C, the
 * sizes m and n, and threads. The instruction takes subnormal numbers for zero and makes none. */
#include "../kernels/linear.h"
#include "../dispatch.h"
#include "../kernels/gemm.h"
#include "../simd/transpose.h"

/* MR x 2 vectors of C, 2 of B and one of A fill the registers. KC x NR pairs are an L1 of 32 KiB, MC x KC 252 KiB, and
 * NC x KC 1 MiB: shorter blocks of k cost more in passes over C than they gain. */
enum {
    MR = 14,
    NR = 2 * LANES,
    KC = 512, /* of k */
    KC_STEP = 32,
    MC = 18 * MR,
    NC = 1024,
    PACKED_B = KC / 2 * NC + LANES, /* pairs */

    TASKS_PER_THREAD = 2,
    TASK_NS = 3000,
    MACS_PER_NS = 10, /* multiply-adds of one lane in a nanosecond, about, */
    PACKED_PER_NS = 16, /* and numbers that are packed */
};
typedef uint32_t pair;
_Static_assert((PACKED_B + MC * KC / 2 + LANES) * sizeof(pair) <= SCRATCH_BYTES, "scratch holds all blocks");

/* ---- packing ------------------------------------------------------------------------------------------- */

/* Lane i has numbers 2i and 2i+1 of low and high in a row. */
INLINE vec pairs_along(vec low, vec high) { return (vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }

/* Lane i has first[i] and second[i]. */
INLINE vec pairs_across(vec first, vec second)
{
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)first));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)second));
    return (vec)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* block[g] has pair g of each of at most L rows; zero are numbers beyond k <= 2L. */
INLINE void load_block(vec block[LANES], const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                       ptrdiff_t rows, ptrdiff_t k)
{
    real piece[2 * LANES * LANES];
    if (k_stride != 1 && along != 1) {
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t p = 0; p < k; p++) piece[2 * L * i + p] = from[i * along + p * k_stride];
        from = piece, along = 2 * L, k_stride = 1;
    }
    if (k_stride == 1) {
        const ptrdiff_t low = min_size(k, L), high = k - low;
        UNROLL for (ptrdiff_t l = 0; l < L; l++) {
            const real *row = from + min_size(l, rows - 1) * along;
            block[l] = pairs_along(vload_n(row, low), vload_n(row + low, high));
        }
        vtranspose(block);
    } else UNROLL
        for (ptrdiff_t l = 0; l < L; l++) {
            const real *first = from + min_size(2 * l, k - 1) * k_stride;
            const real *second = from + min_size(2 * l + 1, k - 1) * k_stride;
            block[l] = pairs_across(vload_n(first, rows), vload_n(second, 2 * l + 1 < k ? rows : 0));
        }
}

/* to[g*width + i] <- pair g of row i < count; what lies at count <= i < width is not defined. Whole vectors are stored, in
 * an order in which each overwrites what the one before spilled. */
static void pack(ptrdiff_t width, pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                 ptrdiff_t count, ptrdiff_t k)
{
    const ptrdiff_t pairs = ceil_div(k, 2);
    for (ptrdiff_t g = 0; g < pairs; g += L)
        for (ptrdiff_t i = (count - 1) / L * L; i >= 0; i -= L) {
            vec block[LANES];
            load_block(block, from + i * along + 2 * g * k_stride, along, k_stride, min_size(count - i, L),
                       min_size(k - 2 * g, 2 * L));
            UNROLL for (ptrdiff_t l = 0; l < L; l++)
                if (g + l < pairs) vstore((real *)to + (g + l) * width + i, block[l]);
        }
}

/* ---- the tile ------------------------------------------------------------------------------------------ */

/* sums (rows,NR) of packed operands; `rows` is constant where this is inlined. */
INLINE void sum_tile(const int rows, real *sums, const pair *a, const pair *b, ptrdiff_t pairs)
{
    vec sum[MR][2];
    UNROLL for (int i = 0; i < rows; i++)
        sum[i][0] = sum[i][1] = (vec){0};
    for (; pairs > 0; pairs--, a += MR, b += NR) {
        const __m512bh low = (__m512bh)vload((const real *)b), high = (__m512bh)vload((const real *)b + L);
        UNROLL for (int i = 0; i < rows; i++) {
            const __m512bh a_i = (__m512bh)_mm512_set1_epi32((int)a[i]);
            sum[i][0] = (vec)_mm512_dpbf16_ps((__m512)sum[i][0], a_i, low);
            sum[i][1] = (vec)_mm512_dpbf16_ps((__m512)sum[i][1], a_i, high);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        vstore(sums + i * NR, sum[i][0]);
        vstore(sums + i * NR + L, sum[i][1]);
    }
}

#define EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define TILE(r)                                                                     \
    static void tile_##r(real *sums, const pair *a, const pair *b, ptrdiff_t pairs) \
    {                                                                               \
        sum_tile(r, sums, a, b, pairs);                                             \
    }
EACH_MR(TILE)
#define TILE_NAME(r) tile_##r,
static void (*const tile_fns[MR])(real *, const pair *, const pair *, ptrdiff_t) = {EACH_MR(TILE_NAME)};

/* ---- blocks -------------------------------------------------------------------------------------------- */

/* Where a block of C is, and how it is stored. */
typedef struct {
    real *c;
    const real *bias; /* NULL: none */
    ptrdiff_t c_row, rows, columns, k;
    real alpha, beta;
} block_args;

/* C <- alpha * sums + beta * C + bias, `rows` and `columns` of them. */
INLINE void store_tile(const block_args *t, real *c, const real *bias, const real *sums, ptrdiff_t rows,
                       ptrdiff_t columns)
{
    const vec alpha = vset1(t->alpha), beta = vset1(t->beta);
    for (ptrdiff_t i = 0; i < rows; i++, c += t->c_row, sums += NR)
        for (ptrdiff_t j = 0; j < columns; j += L) {
            const ptrdiff_t lanes = min_size(columns - j, L);
            vec y = alpha * vload(sums + j);
            if (t->beta != 0) y = vfma(alpha, vload(sums + j), beta * vload_upto(c + j, lanes));
            if (bias != NULL) y += vload_upto(bias + j, lanes);
            vstore_upto(c + j, y, lanes);
        }
}

/* One block of k. */
static void multiply_block(const gemm_args *g, const block_args *t, const real *a, const real *b)
{
    pair *packed_b = thread_scratch(), *packed_a = packed_b + PACKED_B;
    const ptrdiff_t pairs = ceil_div(t->k, 2);
    for (ptrdiff_t i_begin = 0; i_begin < t->rows; i_begin += MC) {
        const ptrdiff_t i_end = min_size(i_begin + MC, t->rows);
        for (ptrdiff_t i = i_begin; i < i_end; i += MR)
            pack(MR, packed_a + (i - i_begin) * pairs, a + i * g->a_row, g->a_row, g->a_col,
                 min_size(MR, i_end - i), t->k);
        for (ptrdiff_t j = 0; j < t->columns; j += NR) {
            const ptrdiff_t columns = min_size(NR, t->columns - j);
            pair *panel = packed_b + j * pairs;
            if (i_begin == 0) pack(NR, panel, b + j * g->b_col, g->b_col, g->b_row, columns, t->k);
            for (ptrdiff_t i = i_begin; i < i_end; i += MR) {
                _Alignas(VEC_BYTES) real sums[MR * NR];
                const ptrdiff_t rows = min_size(MR, i_end - i);
                real *c = t->c + i * t->c_row + j;
                for (ptrdiff_t r = 0; r < rows; r++) __builtin_prefetch(c + r * t->c_row, 1);
                tile_fns[rows - 1](sums, packed_a + (i - i_begin) * pairs, panel, pairs);
                store_tile(t, c, t->bias == NULL ? NULL : t->bias + j, sums, rows, columns);
            }
        }
    }
}

/* Tasks are parts of C: row_size x column_size of it. */
typedef struct {
    const gemm_args *args;
    const real *bias;
    ptrdiff_t kc, row_size, column_size;
} product;

static void multiply_tasks(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const product of = *(const product *)context;
    const gemm_args *g = of.args;
    const ptrdiff_t columns = ceil_div(g->n, of.column_size), rows = ceil_div(g->m, of.row_size);
    for (ptrdiff_t task = begin; task < end; task++) {
        const ptrdiff_t matrix = task / (rows * columns);
        const ptrdiff_t i = task / columns % rows * of.row_size, j = task % columns * of.column_size;
        const real *a = (const real *)g->a + matrix * g->a_batch + i * g->a_row;
        const real *b = (const real *)g->b + matrix * g->b_batch + j * g->b_col;
        block_args t = {.c = (real *)g->c + matrix * g->c_batch + i * g->c_row + j,
                        .c_row = g->c_row,
                        .rows = min_size(of.row_size, g->m - i),
                        .columns = min_size(of.column_size, g->n - j),
                        .alpha = (real)g->alpha,
                        .beta = (real)g->beta};
        ptrdiff_t p = 0;
        do { /* once if k is 0 */
            t.k = min_size(g->k - p, of.kc);
            t.bias = of.bias != NULL && p + t.k == g->k ? of.bias + j : NULL;
            multiply_block(g, &t, a + p * g->a_col, b + p * g->b_row);
            t.beta = 1; /* the blocks that follow add */
            p += t.k;
        } while (p < g->k);
    }
}

static void multiply(const gemm_args *g, const real *bias)
{
    if (g->m == 0 || g->n == 0 || g->batch == 0) return;
    const double macs = (double)g->m * (double)ceil_div(g->n, L) * (double)g->k / MACS_PER_NS;
    const double cost = (double)g->batch * (macs + (double)(g->m + g->n) * (double)g->k / PACKED_PER_NS);
    product of = {g, bias, g->k, ceil_div(g->m, MR) * MR, min_size(ceil_div(g->n, NR) * NR, NC)};
    if (g->k > KC) of.kc = ceil_div(ceil_div(g->k, ceil_div(g->k, KC)), KC_STEP) * KC_STEP;
    const int threads = threads_get();
    const double worth = cost / TASK_NS, most = threads == 1 ? 1 : TASKS_PER_THREAD * threads;
    const double tasks = (worth < most ? worth : most) / (double)(g->batch * ceil_div(g->n, of.column_size));
    const ptrdiff_t parts =
        tasks < 1 ? 1 : (ptrdiff_t)tasks; /* of the longer side: the other is packed in each */
    if (g->m > g->n) of.row_size = ceil_div(ceil_div(g->m, parts), MR) * MR;
    else of.column_size = ceil_div(ceil_div(of.column_size, parts), NR) * NR;
    const ptrdiff_t blocks = ceil_div(g->m, of.row_size) * ceil_div(g->n, of.column_size);
    parallel_for(blocks * g->batch, 1, cost, multiply_tasks, &of);
}

/* ---- kernels ---------------------------------------------------------------------------------------------- */

static void gemm(const void *args) { multiply(args, NULL); }

static void linear_forward(const void *args)
{
    const linear_forward_args *a = args;
    const gemm_args y = product_y(a);
    multiply(&y, a->b);
}

void KERNEL(linear_backward)(const void *args);

static void linear_backward(const void *args)
{
    const linear_backward_args *a = args;
    const gemm_args dx = product_dx(a), dw = product_dw(a);
    if (a->dx != NULL) multiply(&dx, NULL);
    if (a->dw != NULL) multiply(&dw, NULL);
    linear_backward_args db = *a; /* the sums are float32's */
    db.dx = db.dw = NULL;
    if (a->db != NULL) KERNEL(linear_backward)(&db);
}

const kernel_fn bfloat16_avx512[BFLOAT16_COUNT] = {gemm, linear_forward, linear_backward};
