/* What each optimizer's kernel reads of a param_group. */
#ifndef PYML_CONTRACTS_OPTIMIZERS_H
#define PYML_CONTRACTS_OPTIMIZERS_H

/* <name>_options of each optimizer: doubles are numbers, ints are flags, an array is a tuple. The names are those of
 * the options in a param_group. */
typedef struct {
    double lr, momentum, dampening, weight_decay;
    int nesterov, maximize;
} sgd_options; /* arrays: velocity, used if momentum != 0; written, not read, at step 1 */
typedef struct {
    double lr, lr_decay, weight_decay, eps;
    int maximize;
} adagrad_options; /* arrays: sum of squares */
typedef struct {
    double lr, alpha, eps, weight_decay, momentum;
    int centered, maximize;
} rmsprop_options; /* arrays: square avg, momentum buffer, grad avg */
typedef struct {
    double lr, betas[2], eps, weight_decay;
    int amsgrad, maximize, decoupled_weight_decay;
} adam_options; /* arrays: m, v, largest v (amsgrad) */
typedef struct {
    double lr, betas[2], eps, weight_decay, momentum_decay;
    int decoupled_weight_decay, maximize;
} nadam_options; /* arrays: m, v; numbers: product of the momenta */
typedef struct {
    double lr, betas[2], eps, weight_decay;
    int maximize;
} adamax_options; /* arrays: m, u */
typedef struct {
    double lr, rho, eps, weight_decay;
    int maximize;
} adadelta_options; /* arrays: mean square of gradients, of updates */
typedef struct {
    double lr, betas[2], eps, weight_decay;
    int decoupled_weight_decay, maximize;
} radam_options; /* arrays: m, v */
typedef struct {
    double etas[2], step_sizes[2];
    int maximize;
} rprop_options; /* arrays: gradient before, step size */
typedef struct {
    double lr, lambd, alpha, t0, weight_decay;
    int maximize;
} asgd_options; /* arrays: average; numbers: rate and weight of the average at the next step */
typedef struct {
    double lr, betas[2], weight_decay;
    int maximize;
} lion_options; /* arrays: m */

#endif
