/* Sums over a long row, as fast as the row is read. */
#ifndef PYML_CHAINS_H
#define PYML_CHAINS_H

#include "kernel.h"

enum {
    RUN = 1024, /* elements summed in `real`, before their sum joins the others in double */
    CHAINS = 4, /* sums side by side: no addition waits for the one before */
};

/* EACH_VECTOR whose statement adds to sums of chain k. */
#define EACH_CHAINED(c, ...)                                      \
    do {                                                          \
        ptrdiff_t j = 0;                                          \
        for (const ptrdiff_t m = L; j + CHAINS * L <= (c);)       \
            for (int k = 0; k < CHAINS; k++, j += L) __VA_ARGS__; \
        for (const int k = 0; j < (c); j += L) {                  \
            const ptrdiff_t m = (c) - j;                          \
            __VA_ARGS__;                                          \
        }                                                         \
    } while (0)

/* Not inline: there are many calls, for many elements each. */
static NOINLINE real sum_of_lanes(vec v) { return vsum(v); }

INLINE double chained_sum(const vec chain[CHAINS])
{
    return (double)sum_of_lanes((chain[0] + chain[1]) + (chain[2] + chain[3]));
}

#endif
