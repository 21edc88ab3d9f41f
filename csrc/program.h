/* A program: the kernel calls of one step, kept, and the loop that replays them over minibatches.
 *
 * A kept call is a copy of its arguments. What they point to stays where it is, with three exceptions: memory that
 * moves (program_move), inputs, which are bound anew for each run (program_bind), and what an optimizer's call
 * points to beside the arrays, its segments and options, which the program copies and owns. Replayed on the same
 * memory the calls compute the same bits. A program serves one thread at a time. */
#ifndef PYML_PROGRAM_H
#define PYML_PROGRAM_H

#include "contracts/optim.h"

typedef struct pyml_program pyml_program;

pyml_program *program_new(void); /* NULL: no memory, as below */
void program_free(pyml_program *program);

/* Keeps a call that has run. Returns its arguments as they are kept, for good at that address; or NULL. */
void *program_append(pyml_program *program, int kernel, pyml_dtype dtype, const void *args, size_t size);

enum { PROGRAM_TIMES = 11 };

/* A kept call, and what it took, in nanoseconds, in the last of program_timed() replays, in any order. A line of cache. */
typedef struct {
    int kernel;
    pyml_dtype dtype;
    void *args;
    int is_extra; /* skipped unless program_extras() says otherwise */
    float ns[PROGRAM_TIMES];
} program_call;
ptrdiff_t program_count(const pyml_program *program);
program_call *program_calls(pyml_program *program);
ptrdiff_t program_timed(const pyml_program *program);

/* Puts a call that only measures before call `at`. Returns its arguments as kept, or NULL. */
void *program_insert_extra(pyml_program *program, ptrdiff_t at, int kernel, pyml_dtype dtype,
                           const void *args, size_t size);
void program_extras(pyml_program *program, int run_them);

/* Whether an address lies in what the program owns: arguments, segments, options. */
int program_owns(const pyml_program *program, const void *address);

/* What pointed into [memory, memory + size) points as far into `to`, from call `first` on. */
void program_move(pyml_program *program, ptrdiff_t first, const void *memory, size_t size, void *to);

/* All pointers into [memory, memory + size) are one input. Returns its number, or -1 without memory. To be called when
 * all calls are there. */
int program_input(pyml_program *program, const void *memory, size_t size);
void program_bind(pyml_program *program, int input, void *memory);

/* Before each replay, `memory` gets `bytes` of a copy of `values` that the program keeps. 0; -1 without memory. */
int program_restore(pyml_program *program, void *memory, const void *values, size_t bytes);

/* Each replay begins with a copy of `memory`, which program_undo() puts back: after a replay that stopped. 0; -1
 * without memory. */
int program_save(pyml_program *program, void *memory, size_t bytes);
void program_undo(pyml_program *program);

/* The result that is checked as soon as call `call` has written it: one number that must be finite. */
void program_check(pyml_program *program, ptrdiff_t call, const void *number, pyml_dtype dtype);

/* Whether a step leaves nothing at an address for the next step, or for anybody else. */
typedef int (*is_left_fn)(void *context, const void *address);

/* Lets calls that work row by row be replayed in chains, see chain.h, products be stored as what follows them says, see
 * follow.h, and with `behind` updates stand behind their
 * gradients in a run, see behind.h: not where a replay may stop and the gradients of the one before are still looked at.
 * To be called once, when all calls are there. Returns the bytes of memory that replays do not touch then, which the system
 * has back, see spare.h. */
ptrdiff_t program_fuse(pyml_program *program, is_left_fn is_left, void *context, int behind);

/* The calls from `call` on that are replayed as one: how many, 1 where it is alone; and the bytes that they read and write,
 * without what stays in working memory. */
ptrdiff_t program_fused(const pyml_program *program, ptrdiff_t call, double *bytes);

/* The optimizer's call of which a part, *one, stands behind the gradient of call `call`, as the replays that were timed had
 * it, or a run will before there was any; -1: none. *is_written: the gradient is, whole, before it is used. */
ptrdiff_t program_behind(const pyml_program *program, ptrdiff_t call, optim_args *one, int *is_written);

/* How a replay ended. Where it stopped, the calls before program_stopped() have run, and that one. */
typedef enum {
    PROGRAM_DONE,
    PROGRAM_FAULT,      /* an index out of range, or an exception: see index_check and callback_args */
    PROGRAM_NOT_FINITE, /* the number that program_check() named */
    PROGRAM_NO_MEMORY,  /* nothing has run */
} program_status;
ptrdiff_t program_stopped(const pyml_program *program);
const int64_t *
program_fault(const pyml_program *program); /* of the call that stopped it with PROGRAM_FAULT */

/* Where a call says that the replay must end: its number there is not negative. NULL: it does not say. */
const int64_t *program_fault_of(const program_call *call);

program_status program_replay(pyml_program *program);

/* ---- many steps ------------------------------------------------------------------------------------- */

/* An input whose rows are taken batch by batch: from `rows` on as they lie, or with an order gathered into `batch`. */
typedef struct {
    const void *rows;
    ptrdiff_t row_bytes;
    void *batch; /* run.batch rows */
    int input;
} program_rows;

/* `bytes` from `from`, copied after step i to `to` + i * stride; or before it from `from` + i * stride to `to`. */
typedef struct {
    void *to;
    const void *from;
    size_t bytes, stride;
} program_transfer;

/* Steps [step, end): step i works on rows [i * batch, (i+1) * batch) of the order. */
typedef struct {
    ptrdiff_t step; /* in/out: those before it are done */
    ptrdiff_t end, batch;
    const int64_t *order; /* of all rows; NULL: as they lie */
    const program_rows *inputs;
    ptrdiff_t input_count;
    const program_transfer *before, *after;
    ptrdiff_t before_count, after_count;
    int64_t nanoseconds; /* after so long no step begins; one is made at least */
    /* in: whether a last step is made then that leaves all gradients; out: whether the last one has left them, as step
     * end - 1 always does */
    int leaves_all;
} program_run_args;

/* If the last step that it makes leaves all gradients, all memory is as after as many replays. */
program_status program_run(pyml_program *program, program_run_args *run);

#endif
