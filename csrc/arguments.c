/* See arguments.h. The tables are read off contracts/ by setup.py. */
#include "arguments.h"
#include "contracts/all.h"
#include "dispatch.h"
#include "argument_fields.h"

const char *pyml_kernel_name(int kernel)
{
    static const char *const names[KERNEL_COUNT] = {
#define X(name, arguments, operations) [KERNEL_##name] = #name,
#include "kernel_list.h"
#undef X
    };
    return names[kernel];
}

const argument_field *pyml_arguments(int kernel)
{
    static const argument_field *const fields[KERNEL_COUNT] = {
#define X(name, arguments, operations) [KERNEL_##name] = fields_of_##arguments,
#include "kernel_list.h"
#undef X
    };
    return fields[kernel];
}

const optimizer_traits *pyml_optimizer(int kernel)
{
    static const optimizer_traits optimizers[KERNEL_COUNT] = {
#define X(name, arguments, operations)
#define BFLOAT16(name, arguments)
#define OPTIMIZER(name, arrays, numbers, operations) \
    [KERNEL_##name] = {fields_of_##name##_options, sizeof(name##_options), arrays, numbers},
#include "kernel_list.h"
#undef X
    };
    return optimizers[kernel].options != NULL ? &optimizers[kernel] : NULL;
}

/* A program keeps the segments of a call by its kind of line. */
#define X(name, arguments, operations)        \
    _Static_assert(!HAS_SEGMENTS_##arguments, \
                   #name ": a line SEGMENTS, not X, as its arguments have segments");
#define SEGMENTS(name, arguments, operations) \
    _Static_assert(HAS_SEGMENTS_##arguments, #name ": a line X, not SEGMENTS, as its arguments have none");
#define OPTIMIZER(name, arrays, numbers, operations)                                    \
    _Static_assert((arrays) <= OPTIM_ARRAYS, #name ": more arrays than a segment has"); \
    _Static_assert((numbers) <= OPTIM_NUMBERS, #name ": more numbers than a segment has");
#include "kernel_list.h"
#undef X
