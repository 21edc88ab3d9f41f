/* Asks the CPU and the OS once, picks one table of kernels, and runs calls on it. */
#include "dispatch.h"
#include "cpu.h"
#include "subnormals.h"
#include "threads.h"

#include <string.h>

typedef struct {
    const char *name;
    ptrdiff_t vec_bytes;
    int (*supported)(void);
    const kernel_fn *kernels[PYML_DTYPE_COUNT];
    linear_update_fn *updates[PYML_DTYPE_COUNT];
} isa;

#define TABLES(name)                                                   \
    extern const kernel_fn table_##name##_f32[], table_##name##_f64[]; \
    extern linear_update_fn linear_update_##name##_f32, linear_update_##name##_f64;
#define ISA(name, vec_bytes)                                                          \
    {                                                                                 \
        #name, vec_bytes, name##_supported, {table_##name##_f32, table_##name##_f64}, \
        {                                                                             \
            linear_update_##name##_f32, linear_update_##name##_f64                    \
        }                                                                             \
    }

static int baseline_supported(void) { return 1; }
TABLES(baseline)

#if defined(__x86_64__)
static int avx2_supported(void) { return cpu_has(CPU_AVX2); }
static int avx512_supported(void) { return cpu_has(CPU_AVX2) && cpu_has(CPU_AVX512); }
TABLES(avx2)
TABLES(avx512)
#elif defined(__aarch64__)
static int neon_supported(void) { return 1; }
TABLES(neon)
#endif

#if defined(PYML_WIDE) /* development builds: AVX-512's vector length, without its instructions */
static int wide_supported(void) { return avx2_supported(); }
TABLES(wide)
#endif

/* best first */
static const isa isas[] = {
#if defined(__x86_64__)
    ISA(avx512, 64),
    ISA(avx2, 32),
#elif defined(__aarch64__)
    ISA(neon, 16),
#endif
    ISA(baseline, 16),
#if defined(PYML_WIDE)
    ISA(wide, 64),
#endif
};
enum { ISA_COUNT = sizeof isas / sizeof *isas };

static const isa *selected;

#if defined(PYML_AVX512_BF16)
extern const kernel_fn bfloat16_avx512[];
static const char avx512_bf16[] = "avx512_bf16";
static int avx512_bf16_supported(void)
{
    return strcmp(selected->name, "avx512") == 0 && cpu_has(CPU_AVX512_BF16);
}
#endif

static const char *bfloat16;

int pyml_bfloat16_select(const char *name)
{
#if defined(PYML_AVX512_BF16)
    if (avx512_bf16_supported() && (name != NULL ? strcmp(name, avx512_bf16) == 0 : cpu_is_amd())) {
        bfloat16 = avx512_bf16; /* Intel's is slower than float32: by its name alone */
        return 0;
    }
#endif
    bfloat16 = NULL;
    return name == NULL || strcmp(name, "none") == 0 ? 0 : -1;
}

const char *pyml_bfloat16(void) { return bfloat16; }

int pyml_isa_select(const char *name)
{
    for (const isa *candidate = isas; candidate < isas + ISA_COUNT; candidate++)
        if (candidate->supported() && (name == NULL || strcmp(name, candidate->name) == 0)) {
            selected = candidate;
            return pyml_bfloat16_select(NULL);
        }
    return -1;
}

const char *pyml_isa_selected(void) { return selected->name; }

const char *pyml_isa_name(int i)
{
    for (const isa *candidate = isas; candidate < isas + ISA_COUNT; candidate++)
        if (candidate->supported() && i-- == 0) return candidate->name;
    return NULL;
}

ptrdiff_t pyml_isa_lanes(pyml_dtype dtype) { return selected->vec_bytes / pyml_dtype_bytes(dtype); }

kernel_fn pyml_kernel_of(pyml_kernel kernel, pyml_dtype dtype)
{
#if defined(PYML_AVX512_BF16)
    if (bfloat16 != NULL && dtype == PYML_FLOAT32 && kernel >= KERNEL_gemm_bfloat16 &&
        kernel < KERNEL_gemm_bfloat16 + BFLOAT16_COUNT)
        return bfloat16_avx512[kernel - KERNEL_gemm_bfloat16];
#endif
    return selected->kernels[dtype][kernel];
}

linear_update_fn *pyml_linear_update(pyml_dtype dtype) { return selected->updates[dtype]; }

int pyml_submit(pyml_kernel kernel, pyml_dtype dtype, const void *args, size_t size)
{
    (void)size;
    if (thread_prepare() != 0) return -1;
    flush_state before = flush_subnormals();
    pyml_kernel_of(kernel, dtype)(args);
    restore_subnormals(before);
    return 0;
}
