from typing import NamedTuple

import pytest

import pyml
from pyml import nn
from pyml.nn import hooks


class Scale(nn.Module):
    def forward(self, x, factor=2.0):
        return x * factor


class Pair(nn.Module):
    """Two outputs of two inputs, and something that is not a tensor."""

    def forward(self, x, y, name="pair"):
        return x * y, x + y, name


def leaf(*numbers):
    return pyml.tensor(numbers, dtype=pyml.float64, requires_grad=True)


# ---- forward ------------------------------------------------------------------------------------


def test_forward_pre_hook_sees_and_replaces_the_arguments():
    module, seen = Scale(), []
    module.register_forward_pre_hook(lambda m, args: seen.append((m, args)))
    assert module(3.0) == 6
    assert seen == [(module, (3.0,))]
    module.register_forward_pre_hook(lambda m, args: args[0] + 1)
    assert module(3.0) == 8
    module.register_forward_pre_hook(lambda m, args: (args[0], 10.0))
    assert module(3.0) == 40


def test_forward_pre_hook_with_kwargs():
    module, seen = Scale(), []
    module.register_forward_pre_hook(
        lambda m, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
    )
    handle = module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"factor": 5.0}), with_kwargs=True
    )
    assert module(3.0, factor=4.0) == 15
    assert seen == [((3.0,), {"factor": 4.0})]
    handle.remove()
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\)"):
        module(3.0)


def test_forward_hook_sees_and_replaces_the_output():
    module, seen = Scale(), []
    module.register_forward_hook(lambda m, args, output: seen.append((m, args, output)))
    assert module(3.0, factor=1.0) == 3
    assert seen == [(module, (3.0,), 3.0)]
    module.register_forward_hook(lambda m, args, output: output + 1)
    module.register_forward_hook(
        lambda m, args, kwargs, output: output * kwargs["factor"], with_kwargs=True
    )
    assert module(3.0, factor=2.0) == 14


def test_order_and_prepend():
    module, order = Scale(), []
    for register in (module.register_forward_pre_hook, module.register_forward_hook):
        register(lambda *args: order.append("first"))
        register(lambda *args: order.append("second"))
        register(lambda *args: order.append("before"), prepend=True)
    module(1.0)
    assert order == ["before", "first", "second"] * 2


def test_remove():
    module, seen = Scale(), []
    hook = lambda *args: seen.append(1)  # noqa: E731
    handles = [module.register_forward_hook(hook), module.register_forward_hook(hook)]
    module(1.0)
    handles[1].remove()
    handles[1].remove()
    module(1.0)
    handles[0].remove()
    module(1.0)
    assert len(seen) == 3
    assert not module._hooks


def test_a_hook_may_remove_itself():
    module, seen = Scale(), []

    def once(*args):
        seen.append(1)
        handle.remove()

    handle = module.register_forward_hook(once)
    module.register_forward_hook(lambda *args: seen.append(2))
    module(1.0)
    module(1.0)
    assert seen == [1, 2, 2]


def test_always_call():
    class Fails(nn.Module):
        def forward(self):
            raise ArithmeticError("forward")

    module, seen = Fails(), []
    module.register_forward_hook(lambda m, args, output: seen.append("never"))
    module.register_forward_hook(lambda m, args, output: seen.append(output), always_call=True)
    with pytest.raises(ArithmeticError, match="forward"):
        module()
    assert seen == [None]

    def fails(*args):
        raise ValueError("hook")

    module.register_forward_hook(fails, always_call=True)
    with (
        pytest.warns(UserWarning, match="always_call=True raised an exception.*: hook"),
        pytest.raises(ArithmeticError),
    ):
        module()


def test_always_call_runs_once():
    module, seen = Scale(), []
    module.register_forward_hook(lambda *args: seen.append(1), always_call=True)
    module.register_forward_hook(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        module(1.0)
    assert seen == [1]


# ---- backward -----------------------------------------------------------------------------------


def test_full_backward_hook_sees_the_gradients():
    module, seen = Scale(), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append((m, dx, dy)))
    x = leaf(1, 2)
    y = module(x)
    (y * y).sum().backward()
    assert x.grad.tolist() == [8, 16]
    [(owner, (dx,), (dy,))] = seen
    assert owner is module
    assert dx.tolist() == [8, 16]
    assert dy.tolist() == [4, 8]


def test_the_old_backward_hooks_are_full_ones(registered):
    module, seen = nn.Sequential(Scale(), Scale()), []
    with pytest.warns(FutureWarning, match="Use register_full_backward_hook") as warned:
        handle = module.register_backward_hook(lambda m, dx, dy: seen.append((m, dx[0], dy[0])))
    with pytest.warns(FutureWarning, match="Use register_module_full_backward_hook") as more:
        registered("backward", lambda m, dx, dy: seen.append((m, dx[0], dy[0])))
    assert {w.filename for w in (*warned, *more)} == {__file__}
    module(leaf(1)).sum().backward()
    assert [(m, dx.item(), dy.item()) for m, dx, dy in seen] == [
        *((module[1], 2, 1), (module[0], 4, 2), (module, 4, 1), (module, 4, 1)),
    ]
    handle.remove()
    assert not module._backward_hooks


def test_full_backward_hook_replaces_the_gradient_of_the_input():
    module = Scale()
    module.register_full_backward_hook(lambda m, dx, dy: (dx[0] * 10,))
    module.register_full_backward_hook(lambda m, dx, dy: dx[0] + 1)
    x = leaf(1, 2)
    module(x).sum().backward()
    assert x.grad.tolist() == [21, 21]


def test_full_backward_pre_hook_replaces_the_gradient_of_the_output():
    layer, seen = nn.Linear(2, 1, bias=False).double(), []
    layer.register_full_backward_pre_hook(lambda m, dy: dy[0] * 3)
    layer.register_full_backward_pre_hook(lambda m, dy: seen.append(dy[0].tolist()))
    x = leaf(1, 2)
    layer(x).sum().backward()
    assert seen == [[3]]
    assert layer.weight.grad.tolist() == [[3, 6]]
    assert x.grad.tolist() == [3 * w for w in layer.weight.tolist()[0]]


def test_prepended_backward_hooks():
    module, order = Scale(), []
    for register in (module.register_full_backward_pre_hook, module.register_full_backward_hook):
        register(lambda *args: order.append("first"))
        register(lambda *args: order.append("before"), prepend=True)
    module(leaf(1)).sum().backward()
    assert order == ["before", "first"] * 2


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1)])
def test_several_inputs_and_outputs(used):
    module, seen = Pair(), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append((dx, dy)))
    x, y = leaf(2, 3), leaf(5, 7)
    outputs = module(x, y, "name")
    assert outputs[2] == "name"
    sum(outputs[i].sum() for i in used).backward()
    wanted_x = [(0 in used) * b + (1 in used) for b in (5, 7)]
    wanted_y = [(0 in used) * a + (1 in used) for a in (2, 3)]
    assert x.grad.tolist() == wanted_x
    assert y.grad.tolist() == wanted_y
    [(dx, dy)] = seen
    assert [dx[0].tolist(), dx[1].tolist(), dx[2]] == [wanted_x, wanted_y, None]
    assert [g is not None for g in dy] == [0 in used, 1 in used, False]


class Two(NamedTuple):
    product: pyml.Tensor
    sum: pyml.Tensor


class Named(nn.Module):
    def forward(self, given):
        return Two(given.product * 2, given.sum * 3)


def test_named_tuples_stay_what_they_are_where_gradients_are_watched():
    module, seen = nn.Sequential(Named(), Named()), []
    for each in module:
        each.register_full_backward_hook(lambda m, dx, dy: seen.append(type(dy)))
    x = leaf(1.0)
    y = module(Two(x, x * x))
    assert type(y) is Two
    (y.product + y.sum).backward()
    assert seen == [tuple, tuple] and x.grad == 4 + 9 * 2


def test_an_input_without_gradient_is_none():
    module, seen = Pair(), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append(dx))
    x, constant = leaf(2), pyml.tensor([5.0], dtype=pyml.float64)
    module(constant, x)[0].sum().backward()
    assert seen[0][0] is None
    assert seen[0][1].tolist() == [5]


def test_no_input_requires_grad():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, dx, dy: seen.append((dx, dy[0].tolist())))
    layer(pyml.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0]])]
    assert layer.weight.grad.tolist() == [[1, 1]]
    layer.register_full_backward_hook(lambda m, dx, dy: (pyml.ones(1, 2),))
    with pytest.raises(RuntimeError, match="must return None where no input requires grad"):
        layer(pyml.ones(1, 2)).sum().backward()


def test_hooks_run_once_a_call_and_a_backward():
    layer, seen = nn.Linear(2, 2), []
    layer.register_full_backward_hook(lambda m, dx, dy: seen.append(1))
    x = pyml.ones(1, 2, requires_grad=True)
    loss = layer(layer(x)).sum()
    loss.backward(retain_graph=True)
    assert len(seen) == 2
    loss.backward()
    assert len(seen) == 4


def test_backward_hooks_do_not_change_the_gradients():
    plain = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = pyml.randn(5, 3).double()
    plain(x).square().sum().backward()
    wanted = [p.grad.numpy() for p in plain.parameters()]
    plain.zero_grad()
    for module in plain.modules():
        module.register_full_backward_hook(lambda m, dx, dy: None)
        module.register_full_backward_pre_hook(lambda m, dy: None)
    plain(x).square().sum().backward()
    for p, grad in zip(plain.parameters(), wanted, strict=True):
        assert (p.grad.numpy() == grad).all()


def test_second_derivative_through_hooks():
    module = Scale()
    module.register_full_backward_hook(lambda m, dx, dy: (dx[0] * 1.0,))
    x = leaf(3)
    y = (module(x) * x * x).sum()
    y.backward(create_graph=True)
    assert x.grad.tolist() == [54]  # 2 x^3 -> 6 x^2
    first = x.grad
    x.grad = None
    first.sum().backward()
    assert x.grad.tolist() == [36]


def test_backward_hooks_do_nothing_without_grad():
    module = nn.Identity()
    module.register_full_backward_hook(lambda m, dx, dy: 1 / 0)
    x = leaf(1)
    with pyml.no_grad():
        assert module(x) is x
    assert module(x.detach()).is_leaf


def test_each_backward_sees_its_own_gradients():
    module, seen = Pair(), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append(dy))
    first, second, _ = module(leaf(2), leaf(3))
    first.sum().backward(retain_graph=True)
    second.sum().backward()
    assert [[g is None for g in dy] for dy in seen] == [[False, True, True], [True, False, True]]


def test_a_backward_that_does_not_pass_the_output_calls_no_hook():
    class Leaks(nn.Module):
        def forward(self, x):
            self.inner = x * 2
            return self.inner * 3

    module, seen = Leaks(), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append(dx))
    x = leaf(1)
    module(x).sum().backward(retain_graph=True)
    module.inner.sum().backward()
    assert x.grad.tolist() == [8]
    assert len(seen) == 1


def test_a_backward_that_raised_leaves_no_gradient_behind():
    class Stop(Exception):
        pass

    def stop(grad):
        raise Stop

    module, x, seen = Pair(), leaf(1), []
    module.register_full_backward_hook(lambda m, dx, dy: seen.append(dy))
    a, b, _ = module(x, leaf(3))
    handle = a.register_hook(stop)
    with pytest.raises(Stop):
        (a + b).sum().backward(retain_graph=True)
    handle.remove()
    a.sum().backward()
    ((da, db, _),) = seen
    assert da.tolist() == [1] and db is None and x.grad.tolist() == [3]


def test_wrong_number_of_gradients():
    module = Scale()
    handle = module.register_full_backward_hook(lambda m, dx, dy: (dx[0], dx[0]))
    with pytest.raises(RuntimeError, match="a backward hook returned 2 gradients, 1 are expected"):
        module(leaf(1)).sum().backward()
    handle.remove()
    module.register_full_backward_pre_hook(lambda m, dy: ())
    with pytest.raises(RuntimeError, match="a backward pre-hook returned 0 gradients"):
        module(leaf(1)).sum().backward()


def test_an_output_that_is_no_tensor_is_warned_of():
    class Dictionary(nn.Module):
        def forward(self, x):
            return {"x": x}

    module = Dictionary()
    module.register_full_backward_hook(lambda m, dx, dy: None)
    with pytest.warns(UserWarning, match="its output is dict"):
        module(leaf(1))


def test_changing_a_watched_output_in_place_is_refused():
    module = Scale()
    module.register_full_backward_hook(lambda m, dx, dy: None)
    with pytest.raises(RuntimeError, match="inplace"):
        module(leaf(1)).add_(1)


@pytest.mark.parametrize(
    "register",
    [
        "register_forward_pre_hook",
        "register_forward_hook",
        "register_full_backward_pre_hook",
        "register_full_backward_hook",
    ],
)
def test_a_hook_that_is_no_function(register):
    with pytest.raises(TypeError, match="hook must be a function, not of type int"):
        getattr(Scale(), register)(3)


@pytest.mark.parametrize(
    "returned, error, match",
    [
        (3, TypeError, "gradient 0 that a backward .*hook returned is of type int"),
        ((3,), TypeError, "is of type int, not a Tensor or None"),
        ([pyml.ones(2)], TypeError, "is of type list"),
        (pyml.ones(3), ValueError, r"has shape \(3,\), it must have shape \(2,\)"),
        (pyml.ones(2, dtype=pyml.float32), TypeError, "has dtype float32"),
        (pyml.ones(2, dtype=pyml.int64), TypeError, "has dtype int64"),
    ],
    ids=str,
)
@pytest.mark.parametrize("when", ["register_full_backward_pre_hook", "register_full_backward_hook"])
def test_a_backward_hook_that_returns_no_gradient(when, returned, error, match):
    module, x = Scale(), leaf(1.0, 2.0)
    getattr(module, when)(lambda *args: returned)
    with pytest.raises(error, match=match):
        module(x).sum().backward()
    assert x.grad is None


def test_forward_hooks_may_return_anything_as_in_pytorch():
    module = Scale()
    pre = module.register_forward_pre_hook(lambda module, args: 3)
    assert module(leaf(1.0)) == 6
    pre.remove()
    module.register_forward_hook(lambda module, args, output: 5)
    assert module(leaf(1.0)) == 5


def test_a_forward_pre_hook_with_kwargs_that_returns_something_else():
    module = Scale()
    for wrong in (3, (1, 2, 3), ((), 3)):
        handle = module.register_forward_pre_hook(lambda *_, wrong=wrong: wrong, with_kwargs=True)
        with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\)"):
            module(leaf(1.0))
        handle.remove()


def test_hooks_by_pytorchs_names():
    layer = nn.Linear(2, 1)
    names = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
    assert [getattr(layer, name) for name in names] == [{}] * 4

    def hook(*args):
        pass

    handle = layer.register_forward_hook(hook)
    layer.register_full_backward_hook(hook)
    assert [len(getattr(layer, name)) for name in names] == [0, 1, 0, 1]
    assert list(layer._forward_hooks.values()) == [hook]
    handle.remove()
    assert layer._forward_hooks == {}


# ---- of every module -----------------------------------------------------------------------------


@pytest.fixture
def registered():
    """Registers hooks of every module, until the test is over."""
    handles = []
    yield lambda word, *args, **kwargs: handles.append(
        getattr(hooks, f"register_module_{word}_hook")(*args, **kwargs)
    )
    for handle in handles:
        handle.remove()


def test_hooks_of_every_module_run_before_its_own(registered):
    net, calls = nn.Sequential(nn.Linear(1, 1)), []
    x = pyml.ones(1, 1, requires_grad=True)
    plain = net(x).item()
    net.register_forward_hook(lambda module, args, y: calls.append(("own", module)))
    registered("forward_pre", lambda module, args: calls.append(("before", module)))
    registered("forward", lambda module, args, kwargs, y: 2 * y, with_kwargs=True)
    registered("full_backward_pre", lambda module, dy: calls.append(("gradient", module)))
    registered("full_backward", lambda module, dx, dy: (dx[0] * 3,))
    y = net(x)
    assert y.item() == pytest.approx(4 * plain)
    assert calls == [("before", net), ("before", net[0]), ("own", net)]
    y.sum().backward()
    assert calls[3:] == [("gradient", net), ("gradient", net[0])]
    assert x.grad.item() == pytest.approx(9 * 4 * net[0].weight.item())


def test_a_hook_of_every_module_that_is_always_called(registered):
    calls = []
    registered("forward", lambda *args: calls.append(args[2]), always_call=True)
    with pytest.raises(ValueError):
        nn.Linear(2, 1)(pyml.ones(1, 3))
    assert calls == [None]


def test_a_handle_takes_a_hook_of_every_module_away():
    calls = []
    with hooks.register_module_forward_hook(lambda *args: calls.append(args)):
        nn.ReLU()(pyml.ones(1))
    nn.ReLU()(pyml.ones(1))
    assert len(calls) == 1
    with pytest.raises(TypeError, match="a forward pre-hook must be a function, not of type int"):
        hooks.register_module_forward_pre_hook(3)


def test_recorded_steps_see_a_hook_of_every_module(registered):
    layer = nn.Linear(1, 1)

    @pyml.record
    def step(x):
        return layer(x)

    plain = step(pyml.ones(1, 1)).item()
    registered("forward", lambda module, args, y: 2 * y)
    with pytest.raises(pyml.RecordError, match="a hook of every module"):
        step(pyml.ones(1, 1))
    assert layer(pyml.ones(1, 1)).item() == pytest.approx(2 * plain)


def test_hooks_of_what_modules_get(registered):
    calls = []
    doubled = nn.Parameter(pyml.ones(1))
    registered("parameter_registration", lambda module, name, value: calls.append(name))
    registered("parameter_registration", lambda *args: doubled if args[1] == "more" else None)
    registered("buffer_registration", lambda module, name, value: calls.append(name))
    registered("module_registration", lambda module, name, value: calls.append(name))
    layer = nn.Linear(1, 1)
    assert calls == ["weight", "bias"]
    layer.register_buffer("kept", pyml.ones(1), persistent=False)
    layer.more = nn.Parameter(pyml.zeros(1))
    layer.part = nn.ReLU()
    assert calls[2:] == ["kept", "more", "part"]
    assert layer.more is doubled
