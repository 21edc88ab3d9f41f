/* LayerNorm and RMSNorm of the rows of (n,c); GroupNorm and InstanceNorm are LayerNorm of other rows.
 *
 * A row is read from memory once, and again from the cache: for its mean, for its deviations from that, and for the
 * result. Backward reads it twice: for the sums over the row, and for dx and the sums over the rows. */
#include "../contracts/norm.h"
#include "block_sums.h"
#include "chains.h"
#include "moments.h"
#include "rows.h"

INLINE vec deviation(const real *x, ptrdiff_t m, real center)
{
    return vfirst(vload_upto(x, m) - center, m, vset1(0));
}

/* ---- forward ------------------------------------------------------------------------------------------- */

INLINE double sum_of_deviations(const real *x, ptrdiff_t c, real center)
{
    double total = 0;
    for (ptrdiff_t begin = 0; begin < c; begin += RUN) {
        vec sum[CHAINS] = {{0}};
        EACH_CHAINED(min_size(RUN, c - begin), { sum[k] += deviation(x + begin + j, m, center); });
        total += chained_sum(sum);
    }
    return total;
}

typedef struct {
    double center, rest; /* the mean is center + rest, center a number of `real` */
    double rstd;
} moments;

/* The center is found from the first element, so that a mean far from 0 has all its digits; what rounding took from
 * it is the mean of the deviations. */
INLINE moments moments_of(const real *x, ptrdiff_t c, int centred, double eps)
{
    const double per_element = c > 0 ? 1 / (double)c : 0;
    double sum = 0, square = 0, mean = 0;
    if (centred && c > 0) mean = x[0] + sum_of_deviations(x, c, x[0]) * per_element;
    const real center = (real)mean;
    for (ptrdiff_t begin = 0; begin < c; begin += RUN) {
        vec s[CHAINS] = {{0}}, q[CHAINS] = {{0}};
        EACH_CHAINED(min_size(RUN, c - begin), {
            const vec d = deviation(x + begin + j, m, center);
            s[k] += d;
            q[k] = vfma(d, d, q[k]);
        });
        sum += chained_sum(s), square += chained_sum(q);
    }
    const double rest = centred ? sum * per_element : 0;
    double var = square * per_element - rest * rest;
    var = var < 0 ? 0 : var;
    moments found = {center, rest, 1 / sqrt(var + eps)};
    if (is_extreme(var, eps) && extreme_moments(x, c, 1, centred, eps, &mean, &var, &found.rstd))
        found.center = (real)mean, found.rest = mean - found.center;
    return found;
}

/* The elements of a row come in pieces: all of them, with a gamma each, or those that have one in common. */
INLINE ptrdiff_t piece_of(ptrdiff_t c, ptrdiff_t each) { return each > 1 ? each : c; }

INLINE ptrdiff_t first_gamma(ptrdiff_t i, ptrdiff_t c, ptrdiff_t groups, ptrdiff_t each)
{
    return groups > 1 ? i % groups * (c / each) : 0;
}

INLINE vec factor_at(const real *p, ptrdiff_t at, ptrdiff_t j, ptrdiff_t m, int shared, real other)
{
    if (shared) return vset1(p != NULL ? p[at] : other);
    return load_or(p, at + j, m, other);
}

INLINE void write_rows(const row_norm_forward_args *a, ptrdiff_t begin, ptrdiff_t end, int centred,
                       int shared)
{
    const real *gamma = a->gamma, *beta = a->beta;
    const ptrdiff_t piece = piece_of(a->c, a->each);
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c;
        real *y = (real *)a->y + i * a->c;
        const moments found = moments_of(x, a->c, centred, a->eps);
        if (a->mean != NULL) ((real *)a->mean)[i] = (real)(found.center + found.rest);
        if (a->rstd != NULL) ((real *)a->rstd)[i] = (real)found.rstd;
        const real center = (real)found.center;
        const vec rstd = vset1((real)found.rstd), offset = vset1((real)(-found.rest * found.rstd));
        ptrdiff_t at = first_gamma(i, a->c, a->groups, a->each);
        for (ptrdiff_t p = 0; p < a->c; p += piece, at++)
            EACH_VECTOR(piece, vec xhat = vfma(vload_upto(x + p + j, m) - center, rstd, offset);
                        vstore_upto(y + p + j,
                                    vfma(xhat, factor_at(gamma, at, j, m, shared, 1),
                                         factor_at(beta, at, j, m, shared, 0)),
                                    m));
    }
}

INLINE void forward_range(const row_norm_forward_args *a, ptrdiff_t begin, ptrdiff_t end, int centred)
{
    if (a->each > 1) write_rows(a, begin, end, centred, 1);
    else write_rows(a, begin, end, centred, 0);
}
static void layer_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    forward_range(context, begin, end, 1);
}
static void rms_forward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    forward_range(context, begin, end, 0);
}

void KERNEL(layer_norm_forward)(const void *args)
{
    const row_norm_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.4), layer_forward_range, a);
}
void KERNEL(rms_norm_forward)(const void *args)
{
    const row_norm_forward_args *a = args;
    parallel_for(a->n, block_rows(a->c), row_cost(a->n, a->c, 0.3), rms_forward_range, a);
}

/* ---- backward ------------------------------------------------------------------------------------------ */

typedef struct {
    const row_norm_backward_args *args;
    ptrdiff_t rows; /* of a block */
    block_sums dgamma, dbeta;
} backward;

/* sum g (x - mean) of a row where `real` does not hold it; NaN if not all are finite */
static double extreme_product(const row_norm_backward_args *a, const real *dy, const real *x,
                              const real *gamma, real mean)
{
    double sum = 0;
    for (ptrdiff_t j = 0; j < a->c && sum - sum == 0; j++)
        sum += (double)dy[j] * (gamma != NULL ? gamma[j / a->each] : 1) * ((double)x[j] - mean);
    return sum;
}

/* What a row's gradient takes beside dy and x:
 *   dx = rstd * (g - slope * (x - mean) - level),   xhat = (x - mean) * rstd + offset
 * where the mean of x - mean, which rounding took from the mean, is accounted for. */
typedef struct {
    real slope, level, offset;
} row_factors;

INLINE row_factors factors_of(const row_norm_backward_args *a, const real *dy, const real *x, ptrdiff_t at,
                              real mean, real rstd, int centred, int shared)
{
    const real *gamma = a->gamma;
    const ptrdiff_t piece = piece_of(a->c, a->each);
    double sum = 0, product = 0, rest = 0;
    for (ptrdiff_t p = 0, b = at; p < a->c; p += piece, b++)
        for (ptrdiff_t begin = p; begin < p + piece; begin += RUN) {
            vec s[CHAINS] = {{0}}, q[CHAINS] = {{0}}, e[CHAINS] = {{0}};
            EACH_CHAINED(min_size(RUN, p + piece - begin), {
                const vec g =
                    vload_upto(dy + begin + j, m) * factor_at(gamma, b, begin - p + j, m, shared, 1);
                const vec d = deviation(x + begin + j, m, mean);
                q[k] = vfma(g, d, q[k]);
                if (centred) s[k] += g, e[k] += d;
            });
            sum += chained_sum(s), product += chained_sum(q), rest += chained_sum(e);
        }
    if (!(fabs(product) < __builtin_inf()))
        product = extreme_product(a, dy, x, gamma != NULL ? gamma + at : NULL, mean);
    const double per_element = 1 / (double)a->c;
    rest *= per_element;
    const double slope = (product - rest * sum) * rstd * per_element * rstd;
    return (row_factors){(real)slope, (real)(sum * per_element - slope * rest), (real)(-rest * rstd)};
}

INLINE void backward_rows(const backward *b, ptrdiff_t begin, ptrdiff_t end, int centred, int shared)
{
    const row_norm_backward_args *a = b->args;
    const real *gamma = a->gamma;
    const ptrdiff_t piece = piece_of(a->c, a->each);
    real *dgamma = cleared_sums(&b->dgamma, begin / b->rows),
         *dbeta = cleared_sums(&b->dbeta, begin / b->rows);
    for (ptrdiff_t i = begin; i < end; i++) {
        const real *x = (const real *)a->x + i * a->c, *dy = (const real *)a->dy + i * a->c;
        real *dx = a->dx != NULL ? (real *)a->dx + i * a->c : NULL;
        const real mean = centred ? ((const real *)a->mean)[i] : 0, rstd = ((const real *)a->rstd)[i];
        ptrdiff_t at = first_gamma(i, a->c, a->groups, a->each);
        const row_factors f = factors_of(a, dy, x, at, mean, rstd, centred, shared);
        for (ptrdiff_t p = 0; p < a->c; p += piece, at++) {
            vec product = {0}, sum = {0}; /* of a piece that shares them */
            EACH_VECTOR(piece, {
                const vec v = vload_upto(dy + p + j, m), d = vload_upto(x + p + j, m) - mean;
                const vec term = v * vfma(d, vset1(rstd), vset1(f.offset));
                if (shared) product += term, sum += v; /* v is 0 beyond the m */
                if (!shared && dgamma != NULL)
                    vstore_upto(dgamma + at + j, vload_upto(dgamma + at + j, m) + term, m);
                if (!shared && dbeta != NULL)
                    vstore_upto(dbeta + at + j, vload_upto(dbeta + at + j, m) + v, m);
                if (dx != NULL) {
                    const vec g = v * factor_at(gamma, at, j, m, shared, 1) - f.level;
                    vstore_upto(dx + p + j, vfma(-d, vset1(f.slope), g) * rstd, m);
                }
            });
            if (shared && dgamma != NULL) dgamma[at] += vsum(product);
            if (shared && dbeta != NULL) dbeta[at] += vsum(sum);
        }
    }
}

INLINE void backward_range(const backward *b, ptrdiff_t begin, ptrdiff_t end, int centred)
{
    if (b->args->each > 1) backward_rows(b, begin, end, centred, 1);
    else backward_rows(b, begin, end, centred, 0);
}
static void layer_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    backward_range(context, begin, end, 1);
}
static void rms_backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    backward_range(context, begin, end, 0);
}

enum { SUMMED_ROWS = 32 }; /* rows of a block at least, so that adding the blocks up is little work */

static void run_backward(const row_norm_backward_args *a, range_fn range)
{
    const ptrdiff_t count = a->groups * (a->c / a->each), least = block_rows(a->c);
    backward b = {
        .args = a, .dgamma = block_sums_of(a->dgamma, count, 0), .dbeta = block_sums_of(a->dbeta, count, 1)};
    b.rows = summed_block(a->n, least < SUMMED_ROWS ? SUMMED_ROWS : least, count);
    parallel_for(a->n, b.rows, row_cost(a->n, a->c, 0.8), range, &b);
    add_blocks(&b.dgamma, a->n, b.rows);
    add_blocks(&b.dbeta, a->n, b.rows);
}
void KERNEL(layer_norm_backward)(const void *args) { run_backward(args, layer_backward_range); }
void KERNEL(rms_norm_backward)(const void *args) { run_backward(args, rms_backward_range); }
