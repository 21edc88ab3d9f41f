"""x[mask] in a recorded step: reductions and changes have eager's bits; the rest says no."""

import ctypes

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml.nn import functional as F

CALLS = 20
ROWS, COLUMNS = 37, 3


# ---- what has eager's bits -----------------------------------------------------------------------
# Functions of x (37, 3), y (37, 3), a mask of x's shape and one of its rows.

USES = {
    "sum": lambda x, y, mask, rows: x[mask].sum(),
    "mean": lambda x, y, mask, rows: x[mask].mean(),
    "functions": lambda x, y, mask, rows: pyml.sum(x[mask]) + pyml.mean(y[rows], 0).sum(),
    "kind": lambda x, y, mask, rows: x.sum() if isinstance(x[mask], pyml.Tensor) else x.mean(),
    "sum of rows": lambda x, y, mask, rows: x[rows].sum(),
    "mean of rows": lambda x, y, mask, rows: x[rows].mean(),
    "sum over rows": lambda x, y, mask, rows: x[rows].sum(0),
    "mean over rows": lambda x, y, mask, rows: x[rows].mean(0, keepdim=True),
    "sum over both": lambda x, y, mask, rows: x[rows].sum((1, 0), keepdim=True),
    "sum in each row": lambda x, y, mask, rows: x[rows].sum(1).mean(),
    "mean in each row": lambda x, y, mask, rows: x[rows].mean(-1, True).sum(),
    "masked_select": lambda x, y, mask, rows: x.masked_select(mask).mean(),
    "masked_select, broadcast": lambda x, y, mask, rows: x.masked_select(mask[0]).mean(),
    "squares": lambda x, y, mask, rows: (x[mask] - y[mask]).square().mean(),
    "twice": lambda x, y, mask, rows: (x[mask] * x[mask].exp()).sum() + x[mask].mean(),
    "numbers": lambda x, y, mask, rows: (1 - 2 * x[mask] ** 3 / 7).abs().mean(),
    "a row": lambda x, y, mask, rows: (x[rows] * y[0].detach()).mean(),
    "a row first": lambda x, y, mask, rows: (y[0].detach() / x[rows] - 1).mean(),
    "a number first": lambda x, y, mask, rows: (y.mean().detach() - x[mask]).square().mean(),
    "logarithm": lambda x, y, mask, rows: x[x > 0.1].log().mean(),
    "in place": lambda x, y, mask, rows: doubled(x[mask] * 1).mean(),
    "accuracy": lambda x, y, mask, rows: (x.argmax(1)[rows] == y.argmax(1)[rows]).float().mean(),
    "count": lambda x, y, mask, rows: ((x > 0)[mask].sum(), (x > 0)[rows].sum(0)),
    "precision": lambda x, y, mask, rows: x[mask].double().sum() + x[mask].sum(dtype="float64"),
    "vector": lambda x, y, mask, rows: F.cross_entropy(x, y.argmax(1), reduction="none")[
        rows
    ].mean(),
    "gathered": lambda x, y, mask, rows: x[pyml.arange(ROWS)][mask].mean(),
    "transposed": lambda x, y, mask, rows: x.T[mask.T].mean(),
    "too large": lambda x, y, mask, rows: (x * 3e38)[mask].abs().clamp(1e38, 3e38).mean(),
}


def doubled(chosen):
    same = chosen
    same *= 2
    return chosen


def drawn(seed, dtype):
    """Values, and masks of any number of elements: also of none, and of all."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, ROWS, COLUMNS)).astype(dtype)
    share = (0.5, 0, 1, 0.1, 0.9)[seed % 5]
    masks = rng.random((ROWS, COLUMNS)) < share, rng.random(ROWS) < share
    return [*map(pyml.from_numpy, (x, y, *masks))]


def listed(value):
    return list(value) if isinstance(value, tuple) else [value]


def outcomes(record, use, dtype, first=0):
    """Results and gradients of each call."""
    w = pyml.full((ROWS, COLUMNS), 0.25, dtype=dtype, requires_grad=True)

    @record
    def step(x, y, mask, rows):
        w.grad = None
        results = listed(use(x + w, y - w, mask, rows))
        for result in results:
            if result.requires_grad:
                result.square().sum().backward(retain_graph=True)
        return tuple(result.detach() for result in results)

    for seed in range(first, first + CALLS):
        yield [t.array.copy() for t in step(*drawn(seed, dtype))]
        yield [] if w.grad is None else [w.grad.array.copy()]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", USES)
def test_reductions(name, first, dtype):
    wanted = list(outcomes(lambda f: f, USES[name], dtype, first))
    got = list(outcomes(pyml.record, USES[name], dtype, first))
    for call, (a, b) in enumerate(zip(got, wanted, strict=True)):
        for x, y in zip(a, b, strict=True):
            assert_same_bits(x, y, f"{call // 2}:")


def test_python_runs_in_few_calls():
    executed = ctypes.c_long(0)

    @pyml.record
    def step(x, y, mask, rows):
        executed.value += 1
        return x[mask].mean()

    for seed in range(CALLS):
        step(*drawn(seed, "float32"))
    assert executed.value == 4  # at calls 1, 2, 4 and 16


def test_a_derivative_of_the_derivative(dtype):
    def second(x, y, mask, rows):
        loss = (x[mask] ** 3).mean() + x[rows].sum(0).square().sum()
        (slope,) = pyml.autograd.grad(loss, x, create_graph=True)
        return slope.square().sum()

    wanted = list(outcomes(lambda f: f, second, dtype))
    got = list(outcomes(pyml.record, second, dtype))
    for a, b in zip(got, wanted, strict=True):
        for x, y in zip(a, b, strict=True):
            assert_same_bits(x, y)


# ---- changes in place ----------------------------------------------------------------------------


def assign_number(x, y, mask, rows):
    x[mask] = 0.5


def assign_tensor(x, y, mask, rows):
    x[mask] = y.mean()


def assign_to_rows(x, y, mask, rows):
    x[rows] = 0.5


def assign_a_row(x, y, mask, rows):
    x[rows] = y[0]


def assign_a_column(x, y, mask, rows):
    x[rows] = y[:1, :1]


def subtract(x, y, mask, rows):
    x[mask] -= 0.5


def multiply_rows(x, y, mask, rows):
    x[rows] *= y[0].detach()


def add_others(x, y, mask, rows):
    x[mask] += y[mask]


def assign_others(x, y, mask, rows):
    x[mask] = y[mask] * 2


def clip(x, y, mask, rows):
    x[x > 1] = 1.0


@pytest.mark.parametrize(
    "change",
    [
        *(assign_number, assign_tensor, assign_to_rows, assign_a_row, assign_a_column),
        *(subtract, multiply_rows, add_others, assign_others, clip),
    ],
)
@pytest.mark.parametrize("tracked", [True, False])
def test_changes_in_place(change, tracked, dtype):
    def use(x, y, mask, rows):
        x, y = (x * 1, y * 1) if tracked else (x.detach(), y.detach())
        change(x, y, mask, rows)
        return x

    wanted = list(outcomes(lambda f: f, use, dtype))
    got = list(outcomes(pyml.record, use, dtype))
    for a, b in zip(got, wanted, strict=True):
        for x, y in zip(a, b, strict=True):
            assert_same_bits(x, y)


def test_a_change_of_a_parameter(dtype):
    def trained(record):
        w = pyml.zeros(ROWS, COLUMNS, dtype=dtype)

        @record
        def step(x, y, mask, rows):
            w[mask] -= 0.1
            w[rows] = w[rows] * 0.5 + y[rows]
            return w.sum()

        for seed in range(CALLS):
            yield step(*drawn(seed, dtype)).array.copy()
        yield w.array.copy()

    for got, wanted in zip(trained(pyml.record), trained(lambda f: f), strict=True):
        assert_same_bits(got, wanted)


# ---- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "size": lambda x, mask: x.sum() / len(x[mask]),
    "shape": lambda x, mask: x.sum() / x[mask].shape[0],
    "numel": lambda x, mask: x.sum() / x[mask].numel(),
    "truth": lambda x, mask: x.sum() if x[mask] else x.mean(),
    "text": lambda x, mask: x.sum() if str(x[mask]) else x.mean(),
    "row": lambda x, mask: x[mask][0],
    "iteration": lambda x, mask: sum(x[mask]),
    "largest": lambda x, mask: x[mask].max(),
    "standard deviation": lambda x, mask: x[mask].std(),
    "result": lambda x, mask: x[mask],
    "result in a dict": lambda x, mask: {"chosen": x[mask]},
    "other mask": lambda x, mask: (x[mask] - x[~mask]).mean(),
    "other size": lambda x, mask: (x[mask] - x).mean(),
    "weights": lambda x, mask: (x[mask] * x.mean().requires_grad_()).mean(),
    "loss": lambda x, mask: F.mse_loss(x[mask], x[mask]),
    "activation": lambda x, mask: F.relu(x[mask]).mean(),
    "other place": lambda x, mask: put(x, ~mask, x[mask]),
}


def put(x, mask, chosen):
    x = x.clone()
    x[mask] = chosen
    return x


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    step = pyml.record(lambda x, mask: REFUSED[name](x, mask))
    x = pyml.tensor([1.0, -2.0, 3.0, 0.5])
    with pytest.raises(
        pyml.RecordError, match=r"index by a mask.*reduction=.* at \S*test_selection\.py:\d+"
    ):
        step(x, x > 0)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:record")
def test_refused_goes_on_eagerly(name):
    x = pyml.tensor([1.0, -2.0, 3.0, 0.5])
    try:
        wanted = REFUSED[name](x, x > 0)
    except (RuntimeError, ValueError) as error:
        with pytest.raises(type(error)):
            pyml.record(REFUSED[name], unrecordable="eager")(x, x > 0)
        return
    got = pyml.record(REFUSED[name], unrecordable="eager")(x, x > 0)
    for a, b in zip(*(map(listed, (got, wanted))), strict=True):
        a, b = (each["chosen"] if isinstance(each, dict) else each for each in (a, b))
        assert_same_bits(a.array, b.array)
