/* Rows of an array by index, and the gradient of that: an embedding, a minibatch. */
#include "../contracts/gather.h"
#include "kernel.h"

enum { ROWS_BYTES = 32768 };

static void gather_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const gather_args a = *(const gather_args *)context;
    for (ptrdiff_t i = begin; i < end; i++)
        memcpy((char *)a.y + i * a.row_bytes, (const char *)a.x + a.index[i] * a.row_bytes,
               (size_t)a.row_bytes);
}

void KERNEL(gather)(const void *args)
{
    const gather_args *a = args;
    if (a->row_bytes == 0) return;
    double ns = (double)a->n * (10 + (double)a->row_bytes * 0.1);
    parallel_for(a->n, 1 + ROWS_BYTES / a->row_bytes, ns, gather_range, a);
}

/* Columns of a block: long runs of a row cost least. They depend on none beside them, so that how they are cut has no part
 * in what is computed, and may depend on the number of threads. */
static ptrdiff_t column_block(ptrdiff_t c)
{
    const ptrdiff_t lines = ceil_div(ceil_div(c, threads_get()), LINE);
    return lines > 0 ? lines * LINE : LINE;
}

/* Columns [begin, end) of all rows, in the order of the index: a row named twice adds in that order. */
static void gather_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const gather_backward_args a = *(const gather_backward_args *)context;
    for (ptrdiff_t row = 0; row < a.rows; row++)
        memset((real *)a.dx + row * a.c + begin, 0, (size_t)(end - begin) * sizeof(real));
    for (ptrdiff_t i = 0; i < a.n; i++) {
        real *dx = (real *)a.dx + a.index[i] * a.c;
        const real *dy = (const real *)a.dy + i * a.c;
        for (ptrdiff_t j = begin; j < end; j++) dx[j] += dy[j];
    }
}

void KERNEL(gather_backward)(const void *args)
{
    const gather_backward_args *a = args;
    double ns = (double)a->c * ((double)a->rows * 0.1 + (double)a->n * 0.4);
    parallel_for(a->c, column_block(a->c), ns, gather_backward_range, a);
}

/* ---- sums of rows ---------------------------------------------------------------------------------- */

/* f of the rows of a bag, but for w: 1, or 1 / their number */
static real share_of_bag(const int64_t *index, ptrdiff_t begin, ptrdiff_t end, int64_t padding, int mean)
{
    ptrdiff_t count = 0;
    if (!mean) return 1;
    for (ptrdiff_t i = begin; i < end; i++) count += index[i] != padding;
    return count > 0 ? 1 / (real)count : 1;
}

enum { TILE = 4 }; /* vectors of a sum that are in registers */

/* y[b, j..] of `tiles` vectors, the last of which has m lanes */
INLINE void bag_columns(const bag_forward_args *a, ptrdiff_t b, ptrdiff_t j, int tiles, ptrdiff_t m,
                        real share)
{
    const real *x = (const real *)a->x + j, *w = a->w;
    real *y = (real *)a->y + b * a->c + j;
    vec sums[TILE] = {0};
    for (ptrdiff_t i = a->ends[b]; i < a->ends[b + 1]; i++) {
        if (a->index[i] == a->padding) continue;
        const vec f = vset1(w != NULL ? share * w[i] : share);
        for (int t = 0; t < tiles; t++)
            sums[t] = vfma(f, vload_upto(x + a->index[i] * a->c + t * L, m), sums[t]);
    }
    for (int t = 0; t < tiles; t++) vstore_upto(y + t * L, sums[t], m);
}

/* bags [begin, end) */
static void bag_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const bag_forward_args a = *(const bag_forward_args *)context;
    for (ptrdiff_t b = begin; b < end; b++) {
        const real share = share_of_bag(a.index, a.ends[b], a.ends[b + 1], a.padding, a.mean);
        ptrdiff_t j = 0;
        for (; j + TILE * L <= a.c; j += TILE * L) bag_columns(&a, b, j, TILE, L, share);
        for (; j < a.c; j += L) bag_columns(&a, b, j, 1, a.c - j, share);
    }
}

void KERNEL(bag_forward)(const void *args)
{
    const bag_forward_args *a = args;
    if (a->bags == 0 || a->c == 0) return;
    const ptrdiff_t each = (a->n / a->bags + 1) * a->c;
    double ns = (double)a->n * (5 + (double)a->c * 0.1);
    parallel_for(a->bags, 1 + BLOCK / each, ns, bag_forward_range, a);
}

/* y += f x */
INLINE void add_row(real *restrict y, const real *restrict x, real f, ptrdiff_t c)
{
    for (ptrdiff_t j = 0; j < c; j++) y[j] += f * x[j];
}

/* Columns [begin, end) of all rows, as gather_backward. */
static void bag_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const bag_backward_args a = *(const bag_backward_args *)context;
    const real *w = a.w;
    for (ptrdiff_t row = 0; row < a.rows; row++)
        memset((real *)a.dx + row * a.c + begin, 0, (size_t)(end - begin) * sizeof(real));
    for (ptrdiff_t b = 0; b < a.bags; b++) {
        const real share = share_of_bag(a.index, a.ends[b], a.ends[b + 1], a.padding, a.mean);
        const real *dy = (const real *)a.dy + b * a.c + begin;
        for (ptrdiff_t i = a.ends[b]; i < a.ends[b + 1]; i++)
            if (a.index[i] != a.padding)
                add_row((real *)a.dx + a.index[i] * a.c + begin, dy, w != NULL ? share * w[i] : share,
                        end - begin);
    }
}

void KERNEL(bag_backward)(const void *args)
{
    const bag_backward_args *a = args;
    double ns = (double)a->c * ((double)a->rows * 0.1 + (double)a->n * 0.4);
    parallel_for(a->c, column_block(a->c), ns, bag_backward_range, a);
}

/* ---- by a mask ------------------------------------------------------------------------------------- */

void KERNEL(mask_gather)(const void *args)
{
    const mask_args a = *(const mask_args *)args;
    char *y = a.y;
    int64_t count = 0;
    for (ptrdiff_t i = 0; i < a.n; i++) {
        if (!a.mask[i]) continue;
        if (a.row_bytes > 0) memcpy(y, (const char *)a.x + i * a.row_bytes, (size_t)a.row_bytes);
        y += a.row_bytes, count++;
    }
    size_t left = (size_t)((a.n - count) * a.row_bytes);
    if (left > 0) memset(y, 0, left);
    *a.count = count;
}

void KERNEL(mask_scatter)(const void *args)
{
    const mask_args a = *(const mask_args *)args;
    if (a.row_bytes == 0) return;
    const char *x = a.x;
    for (ptrdiff_t i = 0; i < a.n; i++) {
        char *y = (char *)a.y + i * a.row_bytes;
        if (a.mask[i]) {
            memcpy(y, x, (size_t)a.row_bytes);
            x += a.row_bytes;
        } else {
            memset(y, 0, (size_t)a.row_bytes);
        }
    }
}

/* ---- indices checked ------------------------------------------------------------------------------- */

void KERNEL(index_check)(const void *args)
{
    const index_check_args a = *(const index_check_args *)args;
    ptrdiff_t fault = -1;
    for (ptrdiff_t i = 0; i < a.n; i++) {
        int64_t index = a.index[i];
        if (a.wrap && index < 0) index += a.size;
        int allowed = (0 <= index && index < a.size) || (!a.wrap && index == a.ignored);
        if (!allowed && fault < 0) fault = i;
        if (a.y != NULL) a.y[i] = allowed ? index : 0;
    }
    *a.fault = fault;
}

/* ---- piecewise linear ------------------------------------------------------------------------------ */

/* The bin that x lies in, of `count`: the number of left[1..count-2] that are not above it, or the last of `bins`. */
INLINE ptrdiff_t bin_of(real x, const real *left, ptrdiff_t count, ptrdiff_t bins)
{
    if (count == 1 || x >= left[bins - 1]) return bins - 1;
    ptrdiff_t bin = 0;
    for (ptrdiff_t size = count - 1; size > 1;) { /* it is one of bin .. bin + size - 1; without branches */
        const ptrdiff_t half = size / 2;
        bin += half & -(ptrdiff_t)(x >= left[bin + half]);
        size -= half;
    }
    return bin;
}

/* rows [begin, end) */
static void piecewise_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const piecewise_forward_args a = *(const piecewise_forward_args *)context;
    for (ptrdiff_t i = begin; i < end; i++)
        for (ptrdiff_t f = 0; f < a.functions; f++) {
            const real x = ((const real *)a.x)[i * a.functions + f],
                       *left = (const real *)a.left + f * a.bins;
            const ptrdiff_t bin = bin_of(x, left, a.counts[f], a.bins);
            const real s = (x - left[bin]) * ((const real *)a.scale)[f * a.bins + bin];
            const real *v = (const real *)a.values + (f * (a.bins + 1) + bin) * a.c;
            real *y = (real *)a.y + (i * a.functions + f) * a.c;
            const vec before = vset1(1 - s), behind = vset1(s);
            for (ptrdiff_t j = 0; j < a.c; j += L) {
                const ptrdiff_t m = a.c - j;
                vstore_upto(y + j, vfma(behind, vload_upto(v + a.c + j, m), before * vload_upto(v + j, m)),
                            m);
            }
        }
}

void KERNEL(piecewise_forward)(const void *args)
{
    const piecewise_forward_args *a = args;
    if (a->functions == 0) return;
    double ns = (double)(a->n * a->functions) * (20 + (double)a->c * 0.1);
    parallel_for(a->n, 1 + BLOCK / (a->functions * (20 + a->c)), ns, piecewise_forward_range, a);
}

/* functions [begin, end) */
static void piecewise_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const piecewise_backward_args a = *(const piecewise_backward_args *)context;
    for (ptrdiff_t f = begin; f < end; f++) {
        const real *left = (const real *)a.left + f * a.bins, *scale = (const real *)a.scale + f * a.bins;
        real *dvalues = (real *)a.dvalues + f * (a.bins + 1) * a.c;
        memset(dvalues, 0, (size_t)((a.bins + 1) * a.c) * sizeof(real));
        for (ptrdiff_t i = 0; i < a.n; i++) {
            const real x = ((const real *)a.x)[i * a.functions + f];
            const ptrdiff_t bin = bin_of(x, left, a.counts[f], a.bins);
            const real s = (x - left[bin]) * scale[bin],
                       *dy = (const real *)a.dy + (i * a.functions + f) * a.c;
            add_row(dvalues + bin * a.c, dy, 1 - s, a.c);
            add_row(dvalues + (bin + 1) * a.c, dy, s, a.c);
        }
    }
}

void KERNEL(piecewise_backward)(const void *args)
{
    const piecewise_backward_args *a = args;
    double ns = (double)(a->n * a->functions) * (20 + (double)a->c * 0.3);
    parallel_for(a->functions, 1, ns, piecewise_backward_range, a);
}

/* ---- along a dimension ----------------------------------------------------------------------------- */

/* rows [begin, end) of the outer * m rows of y */
#define GATHER_ROWS(size, type)                                                                \
    typedef type item_##size __attribute__((may_alias));                                       \
    static void gather_rows_##size(const gather_along_args *a, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                                          \
        for (ptrdiff_t row = begin; row < end; row++) {                                        \
            const int64_t *index = a->index + row * a->inner;                                  \
            const item_##size *x = (const item_##size *)a->x + row / a->m * a->n * a->inner;   \
            item_##size *y = (item_##size *)a->y + row * a->inner;                             \
            for (ptrdiff_t l = 0; l < a->inner; l++) y[l] = x[index[l] * a->inner + l];        \
        }                                                                                      \
    }
GATHER_ROWS(1, uint8_t)
GATHER_ROWS(2, uint16_t)
GATHER_ROWS(4, uint32_t)
GATHER_ROWS(8, uint64_t)

static void gather_along_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const gather_along_args *a = context;
    if (a->item_bytes == 1) gather_rows_1(a, begin, end);
    else if (a->item_bytes == 2) gather_rows_2(a, begin, end);
    else if (a->item_bytes == 4) gather_rows_4(a, begin, end);
    else gather_rows_8(a, begin, end);
}

void KERNEL(gather_along)(const void *args)
{
    const gather_along_args *a = args;
    if (a->inner == 0) return;
    ptrdiff_t rows = a->outer * a->m;
    parallel_for(rows, 1 + BLOCK / a->inner, (double)(rows * a->inner), gather_along_range, a);
}

/* outer [begin, end) */
static void scatter_add_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const scatter_add_args a = *(const scatter_add_args *)context;
    for (ptrdiff_t i = begin; i < end; i++) {
        real *dx = (real *)a.dx + i * a.n * a.inner;
        for (ptrdiff_t j = 0; j < a.m; j++) {
            const int64_t *index = a.index + (i * a.m + j) * a.inner;
            const real *dy = (const real *)a.dy + (i * a.m + j) * a.inner;
            for (ptrdiff_t l = 0; l < a.inner; l++) dx[index[l] * a.inner + l] += dy[l];
        }
    }
}

void KERNEL(scatter_add)(const void *args)
{
    const scatter_add_args *a = args;
    ptrdiff_t each = a->m * a->inner;
    if (each == 0) return;
    parallel_for(a->outer, 1 + BLOCK / each, (double)(a->outer * each) * 2, scatter_add_range, a);
}
