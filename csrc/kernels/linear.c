/* The fully connected layer. */
#include "gemm.h"

void KERNEL(linear_forward)(const void *args)
{
    const linear_forward_args *a = args;
    const gemm_args y = {.c = a->y,
                         .a = a->x,
                         .b = a->w,
                         .m = a->n,
                         .n = a->o,
                         .k = a->k,
                         .a_row = a->k,
                         .a_col = 1,
                         .b_row = 1,
                         .b_col = a->k,
                         .c_row = a->o,
                         .batch = 1,
                         .alpha = 1};
    KERNEL(gemm_bias)(&y, a->b);
}

/* db[j] = sum over i of dy[i,j], by blocks of rows, so that rounding errors stay small when n is large. */
enum {
    ROW_BLOCK = 256,
    COLUMN_BLOCK = 64, /* columns for one thread */
    STRIP = 4,         /* vectors side by side hide the latency of an addition */
};

/* `vectors` vectors of columns at dy; constant where this is inlined. `last`: lanes of the last. */
INLINE void sum_strip(const int vectors, const ptrdiff_t last, real *db, const real *dy, ptrdiff_t n,
                      ptrdiff_t o)
{
    vec sum[STRIP] = {0};
    for (ptrdiff_t i = 0; i < n; i += ROW_BLOCK) {
        vec block[STRIP] = {0};
        for (ptrdiff_t r = i; r < min_size(i + ROW_BLOCK, n); r++)
            for (int v = 0; v < vectors; v++)
                block[v] += vload_upto(dy + r * o + v * L, v == vectors - 1 ? last : L);
        for (int v = 0; v < vectors; v++) sum[v] += block[v];
    }
    for (int v = 0; v < vectors; v++) vstore_upto(db + v * L, sum[v], v == vectors - 1 ? last : L);
}

static void sum_columns(const void *args, ptrdiff_t begin, ptrdiff_t end)
{
    const linear_backward_args *a = args;
    const real *dy = a->dy;
    real *db = a->db;
    ptrdiff_t j = begin;
    for (; j + STRIP * L <= end; j += STRIP * L) sum_strip(STRIP, L, db + j, dy + j, a->n, a->o);
    for (; j < end; j += L) sum_strip(1, min_size(end - j, L), db + j, dy + j, a->n, a->o);
}

/* y = x w^T + b:  dx = dy w,  dw = dy^T x,  db = sum over rows of dy. */
void KERNEL(linear_backward)(const void *args)
{
    const linear_backward_args *a = args;
    if (a->dx != NULL) {
        const gemm_args dx = {.c = a->dx,
                              .a = a->dy,
                              .b = a->w,
                              .m = a->n,
                              .n = a->k,
                              .k = a->o,
                              .a_row = a->o,
                              .a_col = 1,
                              .b_row = a->k,
                              .b_col = 1,
                              .c_row = a->k,
                              .batch = 1,
                              .alpha = 1};
        KERNEL(gemm_bias)(&dx, NULL);
    }
    if (a->dw != NULL) {
        const gemm_args dw = {.c = a->dw,
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
                              .alpha = 1};
        KERNEL(gemm_bias)(&dw, NULL);
    }
    if (a->db != NULL) parallel_for(a->o, COLUMN_BLOCK, (double)a->n * (double)a->o / 8, sum_columns, a);
}
