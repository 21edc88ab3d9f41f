/* The kernels of this ISA and dtype, in the order of the enum. */
#include "../dispatch.h"
#include "kernel.h"

#define X(name, arguments, operations) void KERNEL(name)(const void *args);
#define BFLOAT16(name, arguments)
#include "../kernel_list.h"
#undef X

void KERNEL(linear_update)(const void *gradient, kernel_fn update, const void *args);
const linear_update_fn KERNEL(update) = KERNEL(linear_update);

const kernel_fn KERNEL(table)[KERNEL_COUNT] = {
#define X(name, arguments, operations) [KERNEL_##name] = KERNEL(name),
#define BFLOAT16(name, arguments) [KERNEL_##name##_bfloat16] = KERNEL(name),
#include "../kernel_list.h"
#undef X
};
