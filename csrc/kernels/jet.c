/* Activations of jets. Griewank & Walther 2008, "Evaluating derivatives", chapter 13, to second order. Each is a value
 * f(x) and its slopes from x and y = f(x); what happens to the channels is the same for all. */
#include "../contracts/jet.h"
#include "activation.h"
#include "map.h"

#include <math.h>

typedef struct {
    vec first, second, third; /* f', f'', f''' */
} slopes;

/* The channels of m elements from `at` on. */
INLINE void forward_channels(const jet_forward_args *a, ptrdiff_t at, ptrdiff_t m, vec value, slopes f)
{
    const real *x = (const real *)a->x + at;
    real *y = (real *)a->y + at;
    vstore_upto(y, value, m);
    for (ptrdiff_t i = 1; i <= a->firsts; i++)
        vstore_upto(y + i * a->n, f.first * vload_upto(x + i * a->n, m), m);
    for (ptrdiff_t r = 0; r < a->seconds; r++) {
        const ptrdiff_t s = (a->firsts + 1 + r) * a->n;
        const vec xi = vload_upto(x + a->pairs[2 * r] * a->n, m);
        const vec xj = vload_upto(x + a->pairs[2 * r + 1] * a->n, m);
        vstore_upto(y + s, vfma(f.second, xi * xj, f.first * vload_upto(x + s, m)), m);
    }
}

INLINE void backward_channels(const jet_backward_args *a, ptrdiff_t at, ptrdiff_t m, vec value, slopes f)
{
    const real *x = (const real *)a->x + at, *dy = (const real *)a->dy + at;
    real *dx = (real *)a->dx + at, *y = a->jet == NULL ? NULL : (real *)a->jet + at;
    vec sum = f.first * vload_upto(dy, m);
    if (y != NULL) vstore_upto(y, value, m);
    for (ptrdiff_t i = 1; i <= a->firsts; i++) {
        const vec xi = vload_upto(x + i * a->n, m), dyi = vload_upto(dy + i * a->n, m);
        sum = vfma(f.second * xi, dyi, sum);
        vstore_upto(dx + i * a->n, f.first * dyi, m);
        if (y != NULL) vstore_upto(y + i * a->n, f.first * xi, m);
    }
    for (ptrdiff_t r = 0; r < a->seconds; r++) {
        const ptrdiff_t i = a->pairs[2 * r] * a->n, j = a->pairs[2 * r + 1] * a->n;
        const ptrdiff_t s = (a->firsts + 1 + r) * a->n;
        const vec xi = vload_upto(x + i, m), xj = vload_upto(x + j, m), dys = vload_upto(dy + s, m);
        const vec xs = vload_upto(x + s, m), share = f.second * dys;
        sum = vfma(f.third * xi * xj, dys, vfma(share, xs, sum));
        vstore_upto(dx + i, vfma(share, xj, vload_upto(dx + i, m)), m);
        vstore_upto(dx + j, vfma(share, xi, vload_upto(dx + j, m)), m);
        vstore_upto(dx + s, f.first * dys, m);
        if (y != NULL) vstore_upto(y + s, vfma(f.second, xi * xj, f.first * xs), m);
    }
    vstore_upto(dx, sum, m);
}

#define CHANNELS(a) (1 + (a)->firsts + (a)->seconds)

/* The last elements, fewer than L: apart, as this is the same for all. What they are given by address are copies: a, y
 * and f of the loops below stay in registers. */
static NOINLINE void forward_tail(const jet_forward_args *a, ptrdiff_t at, ptrdiff_t m, const vec *y,
                                  const slopes *f)
{
    forward_channels(a, at, m, *y, *f);
}

static NOINLINE void backward_tail(const jet_backward_args *a, ptrdiff_t at, ptrdiff_t m, const vec *y,
                                   const slopes *f)
{
    backward_channels(a, at, m, *y, *f);
}

/* Defines jet_<name>_forward and jet_<name>_backward: `value` is of x, `slopes_of` of x and y. */
#define JET(name, ns, value, slopes_of)                                                          \
    static void jet_##name##_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)  \
    {                                                                                            \
        const jet_forward_args a = *(const jet_forward_args *)context;                           \
        const real *values = (const real *)a.x + begin;                                          \
        for (ptrdiff_t j = 0, m = end - begin; m > 0; j += L, m -= L) {                          \
            const vec x = vload_upto(values + j, m), y = value;                                  \
            const slopes f = slopes_of;                                                          \
            if (m >= L) forward_channels(&a, begin + j, L, y, f);                                \
            else forward_tail(context, begin + j, m, (vec[]){y}, (slopes[]){f});                 \
        }                                                                                        \
    }                                                                                            \
    void KERNEL(jet_##name##_forward)(const void *args)                                          \
    {                                                                                            \
        const jet_forward_args *a = args;                                                        \
        const double time = (double)a->n * ((ns) + NS_MEMORY * (double)CHANNELS(a));             \
        parallel_for(a->n, BLOCK, time, jet_##name##_forward_range, args);                       \
    }                                                                                            \
    static void jet_##name##_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                                            \
        const jet_backward_args a = *(const jet_backward_args *)context;                         \
        const real *values = (const real *)a.x + begin, *results = (const real *)a.y + begin;    \
        for (ptrdiff_t j = 0, m = end - begin; m > 0; j += L, m -= L) {                          \
            const vec x = vload_upto(values + j, m), y = vload_upto(results + j, m);             \
            (void)x, (void)y;                                                                    \
            const slopes f = slopes_of;                                                          \
            if (m >= L) backward_channels(&a, begin + j, L, y, f);                               \
            else backward_tail(context, begin + j, m, (vec[]){y}, (slopes[]){f});                \
        }                                                                                        \
    }                                                                                            \
    void KERNEL(jet_##name##_backward)(const void *args)                                         \
    {                                                                                            \
        const jet_backward_args *a = args;                                                       \
        const double time = (double)a->n * ((ns) + 2 * NS_MEMORY * (double)CHANNELS(a));         \
        parallel_for(a->n, BLOCK, time, jet_##name##_backward_range, args);                      \
    }

/* ---- tanh:  f' = 1 - y^2,  f'' = -2 y f',  f''' = (6 y^2 - 2) f' ---------------------------------------- */

INLINE slopes tanh_slopes(vec y)
{
    const vec first = (1 - y) * (1 + y);
    return (slopes){first, -2 * y * first, (6 * y * y - 2) * first};
}
JET(tanh, NS_MATH, vtanh(x), tanh_slopes(y))

/* ---- sigmoid:  f' = y (1 - y),  f'' = (1 - 2 y) f',  f''' = (1 - 6 f') f' ------------------------------- */

INLINE slopes sigmoid_slopes(vec y, vec first)
{
    return (slopes){first, (1 - 2 * y) * first, (1 - 6 * first) * first};
}
JET(sigmoid, NS_MATH, vsigmoid(x), sigmoid_slopes(y, y * (1 - y)))

/* ---- sin:  f' = cos x,  f'' = -y,  f''' = -cos x -------------------------------------------------------- */

INLINE slopes sin_slopes(vec x, vec y)
{
    const vec cosine = vcos(x);
    return (slopes){cosine, -y, -cosine};
}
JET(sin, NS_MATH, vsin(x), sin_slopes(x, y))

/* ---- softplus:  b in alpha, its threshold in beta. With g of sigmoid(b x), f' = g, f'' = b g', f''' = b^2 g'' */

INLINE slopes softplus_slopes(vec x, real b, real threshold)
{
    const vec bx = x * b, zero = vset1(0);
    const ivec linear = bx > threshold;
    vec slope;
    const vec g = sigmoid_with_slope(bx, &slope);
    const slopes of_g = sigmoid_slopes(g, slope);
    return (slopes){vselect(linear, vset1(1), g), vselect(linear, zero, b * of_g.first),
                    vselect(linear, zero, b * b * of_g.second)};
}
JET(softplus, NS_MATH, softplus(x, (real)a.alpha, (real)a.beta),
    softplus_slopes(x, (real)a.alpha, (real)a.beta))

/* ---- silu:  y = x g, g = sigmoid(x):  f' = g + x g',  f'' = 2 g' + x g'',  f''' = 3 g'' + x g''' ---------- */

INLINE slopes silu_slopes(vec x)
{
    vec slope;
    const vec g = sigmoid_with_slope(x, &slope);
    const slopes of_g = sigmoid_slopes(g, slope);
    x = bounded(x);
    return (slopes){vfma(x, of_g.first, g), vfma(x, of_g.second, 2 * of_g.first),
                    vfma(x, of_g.third, 3 * of_g.second)};
}
JET(silu, NS_MATH, bounded_below(x) * vsigmoid(x), silu_slopes(x))

/* ---- gelu:  y = x P(x), p = P' the normal density:  f' = P + x p,  f'' = (2 - x^2) p,  f''' = (x^2 - 4) x p */

INLINE slopes gelu_slopes(vec x)
{
    const vec cut = bounded(x), square = cut * cut;
    const vec density = vexp((real)-0.5 * square) * (real)0.39894228040143267794; /* 1 / sqrt(2 pi) */
    return (slopes){vgelu_slope(x), (2 - square) * density, (square - 4) * cut * density};
}
JET(gelu, NS_MATH, bounded_below(x) * vnormal_cdf(x), gelu_slopes(x))
