/* Gradient clipping: the norm of all segments, and their scaling by it. */
#include "../contracts/clip.h"
#include "../simd/vmath.h"
#include "kernel.h"
#include "segments.h"

#include <math.h>

enum { SUMS = 16 }; /* sums carried side by side: the same number, so the same bits, on every ISA */

typedef struct {
    double *partials; /* one a block, in the caller's scratch */
    ptrdiff_t block;
    const optim_segment *segments;
} squares_context;

static void add_squares(double sums[SUMS], const real *g, ptrdiff_t n)
{
    double local[SUMS];
    memcpy(local, sums, sizeof local);
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) local[j] += (double)g[i + j] * (double)g[i + j];
    for (int j = 0; i + j < n; j++) local[j] += (double)g[i + j] * (double)g[i + j];
    memcpy(sums, local, sizeof local);
}

static void squares_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const squares_context *c = context;
    double sums[SUMS] = {0};
    FOR_SEGMENTS(c->segments, begin, end, add_squares(sums, (const real *)s->g + from, to - from));
    for (int half = SUMS / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) sums[j] += sums[j + half];
    c->partials[begin / c->block] = sums[0];
}

void KERNEL(grad_norm)(const void *args)
{
    const grad_norm_args *a = args;
    ptrdiff_t n = count_elements(a->segments, a->count);
    squares_context c = {thread_scratch(), SEGMENTS_BLOCK, a->segments};
    while (n / c.block >= SCRATCH_BYTES / (ptrdiff_t)sizeof(double)) c.block *= 2;
    parallel_for(n, c.block, (double)n * 0.2, squares_range, &c);
    double sum = 0;
    for (ptrdiff_t i = 0; i * c.block < n; i++) sum += c.partials[i];
    double norm = sqrt(sum), coef = a->max_norm / (norm + 1e-6);
    *(real *)a->norm = (real)norm;
    if (coef < MIN_NORMAL && norm < __builtin_inf()) coef = -(a->max_norm / ((norm + 1e-6) * 0x1p-64));
    *(real *)a->coef = (real)(coef > 1 ? 1 : coef); /* NaN stays NaN */
}

/* a negative coef: see grad_norm_args */
static void scale_segment(real *w, real coef, ptrdiff_t n)
{
    if (coef < 0)
        for (ptrdiff_t i = 0; i < n; i++) w[i] = w[i] * -coef * (real)0x1p-64;
    else
        for (ptrdiff_t i = 0; i < n; i++) w[i] *= coef;
}

static void scale_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const scale_segments_args *a = context;
    const real coef = *(const real *)a->coef;
    FOR_SEGMENTS(a->segments, begin, end, scale_segment((real *)s->w + from, coef, to - from));
}

void KERNEL(scale_segments)(const void *args)
{
    const scale_segments_args *a = args;
    if (*(const real *)a->coef == 1) return;
    ptrdiff_t n = count_elements(a->segments, a->count);
    parallel_for(n, SEGMENTS_BLOCK, (double)n * 0.2, scale_range, a);
}
