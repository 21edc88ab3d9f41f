/* What no kernel computes: functions of Python on arrays. */
#ifndef PYML_CONTRACTS_CALLBACK_H
#define PYML_CONTRACTS_CALLBACK_H

#include "types.h"

/* run(call, at, fault): takes the GIL and calls a function of Python, which `call` knows, on arrays that begin at `at`.
 * fault[0] = -1; or if it raised, when what is out is not written whole, CALLBACK_RAISED; CALLBACK_INTERRUPTED if it
 * does not raise again, as the exception is of a signal's handler. `run` is a callback_fn.
 * Array k < count lies in [at[k] - before[k], at[k] - before[k] + bytes[k]); access[k] is of EFFECT_... (effects.h).
 * `function` is the same number for the same function, options and forms of arrays, and for no others, but by a chance
 * of one in 2^64. */
enum { CALLBACK_ARRAYS = 16 };
enum { CALLBACK_RAISED, CALLBACK_INTERRUPTED };
typedef struct {
    void *at[CALLBACK_ARRAYS];
    int64_t *fault;
    const void *call, *run;
    ptrdiff_t count, before[CALLBACK_ARRAYS], bytes[CALLBACK_ARRAYS];
    int64_t function;
    int access[CALLBACK_ARRAYS];
} callback_args;

typedef void callback_fn(const void *call, void *const *at, int64_t *fault);

#endif
