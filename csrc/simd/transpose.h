/* L x L transpose in registers. */
#ifndef PYML_SIMD_TRANSPOSE_H
#define PYML_SIMD_TRANSPOSE_H

#include "vec.h"

/* Exchanges the off-diagonal s x s blocks of every 2s x 2s block: where l has bit s, lane l of the upper row
 * takes lane l - s of the lower; where it has not, lane l of the lower takes lane l + s of the upper. */
#define UPPER_LANE(s, l) (((l) & (s)) ? LANES + (l) - (s) : (l))
#define LOWER_LANE(s, l) (((l) & (s)) ? LANES + (l) : (l) + (s))
#define EXCHANGE(s)                                                             \
    for (int i = 0; i < LANES; i++)                                             \
        if (!(i & (s))) {                                                       \
            vec upper = row[i], lower = row[i + (s)];                           \
            row[i] = VSHUFFLE(upper, lower, EACH_LANE(UPPER_LANE, s, 0));       \
            row[i + (s)] = VSHUFFLE(upper, lower, EACH_LANE(LOWER_LANE, s, 0)); \
        }

#if REAL_BITS == 32
/* Lane l of what unpacks or pairs two rows within each 128 bits: one instruction each on x86-64. */
#define UNPACK(half, l) (((l) & 1) * LANES + ((l) & ~3) + 2 * (half) + ((l) & 2) / 2)
#define PAIR(half, l) (((l) & 2) / 2 * LANES + ((l) & ~3) + 2 * (half) + ((l) & 1))

/* Transposes the 4 x 4 blocks of four rows. */
INLINE void transpose_4(vec row[4])
{
    const vec low_01 = VSHUFFLE(row[0], row[1], EACH_LANE(UNPACK, 0, 0));
    const vec high_01 = VSHUFFLE(row[0], row[1], EACH_LANE(UNPACK, 1, 0));
    const vec low_23 = VSHUFFLE(row[2], row[3], EACH_LANE(UNPACK, 0, 0));
    const vec high_23 = VSHUFFLE(row[2], row[3], EACH_LANE(UNPACK, 1, 0));
    row[0] = VSHUFFLE(low_01, low_23, EACH_LANE(PAIR, 0, 0));
    row[1] = VSHUFFLE(low_01, low_23, EACH_LANE(PAIR, 1, 0));
    row[2] = VSHUFFLE(high_01, high_23, EACH_LANE(PAIR, 0, 0));
    row[3] = VSHUFFLE(high_01, high_23, EACH_LANE(PAIR, 1, 0));
}
#endif

/* What is left when the halves of vectors are where they belong. */
INLINE void transpose_halves(vec row[LANES])
{
    (void)row; /* of two lanes nothing is left to do */
#if LANES >= 16
    EXCHANGE(4)
#endif
#if REAL_BITS == 32
    for (int i = 0; i < LANES; i += 4) transpose_4(row + i);
#else
#if LANES >= 8
    EXCHANGE(2)
#endif
#if LANES >= 4
    EXCHANGE(1)
#endif
#endif
}

INLINE void vtranspose(vec row[LANES])
{
#if LANES > 4 || REAL_BITS == 64
    EXCHANGE(LANES / 2)
#endif
    transpose_halves(row);
}

enum { NEIGHBOURS = 3 }; /* rows that an address finds from one pointer and a stride */

/* row[p] <- from[l * along + p] in lane l */
INLINE void vload_transposed(vec row[LANES], const real *from, ptrdiff_t along)
{
#ifdef HAS_HALVES
    const real *lower = from, *upper = from + LANES / 2 * along;
    UNROLL for (int i = 0; i < LANES / 2; i++) {
        const int beside = i % NEIGHBOURS;
        if (beside == 0) {
            if (i > 0) lower += NEIGHBOURS * along, upper += NEIGHBOURS * along;
            HIDE(lower);
            HIDE(upper);
        }
        row[i] = vload_halves(lower + beside * along, upper + beside * along);
        row[i + LANES / 2] =
            vload_halves(lower + LANES / 2 + beside * along, upper + LANES / 2 + beside * along);
    }
    transpose_halves(row);
#else
    UNROLL for (int l = 0; l < LANES; l++)
        row[l] = vload(from + l * along);
    vtranspose(row);
#endif
}

#undef UNPACK
#undef PAIR
#undef UPPER_LANE
#undef LOWER_LANE
#undef EXCHANGE

#endif
