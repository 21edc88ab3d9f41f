/* Waves of each feature of a row, and what their linear layer takes beside products:
 *   z[f,i] = [cos(c[f] x[i,f]), sin(c[f] x[i,f])],  y[i,f] = z[f,i] w[f] + b[f]. */
#ifndef PYML_CONTRACTS_WAVES_H
#define PYML_CONTRACTS_WAVES_H

#include "types.h"

/* z */
typedef struct {
    void *z; /* (features,n,2k) */
    const void *x, *c; /* (n,features), (features,k) */
    ptrdiff_t n, features, k;
} waves_forward_args;

/* both[i,f] = [dy[i,f], x[i,f] dy[i,f]] */
typedef struct {
    void *both; /* (n,features,2o) */
    const void *dy, *x; /* (n,features,o), (n,features) */
    ptrdiff_t n, features, o;
} waves_both_args;

/* By p[f] = z[f]^T both[:,f], which is the gradient of w and, beside it, that with rows times x:  dw = p[:,:,:o],
 *   dc[f,j] = sum over rows i of x[i,f] (dz[f,i,k+j] cos - dz[f,i,j] sin),  dz[f] = dy[:,f] w[f]^T
 *           = sum over l of w[f,k+j,l] p[f,j,o+l] - w[f,j,l] p[f,k+j,o+l] */
typedef struct {
    void *dw, *dc; /* (features,2k,o), (features,k) */
    const void *p, *w; /* (features,2k,2o), (features,2k,o) */
    ptrdiff_t features, k, o;
} waves_backward_args;

#endif
