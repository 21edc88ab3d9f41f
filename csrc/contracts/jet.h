/* Jets: values and their derivatives by other variables, one channel each, carried through a function. */
#ifndef PYML_CONTRACTS_JET_H
#define PYML_CONTRACTS_JET_H

#include "types.h"

/* An activation of a jet: with the channels 0, the value, F = 1..firsts, first derivatives, and s = firsts + 1 + r,
 * second ones, by the variables of the first channels i and j = pairs[r],
 *   y[0] = f(x[0])
 *   y[F] = f'(x[0]) x[F]
 *   y[s] = f''(x[0]) x[i] x[j] + f'(x[0]) x[s]
 * Each channel is (n). What alpha and beta are stands in kernels/jet.c. */
typedef struct {
    void *y;              /* (1 + firsts + seconds, n) */
    const void *x;        /* the same */
    const int64_t *pairs; /* (seconds, 2), each from 1 to firsts */
    ptrdiff_t n, firsts, seconds;
    double alpha, beta;
} jet_forward_args;

/*   dx[s] = f' dy[s]
 *   dx[F] = f' dy[F] + f'' sum over s of dy[s] (x[j] where i = F, plus x[i] where j = F)
 *   dx[0] = f' dy[0] + f'' sum over F of x[F] dy[F] + sum over s of (f''' x[i] x[j] + f'' x[s]) dy[s] */
typedef struct {
    void *dx;             /* (1 + firsts + seconds, n) */
    const void *dy, *x;   /* the same */
    const void *y;        /* (n), the values f(x[0]) */
    const int64_t *pairs; /* (seconds, 2) */
    ptrdiff_t n, firsts, seconds;
    double alpha, beta;
} jet_backward_args;

#endif
