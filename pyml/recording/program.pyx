"""A recorded step: its kernel calls, and what a replay does beside them.

That is: which .grad it assigns, which tensors it changes, which options the calls of optimizers read, what it returns.
"""
from statistics import median

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from libc.string cimport memcmp, memcpy
from numpy cimport ndarray

from contract_gather cimport index_check_args
from contract_optim cimport optim_args

from pyml cimport _kernels
from pyml._kernels cimport (
    EFFECT_READ, EFFECT_WRITE, PROGRAM_DONE, PROGRAM_FAULT, PROGRAM_NOT_FINITE, PROGRAM_NO_MEMORY, PROGRAM_TIMES,
    PYML_FLOAT32, PYML_FLOAT64, csrc, program_call, program_status, pyml_dtype_bytes,
)
from pyml.attributes cimport default_float, number_of
from pyml.dict_version cimport PYML_DICT_VERSION
from pyml.grad_mode cimport grad_enabled
from pyml.memory cimport new_array, size_bytes
from pyml.ops.optim cimport number
from pyml.recording.guards cimport Target, equal_values, same_items
from pyml.recording.layout cimport copies_of, first_of, layout_of
from pyml.recording.pytree cimport flatten, is_bare, mapped, unflatten
from pyml.recording.trace cimport FROM_BEFORE, FROM_STEP
from pyml.tensor cimport Node, Tensor, unwritable, wrap

from pyml.ops.inplace import add_
from pyml.recording.pytree import Outcome
from pyml.recording.refusal import RecordError

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)
    PyObject *PyDict_GetItemWithError(object, object) except? NULL
    PyObject *PyList_GET_ITEM(list, Py_ssize_t)

cdef extern from "contracts/callback.h":
    int CALLBACK_INTERRUPTED


cdef int INDEX_CHECK = _kernels.kernel("index_check")   # its number

cdef enum:
    MOST_DIMENSIONS = 64   # of a NumPy array


STOPPED = object()   # Program.call gives it where a replay has met an index out of range and has been undone


class NotFinite(FloatingPointError):
    """A replay was ended by Program.stop_on_nan; the number is the argument."""


@cython.final
cdef class Result:
    """One Tensor that a step returns."""


cdef class Lost(Node):
    """What stands for the graph of a Tensor that a step returns: it is the step's, so no gradient goes through it.

    Without it the gradients of a loss of this Tensor and others would be those of the others alone."""

    def _operation(self):
        return "RecordedResult"

    cdef tuple gradients(self, Tensor dy):
        raise RecordError(
            f"backward: it comes to a tensor of shape {dy.shape} that a recorded step returned, through which no gradient "
            "flows; compute the whole loss and its backward inside the step, or return the tensor detached (.detach(), or "
            "with pyml.no_grad()) if it is to be a constant")

    cdef tuple gradients_fused(self, Tensor dy):
        return self.gradients(dy)


cdef Tensor as_lost(Tensor t):
    """The Tensor, which has no graph, as one that requires grad."""
    (<Node>Lost.__new__(Lost)).connect(t, ())
    return t


cdef Tensor without_graph(Tensor t):
    """A Tensor of a graph as a step returns it."""
    return as_lost(t.detach()) if loses(t) else t.detach()


cdef bint loses(Tensor t) except -1:
    """Whether a Tensor has a graph that no backward has gone through."""
    cdef list stack = [t.node]
    cdef set seen = set()
    cdef Node node
    if t.node is None:
        return False
    while stack:
        node = stack.pop()
        if node.freed:
            return False
        seen.add(node)
        stack += [edge for edge in node.inputs if isinstance(edge, Node) and edge not in seen]
    return True


@cython.final
cdef class Effect:
    """A number or a flag that a step puts somewhere."""


@cython.final
cdef class Slot:
    """A tensor that a step puts in the place of another one."""


@cython.final
cdef class HostCall:
    """A call of a Python function that every replay makes."""


class ItemOf(Outcome):
    """The number of a result."""

    __slots__ = ()


class Computed(Outcome):
    """An output of the formula."""

    __slots__ = ()


class NumberOf(Outcome):
    """The number of a Held."""

    __slots__ = ()


@cython.final
cdef class Held:
    cdef ndarray copy(self):
        """It, in memory of its own."""
        cdef cnp.npy_intp shape[MOST_DIMENSIONS]
        cdef cnp.npy_intp strides[MOST_DIMENSIONS]
        cdef Py_ssize_t d
        if self.constant is not None:
            return self.constant.copy()
        for d in range(len(self.shape)):
            shape[d], strides[d] = self.shape[d], self.strides[d]
        return cnp.PyArray_New(
            ndarray, <int>len(self.shape), shape, number_of(self.dtype), strides, <void *>self.address, 0, 0, None
        ).copy()

    cdef void move(self, size_t begin, size_t size, size_t to):
        """What lay in some memory lies elsewhere from now on."""
        if self.constant is None and self.address - begin < size:
            self.address = self.address - begin + to


@cython.final
cdef class Stop:
    """A place in the order of the step's calls at which a replay may stop, and what Python has left behind there."""

    def __cinit__(self):
        self.puts, self.gradients, self.argument_gradients, self.handlers = [], [], [], []


@cython.final
cdef class Gradient:
    """What a step does with the .grad of a tensor."""


@cython.final
cdef class ParameterState:
    """What an optimizer keeps of a parameter, as it was at the recording."""

    cdef bint holds(self) except -1:
        """Whether it is still there, at the same place."""
        cdef Py_ssize_t i
        cdef uint64_t version = PYML_DICT_VERSION(self.values)
        cdef bint same = version == self.version and version != 0
        for i in range(len(self.tensors)):
            if not same and PyDict_GetItemWithError(self.values, self.names[i]) != PyList_GET_ITEM(self.tensors, i):
                return False
            if <PyObject *>(<Tensor>PyList_GET_ITEM(self.tensors, i)).array != PyList_GET_ITEM(self.arrays, i):
                return False
        self.version = version
        return True


@cython.final
cdef class Updating:
    """An optimizer's call: options are read anew for each replay. Or an option alone, which other calls read."""

    cdef const void *read(self, dict group) except NULL:
        """The options of a group, as the kept calls read them."""
        if self.update is None:
            self.value = number(group[self.option])
            return &self.value
        self.update.read_options(group)
        return self.update.options

    cdef bint holds(self) except -1:
        """Whether parameters and state are those of the calls. Guards look at what operations read of them."""
        if self.update is None:
            return True
        params = self.group["params"]
        return params is self.params and same_items(params, self.parameters) and self.states_hold()

    cdef bint states_hold(self) except -1:
        """Whether what the optimizer keeps of the parameters is where it was."""
        cdef ParameterState kept
        cdef uint64_t version = PYML_DICT_VERSION(self.state)
        cdef bint same = version == self.version and version != 0
        for kept in self.states:
            if not same and PyDict_GetItemWithError(self.state, kept.parameter) != <PyObject *>kept.values:
                return False
            if not kept.holds():
                return False
        self.version = version
        return True


@cython.final
cdef class Program:
    """The calls of one variant of a step: for these shapes, in this mode."""

    def __cinit__(self):
        self.calls = csrc.program_new()
        if self.calls == NULL:
            raise MemoryError()
        self.kept, self.constants, self.updatings, self.faults, self.schedules = [], [], [], [], []
        self.check_stop = None
        self.results, self.gradients, self.argument_gradients, self.changed, self.names = [], [], [], [], {}
        self.check_call = -1
        self.tracked = []
        self.numbers, self.scalars, self.effects, self.flags, self.slots, self.host_calls = [], [], [], {}, [], []
        self.trace = Trace()
        self.trace.program = self.calls
        self.made, self.next_check = 1, 2

    def __dealloc__(self):
        csrc.program_free(self.calls)

    # -- may it be replayed? --

    cdef bint takes(self, list leaves, object spec) except -1:
        """Whether arguments have the shapes and dtypes of this variant."""
        cdef Py_ssize_t i, n = len(leaves)
        cdef Tensor t
        cdef ndarray a
        if n != len(self.shapes) or self.grad_mode != grad_enabled() or self.default is not default_float() \
                or self.autocast != _kernels.autocast_enabled():
            return False
        for i in range(n):
            t = leaves[i]
            a = t.array
            if cnp.PyArray_TYPE(a) != <int>self.types[i] or t._requires_grad != <bint>self.needs_grad[i]:
                return False
            if not same_shape(a, self.shapes[i]) or first_of(leaves, i) != <Py_ssize_t>self.firsts[i]:
                return False
            if self.is_apart and not cnp.PyArray_ISCARRAY_RO(a):
                return False
        if (self.writes or not self.is_apart or self.is_due()) and layout_of(leaves) != self.layout:
            return False
        for i in range(n) if self.writes else ():
            if self.written[i] and not cnp.PyArray_ISWRITEABLE((<Tensor>leaves[i]).array):
                raise ValueError(
                    f"record: argument {i} is on read-only memory, and the step changes it; pass a clone")
        return spec is self.spec or spec == self.spec

    cdef bint fits(self) except -1:
        """Whether all else is as it was: nothing that the function would see has changed since, but values of tensors
        and options of optimizers, which replays read."""
        return self.guards.hold() and self.can_change() and self.fits_slots() and self.fits_formula() and self.fits_optimizers() \
            and self.fits_gradients()

    cdef bint can_change(self) except -1:
        """Whether what the step changes may be written; if not, Python is to say so."""
        cdef Tensor t
        for t in self.changed:
            if unwritable(t.array) is not None:
                return False
        return True

    cdef bint fits_slots(self) except -1:
        """Whether tensors of the same form are where the step replaces them."""
        cdef Slot slot
        cdef Tensor t
        for slot in self.slots:
            now = slot.target.get()
            if not isinstance(now, Tensor):
                return False
            t = now
            if not is_bare(t) or t._requires_grad or not same_shape(t.array, slot.shape) or not cnp.PyArray_ISCARRAY(t.array) \
                    or cnp.PyArray_TYPE(t.array) != cnp.PyArray_TYPE(slot.array):
                return False
        return True

    cdef bint fits_formula(self) except -1:
        """Whether Python would go on as it did, with its numbers as they are now. Computes them for the next replay."""
        if not self.computes:
            return True
        self.computed = self.formula.compute([(<Target>target).get() for target in self.numbers])
        if self.computed is None:
            self.guards.broken = "what the step decides by a number that it changes"
        return self.computed is not None

    cdef bint fits_optimizers(self) except -1:
        """Whether parameters and state are those of the calls. Gives the calls the options as they are now."""
        cdef Updating u
        for u in self.updatings:
            if not u.holds():
                return False
            self.give_options(u)
            if u.update is not None and u.update.used != u.used:
                return False
        return True

    cdef int give_options(self, Updating u) except -1:
        """Gives a call the options of the next replay, with those that the step computes."""
        cdef dict group = {**u.group, **{name: self.computed[output] for name, output in u.rates}} if u.rates else u.group
        memcpy(u.options, u.read(group), u.size)
        return 0

    cdef bint may_fit_again(self) except -1:
        """Whether parameters and state of its optimizers are still there: if they were replaced, it never fits again."""
        cdef Updating u
        if not self.guards.optimizers_hold():
            return False
        for u in self.updatings:
            if not u.states_hold():
                return False
        return True

    cdef bint fits_gradients(self) except -1:
        cdef Gradient g
        cdef Tensor now
        cdef bint may_share = False
        for g in self.gradients:
            if g.assigned:
                continue
            now = g.tensor._grad
            if g.was_none:
                if now is not None:
                    return False
            elif now is None or not same_shape(now.array, g.shape) or not cnp.PyArray_ISCARRAY(now.array) \
                    or cnp.PyArray_TYPE(now.array) != cnp.PyArray_TYPE(g.tensor.array):
                return False
            elif Py_REFCNT(<PyObject *>now) > 2 or Py_REFCNT(<PyObject *>now.array) > 2:   # `now`, g.bound: another has it
                may_share = True
        if self.first_of is None or not (may_share or self.shares):
            return True
        return self.first_of == firsts_of([g.tensor._grad.array for g in self.gradients if g.input >= 0])

    cdef bint runs_in_c(self) except -1:
        """Whether nothing but kernels, options and gradients belongs to a step."""
        cdef Result r
        cdef Gradient g
        for r in self.results:
            if r.kind == ARGUMENT or not cnp.PyArray_ISCARRAY_RO(r.array if r.kind == COPIED else r.tensor.array):
                return False
        for g in self.gradients:   # each step must find what the one before it left
            if not g.assigned and not g.kept and (g.after is not None or g.input >= 0):
                return False
        return not (
            self.tracked or self.argument_gradients or self.effects or self.slots or self.host_calls or self.numbers
            or self.has_outcomes)

    cdef Result first_number(self):
        """The first result, if it is one number."""
        cdef Result r
        for r in self.results:
            return r if r.kind == COPIED and r.array.ndim == 0 and cnp.PyArray_ISFLOAT(r.array) else None
        return None

    # -- is it still what Python does? --

    cdef bint is_due(self) noexcept:
        """Whether the next call is to be run by Python, and compared: the second, and calls 4, 16, 64, ..."""
        return self.made + 1 >= self.next_check

    cdef int confirmed(self) except -1:
        """Python has run a call, and it was the same."""
        self.made += 1
        self.next_check = 4 * self.made if self.made > 2 else 4
        return 0

    cdef str difference(self, Program other):
        """How another recording of the same variant, made later, differs from this one; None if it does not."""
        found = self.trace.difference(other.trace) or self.other_effects(other)
        if found is None:
            return None
        what, place = found
        where = "" if place is None else f" at {place[0]}:{place[1]}"
        since = "" if self.made < 2 else \
            f" Replays may have used the old value since call {self.next_check // 4 if self.next_check > 4 else 2}, " \
            f"this is call {self.made + 1} with these shapes."
        return (
            f"record: the step is not the same in every call{where}: {what}. A replay would not know; pass what changes as "
            f"an argument (a number as a 0-d tensor), or compute it from tensors.{since}")

    cdef tuple other_effects(self, Program other):
        """What is different beside the calls: results, gradients, tensors that change."""
        cdef Result r, s
        cdef Gradient g, h
        cdef Updating u, v
        if self.tree is not other.tree and flatten(self.tree, []) != flatten(other.tree, []):
            return "it returns another value of Python", None
        if len(self.results) != len(other.results):
            return "it returns another number of tensors", None
        for r, s in zip(self.results, other.results):
            if (r.kind, r.argument, r.source) != (s.kind, s.argument, s.source) or (
                    r.kind == OUTSIDE and where_it_lies(r.tensor) != where_it_lies(s.tensor)):
                return "it returns another tensor", None
        if len(self.gradients) != len(other.gradients):
            return "it leaves gradients to more or fewer tensors", None
        for g, h in zip(self.gradients, other.gradients):
            if g.tensor is not h.tensor or g.assigned != h.assigned or (g.kept, g.source) != (h.kept, h.source) or \
                    (g.taken is None) != (h.taken is None) or (g.taken is not None and g.taken.tensor is not h.taken.tensor) or (
                    not g.assigned and (g.was_none, g.input) != (h.was_none, h.input)):
                return f"it leaves the gradient of a tensor of shape {h.tensor.shape} otherwise", None
        if [where_it_lies(t) for t in self.changed] != [where_it_lies(t) for t in other.changed]:
            return "it changes other tensors", None
        if self.written != other.written:
            return "it changes other arguments", None
        for u, v in zip(self.updatings, other.updatings):
            if u.group is not v.group or u.size != v.size:
                return "its optimizers update other groups", None
            if u.rates != v.rates:
                return "it sets the options of an optimizer otherwise", None
            if not self.schedules and not u.rates and memcmp(u.options, v.options, u.size) != 0:
                return "an option of an optimizer, which the step sets itself, is another", None
        if self.formula.text() != other.formula.text() or [o for _, o in self.scalars] != [o for _, o in other.scalars]:
            return "it computes with its numbers otherwise", None
        if [where_it_goes(e) for e in self.effects] != [where_it_goes(e) for e in other.effects]:
            return "it changes other variables", None
        if [((<Slot>p).target.at(), (<Slot>p).source) for p in self.slots] != \
                [((<Slot>p).target.at(), (<Slot>p).source) for p in other.slots]:
            return "it replaces other tensors", None
        if [code_of(call) for call in self.host_calls] != [code_of(call) for call in other.host_calls]:
            return "it calls other functions on the host", None
        if [(id(each), after) for each, after in self.schedules] != [(id(each), after) for each, after in other.schedules]:
            return "other schedulers make a step in it", None
        return None

    # -- a replay --

    cdef object call(self, list leaves):
        """One replay, with arguments that it takes, if it fits. Returns what the function would, or STOPPED: nothing has
        happened, and Python is to run the step."""
        cdef list arrays = [(<Tensor>t).array for t in leaves]   # alive while calls point into them
        cdef list states = None
        cdef Stop stop
        cdef program_status status
        if self.schedules:
            states = states_of(self.schedules) if self.rewinds else None
            self.schedule(False)
            self.fits_optimizers()
        self.prepare()
        self.bind(leaves)
        status = self.replay()
        stop = self.stop_of(status)
        if stop is not None and stop.leaves_nothing:
            self.undo(states)
            self.replays -= 1
            error = self.interruption()
            if error is not None:
                raise error
            return STOPPED
        error = self.finish(status, leaves)
        if stop is not None:
            self.leave_schedules(states, stop)
        elif error is None or self.checks_at_end:
            self.schedule(True)
            self.put_effects()
        if error is None:
            self.made += 1
            result = self.returned(leaves)
        if error is None:
            self.call_host(len(self.host_calls))
            return result
        if stop is not None:
            self.call_host(stop.hosts)
        elif self.checks_at_end:
            self.call_host(len(self.host_calls))
        raise error

    cdef int undo(self, list states) except -1:
        """Takes back what a replay has done up to where it stopped.

        Args:
            states: of the schedulers before it, or None if it has not changed them."""
        csrc.program_undo(self.calls)
        if states is not None:
            rewind(states)
        return 0

    cdef int write_scalars(self) except -1:
        """Gives calls the numbers of Python that they read."""
        cdef Updating u
        for array, output in self.scalars:
            array[...] = self.computed[output]
        for u in self.updatings:
            if u.rates:
                self.give_options(u)
        return 0

    # -- does it compute what Python computed? --

    cdef list snapshot(self, list leaves):
        """Before a call that Python will run: all that the kernels read and that was there before."""
        cdef Gradient g
        cdef list outside = [(address, memory_of(address, size)) for address, size in self.trace.outside()]
        cdef list arguments = [copy for copy, _ in copies_of(leaves, self.layout)] if self.writes else list(leaves)
        cdef list gradients = [g.tensor._grad for g in self.gradients if g.input >= 0]   # some may be the same
        return [outside, arguments, [(<Tensor>copy).array for copy, _ in copies_of(gradients, layout_of(gradients))]]

    cdef str verify(self, list snapshot):
        """Replays from a snapshot what Python has just run, and compares all that it leaves. Returns what differs, or None;
        memory has then what Python has left."""
        cdef Gradient g
        cdef Result r
        cdef Slot slot
        cdef ndarray array
        outside, arguments, gradients = snapshot
        cdef list mine = [(r.array, r.source) for r in self.results if r.kind == COPIED]   # and where it lies
        mine += [(g.after.array, g.source) for g in self.gradients if g.after is not None and g.block is not None]
        mine += [(array, None) for _, array in self.argument_gradients] + [(slot.array, slot.source) for slot in self.slots]
        before = [array.tobytes() for array, _ in mine]
        after = [(address, memory_of(address, len(values))) for address, values in outside]
        for address, values in outside:
            write_memory(address, values)
        self.computed = self.formula.values
        self.write_scalars() if self.scalars else None
        self.bind(arguments)
        inputs = iter(gradients)
        kept = []
        for g in self.gradients:
            if g.input >= 0:
                array = next(inputs)
                csrc.program_bind(self.calls, g.input, cnp.PyArray_DATA(array))
                if g.kept:
                    kept.append((array, g.tensor._grad.array))
        for slot in self.slots:
            csrc.program_bind(self.calls, slot.input, cnp.PyArray_DATA(slot.before))
        cdef program_status status = self.replay()
        self.replays -= 1
        interruption = self.interruption() if status == PROGRAM_FAULT else None
        found = None
        if status != PROGRAM_DONE:
            stopped = self.own_call(csrc.program_stopped(self.calls))
            found = f"a replay stops at {self.trace.line_of(stopped)}, where Python did not"
        for address, values in after:
            if found is None and memory_of(address, len(values)) != values:
                found = self.changed_otherwise(f"a tensor{self.name_at(address)}", FROM_BEFORE, address)
            write_memory(address, values)
        if interruption is not None:
            raise interruption
        for (array, source), values in zip(mine, before) if found is None else ():
            if array.tobytes() != values:
                at = None if source is None else source[0]
                found = self.changed_otherwise("a result", FROM_STEP, <size_t>-1 if at is None else at[0])
                break
        if found is None and any([a.tobytes() != b.tobytes() for a, b in kept]):
            found = self.changed_otherwise("a gradient", FROM_STEP, <size_t>-1)
        return found

    cdef str changed_otherwise(self, str what, int kind, size_t which):
        return f"{what}{self.trace.user_of(kind, which)} is changed by something else than pyml's operations, such as NumPy"

    cdef Py_ssize_t own_call(self, Py_ssize_t call) noexcept:
        """The number of a call without the extra ones before it."""
        cdef program_call *calls = csrc.program_calls(self.calls)
        cdef Py_ssize_t i, count = 0
        for i in range(call):
            count += not calls[i].is_extra
        return count

    def name_at(self, address):
        """ " 'weight'", where a parameter lies at an address."""
        name = self.names.get(address)
        return "" if name is None else f" ({name})"

    cdef int put_effects(self) except -1:
        """Puts numbers and tensors where the step has put them."""
        cdef Effect e
        cdef Slot slot
        for e in self.effects:
            value = self.computed[e.output] if e.item is None else self.resolve(e.item)
            now = e.target.get()
            if now is not value and not equal_values(now, value):
                e.target.put(value)
        for slot in self.slots:
            slot.placed = wrap(copy_of(slot.array))
            slot.target.put(slot.placed)
            slot.bound = None
        return 0

    cdef int call_host(self, Py_ssize_t count) except -1:
        """Calls the first `count` of the functions that the step calls on the host."""
        cdef HostCall call
        cdef list calls = []   # all arguments first: a function may call the step again
        for call in self.host_calls[:count]:
            tree = unflatten(call.tree, iter([wrap(copy_of(array)) for array in call.arrays]))
            calls.append((call.function, self.resolved(tree)))
        for function, (args, kwargs) in calls:
            function(*args, **kwargs)
        return 0

    cdef object resolved(self, object value):
        """With numbers in place of what stands for them."""
        return mapped(value, self.resolve)

    def resolve(self, value):
        if isinstance(value, ItemOf):
            return (<Result>self.results[value.index]).array.item()
        if isinstance(value, NumberOf):
            return (<Held>value.index).copy().item()
        return self.computed[value.index] if isinstance(value, Computed) else value

    cdef int prepare(self) except -1:
        """Gradients where they must be. fits_optimizers() has read the options."""
        cdef Gradient g
        for g in self.gradients:
            if g.block is not None and self.must_move(g):
                self.move_gradient(g, 0, 0)
            if g.input >= 0:
                g.bound = g.tensor._grad.array
                csrc.program_bind(self.calls, g.input, cnp.PyArray_DATA(g.bound))
        for slot in self.slots:
            (<Slot>slot).bound = (<Tensor>(<Slot>slot).target.get()).array
            csrc.program_bind(self.calls, (<Slot>slot).input, cnp.PyArray_DATA((<Slot>slot).bound))
        return self.write_scalars()

    cdef bint must_move(self, Gradient g) except -1:
        """Whether the last gradient is still in use: held by somebody else, or read by this replay, which would write
        over it before. Or whether it has been moved (.data = ..., share_memory_())."""
        cdef bint is_current = g.tensor._grad is g.after
        cdef Gradient other
        cdef Py_ssize_t known = 1 + is_current
        if is_current and g.input >= 0 or cnp.get_array_base(g.after.array) is not g.block:
            return True
        for other in g.sharing:
            known += 1 + (other.tensor._grad is g.after)
        return Py_REFCNT(<PyObject *>g.after) > known or Py_REFCNT(<PyObject *>g.after.array) > 1

    cdef int move_gradient(self, Gradient g, Py_ssize_t first, Py_ssize_t first_own) except -1:
        """Gives the calls from `first` on another block in place of g's. Without extra calls that is call `first_own`."""
        cdef ndarray like = g.tensor.array   # as who has the last gradient may have given it another shape
        cdef ndarray array = new_array(like.ndim, like.shape, cnp.PyArray_TYPE(like))   # in a block of that size
        csrc.program_move(self.calls, first, g.block.memory, size_bytes(g.block.index), cnp.PyArray_DATA(array))
        self.move_held(first_own, <size_t>g.block.memory, size_bytes(g.block.index), <size_t>cnp.PyArray_DATA(array))
        g.after, g.block = wrap(array), cnp.get_array_base(array)
        for other in g.sharing:
            (<Gradient>other).after, (<Gradient>other).block = g.after, g.block
        return 0

    cdef int bind(self, list leaves) except -1:
        """Gives the calls these arguments."""
        cdef Py_ssize_t i
        cdef ndarray a
        for i in range(len(leaves)):
            if <int>self.inputs[i] >= 0:
                a = (<Tensor>leaves[i]).array
                if self.is_apart:
                    csrc.program_bind(self.calls, self.inputs[i], cnp.PyArray_DATA(a))
                else:
                    csrc.program_bind(
                        self.calls, self.inputs[i], <char *>cnp.PyArray_DATA(a) - <Py_ssize_t>self.layout[i][1])
        return 0

    cdef program_status replay(self) except *:
        cdef program_status status
        self.replays += 1
        self.is_running = True
        with nogil:
            status = csrc.program_replay(self.calls)
        self.is_running = False
        return status

    cdef object finish(self, program_status status, list leaves):
        """What is to be done when calls have run: tensors have changed, gradients are there. Where a replay has stopped, it
        leaves what Python leaves there. Returns the exception that the step ends with, or None."""
        cdef Gradient g
        cdef Tensor t
        cdef Py_ssize_t i
        cdef Stop stop = self.stop_of(status)
        if status == PROGRAM_NO_MEMORY:
            return MemoryError("no memory for a kernel's working space")
        for t in self.changed:
            t.mark_changed()
        for i in range(len(leaves)):
            if self.written[i]:
                (<Tensor>leaves[i]).mark_changed()
        for i, requires_grad in self.tracked:
            leaves[i].requires_grad_(requires_grad)
        if stop is not None:
            self.leave(stop, leaves)
        elif status == PROGRAM_DONE or self.checks_at_end:
            for g in self.gradients:
                if not g.kept:
                    g.tensor._grad = g.after if g.taken is None else g.taken.tensor._grad
                elif g.tensor._grad is not None:
                    g.tensor._grad.mark_changed()
            for i, array in self.argument_gradients:
                add_gradient(leaves[i], array)
        if status == PROGRAM_FAULT:
            return self.fault()
        if status == PROGRAM_NOT_FINITE:
            return NotFinite(self.check.copy().item())
        return None

    cdef Stop stop_of(self, program_status status):
        """Where a replay has stopped. None: at the end, or where nothing is known to be left."""
        if status == PROGRAM_NOT_FINITE:
            return self.check_stop
        if status == PROGRAM_FAULT:
            return self.stopped_at()[2]
        return None

    cdef tuple stopped_at(self):
        """Of the faults the one that stopped the replay."""
        for each in self.faults:
            if csrc.program_fault(self.calls) == cnp.PyArray_DATA(<ndarray>each[0]):
                return each
        raise IndexError("record: an index is out of range")

    cdef object fault(self):
        """The exception of the call that stopped the replay."""
        cdef program_call *call = &csrc.program_calls(self.calls)[csrc.program_stopped(self.calls)]
        fault, error, _ = self.stopped_at()
        if call.kernel != INDEX_CHECK:
            return error()
        position = int((<ndarray>fault).item())
        return error(position, (<index_check_args *>call.args).index[position])

    cdef object interruption(self):
        """Of a replay that was stopped and undone: the exception that Python's run of the step would not meet, or None."""
        cdef program_call *call = &csrc.program_calls(self.calls)[csrc.program_stopped(self.calls)]
        if call.kernel == INDEX_CHECK:
            return None
        error = self.fault()
        return error if csrc.program_fault(self.calls)[0] == CALLBACK_INTERRUPTED else None

    cdef int leave(self, Stop stop, list leaves) except -1:
        """What Python leaves at a place: gradients, numbers and tensors."""
        cdef Tensor t
        cdef Target target
        for t, value in stop.gradients:
            t._grad = None if value is None else wrap((<Held>value).copy())
        for i, value in stop.argument_gradients:
            add_gradient(leaves[i], (<Held>value).copy())
        for target, value in stop.puts:
            value = wrap((<Held>value).copy()) if isinstance(value, Held) else self.resolve(value)
            now = target.get()
            if now is not value and not equal_values(now, value):
                target.put(value)
        return 0

    cdef int leave_schedules(self, list states, Stop stop) except -1:
        """Of the schedulers, of which some have made their steps before the replay: where they are at a place.

        Args:
            states: of before the replay, or None if the place is behind all that were made."""
        if states is not None:
            rewind(states)
        for scheduler, is_after in self.schedules[:stop.schedules]:
            if is_after or states is not None:
                scheduler.step()
        return 0

    cdef list stops(self):
        """All places at which a replay may stop."""
        return [stop for _, _, stop in self.faults] + ([] if self.check_stop is None else [self.check_stop])

    cdef int move_held(self, Py_ssize_t first, size_t begin, size_t size, size_t to) except -1:
        """What lay in some memory lies elsewhere from call `first` on."""
        cdef Stop stop
        for stop in self.stops():
            for _, value in stop.puts + stop.gradients + stop.argument_gradients if stop.calls > first else ():
                value = value.index if isinstance(value, NumberOf) else value
                if isinstance(value, Held):
                    (<Held>value).move(begin, size, to)
        if self.check is not None and first == 0:   # else it was there before
            self.check.move(begin, size, to)
        return 0

    cdef int stop_on_nan(self, bint on) except -1:
        """Ends replays as soon as the first result is there and is one number that is not finite."""
        if not on or self.check is None:
            csrc.program_check(self.calls, -1, NULL, 0)
        else:
            csrc.program_check(self.calls, self.check_call, <void *>self.check.address,
                          PYML_FLOAT32 if self.check.dtype == np.float32 else PYML_FLOAT64)
        return 0

    cdef int complete_stops(self) except -1:
        """When it is known which schedulers make their steps before the replay."""
        cdef Stop stop
        for stop in self.stops():
            undone = self.schedules if stop.leaves_nothing else self.schedules[stop.schedules:]
            self.rewinds |= any([not is_after for _, is_after in undone])
        return 0

    cdef int schedule(self, bint after) except -1:
        for scheduler, is_after in self.schedules:
            if is_after == after:
                scheduler.step()
        return 0

    cdef Tensor placed(self, ndarray array):
        """The tensor that was put into the slot which an array is for; None if it is for none. A step that returns what
        it puts there returns the same object."""
        cdef Slot slot
        for slot in self.slots:
            if slot.array is array:
                return slot.placed
        return None

    cdef object returned(self, list leaves):
        cdef Result r
        cdef list tensors = []
        for r in self.results:
            if r.is_hidden:
                continue
            if r.kind == COPIED:
                placed = self.placed(r.array)
                if placed is None:
                    placed = as_lost(wrap(copy_of(r.array))) if r.is_lost else wrap(copy_of(r.array))
                tensors.append(placed)
            else:
                tensors.append(leaves[r.argument] if r.kind == ARGUMENT else r.tensor)
        if self.tree is Tensor:
            return tensors[0]
        return unflatten(self.resolved(self.tree) if self.has_outcomes else self.tree, iter(tensors))

    # -- what it takes --

    cdef list plan(self):
        """(kernel, calls, floating-point operations, bytes, median of nanoseconds or NaN) of each call; those of a chain are
        one, of kernels with a + between them, and so is a product with the update that stands behind it in a run, whose work
        counts there and not with the rest of the optimizer's."""
        cdef program_call *calls = csrc.program_calls(self.calls)
        cdef Traffic traffic
        cdef optim_args one
        cdef double fused_bytes = 0, flops, work
        cdef int is_written
        cdef Py_ssize_t i = 0, k, count, update
        cdef dict moved = {}  # of each optimizer's call: what is made behind products
        cdef Py_ssize_t timed = min(csrc.program_timed(self.calls), PROGRAM_TIMES)
        cdef list rows = [], names
        while i < csrc.program_count(self.calls):
            count = csrc.program_fused(self.calls, i, &fused_bytes)
            traffic.bytes, flops, names = 0, 0, []
            for k in range(i, i + count):
                if calls[k].is_extra:
                    continue
                names.append(csrc.pyml_kernel_name(calls[k].kernel).decode())
                flops += csrc.pyml_effects(calls[k].kernel, calls[k].dtype, calls[k].args, add_traffic, &traffic)
            if not calls[i].is_extra:
                nanoseconds = median([calls[i].ns[k] for k in range(timed)]) if timed else float("nan")
                shown = list(dict.fromkeys(names)) if len(set(names)) > 1 else names[:2]
                size = fused_bytes if count > 1 else traffic.bytes
                update = csrc.program_behind(self.calls, i, &one, &is_written)
                if update >= 0:
                    shown.append(csrc.pyml_kernel_name(calls[update].kernel).decode())
                    traffic.bytes = 0
                    work = csrc.pyml_effects(calls[update].kernel, calls[update].dtype, &one, add_traffic, &traffic)
                    flops += work
                    size += traffic.bytes
                    if not is_written:  # nor read
                        size -= 2 * one.segments.n * pyml_dtype_bytes(calls[update].dtype)
                    work_before, size_before = moved.get(update, (0, 0))
                    moved[update] = work_before + work, size_before + traffic.bytes
                work_moved, size_moved = moved.get(i, (0, 0))
                rows.append(("+".join(shown), len(names), flops - work_moved, size - size_moved, nanoseconds))
            i += count
        return rows


cdef list firsts_of(list arrays):
    """Of each array which is the first with the same memory. None for less than two."""
    cdef dict first = {}
    if len(arrays) < 2:
        return None
    return [first.setdefault(<size_t>cnp.PyArray_DATA(<ndarray>array), i) for i, array in enumerate(arrays)]


cdef Held held(ndarray array, bint in_arena):
    """What an array has now, in the program's memory or as a constant."""
    cdef Held made = Held()
    if in_arena:
        made.address, made.dtype = <size_t>cnp.PyArray_DATA(array), array.dtype
        made.shape, made.strides = (<object>array).shape, (<object>array).strides
    else:
        made.constant = array.copy()
    return made


cdef list states_of(list schedules):
    """(scheduler, its state, its groups' options), to begin again from there."""
    return [(scheduler, scheduler.state_dict(), [options_of(group) for group in scheduler.optimizer.param_groups])
            for scheduler, _ in schedules]


cdef int rewind(list states) except -1:
    """Puts schedulers and their optimizers' options back."""
    for scheduler, state, saved in states:
        scheduler.load_state_dict(state)
        for group, options in zip(scheduler.optimizer.param_groups, saved):
            for name, value in options.items():
                if isinstance(group.get(name), Tensor):
                    group[name].copy_(wrap(value))
                else:
                    group[name] = value
    return 0


cdef dict options_of(dict group):
    """All options of a group; of a Tensor its value."""
    return {name: (<Tensor>value).array.copy() if isinstance(value, Tensor) else value
            for name, value in group.items() if name != "params"}


cdef tuple where_it_goes(Effect e):
    return e.target.at(), e.output, None if e.item is None else e.item.index


cdef bytes memory_of(size_t address, Py_ssize_t size):
    return (<char *>address)[:size]


cdef int write_memory(size_t address, bytes values) except -1:
    """Only where it differs: it may be read-only."""
    if (<char *>address)[:len(values)] != values:
        memcpy(<void *>address, <const char *>values, len(values))
    return 0


cdef tuple where_it_lies(Tensor t):
    return <size_t>cnp.PyArray_DATA(t.array), t.shape, (<object>t.array).strides


cdef object code_of(HostCall call):
    """What a call on the host is, to compare it: its arguments, as far as they are the same in each step."""
    function = getattr(call.function, "__func__", call.function)
    return getattr(function, "__code__", type(function)), flatten(call.tree, [])


cdef struct Traffic:
    double bytes


cdef void add_traffic(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef Traffic *traffic = <Traffic *>context
    traffic.bytes += <double>size * ((access & EFFECT_READ != 0) + (access & EFFECT_WRITE != 0))


cdef ndarray copy_of(ndarray a):
    """A contiguous array's values in memory of the pool."""
    cdef ndarray copy = new_array(a.ndim, a.shape, cnp.PyArray_TYPE(a))
    memcpy(cnp.PyArray_DATA(copy), cnp.PyArray_DATA(a), cnp.PyArray_NBYTES(a))
    return copy


cdef int add_gradient(Tensor t, ndarray array) except -1:
    """What a step adds to the .grad of an argument."""
    cdef Tensor grad = wrap(copy_of(array))
    if t._grad is None:
        t._grad = grad
    else:
        add_(t._grad, grad)
    return 0


cdef bint same_shape(ndarray a, tuple shape) except -1:
    cdef Py_ssize_t d, n = len(shape)
    if a.ndim != n:
        return False
    for d in range(n):
        if a.shape[d] != <Py_ssize_t>shape[d]:
            return False
    return True


cdef Program find(list programs, list leaves, spec):
    cdef Py_ssize_t i
    cdef Program p
    for i in range(len(programs)):
        p = programs[i]
        if not p.takes(leaves, spec):
            continue
        if p.fits():
            if i > 0:
                programs.insert(0, programs.pop(i))
            return p
    return None
