/* The norm of many gradients together, and their scaling by it. */
#ifndef PYML_CONTRACTS_CLIP_H
#define PYML_CONTRACTS_CLIP_H

#include "optim.h"

/* norm <- the 2-norm of all g together;  coef <- min(1, max_norm / (norm + 1e-6)), PyTorch's clip_grad_norm_.
 * Sums are in double. A coef below the smallest normal number, which kernels take as 0, is kept as -(coef * 2^64). */
typedef struct {
    void *norm, *coef; /* (1), (1) */
    const optim_segment *segments;
    ptrdiff_t count;
    double max_norm;
} grad_norm_args;

/* w <- w * coef for every segment (here w is the gradient to scale), coef as grad_norm keeps it. */
typedef struct {
    const optim_segment *segments;
    const void *coef; /* (1) */
    ptrdiff_t count;
} scale_segments_args;

#endif
