/* Dropout. Srivastava et al. 2014, inverted: the mean of y is x, so inference is the identity.
 *
 * Element i is kept when word i of the generator (random.h) is at least p * 2^32, rounded: p == 0 keeps all
 * and p == 1 drops all, exactly. One word an element, in both dtypes. Words cost more than all else, so forward leaves
 * a bit of each for backward. */
#include "../contracts/random.h"
#include "../random.h"
#include "finish.h"

enum {
    VEC_WORDS = VEC_BYTES / sizeof(uint32_t),
};

typedef struct {
    real *y;
    uint64_t *mask;
    const real *x;
    const uint64_t *state; /* that draws the mask; NULL: it was drawn before */
    uint64_t threshold;
    real scale;
} dropout_context;

/* ---- the mask ------------------------------------------------------------------------------------------- */

/* Bit i: words[i] >= threshold, for a vector of words. */
INLINE uint64_t kept_of(const uint32_t words[VEC_WORDS], uint32_t threshold)
{
#if defined(ISA_avx512)
    return _mm512_cmpge_epu32_mask(_mm512_loadu_si512(words), _mm512_set1_epi32((int)threshold));
#elif defined(ISA_avx2)
    const __m256i word = _mm256_loadu_si256((const __m256i *)words);
    const __m256i larger = _mm256_max_epu32(word, _mm256_set1_epi32((int)threshold));
    return (uint64_t)_mm256_movemask_ps((__m256)_mm256_cmpeq_epi32(word, larger));
#else
    uint64_t bits = 0;
    for (int i = 0; i < VEC_WORDS; i++) bits |= (uint64_t)(words[i] >= threshold) << i;
    return bits;
#endif
}

/* The mask of elements begin .. end-1; begin is a multiple of BITS. */
static void draw(const dropout_context *d, ptrdiff_t begin, ptrdiff_t end)
{
    uint32_t words[RANDOM_CHUNK];
    for (ptrdiff_t i = begin; i < end; i += BITS) {
        const ptrdiff_t at = (i - begin) % RANDOM_CHUNK;
        if (at == 0) random_words(words, d->state, i, min_size(RANDOM_CHUNK, ceil_div(end - i, BITS) * BITS));
        uint64_t kept = 0;
        for (int part = 0; part < BITS; part += VEC_WORDS)
            kept |= kept_of(words + at + part, (uint32_t)d->threshold) << part;
        d->mask[i / BITS] = end - i < BITS ? kept & ((UINT64_C(1) << (end - i)) - 1) : kept;
    }
}

/* ---- what is kept --------------------------------------------------------------------------------------- */

static void dropout_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const dropout_context d = *(const dropout_context *)context;
    if (d.state != NULL) draw(&d, begin, end);
    for (ptrdiff_t i = begin; i < end; i += BITS) {
        uint64_t bits = d.mask[i / BITS];
        EACH_VECTOR(min_size(BITS, end - i),
                    vstore_upto(d.y + i + j, keep(vload_upto(d.x + i + j, m), bits, d.scale), m);
                    bits >>= L);
    }
}

static void dropout(dropout_context d, ptrdiff_t n, double p)
{
    d.threshold = (uint64_t)(p * 0x1p32 + 0.5), d.scale = (real)(1 / (1 - p));
    if (d.state != NULL && d.threshold > UINT32_MAX) {
        memset(d.mask, 0, (size_t)ceil_div(n, BITS) * sizeof *d.mask);
        d.state = NULL;
    }
    parallel_for(n, BLOCK, (double)n * (d.state == NULL ? 0.1 : 0.7), dropout_range, &d);
}

void KERNEL(dropout_forward)(const void *args)
{
    const dropout_forward_args *a = args;
    uint64_t taken[2];
    random_take(taken, a->state, a->n);
    dropout((dropout_context){.y = a->y, .mask = a->mask, .x = a->x, .state = taken}, a->n, a->p);
}

void KERNEL(dropout_backward)(const void *args)
{
    const dropout_backward_args *a = args;
    dropout((dropout_context){.y = a->dx, .mask = (uint64_t *)a->mask, .x = a->dy}, a->n, a->p);
}
