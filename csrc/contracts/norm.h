/* BatchNorm; LayerNorm, RMSNorm and GroupNorm. */
#ifndef PYML_CONTRACTS_NORM_H
#define PYML_CONTRACTS_NORM_H

#include "types.h"

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
    ptrdiff_t n, c; /* n >= 2, or 0: a batch without rows is counted, and changes nothing else */
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

/* LayerNorm (Ba, Kiros & Hinton 2016, arXiv:1607.06450) and RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) of
 * each row i of c elements:
 *   y = gamma * (x - mean[i]) * rstd[i] + beta,   rstd = 1/sqrt(var + eps), var divides by c
 * RMSNorm's mean is 0, its var the mean square. The rows of GroupNorm and of InstanceNorm are the groups of an
 * example: `groups` rows follow one another with other gammas, and `each` elements of a row have one in common. So
 * gamma and beta have groups * c / each numbers; that of element j is number i % groups * (c / each) + j / each.
 * Accurate on data far from zero, as BatchNorm; a constant row has the deviations 0. */
typedef struct {
    void *y;           /* (n,c); may be x */
    void *mean, *rstd; /* (n), kept for backward; NULL: not kept */
    const void *x, *gamma, *beta; /* gamma, beta may be NULL */
    ptrdiff_t n, c, groups, each; /* groups divides n, each divides c */
    double eps;
} row_norm_forward_args;

/* With xhat = (x - mean) * rstd and g = dy * gamma:  dgamma = sum dy*xhat,  dbeta = sum dy,  over what has them in
 * common;  dx = rstd * (g - sum_j g / c - xhat * sum_j g*xhat / c),  for RMSNorm without the first sum.
 * A NULL output is not computed. */
typedef struct {
    void *dx, *dgamma, *dbeta; /* (n,c), (groups c/each) twice; dx may be dy */
    const void *dy, *x, *mean, *rstd, *gamma; /* of x itself; mean NULL for RMSNorm; gamma may be NULL */
    ptrdiff_t n, c, groups, each;
} row_norm_backward_args;

#endif
