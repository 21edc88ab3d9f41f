"""Ranges of options, and the messages of what is outside of them."""

import numpy as np
import pytest

import pyml
from pyml.options import Range, check_choice, check_integer, check_number, check_options

INF, NAN = float("inf"), float("nan")
RANGES = {  # range: its rule, what is in it, what is not
    Range(0): (">= 0", [0, 0.5, INF], [-1e-9, NAN]),
    Range(0, ends="(]"): ("> 0", [1e-9, INF], [0, -1, NAN]),
    Range(1, ends="[)"): (">= 1", [1, 1e30], [INF, 0.5, NAN]),
    Range(0, 1): ("in [0, 1]", [0, 1], [-0.1, 1.1, NAN]),
    Range(0, 1, "[)"): ("in [0, 1)", [0, 0.5], [1, INF, NAN]),
    Range(0, 1, "(]"): ("in (0, 1]", [0.5, 1], [0, NAN]),
}


@pytest.mark.parametrize("allowed", RANGES, ids=str)
def test_ranges(allowed):
    rule, inside, outside = RANGES[allowed]
    assert str(allowed) == rule
    for value in [*inside, *map(np.float64, inside), *map(pyml.tensor, inside)]:
        check_number("Who", "name", value, allowed)
    for value in outside:
        with pytest.raises(ValueError) as error:
            check_number("Who", "name", value, allowed)
        assert str(error.value) == f"Who: name is {value}, it must be {rule}"


@pytest.mark.parametrize("value", ["1", None, [1], b"1"])
def test_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"Who: name is .*, it must be a number"):
        check_number("Who", "name", value, Range(0))


def test_a_tensor_of_more_than_one_number():
    with pytest.raises(ValueError, match="Who: name has 2 elements, it must have one"):
        check_number("Who", "name", pyml.ones(2), Range(0))


@pytest.mark.parametrize(
    "value, match",
    [
        (0.5, r"pair is 0.5, it must be a pair of numbers in \[0, 1\) and > 1"),
        ((0.5,), r"pair is \(0.5,\), it must be a pair of numbers"),
        ((1, 2), r"pair\[0\] is 1, it must be in \[0, 1\)"),
        ((0.5, 1), r"pair\[1\] is 1, it must be > 1"),
    ],
)
def test_pairs(value, match):
    ranges = {"first": Range(0), "pair": (Range(0, 1, "[)"), Range(1, ends="(]"))}
    check_options("Who", {"first": 1, "pair": [0, 2], "more": None}, ranges)
    with pytest.raises(ValueError, match=f"^Who: {match}"):
        check_options("Who", {"first": 1, "pair": value}, ranges)
    with pytest.raises(ValueError, match=r"^Who: first is -1"):
        check_options("Who", {"first": -1, "pair": value}, ranges)


def test_integers():
    for value in (0, -3, np.int8(2)):
        check_integer("Who", "name", value)
    for value in (True, np.True_, 1.0, "1", None):
        with pytest.raises(TypeError) as error:
            check_integer("Who", "name", value)
        assert str(error.value) == f"Who: name is {value!r}, it must be an integer"


def test_choices():
    check_choice("Who", "name", None, (None, "a"))
    with pytest.raises(ValueError, match=r"^Who: name is 'b', it must be None or 'a'$"):
        check_choice("Who", "name", "b", (None, "a"))
    with pytest.raises(ValueError, match=r"^Who: name is \[\], it must be 1, 'a' or 'c'$"):
        check_choice("Who", "name", [], (1, "a", "c"))


@pytest.mark.parametrize(
    "call",
    [
        lambda: pyml.ones(2, 3) @ pyml.ones(2, 3),
        lambda: pyml.ones(2, 3).reshape(4),
        lambda: pyml.nn.Linear(2, 3)(pyml.ones(4)),
        lambda: pyml.nn.functional.softshrink(pyml.ones(2), -1.0),
        lambda: pyml.ones(3).expand(4, 2),
    ],
)
def test_errors_of_values_are_those_of_pytorch_too(call):
    """Programs for PyTorch expect RuntimeError."""
    for kind in (ValueError, RuntimeError):
        with pytest.raises(kind):
            call()


@pytest.mark.parametrize("kind", [IndexError, RuntimeError])
def test_errors_of_places_are_those_of_pytorch_too(kind):
    with pytest.raises(kind):
        pyml.nn.functional.one_hot(pyml.tensor([-1]), 3)
    with pytest.raises(kind):
        pyml.ones(3).gather(0, pyml.tensor([3]))


@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_values_that_are_no_tensors(kind):
    """PyTorch's distributions raise ValueError."""
    for method in ("log_prob", "cdf"):
        with pytest.raises(kind):
            getattr(pyml.distributions.Normal(0.0, 1.0), method)(1)
