/* See chain.h. */
#include "chain.h"
#include "dispatch.h"
#include "effects.h"
#include "rows.h"
#include "threads.h"
#include "uses.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_CALLS = 64,
    MOST_PIECES = 16, /* of a call */
    MOST_BYTES = 256, /* of a call's arguments */
    ROWS_STEP =
        64, /* a block has a multiple of so many rows: the pieces of working memory lie on lines of the cache */
    LEAST_ROWS = 512, /* and this many at least: each block packs the weights anew */
    LEAST_BLOCKS = 4, /* of fewer there is little to gain */
    BLOCK_BYTES = 1 << 20, /* of all that a block reads and writes: an L2 */
    OPERATIONS_PER_NS = 50, /* about */
    NONE = -1,
};

/* The rows at one pointer of a call. */
typedef struct {
    row_field field;
    ptrdiff_t room; /* where in working memory, in bytes a row; NONE: where the pointer says */
} link;

typedef struct {
    ptrdiff_t index; /* of the program's call */
    ptrdiff_t size, count, each;
    link links[ROW_FIELDS];
    int link_count;
} chained_call;

struct chain {
    ptrdiff_t first, end, rows, block; /* `end`: behind the last call */
    double ns, bytes; /* about; of all rows, outside of working memory */
    chained_call *calls;
    int count;
};

ptrdiff_t chain_first(const chain *c) { return c->first; }
ptrdiff_t chain_end(const chain *c) { return c->end; }
double chain_bytes(const chain *c) { return c->bytes; }

void chain_free(chain *c)
{
    free(c->calls);
    free(c);
}

bool chain_keeps(const chain *c, ptrdiff_t call, ptrdiff_t offset)
{
    for (const chained_call *each = c->calls; each < c->calls + c->count; each++)
        for (const link *l = each->links; each->index == call && l < each->links + each->link_count; l++)
            if (l->field.offset == offset) return l->room != NONE;
    return false;
}

/* ---- replay ----------------------------------------------------------------------------------------- */

typedef struct {
    const chain *chain;
    const program_call *calls;
} chain_replay;

static void run_rows(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const chain_replay *of = context;
    const chain *c = of->chain;
    char *room = thread_rows();
    threads_alone(1);
    for (const chained_call *call = c->calls; call < c->calls + c->count; call++) {
        const program_call *whole = &of->calls[call->index];
        _Alignas(max_align_t) char args[MOST_BYTES];
        memcpy(args, whole->args, (size_t)call->size);
        for (const link *l = call->links; l < call->links + call->link_count; l++) {
            char **pointer = (char **)(void *)(args + l->field.offset);
            *pointer = l->room == NONE ? *pointer + begin * l->field.bytes : room + c->block * l->room;
        }
        *(ptrdiff_t *)(void *)(args + call->count) = (end - begin) * call->each;
        pyml_kernel_of((pyml_kernel)whole->kernel, whole->dtype)(args);
    }
    threads_alone(0);
}

void chain_run(const chain *c, const program_call *calls)
{
    const chain_replay of = {c, calls};
    parallel_for(c->rows, c->block, c->ns, run_rows, &of);
}

/* ---- what a call touches ------------------------------------------------------------------------------ */

/* Memory that a call reads or writes. Rows lie in it one after another, `row` bytes long; NONE: all rows share it. */
typedef struct {
    char *begin;
    ptrdiff_t bytes, row, offset;
    int access;
} piece;

typedef struct {
    piece pieces[MOST_PIECES];
    int count;
    bool failed;
    char *args;
    const row_cut *cut; /* NULL: rows do not matter */
} call_pieces;

static void add_piece(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    call_pieces *all = context;
    if (all->count == MOST_PIECES) {
        all->failed = true;
        return;
    }
    piece *p = &all->pieces[all->count++];
    *p = (piece){(char *)*field - before, (ptrdiff_t)bytes, NONE, (char *)field - all->args, access};
    for (int i = 0; all->cut != NULL && i < all->cut->field_count; i++)
        if (all->cut->fields[i].offset == p->offset) {
            p->row = all->cut->fields[i].bytes;
            all->failed |= before != 0 || p->bytes != all->cut->rows * p->row;
        }
    /* what all rows share is not written */
    all->failed |= all->cut != NULL && p->row == NONE && (access & EFFECT_WRITE) != 0;
}

static call_pieces pieces_of(const program_call *call, const row_cut *cut)
{
    call_pieces all = {.args = call->args, .cut = cut};
    pyml_effects(call->kernel, call->dtype, call->args, add_piece, &all);
    return all;
}

static bool overlap(const piece *a, const piece *b)
{
    return uses_overlap(a->begin, a->bytes, b->begin, b->bytes);
}

static bool same_rows(const piece *a, const piece *b)
{
    return a->row != NONE && a->begin == b->begin && a->row == b->row && a->bytes == b->bytes;
}

/* ---- building ----------------------------------------------------------------------------------------- */

/* A piece as a call of the chain uses it. What is written is a value; what reads it names the call that wrote it. */
typedef struct {
    piece at;
    int call,
        value; /* among the uses: what is read; itself, if it is written; NONE: it was there before the chain */
    int last; /* of a value: the last call that reads it */
    bool in_room;
} use;

typedef struct {
    program_call *all;
    ptrdiff_t count;
    is_left_fn is_left;
    void *context;
    ptrdiff_t first, next, rows;
    use uses[MOST_CALLS * ROW_FIELDS + MOST_PIECES];
    int use_count;
    row_cut cuts[MOST_CALLS];
    ptrdiff_t indices[MOST_CALLS];
    int calls;
} builder;

static bool is_over(const builder *b, const piece *p, ptrdiff_t from)
{
    return uses_are_over(b->all, b->count, from, p->begin, p->bytes, b->is_left, b->context);
}

/* Adds a piece of the next call. False if the call cannot go along with those before it, row by row. */
static bool add_use(builder *b, const piece *p, int before)
{
    use *mine = &b->uses[b->use_count];
    const bool writes = (p->access & EFFECT_WRITE) != 0;
    *mine = (use){.at = *p, .call = b->calls, .value = NONE, .last = b->calls};
    for (int i = 0; i < before; i++) {
        use *other = &b->uses[i];
        if (!overlap(&other->at, p)) continue;
        const bool is_written = (other->at.access & EFFECT_WRITE) != 0;
        if (!writes && !is_written) continue;
        if (same_rows(&other->at, p)) {
            if (is_written) mine->value = i; /* the last one that does */
            continue;
        }
        /* other rows there: only if what was there is over, and never got there */
        if (!writes || other->value == NONE) return false;
        use *value = &b->uses[other->value];
        if (!value->in_room && !is_over(b, &value->at, b->next)) return false;
        value->in_room = true;
    }
    if (p->access & EFFECT_READ) {
        if (mine->value != NONE) b->uses[mine->value].last = b->calls;
        if (writes) return false; /* in/out: no row kernel has it */
    }
    if (writes) mine->value = b->use_count;
    b->use_count++;
    return true;
}

/* Adds the next call to the chain, if it can; else what is said of those before it may be wrong. */
static bool add_call(builder *b)
{
    while (b->next < b->count && b->all[b->next].is_extra) b->next++;
    if (b->next == b->count || b->calls == MOST_CALLS) return false;
    const program_call *call = &b->all[b->next];
    row_cut *cut = &b->cuts[b->calls];
    if (!pyml_rows(call->kernel, call->dtype, call->args, b->rows, cut)) return false;
    if (cut->size > MOST_BYTES || cut->rows < LEAST_BLOCKS * LEAST_ROWS) return false;
    const call_pieces pieces = pieces_of(call, cut);
    if (pieces.failed) return false;
    const int before = b->use_count;
    for (int pass = 0; pass < 2; pass++) /* it reads, then writes */
        for (int i = 0; i < pieces.count; i++)
            if (((pieces.pieces[i].access & EFFECT_READ) != 0) == (pass == 0) &&
                !add_use(b, &pieces.pieces[i], before))
                return false;
    b->rows = cut->rows;
    b->indices[b->calls++] = b->next++;
    return true;
}

/* Gives each value that is to be in working memory a place there, that of one which is over if there is one. Returns the
 * bytes of a row. */
static ptrdiff_t place(builder *b, ptrdiff_t *places)
{
    struct {
        ptrdiff_t begin, bytes;
        int last;
    } slots[MOST_CALLS];
    int count = 0;
    ptrdiff_t total = 0;
    for (int i = 0; i < b->use_count; i++) {
        const use *value = &b->uses[i];
        places[i] = NONE;
        if (value->value != i || !value->in_room) continue;
        int s = 0;
        while (s < count && (slots[s].last >= value->call || slots[s].bytes < value->at.row)) s++;
        if (s == MOST_CALLS) return NONE;
        if (s == count) {
            slots[count].begin = total, slots[count].bytes = value->at.row;
            total += slots[count++].bytes;
        }
        slots[s].last = value->last;
        places[i] = slots[s].begin;
    }
    return total;
}

/* Bytes of a row outside of working memory, each piece once. */
static ptrdiff_t bytes_outside(const builder *b)
{
    ptrdiff_t bytes = 0;
    for (int i = 0; i < b->use_count; i++) {
        const use *u = &b->uses[i];
        if (u->at.row == NONE || (u->value != NONE && (u->value != i || u->in_room))) continue;
        bytes += u->at.row;
    }
    return bytes;
}

/* Of what all rows share. */
static double shared_bytes(const builder *b)
{
    double bytes = 0;
    for (int i = 0; i < b->use_count; i++)
        if (b->uses[i].at.row == NONE) bytes += (double)b->uses[i].at.bytes;
    return bytes;
}

/* What the calls of a builder are as a chain; NULL where the rows are few, or a block is too large. */
static chain *chain_of(builder *b)
{
    ptrdiff_t places[MOST_CALLS * ROW_FIELDS + MOST_PIECES];
    const ptrdiff_t room = place(b, places), outside = bytes_outside(b), row_bytes = room + outside;
    if (room == NONE || row_bytes == 0) return NULL;
    const ptrdiff_t most = b->rows / LEAST_BLOCKS, fitting = BLOCK_BYTES / row_bytes;
    ptrdiff_t block = (most < fitting ? most : fitting) / ROWS_STEP * ROWS_STEP;
    if (block < LEAST_ROWS) block = LEAST_ROWS;
    if (block * room > THREAD_ROWS_BYTES) return NULL;
    chain *c = malloc(sizeof *c);
    if (c == NULL) return NULL;
    *c = (chain){.first = b->first,
                 .end = b->indices[b->calls - 1] + 1,
                 .rows = b->rows,
                 .block = block,
                 .bytes = (double)outside * (double)b->rows + shared_bytes(b),
                 .calls = calloc((size_t)b->calls, sizeof *c->calls),
                 .count = b->calls};
    if (c->calls == NULL) {
        free(c);
        return NULL;
    }
    for (int i = 0; i < b->calls; i++) {
        const program_call *call = &b->all[b->indices[i]];
        const row_cut *cut = &b->cuts[i];
        chained_call *mine = &c->calls[i];
        *mine =
            (chained_call){.index = b->indices[i], .size = cut->size, .count = cut->count, .each = cut->each};
        for (int u = 0; u < b->use_count; u++)
            if (b->uses[u].call == i && b->uses[u].at.row != NONE)
                mine->links[mine->link_count++] =
                    (link){{b->uses[u].at.offset, b->uses[u].at.row},
                           b->uses[u].value == NONE ? NONE : places[b->uses[u].value]};
        c->ns += pyml_effects(call->kernel, call->dtype, call->args, NULL, NULL) / OPERATIONS_PER_NS;
    }
    return c;
}

chain *chain_find(program_call *calls, ptrdiff_t count, ptrdiff_t first, is_left_fn is_left, void *context)
{
    builder *both = calloc(2, sizeof *both), *b = both, *tried = both + 1;
    if (both == NULL) return NULL;
    *b = (builder){
        .all = calls, .count = count, .is_left = is_left, .context = context, .first = first, .next = first};
    while (*tried = *b, add_call(tried)) *b = *tried;
    chain *c = NULL;
    if (b->calls > 1) {
        for (int i = 0; i < b->use_count; i++) {
            use *value = &b->uses[i];
            if (value->value == i && !value->in_room)
                value->in_room = is_over(b, &value->at, b->indices[value->last] + 1);
        }
        c = chain_of(b);
    }
    free(both);
    return c;
}
