/* The contract of every kernel: what its arguments are, and what it computes from them; a header for each family.
 *
 * A call is data: a kernel takes one pointer to a struct of its arguments (dispatch.h runs it). The
 * struct holds pointers, sizes and constants, so a call can be kept and run again; what changes from one
 * step to the next (learning rate, step count, the generator's counter) is read through a pointer.
 *
 * Conventions
 *   - In a struct: first what is written (out, in/out), then what is read (const), then sizes, then scalars.
 *   - Arrays of `real` (float or double, one dtype a call) are void *. Sizes are in elements.
 *     Arrays are row-major and contiguous unless strides are given; aligned to their element, no more.
 *   - n rows, k inputs, o outputs, c channels (columns).
 *   - Outputs do not overlap inputs unless the comment allows it ("y may be x").
 *   - A zero-size output returns at once; an empty sum is zero.
 *   - A kernel never allocates, checks, prints, or reads globals; the caller has checked.
 *   - Arithmetic flushes subnormals to zero, in and out; a number that is only moved stays as it is. */
#ifndef PYML_CONTRACTS_TYPES_H
#define PYML_CONTRACTS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef void (*kernel_fn)(const void *args);

typedef enum { PYML_FLOAT32, PYML_FLOAT64, PYML_DTYPE_COUNT } pyml_dtype;

static inline ptrdiff_t pyml_dtype_bytes(pyml_dtype dtype)
{
    return dtype == PYML_FLOAT32 ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(double);
}

/* How a loss is reduced, PyTorch's `reduction`. */
enum { REDUCTION_NONE, REDUCTION_MEAN, REDUCTION_SUM };

#endif
