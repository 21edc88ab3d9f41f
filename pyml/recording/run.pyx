"""Many steps: batches of rows, epoch after epoch, in C where they can be."""
import sys
import time

import numpy as np

cimport cython
cimport numpy as cnp
from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml._kernels cimport PROGRAM_DONE, csrc, program_run_args, program_status
from pyml.memory cimport new_array
from pyml.ops.arrays cimport contiguous
from pyml.recorder cimport recorder
from pyml.recording.outputs cimport Outputs, with_room
from pyml.recording.program cimport Program, Stop
from pyml.recording.pytree cimport mapped, opened
from pyml.recording.slices cimport Slice
from pyml.recording.turns cimport Turns
from pyml.tensor cimport Tensor, alias_of, wrap

from pyml.ops.creation import randperm
from pyml.ops.index import index_select
from pyml.random import Generator, generator_of_thread
from pyml.recording.diagnostics import collected
from pyml.recording.interrupts import Interrupts
from pyml.recording.program import NotFinite
from pyml.recording.progress import Progress
from pyml.recording.pytree import fields_of
from pyml.recording.refusal import RecordError

cnp.import_array()


cdef double SLICE = 0.1   # seconds in C between two looks at signals, progress bar and callback
cdef Py_ssize_t AHEAD = 8    # rates of so many steps, at least, are known before a slice, which still ends after SLICE


@cython.final
cdef class Run:
    """One call of Recorded.run."""
    cdef object interrupts
    cdef object step, progress, callback, bar, scheduler, generator
    cdef bint diagnoses
    cdef list measured           # names of what is measured; None: nothing yet
    cdef ndarray measures        # (steps, those)
    cdef list originals          # Tensors that run() was called with
    cdef list arrays             # which must stay theirs
    cdef list data               # contiguous ones of the same values
    cdef Py_ssize_t rows, batch_size, full, left
    cdef bint shuffle, stops
    cdef Outputs outputs
    cdef Py_ssize_t done, done_rows   # in this run
    cdef object every_steps
    cdef double every_seconds, due
    cdef bint every_epoch
    cdef list batches            # memory of a gathered batch, for each of data
    cdef double pace             # seconds of a step, about
    cdef bint lacks_gradients    # after the last step: updates stood behind them

    cdef object go(self):
        cdef ndarray order
        progress = self.progress
        while progress.epoch < progress.epochs:
            order = self.order() if self.shuffle else None
            while progress.batch < self.full:
                self.full_batches(order)
            if self.left:
                self.one(order, self.full * self.batch_size, self.left)
            self.end_epoch()
        return self.outputs.all(self.done, self.done_rows)

    cdef ndarray order(self):
        """The order of the rows in this epoch."""
        progress = self.progress
        cdef Turns turns = self.step._turns
        if progress._order_state is None:
            turns.take()   # the step may draw from the same generator
            try:
                progress._order_state = [int(word) for word in self.generator.state]
                return (<Tensor>randperm(self.rows, generator=self.generator)).array
            finally:
                turns.give()
        replayed = Generator()
        replayed.state = np.array(progress._order_state, np.uint64)
        return (<Tensor>randperm(self.rows, generator=replayed)).array

    cdef int end_epoch(self) except -1:
        progress = self.progress
        cdef Turns turns = self.step._turns
        if self.scheduler is not None:
            turns.take()
            try:
                self.scheduler.step()
            finally:
                turns.give()
        progress.epoch += 1
        progress.batch = 0
        progress._order_state = None
        self.edge()
        return 0

    cdef int made(self, Py_ssize_t steps, Py_ssize_t rows) except -1:
        """Steps have been made."""
        if steps == 0:
            return 0
        self.done += steps
        self.done_rows += rows
        self.progress.batch += steps
        if self.bar is not None:
            self.bar.update(steps)
        if self.lacks_gradients:   # nobody is to look
            return 0
        if self.progress.batch < self.progress.batches:   # else the epoch is to be ended first
            self.edge()
        return 0

    cdef int edge(self) except -1:
        """Between two steps: signals, and the callback."""
        cdef Py_ssize_t i
        if self.interrupts.waits():
            self.interrupts.allow()   # Python's handler raises
            self.interrupts.defer()
        self.report()
        for i in range(len(self.arrays)):
            if (<Tensor>self.originals[i]).array is not self.arrays[i]:
                raise RuntimeError(f"run: the .data of data[{i}] was replaced while the run goes on; change it after the run")
        return 0

    cdef int report(self) except -1:
        """Calls the callback if it is time."""
        if self.callback is None:
            return 0
        cdef double now
        if self.every_steps is not None:
            if self.progress.step % self.every_steps != 0 and not (self.every_epoch and self.progress.batch == 0):
                return 0
        elif self.every_seconds > 0:
            now = time.monotonic()
            if now < self.due and not (self.every_epoch and self.progress.batch == 0):
                return 0
            self.due = now + self.every_seconds
        elif self.progress.batch != 0:   # after each epoch
            return 0
        self.progress.losses = self.outputs.first(self.done)
        self.interrupts.allow()
        try:
            answer = self.callback(self.progress)
        finally:
            self.interrupts.defer()
        if says_true(answer):
            raise StopRun()
        return 0

    cdef list batch(self, ndarray order, Py_ssize_t row, Py_ssize_t rows):
        """Tensors of some rows."""
        cdef Tensor t
        if order is None:
            return [alias_of(t, t.array[row:row + rows]) for t in self.data]
        index = wrap(order[row:row + rows])
        return [index_select(t, 0, index) for t in self.data]

    cdef int one(self, ndarray order, Py_ssize_t row, Py_ssize_t rows) except -1:
        """A step called as the user would."""
        cdef list batch = self.batch(order, row, rows)
        cdef Program program
        cdef Turns turns = self.step._turns
        cdef unsigned long replays = 0
        turns.take()   # the program's settings are for this call alone
        try:
            program = self.step._find(batch)
            if program is not None:
                replays = program.replays
                program.stop_on_nan(self.stops)
                program.diagnosis.enable(self.measures_of(program))
            self.step._stops_on_nan = self.stops
            try:
                result = self.step(*batch)
            finally:
                self.step._stops_on_nan = False
                if program is not None:
                    program.stop_on_nan(False)
                    program.diagnosis.enable(False)
        except NotFinite as error:
            raise self.not_finite(error.args[0]) from None
        finally:
            turns.give()
        if self.measures_of(program):
            self.room_for_measures(self.done + 1)
        if self.measures_of(program) and program.replays > replays:   # else Python has made it
            self.measures[self.done] = program.diagnosis.numbers[:len(self.measured)]
        self.lacks_gradients = False
        self.take(result, row, rows)
        self.made(1, rows)
        return 0

    cdef bint measures_of(self, Program program) except -1:
        """Whether a program's numbers are wanted; makes room for them."""
        if not self.diagnoses or program is None:
            return False
        if self.measured is None:
            self.measured = program.diagnosis.names
            self.measures = np.zeros((0, len(self.measured)))
        return self.measured == program.diagnosis.names

    cdef int room_for_measures(self, Py_ssize_t steps) except -1:
        cdef Py_ssize_t before = self.measures.shape[0]
        self.measures = with_room(self.measures, steps, self.outputs.steps)
        self.measures[before:] = np.nan
        return 0

    cdef int take(self, result, Py_ssize_t row, Py_ssize_t rows) except -1:
        result = mapped(opened(result, fields_of), tensor_of)
        if self.outputs.arrays is None:
            if rows != self.batch_size:
                self.outputs.batch_size = rows
            self.outputs.make(result, self.shuffle)
        self.outputs.put(result, self.done, self.done_rows)
        first = self.outputs.first(self.done + 1)
        if self.stops and first is not None and not np.isfinite((<Tensor>first).array[self.done]):
            raise self.not_finite((<Tensor>first).array[self.done])
        return 0

    cdef object not_finite(self, value):
        progress = self.progress
        return FloatingPointError(
            f"run: the result is {value} at step {progress.step} (epoch {progress.epoch}, batch {progress.batch}, counted "
            "from 0); a smaller learning rate, or clipping, may help; stop_on_nan=False goes on")

    cdef int full_batches(self, ndarray order) except -1:
        """Steps on full batches: in C, as many as can be, from where the run stands."""
        cdef Program program
        cdef Turns turns = self.step._turns
        steps, error, by_python = 0, None, True
        turns.take()
        try:
            program = self.step._find(self.samples())
            if program is not None and not program.is_due() and program.runs_in_c() and self.outputs.arrays is not None:
                steps, error, by_python = self.in_c(program, order)
        finally:
            turns.give()
        self.made(steps, steps * self.batch_size)
        if isinstance(error, NotFinite):
            raise self.not_finite(error.args[0])
        if error is not None:
            raise error
        if by_python:
            self.one(order, self.progress.batch * self.batch_size, self.batch_size)
        return 0

    cdef list samples(self):
        """Arguments with the shapes of a full batch, which lie in memory as batches do."""
        cdef Tensor t
        return [wrap(array) for array in self.batches] if self.shuffle else [wrap(t.array[:self.batch_size]) for t in self.data]

    cdef tuple in_c(self, Program program, ndarray order):
        """Replays, up to the next call that Python is to run, or to one that stops.

        Returns:
            How many were made, the exception that the next one ends with, or None, and whether Python is to run it."""
        cdef program_run_args run
        cdef Py_ssize_t first = self.progress.batch, count = self.full - first, i, steps
        cdef program_status status
        count = min(count, <Py_ssize_t>(program.next_check - 1 - program.made))
        if self.callback is not None and self.every_steps is not None:
            count = min(count, self.every_steps - self.progress.step % self.every_steps)
        cdef Slice work = Slice()
        if program.schedules:
            count = min(count, max(AHEAD, min(<Py_ssize_t>(SLICE / max(self.pace, 1e-7)), 4096)))
        work.rates(program, first, count)
        work.rows(program, self.data, self.batches, order)
        self.outputs.reserve(self.done + count, self.done_rows + count * self.batch_size)
        work.results(program, self.outputs, self.done, self.done_rows, first, self.batch_size)
        cdef bint measures = self.measures_of(program)
        if measures:
            self.room_for_measures(self.done + count)
            work.measure(program, self.measures, self.done, first)
        run.step, run.end, run.batch = first, first + count, self.batch_size
        run.order = <const int64_t *>NULL if order is None else <const int64_t *>cnp.PyArray_DATA(order)
        run.inputs, run.input_count = work.inputs, work.input_count
        run.before, run.before_count = work.before, work.before_count
        run.after, run.after_count = work.after, work.after_count
        wait = self.wait()
        run.nanoseconds, run.leaves_all = <int64_t>(1e9 * min(SLICE, wait)), wait < SLICE or self.bar is not None
        failure = None
        try:
            program.prepare()
            program.stop_on_nan(self.stops)
            program.diagnosis.enable(measures)
            start = time.perf_counter()
            status = made_in_c(program, &run)
            if status == PROGRAM_DONE and not run.leaves_all:
                try:
                    run.leaves_all = self.interrupts.waits()
                except BaseException as raised:   # by the handler of another signal
                    failure, run.leaves_all = raised, True
                if run.leaves_all:   # handlers get their way after a step that leaves all
                    run.nanoseconds = 0
                    status = made_in_c(program, &run)
            self.lacks_gradients = not run.leaves_all
            steps = run.step - first
            if steps:
                self.pace = (time.perf_counter() - start) / steps
            program.replays += steps
            program.made += steps
        finally:
            program.stop_on_nan(False)
            program.diagnosis.enable(False)
            work.settle(program, run.step - first, count)
        self.note_written(program)
        if steps:
            program.finish(PROGRAM_DONE, [])
        stop = program.stop_of(status)
        if stop is not None and (<Stop>stop).leaves_nothing:
            csrc.program_undo(program.calls)
            error = program.interruption() or failure
            return steps, error, error is None
        error = program.finish(status, []) if status != PROGRAM_DONE else None
        if stop is not None:
            for scheduler, _ in program.schedules[:(<Stop>stop).schedules]:
                scheduler.step()
        elif error is not None and program.checks_at_end:
            program.schedule(False)
            program.schedule(True)
        return steps, error or failure, False

    cdef double wait(self):
        """Seconds until the callback is due."""
        if self.callback is None or self.every_seconds <= 0:
            return SLICE
        return max(0.0, self.due - time.monotonic())

    cdef int note_written(self, Program program) except -1:
        cdef Py_ssize_t i
        if not self.shuffle:
            for i in range(len(self.data)):
                if program.written[i]:
                    (<Tensor>self.data[i]).mark_changed()
        return 0


cdef program_status made_in_c(Program program, program_run_args *run) noexcept:
    """Steps, without the GIL."""
    cdef program_status status
    program.is_running = True
    with nogil:
        status = csrc.program_run(program.calls, run)
    program.is_running = False
    return status


def tensor_of(value):
    """A number of Python as a Tensor."""
    return wrap(np.asarray(value)) if type(value) in (int, float) else value


class StopRun(Exception):
    """The callback returned True."""


cdef bint says_true(answer) except -1:
    """True of Python, NumPy or a comparison of tensors; anything else is no answer."""
    is_bool = isinstance(answer, (bool, np.bool_)) or (isinstance(answer, Tensor) and answer.dtype == np.bool_)
    return is_bool and bool(answer)


cdef Py_ssize_t check_data(tuple data) except -1:
    """How many rows there are."""
    if not data:
        raise ValueError("run: there is no data; pass the Tensors whose rows are to be batched")
    for i, t in enumerate(data):
        if not isinstance(t, Tensor):
            raise TypeError(f"run: data[{i}] is a {type(t).__name__}, it must be a Tensor; pyml.from_numpy() makes one")
        if t.ndim == 0:
            raise ValueError(f"run: data[{i}] is a single number, it has no rows")
        if (<Tensor>t)._requires_grad:
            raise ValueError(f"run: data[{i}] requires grad; batches of it would not; pass data[{i}].detach()")
        if t.shape[0] != data[0].shape[0]:
            raise ValueError(f"run: data[{i}] has {t.shape[0]} rows, data[0] has {data[0].shape[0]}; they must be as many")
    return data[0].shape[0]


cdef ndarray empty(tuple shape, ndarray like):
    cdef cnp.npy_intp sizes[64]
    for d in range(len(shape)):
        sizes[d] = shape[d]
    return new_array(<int>len(shape), sizes, cnp.PyArray_TYPE(like))


def integer(value, least, name):
    """An argument as an int.

    Raises:
        ValueError: if it is none, less than `least`, or more than C counts.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and least <= value <= sys.maxsize:
        return int(value)
    raise ValueError(f"run: {name} is {value!r}, it must be an integer >= {least}, and at most {sys.maxsize}")


def run_steps(
    step, data, *, batch_size, epochs, shuffle, drop_last, generator, scheduler, callback, every_steps, every_seconds,
    every_epoch, progress, stop_on_nan, resume, diagnostics,
):
    """Recorded.run, which says what these are."""
    cdef Run run = Run()
    run.rows = check_data(data)
    batch_size, epochs = integer(batch_size, 1, "batch_size"), integer(epochs, 0, "epochs")
    if epochs * run.rows > sys.maxsize:
        raise ValueError(
            f"run: epochs is {epochs}, of {run.rows} rows it must be at most {sys.maxsize // run.rows}; a callback that "
            "returns True ends a run")
    if every_steps is not None:
        every_steps = integer(every_steps, 1, "every_steps")
    if every_seconds is not None and not (isinstance(every_seconds, (int, float)) and every_seconds > 0):
        raise ValueError(f"run: every_seconds is {every_seconds!r}, it must be > 0")
    if every_steps is not None and every_seconds is not None:
        raise ValueError("run: every_steps and every_seconds are two times for one callback; pass one of them")
    if callback is not None and not callable(callback):
        raise TypeError(f"run: callback is a {type(callback).__name__}, it must be callable with a Progress")
    if scheduler is not None and not callable(getattr(scheduler, "step", None)):
        raise TypeError(f"run: scheduler is a {type(scheduler).__name__}, it must have a step()")
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"run: generator is a {type(generator).__name__}, it must be a pyml.Generator")
    if callback is None and (every_steps is not None or every_seconds is not None or every_epoch):
        raise ValueError(
            "run: every_steps, every_seconds and every_epoch say when to call the callback; pass callback too")
    if recorder() is not None:
        raise RecordError("run: cannot be called inside of a step that is being recorded")
    run.full, run.left = divmod(run.rows, batch_size)
    if drop_last:
        run.left = 0
    batches = run.full + (1 if run.left else 0)
    if batches == 0:
        raise ValueError(
            f"run: {run.rows} rows make no batch of {batch_size}" + (" with drop_last=True" if drop_last else ""))
    state = Progress(epochs, batches, run.rows, batch_size, bool(shuffle))
    if resume is not None:
        state._resume(resume)
    run.step, run.progress, run.callback, run.scheduler = step, state, callback, scheduler
    run.generator = generator_of_thread() if generator is None else generator
    run.batch_size, run.shuffle, run.stops = batch_size, shuffle, stop_on_nan
    run.originals = list(data)
    run.arrays = [(<Tensor>t).array for t in data]
    run.data = [alias_of(t, contiguous((<Tensor>t).array)) for t in data]
    run.batches = [
        empty((batch_size,) + tuple(t.shape[1:]), (<Tensor>t).array) for t in run.data] if shuffle and run.full else []
    run.every_steps, run.every_seconds, run.every_epoch = every_steps, every_seconds or 0, bool(every_epoch)
    run.due = time.monotonic() + run.every_seconds
    count = max(0, state.steps - state.step)
    per_epoch = run.full * batch_size + run.left
    rows = max(0, epochs - state.epoch) * per_epoch - state.batch * batch_size
    run.outputs = Outputs(count, max(0, rows), batch_size)
    step.progress = state
    if progress:
        from tqdm.auto import tqdm
        run.bar = tqdm(total=state.steps, initial=state.step, unit=" steps")
    run.diagnoses = diagnostics
    step.diagnostics = None
    run.interrupts = Interrupts()
    run.interrupts.begin()
    try:
        return run.go()
    except StopRun:
        return run.outputs.all(run.done, run.done_rows)
    finally:
        if run.outputs.arrays is not None:
            state.losses = run.outputs.first(run.done)
        if run.bar is not None:
            run.bar.close()
        if run.measured is not None:
            run.room_for_measures(run.done)
            step.diagnostics = collected(run.measured, run.measures[:run.done])
        run.interrupts.end()
