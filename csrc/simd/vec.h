/* The vector: L lanes of `real`, and the few operations that C's own operators do not give.
 *
 * Every kernel is one text, compiled once per ISA and per dtype. The build says which by
 *     -DREAL_BITS=32|64                                            real is float or double
 *     -DISA_baseline | -DISA_avx2 | -DISA_avx512 | -DISA_neon      exactly one
 * Arithmetic, comparison and bit operations are those of GCC's and Clang's vector extension
 * (a + b, a < b); comparisons give an ivec of 0 and -1. Everything below that has no intrinsic for
 * an ISA is plain C, so that one text serves any vector length.
 *
 * -ffp-contract is off: a product is rounded unless vfma is written. A kernel must write the same
 * operations for a lane in its tail as in its body (vload_n, vstore_n), so that a number does not
 * depend on where in an array it stands. */
#ifndef PYML_SIMD_VEC_H
#define PYML_SIMD_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(ISA_avx512) || defined(ISA_avx2)
#include <immintrin.h>
#elif defined(ISA_neon)
#include <arm_neon.h>
#endif

#if defined(ISA_avx512)
#define VEC_BYTES 64
#elif defined(ISA_avx2)
#define VEC_BYTES 32
#elif defined(ISA_baseline) || defined(ISA_neon)
#define VEC_BYTES 16
#elif defined(ISA_wide) /* AVX-512's vector length in plain C, to test that text on a CPU without it */
#define VEC_BYTES 64
#else
#error "define one of ISA_baseline, ISA_avx2, ISA_avx512, ISA_neon"
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t ireal;   /* the integer of real's size */
typedef uint32_t ureal;
#elif REAL_BITS == 64
typedef double real;
typedef int64_t ireal;
typedef uint64_t ureal;
#else
#error "define REAL_BITS as 32 or 64"
#endif

#define L ((ptrdiff_t)(VEC_BYTES / sizeof(real))) /* lanes */
#define LANES (VEC_BYTES * 8 / REAL_BITS)         /* the same, for the preprocessor */

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef ireal ivec __attribute__((vector_size(VEC_BYTES)));
typedef ureal uvec __attribute__((vector_size(VEC_BYTES)));
typedef real vec_unaligned __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline))

/* Before a loop of a constant number of turns: writes all of them out, or keeps one. TWICE: before any, writes out two. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#define TWICE _Pragma("clang loop unroll_count(2)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define ROLLED _Pragma("GCC unroll 1")
#define TWICE _Pragma("GCC unroll 2")
#endif

/* Keeps the compiler from finding a pointer's neighbours by pointers of their own. */
#define HIDE(pointer) __asm__("" : "+r"(pointer))

/* A function of which there is one copy, short rather than quick: a call more is nothing beside what it does. */
#if defined(__clang__)
#define SHORT static __attribute__((noinline, unused))
#else
#define SHORT static __attribute__((noinline, noclone, unused))
#endif

/* --- load, store ------------------------------------------------------------------------- */

INLINE vec vload(const real *p) { return *(const vec_unaligned *)p; }
INLINE void vstore(real *p, vec v) { *(vec_unaligned *)p = v; }

/* L/2 numbers from p on, then as many from q on: less work than a shuffle of two vectors. */
#if defined(ISA_avx2)
#define HAS_HALVES
INLINE vec vload_halves(const real *p, const real *q)
{
#if REAL_BITS == 32
    return (vec)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
#else
    return (vec)_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(q), 1);
#endif
}
#endif

INLINE vec vset1(real s) { return s - (vec){0}; /* not (vec){0} + s: that adds, because of -0 */ }

#if defined(ISA_avx2)
/* lanes 0..n-1 set, 0 <= n <= L */
INLINE __m256i vmask(ptrdiff_t n)
{
    static const ireal window[2 * LANES] = {
#if REAL_BITS == 32
        -1, -1, -1, -1, -1,
        -1, -1, -1
#else
        -1, -1, -1, -1
#endif
    };
    return _mm256_loadu_si256((const __m256i *)(window + L - n));
}
#endif

/* The first n lanes, 0 <= n <= L; the others are zero and their memory is not touched. */
INLINE vec vload_n(const real *p, ptrdiff_t n)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(ISA_avx512)
    return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined(ISA_avx2) && REAL_BITS == 32
    return (vec)_mm256_maskload_ps(p, vmask(n));
#elif defined(ISA_avx2)
    return (vec)_mm256_maskload_pd(p, vmask(n));
#else
    vec v = {0};
    for (ptrdiff_t i = 0; i < n; i++) v[i] = p[i];
    return v;
#endif
}

/* Writes the first n lanes, 0 <= n <= L; the memory of the others is not touched. */
INLINE void vstore_n(real *p, vec v, ptrdiff_t n)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(ISA_avx512)
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(ISA_avx2) && REAL_BITS == 32
    _mm256_maskstore_ps(p, vmask(n), (__m256)v);
#elif defined(ISA_avx2)
    _mm256_maskstore_pd(p, vmask(n), (__m256d)v);
#else
    for (ptrdiff_t i = 0; i < n; i++) p[i] = v[i];
#endif
}

/* The first n lanes, or all if n >= L: quicker than vload_n and vstore_n where that is the rule. */
INLINE vec vload_upto(const real *p, ptrdiff_t n) { return n >= L ? vload(p) : vload_n(p, n); }
INLINE void vstore_upto(real *p, vec v, ptrdiff_t n)
{
    if (n >= L) vstore(p, v);
    else vstore_n(p, v, n);
}

/* --- arithmetic --------------------------------------------------------------------------- */

/* a * b + c, rounded once where the ISA has it (all but baseline), twice where it has not;
 * the same on every path of one ISA. */
INLINE vec vfma(vec a, vec b, vec c)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(ISA_avx512)
    return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(ISA_avx2) && REAL_BITS == 32
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(ISA_avx2)
    return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(ISA_neon) && REAL_BITS == 32
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(ISA_neon)
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

INLINE vec vsqrt(vec a)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    return (vec)_mm512_sqrt_ps((__m512)a);
#elif defined(ISA_avx512)
    return (vec)_mm512_sqrt_pd((__m512d)a);
#elif defined(ISA_avx2) && REAL_BITS == 32
    return (vec)_mm256_sqrt_ps((__m256)a);
#elif defined(ISA_avx2)
    return (vec)_mm256_sqrt_pd((__m256d)a);
#else
    for (ptrdiff_t i = 0; i < L; i++)
#if REAL_BITS == 32
        a[i] = __builtin_sqrtf(a[i]);
#else
        a[i] = __builtin_sqrt(a[i]);
#endif
    return a;
#endif
}

/* where(mask, a, b), lane by lane; mask is a comparison's result. */
INLINE vec vselect(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

INLINE vec vabs(vec a) { return (vec)((ivec)a & ~(ivec)vset1((real)-0.0)); }

/* v in lanes 0..n-1, `other` in the rest; n >= L: v. */
INLINE vec vfirst(vec v, ptrdiff_t n, vec other)
{
    static const ireal window[2 * LANES] = {[0 ... LANES - 1] = -1};
    ivec first;
    if (n >= L) return v;
    memcpy(&first, window + L - n, sizeof first);
    return vselect(first, v, other);
}

/* -1, 0 or 1; NaN stays NaN */
INLINE vec vsign(vec a)
{
    const vec zero = {0}, one = vset1(1);
    vec sign = vselect(a > zero, one, vselect(a < zero, -one, zero));
    return vselect(a == a, sign, a);
}

/* The larger and the smaller of two. NaN in either gives NaN, as in torch.maximum. */
INLINE vec vmax(vec a, vec b) { return vselect((a > b) | (a != a), a, b); }
INLINE vec vmin(vec a, vec b) { return vselect((a < b) | (a != a), a, b); }

/* a where a > b, else b: one instruction on x86-64, and blind to a NaN in a. */
INLINE vec vlarger(vec a, vec b)
{
#if defined(ISA_avx512) && REAL_BITS == 32
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(ISA_avx512)
    return (vec)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif defined(ISA_avx2) && REAL_BITS == 32
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(ISA_avx2)
    return (vec)_mm256_max_pd((__m256d)a, (__m256d)b);
#else
    return vselect(a > b, a, b);
#endif
}

/* --- across lanes --------------------------------------------------------------------------- */

/* f(s, 0), f(s, 1), ... f(s, L-1) */
#define LANES_1(f, s, l) f(s, l)
#define LANES_2(f, s, l) LANES_1(f, s, l), LANES_1(f, s, l + 1)
#define LANES_4(f, s, l) LANES_2(f, s, l), LANES_2(f, s, l + 2)
#define LANES_8(f, s, l) LANES_4(f, s, l), LANES_4(f, s, l + 4)
#define LANES_16(f, s, l) LANES_8(f, s, l), LANES_8(f, s, l + 8)
#if LANES == 2
#define EACH_LANE LANES_2
#elif LANES == 4
#define EACH_LANE LANES_4
#elif LANES == 8
#define EACH_LANE LANES_8
#elif LANES == 16
#define EACH_LANE LANES_16
#endif

#if defined(__clang__)
#define VSHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* GCC knows the other name from version 12 only */
#define VSHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Halves are added to halves until one lane is left: a fixed order for one ISA. vmax_lane is the largest lane; NaN
 * in any gives NaN. */
#define HALF_TURN(s, l) (((l) + (s)) % LANES)
#define FOLD(a, combine, s) a = combine(a, VSHUFFLE(a, a, EACH_LANE(HALF_TURN, s, 0)));
#if LANES >= 16
#define FOLD_16(a, combine) FOLD(a, combine, 8)
#else
#define FOLD_16(a, combine)
#endif
#if LANES >= 8
#define FOLD_8(a, combine) FOLD(a, combine, 4)
#else
#define FOLD_8(a, combine)
#endif
#if LANES >= 4
#define FOLD_4(a, combine) FOLD(a, combine, 2)
#else
#define FOLD_4(a, combine)
#endif
#define FOLD_LANES(a, combine) FOLD_16(a, combine) FOLD_8(a, combine) FOLD_4(a, combine) FOLD(a, combine, 1)

INLINE vec vadd(vec a, vec b) { return a + b; }
INLINE real vsum(vec a)
{
    FOLD_LANES(a, vadd)
    return a[0];
}

INLINE real vmax_lane(vec a)
{
    FOLD_LANES(a, vmax)
    return a[0];
}

#endif
