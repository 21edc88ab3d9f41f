import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn, optim


def network():
    return nn.Sequential(
        nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2, bias=False)
    )


def test_becomes_the_module_that_it_stands_for():
    net = network()
    assert net(pyml.zeros(3, 5)).shape == (3, 2)
    assert [type(m).__name__ for m in net] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert repr(net[0]) == "Linear(in_features=5, out_features=4, bias=True)"
    assert repr(net[3]) == "Linear(in_features=4, out_features=2, bias=False)"
    assert not any(m._hooks for m in net)
    assert net[1].num_batches_tracked.item() == 1


def test_values_are_those_of_the_module():
    pyml.manual_seed(3)
    lazy = nn.LazyLinear(4)
    lazy(pyml.zeros(1, 5))
    pyml.manual_seed(3)
    np.testing.assert_array_equal(
        lazy.weight.detach().numpy(), nn.Linear(5, 4).weight.detach().numpy()
    )


def test_an_optimizer_keeps_the_parameters():
    net = network()
    optimizer = pyml.optim.SGD(net.parameters(), lr=1.0)
    x = pyml.randn(8, 5)
    net(x)
    before = net[0].weight.detach().clone()
    net(x).square().sum().backward()
    optimizer.step()
    assert not pyml.equal(net[0].weight, before)


def copies(net):
    yield copy.deepcopy(net)
    yield pickle.loads(pickle.dumps(net))


def test_copies_are_lazy_too():
    net = network()
    for each in copies(net):
        assert each[0].has_uninitialized_params()
        assert each(pyml.zeros(2, 7)).shape == (2, 2)
    assert net[0].has_uninitialized_params()


@pytest.mark.parametrize("assign", [False, True])
def test_state(assign):
    net, other = network(), network()
    net(pyml.randn(6, 5))
    x = pyml.randn(3, 5)
    other.load_state_dict(net.state_dict(), assign=assign)
    assert not other[0].has_uninitialized_params()
    np.testing.assert_array_equal(other.eval()(x).detach().numpy(), net.eval()(x).detach().numpy())
    assert repr(other) == repr(net)
    other = network()
    other.load_state_dict(network().state_dict())  # of nothing
    assert other[0].has_uninitialized_params()
    with pytest.raises(RuntimeError, match="uninitialized parameter"):
        net.load_state_dict(network().state_dict())


def test_an_input_that_the_loaded_weight_does_not_take():
    lazy = nn.LazyLinear(4)
    lazy.load_state_dict(nn.Linear(5, 4).state_dict())
    with pytest.raises(ValueError, match=r"4 features.*has 5"):
        lazy(pyml.zeros(2, 4))
    assert type(lazy) is nn.LazyLinear
    assert lazy(pyml.zeros(2, 5)).shape == (2, 4)


def test_dtype():
    for net in (network().double(), network().to(pyml.float64)):
        net(pyml.zeros(3, 5, dtype=pyml.float64))
        assert {t.dtype.name for t in net.parameters()} == {"float64"}
        assert net[1].running_var.dtype == np.float64


@pytest.mark.parametrize("shape", [(2, 3, 5), (3, 5)])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}])
def test_instance_norm(shape, options):
    """Its channels, with and without a batch; PyTorch takes the length of (c, length) for them."""
    lazy = nn.LazyInstanceNorm1d(**options)
    norm = nn.InstanceNorm1d(3, **{"affine": True, "track_running_stats": True} | options)
    x = pyml.randn(*shape)
    assert pyml.equal(lazy(x), norm(x)) and pyml.equal(lazy.eval()(x), norm.eval()(x))
    assert type(lazy) is nn.InstanceNorm1d and lazy.num_features == 3
    assert repr(lazy) == repr(norm) and list(lazy.state_dict()) == list(norm.state_dict())


def test_uninitialized():
    lazy = nn.LazyBatchNorm1d()
    for t in (lazy.weight, lazy.running_mean):
        for ask in (lambda t=t: t.shape, lambda t=t: t.size(), lambda t=t: t.size(0)):
            with pytest.raises(RuntimeError, match="call the module once"):
                ask()
        assert nn.parameter.is_lazy(t)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    assert repr(lazy.running_mean) == "<UninitializedBuffer>"
    lazy.reset_parameters()  # nothing to do yet
    with pytest.raises(ValueError, match="requires_grad must be False"):
        nn.UninitializedBuffer(requires_grad=True)


@pytest.mark.parametrize(
    ("module", "x"),
    [
        (nn.LazyLinear(2), pyml.tensor(1.0)),
        (nn.LazyBatchNorm1d(), pyml.ones(3)),
        (nn.LazyInstanceNorm1d(), pyml.ones(3)),
    ],
)
def test_inputs_that_say_nothing(module, x):
    with pytest.raises(ValueError, match=r"no dimension|expected 2D or 3D"):
        module(x)
    assert module.has_uninitialized_params()


class Scale(nn.lazy.LazyModuleMixin, nn.Module):
    """Of a user, for whom materialize() may be left out."""

    def __init__(self, forgets=False):
        super().__init__()
        self.forgets = forgets
        self.factor = nn.UninitializedParameter()

    def initialize_parameters(self, x):
        if not self.forgets:
            self.factor.materialize((x.shape[-1],))
            self.factor.fill_(3)

    def forward(self, x):
        return x * self.factor


def test_a_lazy_module_of_a_user():
    scale = Scale()
    assert scale(pyml.ones(2)).tolist() == [3, 3]
    assert type(scale) is Scale
    with pytest.raises(RuntimeError, match="left parameters without a shape"):
        Scale(forgets=True)(pyml.ones(2))

    class Nothing(nn.lazy.LazyModuleMixin, nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="initialize_parameters"):
        Nothing()(pyml.ones(2))
    with pytest.raises(TypeError, match="stands before a Module"):
        nn.lazy.LazyModuleMixin()


def test_the_first_call_is_not_recorded():
    net = network()
    step = pyml.record(lambda x: net(x))
    with pytest.raises(pyml.RecordError, match="first call of a lazy module"):
        step(pyml.ones(3, 5))
    net = network()
    net(pyml.ones(3, 5))
    assert pyml.record(lambda x: net(x))(pyml.ones(3, 5)).shape == (3, 2)


@pytest.mark.parametrize("lazy", [nn.UninitializedParameter, nn.UninitializedBuffer])
@pytest.mark.parametrize(
    "use",
    [
        lambda t: t.shape,
        lambda t: t.size(0),
        lambda t: t.numel(),
        lambda t: t.nelement(),
        lambda t: optim.Adagrad([nn.UninitializedParameter()]),
    ],
)
def test_what_needs_the_shape_raises(use, lazy):
    for error in (RuntimeError, ValueError):  # PyTorch's for the shape, and for the rest
        with pytest.raises(error, match="the shape is not known"):
            use(lazy())


@pytest.mark.parametrize("lazy", [nn.UninitializedParameter, nn.UninitializedBuffer])
@pytest.mark.parametrize(
    "use",
    [
        lambda t: sum(p.norm() for p in [t]),
        lambda t: t.sum(),
        lambda t: t * 2,
        lambda t: 2 - t,
        lambda t: t[0],
        lambda t: t.fill_(0),
        lambda t: t.mT,
        lambda t: t.item(),
        lambda t: t.numpy(),
        float,
        len,
        np.asarray,
        pyml.empty_like,
        pyml.zeros_like,
        pyml.randn_like,
        lambda t: pyml.full_like(t, 2.0),
        pyml.norm,
        lambda t: pyml.sum(input=t),
        lambda t: pyml.ones(2).mul(t),
        lambda t: pyml.logical_and(pyml.ones(0), t),
        lambda t: pyml.linalg.norm(t),
        pyml.special.entr,
        lambda t: pyml.cat([pyml.ones(2), t]),
        lambda t: pyml.stack(tensors=(t, t)),
        lambda t: nn.utils.get_total_norm([t]),
        nn.functional.relu,
        lambda t: nn.functional.linear(pyml.ones(1, 2), t),
    ],
)
def test_what_needs_values_raises(use, lazy):
    with pytest.raises(ValueError, match="has no values before the first call of its lazy module"):
        use(lazy())
