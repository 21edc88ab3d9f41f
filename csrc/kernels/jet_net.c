/* A net's value and its derivatives by its inputs, a block of points at a time: it goes through all layers while it lies
 * in the caches. There a jet is (channels, features, POINTS): points are the lanes, so that all are used whatever the
 * widths, in products by the tiles of gemm too. */
#include "../contracts/jet.h"
#include "../dispatch.h"
#include "gemm.h"

enum {
    POINTS = JET_BLOCK_BYTES / sizeof(real),
    FORWARD_BLOCKS = 4, /* of points, a task */
    LEAST_BLOCKS = 8, /* of points, a task of backward, */
    MOST_TASKS = 16, /* each of which has sums of its own */
    ROOM = SCRATCH_BYTES / sizeof(real) / 2, /* a task's; the sums of all are behind the caller's */
    JET_ROOM = JET_ROWS * POINTS,
    MACS_PER_NS = 5, /* multiply-adds of one lane in a nanosecond, about */
    NS_ACTIVATION = 8, /* of L lanes of all channels, about */
};
_Static_assert(3 * JET_ROOM + JET_PARAMETERS * L <= ROOM && MOST_TASKS * JET_PARAMETERS <= ROOM, "room");

extern const kernel_fn KERNEL(table)[];

/* ---- blocks ------------------------------------------------------------------------------------------------- */

INLINE ptrdiff_t points_of(ptrdiff_t n, ptrdiff_t block) { return min_size(n - block * POINTS, POINTS); }

/* (features, POINTS) of `points` rows: the last is repeated, so that what fills a block is as finite as they are. */
static void turn_in(real *to, const real *rows, ptrdiff_t points, ptrdiff_t features)
{
    for (ptrdiff_t k = 0; k < features; k++)
        for (ptrdiff_t p = 0; p < POINTS; p++)
            to[k * POINTS + p] = rows[min_size(p, points - 1) * features + k];
}

static void turn_out(real *rows, const real *from, ptrdiff_t points, ptrdiff_t features)
{
    for (ptrdiff_t p = 0; p < points; p++)
        for (ptrdiff_t k = 0; k < features; k++) rows[p * features + k] = from[k * POINTS + p];
}

/* z (channels, o, POINTS) = w x, w (o, k); turned: w^T x, w (k, o) */
static void multiply(real *z, const real *w, bool turned, const real *x, ptrdiff_t channels, ptrdiff_t o,
                     ptrdiff_t k)
{
    if (k == 1) { /* backward through the one output that most nets have: quicker without tiles */
        for (ptrdiff_t c = 0; c < channels; c++)
            for (ptrdiff_t i = 0; i < o; i++)
                for (ptrdiff_t p = 0; p < POINTS; p += L)
                    vstore(z + (c * o + i) * POINTS + p, w[i] * vload(x + c * POINTS + p));
        return;
    }
    const gemm_args product = {.c = z,
                               .a = w,
                               .b = x,
                               .m = o,
                               .n = POINTS,
                               .k = k,
                               .a_row = turned ? 1 : k,
                               .a_col = turned ? o : 1,
                               .b_row = POINTS,
                               .b_col = 1,
                               .c_row = POINTS,
                               .batch = channels,
                               .b_batch = k * POINTS,
                               .c_batch = o * POINTS,
                               .alpha = 1};
    KERNEL(gemm_alone)(&product);
}

/* Numbers that backward needs of a block. */
static ptrdiff_t kept_of_block(const ptrdiff_t *widths, ptrdiff_t layers, ptrdiff_t channels)
{
    ptrdiff_t features = 0;
    for (ptrdiff_t l = 1; l < layers; l++) features += widths[l];
    return (channels + 1) * features * POINTS;
}

/* Nanoseconds of a product of each layer and its activation, about. */
static double cost_of(const ptrdiff_t *widths, ptrdiff_t layers, ptrdiff_t channels, ptrdiff_t n)
{
    double cost = 0;
    for (ptrdiff_t l = 0; l < layers; l++)
        cost += (double)widths[l + 1] * ((double)(channels * widths[l]) / MACS_PER_NS + NS_ACTIVATION);
    return cost * (double)n / L;
}

/* ---- forward ------------------------------------------------------------------------------------------------ */

/* z of the first layer, whose products with the derivatives of x are columns of w and zeros. */
static void first_layer(const jet_net_forward_args *a, real *z, const real *x)
{
    const ptrdiff_t k = a->widths[0], o = a->widths[1], all = o * POINTS;
    const real *w = a->w[0];
    multiply(z, w, false, x, 1, o, k);
    for (ptrdiff_t i = 0; i < a->firsts; i++)
        for (ptrdiff_t j = 0; j < o; j++)
            for (ptrdiff_t p = 0; p < POINTS; p += L)
                vstore(z + (1 + i) * all + j * POINTS + p, vset1(w[j * k + a->variables[i]]));
    memset(z + (1 + a->firsts) * all, 0, (size_t)(a->seconds * all) * sizeof(real));
}

static void forward_block(const jet_net_forward_args *a, ptrdiff_t block)
{
    const ptrdiff_t channels = 1 + a->firsts + a->seconds, points = points_of(a->n, block);
    real *room = thread_scratch(), *x = room + 2 * JET_ROOM, *z = room, *y = room + JET_ROOM;
    real *kept = a->kept;
    if (kept != NULL) kept += block * kept_of_block(a->widths, a->layers, channels);
    turn_in(x, (const real *)a->x + block * POINTS * a->widths[0], points, a->widths[0]);
    for (ptrdiff_t l = 0; l < a->layers; l++) {
        const bool last = l == a->layers - 1;
        const ptrdiff_t k = a->widths[l], o = a->widths[l + 1], all = o * POINTS;
        const real *from = l == 0 ? x : y, *b = a->b[l];
        z = kept == NULL || last ? room : kept;
        if (l == 0) first_layer(a, z, from);
        else multiply(z, a->w[l], false, from, channels, o, k);
        for (ptrdiff_t i = 0; b != NULL && i < o; i++)
            for (ptrdiff_t p = 0; p < POINTS; p++) z[i * POINTS + p] += b[i];
        if (last) break;
        const jet_forward_args f = {y, z, a->pairs, all, a->firsts, a->seconds, a->alpha, a->beta};
        KERNEL(table)[a->function](&f);
        if (kept == NULL) continue;
        memcpy(z + channels * all, y, (size_t)all * sizeof(real));
        kept += (channels + 1) * all;
    }
    const ptrdiff_t o = a->widths[a->layers];
    for (ptrdiff_t c = 0; c < channels; c++)
        turn_out((real *)a->u + (c * a->n + block * POINTS) * o, z + c * o * POINTS, points, o);
}

static void forward_range(const void *args, ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t block = begin; block < end; block++) forward_block(args, block);
}

void KERNEL(jet_net_forward)(const void *args)
{
    const jet_net_forward_args *a = args;
    const double cost = cost_of(a->widths, a->layers, 1 + a->firsts + a->seconds, a->n);
    parallel_for(ceil_div(a->n, POINTS), FORWARD_BLOCKS, cost, forward_range, args);
}

/* ---- backward ------------------------------------------------------------------------------------------------
 *
 * Points are lanes in the sums of a task too; these are added when it is done, and then the tasks in order. */

/* sums[i][j] += dz[i] y[j], lane by lane, over channels and points. Rows of dz and y are POINTS apart, those of sums k.
 * `rows` and `columns` are constant where this is inlined. */
#if defined(ISA_avx512) || defined(ISA_wide) || defined(ISA_neon)
enum { DOT_ROWS = 4, DOT_COLUMNS = 4 };
#else
enum { DOT_ROWS = 4, DOT_COLUMNS = 2 };
#endif
INLINE void dot_tile(const int rows, const int columns, real *sums, ptrdiff_t k, const real *dz,
                     ptrdiff_t dz_channel, const real *y, ptrdiff_t y_channel, ptrdiff_t channels)
{
    vec sum[DOT_ROWS][DOT_COLUMNS];
    UNROLL for (int i = 0; i < rows; i++) UNROLL
        for (int j = 0; j < columns; j++) sum[i][j] = vload(sums + (i * k + j) * L);
    for (ptrdiff_t c = 0; c < channels; c++, dz += dz_channel, y += y_channel)
        for (ptrdiff_t p = 0; p < POINTS; p += L) {
            vec y_j[DOT_COLUMNS];
            UNROLL for (int j = 0; j < columns; j++)
                y_j[j] = vload(y + j * POINTS + p);
            UNROLL for (int i = 0; i < rows; i++) {
                const vec dz_i = vload(dz + i * POINTS + p);
                UNROLL for (int j = 0; j < columns; j++)
                    sum[i][j] = vfma(dz_i, y_j[j], sum[i][j]);
            }
        }
    UNROLL for (int i = 0; i < rows; i++) UNROLL
        for (int j = 0; j < columns; j++) vstore(sums + (i * k + j) * L, sum[i][j]);
}

/* sums (o, k, L) += dz (channels, o, POINTS) y^T (channels, k, POINTS) */
static void add_dots(real *sums, const real *dz, const real *y, ptrdiff_t channels, ptrdiff_t o, ptrdiff_t k)
{
#define DOTS(rows, columns)                                                                         \
    dot_tile(rows, columns, sums + (i * k + j) * L, k, dz + i * POINTS, o * POINTS, y + j * POINTS, \
             k * POINTS, channels)
    ptrdiff_t i = 0, j;
    for (; i + DOT_ROWS <= o; i += DOT_ROWS) {
        for (j = 0; j + DOT_COLUMNS <= k; j += DOT_COLUMNS) DOTS(DOT_ROWS, DOT_COLUMNS);
        for (; j < k; j++) DOTS(DOT_ROWS, 1);
    }
    for (; i < o; i++) {
        for (j = 0; j + DOT_COLUMNS <= k; j += DOT_COLUMNS) DOTS(1, DOT_COLUMNS);
        for (; j < k; j++) DOTS(1, 1);
    }
#undef DOTS
}

/* sums[i * along] += the points of row i */
static void add_points(real *sums, ptrdiff_t along, const real *rows, ptrdiff_t o)
{
    for (ptrdiff_t i = 0; i < o; i++) {
        vec sum = vload(sums + i * along * L);
        for (ptrdiff_t p = 0; p < POINTS; p += L) sum += vload(rows + i * POINTS + p);
        vstore(sums + i * along * L, sum);
    }
}

/* dx, and what is added to the sums, which are of w, then b, of one layer after another. */
static void backward_block(const jet_net_backward_args *a, ptrdiff_t block, real *sums, ptrdiff_t parameters)
{
    const ptrdiff_t channels = 1 + a->firsts + a->seconds, points = points_of(a->n, block);
    real *dz = thread_scratch(), *dy = dz + JET_ROOM, *y = dy + JET_ROOM;
    const real *kept = (const real *)a->kept + (block + 1) * kept_of_block(a->widths, a->layers, channels);
    const ptrdiff_t last = a->widths[a->layers];
    for (ptrdiff_t c = 0; c < channels; c++) {
        const real *du = (const real *)a->du + (c * a->n + block * POINTS) * last;
        turn_in(dz + c * last * POINTS, du, points, last);
        for (ptrdiff_t k = 0; k < last; k++)
            for (ptrdiff_t p = points; p < POINTS; p++) dz[(c * last + k) * POINTS + p] = 0;
    }
    sums += parameters * L;
    for (ptrdiff_t l = a->layers - 1; l > 0; l--) {
        const ptrdiff_t k = a->widths[l], o = a->widths[l + 1], all = k * POINTS;
        const real *z = kept -= (channels + 1) * all, *values = z + channels * all;
        multiply(dy, a->w[l], true, dz, channels, k, o);
        const jet_backward_args f = {dy,  y,         dy,         z,        values, a->pairs,
                                     all, a->firsts, a->seconds, a->alpha, a->beta};
        KERNEL(table)[a->function](&f);
        sums -= (k + 1) * o * L;
        add_dots(sums, dz, y, channels, o, k);
        add_points(sums + k * o * L, 1, dz, o);
        real *const done = dz;
        dz = dy, dy = done;
    }
    const ptrdiff_t k = a->widths[0], o = a->widths[1];
    sums -= (k + 1) * o * L;
    turn_in(y, (const real *)a->x + block * POINTS * k, points, k);
    add_dots(sums, dz, y, 1, o, k);
    for (ptrdiff_t i = 0; i < a->firsts; i++)
        add_points(sums + a->variables[i] * L, k, dz + (1 + i) * o * POINTS, o);
    add_points(sums + k * o * L, 1, dz, o);
    if (a->dx == NULL) return;
    multiply(dy, a->w[0], true, dz, 1, k, o);
    turn_out((real *)a->dx + block * POINTS * k, dy, points, k);
}

/* All tasks, and the sums (tasks, parameters) that they leave. */
typedef struct {
    const jet_net_backward_args *args;
    real *sums;
    ptrdiff_t parameters, tasks;
} backward_tasks;

static void backward_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const backward_tasks *of = context;
    const ptrdiff_t blocks = ceil_div(of->args->n, POINTS), parameters = of->parameters;
    real *lanes = (real *)thread_scratch() + 3 * JET_ROOM;
    for (ptrdiff_t task = begin; task < end; task++) {
        memset(lanes, 0, (size_t)(parameters * L) * sizeof(real));
        for (ptrdiff_t block = blocks * task / of->tasks; block < blocks * (task + 1) / of->tasks; block++)
            backward_block(of->args, block, lanes, parameters);
        real *sums = of->sums + task * parameters;
        for (ptrdiff_t i = 0; i < parameters; i++) sums[i] = vsum(vload(lanes + i * L));
    }
}

/* to[i] = the sums of all tasks, in order */
static void add_tasks(real *to, const backward_tasks *of, ptrdiff_t first, ptrdiff_t count)
{
    const real *sums = of->sums + first;
    if (to == NULL) return;
    EACH_VECTOR(count, {
        vec sum = vload_upto(sums + j, m);
        for (ptrdiff_t task = 1; task < of->tasks; task++)
            sum += vload_upto(sums + task * of->parameters + j, m);
        vstore_upto(to + j, sum, m);
    });
}

void KERNEL(jet_net_backward)(const void *args)
{
    const jet_net_backward_args *a = args;
    const ptrdiff_t blocks = ceil_div(a->n, POINTS);
    backward_tasks of = {a, (real *)thread_scratch() + ROOM, 0,
                         min_size(ceil_div(blocks, LEAST_BLOCKS), MOST_TASKS)};
    if (of.tasks == 0) of.tasks = 1; /* without points the sums are zero */
    for (ptrdiff_t l = 0; l < a->layers; l++) of.parameters += (a->widths[l] + 1) * a->widths[l + 1];
    const double cost = 2 * cost_of(a->widths, a->layers, 1 + a->firsts + a->seconds, a->n);
    parallel_for(of.tasks, 1, cost, backward_range, &of);
    for (ptrdiff_t l = 0, first = 0; l < a->layers; l++) {
        const ptrdiff_t o = a->widths[l + 1], weights = a->widths[l] * o;
        add_tasks(a->dw[l], &of, first, weights);
        add_tasks(a->db[l], &of, first + weights, o);
        first += weights + o;
    }
}
