"""Threads that train, each as the thread that made them would."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context

from pyml import _kernels
from pyml.grad_mode import is_grad_enabled, set_grad_enabled
from pyml.train.callbacks import Callback

__all__ = ["Bar", "Crew", "Ended", "Stop", "each_of", "in_modes", "modes"]

LOOK = 0.1  # seconds between two looks at the bar


class Crew:
    """Threads with the grad mode, the autocast and the context variables of the one that made them.

    Args:
        threads: how many.
        stop: a function of a text that says why, after which functions under way end soon. It is
            called where an exception ends the `with`, and those that wait are not begun then.
        bar: a Bar.
    """

    def __init__(self, threads, stop, bar):
        self.stop, self.bar = stop, bar
        self.pool = ThreadPoolExecutor(threads, "pyml-member", initializer=begin, initargs=modes())

    def submit(self, function, *arguments):
        return self.pool.submit(copy_context().run, function, *arguments)

    def wait(self, *futures):
        """Those of the futures that are done, after a moment at most."""
        done, _ = wait(futures, LOOK, FIRST_COMPLETED)
        self.bar.show()
        return done

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.stop(f"{kind.__name__} was raised")
        self.pool.shutdown(cancel_futures=True)


def modes():
    """(grad mode, autocast) of this thread."""
    return is_grad_enabled(), _kernels.is_autocast_enabled()


def begin(grad, autocast):
    """Sets what modes() gave."""
    set_grad_enabled(grad)
    _kernels.set_autocast_enabled(autocast)


@contextmanager
def in_modes(grad, autocast):
    """A `with` in which they are those."""
    before = modes()
    begin(grad, autocast)
    try:
        yield
    finally:
        begin(*before)


class Bar:
    """One bar for all.

    Args:
        total: how many there are.
        done: a function that says how many of them are done.
        unit: what they are.
        progress: whether there is a bar, where there is a terminal.
    """

    def __init__(self, total, done, unit, progress):
        self.total, self.done, self.bar = total, done, None
        if progress:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, unit=f" {unit}", disable=None)

    def show(self):
        if self.bar is not None:
            self.bar.update(self.done() - self.bar.n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.show()
            self.bar.close()


def each_of(functions, threads, stop, progress=False):
    """What functions of nothing give, each called on a thread; None of those that Ctrl-C left out.

    Args:
        functions: a list of them.
        threads: how many run at a time.
        stop: as of Crew.
        progress: show a bar of the models. Default: False.

    Raises:
        BaseException: what the first of the functions that fails raises.
    """
    futures = []
    bar = Bar(len(functions), lambda: sum(each.done() for each in futures), "models", progress)
    with bar, Crew(threads, stop, bar) as crew:
        futures = [crew.submit(function) for function in functions]
        waiting = set(futures)
        while waiting:
            try:
                done = crew.wait(*waiting)
            except KeyboardInterrupt:
                stop("stopped by Ctrl-C")
                waiting = {future for future in waiting if not future.cancel()}
                continue
            waiting -= done
            for future in done:
                future.result()
    return [None if future.cancelled() else future.result() for future in futures]


class Stop:
    """Says that trainings are to end, and why.

    Attributes:
        why: None until it is called.
    """

    why = None

    def __call__(self, why):
        self.why = self.why or why


class Ended(Callback):
    """Ends a training, at a step, when a Stop says so."""

    def __init__(self, stop):
        self.stop = stop

    def on_tick(self):
        if self.stop.why is not None:
            self.trainer.stop(self.stop.why)

    def on_epoch_end(self, epoch, logs=None):
        self.on_tick()
