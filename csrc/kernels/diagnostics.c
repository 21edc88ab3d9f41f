/* What is watched while a network trains: one number of an array, in double. And what this core can do at most. */
#include "../contracts/diagnostics.h"
#include "kernel.h"

#include <math.h>

enum {
    CHUNK = 1024, /* elements summed in `real`, before their sum joins the others in double */
    ROUND = 16, /* multiply-adds */
#if defined(ISA_avx512) || defined(ISA_neon)
    CHAINS = 16, /* independent ones: no fewer than latency times units of a core */
#else
    CHAINS = 12, /* the same, and no more than stay in 16 registers beside two numbers */
#endif
};

/* the sum of (x[i] - y[i])^2, y may be NULL: zeros */
static double sum_of_squares(const real *x, const real *y, ptrdiff_t n)
{
    double total = 0;
    for (ptrdiff_t begin = 0; begin < n; begin += CHUNK) {
        vec sum = {0};
        EACH_VECTOR(min_size(CHUNK, n - begin), {
            vec d = vload_upto(x + begin + j, m);
            if (y != NULL) d -= vload_upto(y + begin + j, m);
            sum = vfma(d, d, sum);
        });
        total += (double)vsum(sum);
    }
    return total;
}

void KERNEL(vector_norm)(const void *args)
{
    const vector_norm_args *a = args;
    *a->y = sqrt(sum_of_squares(a->x, NULL, a->n));
}

void KERNEL(relative_change)(const void *args)
{
    const relative_change_args *a = args;
    *a->y = sqrt(sum_of_squares(a->x, a->before, a->n) / sum_of_squares(a->before, NULL, a->n));
}

void KERNEL(dead_share)(const void *args)
{
    const dead_share_args *a = args;
    const real *x = a->x;
    ptrdiff_t dead = 0;
    EACH_VECTOR(a->c, {
        vec largest = vset1((real)-INFINITY);
        for (ptrdiff_t i = 0; i < a->n; i++) largest = vlarger(largest, vload_upto(x + i * a->c + j, m));
        for (ptrdiff_t lane = 0; lane < m; lane++) dead += largest[lane] <= 0;
    });
    *a->y = (double)dead / (double)a->c;
}

void KERNEL(outside_share)(const void *args)
{
    const outside_share_args *a = args;
    const real *x = a->x, low = (real)a->low, high = (real)a->high;
    ptrdiff_t outside = 0;
    for (ptrdiff_t i = 0; i < a->n; i++) outside += x[i] <= low || x[i] >= high;
    *a->y = (double)outside / (double)a->n;
}

void KERNEL(batchnorm_drift)(const void *args)
{
    const batchnorm_drift_args *a = args;
    const real *mean = a->mean, *rstd = a->rstd, *running = a->running_mean;
    double total = 0;
    for (ptrdiff_t j = 0; j < a->c; j++) {
        double d = (double)(mean[j] - running[j]) * (double)rstd[j];
        total += d * d;
    }
    *a->y = sqrt(total / (double)a->c);
}

void KERNEL(multiply_adds)(const void *args)
{
    const multiply_adds_args *a = args;
    real *y = a->y;
    vec sums[CHAINS], factor = vset1((real)0.5), term = vset1(y[0]);
    for (int k = 0; k < CHAINS; k++) sums[k] = vset1((real)k);
    for (ptrdiff_t i = 0; i < a->rounds * ROUND / CHAINS; i++) UNROLL
        for (int k = 0; k < CHAINS; k++) sums[k] = vfma(sums[k], factor, term);
    vec total = {0};
    for (int k = 0; k < CHAINS; k++) total += sums[k];
    y[0] = vsum(total);
}
