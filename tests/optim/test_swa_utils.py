"""Averages of weights against their formulas; buffers, recorded steps, update_bn, checks."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.optim import swa_utils
from pyml.optim.swa_utils import AveragedModel, update_bn

DECAY = 0.75


def product(averages, weights, n):
    """A function of a user's: in place, of the number."""
    for a, w in zip(averages, weights, strict=True):
        a.copy_(a * 0.5 + w * 0.5)


def swa(values):
    return np.mean(values, axis=0)


def ema(values, decay=DECAY):
    a = values[0]
    for w in values[1:]:
        a = decay * a + (1 - decay) * w
    return a


AVERAGES = {  # options of AveragedModel, the average of a list of values
    "default": (lambda: {}, swa),
    "swa, lists": (lambda: {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, swa),
    "swa": (lambda: {"avg_fn": swa_utils.get_swa_avg_fn()}, swa),
    "ema, lists": (lambda: {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(DECAY)}, ema),
    "ema": (lambda: {"avg_fn": swa_utils.get_ema_avg_fn(DECAY)}, ema),
    "own, lists": (lambda: {"multi_avg_fn": product}, lambda values: ema(values, 0.5)),
    "own": (lambda: {"avg_fn": lambda a, w, n: (a + w) / 2}, lambda values: ema(values, 0.5)),
}
averages = pytest.mark.parametrize("make, average", AVERAGES.values(), ids=AVERAGES)


@pytest.mark.parametrize("name", ["swa", "swa, lists", "ema", "ema, lists"])
def test_what_averages_can_be_pickled(name):
    average = AveragedModel(nn.Linear(2, 1), **AVERAGES[name][0]())
    again = pickle.loads(pickle.dumps(average))
    for _ in range(2):
        model = nn.Linear(2, 1)
        average.update_parameters(model), again.update_parameters(model)
    for found, wanted in zip(again.parameters(), average.parameters(), strict=True):
        assert_same_bits(found.detach(), wanted.detach())


def network(dtype=np.float64):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return model.to(dtype)


def change(model, rng):
    """Other weights and statistics."""
    for p in [*model.parameters(), *model.buffers()]:
        if p.is_floating_point():
            p.data = pyml.tensor(rng.normal(size=p.shape), dtype=p.dtype)
        else:
            p.data = p + 4


def values(model):
    return [t.detach().numpy().copy() for t in [*model.parameters(), *model.buffers()]]


@pytest.mark.parametrize("use_buffers", [False, True])
@averages
def test_averages(make, average, use_buffers, dtype, rng):
    model = network(dtype)
    averaged = AveragedModel(model, use_buffers=use_buffers, **make())
    assert averaged.n_averaged.item() == 0
    seen = []
    for _ in range(5):
        change(model, rng)
        seen.append(values(model))
        averaged.update_parameters(model)
    assert averaged.n_averaged.item() == 5 and averaged.n_averaged.dtype == np.int64
    parameters = len(list(model.parameters()))
    for i, (got, *each) in enumerate(zip(values(averaged.module), *seen, strict=True)):
        if i >= parameters and not use_buffers:
            assert_same_bits(got, each[-1])
        elif got.dtype.kind == "f":
            eps = np.finfo(got.dtype).eps
            np.testing.assert_allclose(got, average(each), rtol=0, atol=20 * eps)
        else:
            assert each[0] < got < each[-1]
    assert_same_bits(values(model)[0], seen[-1][0])


def test_the_first_update_copies(rng):
    model = network()
    averaged = AveragedModel(model)
    change(model, rng)
    averaged.update_parameters(model)
    for a, b in zip(values(averaged.module), values(model), strict=True):
        assert_same_bits(a, b)


def test_it_is_a_copy():
    model = network()
    averaged = AveragedModel(model, "cpu")
    assert averaged.module is not model
    x = pyml.randn(5, 3, dtype=pyml.float64)
    assert_same_bits(averaged.eval()(x).detach().numpy(), model.eval()(x).detach().numpy())
    names = ["n_averaged", *(f"module.{name}" for name in model.state_dict())]
    assert list(averaged.state_dict()) == names


def test_goes_on_from_a_state_dict(rng):
    model = network()
    whole = AveragedModel(model)
    for _ in range(3):
        change(model, rng)
        whole.update_parameters(model)
    resumed = AveragedModel(model)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    change(model, rng)
    for each in (whole, resumed):
        each.update_parameters(model)
    for a, b in zip(values(whole), values(resumed), strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("name", [name for name in AVERAGES if "own" not in name])
def test_in_a_recorded_step(name, use_buffers):
    make, results = AVERAGES[name][0], []
    for record in (lambda function: function, pyml.record):
        pyml.manual_seed(1)
        model = network(np.float32)
        if use_buffers and "avg_fn" in make():  # of integers it does not compute in a recording
            del model[1].num_batches_tracked
            model[1].register_buffer("num_batches_tracked", None)
            model[1].momentum = 0.1
        optimizer = optim.SGD(model.parameters(), lr=0.05)
        averaged = AveragedModel(model, use_buffers=use_buffers, **make())
        x, y = pyml.randn(12, 8, 3), pyml.randn(12, 8, 1)

        @record
        def step(x, y, model=model, optimizer=optimizer, averaged=averaged):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            averaged.update_parameters(model)
            return loss

        for i in range(12):
            step(x[i], y[i])
        results.append(values(averaged))
    for a, b in zip(*results, strict=True):
        assert_same_bits(a, b)


class TestUpdateBn:
    def test_statistics(self, rng):
        model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
        change(model, rng)
        batches = [pyml.tensor(rng.normal(i, 1, size=(6, 3)), dtype=pyml.float32) for i in range(4)]
        update_bn([(x, None) for x in batches[:2]] + batches[2:], model, "cpu")
        arrays = [x.numpy() for x in batches]
        mean = np.mean([a.mean(0) for a in arrays], axis=0)
        var = np.mean([a.var(0, ddof=1) for a in arrays], axis=0)
        np.testing.assert_allclose(model[0].running_mean.numpy(), mean, rtol=1e-5)
        np.testing.assert_allclose(model[0].running_var.numpy(), var, rtol=1e-5)
        assert model[0].num_batches_tracked.item() == 4
        assert model[0].momentum == 0.1

    @pytest.mark.parametrize("raises", [False, True])
    def test_modes_and_momenta_stay(self, raises):
        model = nn.Sequential(nn.BatchNorm1d(1, momentum=0.25), nn.BatchNorm1d(1), nn.ReLU())
        model[1].eval()

        def loader():
            yield pyml.ones(2, 1)
            if raises:
                raise ZeroDivisionError

        if raises:
            with pytest.raises(ZeroDivisionError):
                update_bn(loader(), model)
        else:
            update_bn(loader(), model)
        assert [m.training for m in model] == [True, False, True] and model.training
        assert [m.momentum for m in model[:2]] == [0.25, 0.1]

    def test_without_such_layers_nothing_is_read(self):
        update_bn(None, nn.Linear(1, 1))

    def test_gradients_are_not_recorded(self):
        model = nn.Sequential(nn.BatchNorm1d(1))
        outputs = []
        model.register_forward_hook(lambda module, args, output: outputs.append(output))
        update_bn([pyml.ones(2, 1)], model)
        assert not outputs[0].requires_grad


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: AveragedModel(3), TypeError, "model is a int, not a Module"),
        (lambda: AveragedModel(network(), "cuda"), ValueError, "device is 'cuda'"),
        (lambda: AveragedModel(network(), avg_fn=1), TypeError, "avg_fn is 1, it must be a func"),
        (
            lambda: AveragedModel(network(), avg_fn=max, multi_avg_fn=max),
            ValueError,
            "pass avg_fn or multi_avg_fn, not both",
        ),
        (lambda: update_bn([], None), TypeError, "model is a NoneType, not a Module"),
        (lambda: update_bn([], network(), "cuda"), ValueError, "device is 'cuda'"),
        (lambda: swa_utils.get_ema_avg_fn(1.5), ValueError, r"decay is 1.5, it must be in \[0, 1"),
        (lambda: swa_utils.get_ema_multi_avg_fn(-1), ValueError, "decay is -1"),
        (
            lambda: AveragedModel(network()).update_parameters(network().parameters()),
            TypeError,
            "not a Module",
        ),
    ],
    ids=range(9),
)
def test_refusals(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_another_model_is_refused(rng):
    averaged = AveragedModel(nn.Linear(3, 4))
    before = values(averaged)
    for other in (nn.Linear(4, 3), nn.Linear(3, 4, bias=False)):
        with pytest.raises(ValueError, match="pass the model that was copied"):
            averaged.update_parameters(other)
    for a, b in zip(values(averaged), before, strict=True):
        assert_same_bits(a, b)


def test_it_is_found_in_optim():
    assert pyml.optim.swa_utils is swa_utils
    with pytest.raises(AttributeError, match="no attribute 'swa_util'"):
        _ = pyml.optim.swa_util


@pytest.mark.parametrize("d, shape", [(1, (2, 1)), (2, (2, 1, 2, 2)), (3, (2, 1, 2, 2, 2))])
def test_update_bn_of_any_dimensions(d, shape):
    layer = getattr(nn, f"BatchNorm{d}d")(1)
    update_bn([pyml.full(shape, 3.0)], nn.Sequential(layer))
    assert layer.running_mean.tolist() == [3]
