/* Elements written, copied from strides to strides, and made another type. */
#include "../contracts/move.h"
#include "../simd/transpose.h"
#include "map.h"

/* ---- fill ------------------------------------------------------------------------------------------ */

static void fill_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const fill_args a = *(const fill_args *)context;
    real *y = a.y;
    const real value = (real)a.value;
    for (ptrdiff_t i = begin; i < end; i++) y[i] = value;
}

void KERNEL(fill)(const void *args)
{
    ptrdiff_t n = ((const fill_args *)args)->n;
    parallel_for(n, BLOCK, (double)n * NS_MEMORY, fill_range, args);
}

/* ---- copy ------------------------------------------------------------------------------------------ */

/* The dimensions are taken in the order of y's memory. The last two are a plane, cut into tiles of at most TILE_ROWS
 * rows; the others count planes. In a tile whose columns are not contiguous in x, squares of TILE_ROWS are copied one
 * after another, so that of a transposed x whole cache lines are read, and stay in L1 until used up. */
enum { TILE_ROWS = 16, TILE_COLS = 512 };

typedef struct {
    char *y;
    const char *x;
    ptrdiff_t ndim, item_bytes;
    ptrdiff_t shape[COPY_NDIM], y_strides[COPY_NDIM], x_strides[COPY_NDIM]; /* ndim >= 2 */
    ptrdiff_t row_tiles, col_tiles, tile_cols;
} copy_context;

INLINE ptrdiff_t magnitude(ptrdiff_t stride) { return stride < 0 ? -stride : stride; }

static void move_dimension(copy_context *c, ptrdiff_t to, ptrdiff_t from)
{
    c->shape[to] = c->shape[from];
    c->y_strides[to] = c->y_strides[from];
    c->x_strides[to] = c->x_strides[from];
}

static void set_dimension(copy_context *c, ptrdiff_t d, ptrdiff_t size, ptrdiff_t y_stride,
                          ptrdiff_t x_stride)
{
    c->shape[d] = size;
    c->y_strides[d] = y_stride;
    c->x_strides[d] = x_stride;
}

/* Drops dimensions of one element, puts those with the longer steps in y before the others, merges each with
 * the one before it where both arrays allow, and pads to a plane. */
static copy_context merge_dimensions(const copy_args *a)
{
    copy_context c = {.y = a->y, .x = a->x, .item_bytes = a->item_bytes};
    for (ptrdiff_t d = 0; d < a->ndim; d++) {
        if (a->shape[d] == 1) continue;
        ptrdiff_t to = c.ndim++;
        for (; to > 0 && magnitude(c.y_strides[to - 1]) < magnitude(a->y_strides[d]); to--)
            move_dimension(&c, to, to - 1);
        set_dimension(&c, to, a->shape[d], a->y_strides[d], a->x_strides[d]);
    }
    ptrdiff_t last = 0; /* of the merged ones */
    for (ptrdiff_t d = 1; d < c.ndim; d++) {
        if (c.y_strides[last] == c.shape[d] * c.y_strides[d] &&
            c.x_strides[last] == c.shape[d] * c.x_strides[d])
            set_dimension(&c, last, c.shape[last] * c.shape[d], c.y_strides[d], c.x_strides[d]);
        else move_dimension(&c, ++last, d);
    }
    if (c.ndim > 0) c.ndim = last + 1;
    for (; c.ndim < 2; c.ndim++) {
        if (c.ndim == 1) move_dimension(&c, 1, 0);
        set_dimension(&c, 0, 1, 1, 1);
    }
    return c;
}

/* Defines the copy of a tile of elements of `size` bytes. Strides are in elements. */
#define COPY_TILE(size, type)                                                                        \
    typedef type item_##size __attribute__((may_alias));                                             \
    INLINE void copy_row_##size(item_##size *y, const item_##size *x, ptrdiff_t n, ptrdiff_t y_col,  \
                                ptrdiff_t x_col)                                                     \
    {                                                                                                \
        const type first = *x;                                                                       \
        if (y_col == 1 && x_col == 1) memcpy(y, x, (size_t)n * size);                                \
        else if (y_col == 1 && x_col == 0)                                                           \
            for (ptrdiff_t j = 0; j < n; j++) y[j] = first;                                          \
        else if (y_col == 1)                                                                         \
            for (ptrdiff_t j = 0; j < n; j++) y[j] = x[j * x_col];                                   \
        else                                                                                         \
            for (ptrdiff_t j = 0; j < n; j++) y[j * y_col] = x[j * x_col];                           \
    }                                                                                                \
    static void copy_tile_##size(char *to, const char *from, ptrdiff_t rows, ptrdiff_t cols,         \
                                 ptrdiff_t y_row, ptrdiff_t y_col, ptrdiff_t x_row, ptrdiff_t x_col) \
    {                                                                                                \
        item_##size *y = (item_##size *)to;                                                          \
        const item_##size *x = (const item_##size *)from;                                            \
        const ptrdiff_t width = x_col == 0 || x_col == 1 ? cols : TILE_ROWS;                         \
        for (ptrdiff_t j = 0; j < cols; j += width)                                                  \
            for (ptrdiff_t i = 0; i < rows; i++)                                                     \
                copy_row_##size(y + i * y_row + j * y_col, x + i * x_row + j * x_col,                \
                                min_size(width, cols - j), y_col, x_col);                            \
    }
COPY_TILE(1, uint8_t)
COPY_TILE(2, uint16_t)
COPY_TILE(4, uint32_t)
COPY_TILE(8, uint64_t)

#if REAL_BITS == 32 /* as copies of any type are called */
/* A tile of numbers whose columns lie side by side in x, as rows do in y. */
static void transpose_tile(real *y, const real *x, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t y_row,
                           ptrdiff_t x_col)
{
    for (ptrdiff_t j = 0; j < cols; j += L)
        for (ptrdiff_t i = 0; i < rows; i += L) {
            const ptrdiff_t height = rows - i, width = cols - j;
            vec square[LANES];
            UNROLL for (ptrdiff_t l = 0; l < L; l++)
                square[l] = l < width ? vload_upto(x + (j + l) * x_col + i, height) : (vec){0};
            vtranspose(square);
            UNROLL for (ptrdiff_t l = 0; l < L; l++)
                if (l < height) vstore_upto(y + (i + l) * y_row + j, square[l], width);
        }
}
#endif

/* tiles [begin, end), numbered by plane, then row, then column */
static void copy_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const copy_context c = *(const copy_context *)context;
    const ptrdiff_t r = c.ndim - 2, k = c.ndim - 1; /* the dimensions of rows and columns */
    for (ptrdiff_t tile = begin; tile < end; tile++) {
        ptrdiff_t j = tile % c.col_tiles * c.tile_cols, i = tile / c.col_tiles % c.row_tiles * TILE_ROWS;
        ptrdiff_t plane = tile / c.col_tiles / c.row_tiles;
        ptrdiff_t y = i * c.y_strides[r] + j * c.y_strides[k], x = i * c.x_strides[r] + j * c.x_strides[k];
        for (ptrdiff_t d = r - 1; d >= 0; plane /= c.shape[d--]) {
            y += plane % c.shape[d] * c.y_strides[d];
            x += plane % c.shape[d] * c.x_strides[d];
        }
        const ptrdiff_t rows = min_size(TILE_ROWS, c.shape[r] - i),
                        cols = min_size(c.tile_cols, c.shape[k] - j);
#if REAL_BITS == 32
        if (rows > 1 && c.item_bytes == sizeof(real) && c.y_strides[k] == 1 && c.x_strides[r] == 1) {
            transpose_tile((real *)c.y + y, (const real *)c.x + x, rows, cols, c.y_strides[r],
                           c.x_strides[k]);
            continue;
        }
#endif
        void (*copy_tile)(char *, const char *, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t,
                          ptrdiff_t) = c.item_bytes == 1   ? copy_tile_1
                                       : c.item_bytes == 2 ? copy_tile_2
                                       : c.item_bytes == 4 ? copy_tile_4
                                                           : copy_tile_8;
        copy_tile(c.y + y * c.item_bytes, c.x + x * c.item_bytes, rows, cols, c.y_strides[r], c.y_strides[k],
                  c.x_strides[r], c.x_strides[k]);
    }
}

void KERNEL(copy)(const void *args)
{
    copy_context c = merge_dimensions(args);
    ptrdiff_t rows = c.shape[c.ndim - 2], cols = c.shape[c.ndim - 1], planes = 1;
    for (ptrdiff_t d = 0; d < c.ndim - 2; d++) planes *= c.shape[d];
    if (planes * rows * cols == 0) return;
    int contiguous = c.y_strides[c.ndim - 1] == 1 && c.x_strides[c.ndim - 1] == 1;
    c.tile_cols = contiguous ? BLOCK : TILE_COLS;
    c.row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    c.col_tiles = (cols + c.tile_cols - 1) / c.tile_cols;
    ptrdiff_t tile = min_size(rows, TILE_ROWS) * min_size(cols, c.tile_cols);
    double ns = (double)(planes * rows * cols) * (contiguous ? NS_MEMORY : 0.5);
    parallel_for(planes * c.row_tiles * c.col_tiles, 1 + BLOCK / tile, ns, copy_range, &c);
}
