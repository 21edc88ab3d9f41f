"""Norms of weights by hooks, and functions by their old names."""

import copy
import pickle

import pytest

import pyml
from pyml import nn
from pyml.recording.refusal import RecordError

weight_norm = pytest.mark.filterwarnings("ignore:`nn.utils.weight_norm`:FutureWarning")
NORMS = ("weight_norm", "spectral_norm")


def normed(name, **options):
    pyml.manual_seed(0)
    return getattr(nn.utils, name)(nn.Linear(3, 2), **options)


@weight_norm
@pytest.mark.parametrize("name", NORMS)
def test_removed(name):
    layer = normed(name)
    x = pyml.randn(4, 3)
    layer(x)
    y = layer.eval()(x)
    loaded = pickle.loads(pickle.dumps(layer))
    assert loaded(x).tolist() == y.tolist()
    assert getattr(nn.utils, f"remove_{name}")(layer) is layer
    assert sorted(layer.state_dict()) == ["bias", "weight"] and not layer._hooks
    assert isinstance(layer.weight, nn.Parameter) and layer(x).tolist() == y.tolist()
    assert copy.deepcopy(layer)(x).tolist() == y.tolist()
    with pytest.raises(ValueError, match=f"{name} of 'weight' not found in Linear"):
        getattr(nn.utils, f"remove_{name}")(layer)


@weight_norm
@pytest.mark.parametrize("name", NORMS)
def test_refused(name):
    layer = normed(name)
    with pytest.raises(RuntimeError, match=f"two {name} hooks on the same parameter weight"):
        getattr(nn.utils, name)(layer)
    with pytest.raises(ValueError, match=f"{name}: Linear has no parameter or buffer named 'w'"):
        getattr(nn.utils, name)(layer, "w")
    with pytest.raises(ValueError, match="weight of LazyLinear is not initialized"):
        getattr(nn.utils, name)(nn.LazyLinear(3))
    step = pyml.record(lambda x: layer(x).sum())
    with pytest.raises(RecordError, match=r"Linear\.weight"):
        for _ in range(3):
            step(pyml.ones(1, 3))


@weight_norm
def test_wrong_options_change_nothing():
    layer = nn.Linear(3, 2)
    for call, error in (
        (lambda: nn.utils.weight_norm(layer, dim=2), IndexError),
        (lambda: nn.utils.spectral_norm(layer, dim=2), IndexError),
        (lambda: nn.utils.spectral_norm(layer, n_power_iterations=0), ValueError),
    ):
        with pytest.raises(error):
            call()
        assert sorted(layer.state_dict()) == ["bias", "weight"] and not layer._hooks


@weight_norm
def test_a_parametrization_loads_what_a_hook_saved():
    old, x = normed("weight_norm"), pyml.randn(4, 3)
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    copied = pickle.loads(pickle.dumps(new.state_dict()))
    state = nn.Sequential(old).state_dict()
    for each in (new, copy.deepcopy(new)):
        assert each.load_state_dict(state) == ([], [])
        assert each(x).tolist() == old(x).tolist()
    assert list(state) == ["0.bias", "0.weight_g", "0.weight_v"]
    assert new.load_state_dict(copied) == ([], [])
    del state["0.weight_g"]
    with pytest.raises(RuntimeError, match=r"Unexpected key.*0\.weight_v"):
        new.load_state_dict(state)


def test_singular_values():
    layer = normed("spectral_norm", n_power_iterations=50)
    layer(pyml.ones(1, 3))
    assert pyml.linalg.svdvals(layer.weight)[0].item() == pytest.approx(1, abs=1e-6)
    before = layer.weight_u.clone()
    layer.eval()(pyml.ones(1, 3))
    assert layer.weight_u.tolist() == before.tolist()


def test_two_calls_before_one_backward():
    """As a critic of real and of generated data: each with the vectors of its call."""
    layer, x = normed("spectral_norm"), pyml.randn(4, 3)
    total = layer(x).square().sum() + layer(x).sum()
    total.backward()
    both, again = layer.weight_orig.grad, normed("spectral_norm")
    again(x).square().sum().backward()
    again(x).sum().backward()
    pyml.testing.assert_close(both, again.weight_orig.grad)


@pytest.mark.parametrize(
    "name",
    [
        *("constant", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal"),
        *("sparse", "uniform", "xavier_normal", "xavier_uniform"),
    ],
)
def test_initial_values_by_old_names(name):
    arguments = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
    pyml.manual_seed(0)
    wanted = getattr(nn.init, f"{name}_")(pyml.zeros(4, 3), *arguments)
    pyml.manual_seed(0)
    with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated") as warned:
        x = getattr(nn.init, name)(pyml.zeros(4, 3), *arguments)
    assert x.tolist() == wanted.tolist() and warned[0].filename == __file__


def test_warnings_of_old_names():
    layer = nn.Linear(2, 1)
    layer.weight.grad = pyml.tensor([[3.0, 4.0]])
    with pytest.warns(FutureWarning, match="clip_grad_norm_") as warned:
        assert nn.utils.clip_grad_norm(layer.parameters(), 1.0).item() == 5
    assert layer.weight.grad.norm().item() == pytest.approx(1, rel=1e-5)
    with pytest.warns(FutureWarning, match="parametrizations.weight_norm") as more:
        nn.utils.weight_norm(layer)
    assert {w.filename for w in (*warned, *more)} == {__file__}
