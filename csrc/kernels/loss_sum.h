/* The sum of a loss over its terms, for the reductions to a sum and to a mean: in blocks fixed by the sizes, added in
 * their order, so that it is the same for any number of threads. */
#ifndef PYML_LOSS_SUM_H
#define PYML_LOSS_SUM_H

#include "kernel.h"

/* Of some terms: the sum of the losses, and of what the mean divides by. */
typedef struct {
    double loss, weight;
} loss_total;

/* The total of terms begin..end-1. */
typedef loss_total (*loss_range)(const void *context, ptrdiff_t begin, ptrdiff_t end);

typedef struct {
    loss_range range;
    const void *context;
    ptrdiff_t block;
    loss_total *totals; /* one a block */
} loss_sum_context;

INLINE void loss_sum_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const loss_sum_context *k = context;
    k->totals[begin / k->block] = k->range(k->context, begin, end);
}

/* The total of n terms, in blocks of `least` terms, or of more where the scratch does not hold so many blocks. `range`
 * must leave the caller's scratch alone; `ns` is about the time of all terms in nanoseconds. */
INLINE loss_total loss_sum(ptrdiff_t n, ptrdiff_t least, double ns, loss_range range, const void *context)
{
    const ptrdiff_t most = SCRATCH_BYTES / (ptrdiff_t)sizeof(loss_total);
    const ptrdiff_t block = n / most < least ? least : n / most + 1;
    loss_sum_context k = {range, context, block, thread_scratch()};
    parallel_for(n, block, ns, loss_sum_range, &k);
    loss_total total = {0, 0};
    for (ptrdiff_t i = 0; i < n; i += block) {
        total.loss += k.totals[i / block].loss;
        total.weight += k.totals[i / block].weight;
    }
    return total;
}

/* Writes the number that a loss is reduced to, unless each term is kept. */
INLINE void store_reduced(real *loss, loss_total total, int reduction)
{
    if (reduction == REDUCTION_SUM) *loss = (real)total.loss;
    if (reduction == REDUCTION_MEAN) *loss = (real)(total.loss / total.weight);
}

#endif
