/* Arithmetic, element by element. */
#ifndef PYML_CONTRACTS_ELEMENTWISE_H
#define PYML_CONTRACTS_ELEMENTWISE_H

#include "types.h"

/* y = f(a, b) over (rows, cols), y contiguous. An operand's element is at i*row + j*col; col is 0 or 1, row any, so a
 * scalar has (0, 0), a row (0, 1), a column (1, 0). y may be an operand of the same layout.
 * Kernels: add, sub, mul, div, pow, maximum, minimum (NaN propagates); log_gamma_slope, see special.h. */
typedef struct {
    void *y;
    const void *a, *b;
    ptrdiff_t rows, cols, a_row, a_col, b_row, b_col;
} binary_args;

/* y = f(x), y may be x. neg, abs, exp, log, sqrt, sign, reciprocal, sin, cos, log1p, expm1, erf, erfc, erfinv,
 * lgamma, digamma; polygamma and scaled_bessel of order low; clamp to [low, high] (NaN stays NaN). */
typedef struct {
    void *y;
    const void *x;
    ptrdiff_t n;
    double low, high; /* clamp; low: polygamma, scaled_bessel */
} unary_args;

/* y[i] = condition[i] ? a[i] : b[i];  y may be a or b. Elements of any type of real's size. */
typedef struct {
    void *y;
    const uint8_t *condition;
    const void *a, *b;
    ptrdiff_t n;
} where_args;

#endif
