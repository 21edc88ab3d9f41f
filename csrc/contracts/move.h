/* Filling, copying, casting. */
#ifndef PYML_CONTRACTS_MOVE_H
#define PYML_CONTRACTS_MOVE_H

#include "types.h"

/* y[i] = value, rounded to real. */
typedef struct {
    void *y;
    ptrdiff_t n;
    double value;
} fill_args;

/* y <- x, both of shape[0..ndim) at their strides (elements, any sign; 0 repeats one of x): what makes a transposed,
 * sliced or expanded array contiguous, and what writes into a slice. Elements of any type of `item_bytes`: 1, 2, 4
 * or 8. */
enum { COPY_NDIM = 8 };
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t ndim, item_bytes;
    ptrdiff_t shape[COPY_NDIM], y_strides[COPY_NDIM], x_strides[COPY_NDIM];
} copy_args;

/* y[i] = x[i] in another type. A real becomes an integer by truncation; one outside the range of int64_t (for int64_t)
 * or int32_t (for the narrower types), and NaN, first becomes the least of that range. An integer that does not fit
 * keeps its low bits. Bool is 0 or 1: whether x is not 0. Subnormal numbers stay what they are. */
enum {
    ELEMENT_BOOL,
    ELEMENT_UINT8,
    ELEMENT_INT8,
    ELEMENT_INT16,
    ELEMENT_INT32,
    ELEMENT_INT64,
    ELEMENT_FLOAT32,
    ELEMENT_FLOAT64,
    ELEMENT_COUNT
};
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n;
    int y_element, x_element;
} cast_args;

#endif
