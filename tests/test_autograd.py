"""The tape: what backward computes, what it refuses, and what it leaves behind."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import GradcheckError, Node, backward, grad, gradcheck, gradgradcheck, graph

LONG = 100_000


def leaf(*values):
    return pyml.tensor(values, dtype=pyml.float64, requires_grad=True)


# ---- accumulation --------------------------------------------------------------------------------


def test_gradients_add_up_over_uses_and_over_backwards():
    x = leaf(1, 2)
    y = x * 3
    (y * y + x).sum().backward()
    assert x.grad.tolist() == [19, 37]
    with pytest.warns(UserWarning, match=r"not a leaf Tensor is being accessed.*retain_grad"):
        assert y.grad is None
    (2 * x).sum().backward()
    assert x.grad.tolist() == [21, 39]


def test_every_leaf_has_a_gradient_of_its_own():
    x, y = leaf(1, 2), leaf(3, 4)
    z = x + y
    gradient = pyml.ones(2, dtype=pyml.float64)
    z.backward(gradient)
    x.grad.mul_(10)
    assert y.grad.tolist() == [1, 1] and gradient.tolist() == [1, 1]
    y.grad.mul_(5)
    assert x.grad.tolist() == [10, 10]


def test_gradients_of_views_are_memory_of_their_own():
    x, y = leaf(1, 2), leaf(3, 4)
    (x.sum() + y.reshape(2, 1).sum()).backward()
    x.grad[0] = 7.0
    y.grad += 1
    assert x.grad.tolist() == [7, 1] and y.grad.tolist() == [2, 2]


def test_backward_of_several_outputs():
    x = leaf(1, 2)
    backward([(x * 2).sum(), x * 3], [None, pyml.tensor([1.0, 10], dtype=pyml.float64)])
    assert x.grad.tolist() == [5, 32]
    with pytest.raises(ValueError, match="1 gradients for 2 outputs"):
        backward([x.sum(), x.sum()], [None])


def test_gradients_of_another_dtype_are_cast():
    x, wide = leaf(1, 2), leaf(3, 4)
    (x * 2).backward(pyml.tensor([1.0, 10]))
    assert x.grad.tolist() == [2, 20] and x.grad.dtype == pyml.float64
    (dx,) = grad(x.float() * 2, x, wide, create_graph=True)
    assert dx.tolist() == [6, 8] and dx.dtype == pyml.float64
    assert grad(dx.sum(), wide)[0].tolist() == [2, 2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 3 * x,
        lambda x: x,
        nn.Linear(2, 2).double(),
        nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)).double(),
        lambda x: nn.functional.leaky_relu(x).exp() + nn.functional.leaky_relu(x * 2),
        lambda x: x.abs() * x,
        lambda x: x.clamp(-1, 1).max(),
    ],
)
def test_second_derivatives_of_constant_slopes_are_zeros(function):
    x = leaf(0.5, -2)
    y = function(x)
    (dx,) = grad(y, x, pyml.ones_like(y), create_graph=True)
    second = grad(dx[0], x, create_graph=True)[0]
    (third,) = grad(second.square().sum() + second.sum(), x)
    h = 1e-3
    both = [grad(function(z).sum(), z)[0][0].item() for z in (leaf(0.5 + h, -2), leaf(0.5 - h, -2))]
    assert second[0].item() == pytest.approx((both[0] - both[1]) / (2 * h), abs=1e-6)
    assert second[1].item() == 0 and third.shape == x.shape


@pytest.mark.parametrize("function", [nn.ReLU(), nn.Tanh(), lambda x: 2 * x])
def test_recorded_steps_differentiate_slopes(function):
    """The residual of a differential equation, in which a ReLU has no curvature."""

    def losses(record):
        w = leaf(0.5, -0.3)

        def step(x):
            u = function(x * w)
            (du,) = grad(u.sum(), x, create_graph=True)
            (d2u,) = grad(du.sum(), x, create_graph=True)
            loss = (du + d2u + u).square().sum()
            (dw,) = grad(loss, w)
            with pyml.no_grad():
                w.sub_(0.1 * dw)
            return loss

        step = pyml.record(step) if record else step
        places = [leaf(0.1 * i, 1.0) for i in range(8)]
        return [step(x).item() for x in places]

    assert losses(True) == losses(False)


def test_a_slope_is_of_what_its_outputs_were_computed_from():
    x, w, other = leaf(1, 2), leaf(3, 4), leaf(5, 6)
    (dx,) = grad((nn.functional.relu(x) * w + x * other.detach()).sum(), x, create_graph=True)
    dw, zeros = grad(dx.sum(), (w, x), retain_graph=True)
    assert dw.tolist() == [1, 1] and zeros.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="input 0 appears to not have been used"):
        grad(dx.sum(), other, retain_graph=True)
    assert grad(dx.sum(), other, retain_graph=True, allow_unused=True) == (None,)
    dx.sum().backward()
    assert x.grad is None and w.grad.tolist() == [1, 1]


def test_derivatives_of_materialized_zeros_are_zeros():
    x = leaf(1, 2)
    (dx,) = grad((x * leaf(3, 3)).sum(), x, create_graph=True)
    for _ in range(2):
        (dx,) = grad(dx.sum(), x, create_graph=True, materialize_grads=True)
        assert dx.tolist() == [0, 0] and dx.requires_grad
    assert not grad(dx.sum(), x, materialize_grads=True)[0].requires_grad


def test_backward_into_given_inputs():
    x, y = leaf(1), leaf(2)
    z = x * y
    z.backward(inputs=[x], retain_graph=True)
    assert x.grad.tolist() == [2] and y.grad is None
    z.backward(inputs=y)
    assert x.grad.tolist() == [2] and y.grad.tolist() == [1]


def test_a_failed_backward_leaves_no_gradient():
    x, y = leaf(1), leaf(2)
    z = x * 2
    product = z * y
    z.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        (product + x).backward()
    assert x.grad is None and y.grad is None


# ---- grad ----------------------------------------------------------------------------------------


def test_grad():
    x, y, unused = leaf(1, 2), leaf(3, 4), leaf(5)
    z = x * y
    dx, dy = grad(z.sum(), (x, y), retain_graph=True)
    assert dx.tolist() == [3, 4] and dy.tolist() == [1, 2] and x.grad is None
    assert grad(z, x, pyml.tensor([1.0, 0], dtype=pyml.float64), retain_graph=True)[0].tolist() == [
        3,
        0,
    ]
    assert grad(z.sum(), [x, unused], retain_graph=True, allow_unused=True)[1] is None
    assert grad(z.sum(), unused, retain_graph=True, materialize_grads=True)[0].tolist() == [0]
    with pytest.raises(RuntimeError, match="input 1 appears to not have been used"):
        grad(z.sum(), (x, unused))
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad((x * y).sum(), pyml.ones(1))


def test_grad_by_an_intermediate_result():
    x = leaf(1, 2)
    y = x * 3
    z = (y * y).sum()
    dy, dx = grad(z, (y, x))
    assert dy.tolist() == [6, 12] and dx.tolist() == [18, 36]


def test_higher_derivatives():
    x = leaf(1.5)
    y = x**5
    wanted = [5 * 1.5**4, 20 * 1.5**3, 60 * 1.5**2, 120 * 1.5, 120]
    for value in wanted:
        (y,) = grad(y, x, create_graph=True)
        assert y.requires_grad and y.item() == pytest.approx(value, rel=1e-14)


def test_create_graph_accumulates_a_gradient_with_a_graph():
    x = leaf(2)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad and x.grad.tolist() == [12]
    first = x.grad
    x.grad = None
    first.backward()
    assert x.grad.tolist() == [12]
    x.grad = None


def test_hessian_vector_product():
    rng = np.random.default_rng(0)
    a, v = rng.standard_normal((4, 4)), rng.standard_normal(4)
    x = pyml.tensor(rng.standard_normal(4), requires_grad=True)
    (dx,) = grad(0.5 * pyml.dot(x, pyml.tensor(a) @ x), x, create_graph=True)
    (product,) = grad((dx * pyml.tensor(v)).sum(), x)
    np.testing.assert_allclose(product.numpy(), (a + a.T) @ v / 2, rtol=1e-13)


# ---- refusals ------------------------------------------------------------------------------------


def test_backward_needs_a_scalar_or_a_gradient():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match=r"gradient has shape \(3,\)"):
        (x * 2).backward(pyml.ones(3, dtype=pyml.float64))
    with pytest.raises(TypeError, match="ndarray"):
        (x * 2).backward(np.ones(2))
    with pytest.raises(RuntimeError, match="does not require grad"):
        pyml.ones(1).backward()


def test_a_graph_is_freed_by_backward():
    x = leaf(1)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4]
    for again in (y.backward, lambda: grad(y, x)):
        with pytest.raises(RuntimeError, match="retain_graph=True"):
            again()


SAVING = {
    "mul": lambda y: y * leaf(3, 4),
    "div": lambda y: leaf(3, 4) / y,
    "exp": lambda y: y.exp(),
    "log": lambda y: y.log(),
    "pow": lambda y: y**3,
    "abs": lambda y: y.abs(),
    "matmul": lambda y: leaf(3, 4) @ y,
    "maximum": lambda y: pyml.maximum(y, leaf(2, 2)),
    "clamp": lambda y: y.clamp(0, 1),
    "var": lambda y: y.var(),
    "amax": lambda y: y.amax(),
    "prod": lambda y: y.prod(),
    "logsumexp": lambda y: y.logsumexp(0),
    "sin": lambda y: y.sin(),
    "view first": lambda y: y.reshape(2, 1) * leaf(3, 4),
    "tanh": lambda y: y.tanh(),
}


@pytest.mark.parametrize("name", SAVING)
def test_a_change_of_what_backward_needs_is_refused(name):
    y = leaf(1, 2) * 2
    z = SAVING[name](y)
    needs_output = name in ("exp", "tanh")
    changed = z if needs_output else y
    result = z + 0
    changed.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        result.sum().backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y[0].fill_(5),
        lambda y: y.detach().add_(1),
        lambda y: y.reshape(1, 2).detach().zero_(),
    ],
)
def test_a_change_through_another_tensor_is_seen(change):
    y = leaf(1, 2) * 2
    z = y * y
    with pyml.no_grad():
        change(y)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


def test_changes_that_backward_does_not_need_are_fine():
    x = leaf(1, 2)
    y = x * 2
    z = y + 1
    y.add_(1)
    (z + y).sum().backward()
    assert x.grad.tolist() == [4, 4]


def with_other_data(t):
    t.data = pyml.zeros(5)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_weight_may_be_changed_before_its_own_backward(recorded):
    """Of a first layer: its gradient needs the input alone, but that of the input needs it."""
    w, b = pyml.ones(2, 3, requires_grad=True), pyml.ones(2, requires_grad=True)

    def step(x):
        w.grad = b.grad = None
        y = nn.functional.linear(x, w, b).sum()
        with pyml.no_grad():
            w.mul_(0.5)
        y.backward()
        return y.detach()

    run = pyml.record(step) if recorded else step
    for n in range(6):
        x = pyml.full((4, 3), float(n))
        assert float(run(x)) == 12 * n * 0.5**n * 2 + 8
        assert w.grad.tolist() == [[4 * n] * 3] * 2 and b.grad.tolist() == [4, 4]
    y = nn.functional.linear(pyml.ones(4, 3, requires_grad=True), w, b).sum()
    with pyml.no_grad():
        w.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_other_data_in_place_of_what_backward_does_not_need():
    x, b = pyml.ones(4, 3), pyml.ones(2, requires_grad=True)
    w = pyml.ones(2, 3)
    y = nn.functional.linear(x, w, b)
    with_other_data(x)
    with_other_data(w)
    y.sum().backward()
    assert b.grad.tolist() == [4, 4]

    w.data = pyml.ones(2, 3)
    w.requires_grad_()
    y = nn.functional.linear(pyml.ones(4, 3), w)
    with_other_data(w)
    with pytest.raises(RuntimeError, match=r"shape \(2, 3\)"):
        y.sum().backward()
    assert w.grad is None


def test_only_nodes_on_the_way_to_an_input_run():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    z = y * 2
    called = []
    y.grad_fn.register_hook(lambda *_: called.append("hook"))
    y.grad_fn.register_prehook(lambda *_: called.append("prehook"))
    y.register_hook(lambda _: called.append("tensor"))
    with pyml.no_grad():
        w.mul_(2)  # what the node of y needs
    (dy,) = grad(z.sum(), y, retain_graph=True)
    assert dy.tolist() == [2, 2] and called == ["tensor"]
    z.sum().backward(inputs=y, retain_graph=True)  # as PyTorch: hooks of its node before it
    assert called == ["tensor", "tensor", "prehook"] and y.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        grad((y * 2).sum(), (x, y))


def test_numpy_of_what_requires_grad():
    x = leaf(1, 2)
    for call in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(
            RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"
        ):
            call()
        with pyml.no_grad():  # where nothing is recorded anyway
            assert call().tolist() == [1, 2]
    assert x.numpy(force=True).tolist() == [1, 2]


def test_no_inputs_are_refused():
    x = leaf(1, 2)
    y = (x * 2).sum()
    for call in (
        lambda: grad(y, ()),
        lambda: y.backward(inputs=[]),
        lambda: backward(y, inputs=()),
    ):
        with pytest.raises(RuntimeError, match="empty"):
            call()
    assert x.grad is None


def test_what_backward_does_not_need_goes_through_no_hooks():
    packed = []
    w = pyml.ones(2, 3, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: packed.append(t.shape) or t, lambda t: t):
        y = nn.functional.linear(pyml.ones(4, 3), w)
    assert packed == [(4, 3)]
    y.sum().backward()


def test_leaves_are_not_changed_while_recording():
    x = leaf(1, 2)
    y = x * 2
    for change in (
        lambda: x.add_(1),
        lambda: x.fill_(0),
        lambda: x.uniform_(),
        lambda: x.copy_(y),
        lambda: x.exp_(),
    ):
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            change()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x[0] = 1.0
    assert x.tolist() == [1, 2] and y.tolist() == [2, 4]


def test_an_alias_of_what_was_changed_is_refused():
    y = leaf(1, 2) * 2
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="changed in place through another tensor"):
        y * 2


@pytest.mark.parametrize(
    "change", [lambda y: y.__setitem__(0, y[1]), lambda y: y.copy_(y[:1]), lambda y: y.copy_(y.T)]
)
def test_a_tensor_may_be_overwritten_with_its_own_view(change):
    x = pyml.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=pyml.float64, requires_grad=True)

    def function(x):
        y = x * 1
        change(y)
        return y * y

    assert pyml.autograd.gradcheck(function, x)


def test_a_refused_assignment_changes_nothing():
    y, stale = leaf(1, 2) * 2, leaf(5) * 1
    stale.detach().add_(1)
    for change in (lambda: y.__setitem__(slice(1, None), stale), lambda: y.copy_(stale)):
        with pytest.raises(RuntimeError, match="changed in place through another tensor"):
            change()
    assert y.tolist() == [2, 4]
    y.sum().backward()


# ---- hooks ---------------------------------------------------------------------------------------


def test_hooks():
    x = leaf(1, 2)
    y = x * 2
    y.register_hook(lambda dy: dy * 10)
    seen = []
    handle = x.register_hook(seen.append)
    y.sum().backward()
    assert x.grad.tolist() == [20, 20] and seen[0].tolist() == [20, 20]
    handle.remove()
    handle.remove()
    (x * 1).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="does not require grad"):
        pyml.ones(1).register_hook(print)


@pytest.mark.parametrize("hook", [lambda dy: dy[0], lambda dy: dy.float(), lambda dy: 2.0])
def test_a_hook_must_keep_shape_and_dtype(hook):
    x = leaf(1, 2)
    for hooked in (x, x * 2):
        handle = hooked.register_hook(hook)
        with pytest.raises((RuntimeError, TypeError)):
            (hooked * 1).sum().backward()
        assert x.grad is None
        handle.remove()


def test_retain_grad():
    x = leaf(1, 2)
    y = x * 2
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4, 8]


# ---- long graphs, and what is left of graphs -----------------------------------------------------

CHAINS = {
    "neg": lambda y: -y,
    "mul": lambda y: y * 1.0,
    "reshape": lambda y: y.reshape(1),
    "remainder": lambda y: y % 7.0,
    "add_": lambda y: y.add_(0.0),
}


# Python 3.13 destroys up to 10,000 objects within each other, also lists in lists.
STACK = 8 << 20 if sys.version_info[:2] == (3, 13) else 256 << 10


@pytest.mark.parametrize("name", CHAINS)
def test_a_long_chain_takes_no_stack(name):
    def run():
        for with_backward in (True, False):
            x = pyml.ones(1, requires_grad=True)
            y = x * 1
            for _ in range(LONG):
                y = CHAINS[name](y)
            if with_backward:
                y.backward()
                assert abs(x.grad.item()) == 1
            del x, y
        done.append(True)

    done = []
    before = threading.stack_size(STACK)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert done


def test_second_derivatives_of_a_long_chain():
    x = y = leaf(0.5)
    for _ in range(LONG // 10):
        y = y.sin()
    (dx,) = grad(y, x, create_graph=True)
    grad(dx, x)


def fan(x):
    for _ in range(60):
        x = x + x  # 2^60 paths
    return x


def test_each_node_is_walked_once():
    x = leaf(1)
    fan(x).backward()
    assert x.grad.item() == 2.0**60


def assigned(x):
    y = x * 2
    y[1:] = x[:-1] * 3
    y[pyml.tensor([0])] = 5.0
    return y


GRAPHS = {
    "arithmetic": lambda x: x * x / (x * x + 1) - x**2.5,
    "outputs": lambda x: x.exp().sqrt().tanh().sigmoid().softmax(0),
    "in place": lambda x: (x * 1).exp_().mul_(2).add_(1).div_(x * x + 1),
    "in place of itself": lambda x: (x * 1).addcmul_(x * 1, x).mul_(2),
    "reductions": lambda x: (
        x.max() + x.amax() + x.std() + x.norm() + x.logsumexp() + x.prod() + x.cumsum(0)
    ),
    "shapes": lambda x: pyml.cat(
        [x.reshape(2, 2).t()[1:, [0, 1]].flatten().expand(3, 2).repeat(2, 1)[0], x]
    ),
    "selection": lambda x: pyml.where(x > 1, x, x * 2).clamp(-1, 1).maximum(x),
    "products": lambda x: (x.reshape(2, 2) @ x.reshape(2, 2)) @ x[:2],
    "assignment": assigned,
    "dtypes": lambda x: x.float().double(),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_are_freed_without_the_collector(name):
    gc.collect()
    gc.disable()
    try:
        for run in (
            lambda y, x: y.sum().backward(),
            lambda y, x: None,
            lambda y, x: grad(y.sum(), x, create_graph=True),
        ):
            x = leaf(1.5, 0.5, 1.25, 2)
            y = GRAPHS[name](x)
            run(y, x)
            references = [
                weakref.ref(x),
                weakref.ref(y),
                *([] if x.grad is None else [weakref.ref(x.grad)]),
            ]
            del x, y
            assert [r() for r in references] == [None] * len(references)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_tensor_added_to_itself_in_place_makes_a_cycle_of_none():
    gc.collect()
    gc.disable()
    try:
        for change in (
            lambda y: y.mul_(y),
            lambda y: y.addcmul_(y, y),
            lambda y: y.lerp_(y, y),
            lambda y: y.pow_(2),
            lambda y: y.addcdiv_(y, y),
            lambda y: y.square_(),
        ):
            y = leaf(1, 2) * 1
            change(y)
            reference = weakref.ref(y)
            del y
            assert reference() is None
    finally:
        gc.enable()


# ---- nodes in Python -----------------------------------------------------------------------------


class Cube(Node):
    factor = 3

    def backward(self, dy):
        x = self._saved(0)
        return (dy * self.factor * x * x,)


class WrongCube(Cube):
    factor = 2


def cube(x, node=Cube):
    return node()._connect(pyml.Tensor._on(x.detach().numpy() ** 3), (x,), (x,))


def test_a_node_written_in_python():
    x = leaf(1, 2)
    y = cube(x)
    ((edge, number),) = y.grad_fn.next_functions
    assert y.grad_fn.name() == "Cube" and edge.variable is x and number == 0
    assert gradcheck(cube, x) and gradgradcheck(cube, x)


# ---- what arrives at an edge of the graph --------------------------------------------------------


def replaced_data(grad):
    grad.data = pyml.ones(7, dtype=grad.dtype)


WRONG = {
    "another shape": (lambda g: pyml.ones(3, dtype=g.dtype), RuntimeError, r"shape .3,."),
    "one that broadcasts": (lambda g: pyml.ones(1, dtype=g.dtype), RuntimeError, r"shape .1,."),
    "another dtype": (lambda g: g.float(), RuntimeError, "float32"),
    "a number": (lambda g: 5, TypeError, "int as a gradient, it must be a Tensor"),
    "an array": (lambda g: g.detach().numpy(), TypeError, "ndarray as a gradient"),
    "other data": (replaced_data, RuntimeError, r"shape .7,."),
}


@pytest.mark.parametrize("hook, error, message", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_that_gives_no_gradient_of_its_tensor(hook, error, message, create_graph):
    for place in ("leaf", "node"):
        x = leaf(1, 2)
        y = x * 3
        (x if place == "leaf" else y).register_hook(hook)
        with pytest.raises(error, match=message):
            (y * y).sum().backward(create_graph=create_graph)
        assert x.grad is None
        x = leaf(1, 2)
        y = x * 3
        (x if place == "leaf" else y).register_hook(hook)
        with pytest.raises(error, match=message):
            grad((y * y).sum(), x, create_graph=create_graph)


@pytest.mark.parametrize("hook", [hook for hook, *_ in WRONG.values()], ids=WRONG)
def test_a_hook_of_a_module_that_gives_no_gradient(hook):
    from pyml import nn

    def of_module(module, *gradients):
        given = hook(gradients[0][0])
        return None if given is None else (given,)

    for register in ("register_full_backward_hook", "register_full_backward_pre_hook"):
        layer = nn.Linear(2, 2, dtype=pyml.float64)
        getattr(layer, register)(of_module)
        x = pyml.ones(4, 2, dtype=pyml.float64, requires_grad=True)
        with pytest.raises((RuntimeError, TypeError, ValueError), match="gradient"):
            layer(x).sum().backward()
        assert x.grad is None and layer.weight.grad is None


def test_a_hook_that_reaches_the_gradient_of_another_edge():
    """x + y gives one gradient to both; a hook of one replaces its data."""
    x, y = leaf(1, 2), leaf(3, 4)
    b = y * 1
    b.register_hook(lambda g: replaced_data(g) or pyml.ones(2, dtype=g.dtype))
    with pytest.raises(RuntimeError, match=r"shape .7,."):
        (x + b).sum().backward()
    assert x.grad is None and y.grad is None


def test_a_gradient_that_is_there_and_does_not_fit():
    x = leaf(1, 2)
    (x * 2).sum().backward()
    x.grad.data = pyml.ones(3, 2, dtype=pyml.float64)
    with pytest.raises(RuntimeError, match=r".grad already holds a gradient of shape \(3, 2\)"):
        (x * 2).sum().backward()
    y = leaf(1, 2) * 1
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    y.grad.data = pyml.ones(3, 2, dtype=pyml.float64)
    with pytest.raises(RuntimeError, match=r".grad already holds a gradient of shape \(3, 2\)"):
        y.sum().backward()


def test_a_leaf_that_was_given_other_data():
    x = leaf(1, 2)
    y = (x * 2).sum()
    x.data = pyml.ones(5, dtype=pyml.float64)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) .* for a tensor of shape \(5,\)"):
        y.backward()
    assert x.grad is None


def test_a_node_whose_backward_gives_no_gradient():
    class Wrong(Cube):
        given = None

        def backward(self, dy):
            return self.given

    def node(given):
        wrong = Wrong()
        wrong.given = given
        return wrong

    for given, error, message in [
        ((pyml.ones(3, dtype=pyml.float64),), RuntimeError, r"Wrong: backward gave .* input 0"),
        ((pyml.ones(2),), RuntimeError, "float32"),
        ((1.0,), TypeError, "float as a gradient"),
        ((), RuntimeError, "0 gradients for 1 inputs"),
        (pyml.ones(2), TypeError, "Tensor, it must be a tuple"),
    ]:
        for create_graph in (False, True):
            x = leaf(1, 2)
            with pytest.raises(error, match=message):
                cube(x, lambda given=given: node(given)).sum().backward(create_graph=create_graph)
            assert x.grad is None


def test_gradients_of_what_is_no_tensor():
    x = leaf(1, 2)
    for outputs, inputs in [(None, x), (x.sum(), None), ((x.sum(), 1), x), (x.sum(), (x, "w"))]:
        with pytest.raises(TypeError, match="Tensor"):
            grad(outputs, inputs, allow_unused=True)
    with pytest.raises(TypeError, match="Tensor"):
        backward(None)
    with pytest.raises(TypeError, match="gradient must be a Tensor"):
        x.backward(5)


def test_backward_of_a_node_called_with_what_is_no_gradient_of_its_output():
    x = pyml.ones(3, requires_grad=True)
    index = pyml.tensor([0, 1])
    for y in (x * 2, x.exp(), x.sum(), x.reshape(3, 1), x[index], x.relu(), x @ x, x.norm()):
        for method in ("backward", "backward_fused"):
            call = getattr(y.grad_fn, method)
            for dy in (None, 1, np.ones(3)):
                with pytest.raises(TypeError):
                    call(dy)
            for dy in (pyml.ones(2, 2), pyml.ones(y.shape, dtype=pyml.float64)):
                with pytest.raises(RuntimeError, match="they must be the same"):
                    call(dy)
            assert len(call(pyml.ones(y.shape))) == len(y.grad_fn.next_functions)
        made = type(y.grad_fn).__new__(type(y.grad_fn))
        with pytest.raises(RuntimeError, match="not part of a graph"):
            made.backward(pyml.ones(y.shape))


def test_a_node_of_a_class_in_c_is_connected_by_its_operation_alone():
    x = pyml.ones(3, requires_grad=True)
    for node in (x.exp().grad_fn, type(x.exp().grad_fn)()):
        with pytest.raises(TypeError, match="derived from Node itself"):
            node._connect(pyml.ones(3), (x,))
    node = cube(leaf(1, 2)).grad_fn
    with pytest.raises(RuntimeError, match="has an output already"):
        node._connect(pyml.ones(2), (x,))


# ---- gradcheck -----------------------------------------------------------------------------------


def test_gradcheck_finds_a_wrong_derivative():
    x = pyml.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=pyml.float64, requires_grad=True)

    def wrong(scale, x):
        return scale * 1, cube(x, WrongCube)

    text = (
        r"Jacobian mismatch for output 1 with respect to input 1 \(shapes \(2, 2\) and \(2, 2\)\): "
        r"d output\[0\]\[0\] / d input\[0\]\[0\] is 2 .* 3"
    )
    with pytest.raises(GradcheckError, match=text):
        gradcheck(wrong, (leaf(1), x))
    assert gradcheck(wrong, (leaf(1), x), raise_exception=False) is False
    assert gradcheck(wrong, (leaf(1), x), atol=100) is True
    assert x.tolist() == [[1, 2], [3, 4]]


def test_gradcheck_finds_a_wrong_second_derivative():
    class HalfCube(Cube):
        def backward(self, dy):
            return (dy * 3 * self._saved(0).detach() * self._saved(0),)

    assert gradcheck(lambda x: cube(x, HalfCube), leaf(1, 2))
    with pytest.raises(GradcheckError):
        gradgradcheck(lambda x: cube(x, HalfCube), leaf(1, 2))


def test_gradcheck_finds_nan_and_what_is_not_recorded():
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x * float("nan"), leaf(1))
    with pytest.raises(GradcheckError, match="not recorded"):
        gradcheck(lambda x: x.detach() * 2, leaf(1))
    assert gradcheck(lambda x: x.detach() * 0 + 1, leaf(1))


def test_gradcheck_of_what_is_not_smooth():
    with pytest.raises(GradcheckError, match=r"d output\[0\] / d input\[0\] is 0 analytical, 0.5"):
        gradcheck(pyml.relu, leaf(0.0))


@pytest.mark.filterwarnings("ignore:gradcheck")  # of what gradgradcheck hands over
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_gradcheck_of_float32_warns(check):
    """As PyTorch's: steps as small as the default may fail, larger ones need not."""
    x = pyml.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match=f"{check.__name__}: input 0 has dtype float32"):
        assert check(lambda x: x * x * x, x, eps=1e-2, atol=1e-2)
    with (
        pytest.warns(UserWarning, match=r"x.double\(\) converts it"),
        pytest.raises(GradcheckError, match="input 0"),
    ):
        check(lambda x: x * x * x, x, atol=1e-9, rtol=1e-6)


def test_gradcheck_of_what_it_cannot_check():
    with pytest.raises(ValueError, match="no input"):
        gradcheck(pyml.exp, pyml.ones(2, dtype=pyml.float64))
    with pytest.raises(ValueError, match="repeats memory"):
        gradcheck(pyml.exp, pyml.ones(1, dtype=pyml.float64).expand(3).requires_grad_())


def test_gradgradcheck_with_given_gradients():
    weights = pyml.tensor([[1.0], [2.0]], dtype=pyml.float64)
    assert gradgradcheck(
        lambda x: x**3, leaf(1, 2).reshape(2, 1).detach().requires_grad_(), weights
    )
    assert gradgradcheck(
        lambda x, y: (x * y, x / y), (leaf(1, 2), leaf(3, 4)), gen_non_contig_grad_outputs=True
    )
    assert gradgradcheck(lambda x: x**3, leaf(2, 3), pyml.ones(2))  # as those of float64
    with pytest.raises(ValueError, match="has 2 tensors, func returns 1"):
        gradgradcheck(lambda x: x**3, leaf(2, 3), (pyml.ones(2), pyml.ones(2)))


def read_only(a, b):
    frozen = np.ones(3, np.float32)
    frozen.flags.writeable = False
    b.grad = pyml.from_numpy(frozen)
    return (a * b).sum(), ValueError


def shared_elements(a, b):
    b.grad = pyml.ones(1).expand(3)
    return (a * b).sum(), ValueError


def changed_by_a_hook(a, b):
    """A hook changes a gradient that is a view of another's behind the back of the graph."""

    def hook(g):
        g.detach().mul_(0)

    b.register_hook(hook)
    return pyml.stack([a, b]).exp().sum() + a.sum(), RuntimeError


@pytest.mark.parametrize("spoil", [read_only, shared_elements, changed_by_a_hook])
@pytest.mark.parametrize("flip", [False, True])
def test_gradients_are_added_to_all_leaves_or_to_none(spoil, flip):
    leaves = [pyml.ones(3, requires_grad=True) for _ in range(2)]
    loss, error = spoil(*(leaves[::-1] if flip else leaves))
    before = [None if leaf.grad is None else leaf.grad.tolist() for leaf in leaves]
    with pytest.raises(error):
        loss.backward(create_graph=spoil is changed_by_a_hook)
    assert [None if leaf.grad is None else leaf.grad.tolist() for leaf in leaves] == before


def test_gradient_by_its_inner_name():
    """Libraries set `_grad`, which PyTorch does not check."""
    p = pyml.nn.Parameter(pyml.ones(2))
    p._grad = pyml.full((2,), 3.0)
    assert p.grad.tolist() == [3, 3] and p._grad is p.grad
    p.grad = None
    assert p._grad is None and "_grad" not in vars(p)
