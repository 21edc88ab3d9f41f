/* What may follow a product on its way to memory, see product_finish: lanes of the kernels that are named so. */
#ifndef PYML_FINISH_H
#define PYML_FINISH_H

#include "../contracts/linear.h"
#include "kernel.h"

enum {
    BITS = 64, /* of one number of a mask of dropout */
};

/* relu: max(x, 0), NaN stays NaN; and its derivative: dy where y > 0, else 0 */
INLINE vec relu(vec x) { return vselect(x <= 0, vset1(0), x); }
INLINE vec relu_slope(vec dy, vec y) { return vselect(y <= 0, vset1(0), dy); }

/* x * scale in lanes whose bit is set, +0 in the others, whatever x is */
INLINE vec keep(vec x, uint64_t bits, real scale)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    return (vec)_mm512_maskz_mul_ps((__mmask16)bits, (__m512)x, (__m512)vset1(scale));
#elif defined(ISA_avx512)
    return (vec)_mm512_maskz_mul_pd((__mmask8)bits, (__m512d)x, (__m512d)vset1(scale));
#else
#define BIT_OF(s, l) (ireal)1 << (l)
    const ivec bit = {EACH_LANE(BIT_OF, 0, 0)};
    return (vec)((ivec)(x * scale) & (((ireal)bits & bit) != 0));
#endif
}

/* `count` bits of a mask from bit `at` on, in the lowest places; the others are not defined. */
INLINE uint64_t bits_at(const uint64_t *mask, ptrdiff_t at, ptrdiff_t count)
{
    const ptrdiff_t low = at % BITS;
    uint64_t bits = mask[at / BITS] >> low;
    if (low + count > BITS) bits |= mask[at / BITS + 1] << (BITS - low);
    return bits;
}

/* Lanes of C from element `at` on, through what a finish has. */
INLINE vec kept(vec c, const product_finish *f, ptrdiff_t at, ptrdiff_t lanes)
{
    return keep(c, bits_at(f->kept, at, lanes), (real)f->scale);
}
INLINE vec gated(vec c, const product_finish *f, ptrdiff_t at, ptrdiff_t lanes)
{
    return relu_slope(c, vload_upto((const real *)f->gate + at, lanes));
}

/* The same through all of it. */
INLINE vec finished(vec c, const product_finish *f, ptrdiff_t at, ptrdiff_t lanes)
{
    if (f->relu) c = relu(c);
    if (f->kept != NULL) c = kept(c, f, at, lanes);
    if (f->gate != NULL) c = gated(c, f, at, lanes);
    return c;
}

#endif
