"""A recording: listens to a step while it runs, and makes a Program of it."""
import builtins
import contextvars
import enum
import gc
import genericpath
import importlib
import inspect
import io
import os
import pathlib
import random
import sys
import threading
import time
import types

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray

from kernel_arguments cimport optim_args

from pyml cimport _kernels
from pyml._kernels cimport (
    FOOTPRINT_READ, FOOTPRINT_WRITE, kernel_name, optimizer_of, program_append, program_call, program_calls, program_count,
    program_input, program_restore, visit_footprint,
)
from pyml.memory cimport Arena, Block, owns_memory, size_bytes
from pyml.ops.arrays cimport contiguous, copy_into
from pyml.recorder cimport ArrayArgument, Recorder, Traced, close_recorder, of_thread, open_recorder
from pyml.recording.diagnostics cimport Diagnosis
from pyml.recording.guards cimport ANY, Guards, Target, equal_values
from pyml.recording.layout cimport Span, copies_of, first_of, layout_of, span_of
from pyml.recording.nest cimport flatten, mapped, opened, put_back, unflatten
from pyml.recording.program cimport (
    ARGUMENT, COPIED, OUTSIDE, Effect, Gradient, HostCall, ParameterState, Program, Result, Slot, Stop, Updating,
    add_gradient, copy_of, firsts_of, held,
)
from pyml.recording.provenance cimport CONSTANT, KERNEL, NUMPY, REWRITTEN, NewMemory, Piece
from pyml.tensor cimport Tensor, grad_enabled, wrap

from pyml.ops.selection import ALL_USES, Selection
from pyml.recorder import unwatched
from pyml.recording.dependencies import ITEM as AT_ITEM
from pyml.recording.dependencies import code_of, described, is_installed, is_library, is_library_class
from pyml.recording.formula import Formula, Item, Number, disguise, mathematics, worth
from pyml.recording.nest import SAMPLE, Outcome
from pyml.recording.program import Computed, ItemOf, NotFinite, NumberOf

cnp.import_array()

# the numbers of kernels
cdef int COPY = _kernels.kernel("copy")
cdef int SCALE_SEGMENTS = _kernels.kernel("scale_segments")

cdef extern from "Python.h":
    ctypedef int (*Py_tracefunc)(object, object, int, PyObject *) except -1
    void PyEval_SetProfile(Py_tracefunc function, object argument)
    int PyTrace_CALL, PyTrace_C_CALL
    Py_ssize_t Py_REFCNT(PyObject *)


class RecordError(RuntimeError):
    """A step has something in it that cannot be recorded."""


def randomness():
    """What the generators of Python and NumPy would draw next."""
    of_numpy = sys.modules.get("numpy.random")   # to import it takes longer than most recordings
    if of_numpy is None:
        return random.getstate(), None
    kind, keys, *rest = of_numpy.get_state()
    return random.getstate(), (kind, keys.tobytes(), rest)


WORLD = {id(function) for function in (
    print, input, os.urandom, time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter,
    time.perf_counter_ns, time.process_time, time.process_time_ns, time.sleep,
    # what they read is not compared before a replay
    builtins.eval, builtins.exec, builtins.globals, builtins.__import__, io.open, os.access, os.getcwd, os.listdir,
    os.lstat, os.scandir, os.stat,
    sys._getframe, sys.getrecursionlimit, sys.getrefcount, gc.get_objects, gc.get_referrers, contextvars.copy_context)}
WORLD.update(id(function.__code__) for function in (
    importlib.import_module, inspect.currentframe, inspect.stack, np.geterr, threading.current_thread)
    if hasattr(function, "__code__"))
PATHS = frozenset(   # os.path.exists() calls os.stat()
    function.__code__.co_filename for function in (genericpath.exists, os.path.realpath, pathlib.Path.exists))


LEVELS = frozenset(("debug", "info", "warning", "warn", "error", "critical", "exception", "log"))
LOGGING = os.path.join(os.path.dirname(os.__file__), "logging") + os.sep


EVENTS = ("call", "exception", "line", "return", "c_call", "c_exception", "c_return", "opcode")
NAMES = frozenset(("now", "utcnow", "today", "write", "writelines"))


cdef bint asks_the_world(function) except -1:
    """Whether a function of C tells the time, prints or the like, which a replay would not do again."""
    return id(function) in WORLD or (getattr(function, "__name__", None) in NAMES and hasattr(function, "__self__")) and (
        isinstance(function.__self__, io.IOBase) or getattr(function.__self__, "__module__", None) == "datetime")


cdef bint is_of_users(frame) except -1:
    """Whether it is not installed software that calls something."""
    while frame is not None and frame.f_code.co_filename in PATHS:
        frame = frame.f_back
    return frame is not None and not is_installed(frame.f_code.co_filename)


def place():
    """The line of the user's code that runs: (file, line)."""
    first = sys._getframe()
    frame = first
    while frame is not None and is_installed(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:   # all of it is installed software
        frame = first
        while frame is not None and is_library(frame.f_code):
            frame = frame.f_back
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def place_of(error):
    """The line of the user's code that an exception came from: (file, line)."""
    found, traceback = ("?", 0), error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not is_installed(file) and not file.endswith(".pyx"):   # compiled: a name from where it was built
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def refusal_of(what, place):
    """The message of a RecordError."""
    file, line = place
    return (
        f"record: {what} at {file}:{line} cannot be recorded: a replay would not compute it anew; "
        "move it out of the step, call it by pyml.host(function, ...), or use @pyml.record(unrecordable=\"eager\")"
    )


@cython.final
cdef class Recording(Recorder):
    """Listens to a step, and makes a Program of it."""

    def __cinit__(self, bint falls_back, dict numbers, dict hosts):
        """
        Args:
            falls_back: a refusal is kept, and not raised.
            numbers: Target.at() -> Target of the numbers that the step is known to change. New ones are added.
            hosts: what it is known to run on the host, see Reach. The same.
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
        self.modules, self.steppers, self.alterations, self.places, self.births, self.ran = {}, [], [], {}, {}, {}
        self.traced, self.unexplained, self.fresh_numbers, self.backward_stops, self.scopes = [], [], [], [], []
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
        open_recorder(self)
        self.profiler = sys.getprofile()
        if self.profiler is None or isinstance(self.profiler, (types.FunctionType, types.MethodType)):
            PyEval_SetProfile(see_event, self)
        return 0

    cdef int say_problem(self, Guards guards) except -1:
        """Refuses the step for what it reaches and what cannot be compared."""
        path, what = guards.reach.problems[0]
        line = guards.reach.line_of(path)
        at = "" if line is None else f" at {line[0]}:{line[1]}"
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
            for other in [*tensors.values(), *[each.grad for each in tensors.values() if each.grad is not None]]:
                of_other = span_of(other.array)
                if span.begin < of_other.end and of_other.begin < span.end:
                    raise RecordError(
                        f"record: argument {i}, of shape {t.shape}, is also a tensor that the step reaches by another name, or "
                        "a part of one; pass a clone")
        return 0

    cdef int stop(self) except -1:
        if self.listens:
            self.listens = False
            if sys.getprofile() is self:
                sys.setprofile(self.profiler)
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
        self.inputs.born(cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)), 0)
        self.input_arrays.append(array)
        self.input_arguments.append(argument)
        return 0

    cdef int input_of(self, const void *address) noexcept:
        cdef Piece *piece = self.inputs.find(<size_t>address)
        return -1 if piece == NULL else <int>(piece - self.inputs.pieces)

    # -- what the step does --

    cdef bint is_strict(self):
        return not self.falls_back

    cdef int refuse(self, str what) except -1:
        return self.refuse_at(what, place())

    cdef int refuse_at(self, str what, tuple place) except -1:
        if self.refusal is None:
            self.refusal = refusal_of(what, place)
        if not self.falls_back:
            raise RecordError(self.refusal)
        self.stop()
        return 0

    cdef int call(self, int kernel, int dtype, const void *args, size_t size) except -1:
        cdef void *copy = program_append(self.program.calls, kernel, dtype, args, size)
        if copy == NULL:
            raise MemoryError()
        if not (updates_segments(self.last_kernel) and (kernel == self.last_kernel or kernel == COPY)):
            self.last_writes.clear()
            self.last_kernel = kernel
        self.problem = False
        visit_footprint(kernel, dtype, copy, see_read, <void *>self)
        if self.problem:
            return self.refuse(f"what NumPy computed, and {kernel_name(kernel).decode()} reads,")
        self.program.trace.note(kernel, dtype, copy, place())
        visit_footprint(kernel, dtype, copy, see_write, <void *>self)
        if optimizer_of(kernel) != NULL:
            self.note_update(<optim_args *>copy)
        return 0

    cdef int note_update(self, optim_args *args) except -1:
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
            self.memory.born(cnp.PyArray_DATA(array), cnp.PyArray_NBYTES(array), CONSTANT)
        else:
            piece.marks |= CONSTANT
        self.program.constants.append((array, array.tobytes()))
        self.program.trace.constants[<size_t>cnp.PyArray_DATA(array)] = self.program.constants[-1]
        return 0

    cdef int lasting(self, ndarray array) except -1:
        self.memory.died(cnp.PyArray_DATA(array))
        return 0

    cdef int born(self, void *memory, size_t size) except -1:
        self.places[<size_t>memory] = place()
        self.births[<size_t>memory] = program_count(self.program.calls)
        return self.memory.born(memory, size, 0)

    cdef int died(self, void *memory) except -1:
        self.memory.died(memory)
        return 0

    cdef bint is_new(self, ndarray array):
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
        g.shape = t._grad.shape
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
        if optimizer._step_pre_hooks or optimizer._step_post_hooks:
            self.refuse("a step hook of an optimizer")
        if not any([optimizer is other for other in self.steppers]):
            self.steppers.append(optimizer)
        return 0

    cdef int updating(self, object update, dict group, dict state) except -1:
        if any([stepped and has_group(scheduler, group) for scheduler, stepped in self.program.schedules]):
            self.refuse("two steps of an optimizer with a scheduler's between them")
        self.updating_now = Updating()
        self.updating_now.update, self.updating_now.group, self.updating_now.state = update, group, state
        self.updating_now.rates = [(name, self.formula.output(value)) for name, value in group.items()
                                   if (AT_ITEM, id(group), name) in self.numbers]
        return 0

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

    def item_is_used(self):
        """Called when a step computes with a number that it read from a tensor. Whether that is still of importance."""
        if not self.listens:
            return False
        self.refuse("what Python does with an item()")
        return self.listens

    cdef bint replaced(self, object tensor, object value) except -1:
        cdef Tensor t = tensor, new = value
        if cnp.PyArray_DATA(t.array) == cnp.PyArray_DATA(new.array) and t.shape == new.shape and t.dtype == new.dtype \
                and (<object>t.array).strides == (<object>new.array).strides:
            return True   # p.data -= ...
        if self.is_new(t.array) or self.input_of(cnp.PyArray_DATA(t.array)) >= 0 or not self.is_new(new.array) \
                or t.shape != new.shape or t.dtype != new.dtype:
            self.refuse("assigning .data")
            return False
        copy_into(t.array, new.array)
        t.mark_changed()
        return True

    def host(self, function, args, kwargs):
        """Keeps a call of a function that every replay makes, too. It is made when the step's kernels have run."""
        cdef HostCall call = HostCall()
        cdef Tensor t
        cdef list leaves = []
        if holds_numbers(function):
            self.refuse("a number of the step that a function for pyml.host() has from its closure or defaults (pass it "
                        "as an argument)")
        call.function = function
        nest = mapped((args, kwargs), self.outcome)
        flatten(nest, leaves)
        call.nest = unflatten(nest, iter([SAMPLE] * len(leaves)))
        call.arrays = []
        for t in leaves:
            call.arrays.append(self.settled(wrap(t.array).clone()))
        self.program.host_calls.append(call)
        self.add_host(function)

    cdef int add_host(self, function) except -1:
        """What is called on the host is no part of the step: code, or the object that is the method's."""
        code, owner = code_of(function), getattr(function, "__self__", None)
        if code is not None and not is_library(code):
            self.hosts[code] = None
        if owner is not None and is_library_class(type(owner)):
            self.hosts[id(owner)] = owner, function.__name__
        return 0

    def outcome(self, value):
        """What stands in a nest for a number that a replay computes."""
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

    cdef int fault(self, ndarray fault, ndarray index, object error) except -1:
        self.program.faults.append((fault, error, self.stop_here()))
        return 0

    cdef Stop stop_here(self):
        """What Python has left behind so far, as a replay that stops here is to leave it."""
        cdef Stop stop = Stop()
        cdef Target target
        cdef Gradient g
        cdef Tensor t
        cdef Py_ssize_t i
        cdef set seen = set()
        stop.calls, stop.hosts = program_count(self.program.calls), len(self.program.host_calls)
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
        """Of a step that turned out not to be recordable: what it has already called on the host."""
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
        self.settle_changes()
        if self.refusal is not None:
            return None
        value = mapped(opened(value, self.is_result), self.outcome)
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
                    r.kind, r.tensor = OUTSIDE, t if t.node is None else t.detach()
                else:
                    r.kind, r.array = COPIED, self.settled(t)
                    if r.array is not None:
                        r.source = self.source_of(r.array)
            if self.refusal is not None:
                return None
            self.program.results.append(r)
        for g in self.gradients.values():
            t = g.tensor._grad
            piece = NULL if t is None else self.memory.find(<size_t>cnp.PyArray_DATA(t.array))
            if piece != NULL and not piece.marks & (KERNEL | CONSTANT):
                self.refuse(f"a gradient of shape {t.shape} that NumPy computed")
                return None
        self.program.nest = Tensor if isinstance(value, Tensor) else mapped(value, sample)
        return None

    def is_result(self, value):
        """Whether an object is one that the step has made to return it: a new one in each call."""
        return not self.program.guards.reach.knows(value)

    cdef int settle_changes(self) except -1:
        """What the step has changed beside the values of tensors: numbers are computed by the formula, tensors that take
        the place of others are slots, and what is else remains unexplained."""
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
                if not self.settle_slot(target, before, now):
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
        scheduled.update([id(group) for scheduler, _ in self.program.schedules for group in scheduler.optimizer.param_groups])
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
        if now.node is not None or now._requires_grad or before._requires_grad or not self.is_new(now.array) or \
                now.shape != before.shape or now.dtype != before.dtype or not cnp.PyArray_ISCARRAY(before.array) \
                or self.is_new(before.array) or self.input_of(cnp.PyArray_DATA(before.array)) >= 0:
            return False
        if self.is_gradient(now) or any([(<Slot>other).array is now.array for other in self.program.slots]):
            return False   # it has another name, by which it may be changed
        if not owns_memory(before.array) or self.is_elsewhere(before):
            self.shared = target.name   # the next call begins with a tensor of the step's own
        slot = Slot()
        slot.target, slot.shape, slot.before = target, now.shape, before.array
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

    cdef bint complete(self, list leaves) except -1:
        """Makes the Program whole. After stop(), when the function's own objects are gone. False: it cannot be kept."""
        cdef Program p = self.program
        for t in leaves:
            if any([np.may_share_memory((<Tensor>t).array, (<Tensor>other).array) for other in self.changed_tensors.values()]):
                raise RecordError(
                    f"record: an argument of shape {t.shape} is also a tensor that the step reaches by another name and "
                    "changes; pass a clone")
        if self.has_altered() or self.has_leaked():
            return False
        p.shapes = [t.shape for t in leaves]
        p.firsts = [first_of(leaves, i) for i in range(len(leaves))]
        p.types = [cnp.PyArray_TYPE((<Tensor>t).array) for t in leaves]
        p.needs_grad = [bool((<Tensor>t)._requires_grad) for t in leaves]
        for i, requires_grad in p.tracked:
            p.needs_grad[i] = not requires_grad
        p.grad_mode = grad_enabled()
        p.changed = list(self.changed_tensors.values())
        self.complete_names()
        p.diagnosis = Diagnosis()
        p.diagnosis.calls = p.calls
        p.diagnosis.insert(p.names)
        self.complete_constants()
        self.complete_inputs(leaves)   # when all calls are there
        self.complete_check()
        self.complete_gradients()
        self.complete_updates()
        p.complete_stops()
        return self.complete_guards()

    cdef bint is_passing(self, module) except -1:
        """Whether a Module that was called is gone."""
        return Py_REFCNT(<PyObject *>module) <= 2 + sum([owner is module for owner, _, _ in self.alterations])

    cdef bint complete_guards(self) except -1:
        cdef Target target
        cdef Slot slot
        cdef dict effects = dict(self.program.flags)
        for target, _, _ in self.traced:
            self.program.numbers.append(target)
            effects[target.at()] = ANY
        for slot in self.program.slots:
            effects[slot.target.at()] = ANY
        modules = [module for module in self.modules.values() if not self.is_passing(module)]
        self.program.guards.complete(modules, self.steppers, effects)
        code = self.program.guards.strayed(self.ran)
        if code is not None:
            what, cure = ("as well as pyml.host(), whose functions guards leave out", "make a function of its own for one of them") \
                if code in self.hosts else ("in a way in which guards do not find it", "call it by its name")
            self.refusal = (
                f"record: the step calls {described(code)} {what}, so that changes "
                f"of what it reads would not be seen; {cure}, or use @pyml.record(unrecordable=\"eager\")")
            return False
        self.program.computes = self.formula.asks()
        return True

    cdef list changed_arguments(self, args, kwargs, given, list leaves):
        """Of the lists, dicts and objects that are arguments those that the step has changed: it was given others in their
        place. Afterwards they are changed, too."""
        cdef list changed = []
        originals = {id(copy): leaf for copy, leaf in zip(self.staged, leaves)}
        put_back((args, kwargs), given, originals, changed)
        return changed

    cdef int refuse_changed(self, changed) except -1:
        """Says so if the step has changed an argument that a replay would not change."""
        code = code_of(self.function)
        of = "" if code is None else f" {described(code)}"
        self.refusal = (
            f"record: the step{of} changes a {type(changed).__name__} that is an argument, and a replay would not; return what "
            "it puts there, or put it there outside of the step")
        if not self.falls_back:
            raise RecordError(self.refusal)
        return 0

    cdef int broke_off(self, list leaves) except -1:
        """The step has raised: leaves what it has done so far."""
        self.plain_numbers()
        self.give_back(leaves)
        self.call_host()
        return 0

    cdef str no_stand_in(self, error):
        """In words, that a function does not take what stands for a number."""
        file, line = place_of(error)
        return (
            f"record: a number that the step changes or reads from a tensor, at {file}:{line}, cannot be recorded: while a step is "
            f"recorded, something else stands for the number, which the function there does not take ({error}); pass "
            "int(...) or float(...) of a counter, or call it by pyml.host(function, ...)")

    cdef bint plain_numbers(self) except -1:
        """Leaves plain numbers wherever the step has put Numbers. Returns whether it had, beyond the places that it is
        known to change."""
        self.traced = [(target, before, None) for target, before, _ in self.traced]
        self.alterations = [(owner, name, worth(before)) for owner, name, before in self.alterations]
        return self.formula.kept()

    cdef str cure_of(self, Target target):
        """What to do about a place that a replay would not change."""
        now = target.get()
        if isinstance(now, np.generic):
            return f"it is an np.{type(now).__name__}: make it a number of Python, int(...) or float(...)"
        if isinstance(now, Tensor) and not self.is_new((<Tensor>now).array):
            return "it keeps an argument there, or a tensor that was there before: keep a copy, .clone()"
        return "return the value, change it outside of the step, or run that part by pyml.host(function, ...)"

    cdef bint has_altered(self) except -1:
        """Whether the function has changed what it depends on, in a way that a replay would not."""
        cdef set seen = set()
        cdef Target target
        cdef bint keeps_numbers = self.plain_numbers()
        drawn = self.program.guards.drawn()
        if drawn is None and self.randomness != randomness():
            drawn = "Python or NumPy", self.program.guards.line_of("random")
        if drawn is not None:
            name, line = drawn
            at = "" if line is None else f" at {line[0]}:{line[1]}"
            self.refusal = (
                f"record: the step draws random numbers of {name}{at}, and a replay would not draw new ones; "
                "draw them from pyml, or outside of the step")
            return True
        for target in self.unexplained:
            self.refusal = (
                f"record: the step changes {target.name!r}{self.program.guards.where(target)}, which it can also read, and a "
                f"replay would not; {self.cure_of(target)}")
            return True
        for target in self.fresh_numbers:
            self.numbers[target.at()] = target
            self.refusal = (
                f"record: the step changes {target.name!r}{self.program.guards.where(target)}, in a way that a replay cannot "
                "compute; keep it in a Tensor, or change it by pyml.host(function, ...)")
        if self.fresh_numbers:
            return True
        if keeps_numbers:
            code = code_of(self.function)
            at = "" if code is None else f" of {described(code)}"
            self.refusal = (
                f"record: a number that the step{at} changes or reads from a tensor is kept elsewhere, or a function for the "
                "host has it from outside of its arguments; a replay would not put a new one there; pass it to "
                "pyml.host(function, number), or return it")
            return True
        if self.shared is not None:
            self.refusal = (
                f"record: the tensor that the step replaces at {self.shared!r} is one that it also reaches by another name; "
                "begin with a clone")
            return True
        for u in self.program.updatings:
            for option, value in (<Updating>u).group.items():
                if isinstance(value, Tensor) and id(value) in self.changed_tensors:
                    self.refusal = (
                        f"record: the step changes the option {option!r} of an optimizer; a scheduler may, or change it "
                        "outside of the step")
                    return True
        for owner, attribute, before in self.alterations:
            if (id(owner), attribute) in seen:
                continue
            seen.add((id(owner), attribute))
            if not isinstance(owner, Tensor) or Py_REFCNT(<PyObject *>owner) <= 2:   # `owner` and the list: it is gone
                continue
            now = bool((<Tensor>owner)._requires_grad) if attribute == "requires_grad" else None
            if now is not before and not equal_values(now, before):
                self.refusal = (
                    f"record: the step sets {attribute!r} of a {type(owner).__name__} anew each time, which a replay "
                    "would not; set it outside, or return the value")
                return True
        return False

    cdef bint has_leaked(self) except -1:
        """Whether what the step made is still in use elsewhere: by a tensor that the function stored somewhere. To be
        asked when what it returned is gone."""
        cdef set known = set()
        cdef Gradient g
        cdef Result r
        cdef Tensor t
        cdef Py_ssize_t i
        cdef Piece *piece
        cdef dict holders = self.holders()
        for g in self.gradients.values():
            t = g.tensor._grad
            if t is None:
                continue
            self.know(known, t.array)
            if self.is_new(t.array) and (
                    Py_REFCNT(<PyObject *>t) > 1 + len(holders[id(t)]) or Py_REFCNT(<PyObject *>t.array) > 1):
                return self.leaks(f"a gradient of shape {t.shape}")
        t = None
        for fault, _, _ in self.program.faults:
            self.know(known, fault)
        for slot in self.program.slots:
            self.know(known, (<Slot>slot).array)
        for call in self.program.host_calls:
            for array in (<HostCall>call).arrays:
                self.know(known, array)
        array = fault = None
        for i in range(len(self.staged)):
            t = self.staged[i]
            if self.is_held(i):
                return self.leaks(f"an argument of shape {t.shape}")
            if t._grad is not None:
                self.know(known, t._grad.array)
        t = None
        for r in self.program.results:
            if r.kind == COPIED:
                self.know(known, r.array)
                if self.result_is_held(r.array):
                    return self.leaks(f"a result of shape {(<object>r.array).shape}")
        for i in range(self.memory.count):
            piece = &self.memory.pieces[i]
            if piece.marks & (NUMPY | CONSTANT) or piece.begin in known:
                continue
            file, line = self.places.get(piece.begin, ("?", 0))
            return self.leaks(f"a tensor that was computed at {file}:{line}")
        return self.constants_leak(known)

    cdef bint leaks(self, str what):
        code = code_of(self.function)
        of = "" if code is None else f" {described(code)}"
        self.refusal = (
            f"record: {what} is kept after the step{of} (an attribute, a list, a global), and a replay would not put a new "
            "one there; make it before the step, return it, or keep it by pyml.host(function, tensor)")
        return True

    cdef bint is_held(self, Py_ssize_t i) except -1:
        """Whether the copy of an argument is in use elsewhere: beside the list, and its caller, which looks at it."""
        cdef Tensor t = self.staged[i]
        cdef Py_ssize_t tensors = 0, arrays = 0
        for other in self.staged:
            tensors += other is t
        for other in {id(other): other for other in self.staged}.values():
            arrays += (<Tensor>other).array is t.array
        other = None
        return Py_REFCNT(<PyObject *>t) > tensors + 2 or Py_REFCNT(<PyObject *>t.array) > arrays + 1   # input_arrays

    cdef bint result_is_held(self, ndarray array) except -1:
        """Whether a result's array is in use beside the results, some of which may be views of others."""
        cdef Result r
        cdef Py_ssize_t count = 0
        for r in self.program.results:
            if r.kind == COPIED:
                count += (r.array is array) + (cnp.get_array_base(r.array) is array)
        for slot in self.program.slots:
            count += ((<Slot>slot).array is array) + (cnp.get_array_base((<Slot>slot).array) is array)
        slot = None
        return Py_REFCNT(<PyObject *>array) > count + 1   # the caller's

    cdef bint constants_leak(self, set known) except -1:
        cdef dict holds = {}   # id of an array -> references to it from what the program keeps
        for array in self.program.kept:   # themselves, and the arrays that they are views of
            for held in (array, cnp.get_array_base(<ndarray>array)):
                holds[id(held)] = holds.get(id(held), 0) + 1
        for array, _ in self.program.scalars:   # and the trace
            holds[id(array)] = holds.get(id(array), 0) + 2
        array = held = None
        for array, _ in self.program.constants:
            if <size_t>cnp.PyArray_DATA(array) in known:
                continue
            if Py_REFCNT(<PyObject *>array) > 2 + holds.get(id(array), 0):
                return self.leaks(f"a tensor of shape {array.shape} that the step made")
        return False

    cdef int know(self, set known, ndarray array) except -1:
        cdef Piece *piece = self.memory.find(<size_t>cnp.PyArray_DATA(array))
        if piece != NULL:
            known.add(piece.begin)
        return 0

    cdef int complete_constants(self) except -1:
        cdef Piece *piece
        cdef const unsigned char[:] values
        for array, content in self.program.constants:
            piece = self.memory.find(<size_t>cnp.PyArray_DATA(<ndarray>array))
            if piece != NULL and piece.marks & REWRITTEN and not any([array is other for other, _ in self.program.scalars]):
                values = content
                if program_restore(self.program.calls, cnp.PyArray_DATA(<ndarray>array), &values[0], len(content)) != 0:
                    raise MemoryError()
        return 0

    cdef int complete_inputs(self, list leaves) except -1:
        cdef Program p = self.program
        cdef ndarray array
        cdef int number
        p.inputs, p.written = [-1] * len(leaves), [False] * len(leaves)
        for i, (array, argument) in enumerate(zip(self.input_arrays, self.input_arguments)):
            number = program_input(p.calls, cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)))
            if number < 0:
                raise MemoryError()
            for k in range(len(leaves)) if argument >= 0 else ():
                if p.layout[k][0] == argument:
                    p.inputs[k] = number
                    p.written[k] = self.has_changed(k)
        for i, slot in enumerate(p.slots):
            array = (<Slot>slot).before
            (<Slot>slot).input = program_input(p.calls, cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)))
            p.trace.rename(cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)), i)
        p.writes = any(p.written)
        p.is_apart = p.layout == tuple([(i, 0, None) for i in range(len(leaves))])
        return 0

    cdef int complete_gradients(self) except -1:
        cdef Gradient g
        cdef Program p = self.program
        cdef Tensor now
        cdef dict holders = self.holders()
        for g in self.gradients.values():
            now = g.tensor._grad
            g.kept = g.input >= 0 and now is not None and self.input_arrays[g.input] is now.array
            g.sharing = [] if now is None else [other for other in holders[id(now)] if other is not g]
            for other in g.sharing:
                if (<Gradient>other).input >= 0 and self.input_arrays[(<Gradient>other).input] is now.array and not g.kept:
                    g.taken = other   # it is the one that the other has had before
            g.after = None if g.kept or g.taken is not None else now
            g.source = None if g.after is None else self.source_of(now.array)
            if g.after is not None and self.in_arena(now.array) and type(cnp.get_array_base(now.array)) is Block:
                g.block = cnp.get_array_base(now.array)
            p.gradients.append(g)
        p.first_of = firsts_of([self.input_arrays[(<Gradient>g).input] for g in p.gradients if (<Gradient>g).input >= 0])
        p.shares = p.first_of is not None and p.first_of != list(range(len(p.first_of)))
        for i in range(len(self.staged)):
            now = (<Tensor>self.staged[i])._grad
            if now is not None:
                p.argument_gradients.append((i, now.array))
        self.separate_gradients()
        return 0

    cdef int separate_gradients(self) except -1:
        """Where a replay stops before a new gradient takes the place of the last one, this stays. So no call before the stop
        may use its memory for something else."""
        cdef Program p = self.program
        cdef program_call *calls = program_calls(p.calls)
        cdef list own = [i for i in range(program_count(p.calls)) if not calls[i].is_extra]   # as the stops count them
        cdef Gradient g, other
        cdef Stop stop
        cdef Tensor before
        cdef Py_ssize_t born
        for g in p.gradients:
            if g.block is None:
                continue
            born = self.births[<size_t>g.block.memory]
            stops = [stop for stop in p.stops() if not any([t is g.tensor for t, _ in (<Stop>stop).gradients])]
            if not any([self.uses(calls, own[:min(born, (<Stop>stop).calls)], g.block) for stop in stops]):
                continue
            before = g.after
            p.move_gradient(g, own[born], born)
            cnp.PyArray_CopyInto(g.after.array, before.array)
            for other in [g, *g.sharing]:
                other.tensor._grad = g.after
        return 0

    cdef dict holders(self):
        """id of a .grad -> the Gradients of the tensors that have it: several may share one."""
        cdef dict found = {}
        for g in self.gradients.values():
            found.setdefault(id((<Gradient>g).tensor._grad), []).append(g)
        return found

    cdef bint uses(self, program_call *calls, list own, Block block) except -1:
        """Whether some calls write into a block."""
        cdef Writes found = Writes(<size_t>block.memory, size_bytes(block.index), False)
        for i in own:
            visit_footprint(calls[<Py_ssize_t>i].kernel, calls[<Py_ssize_t>i].dtype, calls[<Py_ssize_t>i].args, see_writes,
                            &found)
        return found.found

    cdef int complete_updates(self) except -1:
        cdef Updating u
        cdef Program p = self.program
        cdef Tensor t
        for u in p.updatings:
            u.states = [state_of(t, u.state[t]) for t in u.parameters if t in u.state]
        p.schedules = [
            (scheduler, stepped or not any([has_group(scheduler, (<Updating>u).group) for u in p.updatings]))
            for scheduler, stepped in p.schedules]
        return 0

    cdef int complete_check(self) except -1:
        """After which call a replay stops if the first result is one number and not finite: where Python does, at the
        begin of a backward or at the end. If neither comes before weights are changed, at the call that gives it."""
        cdef Result r = self.program.first_number()
        cdef Program p = self.program
        cdef program_call *calls = program_calls(p.calls)
        cdef list own = [i for i in range(program_count(p.calls)) if not calls[i].is_extra]   # as the stops count them
        cdef Py_ssize_t k
        cdef Stop stop
        cdef LastWrite last
        cdef list written = []   # (call, address) that give the number: the last one, then what that is a copy of
        if r is None:
            return 0
        last = LastWrite(<size_t>cnp.PyArray_DATA(r.array), 0, 0, False)
        for k in range(len(own) - 1, -1, -1):
            visit_footprint(calls[own[k]].kernel, calls[own[k]].dtype, calls[own[k]].args, see_last_write, &last)
            if last.found:
                written.append((k, last.address))
                if calls[own[k]].kernel != COPY or last.bytes > <size_t>cnp.PyArray_ITEMSIZE(r.array):
                    break
                last = LastWrite(last.read, 0, 0, False)
        if not written:
            return 0
        p.check = held(r.array, True)
        for stop in self.backward_stops:
            for k, address in written:
                if stop.calls > k:
                    p.check_call, p.check.address, p.check_stop = own[stop.calls - 1], address, stop
                    return 0
        p.checks_at_end = not p.trace.writes_outside(written[0][0] + 1)
        k, address = (len(own) - 1, written[0][1]) if p.checks_at_end else written[len(written) - 1]
        p.check_call, p.check.address = own[k], address
        return 0

    cdef int complete_names(self) except -1:
        """What the parameters are called: by the outermost module that was called."""
        cdef Tensor t
        for module in self.modules.values():
            for name, t in module.named_parameters():
                address = <size_t>cnp.PyArray_DATA(t.array)
                if len(self.program.names.get(address, "")) < len(name):
                    self.program.names[address] = name
        return 0


cdef int see_event(object recording, object frame, int what, PyObject *argument) except -1:
    """Python's profiling, while a step is recorded: hears of calls of user code into C, and of logging."""
    cdef Recording r = recording
    if r.profiler is not None:
        r.profiler(frame, EVENTS[what], None if argument == NULL else <object>argument)
    if not r.listens:
        return 0
    if what == PyTrace_C_CALL:
        if argument != NULL and asks_the_world(<object>argument) and is_of_users(frame):
            r.refuse(f"{(<object>argument).__name__}()")
    elif what == PyTrace_CALL and of_thread() is r:   # a scheduler's step is not listened to
        code = frame.f_code
        if id(code) in WORLD and is_of_users(frame.f_back):
            r.refuse(f"{code.co_name}()")
        elif code.co_name in LEVELS and code.co_filename.startswith(LOGGING) and frame.f_back is not None \
                and not is_installed(frame.f_back.f_code.co_filename):
            r.refuse(f"logging ({code.co_name}())")
        if id(code) not in r.ran:
            r.ran[id(code)] = code, None if frame.f_back is None else frame.f_back.f_code
    return 0


cdef struct Writes:
    size_t begin, size   # into this memory?
    bint found


cdef void see_writes(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef Writes *writes = <Writes *>context
    cdef size_t begin = <size_t>field[0] - before
    if access & FOOTPRINT_WRITE and begin < writes.begin + writes.size and writes.begin < begin + size:
        writes.found = True


cdef struct LastWrite:
    size_t address   # is it written?
    size_t read      # what is read
    size_t bytes     # that are written
    bint found


cdef void see_last_write(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef LastWrite *last = <LastWrite *>context
    if access & FOOTPRINT_WRITE and last.address - (<size_t>field[0] - before) < size:
        last.found, last.bytes = True, size
    if access & FOOTPRINT_READ:
        last.read = <size_t>field[0] - before


cdef void see_read(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef Recording r = <Recording>context
    cdef Piece *piece
    if access & FOOTPRINT_READ and r.input_of(<void *>(<size_t>field[0] - before)) < 0:
        piece = r.memory.find(<size_t>field[0] - before)
        if piece != NULL and not piece.marks & (KERNEL | CONSTANT):
            r.problem = True


cdef void see_write(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef Recording r = <Recording>context
    cdef size_t begin = <size_t>field[0] - before
    cdef Piece *piece
    if not access & FOOTPRINT_WRITE:
        return
    r.last_writes.born(<void *>begin, size, 0)
    piece = r.inputs.find(begin)
    if piece == NULL:
        piece = r.memory.find(begin)
    if piece != NULL:
        piece.marks |= KERNEL | REWRITTEN if piece.marks & CONSTANT else KERNEL


cdef bint holds_numbers(function) except -1:
    """Whether a function has numbers of the step by another way than its arguments."""
    cdef list held = []
    while hasattr(function, "func"):   # a partial
        held += [*function.args, *function.keywords.values()]
        function = function.func
    held += getattr(function, "__defaults__", None) or ()
    held += (getattr(function, "__kwdefaults__", None) or {}).values()
    for cell in getattr(function, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:   # it is empty
            pass
    return any([isinstance(value, Number) for value in held])


cdef Effect effect(Target target, Py_ssize_t output):
    """What a replay puts at a place: an output of the formula."""
    cdef Effect made = Effect()
    made.target, made.output = target, output
    return made


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


def host(function, *args, **kwargs):
    """Calls function(*args, **kwargs), also in every replay of a recorded step.

    For Python that takes something from a step and gives nothing back: logging, progress bars, counters. In a recorded
    step it is called when the step's kernels have run. The function is not part of the step: what it reads and
    changes is not looked at.

    Args:
        function: its result is dropped.
        args, kwargs: Tensors arrive with the values that they have here, detached, as copies; numbers of item() and of
            counters as they are in each step; all else as it was at the recording.

    Example:
        >>> @pyml.record
        ... def step(x, y):
        ...     loss = loss_of(model(x), y)
        ...     pyml.host(history.append, loss.item())
    """
    cdef Recorder r = of_thread()
    if not callable(function):
        raise TypeError(f"host: a function is needed, not {type(function).__name__}")
    if r is None:
        args, kwargs = mapped((args, kwargs), snapshot)
        function(*args, **kwargs)
    else:
        (<Recording?>r).host(function, args, kwargs)


def snapshot(value):
    """A Tensor as it is now, outside of any graph."""
    return wrap((<Tensor>value).array).clone() if isinstance(value, Tensor) else value


def has_group(scheduler, group):
    """Whether a param_group is one of those whose options a scheduler sets."""
    return any([group is other for other in scheduler.optimizer.param_groups])


cdef ParameterState state_of(Tensor parameter, dict values):
    cdef ParameterState kept = ParameterState()
    kept.parameter, kept.values = parameter, values
    kept.names = [name for name, value in values.items() if isinstance(value, Tensor)]
    kept.tensors = [values[name] for name in kept.names]
    kept.arrays = [(<Tensor>t).array for t in kept.tensors]
    return kept


cdef bint updates_segments(int kernel) noexcept:
    """Kernels that are called once for each dtype of the parameters, and followed by copies of those that are not
    contiguous, before all are said to have changed."""
    return optimizer_of(kernel) != NULL or kernel == SCALE_SEGMENTS
