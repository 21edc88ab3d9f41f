/* Flushing subnormal numbers to zero, as the thread's floating-point state: weights that decay to 1e-40 must not
 * make a step a hundred times slower. What moves numbers keeps them: between keep_subnormals and set_subnormals(what it
 * returned) nothing is flushed. */
#ifndef PYML_SUBNORMALS_H
#define PYML_SUBNORMALS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned int flush_state;
enum { FLUSH_BITS = 0x8040 }; /* MXCSR: flush to zero (bit 15), denormals are zero (bit 6) */
static inline flush_state flush_subnormals(void)
{
    flush_state before = _mm_getcsr();
    if ((before & FLUSH_BITS) != FLUSH_BITS) _mm_setcsr(before | FLUSH_BITS);
    return before;
}
static inline void restore_subnormals(flush_state before)
{
    if ((before & FLUSH_BITS) != FLUSH_BITS) _mm_setcsr(before);
}
static inline flush_state keep_subnormals(void)
{
    flush_state before = _mm_getcsr();
    _mm_setcsr(before & ~(flush_state)FLUSH_BITS);
    return before;
}
static inline void set_subnormals(flush_state before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
typedef uint64_t flush_state;
#define FLUSH_BITS (UINT64_C(1) << 24) /* FPCR: FZ */
static inline flush_state flush_subnormals(void)
{
    flush_state before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if ((before & FLUSH_BITS) == 0) __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH_BITS) : "memory");
    return before;
}
static inline void restore_subnormals(flush_state before)
{
    if ((before & FLUSH_BITS) == 0) __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}
static inline flush_state keep_subnormals(void)
{
    flush_state before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before & ~FLUSH_BITS) : "memory");
    return before;
}
static inline void set_subnormals(flush_state before)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}
#else
typedef int flush_state;
static inline flush_state flush_subnormals(void) { return 0; }
static inline void restore_subnormals(flush_state before) { (void)before; }
static inline flush_state keep_subnormals(void) { return 0; }
static inline void set_subnormals(flush_state before) { (void)before; }
#endif

#endif
