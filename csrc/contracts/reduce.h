/* Sums and extremes along a dimension. */
#ifndef PYML_CONTRACTS_REDUCE_H
#define PYML_CONTRACTS_REDUCE_H

#include "types.h"

/* x is (outer, n, inner); y (outer, inner) <- the sum over n, in fixed blocks in a fixed order. With a count (1), of
 * outer 1, over the first count[0] * each <= n only: the bits of a sum of so many. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *count; /* may be NULL */
    ptrdiff_t outer, n, inner, each;
} sum_args;

/* max or min over n >= 1, and the index of its first occurrence; NaN wins. index may be NULL. */
typedef struct {
    void *y;
    int64_t *index;
    const void *x;
    ptrdiff_t outer, n, inner;
} extremum_args;

#endif
