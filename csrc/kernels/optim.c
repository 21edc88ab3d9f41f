/* Optimizers: one call updates all segments (the parameters of a group), in one pass over memory.
 *
 * The segments are walked as one array of all their elements, cut into blocks of OPTIM_BLOCK, so that work is
 * even however the sizes differ. What depends on the options and the step count alone is computed in double
 * and rounded once to `real`. The algorithms are those of PyTorch's documentation, their divisions by
 * constants made products. */
#include "kernel.h"

#include <math.h>

enum { OPTIM_BLOCK = 16384 };

/* A segment, and the index of its first element among those of all. */
typedef struct {
    const optim_segment *s;
    ptrdiff_t first;
} place;

/* the segment of element i, at p or after it */
INLINE place find_element(place p, ptrdiff_t i)
{
    while (i - p.first >= p.s->n) p.first += p.s++->n;
    return p;
}

/* Runs a statement with `s` a segment and [from, to) its elements, for all that lie in [begin, end). */
#define FOR_SEGMENTS(segments, begin, end, ...)                       \
    do {                                                              \
        place p = {segments, 0};                                      \
        for (ptrdiff_t at = begin, stop; at < (end); at = stop) {     \
            p = find_element(p, at);                                  \
            stop = min_size(end, p.first + p.s->n);                   \
            const optim_segment *const s = p.s;                       \
            const ptrdiff_t from = at - p.first, to = stop - p.first; \
            __VA_ARGS__;                                              \
        }                                                             \
    } while (0)

static ptrdiff_t count_elements(const optim_segment *segments, ptrdiff_t count)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < count; i++) n += segments[i].n;
    return n;
}

/* n <= L elements of p from i on */
INLINE vec load(const void *p, ptrdiff_t i, ptrdiff_t n) { return vload_upto((const real *)p + i, n); }

INLINE void store(void *p, ptrdiff_t i, vec v, ptrdiff_t n) { vstore_upto((real *)p + i, v, n); }

/* the gradient with its sign, and with coupled weight decay */
INLINE vec load_gradient(const optim_segment *s, ptrdiff_t i, ptrdiff_t n, vec w, int maximize,
                         real weight_decay)
{
    vec g = load(s->g, i, n);
    if (maximize) g = -g;
    if (weight_decay != 0) g = vfma(vset1(weight_decay), w, g);
    return g;
}

/* m + t (x - m): torch.lerp */
INLINE vec lerp(vec m, vec x, real t) { return vfma(vset1(t), x - m, m); }

/* Defines the kernel `name` from name_constants, what elements share whose segments have made as many steps;
 * name_prepare, which computes them; and name_lanes, which updates the n <= L elements from i on. `ns` is the
 * time of an element on one thread in nanoseconds, roughly. */
#define OPTIMIZER(name, ns)                                                                       \
    static void name##_segment(const optim_segment *segment, name##_constants k, ptrdiff_t begin, \
                               ptrdiff_t end)                                                     \
    {                                                                                             \
        const optim_segment s = *segment;                                                         \
        ptrdiff_t i = begin;                                                                      \
        for (; i + L <= end; i += L) name##_lanes(&s, k, i, L);                                   \
        if (i < end) name##_lanes(&s, k, i, end - i);                                             \
    }                                                                                             \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                 \
    {                                                                                             \
        const name##_args *a = context;                                                           \
        double step = NAN;                                                                        \
        name##_constants k = {0};                                                                 \
        FOR_SEGMENTS(a->segments, begin, end, {                                                   \
            if (*s->step != step) k = name##_prepare(a->options, step = *s->step);                \
            name##_segment(s, k, from, to);                                                       \
        });                                                                                       \
    }                                                                                             \
    void KERNEL(name)(const void *args)                                                           \
    {                                                                                             \
        const name##_args *a = args;                                                              \
        ptrdiff_t n = count_elements(a->segments, a->count);                                      \
        for (ptrdiff_t i = 0; i < a->count; i++) ++*a->segments[i].step;                          \
        parallel_for(n, OPTIM_BLOCK, (double)n * (ns), name##_range, a);                          \
    }

/* ---- sgd ------------------------------------------------------------------------------------------ */

/* Sutskever et al. 2013, with PyTorch's velocity, which lr is not a part of.  b is s0.
 *   b <- g at step 1, then momentum * b + (1 - dampening) * g
 *   w <- w - lr * (g + momentum * b  with nesterov,  b  with momentum,  else g) */
typedef struct {
    real lr, momentum, undamped, weight_decay;
    int nesterov, maximize, first;
} sgd_constants;

static sgd_constants sgd_prepare(const sgd_options *o, double step)
{
    return (sgd_constants){
        (real)o->lr, (real)o->momentum, (real)(1 - o->dampening), (real)o->weight_decay, o->nesterov,
        o->maximize, step == 1};
}

INLINE void sgd_lanes(const optim_segment *s, sgd_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    if (k.momentum != 0) {
        vec b = k.first ? g : vfma(vset1(k.undamped), g, load(s->s0, i, n) * k.momentum);
        store(s->s0, i, b, n);
        g = k.nesterov ? vfma(vset1(k.momentum), b, g) : b;
    }
    store(s->w, i, vfma(vset1(-k.lr), g, w), n);
}
OPTIMIZER(sgd, 0.3)

/* ---- adagrad -------------------------------------------------------------------------------------- */

/* Duchi, Hazan & Singer 2011.  The sum of squares, v, is s0.
 *   v <- v + g^2
 *   w <- w - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + eps) */
typedef struct {
    real lr, weight_decay, eps;
    int maximize;
} adagrad_constants;

static adagrad_constants adagrad_prepare(const adagrad_options *o, double step)
{
    return (adagrad_constants){(real)(o->lr / (1 + (step - 1) * o->lr_decay)), (real)o->weight_decay,
                               (real)o->eps, o->maximize};
}

INLINE void adagrad_lanes(const optim_segment *s, adagrad_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v = vfma(g, g, load(s->s0, i, n));
    store(s->s0, i, v, n);
    store(s->w, i, vfma(vset1(-k.lr), g / (vsqrt(v) + k.eps), w), n);
}
OPTIMIZER(adagrad, 0.6)

/* ---- rmsprop -------------------------------------------------------------------------------------- */

/* Hinton 2012, lecture 6; centered: Graves 2013 (arXiv:1308.0850), eq. 38-45.  v is s0, b is s1, a is s2.
 *   v <- alpha * v + (1 - alpha) * g^2;   a <- alpha * a + (1 - alpha) * g  with centered, else a = 0
 *   u = g / (sqrt(v - a^2) + eps);        b <- momentum * b + u  with momentum, else b = u
 *   w <- w - lr * b
 * Unlike PyTorch, a variance v - a^2 that rounding made negative (a constant gradient) is taken as 0. */
typedef struct {
    real lr, alpha, one_minus_alpha, eps, weight_decay, momentum;
    int centered, maximize;
} rmsprop_constants;

static rmsprop_constants rmsprop_prepare(const rmsprop_options *o, double step)
{
    (void)step;
    return (rmsprop_constants){(real)o->lr,           (real)o->alpha,    (real)(1 - o->alpha), (real)o->eps,
                               (real)o->weight_decay, (real)o->momentum, o->centered,          o->maximize};
}

INLINE void rmsprop_lanes(const optim_segment *s, rmsprop_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v = vfma(g * k.one_minus_alpha, g, load(s->s0, i, n) * k.alpha);
    store(s->s0, i, v, n);
    if (k.centered) {
        vec a = lerp(load(s->s2, i, n), g, k.one_minus_alpha);
        store(s->s2, i, a, n);
        v = vmax(vfma(-a, a, v), (vec){0});
    }
    vec u = g / (vsqrt(v) + k.eps);
    if (k.momentum != 0) {
        u = vfma(vset1(k.momentum), load(s->s1, i, n), u);
        store(s->s1, i, u, n);
    }
    store(s->w, i, vfma(vset1(-k.lr), u, w), n);
}
OPTIMIZER(rmsprop, 0.7)

/* ---- adam ----------------------------------------------------------------------------------------- */

/* Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1; amsgrad: Reddi, Kale & Kumar 2018 (arXiv:1904.09237), its
 * maximum taken before the bias correction as in PyTorch; decoupled: AdamW, Loshchilov & Hutter 2019
 * (arXiv:1711.05101).
 *   w <- w - lr * weight_decay * w                with decoupled, in place of g <- g + weight_decay * w
 *   m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g^2
 *   x <- max(x, v)                                with amsgrad, else x = v
 *   w <- w - lr / (1 - beta1^step) * m / (sqrt(x / (1 - beta2^step)) + eps)
 * m is s0, v is s1, x is s2. */
typedef struct {
    real step_size, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps, weight_decay, shrink;
    int amsgrad, maximize;
} adam_constants;

static adam_constants adam_prepare(const adam_options *o, double step)
{
    double correction1 = 1 - pow(o->beta1, step), correction2 = 1 - pow(o->beta2, step);
    return (adam_constants){
        .step_size = (real)(o->lr / correction1),
        .one_minus_beta1 = (real)(1 - o->beta1),
        .beta2 = (real)o->beta2,
        .one_minus_beta2 = (real)(1 - o->beta2),
        .root_correction = (real)(1 / sqrt(correction2)),
        .eps = (real)o->eps,
        .weight_decay = o->decoupled ? 0 : (real)o->weight_decay,
        .shrink = o->decoupled ? (real)(1 - o->lr * o->weight_decay) : 1,
        .amsgrad = o->amsgrad,
        .maximize = o->maximize,
    };
}

INLINE void adam_lanes(const optim_segment *s, adam_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec m = lerp(load(s->s0, i, n), g, k.one_minus_beta1);
    vec v = vfma(g * k.one_minus_beta2, g, load(s->s1, i, n) * k.beta2);
    store(s->s0, i, m, n);
    store(s->s1, i, v, n);
    if (k.amsgrad) {
        v = vmax(load(s->s2, i, n), v);
        store(s->s2, i, v, n);
    }
    vec direction = m / vfma(vsqrt(v), vset1(k.root_correction), vset1(k.eps));
    store(s->w, i, vfma(vset1(-k.step_size), direction, w * k.shrink), n);
}
OPTIMIZER(adam, 0.7)

/* ---- clipping ------------------------------------------------------------------------------------- */

enum { SUMS = 16 }; /* sums carried side by side: the same number, so the same bits, on every ISA */

typedef struct {
    double *partials; /* one a block, in the caller's scratch */
    ptrdiff_t block;
    const optim_segment *segments;
} squares_context;

static void add_squares(double sums[SUMS], const real *g, ptrdiff_t n)
{
    double local[SUMS];
    memcpy(local, sums, sizeof local);
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) local[j] += (double)g[i + j] * (double)g[i + j];
    for (int j = 0; i + j < n; j++) local[j] += (double)g[i + j] * (double)g[i + j];
    memcpy(sums, local, sizeof local);
}

static void squares_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const squares_context *c = context;
    double sums[SUMS] = {0};
    FOR_SEGMENTS(c->segments, begin, end, add_squares(sums, (const real *)s->g + from, to - from));
    for (int half = SUMS / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) sums[j] += sums[j + half];
    c->partials[begin / c->block] = sums[0];
}

/* normal number of real */
#define SMALLEST (REAL_BITS == 32 ? 0x1p-126 : 0x1p-1022)

void KERNEL(grad_norm)(const void *args)
{
    const grad_norm_args *a = args;
    ptrdiff_t n = count_elements(a->segments, a->count);
    squares_context c = {thread_scratch(), OPTIM_BLOCK, a->segments};
    while (n / c.block >= SCRATCH_BYTES / (ptrdiff_t)sizeof(double)) c.block *= 2;
    parallel_for(n, c.block, (double)n * 0.2, squares_range, &c);
    double sum = 0;
    for (ptrdiff_t i = 0; i * c.block < n; i++) sum += c.partials[i];
    double norm = sqrt(sum), coef = a->max_norm / (norm + 1e-6);
    *(real *)a->norm = (real)norm;
    if (coef < SMALLEST && norm < __builtin_inf()) coef = -(a->max_norm / ((norm + 1e-6) * 0x1p-64));
    *(real *)a->coef = (real)(coef > 1 ? 1 : coef); /* NaN stays NaN */
}

/* a negative coef: see grad_norm_args */
static void scale_segment(real *w, real coef, ptrdiff_t n)
{
    if (coef < 0)
        for (ptrdiff_t i = 0; i < n; i++) w[i] = w[i] * -coef * (real)0x1p-64;
    else
        for (ptrdiff_t i = 0; i < n; i++) w[i] *= coef;
}

static void scale_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const scale_segments_args *a = context;
    const real coef = *(const real *)a->coef;
    FOR_SEGMENTS(a->segments, begin, end, scale_segment((real *)s->w + from, coef, to - from));
}

void KERNEL(scale_segments)(const void *args)
{
    const scale_segments_args *a = args;
    if (*(const real *)a->coef == 1) return;
    ptrdiff_t n = count_elements(a->segments, a->count);
    parallel_for(n, OPTIM_BLOCK, (double)n * 0.2, scale_range, a);
}
