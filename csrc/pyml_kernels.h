/* The contract of every kernel: what its arguments are, and what it computes from them.
 *
 * A call is data: a kernel takes one pointer to a struct of its arguments (dispatch.h runs it). The
 * struct holds pointers, sizes and constants, so a call can be kept and run again; what changes from one
 * step to the next (learning rate, step count, the generator's counter) is read through a pointer.
 *
 * Conventions
 *   - In a struct: first what is written (out, in/out), then what is read (const), then sizes, then scalars.
 *   - Arrays of `real` (float or double, one dtype a call) are void *. Sizes are in elements.
 *     Arrays are row-major and contiguous unless strides are given; aligned to their element, no more.
 *   - n rows, k inputs, o outputs, c channels (columns).
 *   - Outputs do not overlap inputs unless the comment allows it ("y may be x").
 *   - A zero-size output returns at once; an empty sum is zero.
 *   - A kernel never allocates, checks, prints, or reads globals; the caller has checked.
 *   - Arithmetic flushes subnormals to zero, in and out; a number that is only moved stays as it is. */
#ifndef PYML_KERNELS_H
#define PYML_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef void (*kernel_fn)(const void *args);

typedef enum { PYML_FLOAT32, PYML_FLOAT64, PYML_DTYPE_COUNT } pyml_dtype;

/* How a loss is reduced, PyTorch's `reduction`. */
enum { REDUCTION_NONE, REDUCTION_MEAN, REDUCTION_SUM };

/* ---- gemm ----------------------------------------------------------------------------------------- */

/* C = alpha * A B + beta * C for each of `batch` matrices; any strides for A and B, unit column stride for C.
 * beta == 0 never reads C. The order in which k is summed is a function of k alone. */
typedef struct {
    void *c;              /* (m,n) at c + i*c_row + j           */
    const void *a, *b;    /* (m,k) at a + i*a_row + p*a_col;  (k,n) at b + p*b_row + j*b_col */
    ptrdiff_t m, n, k;
    ptrdiff_t a_row, a_col, b_row, b_col, c_row;
    ptrdiff_t batch, a_batch, b_batch, c_batch; /* strides between matrices; 0 repeats one */
    double alpha, beta;
} gemm_args;

/* ---- linear --------------------------------------------------------------------------------------- */

/* y = x w^T + b.  A row's result is the same bits alone and among others. */
typedef struct {
    void *y;                 /* (n,o) */
    const void *x, *w, *b;   /* (n,k), (o,k), (o) or NULL */
    ptrdiff_t n, k, o;
} linear_forward_args;

/* dx = dy w,  dw = dy^T x,  db = sum over rows of dy.  A NULL output is not computed. */
typedef struct {
    void *dx, *dw, *db;          /* (n,k), (o,k), (o) */
    const void *dy, *x, *w;      /* (n,o), (n,k), (o,k); x may be NULL without dw, w without dx */
    ptrdiff_t n, k, o;
} linear_backward_args;

/* ---- activation ----------------------------------------------------------------------------------- */

/* y[i] = f(x[i]); y may be x.  Formulas, and what alpha and beta are, stand in kernels/activation.c. */
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n;
    double alpha, beta;
} activation_forward_args;

/* dx[i] = dy[i] * f'(...) from `s`: the output y for relu, sigmoid and tanh; the input x for all others.
 * dx may be dy or s. */
typedef struct {
    void *dx;
    const void *dy, *s;
    ptrdiff_t n;
    double alpha, beta;
} activation_backward_args;

/* ---- norm ----------------------------------------------------------------------------------------- */

/* BatchNorm over rows, training. Ioffe & Szegedy 2015 (arXiv:1502.03167), Algorithm 1.
 *   y[i,j] = gamma[j] * (x[i,j] - mean[j]) * rstd[j] + beta[j],   rstd = 1/sqrt(var + eps), var divides by n
 *   running <- (1 - m) * running + m * batch; running_var takes the variance that divides by n-1
 * m is `momentum`, or 1/batches_tracked (the count this call included) when momentum is negative.
 * Accurate on data far from zero: an offset of 1e4 costs no digits of y. */
typedef struct {
    void *y;                            /* (n,c); may be x */
    void *mean, *rstd;                  /* (c), kept for backward */
    void *running_mean, *running_var;   /* in/out (c), both NULL: not tracked */
    int64_t *batches_tracked; /* in/out: incremented first; NULL: not counted, momentum is then >= 0 */
    const void *x, *gamma, *beta; /* (n,c), (c) or NULL, (c) or NULL */
    ptrdiff_t n, c; /* n >= 2 */
    double eps, momentum;
} batchnorm_forward_args;

/* With xhat = (x - mean) * rstd:  dgamma = sum dy*xhat,  dbeta = sum dy,
 *   dx = gamma * rstd * (dy - dbeta/n - xhat * dgamma/n).   A NULL output is not computed. */
typedef struct {
    void *dx, *dgamma, *dbeta; /* (n,c), (c), (c); dx may be dy */
    const void *dy, *x, *mean, *rstd, *gamma; /* mean and rstd of x itself; gamma may be NULL */
    ptrdiff_t n, c;
} batchnorm_backward_args;

/* y = gamma * (x - mean) / sqrt(var + eps) + beta with given statistics; y may be x. */
typedef struct {
    void *y;
    const void *x, *mean, *var, *gamma, *beta; /* gamma, beta may be NULL */
    ptrdiff_t n, c;
    double eps;
} batchnorm_inference_args;

/* Backward of the same: dx = dy * gamma * rstd,  dgamma = sum dy*xhat,  dbeta = sum dy. NULL: not computed. */
typedef struct {
    void *dx, *dgamma, *dbeta;
    const void *dy, *x, *mean, *var, *gamma;
    ptrdiff_t n, c;
    double eps;
} batchnorm_inference_backward_args;

/* ---- softmax, cross_entropy ----------------------------------------------------------------------- */

/* Row-wise softmax and log-softmax; y may be x. */
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n, c;
} softmax_forward_args;

/* softmax: dx = y * (dy - sum_j dy*y);  log_softmax: dx = dy - exp(y) * sum_j dy.  dx may be dy. */
typedef struct {
    void *dx;
    const void *dy, *y;
    ptrdiff_t n, c;
} softmax_backward_args;

/* Softmax and cross entropy in one pass, PyTorch's CrossEntropyLoss with label smoothing e
 * (Szegedy et al. 2015, arXiv:1512.00567). With l = log_softmax(x[i]) and weights v (1 without `weight`):
 *   index t:          loss[i] = -(1-e) v[t] l[t] - e/c sum_j v[j] l[j];   total weight: sum of v[t]
 *   probabilities p:  loss[i] = -sum_j q[j] v[j] l[j],  q = (1-e) p + e/c;  total weight: n
 * A row whose index is ignore_index has loss 0 and weight 0. An index outside [0,c) gives NaN for its row and is
 * never used as an address.
 * loss is (n) for REDUCTION_NONE, else one number: the sum, or the sum over the total weight. */
typedef struct {
    void *loss;
    void *softmax; /* (n,c), kept for backward; NULL: not computed */
    void *total_weight; /* (1), kept for backward */
    const void *x; /* (n,c) */
    const int64_t *index; /* (n), or NULL */
    const void *prob; /* (n,c) when index is NULL */
    const void *weight; /* (c) or NULL */
    ptrdiff_t n, c;
    int64_t ignore_index;
    double label_smoothing;
    int reduction;
} cross_entropy_forward_args;

/* dx = dloss * d loss / d x; dloss is (n) for REDUCTION_NONE, else one number. */
typedef struct {
    void *dx; /* (n,c) */
    const void *dloss, *softmax, *total_weight;
    const int64_t *index;
    const void *prob, *weight;
    ptrdiff_t n, c;
    int64_t ignore_index;
    double label_smoothing;
    int reduction;
} cross_entropy_backward_args;

/* ---- pair_loss ------------------------------------------------------------------------------------ */

/* loss = f(x, t), element by element: (n) for REDUCTION_NONE, else its sum or mean (the mean of nothing is NaN).
 * Formulas, and what alpha and beta are, stand in kernels/pair_loss.c. */
typedef struct {
    void *loss;
    const void *x, *t; /* (n) */
    ptrdiff_t n;
    double alpha, beta;
    int reduction;
} pair_loss_forward_args;

/* dx = g * df/dx,  dt = g * df/dt,  with g = dloss (/ n for the mean).  A NULL output is not computed. */
typedef struct {
    void *dx, *dt;
    const void *dloss, *x, *t; /* dloss is (n) for REDUCTION_NONE, else one number */
    ptrdiff_t n;
    double alpha, beta;
    int reduction;
} pair_loss_backward_args;

/* ---- random, dropout ------------------------------------------------------------------------------- */

/* The generator's state is {seed, counter} in memory; Philox4x32-10 makes the i-th number of a call a function
 * of (seed, counter + i/4) alone. A call that draws advances the counter past what it uses, atomically: calls of
 * several threads on one state draw different numbers. */

/* Inverted dropout, Srivastava et al. 2014: y = x / (1-p) where kept, 0 where dropped (with probability p).
 * y may be x. p == 1 gives zeros. */
typedef struct {
    void *y;
    uint64_t *used; /* out (2): the state before the call, kept for backward */
    uint64_t *state; /* in/out (2) */
    const void *x;
    ptrdiff_t n;
    double p;
} dropout_forward_args;

/* dx = dy / (1-p) where `used` kept, 0 where it dropped; the mask is drawn again, not stored. dx may be dy. */
typedef struct {
    void *dx;
    const void *dy;
    const uint64_t *used;
    ptrdiff_t n;
    double p;
} dropout_backward_args;

/* random_uniform: y ~ U[low, high).   random_normal: y ~ N(mean = low, std = high), Box & Muller 1958. */
typedef struct {
    void *y;
    uint64_t *state;
    ptrdiff_t n;
    double low, high;
} random_args;

/* index <- a uniform random permutation of 0..n-1 (Fisher & Yates). */
typedef struct {
    int64_t *index;
    uint64_t *state;
    ptrdiff_t n;
} random_permutation_args;

/* ---- optim ---------------------------------------------------------------------------------------- */

/* One parameter: n elements and its state, arrays of n elements and numbers; as many as the optimizer's row of
 * kernel_list.h says. `g` is read only. An array that an option does not need is NULL. numbers[OPTIM_STEP] counts the
 * updates of this parameter; the kernel increments it. An optimizer whose state has no numbers is given 0 there for a
 * parameter whose arrays are new. */
enum { OPTIM_ARRAYS = 3 };
enum { OPTIM_NUMBERS = 3 };
enum { OPTIM_STEP = 0 };
typedef struct {
    void *w; /* in/out */
    const void *g;
    void *arrays[OPTIM_ARRAYS];     /* in/out: see each optimizer */
    double *numbers[OPTIM_NUMBERS]; /* in/out */
    ptrdiff_t n;
} optim_segment;

/* Common to all optimizers: g <- -g with maximize, then g <- g + weight_decay * w (coupled), lr and the rest read when
 * the call runs. All segments are updated in one call; each array is read once and written once.
 * Each optimizer's algorithm stands above its kernel in kernels/optim.c, as in PyTorch's documentation. */
typedef struct {
    const optim_segment *segments;
    ptrdiff_t count;
    const void *options; /* the optimizer's struct, below */
    ptrdiff_t options_size;
} optim_args;

/* <name>_options of each optimizer: doubles are numbers, ints are flags, an array is a tuple. The names are those of
 * the options in a param_group. */
typedef struct {
    double lr, momentum, dampening, weight_decay;
    int nesterov, maximize;
} sgd_options; /* arrays: velocity, used if momentum != 0; written, not read, at step 1 */
typedef struct {
    double lr, lr_decay, weight_decay, eps;
    int maximize;
} adagrad_options; /* arrays: sum of squares */
typedef struct {
    double lr, alpha, eps, weight_decay, momentum;
    int centered, maximize;
} rmsprop_options; /* arrays: square avg, momentum buffer, grad avg */
typedef struct {
    double lr, betas[2], eps, weight_decay;
    int amsgrad, maximize, decoupled_weight_decay;
} adam_options; /* arrays: m, v, largest v (amsgrad) */
typedef struct {
    double lr, betas[2], eps, weight_decay, momentum_decay;
    int decoupled_weight_decay, maximize;
} nadam_options; /* arrays: m, v; numbers: product of the momenta */
typedef struct {
    double lr, betas[2], eps, weight_decay;
    int maximize;
} adamax_options; /* arrays: m, u */

/* norm <- the 2-norm of all g together;  coef <- min(1, max_norm / (norm + 1e-6)), PyTorch's clip_grad_norm_.
 * Sums are in double. A coef below the smallest normal number, which kernels take as 0, is kept as -(coef * 2^64). */
typedef struct {
    void *norm, *coef; /* (1), (1) */
    const optim_segment *segments;
    ptrdiff_t count;
    double max_norm;
} grad_norm_args;

/* w <- w * coef for every segment (here w is the gradient to scale), coef as grad_norm keeps it. */
typedef struct {
    const optim_segment *segments;
    const void *coef; /* (1) */
    ptrdiff_t count;
} scale_segments_args;

/* ---- elementwise ---------------------------------------------------------------------------------- */

/* y = f(a, b) over (rows, cols), y contiguous. An operand's element is at i*row + j*col; col is 0 or 1, row any, so a
 * scalar has (0, 0), a row (0, 1), a column (1, 0). y may be an operand of the same layout.
 * Kernels: add, sub, mul, div, pow, maximum, minimum (NaN propagates). */
typedef struct {
    void *y;
    const void *a, *b;
    ptrdiff_t rows, cols, a_row, a_col, b_row, b_col;
} binary_args;

/* y = f(x), y may be x. neg, abs, exp, log, sqrt, sign, reciprocal, sin, cos, log1p, expm1;
 * clamp to [low, high] (NaN stays NaN). */
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n;
    double low, high; /* clamp only */
} unary_args;

/* y[i] = condition[i] ? a[i] : b[i];  y may be a or b. Elements of any type of real's size. */
typedef struct {
    void *y;
    const uint8_t *condition;
    const void *a, *b;
    ptrdiff_t n;
} where_args;

/* ---- compare -------------------------------------------------------------------------------------- */

/* y = 1 where the comparison holds, else 0: equal, not_equal, less, less_equal, greater, greater_equal. Operands as
 * of binary_args; y is none of them. A NaN is not equal to anything, and neither less nor greater; -0 equals 0; a
 * subnormal number is not zero. With `integers`, a and b are int64_t (in float64 calls) or int32_t (float32). */
typedef struct {
    uint8_t *y;
    const void *a, *b;
    ptrdiff_t rows, cols, a_row, a_col, b_row, b_col;
    int integers;
} compare_args;

/* y[i] = a[i] f b[i] of truth values: 0 is false, anything else true, y is 0 or 1. logical_and, logical_or,
 * logical_xor; logical_not of a alone. y may be a or b. */
typedef struct {
    uint8_t *y;
    const uint8_t *a, *b; /* b NULL in logical_not */
    ptrdiff_t n;
} logical_args;

/* ---- move ----------------------------------------------------------------------------------------- */

/* y[i] = value, rounded to real. */
typedef struct {
    void *y;
    ptrdiff_t n;
    double value;
} fill_args;

/* y <- x, both of shape[0..ndim) at their strides (elements, any sign; 0 repeats one of x): what makes a transposed,
 * sliced or expanded array contiguous, and what writes into a slice. Elements of any type of `item_bytes`: 1, 2, 4
 * or 8. */
enum { COPY_NDIM = 8 };
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t ndim, item_bytes;
    ptrdiff_t shape[COPY_NDIM], y_strides[COPY_NDIM], x_strides[COPY_NDIM];
} copy_args;

/* y[i] = x[i] in another type. A real becomes an integer by truncation; one outside the range of int64_t (for int64_t)
 * or int32_t (for the narrower types), and NaN, first becomes the least of that range. An integer that does not fit
 * keeps its low bits. Bool is 0 or 1: whether x is not 0. Subnormal numbers stay what they are. */
enum {
    ELEMENT_BOOL,
    ELEMENT_UINT8,
    ELEMENT_INT8,
    ELEMENT_INT16,
    ELEMENT_INT32,
    ELEMENT_INT64,
    ELEMENT_FLOAT32,
    ELEMENT_FLOAT64,
    ELEMENT_COUNT
};
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n;
    int y_element, x_element;
} cast_args;

/* ---- reduce --------------------------------------------------------------------------------------- */

/* x is (outer, n, inner); y (outer, inner) <- the sum over n, in fixed blocks in a fixed order. With a count (1), of
 * outer 1, over the first count[0] * each <= n only: the bits of a sum of so many. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *count; /* may be NULL */
    ptrdiff_t outer, n, inner, each;
} sum_args;

/* max or min over n >= 1, and the index of its first occurrence; NaN wins. index may be NULL. */
typedef struct {
    void *y;
    int64_t *index;
    const void *x;
    ptrdiff_t outer, n, inner;
} extremum_args;

/* ---- gather --------------------------------------------------------------------------------------- */

/* y[i,:] = x[index[i],:], rows of `row_bytes` bytes of any type. 0 <= index < the rows of x. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *index;
    ptrdiff_t n, row_bytes;
} gather_args;

/* dx (rows,c) <- 0, then dx[index[i],:] += dy[i,:] for i = 0 .. n-1 in that order. */
typedef struct {
    void *dx;
    const void *dy;
    const int64_t *index;
    ptrdiff_t n, rows, c;
} gather_backward_args;

/* Rows of `row_bytes` bytes of any type; mask (n) is 0 or not.
 *   mask_gather    y[k,:] = x[i,:] for the k-th i whose mask[i] is not 0; the rows after them <- 0; count[0] <- how many
 *   mask_scatter   y[i,:] = x[k,:] for these i, and 0 for the others. count is NULL.
 * x and y have n rows both. */
typedef struct {
    void *y;
    int64_t *count; /* (1) */
    const void *x;
    const uint8_t *mask;
    ptrdiff_t n, row_bytes;
} mask_args;

/* fault[0] <- the first i whose index[i] is not allowed, or -1. Allowed is 0 <= index < size; with `wrap`, also
 * -size <= index < 0, which counts from the end; without, also index == ignored.
 * y, which may be NULL or index, <- the index counted from the front (an ignored one as it is), and 0 for a fault:
 * what reads by y reads inside, if there is anything. */
typedef struct {
    int64_t *y; /* (n) */
    int64_t *fault; /* (1) */
    const int64_t *index; /* (n) */
    ptrdiff_t n, size;
    int64_t ignored;
    int wrap;
} index_check_args;

/* x is (outer, n, inner), index and y are (outer, m, inner), elements of any type of `item_bytes`, 1, 2, 4 or 8:
 *   y[i,j,l] = x[i, index[i,j,l], l],   0 <= index < n. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *index;
    ptrdiff_t outer, n, m, inner, item_bytes;
} gather_along_args;

/* dx (outer, n, inner), in/out:  dx[i, index[i,j,l], l] += dy[i,j,l] for j = 0 .. m-1 in that order. */
typedef struct {
    void *dx;
    const void *dy;
    const int64_t *index; /* (outer, m, inner), as dy */
    ptrdiff_t outer, n, m, inner;
} scatter_add_args;

/* ---- diagnostics ------------------------------------------------------------------------------------- */

/* Numbers that tell how training goes, each in double whatever the dtype. */

/* y = the 2-norm of x. */
typedef struct {
    double *y;
    const void *x;
    ptrdiff_t n;
} vector_norm_args;

/* y = |x - before| / |before|, 2-norms: an update relative to the weights. */
typedef struct {
    double *y;
    const void *x, *before;
    ptrdiff_t n;
} relative_change_args;

/* y = the share of columns of x (n,c) that are positive in no row: ReLUs that no row of the batch passes. c >= 1. */
typedef struct {
    double *y;
    const void *x;
    ptrdiff_t n, c;
} dead_share_args;

/* y = the share of elements that are not between low and high: tanh or sigmoid where they are flat. n >= 1. */
typedef struct {
    double *y;
    const void *x;
    ptrdiff_t n;
    double low, high;
} outside_share_args;

/* y = the root mean square over channels of (mean - running_mean) * rstd: how far the batch is from what inference will
 * use, in standard deviations of the batch. c >= 1. */
typedef struct {
    double *y;
    const void *mean, *rstd, *running_mean; /* (c) */
    ptrdiff_t c;
} batchnorm_drift_args;

/* `rounds` times 16 independent multiply-adds of whole vectors: takes as long as the multipliers need at best. */
typedef struct {
    void *y; /* in/out (1): a number to start from; of no use afterwards, but it makes the work needed */
    ptrdiff_t rounds;
} multiply_adds_args;

#endif
