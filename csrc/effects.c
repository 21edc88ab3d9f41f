/* The effects of every kernel, by the struct of its arguments: effects_of_<struct> tells the pieces, and returns how
 * many elements the operations are of that kernel_list.h names. */
#include "effects.h"
#include "contracts/all.h"
#include "dispatch.h"

enum { IN = EFFECT_READ, OUT = EFFECT_WRITE, IN_OUT = IN | OUT };

/* exp, log, tanh, erf, sin, cos, as kernel_list.h counts them: polynomials of 10 to 15 terms, with what brings the
 * argument into their range */
enum { MATH = 20 };

typedef struct {
    effects_fn fn; /* may be NULL */
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

static void floats(const visitor *v, void *field, int access, ptrdiff_t count)
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
    if (access == OUT && s.count < s.end - s.first) access |= EFFECT_PART;
    visit(v, field, -s.first * v->real, (s.end - s.first) * v->real, access);
}

/* ---- gemm, linear ----------------------------------------------------------------------------------- */

static double product(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) { return (double)m * (double)n * (double)k; }

/* m * n additions, where the operations of an element are a multiplication and an addition */
static double half_of(ptrdiff_t m, ptrdiff_t n) { return 0.5 * (double)m * (double)n; }

static double effects_of_gemm_args(const visitor *v, gemm_args *g)
{
    span c = repeat(repeat(one_element, g->m, g->c_row), g->n, 1);
    span a = repeat(repeat(one_element, g->m, g->a_row), g->k, g->a_col);
    span b = repeat(repeat(one_element, g->k, g->b_row), g->n, g->b_col);
    strided(v, &g->c, g->beta == 0 ? OUT : IN_OUT, repeat(c, g->batch, g->c_batch));
    strided(v, &g->a, IN, repeat(a, g->batch, g->a_batch));
    strided(v, &g->b, IN, repeat(b, g->batch, g->b_batch));
    return product(g->m, g->n, g->k) * (double)g->batch;
}

static double effects_of_linear_forward_args(const visitor *v, linear_forward_args *a)
{
    floats(v, &a->y, OUT, a->n * a->o);
    floats(v, &a->x, IN, a->n * a->k);
    floats(v, &a->w, IN, a->o * a->k);
    floats(v, &a->b, IN, a->o);
    return product(a->n, a->o, a->k) + (a->b != NULL ? half_of(a->n, a->o) : 0);
}

static double effects_of_linear_backward_args(const visitor *v, linear_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->k);
    floats(v, &a->dw, OUT, a->o * a->k);
    floats(v, &a->db, OUT, a->o);
    floats(v, &a->dy, IN, a->n * a->o);
    if (a->dw != NULL) floats(v, &a->x, IN, a->n * a->k);
    if (a->dx != NULL) floats(v, &a->w, IN, a->o * a->k);
    return product(a->n, a->o, a->k) * ((a->dx != NULL) + (a->dw != NULL)) +
           (a->db != NULL ? half_of(a->n, a->o) : 0);
}

/* ---- activation ------------------------------------------------------------------------------------- */

static double effects_of_activation_forward_args(const visitor *v, activation_forward_args *a)
{
    floats(v, &a->y, OUT, a->n);
    floats(v, &a->x, IN, a->n);
    return (double)a->n;
}

static double effects_of_activation_backward_args(const visitor *v, activation_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n);
    floats(v, &a->dy, IN, a->n);
    floats(v, &a->s, IN, a->n);
    return (double)a->n;
}

static double effects_of_prelu_forward_args(const visitor *v, prelu_forward_args *a)
{
    const ptrdiff_t count = a->n * a->c * a->inner;
    floats(v, &a->y, OUT, count);
    floats(v, &a->x, IN, count);
    floats(v, &a->w, IN, a->c);
    return (double)count;
}

static double effects_of_prelu_backward_args(const visitor *v, prelu_backward_args *a)
{
    const ptrdiff_t count = a->n * a->c * a->inner;
    floats(v, &a->dx, OUT, count);
    floats(v, &a->dw, OUT, a->c);
    floats(v, &a->dy, IN, count);
    floats(v, &a->x, IN, count);
    if (a->dx != NULL) floats(v, &a->w, IN, a->c);
    return (double)count;
}

/* ---- jet -------------------------------------------------------------------------------------------- */

static double effects_of_jet_forward_args(const visitor *v, jet_forward_args *a)
{
    const ptrdiff_t all = (1 + a->firsts + a->seconds) * a->n;
    floats(v, &a->y, OUT, all);
    floats(v, &a->x, IN, all);
    indices(v, &a->pairs, IN, a->n != 0 ? 2 * a->seconds : 0);
    return (double)all;
}

static double effects_of_jet_backward_args(const visitor *v, jet_backward_args *a)
{
    const ptrdiff_t all = (1 + a->firsts + a->seconds) * a->n;
    floats(v, &a->dx, OUT, all);
    floats(v, &a->jet, OUT, all);
    floats(v, &a->dy, IN, all);
    floats(v, &a->x, IN, all);
    floats(v, &a->y, IN, a->n);
    indices(v, &a->pairs, IN, a->n != 0 ? 2 * a->seconds : 0);
    return (double)all;
}

/* What a net's products are, and what it keeps. */
static double effects_of_jet_net(const visitor *v, const ptrdiff_t *widths, ptrdiff_t layers, ptrdiff_t n,
                                 ptrdiff_t channels, void *kept, int access)
{
    const ptrdiff_t points = JET_BLOCK_BYTES / v->real, blocks = (n + points - 1) / points;
    ptrdiff_t hidden = 0;
    double products = 0;
    for (ptrdiff_t l = 0; l < layers; l++) {
        products += product(n * (l == 0 ? 1 : channels), widths[l], widths[l + 1]);
        if (l < layers - 1) hidden += widths[l + 1];
    }
    floats(v, kept, access, blocks * points * (channels + 1) * hidden);
    return products;
}

static double effects_of_jet_net_forward_args(const visitor *v, jet_net_forward_args *a)
{
    const ptrdiff_t channels = 1 + a->firsts + a->seconds, some = a->n != 0;
    floats(v, &a->u, OUT, channels * a->n * a->widths[a->layers]);
    floats(v, &a->x, IN, a->n * a->widths[0]);
    for (ptrdiff_t l = 0; l < a->layers; l++) {
        floats(v, &a->w[l], IN, some * a->widths[l + 1] * a->widths[l]);
        floats(v, &a->b[l], IN, some * a->widths[l + 1]);
    }
    indices(v, &a->variables, IN, some * a->firsts);
    indices(v, &a->pairs, IN, some * 2 * a->seconds);
    return effects_of_jet_net(v, a->widths, a->layers, a->n, channels, &a->kept, OUT);
}

static double effects_of_jet_net_backward_args(const visitor *v, jet_net_backward_args *a)
{
    const ptrdiff_t channels = 1 + a->firsts + a->seconds, some = a->n != 0;
    floats(v, &a->dx, OUT, a->n * a->widths[0]);
    for (ptrdiff_t l = 0; l < a->layers; l++) {
        floats(v, &a->dw[l], OUT, a->widths[l + 1] * a->widths[l]);
        floats(v, &a->db[l], OUT, a->widths[l + 1]);
    }
    floats(v, &a->du, IN, channels * a->n * a->widths[a->layers]);
    floats(v, &a->x, IN, a->n * a->widths[0]);
    for (ptrdiff_t l = a->dx == NULL; l < a->layers; l++)
        floats(v, &a->w[l], IN, some * a->widths[l + 1] * a->widths[l]);
    indices(v, &a->variables, IN, some * a->firsts);
    indices(v, &a->pairs, IN, some * 2 * a->seconds);
    return 2 * effects_of_jet_net(v, a->widths, a->layers, a->n, channels, &a->kept, IN);
}

/* ---- norm ------------------------------------------------------------------------------------------- */

static double effects_of_batchnorm_forward_args(const visitor *v, batchnorm_forward_args *a)
{
    floats(v, &a->y, OUT, a->n * a->c);
    floats(v, &a->mean, OUT, a->c);
    floats(v, &a->rstd, OUT, a->c);
    indices(v, &a->batches_tracked, IN_OUT, 1);
    if (a->n == 0) return 0; /* the running statistics stay */
    floats(v, &a->running_mean, IN_OUT, a->c);
    floats(v, &a->running_var, IN_OUT, a->c);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->gamma, IN, a->c);
    floats(v, &a->beta, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_batchnorm_backward_args(const visitor *v, batchnorm_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dgamma, OUT, a->c);
    floats(v, &a->dbeta, OUT, a->c);
    floats(v, &a->dy, IN, a->n * a->c);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->mean, IN, a->c);
    floats(v, &a->rstd, IN, a->c);
    floats(v, &a->gamma, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_batchnorm_inference_args(const visitor *v, batchnorm_inference_args *a)
{
    floats(v, &a->y, OUT, a->n * a->c);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->mean, IN, a->c);
    floats(v, &a->var, IN, a->c);
    floats(v, &a->gamma, IN, a->c);
    floats(v, &a->beta, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_batchnorm_inference_backward_args(const visitor *v,
                                                           batchnorm_inference_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dgamma, OUT, a->c);
    floats(v, &a->dbeta, OUT, a->c);
    floats(v, &a->dy, IN, a->n * a->c);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->mean, IN, a->c);
    floats(v, &a->var, IN, a->c);
    floats(v, &a->gamma, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_row_norm_forward_args(const visitor *v, row_norm_forward_args *a)
{
    const ptrdiff_t parameters = a->groups * (a->c / a->each);
    floats(v, &a->y, OUT, a->n * a->c);
    floats(v, &a->mean, OUT, a->n);
    floats(v, &a->rstd, OUT, a->n);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->gamma, IN, parameters);
    floats(v, &a->beta, IN, parameters);
    return (double)a->n * (double)a->c;
}

static double effects_of_row_norm_backward_args(const visitor *v, row_norm_backward_args *a)
{
    const ptrdiff_t parameters = a->groups * (a->c / a->each);
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dgamma, OUT, parameters);
    floats(v, &a->dbeta, OUT, parameters);
    floats(v, &a->dy, IN, a->n * a->c);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->mean, IN, a->n);
    floats(v, &a->rstd, IN, a->n);
    floats(v, &a->gamma, IN, parameters);
    return (double)a->n * (double)a->c;
}

/* ---- softmax, losses -------------------------------------------------------------------------------- */

static double effects_of_softmax_forward_args(const visitor *v, softmax_forward_args *a)
{
    floats(v, &a->y, OUT, a->n * a->c);
    floats(v, &a->x, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_softmax_backward_args(const visitor *v, softmax_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dy, IN, a->n * a->c);
    floats(v, &a->y, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

/* numbers that a loss of n terms has */
static ptrdiff_t losses(ptrdiff_t n, int reduction) { return reduction == REDUCTION_NONE ? n : 1; }

static double effects_of_cross_entropy_forward_args(const visitor *v, cross_entropy_forward_args *a)
{
    floats(v, &a->loss, OUT, losses(a->n, a->reduction));
    floats(v, &a->softmax, OUT, a->n * a->c);
    floats(v, &a->total_weight, OUT, 1);
    floats(v, &a->x, IN, a->n * a->c);
    indices(v, &a->index, IN, a->n);
    if (a->index == NULL) floats(v, &a->prob, IN, a->n * a->c);
    floats(v, &a->weight, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_cross_entropy_backward_args(const visitor *v, cross_entropy_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dloss, IN, losses(a->n, a->reduction));
    floats(v, &a->softmax, IN, a->n * a->c);
    if (a->reduction == REDUCTION_MEAN) floats(v, &a->total_weight, IN, 1);
    indices(v, &a->index, IN, a->n);
    if (a->index == NULL) floats(v, &a->prob, IN, a->n * a->c);
    floats(v, &a->weight, IN, a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_class_loss_forward_args(const visitor *v, class_loss_forward_args *a)
{
    floats(v, &a->loss, OUT, losses(a->n * a->inner, a->reduction));
    floats(v, &a->total_weight, OUT, 1);
    floats(v, &a->x, IN, a->n * a->c * a->inner);
    indices(v, &a->index, IN, a->labels > 0 ? a->n * a->labels : a->n * a->inner);
    floats(v, &a->weight, IN, a->c);
    return (double)(a->n * a->inner) * (double)a->c;
}

static double effects_of_class_loss_backward_args(const visitor *v, class_loss_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c * a->inner);
    floats(v, &a->dloss, IN, losses(a->n * a->inner, a->reduction));
    if (a->reduction == REDUCTION_MEAN) floats(v, &a->total_weight, IN, 1);
    floats(v, &a->x, IN, a->n * a->c * a->inner);
    indices(v, &a->index, IN, a->labels > 0 ? a->n * a->labels : a->n * a->inner);
    floats(v, &a->weight, IN, a->c);
    return (double)(a->n * a->inner) * (double)a->c;
}

static double effects_of_pair_loss_forward_args(const visitor *v, pair_loss_forward_args *a)
{
    floats(v, &a->loss, OUT, losses(a->n, a->reduction));
    floats(v, &a->x, IN, a->n);
    floats(v, &a->t, IN, a->n);
    return (double)a->n;
}

static double effects_of_pair_loss_backward_args(const visitor *v, pair_loss_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n);
    floats(v, &a->dt, OUT, a->n);
    floats(v, &a->dloss, IN, losses(a->n, a->reduction));
    floats(v, &a->x, IN, a->n);
    floats(v, &a->t, IN, a->n);
    return (double)a->n;
}

/* ---- random, dropout: what the generator does is in integers ------------------------------------------ */

/* a bit for each of n elements, in whole numbers of 64 */
static void mask_of(const visitor *v, void *field, int access, ptrdiff_t n)
{
    bytes(v, field, access, (n + 63) / 64 * (ptrdiff_t)sizeof(uint64_t));
}

static double effects_of_dropout_forward_args(const visitor *v, dropout_forward_args *a)
{
    floats(v, &a->y, OUT, a->n);
    mask_of(v, &a->mask, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    floats(v, &a->x, IN, a->n);
    return (double)a->n;
}

static double effects_of_dropout_backward_args(const visitor *v, dropout_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n);
    floats(v, &a->dy, IN, a->n);
    mask_of(v, &a->mask, IN, a->n);
    return (double)a->n;
}

static double effects_of_random_args(const visitor *v, random_args *a)
{
    floats(v, &a->y, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    return (double)a->n;
}

static double effects_of_random_of_args(const visitor *v, random_of_args *a)
{
    floats(v, &a->y, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    floats(v, &a->a, IN, a->n);
    floats(v, &a->b, IN, a->n);
    return (double)a->n;
}

static double effects_of_random_permutation_args(const visitor *v, random_permutation_args *a)
{
    indices(v, &a->index, OUT, a->n);
    generator_state(v, &a->state, IN_OUT);
    return (double)a->n;
}

/* ---- image ------------------------------------------------------------------------------------------ */

static double effects_of_image_view_args(const visitor *v, image_view_args *a)
{
    ptrdiff_t images = a->n * a->channels;
    floats(v, &a->y, OUT, images * a->out_height * a->out_width);
    generator_state(v, &a->state, IN_OUT);
    floats(v, &a->x, IN, images * a->height * a->width);
    return (double)images * (double)(a->out_height * a->out_width);
}

/* ---- optim ------------------------------------------------------------------------------------------ */

/* The segments of a call: the accesses to w and g (0: none), and how many arrays and numbers of its state an update has.
 * Returns their elements. */
static double segments(const visitor *v, const optim_segment *first, ptrdiff_t count, int w, int g,
                       int arrays, int numbers)
{
    double elements = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        optim_segment *s = (optim_segment *)first + i;
        floats(v, &s->w, w, s->n);
        floats(v, &s->g, g, s->n);
        for (int k = 0; k < arrays; k++) floats(v, &s->arrays[k], IN_OUT, s->n);
        for (int k = 0; k < numbers; k++) bytes(v, &s->numbers[k], IN_OUT, sizeof *s->numbers[k]);
        elements += (double)s->n;
    }
    return elements;
}

/* There is a step count also where the state has no numbers. */
static double effects_of_update(const visitor *v, optim_args *a, int arrays, int numbers)
{
    bytes(v, &a->options, IN, a->options_size);
    return segments(v, a->segments, a->count, IN_OUT, IN, arrays,
                    numbers > OPTIM_STEP ? numbers : OPTIM_STEP + 1);
}

static double effects_of_grad_norm_args(const visitor *v, grad_norm_args *a)
{
    floats(v, &a->norm, OUT, 1);
    floats(v, &a->coef, OUT, 1);
    return segments(v, a->segments, a->count, 0, IN, 0, 0);
}

static double effects_of_scale_segments_args(const visitor *v, scale_segments_args *a)
{
    floats(v, &a->coef, IN, 1);
    return segments(v, a->segments, a->count, IN_OUT, 0, 0, 0);
}

/* ---- elementwise ------------------------------------------------------------------------------------ */

static double effects_of_binary_args(const visitor *v, binary_args *a)
{
    floats(v, &a->y, OUT, a->rows * a->cols);
    strided(v, &a->a, IN, repeat(repeat(one_element, a->rows, a->a_row), a->cols, a->a_col));
    strided(v, &a->b, IN, repeat(repeat(one_element, a->rows, a->b_row), a->cols, a->b_col));
    return (double)a->rows * (double)a->cols;
}

static double effects_of_unary_args(const visitor *v, unary_args *a)
{
    floats(v, &a->y, OUT, a->n);
    floats(v, &a->x, IN, a->n);
    return (double)a->n;
}

static double effects_of_where_args(const visitor *v, where_args *a)
{
    floats(v, &a->y, OUT, a->n);
    bytes(v, &a->condition, IN, a->n);
    floats(v, &a->a, IN, a->n);
    floats(v, &a->b, IN, a->n);
    return (double)a->n;
}

/* ---- waves ------------------------------------------------------------------------------------------ */

static double effects_of_waves_forward_args(const visitor *v, waves_forward_args *a)
{
    const ptrdiff_t count = a->features * a->n * a->k;
    floats(v, &a->z, OUT, 2 * count);
    floats(v, &a->x, IN, a->n * a->features);
    floats(v, &a->c, IN, a->features * a->k);
    return (double)count;
}

static double effects_of_waves_both_args(const visitor *v, waves_both_args *a)
{
    const ptrdiff_t rows = a->n * a->features;
    floats(v, &a->both, OUT, 2 * rows * a->o);
    floats(v, &a->dy, IN, rows * a->o);
    floats(v, &a->x, IN, rows);
    return (double)rows * (double)a->o;
}

static double effects_of_waves_backward_args(const visitor *v, waves_backward_args *a)
{
    const ptrdiff_t rows = a->features * 2 * a->k;
    floats(v, &a->dw, OUT, rows * a->o);
    floats(v, &a->dc, OUT, a->features * a->k);
    floats(v, &a->p, IN, rows * 2 * a->o);
    floats(v, &a->w, IN, rows * a->o);
    return (double)(a->features * a->k) * (double)a->o;
}

static double effects_of_compare_args(const visitor *v, compare_args *a)
{
    bytes(v, &a->y, OUT, a->rows * a->cols);
    strided(v, &a->a, IN, repeat(repeat(one_element, a->rows, a->a_row), a->cols, a->a_col));
    strided(v, &a->b, IN, repeat(repeat(one_element, a->rows, a->b_row), a->cols, a->b_col));
    return (double)a->rows * (double)a->cols;
}

static double effects_of_logical_args(const visitor *v, logical_args *a)
{
    bytes(v, &a->y, OUT, a->n);
    bytes(v, &a->a, IN, a->n);
    bytes(v, &a->b, IN, a->n);
    return (double)a->n;
}

/* ---- move ------------------------------------------------------------------------------------------- */

static double effects_of_fill_args(const visitor *v, fill_args *a)
{
    floats(v, &a->y, OUT, a->n);
    return (double)a->n;
}

static double effects_of_copy_args(const visitor *v, copy_args *a)
{
    const visitor items = {v->fn, v->context, a->item_bytes};
    span x = one_element, y = one_element;
    for (ptrdiff_t d = 0; d < a->ndim; d++) {
        x = repeat(x, a->shape[d], a->x_strides[d]);
        y = repeat(y, a->shape[d], a->y_strides[d]);
    }
    strided(&items, &a->y, OUT, y);
    strided(&items, &a->x, IN, x);
    return (double)y.count;
}

static double effects_of_cast_args(const visitor *v, cast_args *a)
{
    static const ptrdiff_t size[ELEMENT_COUNT] = {
        [ELEMENT_BOOL] = 1,  [ELEMENT_UINT8] = 1, [ELEMENT_INT8] = 1,    [ELEMENT_INT16] = 2,
        [ELEMENT_INT32] = 4, [ELEMENT_INT64] = 8, [ELEMENT_FLOAT32] = 4, [ELEMENT_FLOAT64] = 8};
    bytes(v, &a->y, OUT, a->n * size[a->y_element]);
    bytes(v, &a->x, IN, a->n * size[a->x_element]);
    return (double)a->n;
}

/* ---- reduce ----------------------------------------------------------------------------------------- */

static double effects_of_sum_args(const visitor *v, sum_args *a)
{
    floats(v, &a->y, OUT, a->outer * a->inner);
    floats(v, &a->x, IN, a->outer * a->n * a->inner);
    indices(v, &a->count, IN, 1);
    return (double)a->outer * (double)a->n * (double)a->inner;
}

static double effects_of_extremum_args(const visitor *v, extremum_args *a)
{
    floats(v, &a->y, OUT, a->outer * a->inner);
    indices(v, &a->index, OUT, a->outer * a->inner);
    floats(v, &a->x, IN, a->outer * a->n * a->inner);
    return (double)a->outer * (double)a->n * (double)a->inner;
}

/* ---- row_pair --------------------------------------------------------------------------------------- */

static double effects_of_row_pair_forward_args(const visitor *v, row_pair_forward_args *a)
{
    floats(v, &a->y, OUT, a->n);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->t, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_row_pair_backward_args(const visitor *v, row_pair_backward_args *a)
{
    floats(v, &a->dx, OUT, a->n * a->c);
    floats(v, &a->dt, OUT, a->n * a->c);
    floats(v, &a->dy, IN, a->n);
    floats(v, &a->x, IN, a->n * a->c);
    floats(v, &a->t, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

/* ---- gather ----------------------------------------------------------------------------------------- */

static double effects_of_gather_args(const visitor *v, gather_args *a)
{
    bytes(v, &a->y, OUT, a->n * a->row_bytes);
    if (a->n > 0) bytes(v, &a->x, IN, a->row_bytes);
    indices(v, &a->index, IN, a->n);
    return (double)a->n;
}

static double effects_of_gather_backward_args(const visitor *v, gather_backward_args *a)
{
    floats(v, &a->dx, OUT, a->rows * a->c);
    floats(v, &a->dy, IN, a->n * a->c);
    indices(v, &a->index, IN, a->n);
    return (double)a->n * (double)a->c;
}

static double effects_of_bag_forward_args(const visitor *v, bag_forward_args *a)
{
    floats(v, &a->y, OUT, a->bags * a->c);
    floats(v, &a->x, IN, a->rows * a->c);
    indices(v, &a->index, IN, a->n);
    indices(v, &a->ends, IN, a->bags + 1);
    floats(v, &a->w, IN, a->n);
    return (double)a->n * (double)a->c;
}

static double effects_of_bag_backward_args(const visitor *v, bag_backward_args *a)
{
    floats(v, &a->dx, OUT, a->rows * a->c);
    floats(v, &a->dy, IN, a->bags * a->c);
    indices(v, &a->index, IN, a->n);
    indices(v, &a->ends, IN, a->bags + 1);
    floats(v, &a->w, IN, a->n);
    return (double)a->n * (double)a->c;
}

static double effects_of_mask_args(const visitor *v, mask_args *a)
{
    bytes(v, &a->y, OUT, a->n * a->row_bytes);
    indices(v, &a->count, OUT, 1);
    bytes(v, &a->x, IN, a->n * a->row_bytes);
    bytes(v, &a->mask, IN, a->n);
    return (double)a->n;
}

static double effects_of_index_check_args(const visitor *v, index_check_args *a)
{
    indices(v, &a->y, OUT, a->n);
    indices(v, &a->fault, OUT, 1);
    indices(v, &a->index, IN, a->n);
    return (double)a->n;
}

static double effects_of_piecewise_forward_args(const visitor *v, piecewise_forward_args *a)
{
    floats(v, &a->y, OUT, a->n * a->functions * a->c);
    floats(v, &a->values, IN, a->functions * (a->bins + 1) * a->c);
    floats(v, &a->x, IN, a->n * a->functions);
    floats(v, &a->left, IN, a->functions * a->bins);
    floats(v, &a->scale, IN, a->functions * a->bins);
    indices(v, &a->counts, IN, a->functions);
    return (double)a->n * (double)a->functions * (double)a->c;
}

static double effects_of_piecewise_backward_args(const visitor *v, piecewise_backward_args *a)
{
    floats(v, &a->dvalues, OUT, a->functions * (a->bins + 1) * a->c);
    floats(v, &a->dy, IN, a->n * a->functions * a->c);
    floats(v, &a->x, IN, a->n * a->functions);
    floats(v, &a->left, IN, a->functions * a->bins);
    floats(v, &a->scale, IN, a->functions * a->bins);
    indices(v, &a->counts, IN, a->functions);
    return (double)a->n * (double)a->functions * (double)a->c;
}

static double effects_of_gather_along_args(const visitor *v, gather_along_args *a)
{
    bytes(v, &a->y, OUT, a->outer * a->m * a->inner * a->item_bytes);
    bytes(v, &a->x, IN, a->outer * a->n * a->inner * a->item_bytes);
    indices(v, &a->index, IN, a->outer * a->m * a->inner);
    return (double)a->outer * (double)a->m * (double)a->inner;
}

static double effects_of_scatter_add_args(const visitor *v, scatter_add_args *a)
{
    floats(v, &a->dx, IN_OUT, a->outer * a->n * a->inner);
    floats(v, &a->dy, IN, a->outer * a->m * a->inner);
    indices(v, &a->index, IN, a->outer * a->m * a->inner);
    return (double)a->outer * (double)a->m * (double)a->inner;
}

/* ---- callback: what the function computes is its own matter ------------------------------------------- */

static double effects_of_callback_args(const visitor *v, callback_args *a)
{
    for (ptrdiff_t k = 0; k < a->count; k++) visit(v, &a->at[k], a->before[k], a->bytes[k], a->access[k]);
    indices(v, &a->fault, OUT, 1);
    return 0;
}

/* ---- diagnostics ------------------------------------------------------------------------------------ */

static void number(const visitor *v, void *field) { visit(v, field, 0, sizeof(double), OUT); }

static double effects_of_vector_norm_args(const visitor *v, vector_norm_args *a)
{
    number(v, &a->y);
    floats(v, &a->x, IN, a->n);
    return (double)a->n;
}

static double effects_of_relative_change_args(const visitor *v, relative_change_args *a)
{
    number(v, &a->y);
    floats(v, &a->x, IN, a->n);
    floats(v, &a->before, IN, a->n);
    return (double)a->n;
}

static double effects_of_dead_share_args(const visitor *v, dead_share_args *a)
{
    number(v, &a->y);
    floats(v, &a->x, IN, a->n * a->c);
    return (double)a->n * (double)a->c;
}

static double effects_of_outside_share_args(const visitor *v, outside_share_args *a)
{
    number(v, &a->y);
    floats(v, &a->x, IN, a->n);
    return (double)a->n;
}

static double effects_of_batchnorm_drift_args(const visitor *v, batchnorm_drift_args *a)
{
    number(v, &a->y);
    floats(v, &a->mean, IN, a->c);
    floats(v, &a->rstd, IN, a->c);
    floats(v, &a->running_mean, IN, a->c);
    return (double)a->c;
}

/* Its operations depend on the length of the ISA's vector: the caller knows them. */
static double effects_of_multiply_adds_args(const visitor *v, multiply_adds_args *a)
{
    floats(v, &a->y, IN_OUT, 1);
    return (double)a->rounds;
}

/* ---- every kernel ----------------------------------------------------------------------------------- */

double pyml_effects(int kernel, pyml_dtype dtype, void *args, effects_fn fn, void *context)
{
    const ptrdiff_t real = pyml_dtype_bytes(dtype);
    const visitor *v = &(visitor){fn, context, real};
    switch ((pyml_kernel)kernel) {
#define X(name, arguments, operations) \
    case KERNEL_##name:                \
        return (operations) * effects_of_##arguments(v, args);
#define OPTIMIZER(name, arrays, numbers, operations) \
    case KERNEL_##name:                              \
        return (operations) * effects_of_update(v, args, arrays, numbers);
#include "kernel_list.h"
#undef X
    case KERNEL_COUNT:
        break;
    }
    return 0;
}
