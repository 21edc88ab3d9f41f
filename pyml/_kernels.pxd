"""The binding: arrays in, one call of a kernel out. No mathematics, no messages: the operations above have
checked dtypes, shapes and contiguity. csrc/pyml_kernels.h says what each kernel does.

Arrays are contiguous and of one dtype, float32 or float64, unless their name says otherwise (index, state).
None stands for NULL.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from numpy cimport ndarray

cdef extern from "pyml_kernels.h" nogil:
    ctypedef enum pyml_kernel:
        KERNEL_gemm, KERNEL_linear_forward, KERNEL_linear_backward, KERNEL_relu_forward,
        KERNEL_relu_backward, KERNEL_leaky_relu_forward, KERNEL_leaky_relu_backward,
        KERNEL_sigmoid_forward, KERNEL_sigmoid_backward, KERNEL_tanh_forward, KERNEL_tanh_backward,
        KERNEL_gelu_forward, KERNEL_gelu_backward, KERNEL_gelu_tanh_forward,
        KERNEL_gelu_tanh_backward, KERNEL_silu_forward, KERNEL_silu_backward, KERNEL_elu_forward,
        KERNEL_elu_backward, KERNEL_softplus_forward, KERNEL_softplus_backward,
        KERNEL_batchnorm_forward, KERNEL_batchnorm_backward, KERNEL_batchnorm_inference,
        KERNEL_batchnorm_inference_backward, KERNEL_softmax_forward, KERNEL_softmax_backward,
        KERNEL_log_softmax_forward, KERNEL_log_softmax_backward, KERNEL_cross_entropy_forward,
        KERNEL_cross_entropy_backward, KERNEL_mse_forward, KERNEL_mse_backward,
        KERNEL_dropout_forward, KERNEL_dropout_backward, KERNEL_random_uniform,
        KERNEL_random_normal, KERNEL_random_permutation, KERNEL_sgd, KERNEL_adagrad,
        KERNEL_rmsprop, KERNEL_adam, KERNEL_grad_norm, KERNEL_scale_segments, KERNEL_add,
        KERNEL_sub, KERNEL_mul, KERNEL_div, KERNEL_pow, KERNEL_maximum, KERNEL_minimum, KERNEL_neg,
        KERNEL_abs, KERNEL_exp, KERNEL_log, KERNEL_sqrt, KERNEL_sign, KERNEL_reciprocal, KERNEL_sin,
        KERNEL_cos, KERNEL_log1p, KERNEL_expm1,
        KERNEL_clamp, KERNEL_where, KERNEL_equal, KERNEL_not_equal, KERNEL_less, KERNEL_less_equal,
        KERNEL_greater, KERNEL_greater_equal, KERNEL_logical_and, KERNEL_logical_or,
        KERNEL_logical_xor, KERNEL_logical_not, KERNEL_fill, KERNEL_copy, KERNEL_cast, KERNEL_sum,
        KERNEL_max, KERNEL_min, KERNEL_gather, KERNEL_gather_backward, KERNEL_index_check,
        KERNEL_mask_gather, KERNEL_mask_scatter,
        KERNEL_gather_along, KERNEL_scatter_add,
        KERNEL_vector_norm, KERNEL_relative_change, KERNEL_dead_share, KERNEL_outside_share,
        KERNEL_batchnorm_drift, KERNEL_multiply_adds
    ctypedef enum pyml_dtype:
        PYML_FLOAT32
        PYML_FLOAT64
    int KERNEL_COUNT
    int ELEMENT_BOOL, ELEMENT_UINT8, ELEMENT_INT8, ELEMENT_INT16, ELEMENT_INT32, ELEMENT_INT64
    int ELEMENT_FLOAT32, ELEMENT_FLOAT64
    int pyml_submit(pyml_kernel kernel, pyml_dtype dtype, const void *args, size_t size)
    int pyml_isa_select(const char *name)
    const char *pyml_isa_selected()
    const char *pyml_isa_name(int i)
    ptrdiff_t pyml_isa_lanes(pyml_dtype dtype)
    const char *pyml_kernel_name(pyml_kernel kernel)

    ctypedef struct optim_segment:
        void *w
        const void *g
        void *s0
        void *s1
        void *s2
        double *step
        ptrdiff_t n
    ctypedef struct sgd_options:
        double lr, momentum, dampening, weight_decay
        int nesterov, maximize
    ctypedef struct adagrad_options:
        double lr, lr_decay, weight_decay, eps
        int maximize
    ctypedef struct rmsprop_options:
        double lr, alpha, eps, weight_decay, momentum
        int centered, maximize
    ctypedef struct adam_options:
        double lr, beta1, beta2, eps, weight_decay
        int amsgrad, maximize, decoupled


cdef extern from "program.h" nogil:
    ctypedef struct pyml_program
    ctypedef struct program_call:
        pyml_kernel kernel
        pyml_dtype dtype
        void *args
        double ns
        int is_extra
    ctypedef enum program_status:
        PROGRAM_DONE
        PROGRAM_FAULT
        PROGRAM_NOT_FINITE
        PROGRAM_NO_MEMORY
    ctypedef struct program_rows:
        const void *rows
        ptrdiff_t row_bytes
        void *batch
        int input
    ctypedef struct program_transfer:
        void *to
        const void *from_ "from"
        size_t bytes, stride
    ctypedef struct program_run_args:
        ptrdiff_t step, end, batch
        const int64_t *order
        const program_rows *inputs
        ptrdiff_t input_count
        const program_transfer *before
        const program_transfer *after
        ptrdiff_t before_count, after_count
        int64_t nanoseconds

cdef extern from "footprint.h":
    enum:
        FOOTPRINT_READ
        FOOTPRINT_WRITE
    ctypedef void (*footprint_fn)(void *context, void **field, ptrdiff_t before, size_t bytes, int access) noexcept


cdef extern from "arguments.h":
    ctypedef enum field_kind:
        FIELD_POINTER
        FIELD_DOUBLE
        FIELD_INT
        FIELD_INT64
    ctypedef struct argument_field:
        const char *name
        field_kind kind
        ptrdiff_t offset, count


# Programs (csrc/program.h) and footprints (csrc/footprint.h), for modules that do not link the C.
cdef pyml_program *program_new() noexcept
cdef void program_free(pyml_program *program) noexcept
cdef void *program_append(
    pyml_program *program, int kernel, int dtype, const void *args, size_t size
) noexcept
cdef void *program_insert_extra(
    pyml_program *program, ptrdiff_t at, int kernel, int dtype, const void *args, size_t size
) noexcept
cdef void program_extras(pyml_program *program, bint run_them) noexcept
cdef ptrdiff_t program_count(const pyml_program *program) noexcept
cdef program_call *program_calls(pyml_program *program) noexcept
cdef ptrdiff_t program_timed(const pyml_program *program) noexcept
cdef ptrdiff_t program_stopped(const pyml_program *program) noexcept
cdef bint program_owns(const pyml_program *program, const void *address) noexcept
cdef void program_move(pyml_program *program, ptrdiff_t first, const void *memory, size_t size, void *to) noexcept
cdef int program_input(pyml_program *program, const void *memory, size_t size) noexcept
cdef void program_bind(pyml_program *program, int input, void *memory) noexcept
cdef int program_restore(
    pyml_program *program, void *memory, const void *values, size_t size
) noexcept
cdef void program_check(
    pyml_program *program, ptrdiff_t call, const void *number, int dtype
) noexcept
cdef program_status program_replay(pyml_program *program) noexcept nogil
cdef program_status program_run(pyml_program *program, program_run_args *run) noexcept nogil
cdef double visit_footprint(
    int kernel, int dtype, void *args, footprint_fn visit, void *context
) noexcept
cdef const char *kernel_name(int kernel) noexcept
cdef const argument_field *kernel_arguments(int kernel) noexcept   # the last has no name

# The first argument of a family's call says which kernel: KERNEL_relu_forward, KERNEL_add, ...
cpdef int gemm(
    ndarray c, ndarray a, ndarray b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, ptrdiff_t c_row, ptrdiff_t batch,
    ptrdiff_t a_batch, ptrdiff_t b_batch, ptrdiff_t c_batch, double alpha, double beta
) except -1
cpdef int linear_forward(ndarray y, ndarray x, ndarray w, ndarray b) except -1
cpdef int linear_backward(
    ndarray dx, ndarray dw, ndarray db, ndarray dy, ndarray x, ndarray w
) except -1
cpdef int activation_forward(int kernel, ndarray y, ndarray x, double alpha, double beta) except -1
cpdef int activation_backward(
    int kernel, ndarray dx, ndarray dy, ndarray s, double alpha, double beta
) except -1
cpdef int batchnorm_forward(
    ndarray y, ndarray mean, ndarray rstd, ndarray running_mean, ndarray running_var,
    ndarray batches_tracked, ndarray x, ndarray gamma, ndarray beta, double eps, double momentum
) except -1
cpdef int batchnorm_backward(
    ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean, ndarray rstd,
    ndarray gamma
) except -1
cpdef int batchnorm_inference(
    ndarray y, ndarray x, ndarray mean, ndarray var, ndarray gamma, ndarray beta, double eps
) except -1
cpdef int batchnorm_inference_backward(
    ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean, ndarray var,
    ndarray gamma, double eps
) except -1
cpdef int softmax_forward(int kernel, ndarray y, ndarray x) except -1
cpdef int softmax_backward(int kernel, ndarray dx, ndarray dy, ndarray y) except -1
cpdef int cross_entropy_forward(
    ndarray loss, ndarray softmax, ndarray total_weight, ndarray x, ndarray index, ndarray prob,
    ndarray weight, int64_t ignore_index, double label_smoothing, int reduction
) except -1
cpdef int cross_entropy_backward(
    ndarray dx, ndarray dloss, ndarray softmax, ndarray total_weight, ndarray index, ndarray prob,
    ndarray weight, int64_t ignore_index, double label_smoothing, int reduction
) except -1
cpdef int mse_forward(ndarray loss, ndarray x, ndarray t, int reduction) except -1
cpdef int mse_backward(
    ndarray dx, ndarray dt, ndarray dloss, ndarray x, ndarray t, int reduction
) except -1
cpdef int dropout_forward(ndarray y, ndarray used, ndarray state, ndarray x, double p) except -1
cpdef int dropout_backward(ndarray dx, ndarray dy, ndarray used, double p) except -1
cpdef int random(int kernel, ndarray y, ndarray state, double low, double high) except -1
cpdef int random_permutation(ndarray index, ndarray state) except -1
cdef int sgd(
    pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, const sgd_options *options,
    double work
) except -1
cdef int adagrad(
    pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count,
    const adagrad_options *options, double work
) except -1
cdef int rmsprop(
    pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count,
    const rmsprop_options *options, double work
) except -1
cdef int adam(
    pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, const adam_options *options,
    double work
) except -1
cdef int grad_norm(
    ndarray norm, ndarray coef, const optim_segment *segments, ptrdiff_t count, double max_norm,
    double work
) except -1
cdef int scale_segments(
    const optim_segment *segments, ptrdiff_t count, ndarray coef, double work
) except -1
cpdef int binary(
    int kernel, ndarray y, ndarray a, ndarray b, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col
) except -1
cpdef int unary(int kernel, ndarray y, ndarray x, double low, double high) except -1
cpdef int where(ndarray y, ndarray condition, ndarray a, ndarray b) except -1   # of any type of 4 or 8 bytes
# real, int64 or int32; y is bool or uint8
cpdef int compare(
    int kernel, ndarray y, ndarray a, ndarray b, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col
) except -1
cpdef int logical(int kernel, ndarray y, ndarray a, ndarray b) except -1   # bool or uint8
cpdef int fill(ndarray y, double value) except -1
cpdef int copy(ndarray y, ndarray x) except -1   # one type and shape, any strides, at most 8 dimensions
cdef int element_of(ndarray a)   # the type that cast knows, or -1
cpdef int cast(ndarray y, ndarray x) except -1
cpdef int sum(
    ndarray y, ndarray x, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner, ndarray count=*, ptrdiff_t each=*
) except -1
cpdef int extremum(
    int kernel, ndarray y, ndarray index, ndarray x, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t inner
) except -1
cpdef int gather(ndarray y, ndarray x, ndarray index, ptrdiff_t row_bytes) except -1
cpdef int gather_backward(ndarray dx, ndarray dy, ndarray index) except -1
cpdef int index_check(
    ndarray y, ndarray fault, ndarray index, ptrdiff_t bound, int64_t ignored, bint wrap
) except -1
cpdef int gather_along(
    ndarray y, ndarray x, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m, ptrdiff_t inner
) except -1
cpdef int scatter_add(
    ndarray dx, ndarray dy, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m,
    ptrdiff_t inner
) except -1
cpdef int multiply_adds(ndarray y, ptrdiff_t rounds) except -1
