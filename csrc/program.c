/* See program.h. */
#include "system.h" /* first: _GNU_SOURCE */

#include "program.h"
#include "behind.h"
#include "chain.h"
#include "contracts/callback.h"
#include "contracts/clip.h"
#include "contracts/gather.h"
#include "contracts/optim.h"
#include "dispatch.h"
#include "effects.h"
#include "follow.h"
#include "spare.h"
#include "subnormals.h"
#include "threads.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_BYTES = 16 << 10, /* of memory for arguments: calls lie side by side, in order */
    ALIGNMENT = 16,
    TIMED_EVERY = 64, /* replays: reading the clock at each call costs a tenth of a small one */
    TIMED_FIRST = 4,  /* those before find nothing in the caches */
};

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGNMENT) char bytes[];
} chunk;

/* A pointer of a kept call that is part of an input: at `offset` from its beginning. */
typedef struct {
    void **field;
    ptrdiff_t offset;
} binding;

typedef struct {
    void *memory;
    void *values;
    size_t bytes;
} restoration;

typedef struct {
    restoration *items;
    ptrdiff_t count, capacity;
} restorations;

struct pyml_program {
    program_call *calls;
    ptrdiff_t count, capacity;
    chunk *chunks;
    binding *bindings; /* those of an input lie side by side */
    ptrdiff_t binding_count, binding_capacity;
    ptrdiff_t *input_ends; /* in `bindings` */
    ptrdiff_t input_count, input_capacity;
    restorations restored; /* before each replay */
    restorations saved;    /* values: of the last replay's begin */
    chain **chains; /* in the order of their calls */
    ptrdiff_t chain_count, chain_capacity;
    follow *follows; /* in the order of their products */
    ptrdiff_t follow_count, follow_capacity;
    behind *behind; /* NULL: nothing is */
    const behind *timed_behind; /* as the replays that were timed had it */
    ptrdiff_t check_call; /* -1: none */
    const void *check_number;
    pyml_dtype check_dtype;
    ptrdiff_t stopped;
    int extras; /* are they run? */
    int untimed,
        more_behind; /* replays since the last that was timed; how many more had updates behind than not */
    ptrdiff_t timed;
};

/* ---- building --------------------------------------------------------------------------------------- */

pyml_program *program_new(void)
{
    pyml_program *p = calloc(1, sizeof *p);
    if (p != NULL) p->check_call = -1;
    return p;
}

void program_free(pyml_program *p)
{
    if (p == NULL) return;
    for (chunk *c = p->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    for (ptrdiff_t i = 0; i < p->chain_count; i++) chain_free(p->chains[i]);
    free(p->chains);
    free(p->follows);
    behind_free(p->behind);
    free(p->calls);
    free(p->bindings);
    free(p->input_ends);
    free(p->restored.items);
    free(p->saved.items);
    free(p);
}

/* A copy of `size` bytes that lives as long as the program. */
static void *keep(pyml_program *p, const void *bytes, size_t size)
{
    size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (p->chunks == NULL || p->chunks->size - p->chunks->used < padded) {
        size_t room = padded > CHUNK_BYTES ? padded : CHUNK_BYTES;
        chunk *fresh = malloc(sizeof *fresh + room);
        if (fresh == NULL) return NULL;
        *fresh = (chunk){.next = p->chunks, .size = room};
        p->chunks = fresh;
    }
    void *copy = p->chunks->bytes + p->chunks->used;
    p->chunks->used += padded;
    if (size > 0) memcpy(copy, bytes, size);
    return copy;
}

/* Room for one more element of an array. The array, or NULL without memory (the old one is still there). */
static void *grown(void *array, ptrdiff_t count, ptrdiff_t *capacity, size_t element)
{
    if (count < *capacity) return array;
    ptrdiff_t wanted = *capacity < 8 ? 16 : 2 * *capacity;
    void *larger = realloc(array, (size_t)wanted * element);
    if (larger != NULL) *capacity = wanted;
    return larger;
}

/* The segments of a call become the program's own. With own_steps its step counts do too. */
static bool keep_segments(pyml_program *p, const optim_segment **segments, ptrdiff_t count, bool own_steps)
{
    optim_segment *own = keep(p, *segments, (size_t)count * sizeof *own);
    for (ptrdiff_t i = 0; own != NULL && own_steps && i < count; i++) {
        double **step = &own[i].numbers[OPTIM_STEP];
        if ((*step = keep(p, *step, sizeof **step)) == NULL) return false;
    }
    *segments = own;
    return own != NULL;
}

/* A parameter whose state has no numbers does not keep its step count. */
static bool keep_update(pyml_program *p, optim_args *a, int numbers)
{
    a->options = keep(p, a->options, (size_t)a->options_size);
    return a->options != NULL && keep_segments(p, &a->segments, a->count, numbers == 0);
}

/* What `args` points to beside arrays is copied too. */
static bool keep_tables(pyml_program *p, int kernel, void *args)
{
    switch ((pyml_kernel)kernel) {
#define X(name, arguments, operations) \
    case KERNEL_##name:                \
        return true;
#define SEGMENTS(name, arguments, operations) \
    case KERNEL_##name:                       \
        return keep_segments(p, &((arguments *)args)->segments, ((arguments *)args)->count, false);
#define OPTIMIZER(name, arrays, numbers, operations) \
    case KERNEL_##name:                              \
        return keep_update(p, args, numbers);
#include "kernel_list.h"
#undef X
    case KERNEL_COUNT:
        break;
    }
    return false;
}

static void *insert(pyml_program *p, ptrdiff_t at, program_call call, size_t size)
{
    program_call *calls = grown(p->calls, p->count, &p->capacity, sizeof *calls);
    if (calls == NULL) return NULL;
    p->calls = calls;
    call.args = keep(p, call.args, size);
    if (call.args == NULL || !keep_tables(p, call.kernel, call.args)) return NULL;
    memmove(calls + at + 1, calls + at, (size_t)(p->count - at) * sizeof *calls);
    calls[at] = call;
    p->count++;
    return call.args;
}

void *program_append(pyml_program *p, int kernel, pyml_dtype dtype, const void *args, size_t size)
{
    return insert(p, p->count, (program_call){kernel, dtype, (void *)args, false, {0}}, size);
}

void *program_insert_extra(pyml_program *p, ptrdiff_t at, int kernel, pyml_dtype dtype, const void *args,
                           size_t size)
{
    return insert(p, at, (program_call){kernel, dtype, (void *)args, true, {0}}, size);
}

void program_extras(pyml_program *p, int run_them) { p->extras = run_them; }

ptrdiff_t program_count(const pyml_program *p) { return p->count; }
program_call *program_calls(pyml_program *p) { return p->calls; }
ptrdiff_t program_timed(const pyml_program *p) { return p->timed; }
ptrdiff_t program_stopped(const pyml_program *p) { return p->stopped; }

const int64_t *program_fault_of(const program_call *call)
{
    switch (call->kernel) {
    case KERNEL_index_check:
        return ((const index_check_args *)call->args)->fault;
    case KERNEL_callback:
        return ((const callback_args *)call->args)->fault;
    default:
        return NULL;
    }
}

const int64_t *program_fault(const pyml_program *p) { return program_fault_of(&p->calls[p->stopped]); }

int program_owns(const pyml_program *p, const void *address)
{
    for (const chunk *c = p->chunks; c != NULL; c = c->next)
        if ((uintptr_t)address - (uintptr_t)c->bytes < c->used) return true;
    return false;
}

/* ---- pointers --------------------------------------------------------------------------------------- */

typedef struct {
    pyml_program *program;
    ptrdiff_t first; /* call that is searched */
    const char *memory;
    size_t size;
    char *to; /* of a move */
    bool failed;
} search;

static bool is_in(const search *s, const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)s->memory < s->size;
}

static void each_field(pyml_program *p, effects_fn visit, search *s)
{
    for (ptrdiff_t i = s->first; i < p->count; i++)
        pyml_effects(p->calls[i].kernel, p->calls[i].dtype, p->calls[i].args, visit, s);
}

static void move_field(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    search *s = context;
    (void)before, (void)bytes, (void)access;
    if (is_in(s, *field)) *field = s->to + ((char *)*field - s->memory);
}

void program_move(pyml_program *p, ptrdiff_t first, const void *memory, size_t size, void *to)
{
    search s = {.program = p, .first = first, .memory = memory, .size = size, .to = to};
    each_field(p, move_field, &s);
    if (is_in(&s, p->check_number)) p->check_number = s.to + ((const char *)p->check_number - s.memory);
}

static void bind_field(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    search *s = context;
    pyml_program *p = s->program;
    (void)before, (void)bytes, (void)access;
    if (!is_in(s, *field)) return;
    binding *bindings = grown(p->bindings, p->binding_count, &p->binding_capacity, sizeof *bindings);
    if (bindings == NULL) {
        s->failed = true;
        return;
    }
    p->bindings = bindings;
    bindings[p->binding_count++] = (binding){field, (char *)*field - s->memory};
}

int program_input(pyml_program *p, const void *memory, size_t size)
{
    search s = {.program = p, .memory = memory, .size = size};
    ptrdiff_t *ends = grown(p->input_ends, p->input_count, &p->input_capacity, sizeof *ends);
    if (ends == NULL) return -1;
    p->input_ends = ends;
    each_field(p, bind_field, &s);
    if (s.failed) return -1;
    ends[p->input_count] = p->binding_count;
    return (int)p->input_count++;
}

void program_bind(pyml_program *p, int input, void *memory)
{
    for (ptrdiff_t i = input == 0 ? 0 : p->input_ends[input - 1]; i < p->input_ends[input]; i++)
        *p->bindings[i].field = (char *)memory + p->bindings[i].offset;
}

static int add_restoration(pyml_program *p, restorations *all, void *memory, const void *values, size_t bytes)
{
    restoration *items = grown(all->items, all->count, &all->capacity, sizeof *items);
    if (items == NULL) return -1;
    all->items = items;
    void *copy = keep(p, values, bytes);
    if (copy == NULL) return -1;
    items[all->count++] = (restoration){memory, copy, bytes};
    return 0;
}

int program_restore(pyml_program *p, void *memory, const void *values, size_t bytes)
{
    return add_restoration(p, &p->restored, memory, values, bytes);
}

int program_save(pyml_program *p, void *memory, size_t bytes)
{
    return add_restoration(p, &p->saved, memory, memory, bytes);
}

static void restore(const restorations *all)
{
    for (ptrdiff_t i = 0; i < all->count; i++)
        memcpy(all->items[i].memory, all->items[i].values, all->items[i].bytes);
}

void program_undo(pyml_program *p) { restore(&p->saved); }

void program_check(pyml_program *p, ptrdiff_t call, const void *number, pyml_dtype dtype)
{
    p->check_call = call, p->check_number = number, p->check_dtype = dtype;
}

/* ---- calls that are made as one ---------------------------------------------------------------------- */

static bool is_chained(const pyml_program *p, ptrdiff_t first, ptrdiff_t last)
{
    for (ptrdiff_t i = 0; i < p->chain_count; i++)
        if (first < chain_end(p->chains[i]) && chain_first(p->chains[i]) <= last) return true;
    return false;
}

static void find_follows(pyml_program *p, is_left_fn is_left, void *context)
{
    for (ptrdiff_t i = 0; i < p->count; i++) {
        follow *follows = grown(p->follows, p->follow_count, &p->follow_capacity, sizeof *follows), found;
        if (follows == NULL) return;
        p->follows = follows;
        if (!follow_find(&found, p->calls, p->count, i, is_left, context)) continue;
        if (!is_chained(p, i, follow_end(&found))) follows[p->follow_count++] = found;
        i = follow_end(&found);
    }
}

ptrdiff_t program_fuse(pyml_program *p, is_left_fn is_left, void *context, int behind)
{
    for (ptrdiff_t i = 0; i < p->count;) {
        chain **chains = grown(p->chains, p->chain_count, &p->chain_capacity, sizeof *chains);
        if (chains == NULL) return 0;
        p->chains = chains;
        chain *found = chain_find(p->calls, p->count, i, is_left, context);
        if (found != NULL) chains[p->chain_count++] = found;
        i = found != NULL ? chain_end(found) : i + 1;
    }
    find_follows(p, is_left, context);
    if (behind) p->behind = behind_find(p->calls, p->count);
    return spare_memory(p->calls, p->count, p->chains, p->chain_count, is_left, context);
}

ptrdiff_t program_behind(const pyml_program *p, ptrdiff_t call, optim_args *one, int *is_written)
{
    const behind *b = p->timed > 0 ? p->timed_behind : p->behind;
    const ptrdiff_t update = b == NULL ? -1 : behind_update(b, p->calls, call, one);
    *is_written = update >= 0 && behind_writes(p->calls, call);
    return update;
}

ptrdiff_t program_fused(const pyml_program *p, ptrdiff_t call, double *bytes)
{
    for (ptrdiff_t i = 0; i < p->chain_count; i++)
        if (chain_first(p->chains[i]) == call) {
            *bytes = chain_bytes(p->chains[i]);
            return chain_end(p->chains[i]) - call;
        }
    for (const follow *f = p->follows; f < p->follows + p->follow_count; f++)
        if (f->product == call) {
            *bytes = follow_bytes(f, p->calls);
            return follow_end(f) + 1 - call;
        }
    return 1;
}

/* ---- replay ----------------------------------------------------------------------------------------- */

static bool is_finite(const pyml_program *p)
{
    return p->check_dtype == PYML_FLOAT32 ? isfinite(*(const float *)p->check_number)
                                          : isfinite(*(const double *)p->check_number);
}

/* Whether call i must end the replay. */
static program_status verdict(const pyml_program *p, ptrdiff_t i)
{
    const int64_t *fault = program_fault_of(&p->calls[i]);
    if (fault != NULL && *fault >= 0) return PROGRAM_FAULT;
    if (i == p->check_call && !is_finite(p)) return PROGRAM_NOT_FINITE;
    return PROGRAM_DONE;
}

/* Whether calls first .. last may be made as one: nobody looks at what lies between them. */
static bool is_one(const pyml_program *p, ptrdiff_t first, ptrdiff_t last)
{
    return !p->extras && (p->check_call < first || p->check_call >= last);
}

/* Makes call i, or those of a chain `c` or a follow `f` that begin with it. Returns the last that was made. `b`: updates that
 * stand behind their gradients; NULL: none do. */
static ptrdiff_t make_calls(const pyml_program *p, ptrdiff_t i, const chain *c, const follow *f,
                            const behind *b)
{
    if (f != NULL && is_one(p, i, follow_end(f))) {
        const product_finish finish = follow_finish(f, p->calls);
        if (b == NULL || !behind_run(b, p->calls, i, &finish)) follow_run(f, p->calls);
        return follow_end(f);
    }
    if (b != NULL && behind_run(b, p->calls, i, NULL)) return i;
    if (c != NULL && is_one(p, i, chain_end(c) - 1)) {
        chain_run(c, p->calls);
        return chain_end(c) - 1;
    }
    const program_call *call = &p->calls[i];
    pyml_kernel_of((pyml_kernel)call->kernel, call->dtype)(call->args);
    return i;
}

/* Whether a replay is timed: one that is made as most since the last were. The first and the last step of a run and those
 * between Python's have no update behind. Times are of replays that were made in the same way. */
static bool is_timed(pyml_program *p, const behind *b)
{
    const int due = p->timed > 0 ? TIMED_EVERY : TIMED_FIRST + 1;
    p->more_behind += b != NULL ? 1 : -1;
    if (++p->untimed < due || (p->more_behind > 0) != (b != NULL)) return false;
    p->untimed = p->more_behind = 0;
    if (p->timed_behind != b) p->timed = 0, p->timed_behind = b;
    return true;
}

static program_status replay(pyml_program *p, const behind *b)
{
    const bool timed = is_timed(p, b);
    for (ptrdiff_t i = 0; i < p->saved.count; i++)
        memcpy(p->saved.items[i].values, p->saved.items[i].memory, p->saved.items[i].bytes);
    restore(&p->restored);
    int64_t start = timed ? system_ns() : 0;
    ptrdiff_t next = 0, next_follow = 0; /* of the chains, and of the follows */
    for (ptrdiff_t i = 0; i < p->count; i++) {
        program_call *call = &p->calls[i];
        if (call->is_extra && !p->extras) continue;
        const bool begins = next < p->chain_count && chain_first(p->chains[next]) == i;
        const bool is_followed = next_follow < p->follow_count && p->follows[next_follow].product == i;
        i = make_calls(p, i, begins ? p->chains[next++] : NULL,
                       is_followed ? &p->follows[next_follow++] : NULL, b);
        if (timed) {
            int64_t end = system_ns();
            call->ns[p->timed % PROGRAM_TIMES] = (float)(end - start);
            start = end;
        }
        program_status status = verdict(p, i);
        if (status != PROGRAM_DONE) {
            p->stopped = i;
            return status;
        }
    }
    p->timed += timed;
    return PROGRAM_DONE;
}

program_status program_replay(pyml_program *p)
{
    if (thread_prepare() != 0) return PROGRAM_NO_MEMORY;
    flush_state before = flush_subnormals();
    program_status status = replay(p, NULL);
    restore_subnormals(before);
    return status;
}

/* Gives the program the rows of step i. */
static void take_rows(pyml_program *p, const program_run_args *run, ptrdiff_t i)
{
    for (ptrdiff_t k = 0; k < run->input_count; k++) {
        const program_rows *in = &run->inputs[k];
        if (run->order == NULL) {
            program_bind(p, in->input, (char *)in->rows + i * run->batch * in->row_bytes);
        } else {
            gather_args args = {in->batch, in->rows, run->order + i * run->batch, run->batch, in->row_bytes};
            pyml_kernel_of(KERNEL_gather, PYML_FLOAT32)(&args);
        }
    }
}

/* The updates that may stand behind their gradients in the steps of a run, but for those after which a gradient is looked
 * at. NULL: none. */
static const behind *behind_of(const pyml_program *p, const program_run_args *run)
{
    if (p->behind == NULL || p->extras || p->check_call >= behind_first(p->behind)) return NULL;
    for (ptrdiff_t k = 0; run->order == NULL && k < run->input_count; k++) {
        const program_rows *in = &run->inputs[k];
        if (behind_touches(p->behind, p->calls, in->rows, (size_t)(run->end * run->batch * in->row_bytes)))
            return NULL;
    }
    for (ptrdiff_t k = 0; k < run->after_count; k++)
        if (behind_touches(p->behind, p->calls, run->after[k].from, run->after[k].bytes)) return NULL;
    return p->behind;
}

program_status program_run(pyml_program *p, program_run_args *run)
{
    if (thread_prepare() != 0) return PROGRAM_NO_MEMORY;
    flush_state before = flush_subnormals();
    threads_enter();
    const int64_t end_ns = system_ns() + run->nanoseconds;
    program_status status = PROGRAM_DONE;
    for (ptrdiff_t k = 0; run->order != NULL && k < run->input_count; k++)
        program_bind(p, run->inputs[k].input, run->inputs[k].batch);
    const behind *b = behind_of(p, run);
    bool is_late = run->nanoseconds <= 0, leaves_all = true;
    while (run->step < run->end) {
        const ptrdiff_t i = run->step;
        leaves_all = b == NULL || (is_late && run->leaves_all) || i + 1 == run->end;
        take_rows(p, run, i);
        for (const program_transfer *t = run->before, *end = t + run->before_count; t < end; t++)
            memcpy(t->to, (const char *)t->from + (size_t)i * t->stride, t->bytes);
        status = replay(p, leaves_all ? NULL : b);
        if (status != PROGRAM_DONE) break;
        for (const program_transfer *t = run->after, *end = t + run->after_count; t < end; t++)
            memcpy((char *)t->to + (size_t)i * t->stride, t->from, t->bytes);
        run->step++;
        is_late = system_ns() >= end_ns;
        if (is_late && (leaves_all || !run->leaves_all)) break;
    }
    run->leaves_all = leaves_all;
    threads_leave();
    restore_subnormals(before);
    return status;
}
