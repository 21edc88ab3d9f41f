/* Activations. */
#ifndef PYML_CONTRACTS_ACTIVATION_H
#define PYML_CONTRACTS_ACTIVATION_H

#include "types.h"

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

#endif
