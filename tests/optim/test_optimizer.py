"""The base class: groups, hooks, closures, saving."""

import copy
import pickle
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pyml
from optim.cases import VALUES, parameter, tensor
from pyml import optim
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from pyml.tensor import Tensor

NAMES = sorted(VALUES)


@pytest.fixture
def params():
    params = [parameter([1.0, 2.0]), parameter([[3.0]])]
    for p in params:
        p.grad = tensor(np.ones(p.shape))
    return params


# ---- groups ----


def test_groups_take_their_own_options_and_the_defaults(params):
    given = [{"params": params[0], "lr": 0.5}, {"params": iter(params[1:])}]
    optimizer = optim.SGD(given, lr=0.1, momentum=0.9)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
    assert [group["params"] for group in optimizer.param_groups] == [params[:1], params[1:]]
    assert "momentum" not in given[0]  # the user's dict is left alone


def test_named_parameters(params):
    optimizer = optim.SGD(zip(["a", "b"], params, strict=True))
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    optimizer.step()
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]


def test_a_group_added_later(params):
    optimizer = optim.SGD(params[:1], lr=1)
    optimizer.step()
    optimizer.add_param_group({"params": params[1:], "lr": 2})
    optimizer.step()
    assert params[0].array.tolist() == [-1, 0]
    assert params[1].array.tolist() == [[1]]


def test_an_empty_group(params):
    optimizer = optim.SGD([{"params": []}, {"params": params}], lr=1)
    optimizer.step()
    assert params[1].array == 2


@pytest.mark.parametrize(
    "make_params, error, match",
    [
        (lambda p, q: p, TypeError, "not a Tensor"),
        (lambda p, q: [], ValueError, "nothing to optimize"),
        (lambda p, q: [1.0], TypeError, r"params\[0\] is a float"),
        (lambda p, q: [{"params": {p, q}}], TypeError, "set"),
        (lambda p, q: [{"params": p}, {"params": [q, p]}], ValueError, "more than one"),
        (lambda p, q: [("a", p), q], ValueError, "1 of 2 have a name"),
        (lambda p, q: [{"params": [("a", p)]}, {"params": [q]}], ValueError, "names"),
        (lambda p, q: [{"params": p}, [q]], TypeError, "must be a dict, not list"),
        (lambda p, q: [{"lr": 1}], KeyError, "params"),
        (lambda p, q: [p, Tensor._on(p.array, requires_grad=True)], ValueError, "share memory"),
        (lambda p, q: [p, Tensor._on(p.array[1:], requires_grad=True)], ValueError, "share memory"),
    ],
)
def test_params_that_are_refused(make_params, error, match, params):
    with pytest.raises(error, match=match):
        optim.SGD(make_params(*params))


def test_a_parameter_that_is_there_twice(params):
    """Kept once, with a warning, and a step that finds it twice refuses."""
    p, q = params
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        optimizer = optim.SGD([("a", p), ("b", q), ("c", p)], lr=1)
    (group,) = optimizer.param_groups
    assert [id(each) for each in group["params"]] == [id(p), id(q)]
    assert group["param_names"] == ["a", "b"]
    optimizer.step()
    assert p.array.tolist() == [0, 1]


def test_groups_that_were_doubled(params):
    """As PyTorch's: state_dict() names a parameter by its first group."""
    optimizer = optim.SGD([{"params": [p]} for p in params], lr=1, momentum=0.5)
    optimizer.step()
    saved = optimizer.state_dict()
    optimizer.param_groups.extend(optimizer.param_groups)
    doubled = optimizer.state_dict()
    assert doubled["param_groups"] == saved["param_groups"] * 2
    assert doubled["state"].keys() == saved["state"].keys()


def test_a_group_that_is_refused_is_not_added(params):
    optimizer = optim.Adagrad(params[:1])
    with pytest.raises(ValueError):
        optimizer.add_param_group({"params": params[1:], "lr": -1})
    assert len(optimizer.param_groups) == 1
    assert list(optimizer.state) == params[:1]


def test_an_option_that_every_group_must_set(params):
    class Needy(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"rate": optim.optimizer.required})

    with pytest.raises(ValueError, match="rate"):
        Needy(params)
    assert Needy([{"params": params, "rate": 1}]).param_groups[0]["rate"] == 1


# ---- step ----


def test_closure_runs_first_and_with_gradients_recorded(params):
    optimizer = optim.SGD(params, lr=1)

    def closure():
        assert is_grad_enabled()
        params[0].grad = tensor([10.0, 10.0])
        return 42.0

    with no_grad():
        assert optimizer.step(closure) == 42.0
    assert optimizer.step() is None
    assert params[0].array.tolist() == [-19, -18]


def test_zero_grad(params):
    optimizer = optim.SGD([*params, parameter([1.0])])
    before = params[0].grad
    optimizer.zero_grad(set_to_none=False)
    third = optimizer.param_groups[0]["params"][2]
    assert (
        params[0].grad.tolist() == [0, 0]
        and params[1].grad.tolist() == [[0]]
        and third.grad is None
    )
    assert np.shares_memory(params[0].grad.array, before.array)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)
    optimizer.step()
    assert params[0].array.tolist() == [1, 2]


def test_hooks(params):
    optimizer = optim.SGD(params, lr=1)
    calls = []
    pre = optimizer.register_step_pre_hook(lambda *args: calls.append(("pre", *args)))
    post = optimizer.register_step_post_hook(lambda *args: calls.append(("post", *args)))
    optimizer.step()
    args = (optimizer,)
    assert calls == [("pre", optimizer, args, {}), ("post", optimizer, args, {})]
    pre.remove()
    post.remove()
    optimizer.step()
    assert len(calls) == 2


def test_a_pre_hook_may_change_the_arguments(params):
    optimizer = optim.SGD(params)
    optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: ((args[0], lambda: 7), {}))
    assert optimizer.step() == 7
    optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="pre-hook returned 3"):
        optimizer.step()


def test_hooks_of_every_optimizer_are_around_those_of_one(params):
    calls = []
    optimizer = optim.SGD(params)
    optimizer.register_step_pre_hook(lambda *args: calls.append("own pre"))
    optimizer.register_step_post_hook(lambda *args: calls.append("own post"))
    pre = register_optimizer_step_pre_hook(lambda *args: calls.append("pre"))
    with register_optimizer_step_post_hook(lambda *args: calls.append("post")):
        optimizer.step()
        pre.remove()
    optimizer.step()
    assert calls == ["pre", "own pre", "own post", "post", "own pre", "own post"]


def test_a_hook_that_is_there_twice_is_removed_once(params):
    calls = []
    optimizer = optim.SGD(params)
    hook = lambda *args: calls.append(args)  # noqa: E731
    first, second = (optimizer.register_step_pre_hook(hook) for _ in range(2))
    first.remove()
    first.remove()
    optimizer.step()
    assert len(calls) == 1
    second.remove()
    optimizer.step()
    assert len(calls) == 1


def test_hooks_of_state_dict(params):
    optimizer = optim.SGD(params, lr=1)
    calls = []

    def note(word, change=lambda *state: None):
        def hook(*args):
            calls.append((word, len(args)))
            assert args[0] is optimizer
            return change(*args[1:])

        return hook

    optimizer.register_state_dict_pre_hook(note("pre"))
    optimizer.register_state_dict_pre_hook(note("first pre"), prepend=True)
    optimizer.register_state_dict_post_hook(note("post", lambda state: {**state, "more": 1}))
    optimizer.register_state_dict_post_hook(note("first post"), prepend=True)
    optimizer.register_state_dict_post_hook(note("no more")).remove()
    state = optimizer.state_dict()
    assert list(state) == ["state", "param_groups", "more"]
    assert calls == [("first pre", 1), ("pre", 1), ("first post", 2), ("post", 2)]


def test_hooks_of_load_state_dict(params):
    optimizer = optim.SGD(params, lr=1)
    calls = []
    state = optimizer.state_dict()
    optimizer.register_load_state_dict_pre_hook(lambda _, state: state.update(more=1))
    optimizer.register_load_state_dict_pre_hook(
        lambda _, state: {
            **state,
            "param_groups": [{**state["param_groups"][0], "lr": state["more"] / 2}],
        }
    )
    optimizer.register_load_state_dict_pre_hook(
        lambda _, state: calls.append("more" in state), prepend=True
    )
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append(o.param_groups[0]["lr"]))
    optimizer.register_load_state_dict_post_hook(lambda _: calls.append("loaded"), prepend=True)
    optimizer.load_state_dict(state)
    assert calls == [False, "loaded", 0.5]
    assert "more" not in state  # the hooks have a copy


def test_an_optimizer_written_in_python(params):
    class Plain(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p.array[...] -= group["lr"] * p.grad.array

    optimizer = Plain(params, lr=1)
    calls = []
    optimizer.register_step_post_hook(lambda *args: calls.append(args))
    optimizer.step()
    assert params[1].array == 2 and len(calls) == 1
    again = Plain(params, lr=1)
    again.load_state_dict(optimizer.state_dict())
    assert again.state[params[0]] == {"count": 1}


def test_no_step():
    with pytest.raises(NotImplementedError, match="Optimizer has no step"):
        optim.Optimizer([parameter([1.0])], {}).step()


def test_step_within_step_is_refused(params):
    class Rate:
        def __float__(self):
            optimizer.step()
            return 1.0

    optimizer = optim.SGD(params)
    optimizer.param_groups[0]["lr"] = Rate()
    with pytest.raises(RuntimeError, match="running"):
        optimizer.step()
    optimizer.param_groups[0]["lr"] = 1
    optimizer.step()
    assert params[1].array == 2


@pytest.mark.parametrize(
    "option, value, what",
    [
        ("lr", None, "a number"),
        ("eps", "small", "a number"),
        ("weight_decay", 10**400, "a number"),
        ("betas", 3, "2 numbers"),
        ("betas", (0.9, None), "2 numbers"),
    ],
)
def test_an_option_that_is_no_number(option, value, what, params):
    optimizer = optim.Adam(params)
    optimizer.param_groups[0][option] = value
    with pytest.raises((TypeError, OverflowError), match=f"Adam: {option} is .* it must be {what}"):
        optimizer.step()


def doubled(groups, p, q):
    groups[0]["params"].append(p)


def in_two_groups(groups, p, q):
    groups[1]["params"].append(p)


def alias(groups, p, q):
    groups[1]["params"].append(Tensor._on(p.array, requires_grad=True))
    groups[1]["params"][-1].grad = p.grad


def transposed(groups, p, q):
    groups[1]["params"].append(Tensor._on(p.array[::-1], requires_grad=True))
    groups[1]["params"][-1].grad = p.grad


def on_the_same_memory(groups, p, q):
    q.data = Tensor._on(p.array[:1].reshape(1, 1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize(
    "change, error, match",
    [
        (doubled, ValueError, "same Tensor twice"),
        (in_two_groups, ValueError, "more than one"),
        (alias, ValueError, "share memory"),
        (transposed, ValueError, "share memory"),
        (on_the_same_memory, ValueError, "share memory"),
        (lambda groups, p, q: groups[1]["params"].append(None), TypeError, r"\[1\] is a NoneType"),
        (lambda groups, p, q: groups[1]["params"].append(1.0), TypeError, r"\[1\] is a float"),
        (lambda groups, p, q: groups[1].update(params=p), TypeError, "must be a list"),
        (lambda groups, p, q: groups.append(groups[0]), ValueError, "more than one"),
    ],
)
def test_groups_that_were_changed_are_checked_by_step(change, error, match, steps, name, params):
    optimizer = getattr(optim, name)([{"params": [p]} for p in params], lr=1)
    for _ in range(steps):
        optimizer.step()
    change(optimizer.param_groups, *params)
    before = [p.array.copy() for p in params]
    for _ in range(2):
        with pytest.raises(error, match=match):
            optimizer.step()
    assert all(np.array_equal(p.array, old) for p, old in zip(params, before, strict=True))


CHANGES = {
    "an option": lambda o, p: o.param_groups[0].update(eps=0.1),
    "a number in a list": lambda o, p: o.param_groups[0]["betas"].__setitem__(0, 0.5),
    "the value of a Tensor": lambda o, p: o.param_groups[0]["lr"].fill_(0.5),
    "a tensor of the state": lambda o, p: o.state[p].update(exp_avg=tensor([3.0, 4.0])),
    "its memory": lambda o, p: setattr(o.state[p]["exp_avg"], "data", tensor([3.0, 4.0])),
    "the state of a parameter": lambda o, p: o.state.update({p: {}}),
    "the state of all": lambda o, p: setattr(o, "state", defaultdict(dict)),
    "the memory of a parameter": lambda o, p: setattr(p, "data", tensor([3.0, 4.0])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_step_heeds_what_changed_since_the_last(change, params):
    group = {"params": params, "lr": pyml.tensor(0.1), "betas": [0.9, 0.999]}
    optimizer = optim.Adam([group])
    for _ in range(3):
        optimizer.step()
    unchanged = copy.deepcopy(optimizer)  # a copy has looked up nothing yet
    change(optimizer, params[0])
    changed = copy.deepcopy(optimizer)
    values = []
    for each in (optimizer, changed, unchanged):
        for p in each.param_groups[0]["params"]:
            p.grad = tensor(np.full(p.shape, 2.0))
        each.step()
        values.append(each.param_groups[0]["params"][0].detach().numpy().tobytes())
    assert values[0] == values[1] != values[2]


def test_a_group_is_not_added_to_groups_that_were_changed(params):
    optimizer = optim.SGD(params[:1])
    optimizer.param_groups[0]["params"].append(None)
    with pytest.raises(TypeError, match=r"params\[1\] is a NoneType"):
        optimizer.add_param_group({"params": params[1:]})
    assert len(optimizer.param_groups) == 1


def test_parameters_may_be_parts_of_one_array():
    base = tensor(np.ones((4, 6)))
    parts = [Tensor._on(base.array[:, i::2], requires_grad=True) for i in range(2)]
    for p in parts:
        p.grad = tensor(np.ones((4, 3)))
    optim.SGD(parts, lr=1).step()
    assert not base.array.any()


@pytest.mark.parametrize("change", ["append", "remove", "clear", "group", "no group"])
def test_an_option_whose_code_changes_the_groups(change, params):
    """The step takes the parameters that are there when all options have been read."""
    more = [parameter([1.0]) for _ in range(1000)]
    for p in more:
        p.grad = tensor([1.0])

    class Rate:
        def __float__(self):
            groups = optimizer.param_groups
            if change == "append" and len(groups[0]["params"]) < 5:
                groups[0]["params"].extend(more)
            elif change == "remove" and groups[0]["params"]:
                groups[0]["params"].pop()
            elif change == "clear":
                groups[0]["params"].clear()
            elif change == "group" and len(groups) == 1:
                optimizer.add_param_group({"params": more})
            elif change == "no group":
                groups.clear()
            return 1.0

    optimizer = optim.SGD(params, lr=0.5, momentum=0.9)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = Rate()
    optimizer.step()
    optimizer.step()
    assert all(p.array == (-1.9 if change == "append" else 1.0) for p in more) or change == "group"


@pytest.mark.parametrize("when", ["pre", "post"])
@pytest.mark.parametrize("what", ["step", "state_dict", "load_state_dict"])
def test_a_hook_that_is_no_function(what, when, params):
    with pytest.raises(TypeError, match=f"a {what} {when}-hook must be a function, not int"):
        getattr(optim.SGD(params), f"register_{what}_{when}_hook")(3)


def test_steps_from_several_threads_at_once():
    """Each is done or refused; none is half done."""
    p = parameter(np.zeros(100_003))
    p.grad = tensor(np.ones(100_003))
    optimizer = optim.SGD([p], lr=1)

    def work(_):
        done = 0
        for _ in range(50):
            try:
                optimizer.step()
                done += 1
            except RuntimeError as error:
                assert "running" in str(error)
        return done

    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(work, range(3)))
    assert done >= 50
    assert np.all(p.array == -done)


# ---- saving ----


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_round_trip(name, params):
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    optimizer = getattr(optim, name)(
        [{"params": params[:1], "lr": 0.5}, {"params": params[1:]}], **options
    )
    optimizer.step()
    saved = optimizer.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1]]
    assert set(saved["state"]) == {0, 1}
    other = [parameter(p.array, np.float32) for p in params]
    loaded = getattr(optim, name)([{"params": other[:1]}, {"params": other[1:]}])
    loaded.load_state_dict(saved)
    assert loaded.param_groups[0]["lr"] == 0.5
    assert [list(group) for group in loaded.state_dict()["param_groups"]] == [
        list(group) for group in saved["param_groups"]
    ]
    for p, q in zip(params, other, strict=True):
        for key, value in optimizer.state[p].items():
            copied = loaded.state[q][key]
            assert copied.dtype == (np.float64 if key in optimizer._numbers else np.float32)
            assert not np.shares_memory(copied.array, value.array)
            assert np.array_equal(copied.array, value.array.astype(copied.dtype))


def test_load_takes_arrays_numbers_and_older_groups(params):
    optimizer = optim.Adam(params[:1], lr=0.5)
    optimizer.load_state_dict(
        {
            "state": {
                "weight": {"step": 3, "exp_avg": np.ones(2, np.float32), "exp_avg_sq": np.ones(2)}
            },
            "param_groups": [{"lr": 0.1, "params": ["weight"]}],
        }
    )
    optimizer.step()
    assert optimizer.state[params[0]]["step"].item() == 4
    assert optimizer.param_groups[0]["eps"] == 1e-8


def test_adamw_continues_an_adam_with_decoupled_decay(params):
    adam, adamw = optim.Adam(params), optim.AdamW(params)
    adamw.load_state_dict(adam.state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"] is True


@pytest.mark.parametrize(
    "other", [lambda p, q: [p], lambda p, q: [{"params": [p]}, {"params": [q]}]]
)
def test_load_of_another_model(other, params):
    optimizer = optim.SGD(params, lr=0.25)
    with pytest.raises(ValueError, match=r"groups of .* parameters, this optimizer of \[2\]"):
        optimizer.load_state_dict(optim.SGD(other(*params)).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_state_of_another_model_is_refused(params):
    optimizer = optim.Adam(params)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0], saved["state"][1] = saved["state"][1], saved["state"][0]
    other = optim.Adam(params)
    with pytest.raises(ValueError, match=r"parameter 0: exp_avg has shape \(1, 1\)"):
        other.load_state_dict(saved)
    assert not other.state
    other.state.update({params[0]: saved["state"][0]})
    with pytest.raises(ValueError, match="its state 'exp_avg' has shape"):
        other.step()


def changed(state, path, value):
    """`state` with another value at a path of keys; ... removes what is there."""
    *path, last = path
    place = state = copy.deepcopy(state)
    for key in path:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return state


GROUP = ("param_groups", 0)
STATE = ("state", 0)


@pytest.mark.parametrize(
    "path, value, error, match",
    [
        (("state",), ..., ValueError, "'state' must be a dict"),
        (("state",), [1], ValueError, "'state' must be a dict, .* not list"),
        (("param_groups",), ..., ValueError, "'param_groups' must be a list of dicts"),
        (("param_groups",), {}, ValueError, "'param_groups' must be a list of dicts"),
        (("param_groups",), [[], []], ValueError, "'param_groups' must be a list of dicts"),
        ((*GROUP, "params"), ..., ValueError, "with a list 'params'"),
        ((*GROUP, "params"), 3, ValueError, "with a list 'params'"),
        ((*GROUP, "params"), [0, 0], ValueError, "a number twice, for parameters that"),
        ((*GROUP, "params"), [0, [1]], ValueError, "must be numbers"),
        ((*GROUP, "lr"), float("nan"), ValueError, "lr is nan"),
        ((*GROUP, "lr"), "0.1", TypeError, r"param_groups\[0\]: lr is '0.1', it must be a number"),
        ((*GROUP, "lr"), None, TypeError, "lr is None"),
        ((*GROUP, "eps"), [1e-8], TypeError, "eps is"),
        ((*GROUP, "eps"), 1j, TypeError, "eps is"),
        ((*GROUP, "eps"), 10**400, TypeError, "eps is"),
        ((*GROUP, "betas"), (0.9,), ValueError, "betas is"),
        ((*GROUP, "betas"), (0.9, "0.99"), TypeError, r"betas\[1\] is '0.99'"),
        ((*GROUP, "amsgrad"), "no", TypeError, "amsgrad is 'no', it must be True or False"),
        (STATE, [1], ValueError, "state of parameter 0 is a list"),
        ((*STATE, "step"), ..., ValueError, "parameter 0 lacks step, which Adam needs"),
        ((*STATE, "exp_avg_sq"), None, ValueError, "parameter 0 lacks exp_avg_sq"),
        ((*STATE, "step"), np.ones(2), ValueError, "step is .* it must be one number"),
        ((*STATE, "step"), -1, ValueError, "step is -1"),
        ((*STATE, "step"), float("nan"), ValueError, "step is nan"),
        ((*STATE, "step"), "3", TypeError, "step is a str"),
        ((*STATE, "step"), 10**400, TypeError, "step is 1000.*, it must be a number"),
        ((*STATE, "exp_avg"), np.ones(3), ValueError, "exp_avg has shape"),
        ((*STATE, "exp_avg"), np.ones(2, complex), TypeError, "exp_avg: dtype complex128"),
        ((*STATE, "exp_avg"), np.array([None, 1]), TypeError, "exp_avg: dtype object"),
        ((*STATE, "more"), np.ones(2, complex), TypeError, "more: dtype complex128"),
        ((*STATE, "exp_avg"), [1.0, 2.0], TypeError, "exp_avg is a list"),
        ((*STATE, "exp_avg"), {}, TypeError, "exp_avg is a dict"),
    ],
    ids=str,
)
def test_a_damaged_state_is_refused_and_nothing_changes(path, value, error, match, params):
    saved = optim.Adam(params)
    saved.step()
    optimizer = optim.Adam(params, lr=0.5)
    optimizer.step()
    groups = copy.copy(optimizer.param_groups[0])
    state = {p: dict(values) for p, values in optimizer.state.items()}
    with pytest.raises(error, match=match):
        optimizer.load_state_dict(changed(saved.state_dict(), path, value))
    assert optimizer.param_groups == [groups]
    assert {p: dict(values) for p, values in optimizer.state.items()} == state
    with pytest.raises(TypeError, match="state_dict must be a dict, not list"):
        optimizer.load_state_dict([saved])


def test_state_of_other_dtypes_and_byte_orders_is_converted(params):
    saved = optim.SGD(params, momentum=0.9)
    saved.step()
    for dtype in (">f8", ">f4", "f2", ">f2", ">i8", "u1"):
        other = optim.SGD(params, momentum=0.9)
        array = np.array([3, 5], dtype)
        other.load_state_dict(changed(saved.state_dict(), (*STATE, "momentum_buffer"), array))
        loaded = other.state[params[0]]["momentum_buffer"]
        assert loaded.dtype == params[0].dtype and loaded.tolist() == [3, 5]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_states_are_those_of_the_kernel(name, params):
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    options |= {"centered": True} if name == "RMSprop" else {}
    options |= {"amsgrad": True} if name in ("Adam", "AdamW") else {}
    optimizer = getattr(optim, name)(params, **options)
    optimizer.step()
    assert set(optimizer.state[params[0]]) == {*optimizer._numbers, *optimizer._states}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_continue_alike(name, duplicate, params):
    options = {} if name == "Rprop" else {"weight_decay": 0.1}
    optimizer = getattr(optim, name)(params, lr=0.1, **options)
    optimizer.register_step_pre_hook(lambda *args: None)  # is not copied
    optimizer.step()
    copied = duplicate(optimizer)
    copies = copied.param_groups[0]["params"]
    optimizer.step()
    copied.step()
    for p, q in zip(params, copies, strict=True):
        assert p is not q and np.array_equal(p.array, q.array)
        assert set(optimizer.state[p]) == set(copied.state[q])


def test_repr(params):
    assert repr(optim.SGD(params, lr=0.5)) == (
        "SGD (\n"
        "Parameter Group 0\n"
        "    dampening: 0\n"
        "    lr: 0.5\n"
        "    maximize: False\n"
        "    momentum: 0\n"
        "    nesterov: False\n"
        "    weight_decay: 0\n"
        ")"
    )


@pytest.mark.parametrize("state", [None, {}, [[None, 1]], {"state": {}}])
def test_what_is_no_pickled_state(state):
    optimizer = pyml.optim.SGD([pyml.nn.Parameter(pyml.ones(2))], lr=0.1)
    with pytest.raises(TypeError, match="the state of an optimizer is a dict"):
        optimizer.__setstate__(state)
    assert len(optimizer.param_groups) == 1
