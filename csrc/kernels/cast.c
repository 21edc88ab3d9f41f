/* Elements of one type made another: one loop for each pair of types. */
#include "../contracts/move.h"
#include "../subnormals.h"
#include "map.h"

#if REAL_BITS == 32

/* The range of the integers is that of the comparison: both ends of it are powers of two, and exact in a real. */
INLINE int32_t int32_of_float(float x) { return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN; }
INLINE int32_t int32_of_double(double x) { return x >= -0x1p31 && x < 0x1p31 ? (int32_t)x : INT32_MIN; }
INLINE int64_t int64_of_float(float x) { return x >= -0x1p63f && x < 0x1p63f ? (int64_t)x : INT64_MIN; }
INLINE int64_t int64_of_double(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
INLINE int64_t itself(int64_t x) { return x; }
#define INTEGER32(x) _Generic((x), float: int32_of_float, double: int32_of_double, default: itself)(x)
#define INTEGER64(x) _Generic((x), float: int64_of_float, double: int64_of_double, default: itself)(x)

/* The C type of an element, its value in an expression, and an expression as the element. */
#define TYPE_BOOL uint8_t
#define TYPE_UINT8 uint8_t
#define TYPE_INT8 int8_t
#define TYPE_INT16 int16_t
#define TYPE_INT32 int32_t
#define TYPE_INT64 int64_t
#define TYPE_FLOAT32 float
#define TYPE_FLOAT64 double
#define FROM_BOOL(x) ((x) != 0)
#define FROM_UINT8(x) (x)
#define FROM_INT8(x) (x)
#define FROM_INT16(x) (x)
#define FROM_INT32(x) (x)
#define FROM_INT64(x) (x)
#define FROM_FLOAT32(x) (x)
#define FROM_FLOAT64(x) (x)
#define TO_BOOL(x) ((x) != 0)
#define TO_UINT8(x) ((uint8_t)INTEGER32(x))
#define TO_INT8(x) ((int8_t)INTEGER32(x))
#define TO_INT16(x) ((int16_t)INTEGER32(x))
#define TO_INT32(x) ((int32_t)INTEGER32(x))
#define TO_INT64(x) INTEGER64(x)
#define TO_FLOAT32(x) ((float)(x))
#define TO_FLOAT64(x) ((double)(x))

#define EACH_PAIR_FROM(X, from) \
    X(BOOL, from)               \
    X(UINT8, from)              \
    X(INT8, from)               \
    X(INT16, from)              \
    X(INT32, from)              \
    X(INT64, from)              \
    X(FLOAT32, from)            \
    X(FLOAT64, from)
#define EACH_PAIR(X)           \
    EACH_PAIR_FROM(X, BOOL)    \
    EACH_PAIR_FROM(X, UINT8)   \
    EACH_PAIR_FROM(X, INT8)    \
    EACH_PAIR_FROM(X, INT16)   \
    EACH_PAIR_FROM(X, INT32)   \
    EACH_PAIR_FROM(X, INT64)   \
    EACH_PAIR_FROM(X, FLOAT32) \
    EACH_PAIR_FROM(X, FLOAT64)

#define LOOP(to, from)                                                                     \
    static void to##_from_##from(void *y_, const void *x_, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                                      \
        TYPE_##to *restrict y = y_;                                                        \
        const TYPE_##from *restrict x = x_;                                                \
        for (ptrdiff_t i = begin; i < end; i++) y[i] = TO_##to(FROM_##from(x[i]));         \
    }
EACH_PAIR(LOOP)

#define ENTRY(to, from) [ELEMENT_##to][ELEMENT_##from] = to##_from_##from,
static void (*const loops[ELEMENT_COUNT][ELEMENT_COUNT])(void *, const void *, ptrdiff_t,
                                                         ptrdiff_t) = {EACH_PAIR(ENTRY)};

static void cast_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const cast_args a = *(const cast_args *)context;
    flush_state before = keep_subnormals();
    loops[a.y_element][a.x_element](a.y, a.x, begin, end);
    set_subnormals(before);
}

void KERNEL(cast)(const void *args)
{
    ptrdiff_t n = ((const cast_args *)args)->n;
    parallel_for(n, BLOCK, (double)n * 0.5, cast_range, args);
}

#else /* the types stand in the arguments: one dtype's table has it all */

void PASTE3(cast, ISA_NAME, 32)(const void *args);
void KERNEL(cast)(const void *args) { PASTE3(cast, ISA_NAME, 32)(args); }

#endif
