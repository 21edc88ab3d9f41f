/* See arguments.h. The tables are read off pyml_kernels.h by setup.py. */
#include "arguments.h"
#include "dispatch.h"
#include "argument_fields.h"

const argument_field *pyml_arguments(int kernel)
{
    static const argument_field *const fields[KERNEL_COUNT] = {
#define X(name, arguments, operations) [KERNEL_##name] = fields_of_##arguments,
#include "kernel_list.h"
#undef X
    };
    return fields[kernel];
}
