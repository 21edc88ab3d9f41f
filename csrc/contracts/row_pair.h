/* A number for each pair of rows: their cosine, their distance. */
#ifndef PYML_CONTRACTS_ROW_PAIR_H
#define PYML_CONTRACTS_ROW_PAIR_H

#include "types.h"

/* For each row i of x and of t:
 *   cosine     y[i] = x.t / (max(|x|, eps) max(|t|, eps))
 *   distance   y[i] = |x - t + eps|
 * Right also where the squares are too large or too small for the dtype. */
typedef struct {
    void *y;           /* (n) */
    const void *x, *t; /* (n,c) */
    ptrdiff_t n, c;
    double eps;
} row_pair_forward_args;

/* cosine     dx = dy / max(|x|, eps) * (t / max(|t|, eps) - y x / |x|), without the last term where |x| < eps;
 *            dt the same of t and x
 * distance   dx = dy * (x - t + eps) / y, and 0 where y is; dt = -dx
 * A NULL output is not computed. */
typedef struct {
    void *dx, *dt; /* (n,c) */
    const void *dy, *x, *t;
    ptrdiff_t n, c;
    double eps;
} row_pair_backward_args;

#endif
