/* Optimizers: one call updates all segments (the parameters of a group), in one pass over memory.
 *
 * What depends on the options and the numbers of the state alone is computed in double and rounded once to
 * `real`. The algorithms are those of PyTorch's documentation, their divisions by constants made products. */
#include "../contracts/optimizers.h"
#include "kernel.h"
#include "segments.h"

#include <math.h>

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

static void nothing_more(const void *options, const optim_segment *s)
{
    (void)options;
    (void)s;
}

static double step_of(const optim_segment *s) { return *s->numbers[OPTIM_STEP]; }

static void count_step(const void *options, const optim_segment *s)
{
    (void)options;
    ++*s->numbers[OPTIM_STEP];
}

INLINE int same_numbers(const optim_segment *a, const optim_segment *b)
{
    int same = step_of(a) == step_of(b);
    for (int k = OPTIM_STEP + 1; k < OPTIM_NUMBERS && a->numbers[k] != NULL; k++)
        same &= *a->numbers[k] == *b->numbers[k];
    return same;
}

/* Defines the kernel `name` from name_constants, what elements share whose segments have the same numbers;
 * name_prepare, which computes them from the options and a segment; and name_lanes, which updates the n <= L
 * elements from i on. `advance` brings the numbers of a segment to this step: count_step, where there is only that;
 * `after` those that are for the next one. `ns` is the time of an element on one thread in nanoseconds, roughly. */
#define UPDATE_KERNEL(name, advance, ns) UPDATE_KERNEL_THEN(name, advance, nothing_more, ns)
#define UPDATE_KERNEL_THEN(name, advance, after, ns)                                              \
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
        const optim_args *a = context;                                                            \
        const optim_segment *prepared = NULL;                                                     \
        name##_constants k = {0};                                                                 \
        FOR_SEGMENTS(a->segments, begin, end, {                                                   \
            if (prepared == NULL || !same_numbers(prepared, s))                                   \
                k = name##_prepare(a->options, prepared = s);                                     \
            name##_segment(s, k, from, to);                                                       \
        });                                                                                       \
    }                                                                                             \
    void KERNEL(name)(const void *args)                                                           \
    {                                                                                             \
        const optim_args *a = args;                                                               \
        ptrdiff_t n = count_elements(a->segments, a->count);                                      \
        for (ptrdiff_t i = 0; i < a->count; i++) advance(a->options, &a->segments[i]);            \
        parallel_for(n, SEGMENTS_BLOCK, (double)n * (ns), name##_range, a);                       \
        for (ptrdiff_t i = 0; i < a->count; i++) after(a->options, &a->segments[i]);              \
    }

/* ---- sgd ------------------------------------------------------------------------------------------ */

/* Sutskever et al. 2013, with PyTorch's velocity, which lr is not a part of.  The array is b.
 *   b <- g at step 1, then momentum * b + (1 - dampening) * g
 *   w <- w - lr * (g + momentum * b  with nesterov,  b  with momentum,  else g) */
typedef struct {
    real lr, momentum, undamped, weight_decay;
    int nesterov, maximize, first;
} sgd_constants;

static sgd_constants sgd_prepare(const sgd_options *o, const optim_segment *s)
{
    return (sgd_constants){(real)o->lr, (real)o->momentum, (real)(1 - o->dampening), (real)o->weight_decay,
                           o->nesterov, o->maximize,       step_of(s) == 1};
}

INLINE void sgd_lanes(const optim_segment *s, sgd_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    if (k.momentum != 0) {
        vec b = k.first ? g : vfma(vset1(k.undamped), g, load(s->arrays[0], i, n) * k.momentum);
        store(s->arrays[0], i, b, n);
        g = k.nesterov ? vfma(vset1(k.momentum), b, g) : b;
    }
    store(s->w, i, vfma(vset1(-k.lr), g, w), n);
}
UPDATE_KERNEL(sgd, count_step, 0.3)

/* ---- adagrad -------------------------------------------------------------------------------------- */

/* Duchi, Hazan & Singer 2011.  The array is v, the sum of squares.
 *   v <- v + g^2
 *   w <- w - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(v) + eps) */
typedef struct {
    real lr, weight_decay, eps;
    int maximize;
} adagrad_constants;

static adagrad_constants adagrad_prepare(const adagrad_options *o, const optim_segment *s)
{
    return (adagrad_constants){(real)(o->lr / (1 + (step_of(s) - 1) * o->lr_decay)), (real)o->weight_decay,
                               (real)o->eps, o->maximize};
}

INLINE void adagrad_lanes(const optim_segment *s, adagrad_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v = vfma(g, g, load(s->arrays[0], i, n));
    store(s->arrays[0], i, v, n);
    store(s->w, i, vfma(vset1(-k.lr), g / (vsqrt(v) + k.eps), w), n);
}
UPDATE_KERNEL(adagrad, count_step, 0.6)

/* ---- rmsprop -------------------------------------------------------------------------------------- */

/* Hinton 2012, lecture 6; centered: Graves 2013 (arXiv:1308.0850), eq. 38-45.  The arrays are v, b, a.
 *   v <- alpha * v + (1 - alpha) * g^2;   a <- alpha * a + (1 - alpha) * g  with centered, else a = 0
 *   u = g / (sqrt(v - a^2) + eps);        b <- momentum * b + u  with momentum, else b = u
 *   w <- w - lr * b
 * Unlike PyTorch, a variance v - a^2 that rounding made negative (a constant gradient) is taken as 0. */
typedef struct {
    real lr, alpha, one_minus_alpha, eps, weight_decay, momentum;
    int centered, maximize;
} rmsprop_constants;

static rmsprop_constants rmsprop_prepare(const rmsprop_options *o, const optim_segment *s)
{
    (void)s;
    return (rmsprop_constants){(real)o->lr,           (real)o->alpha,    (real)(1 - o->alpha), (real)o->eps,
                               (real)o->weight_decay, (real)o->momentum, o->centered,          o->maximize};
}

INLINE void rmsprop_lanes(const optim_segment *s, rmsprop_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v = vfma(g * k.one_minus_alpha, g, load(s->arrays[0], i, n) * k.alpha);
    store(s->arrays[0], i, v, n);
    if (k.centered) {
        vec a = lerp(load(s->arrays[2], i, n), g, k.one_minus_alpha);
        store(s->arrays[2], i, a, n);
        v = vmax(vfma(-a, a, v), (vec){0});
    }
    vec u = g / (vsqrt(v) + k.eps);
    if (k.momentum != 0) {
        u = vfma(vset1(k.momentum), load(s->arrays[1], i, n), u);
        store(s->arrays[1], i, u, n);
    }
    store(s->w, i, vfma(vset1(-k.lr), u, w), n);
}
UPDATE_KERNEL(rmsprop, count_step, 0.7)

/* ---- moments -------------------------------------------------------------------------------------- */

/* m <- beta1 * m + (1 - beta1) * g, which is returned, and *v <- beta2 * v + (1 - beta2) * g^2: the first two arrays of
 * Adam and its kin */
INLINE vec update_moments(const optim_segment *s, ptrdiff_t i, ptrdiff_t n, vec g, real one_minus_beta1,
                          real beta2, real one_minus_beta2, vec *v)
{
    vec m = lerp(load(s->arrays[0], i, n), g, one_minus_beta1);
    *v = vfma(g * one_minus_beta2, g, load(s->arrays[1], i, n) * beta2);
    store(s->arrays[0], i, m, n);
    store(s->arrays[1], i, *v, n);
    return m;
}

/* ---- adam ----------------------------------------------------------------------------------------- */

/* Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1; amsgrad: Reddi, Kale & Kumar 2018 (arXiv:1904.09237), its
 * maximum taken before the bias correction as in PyTorch; decoupled: AdamW, Loshchilov & Hutter 2019
 * (arXiv:1711.05101).
 *   w <- w - lr * weight_decay * w                with decoupled, in place of g <- g + weight_decay * w
 *   m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g^2
 *   x <- max(x, v)                                with amsgrad, else x = v
 *   w <- w - lr / (1 - beta1^step) * m / (sqrt(x / (1 - beta2^step)) + eps)
 * The arrays are m, v, x. */
typedef struct {
    real step_size, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps, weight_decay, shrink;
    int amsgrad, maximize;
} adam_constants;

static adam_constants adam_prepare(const adam_options *o, const optim_segment *s)
{
    const double beta1 = o->betas[0], beta2 = o->betas[1], step = step_of(s);
    double correction1 = 1 - pow(beta1, step), correction2 = 1 - pow(beta2, step);
    return (adam_constants){
        .step_size = (real)(o->lr / correction1),
        .one_minus_beta1 = (real)(1 - beta1),
        .beta2 = (real)beta2,
        .one_minus_beta2 = (real)(1 - beta2),
        .root_correction = (real)(1 / sqrt(correction2)),
        .eps = (real)o->eps,
        .weight_decay = o->decoupled_weight_decay ? 0 : (real)o->weight_decay,
        .shrink = o->decoupled_weight_decay ? (real)(1 - o->lr * o->weight_decay) : 1,
        .amsgrad = o->amsgrad,
        .maximize = o->maximize,
    };
}

INLINE void adam_lanes(const optim_segment *s, adam_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v;
    vec m = update_moments(s, i, n, g, k.one_minus_beta1, k.beta2, k.one_minus_beta2, &v);
    if (k.amsgrad) {
        v = vmax(load(s->arrays[2], i, n), v);
        store(s->arrays[2], i, v, n);
    }
    vec direction = m / vfma(vsqrt(v), vset1(k.root_correction), vset1(k.eps));
    store(s->w, i, vfma(vset1(-k.step_size), direction, w * k.shrink), n);
}
UPDATE_KERNEL(adam, count_step, 0.7)

/* ---- nadam ---------------------------------------------------------------------------------------- */

/* Dozat 2016, "Incorporating Nesterov momentum into Adam"; decoupled: as in AdamW.
 *   w <- w - lr * weight_decay * w                with decoupled, in place of g <- g + weight_decay * w
 *   mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2);   product <- product * mu_step
 *   m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g^2
 *   u = (1 - mu_step) / (1 - product) * g + mu_{step+1} / (1 - product * mu_{step+1}) * m
 *   w <- w - lr * u / (sqrt(v / (1 - beta2^step)) + eps)
 * The arrays are m, v; the number is the product. */
enum { NADAM_PRODUCT = OPTIM_STEP + 1 };

typedef struct {
    real g_size, m_size, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps, weight_decay, shrink;
    int maximize;
} nadam_constants;

static double nadam_momentum(const nadam_options *o, double step)
{
    return o->betas[0] * (1 - 0.5 * pow(0.96, step * o->momentum_decay));
}

static void nadam_advance(const void *options, const optim_segment *s)
{
    count_step(options, s);
    *s->numbers[NADAM_PRODUCT] *= nadam_momentum(options, step_of(s));
}

static nadam_constants nadam_prepare(const nadam_options *o, const optim_segment *s)
{
    const double beta1 = o->betas[0], beta2 = o->betas[1], step = step_of(s);
    double product = *s->numbers[NADAM_PRODUCT], next = nadam_momentum(o, step + 1);
    return (nadam_constants){
        .g_size = (real)(o->lr * (1 - nadam_momentum(o, step)) / (1 - product)),
        .m_size = (real)(o->lr * next / (1 - product * next)),
        .one_minus_beta1 = (real)(1 - beta1),
        .beta2 = (real)beta2,
        .one_minus_beta2 = (real)(1 - beta2),
        .root_correction = (real)(1 / sqrt(1 - pow(beta2, step))),
        .eps = (real)o->eps,
        .weight_decay = o->decoupled_weight_decay ? 0 : (real)o->weight_decay,
        .shrink = o->decoupled_weight_decay ? (real)(1 - o->lr * o->weight_decay) : 1,
        .maximize = o->maximize,
    };
}

INLINE void nadam_lanes(const optim_segment *s, nadam_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v;
    vec m = update_moments(s, i, n, g, k.one_minus_beta1, k.beta2, k.one_minus_beta2, &v);
    vec u = vfma(vset1(k.m_size), m, g * k.g_size);
    vec root = vfma(vsqrt(v), vset1(k.root_correction), vset1(k.eps));
    store(s->w, i, w * k.shrink - u / root, n);
}
UPDATE_KERNEL(nadam, nadam_advance, 0.8)

/* ---- adamax --------------------------------------------------------------------------------------- */

/* Kingma & Ba 2015 (arXiv:1412.6980), section 7.1, with eps where PyTorch adds it.  The arrays are m, u.
 *   m <- beta1 * m + (1 - beta1) * g;   u <- max(beta2 * u, |g| + eps)
 *   w <- w - lr / (1 - beta1^step) * m / u */
typedef struct {
    real step_size, one_minus_beta1, beta2, eps, weight_decay;
    int maximize;
} adamax_constants;

static adamax_constants adamax_prepare(const adamax_options *o, const optim_segment *s)
{
    const double beta1 = o->betas[0];
    return (adamax_constants){
        .step_size = (real)(o->lr / (1 - pow(beta1, step_of(s)))),
        .one_minus_beta1 = (real)(1 - beta1),
        .beta2 = (real)o->betas[1],
        .eps = (real)o->eps,
        .weight_decay = (real)o->weight_decay,
        .maximize = o->maximize,
    };
}

INLINE void adamax_lanes(const optim_segment *s, adamax_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec m = lerp(load(s->arrays[0], i, n), g, k.one_minus_beta1);
    vec u = vmax(load(s->arrays[1], i, n) * k.beta2, vabs(g) + k.eps);
    store(s->arrays[0], i, m, n);
    store(s->arrays[1], i, u, n);
    store(s->w, i, vfma(vset1(-k.step_size), m / u, w), n);
}
UPDATE_KERNEL(adamax, count_step, 0.6)

/* ---- adadelta ------------------------------------------------------------------------------------- */

/* Zeiler 2012 (arXiv:1212.5701), algorithm 1, its update scaled by lr.  The arrays are v, x.
 *   v <- rho * v + (1 - rho) * g^2;   u = sqrt(x + eps) / sqrt(v + eps) * g;   x <- rho * x + (1 - rho) * u^2
 *   w <- w - lr * u */
typedef struct {
    real lr, rho, one_minus_rho, eps, weight_decay;
    int maximize;
} adadelta_constants;

static adadelta_constants adadelta_prepare(const adadelta_options *o, const optim_segment *s)
{
    (void)s;
    return (adadelta_constants){(real)o->lr,  (real)o->rho,          (real)(1 - o->rho),
                                (real)o->eps, (real)o->weight_decay, o->maximize};
}

INLINE void adadelta_lanes(const optim_segment *s, adadelta_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v = vfma(g * k.one_minus_rho, g, load(s->arrays[0], i, n) * k.rho);
    vec x = load(s->arrays[1], i, n);
    vec u = vsqrt(x + k.eps) / vsqrt(v + k.eps) * g;
    store(s->arrays[0], i, v, n);
    store(s->arrays[1], i, vfma(u * k.one_minus_rho, u, x * k.rho), n);
    store(s->w, i, vfma(vset1(-k.lr), u, w), n);
}
UPDATE_KERNEL(adadelta, count_step, 0.8)

/* ---- radam ---------------------------------------------------------------------------------------- */

/* Liu et al. 2020 (arXiv:1908.03265), algorithm 2; decoupled: as in AdamW.  The arrays are m, v.
 *   w <- w - lr * weight_decay * w                with decoupled, in place of g <- g + weight_decay * w
 *   m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g^2
 *   R = 2 / (1 - beta2) - 1;   r = R - 2 * step * beta2^step / (1 - beta2^step)
 *   q = sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r))
 *   w <- w - lr / (1 - beta1^step) * m * q * sqrt(1 - beta2^step) / (sqrt(v) + eps)    if r > 5
 *   w <- w - lr / (1 - beta1^step) * m                                                 else */
typedef struct {
    real step_size, one_minus_beta1, beta2, one_minus_beta2, eps, weight_decay, shrink;
    int rectified, maximize;
} radam_constants;

static radam_constants radam_prepare(const radam_options *o, const optim_segment *s)
{
    const double beta1 = o->betas[0], beta2 = o->betas[1], step = step_of(s);
    double correction2 = 1 - pow(beta2, step);
    double longest = 2 / (1 - beta2) - 1;
    double length = longest - 2 * step * (1 - correction2) / correction2;
    int rectified = length > 5;
    double q = rectified ? sqrt((length - 4) * (length - 2) * longest /
                                ((longest - 4) * (longest - 2) * length) * correction2)
                         : 1;
    return (radam_constants){
        .step_size = (real)(o->lr / (1 - pow(beta1, step)) * q),
        .one_minus_beta1 = (real)(1 - beta1),
        .beta2 = (real)beta2,
        .one_minus_beta2 = (real)(1 - beta2),
        .eps = (real)o->eps,
        .weight_decay = o->decoupled_weight_decay ? 0 : (real)o->weight_decay,
        .shrink = o->decoupled_weight_decay ? (real)(1 - o->lr * o->weight_decay) : 1,
        .rectified = rectified,
        .maximize = o->maximize,
    };
}

INLINE void radam_lanes(const optim_segment *s, radam_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    vec v;
    vec m = update_moments(s, i, n, g, k.one_minus_beta1, k.beta2, k.one_minus_beta2, &v);
    vec u = k.rectified ? m / (vsqrt(v) + k.eps) : m;
    store(s->w, i, vfma(vset1(-k.step_size), u, w * k.shrink), n);
}
UPDATE_KERNEL(radam, count_step, 0.7)

/* ---- rprop ---------------------------------------------------------------------------------------- */

/* Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm",
 * without their step back.  The arrays are p, the gradient before, and d.
 *   d <- d * etas[0] where g * p < 0, d * etas[1] where g * p > 0;   d <- min(max(d, step_sizes[0]), step_sizes[1])
 *   g <- 0 where g * p < 0;   w <- w - sign(g) * d;   p <- g
 * Unlike PyTorch, by the product of the signs, which cannot underflow. */
typedef struct {
    real shrink, grow, least, most;
    int maximize;
} rprop_constants;

static rprop_constants rprop_prepare(const rprop_options *o, const optim_segment *s)
{
    (void)s;
    return (rprop_constants){(real)o->etas[0], (real)o->etas[1], (real)o->step_sizes[0],
                             (real)o->step_sizes[1], o->maximize};
}

INLINE void rprop_lanes(const optim_segment *s, rprop_constants k, ptrdiff_t i, ptrdiff_t n)
{
    const vec zero = {0};
    vec g = load(s->g, i, n);
    if (k.maximize) g = -g;
    vec turn = vsign(g) * vsign(load(s->arrays[0], i, n));
    vec d = load(s->arrays[1], i, n);
    d = d * vselect(turn > zero, vset1(k.grow), vselect(turn < zero, vset1(k.shrink), vset1(1)));
    d = vmin(vmax(d, vset1(k.least)), vset1(k.most));
    g = vselect(turn < zero, zero, g);
    store(s->arrays[0], i, g, n);
    store(s->arrays[1], i, d, n);
    store(s->w, i, vfma(-vsign(g), d, load(s->w, i, n)), n);
}
UPDATE_KERNEL(rprop, count_step, 0.6)

/* ---- asgd ----------------------------------------------------------------------------------------- */

/* Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging", with the rate of Xu 2011
 * (arXiv:1107.2490).  The array is a; the numbers are eta, lr at step 1, and mu, 1 at step 1.
 *   w <- w - eta * (lambd * w + g);   a <- a + mu * (w - a)
 *   eta <- lr / (1 + lambd * lr * step)^alpha;   mu <- 1 / max(1, step - t0)          for the next step */
enum { ASGD_ETA = OPTIM_STEP + 1, ASGD_MU };

typedef struct {
    real eta, mu, shrink, weight_decay;
    int maximize;
} asgd_constants;

static void asgd_advance(const void *options, const optim_segment *s)
{
    const asgd_options *o = options;
    count_step(options, s);
    if (step_of(s) == 1) *s->numbers[ASGD_ETA] = o->lr;
}

static asgd_constants asgd_prepare(const asgd_options *o, const optim_segment *s)
{
    double eta = *s->numbers[ASGD_ETA];
    return (asgd_constants){(real)eta, (real)*s->numbers[ASGD_MU], (real)(1 - o->lambd * eta),
                            (real)o->weight_decay, o->maximize};
}

static void asgd_after(const void *options, const optim_segment *s)
{
    const asgd_options *o = options;
    const double step = step_of(s);
    *s->numbers[ASGD_ETA] = o->lr / pow(1 + o->lambd * o->lr * step, o->alpha);
    *s->numbers[ASGD_MU] = 1 / fmax(1, step - o->t0);
}

INLINE void asgd_lanes(const optim_segment *s, asgd_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec w = load(s->w, i, n);
    vec g = load_gradient(s, i, n, w, k.maximize, k.weight_decay);
    w = vfma(vset1(-k.eta), g, w * k.shrink);
    store(s->w, i, w, n);
    store(s->arrays[0], i, k.mu == 1 ? w : lerp(load(s->arrays[0], i, n), w, k.mu), n);
}
UPDATE_KERNEL_THEN(asgd, asgd_advance, asgd_after, 0.4)

/* ---- lion ----------------------------------------------------------------------------------------- */

/* Chen et al. 2023 (arXiv:2302.06675), algorithm 2.  The array is m.
 *   w <- w - lr * weight_decay * w;   w <- w - lr * sign(beta1 * m + (1 - beta1) * g)
 *   m <- beta2 * m + (1 - beta2) * g */
typedef struct {
    real lr, beta1, one_minus_beta1, beta2, one_minus_beta2, shrink;
    int maximize;
} lion_constants;

static lion_constants lion_prepare(const lion_options *o, const optim_segment *s)
{
    const double beta1 = o->betas[0], beta2 = o->betas[1];
    (void)s;
    return (lion_constants){
        .lr = (real)o->lr,
        .beta1 = (real)beta1,
        .one_minus_beta1 = (real)(1 - beta1),
        .beta2 = (real)beta2,
        .one_minus_beta2 = (real)(1 - beta2),
        .shrink = (real)(1 - o->lr * o->weight_decay),
        .maximize = o->maximize,
    };
}

INLINE void lion_lanes(const optim_segment *s, lion_constants k, ptrdiff_t i, ptrdiff_t n)
{
    vec g = load(s->g, i, n);
    if (k.maximize) g = -g;
    vec m = load(s->arrays[0], i, n);
    vec c = vfma(vset1(k.one_minus_beta1), g, m * k.beta1);
    store(s->arrays[0], i, vfma(vset1(k.one_minus_beta2), g, m * k.beta2), n);
    store(s->w, i, vfma(vset1(-k.lr), vsign(c), load(s->w, i, n) * k.shrink), n);
}
UPDATE_KERNEL(lion, count_step, 0.4)
