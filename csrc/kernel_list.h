/* Every kernel, one line each: X(name, struct of its arguments, operations of one element). It makes the enum, the
 * prototypes, the tables of every ISA, the names, and what arguments.h and effects.h tell.
 *
 * Three families have lines of their own, which are those of X unless the file that includes this one defines them:
 *   SEGMENTS(name, arguments, operations)          the arguments have a table of segments
 *   OPTIMIZER(name, arrays, numbers, operations)   of optim_args and <name>_options: how many arrays and numbers the
 *                                                  state of a parameter has, the step count among the numbers
 *   BFLOAT16(name, arguments)                      <name>_bfloat16: of float32 operands rounded to bfloat16 on CPUs
 *                                                  that have instructions for it, what <name> is elsewhere
 *
 * Operations: one for each + - * / sqrt, comparison or selection; MATH for exp, log, tanh, erf, sin and cos; none for
 * a number that is only moved. effects.c says how many elements a call has. */

#ifndef SEGMENTS
#define SEGMENTS(name, arguments, operations) X(name, arguments, operations)
#endif
#ifndef BFLOAT16
#define BFLOAT16(name, arguments) X(name##_bfloat16, arguments, 2)
#endif
#ifndef OPTIMIZER
#define OPTIMIZER(name, arrays, numbers, operations) X(name, optim_args, operations)
#endif

/* gemm, linear */
X(gemm, gemm_args, 2)
X(linear_forward, linear_forward_args, 2)
X(linear_backward, linear_backward_args, 2)
BFLOAT16(gemm, gemm_args)
BFLOAT16(linear_forward, linear_forward_args)
BFLOAT16(linear_backward, linear_backward_args)

/* activation */
X(relu_forward, activation_forward_args, 1)
X(relu_backward, activation_backward_args, 1)
X(leaky_relu_forward, activation_forward_args, 2)
X(leaky_relu_backward, activation_backward_args, 2)
X(sigmoid_forward, activation_forward_args, MATH + 3)
X(sigmoid_backward, activation_backward_args, 3)
X(tanh_forward, activation_forward_args, MATH)
X(tanh_backward, activation_backward_args, 4)
X(gelu_forward, activation_forward_args, MATH + 2)
X(gelu_backward, activation_backward_args, 2 * MATH + 3)
X(gelu_tanh_forward, activation_forward_args, MATH + 8)
X(gelu_tanh_backward, activation_backward_args, MATH + 14)
X(silu_forward, activation_forward_args, MATH + 4)
X(silu_backward, activation_backward_args, MATH + 8)
X(elu_forward, activation_forward_args, MATH + 2)
X(elu_backward, activation_backward_args, MATH + 3)
X(softplus_forward, activation_forward_args, 2 * MATH + 5)
X(softplus_backward, activation_backward_args, MATH + 6)
X(mish_forward, activation_forward_args, MATH + 6)
X(mish_backward, activation_backward_args, MATH + 14)
X(hardswish_forward, activation_forward_args, 6)
X(hardswish_backward, activation_backward_args, 6)
X(selu_forward, activation_forward_args, MATH + 3)
X(selu_backward, activation_backward_args, MATH + 4)
X(celu_forward, activation_forward_args, MATH + 4)
X(celu_backward, activation_backward_args, MATH + 4)
X(logsigmoid_forward, activation_forward_args, 2 * MATH + 3)
X(logsigmoid_backward, activation_backward_args, MATH + 3)
X(softsign_forward, activation_forward_args, 7)
X(softsign_backward, activation_backward_args, 4)
X(tanhshrink_forward, activation_forward_args, MATH + 1)
X(tanhshrink_backward, activation_backward_args, MATH + 2)
X(hardtanh_forward, activation_forward_args, 4)
X(hardtanh_backward, activation_backward_args, 3)
X(hardsigmoid_forward, activation_forward_args, 6)
X(hardsigmoid_backward, activation_backward_args, 4)
X(threshold_forward, activation_forward_args, 2)
X(threshold_backward, activation_backward_args, 2)
X(hardshrink_forward, activation_forward_args, 3)
X(hardshrink_backward, activation_backward_args, 3)
X(softshrink_forward, activation_forward_args, 7)
X(softshrink_backward, activation_backward_args, 3)
X(prelu_forward, prelu_forward_args, 2)
X(prelu_backward, prelu_backward_args, 4)

/* norm */
X(batchnorm_forward, batchnorm_forward_args, 8)
X(batchnorm_backward, batchnorm_backward_args, 10)
X(batchnorm_inference, batchnorm_inference_args, 3)
X(batchnorm_inference_backward, batchnorm_inference_backward_args, 5)
X(layer_norm_forward, row_norm_forward_args, 8)
X(layer_norm_backward, row_norm_backward_args, 14)
X(rms_norm_forward, row_norm_forward_args, 5)
X(rms_norm_backward, row_norm_backward_args, 11)

/* jet: the operations of an element of a channel, the function among them once */
X(jet_tanh_forward, jet_forward_args, 8)
X(jet_tanh_backward, jet_backward_args, 9)
X(jet_sigmoid_forward, jet_forward_args, 8)
X(jet_sigmoid_backward, jet_backward_args, 9)
X(jet_sin_forward, jet_forward_args, 2 * MATH)
X(jet_sin_backward, jet_backward_args, MATH)
X(jet_softplus_forward, jet_forward_args, 2 * MATH)
X(jet_softplus_backward, jet_backward_args, MATH)
X(jet_silu_forward, jet_forward_args, MATH)
X(jet_silu_backward, jet_backward_args, MATH)
X(jet_gelu_forward, jet_forward_args, 2 * MATH)
X(jet_gelu_backward, jet_backward_args, 2 * MATH)
X(jet_net_forward, jet_net_forward_args, 2)
X(jet_net_backward, jet_net_backward_args, 2)

/* softmax, cross_entropy */
X(softmax_forward, softmax_forward_args, MATH + 4)
X(softmax_backward, softmax_backward_args, 4)
X(log_softmax_forward, softmax_forward_args, MATH + 5)
X(log_softmax_backward, softmax_backward_args, MATH + 3)
X(cross_entropy_forward, cross_entropy_forward_args, MATH + 4)
X(cross_entropy_backward, cross_entropy_backward_args, 2)

/* class_loss */
X(nll_forward, class_loss_forward_args, 1)
X(nll_backward, class_loss_backward_args, 1)
X(multi_margin_forward, class_loss_forward_args, 5)
X(multi_margin_backward, class_loss_backward_args, 6)

/* pair_loss */
X(mse_forward, pair_loss_forward_args, 3)
X(mse_backward, pair_loss_backward_args, 2)
X(smooth_l1_forward, pair_loss_forward_args, 8)
X(smooth_l1_backward, pair_loss_backward_args, 8)
X(hinge_embedding_forward, pair_loss_forward_args, 8)
X(hinge_embedding_backward, pair_loss_backward_args, 8)
X(l1_forward, pair_loss_forward_args, 3)
X(l1_backward, pair_loss_backward_args, 6)
X(huber_forward, pair_loss_forward_args, 8)
X(huber_backward, pair_loss_backward_args, 6)
X(quantile_forward, pair_loss_forward_args, 5)
X(quantile_backward, pair_loss_backward_args, 6)
X(soft_margin_forward, pair_loss_forward_args, 2 * MATH + 4)
X(soft_margin_backward, pair_loss_backward_args, MATH + 5)
X(binary_cross_entropy_forward, pair_loss_forward_args, 2 * MATH + 7)
X(binary_cross_entropy_backward, pair_loss_backward_args, 2 * MATH + 12)
X(binary_cross_entropy_with_logits_forward, pair_loss_forward_args, 2 * MATH + 5)
X(binary_cross_entropy_with_logits_backward, pair_loss_backward_args, MATH + 9)

/* random, dropout */
X(dropout_forward, dropout_forward_args, 1)
X(dropout_backward, dropout_backward_args, 1)
X(random_uniform, random_args, 3)
X(random_normal, random_args, 1.5 * MATH + 4)
X(random_log_gamma, random_of_args, 5 * MATH + 20)
X(random_poisson, random_of_args, 5 * MATH + 20)
X(random_binomial, random_of_args, 6 * MATH + 30)
X(random_von_mises, random_of_args, 6 * MATH + 30)
X(random_permutation, random_permutation_args, 0)

/* image */
X(image_view, image_view_args, 8)

/* optim */
OPTIMIZER(sgd, 1, 0, 4)
OPTIMIZER(adagrad, 1, 1, 7)
OPTIMIZER(rmsprop, 3, 1, 9)
OPTIMIZER(adam, 3, 1, 14)
OPTIMIZER(nadam, 2, 2, 16)
OPTIMIZER(adamax, 2, 1, 12)
OPTIMIZER(adadelta, 2, 1, 14)
OPTIMIZER(radam, 2, 1, 13)
OPTIMIZER(rprop, 2, 1, 8)
OPTIMIZER(asgd, 1, 3, 6)
OPTIMIZER(lion, 1, 0, 7)

/* clip */
SEGMENTS(grad_norm, grad_norm_args, 2)
SEGMENTS(scale_segments, scale_segments_args, 1)

/* elementwise */
X(add, binary_args, 1)
X(sub, binary_args, 1)
X(mul, binary_args, 1)
X(div, binary_args, 1)
X(pow, binary_args, 2 * MATH)
X(maximum, binary_args, 1)
X(minimum, binary_args, 1)
X(log_gamma_slope, binary_args, 40 * MATH)
X(neg, unary_args, 1)
X(abs, unary_args, 1)
X(exp, unary_args, MATH)
X(log, unary_args, MATH)
X(sqrt, unary_args, 1)
X(sign, unary_args, 2)
X(reciprocal, unary_args, 1)
X(sin, unary_args, MATH)
X(cos, unary_args, MATH)
X(log1p, unary_args, MATH)
X(expm1, unary_args, MATH)
X(erf, unary_args, MATH)
X(erfc, unary_args, MATH)
X(erfinv, unary_args, 6 * MATH)
X(lgamma, unary_args, 2 * MATH)
X(digamma, unary_args, 3 * MATH)
X(polygamma, unary_args, 12 * MATH)
X(scaled_bessel, unary_args, 4 * MATH)
X(clamp, unary_args, 2)
X(where, where_args, 1)

/* waves */
X(waves_forward, waves_forward_args, MATH + 8)
X(waves_both, waves_both_args, 1)
X(waves_backward, waves_backward_args, 4)

/* compare */
X(equal, compare_args, 1)
X(not_equal, compare_args, 1)
X(less, compare_args, 1)
X(less_equal, compare_args, 1)
X(greater, compare_args, 1)
X(greater_equal, compare_args, 1)
X(logical_and, logical_args, 0)
X(logical_or, logical_args, 0)
X(logical_xor, logical_args, 0)
X(logical_not, logical_args, 0)

/* move */
X(fill, fill_args, 0)
X(copy, copy_args, 0)
X(cast, cast_args, 0)

/* reduce */
X(sum, sum_args, 1)
X(max, extremum_args, 1)
X(min, extremum_args, 1)

/* row_pair */
X(cosine_forward, row_pair_forward_args, 6)
X(cosine_backward, row_pair_backward_args, 14)
X(distance_forward, row_pair_forward_args, 4)
X(distance_backward, row_pair_backward_args, 8)

/* gather */
X(gather, gather_args, 0)
X(gather_backward, gather_backward_args, 1)
X(bag_forward, bag_forward_args, 2)
X(bag_backward, bag_backward_args, 2)
X(mask_gather, mask_args, 0)
X(mask_scatter, mask_args, 0)
X(index_check, index_check_args, 0)
X(piecewise_forward, piecewise_forward_args, 3)
X(piecewise_backward, piecewise_backward_args, 4)
X(gather_along, gather_along_args, 0)
X(scatter_add, scatter_add_args, 1)

/* callback */
X(callback, callback_args, 0)

/* diagnostics */
X(vector_norm, vector_norm_args, 2)
X(relative_change, relative_change_args, 5)
X(dead_share, dead_share_args, 1)
X(outside_share, outside_share_args, 2)
X(batchnorm_drift, batchnorm_drift_args, 4)
X(multiply_adds, multiply_adds_args, 0)

#undef SEGMENTS
#undef BFLOAT16
#undef OPTIMIZER
