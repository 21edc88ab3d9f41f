/* The step of an optimizer, for many parameters at once. */
#ifndef PYML_CONTRACTS_OPTIM_H
#define PYML_CONTRACTS_OPTIM_H

#include "types.h"

/* One parameter: n elements and its state, arrays of n elements and numbers; as many as the optimizer's row of
 * kernel_list.h says. `g` is read only. An array that an option does not need is NULL, as is a number that no state
 * has. numbers[OPTIM_STEP] counts the updates of this parameter; the kernel increments it. An optimizer whose state has
 * no numbers is given 0 there for a parameter whose arrays are new. */
enum { OPTIM_ARRAYS = 3 };
enum { OPTIM_NUMBERS = 3 };
enum { OPTIM_STEP = 0 };
typedef struct {
    void *w; /* in/out */
    const void *g;
    void *arrays[OPTIM_ARRAYS];     /* in/out: see each optimizer */
    double *numbers[OPTIM_NUMBERS]; /* in/out */
    ptrdiff_t n;
} optim_segment;

/* Common to all optimizers: g <- -g with maximize, then g <- g + weight_decay * w (coupled), lr and the rest read when
 * the call runs. All segments are updated in one call; each array is read once and written once.
 * Each optimizer's algorithm stands above its kernel in kernels/optim.c, as in PyTorch's documentation. */
typedef struct {
    const optim_segment *segments;
    ptrdiff_t count;
    const void *options; /* the optimizer's struct, see optimizers.h */
    ptrdiff_t options_size;
} optim_args;

#endif
