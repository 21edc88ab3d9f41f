/* Loops that do one thing as fast as a core can: arithmetic in registers, or bytes to and from arrays.
 *
 * Compiled for an ISA and a dtype as a kernel is, see csrc/simd/vec.h. What a loop returns depends on all
 * that it computed, so that no compiler leaves anything out. */
#include "vec.h"

/* Vectors that do not wait for each other: latency (4 cycles) times units (2 to 4), as registers allow. */
#if defined(ISA_avx512) || defined(ISA_neon)
#define VECTORS 24 /* of 32 registers */
#else
#define VECTORS 12 /* of 16 */
#endif
#define EACH(statement) _Pragma("GCC unroll 32") for (int i = 0; i < VECTORS; i++) statement

static volatile real tiny_number = (real)1e-30; /* volatile: compilers do not know it */

ptrdiff_t elements_a_round(void) { return VECTORS * L; }

/* Each x of VECTORS vectors becomes `expression`, `rounds` times. */
#define ARITHMETIC(name, expression)                         \
    real name(ptrdiff_t rounds)                              \
    {                                                        \
        const vec tiny = vset1(tiny_number), one = tiny + 1; \
        vec x[VECTORS], total = tiny;                        \
        EACH(x[i] = one + (real)i);                          \
        for (; rounds > 0; rounds--) {                       \
            EACH(x[i] = expression);                         \
        }                                                    \
        EACH(total += x[i]);                                 \
        return vsum(total);                                  \
    }

ARITHMETIC(multiply_add, vfma(x[i], tiny, x[i]))
ARITHMETIC(divide, one / x[i])
ARITHMETIC(root, vsqrt(x[i]))

/* Makes a pass over memory happen, and not be one with the next. */
#define PASS __asm__ volatile("" ::: "memory")

/* y = 2x, y may be x; n is a multiple of 8 vectors, here and below */
void scale(real *y, const real *x, ptrdiff_t n, ptrdiff_t passes)
{
    for (; passes > 0; passes--) {
        for (ptrdiff_t i = 0; i < n; i += 8 * L) {
#pragma GCC unroll 8
            for (ptrdiff_t j = i; j < i + 8 * L; j += L) vstore(y + j, 2 * vload(x + j));
        }
        PASS;
    }
}

real sum(const real *x, ptrdiff_t n, ptrdiff_t passes)
{
    vec s[8] = {{0}};
    for (; passes > 0; passes--) {
        for (ptrdiff_t i = 0; i < n; i += 8 * L) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) s[j] += vload(x + i + j * L);
        }
        PASS;
    }
    return vsum(((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])));
}
