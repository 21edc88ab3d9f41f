/* BatchNorm over the rows of (n,c). Ioffe & Szegedy 2015 (arXiv:1502.03167).
 *
 * Work is cut into tiles of rows x columns by the sizes alone. Each tile sums its columns; the tiles' sums
 * are merged in double, in order; a second walk over the tiles writes the result. */
#include "../contracts/norm.h"
#include "kernel.h"
#include "moments.h"

enum {
    TILE_ROWS = 128,
    CENTER_ROWS = 8,
    TILE_COLUMNS = 1024, /* what is kept of them stays in L1 */
    PANEL = 4096,       /* columns whose sums share the scratch */
    ROWS = 4, /* rows that are walked along together, so that what is kept of a column is read once */
    SUMS = 3, /* sums a tile keeps of a column */
};

/* c columns of the arguments from column j on, and where their sums are. */
typedef struct {
    const void *args;
    ptrdiff_t n, stride; /* rows; elements from one to the next */
    ptrdiff_t j, c;
    ptrdiff_t rows, blocks; /* rows of a tile, tiles from top to bottom */
    real *sums; /* (blocks, SUMS, c) */
    real *factors; /* (SUMS, c): what the second walk multiplies and adds */
} panel;

static panel panel_of(const void *args, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t j)
{
    ptrdiff_t c = min_size(PANEL, stride - j);
    ptrdiff_t most = SCRATCH_BYTES / (SUMS * c * (ptrdiff_t)sizeof(real)) - 1; /* blocks the scratch holds */
    ptrdiff_t rows = n / most < TILE_ROWS ? TILE_ROWS : n / most + 1;
    real *factors = thread_scratch();
    return (panel){args, n, stride, j, c, rows, (n + rows - 1) / rows, factors + SUMS * c, factors};
}

/* `rows` rows from row i and c columns from panel column j. `block` numbers the tiles from top to bottom. */
typedef struct {
    ptrdiff_t block, i, rows, j, c;
} tile;
typedef void tile_fn(const panel *p, tile t);

/* Tiles begin .. end-1, numbered along the columns first. */
INLINE void each_tile(const panel *p, ptrdiff_t begin, ptrdiff_t end, tile_fn *fn)
{
    ptrdiff_t across = (p->c + TILE_COLUMNS - 1) / TILE_COLUMNS;
    for (ptrdiff_t number = begin; number < end; number++) {
        ptrdiff_t block = number / across, i = block * p->rows, j = number % across * TILE_COLUMNS;
        fn(p, (tile){block, i, min_size(p->rows, p->n - i), j, min_size(TILE_COLUMNS, p->c - j)});
    }
}

/* EACH_VECTOR for every strip of a tile, a vector of columns and `count` rows from its row i: ROWS, or 1 at the
 * end. */
#define EACH_STRIP(t, ...)                                              \
    do {                                                                \
        ptrdiff_t i = 0;                                                \
        for (const int count = ROWS; i + ROWS <= (t).rows; i += ROWS) { \
            EACH_VECTOR((t).c, __VA_ARGS__);                            \
        }                                                               \
        for (const int count = 1; i < (t).rows; i++) {                  \
            EACH_VECTOR((t).c, __VA_ARGS__);                            \
        }                                                               \
    } while (0)

static void parallel_tiles(const panel *p, double ns, range_fn range)
{
    ptrdiff_t tiles = p->blocks * ((p->c + TILE_COLUMNS - 1) / TILE_COLUMNS);
    ptrdiff_t together = BLOCK / (p->rows * min_size(p->c, TILE_COLUMNS)) + 1;
    parallel_for(tiles, together, (double)p->n * (double)p->c * ns, range, p);
}

INLINE real *sums_of(const panel *p, ptrdiff_t block, int k) { return p->sums + (block * SUMS + k) * p->c; }
INLINE real *factor(const panel *p, int k) { return p->factors + k * p->c; }

/* ---- forward, training --------------------------------------------------------------------------------- */

/* Sums of a tile's columns: center = the mean of some rows, from all over it;  sum (x - center);
 * sum (x - center)^2. From them
 *   tile's mean = center + sum / rows,   squares about it = square - sum^2 / rows
 * (shifted data, Chan, Golub & LeVeque 1983). What that difference may lose is bounded: the tile's mean is off
 * the center by at most sqrt(rows / CENTER_ROWS - 1) standard deviations, by 1/3 of one for independent rows. */
INLINE void add_values(int count, ptrdiff_t m, real *sum, const real *x, ptrdiff_t stride)
{
    vec s = vload_upto(sum, m);
    for (int r = 0; r < count; r++) s += vload_upto(x + r * stride, m);
    vstore_upto(sum, s, m);
}

INLINE void add_deviations(int count, ptrdiff_t m, real *sum, real *square, const real *x, const real *center,
                           ptrdiff_t stride)
{
    vec s = vload_upto(sum, m), q = vload_upto(square, m);
    const vec middle = vload_upto(center, m);
    for (int r = 0; r < count; r++) {
        vec d = vload_upto(x + r * stride, m) - middle;
        s += d;
        q = vfma(d, d, q);
    }
    vstore_upto(sum, s, m);
    vstore_upto(square, q, m);
}

static void moments(const panel *p, tile t)
{
    const batchnorm_forward_args *a = p->args;
    const ptrdiff_t stride = p->stride;
    const real *x = (const real *)a->x + t.i * stride + p->j + t.j;
    real *center = sums_of(p, t.block, 0) + t.j, *sum = sums_of(p, t.block, 1) + t.j;
    real *square = sums_of(p, t.block, 2) + t.j;
    for (ptrdiff_t j = 0; j < t.c; j++) center[j] = sum[j] = square[j] = 0;
    tile some = t;
    some.rows = min_size(t.rows, CENTER_ROWS);
    const ptrdiff_t apart =
        ((t.rows / some.rows - 1) | 1) * stride; /* odd: no period of the rows is picked out */
    EACH_STRIP(some, add_values(count, m, center + j, x + i * apart + j, apart));
    for (ptrdiff_t j = 0; j < t.c; j++) center[j] /= (real)some.rows;
    EACH_STRIP(t, add_deviations(count, m, sum + j, square + j, x + i * stride + j, center + j, stride));
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
    const real *gamma = a->gamma, *beta = a->beta, *center = sums_of(p, 0, 0) + j;
    real *mean = (real *)a->mean + p->j + j, *rstd = (real *)a->rstd + p->j + j;
    real *scale = factor(p, 0) + j, *offset = factor(p, 1) + j;
    double first[TILE_COLUMNS], rest[TILE_COLUMNS], var[TILE_COLUMNS], r[TILE_COLUMNS];
    int extreme = 0;
    merge_moments(p, j, count, rest, var);
    for (ptrdiff_t k = 0; k < count; k++) {
        first[k] = center[k];
        r[k] = 1 / sqrt((var[k] < 0 ? 0 : var[k]) + a->eps);
        extreme |= is_extreme(var[k], a->eps);
    }
    for (ptrdiff_t k = 0; extreme && k < count; k++)
        if (is_extreme(var[k], a->eps) && extreme_moments((const real *)a->x + p->j + j + k, p->n, p->stride,
                                                          1, a->eps, &first[k], &var[k], &r[k]))
            rest[k] = 0;
    for (ptrdiff_t k = 0; k < count; k++) {
        mean[k] = (real)(first[k] + rest[k]);
        rstd[k] = (real)r[k];
        scale[k] = (real)r[k];
        offset[k] = (real)-(first[k] - mean[k] + rest[k]);
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

/* y = (x - mean) * scale + offset */
INLINE void scale_values(int count, ptrdiff_t m, real *y, const real *x, const real *mean, const real *scale,
                         const real *offset, ptrdiff_t stride)
{
    const vec middle = vload_upto(mean, m), slope = vload_upto(scale, m), level = vload_upto(offset, m);
    for (int r = 0; r < count; r++)
        vstore_upto(y + r * stride, vfma(vload_upto(x + r * stride, m) - middle, slope, level), m);
}

static void scale_tile(const panel *p, tile t, real *y, const real *x, const real *mean)
{
    const ptrdiff_t stride = p->stride, corner = t.i * stride + p->j + t.j;
    const real *scale = factor(p, 0) + t.j, *offset = factor(p, 1) + t.j;
    y += corner, x += corner, mean += p->j + t.j;
    EACH_STRIP(t, scale_values(count, m, y + i * stride + j, x + i * stride + j, mean + j, scale + j,
                               offset + j, stride));
}

static void normalize(const panel *p, tile t)
{
    const batchnorm_forward_args *a = p->args;
    scale_tile(p, t, a->y, a->x, a->mean);
}
static void normalize_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, normalize);
}

void KERNEL(batchnorm_forward)(const void *args)
{
    const batchnorm_forward_args *a = args;
    if (a->batches_tracked != NULL) ++*a->batches_tracked;
    if (a->n == 0) { /* a batch, but without values for statistics */
        for (ptrdiff_t j = 0; j < a->c; j++) ((real *)a->mean)[j] = ((real *)a->rstd)[j] = 0;
        return;
    }
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
INLINE void add_products(int count, ptrdiff_t m, real *sum, real *product, real *rest, const real *dy,
                         const real *x, const real *mean, ptrdiff_t stride)
{
    vec s = vload_upto(sum, m), q = vload_upto(product, m), e = vload_upto(rest, m);
    const vec middle = vload_upto(mean, m);
    for (int r = 0; r < count; r++) {
        vec g = vload_upto(dy + r * stride, m), d = vload_upto(x + r * stride, m) - middle;
        s += g;
        q = vfma(g, d, q);
        e += d;
    }
    vstore_upto(sum, s, m);
    vstore_upto(product, q, m);
    vstore_upto(rest, e, m);
}

static void products(const panel *p, tile t)
{
    const backward *a = p->args;
    const ptrdiff_t stride = p->stride, corner = t.i * stride + p->j + t.j;
    const real *x = a->x + corner, *dy = a->dy + corner, *mean = a->mean + p->j + t.j;
    real *sum = sums_of(p, t.block, 0) + t.j, *product = sums_of(p, t.block, 1) + t.j;
    real *rest = sums_of(p, t.block, 2) + t.j;
    for (ptrdiff_t j = 0; j < t.c; j++) sum[j] = product[j] = rest[j] = 0;
    EACH_STRIP(t, add_products(count, m, sum + j, product + j, rest + j, dy + i * stride + j,
                               x + i * stride + j, mean + j, stride));
}
static void products_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, products);
}

/* sum dy (x - mean) of a column where real does not hold it; NaN if not all are finite. */
static double extreme_product(const backward *a, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t column)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < n && sum - sum == 0; i++)
        sum += (double)a->dy[i * stride + column] * ((double)a->x[i * stride + column] - a->mean[column]);
    return sum;
}

INLINE void write_reals(real *to, ptrdiff_t first, const double *from, ptrdiff_t count)
{
    for (ptrdiff_t k = 0; to != NULL && k < count; k++) to[first + k] = (real)from[k];
}

/* Writes dgamma and dbeta of `count` columns from panel column j, and dx's factors.
 * In training  rest = sum (x - mean) / n  is what rounding took from the mean; the sums are corrected. */
static void finish_products(const panel *p, ptrdiff_t j, ptrdiff_t count)
{
    const backward *a = p->args;
    double sum[SUMS][TILE_COLUMNS];
    for (int s = 0; s < SUMS; s++)
        for (ptrdiff_t k = 0; k < count; k++) sum[s][k] = 0;
    for (ptrdiff_t b = 0; b < p->blocks; b++)
        for (int s = 0; s < SUMS; s++) {
            const real *tile = sums_of(p, b, s) + j;
            for (ptrdiff_t k = 0; k < count; k++) sum[s][k] += tile[k];
        }
    const double per_row = a->training && p->n > 0 ? 1 / (double)p->n : 0;
    const ptrdiff_t first = p->j + j; /* of the columns */
    double rstd[TILE_COLUMNS];
    int extreme = 0;
    for (ptrdiff_t k = 0; k < count; k++) {
        rstd[k] = a->rstd != NULL ? (double)a->rstd[first + k] : 1 / sqrt(a->var[first + k] + a->eps);
        extreme |= !(fabs(sum[1][k]) < __builtin_inf());
    }
    for (ptrdiff_t k = 0; extreme && k < count; k++)
        if (!(fabs(sum[1][k]) < __builtin_inf())) sum[1][k] = extreme_product(a, p->n, p->stride, first + k);
    for (ptrdiff_t k = 0; k < count; k++) {
        sum[2][k] *= per_row;
        sum[1][k] = (sum[1][k] - sum[2][k] * sum[0][k]) * rstd[k];
    }
    write_reals(a->dbeta, first, sum[0], count);
    write_reals(a->dgamma, first, sum[1], count);
    real *scale = factor(p, 0) + j, *slope = factor(p, 1) + j, *level = factor(p, 2) + j;
    for (ptrdiff_t k = 0; k < count; k++) {
        const double dx = rstd[k] * sum[1][k] * per_row;
        scale[k] = (real)(a->gamma != NULL ? a->gamma[first + k] * rstd[k] : rstd[k]);
        slope[k] = (real)dx;
        level[k] = (real)(sum[0][k] * per_row - dx * sum[2][k]);
    }
}

/* The three factors of a column are `between` apart. */
INLINE void input_gradients(int count, ptrdiff_t m, real *dx, const real *dy, const real *x, const real *mean,
                            const real *factors, ptrdiff_t between, ptrdiff_t stride)
{
    const vec middle = vload_upto(mean, m), scale = vload_upto(factors, m);
    const vec slope = vload_upto(factors + between, m), level = vload_upto(factors + 2 * between, m);
    for (int r = 0; r < count; r++) {
        vec g = vload_upto(dy + r * stride, m) - level;
        if (x != NULL) g = vfma(middle - vload_upto(x + r * stride, m), slope, g);
        vstore_upto(dx + r * stride, g * scale, m);
    }
}

static void input_gradient(const panel *p, tile t)
{
    const backward *a = p->args;
    const ptrdiff_t stride = p->stride, corner = t.i * stride + p->j + t.j, between = p->c;
    const real *dy = a->dy + corner, *x = a->x + corner, *mean = a->mean + p->j + t.j;
    const real *factors = factor(p, 0) + t.j;
    real *dx = a->dx + corner;
    if (a->training)
        EACH_STRIP(t, input_gradients(count, m, dx + i * stride + j, dy + i * stride + j, x + i * stride + j,
                                      mean + j, factors + j, between, stride));
    else
        EACH_STRIP(t, input_gradients(count, m, dx + i * stride + j, dy + i * stride + j, NULL, mean + j,
                                      factors + j, between, stride));
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

static void infer(const panel *p, tile t)
{
    const batchnorm_inference_args *a = p->args;
    scale_tile(p, t, a->y, a->x, a->mean);
}
static void infer_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    each_tile(context, begin, end, infer);
}

void KERNEL(batchnorm_inference)(const void *args)
{
    const batchnorm_inference_args *a = args;
    const real *var = a->var, *gamma = a->gamma, *beta = a->beta;
    for (ptrdiff_t j = 0; j < a->c; j += PANEL) {
        panel p = panel_of(args, a->n, a->c, j);
        real *scale = factor(&p, 0), *offset = factor(&p, 1);
        EACH_VECTOR(p.c, vec root = vsqrt(vload_upto(var + p.j + j, m) + (real)a->eps);
                    vstore_upto(scale + j, load_or(gamma, p.j + j, m, 1) / root, m);
                    vstore_upto(offset + j, load_or(beta, p.j + j, m, 0), m));
        parallel_tiles(&p, 0.3, infer_range);
    }
}
