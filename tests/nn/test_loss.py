import inspect
import math

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from helpers.losses import CASES, LOSS_CASES, LOSSES, PAIR_LOSSES, REDUCTIONS, tensors
from pyml import nn
from pyml.nn import functional as F

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_module_is_its_function(case, reduction, rng):
    loss, options = case
    x = pyml.tensor(loss.input(rng, (4, 3)))
    t = pyml.tensor(loss.target(rng, (4, 3)))
    got = getattr(nn, loss.module)(reduction=reduction, **options)(x, t)
    wanted = getattr(F, loss.name)(x, t, reduction=reduction, **options)
    assert_same_bits(got.numpy(), wanted.numpy())


def test_options_may_change_and_modules_may_be_derived(rng):
    class Halved(nn.MSELoss):
        def __init__(self, factor):
            super().__init__(reduction="sum")
            self.factor = factor

        def forward(self, input, target):
            return super().forward(input, target) * self.factor

    x, t = (pyml.tensor(rng.normal(size=3)) for _ in range(2))
    loss = Halved(0.5)
    assert loss(x, t).item() == F.mse_loss(x, t, reduction="sum").item() / 2
    loss.reduction = "mean"
    assert loss(x, t).item() == F.mse_loss(x, t).item() / 2


def test_the_table_has_every_module():
    wanted = {loss.module for loss in [*PAIR_LOSSES, *LOSSES]} | {"CTCLoss", "CrossEntropyLoss"}
    wanted.add("LinearCrossEntropyLoss")
    assert set(nn.loss.__all__) == wanted


def test_mse_by_hand():
    x, t = pyml.tensor([1.0, 2.0, 5.0]), pyml.tensor([1.0, 4.0, 2.0])
    assert nn.MSELoss()(x, t).item() == pytest.approx(13 / 3)
    assert nn.MSELoss(reduction="sum")(x, t).item() == 13
    assert nn.MSELoss(reduction="none")(x, t).tolist() == [0, 4, 9]
    assert F.mse_loss(x, t, weight=pyml.tensor([1.0, 0.0, 1.0])).item() == 4.5


def test_cross_entropy_by_hand():
    x = pyml.zeros(3, 4)
    t = pyml.tensor([0, 3, -100])
    assert nn.CrossEntropyLoss()(x, t).item() == pytest.approx(math.log(4))
    assert nn.CrossEntropyLoss(reduction="sum")(x, t).item() == pytest.approx(2 * math.log(4))
    assert nn.CrossEntropyLoss(reduction="none")(x, t)[2].item() == 0
    weight = pyml.tensor([1.0, 1.0, 1.0, 3.0])
    assert nn.CrossEntropyLoss(weight, reduction="sum")(x, t).item() == pytest.approx(
        4 * math.log(4)
    )
    assert nn.CrossEntropyLoss(ignore_index=3)(x[:2], t[:2]).item() == pytest.approx(math.log(4))


def test_weight_is_a_buffer():
    loss = nn.CrossEntropyLoss(pyml.ones(3)).double()
    assert loss.weight.dtype == np.float64
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


@pytest.mark.filterwarnings("ignore:kl_div. reduction 'mean'")
@pytest.mark.parametrize("case", LOSS_CASES.values(), ids=LOSS_CASES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_module_of_several_inputs_is_its_function(case, reduction, rng):
    loss, options = case
    inputs, options = tensors(loss.draw(rng), options)
    got = getattr(nn, loss.module)(reduction=reduction, **options)(*inputs)
    wanted = getattr(F, loss.name)(*inputs, reduction=reduction, **options)
    assert_same_bits(got.numpy(), wanted.numpy())


@pytest.mark.parametrize("name", nn.loss.__all__)
def test_deprecated_keywords(name):
    """They are in PyTorch's places, and say what the reduction is, with its warning."""
    module = getattr(nn, name)
    parameters = inspect.signature(module).parameters
    if "size_average" not in parameters:
        assert name in {
            *("CTCLoss", "GaussianNLLLoss", "HuberLoss", "LinearCrossEntropyLoss"),
            *("QuantileLoss", "TripletMarginWithDistanceLoss"),
        }
        return
    for size_average, reduce, meant in [
        (True, None, "mean"),
        (False, None, "sum"),
        (None, True, "mean"),
        (None, False, "none"),
        (False, True, "sum"),
        (True, False, "none"),
    ]:
        old = {"size_average": size_average, "reduce": reduce}
        with pytest.warns(UserWarning, match=f"please use reduction='{meant}'"):
            assert module(**old).reduction == meant


@pytest.mark.parametrize("name", nn.loss.__all__)
def test_unknown_reduction(name):
    sizes = (2, 2) if name == "LinearCrossEntropyLoss" else ()
    loss = getattr(nn, name)(*sizes, reduction="avg")
    count = len(inspect.signature(loss.forward).parameters)
    with pytest.raises(
        ValueError, match=r"reduction is 'avg', it must be 'none', .*'mean' or 'sum'"
    ):
        loss(*[pyml.ones(2, 2)] * count)


def test_errors():
    cross_entropy = nn.CrossEntropyLoss()
    with pytest.raises(IndexError, match="target 4 at position 1 is out of bounds"):
        cross_entropy(pyml.zeros(2, 4), pyml.tensor([0, 4]))
    with pytest.raises(ValueError, match="target of class indices has shape"):
        cross_entropy(pyml.zeros(2, 4), pyml.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"label_smoothing must be between 0\.0 and 1\.0, it is 2"):
        nn.CrossEntropyLoss(label_smoothing=2)(pyml.zeros(2, 4), pyml.tensor([0, 1]))
    with pytest.warns(UserWarning, match="broadcast"):
        nn.MSELoss()(pyml.ones(3, 1), pyml.ones(3))


@pytest.mark.parametrize("shape", [(2, 0), (0,), (0, 0), (2, 0, 3)])
def test_cross_entropy_of_no_classes(shape):
    x = pyml.zeros(shape, dtype=pyml.float64)
    target = pyml.zeros(shape, dtype=pyml.float64, requires_grad=True)
    for smoothing in (0.0, 0.1):
        loss = F.cross_entropy(x, target, reduction="sum", label_smoothing=smoothing)
        assert loss.item() == 0


@pytest.mark.parametrize("record", [lambda f: f, pyml.record], ids=["eager", "recorded"])
def test_cross_entropy_of_no_classes_or_no_rows(record, dtype):
    """PyTorch's: an empty sum is 0, its mean 0 / 0."""
    step = record(lambda x, t, reduction: F.cross_entropy(x, t, reduction=reduction))
    nobody = pyml.full((3,), -100)
    for n, c, target in [(3, 0, pyml.zeros(3, 0, dtype=dtype)), (3, 0, nobody), (0, 4, nobody[:0])]:
        x = pyml.zeros(n, c, dtype=dtype, requires_grad=True)
        assert step(x, target, "none").tolist() == [0] * n
        assert step(x, target, "sum").item() == 0
        assert math.isnan(step(x, target, "mean").item())
        F.cross_entropy(x, target).backward()
        assert x.grad.shape == (n, c)
    with pytest.raises(IndexError, match="no classes"):
        step(pyml.zeros(3, 0, dtype=dtype), nobody + 101, "sum")


def test_probabilities_have_no_index_to_ignore():
    x = pyml.zeros(2, 3)
    with pytest.raises(ValueError, match="not supported for floating point target; it is 0"):
        nn.CrossEntropyLoss(ignore_index=0)(x, pyml.ones(2, 3) / 3)
    nn.CrossEntropyLoss(ignore_index=-1)(x, pyml.ones(2, 3) / 3)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_batch_whose_targets_are_all_ignored(create_graph):
    """The mean of nothing is NaN, its gradient zero."""
    x = pyml.tensor([[1.0, 2.0], [0.5, 0.0]], requires_grad=True)
    loss = nn.CrossEntropyLoss(ignore_index=1)(x, pyml.tensor([1, 1]))
    (dx,) = pyml.autograd.grad(loss, x, create_graph=create_graph)
    assert math.isnan(loss.item()) and dx.tolist() == [[0, 0], [0, 0]]


def test_delta_that_is_no_number():
    for delta in (1j, "1", None):
        with pytest.raises(TypeError, match="HuberLoss: delta must be a float or int, got"):
            nn.HuberLoss(delta=delta)
