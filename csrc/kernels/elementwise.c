/* Elementwise arithmetic: two operands with broadcasting, one operand, selection. */
#include "../contracts/elementwise.h"
#include "../simd/vmath.h"
#include "binary.h"
#include "map.h"
#include "special.h"

#include <math.h>

/* ---- binary ---------------------------------------------------------------------------------------- */

/* n <= L elements of an operand from column j on; `col` is its column stride, 0 or 1 */
INLINE vec load(const real *p, ptrdiff_t j, ptrdiff_t col, ptrdiff_t n)
{
    if (col == 0) return vset1(p[0]);
    return vload_upto(p + j, n);
}

/* Defines the kernel `name` from an expression of the vectors p and q. The loop of a row is compiled once for
 * each pair of column strides. */
#define BINARY(name, ns, expression)                                                                        \
    INLINE vec name##_lane(vec p, vec q) { return expression; }                                             \
    INLINE void name##_row(real *y, const real *a, const real *b, ptrdiff_t n, ptrdiff_t a_col,             \
                           ptrdiff_t b_col)                                                                 \
    {                                                                                                       \
        ptrdiff_t j = 0;                                                                                    \
        for (; j + L <= n; j += L) vstore(y + j, name##_lane(load(a, j, a_col, L), load(b, j, b_col, L)));  \
        if (j < n) vstore_n(y + j, name##_lane(load(a, j, a_col, n - j), load(b, j, b_col, n - j)), n - j); \
    }                                                                                                       \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                           \
    {                                                                                                       \
        const binary_args c = *(const binary_args *)context;                                                \
        real *y = c.y;                                                                                      \
        ptrdiff_t i = begin / c.cols, j = begin % c.cols;                                                   \
        for (ptrdiff_t n; begin < end; begin += n, i++, j = 0) {                                            \
            const real *a = (const real *)c.a + i * c.a_row + j * c.a_col;                                  \
            const real *b = (const real *)c.b + i * c.b_row + j * c.b_col;                                  \
            n = min_size(c.cols - j, end - begin);                                                          \
            if (c.a_col && c.b_col) name##_row(y + begin, a, b, n, 1, 1);                                   \
            else if (c.a_col) name##_row(y + begin, a, b, n, 1, 0);                                         \
            else if (c.b_col) name##_row(y + begin, a, b, n, 0, 1);                                         \
            else name##_row(y + begin, a, b, n, 0, 0);                                                      \
        }                                                                                                   \
    }                                                                                                       \
    void KERNEL(name)(const void *args)                                                                     \
    {                                                                                                       \
        binary_args a = *(const binary_args *)args;                                                         \
        MERGE_ROWS(a);                                                                                      \
        ptrdiff_t n = a.rows * a.cols;                                                                      \
        parallel_for(n, BLOCK, (double)n * (ns), name##_range, &a);                                         \
    }

/* x, a subnormal made the zero of its sign: the C library takes numbers apart by their bits, and while
 * subnormals are flushed it fails to scale one up */
INLINE vec vflush(vec x) { return vselect(x == 0, (vec)((ivec)x & (ivec)vset1((real)-0.0)), x); }

/* p^q, one lane at a time by the C library: its pow is right to the last place or next to it. */
SHORT vec vpow(vec p, vec q)
{
    vec y = {0};
    p = vflush(p), q = vflush(q);
#if REAL_BITS == 32
    ROLLED for (ptrdiff_t i = 0; i < L; i++) y[i] = powf(p[i], q[i]);
#else
    ROLLED for (ptrdiff_t i = 0; i < L; i++) y[i] = pow(p[i], q[i]);
#endif
    return y;
}
#define NS_POW 15.0

/* Of special.h, one number at a time in double. */
SHORT vec vlog_gamma_slope(vec a, vec log_x)
{
    a = vflush(a);
    ROLLED for (ptrdiff_t i = 0; i < L; i++) a[i] = (real)log_gamma_slope((double)a[i], (double)log_x[i]);
    return a;
}
#define NS_SLOPE 300.0

BINARY(add, NS_MEMORY, p + q)
BINARY(sub, NS_MEMORY, p - q)
BINARY(mul, NS_MEMORY, p * q)
BINARY(div, NS_MEMORY, p / q)
BINARY(pow, NS_POW, vpow(p, q))
BINARY(maximum, NS_MEMORY, vmax(p, q))
BINARY(minimum, NS_MEMORY, vmin(p, q))
BINARY(log_gamma_slope, NS_SLOPE, vlog_gamma_slope(p, q))

/* ---- unary ----------------------------------------------------------------------------------------- */

MAP_FORWARD(neg, unary_args, NS_MEMORY, -x)
MAP_FORWARD(abs, unary_args, NS_MEMORY, vabs(x))
MAP_FORWARD(exp, unary_args, NS_MATH, vexp(x))
MAP_FORWARD(log, unary_args, NS_MATH, vlog(x))
MAP_FORWARD(sqrt, unary_args, NS_MEMORY, vsqrt(x))
MAP_FORWARD(sign, unary_args, NS_MEMORY, vsign(x))
MAP_FORWARD(reciprocal, unary_args, NS_MEMORY, 1 / x)
MAP_FORWARD(sin, unary_args, NS_MATH, vsin(x))
MAP_FORWARD(cos, unary_args, NS_MATH, vcos(x))
MAP_FORWARD(log1p, unary_args, NS_LIBRARY, each_lane(x, LIBRARY(log1p)))
MAP_FORWARD(expm1, unary_args, NS_LIBRARY, each_lane(x, LIBRARY(expm1)))
MAP_FORWARD(erf, unary_args, NS_LIBRARY, each_lane(vflush(x), LIBRARY(erf)))
MAP_FORWARD(erfc, unary_args, NS_LIBRARY, each_lane(x, LIBRARY(erfc)))

/* By special.h, one number at a time in double. */
INLINE vec each_in_double(vec x, double (*function)(double))
{
    x = vflush(x);
    for (ptrdiff_t i = 0; i < L; i++) x[i] = (real)function((double)x[i]);
    return x;
}
/* The same of functions with an order. */
INLINE vec each_of_order(vec x, double order, double (*function)(int, double))
{
    x = vflush(x);
    for (ptrdiff_t i = 0; i < L; i++) x[i] = (real)function((int)order, (double)x[i]);
    return x;
}
#define NS_SPECIAL 40.0
MAP_FORWARD(erfinv, unary_args, NS_SPECIAL, each_in_double(x, inverse_erf))
MAP_FORWARD(lgamma, unary_args, NS_SPECIAL, each_in_double(x, log_abs_gamma))
MAP_FORWARD(digamma, unary_args, NS_SPECIAL, each_in_double(x, digamma))
MAP_FORWARD(polygamma, unary_args, NS_SPECIAL, each_of_order(x, a.low, polygamma))
MAP_FORWARD(scaled_bessel, unary_args, NS_SPECIAL, each_of_order(x, a.low, scaled_bessel))
MAP_FORWARD(clamp, unary_args, NS_MEMORY, vmin(vmax(x, vset1((real)a.low)), vset1((real)a.high)))

/* ---- where ----------------------------------------------------------------------------------------- */

INLINE vec where_lane(const uint8_t *condition, vec p, vec q, ptrdiff_t n)
{
    ivec mask = {0};
    for (ptrdiff_t i = 0; i < n; i++) mask[i] = -(ireal)(condition[i] != 0);
    return vselect(mask, p, q);
}

static void where_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const where_args w = *(const where_args *)context;
    real *y = w.y;
    const real *a = w.a, *b = w.b;
    ptrdiff_t i = begin;
    for (; i + L <= end; i += L) vstore(y + i, where_lane(w.condition + i, vload(a + i), vload(b + i), L));
    ptrdiff_t rest = end - i;
    vstore_n(y + i, where_lane(w.condition + i, vload_n(a + i, rest), vload_n(b + i, rest), rest), rest);
}

void KERNEL(where)(const void *args)
{
    ptrdiff_t n = ((const where_args *)args)->n;
    parallel_for(n, BLOCK, (double)n * 0.4, where_range, args);
}
