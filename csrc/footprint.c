/* The footprint of every kernel: a function for each type of arguments, and a line for each kernel at the end. */
#include "footprint.h"

enum { IN = FOOTPRINT_READ, OUT = FOOTPRINT_WRITE, IN_OUT = IN | OUT };

/* exp, log, tanh, erf, sin, cos: polynomials of 10 to 15 terms, with what brings the argument into their range */
enum { MATH = 20 };

typedef struct {
    footprint_fn fn; /* may be NULL */
    void *context;
    ptrdiff_t real; /* bytes */
} visitor;

/* ---- pieces ----------------------------------------------------------------------------------------- */

/* `field` is the address of a pointer to any type. */
static void visit(const visitor *v, void *field, ptrdiff_t before, ptrdiff_t bytes, int access)
{
    if (v->fn == NULL || *(void **)field == NULL || bytes == 0 || access == 0) return;
    v->fn(v->context, field, before, (size_t)bytes, access);
}

static void bytes(const visitor *v, void *field, int access, ptrdiff_t count)
{
    visit(v, field, 0, count, access);
}

static void reals(const visitor *v, void *field, int access, ptrdiff_t count)
{
    visit(v, field, 0, count * v->real, access);
}

static void indices(const visitor *v, void *field, int access, ptrdiff_t count)
{
    visit(v, field, 0, count * (ptrdiff_t)sizeof(int64_t), access);
}

static void generator_state(const visitor *v, void *field, int access)
{
    visit(v, field, 0, 2 * (ptrdiff_t)sizeof(uint64_t), access);
}

/* The elements of an array with strides: `count` of them, in [first, end) from its pointer on. */
typedef struct {
    ptrdiff_t first, end, count;
} span;
static const span one_element = {0, 1, 1};

/* s repeated `size` times, `stride` apart */
static span repeat(span s, ptrdiff_t size, ptrdiff_t stride)
{
    ptrdiff_t reach = (size - 1) * stride;
    if (reach < 0) s.first += reach;
    else s.end += reach;
    s.count *= size;
    return s;
}

static void strided(const visitor *v, void *field, int access, span s)
{
    if (s.count == 0) return;
    if (access == OUT && s.count < s.end - s.first) access |= FOOTPRINT_PART;
    visit(v, field, -s.first * v->real, (s.end - s.first) * v->real, access);
}

/* ---- gemm, linear ----------------------------------------------------------------------------------- */

static double multiply_adds(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k)
{
    return 2 * (double)m * (double)n * (double)k;
}

static double gemm(const visitor *v, gemm_args *g)
{
    span c = repeat(repeat(one_element, g->m, g->c_row), g->n, 1);
    span a = repeat(repeat(one_element, g->m, g->a_row), g->k, g->a_col);
    span b = repeat(repeat(one_element, g->k, g->b_row), g->n, g->b_col);
    strided(v, &g->c, g->beta == 0 ? OUT : IN_OUT, repeat(c, g->batch, g->c_batch));
    strided(v, &g->a, IN, repeat(a, g->batch, g->a_batch));
    strided(v, &g->b, IN, repeat(b, g->batch, g->b_batch));
    return multiply_adds(g->m, g->n, g->k) * (double)g->batch;
}

static double linear_forward(const visitor *v, linear_forward_args *a)
{
    reals(v, &a->y, OUT, a->n * a->o);
    reals(v, &a->x, IN, a->n * a->k);
    reals(v, &a->w, IN, a->o * a->k);
    reals(v, &a->b, IN, a->o);
    return multiply_adds(a->n, a->o, a->k) + (a->b != NULL ? (double)a->n * (double)a->o : 0);
}

static double linear_backward(const visitor *v, linear_backward_args *a)
{
    reals(v, &a->dx, OUT, a->n * a->k);
    reals(v, &a->dw, OUT, a->o * a->k);
    reals(v, &a->db, OUT, a->o);
    reals(v, &a->dy, IN, a->n * a->o);
    if (a->dw != NULL) reals(v, &a->x, IN, a->n * a->k);
    if (a->dx != NULL) reals(v, &a->w, IN, a->o * a->k);
    return multiply_adds(a->n, a->o, a->k) * ((a->dx != NULL) + (a->dw != NULL)) +
           (a->db != NULL ? (double)a->n * (double)a->o : 0);
}

/* ---- activation. From here on, `each` are the operations of an element. ------------------------------ */

static double activation_forward(const visitor *v, activation_forward_args *a, double each)
{
    reals(v, &a->y, OUT, a->n);
    reals(v, &a->x, IN, a->n);
    return each * (double)a->n;
}

static double activation_backward(const visitor *v, activation_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n);
    reals(v, &a->dy, IN, a->n);
    reals(v, &a->s, IN, a->n);
    return each * (double)a->n;
}

/* ---- norm ------------------------------------------------------------------------------------------- */

static double batchnorm_forward(const visitor *v, batchnorm_forward_args *a, double each)
{
    if (a->n == 0) return 0; /* no statistics are written */
    reals(v, &a->y, OUT, a->n * a->c);
    reals(v, &a->mean, OUT, a->c);
    reals(v, &a->rstd, OUT, a->c);
    reals(v, &a->running_mean, IN_OUT, a->c);
    reals(v, &a->running_var, IN_OUT, a->c);
    indices(v, &a->batches_tracked, IN_OUT, 1);
    reals(v, &a->x, IN, a->n * a->c);
    reals(v, &a->gamma, IN, a->c);
    reals(v, &a->beta, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

static double batchnorm_backward(const visitor *v, batchnorm_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n * a->c);
    reals(v, &a->dgamma, OUT, a->c);
    reals(v, &a->dbeta, OUT, a->c);
    reals(v, &a->dy, IN, a->n * a->c);
    reals(v, &a->x, IN, a->n * a->c);
    reals(v, &a->mean, IN, a->c);
    reals(v, &a->rstd, IN, a->c);
    reals(v, &a->gamma, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

static double batchnorm_inference(const visitor *v, batchnorm_inference_args *a, double each)
{
    reals(v, &a->y, OUT, a->n * a->c);
    reals(v, &a->x, IN, a->n * a->c);
    reals(v, &a->mean, IN, a->c);
    reals(v, &a->var, IN, a->c);
    reals(v, &a->gamma, IN, a->c);
    reals(v, &a->beta, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

static double batchnorm_inference_backward(const visitor *v, batchnorm_inference_backward_args *a,
                                           double each)
{
    reals(v, &a->dx, OUT, a->n * a->c);
    reals(v, &a->dgamma, OUT, a->c);
    reals(v, &a->dbeta, OUT, a->c);
    reals(v, &a->dy, IN, a->n * a->c);
    reals(v, &a->x, IN, a->n * a->c);
    reals(v, &a->mean, IN, a->c);
    reals(v, &a->var, IN, a->c);
    reals(v, &a->gamma, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

/* ---- loss ------------------------------------------------------------------------------------------- */

static double softmax_forward(const visitor *v, softmax_forward_args *a, double each)
{
    reals(v, &a->y, OUT, a->n * a->c);
    reals(v, &a->x, IN, a->n * a->c);
    return each * (double)a->n * (double)a->c;
}

static double softmax_backward(const visitor *v, softmax_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n * a->c);
    reals(v, &a->dy, IN, a->n * a->c);
    reals(v, &a->y, IN, a->n * a->c);
    return each * (double)a->n * (double)a->c;
}

/* numbers that a loss of n terms has */
static ptrdiff_t losses(ptrdiff_t n, int reduction) { return reduction == REDUCTION_NONE ? n : 1; }

static double cross_entropy_forward(const visitor *v, cross_entropy_forward_args *a, double each)
{
    reals(v, &a->loss, OUT, losses(a->n, a->reduction));
    reals(v, &a->softmax, OUT, a->n * a->c);
    reals(v, &a->total_weight, OUT, 1);
    reals(v, &a->x, IN, a->n * a->c);
    indices(v, &a->index, IN, a->n);
    if (a->index == NULL) reals(v, &a->prob, IN, a->n * a->c);
    reals(v, &a->weight, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

static double cross_entropy_backward(const visitor *v, cross_entropy_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n * a->c);
    reals(v, &a->dloss, IN, losses(a->n, a->reduction));
    reals(v, &a->softmax, IN, a->n * a->c);
    if (a->reduction == REDUCTION_MEAN) reals(v, &a->total_weight, IN, 1);
    indices(v, &a->index, IN, a->n);
    if (a->index == NULL) reals(v, &a->prob, IN, a->n * a->c);
    reals(v, &a->weight, IN, a->c);
    return each * (double)a->n * (double)a->c;
}

static double mse_forward(const visitor *v, mse_forward_args *a, double each)
{
    reals(v, &a->loss, OUT, losses(a->n, a->reduction));
    reals(v, &a->x, IN, a->n);
    reals(v, &a->t, IN, a->n);
    return each * (double)a->n;
}

static double mse_backward(const visitor *v, mse_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n);
    reals(v, &a->dt, OUT, a->n);
    reals(v, &a->dloss, IN, losses(a->n, a->reduction));
    reals(v, &a->x, IN, a->n);
    reals(v, &a->t, IN, a->n);
    return each * (double)a->n;
}

/* ---- random, dropout: what the generator does is in integers ------------------------------------------ */

static double dropout_forward(const visitor *v, dropout_forward_args *a, double each)
{
    reals(v, &a->y, OUT, a->n);
    generator_state(v, &a->used, OUT);
    generator_state(v, &a->state, IN_OUT);
    reals(v, &a->x, IN, a->n);
    return each * (double)a->n;
}

static double dropout_backward(const visitor *v, dropout_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->n);
    reals(v, &a->dy, IN, a->n);
    generator_state(v, &a->used, IN);
    return each * (double)a->n;
}

static double random_reals(const visitor *v, random_args *a, double each)
{
    reals(v, &a->y, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    return each * (double)a->n;
}

static double random_permutation(const visitor *v, random_permutation_args *a)
{
    indices(v, &a->index, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    return 0;
}

/* ---- optim ------------------------------------------------------------------------------------------ */

/* The segments of a call: the accesses to w and g (0: none), and how many of s0, s1 and s2 an update has; none: this is
 * no update, and `step` is left alone. Returns their elements. */
static double segments(const visitor *v, const optim_segment *first, ptrdiff_t count, int w, int g,
                       int states)
{
    double elements = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        optim_segment *s = (optim_segment *)first + i;
        reals(v, &s->w, w, s->n);
        reals(v, &s->g, g, s->n);
        if (states > 0) reals(v, &s->s0, IN_OUT, s->n);
        if (states > 1) reals(v, &s->s1, IN_OUT, s->n);
        if (states > 2) reals(v, &s->s2, IN_OUT, s->n);
        if (states > 0) bytes(v, &s->step, IN_OUT, sizeof *s->step);
        elements += (double)s->n;
    }
    return elements;
}

static double sgd(const visitor *v, sgd_args *a, double each)
{
    bytes(v, &a->options, IN, sizeof *a->options);
    return each * segments(v, a->segments, a->count, IN_OUT, IN, 1);
}

static double adagrad(const visitor *v, adagrad_args *a, double each)
{
    bytes(v, &a->options, IN, sizeof *a->options);
    return each * segments(v, a->segments, a->count, IN_OUT, IN, 1);
}

static double rmsprop(const visitor *v, rmsprop_args *a, double each)
{
    bytes(v, &a->options, IN, sizeof *a->options);
    return each * segments(v, a->segments, a->count, IN_OUT, IN, 3);
}

static double adam(const visitor *v, adam_args *a, double each)
{
    bytes(v, &a->options, IN, sizeof *a->options);
    return each * segments(v, a->segments, a->count, IN_OUT, IN, 3);
}

static double grad_norm(const visitor *v, grad_norm_args *a, double each)
{
    reals(v, &a->norm, OUT, 1);
    reals(v, &a->coef, OUT, 1);
    return each * segments(v, a->segments, a->count, 0, IN, 0);
}

static double scale_segments(const visitor *v, scale_segments_args *a, double each)
{
    reals(v, &a->coef, IN, 1);
    return each * segments(v, a->segments, a->count, IN_OUT, 0, 0);
}

/* ---- elementwise ------------------------------------------------------------------------------------ */

static double binary(const visitor *v, binary_args *a, double each)
{
    reals(v, &a->y, OUT, a->rows * a->cols);
    strided(v, &a->a, IN, repeat(repeat(one_element, a->rows, a->a_row), a->cols, a->a_col));
    strided(v, &a->b, IN, repeat(repeat(one_element, a->rows, a->b_row), a->cols, a->b_col));
    return each * (double)a->rows * (double)a->cols;
}

static double unary(const visitor *v, unary_args *a, double each)
{
    reals(v, &a->y, OUT, a->n);
    reals(v, &a->x, IN, a->n);
    return each * (double)a->n;
}

static double where(const visitor *v, where_args *a, double each)
{
    reals(v, &a->y, OUT, a->n);
    bytes(v, &a->condition, IN, a->n);
    reals(v, &a->a, IN, a->n);
    reals(v, &a->b, IN, a->n);
    return each * (double)a->n;
}

static double comparison(const visitor *v, binary_args *a)
{
    bytes(v, &a->y, OUT, a->rows * a->cols);
    strided(v, &a->a, IN, repeat(repeat(one_element, a->rows, a->a_row), a->cols, a->a_col));
    strided(v, &a->b, IN, repeat(repeat(one_element, a->rows, a->b_row), a->cols, a->b_col));
    return (double)a->rows * (double)a->cols;
}

static double logical(const visitor *v, logical_args *a)
{
    bytes(v, &a->y, OUT, a->n);
    bytes(v, &a->a, IN, a->n);
    bytes(v, &a->b, IN, a->n);
    return 0;
}

/* ---- move ------------------------------------------------------------------------------------------- */

static double fill(const visitor *v, fill_args *a)
{
    reals(v, &a->y, OUT, a->n);
    return 0;
}

static double copy(const visitor *v, copy_args *a)
{
    const visitor items = {v->fn, v->context, a->item_bytes};
    span x = one_element, y = one_element;
    for (ptrdiff_t d = 0; d < a->ndim; d++) {
        x = repeat(x, a->shape[d], a->x_strides[d]);
        y = repeat(y, a->shape[d], a->y_strides[d]);
    }
    strided(&items, &a->y, OUT, y);
    strided(&items, &a->x, IN, x);
    return 0;
}

static double cast(const visitor *v, cast_args *a)
{
    static const ptrdiff_t size[ELEMENT_COUNT] = {
        [ELEMENT_BOOL] = 1,  [ELEMENT_UINT8] = 1, [ELEMENT_INT8] = 1,    [ELEMENT_INT16] = 2,
        [ELEMENT_INT32] = 4, [ELEMENT_INT64] = 8, [ELEMENT_FLOAT32] = 4, [ELEMENT_FLOAT64] = 8};
    bytes(v, &a->y, OUT, a->n * size[a->y_element]);
    bytes(v, &a->x, IN, a->n * size[a->x_element]);
    return 0;
}

/* ---- reduce ----------------------------------------------------------------------------------------- */

static double sum(const visitor *v, sum_args *a, double each)
{
    reals(v, &a->y, OUT, a->outer * a->inner);
    reals(v, &a->x, IN, a->outer * a->n * a->inner);
    indices(v, &a->count, IN, 1);
    return each * (double)a->outer * (double)a->n * (double)a->inner;
}

static double extremum(const visitor *v, extremum_args *a, double each)
{
    reals(v, &a->y, OUT, a->outer * a->inner);
    indices(v, &a->index, OUT, a->outer * a->inner);
    reals(v, &a->x, IN, a->outer * a->n * a->inner);
    return each * (double)a->outer * (double)a->n * (double)a->inner;
}

/* ---- gather ----------------------------------------------------------------------------------------- */

static double gather(const visitor *v, gather_args *a)
{
    bytes(v, &a->y, OUT, a->n * a->row_bytes);
    if (a->n > 0) bytes(v, &a->x, IN, a->row_bytes);
    indices(v, &a->index, IN, a->n);
    return 0;
}

static double gather_backward(const visitor *v, gather_backward_args *a, double each)
{
    reals(v, &a->dx, OUT, a->rows * a->c);
    reals(v, &a->dy, IN, a->n * a->c);
    indices(v, &a->index, IN, a->n);
    return each * (double)a->n * (double)a->c;
}

static double by_mask(const visitor *v, mask_args *a)
{
    bytes(v, &a->y, OUT, a->n * a->row_bytes);
    indices(v, &a->count, OUT, 1);
    bytes(v, &a->x, IN, a->n * a->row_bytes);
    bytes(v, &a->mask, IN, a->n);
    return 0;
}

static double index_check(const visitor *v, index_check_args *a)
{
    indices(v, &a->y, OUT, a->n);
    indices(v, &a->fault, OUT, 1);
    indices(v, &a->index, IN, a->n);
    return 0;
}

static double gather_along(const visitor *v, gather_along_args *a)
{
    bytes(v, &a->y, OUT, a->outer * a->m * a->inner * a->item_bytes);
    bytes(v, &a->x, IN, a->outer * a->n * a->inner * a->item_bytes);
    indices(v, &a->index, IN, a->outer * a->m * a->inner);
    return 0;
}

static double scatter_add(const visitor *v, scatter_add_args *a, double each)
{
    reals(v, &a->dx, IN_OUT, a->outer * a->n * a->inner);
    reals(v, &a->dy, IN, a->outer * a->m * a->inner);
    indices(v, &a->index, IN, a->outer * a->m * a->inner);
    return each * (double)a->outer * (double)a->m * (double)a->inner;
}

/* ---- diagnostics ------------------------------------------------------------------------------------ */

static void number(const visitor *v, void *field) { visit(v, field, 0, sizeof(double), OUT); }

static double vector_norm(const visitor *v, vector_norm_args *a)
{
    number(v, &a->y);
    reals(v, &a->x, IN, a->n);
    return 2 * (double)a->n;
}

static double relative_change(const visitor *v, relative_change_args *a)
{
    number(v, &a->y);
    reals(v, &a->x, IN, a->n);
    reals(v, &a->before, IN, a->n);
    return 5 * (double)a->n;
}

static double dead_share(const visitor *v, dead_share_args *a)
{
    number(v, &a->y);
    reals(v, &a->x, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

static double outside_share(const visitor *v, outside_share_args *a)
{
    number(v, &a->y);
    reals(v, &a->x, IN, a->n);
    return 2 * (double)a->n;
}

static double batchnorm_drift(const visitor *v, batchnorm_drift_args *a)
{
    number(v, &a->y);
    reals(v, &a->mean, IN, a->c);
    reals(v, &a->rstd, IN, a->c);
    reals(v, &a->running_mean, IN, a->c);
    return 4 * (double)a->c;
}

/* Its operations depend on the length of the ISA's vector: the caller knows them. */
static double peak(const visitor *v, multiply_adds_args *a)
{
    reals(v, &a->y, IN_OUT, 1);
    return 0;
}

/* ---- every kernel ----------------------------------------------------------------------------------- */

/* No default: the compiler warns of a kernel that has no line. */
#define LINE(name, operations) \
    case KERNEL_##name:        \
        return operations

double pyml_footprint(pyml_kernel kernel, pyml_dtype dtype, void *args, footprint_fn fn, void *context)
{
    const ptrdiff_t real = dtype == PYML_FLOAT32 ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(double);
    const visitor *v = &(visitor){fn, context, real};
    switch (kernel) {
        LINE(gemm, gemm(v, args));
        LINE(linear_forward, linear_forward(v, args));
        LINE(linear_backward, linear_backward(v, args));

        LINE(relu_forward, activation_forward(v, args, 1));
        LINE(relu_backward, activation_backward(v, args, 1));
        LINE(leaky_relu_forward, activation_forward(v, args, 2));
        LINE(leaky_relu_backward, activation_backward(v, args, 2));
        LINE(sigmoid_forward, activation_forward(v, args, MATH + 3));
        LINE(sigmoid_backward, activation_backward(v, args, 3));
        LINE(tanh_forward, activation_forward(v, args, MATH));
        LINE(tanh_backward, activation_backward(v, args, 4));
        LINE(gelu_forward, activation_forward(v, args, MATH + 2));
        LINE(gelu_backward, activation_backward(v, args, 2 * MATH + 3));
        LINE(gelu_tanh_forward, activation_forward(v, args, MATH + 8));
        LINE(gelu_tanh_backward, activation_backward(v, args, MATH + 14));
        LINE(silu_forward, activation_forward(v, args, MATH + 4));
        LINE(silu_backward, activation_backward(v, args, MATH + 8));
        LINE(elu_forward, activation_forward(v, args, MATH + 2));
        LINE(elu_backward, activation_backward(v, args, MATH + 3));
        LINE(softplus_forward, activation_forward(v, args, 2 * MATH + 5));
        LINE(softplus_backward, activation_backward(v, args, MATH + 6));

        LINE(batchnorm_forward, batchnorm_forward(v, args, 8));
        LINE(batchnorm_backward, batchnorm_backward(v, args, 10));
        LINE(batchnorm_inference, batchnorm_inference(v, args, 3));
        LINE(batchnorm_inference_backward, batchnorm_inference_backward(v, args, 5));

        LINE(softmax_forward, softmax_forward(v, args, MATH + 4));
        LINE(softmax_backward, softmax_backward(v, args, 4));
        LINE(log_softmax_forward, softmax_forward(v, args, MATH + 5));
        LINE(log_softmax_backward, softmax_backward(v, args, MATH + 3));
        LINE(cross_entropy_forward, cross_entropy_forward(v, args, MATH + 4));
        LINE(cross_entropy_backward, cross_entropy_backward(v, args, 2));
        LINE(mse_forward, mse_forward(v, args, 3));
        LINE(mse_backward, mse_backward(v, args, 2));

        LINE(dropout_forward, dropout_forward(v, args, 1));
        LINE(dropout_backward, dropout_backward(v, args, 1));
        LINE(random_uniform, random_reals(v, args, 3));
        LINE(random_normal, random_reals(v, args, 1.5 * MATH + 4));
        LINE(random_permutation, random_permutation(v, args));

        LINE(sgd, sgd(v, args, 4));
        LINE(adagrad, adagrad(v, args, 7));
        LINE(rmsprop, rmsprop(v, args, 9));
        LINE(adam, adam(v, args, 14));
        LINE(grad_norm, grad_norm(v, args, 2));
        LINE(scale_segments, scale_segments(v, args, 1));

        LINE(add, binary(v, args, 1));
        LINE(sub, binary(v, args, 1));
        LINE(mul, binary(v, args, 1));
        LINE(div, binary(v, args, 1));
        LINE(pow, binary(v, args, 2 * MATH));
        LINE(maximum, binary(v, args, 1));
        LINE(minimum, binary(v, args, 1));
        LINE(neg, unary(v, args, 1));
        LINE(abs, unary(v, args, 1));
        LINE(exp, unary(v, args, MATH));
        LINE(log, unary(v, args, MATH));
        LINE(sqrt, unary(v, args, 1));
        LINE(sign, unary(v, args, 2));
        LINE(reciprocal, unary(v, args, 1));
        LINE(sin, unary(v, args, MATH));
        LINE(cos, unary(v, args, MATH));
        LINE(log1p, unary(v, args, MATH));
        LINE(expm1, unary(v, args, MATH));
        LINE(clamp, unary(v, args, 2));
        LINE(where, where(v, args, 1));
        LINE(equal, comparison(v, args));
        LINE(not_equal, comparison(v, args));
        LINE(less, comparison(v, args));
        LINE(less_equal, comparison(v, args));
        LINE(greater, comparison(v, args));
        LINE(greater_equal, comparison(v, args));
        LINE(logical_and, logical(v, args));
        LINE(logical_or, logical(v, args));
        LINE(logical_xor, logical(v, args));
        LINE(logical_not, logical(v, args));
        LINE(fill, fill(v, args));
        LINE(copy, copy(v, args));
        LINE(cast, cast(v, args));

        LINE(sum, sum(v, args, 1));
        LINE(max, extremum(v, args, 1));
        LINE(min, extremum(v, args, 1));

        LINE(mask_gather, by_mask(v, args));
        LINE(mask_scatter, by_mask(v, args));
        LINE(index_check, index_check(v, args));
        LINE(gather_along, gather_along(v, args));
        LINE(scatter_add, scatter_add(v, args, 1));
        LINE(vector_norm, vector_norm(v, args));
        LINE(relative_change, relative_change(v, args));
        LINE(dead_share, dead_share(v, args));
        LINE(outside_share, outside_share(v, args));
        LINE(batchnorm_drift, batchnorm_drift(v, args));
        LINE(multiply_adds, peak(v, args));

        LINE(gather, gather(v, args));
        LINE(gather_backward, gather_backward(v, args, 1));

    case KERNEL_COUNT:
        break;
    }
    return 0;
}
