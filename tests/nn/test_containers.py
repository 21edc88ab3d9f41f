import copy
from collections import OrderedDict

import pytest

import pyml
from pyml import nn


def modules(n):
    return [nn.Linear(i + 1, i + 2) for i in range(n)]


SEQUENCES = [lambda layers: nn.Sequential(*layers), nn.ModuleList]


def assert_children(container, wanted):
    assert list(container._modules) == [str(i) for i in range(len(wanted))]
    assert all(a is b for a, b in zip(container, wanted, strict=True))
    assert len(container) == len(wanted)


@pytest.mark.parametrize("make", SEQUENCES)
class TestSequences:
    def test_indexing(self, make):
        layers = modules(4)
        container = make(layers)
        assert_children(container, layers)
        assert container[0] is layers[0]
        assert container[-1] is layers[3]
        for index in (4, -5):
            with pytest.raises(IndexError, match="out of range"):
                container[index]
        with pytest.raises(TypeError):
            container["0"]

    @pytest.mark.parametrize(
        "index", [slice(1, 3), slice(None, None, -1), slice(None), slice(9, 12)]
    )
    def test_slices(self, make, index):
        layers = modules(4)
        part = make(layers)[index]
        assert type(part) is type(make([]))
        assert all(a is b for a, b in zip(part, layers[index], strict=True))

    def test_set(self, make):
        layers, other = modules(3), nn.Identity()
        container = make(layers)
        container[-2] = other
        assert_children(container, [layers[0], other, layers[2]])
        with pytest.raises(TypeError, match="not a Module"):
            container[0] = 3
        with pytest.raises(IndexError):
            container[3] = other

    @pytest.mark.parametrize("index", [0, -1, 2, slice(1, 3), slice(None), slice(None, None, 2)])
    def test_delete_and_pop(self, make, index):
        layers = modules(4)
        left = modules(4)
        left = list(layers)
        del left[index]
        container = make(layers)
        del container[index]
        assert_children(container, left)
        container = make(layers)
        popped = container.pop(index)
        if isinstance(index, slice):
            assert all(a is b for a, b in zip(popped, layers[index], strict=True))
        else:
            assert popped is layers[index]
        assert_children(container, left)

    def test_delete_out_of_range(self, make):
        container = make(modules(2))
        with pytest.raises(IndexError):
            del container[2]
        assert len(container) == 2

    @pytest.mark.parametrize("index", [0, 2, 3, -1, -3])
    def test_insert(self, make, index):
        layers, other = modules(3), nn.Identity()
        container = make(layers)
        container.insert(index, other)
        layers.insert(index, other)
        assert_children(container, layers)

    def test_insert_refuses(self, make):
        container = make(modules(2))
        with pytest.raises(IndexError):
            container.insert(3, nn.Identity())
        with pytest.raises(TypeError, match="must be a Module, not int"):
            container.insert(0, 3)
        assert len(container) == 2

    def test_append_and_extend(self, make):
        layers = modules(5)
        container = make(layers[:1])
        assert container.append(layers[1]) is container
        assert container.extend(layers[2:4]) is container
        container.extend(make(layers[4:]))
        assert_children(container, layers)
        with pytest.raises(TypeError, match="should be called with an iterable, but got int"):
            container.extend(3)
        with pytest.raises(TypeError, match="not a Module"):
            container.append(3)

    def test_extend_with_itself(self, make):
        layers = modules(2)
        assert_children(make(layers).extend(make(layers)), layers * 2)
        container = make(layers)
        assert_children(container.extend(container), layers * 2)

    def test_registration(self, make):
        container = make(modules(2))
        assert [name for name, _ in container.named_parameters()] == [
            "0.weight",
            "0.bias",
            "1.weight",
            "1.bias",
        ]


class TestSequential:
    def test_forward(self):
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        x = pyml.ones(4, 2)
        assert net(x).tolist() == net[2](net[1](net[0](x))).tolist()
        assert nn.Sequential()(x) is x

    def test_names(self):
        net = nn.Sequential(OrderedDict(hidden=nn.Linear(2, 3), act=nn.Tanh()))
        assert net.hidden is net[0]
        assert list(net.state_dict()) == ["hidden.weight", "hidden.bias"]
        part = net[:1]
        assert list(part._modules) == ["hidden"]
        net[1] = nn.ReLU()
        assert isinstance(net.act, nn.ReLU)
        net.append(nn.Tanh())
        assert list(net._modules) == ["hidden", "act", "2"]

    def test_a_registered_parameter_is_not_called(self):
        net = nn.Sequential(nn.Identity())
        net.scale = nn.Parameter(pyml.ones(1))
        assert len(net) == 1
        x = pyml.ones(2)
        assert net(x) is x

    def test_addition(self):
        a, b = modules(2), modules(3)
        first, second = nn.Sequential(*a), nn.Sequential(*b)
        assert_children(first + second, a + b)
        assert_children(first, a)
        before = first
        first += second
        assert first is before
        assert_children(first, a + b)
        with pytest.raises(ValueError, match="can be added to a Sequential only, not to int"):
            first + 3
        with pytest.raises(ValueError, match="only"):
            first += [nn.Identity()]

    def test_multiplication(self):
        layers = modules(2)
        net = nn.Sequential(*layers)
        assert_children(net * 2, layers * 2)
        assert_children(3 * net, layers * 3)
        assert_children(net, layers)
        before = net
        net *= 2
        assert net is before
        assert_children(net, layers * 2)
        with pytest.raises(TypeError, match="unsupported operand"):
            net * 1.5
        with pytest.raises(ValueError, match="at least 1"):
            net * 0

    def test_subclass(self):
        class Block(nn.Sequential):
            pass

        assert type(Block(nn.ReLU(), nn.Tanh())[:1]) is Block


class TestModuleList:
    def test_has_no_forward(self):
        with pytest.raises(NotImplementedError):
            nn.ModuleList()(1)

    def test_addition(self):
        layers = modules(3)
        assert_children(nn.ModuleList(layers[:1]) + layers[1:], layers)
        container = before = nn.ModuleList(layers[:1])
        container += layers[1:]
        assert container is before
        assert_children(container, layers)

    def test_from_a_generator(self):
        assert len(nn.ModuleList(nn.ReLU() for _ in range(3))) == 3

    def test_repr(self):
        assert repr(nn.ModuleList()) == "ModuleList()"
        container = nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.Tanh(), nn.Sequential(nn.ReLU())])
        assert repr(container) == (
            "ModuleList(\n  (0): ReLU()\n  (1-2): 2 x Tanh()\n"
            "  (3): Sequential(\n    (0): ReLU()\n  )\n)"
        )


class TestModuleDict:
    @pytest.mark.parametrize(
        "make", [dict, OrderedDict, lambda pairs: iter(pairs), list, nn.ModuleDict]
    )
    def test_from(self, make):
        a, b = nn.ReLU(), nn.Linear(1, 1)
        container = nn.ModuleDict(make([("a", a), ("b", b)]))
        assert list(container) == ["a", "b"] == list(container.keys())
        assert list(container.values()) == [a, b]
        assert list(container.items()) == [("a", a), ("b", b)]
        assert len(container) == 2
        assert "a" in container
        assert "c" not in container
        assert "training" not in container
        assert container["b"] is b
        assert list(container.state_dict()) == ["b.weight", "b.bias"]

    def test_change(self):
        container = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
        tanh = container["b"]
        container["a"] = nn.Identity()
        container["c"] = nn.ReLU()
        assert list(container) == ["a", "b", "c"]
        assert container.pop("b") is tanh
        del container["a"]
        assert list(container) == ["c"]
        container.update({"c": tanh, "d": nn.ReLU()})
        assert container["c"] is tanh
        container.clear()
        assert len(container) == 0

    def test_errors(self):
        container = nn.ModuleDict()
        for use in (container.__getitem__, container.__delitem__, container.pop):
            with pytest.raises(KeyError):
                use("a")
        with pytest.raises(KeyError):
            del container["training"]
        with pytest.raises(TypeError, match="not a Module"):
            container["a"] = 3
        with pytest.raises(KeyError, match="already exists"):
            container["keys"] = nn.ReLU()
        with pytest.raises(TypeError, match="iterable of key/value pairs, but got int"):
            container.update(3)
        with pytest.raises(TypeError, match="element #0 must be a pair"):
            container.update([3])
        with pytest.raises(ValueError, match="element #1 has length 3; 2 is required"):
            container.update([("a", nn.ReLU()), ("b", nn.ReLU(), 1)])


def test_nothing_is_added_if_one_cannot_be():
    for bad in ("x", 3, pyml.ones(2)):
        for make in (nn.Sequential, nn.ModuleList):
            container = make()
            container.append(nn.ReLU())
            with pytest.raises(TypeError, match="not a Module subclass"):
                container.extend([nn.Tanh(), bad])
            assert len(container) == 1
        with pytest.raises(TypeError, match="not a Module subclass"):
            container += [nn.Tanh(), bad]
        assert len(container) == 1
        named = nn.ModuleDict({"a": nn.ReLU()})
        with pytest.raises(TypeError, match="not a Module subclass"):
            named.update({"b": nn.ReLU(), "c": bad})
        assert list(named) == ["a"]
    for pairs in ([("b", nn.ReLU()), ("c",)], [("b", nn.ReLU()), 3], [("b", nn.ReLU()), (3, None)]):
        with pytest.raises((TypeError, ValueError)):
            named.update(pairs)
        assert list(named) == ["a"]


# ---- of parameters -------------------------------------------------------------------------------


def test_parameter_list():
    shared = nn.Parameter(pyml.zeros(2))
    values = nn.ParameterList([shared, pyml.ones(3), "text"])
    assert values[0] is shared and type(values[1]) is nn.Parameter and values[-1] == "text"
    assert [name for name, _ in values.named_parameters()] == ["0", "1"]
    values += [pyml.ones(1)]
    values[1] = pyml.ones(5)
    assert [v.shape for v in values if isinstance(v, pyml.Tensor)] == [(2,), (5,), (1,)]
    part = values[:2]
    assert type(part) is nn.ParameterList and part[0] is shared and len(part) == 2
    assert list(values.state_dict()) == ["0", "1", "3"]
    copied = copy.deepcopy(values).append(pyml.zeros(1))
    assert (len(copied), len(values)) == (5, 4)
    assert repr(nn.ParameterList([pyml.ones(2, 3), 4])) == (
        "ParameterList(\n"
        "  (0): Parameter containing: [float32 of size 2x3]\n"
        "  (1): Object of type: int\n)"
    )


def test_parameter_list_errors():
    values = nn.ParameterList([pyml.zeros(2)])
    for index in (1, -2):
        with pytest.raises(IndexError, match="out of range"):
            values[index]
    for wrong in (3, pyml.zeros(2)):
        with pytest.raises(TypeError, match="called with an iterable"):
            values.extend(wrong)
    with pytest.raises(RuntimeError, match="should not be called"):
        values(1)
    assert len(values) == 1


def test_parameter_dict():
    values = nn.ParameterDict([("b", pyml.zeros(2)), ("a", pyml.ones(1))])
    assert type(values["b"]) is nn.Parameter
    assert list(values) == list(values.keys()) == list(values.state_dict()) == ["b", "a"]
    values["c"] = 5
    assert values.get("c") == values.setdefault("c", 6) == 5
    assert values.get("d") is None and values.setdefault("d", 7) == 7
    assert list(reversed(values)) == ["d", "c", "a", "b"]
    assert values.popitem() == ("d", 7) and values.pop("c") == 5 and "c" not in values
    both = values | {"e": pyml.ones(4)}
    assert len(both) == 3 and len(values) == 2 and both["a"] is values["a"]
    assert list({"x": 1} | values) == ["x", "b", "a"]
    values |= nn.ParameterDict([("f", pyml.ones(1))])
    assert len(list(values.parameters())) == 3
    assert list(values.fromkeys(["k", "l"], 2).items()) == [("k", 2), ("l", 2)]
    copied = copy.deepcopy(values)
    del copied["a"]
    assert "a" in values and [v.shape for v in copied.values()] == [(2,), (1,)]
    copied.clear()
    assert len(copied) == 0 and copied.state_dict() == {}


def test_parameter_dict_sorts_the_names_of_a_plain_dict():
    values = nn.ParameterDict({"d": pyml.zeros(2), "c": pyml.ones(1)})
    values.update({"b": 1, "a": 2})
    values.update(OrderedDict([("f", 1), ("e", 2)]))
    assert list(values) == ["c", "d", "a", "b", "f", "e"]
    with pytest.raises(TypeError, match="a key must be a string"):
        nn.ParameterDict({"b": pyml.zeros(2), 1: pyml.ones(1)})


def test_parameter_dict_errors():
    values = nn.ParameterDict({"a": pyml.zeros(2)})
    with pytest.raises(TypeError, match="a key must be a string"):
        values[1] = pyml.zeros(1)
    for key in ("keys", "_keys", "training", "forward"):
        with pytest.raises(KeyError, match="already exists"):
            values[key] = pyml.zeros(1)
    for call in (values.__getitem__, values.__delitem__, values.pop):
        with pytest.raises(KeyError, match="nothing"):
            call("nothing")
    with pytest.raises(KeyError, match="empty"):
        nn.ParameterDict().popitem()
    with pytest.raises(TypeError, match="iterable of key/value pairs"):
        values.update(3)
    with pytest.raises(ValueError, match="has length 3"):
        values.update(["abc"])
    assert list(values) == ["a"]


def test_lists_of_parameters_train_in_a_recorded_step():
    values = nn.ParameterList([pyml.ones(2), pyml.ones(2)])
    named = nn.ParameterDict({"bias": pyml.zeros(2)})
    optimizer = pyml.optim.SGD([*values.parameters(), *named.parameters()], lr=0.1)

    @pyml.record
    def step(x):
        y = values[1] * (values[0] * x) + named["bias"]
        optimizer.zero_grad()
        y.square().sum().backward()
        optimizer.step()
        return y

    losses = [step(pyml.ones(2)).square().sum().item() for _ in range(6)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0] / 10
