/* Comparisons of two operands with broadcasting, and operations on truth values. */
#include "../contracts/compare.h"
#include "../subnormals.h"
#include "binary.h"
#include "map.h"

/* ---- comparison ------------------------------------------------------------------------------------ */

/* Both operands with column stride 1, real or integers, and not compiled into the caller: what it computes must not
 * leave the part where subnormals are kept. */
typedef void compare_fn(uint8_t *restrict y, const void *a, const void *b, ptrdiff_t n);

enum { REPEATED = 256 };
typedef ireal bits __attribute__((may_alias));

/* n elements of an operand from `x` on, one after another: where they lie, or in `repeated` */
INLINE const bits *elements(const bits *x, ptrdiff_t col, ptrdiff_t n, bits *repeated)
{
    if (col != 0) return x;
    for (ptrdiff_t j = 0; j < n; j++) repeated[j] = *x;
    return repeated;
}

static void compare_range(const compare_args *c, ptrdiff_t begin, ptrdiff_t end, compare_fn *compare)
{
    bits repeated_a[REPEATED], repeated_b[REPEATED];
    const ptrdiff_t most = c->a_col && c->b_col ? end - begin : REPEATED;
    const flush_state before = keep_subnormals(); /* the processor would take them for zeros */
    ptrdiff_t i = begin / c->cols, j = begin % c->cols;
    for (ptrdiff_t n; begin < end; begin += n) {
        n = min_size(min_size(c->cols - j, end - begin), most);
        const bits *a = (const bits *)c->a + i * c->a_row + j * c->a_col;
        const bits *b = (const bits *)c->b + i * c->b_row + j * c->b_col;
        compare(c->y + begin, elements(a, c->a_col, n, repeated_a), elements(b, c->b_col, n, repeated_b), n);
        j += n;
        if (j == c->cols) j = 0, i++;
    }
    set_subnormals(before);
}

/* Defines comparison `name` with an operator of C. */
#define COMPARE_ELEMENTS(name, operator, type)                                                \
    static NOINLINE void name(uint8_t *restrict y, const void *a, const void *b, ptrdiff_t n) \
    {                                                                                         \
        const type *p = a, *q = b;                                                            \
        for (ptrdiff_t j = 0; j < n; j++) y[j] = p[j] operator q[j];                          \
    }
#define COMPARE(name, operator)                                                     \
    COMPARE_ELEMENTS(name##_reals, operator, real)                                  \
    COMPARE_ELEMENTS(name##_integers, operator, ireal)                              \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end)   \
    {                                                                               \
        const compare_args *c = context;                                            \
        compare_range(c, begin, end, c->integers ? name##_integers : name##_reals); \
    }                                                                               \
    void KERNEL(name)(const void *args)                                             \
    {                                                                               \
        compare_args a = *(const compare_args *)args;                               \
        MERGE_ROWS(a);                                                              \
        ptrdiff_t n = a.rows * a.cols;                                              \
        parallel_for(n, BLOCK, (double)n * NS_MEMORY, name##_range, &a);            \
    }

COMPARE(equal, ==)
COMPARE(not_equal, !=)
COMPARE(less, <)
COMPARE(less_equal, <=)
COMPARE(greater, >)
COMPARE(greater_equal, >=)

/* ---- truth values ---------------------------------------------------------------------------------- */

#define LOGICAL(name, expression)                                                 \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                             \
        const logical_args c = *(const logical_args *)context;                    \
        for (ptrdiff_t i = begin; i < end; i++) c.y[i] = expression;              \
    }                                                                             \
    void KERNEL(name)(const void *args)                                           \
    {                                                                             \
        ptrdiff_t n = ((const logical_args *)args)->n;                            \
        parallel_for(n, BLOCK, (double)n * NS_MEMORY, name##_range, args);        \
    }

LOGICAL(logical_and, (c.a[i] != 0) & (c.b[i] != 0))
LOGICAL(logical_or, (c.a[i] | c.b[i]) != 0)
LOGICAL(logical_xor, (c.a[i] != 0) ^ (c.b[i] != 0))
LOGICAL(logical_not, c.a[i] == 0)
