/* What a fully connected layer is made of: three products of matrices, y = alpha x w^T, dx = alpha dy w and
 * dw = alpha dy^T x, and the update behind dw. */
#ifndef PYML_LINEAR_H
#define PYML_LINEAR_H

#include "../contracts/linear.h"
#include "../contracts/optim.h"
#include "gemm.h"

void KERNEL(linear_backward)(const void *args);

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

typedef struct {
    kernel_fn update;
    const optim_args *args;
    ptrdiff_t k;
} weight_update;

/* Updates some rows of the weight, whose gradient is g. The kernel counts a step: on a copy of the numbers. */
static inline void update_rows(const void *context, ptrdiff_t row, ptrdiff_t rows, const real *g)
{
    const weight_update *of = context;
    const ptrdiff_t at = row * of->k;
    optim_segment s = *of->args->segments;
    double numbers[OPTIM_NUMBERS];
    s.w = (real *)s.w + at, s.g = g, s.n = rows * of->k;
    for (int i = 0; i < OPTIM_ARRAYS; i++)
        if (s.arrays[i] != NULL) s.arrays[i] = (real *)s.arrays[i] + at;
    for (int i = 0; i < OPTIM_NUMBERS; i++)
        if (s.numbers[i] != NULL) numbers[i] = *s.numbers[i], s.numbers[i] = &numbers[i];
    const optim_args some = {&s, 1, of->args->options, of->args->options_size};
    of->update(&some);
}

/* dw, where it is asked for; with an update, for that alone, if its shape suits stripes. */
static inline void compute_dw(const linear_backward_args *a, kernel_fn gemm,
                              bool (*by_stripes)(const gemm_args *g, const gemm_stripes *stripes),
                              kernel_fn update, const optim_args *update_args)
{
    const gemm_args dw = product_dw(a);
    if (update == NULL) {
        if (a->dw != NULL) gemm(&dw);
        return;
    }
    const optim_segment *s = update_args->segments;
    const weight_update of = {update, update_args, a->k};
    gemm_stripes stripes = {update_rows, &of, {s->w}, 1};
    for (int i = 0; i < OPTIM_ARRAYS; i++)
        if (s->arrays[i] != NULL) stripes.with[stripes.arrays++] = s->arrays[i];
    if (by_stripes(&dw, &stripes)) return;
    gemm(&dw);
    update_rows(&of, 0, a->o, a->dw);
}

#endif
