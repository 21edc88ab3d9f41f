"""What a module adds to its state_dict: hooks, states of its own; the modules below it."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1, bias=False)))


class Counter(nn.Module):
    """A module whose state is no tensor."""

    def __init__(self, count=0):
        super().__init__()
        self.count = count

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


# ---- hooks ---------------------------------------------------------------------------------------


def test_state_dict_pre_hook_is_told_the_prefix():
    net, calls = network(), []
    hook = net[1].register_state_dict_pre_hook(lambda *args: calls.append(args))
    net.state_dict(prefix="net.", keep_vars=True)
    net[1].state_dict()
    assert calls == [(net[1], "net.1.", True), (net[1], "", False)]
    hook.remove()
    net.state_dict()
    assert len(calls) == 2


def test_state_dict_pre_hook_may_change_the_module():
    layer = nn.Linear(1, 1)
    layer.register_state_dict_pre_hook(lambda module, *args: module.weight.data.fill_(7))
    assert layer.state_dict()["weight"].item() == 7


def test_state_dict_post_hook_changes_the_dict():
    net, calls = network(), []

    def renamed(module, state, prefix, metadata):
        calls.append(prefix)
        state[f"{prefix}w"] = state.pop(f"{prefix}0.weight")
        assert metadata == {"version": 1}

    for module in (net, net[1]):
        module.register_state_dict_post_hook(renamed)
    assert list(net.state_dict()) == ["0.bias", "1.w", "w"]
    assert calls == ["1.", ""]  # parts first
    net.register_state_dict_post_hook(lambda *args: {})
    with pytest.raises(RuntimeError, match="a state_dict post-hook must return None"):
        net.state_dict()


def test_load_state_dict_pre_hook_changes_a_copy():
    net, calls = network(), []
    state = {"0.weight": pyml.ones(3, 2), "0.bias": pyml.ones(3), "1.old": pyml.ones(1, 3)}

    def renamed(module, state, prefix, metadata, strict, missing, unexpected, messages):
        calls.append((module, prefix, metadata, strict, missing, unexpected, messages))
        state[f"{prefix}0.weight"] = state.pop(f"{prefix}old")

    net[1].register_load_state_dict_pre_hook(renamed)
    assert net.load_state_dict(state, strict=False) == ([], [])
    assert calls == [(net[1], "1.", {}, True, [], [], [])]
    assert net[1][0].weight.tolist() == [[1, 1, 1]]
    assert list(state) == ["0.weight", "0.bias", "1.old"]


def test_load_state_dict_pre_hook_sees_what_is_of_its_module():
    """And what it puts there for others is nobody's."""
    net, seen = network(), []

    def changed(module, state, prefix, *rest):
        seen.append((prefix, list(state)))
        state["more"] = state["0.bias"] = pyml.zeros(3)

    net[1].register_load_state_dict_pre_hook(changed)
    net[1][0].register_load_state_dict_pre_hook(lambda m, s, p, *rest: seen.append((p, list(s))))
    state = net.state_dict()
    state["0.bias"] = pyml.ones(3)
    net.load_state_dict(state)
    assert seen == [("1.", ["1.0.weight"]), ("1.0.", ["1.0.weight"])]
    assert net[0].bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize("i, match", [(5, "Missing.*more"), (6, "Unexpected.*more"), (7, "\tmore")])
def test_load_state_dict_pre_hook_may_add_what_is_wrong(i, match):
    layer = nn.Linear(1, 1)
    before = layer.weight.item()
    layer.register_load_state_dict_pre_hook(lambda *args: args[i].append("more"))
    state = {"weight": pyml.ones(1, 1), "bias": pyml.ones(1)}
    with pytest.raises(RuntimeError, match=match):
        layer.load_state_dict(state)
    assert layer.weight.item() == before


def test_load_state_dict_post_hook_judges_the_keys():
    net, calls = network(), []

    def forgiven(module, keys):
        calls.append((module, [*keys.missing_keys], [*keys.unexpected_keys]))
        keys.missing_keys.clear()

    state = {key: pyml.ones_like(value) for key, value in network().state_dict().items()}
    lacking = {key: value for key, value in state.items() if key != "0.bias"}
    hook = net.register_load_state_dict_post_hook(forgiven)
    assert net.load_state_dict(lacking) == ([], [])
    assert calls == [(net, ["0.bias"], [])]
    assert net[0].weight.tolist() == [[1, 1]] * 3
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"more"'):
        net.load_state_dict({**lacking, "more": pyml.ones(1)})
    hook.remove()
    with pytest.raises(RuntimeError, match=r'Missing key.*"0.bias"'):
        net.load_state_dict(lacking)
    net.register_load_state_dict_post_hook(lambda module, keys: keys)
    with pytest.raises(RuntimeError, match="a load_state_dict post-hook must return None"):
        net.load_state_dict(state)


@pytest.mark.parametrize("when", ["pre", "post"])
@pytest.mark.parametrize("what", ["state_dict", "load_state_dict"])
def test_a_hook_that_is_no_function(what, when):
    with pytest.raises(
        TypeError, match=f"a {what} {when}-hook must be a function, not of type int"
    ):
        getattr(nn.Identity(), f"register_{what}_{when}_hook")(3)


def test_a_copy_has_hooks_of_its_own():
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(print_nothing)
    for copied in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        copied.register_state_dict_post_hook(lambda module, state, *args: state.clear())
        assert not copied.state_dict()
    assert len(layer.state_dict()) == 2


def print_nothing(*args):
    """A hook that can be pickled."""


# ---- states of a module's own --------------------------------------------------------------------


def test_extra_state():
    net = nn.Sequential(nn.Linear(1, 1), Counter(3))
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1._extra_state"]
    assert state["1._extra_state"] == {"count": 3}
    other = nn.Sequential(nn.Linear(1, 1), Counter())
    assert other.load_state_dict(state) == ([], [])
    assert other[1].count == 3
    del state["1._extra_state"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"1._extra_state"'):
        other.load_state_dict(state)
    assert other.load_state_dict(state, strict=False) == (["1._extra_state"], [])
    assert other[1].count == 3


def test_extra_state_of_a_module_without():
    layer = nn.Linear(1, 1)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"_extra_state"'):
        layer.load_state_dict({**layer.state_dict(), "_extra_state": 3})
    for call in (layer.get_extra_state, lambda: layer.set_extra_state(3)):
        with pytest.raises(RuntimeError, match="a subclass writes it"):
            call()


def test_a_refused_state_dict_leaves_the_extra_state():
    net = nn.Sequential(nn.Linear(1, 1), Counter(3))
    state = {**net.state_dict(), "1._extra_state": {"count": 5}, "0.bias": pyml.ones(2)}
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(state)
    assert net[1].count == 3


# ---- modules -------------------------------------------------------------------------------------


def test_set_submodule():
    net = network()
    net.set_submodule("1.0", nn.ReLU())
    net.set_submodule("1.1", nn.Tanh())
    net.set_submodule("0", nn.Identity(), strict=True)
    assert [type(module).__name__ for module in net.modules()][1:] == [
        *("Identity", "Sequential", "ReLU", "Tanh"),
    ]
    for args, error, match in [
        (("", nn.ReLU()), ValueError, "target is ''"),
        (("0", 3), ValueError, "module is a int"),
        (("2.0", nn.ReLU()), AttributeError, "no attribute `2`"),
        (("1.forward", nn.ReLU()), AttributeError, "`forward` is not an nn.Module"),
        (("1.5", nn.ReLU(), True), AttributeError, "no attribute `5`"),
    ]:
        with pytest.raises(error, match=match):
            net.set_submodule(*args)


def test_modules_that_occur_twice():
    layer = nn.ReLU()
    net = nn.Sequential(layer, layer)
    assert [*net.modules()] == [net, layer]
    assert [*net.modules(remove_duplicate=False)] == [net, layer, layer]


def test_compile_changes_nothing():
    net = network()
    before = net(pyml.ones(1, 2)).item()
    assert net.compile(fullgraph=True) is None
    assert net(pyml.ones(1, 2)).item() == before


def test_to_empty():
    net = network().requires_grad_(False)
    net.register_buffer("kept", pyml.ones(2))
    before = [*net.parameters(), *net.buffers()]
    arrays = [tensor.array for tensor in before]
    assert net.to_empty(device="cpu") is net
    for old, new, array in zip(before, [*net.parameters(), *net.buffers()], arrays, strict=True):
        assert new is old and not np.shares_memory(new.array, array)
        assert (new.shape, new.dtype, new.requires_grad) == (array.shape, "float32", False)
    own, below = net.kept.array, net[0].weight.array
    net.to_empty(device="cpu", recurse=False)
    assert not np.shares_memory(net.kept.array, own)
    assert np.shares_memory(net[0].weight.array, below)
    with pytest.raises((ValueError, RuntimeError), match="cuda"):
        net.to_empty(device="cuda")


# ---- modules that write what a state dict has of them --------------------------------------------


class Renamed(nn.Module):
    """Version 2 of a module that had a weight `w`, and keeps a number of its own."""

    _version = 2

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(pyml.zeros(2))
        self.part = nn.Linear(1, 1)
        self.scale = 1.0

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}scale"] = self.scale

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        assert strict is True
        if local_metadata.get("version", 1) < 2:
            state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}w")
            state_dict[f"{prefix}part.bias"] = state_dict.pop(f"{prefix}part.b")
        given = (state_dict, prefix, local_metadata, strict, missing_keys)
        super()._load_from_state_dict(*given, unexpected_keys, error_msgs)
        self.total = self.weight.sum().item()
        unexpected_keys.remove(f"{prefix}scale")
        self.scale = state_dict[f"{prefix}scale"]


def test_a_module_may_write_its_part_of_the_state():
    net, other = (nn.Sequential(nn.Linear(1, 1), Renamed()) for _ in range(2))
    net[1].weight.data.fill_(3)
    net[1].scale = 5.0
    state = net.state_dict()
    assert list(state) == [
        *("0.weight", "0.bias", "1.weight", "1.scale", "1.part.weight", "1.part.bias"),
    ]
    assert state._metadata == {
        "": {"version": 1},
        "0": {"version": 1},
        "1": {"version": 2},
        "1.part": {"version": 1},
    }
    assert other.load_state_dict(state) == ([], [])
    assert (other[1].scale, other[1].total, other[0].bias.item()) == (5, 6, net[0].bias.item())
    old = dict(state)  # has no versions
    old["1.w"] = pyml.ones(2)
    old["1.part.b"] = pyml.ones(1)
    del old["1.weight"], old["1.part.bias"]
    assert other.load_state_dict(old) == ([], [])
    assert (other[1].weight.tolist(), other[1].part.bias.tolist()) == ([1, 1], [1])
    assert "1.w" in old
    assigned = Renamed()
    assigned.load_state_dict(net[1].state_dict(), assign=True)
    assert np.shares_memory(assigned.weight.array, net[1].weight.array)


def test_what_such_a_module_does_not_know():
    net = nn.Sequential(nn.Linear(1, 1), Renamed())
    before = net[0].bias.item()
    state = net.state_dict()
    more = {"1.more": 1, "1.parts.weight": 2, "1.part.more": 3, "more": 4, "2.more": 5}
    state.update(more)
    assert sorted(net.load_state_dict(state, strict=False).unexpected_keys) == sorted(more)
    state["0.bias"] = pyml.ones(1)
    del state["1.weight"]
    with pytest.raises(RuntimeError, match=r'(?s)Missing key.*"1.weight".*Unexpected.*"1.more"'):
        net.load_state_dict(state)
    assert net[0].bias.item() == before


def test_a_part_may_write_its_state_dict():
    class Bare(nn.Linear):
        def state_dict(self, *args, **kwargs):
            state = super().state_dict(*args, **kwargs)
            state.pop(f"{kwargs['prefix']}bias")
            return state

    net = nn.Sequential(nn.Sequential(Bare(1, 1)))
    assert list(net.state_dict()) == ["0.0.weight"]


def test_state_dict_by_position():
    layer, given = nn.Linear(1, 1, bias=False), {}
    assert layer.state_dict(given, "a.", True) is given
    assert given["a.weight"] is layer.weight


def test_hooks_that_libraries_register_by_names_with_a_line_before():
    layer, calls = nn.Linear(1, 1), []
    layer._register_state_dict_hook(lambda module, state, prefix, metadata: {"all": state})
    layer._register_load_state_dict_pre_hook(lambda *args: calls.append(args))
    layer._register_load_state_dict_pre_hook(lambda *args: calls.append(args), with_module=True)
    state = layer.state_dict()
    assert list(state) == ["all"] and list(state["all"]) == ["weight", "bias"]
    layer.load_state_dict(state["all"])
    assert calls[0][1:] == ("", {"version": 1}, True, [], [], [])
    assert calls[1] == (layer, *calls[0])


def test_batches_that_an_old_state_did_not_count():
    layer = nn.BatchNorm1d(1)
    layer(pyml.ones(2, 1))
    state = layer.state_dict()
    assert state._metadata == {"": {"version": 2}}
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"num_batches_tracked"'):
        layer.load_state_dict(state)
    assert layer.load_state_dict(dict(state)) == ([], [])
    assert layer.num_batches_tracked.item() == 1
