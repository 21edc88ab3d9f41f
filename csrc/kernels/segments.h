/* Loops over all elements of the segments of a call, as if they were one array, cut into blocks of SEGMENTS_BLOCK: work
 * is even among threads however the sizes differ. */
#ifndef PYML_SEGMENTS_H
#define PYML_SEGMENTS_H

#include "../contracts/optim.h"
#include "kernel.h"

enum { SEGMENTS_BLOCK = 16384 };

/* A segment, and the index of its first element among those of all. */
typedef struct {
    const optim_segment *s;
    ptrdiff_t first;
} place;

/* the segment of element i, at p or after it */
INLINE place find_element(place p, ptrdiff_t i)
{
    while (i - p.first >= p.s->n) p.first += p.s++->n;
    return p;
}

/* Runs a statement with `s` a segment and [from, to) its elements, for all that lie in [begin, end). */
#define FOR_SEGMENTS(segments, begin, end, ...)                       \
    do {                                                              \
        place p = {segments, 0};                                      \
        for (ptrdiff_t at = begin, stop; at < (end); at = stop) {     \
            p = find_element(p, at);                                  \
            stop = min_size(end, p.first + p.s->n);                   \
            const optim_segment *const s = p.s;                       \
            const ptrdiff_t from = at - p.first, to = stop - p.first; \
            __VA_ARGS__;                                              \
        }                                                             \
    } while (0)

INLINE ptrdiff_t count_elements(const optim_segment *segments, ptrdiff_t count)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < count; i++) n += segments[i].n;
    return n;
}

#endif
