/* VDPBF16PS of AVX512_BF16: for each of 16 lanes, two products are added to a sum, of the second numbers of a pair first. It
 * takes subnormal numbers for zero and makes none. (Intel's manual, volume 2.) */
#ifndef PYML_BFLOAT16_AVX512_H
#define PYML_BFLOAT16_AVX512_H

#include "pairs.h"

#define TABLE bfloat16_avx512

/* MR x 2 vectors of C, 2 of B and one of A fill the registers. KC x NR pairs are an L1 of 32 KiB, MC x KC 252 KiB, and
 * NC x KC 1 MiB: shorter blocks of k cost more in passes over C than they gain. */
enum {
    MR = 14,
    NR = 2 * LANES,
    MC = 18 * MR,
    KC = 512, /* of k */
    MACS_PER_NS = 10, /* multiply-adds of one lane in a nanosecond, about */
};

INLINE void begin_tiles(void) {}
INLINE void end_tiles(void) {}

/* Pairs to which k is filled up. */
INLINE ptrdiff_t pairs_of(ptrdiff_t k) { return ceil_div(k, 2); }

/* Pair g of row i is at g*MR + i. */
INLINE void pack_a(pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride, ptrdiff_t count,
                   ptrdiff_t k)
{
    pack_pairs(MR, to, from, along, k_stride, count, k, pairs_of(k));
}

/* rows x NR sums; `rows` is constant where this is inlined. */
INLINE void sum_rows(const int rows, bool goes_on, real *sums, ptrdiff_t sums_row, const pair *a,
                     const pair *b, ptrdiff_t pairs)
{
    vec sum[MR][2];
    UNROLL for (int i = 0; i < rows; i++) {
        sum[i][0] = goes_on ? vload(sums + i * sums_row) : (vec){0};
        sum[i][1] = goes_on ? vload(sums + i * sums_row + L) : (vec){0};
    }
    for (; pairs > 0; pairs--, a += MR, b += NR) {
        const __m512bh low = (__m512bh)vload((const real *)b), high = (__m512bh)vload((const real *)b + L);
        UNROLL for (int i = 0; i < rows; i++) {
            const __m512bh a_i = (__m512bh)_mm512_set1_epi32((int)a[i]);
            sum[i][0] = (vec)_mm512_dpbf16_ps((__m512)sum[i][0], a_i, low);
            sum[i][1] = (vec)_mm512_dpbf16_ps((__m512)sum[i][1], a_i, high);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        vstore(sums + i * sums_row, sum[i][0]);
        vstore(sums + i * sums_row + L, sum[i][1]);
    }
}

#define SUM_ARGS bool goes_on, real *sums, ptrdiff_t sums_row, const pair *a, const pair *b, ptrdiff_t pairs
#define EACH_COUNT(X) X(2) X(4) X(6) X(8) X(10) X(12) X(14)
#define SUM_ROWS(r) \
    static void sum_rows_##r(SUM_ARGS) { sum_rows(r, goes_on, sums, sums_row, a, b, pairs); }
EACH_COUNT(SUM_ROWS)
#define SUM_ROWS_NAME(r) sum_rows_##r,
static void (*const sum_fns[])(SUM_ARGS) = {EACH_COUNT(SUM_ROWS_NAME)};

/* sums (MR,NR), of `rows` rows at least, of packed operands, from 0 or, if it goes on, from what is there. */
INLINE void sum_tile(ptrdiff_t rows, SUM_ARGS)
{
    sum_fns[(rows - 1) / 2](goes_on, sums, sums_row, a, b, pairs);
}

#endif
