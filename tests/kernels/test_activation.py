import numpy as np
import pytest

from helpers import tolerances
from helpers.activations import CALLS, IDS
from helpers.compare import assert_same_bits
from helpers.sweep import KERNEL, WIDE, Scaled, around_lanes, around_lanes_math, check_kernel
from pyml import _kernels

each = pytest.mark.parametrize(("f", "options"), CALLS, ids=IDS)


def both(numbers):
    """The alpha and beta of a call; 0 for what a function has not."""
    return (*numbers, 0, 0)[:2]


def scaled(value):
    return value if isinstance(value, Scaled) else Scaled(value, np.abs(value))


def apply(function, x, numbers):
    """With the numbers that the kernel makes of them, of its dtype."""
    narrow = np.float32 if x.dtype == np.float64 else np.float64
    return function(x, *[np.asarray(narrow(number)).astype(x.dtype) for number in numbers])


@each
def test_forward(f, options):
    kernel, numbers = f"{f.kernel}_forward", f.numbers(options)
    check_kernel(
        kernel,
        lambda y, x: _kernels.activation_forward(KERNEL[kernel], y, x, *both(numbers)),
        arguments=lambda draw, n: {"x": draw(n)},
        reference=lambda x: {"y": scaled(apply(f.function, x, numbers))},
        eps=tolerances.EXACT if f.exact else tolerances.MATH,
        sizes=around_lanes if f.exact else around_lanes_math,
        values=("normal", "offset", "special"),
        in_place=[("y", "x")],
    )


@each
def test_backward(f, options):
    kernel, numbers = f"{f.kernel}_backward", f.numbers(options)

    def arguments(draw, n):
        s = draw(n)
        if f.outputs is not None and np.isfinite(f.outputs).all():
            low, high = f.outputs
            s = draw.uniform(n, low, high)
            s[: n // 8] = high
            s[n // 8 : n // 4] = low
        return {"dy": draw.normal(n), "s": s}

    def reference(dy, s):
        derivative, scale = scaled(apply(f.derivative, s, numbers))
        wanted = dy * derivative
        if f.chooses:
            return {"dx": Scaled(wanted, np.abs(wanted))}
        return {"dx": Scaled(wanted, np.abs(dy) * scale)}

    check_kernel(
        kernel,
        lambda dx, dy, s: _kernels.activation_backward(KERNEL[kernel], dx, dy, s, *both(numbers)),
        arguments=arguments,
        reference=reference,
        eps=tolerances.EXACT if f.exact else tolerances.MATH,
        sizes=around_lanes if f.exact else around_lanes_math,
        values=("normal", "offset", "special"),
        in_place=[("dx", "dy"), ("dx", "s")],
    )


@each
def test_backward_at_whole_numbers(f, options, isa, dtype):
    """Where a formula ends, and the next one begins."""
    s = np.arange(-8, 9).astype(dtype)
    s = s if f.outputs is None else s.clip(*f.outputs)
    dx, numbers = np.empty_like(s), f.numbers(options)
    _kernels.activation_backward(
        KERNEL[f"{f.kernel}_backward"], dx, np.ones_like(s), s, *both(numbers)
    )
    wanted, scale = scaled(apply(f.derivative, s.astype(WIDE[s.dtype]), numbers))
    assert (np.abs(dx - wanted) <= tolerances.MATH * np.finfo(dtype).eps * scale).all()


@each
def test_backward_is_the_derivative_of_forward(f, options, isa):
    """By central differences in float64, away from kinks."""
    x = np.concatenate([np.linspace(-5.9, -0.01, 201), np.linspace(0.01, 5.9, 201)])
    h, numbers = 1e-5, f.numbers(options)
    y, plus, minus, dx = (np.empty_like(x) for _ in range(4))
    for into, at in ((y, x), (plus, x + h), (minus, x - h)):
        _kernels.activation_forward(KERNEL[f"{f.kernel}_forward"], into, at, *both(numbers))
    s = x if f.outputs is None else y
    _kernels.activation_backward(
        KERNEL[f"{f.kernel}_backward"], dx, np.ones_like(x), s, *both(numbers)
    )
    np.testing.assert_allclose(
        dx, (plus - minus) / (2 * h), rtol=1e-8, atol=1e-8
    )  # h^2 f''' and eps / h


@each
def test_a_number_does_not_depend_on_its_place(f, options, isa, dtype, rng):
    kernel, numbers = KERNEL[f"{f.kernel}_forward"], f.numbers(options)
    x = rng.normal(scale=3, size=67).astype(dtype)
    y = np.empty_like(x)
    _kernels.activation_forward(kernel, y, x, *both(numbers))
    for i in range(len(x)):
        alone = np.empty(1, dtype)
        _kernels.activation_forward(kernel, alone, x[i : i + 1], *both(numbers))
        assert_same_bits(alone, y[i : i + 1], f"x[{i}]")
