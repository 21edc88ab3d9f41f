/* Comparisons and logic. */
#ifndef PYML_CONTRACTS_COMPARE_H
#define PYML_CONTRACTS_COMPARE_H

#include "types.h"

/* y = 1 where the comparison holds, else 0: equal, not_equal, less, less_equal, greater, greater_equal. Operands as
 * of binary_args; y is none of them. A NaN is not equal to anything, and neither less nor greater; -0 equals 0; a
 * subnormal number is not zero. With `integers`, a and b are int64_t (in float64 calls) or int32_t (float32). */
typedef struct {
    uint8_t *y;
    const void *a, *b;
    ptrdiff_t rows, cols, a_row, a_col, b_row, b_col;
    int integers;
} compare_args;

/* y[i] = a[i] f b[i] of truth values: 0 is false, anything else true, y is 0 or 1. logical_and, logical_or,
 * logical_xor; logical_not of a alone. y may be a or b. */
typedef struct {
    uint8_t *y;
    const uint8_t *a, *b; /* b NULL in logical_not */
    ptrdiff_t n;
} logical_args;

#endif
