/* Memory of a program that its replays do not touch, as what chains keep for a block of rows alone. */
#ifndef PYML_SPARE_H
#define PYML_SPARE_H

#include "chain.h"

/* Gives it back to the system, where that takes it: whole huge pages, which are zeros when they are touched again. Returns
 * its bytes. */
ptrdiff_t spare_memory(const program_call *calls, ptrdiff_t count, chain *const *chains,
                       ptrdiff_t chain_count, is_left_fn is_left, void *context);

#endif
