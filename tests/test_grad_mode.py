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


@pytest.mark.parametrize(
    "make",
    [pyml.no_grad, lambda: pyml.set_grad_enabled(False), pyml.inference_mode],
    ids=["no_grad", "set_grad_enabled", "inference_mode"],
)
def test_a_generator_has_the_mode_while_it_runs(make):
    closed = []

    @make()
    def told():
        try:
            sent = yield pyml.is_grad_enabled()
            try:
                yield sent, pyml.is_grad_enabled()
            except KeyError:
                yield pyml.is_grad_enabled()
            return "the end"
        finally:
            closed.append(pyml.is_grad_enabled())

    def ends():
        return (yield from told())

    generator = told()
    assert next(generator) is False and pyml.is_grad_enabled()
    assert generator.send(3) == (3, False) and pyml.is_grad_enabled()
    assert generator.throw(KeyError()) is False and pyml.is_grad_enabled()
    generator.close()
    assert closed == [False]
    generator = ends()
    next(generator), generator.send(None)
    with pytest.raises(StopIteration, match="the end"):
        generator.send(None)
    assert told.__name__ == "told" and pyml.is_grad_enabled()
