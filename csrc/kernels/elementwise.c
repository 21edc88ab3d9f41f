/* Elementwise arithmetic: two operands with broadcasting, one operand, selection, and strided copies. */
#include "../simd/vmath.h"
#include "map.h"

#include <math.h>

/* ---- binary ---------------------------------------------------------------------------------------- */

/* n <= L elements of an operand from column j on; `col` is its column stride, 0 or 1 */
INLINE vec load(const real *p, ptrdiff_t j, ptrdiff_t col, ptrdiff_t n)
{
    if (col == 0) return vset1(p[0]);
    return vload_upto(p + j, n);
}

/* Rows that follow one another without a gap are one row; so is a column. */
static binary_args merge_rows(binary_args a)
{
    if (a.cols == 1 && (a.a_row == 0 || a.a_row == 1) && (a.b_row == 0 || a.b_row == 1)) {
        a.a_col = a.a_row;
        a.b_col = a.b_row;
    }
    if (a.a_row == a.a_col * a.cols && a.b_row == a.b_col * a.cols) {
        a.cols *= a.rows;
        a.rows = 1;
    }
    return a;
}

/* Defines the kernel `name` from an expression of the vectors p and q. The loop of a row is compiled once for
 * each pair of column strides. */
#define BINARY(name, ns, expression)                                                                        \
    INLINE vec name##_lane(vec p, vec q) { return expression; }                                             \
    INLINE void name##_row(real *y, const real *a, const real *b, ptrdiff_t n, ptrdiff_t a_col,             \
                           ptrdiff_t b_col)                                                                 \
    {                                                                                                       \
        ptrdiff_t j = 0;                                                                                    \
        for (; j + L <= n; j += L) vstore(y + j, name##_lane(load(a, j, a_col, L), load(b, j, b_col, L)));  \
        if (j < n) vstore_n(y + j, name##_lane(load(a, j, a_col, n - j), load(b, j, b_col, n - j)), n - j); \
    }                                                                                                       \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                           \
    {                                                                                                       \
        const binary_args c = *(const binary_args *)context;                                                \
        real *y = c.y;                                                                                      \
        ptrdiff_t i = begin / c.cols, j = begin % c.cols;                                                   \
        for (ptrdiff_t n; begin < end; begin += n, i++, j = 0) {                                            \
            const real *a = (const real *)c.a + i * c.a_row + j * c.a_col;                                  \
            const real *b = (const real *)c.b + i * c.b_row + j * c.b_col;                                  \
            n = min_size(c.cols - j, end - begin);                                                          \
            if (c.a_col && c.b_col) name##_row(y + begin, a, b, n, 1, 1);                                   \
            else if (c.a_col) name##_row(y + begin, a, b, n, 1, 0);                                         \
            else if (c.b_col) name##_row(y + begin, a, b, n, 0, 1);                                         \
            else name##_row(y + begin, a, b, n, 0, 0);                                                      \
        }                                                                                                   \
    }                                                                                                       \
    void KERNEL(name)(const void *args)                                                                     \
    {                                                                                                       \
        const binary_args a = merge_rows(*(const binary_args *)args);                                       \
        ptrdiff_t n = a.rows * a.cols;                                                                      \
        parallel_for(n, BLOCK, (double)n * (ns), name##_range, &a);                                         \
    }

/* x, a subnormal made the zero of its sign: the C library takes numbers apart by their bits, and while
 * subnormals are flushed it fails to scale one up */
INLINE vec vflush(vec x) { return vselect(x == 0, (vec)((ivec)x & (ivec)vset1((real)-0.0)), x); }

/* p^q, one lane at a time by the C library: its pow is right to the last place or next to it. */
INLINE vec vpow(vec p, vec q)
{
    vec y = {0};
    p = vflush(p), q = vflush(q);
#if REAL_BITS == 32
    for (ptrdiff_t i = 0; i < L; i++) y[i] = powf(p[i], q[i]);
#else
    for (ptrdiff_t i = 0; i < L; i++) y[i] = pow(p[i], q[i]);
#endif
    return y;
}
#define NS_POW 15.0

BINARY(add, NS_MEMORY, p + q)
BINARY(sub, NS_MEMORY, p - q)
BINARY(mul, NS_MEMORY, p * q)
BINARY(div, NS_MEMORY, p / q)
BINARY(pow, NS_POW, vpow(p, q))
BINARY(maximum, NS_MEMORY, vmax(p, q))
BINARY(minimum, NS_MEMORY, vmin(p, q))

/* ---- unary ----------------------------------------------------------------------------------------- */

/* -1, 0 or 1; NaN stays NaN */
INLINE vec vsign(vec x)
{
    const vec zero = {0}, one = vset1(1);
    vec sign = vselect(x > zero, one, vselect(x < zero, -one, zero));
    return vselect(x == x, sign, x);
}

MAP_FORWARD(neg, unary_args, NS_MEMORY, -x)
MAP_FORWARD(abs, unary_args, NS_MEMORY, vabs(x))
MAP_FORWARD(exp, unary_args, NS_MATH, vexp(x))
MAP_FORWARD(log, unary_args, NS_MATH, vlog(x))
MAP_FORWARD(sqrt, unary_args, NS_MEMORY, vsqrt(x))
MAP_FORWARD(sign, unary_args, NS_MEMORY, vsign(x))
MAP_FORWARD(reciprocal, unary_args, NS_MEMORY, 1 / x)
MAP_FORWARD(clamp, unary_args, NS_MEMORY, vmin(vmax(x, vset1((real)a.low)), vset1((real)a.high)))

/* ---- where ----------------------------------------------------------------------------------------- */

INLINE vec where_lane(const uint8_t *condition, vec p, vec q, ptrdiff_t n)
{
    ivec mask = {0};
    for (ptrdiff_t i = 0; i < n; i++) mask[i] = -(ireal)(condition[i] != 0);
    return vselect(mask, p, q);
}

static void where_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const where_args w = *(const where_args *)context;
    real *y = w.y;
    const real *a = w.a, *b = w.b;
    ptrdiff_t i = begin;
    for (; i + L <= end; i += L) vstore(y + i, where_lane(w.condition + i, vload(a + i), vload(b + i), L));
    ptrdiff_t rest = end - i;
    vstore_n(y + i, where_lane(w.condition + i, vload_n(a + i, rest), vload_n(b + i, rest), rest), rest);
}

void KERNEL(where)(const void *args)
{
    ptrdiff_t n = ((const where_args *)args)->n;
    parallel_for(n, BLOCK, (double)n * 0.4, where_range, args);
}

/* ---- copy ------------------------------------------------------------------------------------------ */

/* The last two dimensions are a plane, cut into tiles of at most TILE_ROWS x TILE_COLS; the others count
 * planes. In a tile whose columns are not contiguous in x, squares of TILE_ROWS are copied one after another,
 * so that of a transposed x whole cache lines are read, and stay in L1 until used up. */
enum { TILE_ROWS = 16, TILE_COLS = 512 };

typedef struct {
    real *y;
    const real *x;
    ptrdiff_t ndim, shape[COPY_NDIM], strides[COPY_NDIM]; /* ndim >= 2 */
    ptrdiff_t row_tiles, col_tiles;
} copy_context;

/* Drops dimensions of one element, merges each with the one before it where x allows, and pads to a plane. */
static copy_context merge_dimensions(const copy_args *a)
{
    copy_context c = {.y = a->y, .x = a->x};
    for (ptrdiff_t d = 0; d < a->ndim; d++) {
        ptrdiff_t size = a->shape[d], stride = a->strides[d];
        if (size == 1) continue;
        if (c.ndim > 0 && c.strides[c.ndim - 1] == size * stride) c.shape[c.ndim - 1] *= size;
        else c.shape[c.ndim++] = size;
        c.strides[c.ndim - 1] = stride;
    }
    for (; c.ndim < 2; c.ndim++) {
        memmove(c.shape + 1, c.shape, (size_t)c.ndim * sizeof *c.shape);
        memmove(c.strides + 1, c.strides, (size_t)c.ndim * sizeof *c.strides);
        c.shape[0] = 1;
        c.strides[0] = 0;
    }
    return c;
}

INLINE void copy_row(real *y, const real *x, ptrdiff_t n, ptrdiff_t stride)
{
    if (stride == 1) memcpy(y, x, (size_t)n * sizeof *y);
    else
        for (ptrdiff_t j = 0; j < n; j++) y[j] = x[j * stride];
}

static void copy_tile(real *y, const real *x, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t y_row,
                      ptrdiff_t x_row, ptrdiff_t x_col)
{
    ptrdiff_t width = x_col == 0 || x_col == 1 ? TILE_COLS : TILE_ROWS;
    for (ptrdiff_t j = 0; j < cols; j += width)
        for (ptrdiff_t i = 0; i < rows; i++)
            copy_row(y + i * y_row + j, x + i * x_row + j * x_col, min_size(width, cols - j), x_col);
}

/* tiles [begin, end), numbered by plane, then row, then column */
static void copy_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const copy_context c = *(const copy_context *)context;
    const ptrdiff_t rows = c.shape[c.ndim - 2], cols = c.shape[c.ndim - 1];
    const ptrdiff_t x_row = c.strides[c.ndim - 2], x_col = c.strides[c.ndim - 1];
    for (ptrdiff_t tile = begin; tile < end; tile++) {
        ptrdiff_t j = tile % c.col_tiles * TILE_COLS, i = tile / c.col_tiles % c.row_tiles * TILE_ROWS;
        ptrdiff_t plane = tile / c.col_tiles / c.row_tiles;
        real *y = c.y + (plane * rows + i) * cols + j;
        const real *x = c.x + i * x_row + j * x_col;
        for (ptrdiff_t d = c.ndim - 3; d >= 0; plane /= c.shape[d--]) x += plane % c.shape[d] * c.strides[d];
        copy_tile(y, x, min_size(TILE_ROWS, rows - i), min_size(TILE_COLS, cols - j), cols, x_row, x_col);
    }
}

void KERNEL(copy)(const void *args)
{
    copy_context c = merge_dimensions(args);
    ptrdiff_t rows = c.shape[c.ndim - 2], cols = c.shape[c.ndim - 1], planes = 1;
    for (ptrdiff_t d = 0; d < c.ndim - 2; d++) planes *= c.shape[d];
    if (planes * rows * cols == 0) return;
    c.row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    c.col_tiles = (cols + TILE_COLS - 1) / TILE_COLS;
    ptrdiff_t tile = min_size(rows, TILE_ROWS) * min_size(cols, TILE_COLS);
    double ns = (double)(planes * rows * cols) * 0.5;
    parallel_for(planes * c.row_tiles * c.col_tiles, 1 + BLOCK / tile, ns, copy_range, &c);
}
