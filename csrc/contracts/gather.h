/* Elements by index and by mask. */
#ifndef PYML_CONTRACTS_GATHER_H
#define PYML_CONTRACTS_GATHER_H

#include "types.h"

/* y[i,:] = x[index[i],:], rows of `row_bytes` bytes of any type. 0 <= index < the rows of x. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *index;
    ptrdiff_t n, row_bytes;
} gather_args;

/* dx (rows,c) <- 0, then dx[index[i],:] += dy[i,:] for i = 0 .. n-1 in that order. */
typedef struct {
    void *dx;
    const void *dy;
    const int64_t *index;
    ptrdiff_t n, rows, c;
} gather_backward_args;

/* Sums of rows: bag b are the i from ends[b] to ends[b+1] - 1 whose index[i] is not `padding`, in that order.
 *   bag_forward    y[b,:] = f[b,i] x[index[i],:], summed over the bag
 *   bag_backward   dx <- 0, then dx[index[i],:] += f[b,i] dy[b,:] for all bags and their i
 * f[b,i] is w[i], or 1 if w is NULL; with `mean` divided by the number of i in the bag. 0 <= ends[0], ascending;
 * 0 <= index < rows. */
typedef struct {
    void *y; /* (bags,c) */
    const void *x; /* (rows,c) */
    const int64_t *index; /* (n) */
    const int64_t *ends; /* (bags+1) */
    const void *w; /* (n) or NULL */
    ptrdiff_t bags, n, rows, c;
    int64_t padding;
    int mean;
} bag_forward_args;

typedef struct {
    void *dx; /* (rows,c) */
    const void *dy; /* (bags,c) */
    const int64_t *index;
    const int64_t *ends;
    const void *w;
    ptrdiff_t bags, n, rows, c;
    int64_t padding;
    int mean;
} bag_backward_args;

/* Rows of `row_bytes` bytes of any type; mask (n) is 0 or not.
 *   mask_gather    y[k,:] = x[i,:] for the k-th i whose mask[i] is not 0; the rows after them <- 0; count[0] <- how many
 *   mask_scatter   y[i,:] = x[k,:] for these i, and 0 for the others. count is NULL.
 * x and y have n rows both. */
typedef struct {
    void *y;
    int64_t *count; /* (1) */
    const void *x;
    const uint8_t *mask;
    ptrdiff_t n, row_bytes;
} mask_args;

/* fault[0] <- the first i whose index[i] is not allowed, or -1. Allowed is 0 <= index < size; with `wrap`, also
 * -size <= index < 0, which counts from the end; without, also index == ignored.
 * y, which may be NULL or index, <- the index counted from the front (an ignored one as it is), and 0 for a fault:
 * what reads by y reads inside, if there is anything. */
typedef struct {
    int64_t *y; /* (n) */
    int64_t *fault; /* (1) */
    const int64_t *index; /* (n) */
    ptrdiff_t n, size;
    int64_t ignored;
    int wrap;
} index_check_args;

/* Piecewise linear functions of a number each, between whose values at edges there are lines. x[i,f] lies in bin p of
 * function f: the last whose left[f,p] is not above it, or the first; s = (x[i,f] - left[f,p]) * scale[f,p].
 *   piecewise_forward    y[i,f,:] = (1 - s) values[f,p,:] + s values[f,p+1,:]
 *   piecewise_backward   dvalues <- 0, then dvalues[f,p,:] += (1 - s) dy[i,f,:] and dvalues[f,p+1,:] += s dy[i,f,:]
 *                        for i = 0 .. n-1 in that order
 * Of its bins function f has counts[f], from 1 to `bins`: the first ones, and as the last one the last. */
typedef struct {
    void *y; /* (n,functions,c) */
    const void *values; /* (functions,bins+1,c) */
    const void *x; /* (n,functions) */
    const void *left, *scale; /* (functions,bins), left ascending in the bins that a function has */
    const int64_t *counts; /* (functions) */
    ptrdiff_t n, functions, bins, c;
} piecewise_forward_args;

typedef struct {
    void *dvalues; /* (functions,bins+1,c) */
    const void *dy; /* (n,functions,c) */
    const void *x;
    const void *left, *scale;
    const int64_t *counts;
    ptrdiff_t n, functions, bins, c;
} piecewise_backward_args;

/* x is (outer, n, inner), index and y are (outer, m, inner), elements of any type of `item_bytes`, 1, 2, 4 or 8:
 *   y[i,j,l] = x[i, index[i,j,l], l],   0 <= index < n. */
typedef struct {
    void *y;
    const void *x;
    const int64_t *index;
    ptrdiff_t outer, n, m, inner, item_bytes;
} gather_along_args;

/* dx (outer, n, inner), in/out:  dx[i, index[i,j,l], l] += dy[i,j,l] for j = 0 .. m-1 in that order. */
typedef struct {
    void *dx;
    const void *dy;
    const int64_t *index; /* (outer, m, inner), as dy */
    ptrdiff_t outer, n, m, inner;
} scatter_add_args;

#endif
