/* The generator: Philox4x32-10. Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3".
 *
 * It maps a key (64 bits) and a counter (128 bits) to four 32-bit words. Here the key is the seed and the
 * counter is (state counter + i/4, 0), so word i of a call is a function of (seed, state counter + i/4) and
 * i % 4 alone: any thread may draw any part of the stream, and every ISA and dtype draws the same words.
 * The state {seed, counter} counts whole groups of four words. */
#ifndef PYML_RANDOM_H
#define PYML_RANDOM_H

#include "simd/vec.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* One generator a lane. A lane holds one of the four words in its low half; the high half is never read. */
typedef uint64_t lanes64 __attribute__((vector_size(VEC_BYTES)));
typedef uint64_t lanes64_unaligned __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));

enum {
    PHILOX_ROUNDS = 10,
    PHILOX_LANES = VEC_BYTES / 8,
    /* worked on at once: a round waits for its products, others fill the time */
    PHILOX_VECTORS = VEC_BYTES == 64 ? 8 : 4,
    PHILOX_WORDS = 4 * PHILOX_LANES * PHILOX_VECTORS, /* that one philox_words makes */
    RANDOM_CHUNK = 1024, /* words that a kernel draws before it uses them: 4 KiB, a part of L1 */
};

/* round constants and key increments (the golden ratio, sqrt(3) - 1), table 2 and section 3.3 of the paper */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

typedef struct {
    lanes64 k0[PHILOX_ROUNDS], k1[PHILOX_ROUNDS];
} philox_key;

INLINE philox_key philox_schedule(uint64_t seed)
{
    philox_key key;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        key.k0[round] = k0 - (lanes64){0};
        key.k1[round] = k1 - (lanes64){0};
    }
    return key;
}

/* 64-bit products of the low halves */
INLINE lanes64 multiply_low_halves(lanes64 a, uint32_t b)
{
#if defined(ISA_avx512)
    return (lanes64)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif defined(ISA_avx2)
    return (lanes64)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(ISA_baseline) && defined(__SSE2__)
    return (lanes64)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#elif defined(ISA_neon)
    return (lanes64)vmull_n_u32(vmovn_u64((uint64x2_t)a), b);
#else
    return (a & UINT32_MAX) * b;
#endif
}

/* counter words (c[0], c[1], c[2], c[3]) of every lane -> its four random words, in place */
INLINE void philox(lanes64 c[4][PHILOX_VECTORS], const philox_key *key)
{
    UNROLL for (int round = 0; round < PHILOX_ROUNDS; round++)
        for (int v = 0; v < PHILOX_VECTORS; v++) {
            lanes64 p0 = multiply_low_halves(c[0][v], PHILOX_M0);
            lanes64 p1 = multiply_low_halves(c[2][v], PHILOX_M1);
            c[0][v] = (p1 >> 32) ^ (c[1][v] ^ key->k0[round]);
            c[2][v] = (p0 >> 32) ^ (c[3][v] ^ key->k1[round]);
            c[1][v] = p1;
            c[3][v] = p0;
        }
}

/* The counters of the lanes are permuted so that interleaving the lanes of two vectors, even then odd, as
 * the unpack instructions do, leaves the words in order. */
#if defined(__clang__)
#define SHUFFLE64(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* GCC knows the other name from version 12 only */
#define SHUFFLE64(a, b, ...) __builtin_shuffle(a, b, (lanes64){__VA_ARGS__})
#endif
#if VEC_BYTES == 16
#define LANE_COUNTERS 0, 1
#define EVEN_LANES 0, 2
#define ODD_LANES 1, 3
#elif VEC_BYTES == 32
#define LANE_COUNTERS 0, 2, 1, 3
#define EVEN_LANES 0, 4, 2, 6
#define ODD_LANES 1, 5, 3, 7
#elif VEC_BYTES == 64
#define LANE_COUNTERS 0, 4, 1, 5, 2, 6, 3, 7
#define EVEN_LANES 0, 8, 2, 10, 4, 12, 6, 14
#define ODD_LANES 1, 9, 3, 11, 5, 13, 7, 15
#endif

/* the words of the PHILOX_WORDS / 4 counters from `counter` on, in order */
INLINE void philox_words(uint32_t words[PHILOX_WORDS], uint64_t counter, const philox_key *key)
{
    lanes64 c[4][PHILOX_VECTORS];
    for (int v = 0; v < PHILOX_VECTORS; v++, counter += PHILOX_LANES) {
        c[0][v] = counter + (lanes64){LANE_COUNTERS};
        c[1][v] = c[0][v] >> 32;
        c[2][v] = c[3][v] = (lanes64){0};
    }
    philox(c, key);
    for (int v = 0; v < PHILOX_VECTORS; v++, words += 4 * PHILOX_LANES) {
        lanes64 w01 = (c[0][v] & UINT32_MAX) | c[1][v] << 32;
        lanes64 w23 = (c[2][v] & UINT32_MAX) | c[3][v] << 32;
        *(lanes64_unaligned *)words = SHUFFLE64(w01, w23, EVEN_LANES);
        *(lanes64_unaligned *)(words + 2 * PHILOX_LANES) = SHUFFLE64(w01, w23, ODD_LANES);
    }
}

#undef SHUFFLE64

/* Words [begin, begin + count) of the stream at `state`, count <= RANDOM_CHUNK; begin is a multiple of 4.
 * Writes up to the next multiple of PHILOX_WORDS, which divides RANDOM_CHUNK. */
static NOINLINE void random_words(uint32_t words[RANDOM_CHUNK], const uint64_t state[2], ptrdiff_t begin,
                                  ptrdiff_t count)
{
    philox_key key = philox_schedule(state[0]);
    uint64_t counter = state[1] + (uint64_t)begin / 4;
    for (ptrdiff_t i = 0; i < count; i += PHILOX_WORDS, counter += PHILOX_WORDS / 4)
        philox_words(words + i, counter, &key);
}

/* Takes the next `count` words from the state: they are those of the stream at `taken`. In one step, as threads may
 * draw from one state at the same time: no two calls ever have a word in common. */
INLINE void random_take(uint64_t taken[2], uint64_t state[2], ptrdiff_t count)
{
    taken[0] = __atomic_load_n(&state[0], __ATOMIC_RELAXED);
    taken[1] = __atomic_fetch_add(&state[1], ((uint64_t)count + 3) / 4, __ATOMIC_RELAXED);
}

#endif
