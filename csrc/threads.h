/* Threads. This and threads.c are the only files that know of them.
 *
 * One pool serves the process. A caller that finds it busy (another Python thread is in a kernel)
 * does its work alone, so N callers never run on N x M threads. What a block computes depends on
 * the block alone, so results are the same bits for any number of threads. */
#ifndef PYML_THREADS_H
#define PYML_THREADS_H

#include <stddef.h>

/* Computes [begin, end) of a loop. */
typedef void (*range_fn)(const void *context, ptrdiff_t begin, ptrdiff_t end);

/* Calls range(context, i, min(i + block, n)) for i = 0, block, 2 block, ... < n, each once, in any order and
 * on any thread, and returns when all are done. `cost` is the time of the whole loop on one thread in
 * nanoseconds, a rough estimate: it decides how many threads are worth waking, never what is computed. */
void parallel_for(ptrdiff_t n, ptrdiff_t block, double cost, range_fn range, const void *context);

/* Working memory of the calling thread, SCRATCH_BYTES long, 64-byte aligned, there since the thread's first
 * kernel. A kernel may use its caller's scratch inside `range` (through the context); what `range`
 * itself asks for is that of the thread it runs on, which on the caller is the same memory: a kernel
 * that uses both divides it in two. Contents do not survive the kernel. */
enum { SCRATCH_BYTES = 16 << 20 };
void *thread_scratch(void);

/* More of it, THREAD_ROWS_BYTES long, which no kernel uses: for rows between the calls of a chain. */
enum { THREAD_ROWS_BYTES = 8 << 20 };
void *thread_rows(void);

/* Makes the calling thread ready: scratch present. 0, or -1 when memory is short. */
int thread_prepare(void);

/* Around a long row of kernels without a pause. Callers that are in one at the same time share the threads: with as many
 * of them as threads, each works alone. */
void threads_enter(void);
void threads_leave(void);

/* Threads a kernel may use, the caller's included. The default honours affinity, the cgroup's CPU quota and
 * OMP_NUM_THREADS. */
void threads_set(int count);
int threads_get(void);

/* 1: from now on the calling thread works alone, and is told of one thread; 0: as before. For blocks of a loop that call
 * kernels. */
void threads_alone(int alone);

#endif
