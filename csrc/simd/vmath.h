/* Vector mathematics: exp, expm1, log, log1p, sigmoid, tanh, sine, cosine and the normal distribution function.
 *
 * Largest errors in units in the last place of the result, with and without fused multiply-add:
 * float32 over every normal number against libm in double, float64 over six million against long double.
 *
 *                     float32  float64
 *     vexp              1.0      1.0
 *     vexpm1            1.6      2.0
 *     vlog              0.9      0.9
 *     vlog1p            1.3      1.3
 *     vsigmoid          2.5      2.5
 *     vtanh             2.2      2.2
 *     vsin              1.8      1.8     (up to TURNS_LIMIT; beyond, the C library's)
 *     vcos              1.8      1.8     (the same)
 *     vnormal_cdf       2.0      4.8     (float32: units of 1, see there)
 *     vgelu_slope       2.6      4.8     (units of 1)
 *
 * A result too small to be normal may be zero. The polynomials interpolate at Chebyshev nodes (60 digits). */
#ifndef PYML_SIMD_VMATH_H
#define PYML_SIMD_VMATH_H

#include "vec.h"

#include <math.h>
#include <stdbool.h>

#if REAL_BITS == 32
#define LIBRARY(function) function##f
#else
#define LIBRARY(function) function
#endif

#define INF ((real)__builtin_inf())
#define NOT_A_NUMBER ((real)__builtin_nan(""))
#define LOG2E ((real)1.4426950408889634074)
#define LN2 ((real)0.69314718055994530942)

#if REAL_BITS == 32
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#define ROUNDER 0x1.8p23f /* x + ROUNDER has round(x) in its low bits, for |x| < 2^22 */
#define MIN_NORMAL 0x1p-126f
#define EXP_MIN -87.336544f /* log(MIN_NORMAL) */
#define EXP_MAX 88.722835f /* exp of more overflows */
#define EXPM1_MIN -18.0f /* expm1 of less is -1 */
#define EXPM1_TINY 0x1p-26f /* expm1(x) is x, for |x| below */
#define TANH_LIMIT 9.02f /* tanh of more is 1 */
#define LN2_HI 0.693359375f /* ln 2 = HI + LO; k * HI is exact, k an exponent (Cody & Waite 1980) */
#define LN2_LO -2.12194440e-4f
static const real EXP_POLY[] = {0.5, 0.166666672, 0.041666463, 0.00833331048, 0.00139336626, 0.000198910056};
static const real LOG_POLY[] = {0.666666865, 0.3998878, 0.295799494};
#define TURNS_LIMIT 6400.0f /* of a larger |x|, k below has more than 12 bits */
#define SIN_TINY 0x1p-13f /* sin(x) is x, for |x| below */
static const real HALF_PI[] = {0x1.92p+0, 0x1.fb4p-12, 0x1.444p-24,
                               0x1.68c234p-39}; /* the sum; 12 bits each but one */
static const real SIN_POLY[] = {-0.166666647, 0.0083327471, -0.00019587639};
static const real COS_POLY[] = {0.0416666647, -0.00138883019, 2.45476897e-05};
/* (P(x) - 1/2) / x and (P(x) - 1/2 + x p(x)) / x as ratios of polynomials in x^2 */
#define CDF_LIMIT 5.6f /* beyond, P is 0 or 1 */
static const real CDF_TOP[] = {0.398942222,    0.0343761076,   0.00470725308,
                               0.000173849528, 6.35642033e-06, 2.2144739e-08};
static const real CDF_BOTTOM[] = {
    1, 0.252833837, 0.0289400711, 0.00191297305, 7.51009527e-05, 1.18018647e-06};
#define GELU_SLOPE_LIMIT 6.0f
static const real GELU_SLOPE_TOP[] = {0.797884522,    -0.0180383495,  0.0135690232,   0.000285218002,
                                      3.20271619e-05, 1.12191766e-06, 1.30029277e-08, -2.88801291e-11};
static const real GELU_SLOPE_BOTTOM[] = {
    1, 0.310725132, 0.0455826954, 0.00415020242, 0.000258604617, 1.08121566e-05, 3.63631657e-07};
#else
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#define ROUNDER 0x1.8p52
#define SPLIT ((ureal)0xfffffffff8000000) /* keeps the upper half of the mantissa: its square is exact */
#define MIN_NORMAL 0x1p-1022
#define EXP_MIN -708.39641853226408
#define EXP_MAX 709.78271289338397
#define EXPM1_MIN -38.0
#define EXPM1_TINY 0x1p-54
#define TANH_LIMIT 19.1
#define LN2_HI 6.93147180369123816490e-01
#define LN2_LO 1.90821492927058770002e-10
static const real EXP_POLY[] = {
    0.5,
    0.16666666666666671,
    0.041666666666666671,
    0.0083333333333261272,
    0.0013888888888883742,
    0.00019841269874849664,
    2.4801587325568478e-05,
    2.7557255363379395e-06,
    2.7557273616811798e-07,
    2.5105232329847944e-08,
    2.0914697911867024e-09,
};
static const real LOG_POLY[] = {
    0.66666666666666696, 0.39999999999899505, 0.28571428625975487, 0.22222211134795081,
    0.18182889125261723, 0.15331721600556042, 0.14616449685043406,
};
#define TURNS_LIMIT 1.6e6 /* 20 bits */
#define SIN_TINY 0x1p-27
static const real HALF_PI[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e0p-69,
                               0x1.b839a252049c1p-104}; /* 33 bits */
static const real SIN_POLY[] = {
    -0.16666666666666665,   0.0083333333333309366,   -0.00019841269836740528,
    2.7557316093196064e-06, -2.5051129895962806e-08, 1.5917988944318715e-10,
};
static const real COS_POLY[] = {
    0.041666666666666665,    -0.001388888888888739, 2.4801587298754398e-05,
    -2.7557317265876616e-07, 2.087614504910828e-09, -1.138254462340429e-11,
};
static const real MILLS_POLY[] = {
    0.72908369013337304,     -0.50933198191748996,    0.23001771997460368,     -0.047263025142921723,
    -0.010462867023309811,   0.0069726212388806089,   0.0010275922589893913,   -0.0010458285990398509,
    -0.00025657534350549211, 0.00015439426231460667,  7.8812643294012288e-05,  -1.3244941486425609e-05,
    -2.0688992367067843e-05, -3.5216120993913375e-06, 3.6396610163282728e-06,  2.2657541545091404e-06,
    8.4365763745593939e-09,  -6.0747097879981422e-07, -2.7328560573942945e-07, 5.6844860374248457e-08,
    9.4872321992763633e-08,  1.657033137527329e-08,   -1.3135933402247276e-08, -4.7870720959922925e-09,
};
#endif

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* c[0] + c[1] x + ... + c[count-1] x^(count-1), by Horner's rule */
INLINE vec vpoly(vec x, const real *c, int count)
{
    vec p = vset1(c[count - 1]);
#pragma GCC unroll 32
    for (int i = count - 2; i >= 0; i--) p = vfma(p, x, vset1(c[i]));
    return p;
}

/* The same, even and odd powers apart. */
INLINE vec vpoly_halves(vec x, vec square, const real *c, int count)
{
    vec even = vset1(c[(count - 1) / 2 * 2]), odd = vset1(c[(count - 2) / 2 * 2 + 1]);
#pragma GCC unroll 32
    for (int i = (count - 1) / 2 * 2 - 2; i >= 0; i -= 2) even = vfma(even, square, vset1(c[i]));
#pragma GCC unroll 32
    for (int i = (count - 2) / 2 * 2 - 1; i >= 1; i -= 2) odd = vfma(odd, square, vset1(c[i]));
    return vfma(odd, x, even);
}

/* x + low = k ln 2 + r with |r| <= ln 2 / 2.  Returns e^r - 1 = r + r^2 P(r); k is in the low bits of *k. */
INLINE vec exp_reduced(vec x, vec low, uvec *k)
{
    vec rounded = vfma(x + low, vset1(LOG2E), vset1(ROUNDER));
    vec kf = rounded - ROUNDER;
    vec r = vfma(kf, vset1(-LN2_HI), x);
    r = vfma(kf, vset1(-LN2_LO), r) + low;
    *k = (uvec)rounded;
    return vfma(vpoly(r, EXP_POLY, COUNT(EXP_POLY)) * r, r, r);
}

/* e^(x + low), where low is x's lost digits: e^r is in [1/sqrt 2, sqrt 2], k is added to its exponent. */
INLINE vec vexp_sum(vec x, vec low)
{
    uvec k;
    vec p = exp_reduced(x, low, &k) + 1, sum = x + low;
    uvec bits = (uvec)p + (k << MANTISSA_BITS);
    vec y = (vec)(bits & ~(uvec)(sum < EXP_MIN));
    return vselect(sum <= EXP_MAX, y, sum * INF);
}

INLINE vec vexp(vec x) { return vexp_sum(x, vset1((real)-0.0)); }

/* e^x - 1 for x <= EXP_MAX: 2^k (e^r - 1) + (2^k - 1) */
INLINE vec vexpm1(vec x)
{
    uvec k;
    vec p = exp_reduced(vselect(x < EXPM1_MIN, vset1(EXPM1_MIN), x), vset1((real)-0.0), &k);
    vec half = vset1((real)0.5);
    vec scale = (vec)((uvec)half + (k << MANTISSA_BITS)); /* 2^(k-1): 2^k may overflow */
    vec y = 2 * vfma(scale, p, scale - half);
    return vselect(vabs(x) < EXPM1_TINY, x, y);
}

/* x = 2^k (1 + f) with 1 + f in [1/sqrt 2, sqrt 2):  log x = k ln 2 + f - f^2/2 + s (f^2/2 + s^2 P(s^2)),
 * s = f / (2 + f), as in fdlibm's e_log.c (Sun Microsystems 1993). */
INLINE vec vlog(vec x)
{
    uvec one = (uvec)vset1(1), sqrt_half = (uvec)vset1((real)0.70710678118654752440);
    uvec bits = (uvec)x + (one - sqrt_half);
    vec k = (vec)((uvec)vset1(ROUNDER) + (bits >> MANTISSA_BITS)) - (ROUNDER + EXPONENT_BIAS);
    vec f = (vec)((bits & (((ureal)1 << MANTISSA_BITS) - 1)) + sqrt_half) - 1;
    vec s = f / (f + 2), z = s * s, half_square = f * f * (real)0.5;
    vec tail = s * (half_square + z * vpoly(z, LOG_POLY, COUNT(LOG_POLY)));
    vec y = k * LN2_HI - ((half_square - (tail + k * LN2_LO)) - f);
    y = vselect(x < INF, y, x);
    return vselect(x < MIN_NORMAL, vselect(x < 0, vset1(NOT_A_NUMBER), vset1(-INF)), y);
}

/* log(1 + x) for finite x > -1: what 1 + x rounded away is added back. Below 0 the error in float32 is 1.5. */
INLINE vec vlog1p(vec x)
{
    vec u = x + 1;
    return vlog(u) + (x - (u - 1)) / u;
}

/* log(1 + exp x) */
INLINE vec vlog1pexp(vec x) { return vselect(x > 0, x, vset1(0)) + vlog1p(vexp(-vabs(x))); }

INLINE vec vsigmoid(vec x) { return 1 / (vexp(-x) + 1); }

/* tanh |x| = (1 - e) / (1 + e), e = exp(-2|x|) = 2^k (1 + p). Simpler than by vexpm1: -2|x| has a lower bound, and the
 * error of k LN2 counts by 2^k only. The polynomial's even and odd powers are two chains, as latency is what tanh waits
 * for. */
INLINE vec vtanh(vec x)
{
    vec half = vlarger(vset1(-TANH_LIMIT), -vabs(x)); /* NaN stays NaN */
    vec rounded = vfma(half, vset1(2 * LOG2E), vset1(ROUNDER));
    vec r = vfma(rounded - ROUNDER, vset1(-LN2), half + half), square = r * r;
    vec scale = (vec)((uvec)vset1(1) + ((uvec)rounded << MANTISSA_BITS));
    vec p = vfma(vpoly_halves(r, square, EXP_POLY, COUNT(EXP_POLY)), square, r);
    vec y = vfma(-scale, p, 1 - scale) / vfma(scale, p, 1 + scale);
    uvec sign = (uvec)x & (uvec)vset1((real)-0.0);
    return (vec)((uvec)y | sign);
}

/* sin(x + quarters pi/2) for |x| <= TURNS_LIMIT. x = k pi/2 + r with |r| <= pi/4: k times each part of HALF_PI but the
 * last is exact, so that what is left near a zero of the sine has all its digits (Cody & Waite 1980). Of r there are two
 * polynomials, of which k + quarters says which is wanted, and its sign. */
INLINE vec vsin_of(vec x, ureal quarters)
{
    vec rounded = vfma(x, vset1((real)0.63661977236758134308), vset1(ROUNDER));
    vec k = rounded - ROUNDER, r = x;
#pragma GCC unroll 4
    for (int i = 0; i < COUNT(HALF_PI); i++) r = vfma(k, vset1(-HALF_PI[i]), r);
    vec square = r * r, half = square * (real)0.5, one = 1 - half;
    vec sine = vfma(r * square, vpoly(square, SIN_POLY, COUNT(SIN_POLY)), r);
    vec cosine = one + vfma(square * square, vpoly(square, COS_POLY, COUNT(COS_POLY)), (1 - one) - half);
    uvec turn = (uvec)rounded + quarters;
    vec y = vselect((ivec)((turn & 1) == 0), sine, cosine);
    return (vec)((uvec)y ^ (turn << (REAL_BITS - 2) & (uvec)vset1((real)-0.0)));
}

INLINE vec vsin_within(vec x) { return vselect(vabs(x) < SIN_TINY, x, vsin_of(x, 0)); }
INLINE vec vcos_within(vec x) { return vsin_of(x, 1); }

/* Lanes whose |x| is above TURNS_LIMIT, or NaN; and whether there are any of some. */
INLINE ivec beyond_limit(vec x) { return ~(vabs(x) <= TURNS_LIMIT); }
INLINE bool any_lane(ivec lanes)
{
#if defined(ISA_avx512)
    return _mm512_test_epi64_mask((__m512i)lanes, (__m512i)lanes) != 0;
#elif defined(ISA_avx2)
    return !_mm256_testz_si256((__m256i)lanes, (__m256i)lanes);
#else
    ireal any = 0;
    for (ptrdiff_t i = 0; i < L; i++) any |= lanes[i];
    return any != 0;
#endif
}

/* The lanes of y beyond the limit, by the C library: as if the others were not there. */
SHORT vec by_library(vec y, vec x, ivec beyond, real (*function)(real))
{
    ROLLED for (ptrdiff_t i = 0; i < L; i++) if (beyond[i]) y[i] = function(x[i]);
    return y;
}

INLINE vec vsin(vec x)
{
    const ivec beyond = beyond_limit(x);
    const vec y = vsin_within(x);
    return any_lane(beyond) ? by_library(y, x, beyond, LIBRARY(sin)) : y;
}
INLINE vec vcos(vec x)
{
    const ivec beyond = beyond_limit(x);
    const vec y = vcos_within(x);
    return any_lane(beyond) ? by_library(y, x, beyond, LIBRARY(cos)) : y;
}

/* The normal distribution function P(x) = (1 + erf(x / sqrt 2)) / 2, and the derivative of x P(x), which is
 * P(x) + x p(x) with the density p(x) = exp(-x^2/2) / sqrt(2 pi). */
#if REAL_BITS == 32

/* Both are 1/2 plus an odd function. The ratios were fitted for the least error of x times the ratio, 1e-8 and
 * 5e-9; they take less than half the time of the form that float64 has. Unlike there the error is one of 1: small P
 * have no digits left, as in PyTorch. */
INLINE vec vnormal_cdf(vec x)
{
    vec t = vabs(x), square = t * t;
    vec odd = t * vpoly(square, CDF_TOP, COUNT(CDF_TOP)) / vpoly(square, CDF_BOTTOM, COUNT(CDF_BOTTOM));
    vec tail = (real)0.5 - odd;
    tail = vselect((tail < 0) | (t >= CDF_LIMIT), vset1(0), tail);
    return vselect(x < 0, tail, 1 - tail);
}

INLINE vec vgelu_slope(vec x)
{
    vec t = vabs(x), square = t * t;
    vec odd = t * vpoly(square, GELU_SLOPE_TOP, COUNT(GELU_SLOPE_TOP)) /
              vpoly(square, GELU_SLOPE_BOTTOM, COUNT(GELU_SLOPE_BOTTOM));
    odd = vselect(t >= GELU_SLOPE_LIMIT, vset1((real)0.5), odd);
    return (vec)((uvec)odd ^ ((uvec)x & (uvec)vset1((real)-0.0))) + (real)0.5;
}

#else

/* Accurate in the left tail too. *gauss = exp(-x^2/2). With t = |x|:  P(-t) = gauss * Q((t - 3) / (t + 3)) / (t + 3),
 * the polynomial Q fitted to Mills' ratio (the mapping is that of Shepherd & Laframboise 1981, Math. Comp. 36). */
INLINE vec normal_cdf_and_gauss(vec x, vec *gauss)
{
    vec t = vabs(x);
    t = vselect(t > 64, vset1(64), t); /* P(-64) is zero */
    vec head = (vec)((uvec)t & SPLIT);
    *gauss = vexp_sum(head * head * (real)-0.5, (t - head) * (t + head) * (real)-0.5);
    vec w = 1 / (t + 3);
    vec tail = *gauss * w * vpoly(vfma(t + t, w, vset1(-1)), MILLS_POLY, COUNT(MILLS_POLY));
    return vselect(x < 0, tail, 1 - tail);
}

INLINE vec vnormal_cdf(vec x)
{
    vec gauss;
    return normal_cdf_and_gauss(x, &gauss);
}

INLINE vec vgelu_slope(vec x)
{
    const real one_over_sqrt_2pi = (real)0.39894228040143267794;
    vec gauss, p = normal_cdf_and_gauss(x, &gauss);
    vec t = vselect(vabs(x) > 64, vset1(0), x); /* not inf * 0 */
    return vfma(t * one_over_sqrt_2pi, gauss, p);
}
#endif

#endif
