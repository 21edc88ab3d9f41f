/* The matrix product as other kernels call it. */
#ifndef PYML_GEMM_H
#define PYML_GEMM_H

#include "../contracts/gemm.h"
#include "../contracts/linear.h"
#include "kernel.h"

#include <stdbool.h>

void KERNEL(gemm)(const void *args);

/* gemm, then row `bias` (n) added to every row of C; NULL for none. Uses the scratch of every thread it runs
 * on, the caller's included. */
void KERNEL(gemm_bias)(const gemm_args *g, const real *bias);

/* gemm_bias whose elements go through `finish` to its `to`, which is C, and lie side by side; quick where gemm_finishes.
 * NULL: gemm_bias. */
void KERNEL(gemm_finished)(const gemm_args *g, const real *bias, const product_finish *finish);

/* Whether a product of m x k x n is quicker finished than followed by other calls: nearly all of its tiles finish in
 * registers. */
bool KERNEL(gemm_finishes)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);

/* What becomes of a product that is handed on by stripes of rows: `use` gets `rows` rows of C from `row` on, side by side,
 * on any thread. `with` are `arrays` arrays like C that it reads or writes in the same rows: one or more. */
typedef struct {
    void (*use)(const void *context, ptrdiff_t row, ptrdiff_t rows, const real *c);
    const void *context;
    const void *with[4];
    int arrays;
} gemm_stripes;

enum {
    LEAST_K = 8, /* of stripes: with less the update takes nearly all of the time */
};

/* Whether a product of m x k x n can be. */
bool KERNEL(gemm_hands_on)(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);

/* C = alpha A B, which is not written but handed on; beta is 0. False, and nothing was done, if its shape does not suit. */
bool KERNEL(gemm_by_stripes)(const gemm_args *g, const gemm_stripes *stripes);

/* gemm on the calling thread without scratch, operands as they lie, for a small product: m > 0, n a multiple of L,
 * b_col = 1, k up to 256. */
void KERNEL(gemm_alone)(const gemm_args *g);

/* gemm_bias where m, n or k is 1 and the operands lie well for it; else false, and nothing was done. Blocks of k are
 * kc long. */
bool KERNEL(gemv_bias)(const gemm_args *g, const real *bias, ptrdiff_t kc);

/* n things cut into parts as equal as can be: the first `longer` of them have one more than `size`. */
typedef struct {
    ptrdiff_t parts, size, longer;
} partition;
INLINE partition cut_into(ptrdiff_t parts, ptrdiff_t n) { return (partition){parts, n / parts, n % parts}; }
INLINE ptrdiff_t part_size(partition p, ptrdiff_t i) { return p.size + (i < p.longer); }
INLINE ptrdiff_t part_begin(partition p, ptrdiff_t i) { return p.size * i + min_size(p.longer, i); }

/* The total over blocks of k so far, of which `sum` is one that begins at p. */
INLINE vec add_block(const gemm_args *g, ptrdiff_t p, vec total, vec sum, const real *c, ptrdiff_t lanes)
{
    const vec alpha = vset1((real)g->alpha);
    if (p > 0) return vfma(alpha, sum, total);
    if (g->beta == 0) return alpha * sum;
    return vfma(alpha, sum, (real)g->beta * vload_upto(c, lanes));
}

#endif
