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
    const ptrdiff_t block = BLOCK / 4; /* of terms that are added one by one: short sums lose little */
    forward(a, block, 4 * (double)(a->n * a->inner), nll_range);
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

/* ---- multi_margin:  loss = w[y] sum_tj z[t,j]^p / c,  z[t,j] = max(0, margin - x[t] + x[j]),
 * t the labels of the sample, y alone or many, j the others ------------------------------------------------ */

#define LANE_NUMBER(s, l) (l)

/* Indices of a sample; how many of them are labels, less than 0 if one of these is no class */
INLINE ptrdiff_t indices_of_each(ptrdiff_t labels) { return labels > 0 ? labels : 1; }
INLINE ptrdiff_t count_labels(const int64_t *label, ptrdiff_t labels, ptrdiff_t c)
{
    ptrdiff_t count = 0;
    for (; count < indices_of_each(labels) && !(labels > 0 && label[count] == -1); count++)
        if (!is_class(label[count], c)) return -1;
    return count;
}

/* The sum of z^p over the labels, of m elements j; 0 where j is a label and in the other lanes */
INLINE vec margins(const real *x, ptrdiff_t j, ptrdiff_t m, const int64_t *label, ptrdiff_t count,
                   real margin, int linear)
{
    const vec xj = vload_upto(x + j, m);
    vec sum = {0};
    ivec is_label = {0};
    for (ptrdiff_t k = 0; k < count; k++) {
        const vec z = vmax(xj + (margin - x[label[k]]), vset1(0));
        sum += linear ? z : z * z;
        is_label |= (ivec){EACH_LANE(LANE_NUMBER, 0, 0)} == (ireal)(label[k] - j);
    }
    return vfirst(vselect(is_label, vset1(0), sum), m, vset1(0));
}

static loss_total multi_margin_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_forward_args *a = context;
    const real margin = (real)a->margin;
    const int linear = a->p == 1;
    loss_total total = {0, 0};
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t *label = a->index + i * indices_of_each(a->labels);
        const ptrdiff_t count = count_labels(label, a->labels, a->c);
        loss_total one = {count < 0 ? NOT_A_NUMBER : 0, 1};
        if (count > 0) {
            vec sum = {0};
            EACH_VECTOR(a->c, sum += margins(x, j, m, label, count, margin, linear));
            one.loss = (double)vsum(sum) * weight_of(a->weight, *label) / (double)a->c;
        }
        total = add_sample(a, i, total, one);
    }
    return total;
}

/* Rows of a block, and about the nanoseconds of all if they have as many labels as the first */
INLINE ptrdiff_t rows_of_labels(ptrdiff_t c, ptrdiff_t labels) { return block_rows(labels > 0 ? 16 * c : c); }
static double cost_of_labels(const int64_t *label, ptrdiff_t n, ptrdiff_t c, ptrdiff_t labels)
{
    return n > 0 ? row_cost(n, c, 0.2) * (double)(1 + count_labels(label, labels, c)) : 0;
}

void KERNEL(multi_margin_forward)(const void *args)
{
    const class_loss_forward_args *a = args;
    const double ns = cost_of_labels(a->index, a->n, a->c, a->labels);
    forward(a, rows_of_labels(a->c, a->labels), ns, multi_margin_range);
}

/* What a label adds to m elements of dx, times g, and to its own, if it has z = max(0, x + shift). Elements of labels have
 * their sign bit set. */
INLINE vec slopes(real *dx, const real *x, ptrdiff_t m, real shift, real g, int linear)
{
    const vec old = vload_upto(dx, m), z = vmax(vload_upto(x, m) + shift, vset1(0));
    const vec slope = linear ? vselect(z > 0, vset1(1), vset1(0)) : 2 * z;
    const vec other = vselect((ivec)old < 0, vset1((real)-0.0), slope);
    vstore_upto(dx, (old + other) * g, m);
    return vfirst(other, m, vset1(0));
}

/* dx[j] = g w[y] / c * sum_t (1 where z[t,j] > 0, or 2 z[t,j]),  dx[t] = -sum of those over j. The last label brings g. */
static void multi_margin_gradient_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const class_loss_backward_args *a = context;
    const int linear = a->p == 1;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        const int64_t *label = a->index + i * indices_of_each(a->labels);
        const ptrdiff_t count = count_labels(label, a->labels, a->c);
        real *dx = (real *)a->dx + i * a->c;
        memset(dx, count < 0 ? 0xff : 0, (size_t)a->c * sizeof(real)); /* NaN or 0 */
        for (ptrdiff_t k = 0; k < count; k++) dx[label[k]] = (real)-0.0;
        for (ptrdiff_t k = 0; k < count; k++) {
            const real shift = (real)a->margin - x[label[k]];
            const real g =
                k + 1 < count ? 1 : gradient_of_loss(a, i) * weight_of(a->weight, *label) / (real)a->c;
            vec sum = {0};
            EACH_VECTOR(a->c, sum += slopes(dx + j, x + j, m, shift, g, linear));
            dx[label[k]] -= vsum(sum) * g;
        }
    }
}

void KERNEL(multi_margin_backward)(const void *args)
{
    const class_loss_backward_args *a = args;
    const double ns = cost_of_labels(a->index, a->n, a->c, a->labels);
    parallel_for(a->n, rows_of_labels(a->c, a->labels), ns, multi_margin_gradient_range, a);
}
