/* Asks the CPU and the OS once, picks one table of kernels, and runs calls on it. */
#include "system.h"

#include "contracts/gemm.h"
#include "cpu.h"
#include "dispatch.h"
#include "subnormals.h"
#include "threads.h"

#include <string.h>

typedef struct {
    const char *name;
    ptrdiff_t vec_bytes;
    int (*supported)(void);
    const kernel_fn *kernels[PYML_DTYPE_COUNT];
    linear_fns linear[PYML_DTYPE_COUNT];
} isa;

#define LINEAR(name)                                                             \
    {gemm_finishes_##name, gemm_hands_on_##name, linear_forward_finished_##name, \
     linear_backward_finished_##name}
#define DECLARED(name)                                                                                     \
    extern const kernel_fn table_##name[];                                                                 \
    bool gemm_finishes_##name(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);                                      \
    bool gemm_hands_on_##name(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);                                      \
    void linear_forward_finished_##name(const void *args, const product_finish *finish);                   \
    void linear_backward_finished_##name(const void *args, const product_finish *finish, kernel_fn update, \
                                         const void *update_args);
#define TABLES(name) DECLARED(name##_f32) DECLARED(name##_f64)
#define ISA(name, vec_bytes)                                                          \
    {                                                                                 \
        #name, vec_bytes, name##_supported, {table_##name##_f32, table_##name##_f64}, \
        {                                                                             \
            LINEAR(name##_f32), LINEAR(name##_f64)                                    \
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

/* What multiplies bfloat16. Without AVX512_BF16, which rounds to it, there is none on x86-64. */
typedef struct {
    const char *name;
    int (*supported)(void);
    int (*is_best)(void); /* where it is supported; else it is chosen by its name alone */
    const bfloat16_fns *fns;
} bfloat16_unit;

#if defined(UNIT_avx512)
static int rounds_to_bfloat16(void)
{
    return strcmp(selected->name, "avx512") == 0 && cpu_has(CPU_AVX512_BF16);
}
extern const bfloat16_fns bfloat16_avx512;
#endif

#if defined(UNIT_amx) || defined(UNIT_bfmmla)
static int always(void) { return 1; }

/* Whether a product of small whole numbers, which every order of sums gives exactly, is right: of a whole tile and others
 * beside it, and of more than one block of k. */
static int multiplies(kernel_fn gemm)
{
    if (thread_prepare() != 0) return 0;
    enum { M = 33, N = 35, K = 1057 };
    static float a[M * K], b[K * N], c[M * N];
    for (int i = 0; i < M * K; i++) a[i] = (float)(i % 7 - 3);
    for (int i = 0; i < K * N; i++) b[i] = (float)(i % 5 - 2);
    gemm(&(gemm_args){.c = c,
                      .a = a,
                      .b = b,
                      .m = M,
                      .n = N,
                      .k = K,
                      .a_row = K,
                      .a_col = 1,
                      .b_row = N,
                      .b_col = 1,
                      .c_row = N,
                      .batch = 1,
                      .alpha = 1});
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int p = 0; p < K; p++) sum += a[i * K + p] * b[p * N + j];
            if (c[i * N + j] != sum) return 0;
        }
    return 1;
}
#endif

#if defined(UNIT_amx)
extern const bfloat16_fns bfloat16_amx;
static int amx_supported(void)
{
    return rounds_to_bfloat16() && cpu_has(CPU_AMX_BF16) && cpu_grants_tiles() &&
           multiplies(bfloat16_amx.kernels[0]);
}
#endif

#if defined(UNIT_bfmmla)
extern const bfloat16_fns bfloat16_bfmmla;
static int bfmmla_supported(void)
{
    return strcmp(selected->name, "neon") == 0 && cpu_multiplies_bfloat16() &&
           multiplies(bfloat16_bfmmla.kernels[0]);
}
#endif

#if defined(UNIT_amx_model)
static int never(void) { return 0; }
extern const bfloat16_fns bfloat16_amx_model;
#endif

/* best first */
static const bfloat16_unit units[] = {
#if defined(UNIT_amx)
    {"amx_bf16", amx_supported, always, &bfloat16_amx},
#endif
#if defined(UNIT_avx512)
    {"avx512_bf16", rounds_to_bfloat16, cpu_is_amd, &bfloat16_avx512}, /* Intel's is slower than float32 */
#endif
#if defined(UNIT_bfmmla)
    {"bfmmla", bfmmla_supported, always, &bfloat16_bfmmla},
#endif
#if defined(UNIT_amx_model)
    {"amx_model", rounds_to_bfloat16, never, &bfloat16_amx_model},
#endif
    {NULL, NULL, NULL, NULL},
};

static const bfloat16_unit *bfloat16;

int pyml_bfloat16_select(const char *name)
{
    for (bfloat16 = units; bfloat16->name != NULL; bfloat16++)
        if ((name == NULL || strcmp(name, bfloat16->name) == 0) && bfloat16->supported() &&
            (name != NULL || bfloat16->is_best()))
            return 0;
    return name == NULL || strcmp(name, "none") == 0 ? 0 : -1;
}

const char *pyml_bfloat16(void) { return bfloat16->name; }

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

/* Whether a kernel is of bfloat16, on CPUs that multiply it. */
static bool is_of_bfloat16(pyml_kernel kernel, pyml_dtype dtype)
{
    return bfloat16->name != NULL && dtype == PYML_FLOAT32 && kernel >= KERNEL_gemm_bfloat16 &&
           kernel < KERNEL_gemm_bfloat16 + BFLOAT16_COUNT;
}

kernel_fn pyml_kernel_of(pyml_kernel kernel, pyml_dtype dtype)
{
    if (is_of_bfloat16(kernel, dtype)) return bfloat16->fns->kernels[kernel - KERNEL_gemm_bfloat16];
    return selected->kernels[dtype][kernel];
}

const linear_fns *pyml_linear(pyml_kernel kernel, pyml_dtype dtype)
{
    return is_of_bfloat16(kernel, dtype) ? &bfloat16->fns->linear : &selected->linear[dtype];
}

int pyml_submit(pyml_kernel kernel, pyml_dtype dtype, const void *args, size_t size)
{
    (void)size;
    if (thread_prepare() != 0) return -1;
    flush_state before = flush_subnormals();
    pyml_kernel_of(kernel, dtype)(args);
    restore_subnormals(before);
    return 0;
}
