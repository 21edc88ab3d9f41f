"""Grad mode: what is recorded, and on which thread."""

import threading

import pytest

import pyml


def test_no_grad():
    x = pyml.ones(1, requires_grad=True)
    with pyml.no_grad():
        assert not (x * 2).requires_grad and not pyml.is_grad_enabled()
        with pyml.enable_grad():
            assert (x * 2).requires_grad
        assert not pyml.is_grad_enabled()
    assert (x * 2).requires_grad

    @pyml.no_grad()
    def function():
        return x * 2

    assert not function().requires_grad and not pyml.no_grad(function)().requires_grad
    with pyml.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert pyml.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), pyml.no_grad():
        1 / 0  # noqa: B018
    assert pyml.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator_is_of_the_calls_alone():
    x = pyml.ones(1, requires_grad=True)

    @pyml.set_grad_enabled(False)
    def function():
        return x * 2

    assert pyml.is_grad_enabled() and function.__name__ == "function"
    assert not function().requires_grad and (x * 2).requires_grad


def test_inference_mode():
    x = pyml.ones(1, requires_grad=True)
    with pyml.inference_mode():
        assert not (x * 2).requires_grad
        with pyml.inference_mode(mode=False):
            assert (x * 2).requires_grad
    for decorator in (pyml.inference_mode, pyml.inference_mode()):
        assert not decorator(lambda: x * 2)().requires_grad
    assert (x * 2).requires_grad


def test_grad_mode_is_of_a_thread():
    seen = []
    with pyml.no_grad():
        thread = threading.Thread(target=lambda: seen.append(pyml.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_leaves_may_be_changed_without_grad():
    x = pyml.tensor([1.0, 2.0], requires_grad=True)
    with pyml.no_grad():
        x.sub_(1)
        x[0] = 5.0
    assert x.tolist() == [5, 1] and x.is_leaf and x.requires_grad
