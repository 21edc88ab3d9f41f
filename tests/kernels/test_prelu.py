import numpy as np
import pytest

from helpers import tolerances
from helpers.sweep import LARGE, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

# rows, channels and elements of a channel; None is the size that the sweep is at
FORMS = [(1, None, 1), (3, None, 1), (70, None, 1), (None, 1, 1), (2, 3, None), (2, None, 3)]
PARALLEL = [(1000, 300, 1), (LARGE, 1, 1), (5, 7, 9000), (LARGE // 6, 2, 3), (3, 20_000, 1)]


def of_size(form, size):
    return tuple(size if sizes is None else sizes for sizes in form)


def slopes(x, w):
    return np.where(x > 0, 1, w[:, None])


def call_backward(dy, x, w, dx=None, dw=None):
    _kernels.prelu_backward(dx, dw, dy, x, w, x.shape[0], x.shape[2])


def backward(dy, x, w):
    terms = np.where(x > 0, 0, x) * dy
    return {
        "dx": dy * slopes(x, w),
        "dw": Scaled(terms.sum((0, 2)), np.abs(terms).sum((0, 2))),
    }


def sweep(name, call, forms, reference, values=("normal",), **options):
    for form in forms:
        parallel = None not in form

        def arguments(draw, size, form=form):
            shape = of_size(form, size)
            inputs = {"dy": draw.normal(shape)} if "backward" in name else {}
            return inputs | {"x": draw(shape), "w": draw.normal(shape[1])}

        check_kernel(
            name,
            call,
            arguments=arguments,
            reference=reference,
            values=("normal",) if parallel else values,
            sizes=(lambda lanes: [LARGE]) if parallel else columns_of(form),
            **options,
        )


def columns_of(form):
    """Without 0 where it is the number of channels of something."""
    return lambda lanes: columns_around_lanes(lanes)[1 if form[1] is None else 0 :]


@pytest.mark.parametrize("forms", [FORMS, PARALLEL], ids=["sizes", "threads"])
def test_forward(forms):
    sweep(
        "prelu_forward",
        lambda y, x, w: _kernels.prelu_forward(y, x, w, x.shape[0], x.shape[2]),
        forms,
        lambda x, w: {"y": x * slopes(x, w)},
        values=("normal", "special"),
        eps=tolerances.ROUNDED,
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("forms", [FORMS, PARALLEL], ids=["sizes", "threads"])
def test_backward(forms):
    eps = {"dx": tolerances.ROUNDED, "dw": tolerances.summed(LARGE)}
    sweep("prelu_backward", call_backward, forms, backward, eps=eps, in_place=[("dx", "dy")])


@pytest.mark.parametrize("asked", ["dx", "dw"])
def test_backward_computes_what_is_asked(asked):
    def reference(dy, x, w):
        return {asked: backward(dy, x, w)[asked]}

    sweep("prelu_backward", call_backward, FORMS, reference, eps=tolerances.summed(LARGE))


def test_no_rows(isa, dtype):
    nothing, dw = np.empty((0, 3, 1), dtype), np.full(3, np.nan, dtype)
    call_backward(nothing, nothing, np.ones(3, dtype), nothing, dw)
    assert (dw == 0).all()


def test_zero_has_the_slope(isa, dtype):
    """As in PyTorch, also with a sign."""
    x, dy = np.array([[[0.0], [-0.0]]], dtype), np.full((1, 2, 1), 3, dtype)
    dx = np.empty_like(x)
    call_backward(dy, x, np.array([0.25, 0.5], dtype), dx)
    assert dx.reshape(-1).tolist() == [0.75, 1.5]
