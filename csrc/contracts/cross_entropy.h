/* Softmax and cross entropy together. */
#ifndef PYML_CONTRACTS_CROSS_ENTROPY_H
#define PYML_CONTRACTS_CROSS_ENTROPY_H

#include "types.h"

/* Softmax and cross entropy in one pass, PyTorch's CrossEntropyLoss with label smoothing e
 * (Szegedy et al. 2015, arXiv:1512.00567). With l = log_softmax(x[i]) and weights v (1 without `weight`):
 *   index t:          loss[i] = -(1-e) v[t] l[t] - e/c sum_j v[j] l[j];   total weight: sum of v[t]
 *   probabilities p:  loss[i] = -sum_j q[j] v[j] l[j],  q = (1-e) p + e/c;  total weight: n
 * A row whose index is ignore_index has loss 0 and weight 0. An index outside [0,c) gives NaN for its row and is
 * never used as an address.
 * loss is (n) for REDUCTION_NONE, else one number: the sum, or the sum over the total weight. */
typedef struct {
    void *loss;
    void *softmax; /* (n,c), kept for backward; NULL: not computed */
    void *total_weight; /* (1), kept for backward */
    const void *x; /* (n,c) */
    const int64_t *index; /* (n), or NULL */
    const void *prob; /* (n,c) when index is NULL */
    const void *weight; /* (c) or NULL */
    ptrdiff_t n, c;
    int64_t ignore_index;
    double label_smoothing;
    int reduction;
} cross_entropy_forward_args;

/* dx = dloss * d loss / d x; dloss is (n) for REDUCTION_NONE, else one number. */
typedef struct {
    void *dx; /* (n,c) */
    const void *dloss, *softmax, *total_weight;
    const int64_t *index;
    const void *prob, *weight;
    ptrdiff_t n, c;
    int64_t ignore_index;
    double label_smoothing;
    int reduction;
} cross_entropy_backward_args;

#endif
