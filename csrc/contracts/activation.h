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

/* PReLU (He et al. 2015, arXiv:1502.01852) of x (n,c,inner), with a slope w for each of the c channels:
 *   y = x where x > 0, else w * x */
typedef struct {
    void *y; /* may be x */
    const void *x, *w; /* (n,c,inner), (c) */
    ptrdiff_t n, c, inner;
} prelu_forward_args;

/* dx = dy where x > 0, else w * dy;  dw = sum of x * dy where not x > 0. NULL: not computed. */
typedef struct {
    void *dx, *dw; /* (n,c,inner), (c); dx may be dy */
    const void *dy, *x, *w;
    ptrdiff_t n, c, inner;
} prelu_backward_args;

#endif
