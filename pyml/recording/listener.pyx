"""A Recording hears what a step does while Python runs it: kernels, memory, tensors that change, gradients, numbers.

It puts copies in place of the arguments and Numbers in place of the numbers that the step changes, refuses at once what can
be seen not to repeat, and takes down the rest. What follows from it, when it has stopped: verdict.pyx and assembly.pyx.
"""
import dis
import enum
import sys
import types
from weakref import ref

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from numpy cimport ndarray

from contract_optim cimport optim_args

from pyml cimport _kernels
from pyml._kernels cimport EFFECT_READ, EFFECT_WRITE, csrc
from pyml.memory cimport Arena, Block, alone_on_memory
from pyml.ops.arrays cimport contiguous, copy_into
from pyml.no_gil cimport pyml_lock, pyml_mutex, pyml_unlock
from pyml.recorder cimport ArrayArgument, Recorder, Traced, close_recorder, of_thread, open_recorder
from pyml.recording.guards cimport ANY, Guards, Target, equal_values
from pyml.recording.layout cimport Span, copies_of, layout_of, span_of
from pyml.recording.pytree cimport flatten, is_bare, is_dressed_as, mapped, opened, put_back, unflatten
from pyml.recording.program cimport (
    ARGUMENT, COPIED, OUTSIDE, Effect, Gradient, Program, Result, Slot, Stop, Updating, add_gradient, copy_of, held, loses,
    without_graph,
)
from pyml.recording.allocations cimport CONSTANT, KERNEL, REWRITTEN, NewMemory, Piece
from pyml.recording.refusal cimport place, refusal_of
from pyml.recording.world cimport asked_in_c, asked_in_python, is_of_users, pickles, randomness
from pyml.tensor cimport Tensor, wrap

from pyml.ops.selection import ALL_USES, Selection
from pyml.recorder import unwatched
from pyml.recording.code import GENERATORS, of_function
from pyml.recording.dependencies import ITEM as AT_ITEM
from pyml.recording.formula import Formula, Item, Number, disguise, mathematics, worth
from pyml.recording.handlers import open_handlers
from pyml.recording.program import Computed, ItemOf, NotFinite, NumberOf
from pyml.recording.pytree import SAMPLE, Outcome
from pyml.recording.refusal import RecordError

cnp.import_array()

# the numbers of kernels
cdef int COPY = _kernels.kernel("copy")
cdef int SCALE_SEGMENTS = _kernels.kernel("scale_segments")

cdef extern from "Python.h":
    ctypedef struct PyFrameObject
    ctypedef int (*Py_tracefunc)(object, PyFrameObject *, int, PyObject *) except -1
    void PyEval_SetProfile(Py_tracefunc function, object argument)
    int PyTrace_CALL, PyTrace_C_CALL
    int PyGC_Disable()
    int PyGC_Enable()
    Py_ssize_t Py_REFCNT(PyObject *)


# Of a generator that goes on under a profiler, Python 3.11.2 leaves standing how many values its stack had, and the collector
# follows those that are gone since. So it rests while anybody listens.
cdef pyml_mutex collector
cdef int listening = 0
cdef bint collector_worked = False


cdef void rest_collector() noexcept:
    global listening, collector_worked
    pyml_lock(&collector)
    if listening == 0:
        collector_worked = PyGC_Disable()
    listening += 1
    pyml_unlock(&collector)


cdef void wake_collector() noexcept:
    global listening
    pyml_lock(&collector)
    listening -= 1
    if listening == 0 and collector_worked:
        PyGC_Enable()
    pyml_unlock(&collector)


EVENTS = ("call", "exception", "line", "return", "c_call", "c_exception", "c_return", "opcode")   # by PyTrace_...


@cython.final
cdef class Recording(Recorder):
    """Hears a step, from start() to stop(), and fills the Program with what a replay is to do."""

    def __cinit__(self, bint falls_back, dict numbers, dict hosts):
        """
        Args:
            falls_back: a refusal is kept, and not raised.
            numbers: Target.at() -> Target of the numbers that the step is known to change. New ones are added.
            hosts: what it is known to run on the host, see Reach. New ones are added.
        """
        self.program = Program()
        self.program.formula = Formula()
        self.numbers, self.hosts = numbers, hosts
        self.formula = self.program.formula
        self.memory, self.inputs, self.last_writes = NewMemory(), NewMemory(), NewMemory()
        self.program.trace.memory, self.program.trace.inputs = self.memory, self.inputs
        self.arena = self.program.arena = Arena(self)
        self.input_arguments = []
        self.input_arrays, self.staged, self.kept, self.gradients, self.changed_tensors = [], [], set(), {}, {}
        self.modules, self.steppers, self.alterations, self.places, self.made_before, self.ran = {}, [], [], {}, {}, {}
        self.traced, self.unexplained, self.fresh_numbers, self.backward_stops, self.scopes, self.lendings = [], [], [], [], [], []
        self.falls_back = falls_back

    # -- opening and closing --

    cdef int start(self, list leaves, function, list objects) except -1:
        """Listens from now on. The function is to be called with `staged` in place of `leaves`."""
        cdef Tensor t, copy
        cdef Py_ssize_t i
        cdef Target target
        self.function, self.objects = function, objects
        self.program.guards = Guards(function, objects, self.hosts)
        if self.program.guards.reach.problems and not self.program.guards.reach.may_call_host():
            self.say_problem(self.program.guards)
            if not self.falls_back:
                raise RecordError(self.refusal)
            self.staged = list(leaves)
            return 0
        self.check_arguments(leaves)
        layout = self.program.layout = layout_of(leaves)
        for i, (copy, block) in enumerate(copies_of(leaves, layout)):
            t = leaves[i]
            copy._requires_grad = t._requires_grad
            self.staged.append(copy)
            if layout[i][0] == i:
                self.add_input(block, i)
        t = copy = block = None
        self.randomness = randomness()
        for target in self.numbers.values():
            value = target.get()
            if type(value) in (int, float):
                number = self.formula.input(value)
                self.traced.append((target, value, number))
                put_silently(target, number)
        number = None
        self.scopes = disguise.open(self.program.guards.reach.scopes.values())
        if self.traced:
            mathematics.open()
            self.has_mathematics = True
        self.memory.watch_numpy()
        self.listens = True
        self.caller = sys._getframe()
        open_recorder(self)
        self.profiler = sys.getprofile()
        if self.profiler is None or isinstance(self.profiler, (types.FunctionType, types.MethodType)):
            PyEval_SetProfile(see_event, self)
        rest_collector()
        return 0

    cdef int say_problem(self, Guards guards) except -1:
        """Refuses the step for what it reaches and what cannot be compared."""
        path, what = guards.reach.problems[0]
        line = guards.reach.line_of(path)
        at = of_function(self.function, " in ") if line is None else f" at {line[0]}:{line[1]}"
        self.refusal = f"record: {what}; or use @pyml.record(unrecordable=\"eager\"){at}"
        return 0

    cdef int check_arguments(self, list leaves) except -1:
        """Arguments are copied while a step is recorded: they must not be what it reaches by another name."""
        cdef Tensor t, other
        cdef Span span, of_other
        cdef Py_ssize_t i
        tensors = dict(self.program.guards.reach.tensors)
        for module in self.program.guards.reach.modules.values():
            tensors.update({id(each): each for each in module.__dict__.values() if isinstance(each, Tensor)})
        for i in range(len(leaves)):
            t = leaves[i]
            span = span_of(t.array)
            for other in [*tensors.values(), *[(<Tensor>each)._grad for each in tensors.values()]]:
                if other is None:
                    continue
                of_other = span_of(other.array)
                if span.begin < of_other.end and of_other.begin < span.end:
                    raise RecordError(
                        f"record: argument {i}, of shape {t.shape}, is also a tensor that the step reaches by another name, "
                        "or a part of one; pass a clone")
        return 0

    cdef int stop(self) except -1:
        """Listens no more. Plain numbers are at their places again."""
        if self.listens:
            self.listens = False
            self.caller = None
            if sys.getprofile() is self:
                sys.setprofile(self.profiler)
            wake_collector()
            close_recorder()
            self.memory.unwatch_numpy()
            (<Arena>self.arena).close()
            disguise.close(self.scopes)
            self.restore_numbers()
        return 0

    cdef int close_mathematics(self) except -1:
        if self.has_mathematics:
            self.has_mathematics = False
            mathematics.close()
        return 0

    cdef int restore_numbers(self) except -1:
        """Puts plain numbers where Numbers are."""
        cdef Target target
        self.formula.close()
        self.close_mathematics()
        for target, _, _ in self.traced:
            value = target.get()
            if isinstance(value, Number):
                put_silently(target, worth(value))
        return 0

    cdef int add_input(self, ndarray array, Py_ssize_t argument) except -1:
        """Memory that is another in each replay: of an argument, or (-1) of a gradient that was there."""
        self.inputs.allocated(cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)), 0)
        self.input_arrays.append(array)
        self.input_arguments.append(argument)
        return 0

    cdef int input_of(self, const void *address) noexcept:
        """Which of the inputs an address lies in; -1: in none."""
        cdef Piece *piece = self.inputs.find(<size_t>address)
        return -1 if piece == NULL else <int>(piece - self.inputs.pieces)

    # -- what the step does --

    cdef bint is_strict(self):
        return not self.falls_back

    cdef int refuse(self, str what) except -1:
        return self.refuse_at(what, place())

    cdef int refuse_at(self, str what, tuple place) except -1:
        return self.refuse_with(refusal_of(what, place))

    cdef int refuse_with(self, str message) except -1:
        """Raises, or stops listening. The first refusal is the one that counts."""
        if self.refusal is None:
            self.refusal = message
        if not self.falls_back:
            raise RecordError(self.refusal)
        self.stop()
        return 0

    cdef int call(self, int kernel, int dtype, const void *args, size_t size) except -1:
        cdef void *copy = csrc.program_append(self.program.calls, kernel, dtype, args, size)
        if copy == NULL:
            raise MemoryError()
        if not (updates_segments(self.last_kernel) and (kernel == self.last_kernel or kernel == COPY)):
            self.last_writes.clear()
            self.last_kernel = kernel
        self.problem = False
        csrc.pyml_effects(kernel, dtype, copy, see_read, <void *>self)
        if self.problem:
            return self.refuse(f"what NumPy computed, and {csrc.pyml_kernel_name(kernel).decode()} reads,")
        self.program.trace.note(kernel, dtype, copy, place())
        csrc.pyml_effects(kernel, dtype, copy, see_write, <void *>self)
        if csrc.pyml_optimizer(kernel) != NULL:
            self.note_update(<optim_args *>copy)
        return 0

    cdef int note_update(self, optim_args *args) except -1:
        """A kernel of an optimizer was called, for the param_group that updating() was told of."""
        cdef Updating now = self.updating_now, u = Updating()
        u.update, u.group, u.state, u.rates = now.update, now.group, now.state, now.rates
        u.params = u.group["params"]
        u.parameters = list(u.params)
        u.options, u.size, u.used = <void *>args.options, args.options_size, u.update.used
        self.program.updatings.append(u)
        return 0

    cdef int keep(self, ndarray array) except -1:
        if self.input_of(cnp.PyArray_DATA(array)) >= 0 or self.in_arena(array) or id(array) in self.kept:
            return 0
        self.kept.add(id(array))
        self.program.kept.append(array)
        return 0

    cdef bint in_arena(self, ndarray array):
        """Whether it lies in the memory that the Program keeps for results."""
        base = array
        while isinstance(base, ndarray):
            base = cnp.get_array_base(<ndarray>base)
        return type(base) is Block and (<Block>base).arena is self.arena

    cdef int constant(self, ndarray array) except -1:
        cdef Piece *piece
        if cnp.PyArray_NBYTES(array) == 0:
            return 0
        piece = self.memory.find(<size_t>cnp.PyArray_DATA(array))
        if piece == NULL:
            self.memory.allocated(cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array), CONSTANT)
        else:
            piece.marks |= CONSTANT
        self.program.constants.append((array, array.tobytes()))
        self.program.trace.constants[<size_t>cnp.PyArray_DATA(array)] = self.program.constants[-1]
        return 0

    cdef int allocated(self, void *memory, size_t size) except -1:
        self.places[<size_t>memory] = place()
        self.made_before[<size_t>memory] = csrc.program_count(self.program.calls)
        return self.memory.allocated(memory, size, 0)

    cdef int freed(self, void *memory) except -1:
        self.memory.freed(memory)
        return 0

    cdef bint is_new(self, ndarray array):
        """Whether it lies in memory that the step has taken."""
        return self.memory.find(<size_t>cnp.PyArray_DATA(array)) != NULL

    cdef int changed(self, object tensor) except -1:
        cdef ndarray array = (<Tensor>tensor).array
        cdef Span span = span_of(array)
        cdef Piece *piece
        cdef Py_ssize_t i
        if cnp.PyArray_SIZE(array) == 0:
            return 0
        if not self.is_new(array) and self.input_of(cnp.PyArray_DATA(array)) < 0:
            self.changed_tensors[id(tensor)] = tensor
        for i in range(self.last_writes.count):
            piece = &self.last_writes.pieces[i]
            if piece.begin < span.end and span.begin < piece.begin + piece.size:
                return 0
        return self.refuse("a change in place that NumPy made")

    cdef int gradient(self, object tensor, bint assigned, bint accumulates) except -1:
        cdef Tensor t = tensor
        cdef Gradient g
        if self.input_of(cnp.PyArray_DATA(t.array)) >= 0:
            if not accumulates and any([t is copy for copy in self.staged]):
                return self.refuse("reading or assigning the .grad of an argument")
            return 0
        if t in self.gradients or self.is_new(t.array):
            return 0
        g = Gradient()
        g.tensor, g.assigned, g.was_none, g.input = t, assigned, t._grad is None, -1
        self.gradients[t] = g
        if assigned or t._grad is None:
            return 0
        g.shape = tuple(t._grad.shape)
        if not cnp.PyArray_ISCARRAY(t._grad.array):
            return self.refuse("a gradient that is not contiguous")
        g.input = <int>len(self.input_arrays)
        return self.add_input(t._grad.array, -1)

    cdef int backward(self, tuple outputs) except -1:
        """A run that stops at numbers that are not finite does so before weights change, also in a step that is
        recorded. Here the loss is what backward begins at."""
        cdef Tensor t
        for t in outputs if self.stops_on_nan else ():
            if cnp.PyArray_SIZE(t.array) == 1 and not np.isfinite(t.array).all():
                raise NotFinite(t.array.item())
        self.backward_stops.append(self.stop_here())
        return 0

    cdef int called(self, object module) except -1:
        self.modules[id(module)] = module
        return 0

    cdef int stepping(self, object optimizer) except -1:
        if optimizer._has_step_hooks():
            self.refuse("a step hook of an optimizer")
        if not any([optimizer is other for other in self.steppers]):
            self.steppers.append(optimizer)
        return 0

    cdef int updating(self, object update, dict group, dict state) except -1:
        self.updating_now = self.update_of(group)
        self.updating_now.update, self.updating_now.state = update, state
        return 0

    cdef int option(self, ndarray array, dict group, str name) except -1:
        cdef Updating u = self.update_of(group)
        u.option, u.parameters, u.state = name, [], {}
        u.options, u.size = cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array)
        self.program.trace.constants[<size_t>u.options] = None, name.encode()
        self.program.updatings.append(u)
        return 0

    cdef Updating update_of(self, dict group):
        """What is about to read the options of a group."""
        cdef Updating u = Updating()
        if any([stepped and has_group(scheduler, group) for scheduler, stepped in self.program.schedules]):
            self.refuse("two steps of an optimizer with a scheduler's between them")
        u.group = group
        u.rates = [(name, self.formula.output(value)) for name, value in group.items()
                   if (AT_ITEM, id(group), name) in self.numbers]
        return u

    cdef int scheduled(self, object scheduler) except -1:
        stepped = any([has_group(scheduler, (<Updating>u).group) for u in self.program.updatings])
        self.program.schedules.append((scheduler, stepped))
        return 0

    cdef int altered(self, object owner, str name, object before) except -1:
        if isinstance(owner, Tensor) and (
                self.is_new((<Tensor>owner).array) or self.input_of(cnp.PyArray_DATA((<Tensor>owner).array)) >= 0):
            return 0   # it is the step's own
        self.alterations.append((owner, name, before))
        return 0

    cdef int number(self, ndarray array, Traced number) except -1:
        if not isinstance(number, Number) or isinstance(number, Item) or number.formula is not self.formula:
            float(number)   # says what is wrong with it, or is just its value
            return 0
        self.program.trace.constants[<size_t>cnp.PyArray_DATA(array)] = array, number.word.encode()
        self.program.scalars.append((array, self.formula.output(number)))
        return 0

    cdef object item(self, object tensor):
        cdef Tensor t = tensor
        if not cnp.PyArray_ISFLOAT(t.array) and not cnp.PyArray_ISINTEGER(t.array) or cnp.PyArray_SIZE(t.array) != 1:
            self.refuse("item()")
            return t.array.item()
        return Item(self.formula, self.item_is_used, t.detach().clone(), t.array.item())   # as it is here

    cdef int located(self, object tensor, bint is_address) except -1:
        cdef ndarray array = (<Tensor>tensor).array
        if is_address and self.is_new(array) or self.input_of(cnp.PyArray_DATA(array)) >= 0:
            return self.refuse(
                "the address of an argument, or of what the step computed," if is_address
                else "of which memory an argument is a part")
        return 0

    cdef int identified(self, identity) except -1:
        """id() has been called for an object."""
        if self.asks_id:
            self.asks_id = False
            if any([identity == id(copy) for copy in self.staged]):
                self.refuse("id() of an argument")
        return 0

    def item_is_used(self):
        """Called when a step computes with a number that it read from a tensor. Whether that is still of importance."""
        if not self.listens:
            return False
        self.refuse("what Python does with an item()")
        return self.listens

    cdef int lent(self, object tensor) except -1:
        self.lendings.append(ref(tensor))
        return 0

    cdef bint is_seen(self, Tensor t) except -1:
        """Whether another Tensor has its memory: a view, or what detach() or .data gave."""
        cdef Tensor other
        if t.version is not None and Py_REFCNT(<PyObject *>t.version) > 1:
            return True
        for lending in self.lendings:
            other = lending()
            if other is not None and other.array is t.array:
                return True
        return False

    cdef bint replaced(self, object tensor, object value) except -1:
        cdef Tensor t = tensor, new = value
        if cnp.PyArray_DATA(t.array) == cnp.PyArray_DATA(new.array) and t.shape == new.shape and t.dtype == new.dtype \
                and (<object>t.array).strides == (<object>new.array).strides:
            return True   # p.data -= ...
        if self.is_new(t.array) or self.input_of(cnp.PyArray_DATA(t.array)) >= 0 or not self.is_new(new.array) \
                or t.shape != new.shape or t.dtype != new.dtype:
            self.refuse("assigning .data")
            return False
        if self.is_seen(t):   # it would have the new values, too, where Python leaves it the old ones
            self.refuse("assigning .data of a tensor whose old values a view, detach() or .data still shows")
            return False
        copy_into(t.array, new.array)
        t.mark_changed()
        return True

    def outcome(self, value):
        """What stands in a tree for a number that a replay computes."""
        cdef Result r
        if type(value) is Selection:
            self.refuse_at(ALL_USES, self.places[<size_t>cnp.PyArray_DATA(<ndarray>value._rows.array)])
        if isinstance(value, Item):
            r = Result()
            r.kind, r.array = COPIED, self.settled(value.tensor)
            if r.array is None:
                return worth(value)
            r.source = self.source_of(r.array)
            r.is_hidden = True
            self.program.results.append(r)
            return ItemOf(len(self.program.results) - 1)
        if isinstance(value, ArrayArgument):
            self.refuse("returning an argument that is a NumPy array, or giving it to pyml.host(),")
            return unwatched(value)
        if isinstance(value, Number):
            return Computed(self.formula.output(value)) if value.formula is self.formula else worth(value)
        return value

    cdef int fault(self, ndarray fault, object error) except -1:
        cdef Stop stop
        if (<int64_t *>cnp.PyArray_DATA(fault))[0] >= 0:
            return self.go_on_eagerly()
        stop = self.stop_here()
        stop.handlers = open_handlers(self.caller)
        self.program.faults.append((fault, error, stop))
        return 0

    cdef int go_on_eagerly(self) except -1:
        """An exception is about to be raised that other calls do not meet: this one is none to be replayed. What the step
        does about it, it does unheard."""
        self.is_special = True
        self.refusal = "record: this call ends by an exception"
        self.stop()
        self.call_host()
        self.program.host_calls = []
        return 0

    cdef Stop stop_here(self):
        """What Python has left behind so far, as a replay that stops here is to leave it."""
        cdef Stop stop = Stop()
        cdef Target target
        cdef Gradient g
        cdef Tensor t
        cdef Py_ssize_t i
        cdef set seen = set()
        stop.calls, stop.hosts = csrc.program_count(self.program.calls), len(self.program.host_calls)
        stop.schedules = len(self.program.schedules)
        for target, _, number in self.traced:
            seen.add(target.at())
            if target.get() is not number:
                self.leave_at(stop, target)
        for target in self.changed_places():
            if target.at() not in seen:
                seen.add(target.at())
                self.leave_at(stop, target)
        for g in self.gradients.values():
            t = g.tensor._grad
            if t is None:
                stop.gradients.append((g.tensor, None))
            elif self.is_new(t.array):
                stop.gradients.append((g.tensor, held(t.array, self.in_arena(t.array))))
        for i in range(len(self.staged)):
            t = (<Tensor>self.staged[i])._grad
            if t is not None:
                stop.argument_gradients.append((i, held(t.array, self.in_arena(t.array))))
        return stop

    cdef int leave_at(self, Stop stop, Target target) except -1:
        """Notes what a place holds now, if a replay can put it there."""
        now = target.get()
        if isinstance(now, Item):
            array = (<Tensor>now.tensor).array
            stop.puts.append((target, NumberOf(held(array, self.in_arena(array)))))
        elif isinstance(now, Number):
            stop.puts.append((target, Computed(self.formula.output(now))))
        elif isinstance(now, Tensor):
            array = (<Tensor>now).array
            if self.input_of(cnp.PyArray_DATA(<ndarray>array)) < 0:
                stop.puts.append((target, held(array, self.in_arena(array)) if self.is_new(array) else now))
        elif is_flag(now):
            stop.puts.append((target, now))
        return 0

    cdef int forget_graph(self) except -1:
        """Of the copies: a graph that they were changed into would keep memory of the step."""
        cdef Tensor copy
        for copy in self.staged:
            copy.node = None
        return 0

    cdef int forget_gone(self) except -1:
        """Gradients of tensors that the step has made on memory of others, as x.detach() is, and that are gone since."""
        cdef Py_ssize_t known
        cdef Tensor t
        cdef Stop stop
        cdef list stops = self.backward_stops + [stop for _, _, stop in self.program.faults]
        (<Arena>self.arena).take_back()
        for t in list(self.gradients):
            known = 4   # `t`, the list, the key, and the Gradient's
            for owner, *_ in self.alterations + [pair for stop in stops for pair in stop.gradients]:
                known += owner is t
            owner = None
            if Py_REFCNT(<PyObject *>t) <= known:
                del self.gradients[t]
                self.alterations = [each for each in self.alterations if each[0] is not t]
                for stop in stops:
                    stop.gradients = [pair for pair in stop.gradients if pair[0] is not t]
        return 0

    cdef int give_back(self, list leaves) except -1:
        """To the arguments: what the step did to their copies."""
        cdef Tensor t, copy
        cdef Py_ssize_t i
        for i in range(len(leaves)):
            t, copy = leaves[i], self.staged[i]
            if self.has_changed(i) or (self.refusal is not None and cnp.PyArray_ISWRITEABLE(t.array)):   # NumPy, too
                cnp.PyArray_CopyInto(t.array, copy.array)
            if copy.changes() > 0:
                t.mark_changed()
            if copy._grad is not None:
                add_gradient(t, contiguous(copy._grad.array))
            if copy._requires_grad != t._requires_grad:
                self.program.tracked.append((i, bool(copy._requires_grad)))
                t.requires_grad_(copy._requires_grad)
        return 0

    cdef bint has_changed(self, Py_ssize_t i) except -1:
        """Whether the step has written into argument i. A change through `.data` is not counted by its tensor."""
        cdef Tensor copy = self.staged[i]
        cdef Piece *piece = self.inputs.find(<size_t>cnp.PyArray_DATA(copy.array))
        return copy.changes() > 0 or (piece != NULL and bool(piece.marks & KERNEL))

    cdef object without_copies(self, value, list leaves):
        """A result with the arguments in place of their copies."""
        cdef list tensors = []
        value = mapped(opened(value, self.is_result), unwatched)
        flatten(value, tensors)
        for i in range(len(leaves)):
            tensors = [leaves[i] if t is self.staged[i] else t for t in tensors]
        return unflatten(value, iter(tensors))

    # -- the end --

    cdef int call_host(self) except -1:
        """Calls what a step has given to pyml.host(), if the step itself turned out not to be recordable."""
        self.program.computed = list(self.formula.values)
        self.program.call_host(len(self.program.host_calls))
        return 0

    cdef object returned(self, list leaves):
        """What the call that was recorded returns."""
        cdef Program p = self.program
        p.computed = list(self.formula.values)
        result = p.returned(leaves)
        p.call_host(len(p.host_calls))
        return result

    cdef object settle(self, object value):
        """What the function returned, with its Tensors where a replay can take them from. While still recording."""
        cdef list leaves = []
        cdef Result r
        cdef Gradient g
        cdef Piece *piece
        cdef Tensor t
        value = opened(value, self.is_result)
        flatten(value, leaves)
        self.settle_changes(leaves)
        leaves.clear()
        if self.refusal is not None:
            return None
        value = mapped(value, self.outcome)
        self.program.has_outcomes = has_outcomes(value)
        flatten(value, leaves)
        for t in leaves:
            r = Result()
            for i in range(len(self.staged)):
                if t is self.staged[i]:
                    r.kind, r.argument = ARGUMENT, i
                    break
            else:
                if not self.is_new(t.array) and self.input_of(cnp.PyArray_DATA(t.array)) < 0:
                    r.kind, r.tensor = OUTSIDE, t if t.node is None else without_graph(t)
                elif not is_bare(t):
                    self.refuse("returning a tensor with attributes, or of a class of its own,")
                else:
                    r.kind, r.array, r.is_lost = COPIED, self.settled(t), loses(t)
                    if r.array is not None:
                        r.source = self.source_of(r.array)
            if self.refusal is not None:
                return None
            self.program.results.append(r)
        for g in self.gradients.values():
            t = g.tensor._grad
            piece = NULL if t is None else self.memory.find(<size_t>cnp.PyArray_DATA(t.array))
            if piece != NULL and cnp.PyArray_SIZE(t.array) > 0 and not piece.marks & (KERNEL | CONSTANT):
                self.refuse(f"a gradient of shape {t.shape} that NumPy computed")
                return None
        self.program.tree = Tensor if isinstance(value, Tensor) else mapped(value, sample)
        return None

    def is_result(self, value):
        """Whether an object is one that the step has made to return it: a new one in each call."""
        return not self.program.guards.reach.knows(value)

    cdef int settle_changes(self, list results) except -1:
        """What the step has changed beside the values of tensors: numbers are computed by the formula, tensors that take
        the place of others are slots, and what is else remains unexplained. `results` are the tensors that it returns."""
        cdef Target target
        cdef set seen = {target.at() for target, _, _ in self.traced}
        self.close_mathematics()
        for target, before, number in self.traced:
            now = target.get()
            if not isinstance(now, Number) and type(now) not in (int, float, bool):
                self.unexplained.append(target)
            elif now is not number:
                self.program.effects.append(effect(target, self.formula.output(now)))
        number = now = None
        for target in self.changes():
            if target.at() in seen:
                continue
            seen.add(target.at())
            now, before = target.get(), target.before
            if isinstance(now, Tensor) and isinstance(before, Tensor):
                if is_part(now, results) or not self.settle_slot(target, before, now):
                    self.unexplained.append(target)
            elif isinstance(now, Item) and type(before) in (int, float):
                self.settle_item(target, now)
            elif type(now) in (int, float) and type(before) in (int, float):
                self.fresh_numbers.append(target)
            elif is_flag(now) and is_flag(before):
                self.program.effects.append(effect(target, self.formula.output(now)))
                self.program.flags[target.at()] = before
            elif isinstance(now, Number):
                put_silently(target, worth(now))
                (self.fresh_numbers if type(before) in (int, float) else self.unexplained).append(target)
            else:
                if isinstance(now, tuple):   # with Numbers in it, perhaps
                    put_silently(target, mapped(now, worth))
                self.unexplained.append(target)
        return 0

    cdef int settle_item(self, Target target, item) except -1:
        """A number read from a tensor that the step puts somewhere, in every step anew."""
        cdef Effect made = effect(target, -1)
        made.item = self.outcome(item)
        put_silently(target, worth(item))
        self.program.effects.append(made)
        self.program.flags[target.at()] = ANY
        return 0

    cdef list changes(self):
        """All places that the step has changed, of those that it can also read."""
        hosts = self.hosts
        cdef Guards guards = Guards(self.function, self.objects, hosts) if hosts else self.program.guards
        if guards.reach.problems:
            self.say_problem(guards)
            if not self.falls_back:
                raise RecordError(self.refusal)
            self.stop()
            return []
        of = {id(place[1]) for place in guards.reach.places} if hosts else None
        return [target for target in self.changed_places() if of is None or id((<Target>target).container) in of
                or (<Target>target).owner is not None]

    cdef list changed_places(self):
        """All places that the step has changed so far, without what a scheduler's step changes, which replays make, too."""
        cdef list found = []
        cdef set scheduled = {id(scheduler.__dict__) for scheduler, _ in self.program.schedules}
        for scheduler, _ in self.program.schedules:
            scheduled.update([id(group) for group in scheduler.optimizer.param_groups])
        for target in self.program.guards.changes():
            if id((<Target>target).container) not in scheduled:
                found.append(target)
        seen = set()
        for owner, name, before in self.alterations:
            if isinstance(owner, Tensor) or (id(owner), name) in seen or self.is_gone(owner):
                continue
            seen.add((id(owner), name))
            items = getattr(owner, "__dict__", {})
            now = items.get(name)
            if now is not before and not equal_values(now, before):
                found.append(Target(AT_ITEM, items, name, before, f"{type(owner).__name__}.{name}", owner))
        return found

    cdef bint is_gone(self, owner) except -1:
        """Whether a Module was made in the step and is not in use any more."""
        cdef Py_ssize_t known = id(owner) in self.modules
        for other, _, before in self.alterations:
            known += (other is owner) + (before is owner)
        other = before = None
        return Py_REFCNT(<PyObject *>owner) <= known + 1   # the caller's

    cdef bint settle_slot(self, Target target, Tensor before, Tensor now) except -1:
        """A tensor that takes the place of another one of its form, in every step anew."""
        cdef Slot slot
        if not is_bare(now) or not is_bare(before) or now.node is not None or now._requires_grad or before._requires_grad or not self.is_new(now.array) or \
                now.shape != before.shape or now.dtype != before.dtype or not cnp.PyArray_ISCARRAY(before.array) \
                or self.is_new(before.array) or self.input_of(cnp.PyArray_DATA(before.array)) >= 0:
            return False
        if self.is_gradient(now) or any([(<Slot>other).array is now.array for other in self.program.slots]):
            return False   # it has another name, by which it may be changed
        if not alone_on_memory(before.array) or self.is_elsewhere(before):
            self.shared = target.name   # a reason against this recording; the next call finds a tensor of the step's own
        slot = Slot()
        slot.target, slot.shape, slot.before = target, tuple(now.shape), before.array
        slot.array = self.settled(now)
        if slot.array is None:
            return False
        slot.source = self.source_of(slot.array)
        close_recorder()   # the copy is not the step's
        try:
            slot.placed = wrap(copy_of(slot.array))
            put_silently(target, slot.placed)
        finally:
            open_recorder(self)
        self.program.slots.append(slot)
        return True

    cdef bint is_elsewhere(self, Tensor t) except -1:
        """Whether the step can reach a tensor that was at a slot by another name, too."""
        cdef Py_ssize_t places = 0
        for place in self.program.guards.reach.places:
            if place[3] is t:
                places += 1
            elif type(place[3]) is tuple:
                places += sum([each is t for each in place[3]])
        for module in self.program.guards.reach.modules.values():
            places += 2 * sum([each is t for each in module.__dict__.values()])
        for slot in self.program.slots:
            places += 2 * ((<Slot>slot).before is t.array)
        return places > 1

    cdef ndarray settled(self, Tensor t):
        """The array of a result: contiguous, of the arena, written by a kernel."""
        cdef ndarray array = t.array
        cdef Piece *piece
        if cnp.PyArray_SIZE(array) == 0:
            return array.copy()
        if not self.in_arena(array) or not cnp.PyArray_ISCARRAY_RO(array) or self.is_gradient(t):
            array = (<Tensor>t.detach().clone()).array
        piece = self.memory.find(<size_t>cnp.PyArray_DATA(array))
        if piece == NULL or not piece.marks & KERNEL:
            self.refuse("returning what NumPy computed")
        return array

    cdef tuple source_of(self, ndarray array):
        """Where an array lies, in words that two recordings share."""
        cdef Piece *piece = self.memory.find(<size_t>cnp.PyArray_DATA(array))
        at = None if piece == NULL else (piece.number, <size_t>cnp.PyArray_DATA(array) - piece.begin)
        return at, array.dtype, (<object>array).shape, (<object>array).strides

    cdef bint is_gradient(self, Tensor t) except -1:
        """Whether it lies in the memory of a .grad, which may move."""
        cdef Gradient g
        cdef Piece *piece = self.memory.find(<size_t>cnp.PyArray_DATA(t.array))
        for g in self.gradients.values():
            if g.tensor._grad is not None and self.memory.find(<size_t>cnp.PyArray_DATA(g.tensor._grad.array)) == piece:
                return True
        return False

    cdef list changed_arguments(self, args, kwargs, given, list leaves):
        """Of the lists, dicts and objects that are arguments those that the step has changed: it was given others in their
        place; and of the Tensors those on which it has set something. Afterwards they are changed, too."""
        cdef list changed = []
        cdef Tensor leaf, copy
        for leaf, copy in zip(leaves, self.staged):
            if copy is not leaf and not is_dressed_as(copy, leaf):
                leaf.hooks = copy.hooks
                vars(leaf).clear()
                vars(leaf).update(vars(copy))
                changed.append(leaf)
        leaf = copy = None
        originals = {id(copy): leaf for copy, leaf in zip(self.staged, leaves)}
        put_back((args, kwargs), given, originals, changed)
        return changed

    cdef int broke_off(self, list leaves) except -1:
        """The step has raised: leaves what it has done so far."""
        self.plain_numbers()
        self.give_back(leaves)
        self.call_host()
        return 0

    cdef bint plain_numbers(self) except -1:
        """Leaves plain numbers wherever the step has put Numbers. Returns whether it had, beyond the places that it is
        known to change."""
        self.traced = [(target, before, None) for target, before, _ in self.traced]
        self.alterations = [(owner, name, worth(before)) for owner, name, before in self.alterations]
        return self.formula.kept()

    cdef dict holders(self):
        """id of a .grad -> the Gradients of the tensors that have it: several may share one."""
        cdef dict found = {}
        for g in self.gradients.values():
            found.setdefault(id((<Gradient>g).tensor._grad), []).append(g)
        return found


cdef int see_event(object recording, PyFrameObject *its_frame, int what, PyObject *argument) except -1:
    """Python's profiling, while a step is recorded: hears of calls of user code into C, and of logging."""
    cdef Recording r = recording
    frame = <object><PyObject *>its_frame
    if r.profiler is not None:
        r.profiler(frame, EVENTS[what], None if argument == NULL else <object>argument)
    if not r.listens:
        return 0
    if what == PyTrace_C_CALL and argument != NULL:
        r.pickles = r.pickles or pickles(<object>argument)
        what_is_asked = asked_in_c(<object>argument, frame)
        r.asks_id = argument == <PyObject *>id and is_of_users(frame)
        if what_is_asked is not None:
            r.refuse(what_is_asked)
    elif what == PyTrace_CALL and of_thread() is r:   # a scheduler's step is not listened to
        what_is_asked = asked_in_python(frame)
        if what_is_asked is not None:
            r.refuse(what_is_asked)
        code = frame.f_code
        if id(code) not in r.ran and not is_resumed(frame):
            r.ran[id(code)] = code, None if frame.f_back is None else frame.f_back.f_code
    return 0


cdef int RESUME = dis.opmap.get("RESUME", -1)   # of Python 3.11 and later; its argument is 0 at the begin of a function


cdef bint is_resumed(frame) except -1:
    """Whether a generator goes on that began before. The step reaches none: iterators are refused. So the collector closes
    one that is nobody's, at any line of any step."""
    code = frame.f_code
    cdef Py_ssize_t at = frame.f_lasti
    return code.co_flags & GENERATORS and at >= 0 and not (code.co_code[at] == RESUME and code.co_code[at + 1] & 3 == 0)


cdef void see_read(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    """Notes a problem if a call reads new memory that no kernel has written: NumPy has."""
    cdef Recording r = <Recording>context
    cdef Piece *piece
    if access & EFFECT_READ and r.input_of(<void *>(<size_t>field[0] - before)) < 0:
        piece = r.memory.find(<size_t>field[0] - before)
        if piece != NULL and not piece.marks & (KERNEL | CONSTANT):
            r.problem = True


cdef void see_write(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    """Marks the memory that a call writes as a kernel's."""
    cdef Recording r = <Recording>context
    cdef size_t begin = <size_t>field[0] - before
    cdef Piece *piece
    if not access & EFFECT_WRITE:
        return
    r.last_writes.allocated(<void *>begin, size, 0)
    piece = r.inputs.find(begin)
    if piece == NULL:
        piece = r.memory.find(begin)
    if piece != NULL:
        piece.marks |= KERNEL | REWRITTEN if piece.marks & CONSTANT else KERNEL


cdef Effect effect(Target target, Py_ssize_t output):
    """What a replay puts at a place: an output of the formula."""
    cdef Effect made = Effect()
    made.target, made.output = target, output
    return made


cdef bint is_part(Tensor t, list others) except -1:
    """Whether it shares memory with one of the others and is another tensor: a change of one is a change of both."""
    cdef Tensor other
    for other in others:
        if np.may_share_memory(t.array, other.array) and not (
                cnp.PyArray_DATA(t.array) == cnp.PyArray_DATA(other.array) and t.shape == other.shape
                and (<object>t.array).strides == (<object>other.array).strides):
            return True
    return False


cdef int put_silently(Target target, value) except -1:
    """Changes a place without telling anybody."""
    if target.owner is not None:
        target.container[target.key] = value
    else:
        target.put(value)
    return 0


def sample(value):
    """What stands for a value of a result in a Program."""
    return SAMPLE if isinstance(value, Tensor) else value


cdef bint has_outcomes(value):
    """Whether numbers that a replay computes are in a result."""
    found = []
    mapped(value, lambda leaf: found.append(leaf) if isinstance(leaf, Outcome) else None)
    return bool(found)


cdef bint is_flag(value):
    return value is None or type(value) in (bool, str, int, float) or isinstance(value, enum.Enum)


cdef bint has_group(scheduler, dict group) except -1:
    """Whether a param_group is one of those whose options a scheduler sets."""
    return any([group is other for other in scheduler.optimizer.param_groups])


cdef bint updates_segments(int kernel) noexcept:
    """Whether a kernel works on all parameters of a dtype in one call. Calls for other dtypes, and copies back to
    parameters that are not contiguous, may follow before any of them is said to have changed."""
    return csrc.pyml_optimizer(kernel) != NULL or kernel == SCALE_SEGMENTS
