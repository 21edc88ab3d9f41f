/* The kernels of this ISA and dtype, in the order of the enum. */
#include "kernel.h"

const kernel_fn KERNEL(table)[KERNEL_COUNT] = {
#define X(name, arguments) [KERNEL_##name] = KERNEL(name),
#include "../kernel_list.h"
#undef X
};
