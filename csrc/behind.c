/* See behind.h. */
#include "behind.h"
#include "arguments.h"
#include "contracts/linear.h"
#include "dispatch.h"
#include "effects.h"
#include "uses.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST_BYTES = 4
        << 20, /* of a weight, its gradient and its state: what the caches do not keep from step to step */
    PIECES = 2 + OPTIM_ARRAYS + OPTIM_NUMBERS,
};

/* Segment `segment` of call `update` is updated by call `product`. */
typedef struct {
    ptrdiff_t product, update, segment;
} pair;

struct behind {
    pair *pairs; /* in the order of their products */
    ptrdiff_t count;
    optim_segment *segments; /* room for those of the largest call */
};

static const optim_segment *segment_of(const pair *p, const program_call *calls)
{
    return &((const optim_args *)calls[p->update].args)->segments[p->segment];
}

/* ---- what calls touch ----------------------------------------------------------------------------------- */

typedef struct {
    void *const *field; /* where the pointer stands */
    size_t bytes;
} piece;

/* What an update reads and writes: the gradient first. Returns how many. */
static int pieces_of(const optim_segment *s, pyml_dtype dtype, piece pieces[PIECES])
{
    const size_t bytes = (size_t)(s->n * pyml_dtype_bytes(dtype));
    int count = 0;
    pieces[count++] = (piece){(void *const *)&s->g, bytes};
    pieces[count++] = (piece){&s->w, bytes};
    for (int k = 0; k < OPTIM_ARRAYS; k++) pieces[count++] = (piece){&s->arrays[k], bytes};
    for (int k = 0; k < OPTIM_NUMBERS; k++)
        pieces[count++] = (piece){(void *const *)&s->numbers[k], sizeof(double)};
    return count;
}

typedef struct {
    const char *memory;
    size_t bytes;
    const void *but; /* a field that does not count */
    bool found;
} search;

static void see(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    search *s = context;
    (void)access;
    if ((const void *)field != s->but)
        s->found |=
            uses_overlap((const char *)*field - before, (ptrdiff_t)bytes, s->memory, (ptrdiff_t)s->bytes);
}

static bool touches(const program_call *call, const void *memory, size_t bytes, const void *but)
{
    search s = {memory, bytes, but, false};
    if (memory != NULL && !call->is_extra) pyml_effects(call->kernel, call->dtype, call->args, see, &s);
    return s.found;
}

/* ---- finding -------------------------------------------------------------------------------------------- */

/* The one call that computes a gradient, a product; -1: there is none, or other calls than it and `update` touch the
 * gradient. Calls that only measure do not count, as where they are made nothing stands behind anything. */
static ptrdiff_t product_for(const program_call *calls, ptrdiff_t count, ptrdiff_t update,
                             const optim_segment *s)
{
    const size_t bytes = (size_t)(s->n * pyml_dtype_bytes(calls[update].dtype));
    ptrdiff_t product = -1;
    for (ptrdiff_t i = 0; i < count; i++) {
        const void *but = i == update ? (const void *)&s->g : NULL;
        if (i < update && product < 0 && pyml_is_linear_backward(calls[i].kernel)) {
            const linear_backward_args *a = calls[i].args;
            if (a->dw == s->g && a->o * a->k == s->n && calls[i].dtype == calls[update].dtype)
                product = i, but = &a->dw;
        }
        if (touches(&calls[i], s->g, bytes, but)) return -1;
    }
    return product;
}

/* Whether an update may be made with call `product` already: nobody between the two sees the weight, its state or the
 * options, and no replay stops there. */
static bool is_free(const program_call *calls, ptrdiff_t product, ptrdiff_t update, const optim_segment *s)
{
    const optim_args *u = calls[update].args;
    const linear_backward_args *a = calls[product].args;
    piece pieces[PIECES];
    const int count = pieces_of(s, calls[update].dtype, pieces);
    for (ptrdiff_t i = product; i <= update; i++) {
        if (program_fault_of(&calls[i]) != NULL) return false;
        if (i < update && touches(&calls[i], u->options, (size_t)u->options_size, NULL)) return false;
        for (int k = 1; k < count; k++) {
            const void *but = i == product  ? (const void *)&a->w
                              : i == update ? (const void *)pieces[k].field
                                            : NULL;
            if (touches(&calls[i], *pieces[k].field, pieces[k].bytes, but)) return false;
        }
    }
    return true;
}

static bool is_worth_it(const optim_segment *s, pyml_dtype dtype)
{
    ptrdiff_t arrays = 2;
    for (int k = 0; k < OPTIM_ARRAYS; k++) arrays += s->arrays[k] != NULL;
    return s->n * pyml_dtype_bytes(dtype) * arrays >= LEAST_BYTES;
}

static int by_product(const void *a, const void *b)
{
    const ptrdiff_t i = ((const pair *)a)->product, j = ((const pair *)b)->product;
    return (i > j) - (i < j);
}

/* Adds a pair. False without memory. */
static bool add(behind *b, pair p)
{
    pair *pairs = realloc(b->pairs, (size_t)(b->count + 1) * sizeof *pairs);
    if (pairs == NULL) return false;
    b->pairs = pairs;
    pairs[b->count++] = p;
    return true;
}

behind *behind_find(program_call *calls, ptrdiff_t count)
{
    behind *b = calloc(1, sizeof *b);
    ptrdiff_t largest = 0;
    bool failed = b == NULL;
    for (ptrdiff_t j = 0; j < count && !failed; j++) {
        if (calls[j].kernel == KERNEL_callback) failed = true; /* Python may look at any gradient */
        if (pyml_optimizer(calls[j].kernel) == NULL) continue;
        const optim_args *u = calls[j].args;
        if (u->count > largest) largest = u->count;
        for (ptrdiff_t k = 0; k < u->count && !failed; k++) {
            const optim_segment *s = &u->segments[k];
            if (!is_worth_it(s, calls[j].dtype)) continue;
            const ptrdiff_t i = product_for(calls, count, j, s);
            if (i >= 0 && is_free(calls, i, j, s)) failed = !add(b, (pair){i, j, k});
        }
    }
    if (!failed) b->segments = malloc((size_t)largest * sizeof *b->segments);
    if (failed || b->count == 0 || b->segments == NULL) {
        behind_free(b);
        return NULL;
    }
    qsort(b->pairs, (size_t)b->count, sizeof *b->pairs, by_product);
    return b;
}

void behind_free(behind *b)
{
    if (b == NULL) return;
    free(b->pairs);
    free(b->segments);
    free(b);
}

/* ---- replay --------------------------------------------------------------------------------------------- */

ptrdiff_t behind_first(const behind *b) { return b->pairs[0].product; }

static const pair *pair_of(const behind *b, ptrdiff_t product)
{
    for (const pair *p = b->pairs; p < b->pairs + b->count; p++)
        if (p->product == product) return p;
    return NULL;
}

ptrdiff_t behind_update(const behind *b, const program_call *calls, ptrdiff_t i, optim_args *one)
{
    const pair *p = pair_of(b, i);
    if (p == NULL) return -1;
    const optim_args *u = calls[p->update].args;
    *one = (optim_args){segment_of(p, calls), 1, u->options, u->options_size};
    return p->update;
}

bool behind_writes(const program_call *calls, ptrdiff_t i)
{
    const linear_backward_args *a = calls[i].args;
    return !pyml_linear((pyml_kernel)calls[i].kernel, calls[i].dtype)->hands_on(a->o, a->n, a->k);
}

bool behind_touches(const behind *b, const program_call *calls, const void *memory, size_t bytes)
{
    for (const pair *p = b->pairs; p < b->pairs + b->count; p++) {
        piece pieces[PIECES];
        const int count = pieces_of(segment_of(p, calls), calls[p->update].dtype, pieces);
        for (int k = 0; k < count; k++)
            if (*pieces[k].field != NULL &&
                uses_overlap(*pieces[k].field, (ptrdiff_t)pieces[k].bytes, memory, (ptrdiff_t)bytes))
                return true;
    }
    return false;
}

/* The optimizer's call for all that its products have not updated; of that it counts the steps. */
static bool update_rest(const behind *b, const program_call *call, ptrdiff_t i)
{
    const optim_args *u = call->args;
    bool is_shorter = false;
    for (const pair *p = b->pairs; p < b->pairs + b->count; p++) {
        if (p->update != i) continue;
        if (!is_shorter) memcpy(b->segments, u->segments, (size_t)u->count * sizeof *b->segments);
        is_shorter = true;
        b->segments[p->segment].n = 0;
    }
    if (!is_shorter) return false;
    const optim_args rest = {b->segments, u->count, u->options, u->options_size};
    pyml_kernel_of((pyml_kernel)call->kernel, call->dtype)(&rest);
    return true;
}

bool behind_run(const behind *b, const program_call *calls, ptrdiff_t i, const product_finish *finish)
{
    optim_args one;
    const ptrdiff_t made = behind_update(b, calls, i, &one);
    if (made < 0) return update_rest(b, &calls[i], i);
    const program_call *update = &calls[made];
    pyml_linear((pyml_kernel)calls[i].kernel, calls[i].dtype)
        ->backward(calls[i].args, finish, pyml_kernel_of((pyml_kernel)update->kernel, update->dtype), &one);
    return true;
}
