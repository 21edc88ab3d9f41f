/* A linear layer. */
#ifndef PYML_CONTRACTS_LINEAR_H
#define PYML_CONTRACTS_LINEAR_H

#include "types.h"

/* y = alpha x w^T + b.  A row's result is the same bits alone and among others. */
typedef struct {
    void *y;                 /* (n,o) */
    const void *x, *w, *b;   /* (n,k), (o,k), (o) or NULL */
    ptrdiff_t n, k, o;
    double alpha;
    ptrdiff_t by_columns; /* w lies by columns: its transpose is an array (k,o) */
} linear_forward_args;

/* dx = alpha dy w,  dw = alpha dy^T x,  db = sum over rows of dy.  A NULL output is not computed. */
typedef struct {
    void *dx, *dw, *db;          /* (n,k), (o,k), (o) */
    const void *dy, *x, *w;      /* (n,o), (n,k), (o,k); x may be NULL without dw, w without dx */
    ptrdiff_t n, k, o;
    double alpha;
    ptrdiff_t by_columns; /* w does, and dw does not */
} linear_backward_args;

/* What an element of a product goes through on its way to memory, in this order: what is NULL or 0 does nothing. */
typedef struct {
    void *to; /* where it is stored, in place of the product's own output; elements lie side by side */
    ptrdiff_t relu; /* relu_forward */
    const uint64_t *kept; /* dropout_backward with this mask, and with */
    double scale; /* 1 / (1-p) */
    const void *gate; /* relu_backward by these outputs, which are not `to` */
} product_finish;

#endif
