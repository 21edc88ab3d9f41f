/* The kernels without Python, for platforms that have none here: every call of calls.h on every ISA of the machine, beside
 * what the ISA baseline gave where calls.h was written; the same bits for any number of threads; blocks of a loop each
 * once; and the caller's floating-point state. Prints a line an ISA; fails for what is wrong. */
#include "contracts/all.h"
#include "dispatch.h"
#include "threads.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `count` numbers of `size` bytes, at `begin` of a call's memory; the last has none. All other memory is compared bit by
 * bit. */
typedef struct {
    int begin, count, size;
} floats;

typedef struct {
    const char *name;
    int (*run)(char *memory);
    const uint64_t *start, *after;
    int bytes;
    const floats *floats;
} call;

#include "calls.h"

enum { CALLS = sizeof calls / sizeof *calls, MOST_SHOWN = 10 };

/* What an ISA with fused multiply-adds, or another compiler's order of a sum, may make of tens of numbers near 1: in
 * multiples of eps, of the largest number of the array. */
enum { EPS = 64 };
static const double BFLOAT16_EPS = 0x1p-7; /* of operands; their sums are float32's */

static int failures;

static void fail(const char *what, const char *isa, const char *name, int at)
{
    if (failures++ < MOST_SHOWN) printf("FAILED: %s: %s, %s, at %d\n", isa, what, name, at);
}

static double number(const char *memory, int size, int i)
{
    float f;
    double d;
    if (size == 4) {
        memcpy(&f, memory + 4 * i, 4);
        return f;
    }
    memcpy(&d, memory + 8 * i, 8);
    return d;
}

/* Whether numbers are what they should be; both are then made the same. */
static void compare_floats(const char *isa, const call *c, const floats *f, char *memory, char *after)
{
    const int is_double =
        strstr(c->name, "float64") != NULL; /* a norm of float32 is a double, of sums in float32 */
    const double eps = is_double                             ? DBL_EPSILON
                       : strstr(c->name, "bfloat16") != NULL ? BFLOAT16_EPS
                                                             : FLT_EPSILON;
    double scale = 0;
    memory += f->begin, after += f->begin;
    for (int i = 0; i < f->count; i++) {
        const double wanted = fabs(number(after, f->size, i));
        if (wanted > scale && wanted <= DBL_MAX) scale = wanted;
    }
    for (int i = 0; i < f->count; i++) {
        const double found = number(memory, f->size, i), wanted = number(after, f->size, i);
        const int same = memcmp(memory + f->size * i, after + f->size * i, (size_t)f->size) == 0;
        if (same || fabs(found - wanted) <= EPS * eps * scale || (isnan(found) && isnan(wanted))) continue;
        fail("a number", isa, c->name, i);
        break;
    }
    memcpy(memory, after, (size_t)(f->count * f->size));
}

static int check_calls(const char *isa)
{
    int same = 0;
    for (const call *c = calls; c < calls + CALLS; c++) {
        char *memory = malloc((size_t)c->bytes), *after = malloc((size_t)c->bytes);
        if (memory == NULL || after == NULL) exit(2);
        memcpy(memory, c->start, (size_t)c->bytes);
        memcpy(after, c->after, (size_t)c->bytes);
        if (c->run(memory) != 0) fail("no memory", isa, c->name, 0);
        same += memcmp(memory, after, (size_t)c->bytes) == 0;
        for (const floats *f = c->floats; f->size != 0; f++) compare_floats(isa, c, f, memory, after);
        for (int i = 0; i < c->bytes; i++)
            if (memory[i] != after[i]) {
                fail("a byte", isa, c->name, i);
                break;
            }
        free(memory), free(after);
    }
    return same;
}

/* ---- threads ---------------------------------------------------------------------------------------- */

enum { ITEMS = 1000 };
static atomic_int visits[ITEMS];

static void visit(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    (void)context;
    for (ptrdiff_t i = begin; i < end; i++) atomic_fetch_add(&visits[i], 1);
}

static void check_loops(void)
{
    for (int threads = 1; threads <= 8; threads++) {
        threads_set(threads);
        if (threads_get() != threads) fail("threads_get", "threads", "", threads);
        for (int round = 0; round < 200; round++) {
            const ptrdiff_t n = round * 7 % ITEMS, block = 1 + round % 13;
            memset(visits, 0, sizeof visits);
            parallel_for(n, block, 1e7, visit, NULL);
            for (int i = 0; i < ITEMS; i++)
                if (atomic_load(&visits[i]) != (i < n)) fail("a loop", "threads", "visits", i);
        }
    }
}

enum { ROWS = 96, INPUTS = 200, OUTPUTS = 130 };
static float x[ROWS * INPUTS], w[OUTPUTS * INPUTS], y[2][ROWS * OUTPUTS];

/* Products, beside sums in double, by one thread and by more. */
static void check_product(const char *isa)
{
    for (int i = 0; i < ROWS * INPUTS; i++) x[i] = (float)(i * 37 % 101 - 50) / 64;
    for (int i = 0; i < OUTPUTS * INPUTS; i++) w[i] = (float)(i * 53 % 89 - 44) / 64;
    for (int i = 0; i < 2; i++) {
        threads_set(i == 0 ? 1 : 4);
        linear_forward_args a = {.y = y[i], .x = x, .w = w, .n = ROWS, .k = INPUTS, .o = OUTPUTS, .alpha = 1};
        if (pyml_submit(KERNEL_linear_forward, PYML_FLOAT32, &a, sizeof a) != 0)
            fail("no memory", isa, "", i);
    }
    if (memcmp(y[0], y[1], sizeof y[0]) != 0) fail("other bits by threads", isa, "linear_forward", 0);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < OUTPUTS; c++) {
            double sum = 0, size = 0;
            for (int k = 0; k < INPUTS; k++) {
                const double product = (double)x[r * INPUTS + k] * w[c * INPUTS + k];
                sum += product, size += fabs(product);
            }
            if (!(fabs(y[0][r * OUTPUTS + c] - sum) <= INPUTS * FLT_EPSILON * size))
                fail("a product", isa, "linear_forward", r * OUTPUTS + c);
        }
}

/* Subnormal numbers are the caller's again after a call. */
static void check_state(const char *isa)
{
    volatile float small = FLT_MIN;
    if (small / 2 == 0) fail("subnormals stay flushed", isa, "", 0);
}

int main(void)
{
    const char *names[8];
    int count = 0;
    while (count < 8 && (names[count] = pyml_isa_name(count)) != NULL) count++;
    for (int i = 0; i < count; i++) {
        if (pyml_isa_select(names[i]) != 0) fail("is not selected", names[i], "", i);
        const int same = check_calls(names[i]);
        check_product(names[i]);
        check_state(names[i]);
        const char *unit = pyml_bfloat16();
        printf("%s: %d calls, %d with the same bits as baseline's; bfloat16 by %s\n", names[i], CALLS, same,
               unit == NULL ? "float32" : unit);
    }
    check_loops();
    printf("%d passed, %d failed\n", count * CALLS + 1 - failures, failures);
    return failures != 0;
}
