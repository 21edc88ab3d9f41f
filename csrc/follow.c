/* See follow.h. */
#include "follow.h"
#include "contracts/activation.h"
#include "contracts/random.h"
#include "dispatch.h"
#include "effects.h"
#include "uses.h"

enum {
    NONE = -1,
    MOST_BETWEEN = 2,
};

/* ---- the calls ------------------------------------------------------------------------------------------ */

/* What a call makes of `in`, `n` elements. NULL: it is another call. */
static void *result_of(const program_call *call, int kernel, const void *in, ptrdiff_t n)
{
    if (call->kernel != kernel) return NULL;
    switch (kernel) {
    case KERNEL_relu_forward: {
        const activation_forward_args *a = call->args;
        return a->x == in && a->n == n ? a->y : NULL;
    }
    case KERNEL_relu_backward: {
        const activation_backward_args *a = call->args;
        return a->dy == in && a->n == n ? a->dx : NULL;
    }
    case KERNEL_dropout_backward: {
        const dropout_backward_args *a = call->args;
        return a->dy == in && a->n == n ? a->dx : NULL;
    }
    default:
        return NULL;
    }
}

static ptrdiff_t next_of(const program_call *calls, ptrdiff_t count, ptrdiff_t i)
{
    for (i++; i < count && calls[i].is_extra; i++) {
    }
    return i;
}

/* A product that finishes: its result, of n elements. False: it is another call, or does not. */
static bool product_of(const program_call *call, void **result, ptrdiff_t *n)
{
    ptrdiff_t rows, columns, inner;
    if (pyml_is_linear_forward(call->kernel)) {
        const linear_forward_args *a = call->args;
        *result = a->y, rows = a->n, columns = a->o, inner = a->k;
    } else if (pyml_is_linear_backward(call->kernel)) {
        const linear_backward_args *a = call->args;
        *result = a->dx, rows = a->n, columns = a->k, inner = a->o;
    } else return false;
    *n = rows * columns;
    return *result != NULL &&
           pyml_linear((pyml_kernel)call->kernel, call->dtype)->finishes(rows, inner, columns);
}

ptrdiff_t follow_end(const follow *f) { return f->relu > f->dropout ? f->relu : f->dropout; }

/* ---- memory --------------------------------------------------------------------------------------------- */

/* What the calls touch beside what goes from one to the next. */
typedef struct {
    const void *to; /* where the last one writes */
    ptrdiff_t bytes;
    const void *results[MOST_BETWEEN + 1]; /* of the calls */
    int count;
    const program_call *product;
    bool fails;
} memory;

static bool is_result(const memory *m, const void *pointer)
{
    for (int i = 0; i < m->count; i++)
        if (m->results[i] == pointer) return true;
    return false;
}

/* What the product touches beside its result is not where the last call writes, which would be changed too early. */
static void see_product(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    memory *m = context;
    (void)before;
    if (*field == m->results[0] && (access & EFFECT_WRITE) != 0) return;
    m->fails |= uses_overlap(*field, (ptrdiff_t)bytes, m->to, m->bytes);
}

typedef struct {
    memory *m;
    const char *begin;
    ptrdiff_t bytes;
} read_piece;

static void see_written(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    read_piece *piece = context;
    (void)before;
    if ((access & EFFECT_WRITE) != 0)
        piece->m->fails |= uses_overlap(*field, (ptrdiff_t)bytes, piece->begin, piece->bytes);
}

/* What a call behind the product reads beside the result before it: nothing that the last one writes, where a product of
 * several blocks of k leaves its sums, and nothing that the product writes. */
static void see_follower(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    memory *m = context;
    read_piece piece = {m, (const char *)*field - before, (ptrdiff_t)bytes};
    if ((access & EFFECT_READ) == 0 || is_result(m, *field)) return;
    m->fails |= uses_overlap(piece.begin, piece.bytes, m->to, m->bytes);
    pyml_effects(m->product->kernel, m->product->dtype, m->product->args, see_written, &piece);
}

bool follow_find(follow *f, const program_call *calls, ptrdiff_t count, ptrdiff_t product, is_left_fn is_left,
                 void *context)
{
    const program_call *call = &calls[product];
    void *result;
    ptrdiff_t n;
    if (call->is_extra || !product_of(call, &result, &n)) return false;
    *f = (follow){product, NONE, NONE, n};
    memory m = {.bytes = n * pyml_dtype_bytes(call->dtype), .results = {result}, .count = 1, .product = call};
    const bool is_forward = pyml_is_linear_forward(call->kernel);
    const struct {
        int kernel;
        ptrdiff_t *at;
    } followers[] = {{KERNEL_dropout_backward, &f->dropout},
                     {is_forward ? KERNEL_relu_forward : KERNEL_relu_backward, &f->relu}};
    ptrdiff_t last = product;
    for (int i = is_forward; i < MOST_BETWEEN; i++) {
        const ptrdiff_t next = next_of(calls, count, last);
        if (next == count || calls[next].dtype != call->dtype) break;
        void *made = result_of(&calls[next], followers[i].kernel, m.results[m.count - 1], n);
        if (made == NULL) continue;
        *followers[i].at = last = next;
        m.results[m.count++] = made;
    }
    if (last == product) return false;
    m.to = m.results[m.count - 1];
    for (int i = 0; i < m.count - 1; i++) {
        if (m.results[i] == m.to) continue;
        if (uses_overlap(m.results[i], m.bytes, m.to, m.bytes) ||
            !uses_are_over(calls, count, last + 1, m.results[i], m.bytes, is_left, context))
            return false;
    }
    pyml_effects(call->kernel, call->dtype, call->args, see_product, &m);
    for (ptrdiff_t i = next_of(calls, count, product); i <= last; i = next_of(calls, count, i))
        pyml_effects(calls[i].kernel, calls[i].dtype, calls[i].args, see_follower, &m);
    return !m.fails;
}

/* ---- replay --------------------------------------------------------------------------------------------- */

product_finish follow_finish(const follow *f, const program_call *calls)
{
    product_finish finish = {0};
    if (f->dropout != NONE) {
        const dropout_backward_args *a = calls[f->dropout].args;
        finish.to = a->dx, finish.kept = a->mask, finish.scale = 1 / (1 - a->p);
    }
    if (f->relu != NONE && calls[f->relu].kernel == KERNEL_relu_forward) {
        const activation_forward_args *a = calls[f->relu].args;
        finish.to = a->y, finish.relu = 1;
    } else if (f->relu != NONE) {
        const activation_backward_args *a = calls[f->relu].args;
        finish.to = a->dx, finish.gate = a->s;
    }
    return finish;
}

void follow_run(const follow *f, const program_call *calls)
{
    const program_call *product = &calls[f->product];
    const linear_fns *linear = pyml_linear((pyml_kernel)product->kernel, product->dtype);
    const product_finish finish = follow_finish(f, calls);
    if (pyml_is_linear_forward(product->kernel)) linear->forward(product->args, &finish);
    else linear->backward(product->args, &finish, NULL, NULL);
}

/* ---- what it takes -------------------------------------------------------------------------------------- */

static void add_bytes(void *context, void **field, ptrdiff_t before, size_t bytes, int access)
{
    double *total = context;
    (void)field, (void)before, (void)access;
    *total += (double)bytes;
}

double follow_bytes(const follow *f, const program_call *calls)
{
    double bytes = 0;
    const double between = 2 * (double)(f->elements * pyml_dtype_bytes(calls[f->product].dtype));
    const ptrdiff_t made[] = {f->product, f->dropout, f->relu};
    for (int i = 0; i < 3; i++) {
        if (made[i] == NONE) continue;
        const program_call *call = &calls[made[i]];
        pyml_effects(call->kernel, call->dtype, call->args, add_bytes, &bytes);
        if (i > 0) bytes -= between; /* neither written nor read */
    }
    return bytes;
}
