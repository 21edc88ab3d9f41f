"""@pyml.record: run a step once, keep its kernel calls, replay them.

A Recorded runs its function the first time, while a Recording listens: every kernel call becomes part of a Program,
results take their memory from the Program's arena, and whatever could not be repeated is refused. After that, a call
with arguments of the same shapes binds them to the Program and replays it in C.
"""
import copy
import functools
import gc
import inspect
import sys
import types
import warnings

from numpy cimport ndarray

from pyml.grad_mode cimport grad_enabled
from pyml.recorder cimport recorder
from pyml.recording.assembly cimport complete
from pyml.recording.audit cimport install
from pyml.recording.listener cimport Recording
from pyml.recording.program cimport STOPPED, Program, find, without_graph
from pyml.recording.pytree cimport flatten, is_bare, mapped, objects_in, opened, unflatten
from pyml.recording.refusal cimport no_stand_in, place_of, refusal_of
from pyml.recording.turns cimport Turns
from pyml.recording.verdict cimport changes_argument, leaked
from pyml.tensor cimport Tensor

from pyml.ops.selection import ALL_USES, Selection
from pyml.recording.formula import refuses_stand_in, worth
from pyml.recording.pytree import KNOWN, SAMPLE, fields_of
from pyml.recording.refusal import RecordError
from pyml.recording.run import run_steps
from pyml.recording.stats import Stats

cdef enum:
    VARIANTS = 16      # programs that a Recorded keeps: shapes, train and eval; the longest unused goes
    WASTE = 12         # recordings, before too few replays are worth a warning
    FRUITLESS = 2      # recordings in a row that could not be kept, before that is an error


cdef class Recorded:
    """Recorded(function, unrecordable="error")\n--\n\nA step that is recorded the first time it is called, and replayed after that. Made by pyml.record.

    Before a replay, guards look whether all that the step can read is as it was. At calls 2, 4, 16, 64, ... of each
    variant, Python runs the step again, and what the replay leaves is compared with it, bit by bit.

    Attributes:
        function: what was recorded.
        progress: the Progress of the last run.
        diagnostics: what the last run measured, a pyml.recording.Diagnostics, or None.
    """
    cdef readonly object function
    cdef readonly str unrecordable
    cdef public object progress, diagnostics
    cdef readonly list _programs     # the latest used first
    cdef readonly Turns _turns       # of threads
    cdef readonly bint _is_eager     # fell back
    cdef public bint _stops_on_nan   # also while it is recorded; a run says so
    cdef public bint _is_confirmed   # made of pyml's own parts alone: not run by Python again, to be compared
    cdef public bint _is_quiet       # falls back without a word: nobody asked for a recording
    cdef int fruitless
    cdef unsigned long recordings, replays
    cdef bint has_warned
    cdef dict _numbers               # Target.at() -> Target: numbers that the function is known to change
    cdef dict _hosts                 # what it runs on the host
    cdef set _batches                # classes of objects that are batches,
    cdef set _states                 # and of those that it changes
    cdef dict __dict__
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        self._programs, self._numbers, self._hosts, self._batches, self._states = [], {}, {}, set(), set()
        self.unrecordable, self._turns = "error", Turns()

    def __init__(self, function, unrecordable="error"):
        if not callable(function):
            raise TypeError(f"record: a function is needed, not {type(function).__name__}")
        if unrecordable not in ("error", "eager"):
            raise ValueError(f"record: unrecordable is {unrecordable!r}, it must be 'error' or 'eager'")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"record: {function!r} is a coroutine or a generator; a step must be a plain function")
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.unrecordable = unrecordable

    def __call__(self, *args, **kwargs):
        """What the function returns, its Tensors without their graphs."""
        if recorder() is not None:   # a part of another recording
            return self.function(*args, **kwargs)
        if self._is_eager:
            return detached(self.function(*args, **kwargs))
        self._turns.take()
        try:
            return self.call(args, kwargs)
        finally:
            self._turns.give()

    cdef object call(self, tuple args, dict kwargs):
        """A call of which this thread has the turn."""
        cdef Program program
        cdef list leaves = []
        arguments = (args, kwargs) if not self._batches else opened((args, kwargs), self.is_batch)
        spec = spec_of(arguments[0], arguments[1], leaves)
        program = find(self._programs, leaves, spec)
        if program is None and self.learns_batch(spec):
            return self.call(args, kwargs)
        if program is not None and program.is_running:
            return detached(self.function(*args, **kwargs))
        if program is None:
            self.warn_of_waste(leaves, spec)
            if self._is_eager:
                return detached(self.function(*args, **kwargs))
            return self._record(args, kwargs, leaves, spec)
        if program.is_due():
            return self._confirm(program, args, kwargs, leaves, spec)
        self.replays += 1
        result = program.call(leaves)
        return result if result is not STOPPED else self.run_by_python(program, args, kwargs)

    def _find(self, list leaves):
        """For a run: the Program for a call with these Tensors, or None."""
        cdef Program program = None
        if not self._is_eager:
            program = find(self._programs, leaves, spec_of((SAMPLE,) * len(leaves), {}, []))
        return None if program is None or program.is_running else program

    cdef object run_by_python(self, Program program, args, kwargs):
        """A call in which an index is out of range: a replay has found it, and has left nothing."""
        self.replays -= 1
        result = detached(self.function(*args, **kwargs))
        program.made += 1
        return result

    def is_batch(self, value):
        return type(value) in self._batches

    cdef bint learns_batch(self, spec) except -1:
        """Whether an argument is an object of a dataclass, or the like, that holds tensors and is another one than before:
        from now on such objects are batches, of which the fields are compared, as those of tuples are."""
        cdef list objects = [each for each in objects_in(spec) if not isinstance(each, type)]
        cdef Program program
        for program in self._programs if objects else ():
            for before in objects_in(program.spec):
                for each in objects:
                    if type(each) is type(before) and each is not before and type(each) not in self._states \
                            and holds_batch(each):
                        self._batches.add(type(each))
                        self._forget(type(each))
                        return True
        return False

    cdef int _forget(self, cls) except -1:
        """Drops the variants for objects of a class."""
        self._programs[:] = [p for p in self._programs if not any(
            [cls in (each, type(each)) for each in objects_in((<Program>p).spec)])]
        return 0

    def _record(self, args, kwargs, list leaves, spec):
        """A call that Python runs, and that becomes a new variant."""
        cdef Recording recording = Recording(self.unrecordable == "eager", self._numbers, self._hosts)
        cdef Program program = recording.program
        cdef Py_ssize_t numbers = len(self._numbers), hosts = len(self._hosts)
        result = self._listen(recording, args, kwargs, leaves, spec)
        if recording.refusal is not None:
            recording.call_host()
            if not recording.is_special:
                self._fall_back(recording.refusal)
            return result
        program.spec = spec
        reason = complete(recording, leaves)
        if reason is not None:
            if len(self._numbers) == numbers and len(self._hosts) == hosts:   # else more is known now
                self._not_kept(reason)
            return recording.returned(leaves)
        self.fruitless = 0
        if self._is_confirmed:
            program.next_check = sys.maxsize
        self._programs[:] = [p for p in self._programs if may_fit_again(p)]
        self._programs.insert(0, program)
        del self._programs[VARIANTS:]
        return recording.returned(leaves)

    def _confirm(self, Program program, args, kwargs, list leaves, spec):
        """A call of a variant that Python runs again, to see that it is the same."""
        cdef Recording recording = Recording(self.unrecordable == "eager", self._numbers, self._hosts)
        cdef Program again = recording.program
        cdef list before = program.snapshot(leaves)
        cdef Py_ssize_t known = len(self._numbers) + len(self._hosts)
        result = self._listen(recording, args, kwargs, leaves, spec)
        if recording.refusal is not None:
            recording.call_host()
            if not recording.is_special:
                self._refuse(recording.refusal)
            return result
        again.spec = spec
        difference = complete(recording, leaves)
        if difference is None:
            difference = program.difference(again)
            if difference is None and (changed := again.verify(before)) is not None:
                difference = f"record: {changed}, which a replay would not do; use pyml's operations"
        elif recording.shared is not None:   # the step is not another; the tensor that it began with is
            self._programs.remove(program)
            self._not_kept(difference)
            return recording.returned(leaves)
        if difference is None:
            program.confirmed()
        elif len(self._numbers) + len(self._hosts) > known:   # more is known now: to be recorded anew
            self._programs.remove(program)
        else:
            self._refuse(difference)
        return recording.returned(leaves)

    def _listen(self, Recording recording, args, kwargs, list leaves, spec):
        """Runs the function while `recording` listens. Returns its result only if it cannot be recorded."""
        reason = why_unrecordable(spec, leaves)
        if reason is not None:
            if self.unrecordable == "error":
                raise RecordError(reason)
            recording.refusal = reason
            return detached(self.function(*args, **kwargs))
        install()
        recording.stops_on_nan = self._stops_on_nan
        recording.start(leaves, self.function, objects_in(spec))
        given = None
        try:
            arguments = (args, kwargs) if not self._batches else opened((args, kwargs), self.is_batch)
            given = unflatten(arguments, iter(recording.staged), arrays=True)
            result = self.function(*given[0], **given[1])
            changed = recording.changed_arguments(args, kwargs, given, leaves)
            given = arguments = None
            if changed:
                self._changes(recording, changed[0])
            if recording.refusal is None:
                recording.settle(result)
            elif recording.is_special:
                recording.plain_numbers()
            elif self.unrecordable == "error":   # the function has caught the exception
                raise RecordError(recording.refusal)
            if recording.refusal is None:
                result = None
                recording.forget_graph()
                recording.forget_gone()
                if leaked(recording) is not None:   # perhaps only by a cycle of references
                    gc.collect()
                recording.refusal = None   # what finalizers did is not the step's
        except BaseException as error:
            recording.stop()
            if given is not None:
                recording.changed_arguments(args, kwargs, given, leaves)
            recording.broke_off(leaves)
            if type(error) is TypeError and Selection.__name__ in str(error):   # a function that takes Tensors got one
                raise RecordError(refusal_of(ALL_USES, place_of(error))) from error
            if refuses_stand_in(error):
                self._refuse(no_stand_in(error))
            raise
        finally:
            recording.stop()
        recording.give_back(leaves)
        return None if recording.refusal is None else detached(recording.without_copies(result, leaves))

    cdef int _changes(self, Recording recording, changed) except -1:
        """The step has changed an argument: an object is none of a batch, but is compared from now on."""
        if type(changed) in self._batches:
            recording.is_special = True
            self._batches.discard(type(changed))
            self._states.add(type(changed))
            self._forget(type(changed))
            recording.refusal = "record: an argument is changed"
        else:
            recording.refusal = changes_argument(recording, changed)
            if self.unrecordable == "error":
                raise RecordError(recording.refusal)
        return 0

    cdef int warn_of_waste(self, list leaves, spec) except -1:
        """Once, if the step is recorded anew again and again for arguments of the same shapes. What nobody asked
        to record is eager from then on."""
        cdef Program program
        self.recordings += 1
        if self.has_warned or self.recordings < WASTE or self.replays > self.recordings:
            return 0
        if self._is_quiet:
            self._refuse("it fits no call after its own")
            return 0
        for program in self._programs:
            if program.takes(leaves, spec):
                why = f"{program.guards.broken or 'a .grad or the state of an optimizer'} changes from call to call, " \
                    "which it depends on"
            elif program.takes(leaves, program.spec):
                why = "an argument that is no Tensor changes from call to call; pass a number that changes as a 0-d tensor"
            else:
                continue
            self.has_warned = True
            warnings.warn(
                f"record: {self!r} was recorded {self.recordings} times and replayed {self.replays} times: {why}",
                stacklevel=1)
            return 0
        return 0

    def _not_kept(self, reason):
        """A recording that could not be kept: once may be the first step, which makes state."""
        self.fruitless += 1
        if self.fruitless == FRUITLESS:
            if self.unrecordable == "error":
                self.fruitless = 0
                raise RecordError(reason)
            self._fall_back(reason)

    def _refuse(self, reason):
        """A variant is not what it was taken for."""
        self._programs.clear()
        if self.unrecordable == "error":
            raise RecordError(reason)
        self._fall_back(reason)

    def _fall_back(self, reason):
        self._is_eager = True
        if not self._is_quiet:   # compiled code has no frames
            warnings.warn(f"{reason}\nThe step runs eagerly from now on.", stacklevel=1)

    def run(
        self, *data, batch_size, epochs=1, shuffle=True, drop_last=False, generator=None, scheduler=None, callback=None,
        every_steps=None, every_seconds=None, every_epoch=False, progress=False, stop_on_nan=True, resume=None,
        diagnostics=False,
    ):
        """Calls the step on batches of rows, epoch after epoch, in C and without the GIL.

        The same as this loop, bit for bit, with `data` = X, Y::

            for epoch in range(epochs):
                for rows in pyml.randperm(len(X)).split(batch_size):
                    step(X[rows], Y[rows])

        Args:
            data: Tensors with the same number of rows; the step takes as many arguments.
            batch_size: rows of a step.
            epochs: how often all rows are gone through. Default: 1.
            shuffle: a new order in each epoch; else the rows are taken as they lie. Default: True.
            drop_last: leave out a last batch that is smaller. Default: False: it is a step of its own shape.
            generator: draws the order. Default: the one that manual_seed seeds.
            scheduler: its step() is called after each epoch. One that moves at every step belongs in the step.
            callback: called with a Progress; returning True (or a comparison that is) ends the run. Exceptions end it too.
            every_steps, every_seconds: when to call it. Default: after each epoch.
            every_epoch: call it after each epoch, too; `progress.batch` is 0 then. Default: False.
            progress: show a bar. Default: False.
            stop_on_nan: raise when the first result is one number and not finite, before the step goes on to
                change anything with it. Default: True.
            resume: a Progress, or what its state_dict() gave: go on from there.
            diagnostics: measure each step: norms of gradients, updates relative to weights, dead ReLUs, saturation,
                BatchNorm's drift. They are then in `self.diagnostics`, a pyml.recording.Diagnostics; steps that
                Python runs, to record or to confirm, have none. Default: False.

        Returns:
            What the step returns, of all steps: a number as (steps), a row for each row of the batch as (rows, ...),
            other shapes as (steps, ...).

        Raises:
            ValueError, TypeError: on data or options that do not go together.
            RecordError: as calling the step.
            IndexError: on a class or row index out of range in a batch.
            FloatingPointError: on a result that is not finite, with the number of the step. Weights are those before
                it; running statistics of BatchNorm have seen the batch.
            KeyboardInterrupt: on Ctrl-C, at the edge of a step; `self.progress` resumes.

        Example:
            >>> losses = train_step.run(X, Y, batch_size=128, epochs=10, progress=True)
        """
        return run_steps(
            self, data, batch_size=batch_size, epochs=epochs, shuffle=shuffle, drop_last=drop_last, generator=generator,
            scheduler=scheduler, callback=callback, every_steps=every_steps, every_seconds=every_seconds,
            every_epoch=every_epoch, progress=progress, stop_on_nan=stop_on_nan, resume=resume, diagnostics=diagnostics,
        )

    def __get__(self, instance, owner):
        """As a method: each object has its own recordings."""
        if instance is None:
            return self
        name = f"recorded {self.function.__qualname__}"   # not its own: a class below may have another of that name
        try:
            before = bound = instance.__dict__.get(name)
            if not isinstance(bound, Recorded) or getattr(bound.function, "__self__", None) is not instance:
                # there is none yet, or that of the object it was copied from
                made = Recorded(types.MethodType(self.function, instance) if isinstance(instance, type)
                                else self.function.__get__(instance, owner), self.unrecordable)
                bound = instance.__dict__.get(name)
                if bound is not before:   # another thread was faster
                    return bound
                bound = made
                if isinstance(instance, type):   # @classmethod above it
                    type.__setattr__(instance, name, bound)
                elif before is None:
                    bound = instance.__dict__.setdefault(name, made)
                else:
                    instance.__dict__[name] = bound
        except AttributeError:
            raise TypeError("record: a method can be recorded for objects with a __dict__") from None
        return bound

    def __deepcopy__(self, memo):
        function = self.function
        if isinstance(function, types.MethodType):
            function = types.MethodType(function.__func__, copy.deepcopy(function.__self__, memo))
        return Recorded(function, self.unrecordable)

    def __reduce__(self):
        module = sys.modules.get(getattr(self.function, "__module__", None))
        name = getattr(self.function, "__qualname__", "")
        if getattr(module, name, None) is self:   # it has the function's name
            return name
        return Recorded, (self.function, self.unrecordable)

    def __repr__(self):
        return f"<recorded {getattr(self.function, '__qualname__', self.function)}, {len(self._programs)} variants>"

    def stats(self):
        """What the variant that was replayed most takes: see pyml.recording.Stats, which prints as a table.

        Raises:
            RuntimeError: if nothing is recorded yet.
        """
        cdef Program program
        if not self._programs:
            raise RuntimeError("stats: nothing is recorded yet; call the step first")
        program = max(self._programs, key=replays_of)
        return Stats(program.plan(), program.arena.bytes, program.replays, len(self._programs))

    @property
    def _memory(self):
        """Bytes that its variants own together."""
        return sum([(<Program>each).arena.bytes for each in self._programs])

    def clear(self):
        """Forgets the recordings and gives their memory back."""
        self._programs.clear()
        self._is_eager = False


cdef list TENSORS_ALONE = [flatten(((SAMPLE,) * n, {}), []) for n in range(8)]


cdef object spec_of(tuple args, dict kwargs, list leaves):
    """Adds the Tensors of a call to `leaves`; returns what else there is, the same object for Tensors alone."""
    if not kwargs and len(args) < len(TENSORS_ALONE):
        for value in args:
            if not isinstance(value, Tensor) or not is_bare(value):
                break
        else:
            leaves.extend(args)
            return TENSORS_ALONE[len(args)]
    return flatten((args, kwargs), leaves, 0, True)


def may_fit_again(Program program):
    return program.may_fit_again()


def replays_of(Program program):
    return program.replays


cdef str why_unrecordable(spec, list leaves):
    """Why no step with these arguments can be recorded, or None."""
    cdef Tensor t
    for value in objects_in(spec):
        if isinstance(value, ndarray):
            what = "a masked array; pass its .data and its .mask" if value.dtype in KNOWN else \
                f"a NumPy array of dtype {value.dtype}, which kernels do not know; convert it"
            return f"record: an argument is {what}, or leave it out of the arguments"
    for t in leaves:
        if t.node is not None and grad_enabled():
            return (
                f"record: an argument of shape {t.shape} was computed outside the step by operations that need its "
                "gradient; compute it inside, or pass it with .detach()")
    return None


cdef bint holds_batch(value) except -1:
    """Whether an object has fields, tensors among them, and none of these is a parameter."""
    cdef list leaves = []
    fields = fields_of(value)
    if fields is None:
        return False
    flatten(opened(fields, fields_of), leaves, 0, True)
    return bool(leaves) and not any([(<Tensor>t)._requires_grad for t in leaves])


cdef object detached(value):
    """The result of a step that ran eagerly, as a recorded one returns it."""
    cdef list leaves = []
    value = mapped(value, worth)
    flatten(value, leaves)
    return unflatten(value, iter([without_graph(t) if (<Tensor>t).node is not None else t for t in leaves]))


def record(function=None, *, unrecordable="error"):
    """Records a step at its first call, and replays it in C after that: the same bits, without Python.

    The function may do whatever is made of pyml's operations: forward, backward, optimizer steps. It is recorded anew
    for arguments of other shapes or dtypes, and when something else changed that it can read: modes and parameters of
    modules, groups of optimizers, globals, closures, attributes, items. Values of tensors and options of optimizers
    are read anew by each replay. Numbers that it changes by arithmetic are computed, and tensors that it replaces by
    others of the same shape are replaced. Other Python code inside runs at recordings only; pyml.host() calls a
    function in every step.

    At calls 2, 4, 16, 64, ... of each variant, Python runs the function again, and both are compared.

    Args:
        function: takes and returns Tensors, alone or in tuples, lists and dicts; other arguments are compared, each
            value is a variant.
        unrecordable: what to do about a step with something in it that cannot be recorded, or that is found to be
            another than it was: "error" raises, "eager" runs it without recording, after one warning. Default: "error".

    Returns:
        A Recorded: called like the function, it returns what that returns, Tensors without their graphs: a backward()
        that comes to one of them outside raises RecordError. Its run() takes whole epochs.

    Raises:
        RecordError: naming what cannot be recorded, where it is known the line, and what to do instead.

    Example:
        >>> @pyml.record
        ... def train_step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = loss_of(model(x), y)
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> losses = train_step.run(X, Y, batch_size=128, epochs=10)
    """
    if function is None:
        return functools.partial(record, unrecordable=unrecordable)
    return Recorded(function, unrecordable)
