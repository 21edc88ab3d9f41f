/* What every kernel file includes: the vector, the types of contracts, and the name of a kernel for this ISA and dtype. */
#ifndef PYML_KERNEL_H
#define PYML_KERNEL_H

#include "../contracts/types.h"
#include "../simd/vec.h"
#include "../threads.h"

/* KERNEL(relu_forward) is relu_forward_avx2_f32 in the file compiled for that ISA and dtype. */
#define PASTE3_(a, b, c) a##_##b##_f##c
#define PASTE3(a, b, c) PASTE3_(a, b, c)
#define KERNEL(name) PASTE3(name, ISA_NAME, REAL_BITS)

#if defined(ISA_baseline)
#define ISA_NAME baseline
#elif defined(ISA_avx2)
#define ISA_NAME avx2
#elif defined(ISA_avx512)
#define ISA_NAME avx512
#elif defined(ISA_neon)
#define ISA_NAME neon
#elif defined(ISA_wide)
#define ISA_NAME wide
#endif

/* A sum or a mean of squares below it may have lost some of them, flushed to 0. */
#define TINY (REAL_BITS == 32 ? 1e-30 : 1e-290)

/* Splits a loop over n elements among threads: `range` is called on fixed blocks of BLOCK elements
 * (the last may be shorter), whatever the number of threads. */
enum { BLOCK = 2048 };

enum { LINE_BYTES = 64, LINE = LINE_BYTES / sizeof(real) }; /* of a cache */

INLINE ptrdiff_t min_size(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
INLINE ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

/* The statement for every vector of c elements: m <= L of them, from element j. */
#define EACH_VECTOR(c, ...)                                  \
    do {                                                     \
        ptrdiff_t j = 0;                                     \
        for (const ptrdiff_t m = L; j + L <= (c); j += L) {  \
            __VA_ARGS__;                                     \
        }                                                    \
        for (const ptrdiff_t m = (c) - j; j < (c); j += L) { \
            __VA_ARGS__;                                     \
        }                                                    \
    } while (0)

#endif
