/* Updates behind gradients: where one optimizer's call alone asks for the gradient of a layer's weight, the product that
 * computes the gradient hands it on stripe by stripe, and each is used for the update while it is in a near cache. The
 * gradient is not written, and with float32 the weight and its state arrive behind the arithmetic of the product. The
 * numbers are those of the two calls one after another, bit for bit; what is missing is the gradient, for whoever looks at
 * it later. */
#ifndef PYML_BEHIND_H
#define PYML_BEHIND_H

#include "contracts/linear.h"
#include "contracts/optim.h"
#include "program.h"

#include <stdbool.h>

typedef struct behind behind;

/* The updates among `count` calls that can stand behind their gradients. NULL: there are none that are worth it. */
behind *behind_find(program_call *calls, ptrdiff_t count);
void behind_free(behind *b);

/* The first call whose gradient is not written. */
ptrdiff_t behind_first(const behind *b);

/* The optimizer's call that does not wait for call i, a product; -1: none. *one: what of it stands behind the product. */
ptrdiff_t behind_update(const behind *b, const program_call *calls, ptrdiff_t i, optim_args *one);

/* Whether product i writes its gradient whole, as its shape does not suit stripes. */
bool behind_writes(const program_call *calls, ptrdiff_t i);

/* Whether memory overlaps a weight, its state or a gradient. */
bool behind_touches(const behind *b, const program_call *calls, const void *memory, size_t bytes);

/* Makes call i in this way, and what follows it, if `finish` is not NULL. False: it is to be made as it is. */
bool behind_run(const behind *b, const program_call *calls, ptrdiff_t i, const product_finish *finish);

#endif
