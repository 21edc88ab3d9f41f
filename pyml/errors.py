"""Errors of arguments that are of two kinds: Python's, and the one that PyTorch raises."""


class ArgumentError(ValueError, RuntimeError):
    """A value or a shape that cannot be.

    PyTorch raises RuntimeError for most of them: programs that catch or expect it run.
    """


class KindError(TypeError, ValueError):
    """No Tensor, where PyTorch raises ValueError."""


class DtypeError(TypeError, RuntimeError):
    """A dtype that does not go. PyTorch raises RuntimeError."""


class OutOfRange(IndexError, RuntimeError):
    """A number that is no place. PyTorch raises the one or the other, by function."""
