/* The three products of a fully connected layer, as matrices: y = alpha x w^T, dx = alpha dy w, dw = alpha dy^T x. */
#ifndef PYML_LINEAR_PRODUCTS_H
#define PYML_LINEAR_PRODUCTS_H

#include "../contracts/gemm.h"
#include "../contracts/linear.h"

static inline gemm_args product_y(const linear_forward_args *a)
{
    return (gemm_args){.c = a->y,
                       .a = a->x,
                       .b = a->w,
                       .m = a->n,
                       .n = a->o,
                       .k = a->k,
                       .a_row = a->k,
                       .a_col = 1,
                       .b_row = a->by_columns ? a->o : 1,
                       .b_col = a->by_columns ? 1 : a->k,
                       .c_row = a->o,
                       .batch = 1,
                       .alpha = a->alpha};
}

static inline gemm_args product_dx(const linear_backward_args *a)
{
    return (gemm_args){.c = a->dx,
                       .a = a->dy,
                       .b = a->w,
                       .m = a->n,
                       .n = a->k,
                       .k = a->o,
                       .a_row = a->o,
                       .a_col = 1,
                       .b_row = a->by_columns ? 1 : a->k,
                       .b_col = a->by_columns ? a->o : 1,
                       .c_row = a->k,
                       .batch = 1,
                       .alpha = a->alpha};
}

static inline gemm_args product_dw(const linear_backward_args *a)
{
    return (gemm_args){.c = a->dw,
                       .a = a->dy,
                       .b = a->x,
                       .m = a->o,
                       .n = a->k,
                       .k = a->n,
                       .a_row = 1,
                       .a_col = a->o,
                       .b_row = a->k,
                       .b_col = 1,
                       .c_row = a->k,
                       .batch = 1,
                       .alpha = a->alpha};
}

#endif
