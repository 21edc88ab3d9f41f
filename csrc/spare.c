/* See spare.h. */
#include "system.h" /* first: _GNU_SOURCE */

#include "effects.h"
#include "spare.h"
#include "uses.h"

#include <stdlib.h>

enum { HUGE_PAGE = 2 << 20 };

typedef struct {
    char *begin, *end;
} range;

typedef struct {
    const program_call *calls;
    ptrdiff_t count;
    chain *const *chains;
    ptrdiff_t chain_count;
    is_left_fn is_left;
    void *context;
    /* of the call that is looked at */
    ptrdiff_t call;
    const chain *chain; /* NULL: it is in none */
    const range *asked; /* NULL: ranges are gathered */
    bool is_touched;
    range *ranges;
    ptrdiff_t range_count, capacity;
} search;

static bool is_kept(const search *s, void **field)
{
    return s->chain != NULL &&
           chain_keeps(s->chain, s->call, (char *)field - (const char *)s->calls[s->call].args);
}

static void gather(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    search *s = context;
    char *begin = (char *)*field - before;
    if ((access & EFFECT_WRITE) == 0 || bytes < HUGE_PAGE || !is_kept(s, field)) return;
    if (!s->is_left(s->context, begin)) return;
    if (s->range_count == s->capacity) {
        range *larger = realloc(s->ranges, (size_t)(2 * s->capacity + 8) * sizeof *larger);
        if (larger == NULL) return;
        s->ranges = larger, s->capacity = 2 * s->capacity + 8;
    }
    s->ranges[s->range_count++] = (range){begin, begin + bytes};
}

static void touch(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    search *s = context;
    (void)access;
    s->is_touched |= !is_kept(s, field) && uses_overlap((char *)*field - before, (ptrdiff_t)bytes,
                                                        s->asked->begin, s->asked->end - s->asked->begin);
}

static void each_call(search *s, effects_fn visit)
{
    ptrdiff_t next = 0; /* of the chains */
    for (s->call = 0; s->call < s->count; s->call++) {
        const program_call *call = &s->calls[s->call];
        if (call->is_extra) continue; /* where it is made all calls are made as they are, and touch all */
        while (next < s->chain_count && chain_end(s->chains[next]) <= s->call) next++;
        const bool is_in = next < s->chain_count && chain_first(s->chains[next]) <= s->call;
        s->chain = is_in ? s->chains[next] : NULL;
        pyml_effects(call->kernel, call->dtype, call->args, visit, s);
    }
}

static int by_begin(const void *a, const void *b)
{
    const char *i = ((const range *)a)->begin, *j = ((const range *)b)->begin;
    return (i > j) - (i < j);
}

ptrdiff_t spare_memory(const program_call *calls, ptrdiff_t count, chain *const *chains,
                       ptrdiff_t chain_count, is_left_fn is_left, void *context)
{
    if (!SYSTEM_TAKES_BACK || chain_count == 0) return 0;
    search s = {.calls = calls,
                .count = count,
                .chains = chains,
                .chain_count = chain_count,
                .is_left = is_left,
                .context = context};
    ptrdiff_t bytes = 0;
    each_call(&s, gather);
    if (s.range_count > 1) qsort(s.ranges, (size_t)s.range_count, sizeof *s.ranges, by_begin);
    const char *done = NULL;
    for (range *r = s.ranges; r < s.ranges + s.range_count; r++) {
        s.asked = r, s.is_touched = false;
        each_call(&s, touch);
        if (s.is_touched) continue;
        char *begin = r->begin < done ? (char *)done : r->begin;
        begin += (HUGE_PAGE - (uintptr_t)begin % HUGE_PAGE) % HUGE_PAGE;
        char *end = r->end - (uintptr_t)r->end % HUGE_PAGE;
        if (begin >= end) continue;
        system_take_back(begin, (size_t)(end - begin));
        bytes += end - begin;
        done = end;
    }
    free(s.ranges);
    return bytes;
}
