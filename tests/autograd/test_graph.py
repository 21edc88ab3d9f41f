"""autograd.graph: nodes and their hooks, what backward needs and its versions, edges."""

import itertools
import threading

import numpy as np
import pytest

import pyml
from pyml import autograd, nn
from pyml.autograd import graph


def test_nodes():
    y = pyml.ones(2, requires_grad=True).exp()
    assert isinstance(y.grad_fn, graph.Node)
    assert isinstance(y.grad_fn.next_functions[0][0], graph.Node)


def test_hooks_that_unpack_hook_enters_end_with_it():
    seen = []

    def unpack(value):
        hooks.__enter__()
        return value

    def pack(t):
        seen.append(t)
        return t

    x = pyml.ones(2, requires_grad=True)
    hooks = graph.saved_tensors_hooks(pack, unpack)
    with hooks:
        x.sin().sum().backward()
    x.sin()
    assert len(seen) == 1
    hooks.__exit__()  # nothing is there to leave


def test_pack_hook_must_not_change_its_input():
    x = pyml.ones(2, requires_grad=True) * 1
    with (
        graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t),
        pytest.raises(RuntimeError, match="pack hook is modifying its input in place"),
    ):
        x.sin()


@pytest.mark.parametrize("together", [False, True])
def test_changes_that_backward_is_told_of(together):
    w, x, z = pyml.ones(2, requires_grad=True), pyml.ones(2), pyml.ones(2)
    y = (w * x).sum()
    x.numpy()[0] = 5.0
    version = x._version
    graph.increment_version([z, x] if together else x)
    assert x._version > version and (z._version > 0) == together
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.backward()


def test_versions_of_what_is_no_tensor():
    x = pyml.ones(2)
    with pytest.raises(TypeError, match="increment_version: item 1 is a int"):
        graph.increment_version([x, 3])
    assert x._version == 0


def test_what_is_on_the_cpu_already():
    x = pyml.ones(2, requires_grad=True)
    with graph.save_on_cpu(pin_memory=True), graph.disable_saved_tensors_hooks("none"):
        y = x.exp()
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


# ---- hooks of nodes ------------------------------------------------------------------------------


def test_hooks_of_a_node():
    x = pyml.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    hooks = [
        y.grad_fn.register_prehook(lambda outputs: seen.append(outputs[0].tolist())),
        y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 2,)),
        y.grad_fn.register_hook(lambda *given: seen.extend(t[0].tolist() for t in given)),
        y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] + 1, None)),
    ]
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    assert seen == [[1, 1], [6, 6], [2, 2]]
    assert x.grad.tolist() == [7, 7] and y.grad.tolist() == [1, 1]
    x.grad = None
    for hook in hooks:
        hook.remove()
    y.sum().backward()
    assert x.grad.tolist() == [3, 3] and len(seen) == 3


def test_hooks_of_what_accumulates():
    """Where DistributedDataParallel and its like hook: the node of a leaf."""
    x, seen = pyml.ones(2, requires_grad=True), []
    node = x.expand_as(x).grad_fn.next_functions[0][0]
    node.register_prehook(lambda outputs: (outputs[0] + 1,))
    node.register_hook(lambda *given: seen.append((given[0], given[1][0].tolist())))
    (x * 3).sum().backward()
    assert x.grad.tolist() == [4, 4] and seen == [((), [4, 4])]
    x.grad = None
    assert autograd.grad((x * 3).sum(), x)[0].tolist() == [3, 3] and len(seen) == 1
    y = x * 2
    with y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 5,)):
        assert autograd.grad((y * 3).sum(), y)[0].tolist() == [3, 3]  # of y, before its node runs


def test_hooks_of_nodes_that_are_wrong():
    x = pyml.ones(2, requires_grad=True)
    y = x * 3
    with pytest.raises(TypeError, match="register_hook: fn is a int"):
        y.grad_fn.register_hook(3)
    for name, hook, words in (
        ("register_prehook", lambda outputs: (1, 2), "it must give None or a tuple with one"),
        ("register_hook", lambda inputs, outputs: (inputs[0],), "each of the 2 inputs"),
        ("register_hook", lambda inputs, outputs: (inputs[0][:1], None), "gradient of shape"),
    ):
        handle = getattr(y.grad_fn, name)(hook)
        with pytest.raises(RuntimeError, match=words):
            y.sum().backward(retain_graph=True)
        handle.remove()
    assert x.grad is None


# ---- edges ---------------------------------------------------------------------------------------


def test_edges_stand_for_tensors():
    x = pyml.ones(2, requires_grad=True)
    y = x * 3
    edges = [graph.get_gradient_edge(t) for t in (x, y)]
    assert edges[1].node is y.grad_fn and edges[1].output_nr == 0
    z = (y * y).sum()
    got = autograd.grad(z, edges, retain_graph=True)
    assert [dx.tolist() for dx in got] == [[18, 18], [6, 6]]
    (dx,) = autograd.grad(edges[1], edges[0], pyml.tensor([1.0, 2.0]), retain_graph=True)
    assert dx.tolist() == [3, 6]
    autograd.backward(edges[1], pyml.tensor([1.0, 2.0]))
    assert x.grad.tolist() == [3, 6]


def test_edges_of_what_has_none():
    with pytest.raises(TypeError, match="tensor is a int"):
        graph.get_gradient_edge(3)
    with pytest.raises(RuntimeError, match="does not require grad"):
        graph.get_gradient_edge(pyml.ones(2))


def test_batched_gradients():
    x = pyml.tensor([1.0, 2.0, 3.0], requires_grad=True)
    unused = pyml.ones(1, requires_grad=True)
    rows, nothing = autograd.grad(
        x**2, [x, unused], pyml.eye(3), is_grads_batched=True, allow_unused=True
    )
    assert rows.tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]] and nothing is None
    for weights in (None, pyml.tensor(1.0), pyml.zeros(0, 3)):
        with pytest.raises(ValueError, match="first dimension of one size"):
            autograd.grad(x**2, x, weights, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="gradient has shape"):
        autograd.grad(x**2, x, pyml.ones(2, 4), is_grads_batched=True)


# ---- hooks of saved tensors ----------------------------------------------------------------------


def network():
    """(what requires grad, a function of it)."""
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = pyml.randn(6, 4, dtype=pyml.float64, requires_grad=True)
    target = pyml.tensor([0, 1, 2, 0, 1, 2])
    sources = [x, *model.parameters()]
    return sources, lambda: nn.functional.cross_entropy(model(x), target)


def derivatives(y, sources):
    first = autograd.grad(y, sources, create_graph=True)
    second = autograd.grad(sum((g**2).sum() for g in first), sources)
    return [g.detach().numpy() for g in (*first, *second)]


def test_packed_is_unpacked():
    sources, function = network()
    wanted = derivatives(function(), sources)
    packed = []

    def pack(t):
        assert not pyml.is_grad_enabled()
        packed.append(t.numpy() if not t.requires_grad else t.detach().numpy().copy())
        return len(packed) - 1

    def unpack(i):
        array = packed[i]
        return pyml.from_numpy(np.stack([array, array], -1)[..., 0])  # not contiguous

    with graph.saved_tensors_hooks(pack, unpack):
        y = function()
    assert len(packed) > 6
    for got, w in zip(derivatives(y, sources), wanted, strict=True):
        np.testing.assert_allclose(got, w, rtol=1e-12, atol=1e-15)


def test_first_derivatives_are_of_what_is_unpacked():
    x = pyml.tensor([3.0], requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t * 2):
        y = x * x
    outer, inner = (graph.saved_tensors_hooks(lambda t: t, lambda t, k=k: t * k) for k in (10, 3))
    with outer, inner:  # the innermost, not both
        z = x * x
    (y + z).sum().backward()
    assert x.grad.tolist() == [6 * 2 + 6 * 3]


def test_saved_for_backward_is_packed():
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 2 * x * dy

    x, packed = pyml.tensor([3.0], requires_grad=True), []
    with graph.saved_tensors_hooks(lambda t: packed.append(t.shape) or t.tolist(), pyml.tensor):
        y = Square.apply(x)
    (dx,) = autograd.grad(y, x, create_graph=True)
    with graph.saved_tensors_hooks(packed.append, lambda nothing: 1 / 0):
        assert (x * 2).requires_grad  # a number is not packed
    assert packed == [(1,)] and autograd.grad(dx, x)[0].tolist() == [2]


def test_hooks_of_saved_tensors_are_of_their_thread():
    seen, result = [], []

    def other():
        x = pyml.ones(2, requires_grad=True)
        x.exp().sum().backward()
        result.append(x.grad)

    with graph.saved_tensors_hooks(seen.append, lambda nothing: pyml.ones(2)):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen == [] and len(result) == 1


@pytest.mark.parametrize(
    ("unpack", "error", "words"),
    [
        (lambda t: 3, TypeError, "unpack_hook returned a int"),
        (lambda t: t[:1], RuntimeError, r"unpack_hook returned shape \(1,\)"),
        (lambda t: t.double(), RuntimeError, "float64"),
        (lambda t: 1 / 0, ZeroDivisionError, "division"),
    ],
)
def test_what_is_unpacked_is_checked(unpack, error, words):
    x = pyml.ones(2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t, unpack):
        y = x * x
    with pytest.raises(error, match=words):
        y.sum().backward()
    assert pyml.is_grad_enabled() and x.grad is None


def test_what_is_packed_must_not_change():
    x, w = pyml.ones(2), pyml.ones(2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x * w
    x.add_(1)
    with pytest.raises(RuntimeError, match="pack_hook returned was changed in place"):
        y.sum().backward()


def test_a_pack_hook_that_raises():
    x = pyml.ones(2, requires_grad=True)
    hooks = graph.saved_tensors_hooks(lambda t: 1 / 0, lambda t: t)
    with hooks, pytest.raises(ZeroDivisionError):
        x.exp()
    assert pyml.is_grad_enabled()
    x.exp().sum().backward()
    with pytest.raises(TypeError, match="pack_hook is a int"):
        graph.saved_tensors_hooks(3, lambda t: t)


def test_hooks_of_saved_tensors_disabled():
    hooks = graph.saved_tensors_hooks(lambda t: t, lambda t: t)
    for outer, inner in itertools.permutations((hooks, None)):
        outer = outer or graph.disable_saved_tensors_hooks("no hooks")
        inner = inner or graph.disable_saved_tensors_hooks("no hooks")
        with outer, pytest.raises(RuntimeError, match="no hooks"), inner:
            pass
    with hooks:
        pass


def test_recorded_steps_refuse_hooks():
    x = pyml.ones(2, requires_grad=True)

    @pyml.record
    def saved(v):
        with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            return (x * v * x).sum()

    @pyml.record
    def hooked(v):
        y = x * v
        y.grad_fn.register_hook(lambda inputs, outputs: None)
        y.sum().backward()

    for step, words in ((saved, "saved_tensors_hooks"), (hooked, "hook")):
        with pytest.raises(RuntimeError, match=words):
            for _ in range(3):
                step(pyml.ones(2))


def test_hooks_of_several_tensors():
    a, b, other = (pyml.ones(2, requires_grad=True) for _ in range(3))
    c, d = a * b, a * b
    seen, firsts = [], []
    every = graph.register_multi_grad_hook((a, b, c, d), seen.append)
    one = graph.register_multi_grad_hook((a, b), firsts.append, mode="any")

    def reached():
        return [g is not None for g in seen[-1]]

    c.sum().backward(retain_graph=True)
    assert reached() == [True, True, True, False]
    assert [g.tolist() for g in seen[0][:3]] == [[1, 1]] * 3
    c.sum().backward(inputs=(a,), retain_graph=True)
    assert reached() == [True, False, True, False]
    autograd.grad((c + d).sum(), (b,), retain_graph=True)
    assert reached() == [False, True, True, True]
    assert len(seen) == 3 and [g.tolist() for g in firsts] == [[1, 1], [1, 1], [2, 2]]
    other.sum().backward()
    assert len(seen) == 3 and len(firsts) == 3
    every.remove()
    every.remove()
    c.sum().backward(retain_graph=True)
    assert len(seen) == 3 and len(firsts) == 4
    with one:
        pass
    c.sum().backward()
    assert len(firsts) == 4


def test_hooks_of_several_tensors_within_each_other():
    """A backward within a hook has gradients of its own; one that fails calls nothing."""
    x, y = (pyml.ones(1, requires_grad=True) for _ in range(2))
    seen = []

    def inner(grad):
        if grad == 1:
            with pyml.enable_grad():
                (x * 5).sum().backward()
        if grad == 7:
            raise KeyError

    with graph.register_multi_grad_hook((x, y), lambda grads: seen.append(grads)):
        handle = y.register_hook(inner)
        (x * 2 + y).sum().backward()
        assert [[g and g.item() for g in grads] for grads in seen] == [[5, None], [2, 1]]
        with pytest.raises(KeyError):
            (x * 2 + y * 7).sum().backward()
        assert len(seen) == 2
        handle.remove()
        (y * 7).sum().backward()
        assert [g and g.item() for g in seen[-1]] == [None, 7]


def test_hooks_of_several_tensors_refuse():
    x = pyml.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="mode is 'some'"):
        graph.register_multi_grad_hook((x,), print, mode="some")
    with pytest.raises(TypeError, match="fn is a int"):
        graph.register_multi_grad_hook((x,), 3)
    with pytest.raises(RuntimeError, match="does not require grad"):
        graph.register_multi_grad_hook((x, pyml.ones(1)), lambda grads: pytest.fail("called"))
    x.sum().backward()


def test_no_gradient_is_written_over_that_somebody_has():
    """Backward of activations and dropout writes over a gradient that nobody else can see."""
    x = pyml.tensor([[1.0, -2.0, 3.0, -4.0]] * 3, requires_grad=True)
    wanted = np.array([[1.0, 0.0, 1.0, 0.0]] * 3, np.float32)
    given, seen = pyml.full((3, 4), 2.0), []

    def relu_of(x, watch):
        y = nn.functional.relu(x)
        watch(y)
        return y

    watches = {
        "nobody": lambda y: None,
        "a hook": lambda y: y.register_hook(seen.append),
        "a hook of the node": lambda y: y.grad_fn.register_hook(lambda dx, dy: seen.extend(dy)),
        "one before the node": lambda y: y.grad_fn.register_prehook(lambda dy: seen.extend(dy)),
        "the tensor": lambda y: y.retain_grad(),
    }
    for who, watch in watches.items():
        seen.clear()
        x.grad = None
        y = relu_of(x, watch)
        (y * 2).sum().backward()
        seen.extend([y.grad] if who == "the tensor" else [])
        np.testing.assert_array_equal(x.grad.numpy(), 2 * wanted)
        assert len(seen) == (who != "nobody")
        for gradient in seen:
            np.testing.assert_array_equal(gradient.numpy(), given.numpy())
    for function in (nn.functional.relu, nn.functional.tanh, nn.Dropout(0.5), lambda x: x + x):
        y = function(x * 1.0)
        y.backward(given)
        assert (given.numpy() == 2).all()
        y = function(x * 1.0)
        y.backward(given.view(12).view(3, 4))
        assert (given.numpy() == 2).all()
    middle = nn.functional.relu(x * 1.0)
    end = nn.functional.relu(middle * 3)
    dx, dm, de = pyml.autograd.grad(end, (x, middle, end), given)
    np.testing.assert_array_equal(de.numpy(), given.numpy())
    np.testing.assert_array_equal(dm.numpy(), 6 * wanted)
    np.testing.assert_array_equal(dx.numpy(), 6 * wanted)


def test_one_gradient_for_two_inputs_is_not_written_over():
    x, z = (pyml.tensor(v, requires_grad=True) for v in ([1.0, -1.0, 2.0], [-1.0, 1.0, 2.0]))
    total = nn.functional.relu(x) + nn.functional.relu(z) + nn.functional.leaky_relu(x, 0.5)
    total.backward(pyml.tensor([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [2, 1, 6])
    np.testing.assert_array_equal(z.grad.numpy(), [0, 2, 3])
