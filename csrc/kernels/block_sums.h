/* The gradient of a parameter that many rows share: each block of the loop adds its rows up, and the blocks' sums are
 * added in their order, so that they are the same for any number of threads. */
#ifndef PYML_BLOCK_SUMS_H
#define PYML_BLOCK_SUMS_H

#include "kernel.h"

/* `count` sums a block. Those of the first block are in the output, those of the others in the caller's scratch. */
typedef struct {
    real *total; /* (count); NULL: not computed */
    real *others; /* (blocks - 1, count) */
    ptrdiff_t count;
} block_sums;

enum { BLOCK_SUMS = 2 }; /* arrays that share the scratch */

INLINE block_sums block_sums_of(void *total, ptrdiff_t count, int array)
{
    char *scratch = thread_scratch();
    return (block_sums){total, (real *)(scratch + array * (SCRATCH_BYTES / BLOCK_SUMS)), count};
}

/* Terms of a block of a loop over n: `least`, or more where the scratch does not hold the sums of so many blocks. */
INLINE ptrdiff_t summed_block(ptrdiff_t n, ptrdiff_t least, ptrdiff_t count)
{
    const ptrdiff_t most = 1 + SCRATCH_BYTES / BLOCK_SUMS / ((count + 1) * (ptrdiff_t)sizeof(real));
    return n / most < least ? least : n / most + 1;
}

/* Where a block adds up: zeros. NULL: not computed. */
INLINE real *cleared_sums(const block_sums *s, ptrdiff_t block)
{
    if (s->total == NULL) return NULL;
    real *sums = block == 0 ? s->total : s->others + (block - 1) * s->count;
    memset(sums, 0, (size_t)s->count * sizeof(real));
    return sums;
}

/* The end of a loop over n in such blocks. */
INLINE void add_blocks(const block_sums *s, ptrdiff_t n, ptrdiff_t block)
{
    if (s->total == NULL) return;
    if (n == 0) cleared_sums(s, 0);
    for (ptrdiff_t b = 1; b < ceil_div(n, block); b++) {
        const real *other = s->others + (b - 1) * s->count;
        EACH_VECTOR(s->count,
                    vstore_upto(s->total + j, vload_upto(s->total + j, m) + vload_upto(other + j, m), m));
    }
}

#endif
