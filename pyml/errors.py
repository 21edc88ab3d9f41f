"""Errors of arguments."""


class ArgumentError(ValueError, RuntimeError):
    """A value or a shape that cannot be.

    PyTorch raises RuntimeError for most of them: programs that catch or expect it run.
    """
