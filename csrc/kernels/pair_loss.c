/* Losses of an input x and a target t of its shape, element by element. Each is a row at the end: four formulas, of which
 * PAIR_LOSS makes the kernels forward and backward. */
#include "../contracts/pair_loss.h"
#include "../simd/vmath.h"
#include "loss_sum.h"
#include "map.h"

#include <math.h>

enum { RUN = 1024 }; /* elements that are summed in real before double takes over */

INLINE int is_finite(real x) { return x > -INF && x < INF; }

static void pair_loss_forward(const pair_loss_forward_args *a, double ns, range_fn each, loss_range sum)
{
    if (a->reduction == REDUCTION_NONE) parallel_for(a->n, BLOCK, 1.5 * ns * (double)a->n, each, a);
    else store_reduced(a->loss, loss_sum(a->n, BLOCK, ns * (double)a->n, sum, a), a->reduction);
}

/* Defines name_forward and name_backward. The formulas see x and t, and `a`, a copy of the arguments with the options
 * a.alpha and a.beta. `ns` is the time of one element in nanoseconds, roughly.
 *   add        sum + loss, of vectors
 *   in_double  the loss, of doubles: for a run whose sum is too large for real, while the mean may be a number
 *   slope      g * d loss / dx, of vectors
 *   slope_t    g * d loss / dt, which also sees the slope, as dx */
#define PAIR_LOSS(name, ns, add, in_double, slope, slope_t)                                               \
    INLINE vec name##_add(pair_loss_forward_args a, vec sum, vec x, vec t)                                \
    {                                                                                                     \
        (void)a;                                                                                          \
        return add;                                                                                       \
    }                                                                                                     \
    static double name##_in_double(pair_loss_forward_args a, const real *px, const real *pt, ptrdiff_t n) \
    {                                                                                                     \
        double sum = 0;                                                                                   \
        (void)a;                                                                                          \
        for (ptrdiff_t j = 0; j < n; j++) {                                                               \
            const double x = px[j], t = pt[j];                                                            \
            sum += in_double;                                                                             \
        }                                                                                                 \
        return sum;                                                                                       \
    }                                                                                                     \
    static void name##_each_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                    \
    {                                                                                                     \
        const pair_loss_forward_args a = *(const pair_loss_forward_args *)context;                        \
        const real *x = (const real *)a.x + begin, *t = (const real *)a.t + begin;                        \
        real *loss = (real *)a.loss + begin;                                                              \
        EACH_VECTOR(end - begin,                                                                          \
                    const vec v = name##_add(a, vset1(0), vload_upto(x + j, m), vload_upto(t + j, m));    \
                    vstore_upto(loss + j, v, m));                                                         \
    }                                                                                                     \
    static loss_total name##_sum_range(const void *context, ptrdiff_t begin, ptrdiff_t end)               \
    {                                                                                                     \
        const pair_loss_forward_args a = *(const pair_loss_forward_args *)context;                        \
        double total = 0;                                                                                 \
        for (ptrdiff_t i = begin; i < end; i += RUN) {                                                    \
            const real *x = (const real *)a.x + i, *t = (const real *)a.t + i;                            \
            const ptrdiff_t n = min_size(RUN, end - i);                                                   \
            vec sum = vset1(0);                                                                           \
            EACH_VECTOR(n, const vec v = name##_add(a, sum, vload_upto(x + j, m), vload_upto(t + j, m));  \
                        sum = vfirst(v, m, sum));                                                         \
            const real run = vsum(sum);                                                                   \
            total += is_finite(run) ? run : name##_in_double(a, x, t, n);                                 \
        }                                                                                                 \
        return (loss_total){total, (double)(end - begin)};                                                \
    }                                                                                                     \
    void KERNEL(name##_forward)(const void *args)                                                         \
    {                                                                                                     \
        pair_loss_forward(args, ns, name##_each_range, name##_sum_range);                                 \
    }                                                                                                     \
    static void name##_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                \
    {                                                                                                     \
        const pair_loss_backward_args a = *(const pair_loss_backward_args *)context;                      \
        const real *dloss = a.dloss;                                                                      \
        real *to_x = a.dx, *to_t = a.dt;                                                                  \
        const int each = a.reduction == REDUCTION_NONE;                                                   \
        const vec same = vset1(each ? 0 : a.reduction == REDUCTION_SUM ? *dloss : *dloss / (real)a.n);    \
        EACH_VECTOR(end - begin, const ptrdiff_t i = begin + j;                                           \
                    const vec x = vload_upto((const real *)a.x + i, m),                                   \
                    t = vload_upto((const real *)a.t + i, m);                                             \
                    const vec g = each ? vload_upto(dloss + i, m) : same; const vec dx = slope;           \
                    if (to_x != NULL) vstore_upto(to_x + i, dx, m);                                       \
                    if (to_t != NULL) vstore_upto(to_t + i, slope_t, m));                                 \
    }                                                                                                     \
    void KERNEL(name##_backward)(const void *args)                                                        \
    {                                                                                                     \
        const pair_loss_backward_args *a = args;                                                          \
        parallel_for(a->n, BLOCK, 2 * (ns) * (double)a->n, name##_backward_range, a);                     \
    }

/* ---- mse:  (x - t)^2 ------------------------------------------------------------------------------------- */

PAIR_LOSS(mse, NS_MEMORY, vfma(x - t, x - t, sum), (x - t) * (x - t), (x - t) * (2 * g), -dx)

/* ---- smooth_l1:  with d = |x - t| and b in alpha,  d^2 / (2 b) where d < b, else d - b/2. Girshick 2015
 * (arXiv:1504.08083) --------------------------------------------------------------------------------------- */

INLINE vec smooth_l1(vec d, real b) { return vselect(d < b, d * (d / b) / 2, d - b / 2); }
INLINE double smooth_l1_of_double(double d, double b) { return d < b ? d * (d / b) / 2 : d - b / 2; }
INLINE vec smooth_l1_slope(vec d, real b) { return vselect(vabs(d) < b, d / b, vsign(d)); }

PAIR_LOSS(smooth_l1, NS_MEMORY, sum + smooth_l1(vabs(x - t), (real)a.alpha),
          smooth_l1_of_double(fabs(x - t), a.alpha), smooth_l1_slope(x - t, (real)a.alpha) * g, -dx)

/* ---- hinge_embedding:  x where t is 1, max(0, m - x) where t is -1, with the margin m in alpha; where t is neither, the
 * sum of both, as in PyTorch ------------------------------------------------------------------------------- */

INLINE vec hinge_embedding(vec x, vec t, real margin)
{
    const vec zero = {0}, rest = margin - x;
    return vselect(t != -1, x, zero) + vselect((t == 1) | (rest <= 0), zero, rest);
}
INLINE double hinge_embedding_of_double(double x, double t, double margin)
{
    return (t != -1 ? x : 0) + (t == 1 || margin - x <= 0 ? 0 : margin - x);
}
INLINE vec hinge_embedding_slope(vec g, vec x, vec t, real margin)
{
    const vec zero = {0};
    return vselect(t != -1, g, zero) - vselect((t != 1) & (margin - x >= 0), g, zero);
}

PAIR_LOSS(hinge_embedding, NS_MEMORY, sum + hinge_embedding(x, t, (real)a.alpha),
          hinge_embedding_of_double(x, t, a.alpha), hinge_embedding_slope(g, x, t, (real)a.alpha), vset1(0))

/* ---- l1:  |x - t| ---------------------------------------------------------------------------------------- */

PAIR_LOSS(l1, NS_MEMORY, sum + vabs(x - t), fabs(x - t), vsign(x - t) * g, -dx)

/* ---- huber:  with d = |x - t| and b in alpha,  d^2 / 2 where d < b, else b (d - b/2). Huber 1964 ---------- */

INLINE vec huber(vec d, real b) { return vselect(d < b, d * d / 2, b * (d - b / 2)); }
INLINE double huber_of_double(double d, double b) { return d < b ? d * d / 2 : b * (d - b / 2); }
INLINE vec huber_slope(vec d, real b) { return vselect(vabs(d) < b, d, vsign(d) * b); }

PAIR_LOSS(huber, NS_MEMORY, sum + huber(vabs(x - t), (real)a.alpha), huber_of_double(fabs(x - t), a.alpha),
          huber_slope(x - t, (real)a.alpha) * g, -dx)

/* ---- quantile:  with e = t - x and q in alpha,  q e where e > 0, else (q - 1) e. Koenker & Bassett 1978 --- */

INLINE vec quantile(vec e, real q) { return vselect(e > 0, e * q, e * (q - 1)); }
INLINE double quantile_of_double(double e, double q) { return e > 0 ? q * e : (q - 1) * e; }
INLINE vec quantile_slope(vec e, real q)
{
    const vec zero = {0};
    return vselect(e > 0, vset1(-q), vselect(e < 0, vset1(1 - q), vselect(e == e, zero, e)));
}

PAIR_LOSS(quantile, NS_MEMORY, sum + quantile(t - x, (real)a.alpha), quantile_of_double(t - x, a.alpha),
          quantile_slope(t - x, (real)a.alpha) * g, -dx)

INLINE double log1pexp_of_double(double z) { return (z > 0 ? z : 0) + log1p(exp(-fabs(z))); }

/* ---- soft_margin:  log(1 + exp(-t x)) --------------------------------------------------------------------- */

PAIR_LOSS(soft_margin, NS_MATH, sum + vlog1pexp(-t * x), log1pexp_of_double(-t *x),
          -(t *g) * vsigmoid(-t * x), vset1(0))

/* ---- binary_cross_entropy:  -t log x - (1 - t) log(1 - x), the logarithms at least -100; a loss of x outside
 * [0, 1] is NaN --------------------------------------------------------------------------------------------- */

#define LEAST_LOG (-100)
#define LEAST_VARIANCE ((real)1e-12) /* of x (1 - x), which divides the slope */

INLINE vec cut_log(vec y) { return vselect(y < LEAST_LOG, vset1(LEAST_LOG), y); }
/* log(1 - x), which vlog1p does not give at 1 */
INLINE vec cut_log_of_rest(vec x) { return vselect(x == 1, vset1(LEAST_LOG), cut_log(vlog1p(-x))); }
INLINE double cut_log_of_double(double y) { return y < LEAST_LOG ? LEAST_LOG : y; }
INLINE vec binary_cross_entropy(vec x, vec t) { return (t - 1) * cut_log_of_rest(x) - t * cut_log(vlog(x)); }
INLINE double binary_cross_entropy_of_double(double x, double t)
{
    return (t - 1) * cut_log_of_double(log1p(-x)) - t * cut_log_of_double(log(x));
}
INLINE vec binary_cross_entropy_slope(vec x, vec t)
{
    return (x - t) / vmax((1 - x) * x, vset1(LEAST_VARIANCE));
}

PAIR_LOSS(binary_cross_entropy, NS_MATH, sum + binary_cross_entropy(x, t),
          binary_cross_entropy_of_double(x, t), binary_cross_entropy_slope(x, t) * g,
          (cut_log_of_rest(x) - cut_log(vlog(x))) * g)

/* ---- binary_cross_entropy_with_logits:  the same of sigmoid(x),  log(1 + exp x) - t x --------------------- */

/* (1 - t) x where x > 0, else -t x; and log(1 + exp(-|x|)) */
INLINE vec with_logits(vec x, vec t)
{
    return vselect(x > 0, x * (1 - t), -(x * t)) + vlog1p(vexp(-vabs(x)));
}
INLINE double with_logits_of_double(double x, double t)
{
    return (x > 0 ? x * (1 - t) : -(x * t)) + log1p(exp(-fabs(x)));
}
/* sigmoid(x) - t as (1 - t) sigmoid(x) - t sigmoid(-x), without cancellation where t is 0 or 1 */
INLINE vec with_logits_slope(vec x, vec t)
{
    const vec e = vexp(-vabs(x)), larger = 1 / (1 + e), smaller = e * larger;
    return (1 - t) * vselect(x < 0, smaller, larger) - t * vselect(x < 0, larger, smaller);
}

PAIR_LOSS(binary_cross_entropy_with_logits, NS_MATH, sum + with_logits(x, t), with_logits_of_double(x, t),
          with_logits_slope(x, t) * g, -(x *g))
