/* Softmax, cross entropy and mean squared error.
 *
 * A row's numbers depend on the row alone. Losses are summed in blocks of rows fixed by the sizes, the blocks in double in
 * their order. */
#include "../simd/vmath.h"
#include "kernel.h"

/* ---- rows -------------------------------------------------------------------------------------------- */

/* n <= L elements, the other lanes `other` */
INLINE vec load(const real *p, ptrdiff_t n, real other)
{
    if (n >= L) return vload(p);
    real lanes[LANES];
    for (ptrdiff_t i = 0; i < L; i++) lanes[i] = i < n ? p[i] : other;
    return vload(lanes);
}
INLINE void store(real *p, vec v, ptrdiff_t n)
{
    if (n >= L)
        vstore(p, v);
    else
        vstore_n(p, v, n);
}

/* Evaluates `body` for each vector of a row of c elements: j is its column, m <= L its number of elements. */
#define EACH_VECTOR(c, body)                                \
    do {                                                    \
        ptrdiff_t j = 0;                                    \
        for (; j + L <= (c); j += L) {                      \
            const ptrdiff_t m = L;                          \
            body                                            \
        }                                                   \
        if (j < (c)) {                                      \
            const ptrdiff_t m = (c) - j;                    \
            body                                            \
        }                                                   \
    } while (0)

INLINE real row_max(const real *x, ptrdiff_t c)
{
    vec top = vset1(-INF);
    EACH_VECTOR(c, top = vmax(top, load(x + j, m, -INF)););
    return vmax_lane(top);
}

/* sum exp(x - shift); padding is exp(-inf) = 0 */
INLINE real row_exp_sum(const real *x, ptrdiff_t c, real shift)
{
    vec sum = vset1(0);
    EACH_VECTOR(c, sum += vexp(load(x + j, m, -INF) - shift););
    return vsum(sum);
}

INLINE real log_of(real x) { return vlog(vset1(x))[0]; }

/* Rows that one range computes together: about BLOCK elements. */
INLINE ptrdiff_t rows_of(ptrdiff_t c) { return BLOCK / (c + 1) + 1; }
