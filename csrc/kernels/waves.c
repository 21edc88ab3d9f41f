/* Waves of each feature of a row. */
#include "../contracts/waves.h"
#include "../simd/vmath.h"
#include "kernel.h"

/* ---- forward: what cos and sin have in common is computed once ---------------------------------------- */

/* A row of the result, its angles, and x. */
typedef struct {
    real *cosine, *sine;
    const real *c;
    real x;
} wave_row;
INLINE wave_row row_of(const waves_forward_args *w, ptrdiff_t row)
{
    const ptrdiff_t f = row / w->n, i = row % w->n;
    real *cosine = (real *)w->z + row * 2 * w->k;
    return (wave_row){cosine, cosine + w->k, (const real *)w->c + f * w->k,
                      ((const real *)w->x)[i * w->features + f]};
}

/* The angles of rows [begin, end) that are beyond the limit. */
static void NOINLINE waves_by_library(const waves_forward_args *w, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t row = begin; row < end; row++) {
        const wave_row r = row_of(w, row);
        for (ptrdiff_t j = 0; j < w->k; j++) {
            const real angle = r.c[j] * r.x;
            if (angle >= -TURNS_LIMIT && angle <= TURNS_LIMIT) continue;
            r.cosine[j] = LIBRARY(cos)(angle), r.sine[j] = LIBRARY(sin)(angle);
        }
    }
}

/* rows [begin, end) of all features. Without calls in the loop its constants stay in registers. */
static void waves_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const waves_forward_args w = *(const waves_forward_args *)context;
    ivec beyond = {0};
    for (ptrdiff_t row = begin; row < end; row++) {
        const wave_row r = row_of(&w, row);
        const vec x = vset1(r.x);
        for (ptrdiff_t j = 0; j < w.k; j += L) {
            const vec angle = vload_upto(r.c + j, w.k - j) * x;
            vstore_upto(r.cosine + j, vcos_within(angle), w.k - j);
            vstore_upto(r.sine + j, vsin_within(angle), w.k - j);
            beyond |= beyond_limit(angle);
        }
    }
    if (any_lane(beyond)) waves_by_library(&w, begin, end);
}

#define NS_WAVE 0.3

void KERNEL(waves_forward)(const void *args)
{
    const waves_forward_args *w = args;
    const ptrdiff_t rows = w->features * w->n;
    parallel_for(rows, 1 + BLOCK / (1 + w->k), (double)(rows * w->k) * NS_WAVE, waves_range, w);
}

/* ---- backward ----------------------------------------------------------------------------------------- */

static void both_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const waves_both_args b = *(const waves_both_args *)context;
    for (ptrdiff_t row = begin; row < end; row++) {
        const vec x = vset1(((const real *)b.x)[row]);
        const real *from = (const real *)b.dy + row * b.o;
        real *to = (real *)b.both + row * 2 * b.o;
        EACH_VECTOR(b.o, const vec dy = vload_upto(from + j, m); vstore_upto(to + j, dy, m);
                    vstore_upto(to + b.o + j, x * dy, m));
    }
}

void KERNEL(waves_both)(const void *args)
{
    const waves_both_args *b = args;
    const ptrdiff_t rows = b->n * b->features;
    parallel_for(rows, 1 + BLOCK / (1 + b->o), (double)(rows * b->o) * 0.2, both_range, b);
}

/* frequencies [begin, end) of all features */
static void waves_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const waves_backward_args a = *(const waves_backward_args *)context;
    const ptrdiff_t sine = a.k * a.o; /* how far behind cos it stands in w */
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t row = i / a.k * 2 * a.k + i % a.k;
        const real *w = (const real *)a.w + row * a.o, *p = (const real *)a.p + row * 2 * a.o;
        real *dw = (real *)a.dw + row * a.o;
        vec sum = {0};
        EACH_VECTOR(a.o, const vec of_sin = vload_upto(w + sine + j, m) * vload_upto(p + a.o + j, m);
                    sum += of_sin - vload_upto(w + j, m) * vload_upto(p + 2 * sine + a.o + j, m);
                    vstore_upto(dw + j, vload_upto(p + j, m), m);
                    vstore_upto(dw + sine + j, vload_upto(p + 2 * sine + j, m), m));
        ((real *)a.dc)[i] = vsum(sum);
    }
}

void KERNEL(waves_backward)(const void *args)
{
    const waves_backward_args *a = args;
    const ptrdiff_t n = a->features * a->k;
    parallel_for(n, 1 + BLOCK / (1 + a->o), (double)(n * a->o), waves_backward_range, a);
}
