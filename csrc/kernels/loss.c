/* Softmax, cross entropy and mean squared error.
 *
 * A row's numbers depend on the row alone; rows of few classes are computed side by side, one in each lane. Losses are
 * summed in blocks fixed by the sizes, in their order. */
#include "../simd/transpose.h"
#include "../simd/vmath.h"
#include "kernel.h"

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* v in lanes 0..n-1, `other` in the rest */
INLINE vec fill(vec v, ptrdiff_t n, real other)
{
    static const ireal window[2 * LANES] = {[0 ... LANES - 1] = -1};
    ivec first;
    if (n >= L) return v;
    memcpy(&first, window + L - n, sizeof first);
    return vselect(first, v, vset1(other));
}

/* The largest of a row, NaN aside: those make the row's sum of exponentials NaN. */
INLINE real row_max(const real *x, ptrdiff_t c)
{
    vec top = vset1(-INF);
    EACH_VECTOR(c, top = vlarger(fill(vload_upto(x + j, m), m, -INF), top));
    return vmax_lane(top);
}

/* exp(x - shift) of m elements, 0 in the other lanes */
INLINE vec exp_from(const real *x, ptrdiff_t m, real shift)
{
    return vexp(fill(vload_upto(x, m), m, -INF) - shift);
}

/* The sum of exp(x - shift) over a row; row_exp writes the numbers too, y may be x. */
INLINE real row_exp_sum(const real *x, ptrdiff_t c, real shift)
{
    vec sum = vset1(0);
    EACH_VECTOR(c, sum += exp_from(x + j, m, shift));
    return vsum(sum);
}
INLINE real row_exp(real *y, const real *x, ptrdiff_t c, real shift)
{
    vec sum = vset1(0);
    EACH_VECTOR(c, vec e = exp_from(x + j, m, shift); sum += e; vstore_upto(y + j, e, m));
    return vsum(sum);
}

INLINE void row_scale(real *y, ptrdiff_t c, real factor)
{
    EACH_VECTOR(c, vstore_upto(y + j, vload_upto(y + j, m) * factor, m));
}

INLINE real log_of(real x) { return vlog(vset1(x))[0]; }

/* ---- rows in lanes -------------------------------------------------------------------------------------
 *
 * `rows` <= L rows of c <= L elements as c vectors: row r is lane r. */

INLINE int fits_lanes(ptrdiff_t c) { return c >= 1 && c <= L; }

/* Lanes without a row repeat the last. */
INLINE void load_rows(vec column[LANES], const real *x, ptrdiff_t c, ptrdiff_t rows)
{
    for (ptrdiff_t r = 0; r < L; r++) column[r] = vload_n(x + min_size(r, rows - 1) * c, c);
    vtranspose(column);
}

INLINE void store_rows(real *y, vec column[LANES], ptrdiff_t c, ptrdiff_t rows)
{
    vtranspose(column);
    for (ptrdiff_t r = 0; r < rows; r++) vstore_n(y + r * c, column[r], c);
}

INLINE vec max_of_each(const vec column[LANES], ptrdiff_t c)
{
    vec top = vset1(-INF);
    for (ptrdiff_t j = 0; j < c; j++) top = vlarger(column[j], top);
    return top;
}

/* column <- column - shift, e <- exp of it; the sum of that over each row */
INLINE vec exp_of_each(vec e[LANES], vec column[LANES], ptrdiff_t c, vec shift)
{
    vec sum = vset1(0);
    for (ptrdiff_t j = 0; j < c; j++) {
        column[j] -= shift;
        e[j] = vexp(column[j]);
        sum += e[j];
    }
    return sum;
}

/* The statement for rows begin..end-1, L at a time: `rows` of them from row i. */
#define EACH_L_ROWS(begin, end, ...)                   \
    for (ptrdiff_t i = (begin); i < (end); i += L) {   \
        const ptrdiff_t rows = min_size((end) - i, L); \
        __VA_ARGS__;                                   \
    }

/* Rows that one range computes: about BLOCK elements. */
static ptrdiff_t block_rows(ptrdiff_t c) { return BLOCK / (c + 1) + 1; }

/* Of a row in a lane an element takes less. */
static double in_lanes(ptrdiff_t c, double ns) { return fits_lanes(c) ? ns * 2.5 / L : ns; }

/* Nanoseconds for n rows of c elements; what a row costs beside its elements is worth about 16 of them. */
static double row_cost(ptrdiff_t n, ptrdiff_t c, double ns) { return ns * (double)n * (double)(c + 16); }

/* ---- softmax:  y = exp(x - max) / sum exp(x - max) ----------------------------------------------------- */

static void softmax_of_lanes(const softmax_forward_args *a, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    vec x[LANES], y[LANES] = {0};
    EACH_L_ROWS(begin, end, {
        load_rows(x, (const real *)a->x + i * c, c, rows);
        const vec factor = 1 / exp_of_each(y, x, c, max_of_each(x, c));
        for (ptrdiff_t j = 0; j < c; j++) y[j] *= factor;
        store_rows((real *)a->y + i * c, y, c, rows);
    })
}

static void softmax_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_forward_args *a = context;
    if (fits_lanes(a->c)) {
        softmax_of_lanes(a, begin, end);
        return;
    }
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        real *y = (real *)a->y + i * a->c;
        const real top = row_max(x, a->c);
        row_scale(y, a->c, 1 / row_exp(y, x, a->c, top));
    }
}
void KERNEL(softmax_forward)(const void *args)
{
    const softmax_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, in_lanes(a->c, 1.5)), softmax_forward_range, a);
}

/* dx = y * (dy - sum_j dy y) */
static void softmax_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *dy = (const real *)a->dy + i * a->c, *y = (const real *)a->y + i * a->c;
        real *dx = (real *)a->dx + i * a->c;
        vec sum = vset1(0);
        EACH_VECTOR(a->c, sum = vfma(vload_upto(dy + j, m), vload_upto(y + j, m), sum));
        const real dot = vsum(sum);
        EACH_VECTOR(a->c, vstore_upto(dx + j, vload_upto(y + j, m) * (vload_upto(dy + j, m) - dot), m));
    }
}
void KERNEL(softmax_backward)(const void *args)
{
    const softmax_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.5), softmax_backward_range, a);
}

/* ---- log_softmax:  y = (x - max) - log sum exp(x - max) ------------------------------------------------ */

static void log_softmax_of_lanes(const softmax_forward_args *a, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    vec x[LANES], e[LANES];
    EACH_L_ROWS(begin, end, {
        load_rows(x, (const real *)a->x + i * c, c, rows);
        const vec log_sum = vlog(exp_of_each(e, x, c, max_of_each(x, c)));
        for (ptrdiff_t j = 0; j < c; j++) x[j] -= log_sum;
        store_rows((real *)a->y + i * c, x, c, rows);
    })
}

static void log_softmax_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_forward_args *a = context;
    if (fits_lanes(a->c)) {
        log_softmax_of_lanes(a, begin, end);
        return;
    }
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        real *y = (real *)a->y + i * a->c;
        const real top = row_max(x, a->c);
        const real log_sum = log_of(row_exp_sum(x, a->c, top));
        EACH_VECTOR(a->c, vstore_upto(y + j, (vload_upto(x + j, m) - top) - log_sum, m));
    }
}
void KERNEL(log_softmax_forward)(const void *args)
{
    const softmax_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, in_lanes(a->c, 1.5)), log_softmax_forward_range,
                 a);
}

/* dx = dy - exp(y) * sum_j dy */
static void log_softmax_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *dy = (const real *)a->dy + i * a->c, *y = (const real *)a->y + i * a->c;
        real *dx = (real *)a->dx + i * a->c;
        vec sum = vset1(0);
        EACH_VECTOR(a->c, sum += vload_upto(dy + j, m));
        const real total = vsum(sum);
        EACH_VECTOR(a->c, vstore_upto(dx + j, vload_upto(dy + j, m) - vexp(vload_upto(y + j, m)) * total, m));
    }
}
void KERNEL(log_softmax_backward)(const void *args)
{
    const softmax_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 1.5), log_softmax_backward_range, a);
}

/* ---- sums of losses ------------------------------------------------------------------------------------ */

typedef struct {
    double loss, weight;
} subtotal;

/* One subtotal a block: `least` elements or rows, more where the scratch would not hold them all. */
static ptrdiff_t subtotal_block(ptrdiff_t n, ptrdiff_t least)
{
    ptrdiff_t most = SCRATCH_BYTES / (ptrdiff_t)sizeof(subtotal);
    return n / most < least ? least : n / most + 1;
}

static subtotal total_of(const subtotal *s, ptrdiff_t n, ptrdiff_t block)
{
    subtotal total = {0, 0};
    for (ptrdiff_t i = 0; i < n; i += block, s++) {
        total.loss += s->loss;
        total.weight += s->weight;
    }
    return total;
}

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
    return fill(q, m, 0);
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
    ptrdiff_t block;
    subtotal *subtotals;
} cross_entropy_forward_context;

/* With d = x - max and s = log sum exp d:  loss = sum_j mass_j (s - d_j). `dense`: what mass beside the peak gives. */
INLINE subtotal row_loss(const target *t, ptrdiff_t i, const real *x, real top, real log_sum, real dense)
{
    /* of no classes: PyTorch's sum is 0, its mean 0 / 0 */
    if (ignored(t, i) || t->c == 0) return (subtotal){0, 0};
    if (outside(t, i)) return (subtotal){NOT_A_NUMBER, 0};
    const real weight = class_weight(t, i);
    real loss = dense;
    if (t->index != NULL) loss += t->kept * weight * (log_sum - (x[t->index[i]] - top));
    return (subtotal){loss, weight};
}

static subtotal cross_entropy_row(const cross_entropy_forward_args *a, const target *t, ptrdiff_t i)
{
    const real *x = (const real *)a->x + i * a->c;
    const real top = row_max(x, a->c);
    vec mass = vset1(0), dot = vset1(0);
    if (t->dense)
        EACH_VECTOR(a->c, vec q = dense_mass(t, i, j, m); mass += q;
                    dot += weighted(q, fill(vload_upto(x + j, m), m, top) - top));
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

static subtotal add_row(const cross_entropy_forward_args *a, ptrdiff_t i, subtotal total, subtotal row)
{
    if (a->reduction == REDUCTION_NONE) ((real *)a->loss)[i] = (real)row.loss;
    return (subtotal){total.loss + row.loss, total.weight + row.weight};
}

/* The same for rows begin..end-1, of few classes. */
static subtotal cross_entropy_of_lanes(const cross_entropy_forward_args *a, const target *t, ptrdiff_t begin,
                                       ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    subtotal total = {0, 0};
    vec d[LANES], e[LANES] = {0}, p[LANES];
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

static void cross_entropy_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const cross_entropy_forward_context *k = context;
    subtotal total = {0, 0};
    if (fits_lanes(k->args->c)) total = cross_entropy_of_lanes(k->args, &k->target, begin, end);
    else
        for (ptrdiff_t i = begin; i < end; i++)
            total = add_row(k->args, i, total, cross_entropy_row(k->args, &k->target, i));
    k->subtotals[begin / k->block] = total;
}

void KERNEL(cross_entropy_forward)(const void *args)
{
    const cross_entropy_forward_args *a = args;
    cross_entropy_forward_context k = {
        .args = a,
        .target = target_of(a->index, a->prob, a->weight, a->c, a->ignore_index, a->label_smoothing),
        .block = subtotal_block(a->n, block_rows(a->c)),
        .subtotals = thread_scratch(),
    };
    parallel_for(a->n, k.block, row_cost(a->n, a->c, in_lanes(a->c, 1.5)), cross_entropy_forward_range, &k);
    subtotal total = total_of(k.subtotals, a->n, k.block);
    *(real *)a->total_weight = (real)total.weight;
    if (a->reduction == REDUCTION_SUM) *(real *)a->loss = (real)total.loss;
    if (a->reduction == REDUCTION_MEAN) *(real *)a->loss = (real)(total.loss / total.weight);
}

typedef struct {
    const cross_entropy_backward_args *args;
    target target;
    real dloss; /* of every row, but with REDUCTION_NONE */
} cross_entropy_backward_context;

#define SAME_LANE(s, l) (l)

/* dx_j = g * (softmax(x)_j sum_k mass_k - mass_j) */
static void cross_entropy_gradient_row(const cross_entropy_backward_context *k, ptrdiff_t i)
{
    const cross_entropy_backward_args *a = k->args;
    const target *t = &k->target;
    const real *softmax = (const real *)a->softmax + i * a->c;
    real *dx = (real *)a->dx + i * a->c;
    if (ignored(t, i) || outside(t, i)) {
        const vec constant = vset1(ignored(t, i) ? 0 : NOT_A_NUMBER);
        EACH_VECTOR(a->c, vstore_upto(dx + j, constant, m));
        return;
    }
    const real g = a->reduction == REDUCTION_NONE ? ((const real *)a->dloss)[i] : k->dloss;
    const real peak = t->index != NULL ? t->kept * class_weight(t, i) : 0;
    if (t->dense) {
        vec mass = vset1(0);
        EACH_VECTOR(a->c, mass += dense_mass(t, i, j, m));
        const real scale = g * (vsum(mass) + peak);
        EACH_VECTOR(a->c, vec q = dense_mass(t, i, j, m);
                    vstore_upto(dx + j, vload_upto(softmax + j, m) * scale - q * g, m));
    } else if (fits_lanes(a->c)) {
        const ivec is_peak = (ivec){EACH_LANE(SAME_LANE, 0, 0)} == (ireal)t->index[i];
        const vec scale = vset1(g * peak);
        vstore_n(dx, vload_n(softmax, a->c) * scale - vselect(is_peak, scale, vset1(0)), a->c);
        return;
    } else {
        const real scale = g * peak;
        EACH_VECTOR(a->c, vstore_upto(dx + j, vload_upto(softmax + j, m) * scale, m));
    }
    if (t->index != NULL) dx[t->index[i]] -= g * peak;
}

static void cross_entropy_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const cross_entropy_backward_context *k = context;
    for (ptrdiff_t i = begin; i < end; i++) cross_entropy_gradient_row(k, i);
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

/* ---- mse:  loss = (x - t)^2 ---------------------------------------------------------------------------- */

enum { MSE_RUN = 1024 }; /* elements that are summed in real before double takes over */

typedef struct {
    const mse_forward_args *args;
    ptrdiff_t block;
    subtotal *subtotals;
} mse_forward_context;

static void mse_each_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const mse_forward_args *a = context;
    const real *x = (const real *)a->x + begin, *t = (const real *)a->t + begin;
    real *loss = (real *)a->loss + begin;
    EACH_VECTOR(end - begin, vec d = vload_upto(x + j, m) - vload_upto(t + j, m);
                vstore_upto(loss + j, d * d, m));
}

/* A run whose sum real does not hold; its mean may be a number. */
static double squares_in_double(const real *x, const real *t, ptrdiff_t n)
{
    double sum = 0;
    for (ptrdiff_t j = 0; j < n; j++) sum += ((double)x[j] - t[j]) * ((double)x[j] - t[j]);
    return sum;
}

static void mse_sum_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const mse_forward_context *k = context;
    double total = 0;
    for (ptrdiff_t i = begin; i < end; i += MSE_RUN) {
        const real *x = (const real *)k->args->x + i, *t = (const real *)k->args->t + i;
        vec sum = vset1(0);
        EACH_VECTOR(min_size(MSE_RUN, end - i), vec d = vload_upto(x + j, m) - vload_upto(t + j, m);
                    sum = vfma(d, d, sum));
        const real run = vsum(sum);
        total += run < INF ? run : squares_in_double(x, t, min_size(MSE_RUN, end - i));
    }
    k->subtotals[begin / k->block] = (subtotal){total, (double)(end - begin)};
}

void KERNEL(mse_forward)(const void *args)
{
    const mse_forward_args *a = args;
    if (a->reduction == REDUCTION_NONE) {
        parallel_for(a->n, BLOCK, 0.3 * (double)a->n, mse_each_range, a);
        return;
    }
    mse_forward_context k = {a, subtotal_block(a->n, BLOCK), thread_scratch()};
    parallel_for(a->n, k.block, 0.2 * (double)a->n, mse_sum_range, &k);
    subtotal total = total_of(k.subtotals, a->n, k.block);
    *(real *)a->loss = (real)(a->reduction == REDUCTION_MEAN ? total.loss / total.weight : total.loss);
}

/* dx = 2 (x - t) * dloss (/ n for the mean),  dt = -dx */
static void mse_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const mse_backward_args *a = context;
    const real *x = (const real *)a->x + begin, *t = (const real *)a->t + begin, *dloss = a->dloss;
    real *dx = a->dx, *dt = a->dt;
    const int each = a->reduction == REDUCTION_NONE;
    const real scale = each ? 2 : a->reduction == REDUCTION_SUM ? 2 * dloss[0] : 2 * dloss[0] / (real)a->n;
    EACH_VECTOR(end - begin, vec g = (vload_upto(x + j, m) - vload_upto(t + j, m)) * scale;
                if (each) g *= vload_upto(dloss + begin + j, m);
                if (dx != NULL) vstore_upto(dx + begin + j, g, m);
                if (dt != NULL) vstore_upto(dt + begin + j, -g, m));
}
void KERNEL(mse_backward)(const void *args)
{
    const mse_backward_args *a = args;
    parallel_for(a->n, BLOCK, 0.4 * (double)a->n, mse_backward_range, a);
}
