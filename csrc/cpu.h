/* What the CPU can do, and the operating system saves: on x86-64 by CPUID and XGETBV, Intel's manual, volume 1, 13.2 to 15.4.
 * (__builtin_cpu_supports needs a library that is not linked where Clang builds for Windows.) */
#ifndef PYML_CPU_H
#define PYML_CPU_H

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef enum {
    CPU_AVX2, /* with FMA, which came with it */
    CPU_AVX512, /* F, DQ, BW, VL */
    CPU_AVX512_BF16,
    CPU_AMX_BF16, /* tiles, and their products */
} cpu_feature;

/* Bits of XCR0: the state of AVX, of AVX-512 too, and of AMX's tiles too. */
enum { SAVES_AVX = 0x6, SAVES_AVX512 = 0xE6, SAVES_AMX = 0x600E6 };

static inline int cpu_bits(unsigned have, unsigned wanted) { return (have & wanted) == wanted; }

static inline int cpu_has(cpu_feature feature)
{
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if (!cpu_bits(c, 1u << 12 | 1u << 27 | 1u << 28)) return 0; /* FMA, OSXSAVE, AVX */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    const unsigned needed = feature == CPU_AVX2       ? SAVES_AVX
                            : feature == CPU_AMX_BF16 ? SAVES_AMX
                                                      : SAVES_AVX512;
    if (!cpu_bits(saved, needed)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (feature == CPU_AVX2) return cpu_bits(b, 1u << 5);
    if (feature == CPU_AVX512) return cpu_bits(b, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31);
    if (feature == CPU_AMX_BF16) return cpu_bits(d, 1u << 22 | 1u << 24);
    return a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && cpu_bits(a, 1u << 5);
}

/* Whether this process may use AMX's tiles, for which Linux wants to be asked: its documentation, arch/x86/xstate.rst. */
static inline int cpu_grants_tiles(void)
{
#if defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return 0;
#endif
}

static inline int cpu_is_amd(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx;
}

#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

/* Whether the CPU has BFMMLA: the documentation of Linux, arch/arm64/elf_hwcaps.rst, and Apple's of sysctlbyname. */
static inline int cpu_multiplies_bfloat16(void)
{
#if defined(__linux__)
    const unsigned long hwcap2_bf16 = 1ul << 14;
    return (getauxval(AT_HWCAP2) & hwcap2_bf16) != 0;
#elif defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, NULL, 0) == 0 && has;
#else
    return 0;
#endif
}
#endif

#endif
