/* The matrix product as other kernels call it. */
#ifndef PYML_GEMM_H
#define PYML_GEMM_H

#include "kernel.h"

/* gemm, then row `bias` (n) added to every row of C; NULL for none. Uses the scratch of every thread it runs
 * on, the caller's included. */
void KERNEL(gemm_bias)(const gemm_args *g, const real *bias);

/* vload_n and vstore_n, quicker where n is mostly L. */
INLINE vec load_lanes(const real *p, ptrdiff_t n) { return n == L ? vload(p) : vload_n(p, n); }
INLINE void store_lanes(real *p, vec v, ptrdiff_t n)
{
    if (n == L) vstore(p, v);
    else vstore_n(p, v, n);
}

#endif
