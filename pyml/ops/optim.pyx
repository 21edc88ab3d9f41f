"""The steps of the optimizers, and gradient clipping: one kernel call for all parameters of a group and dtype.

An Update belongs to a param_group and lives as long as its optimizer: it owns the memory that the kernel reads the
segments and the options from. A step fills it from the group and the state, and checks everything before
the first kernel runs, so a step that raises has changed nothing.
"""
import math

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdlib cimport free, realloc
from numpy cimport ndarray

from kernel_arguments cimport adagrad_options, adam_options, optim_segment, rmsprop_options, sgd_options

from pyml cimport _kernels
from pyml._kernels cimport PYML_FLOAT32, PYML_FLOAT64, pyml_dtype
from pyml.memory cimport new_number
from pyml.recorder cimport Recorder, Traced, recorder
from pyml.ops.arrays cimport contiguous, copied, copy_into, empty_scalar, is_real, real_tensor
from pyml.tensor cimport Tensor, unwritable, wrap

from pyml.recorder import refuse

cnp.import_array()


# ---- segments -------------------------------------------------------------------------------------------------

cdef double ELEMENT_TIME = 0.5   # nanoseconds to update one element, about


cdef class Segments:
    """The segments of a call for each dtype: float32 at the front of the table, float64 at its end."""
    def __dealloc__(self):
        free(self.table)

    cdef int acquire(self) except -1:
        """Nobody else uses this object until close()."""
        if self.is_open:
            raise RuntimeError("step() was called while a step() of the same optimizer is running")
        self.floats = self.doubles = 0
        self.float_elements = self.double_elements = 0
        self.alive, self.copies = [], []
        self.is_open = True
        return 0

    cdef int reserve(self, Py_ssize_t capacity) except -1:
        """Makes room for `capacity` segments; none are in use."""
        cdef void *table
        if capacity > self.capacity:
            table = realloc(self.table, capacity * sizeof(optim_segment))
            if table == NULL:
                raise MemoryError()
            self.table, self.capacity = <optim_segment *>table, capacity
        return 0

    cdef void close(self):
        self.alive = self.copies = None
        self.is_open = False

    cdef int tell(self) except -1:
        """Tells a recording that the segments point into arrays. Call after the kernels."""
        cdef Recorder r = recorder()
        if r is not None:
            for array in self.alive:
                r.keep(array)
        return 0

    cdef optim_segment *append(self, ndarray w) except NULL:
        """The next segment, for the real array w, which the kernel will write."""
        cdef Py_ssize_t n = cnp.PyArray_SIZE(w)
        cdef optim_segment *s
        if cnp.PyArray_TYPE(w) == cnp.NPY_FLOAT32:
            s = &self.table[self.floats]
            self.floats += 1
            self.float_elements += n
        else:
            self.doubles += 1
            s = &self.table[self.capacity - self.doubles]
            self.double_elements += n
        s.n = n
        s.w = self.writable(w)
        s.s0 = s.s1 = s.s2 = NULL
        return s

    cdef void *writable(self, ndarray a) except NULL:
        """Memory that holds a's values in order, and whose values a will have after write_back()."""
        cdef ndarray copy
        if not cnp.PyArray_ISCARRAY(a):
            why = unwritable(a)
            if why is not None:
                raise ValueError(f"the optimizer cannot write a parameter, gradient or state that {why}; .clone() it")
            copy = copied(a)
            self.copies.append((a, copy))
            a = copy
        self.alive.append(a)
        return cnp.PyArray_DATA(a)

    cdef void *readable(self, ndarray a):
        a = contiguous(a)
        self.alive.append(a)
        return cnp.PyArray_DATA(a)

    cdef int write_back(self) except -1:
        for array, copy in self.copies:
            copy_into(array, copy)
        return 0


cdef ndarray lasting(ndarray a):
    """`a`, new state that outlives the step."""
    cdef Recorder r = recorder()
    if r is not None:
        r.lasting(a)
    return a


cdef double number(object value) except? -1:
    """An option; a Tensor's value is read anew for each step, so a recorded step may read it too."""
    if isinstance(value, Traced):   # a recorded step sets it: a replay computes it
        return (<Traced>value).value
    return (<Tensor>value).array.item() if isinstance(value, Tensor) else value


# ---- optimizers -----------------------------------------------------------------------------------------------


cdef class Update(Segments):
    """The update of one param_group. A subclass knows the options, the names of the state, and the kernel.

    Args:
        name: the optimizer's, for messages.
    """
    def __init__(self, str name):
        self.name = name
        self.seen_count = -1

    def __dealloc__(self):
        free(self.seen)

    cdef int read_options(self, dict group) except -1:
        raise NotImplementedError

    cdef const void *options_at(self):
        """The struct that read_options fills."""
        raise NotImplementedError

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        raise NotImplementedError

    cdef int take(self, dict group) except -1:
        """Takes the parameters of the group, as they are now: the user's list may change while a step goes on.

        Returns 1 if they are, on the same memory, those that were found to be distinct before, else 0.
        """
        cdef Py_ssize_t i, n
        cdef Tensor p
        cdef seen_parameter *seen
        cdef void *memory
        params = group["params"]
        if not isinstance(params, list):
            raise TypeError(f"{self.name}: params of a group is a {type(params).__name__}, it must be a list")
        cdef list given = (<list>params)[:]
        self.given = given
        n = len(given)
        self.reserve(n)
        if n > self.seen_capacity:
            memory = realloc(self.seen, n * sizeof(seen_parameter))
            if memory == NULL:
                raise MemoryError()
            self.seen, self.seen_capacity = <seen_parameter *>memory, n
        cdef bint same = n == self.seen_count
        self.seen_count = -1
        for i in range(n):
            if not isinstance(given[i], Tensor):
                raise TypeError(f"{self.name}: params[{i}] is a {type(given[i]).__name__}, it must be a Tensor")
            p = <Tensor>given[i]
            seen = &self.seen[i]
            if not (
                same and seen.tensor == <PyObject *>p and seen.data == cnp.PyArray_DATA(p.array)
                and seen.n == cnp.PyArray_SIZE(p.array)
            ):
                same = False
                seen.tensor, seen.data, seen.n = <PyObject *>p, cnp.PyArray_DATA(p.array), cnp.PyArray_SIZE(p.array)
        return same

    cdef int prepare(self, dict state) except -1:
        """Fills the segments. Changes nothing but this object."""
        cdef Py_ssize_t i
        cdef Tensor p
        cdef list given = self.given
        self.params, self.fresh = [], []
        for i in range(len(given)):
            p = <Tensor>given[i]
            p.note_gradient(False, False)
            if p._grad is not None:
                self.add(i, p, p._grad.array, state.get(p))
        return 0

    cdef void close(self):
        Segments.close(self)
        self.given = self.params = self.fresh = None

    cdef int add(self, Py_ssize_t i, Tensor p, ndarray g, dict values) except -1:
        cdef ndarray w = p.array
        cdef optim_segment *s
        if not is_real(w):
            raise TypeError(f"{self.name}: parameter {i} has dtype {w.dtype}, it must be float32 or float64")
        if cnp.PyArray_TYPE(g) != cnp.PyArray_TYPE(w) or not cnp.PyArray_SAMESHAPE(g, w):
            raise self.mismatch(i, w, "its gradient", g)
        s = self.append(w)
        s.g = self.readable(g)
        if values is None:
            values = {}
        s.step = self.step_of(i, p, values)
        if self.name0 is not None:
            s.s0 = self.state_of(i, p, values, self.name0)
        if self.name1 is not None:
            s.s1 = self.state_of(i, p, values, self.name1)
        if self.name2 is not None:
            s.s2 = self.state_of(i, p, values, self.name2)
        self.params.append(p)
        return 0

    cdef double *step_of(self, Py_ssize_t i, Tensor p, dict values) except NULL:
        """The count of updates of p, which the kernel increments."""
        cdef Tensor step
        value = values.get("step")
        if value is None:
            step = wrap(lasting(cnp.PyArray_ZEROS(0, NULL, cnp.NPY_FLOAT64, 0)))
            self.fresh.append((p, values, "step", step))
        elif isinstance(value, Tensor) and cnp.PyArray_TYPE((<Tensor>value).array) == cnp.NPY_FLOAT64 and value.ndim == 0:
            step = value
        else:
            raise TypeError(
                f"{self.name}: state 'step' of parameter {i} is {value!r}, it must be a float64 Tensor of shape (); "
                "load_state_dict() converts what other libraries keep"
            )
        return <double *>self.writable(step.array)

    cdef void *state_of(self, Py_ssize_t i, Tensor p, dict values, str name) except NULL:
        """The memory of a state of p's shape and dtype, made if it is not there yet."""
        cdef ndarray w = p.array, a
        value = values.get(name)
        if value is None:
            a = lasting(cnp.PyArray_ZEROS(w.ndim, w.shape, cnp.PyArray_TYPE(w), 0))
            if self.initial != 0:
                a.fill(self.initial)
            self.fresh.append((p, values, name, wrap(a)))
        elif not isinstance(value, Tensor):
            raise TypeError(f"{self.name}: state {name!r} of parameter {i} is a {type(value).__name__}, it must be a Tensor")
        else:
            a = (<Tensor>value).array
            if cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(w) or not cnp.PyArray_SAMESHAPE(a, w):
                raise self.mismatch(i, w, f"its state {name!r}", a)
        return self.writable(a)

    cdef object mismatch(self, Py_ssize_t i, ndarray w, what, ndarray other):
        kind = TypeError if cnp.PyArray_SAMESHAPE(other, w) else ValueError
        return kind(
            f"{self.name}: parameter {i} has shape {(<object>w).shape} and dtype {w.dtype}, "
            f"{what} has shape {(<object>other).shape} and dtype {other.dtype}; they must be the same"
        )

    cdef int run(self, dict group, dict state) except -1:
        cdef Tensor p
        cdef Recorder r = recorder()
        if r is not None:
            r.updating(self, group, state)
        if self.floats > 0:
            self.call(PYML_FLOAT32, self.table, self.floats, self.float_elements * ELEMENT_TIME)
        if self.doubles > 0:
            self.call(PYML_FLOAT64, self.table + self.capacity - self.doubles, self.doubles,
                      self.double_elements * ELEMENT_TIME)
        self.tell()
        self.write_back()
        for p in self.params:
            p.mark_changed()
        for parameter, values, name, value in self.fresh:
            values[name] = value
            state[parameter] = values
        return 0


cdef class SGDUpdate(Update):
    cdef sgd_options options
    cdef double *steps   # 0 where the velocity is new, else 1: as in PyTorch, the state holds no count
    cdef Py_ssize_t steps_capacity

    def __dealloc__(self):
        free(self.steps)

    cdef const void *options_at(self):
        return &self.options

    cdef int read_options(self, dict group) except -1:
        self.options.lr = number(group["lr"])
        self.options.momentum = number(group["momentum"])
        self.options.dampening = number(group["dampening"])
        self.options.weight_decay = number(group["weight_decay"])
        self.options.nesterov = <bint>group["nesterov"]
        self.options.maximize = <bint>group["maximize"]
        self.name0 = "momentum_buffer" if self.options.momentum != 0 else None
        return 0

    cdef int reserve(self, Py_ssize_t capacity) except -1:
        cdef void *steps
        Segments.reserve(self, capacity)
        if self.capacity > self.steps_capacity:
            steps = realloc(self.steps, self.capacity * sizeof(double))
            if steps == NULL:
                raise MemoryError()
            self.steps, self.steps_capacity = <double *>steps, self.capacity
        return 0

    cdef double *step_of(self, Py_ssize_t i, Tensor p, dict values) except NULL:
        self.steps[i] = 0 if values.get("momentum_buffer") is None else 1
        return &self.steps[i]

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        return _kernels.sgd(dtype, segments, count, &self.options, work)


cdef class AdagradUpdate(Update):
    cdef adagrad_options options

    cdef const void *options_at(self):
        return &self.options

    cdef int read_options(self, dict group) except -1:
        self.options.lr = number(group["lr"])
        self.options.lr_decay = number(group["lr_decay"])
        self.options.weight_decay = number(group["weight_decay"])
        self.options.eps = number(group["eps"])
        self.options.maximize = <bint>group["maximize"]
        self.initial = group["initial_accumulator_value"]
        self.name0 = "sum"
        return 0

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        return _kernels.adagrad(dtype, segments, count, &self.options, work)


cdef class RMSpropUpdate(Update):
    cdef rmsprop_options options

    cdef const void *options_at(self):
        return &self.options

    cdef int read_options(self, dict group) except -1:
        self.options.lr = number(group["lr"])
        self.options.alpha = number(group["alpha"])
        self.options.eps = number(group["eps"])
        self.options.weight_decay = number(group["weight_decay"])
        self.options.momentum = number(group["momentum"])
        self.options.centered = <bint>group["centered"]
        self.options.maximize = <bint>group["maximize"]
        self.name0 = "square_avg"
        self.name1 = "momentum_buffer" if self.options.momentum != 0 else None
        self.name2 = "grad_avg" if self.options.centered else None
        return 0

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        return _kernels.rmsprop(dtype, segments, count, &self.options, work)


cdef class AdamUpdate(Update):
    cdef adam_options options

    cdef const void *options_at(self):
        return &self.options

    cdef int read_options(self, dict group) except -1:
        self.options.lr = number(group["lr"])
        beta1, beta2 = group["betas"]
        self.options.beta1, self.options.beta2 = number(beta1), number(beta2)
        self.options.eps = number(group["eps"])
        self.options.weight_decay = number(group["weight_decay"])
        self.options.amsgrad = <bint>group["amsgrad"]
        self.options.maximize = <bint>group["maximize"]
        self.options.decoupled = <bint>group["decoupled_weight_decay"]
        self.name0, self.name1 = "exp_avg", "exp_avg_sq"
        self.name2 = "max_exp_avg_sq" if self.options.amsgrad else None
        return 0

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        return _kernels.adam(dtype, segments, count, &self.options, work)


def step(list updates not None, list groups not None, state not None):
    """Updates the parameters of all groups that have a gradient, and their state.

    Args:
        updates: an Update for each group; it is the memory of the call, and keeps nothing of the group.
        groups: param_groups of an optimizer.
        state: a dict of state for each parameter; what is missing is made.

    Raises:
        TypeError, ValueError: if a parameter, gradient and state do not fit; nothing has changed then.
    """
    cdef Py_ssize_t i, opened = 0
    cdef bint same = True
    cdef Update update
    if not isinstance(state, dict):
        raise TypeError(f"state must be a dict, not {type(state).__name__}")
    groups = groups[:]
    try:
        for i in range(len(groups)):   # first of all: an option may be an object of the user, whose code runs here
            update = <Update?>updates[i]
            update.acquire()
            opened += 1
            update.read_options(groups[i])
        for i in range(opened):
            if not (<Update>updates[i]).take(groups[i]):
                same = False
        if not same:
            check_distinct([(<Update>updates[i]).given for i in range(opened)])
        for i in range(opened):
            update = <Update>updates[i]
            update.seen_count = len(update.given)
            update.prepare(<dict>state)
        for i in range(opened):
            (<Update>updates[i]).run(groups[i], <dict>state)
    finally:
        for i in range(opened):
            (<Update>updates[i]).close()


cdef tuple byte_range(ndarray a):
    """The address of the first byte of a's elements, and of the byte behind the last; a has some."""
    cdef Py_ssize_t first = <Py_ssize_t>cnp.PyArray_DATA(a), span
    cdef Py_ssize_t end = first + cnp.PyArray_ITEMSIZE(a)
    cdef int d
    for d in range(a.ndim):
        span = (a.shape[d] - 1) * a.strides[d]
        if span < 0:
            first += span
        else:
            end += span
    return first, end


def check_distinct(groups):
    """Checks that each parameter is there once, on memory of its own: it would be stepped twice.

    Args:
        groups: lists of Tensors.

    Raises:
        TypeError: if something else is in a list.
        ValueError: if two are the same, or share memory.
    """
    cdef ndarray w
    cdef list ranges = []   # (first byte, byte behind the last, a number to sort by, array)
    cdef set known = set(), of_group
    for params in groups:
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"params[{i}] is a {type(p).__name__}, it must be a Tensor")
        of_group = {id(p) for p in params}
        if len(of_group) != len(params):
            raise ValueError("params has the same Tensor twice")
        if not known.isdisjoint(of_group):
            raise ValueError("some parameters are in more than one parameter group")
        known |= of_group
        for p in params:
            w = (<Tensor>p).array
            if cnp.PyArray_SIZE(w) > 0:
                ranges.append((*byte_range(w), len(ranges), w))
    ranges.sort()
    for i, (_, after, _, array) in enumerate(ranges):
        for j in range(i + 1, len(ranges)):
            if ranges[j][0] >= after:
                break
            if np.shares_memory(array, ranges[j][3]):   # else as the even and the odd columns of a matrix
                raise ValueError("params: two parameters share memory; pass one of them")


# ---- clipping -------------------------------------------------------------------------------------------------


cdef double kept_coefficient(double coef, double smallest):
    """See grad_norm_args in csrc/pyml_kernels.h."""
    return -(coef * 2.0 ** 64) if 0 < coef < smallest else coef


def clip_grad_norm_(grads, double max_norm, *, bint error_if_nonfinite=False):
    """Scales gradients in place so that their 2-norm, all taken together, is at most max_norm.

        g <- g * min(1, max_norm / (norm + 1e-6))

    Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        grads: Tensors; one that stands there twice counts once.
        max_norm: the largest norm allowed, >= 0; inf measures only.
        error_if_nonfinite: raise, and scale nothing, if the norm is inf or NaN.

    Returns:
        The norm before scaling, a 0-d Tensor.

    Raises:
        ValueError: if max_norm is negative or NaN.
        TypeError: if a gradient is not a float32 or float64 Tensor.
        RuntimeError: for a norm that is not finite, if asked for.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm is {max_norm}, it must be >= 0")
    cdef dict distinct = {id(g): real_tensor(g, "clip_grad_norm_", "a gradient") for g in grads}
    cdef Segments all = Segments()
    cdef optim_segment *s
    cdef Tensor g
    cdef ndarray norm32 = new_number(0, NULL, cnp.NPY_FLOAT32, 0)
    cdef ndarray norm64 = new_number(0, NULL, cnp.NPY_FLOAT64, 0)
    cdef ndarray coef32 = empty_scalar(norm32), coef64 = empty_scalar(norm64)
    all.acquire()
    all.reserve(len(distinct))
    for g in distinct.values():
        s = all.append(g.array)
        s.g = s.w
        s.step = NULL
    cdef optim_segment *doubles = all.table + all.capacity - all.doubles
    if all.floats > 0:
        _kernels.grad_norm(norm32, coef32, all.table, all.floats, max_norm, all.float_elements * ELEMENT_TIME)
    if all.doubles > 0:
        _kernels.grad_norm(norm64, coef64, doubles, all.doubles, max_norm, all.double_elements * ELEMENT_TIME)
    cdef double total, coef
    if all.floats > 0 and all.doubles > 0:
        refuse("clip_grad_norm_ of float32 and float64 gradients together")
        total = math.hypot(norm32.item(), norm64.item())
        coef = max_norm / (total + 1e-6)
        norm64.fill(total)
        coef64.fill(1 if coef > 1 else kept_coefficient(coef, 2.0 ** -1022))
        coef32.fill(1 if coef > 1 else kept_coefficient(coef, 2.0 ** -126))
    cdef ndarray norm = norm64 if all.doubles > 0 else norm32
    all.tell()
    if error_if_nonfinite:
        refuse("clip_grad_norm_ with error_if_nonfinite=True")
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients is {norm.item()}, it must be finite; "
            "error_if_nonfinite=False scales by it anyway"
        )
    if all.floats > 0:
        _kernels.scale_segments(all.table, all.floats, coef32, all.float_elements * ELEMENT_TIME)
    if all.doubles > 0:
        _kernels.scale_segments(doubles, all.doubles, coef64, all.double_elements * ELEMENT_TIME)
    all.write_back()
    for g in distinct.values():
        g.mark_changed()
    return wrap(norm)
