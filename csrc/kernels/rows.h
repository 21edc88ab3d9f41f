/* Rows of logits: their largest, their exponentials; rows of few classes side by side, one in each lane. A row's numbers
 * depend on the row alone. */
#ifndef PYML_ROWS_H
#define PYML_ROWS_H

#include "../simd/transpose.h"
#include "../simd/vmath.h"
#include "kernel.h"

/* ---- a row ----------------------------------------------------------------------------------------------- */

/* The largest of a row, NaN aside: those make the row's sum of exponentials NaN. */
INLINE real row_max(const real *x, ptrdiff_t c)
{
    vec top = vset1(-INF);
    EACH_VECTOR(c, top = vlarger(vfirst(vload_upto(x + j, m), m, vset1(-INF)), top));
    return vmax_lane(top);
}

/* exp(x - shift) of m elements, 0 in the other lanes */
INLINE vec exp_from(const real *x, ptrdiff_t m, real shift)
{
    return vexp(vfirst(vload_upto(x, m), m, vset1(-INF)) - shift);
}

/* The sum of exp(x - shift) over a row; row_exp writes the numbers too, y may be x. */
INLINE real row_exp_sum(const real *x, ptrdiff_t c, real shift)
{
    vec sum = vset1(0);
    EACH_VECTOR(c, sum += exp_from(x + j, m, shift));
    return vsum(sum);
}
INLINE real row_exp(real *y, const real *x, ptrdiff_t c, real shift)
{
    vec sum = vset1(0);
    EACH_VECTOR(c, vec e = exp_from(x + j, m, shift); sum += e; vstore_upto(y + j, e, m));
    return vsum(sum);
}

INLINE void row_scale(real *y, ptrdiff_t c, real factor)
{
    EACH_VECTOR(c, vstore_upto(y + j, vload_upto(y + j, m) * factor, m));
}

INLINE real log_of(real x) { return vlog(vset1(x))[0]; }

/* ---- rows in lanes -------------------------------------------------------------------------------------
 *
 * `rows` <= L rows of c <= 4 L elements as c vectors: row r is lane r. */

enum {
    MOST_IN_LANES = 4 * LANES, /* elements of a row */
};

INLINE int fits_lanes(ptrdiff_t c) { return c >= 1 && c <= MOST_IN_LANES; }

/* Lanes without a row repeat the last. */
INLINE void load_rows(vec column[MOST_IN_LANES], const real *x, ptrdiff_t c, ptrdiff_t rows)
{
    for (ptrdiff_t j = 0; j < c; j += L) {
        for (ptrdiff_t r = 0; r < L; r++)
            column[j + r] = vload_upto(x + min_size(r, rows - 1) * c + j, min_size(c - j, L));
        vtranspose(column + j);
    }
}

INLINE void store_rows(real *y, vec column[MOST_IN_LANES], ptrdiff_t c, ptrdiff_t rows)
{
    for (ptrdiff_t j = 0; j < c; j += L) {
        vtranspose(column + j);
        for (ptrdiff_t r = 0; r < rows; r++) vstore_upto(y + r * c + j, column[j + r], min_size(c - j, L));
    }
}

INLINE vec max_of_each(const vec column[MOST_IN_LANES], ptrdiff_t c)
{
    vec top = vset1(-INF);
    for (ptrdiff_t j = 0; j < c; j++) top = vlarger(column[j], top);
    return top;
}

/* column <- column - shift, e <- exp of it; the sum of that over each row */
INLINE vec exp_of_each(vec e[MOST_IN_LANES], vec column[MOST_IN_LANES], ptrdiff_t c, vec shift)
{
    vec sum = vset1(0);
    for (ptrdiff_t j = 0; j < c; j++) {
        column[j] -= shift;
        e[j] = vexp(column[j]);
        sum += e[j];
    }
    return sum;
}

/* The statement for rows begin..end-1, L at a time: `rows` of them from row i. */
#define EACH_L_ROWS(begin, end, ...)                   \
    for (ptrdiff_t i = (begin); i < (end); i += L) {   \
        const ptrdiff_t rows = min_size((end) - i, L); \
        __VA_ARGS__;                                   \
    }

/* Rows that one range computes: about BLOCK elements. */
INLINE ptrdiff_t block_rows(ptrdiff_t c) { return BLOCK / (c + 1) + 1; }

/* Of a row in a lane an element takes less. */
INLINE double in_lanes(ptrdiff_t c, double ns) { return fits_lanes(c) ? ns * 2.5 / L : ns; }

/* Nanoseconds for n rows of c elements; what a row costs beside its elements is worth about 16 of them. */
INLINE double row_cost(ptrdiff_t n, ptrdiff_t c, double ns) { return ns * (double)n * (double)(c + 16); }

#endif
