/* TDPBF16PS of AMX: tiles of 16 rows of 16 numbers, or pairs. C (16,16) += A (16,16 pairs) * B (16 pairs,16), where the first
 * numbers of the pairs are summed along k from 0, by multiply-adds, the second ones too, then both sums are added, and that
 * to C; it takes subnormal numbers for zero and makes none. (Intel's manual, volume 2.) */
#ifndef PYML_BFLOAT16_AMX_H
#define PYML_BFLOAT16_AMX_H

#include "pairs.h"

#if defined(UNIT_amx_model)
#include "tile_model.h"
#define TABLE bfloat16_amx_model
#else
#define tiles_load_config _tile_loadconfig
#define tiles_release _tile_release
#define tile_zero _tile_zero
#define tile_load _tile_loadd
#define tile_store _tile_stored
#define tile_dot _tile_dpbf16ps
#define TABLE bfloat16_amx
#endif

/* Tiles 0 to 3 are 2 x 2 of C, 4 and 5 of A, 6 and 7 of B. */
enum {
    MR = 32,
    NR = 2 * LANES,
    MC = 8 * MR,
    KC = 1024, /* of k: C is read and written again for each block */
    MACS_PER_NS = 80, /* multiply-adds of one lane in a nanosecond, about */
    ROW_BYTES = 64,
};

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

#define EIGHT(x) x, x, x, x, x, x, x, x
static const tile_config config = {.palette = 1, .row_bytes = {EIGHT(ROW_BYTES)}, .rows = {EIGHT(LANES)}};

INLINE void begin_tiles(void) { tiles_load_config(&config); }
INLINE void end_tiles(void) { tiles_release(); }

/* Pairs to which k is filled up, by zeros. */
INLINE ptrdiff_t pairs_of(ptrdiff_t k) { return ceil_div(k, 2 * L) * L; }

/* For each L pairs, MR rows of them: pair g of row i is at (g/L * MR + i) * L + g%L. */
INLINE void pack_a(pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride, ptrdiff_t count,
                   ptrdiff_t k)
{
    for (ptrdiff_t g = 0; 2 * g < k; g += L)
        for (ptrdiff_t i = 0; i < count; i += L) {
            vec block[LANES];
            load_block(true, block, from + i * along + 2 * g * k_stride, along, k_stride,
                       min_size(count - i, L), min_size(k - 2 * g, 2 * L));
            UNROLL for (ptrdiff_t l = 0; l < L; l++)
                vstore((real *)to + g * MR + (i + l) * L, block[l]);
        }
}

/* sums (MR,NR), of `rows` rows at least, of packed operands, from 0 or, if it goes on, from what is there. What the tiles
 * read is written before, and what they write is read after: the compiler does not see that they do. */
static void sum_tile(ptrdiff_t rows, bool goes_on, real *sums, ptrdiff_t sums_row, const pair *a,
                     const pair *b, ptrdiff_t pairs)
{
    const ptrdiff_t stride = sums_row * (ptrdiff_t)sizeof(real);
    real *lower = sums + L * sums_row;
    __asm__ volatile("" ::: "memory");
    if (goes_on) {
        tile_load(0, sums, stride);
        tile_load(1, sums + L, stride);
        tile_load(2, lower, stride);
        tile_load(3, lower + L, stride);
    } else {
        tile_zero(0);
        tile_zero(1);
        tile_zero(2);
        tile_zero(3);
    }
    for (; pairs > 0; pairs -= L, a += MR * L, b += L * NR) {
        tile_load(6, b, 2 * ROW_BYTES);
        tile_load(7, b + L, 2 * ROW_BYTES);
        tile_load(4, a, ROW_BYTES);
        tile_dot(0, 4, 6);
        tile_dot(1, 4, 7);
        if (rows <= L) continue;
        tile_load(5, a + L * L, ROW_BYTES);
        tile_dot(2, 5, 6);
        tile_dot(3, 5, 7);
    }
    tile_store(0, sums, stride);
    tile_store(1, sums + L, stride);
    tile_store(2, lower, stride);
    tile_store(3, lower + L, stride);
    __asm__ volatile("" ::: "memory");
}

#endif
