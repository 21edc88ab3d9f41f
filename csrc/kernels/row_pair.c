/* Cosine and distance of the rows of x and t, both (n,c).
 *
 * Forward reads a row once. Backward reads it twice, for its sums and, from the cache, for dx and dt: that takes less
 * time than keeping the sums would take memory. Where `real` does not hold the squares of a row, they are taken of the
 * row times a power of 2. */
#include "../contracts/row_pair.h"
#include "chains.h"
#include "rows.h"

/* The power of 2 by which a row of this square has squares that `real` holds; its reciprocal is normal, too. */
#define FAR (REAL_BITS == 32 ? 0x1p80 : 0x1p600)
INLINE real scale_of(double square)
{
    if (square < TINY) return (real)FAR;
    return square < __builtin_inf() ? 1 : (real)(1 / FAR);
}

/* The row times its scale, from element j on. */
INLINE vec scaled(const real *x, ptrdiff_t m, real scale) { return vload_upto(x, m) * scale; }

/* ---- cosine -------------------------------------------------------------------------------------------- */

/* Of both rows: the scale, and of the scaled row the square of the length, with the other the product. */
typedef struct {
    real scale_x, scale_t;
    double xx, tt, xt;
} products;

static NOINLINE void add_products(products *p, const real *x, const real *t, ptrdiff_t c)
{
    p->xx = p->tt = p->xt = 0;
    for (ptrdiff_t begin = 0; begin < c; begin += RUN) {
        vec xx[CHAINS] = {{0}}, tt[CHAINS] = {{0}}, xt[CHAINS] = {{0}};
        EACH_CHAINED(min_size(RUN, c - begin), {
            const vec v = scaled(x + begin + j, m, p->scale_x), w = scaled(t + begin + j, m, p->scale_t);
            xx[k] = vfma(v, v, xx[k]), tt[k] = vfma(w, w, tt[k]), xt[k] = vfma(v, w, xt[k]);
        });
        p->xx += chained_sum(xx), p->tt += chained_sum(tt), p->xt += chained_sum(xt);
    }
}

/* The cosine; of each row the scale, the factor that makes the scaled row one of length 1 (shorter where eps is larger
 * than its length), the same for the row itself, and what the row has of the cosine's slope: the cosine, 0 where eps is
 * larger. */
typedef struct {
    double y;
    struct side {
        real scale;
        double factor, over, along;
    } x, t;
} cosine;

INLINE struct side side_of(real scale, double square, double eps)
{
    const double length = sqrt(square) / scale, over = 1 / (length < eps ? eps : length);
    return (struct side){scale, over / scale, over, length < eps ? 0 : 1};
}

static NOINLINE cosine cosine_of(const real *x, const real *t, ptrdiff_t c, double eps)
{
    products p = {.scale_x = 1, .scale_t = 1};
    add_products(&p, x, t, c);
    p.scale_x = scale_of(p.xx), p.scale_t = scale_of(p.tt);
    if (p.scale_x != 1 || p.scale_t != 1) add_products(&p, x, t, c);
    cosine f = {.x = side_of(p.scale_x, p.xx, eps), .t = side_of(p.scale_t, p.tt, eps)};
    f.y = p.xt * f.x.factor * f.t.factor;
    f.x.along *= f.y, f.t.along *= f.y;
    return f;
}

static void cosine_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_pair_forward_args *a = context;
    const real *x = a->x, *t = a->t;
    for (ptrdiff_t i = begin; i < end; i++)
        ((real *)a->y)[i] = (real)cosine_of(x + i * a->c, t + i * a->c, a->c, a->eps).y;
}
void KERNEL(cosine_forward)(const void *args)
{
    const row_pair_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.1), cosine_forward_range, a);
}

/* da = dy / |a| (b / |b| - along a / |a|) */
static NOINLINE void write_slope(real *da, const real *a, const real *b, ptrdiff_t c, double dy,
                                 struct side of_a, struct side of_b)
{
    const vec factor_a = vset1((real)(-of_a.along * of_a.factor)), factor_b = vset1((real)of_b.factor),
              g = vset1((real)(dy * of_a.over));
    EACH_VECTOR(c, const vec term = scaled(b + j, m, of_b.scale) * factor_b;
                vstore_upto(da + j, vfma(scaled(a + j, m, of_a.scale), factor_a, term) * g, m));
}

static void cosine_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_pair_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t at = i * a->c;
        const real *x = (const real *)a->x + at, *t = (const real *)a->t + at;
        const double dy = ((const real *)a->dy)[i];
        const cosine f = cosine_of(x, t, a->c, a->eps);
        if (a->dx != NULL) write_slope((real *)a->dx + at, x, t, a->c, dy, f.x, f.t);
        if (a->dt != NULL) write_slope((real *)a->dt + at, t, x, a->c, dy, f.t, f.x);
    }
}
void KERNEL(cosine_backward)(const void *args)
{
    const row_pair_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.3), cosine_backward_range, a);
}

/* ---- distance ------------------------------------------------------------------------------------------ */

/* The difference of two rows times `scale`, and its length. */
typedef struct {
    real scale;
    double length;
} distance;

INLINE vec difference(const real *x, const real *t, ptrdiff_t m, real eps)
{
    return vfirst(vload_upto(x, m) - vload_upto(t, m) + eps, m, vset1(0));
}

static NOINLINE double square_of(const real *x, const real *t, ptrdiff_t c, real eps, real scale)
{
    double square = 0;
    for (ptrdiff_t begin = 0; begin < c; begin += RUN) {
        vec sum[CHAINS] = {{0}};
        EACH_CHAINED(min_size(RUN, c - begin), {
            const vec d = difference(x + begin + j, t + begin + j, m, eps) * scale;
            sum[k] = vfma(d, d, sum[k]);
        });
        square += chained_sum(sum);
    }
    return square;
}

static NOINLINE distance distance_of(const real *x, const real *t, ptrdiff_t c, real eps)
{
    double square = square_of(x, t, c, eps, 1);
    const real scale = scale_of(square);
    if (scale != 1) square = square_of(x, t, c, eps, scale);
    return (distance){scale, sqrt(square)};
}

static void distance_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_pair_forward_args *a = context;
    const real *x = a->x, *t = a->t;
    for (ptrdiff_t i = begin; i < end; i++) {
        const distance d = distance_of(x + i * a->c, t + i * a->c, a->c, (real)a->eps);
        ((real *)a->y)[i] = (real)(d.length / d.scale);
    }
}
void KERNEL(distance_forward)(const void *args)
{
    const row_pair_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.1), distance_forward_range, a);
}

static NOINLINE void write_difference(real *out, const real *x, const real *t, ptrdiff_t c, real eps,
                                      real scale, real slope)
{
    EACH_VECTOR(c, vstore_upto(out + j, difference(x + j, t + j, m, eps) * scale * slope, m));
}

static void distance_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const row_pair_backward_args *a = context;
    const real eps = (real)a->eps;
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t at = i * a->c;
        const real *x = (const real *)a->x + at, *t = (const real *)a->t + at;
        const distance d = distance_of(x, t, a->c, eps);
        const real slope = d.length == 0 ? 0 : (real)(((const real *)a->dy)[i] / d.length);
        if (a->dx != NULL) write_difference((real *)a->dx + at, x, t, a->c, eps, d.scale, slope);
        if (a->dt != NULL) write_difference((real *)a->dt + at, x, t, a->c, eps, d.scale, -slope);
    }
}
void KERNEL(distance_backward)(const void *args)
{
    const row_pair_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.25), distance_backward_range, a);
}
