/* Softmax and cross entropy in one pass over the logits. */
#include "../contracts/cross_entropy.h"
#include "loss_sum.h"
#include "rows.h"

/* ---- cross_entropy:  loss[i] = -sum_j mass_j log_softmax(x)_j ------------------------------------------ */

/* The mass that row i's target puts on the classes, with v the class weights and e the label smoothing:
 *   probabilities p:  mass_j = ((1-e) p_j + e/c) v_j
 *   index t:          mass_j = e/c v_j, and at t (1-e) v_t more: the peak */
typedef struct {
    const int64_t *index;
    const real *prob, *weight;
    ptrdiff_t c;
    int64_t ignore_index;
    real kept, spread; /* 1-e, e/c */
    int dense;         /* mass beside the peak */
} target;

static target target_of(const int64_t *index, const real *prob, const real *weight, ptrdiff_t c,
                        int64_t ignore_index, double smoothing)
{
    return (target){index,
                    index == NULL ? prob : NULL,
                    weight,
                    c,
                    ignore_index,
                    (real)(1 - smoothing),
                    (real)(smoothing / (double)c),
                    index == NULL || smoothing != 0};
}

INLINE vec dense_mass(const target *t, ptrdiff_t i, ptrdiff_t j, ptrdiff_t m)
{
    vec q = vset1(t->spread);
    if (t->prob != NULL) q = vfma(vload_upto(t->prob + i * t->c + j, m), vset1(t->kept), q);
    if (t->weight != NULL) q *= vload_upto(t->weight + j, m);
    return vfirst(q, m, vset1(0));
}

/* q * d; 0 where q is, though d = x - max be too large for a number */
INLINE vec weighted(vec q, vec d) { return vselect(q == 0, vset1(0), q * d); }

INLINE int ignored(const target *t, ptrdiff_t i)
{
    return t->index != NULL && t->index[i] == t->ignore_index;
}
INLINE int outside(const target *t, ptrdiff_t i)
{
    return t->index != NULL && (t->index[i] < 0 || t->index[i] >= t->c);
}
INLINE real class_weight(const target *t, ptrdiff_t i)
{
    return t->index == NULL || t->weight == NULL ? 1 : t->weight[t->index[i]];
}

typedef struct {
    const cross_entropy_forward_args *args;
    target target;
} cross_entropy_forward_context;

/* With d = x - max and s = log sum exp d:  loss = sum_j mass_j (s - d_j). `dense`: what mass beside the peak gives. */
INLINE loss_total row_loss(const target *t, ptrdiff_t i, const real *x, real top, real log_sum, real dense)
{
    /* of no classes: PyTorch's sum is 0, its mean 0 / 0 */
    if (ignored(t, i) || t->c == 0) return (loss_total){0, 0};
    if (outside(t, i)) return (loss_total){NOT_A_NUMBER, 0};
    const real weight = class_weight(t, i);
    real loss = dense;
    if (t->index != NULL) loss += t->kept * weight * (log_sum - (x[t->index[i]] - top));
    return (loss_total){loss, weight};
}

static loss_total cross_entropy_row(const cross_entropy_forward_args *a, const target *t, ptrdiff_t i)
{
    const real *x = (const real *)a->x + i * a->c;
    const real top = row_max(x, a->c);
    vec mass = vset1(0), dot = vset1(0);
    if (t->dense)
        EACH_VECTOR(a->c, vec q = dense_mass(t, i, j, m); mass += q;
                    dot += weighted(q, vfirst(vload_upto(x + j, m), m, vset1(top)) - top));
    real sum;
    if (a->softmax != NULL) {
        real *softmax = (real *)a->softmax + i * a->c;
        sum = row_exp(softmax, x, a->c, top);
        row_scale(softmax, a->c, 1 / sum);
    } else {
        sum = row_exp_sum(x, a->c, top);
    }
    const real log_sum = log_of(sum);
    return row_loss(t, i, x, top, log_sum, t->dense ? vsum(mass) * log_sum - vsum(dot) : 0);
}

static loss_total add_row(const cross_entropy_forward_args *a, ptrdiff_t i, loss_total total, loss_total row)
{
    if (a->reduction == REDUCTION_NONE) ((real *)a->loss)[i] = (real)row.loss;
    return (loss_total){total.loss + row.loss, total.weight + row.weight};
}

/* The same for rows begin..end-1, of few classes. */
static loss_total cross_entropy_of_lanes(const cross_entropy_forward_args *a, const target *t,
                                         ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    loss_total total = {0, 0};
    vec d[MOST_IN_LANES], e[MOST_IN_LANES] = {0}, p[MOST_IN_LANES];
    EACH_L_ROWS(begin, end, {
        const real *x = (const real *)a->x + i * c;
        load_rows(d, x, c, rows);
        const vec top = max_of_each(d, c), sum = exp_of_each(e, d, c, top), log_sum = vlog(sum);
        vec dense = vset1(0);
        if (t->dense) {
            vec mass = vset1(0), dot = vset1(0);
            if (t->prob != NULL) load_rows(p, t->prob + i * c, c, rows);
            for (ptrdiff_t j = 0; j < c; j++) {
                vec q = vset1(t->spread);
                if (t->prob != NULL) q = vfma(p[j], vset1(t->kept), q);
                if (t->weight != NULL) q *= t->weight[j];
                mass += q, dot += weighted(q, d[j]);
            }
            dense = mass * log_sum - dot;
        }
        if (a->softmax != NULL) {
            const vec factor = 1 / sum;
            for (ptrdiff_t j = 0; j < c; j++) e[j] *= factor;
            store_rows((real *)a->softmax + i * c, e, c, rows);
        }
        for (ptrdiff_t r = 0; r < rows; r++)
            total = add_row(a, i + r, total, row_loss(t, i + r, x + r * c, top[r], log_sum[r], dense[r]));
    })
    return total;
}

static loss_total cross_entropy_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const cross_entropy_forward_context *k = context;
    if (fits_lanes(k->args->c)) return cross_entropy_of_lanes(k->args, &k->target, begin, end);
    loss_total total = {0, 0};
    for (ptrdiff_t i = begin; i < end; i++)
        total = add_row(k->args, i, total, cross_entropy_row(k->args, &k->target, i));
    return total;
}

void KERNEL(cross_entropy_forward)(const void *args)
{
    const cross_entropy_forward_args *a = args;
    cross_entropy_forward_context k = {
        .args = a,
        .target = target_of(a->index, a->prob, a->weight, a->c, a->ignore_index, a->label_smoothing),
    };
    const double ns = row_cost(a->n, a->c, in_lanes(a->c, 1.5));
    const loss_total total = loss_sum(a->n, block_rows(a->c), ns, cross_entropy_forward_range, &k);
    *(real *)a->total_weight = (real)total.weight;
    store_reduced(a->loss, total, a->reduction);
}

typedef struct {
    const cross_entropy_backward_args *args;
    target target;
    real dloss; /* of every row, but with REDUCTION_NONE */
} cross_entropy_backward_context;

INLINE int has_gradient(const target *t, ptrdiff_t i) { return !ignored(t, i) && !outside(t, i); }

/* Of row i, that has a gradient: g and the mass at its peak. */
INLINE real dloss_of(const cross_entropy_backward_context *k, ptrdiff_t i)
{
    return k->args->reduction == REDUCTION_NONE ? ((const real *)k->args->dloss)[i] : k->dloss;
}
INLINE real peak_of(const target *t, ptrdiff_t i)
{
    return t->index == NULL ? 0 : t->kept * class_weight(t, i);
}

/* dx_j = g * (softmax(x)_j sum_k mass_k - mass_j), but for the peak's share of mass_j */
static void gradient_of_row(const cross_entropy_backward_context *k, ptrdiff_t i)
{
    const ptrdiff_t c = k->args->c;
    const target *t = &k->target;
    const real *softmax = (const real *)k->args->softmax + i * c;
    real *dx = (real *)k->args->dx + i * c;
    const real g = dloss_of(k, i);
    if (t->dense) {
        vec mass = vset1(0);
        EACH_VECTOR(c, mass += dense_mass(t, i, j, m));
        const real scale = g * (vsum(mass) + peak_of(t, i));
        EACH_VECTOR(c, vec q = dense_mass(t, i, j, m);
                    vstore_upto(dx + j, vload_upto(softmax + j, m) * scale - q * g, m));
    } else {
        const real scale = g * peak_of(t, i);
        EACH_VECTOR(c, vstore_upto(dx + j, vload_upto(softmax + j, m) * scale, m));
    }
}

/* The peaks come last, when what was stored around them has left the core's queue of stores. */
static void cross_entropy_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const cross_entropy_backward_context *k = context;
    const cross_entropy_backward_args *a = k->args;
    const target *t = &k->target;
    const real *softmax = (const real *)a->softmax + begin * a->c;
    real *dx = (real *)a->dx + begin * a->c;
    if (!t->dense && t->weight == NULL && a->reduction != REDUCTION_NONE) {
        const real scale = k->dloss * t->kept;
        EACH_VECTOR((end - begin) * a->c, vstore_upto(dx + j, vload_upto(softmax + j, m) * scale, m));
    } else {
        for (ptrdiff_t i = begin; i < end; i++)
            if (has_gradient(t, i)) gradient_of_row(k, i);
    }
    if (t->index == NULL) return;
    for (ptrdiff_t i = begin; i < end; i++, dx += a->c) {
        if (has_gradient(t, i)) {
            dx[t->index[i]] -= dloss_of(k, i) * peak_of(t, i);
        } else {
            const vec constant = vset1(ignored(t, i) ? 0 : NOT_A_NUMBER);
            EACH_VECTOR(a->c, vstore_upto(dx + j, constant, m));
        }
    }
}

void KERNEL(cross_entropy_backward)(const void *args)
{
    const cross_entropy_backward_args *a = args;
    const real *dloss = a->dloss;
    cross_entropy_backward_context k = {
        .args = a,
        .target = target_of(a->index, a->prob, a->weight, a->c, a->ignore_index, a->label_smoothing),
    };
    if (a->reduction == REDUCTION_SUM) k.dloss = *dloss;
    if (a->reduction == REDUCTION_MEAN) k.dloss = *dloss / *(const real *)a->total_weight;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, in_lanes(a->c, 0.5)),
                 cross_entropy_backward_range, &k);
}
