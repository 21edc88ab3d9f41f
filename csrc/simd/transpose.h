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

INLINE void vtranspose(vec row[LANES])
{
#if LANES >= 16
    EXCHANGE(8)
#endif
#if LANES >= 8
    EXCHANGE(4)
#endif
#if REAL_BITS == 32
    for (int i = 0; i < LANES; i += 4) transpose_4(row + i);
#else
#if LANES >= 4
    EXCHANGE(2)
#endif
    EXCHANGE(1)
#endif
}

#undef UNPACK
#undef PAIR
#undef UPPER_LANE
#undef LOWER_LANE
#undef EXCHANGE

#endif
