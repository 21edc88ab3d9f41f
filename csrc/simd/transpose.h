/* L x L transpose in registers. */
#ifndef PYML_SIMD_TRANSPOSE_H
#define PYML_SIMD_TRANSPOSE_H

#include "vec.h"

/* f(s, 0), f(s, 1), ... f(s, L-1) */
#define LANES_1(f, s, l) f(s, l)
#define LANES_2(f, s, l) LANES_1(f, s, l), LANES_1(f, s, l + 1)
#define LANES_4(f, s, l) LANES_2(f, s, l), LANES_2(f, s, l + 2)
#define LANES_8(f, s, l) LANES_4(f, s, l), LANES_4(f, s, l + 4)
#define LANES_16(f, s, l) LANES_8(f, s, l), LANES_8(f, s, l + 8)
#if LANES == 2
#define EACH_LANE LANES_2
#elif LANES == 4
#define EACH_LANE LANES_4
#elif LANES == 8
#define EACH_LANE LANES_8
#elif LANES == 16
#define EACH_LANE LANES_16
#endif

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* GCC knows the other name from version 12 only */
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Exchanges the off-diagonal s x s blocks of every 2s x 2s block: where l has bit s, lane l of the upper row
 * takes lane l - s of the lower; where it has not, lane l of the lower takes lane l + s of the upper. */
#define UPPER_LANE(s, l) (((l) & (s)) ? LANES + (l) - (s) : (l))
#define LOWER_LANE(s, l) (((l) & (s)) ? LANES + (l) : (l) + (s))
#define EXCHANGE(s)                                                            \
    for (int i = 0; i < LANES; i++)                                            \
        if (!(i & (s))) {                                                      \
            vec upper = row[i], lower = row[i + (s)];                          \
            row[i] = SHUFFLE(upper, lower, EACH_LANE(UPPER_LANE, s, 0));       \
            row[i + (s)] = SHUFFLE(upper, lower, EACH_LANE(LOWER_LANE, s, 0)); \
        }

#if REAL_BITS == 32
/* Lane l of what unpacks or pairs two rows within each 128 bits: one instruction each on x86-64. */
#define UNPACK(half, l) (((l) & 1) * LANES + ((l) & ~3) + 2 * (half) + ((l) & 2) / 2)
#define PAIR(half, l) (((l) & 2) / 2 * LANES + ((l) & ~3) + 2 * (half) + ((l) & 1))

/* Transposes the 4 x 4 blocks of four rows. */
INLINE void transpose_4(vec row[4])
{
    const vec low_01 = SHUFFLE(row[0], row[1], EACH_LANE(UNPACK, 0, 0));
    const vec high_01 = SHUFFLE(row[0], row[1], EACH_LANE(UNPACK, 1, 0));
    const vec low_23 = SHUFFLE(row[2], row[3], EACH_LANE(UNPACK, 0, 0));
    const vec high_23 = SHUFFLE(row[2], row[3], EACH_LANE(UNPACK, 1, 0));
    row[0] = SHUFFLE(low_01, low_23, EACH_LANE(PAIR, 0, 0));
    row[1] = SHUFFLE(low_01, low_23, EACH_LANE(PAIR, 1, 0));
    row[2] = SHUFFLE(high_01, high_23, EACH_LANE(PAIR, 0, 0));
    row[3] = SHUFFLE(high_01, high_23, EACH_LANE(PAIR, 1, 0));
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

#undef LANES_1
#undef LANES_2
#undef LANES_4
#undef LANES_8
#undef LANES_16
#undef EACH_LANE
#undef SHUFFLE
#undef UNPACK
#undef PAIR
#undef UPPER_LANE
#undef LOWER_LANE
#undef EXCHANGE

#endif
