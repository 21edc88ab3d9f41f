"""The steps of the optimizers: one kernel call for all parameters of a group and dtype.

An Algorithm is what a class of optimizers declares, checked against the kernel. An Update belongs to a param_group and
lives as long as its optimizer: it owns the memory that the kernel reads the segments and the options from. A step fills
it from the group and the state, and checks everything before the first kernel runs, so a step that raises has changed
nothing.
"""
import numpy as np

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset
from numpy cimport ndarray

from contract_optim cimport optim_segment

from pyml cimport _kernels
from pyml._kernels cimport (
    FIELD_DOUBLE, FIELD_INT, OPTIM_STEP, PYML_FLOAT32, PYML_FLOAT64, argument_field, csrc, pyml_dtype,
)
from pyml.dict_version cimport PYML_DICT_VERSION
from pyml.memory cimport new_number, new_zeros
from pyml.recorder cimport Recorder, Traced, recorder
from pyml.ops.arrays cimport is_real
from pyml.ops.segments cimport Segments
from pyml.tensor cimport Tensor, wrap

from pyml.errors import ArgumentError, DtypeError

cnp.import_array()

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object, object) except? NULL


cdef double number(object value) except? -1:
    """An option; a Tensor's value is read anew for each step, so a recorded step may read it too."""
    if type(value) is float:
        return <double>value
    if isinstance(value, Traced):   # a recorded step sets it: a replay computes it
        return (<Traced>value).value
    return (<Tensor>value).array.item() if isinstance(value, Tensor) else value


cdef bint is_fixed(object value) except -1:
    """Whether an option that stays the same object reads the same."""
    if type(value) is tuple:
        return all([is_fixed(each) for each in <tuple>value])
    return type(value) in (float, int, bool)


def option(dict group not None, str name not None):
    """The number that an option of a param_group is: a float64 Tensor of shape (), into which a recorded step reads it anew."""
    cdef ndarray a = new_number(0, NULL, cnp.NPY_FLOAT64, number(group[name]))
    cdef Recorder r = recorder()
    if r is not None:
        r.option(a, group, name)
    return wrap(a)


cdef class Algorithm:
    """What the kernel of an optimizer reads, by the names that a class of optimizers declares.

    Args:
        who: the class, for messages.
        kernel: its name in csrc/kernel_list.h.
        options: the names of a param_group's options that the kernel reads: those of <kernel>_options.
        arrays: {name: True, or the option that needs it} of the state that has a parameter's shape, in the order of
            the kernel.
        numbers: {name: first value} of the rest of the state, "step" first.
        starts: {name: the option whose value its elements begin with} of arrays that do not begin with zeros.

    Raises:
        ImportError: if there is no such kernel.
        TypeError: if what is declared is not what the kernel reads.
    """
    def __init__(self, str who not None, str kernel not None, options, dict arrays not None, dict numbers not None,
                 dict starts not None):
        cdef const argument_field *field
        cdef Py_ssize_t k
        self.kernel = _kernels.kernel(kernel)
        self.traits = csrc.pyml_optimizer(self.kernel)
        if self.traits == NULL:
            raise TypeError(f"{who}: the kernel {kernel!r} is no optimizer; csrc/kernel_list.h has a line OPTIMIZER for each")
        fields = []
        field = self.traits.options
        while field.name != NULL:
            if field.kind != FIELD_DOUBLE and (field.kind != FIELD_INT or field.count != 1):
                raise TypeError(f"{who}: {field.name.decode()} of {kernel}_options is neither doubles nor an int")
            fields.append(field.name.decode())
            field += 1
        if sorted(fields) != sorted(options):
            raise TypeError(
                f"{who}: _options are {sorted(options)}, they must be the fields of {kernel}_options in "
                f"csrc/contracts/optimizers.h: {sorted(fields)}"
            )
        if len(arrays) != self.traits.arrays or len(numbers) != self.traits.numbers:
            raise TypeError(
                f"{who}: _states has {len(arrays)} arrays and _numbers {len(numbers)} numbers, {kernel!r} has "
                f"{self.traits.arrays} and {self.traits.numbers} by its line of csrc/kernel_list.h"
            )
        if numbers and next(iter(numbers)) != "step":
            raise TypeError(f"{who}: _numbers are {list(numbers)}, the first must be 'step', the count of updates")
        if not set(starts) <= set(arrays):
            raise TypeError(f"{who}: _starts has {sorted(set(starts) - set(arrays))}, which _states lacks")
        self.options, self.arrays, self.numbers = tuple(fields), tuple(arrays), tuple(numbers)
        self.firsts = tuple([float(value) for value in numbers.values()])
        self.starts = [(self.arrays.index(name), option) for name, option in starts.items()]
        for k, need in enumerate(arrays.values()):
            if need is not True and need not in fields:
                raise TypeError(f"{who}: _states says that {self.arrays[k]!r} needs {need!r}, which is none of _options")
            self.needs[k] = -1 if need is True else fields.index(need)


@cython.boundscheck(False)   # all indices run through what they index
@cython.wraparound(False)
cdef class Update(Segments):
    """The update of one param_group.

    Args:
        algorithm: of the class of the optimizer.
        name: the optimizer's, for messages.
    """
    def __cinit__(self, Algorithm algorithm not None, str name not None):
        self.algorithm, self.name = algorithm, name
        self.seen_count = -1
        self.options = <char *>calloc(1, algorithm.traits.options_size)
        if self.options == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.seen)
        free(self.steps)
        free(self.options)

    cdef int read_options(self, dict group) except -1:
        """Fills the struct of options, and finds which arrays of state they need."""
        cdef Algorithm a = self.algorithm
        cdef const argument_field *field
        cdef Py_ssize_t i, k
        cdef char *at
        cdef uint64_t version = PYML_DICT_VERSION(group)
        cdef bint fixed = True
        if version == self.options_version and version != 0:
            return 0
        self.options_version = 0
        for i in range(len(a.options)):
            field = &a.traits.options[i]
            at = self.options + field.offset
            value = group[<str>a.options[i]]
            fixed = fixed and is_fixed(value)
            try:
                if field.kind == FIELD_INT:
                    (<int *>at)[0] = <bint>value
                elif field.count == 1:
                    (<double *>at)[0] = number(value)
                else:
                    self.read_tuple(<str>a.options[i], tuple(value), <double *>at, field.count)
            except (TypeError, OverflowError) as error:
                what = "a number" if field.count == 1 else f"{field.count} numbers"
                raise type(error)(f"{self.name}: {a.options[i]} is {value!r}, it must be {what} ({error})") from error
        self.used = 0
        for k in range(len(a.arrays)):
            if a.needs[k] < 0 or self.is_on(&a.traits.options[a.needs[k]]):
                self.used |= 1 << k
        for k, option in a.starts:
            value = group[option]
            fixed = fixed and is_fixed(value)
            self.start[k] = number(value)
        if fixed and version == PYML_DICT_VERSION(group):
            self.options_version = version
        return 0

    cdef int read_tuple(self, str name, tuple values, double *at, Py_ssize_t count) except -1:
        cdef Py_ssize_t i
        if len(values) != count:
            raise ArgumentError(f"{self.name}: {name} is {values}, it must have {count} numbers")
        for i in range(count):
            at[i] = number(values[i])
        return 0

    cdef bint is_on(self, const argument_field *field) noexcept:
        """Whether an option that was read is not 0."""
        cdef char *at = self.options + field.offset
        return (<int *>at)[0] != 0 if field.kind == FIELD_INT else (<double *>at)[0] != 0

    cdef int reserve(self, Py_ssize_t capacity) except -1:
        cdef void *steps
        Segments.reserve(self, capacity)
        if self.algorithm.traits.numbers == 0 and self.capacity > self.steps_capacity:
            steps = realloc(self.steps, self.capacity * sizeof(double))
            if steps == NULL:
                raise MemoryError()
            self.steps, self.steps_capacity = <double *>steps, self.capacity
        return 0

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
                seen.values, seen.version = NULL, 0
        return same

    cdef int prepare(self, dict state) except -1:
        """Fills the segments. Changes nothing but this object."""
        cdef Py_ssize_t i
        cdef Tensor p
        cdef list given = self.given
        cdef uint64_t version = PYML_DICT_VERSION(state)
        self.params, self.fresh = [], []
        if version != self.state_version or version == 0:
            for i in range(len(given)):
                self.seen[i].values = NULL
            self.state_version = version
        for i in range(len(given)):
            p = <Tensor>given[i]
            p.note_gradient(False, False)
            if p._grad is not None:
                self.add(i, p, p._grad.array, state)
        return 0

    cdef void close(self):
        Segments.close(self)
        self.given = self.params = self.fresh = None

    cdef int add(self, Py_ssize_t i, Tensor p, ndarray g, dict state) except -1:
        cdef Algorithm a = self.algorithm
        cdef seen_parameter *seen = &self.seen[i]
        cdef uint64_t version
        cdef dict values
        cdef ndarray w = p.array
        cdef optim_segment *s
        cdef Py_ssize_t k
        if not is_real(w):
            raise DtypeError(f"{self.name}: parameter {i} has dtype {w.dtype}, it must be float32 or float64")
        if cnp.PyArray_TYPE(g) != cnp.PyArray_TYPE(w) or not cnp.PyArray_SAMESHAPE(g, w):
            raise self.mismatch(i, w, "its gradient", g)
        s = self.append(w)
        s.g = self.readable(g)
        if seen.values == NULL:
            seen.values = PyDict_GetItemWithError(state, p)
        values = {} if seen.values == NULL else <dict?><object>seen.values
        version = PYML_DICT_VERSION(values)
        if version != seen.version or version == 0:
            memset(seen.numbers, 0, sizeof(seen.numbers))
            memset(seen.arrays, 0, sizeof(seen.arrays))
            seen.version = version
        if a.traits.numbers == 0:   # the state holds no count: 0 where its arrays are new
            self.steps[i] = 0 if values.get(<str>a.arrays[0]) is None else 1
            s.numbers[OPTIM_STEP] = &self.steps[i]
        for k in range(a.traits.numbers):
            s.numbers[k] = self.number_of(i, p, values, k)
        for k in range(a.traits.arrays):
            if self.used >> k & 1:
                s.arrays[k] = self.array_of(i, p, values, k)
        self.params.append(p)
        return 0

    cdef double *number_of(self, Py_ssize_t i, Tensor p, dict values, Py_ssize_t k) except NULL:
        """The memory of number k of p's state, made if it is not there yet."""
        cdef Tensor kept
        cdef ndarray a
        cdef str name = <str>self.algorithm.numbers[k]
        cdef PyObject **found = &self.seen[i].numbers[k]
        if found[0] == NULL:
            found[0] = PyDict_GetItemWithError(values, name)
        value = None if found[0] == NULL else <object>found[0]
        if isinstance(value, Tensor) and cnp.PyArray_TYPE((<Tensor>value).array) == cnp.NPY_FLOAT64 and \
                (<Tensor>value).array.ndim == 0:
            kept = <Tensor>value
        else:
            if value is None:
                number = self.algorithm.firsts[k]
            elif isinstance(value, Tensor) and (<Tensor>value).array.size == 1:
                number = (<Tensor>value).array.item()
            elif isinstance(value, (int, float)):
                number = value
            else:
                raise TypeError(f"{self.name}: state {name!r} of parameter {i} is {value!r}, it must be a number")
            a = new_zeros(0, NULL, cnp.NPY_FLOAT64)
            (<double *>cnp.PyArray_DATA(a))[0] = number
            kept = wrap(a)
            self.fresh.append((p, values, name, kept))
        return <double *>self.writable(kept.array)

    cdef void *array_of(self, Py_ssize_t i, Tensor p, dict values, Py_ssize_t k) except NULL:
        """The memory of array k of p's state, of p's shape and dtype, made if it is not there yet."""
        cdef ndarray w = p.array, a
        cdef str name = <str>self.algorithm.arrays[k]
        cdef PyObject **found = &self.seen[i].arrays[k]
        if found[0] == NULL:
            found[0] = PyDict_GetItemWithError(values, name)
        value = None if found[0] == NULL else <object>found[0]
        if value is None:
            a = new_zeros(w.ndim, w.shape, cnp.PyArray_TYPE(w))
            if self.start[k] != 0:
                a.fill(self.start[k])
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

    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1:
        cdef Algorithm a = self.algorithm
        return _kernels.update(a.kernel, dtype, segments, count, self.options, a.traits.options_size, work)

    cdef int run(self, dict group, dict state) except -1:
        cdef Tensor p
        cdef Recorder r = recorder()
        if r is not None:
            r.updating(self, group, state)
        if self.floats > 0:
            self.call(PYML_FLOAT32, self.table, self.floats, self.float_time)
        if self.doubles > 0:
            self.call(PYML_FLOAT64, self.double_segments(), self.doubles, self.double_time)
        self.tell()
        self.write_back()
        for p in self.params:
            p.mark_changed()
        for parameter, values, name, value in self.fresh:
            values[name] = value
            state[parameter] = values
        return 0


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
            raise ArgumentError("params has the same Tensor twice")
        if not known.isdisjoint(of_group):
            raise ArgumentError("some parameters appear in more than one parameter group; leave them in one")
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
                raise ArgumentError("params: two parameters share memory; pass one of them")
