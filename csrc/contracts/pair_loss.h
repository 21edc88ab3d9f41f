/* Losses of pairs of elements. */
#ifndef PYML_CONTRACTS_PAIR_LOSS_H
#define PYML_CONTRACTS_PAIR_LOSS_H

#include "types.h"

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

#endif
