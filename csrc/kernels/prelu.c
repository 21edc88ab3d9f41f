/* PReLU: elements with a slope for each channel.
 *
 * A block of elements is walked in pieces: those of a row, with a slope each, or those of one channel. */
#include "../contracts/activation.h"
#include "block_sums.h"
#include "kernel.h"

/* The elements from number i on that are walked together, `end` at most, and their first channel. */
typedef struct {
    ptrdiff_t count, channel;
} piece;

INLINE piece piece_at(ptrdiff_t i, ptrdiff_t end, ptrdiff_t c, ptrdiff_t inner, int shared)
{
    const ptrdiff_t place = shared ? i % inner : i % c, size = shared ? inner : c;
    return (piece){min_size(size - place, end - i), shared ? i / inner % c : place};
}

INLINE vec slope_at(const real *w, ptrdiff_t j, ptrdiff_t m, int shared)
{
    return shared ? vset1(*w) : vload_upto(w + j, m);
}

/* One channel has all elements in one piece. */
INLINE int is_shared(ptrdiff_t c, ptrdiff_t inner) { return inner > 1 || c == 1; }

/* ---- forward:  y = x where x > 0, else w * x ----------------------------------------------------------- */

INLINE void forward(const prelu_forward_args *a, ptrdiff_t begin, ptrdiff_t end, int shared)
{
    const ptrdiff_t c = a->c, inner = c == 1 ? end : a->inner;
    for (ptrdiff_t i = begin; i < end;) {
        const piece p = piece_at(i, end, c, inner, shared);
        const real *x = (const real *)a->x + i, *w = (const real *)a->w + p.channel;
        real *y = (real *)a->y + i;
        EACH_VECTOR(p.count, const vec v = vload_upto(x + j, m);
                    vstore_upto(y + j, vselect(v > 0, v, slope_at(w, j, m, shared) * v), m));
        i += p.count;
    }
}
static void forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const prelu_forward_args *a = context;
    if (is_shared(a->c, a->inner)) forward(a, begin, end, 1);
    else forward(a, begin, end, 0);
}

void KERNEL(prelu_forward)(const void *args)
{
    const prelu_forward_args *a = args;
    const ptrdiff_t n = a->n * a->c * a->inner;
    parallel_for(n, BLOCK, 0.2 * (double)n, forward_range, a);
}

/* ---- backward:  dx = dy where x > 0, else w * dy;  dw = sum of x * dy where not x > 0 ------------------- */

typedef struct {
    const prelu_backward_args *args;
    ptrdiff_t block;
    block_sums dw;
} prelu_context;

INLINE void backward(const prelu_context *k, ptrdiff_t begin, ptrdiff_t end, int shared)
{
    const prelu_backward_args *a = k->args;
    const ptrdiff_t c = a->c, inner = c == 1 ? end : a->inner;
    real *sums = cleared_sums(&k->dw, begin / k->block);
    for (ptrdiff_t i = begin; i < end;) {
        const piece p = piece_at(i, end, c, inner, shared);
        const real *x = (const real *)a->x + i, *dy = (const real *)a->dy + i;
        const real *w = (const real *)a->w + p.channel;
        real *dx = a->dx != NULL ? (real *)a->dx + i : NULL, *dw = sums != NULL ? sums + p.channel : NULL;
        vec sum = {0};
        EACH_VECTOR(p.count, {
            const vec v = vload_upto(x + j, m), g = vload_upto(dy + j, m);
            const ivec scaled = (v <= 0) | (v != v); /* ~(v > 0): GCC 12 fails at it under the sanitizers */
            const vec term = vselect(scaled, v * g, vset1(0));
            if (shared) sum += term;
            else if (dw != NULL) vstore_upto(dw + j, vload_upto(dw + j, m) + term, m);
            if (dx != NULL) vstore_upto(dx + j, vselect(scaled, slope_at(w, j, m, shared) * g, g), m);
        });
        if (shared && dw != NULL) *dw += vsum(sum);
        i += p.count;
    }
}
static void backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const prelu_context *k = context;
    if (is_shared(k->args->c, k->args->inner)) backward(k, begin, end, 1);
    else backward(k, begin, end, 0);
}

enum { SUMMED_ROWS = 32 }; /* rows of a block at least, so that adding the blocks up is little work */

void KERNEL(prelu_backward)(const void *args)
{
    const prelu_backward_args *a = args;
    const ptrdiff_t n = a->n * a->c * a->inner, least = a->c * SUMMED_ROWS;
    prelu_context k = {.args = a, .dw = block_sums_of(a->dw, a->c, 0)};
    k.block = summed_block(n, least < BLOCK ? BLOCK : least, a->c);
    parallel_for(n, k.block, 0.4 * (double)n, backward_range, &k);
    add_blocks(&k.dw, n, k.block);
}
