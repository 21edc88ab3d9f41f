/* Losses of scores and a class, or classes, for each sample. */
#ifndef PYML_CONTRACTS_CLASS_LOSS_H
#define PYML_CONTRACTS_CLASS_LOSS_H

#include "types.h"

/* Scores x (n,c,inner), a class y for each of the n * inner samples, factors w of classes (1 without `weight`):
 *   nll           loss = -w[y] x[y];   total weight: sum of w[y]
 *   multi_margin  loss = w[y] sum_j max(0, margin - x[y] + x[j])^p / c over j that are not y, p 1 or 2 (Crammer &
 *                 Singer 2001); with `labels` of each sample in place of a class, their sum over the labels before the
 *                 first -1, j those that are no label, and no weights;   total weight: the samples
 * A sample of nll whose index is ignore_index, or that has no classes, has loss 0 and weight 0. Another index outside
 * [0,c) gives NaN for its sample and is never used as an address.
 * loss is (n,inner) for REDUCTION_NONE, else one number: the sum, or the sum over the total weight. */
typedef struct {
    void *loss;
    void *total_weight; /* (1), kept for backward */
    const void *x; /* (n,c,inner) */
    const int64_t *index; /* (n,inner), or (n,labels) */
    const void *weight; /* (c) or NULL */
    ptrdiff_t n, c, inner; /* inner is 1 in multi_margin */
    ptrdiff_t labels; /* 0: a class each */
    int64_t ignore_index; /* of nll */
    double margin, p; /* of multi_margin */
    int reduction;
} class_loss_forward_args;

/* dx = dloss * d loss / d x; dloss is (n,inner) for REDUCTION_NONE, else one number. */
typedef struct {
    void *dx; /* (n,c,inner) */
    const void *dloss, *total_weight;
    const void *x; /* of multi_margin */
    const int64_t *index;
    const void *weight;
    ptrdiff_t n, c, inner, labels;
    int64_t ignore_index;
    double margin, p;
    int reduction;
} class_loss_backward_args;

#endif
