# cython: allow_none_for_extension_args=True, binding=False
"""The calls of the kernels. See _kernels.pxd.

For Python they are functions of C (binding=False): nothing asks for their code or attributes.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset
from numpy cimport ndarray

from pyml.recorder cimport Recorder, recorder

cnp.import_array()

from contract_activation cimport *
from contract_class_loss cimport *
from contract_clip cimport *
from contract_compare cimport *
from contract_cross_entropy cimport *
from contract_diagnostics cimport *
from contract_elementwise cimport *
from contract_gather cimport *
from contract_gemm cimport *
from contract_image cimport *
from contract_jet cimport *
from contract_linear cimport *
from contract_move cimport *
from contract_norm cimport *
from contract_optim cimport *
from contract_pair_loss cimport *
from contract_random cimport *
from contract_reduce cimport *
from contract_row_pair cimport *
from contract_softmax cimport *
from contract_waves cimport *

cdef extern from "dispatch.h" nogil:
    ctypedef enum pyml_kernel:
        pass
    int KERNEL_COUNT
    int pyml_submit(pyml_kernel kernel, pyml_dtype dtype, const void *args, size_t size)
    int pyml_isa_select(const char *name)
    const char *pyml_isa_selected()
    const char *pyml_isa_name(int i)
    ptrdiff_t pyml_isa_lanes(pyml_dtype dtype)
    int pyml_bfloat16_select(const char *name)
    const char *pyml_bfloat16()
    enum:   # those that are alone in their family
        KERNEL_bag_backward, KERNEL_bag_forward, KERNEL_batchnorm_backward, KERNEL_batchnorm_forward,
        KERNEL_batchnorm_inference, KERNEL_batchnorm_inference_backward, KERNEL_cast, KERNEL_copy,
        KERNEL_cross_entropy_backward, KERNEL_cross_entropy_forward, KERNEL_dropout_backward,
        KERNEL_dropout_forward, KERNEL_fill, KERNEL_gather, KERNEL_gather_along, KERNEL_gather_backward,
        KERNEL_gemm, KERNEL_gemm_bfloat16, KERNEL_grad_norm, KERNEL_image_view, KERNEL_index_check, KERNEL_jet_net_backward,
        KERNEL_jet_net_forward, KERNEL_linear_backward, KERNEL_linear_backward_bfloat16,
        KERNEL_linear_forward, KERNEL_linear_forward_bfloat16, KERNEL_mask_gather,
        KERNEL_mask_scatter, KERNEL_multiply_adds, KERNEL_piecewise_backward, KERNEL_piecewise_forward,
        KERNEL_prelu_backward, KERNEL_prelu_forward, KERNEL_random_permutation,
        KERNEL_scale_segments, KERNEL_scatter_add, KERNEL_sum,
        KERNEL_waves_backward, KERNEL_waves_both, KERNEL_waves_forward, KERNEL_where

cdef extern from "functions.h" nogil:
    const pyml_functions pyml_function_table

cdef extern from "contracts/move.h" nogil:
    int COPY_NDIM
    int ELEMENT_BOOL, ELEMENT_UINT8, ELEMENT_INT8, ELEMENT_INT16, ELEMENT_INT32, ELEMENT_INT64
    int ELEMENT_FLOAT32, ELEMENT_FLOAT64


# What the operations above must not hand over is refused here too: a kernel would read or write memory that is not its.


cdef inline void *pointer(ndarray a) except? NULL:
    if a is None:
        return NULL
    if not cnp.PyArray_ISALIGNED(a):
        raise ValueError("a kernel was given an array that is not aligned in memory")
    cdef Recorder r = recorder()
    if r is not None:
        r.keep(a)
    return cnp.PyArray_DATA(a)


cdef inline ptrdiff_t size(ndarray a):
    return cnp.PyArray_SIZE(a)


cdef inline ptrdiff_t columns(ndarray a):
    """The elements of one row."""
    return 0 if a.shape[0] == 0 else cnp.PyArray_SIZE(a) // a.shape[0]


cdef int unknown(ndarray a) except -1:
    raise TypeError(f"a kernel was given an array of dtype {a.dtype}, which it does not know")


cdef inline int dtype_of(ndarray a) except -1:
    cdef int kind = cnp.PyArray_TYPE(a)
    return PYML_FLOAT32 if kind == cnp.NPY_FLOAT32 else PYML_FLOAT64 if kind == cnp.NPY_FLOAT64 else unknown(a)


cdef inline int dtype_of_size(ndarray a) except -1:
    """Of elements that are only moved or compared: the one of their size."""
    cdef Py_ssize_t bytes = cnp.PyArray_ITEMSIZE(a)
    return PYML_FLOAT32 if bytes == 4 else PYML_FLOAT64 if bytes == 8 else unknown(a)


csrc = &pyml_function_table

cdef dict numbers = {csrc.pyml_kernel_name(i).decode(): i for i in range(KERNEL_COUNT)}


cpdef int kernel(str name) except -1:
    if name not in numbers:
        raise ImportError(f"no kernel is called {name!r}: csrc/kernel_list.h has all that there are")
    return numbers[name]


cdef double GIL_WORK = 20000   # about 20 us: a call worth the 0.1 us of giving the GIL away and taking it back
cdef double MACS = 32          # multiply-adds in a nanosecond, about


cdef int submit(int kernel, int dtype, const void *args, size_t args_size, double work) except -1:
    """Runs one call; `work` is about its time in nanoseconds."""
    cdef int status
    if work < GIL_WORK:
        status = pyml_submit(<pyml_kernel>kernel, <pyml_dtype>dtype, args, args_size)
    else:
        with nogil:
            status = pyml_submit(<pyml_kernel>kernel, <pyml_dtype>dtype, args, args_size)
    if status != 0:
        raise MemoryError("no memory for a kernel's working space")
    cdef Recorder r = recorder()
    if r is not None:
        r.call(kernel, dtype, args, args_size)
    return 0


cpdef int gemm(
    ndarray c, ndarray a, ndarray b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, ptrdiff_t c_row, ptrdiff_t batch,
    ptrdiff_t a_batch, ptrdiff_t b_batch, ptrdiff_t c_batch, double alpha, double beta, bint bfloat16=False
) except -1:
    cdef gemm_args args
    args.c, args.a, args.b, args.m, args.n, args.k, args.a_row = pointer(c), pointer(a), pointer(b), m, n, k, a_row
    args.a_col, args.b_row, args.b_col, args.c_row, args.batch = a_col, b_row, b_col, c_row, batch
    args.a_batch, args.b_batch, args.c_batch, args.alpha, args.beta = a_batch, b_batch, c_batch, alpha, beta
    return submit(KERNEL_gemm_bfloat16 if bfloat16 else KERNEL_gemm, dtype_of(c), &args, sizeof(args), <double>batch * m * n * k / MACS)


cdef inline bint lies_by_columns(ndarray w):
    return w is not None and not cnp.PyArray_IS_C_CONTIGUOUS(w)


cpdef int linear_forward(ndarray y, ndarray x, ndarray w, ndarray b, double alpha=1, bint bfloat16=False) except -1:
    cdef linear_forward_args args
    args.y, args.x, args.w, args.b, args.n = pointer(y), pointer(x), pointer(w), pointer(b), x.shape[0]
    args.k, args.o, args.alpha, args.by_columns = x.shape[1], w.shape[0], alpha, lies_by_columns(w)
    return submit(
        KERNEL_linear_forward_bfloat16 if bfloat16 else KERNEL_linear_forward, dtype_of(y), &args, sizeof(args),
        <double>x.shape[0] * x.shape[1] * w.shape[0] / MACS)


cpdef int linear_backward(
    ndarray dx, ndarray dw, ndarray db, ndarray dy, ndarray x, ndarray w, double alpha=1, bint bfloat16=False
) except -1:
    cdef linear_backward_args args
    args.dx, args.dw, args.db, args.dy, args.x = pointer(dx), pointer(dw), pointer(db), pointer(dy), pointer(x)
    args.w, args.n, args.k, args.o, args.alpha = pointer(w), dy.shape[0], x.shape[1], dy.shape[1], alpha
    args.by_columns = lies_by_columns(w)
    return submit(
        KERNEL_linear_backward_bfloat16 if bfloat16 else KERNEL_linear_backward, dtype_of(dy), &args, sizeof(args),
        2 * <double>dy.shape[0] * dy.shape[1] * x.shape[1] / MACS)


cpdef int activation_forward(int kernel, ndarray y, ndarray x, double alpha, double beta) except -1:
    cdef activation_forward_args args
    args.y, args.x, args.n, args.alpha, args.beta = pointer(y), pointer(x), size(x), alpha, beta
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(x))


cpdef int activation_backward(
    int kernel, ndarray dx, ndarray dy, ndarray s, double alpha, double beta
) except -1:
    cdef activation_backward_args args
    args.dx, args.dy, args.s, args.n, args.alpha = pointer(dx), pointer(dy), pointer(s), size(dy), alpha
    args.beta = beta
    return submit(kernel, dtype_of(dx), &args, sizeof(args), size(dy))


cpdef int prelu_forward(ndarray y, ndarray x, ndarray w, ptrdiff_t n, ptrdiff_t inner) except -1:
    cdef prelu_forward_args args
    args.y, args.x, args.w = pointer(y), pointer(x), pointer(w)
    args.n, args.c, args.inner = n, size(w), inner
    return submit(KERNEL_prelu_forward, dtype_of(y), &args, sizeof(args), size(x))


cpdef int prelu_backward(
    ndarray dx, ndarray dw, ndarray dy, ndarray x, ndarray w, ptrdiff_t n, ptrdiff_t inner
) except -1:
    cdef prelu_backward_args args
    args.dx, args.dw, args.dy, args.x, args.w = pointer(dx), pointer(dw), pointer(dy), pointer(x), pointer(w)
    args.n, args.c, args.inner = n, size(w), inner
    return submit(KERNEL_prelu_backward, dtype_of(dy), &args, sizeof(args), size(x))


cpdef int jet_forward(
    int kernel, ndarray y, ndarray x, ndarray pairs, ptrdiff_t firsts, double alpha, double beta
) except -1:
    """`pairs` are integers (seconds, 2); x and y have a row for each channel."""
    cdef jet_forward_args args
    args.y, args.x, args.pairs, args.firsts = pointer(y), pointer(x), <int64_t *>pointer(pairs), firsts
    args.n, args.seconds, args.alpha, args.beta = columns(x), pairs.shape[0], alpha, beta
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(x))


cpdef int jet_backward(
    int kernel, ndarray dx, ndarray dy, ndarray x, ndarray y, ndarray pairs, ptrdiff_t firsts,
    double alpha, double beta
) except -1:
    cdef jet_backward_args args
    args.dx, args.jet, args.dy, args.x, args.y = pointer(dx), NULL, pointer(dy), pointer(x), pointer(y)
    args.pairs, args.firsts = <int64_t *>pointer(pairs), firsts
    args.n, args.seconds, args.alpha, args.beta = columns(x), pairs.shape[0], alpha, beta
    return submit(kernel, dtype_of(dx), &args, sizeof(args), size(x))


cpdef int jet_net_forward(
    ndarray u, ndarray kept, ndarray x, list w, list b, int function, ndarray variables, ndarray pairs,
    double alpha, double beta
) except -1:
    """`function`: the number of its jet_..._forward; `b`: with None for a layer without."""
    cdef jet_net_forward_args args
    cdef Py_ssize_t l
    memset(&args, 0, sizeof(args))
    args.u, args.kept, args.x, args.function = pointer(u), pointer(kept), pointer(x), function
    for l in range(len(w)):
        args.w[l], args.b[l], args.widths[l + 1] = pointer(w[l]), pointer(b[l]), (<ndarray>w[l]).shape[0]
    args.variables, args.pairs = <int64_t *>pointer(variables), <int64_t *>pointer(pairs)
    args.n, args.widths[0], args.layers, args.firsts = x.shape[0], x.shape[1], len(w), size(variables)
    args.seconds, args.alpha, args.beta = pairs.shape[0], alpha, beta
    return submit(KERNEL_jet_net_forward, dtype_of(u), &args, sizeof(args), jet_net_work(x, u.shape[0], w))


cpdef int jet_net_backward(
    ndarray dx, list dw, list db, ndarray du, ndarray kept, ndarray x, list w, int function,
    ndarray variables, ndarray pairs, double alpha, double beta
) except -1:
    """`function`: the number of its jet_..._backward; `dw` and `db`: with None for what is not wanted."""
    cdef jet_net_backward_args args
    cdef Py_ssize_t l
    memset(&args, 0, sizeof(args))
    args.dx, args.du, args.kept, args.x = pointer(dx), pointer(du), pointer(kept), pointer(x)
    for l in range(len(w)):
        args.dw[l], args.db[l], args.w[l] = pointer(dw[l]), pointer(db[l]), pointer(w[l])
        args.widths[l + 1] = (<ndarray>w[l]).shape[0]
    args.variables, args.pairs, args.function = <int64_t *>pointer(variables), <int64_t *>pointer(pairs), function
    args.n, args.widths[0], args.layers, args.firsts = x.shape[0], x.shape[1], len(w), size(variables)
    args.seconds, args.alpha, args.beta = pairs.shape[0], alpha, beta
    return submit(KERNEL_jet_net_backward, dtype_of(du), &args, sizeof(args), 2 * jet_net_work(x, du.shape[0], w))


cdef double jet_net_work(ndarray x, double channels, list w):
    cdef double weights = 0
    for each in w:
        weights += size(each)
    return x.shape[0] * channels * weights / MACS


cpdef int batchnorm_forward(
    ndarray y, ndarray mean, ndarray rstd, ndarray running_mean, ndarray running_var,
    ndarray batches_tracked, ndarray x, ndarray gamma, ndarray beta, double eps, double momentum
) except -1:
    cdef batchnorm_forward_args args
    args.y, args.mean, args.rstd = pointer(y), pointer(mean), pointer(rstd)
    args.running_mean, args.running_var = pointer(running_mean), pointer(running_var)
    args.batches_tracked, args.x = <int64_t *>pointer(batches_tracked), pointer(x)
    args.gamma, args.beta, args.n, args.c, args.eps = pointer(gamma), pointer(beta), x.shape[0], x.shape[1], eps
    args.momentum = momentum
    return submit(KERNEL_batchnorm_forward, dtype_of(y), &args, sizeof(args), size(x))


cpdef int batchnorm_backward(
    ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean, ndarray rstd,
    ndarray gamma
) except -1:
    cdef batchnorm_backward_args args
    args.dx, args.dgamma, args.dbeta, args.dy = pointer(dx), pointer(dgamma), pointer(dbeta), pointer(dy)
    args.x, args.mean, args.rstd, args.gamma = pointer(x), pointer(mean), pointer(rstd), pointer(gamma)
    args.n, args.c = x.shape[0], x.shape[1]
    return submit(KERNEL_batchnorm_backward, dtype_of(dy), &args, sizeof(args), size(x))


cpdef int batchnorm_inference(
    ndarray y, ndarray x, ndarray mean, ndarray var, ndarray gamma, ndarray beta, double eps
) except -1:
    cdef batchnorm_inference_args args
    args.y, args.x, args.mean, args.var = pointer(y), pointer(x), pointer(mean), pointer(var)
    args.gamma, args.beta, args.n, args.c, args.eps = pointer(gamma), pointer(beta), x.shape[0], x.shape[1], eps
    return submit(KERNEL_batchnorm_inference, dtype_of(y), &args, sizeof(args), size(x))


cpdef int batchnorm_inference_backward(
    ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean, ndarray var,
    ndarray gamma, double eps
) except -1:
    cdef batchnorm_inference_backward_args args
    args.dx, args.dgamma, args.dbeta, args.dy = pointer(dx), pointer(dgamma), pointer(dbeta), pointer(dy)
    args.x, args.mean, args.var, args.gamma = pointer(x), pointer(mean), pointer(var), pointer(gamma)
    args.n, args.c, args.eps = x.shape[0], x.shape[1], eps
    return submit(KERNEL_batchnorm_inference_backward, dtype_of(dy), &args, sizeof(args), size(x))


cpdef int row_norm_forward(
    int kernel, ndarray y, ndarray mean, ndarray rstd, ndarray x, ndarray gamma, ndarray beta,
    ptrdiff_t n, ptrdiff_t c, ptrdiff_t groups, ptrdiff_t each, double eps
) except -1:
    cdef row_norm_forward_args args
    args.y, args.mean, args.rstd, args.x = pointer(y), pointer(mean), pointer(rstd), pointer(x)
    args.gamma, args.beta, args.n, args.c = pointer(gamma), pointer(beta), n, c
    args.groups, args.each, args.eps = groups, each, eps
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(x))


cpdef int row_norm_backward(
    int kernel, ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean,
    ndarray rstd, ndarray gamma, ptrdiff_t n, ptrdiff_t c, ptrdiff_t groups, ptrdiff_t each
) except -1:
    cdef row_norm_backward_args args
    args.dx, args.dgamma, args.dbeta, args.dy = pointer(dx), pointer(dgamma), pointer(dbeta), pointer(dy)
    args.x, args.mean, args.rstd, args.gamma = pointer(x), pointer(mean), pointer(rstd), pointer(gamma)
    args.n, args.c, args.groups, args.each = n, c, groups, each
    return submit(kernel, dtype_of(dy), &args, sizeof(args), size(x))


cpdef int row_pair_forward(int kernel, ndarray y, ndarray x, ndarray t, ptrdiff_t n, ptrdiff_t c, double eps) except -1:
    cdef row_pair_forward_args args
    args.y, args.x, args.t, args.n, args.c, args.eps = pointer(y), pointer(x), pointer(t), n, c, eps
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(x))


cpdef int row_pair_backward(
    int kernel, ndarray dx, ndarray dt, ndarray dy, ndarray x, ndarray t, ptrdiff_t n, ptrdiff_t c, double eps
) except -1:
    cdef row_pair_backward_args args
    args.dx, args.dt, args.dy, args.x, args.t = pointer(dx), pointer(dt), pointer(dy), pointer(x), pointer(t)
    args.n, args.c, args.eps = n, c, eps
    return submit(kernel, dtype_of(dy), &args, sizeof(args), size(x))


cpdef int softmax_forward(int kernel, ndarray y, ndarray x) except -1:
    cdef softmax_forward_args args
    args.y, args.x, args.n, args.c = pointer(y), pointer(x), x.shape[0], x.shape[1]
    return submit(kernel, dtype_of(y), &args, sizeof(args), 2 * size(x))


cpdef int softmax_backward(int kernel, ndarray dx, ndarray dy, ndarray y) except -1:
    cdef softmax_backward_args args
    args.dx, args.dy, args.y, args.n, args.c = pointer(dx), pointer(dy), pointer(y), y.shape[0], y.shape[1]
    return submit(kernel, dtype_of(dx), &args, sizeof(args), 2 * size(y))


cpdef int cross_entropy_forward(
    ndarray loss, ndarray softmax, ndarray total_weight, ndarray x, ndarray index, ndarray prob,
    ndarray weight, int64_t ignore_index, double label_smoothing, int reduction
) except -1:
    cdef cross_entropy_forward_args args
    args.loss, args.softmax, args.total_weight = pointer(loss), pointer(softmax), pointer(total_weight)
    args.x, args.index, args.prob = pointer(x), <int64_t *>pointer(index), pointer(prob)
    args.weight, args.n, args.c, args.ignore_index = pointer(weight), x.shape[0], x.shape[1], ignore_index
    args.label_smoothing, args.reduction = label_smoothing, reduction
    return submit(KERNEL_cross_entropy_forward, dtype_of(x), &args, sizeof(args), 2 * size(x))


cpdef int cross_entropy_backward(
    ndarray dx, ndarray dloss, ndarray softmax, ndarray total_weight, ndarray index, ndarray prob,
    ndarray weight, int64_t ignore_index, double label_smoothing, int reduction
) except -1:
    cdef cross_entropy_backward_args args
    args.dx, args.dloss, args.softmax = pointer(dx), pointer(dloss), pointer(softmax)
    args.total_weight, args.index = pointer(total_weight), <int64_t *>pointer(index)
    args.prob, args.weight, args.n, args.c = pointer(prob), pointer(weight), dx.shape[0], dx.shape[1]
    args.ignore_index, args.label_smoothing, args.reduction = ignore_index, label_smoothing, reduction
    return submit(KERNEL_cross_entropy_backward, dtype_of(dx), &args, sizeof(args), size(dx))


cpdef int class_loss_forward(
    int kernel, ndarray loss, ndarray total_weight, ndarray x, ndarray index, ndarray weight,
    int64_t ignore_index, double margin, double p, int reduction
) except -1:
    cdef class_loss_forward_args args
    args.loss, args.total_weight, args.x = pointer(loss), pointer(total_weight), pointer(x)
    args.index, args.weight = <int64_t *>pointer(index), pointer(weight)
    args.n, args.c, args.inner = x.shape[0], x.shape[1], x.shape[2]
    args.labels = index.shape[2] if index.ndim == 3 else 0
    args.ignore_index, args.margin, args.p, args.reduction = ignore_index, margin, p, reduction
    return submit(kernel, dtype_of(x), &args, sizeof(args), size(x))


cpdef int class_loss_backward(
    int kernel, ndarray dx, ndarray dloss, ndarray total_weight, ndarray x, ndarray index,
    ndarray weight, int64_t ignore_index, double margin, double p, int reduction
) except -1:
    cdef class_loss_backward_args args
    args.dx, args.dloss, args.total_weight = pointer(dx), pointer(dloss), pointer(total_weight)
    args.x, args.index, args.weight = pointer(x), <int64_t *>pointer(index), pointer(weight)
    args.n, args.c, args.inner = dx.shape[0], dx.shape[1], dx.shape[2]
    args.labels = index.shape[2] if index.ndim == 3 else 0
    args.ignore_index, args.margin, args.p, args.reduction = ignore_index, margin, p, reduction
    return submit(kernel, dtype_of(dx), &args, sizeof(args), size(dx))


cpdef int pair_loss_forward(
    int kernel, ndarray loss, ndarray x, ndarray t, double alpha, double beta, int reduction
) except -1:
    cdef pair_loss_forward_args args
    args.loss, args.x, args.t, args.n = pointer(loss), pointer(x), pointer(t), size(x)
    args.alpha, args.beta, args.reduction = alpha, beta, reduction
    return submit(kernel, dtype_of(x), &args, sizeof(args), size(x))


cpdef int pair_loss_backward(
    int kernel, ndarray dx, ndarray dt, ndarray dloss, ndarray x, ndarray t, double alpha,
    double beta, int reduction
) except -1:
    cdef pair_loss_backward_args args
    args.dx, args.dt, args.dloss, args.x, args.t = pointer(dx), pointer(dt), pointer(dloss), pointer(x), pointer(t)
    args.n, args.alpha, args.beta, args.reduction = size(x), alpha, beta, reduction
    return submit(kernel, dtype_of(x), &args, sizeof(args), size(x))


cpdef int dropout_forward(ndarray y, ndarray mask, ndarray state, ndarray x, double p) except -1:
    cdef dropout_forward_args args
    args.y, args.mask, args.state = pointer(y), <uint64_t *>pointer(mask), <uint64_t *>pointer(state)
    args.x, args.n, args.p = pointer(x), size(x), p
    return submit(KERNEL_dropout_forward, dtype_of(y), &args, sizeof(args), size(x))


cpdef int dropout_backward(ndarray dx, ndarray dy, ndarray mask, double p) except -1:
    cdef dropout_backward_args args
    args.dx, args.dy, args.mask, args.n, args.p = pointer(dx), pointer(dy), <uint64_t *>pointer(mask), size(dy), p
    return submit(KERNEL_dropout_backward, dtype_of(dx), &args, sizeof(args), size(dy))


cpdef int random(int kernel, ndarray y, ndarray state, double low, double high) except -1:
    cdef random_args args
    args.y, args.state, args.n, args.low, args.high = pointer(y), <uint64_t *>pointer(state), size(y), low, high
    return submit(kernel, dtype_of(y), &args, sizeof(args), 10 * size(y))


cpdef int random_of(int kernel, ndarray y, ndarray state, ndarray a, ndarray b=None) except -1:
    """A number for each parameter of a distribution, or for each two of them."""
    cdef random_of_args args
    args.y, args.state, args.a, args.b = pointer(y), <uint64_t *>pointer(state), pointer(a), pointer(b)
    args.n = size(y)
    return submit(kernel, dtype_of(y), &args, sizeof(args), 100 * size(y))


cpdef int random_permutation(ndarray index, ndarray state) except -1:
    cdef random_permutation_args args
    args.index, args.state, args.n = <int64_t *>pointer(index), <uint64_t *>pointer(state), size(index)
    return submit(KERNEL_random_permutation, PYML_FLOAT32, &args, sizeof(args), 10 * size(index))


cpdef int image_view(
    ndarray y, ndarray state, ndarray x, Py_ssize_t padding, Py_ssize_t cutout, double flip, double rotation
) except -1:
    """x and y: (n, channels, height, width)."""
    cdef image_view_args args
    args.y, args.state, args.x = pointer(y), <uint64_t *>pointer(state), pointer(x)
    args.n, args.channels, args.height, args.width = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    args.out_height, args.out_width = y.shape[2], y.shape[3]
    args.padding, args.cutout, args.flip, args.rotation = padding, cutout, flip, rotation
    return submit(KERNEL_image_view, dtype_of(y), &args, sizeof(args), 8.0 * size(y))


cdef int update(
    int kernel, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, const void *options,
    ptrdiff_t options_size, double work
) except -1:
    cdef optim_args args
    args.segments, args.count, args.options, args.options_size = segments, count, options, options_size
    return submit(kernel, dtype, &args, sizeof(args), work)


cdef int grad_norm(
    ndarray norm, ndarray coef, const optim_segment *segments, ptrdiff_t count, double max_norm,
    double work
) except -1:
    cdef grad_norm_args args
    args.norm, args.coef, args.segments, args.count = pointer(norm), pointer(coef), segments, count
    args.max_norm = max_norm
    return submit(KERNEL_grad_norm, dtype_of(norm), &args, sizeof(args), work)


cdef int scale_segments(
    const optim_segment *segments, ptrdiff_t count, ndarray coef, double work
) except -1:
    cdef scale_segments_args args
    args.segments, args.coef, args.count = segments, pointer(coef), count
    return submit(KERNEL_scale_segments, dtype_of(coef), &args, sizeof(args), work)


cpdef int binary(
    int kernel, ndarray y, ndarray a, ndarray b, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col
) except -1:
    cdef binary_args args
    args.y, args.a, args.b, args.rows, args.cols, args.a_row = pointer(y), pointer(a), pointer(b), rows, cols, a_row
    args.a_col, args.b_row, args.b_col = a_col, b_row, b_col
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(y))


cpdef int unary(int kernel, ndarray y, ndarray x, double low, double high) except -1:
    cdef unary_args args
    args.y, args.x, args.n, args.low, args.high = pointer(y), pointer(x), size(x), low, high
    return submit(kernel, dtype_of(y), &args, sizeof(args), size(y))


cpdef int where(ndarray y, ndarray condition, ndarray a, ndarray b) except -1:
    cdef where_args args
    args.y, args.condition, args.a, args.b = pointer(y), <uint8_t *>pointer(condition), pointer(a), pointer(b)
    args.n = size(y)
    return submit(KERNEL_where, dtype_of_size(y), &args, sizeof(args), size(y))


cpdef int compare(
    int kernel, ndarray y, ndarray a, ndarray b, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col
) except -1:
    cdef compare_args args
    args.y, args.a, args.b, args.rows, args.cols = <uint8_t *>pointer(y), pointer(a), pointer(b), rows, cols
    args.a_row = a_row
    args.a_col, args.b_row, args.b_col, args.integers = a_col, b_row, b_col, cnp.PyArray_ISINTEGER(a)
    return submit(kernel, dtype_of_size(a), &args, sizeof(args), size(y))


cpdef int logical(int kernel, ndarray y, ndarray a, ndarray b) except -1:
    cdef logical_args args
    args.y, args.a, args.b, args.n = <uint8_t *>pointer(y), <uint8_t *>pointer(a), <uint8_t *>pointer(b), size(y)
    return submit(kernel, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int fill(ndarray y, double value) except -1:
    cdef fill_args args
    args.y, args.n, args.value = pointer(y), size(y), value
    return submit(KERNEL_fill, dtype_of(y), &args, sizeof(args), size(y))


cpdef int copy(ndarray y, ndarray x) except -1:
    cdef copy_args args
    cdef ptrdiff_t item_bytes = cnp.PyArray_ITEMSIZE(x)
    cdef int i
    args.y, args.x, args.ndim, args.item_bytes = pointer(y), pointer(x), x.ndim, item_bytes
    for i in range(COPY_NDIM):   # all of them: calls are compared by their bytes
        args.shape[i] = x.shape[i] if i < x.ndim else 0
        args.y_strides[i] = y.strides[i] // item_bytes if i < x.ndim else 0
        args.x_strides[i] = x.strides[i] // item_bytes if i < x.ndim else 0
    return submit(KERNEL_copy, PYML_FLOAT32, &args, sizeof(args), size(y))


cdef int element_of(ndarray a):
    cdef int kind = cnp.PyArray_TYPE(a)
    if kind == cnp.NPY_FLOAT32:
        return ELEMENT_FLOAT32
    if kind == cnp.NPY_FLOAT64:
        return ELEMENT_FLOAT64
    if kind == cnp.NPY_INT64 or (kind == cnp.NPY_LONGLONG and cnp.PyArray_ITEMSIZE(a) == 8):
        return ELEMENT_INT64
    if kind == cnp.NPY_INT32:
        return ELEMENT_INT32
    if kind == cnp.NPY_INT16:
        return ELEMENT_INT16
    if kind == cnp.NPY_INT8:
        return ELEMENT_INT8
    if kind == cnp.NPY_UINT8:
        return ELEMENT_UINT8
    return ELEMENT_BOOL if kind == cnp.NPY_BOOL else -1


cpdef int cast(ndarray y, ndarray x) except -1:
    cdef cast_args args
    args.y, args.x, args.n, args.y_element, args.x_element = pointer(y), pointer(x), size(y), element_of(y), element_of(x)
    if args.y_element < 0 or args.x_element < 0:
        return unknown(y if args.y_element < 0 else x)
    return submit(KERNEL_cast, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int sum(
    ndarray y, ndarray x, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner, ndarray count=None, ptrdiff_t each=1
) except -1:
    cdef sum_args args
    args.y, args.x, args.count, args.outer, args.n = pointer(y), pointer(x), <int64_t *>pointer(count), outer, n
    args.inner, args.each = inner, each
    return submit(KERNEL_sum, dtype_of(x), &args, sizeof(args), size(x))


cpdef int extremum(
    int kernel, ndarray y, ndarray index, ndarray x, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner
) except -1:
    cdef extremum_args args
    args.y, args.index, args.x, args.outer, args.n = pointer(y), <int64_t *>pointer(index), pointer(x), outer, n
    args.inner = inner
    return submit(kernel, dtype_of(x), &args, sizeof(args), size(x))


cpdef int gather(ndarray y, ndarray x, ndarray index, ptrdiff_t row_bytes) except -1:
    cdef gather_args args
    args.y, args.x, args.index, args.n = pointer(y), pointer(x), <int64_t *>pointer(index), size(index)
    args.row_bytes = row_bytes
    return submit(KERNEL_gather, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int gather_backward(ndarray dx, ndarray dy, ndarray index) except -1:
    cdef gather_backward_args args
    args.dx, args.dy, args.index, args.n = pointer(dx), pointer(dy), <int64_t *>pointer(index), size(index)
    args.rows, args.c = dx.shape[0], columns(dx)
    return submit(KERNEL_gather_backward, dtype_of(dx), &args, sizeof(args), size(dx))


cpdef int bag_forward(
    ndarray y, ndarray x, ndarray index, ndarray ends, ndarray w, int64_t padding, bint mean
) except -1:
    cdef bag_forward_args args
    args.y, args.x, args.index, args.ends = pointer(y), pointer(x), <int64_t *>pointer(index), <int64_t *>pointer(ends)
    args.w, args.bags, args.n, args.rows, args.c = pointer(w), y.shape[0], size(index), x.shape[0], y.shape[1]
    args.padding, args.mean = padding, mean
    return submit(KERNEL_bag_forward, dtype_of(y), &args, sizeof(args), size(index) * y.shape[1])


cpdef int bag_backward(
    ndarray dx, ndarray dy, ndarray index, ndarray ends, ndarray w, int64_t padding, bint mean
) except -1:
    cdef bag_backward_args args
    args.dx, args.dy, args.index, args.ends = pointer(dx), pointer(dy), <int64_t *>pointer(index), <int64_t *>pointer(ends)
    args.w, args.bags, args.n, args.rows, args.c = pointer(w), dy.shape[0], size(index), dx.shape[0], dx.shape[1]
    args.padding, args.mean = padding, mean
    return submit(KERNEL_bag_backward, dtype_of(dx), &args, sizeof(args), size(dx) + size(index) * dx.shape[1])


cpdef int mask_gather(ndarray y, ndarray count, ndarray x, ndarray mask, ptrdiff_t row_bytes) except -1:
    cdef mask_args args
    args.y, args.count, args.x, args.mask = pointer(y), <int64_t *>pointer(count), pointer(x), <uint8_t *>pointer(mask)
    args.n, args.row_bytes = size(mask), row_bytes
    return submit(KERNEL_mask_gather, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int mask_scatter(ndarray y, ndarray x, ndarray mask, ptrdiff_t row_bytes) except -1:
    cdef mask_args args
    args.y, args.count, args.x, args.mask = pointer(y), NULL, pointer(x), <uint8_t *>pointer(mask)
    args.n, args.row_bytes = size(mask), row_bytes
    return submit(KERNEL_mask_scatter, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int index_check(
    ndarray y, ndarray fault, ndarray index, ptrdiff_t bound, int64_t ignored, bint wrap
) except -1:
    cdef index_check_args args
    args.y, args.fault, args.index = <int64_t *>pointer(y), <int64_t *>pointer(fault), <int64_t *>pointer(index)
    args.n, args.size, args.ignored, args.wrap = size(index), bound, ignored, wrap
    return submit(KERNEL_index_check, PYML_FLOAT32, &args, sizeof(args), size(index))


cpdef int piecewise_forward(ndarray y, ndarray values, ndarray x, ndarray left, ndarray scale, ndarray counts) except -1:
    cdef piecewise_forward_args args
    args.y, args.values, args.x, args.left, args.scale = pointer(y), pointer(values), pointer(x), pointer(left), pointer(scale)
    args.counts, args.n, args.functions, args.bins = <int64_t *>pointer(counts), x.shape[0], x.shape[1], left.shape[1]
    args.c = values.shape[2]
    return submit(KERNEL_piecewise_forward, dtype_of(y), &args, sizeof(args), size(y))


cpdef int piecewise_backward(
    ndarray dvalues, ndarray dy, ndarray x, ndarray left, ndarray scale, ndarray counts
) except -1:
    cdef piecewise_backward_args args
    args.dvalues, args.dy, args.x, args.left = pointer(dvalues), pointer(dy), pointer(x), pointer(left)
    args.scale, args.counts, args.n, args.functions = pointer(scale), <int64_t *>pointer(counts), x.shape[0], x.shape[1]
    args.bins, args.c = left.shape[1], dvalues.shape[2]
    return submit(KERNEL_piecewise_backward, dtype_of(dy), &args, sizeof(args), size(dy))


cpdef int waves_forward(ndarray z, ndarray x, ndarray c) except -1:
    cdef waves_forward_args args
    args.z, args.x, args.c = pointer(z), pointer(x), pointer(c)
    args.n, args.features, args.k = x.shape[0], x.shape[1], c.shape[1]
    return submit(KERNEL_waves_forward, dtype_of(z), &args, sizeof(args), size(z))


cpdef int waves_both(ndarray both, ndarray dy, ndarray x) except -1:
    cdef waves_both_args args
    args.both, args.dy, args.x = pointer(both), pointer(dy), pointer(x)
    args.n, args.features, args.o = x.shape[0], x.shape[1], dy.shape[2]
    return submit(KERNEL_waves_both, dtype_of(both), &args, sizeof(args), size(both))


cpdef int waves_backward(ndarray dw, ndarray dc, ndarray p, ndarray w) except -1:
    cdef waves_backward_args args
    args.dw, args.dc, args.p, args.w = pointer(dw), pointer(dc), pointer(p), pointer(w)
    args.features, args.k, args.o = dc.shape[0], dc.shape[1], w.shape[2]
    return submit(KERNEL_waves_backward, dtype_of(p), &args, sizeof(args), size(p))


cpdef int gather_along(
    ndarray y, ndarray x, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m, ptrdiff_t inner
) except -1:
    cdef gather_along_args args
    args.y, args.x, args.index, args.outer, args.n = pointer(y), pointer(x), <int64_t *>pointer(index), outer, n
    args.m, args.inner, args.item_bytes = m, inner, cnp.PyArray_ITEMSIZE(x)
    return submit(KERNEL_gather_along, PYML_FLOAT32, &args, sizeof(args), size(y))


cpdef int scatter_add(
    ndarray dx, ndarray dy, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m,
    ptrdiff_t inner
) except -1:
    cdef scatter_add_args args
    args.dx, args.dy, args.index, args.outer, args.n = pointer(dx), pointer(dy), <int64_t *>pointer(index), outer, n
    args.m, args.inner = m, inner
    return submit(KERNEL_scatter_add, dtype_of(dx), &args, sizeof(args), size(dy))


cpdef int multiply_adds(ndarray y, ptrdiff_t rounds) except -1:
    """16 multiply-adds of whole vectors, `rounds` times."""
    cdef multiply_adds_args args
    args.y, args.rounds = pointer(y), rounds
    return submit(KERNEL_multiply_adds, dtype_of(y), &args, sizeof(args), 10 * rounds)


# ---- what the process runs on ---------------------------------------------------------------------------------

cdef extern from "threads.h" nogil:
    void threads_set(int count)
    int threads_get()


def set_num_threads(int count):
    threads_set(count)


def get_num_threads():
    return threads_get()


def available_isas():
    """The names of the ISAs that this build has and this machine supports, best first."""
    names = []
    while pyml_isa_name(<int>len(names)) != NULL:
        names.append(pyml_isa_name(<int>len(names)).decode())
    return names


def selected_isa():
    return pyml_isa_selected().decode()


def select_isa(str name):
    """Chooses the ISA of all calls from now on; None: the best."""
    cdef bytes encoded = b"" if name is None else name.encode()
    if pyml_isa_select(<const char *>NULL if name is None else <const char *>encoded) != 0:
        raise ValueError(f"ISA {name!r} is unknown or not supported here; available: {', '.join(available_isas())}")


def select_bfloat16(str name):
    """Chooses what multiplies bfloat16: None for the best, "none"."""
    cdef bytes encoded = b"" if name is None else name.encode()
    if pyml_bfloat16_select(<const char *>NULL if name is None else <const char *>encoded) != 0:
        raise ValueError(f"{name!r} is unknown or not supported here; 'none' is, and what show_config() names")


def selected_bfloat16():
    """The name of the instructions that multiply bfloat16, or None."""
    return None if pyml_bfloat16() == NULL else pyml_bfloat16().decode()


cdef extern from *:
    """
    static _Thread_local int pyml_autocast_enabled = 0;
    """
    int pyml_autocast_enabled


cdef bint autocast_enabled() noexcept:
    return pyml_autocast_enabled


cdef void switch_autocast(bint enabled) noexcept:
    global pyml_autocast_enabled
    pyml_autocast_enabled = enabled


cdef bint rounds(ndarray a) noexcept:
    return pyml_autocast_enabled and cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT32 and pyml_bfloat16() != NULL


def is_autocast_enabled():
    return bool(pyml_autocast_enabled)


def set_autocast_enabled(bint enabled):
    switch_autocast(enabled)


def lanes(dtype):
    """Elements of `dtype` in one vector of the selected ISA."""
    return pyml_isa_lanes(PYML_FLOAT32 if dtype == "float32" else PYML_FLOAT64)


cdef extern from *:
    const char *COMPILER_VERSION "__VERSION__"


def compiler():
    """The version of the C compiler that built the package."""
    return COMPILER_VERSION.decode()


def kernel_names():
    return list(numbers)


# ---- calls as data, for tests: `args` is the address of a kernel's arguments ---------------------------------

cdef void append_piece(void *pieces, void **field, ptrdiff_t before, size_t bytes, int access) noexcept:
    (<list>pieces).append((<size_t>field, before, bytes, access))


def effects(int kernel, str dtype, size_t args):
    """A call's operations, and its pieces of memory: (address of the pointer, bytes before, bytes, access)."""
    cdef pyml_dtype real = PYML_FLOAT32 if dtype == "float32" else PYML_FLOAT64
    cdef list pieces = []
    csrc.pyml_effects(kernel, real, <void *>args, append_piece, <void *>pieces)
    return csrc.pyml_effects(kernel, real, <void *>args, NULL, NULL), pieces


def call(int kernel, str dtype, size_t args, size_t args_size):
    """Runs a call."""
    submit(kernel, PYML_FLOAT32 if dtype == "float32" else PYML_FLOAT64, <void *>args, args_size, 0)


import os

try:
    select_isa(os.environ.get("PYML_ISA") or None)
except ValueError as error:
    raise ImportError(f"PYML_ISA: {error}") from None
try:
    select_bfloat16(os.environ.get("PYML_BFLOAT16") or None)
except ValueError as error:
    raise ImportError(f"PYML_BFLOAT16: {error}") from None
