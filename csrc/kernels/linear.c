/* The fully connected layer. */
#include "linear.h"

void KERNEL(linear_forward_finished)(const void *args, const product_finish *finish)
{
    const linear_forward_args *a = args;
    gemm_args y = product_y(a);
    if (finish != NULL) y.c = finish->to;
    KERNEL(gemm_finished)(&y, a->b, finish);
}

void KERNEL(linear_forward)(const void *args) { KERNEL(linear_forward_finished)(args, NULL); }

/* ---- db[j] = sum over i of dy[i,j] --------------------------------------------------------------------------
 *
 * A task sums one block of rows of some columns; the sums of the blocks are then added in order. So rounding errors
 * stay small when n is large, and few columns are work for several threads too. */
enum {
    ROW_BLOCK = 256,
    COLUMN_BLOCK = 64,
    STRIP = 4, /* vectors side by side hide the latency of an addition */
    VECTORS_PER_NS = 3,
};

/* dy (n,o) and what its rows are summed to: a row of sums for each block of rows. */
typedef struct {
    real *sums;
    const real *dy;
    ptrdiff_t n, o, row_block, column_blocks;
} column_sums;

/* `vectors` vectors of columns at dy; constant where this is inlined. `last`: lanes of the last. */
INLINE void sum_strip(const int vectors, const ptrdiff_t last, real *sums, const real *dy, ptrdiff_t rows,
                      ptrdiff_t o)
{
    vec sum[STRIP] = {0};
    for (ptrdiff_t i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            sum[v] += vload_upto(dy + i * o + v * L, v == vectors - 1 ? last : L);
    for (int v = 0; v < vectors; v++) vstore_upto(sums + v * L, sum[v], v == vectors - 1 ? last : L);
}

static void sum_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const column_sums c = *(const column_sums *)context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const ptrdiff_t block = task / c.column_blocks, i = block * c.row_block;
        const ptrdiff_t rows = min_size(c.row_block, c.n - i);
        ptrdiff_t j = task % c.column_blocks * COLUMN_BLOCK;
        const ptrdiff_t j_end = min_size(j + COLUMN_BLOCK, c.o);
        const real *dy = c.dy + i * c.o;
        real *sums = c.sums + block * c.o;
        for (; j + STRIP * L <= j_end; j += STRIP * L) sum_strip(STRIP, L, sums + j, dy + j, rows, c.o);
        for (; j + 2 * L <= j_end; j += 2 * L) sum_strip(2, L, sums + j, dy + j, rows, c.o);
        for (; j + L <= j_end; j += L) sum_strip(1, L, sums + j, dy + j, rows, c.o);
        if (j < j_end) sum_strip(1, j_end - j, sums + j, dy + j, rows, c.o);
    }
}

static void sum_columns(real *db, const real *dy, ptrdiff_t n, ptrdiff_t o)
{
    const ptrdiff_t room = SCRATCH_BYTES / (ptrdiff_t)sizeof(real);
    column_sums c = {db, dy, n, o, ROW_BLOCK, ceil_div(o, COLUMN_BLOCK)};
    while (c.row_block < n && ceil_div(n, c.row_block) * o > room) c.row_block *= 2;
    const ptrdiff_t row_blocks = n <= c.row_block ? 1 : ceil_div(n, c.row_block);
    if (row_blocks > 1) c.sums = thread_scratch();
    const double ns = (double)n * (double)ceil_div(o, L) / VECTORS_PER_NS;
    parallel_for(row_blocks * c.column_blocks, 1, ns, sum_range, &c);
    if (row_blocks == 1) return;
    EACH_VECTOR(o, vec sum = vload_upto(c.sums + j, m); for (ptrdiff_t block = 1; block < row_blocks; block++)
                                                            sum += vload_upto(c.sums + block * o + j, m);
                vstore_upto(db + j, sum, m));
}

/* ---- backward ------------------------------------------------------------------------------------------- */

/* y = alpha x w^T + b:  dx = alpha dy w,  dw = alpha dy^T x,  db = sum over rows of dy. */
void KERNEL(linear_backward_finished)(const void *args, const product_finish *finish, kernel_fn update,
                                      const void *update_args)
{
    const linear_backward_args *a = args;
    gemm_args dx = product_dx(a);
    if (finish != NULL) dx.c = finish->to;
    if (a->dx != NULL) KERNEL(gemm_finished)(&dx, NULL, finish);
    compute_dw(a, KERNEL(gemm), KERNEL(gemm_by_stripes), update, update_args);
    if (a->db != NULL) sum_columns(a->db, a->dy, a->n, a->o);
}

void KERNEL(linear_backward)(const void *args) { KERNEL(linear_backward_finished)(args, NULL, NULL, NULL); }
