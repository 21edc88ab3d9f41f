/* BatchNorm over the rows of (n,c). Ioffe & Szegedy 2015 (arXiv:1502.03167).
 *
 * Work is cut into tiles of rows x columns by the sizes alone. Each tile sums its columns; the tiles' sums
 * are merged in double, in order; a second walk over the tiles writes the result. */
#include "kernel.h"

#include <math.h>

enum {
    TILE_ROWS = 128,
    TILE_COLUMNS = 256,
    PANEL = 4096, /* columns whose sums share the scratch */
    GROUP = 4,    /* vectors of columns that walk down the rows together */
    SUMS = 3,     /* sums a tile keeps of a column */
};

/* c columns of the arguments from column j on, and where their sums are. */
typedef struct {
    const void *args;
    ptrdiff_t n, stride;    /* rows; elements from one to the next */
    ptrdiff_t j, c;
    ptrdiff_t rows, blocks; /* rows of a tile, tiles from top to bottom */
    real *sums;             /* (blocks, SUMS, c) */
    real *factors;          /* (SUMS, c): what the second walk multiplies and adds */
} panel;

static panel panel_of(const void *args, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t j)
{
    ptrdiff_t c = min_size(PANEL, stride - j);
    ptrdiff_t most = SCRATCH_BYTES / (SUMS * c * (ptrdiff_t)sizeof(real)) - 1; /* blocks the scratch holds */
    ptrdiff_t rows = n / most < TILE_ROWS ? TILE_ROWS : n / most + 1;
    real *factors = thread_scratch();
    return (panel){args, n, stride, j, c, rows, (n + rows - 1) / rows, factors + SUMS * c, factors};
}

/* Part of a tile: `rows` rows from row i, `vecs` vectors of columns from panel column j, `lanes` of each
 * used. `block` numbers the tiles from top to bottom. */
typedef struct {
    ptrdiff_t block, i, rows, j;
    int vecs;
    ptrdiff_t lanes;
} columns;
typedef void columns_fn(const panel *p, columns t);

/* Tiles begin .. end-1, numbered along the columns first. */
INLINE void each_tile(const panel *p, ptrdiff_t begin, ptrdiff_t end, columns_fn *fn)
{
    ptrdiff_t across = (p->c + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (ptrdiff_t tile = begin; tile < end; tile++) {
        ptrdiff_t block = tile / across, i = block * p->rows, rows = min_size(p->rows, p->n - i);
        ptrdiff_t j = tile % across * TILE_COLUMNS, j_end = min_size(j + TILE_COLUMNS, p->c);
        for (; j + GROUP * L <= j_end; j += GROUP * L) fn(p, (columns){block, i, rows, j, GROUP, L});
        for (; j + L <= j_end; j += L) fn(p, (columns){block, i, rows, j, 1, L});
        if (j < j_end) fn(p, (columns){block, i, rows, j, 1, j_end - j});
    }
}

static void parallel_tiles(const panel *p, double ns, range_fn range)
{
    ptrdiff_t tiles = p->blocks * ((p->c + TILE_COLUMNS - 1) / TILE_COLUMNS);
    ptrdiff_t together = BLOCK / (p->rows * min_size(p->c, TILE_COLUMNS)) + 1;
    parallel_for(tiles, together, (double)p->n * (double)p->c * ns, range, p);
}

INLINE vec load_or(const real *p, ptrdiff_t j, ptrdiff_t lanes, real other)
{
    return p != NULL ? vload_upto(p + j, lanes) : vset1(other);
}

INLINE real *sums_of(const panel *p, ptrdiff_t block, int k) { return p->sums + (block * SUMS + k) * p->c; }
INLINE real *factor(const panel *p, int k) { return p->factors + k * p->c; }

/* ---- forward, training --------------------------------------------------------------------------------- */

/* Sums of a tile's columns: center = mean, up to rounding;  sum (x - center);  sum (x - center)^2. The second
 * sum corrects the rounding of the first (the corrected two-pass algorithm, Chan, Golub & LeVeque 1983). */
INLINE void moments(const panel *p, columns t)
{
    const batchnorm_forward_args *a = p->args;
    const real *x = (const real *)a->x + t.i * p->stride + p->j + t.j;
    vec center[GROUP], sum[GROUP], square[GROUP];
    for (int v = 0; v < t.vecs; v++) center[v] = sum[v] = square[v] = vset1(0);
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) center[v] += vload_upto(x + i * p->stride + v * L, t.lanes);
    for (int v = 0; v < t.vecs; v++) center[v] /= (real)t.rows;
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) {
            vec d = vload_upto(x + i * p->stride + v * L, t.lanes) - center[v];
            sum[v] += d;
            square[v] = vfma(d, d, square[v]);
        }
    for (int v = 0; v < t.vecs; v++) {
        ptrdiff_t j = t.j + v * L;
        vstore_upto(sums_of(p, t.block, 0) + j, center[v], t.lanes);
        vstore_upto(sums_of(p, t.block, 1) + j, sum[v], t.lanes);
        vstore_upto(sums_of(p, t.block, 2) + j, square[v], t.lanes);
    }
}
static void moments_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, moments);
}

/* Mean and variance of `count` columns from panel column j, from their tiles' moments. The mean is about the
 * first tile's center, so that it has digits that an offset would push out. */
static void merge_moments(const panel *p, ptrdiff_t j, ptrdiff_t count, double *mean, double *var)
{
    const real *first = sums_of(p, 0, 0) + j;
    for (ptrdiff_t k = 0; k < count; k++) mean[k] = var[k] = 0;
    for (ptrdiff_t b = 0; b < p->blocks; b++) {
        const real *center = sums_of(p, b, 0) + j, *sum = sums_of(p, b, 1) + j;
        double rows = (double)min_size(p->rows, p->n - b * p->rows), weight = 1 / (double)p->n;
        for (ptrdiff_t k = 0; k < count; k++)
            mean[k] += (rows * ((double)center[k] - first[k]) + sum[k]) * weight;
    }
    for (ptrdiff_t b = 0; b < p->blocks; b++) {
        const real *center = sums_of(p, b, 0) + j, *sum = sums_of(p, b, 1) + j;
        const real *square = sums_of(p, b, 2) + j;
        double rows = (double)min_size(p->rows, p->n - b * p->rows), weight = 1 / (double)p->n;
        for (ptrdiff_t k = 0; k < count; k++) {
            double rest = sum[k] / rows, d = (double)center[k] - first[k] + rest - mean[k];
            var[k] += (square[k] - sum[k] * rest + rows * d * d) * weight;
        }
    }
}

/* Writes the statistics, and y's factors: with mean = m + rest, m rounded to real,
 *   y = (x - m) * scale + offset,   scale = gamma * rstd,   offset = beta - rest * scale. */
static void finish_moments(const panel *p, ptrdiff_t j, ptrdiff_t count, double momentum)
{
    const batchnorm_forward_args *a = p->args;
    const real *gamma = a->gamma, *beta = a->beta, *first = sums_of(p, 0, 0) + j;
    real *mean = (real *)a->mean + p->j + j, *rstd = (real *)a->rstd + p->j + j;
    real *scale = factor(p, 0) + j, *offset = factor(p, 1) + j;
    double rest[TILE_COLUMNS], var[TILE_COLUMNS];
    merge_moments(p, j, count, rest, var);
    for (ptrdiff_t k = 0; k < count; k++) {
        double r = 1 / sqrt((var[k] < 0 ? 0 : var[k]) + a->eps);
        mean[k] = (real)(first[k] + rest[k]);
        rstd[k] = (real)r;
        scale[k] = (real)r;
        offset[k] = (real)-((double)first[k] - mean[k] + rest[k]);
    }
    for (ptrdiff_t k = 0; k < count; k++) {
        if (gamma != NULL) scale[k] *= gamma[p->j + j + k];
        offset[k] = offset[k] * scale[k] + (beta != NULL ? beta[p->j + j + k] : 0);
    }
    if (a->running_mean == NULL) return;
    real *running_mean = (real *)a->running_mean + p->j + j, *running_var = (real *)a->running_var + p->j + j;
    double unbiased = (double)p->n / (double)(p->n - 1);
    for (ptrdiff_t k = 0; k < count; k++) {
        running_mean[k] = (real)((1 - momentum) * running_mean[k] + momentum * (first[k] + rest[k]));
        running_var[k] = (real)((1 - momentum) * running_var[k] + momentum * unbiased * var[k]);
    }
}

INLINE void normalize(const panel *p, columns t)
{
    const batchnorm_forward_args *a = p->args;
    const ptrdiff_t corner = t.i * p->stride + p->j + t.j;
    const real *x = (const real *)a->x + corner;
    real *y = (real *)a->y + corner;
    vec mean[GROUP], scale[GROUP], offset[GROUP];
    for (int v = 0; v < t.vecs; v++) {
        mean[v] = vload_upto((const real *)a->mean + p->j + t.j + v * L, t.lanes);
        scale[v] = vload_upto(factor(p, 0) + t.j + v * L, t.lanes);
        offset[v] = vload_upto(factor(p, 1) + t.j + v * L, t.lanes);
    }
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) {
            ptrdiff_t at = i * p->stride + v * L;
            vstore_upto(y + at, vfma(vload_upto(x + at, t.lanes) - mean[v], scale[v], offset[v]), t.lanes);
        }
}
static void normalize_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, normalize);
}

void KERNEL(batchnorm_forward)(const void *args)
{
    const batchnorm_forward_args *a = args;
    if (a->n == 0) return;
    if (a->batches_tracked != NULL) ++*a->batches_tracked;
    double momentum = a->momentum < 0 ? 1 / (double)*a->batches_tracked : a->momentum;
    for (ptrdiff_t j = 0; j < a->c; j += PANEL) {
        panel p = panel_of(args, a->n, a->c, j);
        parallel_tiles(&p, 0.4, moments_range);
        for (ptrdiff_t k = 0; k < p.c; k += TILE_COLUMNS)
            finish_moments(&p, k, min_size(TILE_COLUMNS, p.c - k), momentum);
        parallel_tiles(&p, 0.3, normalize_range);
    }
}

/* ---- backward, training and inference ------------------------------------------------------------------ */

/* Both backwards are  dx = scale * (dy - slope * (x - mean) - level), in inference with slope = level = 0. */
typedef struct {
    real *dx, *dgamma, *dbeta;
    const real *dy, *x, *mean, *rstd, *var, *gamma; /* one of rstd and var */
    double eps;
    int training;
} backward;

/* Sums of a tile's columns: dy;  dy (x - mean);  x - mean. */
INLINE void products(const panel *p, columns t)
{
    const backward *a = p->args;
    const ptrdiff_t corner = t.i * p->stride + p->j + t.j;
    const real *x = a->x + corner, *dy = a->dy + corner;
    vec mean[GROUP], sum[SUMS][GROUP];
    for (int v = 0; v < t.vecs; v++) {
        mean[v] = vload_upto(a->mean + p->j + t.j + v * L, t.lanes);
        for (int k = 0; k < SUMS; k++) sum[k][v] = vset1(0);
    }
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) {
            ptrdiff_t at = i * p->stride + v * L;
            vec g = vload_upto(dy + at, t.lanes), d = vload_upto(x + at, t.lanes) - mean[v];
            sum[0][v] += g;
            sum[1][v] = vfma(g, d, sum[1][v]);
            sum[2][v] += d;
        }
    for (int v = 0; v < t.vecs; v++)
        for (int k = 0; k < SUMS; k++) vstore_upto(sums_of(p, t.block, k) + t.j + v * L, sum[k][v], t.lanes);
}
static void products_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, products);
}

/* Writes dgamma and dbeta of `count` columns from panel column j, and dx's factors.
 * In training  rest = sum (x - mean) / n  is what rounding took from the mean; the sums are corrected. */
static void finish_products(const panel *p, ptrdiff_t j, ptrdiff_t count)
{
    const backward *a = p->args;
    double sum[SUMS][TILE_COLUMNS] = {{0}};
    for (ptrdiff_t b = 0; b < p->blocks; b++)
        for (int s = 0; s < SUMS; s++) {
            const real *tile = sums_of(p, b, s) + j;
            for (ptrdiff_t k = 0; k < count; k++) sum[s][k] += tile[k];
        }
    const double per_row = a->training && p->n > 0 ? 1 / (double)p->n : 0;
    for (ptrdiff_t k = 0; k < count; k++) {
        ptrdiff_t column = p->j + j + k;
        double rstd = a->rstd != NULL ? (double)a->rstd[column] : 1 / sqrt(a->var[column] + a->eps);
        double dbeta = sum[0][k], rest = sum[2][k] * per_row, dgamma = (sum[1][k] - rest * dbeta) * rstd;
        double slope = rstd * dgamma * per_row;
        if (a->dgamma != NULL) a->dgamma[column] = (real)dgamma;
        if (a->dbeta != NULL) a->dbeta[column] = (real)dbeta;
        factor(p, 0)[j + k] = (real)(a->gamma != NULL ? a->gamma[column] * rstd : rstd);
        factor(p, 1)[j + k] = (real)slope;
        factor(p, 2)[j + k] = (real)(dbeta * per_row - slope * rest);
    }
}

INLINE void input_gradient(const panel *p, columns t)
{
    const backward *a = p->args;
    const ptrdiff_t corner = t.i * p->stride + p->j + t.j;
    const real *dy = a->dy + corner, *x = a->x + corner;
    real *dx = a->dx + corner;
    vec mean[GROUP], scale[GROUP], slope[GROUP], level[GROUP];
    for (int v = 0; v < t.vecs; v++) {
        mean[v] = vload_upto(a->mean + p->j + t.j + v * L, t.lanes);
        scale[v] = vload_upto(factor(p, 0) + t.j + v * L, t.lanes);
        slope[v] = vload_upto(factor(p, 1) + t.j + v * L, t.lanes);
        level[v] = vload_upto(factor(p, 2) + t.j + v * L, t.lanes);
    }
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) {
            ptrdiff_t at = i * p->stride + v * L;
            vec g = vload_upto(dy + at, t.lanes) - level[v];
            if (a->training) g = vfma(mean[v] - vload_upto(x + at, t.lanes), slope[v], g);
            vstore_upto(dx + at, g * scale[v], t.lanes);
        }
}
static void input_gradient_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, input_gradient);
}

static void run_backward(const backward *a, ptrdiff_t n, ptrdiff_t c)
{
    for (ptrdiff_t j = 0; j < c; j += PANEL) {
        panel p = panel_of(a, n, c, j);
        parallel_tiles(&p, 0.4, products_range);
        for (ptrdiff_t k = 0; k < p.c; k += TILE_COLUMNS)
            finish_products(&p, k, min_size(TILE_COLUMNS, p.c - k));
        if (a->dx != NULL) parallel_tiles(&p, 0.4, input_gradient_range);
    }
}

void KERNEL(batchnorm_backward)(const void *args)
{
    const batchnorm_backward_args *a = args;
    backward b = {.dx = a->dx,
                  .dgamma = a->dgamma,
                  .dbeta = a->dbeta,
                  .dy = a->dy,
                  .x = a->x,
                  .mean = a->mean,
                  .rstd = a->rstd,
                  .gamma = a->gamma,
                  .training = 1};
    run_backward(&b, a->n, a->c);
}

void KERNEL(batchnorm_inference_backward)(const void *args)
{
    const batchnorm_inference_backward_args *a = args;
    backward b = {.dx = a->dx,
                  .dgamma = a->dgamma,
                  .dbeta = a->dbeta,
                  .dy = a->dy,
                  .x = a->x,
                  .mean = a->mean,
                  .var = a->var,
                  .gamma = a->gamma,
                  .eps = a->eps,
                  .training = 0};
    run_backward(&b, a->n, a->c);
}

/* ---- forward, inference -------------------------------------------------------------------------------- */

INLINE void infer(const panel *p, columns t)
{
    const batchnorm_inference_args *a = p->args;
    const ptrdiff_t column = p->j + t.j, corner = t.i * p->stride + column;
    const real *x = (const real *)a->x + corner;
    real *y = (real *)a->y + corner;
    vec mean[GROUP], scale[GROUP], beta[GROUP];
    for (int v = 0; v < t.vecs; v++) {
        ptrdiff_t j = column + v * L;
        mean[v] = vload_upto((const real *)a->mean + j, t.lanes);
        vec var = vload_upto((const real *)a->var + j, t.lanes);
        scale[v] = load_or(a->gamma, j, t.lanes, 1) / vsqrt(var + (real)a->eps);
        beta[v] = load_or(a->beta, j, t.lanes, 0);
    }
    for (ptrdiff_t i = 0; i < t.rows; i++)
        for (int v = 0; v < t.vecs; v++) {
            ptrdiff_t at = i * p->stride + v * L;
            vstore_upto(y + at, vfma(vload_upto(x + at, t.lanes) - mean[v], scale[v], beta[v]), t.lanes);
        }
}
static void infer_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, infer);
}

void KERNEL(batchnorm_inference)(const void *args)
{
    const batchnorm_inference_args *a = args;
    for (ptrdiff_t j = 0; j < a->c; j += PANEL) {
        panel p = panel_of(args, a->n, a->c, j);
        parallel_tiles(&p, 0.3, infer_range);
    }
}
