/* A small pool of threads.
 *
 * One job runs at a time. Its blocks are dealt out in equal runs, one to each participant, who then helps those
 * that are behind. Participant 0 is the caller, worker i is always participant i: so kernel after kernel a
 * thread works on the same part of the rows, which is in its cache. A worker enters the job if it comes while
 * the job is open; the caller never waits for one that is still waking: it closes the job when the blocks are
 * gone and waits only for those inside.
 *
 *     caller   lock pool -> open job -> wake -> take blocks -> close job -> wait for the last -> unlock
 *     worker   spin, then sleep, until `generation` moves -> enter -> take blocks -> leave
 *
 * To wake a sleeper costs the caller microseconds, and the sleeper comes tens of them later. So a short loop
 * uses the workers that are awake, and only much work wakes one. Workers start when first needed and never
 * end. A forked child starts with an empty pool. */
#include "system_threads.h" /* first: _GNU_SOURCE */

#include "subnormals.h"
#include "threads.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 256,
    /* work worth a thread that is awake: to hand it over costs a few hundred nanoseconds, but rows stay in the cache of the
     * core that works on them in kernel after kernel */
    GRAIN_NS = 800,
    WAKE_NS = 200000,  /* work done without the sleepers, after which they are woken */
    SPIN_NS = 100000,  /* how long to poll before sleeping: the gap between two kernels of a step */
    CACHE_LINE = 64,
    CLOSED = INT_MIN / 2,
    THREAD_BYTES = SCRATCH_BYTES + THREAD_ROWS_BYTES,
};

/* ---- scratch ---------------------------------------------------------------------------------------- */

static _Thread_local void *scratch;
static void scratch_free(void *memory) { pages_free(memory, THREAD_BYTES); }
static void pool_reset_in_child(void);

int thread_prepare(void)
{
    if (scratch != NULL) return 0;
    void *memory = threads_prepare(scratch_free, pool_reset_in_child) ? pages_new(THREAD_BYTES) : NULL;
    if (memory == NULL) return -1;
    if (!thread_holds(memory)) {
        scratch_free(memory);
        return -1;
    }
    scratch = memory;
    return 0;
}

void *thread_scratch(void) { return scratch; }
void *thread_rows(void) { return (char *)scratch + SCRATCH_BYTES; }

/* ---- how many threads -------------------------------------------------------------------------------- */

#if defined(__linux__)
/* The numbers that stand in a file, up to `count`; "max" is none. */
static int read_numbers(const char *folder, const char *name, double *numbers, int count)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    int found = 0;
    while (found < count && fscanf(file, "%lf", &numbers[found]) == 1) found++;
    fclose(file);
    return found;
}

/* Processors' worth of time a control group may use, rounded up; INT_MAX without a limit. */
static int group_quota(const char *folder)
{
    double max[2], quota, period;
    if (read_numbers(folder, "cpu.max", max, 2) == 2) { /* version 2 */
        quota = max[0], period = max[1];
    } else if (read_numbers(folder, "cpu.cfs_quota_us", &quota, 1) != 1 ||
               read_numbers(folder, "cpu.cfs_period_us", &period, 1) != 1) { /* version 1 */
        return INT_MAX;
    }
    if (!(quota > 0 && period > 0 && quota / period < THREADS_MAX)) return INT_MAX;
    int whole = (int)(quota / period);
    return whole + (whole < quota / period);
}

/* Whether a comma-separated list has "cpu" in it. */
static bool names_cpu(const char *list)
{
    for (;;) {
        size_t length = strcspn(list, ",");
        if (length == 3 && memcmp(list, "cpu", 3) == 0) return true;
        if (list[length] == 0) return false;
        list += length + 1;
    }
}

/* The smallest quota of this process's group and the groups above it. In a container the path is often that
 * of the host and does not exist here; the walk then ends at the mount, the container's own group. */
static int cgroup_quota(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) return INT_MAX;
    int smallest = INT_MAX;
    char line[PATH_MAX], folder[PATH_MAX + 32];
    while (fgets(line, sizeof line, file) != NULL) { /* id:controllers:/path; no controllers in version 2 */
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL) continue;
        *controllers++ = *group++ = 0;
        bool unified = *controllers == 0;
        if (!unified && !names_cpu(controllers)) continue;
        const char *mount = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
        snprintf(folder, sizeof folder, "%s%s", mount, group);
        for (;;) {
            int quota = group_quota(folder);
            if (quota < smallest) smallest = quota;
            char *last = strrchr(folder, '/');
            if (last < folder + strlen(mount)) break;
            *last = 0;
        }
    }
    fclose(file);
    return smallest;
}
#else
static int cgroup_quota(void) { return INT_MAX; }
#endif

static int available(void)
{
    int own = processors(), quota = cgroup_quota();
    return quota < own ? quota : own;
}

/* What the user asks for by OMP_NUM_THREADS ("4" or "4,2"), or what the system gives. */
static int default_count(void)
{
    const char *asked = getenv("OMP_NUM_THREADS");
    if (asked != NULL) {
        char *end;
        long count = strtol(asked, &end, 10);
        while (*end == ' ') end++;
        if (end != asked && (*end == 0 || *end == ',') && count >= 1)
            return count < THREADS_MAX ? (int)count : THREADS_MAX;
    }
    int count = available();
    return count < THREADS_MAX ? count : THREADS_MAX;
}

static atomic_int thread_count; /* 0: not asked for yet */
static _Thread_local int is_alone;

void threads_alone(int alone) { is_alone = alone; }

int threads_get(void)
{
    if (is_alone) return 1;
    int count = atomic_load_explicit(&thread_count, memory_order_relaxed);
    if (count == 0) {
        int unset = 0;
        count = default_count();
        if (!atomic_compare_exchange_strong(&thread_count, &unset, count)) count = unset;
    }
    return count;
}

void threads_set(int count)
{
    atomic_store(&thread_count, count < 1 ? 1 : count < THREADS_MAX ? count : THREADS_MAX);
}

static atomic_int long_callers; /* between threads_enter() and threads_leave() */

void threads_enter(void) { atomic_fetch_add_explicit(&long_callers, 1, memory_order_relaxed); }
void threads_leave(void) { atomic_fetch_sub_explicit(&long_callers, 1, memory_order_relaxed); }

static int threads_of_one_caller(void)
{
    int callers = atomic_load_explicit(&long_callers, memory_order_relaxed);
    return callers < 2 ? threads_get() : threads_get() / callers;
}

/* ---- the pool ----------------------------------------------------------------------------------------- */

/* A participant's run of blocks. */
typedef struct {
    _Alignas(CACHE_LINE) atomic_ptrdiff_t next;
    ptrdiff_t end;
} run;

typedef struct {
    _Alignas(CACHE_LINE) atomic_bool asleep;
    condition opened; /* what it sleeps on */
} worker_state;

/* What different threads write, or poll, stands on lines of its own: a line takes a third of a microsecond to move
 * from core to core. */
static struct {
    _Alignas(CACHE_LINE)
        atomic_bool busy; /* held by the caller whose job is open; guards what is not atomic */
    int workers, workers_max, processors; /* 0 processors: not asked for yet */
    double unaided; /* nanoseconds of work that sleepers could have shared since they were last woken */

    _Alignas(CACHE_LINE) atomic_uint generation; /* moves when a job opens: what workers poll */

    _Alignas(CACHE_LINE) range_fn range; /* the job, read by those inside */
    const void *context;
    ptrdiff_t n, block;
    int participants;
    atomic_int helpers; /* workers 1 .. helpers may enter */
    atomic_bool spin;   /* only if every thread of the job has a processor */

    _Alignas(CACHE_LINE) atomic_int inside; /* workers in the job; CLOSED + them when none may enter */
    run runs[THREADS_MAX];
    worker_state worker[THREADS_MAX];

    mutex mutex;
    condition left;
} pool = {
    .workers_max = THREADS_MAX - 1,
    .inside = CLOSED,
    .mutex = MUTEX_NEW,
    .left = CONDITION_NEW,
};

static void pool_reset_in_child(void)
{
    pool.workers = 0;
    pool.workers_max = THREADS_MAX - 1;
    pool.unaided = 0;
    atomic_store(&long_callers, 0); /* those of the parent */
    atomic_store(&pool.inside, CLOSED);
    mutex_init(&pool.mutex);
    condition_init(&pool.left);
    atomic_store(&pool.busy, false);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef bool (*condition_fn)(unsigned seen);
static bool job_opened(unsigned seen) { return atomic_load(&pool.generation) != seen; }
static bool all_left(unsigned seen)
{
    (void)seen;
    return atomic_load(&pool.inside) == CLOSED;
}

/* Polls until `end`; true when the condition came. */
static bool spin_until(condition_fn has_come, unsigned seen, int64_t end)
{
    if (has_come(seen)) return true;
    if (!atomic_load_explicit(&pool.spin, memory_order_relaxed)) return false;
    while (system_ns() < end)
        for (int i = 0; i < 16; i++) {
            if (has_come(seen)) return true;
            relax();
        }
    return false;
}

/* Takes blocks of the participant's own run, then of the others'. */
static void take_blocks(int participant)
{
    const ptrdiff_t n = pool.n, block = pool.block;
    const int participants = pool.participants;
    for (int i = 0; i < participants; i++) {
        run *r = &pool.runs[(participant + i) % participants];
        for (;;) {
            ptrdiff_t begin = atomic_fetch_add_explicit(&r->next, block, memory_order_relaxed);
            if (begin >= r->end) break;
            pool.range(pool.context, begin, n - begin < block ? n : begin + block);
        }
    }
}

/* A worker that read how many helpers the last job had may come too: it only helps. */
static bool enter(int id)
{
    int inside = atomic_load(&pool.inside);
    while (inside >= 0 && id <= atomic_load(&pool.helpers))
        if (atomic_compare_exchange_weak(&pool.inside, &inside, inside + 1)) return true;
    return false;
}

static void leave(void)
{
    if (atomic_fetch_sub(&pool.inside, 1) != CLOSED + 1) return;
    mutex_lock(&pool.mutex);
    condition_signal(&pool.left);
    mutex_unlock(&pool.mutex);
}

static void sleep_until_opened(worker_state *self, unsigned seen)
{
    mutex_lock(&pool.mutex);
    atomic_store(&self->asleep, true);
    while (!job_opened(seen)) condition_wait(&self->opened, &pool.mutex);
    atomic_store(&self->asleep, false);
    mutex_unlock(&pool.mutex);
}

/* What a worker is born with. Freed by it. */
typedef struct {
    int id;
    void *scratch;
} birth;

THREAD_FUNCTION(worker, argument)
{
    const birth self = *(birth *)argument;
    free(argument);
    scratch = self.scratch;
    flush_subnormals();
    int64_t end =
        system_ns() + SPIN_NS; /* of polling: a job that does not want this worker does not put it off */
    for (unsigned seen = 0;;) {
        if (!spin_until(job_opened, seen, end)) sleep_until_opened(&pool.worker[self.id], seen);
        seen = atomic_load(&pool.generation);
        if (!enter(self.id)) continue;
        take_blocks(self.id);
        leave();
        end = system_ns() + SPIN_NS;
    }
    return 0;
}

/* One more worker. False when the system has no room. */
static bool worker_start(int id)
{
    birth *argument = malloc(sizeof *argument);
    if (argument == NULL) return false;
    *argument = (birth){id, pages_new(THREAD_BYTES)};
    condition_init(&pool.worker[id].opened);
    atomic_store(&pool.worker[id].asleep, false);
    const bool started = argument->scratch != NULL && thread_start(worker, argument);
    if (!started) {
        if (argument->scratch != NULL) scratch_free(argument->scratch);
        free(argument);
    }
    return started;
}

/* Brings the pool to `wanted` workers if it can; returns how many of them there are. */
static int pool_grow(int wanted)
{
    if (pool.processors == 0) pool.processors = available();
    while (pool.workers < wanted && pool.workers < pool.workers_max) {
        if (worker_start(pool.workers + 1)) pool.workers++;
        else pool.workers_max = pool.workers; /* do not ask again at every call */
    }
    return pool.workers < wanted ? pool.workers : wanted;
}

/* How many of the workers 1 .. wanted to use, and whether to wake those that sleep. One that sleeps hides those
 * after it, as each keeps its part of the rows. */
static int gather(int wanted, double cost, bool *wake)
{
    int awake = 0;
    while (awake < wanted && awake < pool.workers && !atomic_load(&pool.worker[awake + 1].asleep)) awake++;
    *wake = awake < wanted && (pool.unaided += cost) >= WAKE_NS;
    if (!*wake) return awake;
    pool.unaided = 0;
    return pool_grow(wanted);
}

static void job_open(range_fn range, const void *context, ptrdiff_t n, ptrdiff_t block, int helpers,
                     bool wake)
{
    pool.range = range, pool.context = context, pool.n = n, pool.block = block;
    pool.participants = helpers + 1;
    const ptrdiff_t blocks = (n + block - 1) / block;
    for (int i = 0; i <= helpers; i++) {
        atomic_store_explicit(&pool.runs[i].next, blocks * i / (helpers + 1) * block, memory_order_relaxed);
        pool.runs[i].end = blocks * (i + 1) / (helpers + 1) * block;
    }
    pool.runs[helpers].end = n;
    atomic_store_explicit(&pool.helpers, helpers, memory_order_relaxed);
    atomic_store_explicit(&pool.spin, helpers < pool.processors, memory_order_relaxed);
    atomic_store_explicit(&pool.inside, 0, memory_order_release);
    atomic_fetch_add(&pool.generation, 1);
    if (!wake) return;
    mutex_lock(&pool.mutex); /* one that is about to sleep sees the new generation */
    for (int i = 1; i <= helpers; i++)
        if (atomic_load(&pool.worker[i].asleep)) condition_signal(&pool.worker[i].opened);
    mutex_unlock(&pool.mutex);
}

static void job_close(void)
{
    atomic_fetch_add(&pool.inside, CLOSED);
    if (spin_until(all_left, 0, system_ns() + SPIN_NS)) return;
    mutex_lock(&pool.mutex);
    while (!all_left(0)) condition_wait(&pool.left, &pool.mutex);
    mutex_unlock(&pool.mutex);
}

/* How many workers a loop of `blocks` blocks that takes `cost` nanoseconds is worth, besides the caller. */
static int helpers_worth(ptrdiff_t blocks, double cost)
{
    if (is_alone || blocks < 2 || !(cost >= 2 * GRAIN_NS)) return 0;
    int helpers = threads_of_one_caller() - 1;
    if (helpers > blocks - 1) helpers = (int)(blocks - 1);
    if (helpers > cost / GRAIN_NS - 1) helpers = (int)(cost / GRAIN_NS - 1);
    return helpers;
}

void parallel_for(ptrdiff_t n, ptrdiff_t block, double cost, range_fn range, const void *context)
{
    int helpers = helpers_worth((n + block - 1) / block, cost);
    if (helpers > 0 && !atomic_exchange(&pool.busy, true)) {
        bool wake;
        helpers = gather(helpers, cost, &wake);
        if (helpers > 0) {
            job_open(range, context, n, block, helpers, wake);
            take_blocks(0);
            job_close();
        }
        atomic_store(&pool.busy, false);
        if (helpers > 0) return;
    }
    for (ptrdiff_t begin = 0; begin < n; begin += block)
        range(context, begin, n - begin < block ? n : begin + block);
}
