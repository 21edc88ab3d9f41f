/* The contracts of all kernels, for who looks at calls of every kind: it is compiled again with each new struct. */
#ifndef PYML_CONTRACTS_ALL_H
#define PYML_CONTRACTS_ALL_H

#include "activation.h"
#include "callback.h"
#include "class_loss.h"
#include "clip.h"
#include "compare.h"
#include "cross_entropy.h"
#include "diagnostics.h"
#include "elementwise.h"
#include "gather.h"
#include "gemm.h"
#include "image.h"
#include "jet.h"
#include "linear.h"
#include "move.h"
#include "norm.h"
#include "optim.h"
#include "optimizers.h"
#include "pair_loss.h"
#include "random.h"
#include "reduce.h"
#include "row_pair.h"
#include "softmax.h"
#include "waves.h"

#endif
