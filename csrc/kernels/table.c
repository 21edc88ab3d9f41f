/* The kernels of this ISA and dtype, in the order of the enum. */
#include "../dispatch.h"
#include "kernel.h"

#define X(name, arguments, operations) void KERNEL(name)(const void *args);
#define BFLOAT16(name, arguments)
#include "../kernel_list.h"
#undef X

const kernel_fn KERNEL(table)[KERNEL_COUNT] = {
#define X(name, arguments, operations) [KERNEL_##name] = KERNEL(name),
#define BFLOAT16(name, arguments) [KERNEL_##name##_bfloat16] = KERNEL(name),
#include "../kernel_list.h"
#undef X
};
