/* BatchNorm. */
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

#endif
