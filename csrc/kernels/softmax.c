/* Softmax and log-softmax of rows. */
#include "../contracts/softmax.h"
#include "rows.h"

/* ---- softmax:  y = exp(x - max) / sum exp(x - max) ----------------------------------------------------- */

static void softmax_of_lanes(const softmax_forward_args *a, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    vec x[MOST_IN_LANES], y[MOST_IN_LANES] = {0};
    EACH_L_ROWS(begin, end, {
        load_rows(x, (const real *)a->x + i * c, c, rows);
        const vec factor = 1 / exp_of_each(y, x, c, max_of_each(x, c));
        for (ptrdiff_t j = 0; j < c; j++) y[j] *= factor;
        store_rows((real *)a->y + i * c, y, c, rows);
    })
}

static void softmax_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_forward_args *a = context;
    if (fits_lanes(a->c)) {
        softmax_of_lanes(a, begin, end);
        return;
    }
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        real *y = (real *)a->y + i * a->c;
        const real top = row_max(x, a->c);
        row_scale(y, a->c, 1 / row_exp(y, x, a->c, top));
    }
}
void KERNEL(softmax_forward)(const void *args)
{
    const softmax_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, in_lanes(a->c, 1.5)), softmax_forward_range, a);
}

/* dx = y * (dy - sum_j dy y) */
static void softmax_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *dy = (const real *)a->dy + i * a->c, *y = (const real *)a->y + i * a->c;
        real *dx = (real *)a->dx + i * a->c;
        vec sum = vset1(0);
        EACH_VECTOR(a->c, sum = vfma(vload_upto(dy + j, m), vload_upto(y + j, m), sum));
        const real dot = vsum(sum);
        EACH_VECTOR(a->c, vstore_upto(dx + j, vload_upto(y + j, m) * (vload_upto(dy + j, m) - dot), m));
    }
}
void KERNEL(softmax_backward)(const void *args)
{
    const softmax_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.5), softmax_backward_range, a);
}

/* ---- log_softmax:  y = (x - max) - log sum exp(x - max) ------------------------------------------------ */

static void log_softmax_of_lanes(const softmax_forward_args *a, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t c = a->c;
    vec x[MOST_IN_LANES], e[MOST_IN_LANES];
    EACH_L_ROWS(begin, end, {
        load_rows(x, (const real *)a->x + i * c, c, rows);
        const vec log_sum = vlog(exp_of_each(e, x, c, max_of_each(x, c)));
        for (ptrdiff_t j = 0; j < c; j++) x[j] -= log_sum;
        store_rows((real *)a->y + i * c, x, c, rows);
    })
}

static void log_softmax_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_forward_args *a = context;
    if (fits_lanes(a->c)) {
        log_softmax_of_lanes(a, begin, end);
        return;
    }
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        real *y = (real *)a->y + i * a->c;
        const real top = row_max(x, a->c);
        const real log_sum = log_of(row_exp_sum(x, a->c, top));
        EACH_VECTOR(a->c, vstore_upto(y + j, (vload_upto(x + j, m) - top) - log_sum, m));
    }
}
void KERNEL(log_softmax_forward)(const void *args)
{
    const softmax_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, in_lanes(a->c, 1.5)), log_softmax_forward_range,
                 a);
}

/* dx = dy - exp(y) * sum_j dy */
static void log_softmax_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const softmax_backward_args *a = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *dy = (const real *)a->dy + i * a->c, *y = (const real *)a->y + i * a->c;
        real *dx = (real *)a->dx + i * a->c;
        vec sum = vset1(0);
        EACH_VECTOR(a->c, sum += vload_upto(dy + j, m));
        const real total = vsum(sum);
        EACH_VECTOR(a->c, vstore_upto(dx + j, vload_upto(dy + j, m) - vexp(vload_upto(y + j, m)) * total, m));
    }
}
void KERNEL(log_softmax_backward)(const void *args)
{
    const softmax_backward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 1.5), log_softmax_backward_range, a);
}
