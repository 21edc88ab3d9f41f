/* The matrix product where C is one row or one column, or k is 1: a batch of one row, a layer with one output.
 *
 * Each number of B (or of C, if k is 1) is used once, so the time is that of reading B (writing C), and packing
 * would double it. The sums are those of gemm.c, in the same order: a row has the same bits here and there. */
#include "gemm.h"
#include "../simd/transpose.h"

enum {
    DOT_VECTORS = 2, /* vectors of columns that hide the latency of vfma */
    WAYS = 8, /* of an L1: so many lines a multiple of WAY_BYTES apart are in it */
    WAY_BYTES = 4096,
    DOT_COLUMNS = 64, /* a task */
    ROWS = 8, /* of B, read together */
    COLUMNS = 1024, /* a task; their sums stay in L1 */
    OUTER_ROWS = 16,
    OUTER_VECTORS = 4, /* of a row, without a question */
};
#define BYTE_NS 0.04 /* time of a byte of B */

/* C (1,n) = alpha A B + beta C + bias: the one row of A has stride a_col. */
typedef struct {
    const gemm_args *g;
    const real *bias; /* NULL: none */
    ptrdiff_t bias_col; /* 1, or 0 for one number that is added to all */
    ptrdiff_t kc;
} row_product;

INLINE void store_total(const row_product *r, ptrdiff_t j, vec total, ptrdiff_t lanes)
{
    if (r->bias != NULL) total += r->bias_col == 0 ? vset1(*r->bias) : vload_upto(r->bias + j, lanes);
    vstore_upto((real *)r->g->c + j, total, lanes);
}

/* ---- columns of B lie along k: transposed in registers ------------------------------------------------- */

/* sum += a[p] * b[p] for `count` <= L columns from b on and p < rest <= L, both L if it `is_whole`. This and, but for the
 * last columns, `count` are constant where this is inlined. */
INLINE vec add_transposed(const bool is_whole, const ptrdiff_t count, const ptrdiff_t rest, vec sum,
                          const real *a, ptrdiff_t a_col, const real *b, ptrdiff_t b_col)
{
    vec row[LANES];
    if (is_whole) vload_transposed(row, b, b_col);
    else {
        UNROLL for (ptrdiff_t l = 0; l < L; l++)
            row[l] = vload_upto(b + min_size(l, count - 1) * b_col, rest);
        vtranspose(row);
    }
    UNROLL for (ptrdiff_t p = 0; p < L; p++)
        if (p < rest) sum = vfma(vset1(a[p * a_col]), row[p], sum);
    return sum;
}

/* `last`: columns of the last vector, L if all `are_whole`. Rows of B are read by whole cache lines: when they are a power
 * of two apart, few lines of the same place are in the cache at a time. */
INLINE void dot_columns(const int vectors, const bool are_whole, const ptrdiff_t last, const row_product *r,
                        ptrdiff_t j)
{
    const gemm_args *g = r->g;
    const ptrdiff_t a_col = g->a_col, b_col = g->b_col;
    const real *a = g->a, *b = (const real *)g->b + j * b_col, *c = (const real *)g->c + j;
    vec total[DOT_VECTORS] = {0};
    for (ptrdiff_t p = 0, p_end; p < g->k; p = p_end) {
        vec sum[DOT_VECTORS] = {0};
        p_end = min_size(p + r->kc, g->k);
        ptrdiff_t q = p;
        for (; q + LINE <= p_end; q += LINE) UNROLL
            for (int v = 0; v < vectors; v++) {
                const real *column = b + v * L * b_col + q;
                const ptrdiff_t count = v == vectors - 1 ? last : L;
                UNROLL for (ptrdiff_t h = 0; h < LINE; h += L)
                    sum[v] = add_transposed(are_whole, count, L, sum[v], a + (q + h) * a_col, a_col,
                                            column + h, b_col);
            }
        for (; q < p_end; q += L) UNROLL
            for (int v = 0; v < vectors; v++)
                sum[v] = add_transposed(false, v == vectors - 1 ? last : L, min_size(L, p_end - q), sum[v],
                                        a + q * a_col, a_col, b + v * L * b_col + q, b_col);
        UNROLL for (int v = 0; v < vectors; v++)
            total[v] = add_block(g, p, total[v], sum[v], c + v * L, v == vectors - 1 ? last : L);
    }
    UNROLL for (int v = 0; v < vectors; v++)
        store_total(r, j + v * L, total[v], v == vectors - 1 ? last : L);
}

static void dot_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_product r = *(const row_product *)context;
    const bool is_tight = (size_t)r.g->b_col * sizeof(real) % WAY_BYTES == 0 && L == WAYS && LINE > L;
    ptrdiff_t j = begin;
    if (!is_tight) /* else the lines of two vectors drive each other out */
        for (; j + DOT_VECTORS * L <= end; j += DOT_VECTORS * L) dot_columns(DOT_VECTORS, true, L, &r, j);
    for (; j + L <= end; j += L) dot_columns(1, true, L, &r, j);
    if (j < end) dot_columns(1, false, end - j, &r, j);
}

/* ---- columns of B lie side by side ----------------------------------------------------------------------- */

/* sum[j] += a[p] * b[p][j] for j < columns and `rows` p; constant where this is inlined. */
INLINE void add_rows(const int rows, real *sum, const real *a, ptrdiff_t a_col, const real *b,
                     ptrdiff_t b_row, ptrdiff_t columns)
{
    for (ptrdiff_t j = 0; j < columns; j += L) {
        const ptrdiff_t lanes = min_size(columns - j, L);
        vec s = vload(sum + j);
        UNROLL for (int p = 0; p < rows; p++)
            s = vfma(vset1(a[p * a_col]), vload_upto(b + p * b_row + j, lanes), s);
        vstore(sum + j, s);
    }
}

static void rows_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_product r = *(const row_product *)context;
    const gemm_args g = *r.g;
    const real *a = g.a, *b = (const real *)g.b + begin;
    const ptrdiff_t columns = end - begin;
    real *c = (real *)g.c + begin;
    for (ptrdiff_t p = 0, p_end; p < g.k; p = p_end) {
        real sum[COLUMNS];
        for (ptrdiff_t j = 0; j < columns; j += L) vstore(sum + j, (vec){0});
        p_end = min_size(p + r.kc, g.k);
        ptrdiff_t q = p;
        for (; q + ROWS <= p_end; q += ROWS)
            add_rows(ROWS, sum, a + q * g.a_col, g.a_col, b + q * g.b_row, g.b_row, columns);
        for (; q < p_end; q++) add_rows(1, sum, a + q * g.a_col, g.a_col, b + q * g.b_row, g.b_row, columns);
        for (ptrdiff_t j = 0; j < columns; j += L) {
            const ptrdiff_t lanes = min_size(columns - j, L);
            vec total = p > 0 ? vload_upto(c + j, lanes) : (vec){0};
            total = add_block(&g, p, total, vload(sum + j), c + j, lanes);
            if (p_end == g.k) store_total(&r, begin + j, total, lanes);
            else vstore_upto(c + j, total, lanes);
        }
    }
}

/* ---- k is 1: the outer product ------------------------------------------------------------------------- */

/* Lanes of a row of C, x times a row of B. `is_plain`: beta is 0 and there is no bias; constant where this is inlined. */
INLINE void outer_lanes(const bool is_plain, const row_product *r, real *c, vec x, ptrdiff_t j,
                        const ptrdiff_t lanes)
{
    const vec product = vfma(x, vload_upto((const real *)r->g->b + j, lanes), (vec){0});
    vec y = is_plain ? (real)r->g->alpha * product : add_block(r->g, 0, (vec){0}, product, c + j, lanes);
    if (!is_plain && r->bias != NULL) y += vload_upto(r->bias + j, lanes);
    vstore_upto(c + j, y, lanes);
}

static void outer_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_product r = *(const row_product *)context;
    const gemm_args g = *r.g;
    const bool is_plain = g.beta == 0 && r.bias == NULL;
    for (ptrdiff_t i = begin; i < end; i++) {
        const vec x = vset1(((const real *)g.a)[i * g.a_row]);
        real *c = (real *)g.c + i * g.c_row;
        ptrdiff_t j = 0;
        for (; is_plain && j + OUTER_VECTORS * L <= g.n; j += OUTER_VECTORS * L) UNROLL
            for (ptrdiff_t v = 0; v < OUTER_VECTORS; v++) outer_lanes(true, &r, c, x, j + v * L, L);
        for (; j < g.n; j += L) outer_lanes(false, &r, c, x, j, min_size(g.n - j, L));
    }
}

bool KERNEL(gemv_bias)(const gemm_args *g, const real *bias, ptrdiff_t kc)
{
    if (g->batch != 1 || g->k == 0) return false;
    const double cost = BYTE_NS * sizeof(real) * (double)(g->m * g->n) * (double)g->k;
    row_product r = {g, bias, 1, kc};
    if (g->k == 1 && g->b_col == 1) {
        parallel_for(g->m, OUTER_ROWS, cost, outer_range, &r);
        return true;
    }
    gemm_args turned; /* a column of C is a row of its transpose, B^T A^T */
    if (g->m != 1) {
        if (g->n != 1 || g->c_row != 1) return false;
        turned = *g;
        turned.a = g->b, turned.a_col = g->b_row;
        turned.b = g->a, turned.b_row = g->a_col, turned.b_col = g->a_row, turned.n = g->m;
        r.g = &turned, r.bias_col = 0;
    }
    if (r.g->b_row == 1) parallel_for(r.g->n, DOT_COLUMNS, cost, dot_range, &r);
    else if (r.g->b_col == 1) parallel_for(r.g->n, COLUMNS, cost, rows_range, &r);
    else return false;
    return true;
}
