/* Matrix products. */
#ifndef PYML_CONTRACTS_GEMM_H
#define PYML_CONTRACTS_GEMM_H

#include "types.h"

/* C = alpha * A B + beta * C for each of `batch` matrices; any strides for A and B, unit column stride for C.
 * beta == 0 never reads C. The order in which k is summed is a function of k alone. */
typedef struct {
    void *c;              /* (m,n) at c + i*c_row + j           */
    const void *a, *b;    /* (m,k) at a + i*a_row + p*a_col;  (k,n) at b + p*b_row + j*b_col */
    ptrdiff_t m, n, k;
    ptrdiff_t a_row, a_col, b_row, b_col, c_row;
    ptrdiff_t batch, a_batch, b_batch, c_batch; /* strides between matrices; 0 repeats one */
    double alpha, beta;
} gemm_args;

#endif
