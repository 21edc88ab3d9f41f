import copy
import inspect
import pickle
import re
import timeit
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pytest

import pyml
from pyml import nn


class Net(nn.Module):
    """Two layers that share a parameter, a buffer of each kind, and names that are None."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(pyml.ones(3))
        self.register_buffer("offset", pyml.zeros(3))
        self.register_buffer("scratch", pyml.zeros(3), persistent=False)
        self.register_parameter("nothing", None)

    def forward(self, x):
        return self.second(self.norm(self.first(x))) * self.scale + self.offset


STATE = [
    "scale",
    "offset",
    "first.weight",
    "first.bias",
    "norm.weight",
    "norm.bias",
    "norm.running_mean",
    "norm.running_var",
    "norm.num_batches_tracked",
    "second.weight",
]


def values(module):
    return {key: tensor.numpy().copy() for key, tensor in module.state_dict().items()}


def assert_same_state(module, wanted):
    got = values(module)
    assert list(got) == list(wanted)
    for key in wanted:
        np.testing.assert_array_equal(got[key], wanted[key], err_msg=key)


# ---- calling ------------------------------------------------------------------------------------


def test_forward_is_needed():
    with pytest.raises(NotImplementedError, match=r'\[Module\] is missing the required "forward"'):
        nn.Module()(1)


def test_call_hands_over_all_arguments():
    class Sum(nn.Module):
        def forward(self, a, *, b):
            return a + b

    assert Sum()(1, b=2) == 3


def test_constructor_refuses_arguments():
    with pytest.raises(TypeError):
        nn.Module(1)
    with pytest.raises(TypeError):
        nn.Tanh(1)


def test_call_is_cheap():
    class Plain(nn.Module):
        def forward(self, x):
            return x

    module = Plain()

    def best(function):
        return min(timeit.repeat(lambda: function(None), number=2000, repeat=7)) / 2000

    assert best(module) - best(module.forward) < 2e-6


# ---- attributes ---------------------------------------------------------------------------------


def test_attributes_are_ordinary():
    net = Net()
    for name in ("first", "scale", "offset", "scratch", "nothing"):
        assert vars(net)[name] is getattr(net, name)


def test_registries_in_the_order_of_assignment():
    net = Net()
    assert list(net._parameters) == ["scale", "nothing"]
    assert net._parameters["nothing"] is None
    assert list(net._buffers) == ["offset", "scratch"]
    assert list(net._modules) == ["first", "norm", "second"]


def test_init_of_the_base_is_not_needed():
    class Late(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 1)
            super().__init__()

    assert len(list(Late().parameters())) == 2


def test_a_module_can_be_a_dataclass():
    @dataclass(eq=False)
    class Scaled(nn.Module):
        layer: nn.Module
        scale: float

        def forward(self, x):
            return self.layer(x) * self.scale

    assert list(Scaled(nn.Linear(2, 1), 0.5).state_dict()) == ["layer.weight", "layer.bias"]


def test_assigning_keeps_the_place_of_a_name():
    net = Net()
    net.second, net.first = nn.Identity(), nn.Identity()
    assert list(net._modules) == ["first", "norm", "second"]
    net.offset = None
    assert list(net._buffers) == ["offset", "scratch"]
    net.offset = pyml.ones(3)
    assert "offset" in net.state_dict()
    net.nothing = nn.Parameter(pyml.zeros(1))
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale", "nothing"]


def test_a_name_can_change_its_kind():
    net = nn.Module()
    net.a = 3
    net.a = nn.Parameter(pyml.zeros(1))
    net.b = nn.Parameter(pyml.zeros(1))
    assert list(net._parameters) == ["a", "b"]
    net.a = nn.Identity()
    assert list(net._parameters) == ["b"]
    assert list(net._modules) == ["a"]
    net.a = nn.Parameter(pyml.zeros(1))
    assert list(net._parameters) == ["b", "a"]
    assert list(net._modules) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", pyml.zeros(3), "cannot assign 'Tensor' as parameter 'scale'"),
        ("nothing", 3, "cannot assign 'int' as parameter 'nothing'"),
        ("first", 3, "cannot assign 'int' as child module 'first'"),
        ("offset", 3, "cannot assign 'int' as buffer 'offset'"),
        ("scratch", "x", "cannot assign 'str' as non-persistent buffer 'scratch'"),
    ],
)
def test_assigning_something_else_to_a_name_is_refused(name, value, message):
    net = Net()
    before = getattr(net, name)
    with pytest.raises(TypeError, match=message):
        setattr(net, name, value)
    assert getattr(net, name) is before


@pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "add_module"])
def test_register_checks_the_name(register):
    net = Net()
    net.plain = 1
    for name in ("a.b", "", "plain", "forward", "training"):
        with pytest.raises(KeyError):
            getattr(net, register)(name, None)
    taken = {"register_parameter": "offset", "register_buffer": "scale", "add_module": "scale"}
    with pytest.raises(KeyError, match="already exists"):
        getattr(net, register)(taken[register], None)
    with pytest.raises(TypeError, match="name should be a string"):
        getattr(net, register)(3, None)


def test_a_buffer_does_not_take_the_name_of_another_attribute():
    net = nn.Module()
    net.plain = 5
    with pytest.raises(KeyError, match="'plain' already exists"):
        net.plain = nn.Buffer(pyml.zeros(1))
    del net.plain
    net.plain = nn.Buffer(pyml.zeros(1))
    net.plain = nn.Buffer(pyml.ones(1))
    assert net.plain == 1 and list(net.state_dict()) == ["plain"]


def test_register_checks_the_value():
    net = nn.Module()
    with pytest.raises(TypeError, match=r"cannot assign 'Tensor' object to parameter 'a'"):
        net.register_parameter("a", pyml.zeros(1))
    with pytest.raises(TypeError, match=r"cannot assign 'ndarray' object to buffer 'a'"):
        net.register_buffer("a", np.zeros(1))
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.add_module("a", 3)
    assert not hasattr(net, "a")


def test_a_parameter_cannot_hide_behind_an_attribute_of_the_class():
    class Bad(nn.Module):
        @property
        def weight(self):
            return 1

    with pytest.raises(KeyError, match="'weight' already exists"):
        Bad().weight = nn.Parameter(pyml.zeros(1))


def test_register_again_replaces():
    net = Net()
    net.register_buffer("offset", pyml.ones(3), persistent=False)
    assert "offset" not in net.state_dict()
    net.register_buffer("offset", pyml.ones(3))
    assert "offset" in net.state_dict()
    net.register_module("first", None)
    assert net.first is None
    assert "first.weight" not in net.state_dict()


def test_delete():
    net = Net()
    for name in ("scale", "offset", "first"):
        delattr(net, name)
        assert not hasattr(net, name)
    assert list(net._parameters) == ["nothing"]
    assert list(net._buffers) == ["scratch"]
    assert list(net._modules) == ["norm", "second"]
    with pytest.raises(AttributeError):
        del net.scale


def test_dir_has_names_only():
    net = nn.Sequential(nn.Linear(2, 1))
    net.named = nn.Identity()
    assert "named" in dir(net)
    assert "0" not in dir(net)


# ---- walking ------------------------------------------------------------------------------------


def test_named_modules():
    net = Net()
    net.again = net.first
    assert [name for name, _ in net.named_modules()] == ["", "first", "norm", "second"]
    assert [name for name, _ in net.named_modules(prefix="p")] == [
        "p",
        "p.first",
        "p.norm",
        "p.second",
    ]
    assert [name for name, _ in net.named_modules(remove_duplicate=False)] == [
        "",
        "first",
        "norm",
        "second",
        "again",
    ]
    assert [type(m).__name__ for m in net.modules()] == ["Net", "Linear", "BatchNorm1d", "Linear"]
    assert [name for name, _ in net.named_children()] == ["first", "norm", "second"]
    assert list(net.children()) == [net.first, net.norm, net.second]


def test_named_parameters():
    net = Net()
    names = ["scale", "first.weight", "first.bias", "norm.weight", "norm.bias"]
    assert [name for name, _ in net.named_parameters()] == names
    assert [name for name, _ in net.named_parameters("p")] == [f"p.{name}" for name in names]
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)] == [
        *names,
        "second.weight",
    ]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert [p is q for p, (_, q) in zip(net.parameters(), net.named_parameters(), strict=True)] == [
        True
    ] * len(names)
    assert len(list(net.parameters(recurse=False))) == 1


def test_named_buffers():
    net = Net()
    names = ["offset", "scratch", *(f"norm.{n}" for n in net.norm._buffers)]
    assert [name for name, _ in net.named_buffers()] == names
    assert len(list(net.buffers())) == len(names)
    assert [name for name, _ in net.named_buffers(recurse=False)] == ["offset", "scratch"]
    net.again = net.norm
    assert len(list(net.named_buffers(remove_duplicate=False))) == len(names) + 3


def test_get():
    net = nn.ModuleDict({"inner": Net()})
    assert net.get_submodule("") is net
    assert net.get_submodule("inner.first") is net["inner"].first
    assert net.get_parameter("inner.first.weight") is net["inner"].first.weight
    assert net.get_buffer("inner.norm.running_mean") is net["inner"].norm.running_mean
    with pytest.raises(AttributeError, match="Net has no attribute `third`"):
        net.get_submodule("inner.third")
    with pytest.raises(AttributeError, match="`training` is not an nn"):
        net.get_submodule("inner.training")
    with pytest.raises(AttributeError, match="`offset` is not a parameter"):
        net.get_parameter("inner.offset")
    with pytest.raises(AttributeError, match="`scale` is not a buffer"):
        net.get_buffer("inner.scale")
    with pytest.raises(AttributeError, match="has no attribute `x`"):
        net.get_parameter("inner.first.x")


def test_apply_goes_from_the_leaves_up():
    net, seen = Net(), []
    assert net.apply(seen.append) is net
    assert seen == [net.first, net.norm, net.second, net]


# ---- modes and gradients ------------------------------------------------------------------------


def test_train_and_eval():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    net.train(False)
    assert not net.norm.training
    with pytest.raises(ValueError, match="mode is 1, it must be True or False"):
        net.train(1)


def test_requires_grad():
    net = Net()
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_zero_grad():
    net = Net()
    net(pyml.ones(4, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.zero_grad(set_to_none=False)


def test_zero_grad_of_a_gradient_with_a_graph():
    p = nn.Parameter(pyml.ones(2))
    net = nn.Module()
    net.p = p
    (p * p * p).sum().backward(create_graph=True)
    assert p.grad.requires_grad
    net.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    assert not p.grad.requires_grad


def test_shared_parameter_gets_the_sum_of_its_gradients():
    net = Net().eval().double()
    x = pyml.tensor(np.random.randn(4, 3))
    net(x).sum().backward()
    shared = net.first.weight.grad.numpy()

    apart = copy.deepcopy(net)
    apart.second.weight = nn.Parameter(net.first.weight.detach().clone())
    apart.zero_grad()
    apart(x).sum().backward()
    separate = apart.first.weight.grad.numpy() + apart.second.weight.grad.numpy()
    np.testing.assert_allclose(shared, separate, rtol=1e-14)


# ---- dtype --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda net: net.double(),
        lambda net: net.to(pyml.float64),
        lambda net: net.to(dtype=pyml.float64),
        lambda net: net.to("cpu", pyml.float64),
        lambda net: net.to(pyml.zeros(1, dtype=pyml.float64)),
    ],
)
def test_double(convert):
    net = Net()
    x = pyml.ones(4, 3)
    net(x).sum().backward()
    weight, before = net.first.weight, values(net)
    assert convert(net) is net
    assert net.first.weight is weight is net.second.weight
    for name, tensor in net.state_dict().items():
        assert tensor.dtype == (np.int64 if name.endswith("tracked") else np.float64), name
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    assert all(p.grad.dtype == np.float64 and p.requires_grad for p in net.parameters())
    assert net(x.double()).dtype == np.float64
    assert net.float().scale.dtype == np.float32
    assert net.norm.num_batches_tracked.dtype == np.int64


def test_to_cpu_changes_nothing():
    net = Net()
    places = [p.data_ptr() for p in net.parameters()]
    assert net.to("cpu") is net
    assert net.cpu() is net
    assert net.float() is net
    assert [p.data_ptr() for p in net.parameters()] == places


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("cpu",), {"copy": True}),
        (("cpu", True), {}),
        ((None, True), {}),
        (("cpu", pyml.zeros(1)), {}),
        (("cpu", pyml.float64, pyml.float64), {}),
        (("cpu", pyml.float64, True, True), {}),
        ((pyml.float64, "cpu"), {}),
        (([],), {}),
    ],
)
def test_to_in_other_forms(args, kwargs):
    net = Net()
    with pytest.raises(TypeError):
        net.to(*args, **kwargs)
    assert {p.dtype for p in net.parameters()} == {np.dtype("float32")}


def test_to_takes_non_blocking():
    net = Net()
    assert net.to("cpu", non_blocking=True).to(pyml.device("cpu"), None, True) is net
    assert net.to("cpu", pyml.float64, True).first.weight.dtype == pyml.float64
    assert net.to(pyml.float32, True).first.weight.dtype == pyml.float32


def test_to_refuses_integers_and_changes_nothing():
    net = Net()
    for convert in (net.to, net.type):
        with pytest.raises(TypeError, match="int64 is not floating point"):
            convert(pyml.int64)
    assert {p.dtype for p in net.parameters()} == {np.dtype("float32")}


def test_type_converts_integers_too():
    net = nn.BatchNorm1d(2).type(pyml.float64)
    assert {t.dtype for t in net.state_dict().values()} == {np.dtype("float64")}


def test_conversion_between_forward_and_backward_is_noticed():
    net = nn.Linear(2, 1)
    y = net(pyml.ones(1, 2, requires_grad=True)).sum()
    net.double()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


# ---- state --------------------------------------------------------------------------------------


def test_state_dict():
    net = Net()
    state = net.state_dict()
    assert list(state) == STATE
    assert all(not tensor.requires_grad for tensor in state.values())
    state["scale"].array[0] = 9
    assert net.scale.tolist() == [9, 1, 1]
    assert list(net.state_dict(prefix="net.")) == [f"net.{key}" for key in STATE]
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    destination = OrderedDict(before=1)
    assert net.state_dict(destination=destination) is destination
    assert list(destination) == ["before", *STATE]


@pytest.mark.parametrize("as_arrays", [False, True])
def test_load_state_dict(as_arrays):
    pyml.manual_seed(1)
    source, target = Net(), Net()
    source(pyml.ones(4, 3) * 2)
    assert source.norm.num_batches_tracked.item() == 1
    state = values(source) if as_arrays else source.state_dict()
    parameters = list(target.parameters())
    keys = target.load_state_dict(state)
    assert repr(keys) == "<All keys matched successfully>"
    assert keys == ([], [])
    assert all(p is q for p, q in zip(parameters, target.parameters(), strict=True))
    assert_same_state(target, values(source))
    assert target.norm.num_batches_tracked.dtype == np.int64
    assert not np.shares_memory(target.scale.array, source.scale.array)


def test_load_converts_dtypes():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1, 2]]), "bias": np.ones(1, np.float64)})
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert layer.weight.tolist() == [[1, 2]]
    norm = nn.BatchNorm1d(1)
    state = values(norm) | {"num_batches_tracked": np.int32(7)}
    norm.load_state_dict(state)
    assert norm.num_batches_tracked.item() == 7


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        ({"scale": None}, ['Missing key(s) in state_dict: "scale".']),
        (
            {"scale": None, "first.bias": None},
            ['Missing key(s) in state_dict: "scale", "first.bias".'],
        ),
        ({"more": np.ones(1)}, ['Unexpected key(s) in state_dict: "more".']),
        (
            {"scale": np.ones(4)},
            ["size mismatch for scale: the state dict has shape (4,), the module has shape (3,)"],
        ),
        ({"scale": np.ones((3, 1))}, ["size mismatch for scale"]),
        ({"scale": [1, 2, 3]}, ["scale: a Tensor or a NumPy array is expected, not list"]),
        ({"scale": np.array(["a"] * 3)}, ["scale: dtype <U1 is not supported"]),
        (
            {"scale": None, "x": np.ones(1), "offset": np.ones(2), "norm.bias": np.ones(1)},
            ["Missing key(s)", "Unexpected key(s)", "for offset", "for norm.bias"],
        ),
    ],
)
def test_load_is_all_or_nothing(change, messages):
    pyml.manual_seed(1)
    source, target = Net(), Net()
    state = {key: value for key, value in (values(source) | change).items() if value is not None}
    before = values(target)
    with pytest.raises(RuntimeError, match=r"Error\(s\) in loading state_dict for Net:") as raised:
        target.load_state_dict(state)
    for message in messages:
        assert message in str(raised.value)
    assert_same_state(target, before)


def test_load_not_strict():
    net = Net()
    state = values(net)
    del state["first.weight"]
    state["more"] = np.ones(1)
    state["scale"] = np.full(3, 5.0)
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["first.weight"]
    assert keys.unexpected_keys == ["more"]
    assert "missing_keys=['first.weight'], unexpected_keys=['more']" in repr(keys)
    assert net.scale.tolist() == [5, 5, 5]
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict({"scale": np.ones(4)}, strict=False)


def test_load_into_read_only_memory_changes_nothing():
    array = np.zeros(2, np.float32)
    array.flags.writeable = False
    net = nn.Module()
    net.a = nn.Parameter(pyml.zeros(2))
    net.b = nn.Parameter(pyml.Tensor._on(array))
    with pytest.raises(RuntimeError, match="b: the module's tensor is on read-only memory"):
        net.load_state_dict({"a": np.ones(2), "b": np.ones(2)})
    assert net.a.tolist() == [0, 0]


def test_load_refuses_what_is_not_a_mapping():
    with pytest.raises(TypeError, match="must be a mapping, not list"):
        nn.Linear(1, 1).load_state_dict([])


def test_load_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 1)
    y = layer(pyml.ones(1, 2, requires_grad=True)).sum()
    layer.load_state_dict(values(layer))
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_load_with_assign():
    layer = nn.Linear(2, 1)
    layer.bias.requires_grad_(False)
    state = {"weight": pyml.ones(1, 2, dtype=pyml.float64), "bias": np.ones(1)}
    layer.load_state_dict(state, assign=True)
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.dtype == np.float64
    assert np.shares_memory(layer.weight.array, state["weight"].array)
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad
    with pytest.raises(RuntimeError, match="bias: dtype int64 cannot be assigned"):
        layer.load_state_dict(state | {"bias": np.ones(1, int)}, assign=True)


# ---- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda net: pickle.loads(pickle.dumps(net)),
        lambda net: pickle.loads(pickle.dumps(net, protocol=0)),
    ],
)
def test_deep_copies(copied):
    net = Net().eval()
    net(pyml.ones(4, 3)).sum().backward()
    other = copied(net)
    assert_same_state(other, values(net))
    assert not other.training
    assert other.first.weight is other.second.weight
    assert other.first.weight is not net.first.weight
    assert other.nothing is None
    assert list(other._parameters) == list(net._parameters)
    assert "scratch" in other._buffers
    assert "scratch" not in other.state_dict()
    assert other.scale.grad is None
    x = pyml.tensor(np.random.randn(4, 3).astype(np.float32))
    np.testing.assert_array_equal(other(x).detach().numpy(), net(x).detach().numpy())
    other.scale.array[0] = 9
    other.extra = nn.Identity()
    assert net.scale.tolist() == [1, 1, 1]
    assert "extra" not in net._modules


def test_shallow_copy_shares_the_tensors_and_has_its_own_names():
    net = Net()
    net.register_forward_hook(lambda *args: None)
    other = copy.copy(net)
    assert other.scale is net.scale
    other.extra = nn.Parameter(pyml.zeros(1))
    other.register_forward_hook(lambda *args: None)
    assert "extra" not in net._parameters
    assert len(net._hooks) == 1
    del other.scale
    assert len(list(net.parameters())) == 5


# ---- repr ---------------------------------------------------------------------------------------


def test_repr():
    assert repr(nn.Module()) == "Module()"
    assert repr(nn.Sequential()) == "Sequential()"
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Linear(in_features=3, out_features=3, bias=True)\n"
        "  (norm): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, "
        "track_running_stats=True)\n"
        "  (second): Linear(in_features=3, out_features=3, bias=False)\n"
        ")"
    )
    assert repr(nn.Sequential(nn.Sequential(nn.Tanh()))) == (
        "Sequential(\n  (0): Sequential(\n    (0): Tanh()\n  )\n)"
    )


def test_extra_repr_of_several_lines():
    class Two(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Two()) == "Two(\n  a=1\n  b=2\n)"


# ---- names --------------------------------------------------------------------------------------


def test_every_public_name_exists_and_is_documented():
    for module in (nn, nn.functional, nn.init, nn.utils):
        for name in module.__all__:
            assert getattr(module, name).__doc__, name
    for name, value in vars(nn).items():
        if isinstance(value, type) and issubclass(value, nn.Module):
            assert name in nn.__all__
            for method, function in vars(value).items():
                if not re.match("_", method) and callable(function):
                    assert function.__doc__, f"{name}.{method}"


# ---- arrays from outside ----


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("dtype", ["complex64", "O", "longdouble", "S1", "M8[s]", "V4"])
def test_load_refuses_dtypes_that_kernels_do_not_know(dtype, assign):
    net = nn.Linear(2, 1, bias=False)
    before = net.weight.tolist()
    with pytest.raises(RuntimeError, match=r"weight: dtype .* is not supported"):
        net.load_state_dict({"weight": np.zeros((1, 2), dtype)}, assign=assign)
    with pytest.raises(RuntimeError, match="weight is a masked array"):
        net.load_state_dict({"weight": np.ma.ones((1, 2))}, assign=assign)
    assert net.weight.tolist() == before


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f2", ">f2"])
def test_load_converts_what_it_copies_and_refuses_what_it_would_share(dtype):
    net = nn.Linear(2, 1, bias=False)
    state = {"weight": np.array([[1.5, -2.5]], dtype)}
    with pytest.raises(RuntimeError, match=r"weight has dtype .* .astype.*converts it"):
        net.load_state_dict(state, assign=True)
    net.load_state_dict(state)
    assert net.weight.dtype == np.float32 and net.weight.tolist() == [[1.5, -2.5]]
    assert net(pyml.ones(1, 2)).item() == -1


def test_load_of_what_overflows_is_whole():
    net = nn.BatchNorm1d(1)
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    state["weight"], state["num_batches_tracked"] = np.array([1e300]), np.array(np.nan)
    net.load_state_dict(state)
    assert net.weight.tolist() == [np.inf]


# ---- a module in itself ----


class Loop(nn.Linear):
    """In itself at once, and by way of another."""

    def __init__(self):
        super().__init__(2, 1)
        self.loop = self
        self.list = nn.ModuleList([nn.Sequential(self), nn.ReLU()])
        self.calls = 0

    def train(self, mode=True):
        self.calls += 1
        return super().train(mode)


def test_a_module_in_itself_comes_once_on_each_way():
    net = Loop()
    assert list(net.state_dict()) == ["weight", "bias"]
    net.load_state_dict(net.state_dict())
    names = [name for name, _ in net.named_modules(remove_duplicate=False)]
    assert names == ["", "list", "list.0", "list.1"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 2
    for walked in (net, net.list[0]):
        seen = []
        walked.apply(seen.append)
        assert len(seen) == len(set(seen)) == 4 and seen[-1] is walked
    net.eval()
    assert net.calls == 1 and not any(module.training for module in net.modules())
    net.to(pyml.float64).double().float().zero_grad()
    assert repr(net).count("Loop") == 1 and repr(net).count("...") == 2
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert copied.loop is copied is copied.list[0][0] is not net


def test_a_walk_within_a_walk_is_whole():
    net = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    seen = []

    def outer(module):
        if isinstance(module, nn.ReLU):
            net.apply(seen.append)

    net.apply(outer)
    assert seen == [net[0][0], net[0], net[1], net]


def test_a_walk_that_raises_leaves_nothing_behind():
    net = Loop()

    def fail(module):
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            net.apply(fail)
    seen = []
    net.apply(seen.append)
    assert len(seen) == 4


def test_a_module_that_is_shared_still_comes_twice():
    shared = nn.Linear(1, 1)
    net = nn.Sequential(shared, nn.Sequential(shared))
    seen = []
    net.apply(seen.append)
    assert seen.count(shared) == 2
    assert len(net.state_dict()) == 4


@pytest.mark.parametrize("value", [nn.ReLU(), nn.Parameter(pyml.ones(1)), 3])
def test_a_name_that_is_no_string_is_not_kept(value):
    module = nn.Module()
    with pytest.raises(TypeError, match="string"):
        module.__setattr__(3, value)
    assert 3 not in module._registered and 3 not in vars(module)


# ---- the class beside others ---------------------------------------------------------------------


class Mixin:
    def double(self, x):
        return 2 * x


T = TypeVar("T")


class AfterMixin(Mixin, nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x, *, scale=1):
        return self.double(self.layer(x)) * scale


class AfterABC(ABC, AfterMixin):
    pass


class AfterGeneric(Generic[T], AfterMixin):
    pass


@pytest.mark.parametrize("cls", [AfterMixin, AfterABC, AfterGeneric])
def test_a_base_before_module(cls):
    module = cls()
    x = pyml.ones(3, 2)
    wanted = (2 * module.layer(x)).tolist()
    copies = [pickle.loads(pickle.dumps(module, protocol)) for protocol in range(6)]
    for each in (module, *copies, copy.copy(module), copy.deepcopy(module)):
        assert type(each) is cls and weakref.ref(each)() is each
        assert each(x).tolist() == wanted
    assert len(list(module.parameters())) == 2


def test_abstract_methods_are_asked_for():
    class Abstract(ABC, nn.Module):
        @abstractmethod
        def width(self): ...

    with pytest.raises(TypeError, match="abstract"):
        Abstract()


def test_signature():
    assert str(inspect.signature(AfterMixin())) == "(x, *, scale=1)"
    assert str(inspect.signature(nn.Linear(2, 1))) == "(input)"
    assert list(inspect.signature(nn.Linear).parameters)[:2] == ["in_features", "out_features"]


def test_bases_behind_module():
    class Named:
        def __init__(self, name="none"):
            self.name = name

    class Left(nn.Module, Named):
        pass

    class Called(nn.Module, Named):
        call_super_init = True

    assert not hasattr(Left(), "name")
    assert Called(name="x").name == Called("x").name == "x" and Called().name == "none"
    for args, options in (((3,), {}), ((), {"name": "x"})):
        with pytest.raises(TypeError, match=r"Left: Module.__init__\(\) takes no arguments"):
            Left(*args, **options)
