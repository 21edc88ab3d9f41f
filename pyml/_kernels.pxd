"""The binding: arrays in, one call of a kernel out. No mathematics, no messages: the operations above have
checked dtypes, shapes and contiguity. csrc/contracts says what each kernel does.

Arrays are contiguous and of one dtype, float32 or float64, unless their name says otherwise (index, state).
None stands for NULL.
"""
from libc.stdint cimport int64_t
from numpy cimport ndarray

from contract_optim cimport optim_args, optim_segment

cdef extern from "contracts/types.h" nogil:
    ctypedef enum pyml_dtype:
        PYML_FLOAT32
        PYML_FLOAT64
    ptrdiff_t pyml_dtype_bytes(pyml_dtype dtype)


cdef extern from "program.h" nogil:
    ctypedef struct pyml_program
    ctypedef struct program_call:
        int kernel
        pyml_dtype dtype
        void *args
        int is_extra
        float *ns
    const int PROGRAM_TIMES
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
        bint leaves_all

cdef extern from "effects.h":
    enum:
        EFFECT_READ
        EFFECT_WRITE
    ctypedef void (*effects_fn)(void *context, void **field, ptrdiff_t before, size_t bytes, int access) noexcept


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
    ctypedef struct optimizer_traits:
        const argument_field *options
        ptrdiff_t options_size
        int arrays, numbers

cdef extern from "contracts/optim.h":
    enum:
        OPTIM_ARRAYS
        OPTIM_NUMBERS
        OPTIM_STEP


# The functions of C beside the kernels, for modules that do not link it (csrc/functions.h): csrc.program_new().
# program.h, effects.h and arguments.h say what each does; `dtype` is a pyml_dtype.
cdef extern from "functions.h":
    ctypedef struct pyml_functions:
        pyml_program *(*program_new)() noexcept nogil
        void (*program_free)(pyml_program *program) noexcept nogil
        void *(*program_append)(
            pyml_program *program, int kernel, int dtype, const void *args, size_t size
        ) noexcept nogil
        void *(*program_insert_extra)(
            pyml_program *program, ptrdiff_t at, int kernel, int dtype, const void *args, size_t size
        ) noexcept nogil
        void (*program_extras)(pyml_program *program, bint run_them) noexcept nogil
        ptrdiff_t (*program_count)(const pyml_program *program) noexcept nogil
        program_call *(*program_calls)(pyml_program *program) noexcept nogil
        ptrdiff_t (*program_timed)(const pyml_program *program) noexcept nogil
        ptrdiff_t (*program_stopped)(const pyml_program *program) noexcept nogil
        const int64_t *(*program_fault)(const pyml_program *program) noexcept nogil
        bint (*program_owns)(const pyml_program *program, const void *address) noexcept nogil
        void (*program_move)(
            pyml_program *program, ptrdiff_t first, const void *memory, size_t size, void *to
        ) noexcept nogil
        int (*program_input)(pyml_program *program, const void *memory, size_t size) noexcept nogil
        void (*program_bind)(pyml_program *program, int input, void *memory) noexcept nogil
        int (*program_restore)(
            pyml_program *program, void *memory, const void *values, size_t size
        ) noexcept nogil
        int (*program_save)(pyml_program *program, void *memory, size_t size) noexcept nogil
        void (*program_undo)(pyml_program *program) noexcept nogil
        void (*program_check)(
            pyml_program *program, ptrdiff_t call, const void *number, int dtype
        ) noexcept nogil
        ptrdiff_t (*program_fuse)(
            pyml_program *program, int (*is_left)(void *context, const void *address) noexcept, void *context,
            int behind
        ) noexcept
        ptrdiff_t (*program_fused)(const pyml_program *program, ptrdiff_t call, double *bytes) noexcept
        ptrdiff_t (*program_behind)(const pyml_program *program, ptrdiff_t call, optim_args *one, int *is_written) noexcept
        program_status (*program_replay)(pyml_program *program) noexcept nogil
        program_status (*program_run)(pyml_program *program, program_run_args *run) noexcept nogil
        double (*pyml_effects)(
            int kernel, int dtype, void *args, effects_fn visit, void *context
        ) noexcept
        const char *(*pyml_kernel_name)(int kernel) noexcept nogil
        const argument_field *(*pyml_arguments)(int kernel) noexcept nogil
        const optimizer_traits *(*pyml_optimizer)(int kernel) noexcept nogil

cdef const pyml_functions *csrc

# Whether products of this thread are to be of bfloat16 (autocast), and whether one of such an operand is: if it is of
# float32, and the CPU has instructions for it.
cdef bint autocast_enabled() noexcept
cdef void switch_autocast(bint enabled) noexcept
cdef bint rounds(ndarray a) noexcept

cpdef int kernel(str name) except -1   # the number of a kernel; ImportError if there is none of that name

# The first argument of a family's call says which kernel: kernel("relu_forward"), kernel("add"), ...
cpdef int gemm(
    ndarray c, ndarray a, ndarray b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ptrdiff_t a_row,
    ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, ptrdiff_t c_row, ptrdiff_t batch,
    ptrdiff_t a_batch, ptrdiff_t b_batch, ptrdiff_t c_batch, double alpha, double beta, bint bfloat16=*
) except -1
cpdef int linear_forward(ndarray y, ndarray x, ndarray w, ndarray b, double alpha=*, bint bfloat16=*) except -1
cpdef int linear_backward(
    ndarray dx, ndarray dw, ndarray db, ndarray dy, ndarray x, ndarray w, double alpha=*, bint bfloat16=*
) except -1
cpdef int activation_forward(int kernel, ndarray y, ndarray x, double alpha, double beta) except -1
cpdef int activation_backward(
    int kernel, ndarray dx, ndarray dy, ndarray s, double alpha, double beta
) except -1
cpdef int prelu_forward(ndarray y, ndarray x, ndarray w, ptrdiff_t n, ptrdiff_t inner) except -1
cpdef int prelu_backward(
    ndarray dx, ndarray dw, ndarray dy, ndarray x, ndarray w, ptrdiff_t n, ptrdiff_t inner
) except -1
cpdef int jet_forward(
    int kernel, ndarray y, ndarray x, ndarray pairs, ptrdiff_t firsts, double alpha, double beta
) except -1
cpdef int jet_backward(
    int kernel, ndarray dx, ndarray dy, ndarray x, ndarray y, ndarray pairs, ptrdiff_t firsts,
    double alpha, double beta
) except -1
cpdef int jet_net_forward(
    ndarray u, ndarray kept, ndarray x, list w, list b, int function, ndarray variables, ndarray pairs,
    double alpha, double beta
) except -1
cpdef int jet_net_backward(
    ndarray dx, list dw, list db, ndarray du, ndarray kept, ndarray x, list w, int function,
    ndarray variables, ndarray pairs, double alpha, double beta
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
cpdef int row_norm_forward(
    int kernel, ndarray y, ndarray mean, ndarray rstd, ndarray x, ndarray gamma, ndarray beta,
    ptrdiff_t n, ptrdiff_t c, ptrdiff_t groups, ptrdiff_t each, double eps
) except -1
cpdef int row_norm_backward(
    int kernel, ndarray dx, ndarray dgamma, ndarray dbeta, ndarray dy, ndarray x, ndarray mean,
    ndarray rstd, ndarray gamma, ptrdiff_t n, ptrdiff_t c, ptrdiff_t groups, ptrdiff_t each
) except -1
cpdef int row_pair_forward(int kernel, ndarray y, ndarray x, ndarray t, ptrdiff_t n, ptrdiff_t c, double eps) except -1
cpdef int row_pair_backward(
    int kernel, ndarray dx, ndarray dt, ndarray dy, ndarray x, ndarray t, ptrdiff_t n, ptrdiff_t c, double eps
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
cpdef int class_loss_forward(
    int kernel, ndarray loss, ndarray total_weight, ndarray x, ndarray index, ndarray weight,
    int64_t ignore_index, double margin, double p, int reduction
) except -1
cpdef int class_loss_backward(
    int kernel, ndarray dx, ndarray dloss, ndarray total_weight, ndarray x, ndarray index,
    ndarray weight, int64_t ignore_index, double margin, double p, int reduction
) except -1
cpdef int pair_loss_forward(
    int kernel, ndarray loss, ndarray x, ndarray t, double alpha, double beta, int reduction
) except -1
cpdef int pair_loss_backward(
    int kernel, ndarray dx, ndarray dt, ndarray dloss, ndarray x, ndarray t, double alpha,
    double beta, int reduction
) except -1
cpdef int dropout_forward(ndarray y, ndarray mask, ndarray state, ndarray x, double p) except -1
cpdef int dropout_backward(ndarray dx, ndarray dy, ndarray mask, double p) except -1
cpdef int random(int kernel, ndarray y, ndarray state, double low, double high) except -1
cpdef int random_permutation(ndarray index, ndarray state) except -1
cdef int update(
    int kernel, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, const void *options,
    ptrdiff_t options_size, double work
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
cpdef int bag_forward(
    ndarray y, ndarray x, ndarray index, ndarray ends, ndarray w, int64_t padding, bint mean
) except -1
cpdef int bag_backward(
    ndarray dx, ndarray dy, ndarray index, ndarray ends, ndarray w, int64_t padding, bint mean
) except -1
cpdef int index_check(
    ndarray y, ndarray fault, ndarray index, ptrdiff_t bound, int64_t ignored, bint wrap
) except -1
cpdef int piecewise_forward(ndarray y, ndarray values, ndarray x, ndarray left, ndarray scale, ndarray counts) except -1
cpdef int piecewise_backward(
    ndarray dvalues, ndarray dy, ndarray x, ndarray left, ndarray scale, ndarray counts
) except -1
cpdef int gather_along(
    ndarray y, ndarray x, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m, ptrdiff_t inner
) except -1
cpdef int scatter_add(
    ndarray dx, ndarray dy, ndarray index, ptrdiff_t outer, ptrdiff_t n, ptrdiff_t m,
    ptrdiff_t inner
) except -1
cpdef int multiply_adds(ndarray y, ptrdiff_t rounds) except -1
