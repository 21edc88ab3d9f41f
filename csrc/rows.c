/* See rows.h: rows_of_<struct> for every struct of arguments that can be cut. */
#include "rows.h"
#include "contracts/all.h"
#include "dispatch.h"

#include <stddef.h>

typedef struct {
    row_cut *cut;
    ptrdiff_t real; /* bytes */
} cutter;

/* Says that the rows of `type`'s pointer `member` have `width` numbers. */
#define ROWS_AT(c, a, type, member, width) \
    add_field(c, (a)->member, (ptrdiff_t)offsetof(type, member), (width) * (c)->real)

static void add_field(const cutter *c, const void *pointer, ptrdiff_t offset, ptrdiff_t bytes)
{
    if (pointer != NULL) c->cut->fields[c->cut->field_count++] = (row_field){offset, bytes};
}

/* The call has `n` things, counted at `offset`. False if they are no whole rows, or if the rows are not known. */
static bool counted(const cutter *c, ptrdiff_t n, ptrdiff_t offset)
{
    row_cut *cut = c->cut;
    cut->count = offset;
    if (cut->rows <= 0 || n % cut->rows != 0) return false;
    cut->each = n / cut->rows;
    return cut->each > 0;
}

/* Of a call whose arguments know their rows: n of them. */
static bool has_rows(const cutter *c, ptrdiff_t n, ptrdiff_t offset)
{
    if (c->cut->rows == 0) c->cut->rows = n;
    return counted(c, n, offset);
}

static bool rows_of_linear_forward(const cutter *c, const void *args)
{
    const linear_forward_args *a = args;
    ROWS_AT(c, a, linear_forward_args, y, a->o);
    ROWS_AT(c, a, linear_forward_args, x, a->k);
    return has_rows(c, a->n, offsetof(linear_forward_args, n)) && c->cut->each == 1;
}

/* dx alone: dw and db are sums over the rows. */
static bool rows_of_linear_backward(const cutter *c, const void *args)
{
    const linear_backward_args *a = args;
    ROWS_AT(c, a, linear_backward_args, dx, a->k);
    ROWS_AT(c, a, linear_backward_args, dy, a->o);
    return a->dw == NULL && a->db == NULL && has_rows(c, a->n, offsetof(linear_backward_args, n)) &&
           c->cut->each == 1;
}

static bool rows_of_gemm(const cutter *c, const void *args)
{
    const gemm_args *g = args;
    ROWS_AT(c, g, gemm_args, c, g->c_row);
    ROWS_AT(c, g, gemm_args, a, g->a_row);
    return g->batch == 1 && g->beta == 0 && g->c_row == g->n && g->a_col == 1 && g->a_row == g->k &&
           has_rows(c, g->m, offsetof(gemm_args, m)) && c->cut->each == 1;
}

static bool rows_of_activation_forward(const cutter *c, const void *args)
{
    const activation_forward_args *a = args;
    if (!counted(c, a->n, offsetof(activation_forward_args, n))) return false;
    ROWS_AT(c, a, activation_forward_args, y, c->cut->each);
    ROWS_AT(c, a, activation_forward_args, x, c->cut->each);
    return true;
}

static bool rows_of_activation_backward(const cutter *c, const void *args)
{
    const activation_backward_args *a = args;
    if (!counted(c, a->n, offsetof(activation_backward_args, n))) return false;
    ROWS_AT(c, a, activation_backward_args, dx, c->cut->each);
    ROWS_AT(c, a, activation_backward_args, dy, c->cut->each);
    ROWS_AT(c, a, activation_backward_args, s, c->cut->each);
    return true;
}

static bool rows_of_prelu_forward(const cutter *c, const void *args)
{
    const prelu_forward_args *a = args;
    ROWS_AT(c, a, prelu_forward_args, y, a->c * a->inner);
    ROWS_AT(c, a, prelu_forward_args, x, a->c * a->inner);
    return has_rows(c, a->n, offsetof(prelu_forward_args, n)) && c->cut->each == 1;
}

static bool rows_of_batchnorm_inference(const cutter *c, const void *args)
{
    const batchnorm_inference_args *a = args;
    ROWS_AT(c, a, batchnorm_inference_args, y, a->c);
    ROWS_AT(c, a, batchnorm_inference_args, x, a->c);
    return has_rows(c, a->n, offsetof(batchnorm_inference_args, n)) && c->cut->each == 1;
}

/* A row of a chain may be several of these, as all groups of an example. */
static bool rows_of_row_norm_forward(const cutter *c, const void *args)
{
    const row_norm_forward_args *a = args;
    if (!has_rows(c, a->n, offsetof(row_norm_forward_args, n)) || c->cut->each % a->groups != 0) return false;
    ROWS_AT(c, a, row_norm_forward_args, y, c->cut->each * a->c);
    ROWS_AT(c, a, row_norm_forward_args, x, c->cut->each * a->c);
    ROWS_AT(c, a, row_norm_forward_args, mean, c->cut->each);
    ROWS_AT(c, a, row_norm_forward_args, rstd, c->cut->each);
    return true;
}

static bool rows_of_row_pair_forward(const cutter *c, const void *args)
{
    const row_pair_forward_args *a = args;
    if (!has_rows(c, a->n, offsetof(row_pair_forward_args, n))) return false;
    ROWS_AT(c, a, row_pair_forward_args, y, c->cut->each);
    ROWS_AT(c, a, row_pair_forward_args, x, c->cut->each * a->c);
    ROWS_AT(c, a, row_pair_forward_args, t, c->cut->each * a->c);
    return true;
}

static bool rows_of_softmax_forward(const cutter *c, const void *args)
{
    const softmax_forward_args *a = args;
    if (!has_rows(c, a->n, offsetof(softmax_forward_args, n))) return false;
    ROWS_AT(c, a, softmax_forward_args, y, c->cut->each * a->c);
    ROWS_AT(c, a, softmax_forward_args, x, c->cut->each * a->c);
    return true;
}

static bool rows_of_softmax_backward(const cutter *c, const void *args)
{
    const softmax_backward_args *a = args;
    if (!has_rows(c, a->n, offsetof(softmax_backward_args, n))) return false;
    ROWS_AT(c, a, softmax_backward_args, dx, c->cut->each * a->c);
    ROWS_AT(c, a, softmax_backward_args, dy, c->cut->each * a->c);
    ROWS_AT(c, a, softmax_backward_args, y, c->cut->each * a->c);
    return true;
}

/* An operand of rows of its own, of a number a row, or of what all rows share; one long row is cut where both are as long
 * or one number. */
static bool rows_of_binary(const cutter *c, const void *args)
{
    const binary_args *a = args;
    if (a->rows == 1) {
        if (!counted(c, a->cols, offsetof(binary_args, cols))) return false;
        ROWS_AT(c, a, binary_args, y, c->cut->each);
        if (a->a_col == 1) ROWS_AT(c, a, binary_args, a, c->cut->each);
        if (a->b_col == 1) ROWS_AT(c, a, binary_args, b, c->cut->each);
        return true;
    }
    if (!counted(c, a->rows, offsetof(binary_args, rows))) return false;
    ROWS_AT(c, a, binary_args, y, c->cut->each * a->cols);
    if (a->a_row != 0) ROWS_AT(c, a, binary_args, a, c->cut->each * a->a_row);
    if (a->b_row != 0) ROWS_AT(c, a, binary_args, b, c->cut->each * a->b_row);
    return a->a_row >= 0 && a->b_row >= 0;
}

static bool rows_of_unary(const cutter *c, const void *args)
{
    const unary_args *a = args;
    if (!counted(c, a->n, offsetof(unary_args, n))) return false;
    ROWS_AT(c, a, unary_args, y, c->cut->each);
    ROWS_AT(c, a, unary_args, x, c->cut->each);
    return true;
}

static bool rows_of_copy(const cutter *c, const void *args)
{
    const copy_args *a = args;
    if (a->ndim == 0 || a->y_strides[0] < 0 || a->x_strides[0] < 0) return false;
    if (!counted(c, a->shape[0], offsetof(copy_args, shape))) return false;
    const ptrdiff_t bytes = c->cut->each * a->item_bytes;
    add_field(c, a->y, offsetof(copy_args, y), bytes * a->y_strides[0]);
    if (a->x_strides[0] != 0) add_field(c, a->x, offsetof(copy_args, x), bytes * a->x_strides[0]);
    return true;
}

static bool rows_of_none(const cutter *c, const void *args)
{
    (void)c, (void)args;
    return false;
}

#define ROWS_OF(type)                                            \
    _Generic((type *)NULL,                                       \
        linear_forward_args *: rows_of_linear_forward,           \
        linear_backward_args *: rows_of_linear_backward,         \
        gemm_args *: rows_of_gemm,                               \
        activation_forward_args *: rows_of_activation_forward,   \
        activation_backward_args *: rows_of_activation_backward, \
        prelu_forward_args *: rows_of_prelu_forward,             \
        batchnorm_inference_args *: rows_of_batchnorm_inference, \
        row_norm_forward_args *: rows_of_row_norm_forward,       \
        row_pair_forward_args *: rows_of_row_pair_forward,       \
        softmax_forward_args *: rows_of_softmax_forward,         \
        softmax_backward_args *: rows_of_softmax_backward,       \
        binary_args *: rows_of_binary,                           \
        unary_args *: rows_of_unary,                             \
        copy_args *: rows_of_copy,                               \
        default: rows_of_none)

bool pyml_rows(int kernel, pyml_dtype dtype, const void *args, ptrdiff_t rows, row_cut *cut)
{
    const ptrdiff_t real = pyml_dtype_bytes(dtype);
    const cutter c = {cut, real};
    *cut = (row_cut){.rows = rows};
    switch ((pyml_kernel)kernel) {
#define X(name, arguments, operations)            \
    case KERNEL_##name:                           \
        cut->size = (ptrdiff_t)sizeof(arguments); \
        return ROWS_OF(arguments)(&c, args);
#include "kernel_list.h"
#undef X
    case KERNEL_COUNT:
        break;
    }
    return false;
}
