/* What threads.c takes from the operating system: POSIX, Windows, or one without threads (WebAssembly, and with
 * PYML_NO_THREADS any other), where none starts and so nothing is ever waited for.
 *
 *   mutex, condition        with MUTEX_NEW and CONDITION_NEW as the values of static ones
 *   THREAD_FUNCTION(name, argument) { ... }    of a thread; it returns 0, if it does
 *   thread_start            false when the system has no room. Signals are the other threads'
 *   threads_prepare         to be called before thread_holds: at_end is called with what a thread holds when it ends,
 *                           in_child in every forked process. Any thread may call it, again too. False: it cannot
 *   thread_holds            the calling thread has `memory`, one piece at most. False when memory is short
 *   pages_new, pages_free   memory taken from the system as it is touched; NULL if there is none
 *   processors              those that this process may run on */
#ifndef PYML_SYSTEM_THREADS_H
#define PYML_SYSTEM_THREADS_H

#include "system.h"

#include <stdbool.h>

enum { THREAD_STACK = 1 << 20 }; /* bytes: musl gives 128 KiB unless asked, macOS 512 */

#if defined(__wasm__) && !defined(PYML_NO_THREADS)
#define PYML_NO_THREADS
#endif

#if defined(PYML_NO_THREADS)

typedef char mutex, condition;
#define MUTEX_NEW 0
#define CONDITION_NEW 0
static inline void mutex_init(mutex *m) { (void)m; }
static inline void mutex_lock(mutex *m) { (void)m; }
static inline void mutex_unlock(mutex *m) { (void)m; }
static inline void condition_init(condition *c) { (void)c; }
static inline void condition_signal(condition *c) { (void)c; }
static inline void condition_wait(condition *c, mutex *m) { (void)c, (void)m; }

#define THREAD_FUNCTION(name, argument) static int name(void *argument)
static inline bool thread_start(int (*function)(void *), void *argument)
{
    (void)function, (void)argument;
    return false;
}
static inline bool threads_prepare(void (*at_end)(void *), void (*in_child)(void))
{
    (void)at_end, (void)in_child;
    return true;
}
static inline bool thread_holds(void *memory)
{
    (void)memory;
    return true;
}

static inline void *pages_new(size_t size) { return system_aligned(64, size); }
static inline void pages_free(void *memory, size_t size)
{
    (void)size;
    system_free(memory);
}

static inline int processors(void) { return 1; }

#elif defined(_WIN32)

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE condition;
#define MUTEX_NEW SRWLOCK_INIT
#define CONDITION_NEW CONDITION_VARIABLE_INIT
static inline void mutex_init(mutex *m) { InitializeSRWLock(m); }
static inline void mutex_lock(mutex *m) { AcquireSRWLockExclusive(m); }
static inline void mutex_unlock(mutex *m) { ReleaseSRWLockExclusive(m); }
static inline void condition_init(condition *c) { InitializeConditionVariable(c); }
static inline void condition_signal(condition *c) { WakeConditionVariable(c); }
static inline void condition_wait(condition *c, mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }

#define THREAD_FUNCTION(name, argument) static DWORD WINAPI name(void *argument)
static inline bool thread_start(LPTHREAD_START_ROUTINE function, void *argument)
{
    HANDLE thread = CreateThread(NULL, THREAD_STACK, function, argument, 0, NULL);
    if (thread == NULL) return false;
    CloseHandle(thread);
    return true;
}

static INIT_ONCE prepared = INIT_ONCE_STATIC_INIT;
static DWORD held = FLS_OUT_OF_INDEXES;
static void (*held_end)(void *);
static void WINAPI call_held_end(void *memory)
{
    if (memory != NULL) held_end(memory);
}
static BOOL CALLBACK prepare(INIT_ONCE *once, void *at_end, void **context)
{
    (void)once, (void)context;
    held_end = *(void (**)(void *))at_end;
    held = FlsAlloc(call_held_end);
    return TRUE;
}
static inline bool threads_prepare(void (*at_end)(void *), void (*in_child)(void))
{
    (void)in_child;
    InitOnceExecuteOnce(&prepared, prepare, &at_end, NULL);
    return held != FLS_OUT_OF_INDEXES;
}
static inline bool thread_holds(void *memory) { return FlsSetValue(held, memory); }

static inline void *pages_new(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}
static inline void pages_free(void *memory, size_t size)
{
    (void)size;
    VirtualFree(memory, 0, MEM_RELEASE);
}

/* Of the process's processor group: 64 at most. */
static inline int processors(void)
{
    DWORD_PTR own, all;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &all)) return 1;
    int count = 0;
    for (; own != 0; own &= own - 1) count++;
    return count < 1 ? 1 : count;
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

typedef pthread_mutex_t mutex;
typedef pthread_cond_t condition;
#define MUTEX_NEW PTHREAD_MUTEX_INITIALIZER
#define CONDITION_NEW PTHREAD_COND_INITIALIZER
static inline void mutex_init(mutex *m) { pthread_mutex_init(m, NULL); }
static inline void mutex_lock(mutex *m) { pthread_mutex_lock(m); }
static inline void mutex_unlock(mutex *m) { pthread_mutex_unlock(m); }
static inline void condition_init(condition *c) { pthread_cond_init(c, NULL); }
static inline void condition_signal(condition *c) { pthread_cond_signal(c); }
static inline void condition_wait(condition *c, mutex *m) { pthread_cond_wait(c, m); }

#define THREAD_FUNCTION(name, argument) static void *name(void *argument)
static inline bool thread_start(void *(*function)(void *), void *argument)
{
    pthread_attr_t how;
    if (pthread_attr_init(&how) != 0) return false;
    pthread_attr_setstacksize(&how, THREAD_STACK);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const bool started = pthread_create(&thread, &how, function, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    return started;
}

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t held;
static bool held_is_there;
static void (*held_end)(void *), (*held_in_child)(void);
static void prepare(void)
{
    held_is_there = pthread_key_create(&held, held_end) == 0;
    pthread_atfork(NULL, NULL, held_in_child);
}
static inline bool threads_prepare(void (*at_end)(void *), void (*in_child)(void))
{
    held_end = at_end, held_in_child = in_child;
    pthread_once(&prepared, prepare);
    return held_is_there;
}
static inline bool thread_holds(void *memory) { return pthread_setspecific(held, memory) == 0; }

static inline void *pages_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}
static inline void pages_free(void *memory, size_t size) { munmap(memory, size); }

static inline int processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}

#endif

#endif
