"""Numbers that tell how training goes, measured inside of a replay.

Beside the calls of a step stand others that only measure: they are skipped until a run asks for diagnostics.
"""
import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from numpy cimport ndarray

from contract_activation cimport activation_forward_args
from contract_diagnostics cimport (
    batchnorm_drift_args, dead_share_args, outside_share_args, relative_change_args, vector_norm_args,
)
from contract_gather cimport gather_args
from contract_linear cimport linear_forward_args
from contract_norm cimport batchnorm_forward_args
from contract_optim cimport optim_args, optim_segment

from pyml cimport _kernels
from pyml._kernels cimport EFFECT_WRITE, csrc, program_call, pyml_dtype_bytes, pyml_program

cnp.import_array()

# the numbers of kernels
cdef int BATCHNORM_DRIFT = _kernels.kernel("batchnorm_drift")
cdef int BATCHNORM_FORWARD = _kernels.kernel("batchnorm_forward")
cdef int DEAD_SHARE = _kernels.kernel("dead_share")
cdef int GATHER = _kernels.kernel("gather")
cdef int LINEAR_FORWARD = _kernels.kernel("linear_forward")
cdef int LINEAR_FORWARD_BFLOAT16 = _kernels.kernel("linear_forward_bfloat16")
cdef int OUTSIDE_SHARE = _kernels.kernel("outside_share")
cdef int RELATIVE_CHANGE = _kernels.kernel("relative_change")
cdef int RELU_FORWARD = _kernels.kernel("relu_forward")
cdef int SIGMOID_FORWARD = _kernels.kernel("sigmoid_forward")
cdef int TANH_FORWARD = _kernels.kernel("tanh_forward")
cdef int VECTOR_NORM = _kernels.kernel("vector_norm")

# where the derivative has fallen to a tenth of its largest value: tanh' = 1 - y^2, sigmoid' = y (1 - y)
cdef double TANH_FLAT = 0.9486832980505138, SIGMOID_FLAT = 0.9743416490252569
cdef enum:
    MOST_NUMBERS = 1024   # of a step; deeper networks are measured in part, the last layers first


cdef class Diagnosis:
    """The calls of a program that measure its step.

    For each parameter that an optimizer updates: the 2-norm of its gradient as the optimizer sees it, and the update's
    size relative to the weights. For each ReLU the share of columns that no row of the batch passes, for each tanh and
    sigmoid the share of elements where its derivative is below a tenth of its largest, for each BatchNorm the distance
    of the batch's mean from the running one, in standard deviations.
    """

    def __dealloc__(self):
        free(self.snapshots)

    cdef int trace(self, dict names) except -1:
        """Finds which layer each array comes from."""
        cdef program_call *call
        cdef linear_forward_args *linear
        cdef batchnorm_forward_args *norm
        cdef activation_forward_args *f
        cdef Py_ssize_t i
        self.layers = {}
        for i in range(csrc.program_count(self.calls)):
            call = &csrc.program_calls(self.calls)[i]
            if call.kernel == LINEAR_FORWARD or call.kernel == LINEAR_FORWARD_BFLOAT16:
                linear = <linear_forward_args *>call.args
                self.layers[<size_t>linear.y, i] = layer_of(names, linear.w), linear.o
            elif call.kernel == BATCHNORM_FORWARD:
                norm = <batchnorm_forward_args *>call.args
                before = self.before(<size_t>norm.x, i)
                name = layer_of(names, norm.gamma) or (before[0] if before else "")
                self.layers[<size_t>norm.y, i] = name, norm.c
        return 0

    def before(self, address, i):
        """The layer that wrote an address last before call i; None if another kernel did."""
        cdef Py_ssize_t k
        cdef program_call call
        cdef Place place
        for k in range(i - 1, -1, -1):
            if (address, k) in self.layers:
                return self.layers[address, k]
            call = csrc.program_calls(self.calls)[k]
            place = Place(address, False)
            csrc.pyml_effects(call.kernel, call.dtype, call.args, look_for, &place)
            if place.written:   # memory is used again
                return None
        return None

    cdef str named(self, str kind, str name):
        """A name that there is once only."""
        cdef str full = f"{kind}/{name}" if name else kind
        self.counts[full] = count = self.counts.get(full, 0) + 1
        return f"{full} ({count})" if count > 1 else full

    cdef int insert(self, dict names) except -1:
        """Puts the calls in. From the last to the first, so that places stay what they are."""
        cdef program_call call
        cdef Py_ssize_t i
        cdef dead_share_args dead
        cdef outside_share_args outside
        cdef batchnorm_drift_args drift
        cdef activation_forward_args *f
        cdef batchnorm_forward_args *norm
        self.names, self.copies, self.counts = [], [], {}
        self.numbers = np.full(MOST_NUMBERS, np.nan)
        self.zero = np.zeros(1, np.int64)
        self.trace(names)
        cdef double *numbers = <double *>cnp.PyArray_DATA(self.numbers)
        for i in range(csrc.program_count(self.calls) - 1, -1, -1):
            call = csrc.program_calls(self.calls)[i]
            if len(self.names) > MOST_NUMBERS - 4:
                break
            if csrc.pyml_optimizer(call.kernel) != NULL:
                self.around_update(i, names)
            elif call.kernel == RELU_FORWARD:
                f = <activation_forward_args *>call.args
                layer = self.before(<size_t>f.x, i)
                if layer is None or f.n == 0:
                    continue
                dead.y, dead.x, dead.c = numbers + len(self.names), f.y, layer[1]
                dead.n = f.n // dead.c
                self.names.append(self.named("dead_relu", layer[0]))
                put(self.calls, i + 1, DEAD_SHARE, call.dtype, &dead, sizeof(dead))
            elif call.kernel == TANH_FORWARD or call.kernel == SIGMOID_FORWARD:
                f = <activation_forward_args *>call.args
                layer = self.before(<size_t>f.x, i)
                if f.n == 0:
                    continue
                outside.y, outside.x, outside.n = numbers + len(self.names), f.y, f.n
                if call.kernel == TANH_FORWARD:
                    outside.low, outside.high = -TANH_FLAT, TANH_FLAT
                else:
                    outside.low, outside.high = 1 - SIGMOID_FLAT, SIGMOID_FLAT
                self.names.append(self.named("saturation", layer[0] if layer else ""))
                put(self.calls, i + 1, OUTSIDE_SHARE, call.dtype, &outside, sizeof(outside))
            elif call.kernel == BATCHNORM_FORWARD:
                norm = <batchnorm_forward_args *>call.args
                if norm.running_mean == NULL or norm.c == 0:
                    continue
                drift.y, drift.mean, drift.rstd = numbers + len(self.names), norm.mean, norm.rstd
                drift.running_mean, drift.c = norm.running_mean, norm.c
                self.names.append(self.named("batchnorm_drift", self.layers[<size_t>norm.y, i][0]))
                put(self.calls, i + 1, BATCHNORM_DRIFT, call.dtype, &drift, sizeof(drift))
        return 0

    cdef int around_update(self, Py_ssize_t i, dict names) except -1:
        """Around call i, of an optimizer: the gradients before, the change of the weights after."""
        cdef program_call call = csrc.program_calls(self.calls)[i]
        cdef optim_args *update = <optim_args *>call.args
        cdef double *numbers = <double *>cnp.PyArray_DATA(self.numbers)
        cdef const optim_segment *s
        cdef vector_norm_args norm
        cdef relative_change_args change
        cdef gather_args copy
        cdef Py_ssize_t k, real = pyml_dtype_bytes(call.dtype)
        cdef Snapshot *larger = <Snapshot *>realloc(
            self.snapshots, (self.snapshot_count + update.count) * sizeof(Snapshot))
        if larger == NULL:
            raise MemoryError()
        self.snapshots = larger
        for k in range(update.count - 1, -1, -1):
            s = &update.segments[k]
            if s.n == 0 or len(self.names) > MOST_NUMBERS - 4:
                continue
            name = names.get(<size_t>s.w, f"parameter {k}")
            change.y, change.x, change.before, change.n = numbers + len(self.names), s.w, NULL, s.n
            self.names.append(self.named("update_ratio", name))
            kept_change = <relative_change_args *>put(
                self.calls, i + 1, RELATIVE_CHANGE, call.dtype, &change, sizeof(change))
            copy.y, copy.x, copy.index = NULL, s.w, <int64_t *>cnp.PyArray_DATA(self.zero)
            copy.n, copy.row_bytes = 1, s.n * real
            kept_copy = <gather_args *>put(self.calls, i, GATHER, call.dtype, &copy, sizeof(copy))
            self.snapshots[self.snapshot_count] = Snapshot(
                &kept_copy.y, <void **>&kept_change.before, copy.row_bytes)
            self.snapshot_count += 1
            norm.y, norm.x, norm.n = numbers + len(self.names), s.g, s.n
            self.names.append(self.named("grad_norm", name))
            put(self.calls, i, VECTOR_NORM, call.dtype, &norm, sizeof(norm))
            i += 2   # what is in front of the update now
        return 0

    cdef int enable(self, bint on) except -1:
        """Makes replays measure, or not."""
        cdef Py_ssize_t k
        cdef ndarray copy
        if on and not self.copies:
            for k in range(self.snapshot_count):
                copy = np.empty(self.snapshots[k].size, np.uint8)
                self.copies.append(copy)
                self.snapshots[k].copied[0] = self.snapshots[k].compared[0] = cnp.PyArray_DATA(copy)
        csrc.program_extras(self.calls, on)
        return 0


cdef struct Place:
    size_t address
    bint written


cdef void look_for(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    """Whether a piece of a call's effects is written and has an address in it."""
    cdef Place *place = <Place *>context
    cdef size_t begin = <size_t>field[0] - before
    if access & EFFECT_WRITE and begin <= place.address < begin + size:
        place.written = True


cdef void *put(pyml_program *calls, Py_ssize_t at, int kernel, int dtype, const void *args, size_t size) except NULL:
    cdef void *kept = csrc.program_insert_extra(calls, at, kernel, dtype, args, size)
    if kept == NULL:
        raise MemoryError()
    return kept


cdef str layer_of(dict names, const void *parameter):
    """The module that has a parameter."""
    cdef str name = names.get(<size_t>parameter, "")
    return name.rpartition(".")[0] or name


class Diagnostics(dict):
    """{name: an array of a number a step}, NaN for steps that were not measured.

    The names are "grad_norm", of all gradients together, and "kind/layer" with the kinds grad_norm and update_ratio
    (for each parameter), dead_relu, saturation and batchnorm_drift. An activation has no name of its own: its layer is
    the last one with parameters before it.
    """

    def of(self, kind):
        """{layer: array} of one kind."""
        return {name.partition("/")[2]: values for name, values in self.items() if name.startswith(kind + "/")}


def collected(list names, table):
    """The Diagnostics of a table with a row a step, in the order of the network."""
    result = Diagnostics()
    norms = [k for k, name in enumerate(names) if name.startswith("grad_norm/")]
    if norms:
        result["grad_norm"] = np.sqrt((table[:, norms] ** 2).sum(1))
    for k in reversed(range(len(names))):   # they were put in from the last to the first
        result[names[k]] = table[:, k].copy()
    return result
