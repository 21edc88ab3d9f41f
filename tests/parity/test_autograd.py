"""Functions with a backward of their own and derivatives of functions, against torch."""

import numpy as np
import pytest
import torch

import pyml
from parity.test_ops import nothing
from parity.torch_side import assert_parity, pair

RNG = np.random.default_rng(0)
X, Y, V, W = (RNG.uniform(0.5, 2, 3) for _ in range(4))
FUNCTIONS = {
    "one": (lambda x: x**3, (X,)),
    "two inputs": (lambda x, y: x * x / y, (X, Y)),
    "two outputs": (lambda x, y: (x * y, (x + y).exp().sum()), (X, Y)),
    "unused": (lambda x, y: (x * 2, x.sin()), (X, Y)),
}
NUMBERS = {
    "cubes": (lambda x: (x**3).sum(), (X,)),
    "linear": (lambda x: (x * 2).sum(), (X,)),
    "mixed": (lambda x, y: (x * x * y.exp()).sum(), (X, Y)),
    "unused": (lambda x, y: x.square().sum(), (X, Y)),
}


def flat(value):
    return [t for v in value for t in flat(v)] if isinstance(value, tuple) else [value]


def form(value):
    return tuple(map(form, value)) if isinstance(value, tuple) else None


def compare(name, function, arrays, make_v=None, **options):
    theirs, ours = zip(*map(pair, arrays), strict=True)
    single = len(arrays) == 1
    v = () if make_v is None else (make_v(theirs), make_v(ours))
    results = []
    for m, inputs, i in ((torch, theirs, 0), (pyml, ours, 1)):
        given = inputs[0] if single else inputs
        call = getattr(m.autograd.functional, name)
        results.append(call(function, given, *(() if not v else (v[i],)), **options))
    assert form(results[0]) == form(results[1])
    for got, wanted in zip(flat(results[1]), flat(results[0]), strict=True):
        assert tuple(got.shape) == tuple(wanted.shape)
        assert got.requires_grad == wanted.requires_grad
        assert_parity(got, wanted)


def as_inputs(tensors):
    v = tuple(t * 0.5 + 0.1 for t in tensors)
    return v if len(v) > 1 else v[0]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_jacobians(name, create_graph):
    function, arrays = FUNCTIONS[name]

    def as_outputs(tensors):
        y = function(*tensors)
        return tuple(t * 0.5 + 0.1 for t in y) if isinstance(y, tuple) else y * 0.5 + 0.1

    compare("jacobian", function, arrays, create_graph=create_graph)
    compare("vjp", function, arrays, as_outputs)
    compare("jvp", function, arrays, as_inputs)


@pytest.mark.parametrize("name", NUMBERS)
def test_hessians(name):
    function, arrays = NUMBERS[name]
    compare("hessian", function, arrays)
    compare("vhp", function, arrays, as_inputs)
    compare("hvp", function, arrays, as_inputs)


# ---- Function ------------------------------------------------------------------------------------


def functions(m):
    """The same Functions of both."""

    class Keeps(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, n):
            z = x * y
            ctx.save_for_backward(x, y, z)
            ctx.n = n
            return z * n, z.exp(), "word"

        @staticmethod
        def backward(ctx, a, b, word):
            x, y, z = ctx.saved_tensors
            both = a * ctx.n + b * z.exp()
            return both * y, both * x if ctx.needs_input_grad[1] else None, None

    class Doubles(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, dx):
            return dx * 2

    class Sums(m.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, dz):
            return dz, dz

    return Keeps, Doubles, Sums


PROGRAMS = {
    "several outputs": lambda f, x, y: (lambda a, b, _: a * b * x)(*f[0].apply(x, y, 2)),
    "one of them": lambda f, x, y: f[0].apply(x, y, 3)[1],
    "in place": lambda f, x, y: f[1].apply(x * y) * y,
    "in place of a view": lambda f, x, y: (lambda z: (f[1].apply(z[1:]), z)[1])(x * y) * x,
    "broadcast": lambda f, x, y: f[2].apply(x, y[:1]) * y,
    "a constant": lambda f, x, y: f[0].apply(x, y.detach(), 2)[0],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_functions(name):
    results = []
    for m, i in ((torch, 0), (pyml, 1)):
        x, y = pair(X, True)[i], pair(Y, True)[i]
        z = PROGRAMS[name](functions(m), x, y)
        first = m.autograd.grad(z.sum(), (x, y), create_graph=True, allow_unused=True)
        total = sum((g * g).sum() for g in first if g is not None)
        second = [None, None]
        if total.requires_grad:
            second = m.autograd.grad(total, (x, y), allow_unused=True)
        results.append([z, *first, *second])
    for got, wanted in zip(*reversed(results), strict=True):
        if wanted is not None or not nothing(got):  # the derivative of a constant slope: zeros
            assert_parity(got, wanted)


def changed(m, x):
    x.retain_grad()
    x.mul_(3)
    return (x * x).sum(), [x]


def changed_and_retained_again(m, x):
    x.retain_grad()
    x.mul_(3)
    x.retain_grad()
    return (x * x).sum(), [x]


def changed_with_a_view(m, x):
    x.retain_grad()
    view = x[0]
    view.retain_grad()
    x.mul_(3)
    return (x * x).sum(), [x, view]


def view_of_what_is_changed(m, x):
    view = x[:2]
    view.retain_grad()
    x.mul_(3)
    return (view * view).sum(), [view]


def changed_through_a_view(m, x):
    x.retain_grad()
    x[:2].mul_(5)
    return (x * x).sum(), [x]


def hook_behind(m, x):
    x.retain_grad()
    x.register_hook(lambda dx: dx * 10)
    return (x * x).sum(), [x]


def hook_before_a_change(m, x):
    x.register_hook(lambda dx: dx * 10)
    x.retain_grad()
    x.mul_(3)
    return (x * x).sum(), [x]


RETAINED = (
    *(changed, changed_and_retained_again, changed_with_a_view, view_of_what_is_changed),
    *(changed_through_a_view, hook_behind, hook_before_a_change),
)


@pytest.mark.parametrize("program", RETAINED, ids=lambda program: program.__name__)
def test_retain_grad_of_what_is_changed_in_place(program):
    found = []
    for m in (torch, pyml):
        leaf = m.ones(3, dtype=m.float64).requires_grad_()
        y, retained = program(m, leaf * 2)
        y.backward()
        found.append([None if t.grad is None else t.grad.tolist() for t in (leaf, *retained)])
    assert found[0] == found[1]
