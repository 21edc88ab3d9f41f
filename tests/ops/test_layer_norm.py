"""LayerNorm, RMSNorm, GroupNorm, InstanceNorm."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of
from pyml.autograd import grad
from pyml.nn import functional as F

NORMALISED = 2 * tolerances.NORMALISED  # then the affine map, each operation by itself


def standardised(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def layer_norm(last, eps=1e-5):
    def reference(x, w=1.0, b=0.0):
        return standardised(x, tuple(range(-last, 0)), eps) * w + b

    return reference


def rms_norm(last, eps):
    def reference(x, w=1.0):
        axes = tuple(range(-last, 0))
        return x / np.sqrt((x**2).mean(axes, keepdims=True) + eps) * w

    return reference


def channels(v, x):
    return np.reshape(v, (-1, *(1,) * (x.ndim - 2))) if np.ndim(v) else v


def group_norm(groups, eps=1e-5):
    def reference(x, w=1.0, b=0.0):
        y = standardised(x.reshape(x.shape[0], groups, -1), 2, eps).reshape(x.shape)
        return y * channels(w, x) + channels(b, x)

    return reference


def instance_norm(eps=1e-5):
    def reference(x, w=1.0, b=0.0):
        axes = tuple(range(2, x.ndim))
        return standardised(x, axes, eps) * channels(w, x) + channels(b, x)

    return reference


def given(x):
    """Running statistics of x's channels."""
    c = x.shape[1]
    numbers = np.linspace(-1, 1, c), np.linspace(0.5, 2, c)
    return [pyml.tensor(v, dtype=x.dtype) for v in numbers]


def running(x, w, b):
    mean, var = np.linspace(-1, 1, x.shape[1]), np.linspace(0.5, 2, x.shape[1])
    y = (x - channels(mean, x)) / np.sqrt(channels(var, x) + 1e-5)
    return y * channels(w, x) + channels(b, x)


def case(name, function, reference, *shapes):
    return Case(name, function, reference, shapes, eps=NORMALISED)


CASES = [
    case("layer_norm", lambda x: F.layer_norm(x, x.shape[-1:]), layer_norm(1), (4, 5)),
    case("layer_norm of a vector", lambda x: F.layer_norm(x, 5), layer_norm(1), (5,)),
    case("layer_norm of one", lambda x: F.layer_norm(x, 1, eps=0.5), layer_norm(1, 0.5), (3, 1)),
    *[
        case(f"layer_norm affine {last}", function, layer_norm(last, 0.1), *shapes)
        for last, function, shapes in [
            (
                1,
                lambda x, w, b: F.layer_norm(x, (4,), w, b, 0.1),
                ((2, 3, 4), (4,), (4,)),
            ),
            (
                2,
                lambda x, w, b: F.layer_norm(x, [2, 3], weight=w, bias=b, eps=0.1),
                ((2, 2, 3), (2, 3), (2, 3)),
            ),
        ]
    ],
    case(
        "layer_norm weight",
        lambda x, w: F.layer_norm(x, (4,), w),
        layer_norm(1),
        *((3, 4), (4,)),
    ),
    case("rms_norm", lambda x: F.rms_norm(x, (5,), eps=1e-3), rms_norm(1, 1e-3), (4, 5)),
    case(
        "rms_norm weight",
        lambda x, w: F.rms_norm(x, (2, 3), w, eps=0.5),
        rms_norm(2, 0.5),
        *((2, 2, 3), (2, 3)),
    ),
    *[
        case(
            f"group_norm {groups}",
            lambda x, w, b, g=groups: F.group_norm(x, g, w, b, eps=1e-5),
            group_norm(groups),
            *(shape, shape[1:2], shape[1:2]),
        )
        for groups in (1, 2, 4)
        for shape in ((2, 4), (2, 4, 2), (1, 4, 2, 2))
    ],
    case("group_norm eps", lambda x: F.group_norm(x, 2, eps=0.3), group_norm(2, 0.3), (2, 4, 3)),
    case("instance_norm", lambda x: F.instance_norm(x, eps=0.2), instance_norm(0.2), (2, 3, 4)),
    case(
        "instance_norm affine",
        lambda x, w, b: F.instance_norm(x, *given(x), w, b, momentum=0.3),
        instance_norm(),
        *((2, 2, 2, 2), (2,), (2,)),
    ),
    case(
        "instance_norm of running statistics",
        lambda x, w, b: F.instance_norm(x, *given(x), w, b, use_input_stats=False),
        running,
        *((2, 2, 3), (2,), (2,)),
    ),
]


test_values, test_layouts, test_gradients = tests_of(CASES)


def test_eps_of_rms_norm_is_the_dtypes(dtype):
    tiny = np.finfo(dtype).eps
    x = pyml.tensor([tiny**0.5, -(tiny**0.5)], dtype=dtype)
    np.testing.assert_allclose(F.rms_norm(x, 2).numpy(), [0.5**0.5, -(0.5**0.5)], rtol=1e-5)


def test_running_statistics_are_means_over_the_examples():
    x = np.random.default_rng(0).normal(size=(3, 2, 5))
    mean, var = pyml.zeros(2, dtype="float64"), pyml.ones(2, dtype="float64")
    F.instance_norm(pyml.tensor(x), mean, var, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * x.mean((0, 2)), rtol=1e-12)
    wanted = 0.75 + 0.25 * x.var(2, ddof=1).mean(0)
    np.testing.assert_allclose(var.numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4)])
def test_nothing(shape):
    x = pyml.zeros(*shape, requires_grad=True)
    for y in (F.layer_norm(x, 4), F.rms_norm(x, 4)):
        y.sum().backward()
        assert y.shape == x.grad.shape == shape


@pytest.mark.parametrize("create_graph", [False, True])
def test_rows_of_no_elements(create_graph):
    x, weight = pyml.zeros(2, 3, 0, requires_grad=True), pyml.ones(3, requires_grad=True)
    for y in (F.group_norm(x, 3, weight, weight), F.instance_norm(x, weight=weight, bias=weight)):
        dx, dweight = grad(y.sum(), [x, weight], create_graph=create_graph)
        assert dx.shape == x.shape and dweight.tolist() == [0, 0, 0]


@pytest.mark.parametrize("norm", [F.layer_norm, F.rms_norm])
def test_derivatives_of_large_rows(norm):
    """By operations as by the kernel."""
    x = pyml.tensor(np.random.default_rng(0).normal(size=(3, 7)) * 1e30, dtype="float32")
    weights, x = x / 1e30, x.requires_grad_()
    kernel, operations = (
        grad(norm(x, 7).sin() @ weights.T, x, pyml.ones(3, 3), create_graph=graph)[0]
        for graph in (False, True)
    )
    assert kernel.isfinite().all().item()
    np.testing.assert_allclose(kernel.numpy(), operations.detach().numpy(), rtol=1e-4, atol=1e-35)


@pytest.mark.parametrize("size", [1, 2])
def test_no_variance_and_no_eps(size):
    x = pyml.ones(3, size)
    assert F.layer_norm(x, size).tolist() == [[0] * size] * 3
    assert F.layer_norm(x, size, eps=0.0).isnan().all().item()


def test_far_from_zero(dtype):
    """An offset costs no digits but those that the numbers do not have."""
    x = np.array([[1e4 - 1, 1e4, 1e4 + 1]], dtype)
    root = 1.5**0.5
    for y in (
        F.layer_norm(pyml.tensor(x), 3, eps=0.0),
        F.group_norm(pyml.tensor(x), 1, eps=0.0),
        F.instance_norm(pyml.tensor(x)[None], eps=0.0)[0],
    ):
        np.testing.assert_allclose(y.numpy(), [[-root, 0, root]], rtol=1e-6, atol=1e-6)


def test_threads_do_not_change_bits(dtype):
    x = pyml.tensor(np.random.default_rng(0).normal(size=(300, 70)), dtype=dtype)
    threads, results = pyml.get_num_threads(), []
    try:
        for n in (1, 2):
            pyml.set_num_threads(n)
            leaf = x.clone().requires_grad_()
            y = F.layer_norm(leaf, 70)
            (y * y.detach().sin()).sum().backward()
            results.append((y.detach().numpy(), leaf.grad.numpy()))
    finally:
        pyml.set_num_threads(threads)
    for one, two in zip(*results, strict=True):
        assert_same_bits(one, two)


X = pyml.ones(2, 4, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.layer_norm(X, 4), ValueError, "layer_norm: input has shape"),
        (lambda: F.layer_norm(X, ()), ValueError, "normalized_shape is empty"),
        (lambda: F.layer_norm(X, 3.0), TypeError, "layer_norm: sizes must be integers"),
        (lambda: F.layer_norm(X.long(), 3), TypeError, "layer_norm: input has dtype int64"),
        (lambda: F.layer_norm([1.0], 1), TypeError, "layer_norm: input"),
        (lambda: F.layer_norm(X, 3, pyml.ones(4)), ValueError, "weight has shape"),
        (lambda: F.layer_norm(X, 3, None, pyml.ones(3).double()), TypeError, "bias has dtype"),
        (lambda: F.layer_norm(X, 3, eps=-1.0), ValueError, "eps is -1.0"),
        (lambda: F.layer_norm(X, 3, eps=None), TypeError, "eps must be a number"),
        (lambda: F.rms_norm(X, (2, 3)), ValueError, "rms_norm: input has shape"),
        (lambda: F.group_norm(X, 3), ValueError, "num_groups is 3"),
        (lambda: F.group_norm(X, 0), ValueError, "num_groups is 0"),
        (lambda: F.group_norm(pyml.ones(3), 1), ValueError, "group_norm: input has shape"),
        (lambda: F.group_norm(pyml.ones(1, 2), 2), ValueError, "it needs more than 1"),
        (lambda: F.group_norm(X, 2, pyml.ones(3)), ValueError, "weight has shape"),
        (lambda: F.instance_norm(pyml.ones(2, 3)), ValueError, "instance_norm: input has shape"),
        (lambda: F.instance_norm(pyml.ones(2, 3, 1)), ValueError, "more than 1 spatial element"),
        (lambda: F.instance_norm(X, pyml.ones(4)), ValueError, "must be given together"),
        (lambda: F.instance_norm(X, use_input_stats=False), ValueError, "are needed"),
        (
            lambda: F.instance_norm(X, pyml.zeros(4), pyml.ones(4), momentum=1.5),
            ValueError,
            "instance_norm: momentum is 1.5, it must be between 0 and 1",
        ),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
