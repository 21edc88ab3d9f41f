/* See uses.h. */
#include "uses.h"
#include "effects.h"

/* What a visit of a call finds of a piece of memory. */
typedef struct {
    const char *memory;
    ptrdiff_t bytes;
    bool is_read, is_replaced;
} later_use;

static void see_use(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    later_use *use = context;
    const char *begin = (const char *)*field - before;
    if (!uses_overlap(begin, (ptrdiff_t)bytes, use->memory, use->bytes)) return;
    use->is_read |= (access & EFFECT_READ) != 0;
    use->is_replaced |=
        access == EFFECT_WRITE && begin <= use->memory && begin + bytes >= use->memory + use->bytes;
}

bool uses_are_over(const program_call *calls, ptrdiff_t count, ptrdiff_t from, const void *memory,
                   ptrdiff_t bytes, is_left_fn is_left, void *context)
{
    for (const program_call *call = calls + from; call < calls + count; call++) {
        if (call->is_extra) continue;
        later_use use = {.memory = memory, .bytes = bytes};
        pyml_effects(call->kernel, call->dtype, call->args, see_use, &use);
        if (use.is_read) return false;
        if (use.is_replaced) return true;
    }
    return is_left(context, memory) != 0;
}
