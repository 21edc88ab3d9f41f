"""Functions with a backward of their own."""

import gc
import weakref

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml.autograd import Function, forward_ad, grad, gradcheck, gradgradcheck
from pyml.autograd.function import FunctionCtx, once_differentiable


def leaf(*numbers):
    return pyml.tensor(numbers, dtype=pyml.float64, requires_grad=True)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        assert isinstance(ctx, FunctionCtx)
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 3 * x**2


class Exp(Function):
    """Keeps its output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y, None)
        return y

    @staticmethod
    def backward(ctx, dy):
        y, nothing = ctx.saved_tensors
        assert nothing is None
        return dy * y


class Scaled(Function):
    """With setup_context, and arguments that are no tensors."""

    @staticmethod
    def forward(x, scale, name=None):
        return x * scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.scale, None, None


class Several(Function):
    """x * y, exp(x) and what is no tensor; keeps inputs and an output."""

    @staticmethod
    def forward(ctx, x, y):
        product, power = x * y, x.exp()
        ctx.save_for_backward(x, y, power)
        return product, "a word", power

    @staticmethod
    def backward(ctx, dproduct, dword, dpower):
        assert dword is None
        x, y, power = ctx.saved_tensors
        return dproduct * y + dpower * power, dproduct * x


class InPlace(Function):
    """x <- 2 * x."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, dx):
        return dx * 2


class Vjp(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 5

    @staticmethod
    def vjp(ctx, dy):
        return dy * 5


FUNCTIONS = {
    "saves its input": lambda x, y: Cube.apply(x),
    "saves its output": lambda x, y: Exp.apply(x) * Exp.apply(y),
    "setup_context": lambda x, y: Scaled.apply(x * y, 2.5, "name"),
    "several outputs": lambda x, y: (lambda p, _, e: p * e * y)(*Several.apply(x, y)),
    "one of several": lambda x, y: Several.apply(x, y)[2],
    "the other of several": lambda x, y: Several.apply(x, y)[0],
    "one input": lambda x, y: Several.apply(x, pyml.full_like(y.detach(), 3))[0] * y,
    "in place": lambda x, y: InPlace.apply(x * y) * x,
    "in place of a view": lambda x, y: in_view(x * y) * x,
    "vjp": lambda x, y: Vjp.apply(x) * y,
    "nested": lambda x, y: Exp.apply(Cube.apply(x) * y),
}


def in_view(z):
    InPlace.apply(z[1:])
    return z


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name):
    inputs = leaf(0.5, -1.2, 0.8), leaf(1.5, 0.3, -0.7)
    assert gradcheck(FUNCTIONS[name], inputs)
    assert gradgradcheck(FUNCTIONS[name], inputs)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_a_recorded_step(name):
    rng = np.random.default_rng(0)
    w, v = (pyml.tensor(rng.standard_normal(3), requires_grad=True) for _ in range(2))

    def step(a):
        w.grad = v.grad = None
        loss = (FUNCTIONS[name](w * a, v) * a).sum()
        loss.backward()
        return loss

    play = pyml.record(step)
    for _ in range(6):
        a = pyml.tensor(rng.standard_normal(3))
        loss = step(a)
        wanted = [loss.detach().numpy(), *gradients_of(w, v)]
        loss = play(a)
        for got, number in zip([loss.numpy(), *gradients_of(w, v)], wanted, strict=True):
            assert_same_bits(got, number)


def gradients_of(*leaves):
    return [np.zeros(0) if x.grad is None else x.grad.numpy().copy() for x in leaves]


def test_what_forward_is_told():
    class Told(Function):
        @staticmethod
        def forward(ctx, x, n, y):
            ctx.seen = ctx.needs_input_grad
            assert not pyml.is_grad_enabled()
            return x * n + y

        @staticmethod
        def backward(ctx, dz):
            assert ctx.needs_input_grad == ctx.seen == (True, False, False)
            return dz * 2, None, None

    x = leaf(1, 2)
    z = Told.apply(x, 2, pyml.ones(2, dtype=pyml.float64))
    assert z.grad_fn.name() == "ToldBackward" and not z.is_leaf
    z.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pyml.no_grad():
        assert not Cube.apply(x).requires_grad
    assert Cube.apply(x.detach()).is_leaf


class Power(Function):
    """With a default."""

    @staticmethod
    def forward(x, exponent=2):
        return x**exponent, exponent

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.exponent = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, dy, _):
        (x,) = ctx.saved_tensors
        return dy * ctx.exponent * x ** (ctx.exponent - 1), None


def test_defaults_and_names():
    x = leaf(1, 3)
    for args, kwargs, exponent in (((x,), {}, 2), ((x,), {"exponent": 3}, 3), ((x, 4), {}, 4)):
        y, given = Power.apply(*args, **kwargs)
        assert given == exponent and y.tolist() == [1, 3**exponent]
        assert grad(y.sum(), x)[0].tolist() == [exponent, exponent * 3 ** (exponent - 1)]
    assert Power.apply(exponent=1, x=x)[0].tolist() == [1, 3]
    with pytest.raises(TypeError, match="powers"):
        Power.apply(x, powers=3)


def test_names_without_setup_context():
    with pytest.raises(TypeError, match=r"Exp.apply\(\) takes no keyword arguments .* as x;"):
        Exp.apply(x=leaf(1))


def test_what_is_no_tensor_without_a_graph():
    class Both(Function):
        @staticmethod
        def forward(ctx, x, number):
            return x * number, number

    y, number = Both.apply(pyml.ones(2), 3)
    assert y.tolist() == [3, 3] and number == 3


def test_materialized_gradients():
    seen = []

    def function(materialize):
        class Two(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(materialize)
                index = x.argmax()
                ctx.mark_non_differentiable(index)
                return x * 2, x * 3, index

            @staticmethod
            def backward(ctx, a, b, index):
                seen.append((a, b, index))
                return a * 2

        return Two

    x = leaf(1, 2)
    for materialize in (True, False):
        y, unused, index = function(materialize).apply(x)
        assert unused.requires_grad and not index.requires_grad
        y.sum().backward()
    a, b, index = seen[0]
    assert a.tolist() == [1, 1] and b.tolist() == [0, 0] and index.tolist() == 0
    assert seen[1][1:] == (None, None)


def test_outputs_without_gradient():
    class Sign(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.sign()
            ctx.mark_non_differentiable(y)
            return y

    assert not Sign.apply(leaf(1, 2)).requires_grad


def test_an_input_that_is_returned_is_another_tensor():
    class Identity(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy * 7

    x = leaf(1, 2)
    y = Identity.apply(x)
    assert y is not x and x.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [7, 7]
    with pytest.raises(RuntimeError, match="inside a custom Function"):
        Identity.apply(x * 1).add_(1)
    with pyml.no_grad():
        assert not Identity.apply(x).requires_grad


def test_gradients_that_do_not_fit():
    def backward_of(result):
        class Wrong(Function):
            @staticmethod
            def forward(ctx, x, n):
                return x * n

            @staticmethod
            def backward(ctx, dy):
                return result(dy)

        return lambda: Wrong.apply(leaf(1, 2), 2).sum().backward()

    for result, error, message in [
        (lambda dy: dy, RuntimeError, r"incorrect number of gradients \(expected 2, got 1\)"),
        (lambda dy: (dy, None, dy), RuntimeError, r"\(expected 2, got 3\)"),
        (lambda dy: (dy, dy), RuntimeError, "argument 1, which is no Tensor"),
        (lambda dy: (dy[:1], None), RuntimeError, r"its shape is \(1,\), expected shape \(2,\)"),
        (lambda dy: (5, None), TypeError, "returned int as the gradient of argument 0"),
        (lambda dy: [dy, None], RuntimeError, r"\(expected 2, got 1\)"),
    ]:
        with pytest.raises(error, match=message):
            backward_of(result)()
    backward_of(lambda dy: (dy, None, None, None))()
    backward_of(lambda dy: (dy.float(), None))()
    backward_of(lambda dy: (dy.expand(3, 2), None))()


def test_gradients_of_arguments_that_need_none_are_ignored():
    x, y = leaf(1, 2), pyml.ones(2, dtype=pyml.float64)
    Several.apply(x, y)[0].sum().backward()
    assert x.grad.tolist() == [1, 1] and y.grad is None


def test_once_differentiable():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, dy):
            assert not pyml.is_grad_enabled()
            return dy * 2 * ctx.saved_tensors[0].detach()

    x = leaf(1, 2)
    Square.apply(x).sum().backward()
    assert x.grad.tolist() == [2, 4]
    (dx,) = grad((Square.apply(x) * x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        dx.sum().backward()


def test_what_was_saved_and_changed_is_refused():
    x = leaf(1, 2) * 1
    y = Cube.apply(x)
    x.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
    y = Exp.apply(leaf(1, 2))
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()
    _, _, power = Several.apply(leaf(1, 2), leaf(1, 2))
    power.detach().add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        power.sum().backward()


def test_a_second_backward_needs_what_was_saved():
    y = Cube.apply(leaf(1, 2)).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_marks_are_checked():
    def marked(mark, tensors):
        class Marked(Function):
            @staticmethod
            def forward(ctx, x):
                getattr(ctx, mark)(*tensors(x))
                return x * 2

        return lambda x: Marked.apply(x)

    with pytest.raises(TypeError, match="save_for_backward: argument 1 is of type int"):
        marked("save_for_backward", lambda x: (x, 5))(leaf(1))
    with pytest.raises(TypeError, match="mark_dirty: argument 0 is of type int"):
        marked("mark_dirty", lambda x: (5,))(leaf(1))
    with pytest.raises(RuntimeError, match="not returned as output"):
        marked("mark_dirty", lambda x: (x,))(leaf(1) * 1)
    with pytest.raises(RuntimeError, match="leaf"):
        InPlace.apply(leaf(1, 2))
    with pytest.raises(RuntimeError, match="leaf"):
        InPlace.apply(leaf(1, 2)[:1])


def test_along_a_direction_a_function_with_a_jvp_is_differentiated_by_its_backward():
    class Squared(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 2 * x * dy

        @staticmethod
        def jvp(ctx, tangent):
            raise AssertionError

    with forward_ad.dual_level():
        dual = forward_ad.make_dual(pyml.tensor([3.0]), pyml.tensor([10.0]))
        assert forward_ad.unpack_dual(Squared.apply(dual)).tangent.tolist() == [60]


def test_a_change_that_only_the_mark_tells_of_is_counted():
    class Marked(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.detach().numpy()[:] = 5
            return x

        @staticmethod
        def backward(ctx, dx):
            return dx * 2

    x = leaf(1, 2)
    y = x * 1
    z = y * y
    assert Marked.apply(y) is y and y.tolist() == [5, 5]
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    y = leaf(1, 2) * 1
    Marked.apply(y)  # it never had a view


def test_what_is_missing_is_named():
    class Empty(Function):
        pass

    with pytest.raises(NotImplementedError, match="forward"):
        Empty.apply(leaf(1))
    with pytest.raises(RuntimeError, match=r"static.*Empty.apply"):
        Empty()
    with pytest.raises(NotImplementedError, match="come from backward"):
        Empty.jvp(None)

    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    with pytest.raises(NotImplementedError, match="backward"):
        Half.apply(leaf(1)).backward()


def test_a_backward_that_raised_leaves_nothing_behind():
    class Fails(Function):
        fail = True

        @staticmethod
        def forward(ctx, x):
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            return a + b

    def hook(grad):
        if Fails.fail:
            raise KeyError

    x = leaf(1, 2)
    a, b = Fails.apply(x)
    a.register_hook(hook)
    with pytest.raises(KeyError):
        (a + b).sum().backward(retain_graph=True)
    Fails.fail = False
    a.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_no_cycle_keeps_a_call_alive():
    gc.disable()
    try:
        for function in (Exp.apply, lambda x: Several.apply(x, x)[2]):
            y = function(leaf(1, 2))
            node = weakref.ref(y.grad_fn)
            del y
            assert node() is None
    finally:
        gc.enable()


class SumOfSquares(Function):
    """Of any number of inputs, all of which it keeps."""

    @staticmethod
    def forward(ctx, *xs):
        ctx.save_for_backward(*xs)
        return sum(x * x for x in xs)

    @staticmethod
    def backward(ctx, dy):
        return tuple(2 * x * dy for x in ctx.saved_tensors)


@pytest.mark.parametrize("place", range(7))
def test_a_change_of_any_tensor_that_is_kept_is_seen(place):
    xs = [leaf(float(i)) for i in range(7)]
    copies = [x.clone() for x in xs]
    with pyml.no_grad():  # each with another version
        for i, x in enumerate(copies):
            for _ in range(i):
                x.mul_(1)
    SumOfSquares.apply(*copies).backward()
    assert [x.grad.item() for x in xs] == [2.0 * i for i in range(7)]
    y = SumOfSquares.apply(*copies)
    with pyml.no_grad():
        copies[place].add_(1)
    with pytest.raises(RuntimeError, match="was changed in place"):
        y.backward()


def test_an_output_that_is_returned_twice_is_one_tensor():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            return y, y

        @staticmethod
        def backward(ctx, dy, again):
            return (dy + again) * 2

    x = pyml.ones(2, dtype=pyml.float64, requires_grad=True)
    a, b = Twice.apply(x)
    assert a is b
    assert gradcheck(lambda x: sum(Twice.apply(x)), x)
    assert gradgradcheck(lambda x: sum(Twice.apply(x)), x)


def test_saved_tensors_of_a_graph_that_is_gone():
    kept = []

    class Id(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            kept.append(ctx)
            return dy

    y = Id.apply(pyml.ones(2, requires_grad=True))
    y.sum().backward(retain_graph=True)
    assert kept[0].saved_tensors[0].tolist() == [1, 1]
    del y
    with pytest.raises(RuntimeError, match="graph of this call is gone"):
        kept[0].saved_tensors  # noqa: B018


def test_what_is_no_input_is_not_to_be_marked_dirty():
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 3
            ctx.mark_dirty(y)
            return y

    with pytest.warns(UserWarning, match="mark_dirty was given a tensor that is not an input"):
        Bad.apply(pyml.ones(2))


def test_backward_has_one_name():
    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            return dy

        @staticmethod
        def vjp(ctx, dy):
            return dy * 2

    y = Both.apply(pyml.ones(2, requires_grad=True)).sum()
    with pytest.raises(RuntimeError, match="Implementing both 'backward' and 'vjp'"):
        y.backward()


def test_an_argument_of_a_step_is_marked_dirty():
    class Grown(Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.mark_dirty(x)
            return x.add_(w.detach())

        @staticmethod
        def backward(ctx, dy):
            return dy, dy

    w = pyml.ones(3, requires_grad=True)

    @pyml.record
    def step(x):
        w.grad = None
        y = Grown.apply(x, w)
        y.square().sum().backward()
        return y.detach() * 1

    for i in range(5):
        np.testing.assert_array_equal(step(pyml.full((3,), float(i))), [i + 1.0] * 3)
        np.testing.assert_array_equal(w.grad, [2 * i + 2.0] * 3)
