/* Random numbers, and dropout, which draws them. */
#ifndef PYML_CONTRACTS_RANDOM_H
#define PYML_CONTRACTS_RANDOM_H

#include "types.h"

/* The generator's state is {seed, counter} in memory; Philox4x32-10 makes the i-th number of a call a function
 * of (seed, counter + i/4) alone. A call that draws advances the counter past what it uses, atomically: calls of
 * several threads on one state draw different numbers. */

/* Inverted dropout, Srivastava et al. 2014: y = x / (1-p) where kept, 0 where dropped (with probability p). Bit i % 64 of
 * mask[i / 64] says that element i is kept; those from n on are 0. y may be x. p == 1 gives zeros. */
typedef struct {
    void *y;
    uint64_t *mask; /* out (ceil(n / 64)) */
    uint64_t *state; /* in/out (2) */
    const void *x;
    ptrdiff_t n;
    double p;
} dropout_forward_args;

/* dx = dy / (1-p) where the mask kept, 0 where it dropped. dx may be dy. */
typedef struct {
    void *dx;
    const void *dy;
    const uint64_t *mask;
    ptrdiff_t n;
    double p;
} dropout_backward_args;

/* random_uniform: y ~ U[low, high).   random_normal: y ~ N(mean = low, std = high), Box & Muller 1958. */
typedef struct {
    void *y;
    uint64_t *state;
    ptrdiff_t n;
    double low, high;
} random_args;

/* y[i] ~ a distribution with the parameter a[i], or a[i] and b[i]. y may be a or b.
 *     random_log_gamma    the logarithm of a gamma variable of shape a
 *     random_poisson      of mean a
 *     random_binomial     successes of a trials, with probability b each
 *     random_von_mises    an angle in [-pi, pi] about a, of concentration b */
typedef struct {
    void *y;
    uint64_t *state; /* in/out (2) */
    const void *a, *b; /* b: NULL for distributions with one parameter */
    ptrdiff_t n;
} random_of_args;

/* index <- a uniform random permutation of 0..n-1 (Fisher & Yates). */
typedef struct {
    int64_t *index;
    uint64_t *state;
    ptrdiff_t n;
} random_permutation_args;

#endif
