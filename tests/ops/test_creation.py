"""Making tensors: arguments that mean no tensor."""

import math

import numpy as np
import pytest

import pyml


def test_integers_that_do_not_fit_their_dtype():
    for call, text in [
        (lambda: pyml.randint(0, 300, (2,), dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.randint(-1, 3, (2,), dtype=pyml.uint8), "-1 to 2 do not fit"),
        (lambda: pyml.randint(2**63, 2**63 + 2, (2,)), "int64"),
        (lambda: pyml.randint_like(pyml.zeros(2, dtype=pyml.int8), 300), "int8"),
        (lambda: pyml.randperm(300, dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.arange(300, dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.arange(200, 0, -3, dtype=pyml.int8), "2 to 200 do not fit into int8"),
        (lambda: pyml.tensor([1, 300], dtype=pyml.uint8), "1 to 300 do not fit into uint8"),
        (lambda: pyml.as_tensor([-1], dtype=pyml.uint8), "do not fit"),
        (lambda: pyml.tensor([1.0, math.nan], dtype=pyml.int64), "do not fit into int64"),
        (lambda: pyml.tensor(math.inf, dtype=pyml.int64), "do not fit into int64"),
        (lambda: pyml.arange(0, math.inf), "no finite range"),
        (lambda: pyml.arange(0, math.nan), "no finite range"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    assert pyml.randint(0, 256, (100,), dtype=pyml.uint8).dtype == np.uint8
    assert pyml.randperm(256, dtype=pyml.uint8).double().sum() == 255 * 128
    assert pyml.tensor([-128, 127], dtype=pyml.int8).tolist() == [-128, 127]


def test_sizes_and_counts_are_integers():
    for number in (2.9, 2.0, "2", None, True, math.nan):
        for call in (
            pyml.randperm,
            lambda n: pyml.zeros(n, 2),
            lambda n: pyml.ones((2, n)),
            lambda n: pyml.empty(n, 1),
            lambda n: pyml.full((n,), 1.0),
            lambda n: pyml.eye(n, 2),
            lambda n: pyml.rand(n, 2),
            lambda n: pyml.randint(0, n, (2,)),
            lambda n: pyml.randint(0, 5, (n,)),
            lambda n: pyml.linspace(0, 1, n),
            lambda n: pyml.ones(1).expand(n, 1),
            lambda n: pyml.ones(2).reshape(n, 1),
        ):
            with pytest.raises(TypeError, match="integer"):
                call(number)


def test_sizes_that_are_negative_or_too_large():
    for call in (pyml.zeros, pyml.ones, pyml.empty, pyml.rand, pyml.randn, pyml.eye, pyml.randperm):
        with pytest.raises(ValueError, match="negative"):
            call(-1)
        with pytest.raises(ValueError if call is pyml.eye else MemoryError):
            call(10**18)
        with pytest.raises((ValueError, OverflowError, MemoryError)):
            call(2**70)


def test_dimensions_are_64_at_most():
    x = pyml.ones(1)
    assert x.expand([1] * 64).shape == (1,) * 64
    for call in (
        lambda: x.expand([1] * 65),
        lambda: x.expand([2] * 65),
        lambda: x.expand([1] * 1000),
        lambda: pyml.zeros([1] * 65),
        lambda: pyml.empty([1] * 65),
        lambda: x.reshape([1] * 65),
        lambda: x.view([1] * 65),
        lambda: x.repeat([1] * 65),
        lambda: x.expand([1] * 64).unsqueeze(0),
        lambda: pyml.stack([x.expand([1] * 64)]),
    ):
        with pytest.raises(ValueError, match="64"):
            call()
    with pytest.raises(IndexError):
        x[(None,) * 65]
