"""Checks of arguments, in one wording."""

from pyml.ops.shape import integer
from pyml.options import with_words


def count(value, who, name, least=1, words=""):
    """`value` as an int that is not below `least`.

    Args:
        value, who, name, least: the argument, what has it, its name, and what it may be.
        words: PyTorch's message, which programs may look for. Default: "".

    Raises:
        TypeError, ValueError
    """
    number = integer(value, f"{who}: {name}")
    if number < least:
        raise ValueError(
            with_words(f"{who}: {name} is {number}, it must be {least} or more", words)
        )
    return number


def flag(value, who, name):
    """Raises TypeError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(
            f"{who}: {name} is {value!r}, it must be True or False ({name} should be a boolean "
            f"value, but got {name}={value!r})"
        )
    return value


def function(value, who, name):
    """Raises TypeError unless `value` can be called, or is None."""
    if value is not None and not callable(value):
        raise TypeError(f"{who}: {name} is a {type(value).__name__}, it must be a function")
    return value


def indexed(value, who, name):
    """Raises TypeError unless `value` can be indexed."""
    if not hasattr(type(value), "__getitem__"):
        raise TypeError(
            f"{who}: {name} is a {type(value).__name__}, which has no __getitem__; it must give a "
            "sample for an index"
        )
    return value


def sized(value, who, name):
    """Raises TypeError unless `value` has a length."""
    if not hasattr(type(value), "__len__"):
        raise TypeError(
            f"{who}: {name} is a {type(value).__name__}, which has no __len__; give it one, or "
            "make it an IterableDataset if its length is not known"
        )
    return with_items(value, who, name)


def with_items(value, who, name):
    """Raises TypeError for an array that is one number."""
    if getattr(value, "ndim", 1) == 0:
        raise TypeError(f"{who}: {name} is a 0-d {type(value).__name__}, which has no items")
    return value
