/* The kernels of the ISA that was chosen: what dispatch.c gives to the rest of csrc/. */
#ifndef PYML_DISPATCH_H
#define PYML_DISPATCH_H

#include "pyml_kernels.h"

kernel_fn pyml_kernel_of(pyml_kernel kernel, pyml_dtype dtype);

#endif
