/* What pyml takes from the operating system beside C11: a clock, and memory. threads.c takes more: system_threads.h. To be
 * included first, for _GNU_SOURCE. */
#ifndef PYML_SYSTEM_H
#define PYML_SYSTEM_H

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* clock_gettime, posix_memalign, madvise, sched_getaffinity under -std=c11 */
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(_WIN32)
#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <malloc.h>
#include <windows.h>
#else
#include <sched.h>
#include <time.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Nanoseconds since some moment, which nothing sets. */
static inline int64_t system_ns(void)
{
#if defined(_WIN32)
    LARGE_INTEGER ticks, frequency; /* a second */
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    const int64_t seconds = ticks.QuadPart / frequency.QuadPart, rest = ticks.QuadPart % frequency.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#endif
}

/* Lets another thread run. */
static inline void system_yield(void)
{
#if defined(_WIN32)
    SwitchToThread();
#else
    sched_yield();
#endif
}

/* Memory at a multiple of `alignment`, a power of two; NULL if there is none. Freed by system_free alone. */
static inline void *system_aligned(size_t alignment, size_t size)
{
#if defined(_WIN32)
    return _aligned_malloc(size, alignment);
#else
    void *memory = NULL;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
#endif
}

static inline void system_free(void *memory)
{
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* A wish for huge pages, where the system hears it: nothing depends on it. */
#if defined(__linux__) && defined(MADV_HUGEPAGE)
enum { SYSTEM_HAS_HUGE_PAGES = 1 };
static inline void system_huge_pages(void *memory, size_t size) { madvise(memory, size, MADV_HUGEPAGE); }
#else
enum { SYSTEM_HAS_HUGE_PAGES = 0 };
static inline void system_huge_pages(void *memory, size_t size) { (void)memory, (void)size; }
#endif

/* Takes whole pages back, which are zeros when they are touched again. */
#if defined(__linux__)
enum { SYSTEM_TAKES_BACK = 1 };
static inline void system_take_back(void *memory, size_t size) { madvise(memory, size, MADV_DONTNEED); }
#else
enum { SYSTEM_TAKES_BACK = 0 };
static inline void system_take_back(void *memory, size_t size) { (void)memory, (void)size; }
#endif

#endif
