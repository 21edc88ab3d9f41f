/* What follows a product: a relu behind a layer, and behind the gradient of a layer's input the derivatives of a dropout
 * and of a relu. The product stores each element as the last of these calls does, while it is near, and what lies between
 * is not written. The numbers are those of the calls one after another, bit for bit. */
#ifndef PYML_FOLLOW_H
#define PYML_FOLLOW_H

#include "contracts/linear.h"
#include "program.h"

#include <stdbool.h>

/* Call `product`, of `elements` elements, and those that follow it: -1 where there is none. */
typedef struct {
    ptrdiff_t product, dropout, relu, elements;
} follow;

/* What follows call `product`. False: nothing. */
bool follow_find(follow *f, const program_call *calls, ptrdiff_t count, ptrdiff_t product, is_left_fn is_left,
                 void *context);

/* The last of the calls; and what they read and write in this way. */
ptrdiff_t follow_end(const follow *f);
double follow_bytes(const follow *f, const program_call *calls);

/* What the product's elements go through, as the arguments of the calls are now. */
product_finish follow_finish(const follow *f, const program_call *calls);

/* Makes all of the calls. */
void follow_run(const follow *f, const program_call *calls);

#endif
