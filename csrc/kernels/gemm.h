/* The matrix product as other kernels call it. */
#ifndef PYML_GEMM_H
#define PYML_GEMM_H

#include "kernel.h"

/* gemm, then row `bias` (n) added to every row of C; NULL for none. Uses the scratch of every thread it runs
 * on, the caller's included. */
void KERNEL(gemm_bias)(const gemm_args *g, const real *bias);

#endif
