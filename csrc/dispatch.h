/* Kernels by number, and the calls of them on the ISA that was chosen. Whoever includes this is compiled again with every
 * new kernel. */
#ifndef PYML_DISPATCH_H
#define PYML_DISPATCH_H

#include "contracts/linear.h"

#include <stdbool.h>

typedef enum {
#define X(name, arguments, operations) KERNEL_##name,
#include "kernel_list.h"
#undef X
    KERNEL_COUNT
} pyml_kernel;

enum {
    BFLOAT16_COUNT = 3
}; /* kernels of operands rounded to bfloat16, one after another from gemm_bfloat16 on */

/* Runs a kernel on the chosen ISA. `size` is sizeof(*args): with the two enums it is all that a record of the
 * call needs. Returns 0, or -1 when memory for the thread's scratch is short (nothing was done). Needs
 * no Python state, so it may run without the GIL. */
int pyml_submit(pyml_kernel kernel, pyml_dtype dtype, const void *args, size_t size);

/* The kernel itself, for whoever has prepared the thread. */
kernel_fn pyml_kernel_of(pyml_kernel kernel, pyml_dtype dtype);

/* The kernels of a linear layer with what follows them. */
typedef struct {
    /* whether a product of m x k x n is quicker finished than followed by other calls */
    bool (*finishes)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);
    /* whether one can be handed on by stripes of rows */
    bool (*hands_on)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);
    /* linear_forward, whose y is finished; see finish.h */
    void (*forward)(const void *args, const product_finish *finish);
    /* linear_backward, whose dx is finished, if `finish` is not NULL; and whose dw, if `update` is not, is not written but
     * used by that kernel of an optimizer for the one segment of `update_args`, whose numbers stay as they were: behind.h */
    void (*backward)(const void *args, const product_finish *finish, kernel_fn update,
                     const void *update_args);
} linear_fns;

/* Of the kind that `kernel` is, a linear layer's: of numbers as they are, or rounded to bfloat16. */
const linear_fns *pyml_linear(pyml_kernel kernel, pyml_dtype dtype);
static inline bool pyml_is_linear_forward(int kernel)
{
    return kernel == KERNEL_linear_forward || kernel == KERNEL_linear_forward_bfloat16;
}
static inline bool pyml_is_linear_backward(int kernel)
{
    return kernel == KERNEL_linear_backward || kernel == KERNEL_linear_backward_bfloat16;
}

/* All that multiplies numbers rounded to bfloat16 by some instructions. */
typedef struct {
    kernel_fn kernels[BFLOAT16_COUNT];
    linear_fns linear;
} bfloat16_fns;

/* Chooses the ISA: `name`, or with NULL the best that this CPU and OS support. 0, or -1 for a name that
 * is unknown or not supported here. pyml_isa_name(i) lists the supported ones, best first, then NULL. */
int pyml_isa_select(const char *name);
const char *pyml_isa_selected(void);
const char *pyml_isa_name(int i);
ptrdiff_t pyml_isa_lanes(pyml_dtype dtype); /* lanes of the selected ISA's vector */

/* What multiplies bfloat16 on the chosen ISA: the name of its instructions, or NULL where the CPU has none that are quicker
 * than float32's. pyml_bfloat16_select chooses by name: "none", or NULL for the best; 0, or -1 for a name that is unknown
 * or not supported here. Without one, kernels of bfloat16 are those of float32. */
int pyml_bfloat16_select(const char *name);
const char *pyml_bfloat16(void);

#endif
