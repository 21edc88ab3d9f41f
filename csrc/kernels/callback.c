/* Calls of functions of Python. */
#include "../contracts/callback.h"
#include "../subnormals.h"
#include "kernel.h"

void KERNEL(callback)(const void *args)
{
    const callback_args *a = args;
    callback_fn *run = (callback_fn *)a->run;
    const flush_state before = keep_subnormals(); /* as NumPy finds it eagerly */
    run(a->call, a->at, a->fault);
    set_subnormals(before);
}
