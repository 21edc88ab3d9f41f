/* Softmax, by rows. */
#ifndef PYML_CONTRACTS_SOFTMAX_H
#define PYML_CONTRACTS_SOFTMAX_H

#include "types.h"

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

#endif
