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
