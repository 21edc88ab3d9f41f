/* Kernels by number, and the calls of them on the ISA that was chosen. Whoever includes this is compiled again with every
 * new kernel. */
#ifndef PYML_DISPATCH_H
#define PYML_DISPATCH_H

#include "contracts/types.h"

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

/* linear_backward of `gradient`, a linear_backward_args, whose dw is not written but used by `update`, the kernel of an
 * optimizer, for the one segment of `args`; its numbers stay as they were. See behind.h. */
typedef void linear_update_fn(const void *gradient, kernel_fn update, const void *args);
linear_update_fn *pyml_linear_update(pyml_dtype dtype);

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
