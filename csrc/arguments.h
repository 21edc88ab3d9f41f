/* The name of every kernel, and the fields of its arguments and of an optimizer's options by name: for whoever compares
 * two calls, tells a person of one, or fills the options. */
#ifndef PYML_ARGUMENTS_H
#define PYML_ARGUMENTS_H

#include "contracts/types.h"

typedef enum { FIELD_POINTER, FIELD_DOUBLE, FIELD_INT, FIELD_INT64 } field_kind;

typedef struct {
    const char *name;
    field_kind kind;
    ptrdiff_t offset, count; /* bytes; elements that lie side by side there */
} argument_field;

const char *pyml_kernel_name(int kernel);

/* Those of a kernel's struct, in order; the last has no name. */
const argument_field *pyml_arguments(int kernel);

/* An optimizer: its options as those of arguments, and its line of kernel_list.h. */
typedef struct {
    const argument_field *options;
    ptrdiff_t options_size;
    int arrays, numbers;
} optimizer_traits;
const optimizer_traits *pyml_optimizer(int kernel); /* NULL: another kernel */

#endif
