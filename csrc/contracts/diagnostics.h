/* What a run measures of a step, and of the machine. */
#ifndef PYML_CONTRACTS_DIAGNOSTICS_H
#define PYML_CONTRACTS_DIAGNOSTICS_H

#include "types.h"

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

/* About `rounds` times 16 multiply-adds of whole vectors, enough of them independent: takes as long as the multipliers need at
 * best. */
typedef struct {
    void *y; /* in/out (1): a number to start from; of no use afterwards, but it makes the work needed */
    ptrdiff_t rounds;
} multiply_adds_args;

#endif
