"""Checks of options, in one wording: for optimizers, schedulers and modules."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from pyml.errors import ArgumentError
from pyml.tensor import Tensor


@dataclass(frozen=True)
class Range:
    """The numbers from low to high.

    Args:
        low, high: its ends. Default of high: inf.
        ends: "[" and "]" where an end belongs to it, "(" and ")" where it does not. Default: "[]".
    """

    low: float
    high: float = math.inf
    ends: str = "[]"

    def has(self, value):
        """Whether a number is in it. NaN is in no range."""
        above = self.low < value if self.ends[0] == "(" else self.low <= value
        return above and (value < self.high if self.ends[1] == ")" else value <= self.high)

    def __str__(self):
        if self.high == math.inf:
            return f"{'>' if self.ends[0] == '(' else '>='} {self.low}"
        return f"in {self.ends[0]}{self.low}, {self.high}{self.ends[1]}"


def is_number(value):
    """Whether `value` can be read as a number. float() takes text, too."""
    try:
        float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False
    return not isinstance(value, (str, bytes, bytearray))


def check_number(who, name, value, allowed, words=""):
    """Raises TypeError unless `value` is a number, or a Tensor of one; ValueError if not allowed.

    Args:
        who, name: what has the option, and its name, for the message.
        value: of the option.
        allowed: a Range.
        words: PyTorch's message, which programs may look for. Default: "".
    """
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ArgumentError(
            f"{who}: {name} has {value.numel()} elements, it must have one (Tensor {name} must be "
            "1-element)"
        )
    if not is_number(value):
        raise TypeError(f"{who}: {name} is {value!r}, it must be a number")
    if not allowed.has(float(value)):
        raise ArgumentError(with_words(f"{who}: {name} is {value}, it must be {allowed}", words))


def one_number(value, place, kind=float, *, least=-math.inf):
    """A number of a state_dict, or a Tensor of one, as a float or an int.

    Args:
        value: what is there.
        place: where that is, for messages.
        kind: float or int, to which it is rounded down. Default: float.
        least: what it must be at least. Default: -inf.

    Raises:
        TypeError: if it is no number, or one that float64 does not have.
        ValueError: if it is a Tensor of several, below `least`, or not finite where an int is due.
    """
    is_kind = isinstance(value, (int, float, Tensor)) and not isinstance(value, bool)
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{place} has {value.numel()} elements, it must have one")
    if not is_kind or not is_number(value):
        raise TypeError(f"{place} is {value!r}, it must be a number")
    number = float(value)
    if number < least:
        raise ValueError(f"{place} is {number}, it must be >= {least}")
    if kind is int and not math.isfinite(number):
        raise ValueError(f"{place} is {number}, it must be finite")
    return kind(number)


def with_words(message, words):
    """A message with PyTorch's words behind, if there are."""
    return f"{message} ({words})" if words else message


def check_integer(who, name, value):
    """Raises TypeError unless `value` is an integer, of Python or NumPy."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{who}: {name} is {value!r}, it must be an integer")


def check_counts(who, least=0, **counts):
    """Raises TypeError or ValueError unless each is an integer of `least` or more."""
    for name, value in counts.items():
        check_integer(who, name, value)
        check_number(who, name, value, Range(least))


def check_sizes(who, **sizes):
    """Raises TypeError or ValueError unless each can be the size of a dimension."""
    for name, value in sizes.items():
        check_integer(who, name, value)
        words = f"Trying to create tensor with negative dimension {value}"
        check_number(who, name, value, Range(0), words)


def check_each(who, name, values, kind):
    """Raises TypeError unless each of the values is of that class."""
    for i, value in enumerate(values):
        if not isinstance(value, kind):
            raise TypeError(
                f"{who}: {name}[{i}] is a {type(value).__name__}, it must be a {kind.__name__}"
            )


def check_choice(who, name, value, choices, words=""):
    """Raises ValueError unless `value` is one of the choices, two or more.

    Args:
        who, name, value, choices: what has the option, its name, and what it is and may be.
        words: PyTorch's message, which programs may look for. Default: "".
    """
    if value not in choices:
        *others, last = map(repr, choices)
        rule = f"it must be {', '.join(others)} or {last}"
        raise ArgumentError(with_words(f"{who}: {name} is {value!r}, {rule}", words))


def check_options(who, options, ranges, words=None):
    """Checks options by name, in the order of `ranges`.

    Args:
        who: what has the options, for messages.
        options: {name: value}.
        ranges: {name: Range}, or a pair of Ranges for an option that is a pair of numbers.
        words: {name: PyTorch's message, with options in braces}, by the name of one of a pair, too;
            for those not in it "Invalid <name> value". Default: None, the messages lack them.

    Raises:
        TypeError, ValueError: as check_number; ValueError for what is not a pair.
    """

    def words_of(name):
        if words is None:
            return ""
        return words.get(name, f"Invalid {name} value: {{{name}}}").format(**options)

    for name, allowed in ranges.items():
        value = options[name]
        if isinstance(allowed, Range):
            check_number(who, name, value, allowed, words_of(name))
            continue
        if not (isinstance(value, (tuple, list)) and len(value) == len(allowed)):
            rules = " and ".join(dict.fromkeys(map(str, allowed)))
            raise ArgumentError(f"{who}: {name} is {value}, it must be a pair of numbers {rules}")
        for i, (item, each) in enumerate(zip(value, allowed, strict=True)):
            part = f"{name}[{i}]"
            check_number(who, part, item, each, words_of(part))
