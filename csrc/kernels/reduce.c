/* Reductions over the middle of (outer, n, inner): sum, max, min. */
#include "../contracts/reduce.h"
#include "kernel.h"

/* ---- sum ------------------------------------------------------------------------------------------- */

/* Sums are pairwise: Higham 1993, "The accuracy of floating point summation". Up to RUN_ROWS terms are added
 * one after another; a longer range is split at the largest RUN_ROWS * 2^k inside it, so the error grows as
 * log n. The tree is a function of n alone, and blocks of RUN_ROWS * 2^k are whole branches of it: any thread
 * may sum one, and their sums are combined last.
 *
 * inner > 1:   the terms are rows, summed side by side in a strip of columns.
 * inner == 1:  every ROW_BLOCK terms are folded into rows of one strip; their sum is a leaf of the tree. */
enum {
    STRIP_VECTORS = 4,
    STRIP = STRIP_VECTORS * LANES, /* columns */
    RUN_ROWS = 32,
    ROW_BLOCK = BLOCK,
    STRIP_BLOCK = 32768 / STRIP, /* rows of a strip: much more work than combining blocks */
};

typedef struct {
    vec v[STRIP_VECTORS];
} strip;

/* the largest base * 2^k below n; n > base */
INLINE ptrdiff_t split_point(ptrdiff_t n, ptrdiff_t base)
{
    while (2 * base < n) base *= 2;
    return base;
}

/* vector k of a row of `width` columns; zeros beyond them */
INLINE vec load_columns(const real *x, ptrdiff_t k, ptrdiff_t width)
{
    ptrdiff_t left = width - k * L;
    return left >= L ? vload(x + k * L) : left > 0 ? vload_n(x + k * L, left) : (vec){0};
}

INLINE strip add_rows(const real *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t width)
{
    strip s = {{{0}}};
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t k = 0; k < STRIP_VECTORS; k++) s.v[k] += load_columns(x + i * stride, k, width);
    return s;
}

static strip sum_rows(const real *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t width)
{
    if (rows <= RUN_ROWS)
        return width == STRIP ? add_rows(x, rows, stride, STRIP) : add_rows(x, rows, stride, width);
    ptrdiff_t half = split_point(rows, RUN_ROWS);
    strip s = sum_rows(x, half, stride, width), t = sum_rows(x + half * stride, rows - half, stride, width);
    for (ptrdiff_t k = 0; k < STRIP_VECTORS; k++) s.v[k] += t.v[k];
    return s;
}

static real sum_row(const real *x, ptrdiff_t n)
{
    if (n > ROW_BLOCK) {
        ptrdiff_t half = split_point(n, ROW_BLOCK);
        return sum_row(x, half) + sum_row(x + half, n - half);
    }
    ptrdiff_t rows = n / STRIP;
    strip s = sum_rows(x, rows, STRIP, STRIP), rest = add_rows(x + rows * STRIP, 1, 0, n % STRIP);
    for (ptrdiff_t k = 0; k < STRIP_VECTORS; k++) s.v[k] += rest.v[k];
    return vsum((s.v[0] + s.v[1]) + (s.v[2] + s.v[3]));
}

/* the top of the tree, over the sums of blocks */
static real sum_blocks(const real *sums, ptrdiff_t blocks, ptrdiff_t stride)
{
    if (blocks == 1) return sums[0];
    ptrdiff_t half = split_point(blocks, 1);
    return sum_blocks(sums, half, stride) + sum_blocks(sums + half * stride, blocks - half, stride);
}

typedef struct {
    real *sums; /* (outer, blocks, inner) */
    const real *x;
    ptrdiff_t n, inner, block, blocks, strips;
} sum_context;

/* units [begin, end): one block of terms in one strip of columns */
static void sum_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const sum_context c = *(const sum_context *)context;
    for (ptrdiff_t unit = begin; unit < end; unit++) {
        ptrdiff_t j = unit % c.strips * STRIP, outer_block = unit / c.strips;
        ptrdiff_t first = outer_block % c.blocks * c.block, terms = min_size(c.block, c.n - first);
        const real *x = c.x + (outer_block / c.blocks * c.n + first) * c.inner + j;
        real *sums = c.sums + outer_block * c.inner + j;
        if (c.inner == 1) {
            *sums = sum_row(x, terms);
        } else {
            ptrdiff_t width = min_size(STRIP, c.inner - j);
            strip s = sum_rows(x, terms, c.inner, width);
            for (ptrdiff_t k = 0; k * L < width; k++)
                vstore_n(sums + k * L, s.v[k], min_size(L, width - k * L));
        }
    }
}

void KERNEL(sum)(const void *args)
{
    const sum_args *a = args;
    const ptrdiff_t outputs = a->outer * a->inner;
    if (outputs == 0) return;
    const ptrdiff_t n = a->count == NULL ? a->n : (ptrdiff_t)*a->count * a->each;
    sum_context c = {a->y, a->x, n, a->inner, a->inner == 1 ? ROW_BLOCK : STRIP_BLOCK, 1, 1};
    c.strips = (c.inner + STRIP - 1) / STRIP;
    const ptrdiff_t room = SCRATCH_BYTES / (ptrdiff_t)sizeof(real);
    while (c.block < c.n && outputs * ((c.n + c.block - 1) / c.block) > room) c.block *= 2;
    if (c.block < c.n) {
        c.blocks = (c.n + c.block - 1) / c.block;
        c.sums = thread_scratch();
    }
    ptrdiff_t unit = min_size(c.block, c.n) * min_size(STRIP, c.inner);
    double ns = (double)outputs * (2 + (double)c.n * 0.1);
    parallel_for(a->outer * c.blocks * c.strips, 1 + BLOCK / (1 + unit), ns, sum_range, &c);
    if (c.blocks == 1) return;
    real *y = a->y;
    for (ptrdiff_t i = 0; i < a->outer; i++)
        for (ptrdiff_t j = 0; j < c.inner; j++)
            *y++ = sum_blocks(c.sums + i * c.blocks * c.inner + j, c.blocks, c.inner);
}

/* ---- max, min -------------------------------------------------------------------------------------- */

enum { COLUMNS = 64 };

/* whether a replaces b, which stands before it: a NaN does, once */
INLINE int beats(real a, real b, int largest) { return (largest ? a > b : a < b) | ((a != a) & (b == b)); }

INLINE vec extreme(vec a, vec b, int largest) { return largest ? vmax(a, b) : vmin(a, b); }

/* the first index of the extreme value of x[0..n), n >= 1: the value first, then where it is */
INLINE ptrdiff_t extremum_of_row(const real *x, ptrdiff_t n, int largest)
{
    real value = x[0];
    ptrdiff_t i = 0;
    if (n >= 2 * L) {
        vec even = vload(x), odd = vload(x + L);
        for (i = 2 * L; i + 2 * L <= n; i += 2 * L) {
            even = extreme(even, vload(x + i), largest);
            odd = extreme(odd, vload(x + i + L), largest);
        }
        even = extreme(even, odd, largest);
        for (ptrdiff_t lane = 0; lane < L; lane++)
            value = beats(even[lane], value, largest) ? even[lane] : value;
    }
    for (; i < n; i++) value = beats(x[i], value, largest) ? x[i] : value;
    ptrdiff_t first = 0;
    while (first < n - 1 && x[first] != value && (value == value || x[first] == x[first])) first++;
    return first;
}

INLINE void extremum_of_columns(real *y, int64_t *index, const real *x, ptrdiff_t n, ptrdiff_t inner,
                                ptrdiff_t width, int largest)
{
    real value[COLUMNS];
    int64_t at[COLUMNS] = {0};
    memcpy(value, x, (size_t)width * sizeof *x);
    for (ptrdiff_t i = 1; i < n; i++)
        for (ptrdiff_t j = 0; j < width; j++) {
            real candidate = x[i * inner + j];
            int better = beats(candidate, value[j], largest);
            value[j] = better ? candidate : value[j];
            at[j] = better ? i : at[j];
        }
    memcpy(y, value, (size_t)width * sizeof *y);
    if (index) memcpy(index, at, (size_t)width * sizeof *index);
}

/* outputs in units of a row (inner == 1), or of COLUMNS columns */
INLINE void extremum_range(const extremum_args a, ptrdiff_t begin, ptrdiff_t end, int largest)
{
    ptrdiff_t strips = (a.inner + COLUMNS - 1) / COLUMNS;
    for (ptrdiff_t unit = begin; unit < end; unit++) {
        ptrdiff_t outer = unit / strips, j = unit % strips * COLUMNS;
        const real *x = (const real *)a.x + outer * a.n * a.inner + j;
        real *y = (real *)a.y + outer * a.inner + j;
        int64_t *index = a.index ? a.index + outer * a.inner + j : NULL;
        if (a.inner == 1) {
            ptrdiff_t first = extremum_of_row(x, a.n, largest);
            *y = x[first];
            if (index) *index = first;
        } else {
            extremum_of_columns(y, index, x, a.n, a.inner, min_size(COLUMNS, a.inner - j), largest);
        }
    }
}

static void max_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    extremum_range(*(const extremum_args *)context, begin, end, 1);
}

static void min_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    extremum_range(*(const extremum_args *)context, begin, end, 0);
}

static void extremum(const extremum_args *a, range_fn range)
{
    ptrdiff_t strips = (a->inner + COLUMNS - 1) / COLUMNS, unit = a->n * min_size(COLUMNS, a->inner);
    double ns = (double)(a->outer * a->inner) * (double)a->n * 0.4;
    parallel_for(a->outer * strips, 1 + BLOCK / (1 + unit), ns, range, a);
}

void KERNEL(max)(const void *args) { extremum(args, max_range); }
void KERNEL(min)(const void *args) { extremum(args, min_range); }
