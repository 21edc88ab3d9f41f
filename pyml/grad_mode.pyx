"""Grad mode: whether operations are tracked for backward, a flag of each thread."""
import functools
from inspect import isgeneratorfunction

cdef extern from *:
    """
    static _Thread_local int pyml_grad_enabled = 1;
    """
    int pyml_grad_enabled


cdef bint grad_enabled() noexcept:
    return pyml_grad_enabled


cdef void switch_grad(bint mode) noexcept:
    global pyml_grad_enabled
    pyml_grad_enabled = mode


def is_grad_enabled():
    """True if operations are tracked for backward on this thread."""
    return bool(pyml_grad_enabled)


def is_tracked(*inputs):
    """Whether an operation on these Tensors, some of which may be None, is."""
    return pyml_grad_enabled and any([t is not None and t.requires_grad for t in inputs])


cdef class set_grad_enabled:
    """set_grad_enabled(mode)\n--\n\nContext manager, decorator and plain call: turns the tracking of operations on or off on this thread.

    Args:
        mode: True to track, False not to.
    """
    cdef bint before, mode

    def __init__(self, bint mode):
        self.before, self.mode = pyml_grad_enabled, mode
        switch_grad(mode)

    def __call__(self, function):
        """As a decorator it is of the function's calls alone."""
        switch_grad(self.before)
        return in_mode(function, self.mode)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        switch_grad(self.before)


def in_mode(function, bint mode):
    """`function` with the mode during its calls; a generator has it while it runs, and not between its items."""
    def call(*args, **kwargs):
        with set_grad_enabled(mode):
            return function(*args, **kwargs)

    def generate(*args, **kwargs):
        generator = function(*args, **kwargs)
        go, value = generator.send, None
        while True:
            try:
                with set_grad_enabled(mode):
                    item = go(value)
            except StopIteration as end:
                return end.value
            try:
                go, value = generator.send, (yield item)
            except GeneratorExit:
                with set_grad_enabled(mode):
                    generator.close()
                raise
            except BaseException as error:
                go, value = generator.throw, error

    return functools.wraps(function)(generate if isgeneratorfunction(function) else call)


class _GradMode:
    """What no_grad and enable_grad share: a context manager that nests, and a decorator."""

    _mode: bool

    def __new__(cls, orig_func=None):
        self = super().__new__(cls)
        return self if orig_func is None else self(orig_func)

    def __init__(self, orig_func=None):
        self._before = []

    def __enter__(self):
        self._before.append(bool(pyml_grad_enabled))
        switch_grad(self._mode)

    def __exit__(self, *exc):
        switch_grad(self._before.pop())

    def __call__(self, function):
        return in_mode(function, self._mode)


class no_grad(_GradMode):
    """Context manager and decorator: operations inside are not tracked, so they cost no memory for backward.

    Example:
        >>> x = pyml.ones(2, requires_grad=True)
        >>> with pyml.no_grad():
        ...     (x * 2).requires_grad
        False
    """

    _mode = False


class enable_grad(_GradMode):
    """Context manager and decorator: operations inside are tracked, also within no_grad."""

    _mode = True


def inference_mode(mode=True):
    """Context manager and decorator: no_grad; with mode=False, enable_grad.

    Tensors made inside are as any others: they can be used in the graph later.

    Args:
        mode: True not to track. Default: True.

    Example:
        >>> with pyml.inference_mode():
        ...     (pyml.ones(2, requires_grad=True) * 2).requires_grad
        False
    """
    if callable(mode):
        return no_grad(mode)
    return no_grad() if mode else enable_grad()
