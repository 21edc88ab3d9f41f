/* What BatchNorm's columns and LayerNorm's rows have in common. */
#ifndef PYML_MOMENTS_H
#define PYML_MOMENTS_H

#include "../simd/vmath.h"
#include "kernel.h"

#include <math.h>

/* gamma or beta, where they may be NULL */
INLINE vec load_or(const real *p, ptrdiff_t j, ptrdiff_t lanes, real other)
{
    return p != NULL ? vload_upto(p + j, lanes) : vset1(other);
}

/* Whether `real` may not have held the squares of which this variance is the mean. */
INLINE int is_extreme(double var, double eps) { return !(var < __builtin_inf()) || var + eps < TINY; }

/* Mean and 1 / sqrt(var + eps) of n numbers whose squares `real` does not hold; not `centred`: of mean 0. They are
 * taken of t = x 2^-e in double, e the exponent of the largest, and of sqrt(eps) if that is larger. Where the second
 * would be flushed to 0 it is NaN: so is y. Returns 0, and writes nothing, if there is an x that is not finite. */
static int extreme_moments(const real *x, ptrdiff_t n, ptrdiff_t stride, int centred, double eps,
                           double *mean, double *var, double *rstd)
{
    double largest = 0, center = 0, sum = 0, squares = 0;
    int e;
    for (ptrdiff_t i = 0; i < n; i++) {
        double size = fabs((double)x[i * stride]);
        if (!(size < __builtin_inf())) return 0;
        largest = size > largest ? size : largest;
    }
    if (largest == 0) return 0;
    frexp(largest > sqrt(eps) ? largest : sqrt(eps), &e);
    const double half = ldexp(1, -e / 2),
                 other_half = ldexp(1, -e - -e / 2); /* 2^-e may be too large for one */
    if (centred) { /* from the first number: that of a constant is exact */
        const double first = x[0] * half * other_half;
        for (ptrdiff_t i = 0; i < n; i++) sum += x[i * stride] * half * other_half - first;
        center = first + sum / (double)n;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        double d = x[i * stride] * half * other_half - center;
        squares += d * d;
    }
    squares /= (double)n;
    *mean = ldexp(center, e);
    *var = ldexp(squares, 2 * e);
    *rstd = squares == 0 ? 1 / sqrt(eps) : ldexp(1 / sqrt(squares + ldexp(eps, -2 * e)), -e);
    if (*rstd < MIN_NORMAL) *rstd = __builtin_nan("");
    return 1;
}

#endif
