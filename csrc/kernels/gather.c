/* Rows of an array by index, and the gradient of that: an embedding, a minibatch. */
#include "kernel.h"

enum { ROWS_BYTES = 32768, COLUMN_BLOCK = 64 };

static void gather_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const gather_args a = *(const gather_args *)context;
    for (ptrdiff_t i = begin; i < end; i++)
        memcpy((char *)a.y + i * a.row_bytes, (const char *)a.x + a.index[i] * a.row_bytes,
               (size_t)a.row_bytes);
}

void KERNEL(gather)(const void *args)
{
    const gather_args *a = args;
    if (a->row_bytes == 0) return;
    double ns = (double)a->n * (10 + (double)a->row_bytes * 0.1);
    parallel_for(a->n, 1 + ROWS_BYTES / a->row_bytes, ns, gather_range, a);
}

/* Columns [begin, end) of all rows, in the order of the index: a row named twice adds in that order. */
static void gather_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const gather_backward_args a = *(const gather_backward_args *)context;
    for (ptrdiff_t row = 0; row < a.rows; row++)
        memset((real *)a.dx + row * a.c + begin, 0, (size_t)(end - begin) * sizeof(real));
    for (ptrdiff_t i = 0; i < a.n; i++) {
        real *dx = (real *)a.dx + a.index[i] * a.c;
        const real *dy = (const real *)a.dy + i * a.c;
        for (ptrdiff_t j = begin; j < end; j++) dx[j] += dy[j];
    }
}

void KERNEL(gather_backward)(const void *args)
{
    const gather_backward_args *a = args;
    double ns = (double)a->c * ((double)a->rows * 0.1 + (double)a->n * 0.4);
    parallel_for(a->c, COLUMN_BLOCK, ns, gather_backward_range, a);
}
