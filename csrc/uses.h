/* What the calls of a program do with a piece of memory, for whoever makes some of them in another way. */
#ifndef PYML_USES_H
#define PYML_USES_H

#include "program.h"

#include <stdbool.h>

/* Whether nobody reads [memory, memory + bytes) from call `from` on before it is written anew; calls that only measure do
 * not count, as where they are made all calls are made as they are. */
bool uses_are_over(const program_call *calls, ptrdiff_t count, ptrdiff_t from, const void *memory,
                   ptrdiff_t bytes, is_left_fn is_left, void *context);

static inline bool uses_overlap(const void *a, ptrdiff_t a_bytes, const void *b, ptrdiff_t b_bytes)
{
    return (uintptr_t)a < (uintptr_t)b + (size_t)b_bytes && (uintptr_t)b < (uintptr_t)a + (size_t)a_bytes;
}

#endif
