/* Losses of scores and a class, or classes, for each sample. */
#include "../contracts/class_loss.h"
#include "loss_sum.h"
#include "rows.h"

/* What a sample's class is: one to be ignored, one of the c, or none. */
INLINE int is_class(int64_t y, ptrdiff_t c) { return y >= 0 && y < c; }
INLINE real weight_of(const real *weight, int64_t y) { return weight != NULL ? weight[y] : 1; }

/* Adds the loss of sample i, and writes it if losses are kept. */
INLINE loss_total add_sample(const class_loss_forward_args *a, ptrdiff_t i, loss_total total, loss_total one)
{
    if (a->reduction == REDUCTION_NONE) ((real *)a->loss)[i] = (real)one.loss;
    return (loss_total){total.loss + one.loss, total.weight + one.weight};
}

static void forward(const class_loss_forward_args *a, ptrdiff_t block, double ns, loss_range range)
{
    const loss_total total = loss_sum(a->n * a->inner, block, ns, range, a);
    *(real *)a->total_weight = (real)total.weight;
    store_reduced(a->loss, total, a->reduction);
}

/* What the gradient of sample i is multiplied by. */
INLINE real gradient_of_loss(const class_loss_backward_args *a, ptrdiff_t i)
{
    const real *dloss = a->dloss;
    if (a->reduction == REDUCTION_NONE) return dloss[i];
    return a->reduction == REDUCTION_SUM ? *dloss : *dloss / *(const real *)a->total_weight;
}

/* ---- nll:  loss = -w[y] x[y] ---------------------------------------------------------------------------- */

static loss_total nll_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_forward_args *a = context;
    const real *x = a->x, *weight = a->weight;
    loss_total total = {0, 0};
    for (ptrdiff_t i = begin; i < end; i++) {
        const int64_t y = a->index[i];
        loss_total one = {0, 0};
        if (y != a->ignore_index && a->c > 0) {
            one.loss = NOT_A_NUMBER;
            if (is_class(y, a->c)) {
                one.weight = weight_of(weight, y);
                one.loss = -one.weight * x[(i / a->inner * a->c + y) * a->inner + i % a->inner];
            }
        }
        total = add_sample(a, i, total, one);
    }
    return total;
}

void KERNEL(nll_forward)(const void *args)
{
    const class_loss_forward_args *a = args;
    forward(a, BLOCK / 4, 4 * (double)(a->n * a->inner),
            nll_range); /* short sums: terms are added one by one */
}

/* dx[y] = -g w[y], of a sample; the others are 0 */
static void nll_gradient_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_backward_args *a = context;
    const ptrdiff_t c = a->c, inner = a->inner;
    real *dx = a->dx;
    memset(dx + begin * c * inner, 0, (size_t)((end - begin) * c * inner) * sizeof(real));
    for (ptrdiff_t i = begin * inner; i < end * inner; i++) {
        const int64_t y = a->index[i];
        real *sample = dx + i / inner * c * inner + i % inner;
        if (y == a->ignore_index) continue;
        if (is_class(y, c)) sample[y * inner] = -gradient_of_loss(a, i) * weight_of(a->weight, y);
        else
            for (ptrdiff_t j = 0; j < c; j++) sample[j * inner] = NOT_A_NUMBER;
    }
}

void KERNEL(nll_backward)(const void *args)
{
    const class_loss_backward_args *a = args;
    const ptrdiff_t each = a->c * a->inner;
    parallel_for(a->n, block_rows(each), row_cost(a->n, each, 0.1), nll_gradient_range, a);
}

/* ---- multi_margin:  loss = w[y] sum_j z[j]^p / c,  z[j] = max(0, margin - x[y] + x[j]), but z[y] = 0 ------ */

#define LANE_NUMBER(s, l) (l)

/* m elements of z, zeros beyond them */
INLINE vec margins(const real *x, ptrdiff_t j, ptrdiff_t m, real shift, int64_t y)
{
    const ivec is_y = (ivec){EACH_LANE(LANE_NUMBER, 0, 0)} == (ireal)(y - j);
    return vselect(is_y, vset1(0), vfirst(vmax(vload_upto(x + j, m) + shift, vset1(0)), m, vset1(0)));
}

static loss_total multi_margin_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_forward_args *a = context;
    const int linear = a->p == 1;
    loss_total total = {0, 0};
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t y = a->index[i];
        loss_total one = {NOT_A_NUMBER, 1};
        if (is_class(y, a->c)) {
            const real shift = (real)a->margin - x[y];
            vec sum = {0};
            EACH_VECTOR(a->c, const vec z = margins(x, j, m, shift, y); sum += linear ? z : z * z);
            one.loss = (double)vsum(sum) * weight_of(a->weight, y) / (double)a->c;
        }
        total = add_sample(a, i, total, one);
    }
    return total;
}

void KERNEL(multi_margin_forward)(const void *args)
{
    const class_loss_forward_args *a = args;
    forward(a, block_rows(a->c), row_cost(a->n, a->c, 0.3), multi_margin_range);
}

/* dx[j] = g w[y] / c * (1 where z[j] > 0, or 2 z[j]),  dx[y] = -sum of the others */
static void multi_margin_gradient_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_backward_args *a = context;
    const int linear = a->p == 1;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t y = a->index[i];
        real *dx = (real *)a->dx + i * a->c;
        if (!is_class(y, a->c)) {
            EACH_VECTOR(a->c, vstore_upto(dx + j, vset1(NOT_A_NUMBER), m));
            continue;
        }
        const real shift = (real)a->margin - x[y];
        const vec g = vset1(gradient_of_loss(a, i) * weight_of(a->weight, y) / (real)a->c);
        vec sum = {0};
        EACH_VECTOR(a->c, const vec z = margins(x, j, m, shift, y);
                    const vec slope = linear ? vselect(z > 0, g, vset1(0)) : 2 * z * g;
                    vstore_upto(dx + j, slope, m); sum += slope);
        dx[y] = -vsum(sum);
    }
}

void KERNEL(multi_margin_backward)(const void *args)
{
    const class_loss_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.4), multi_margin_gradient_range, a);
}

/* ---- multilabel_margin:  loss = sum_tj z[t,j] / c,  z[t,j] = max(0, 1 - x[t] + x[j]),  t labels, j none ----- */

/* How many labels stand before the first -1; less than 0 if one of them is no class. */
static ptrdiff_t labels_before_end(const int64_t *label, ptrdiff_t c)
{
    ptrdiff_t count = 0;
    for (; count < c && label[count] != -1; count++)
        if (!is_class(label[count], c)) return -1;
    return count;
}

/* The sum of z[t,j] over the labels t, for the m elements j that are none; zeros in the other lanes. */
INLINE vec label_margins(const real *x, ptrdiff_t j, ptrdiff_t m, const int64_t *label, ptrdiff_t count)
{
    const vec xj = vload_upto(x + j, m);
    vec sum = {0};
    ivec is_label = {0};
    for (ptrdiff_t k = 0; k < count; k++) {
        sum += vmax(xj + (1 - x[label[k]]), vset1(0));
        is_label |= (ivec){EACH_LANE(LANE_NUMBER, 0, 0)} == (ireal)(label[k] - j);
    }
    return vfirst(vselect(is_label, vset1(0), sum), m, vset1(0));
}

static loss_total multilabel_margin_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_forward_args *a = context;
    loss_total total = {0, 0};
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t *label = a->index + i * a->c;
        const ptrdiff_t count = labels_before_end(label, a->c);
        vec sum = {0};
        for (ptrdiff_t j = 0; j < a->c; j += L)
            sum += label_margins(x, j, min_size(a->c - j, L), label, count);
        const double loss = count < 0 ? NOT_A_NUMBER : (double)vsum(sum) / (double)a->c;
        total = add_sample(a, i, total, (loss_total){loss, 1});
    }
    return total;
}

/* Nanoseconds, if all samples have as many labels as the first. */
static double multilabel_cost(const int64_t *label, ptrdiff_t n, ptrdiff_t c)
{
    return n > 0 ? row_cost(n, c, 0.2) * (double)(2 + labels_before_end(label, c)) : 0;
}

void KERNEL(multilabel_margin_forward)(const void *args)
{
    const class_loss_forward_args *a = args;
    forward(a, block_rows(16 * a->c), multilabel_cost(a->index, a->n, a->c), multilabel_margin_range);
}

/* dx[j] = g / c * (the labels t where z[t,j] > 0),  dx[t] = -g / c * (the j where z[t,j] > 0) */
static void multilabel_margin_gradient_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t *label = a->index + i * a->c;
        const ptrdiff_t count = labels_before_end(label, a->c);
        const real g = count < 0 ? NOT_A_NUMBER : gradient_of_loss(a, i) / (real)a->c;
        real *dx = (real *)a->dx + i * a->c; /* the counts, and -1 less those of the labels */
        EACH_VECTOR(a->c, vstore_upto(dx + j, vset1(0), m));
        for (ptrdiff_t k = 0; k < count; k++) dx[label[k]] = -1;
        for (ptrdiff_t k = 0; k < count; k++) {
            vec sum = {0};
            EACH_VECTOR(a->c, const vec old = vload_upto(dx + j, m);
                        const vec z = vload_upto(x + j, m) + (1 - x[label[k]]);
                        const vec one = vselect((z > 0) & (old >= 0), vset1(1), vset1(0));
                        sum += vfirst(one, m, vset1(0)); vstore_upto(dx + j, old + one, m));
            dx[label[k]] -= vsum(sum);
        }
        EACH_VECTOR(a->c, const vec counts = vload_upto(dx + j, m);
                    vstore_upto(dx + j, g * vselect(counts < 0, counts + 1, counts), m));
    }
}

void KERNEL(multilabel_margin_backward)(const void *args)
{
    const class_loss_backward_args *a = args;
    parallel_for(a->n, block_rows(16 * a->c), multilabel_cost(a->index, a->n, a->c),
                 multilabel_margin_gradient_range, a);
}
