"""The kernels of losses of pairs, for each row of helpers.losses."""

import re
from pathlib import Path

import numpy as np
import pytest

from helpers import tolerances
from helpers.losses import CASES, PAIR_LOSSES, REDUCTIONS, alpha_beta, reduce
from helpers.sweep import KERNEL, LARGE, Scaled, check_kernel, without_largest
from pyml import _kernels

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
LIST = Path(__file__).parents[2] / "csrc/kernel_list.h"


def target(loss, draw, n):
    """Of binary cross entropy probabilities: inf * 0 is no error worth a look."""
    if loss.same_shape:
        return draw.uniform(n, 0, 1)
    return loss.target(draw.rng, n).astype(draw.dtype) if loss.signs else draw(n)


def input_of(loss, draw, n):
    """Of a loss between 0 and 1 those numbers, and whatever there is."""
    return draw.uniform(n, 0, 1) if loss.unit and draw.values == "normal" else draw(n)


def forward(loss, options, reduction):
    """forward(loss, x, t), the kernel."""
    kernel, numbers = KERNEL[f"{loss.kernel}_forward"], alpha_beta(options)

    def call(loss, x, t):
        _kernels.pair_loss_forward(kernel, loss, x, t, *numbers.values(), REDUCTIONS[reduction])

    return call


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_forward(case, reduction):
    loss, options = case

    def reference(x, t):
        scale = loss.scale or (lambda *args, **options: np.abs(loss.value(*args, **options)))
        return {
            "loss": Scaled(
                np.atleast_1d(loss.reduced(x, t, reduction, **options)),
                np.atleast_1d(reduce(scale(x, t, **options), reduction)),
            )
        }

    check_kernel(
        f"{loss.kernel}_forward",
        forward(loss, options, reduction),
        arguments=lambda draw, n: {
            "x": without_largest(input_of(loss, draw, n)),
            "t": without_largest(target(loss, draw, n)),
        },
        reference=reference,
        eps=tolerances.MATH if reduction == "none" else tolerances.summed(LARGE),
        values=("normal", "offset", *(["special"] if reduction == "none" else [])),
    )


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("asked", [("dx", "dt"), ("dx",), ("dt",)], ids=str)
def test_backward(case, reduction, asked):
    loss, options = case
    if loss.signs and "dt" in asked:
        pytest.skip("the target has no gradient")
    kernel = f"{loss.kernel}_backward"

    def call(dloss, x, t, dx=None, dt=None):
        _kernels.pair_loss_backward(
            *(KERNEL[kernel], dx, dt, dloss, x, t),
            *(*alpha_beta(options).values(), REDUCTIONS[reduction]),
        )

    def reference(dloss, x, t):
        g = dloss / (max(x.size, 1) if reduction == "mean" else 1)
        slopes = loss.derivatives(x, t, **options)
        scales = loss.slope_scales(x, t, **options) if loss.slope_scales else slopes
        return {
            name: Scaled(slope * g, np.abs(scale * g))
            for name, slope, scale in zip(("dx", "dt"), slopes, scales, strict=True)
            if name in asked
        }

    check_kernel(
        kernel,
        call,
        arguments=lambda draw, n: {
            "dloss": draw.normal(n if reduction == "none" else 1),
            "x": without_largest(input_of(loss, draw, n)),
            "t": without_largest(target(loss, draw, n)),
        },
        reference=reference,
        eps=tolerances.MATH,
        values=("normal", "offset", "special"),
    )


@EACH
def test_a_sum_that_is_too_large_while_the_mean_is_not(case, isa):
    """float32 holds each loss, or only their mean."""
    loss, options = case
    n = 3000
    for power in (18, 19.4, 38):
        x, t = np.zeros(n, np.float32), np.zeros(n, np.float32)
        t[:] = loss.target(np.random.default_rng(0), n) if loss.signs else 0
        x[::7] = np.float32(10.0**power)
        with np.errstate(all="ignore"):
            wide = x.astype(np.longdouble), t.astype(np.longdouble)
            wanted = loss.reduced(*wide, "mean", **options)
        y = np.empty((), np.float32)
        forward(loss, options, "mean")(y, x, t)
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(y, np.float32(wanted), rtol=1e-6)
        x[5] = np.nan
        forward(loss, options, "mean")(y, x, t)
        assert np.isnan(y)


def test_the_table_has_every_kernel():
    listed = re.findall(r"^X\((\w+)_forward, pair_loss_forward_args,", LIST.read_text(), re.M)
    assert listed == [loss.kernel for loss in PAIR_LOSSES]
