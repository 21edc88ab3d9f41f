/* BFMMLA of ARM: C (2,2) += A (2,4) * B (2,4)^T, of each four numbers of k in two steps of two products, as the processor rounds
 * them: Arm's manual, BFMatMulAdd. Numbers are rounded to bfloat16 by BFCVTN. */
#ifndef PYML_BFLOAT16_BFMMLA_H
#define PYML_BFLOAT16_BFMMLA_H

#include "../kernels/gemm.h"
#include "../simd/transpose.h"

#define TABLE bfloat16_bfmmla

typedef uint32_t pair;

/* MR/2 x NR/2 blocks of C, MR/2 of A and NR/2 of B lie in 24 of the 32 registers. */
enum {
    MR = 8,
    NR = 8,
    MC = 32 * MR,
    KC = 512, /* of k */
    MACS_PER_NS = 10, /* multiply-adds of one lane in a nanosecond, about */
    FOUR = LANES, /* numbers of k that are multiplied together */
};

INLINE void begin_tiles(void) {}
INLINE void end_tiles(void) {}

/* Pairs to which k is filled up, by zeros. */
INLINE ptrdiff_t pairs_of(ptrdiff_t k) { return ceil_div(k, FOUR) * 2; }

/* to[(g/2 * width + i) * 2 + g%2] <- pair g of row i < count; what lies at count <= i < width is not defined. */
static void pack_pairs(ptrdiff_t width, pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                       ptrdiff_t count, ptrdiff_t k, ptrdiff_t pairs)
{
    (void)pairs;
    for (ptrdiff_t p = 0; p < k; p += FOUR, to += 2 * width)
        for (ptrdiff_t i = 0; i < count; i += L) {
            const real *at = from + i * along + p * k_stride;
            const ptrdiff_t rows = min_size(count - i, L), numbers = min_size(k - p, FOUR);
            vec row[LANES] = {{0}};
            if (k_stride == 1)
                for (ptrdiff_t r = 0; r < rows; r++) row[r] = vload_n(at + r * along, numbers);
            else if (along == 1) {
                for (ptrdiff_t q = 0; q < numbers; q++) row[q] = vload_n(at + q * k_stride, rows);
                vtranspose(row);
            } else
                for (ptrdiff_t r = 0; r < rows; r++)
                    for (ptrdiff_t q = 0; q < numbers; q++) row[r][q] = at[r * along + q * k_stride];
            for (ptrdiff_t r = 0; r < rows; r++)
                vst1_u16((uint16_t *)(to + 2 * (i + r)),
                         vreinterpret_u16_bf16(vcvt_bf16_f32((float32x4_t)row[r])));
        }
}

INLINE void pack_a(pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride, ptrdiff_t count,
                   ptrdiff_t k)
{
    pack_pairs(MR, to, from, along, k_stride, count, k, pairs_of(k));
}

/* sums (MR,NR) of packed operands, from 0 or, if it goes on, from what is there. */
static void sum_tile(ptrdiff_t rows, bool goes_on, real *sums, ptrdiff_t sums_row, const pair *a,
                     const pair *b, ptrdiff_t pairs)
{
    (void)rows;
    float32x4_t sum[MR / 2][NR / 2];
    UNROLL for (int i = 0; i < MR / 2; i++) UNROLL
        for (int j = 0; j < NR / 2; j++) {
            const real *at = sums + 2 * i * sums_row + 2 * j;
            sum[i][j] = goes_on ? vcombine_f32(vld1_f32(at), vld1_f32(at + sums_row)) : vdupq_n_f32(0);
        }
    for (; pairs > 0; pairs -= 2, a += 2 * MR, b += 2 * NR) {
        bfloat16x8_t b_j[NR / 2];
        UNROLL for (int j = 0; j < NR / 2; j++)
            b_j[j] = vreinterpretq_bf16_u32(vld1q_u32(b + 4 * j));
        UNROLL for (int i = 0; i < MR / 2; i++) {
            const bfloat16x8_t a_i = vreinterpretq_bf16_u32(vld1q_u32(a + 4 * i));
            UNROLL for (int j = 0; j < NR / 2; j++)
                sum[i][j] = vbfmmlaq_f32(sum[i][j], a_i, b_j[j]);
        }
    }
    UNROLL for (int i = 0; i < MR / 2; i++) UNROLL
        for (int j = 0; j < NR / 2; j++) {
            vst1_f32(sums + 2 * i * sums_row + 2 * j, vget_low_f32(sum[i][j]));
            vst1_f32(sums + (2 * i + 1) * sums_row + 2 * j, vget_high_f32(sum[i][j]));
        }
}

#endif
