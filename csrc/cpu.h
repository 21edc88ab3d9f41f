/* What an x86-64 CPU can do, and the operating system saves, by CPUID and XGETBV: Intel's manual, volume 1, 13.2 to 15.4.
 * (__builtin_cpu_supports needs a library that is not linked where Clang builds for Windows.) */
#ifndef PYML_CPU_H
#define PYML_CPU_H

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

typedef enum {
    CPU_AVX2, /* with FMA, which came with it */
    CPU_AVX512, /* F, DQ, BW, VL */
    CPU_AVX512_BF16,
} cpu_feature;

/* Bits of XCR0: the state of AVX, and of AVX-512 too. */
enum { SAVES_AVX = 0x6, SAVES_AVX512 = 0xE6 };

static inline int cpu_bits(unsigned have, unsigned wanted) { return (have & wanted) == wanted; }

static inline int cpu_has(cpu_feature feature)
{
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if (!cpu_bits(c, 1u << 12 | 1u << 27 | 1u << 28)) return 0; /* FMA, OSXSAVE, AVX */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!cpu_bits(saved, feature == CPU_AVX2 ? SAVES_AVX : SAVES_AVX512)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (feature == CPU_AVX2) return cpu_bits(b, 1u << 5);
    if (feature == CPU_AVX512) return cpu_bits(b, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31);
    return a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && cpu_bits(a, 1u << 5);
}

static inline int cpu_is_amd(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx;
}

#endif
#endif
