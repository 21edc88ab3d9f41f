/* Dropout. Srivastava et al. 2014, inverted: the mean of y is x, so inference is the identity.
 *
 * Element i is kept when word i of the generator (random.h) is at least p * 2^32, rounded: p == 0 keeps all
 * and p == 1 drops all, exactly. One word an element, in both dtypes. The mask is never stored: backward
 * draws it again from the state that forward kept. */
#include "../contracts/random.h"
#include "../random.h"
#include "kernel.h"

typedef struct {
    real *y;
    const real *x;
    const uint64_t *state;
    uint32_t threshold;
    real scale;
} dropout_context;

/* x * scale where kept, +0 where dropped, whatever x is */
INLINE vec dropout_lane(vec x, const uint32_t *words, dropout_context d)
{
    ivec kept;
    for (ptrdiff_t i = 0; i < L; i++) kept[i] = -(ireal)(words[i] >= d.threshold);
    return (vec)((ivec)(x * d.scale) & kept);
}

static void dropout_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const dropout_context d = *(const dropout_context *)context;
    uint32_t words[RANDOM_CHUNK];
    for (ptrdiff_t count; begin < end; begin += count) {
        count = min_size(RANDOM_CHUNK, end - begin);
        random_words(words, d.state, begin, count);
        real *y = d.y + begin;
        const real *x = d.x + begin;
        ptrdiff_t i = 0;
        for (; i + L <= count; i += L) vstore(y + i, dropout_lane(vload(x + i), words + i, d));
        if (i < count) vstore_n(y + i, dropout_lane(vload_n(x + i, count - i), words + i, d), count - i);
    }
}

static void dropout(real *y, const real *x, const uint64_t *state, ptrdiff_t n, double p)
{
    uint64_t threshold = (uint64_t)(p * 0x1p32 + 0.5);
    if (threshold > UINT32_MAX) {
        for (ptrdiff_t i = 0; i < n; i++) y[i] = 0;
        return;
    }
    dropout_context d = {y, x, state, (uint32_t)threshold, (real)(1 / (1 - p))};
    parallel_for(n, BLOCK, (double)n * 0.5, dropout_range, &d);
}

void KERNEL(dropout_forward)(const void *args)
{
    const dropout_forward_args *a = args;
    random_take(a->used, a->state, a->n);
    dropout(a->y, a->x, a->used, a->n, a->p);
}

void KERNEL(dropout_backward)(const void *args)
{
    const dropout_backward_args *a = args;
    dropout(a->dx, a->dy, a->used, a->n, a->p);
}
