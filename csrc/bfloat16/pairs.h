/* Pairs of numbers of k, 2g and 2g+1, rounded to bfloat16, to nearest even, the first in the low half of a lane: packed by
 * AVX512_BF16, whose conversions take subnormal numbers for zero. */
#ifndef PYML_BFLOAT16_PAIRS_H
#define PYML_BFLOAT16_PAIRS_H

#include "../kernels/gemm.h"
#include "../simd/transpose.h"

typedef uint32_t pair;

/* Lane i has numbers 2i and 2i+1 of low and high in a row. */
INLINE vec pairs_along(vec low, vec high) { return (vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }

/* Lane i has first[i] and second[i]. */
INLINE vec pairs_across(vec first, vec second)
{
#define TURNS(i) 16 + (i), (i)
#define FOUR_TURNS(i) TURNS((i) + 3), TURNS((i) + 2), TURNS((i) + 1), TURNS(i)
    const __m512i in_turn = _mm512_set_epi16(FOUR_TURNS(12), FOUR_TURNS(8), FOUR_TURNS(4), FOUR_TURNS(0));
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return (vec)_mm512_permutexvar_epi16(in_turn, both);
#undef FOUR_TURNS
#undef TURNS
}

/* block[g] has pair g of each of at most L rows; or, by rows, block[i] the pairs of row i. Zero are numbers beyond k <= 2L. */
INLINE void load_block(const bool by_rows, vec block[LANES], const real *from, ptrdiff_t along,
                       ptrdiff_t k_stride, ptrdiff_t rows, ptrdiff_t k)
{
    real piece[2 * LANES * LANES];
    if (k_stride != 1 && along != 1) {
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t p = 0; p < k; p++) piece[2 * L * i + p] = from[i * along + p * k_stride];
        from = piece, along = 2 * L, k_stride = 1;
    }
    const bool is_whole = rows == L && k == 2 * L;
    if (k_stride == 1) {
        const ptrdiff_t low = min_size(k, L), high = k - low;
        if (is_whole) UNROLL
            for (ptrdiff_t l = 0; l < L; l++, from += along)
                block[l] = pairs_along(vload(from), vload(from + L));
        else UNROLL
            for (ptrdiff_t l = 0; l < L; l++) {
                const real *row = from + min_size(l, rows - 1) * along;
                block[l] = pairs_along(vload_upto(row, low), vload_upto(row + low, high));
            }
        if (!by_rows) vtranspose(block);
    } else {
        if (is_whole) UNROLL
            for (ptrdiff_t l = 0; l < L; l++, from += 2 * k_stride)
                block[l] = pairs_across(vload(from), vload(from + k_stride));
        else UNROLL
            for (ptrdiff_t l = 0; l < L; l++) {
                const real *first = from + min_size(2 * l, k - 1) * k_stride;
                const real *second = from + min_size(2 * l + 1, k - 1) * k_stride;
                block[l] = pairs_across(vload_n(first, 2 * l < k ? rows : 0),
                                        vload_n(second, 2 * l + 1 < k ? rows : 0));
            }
        if (by_rows) vtranspose(block);
    }
}

/* to[g*width + i] <- pair g of row i < count, for g below `pairs` >= k/2, zero from k/2 on; what lies at count <= i < width
 * is not defined. Whole vectors are stored, in an order in which each overwrites what the one before spilled. */
static void pack_pairs(ptrdiff_t width, pair *to, const real *from, ptrdiff_t along, ptrdiff_t k_stride,
                       ptrdiff_t count, ptrdiff_t k, ptrdiff_t pairs)
{
    for (ptrdiff_t g = 0; g < pairs; g += L)
        for (ptrdiff_t i = (count - 1) / L * L; i >= 0; i -= L) {
            vec block[LANES];
            load_block(false, block, from + i * along + 2 * g * k_stride, along, k_stride,
                       min_size(count - i, L), min_size(k - 2 * g, 2 * L));
            UNROLL for (ptrdiff_t l = 0; l < L; l++)
                if (g + l < pairs) vstore((real *)to + (g + l) * width + i, block[l]);
        }
}

#endif
