/* The functions that modules of Cython call beside the kernels, as a table. Only pyml._kernels links csrc/, for the chosen
 * ISA and the threads are there once in a process; the other modules get the table's address from it. A function that
 * they need is one name in FUNCTIONS, and its signature in pyml/_kernels.pxd: one that is not here is an error of the
 * compiler. */
#ifndef PYML_FUNCTIONS_H
#define PYML_FUNCTIONS_H

#include "arguments.h"
#include "effects.h"
#include "program.h"

#define FUNCTIONS(X)        \
    X(program_new)          \
    X(program_free)         \
    X(program_append)       \
    X(program_insert_extra) \
    X(program_extras)       \
    X(program_count)        \
    X(program_calls)        \
    X(program_timed)        \
    X(program_stopped)      \
    X(program_fault)        \
    X(program_owns)         \
    X(program_move)         \
    X(program_input)        \
    X(program_bind)         \
    X(program_restore)      \
    X(program_save)         \
    X(program_undo)         \
    X(program_check)        \
    X(program_fuse)         \
    X(program_fused)        \
    X(program_behind)       \
    X(program_replay)       \
    X(program_run)          \
    X(pyml_effects)         \
    X(pyml_kernel_name)     \
    X(pyml_arguments)       \
    X(pyml_optimizer)

typedef struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} pyml_functions;

extern const pyml_functions pyml_function_table;

#endif
