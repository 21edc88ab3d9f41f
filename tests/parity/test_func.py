"""pyml.func against torch.func: values, forms, and what requires grad."""

import numpy as np
import pytest
import torch

import pyml
from parity.torch_side import assert_parity, load_from_torch

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node"),
]
RNG = np.random.default_rng(0)
DTYPES = ("float32", "float64")
X, Y, B = RNG.uniform(0.5, 2, 3), RNG.uniform(0.5, 2, 3), RNG.uniform(0.5, 2, (4, 3))


def tensors(m, dtype, *arrays):
    return tuple(m.tensor(np.asarray(a, dtype)) for a in arrays)


def assert_same(got, wanted):
    """Trees of one form with the same tensors."""
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, (tuple, list)):
        assert type(got) is type(wanted) and len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert_same(a, b)
    elif isinstance(wanted, torch.Tensor):
        assert tuple(got.shape) == tuple(wanted.shape)
        assert got.requires_grad == wanted.requires_grad
        assert_parity(got, wanted, k=10)
    else:
        assert got == wanted


def cubes(x, y):
    return (x**3 * y.exp()).sum()


def several(x, y):
    return {"product": x * y, "sums": [(x + y).sin(), (x.square() * y).sum()]}


def of_tree(state, x):
    return (state["w"] * x).tanh().sum() + state["rest"][0].square().sum()


def tree(x, y):
    return {"w": x, "rest": (y,)}


# name -> (func module, x, y) -> a tree of results
PROGRAMS = {
    "grad": lambda f, x, y: f.grad(cubes)(x, y),
    "grad by the last": lambda f, x, y: f.grad(cubes, argnums=-1)(x, y),
    "grad by both": lambda f, x, y: f.grad(cubes, argnums=(1, 0))(x, y),
    "grad of a keyword": lambda f, x, y: f.grad(cubes)(x, y=y),
    "grad with aux": lambda f, x, y: f.grad(lambda a, b: (cubes(a, b), {"double": a * 2}),
                                            has_aux=True)(x, y),
    "grad of a tree": lambda f, x, y: f.grad(of_tree, argnums=(0, 1))(tree(x, y), y),
    "grad unused": lambda f, x, y: f.grad(lambda a, b: b.sum())(x, y),
    "grad of a constant": lambda f, x, y: f.grad(lambda a: y.sum())(x),
    "grad and value": lambda f, x, y: f.grad_and_value(cubes)(x, y),
    "grad and value, aux": lambda f, x, y: f.grad_and_value(
        lambda a, b: (cubes(a, b), a.sum()), has_aux=True)(x, y),
    "grad of grad": lambda f, x, y: f.grad(lambda a: f.grad(cubes)(a, y).sin().sum())(x),
    "grad of grad of grad": lambda f, x, y: f.grad(f.grad(f.grad(lambda a: a.sin() * a**3)))(x[0]),
    "confusion": lambda f, x, y: f.grad(lambda a: a * f.grad(lambda b: a * b * b)(a))(x[0]),
    "a constant inside": lambda f, x, y: f.grad(lambda a: a * f.grad(lambda b: a + b)(y[0]))(x[0]),
    "vjp": lambda f, x, y: f.vjp(several, x, y)[1](
        {"product": y, "sums": [x, x.sum()]}),
    "vjp's output": lambda f, x, y: f.vjp(several, x, y)[0],
    "vjp of one": lambda f, x, y: f.vjp(lambda a: a.sin(), x)[1](y),
    "vjp with aux": lambda f, x, y: f.vjp(lambda a: (a.sin(), a), x, has_aux=True)[2],
    "jvp": lambda f, x, y: f.jvp(several, (x, y), (y, x)),
    "jvp with aux": lambda f, x, y: f.jvp(lambda a: (a.sin(), a + 1), (x,), (y,), has_aux=True),
    "jvp of a tree": lambda f, x, y: f.jvp(of_tree, (tree(x, y), y), (tree(y, x), x)),
    "jvp of a constant": lambda f, x, y: f.jvp(lambda a: y * 1, (x,), (y,)),
    "jvp of jvp": lambda f, x, y: f.jvp(
        lambda a: f.jvp(lambda b: b.sin() * a, (a,), (y,))[1], (x,), (y,)),
    "grad of jvp": lambda f, x, y: f.grad(
        lambda a: f.jvp(lambda b: (b**3).sum(), (a,), (y,))[1])(x),
    "jvp of grad": lambda f, x, y: f.jvp(f.grad(lambda b: (b**3).sum()), (x,), (y,)),
    "linearize": lambda f, x, y: f.linearize(lambda a: a.sin(), x)[1](y),
    "linearize's output": lambda f, x, y: f.linearize(lambda a: a.sin(), x)[0],
    "jacrev": lambda f, x, y: f.jacrev(several)(x, y),
    "jacrev by both": lambda f, x, y: f.jacrev(several, argnums=(0, 1))(x, y),
    "jacrev with aux": lambda f, x, y: f.jacrev(lambda a: (a.sin(), a), has_aux=True)(x),
    "jacrev of a tree": lambda f, x, y: f.jacrev(of_tree)(tree(x, y), y),
    "jacfwd": lambda f, x, y: f.jacfwd(several)(x, y),
    "jacfwd by both": lambda f, x, y: f.jacfwd(several, argnums=(0, 1))(x, y),
    "jacfwd of jacrev": lambda f, x, y: f.jacfwd(f.jacrev(cubes))(x, y),
    "jacrev of jacfwd": lambda f, x, y: f.jacrev(f.jacfwd(cubes))(x, y),
    "hessian": lambda f, x, y: f.hessian(cubes)(x, y),
    "hessian by both": lambda f, x, y: f.hessian(cubes, argnums=(0, 1))(x, y),
    "hessian of a linear function": lambda f, x, y: f.hessian(lambda a: (a * y).sum())(x),
    "vmap": lambda f, x, y: f.vmap(lambda a, b: a * b, in_dims=(0, None))(x, y),
    "vmap, dimensions": lambda f, x, y: f.vmap(
        lambda a, b: (a.cumsum(0), {"b": b.sum()}), in_dims=(1, 0), out_dims=(-1, 0))(
        x[None, :] * y[:, None], x),
    "vmap of a tree": lambda f, x, y: f.vmap(
        lambda s, a: s["w"] * a + s["rest"][0].sum(), in_dims=({"w": 0, "rest": (None,)}, 0))(
        tree(x, y), y),
    "vmap with keywords": lambda f, x, y: f.vmap(lambda a, *, b: a * b)(x, b=y),
    "vmap of vmap": lambda f, x, y: f.vmap(
        f.vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))(x, y),
    "vmap of grad": lambda f, x, y: f.vmap(f.grad(cubes), in_dims=(None, 0))(x, y[:, None] * x),
    "grad of vmap": lambda f, x, y: f.grad(
        lambda a: f.vmap(lambda b: (b * a).sin().sum())(y[:, None] * x).sum())(x),
    "jacrev of vmap": lambda f, x, y: f.jacrev(f.vmap(lambda b: b.sin() * b))(x),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, dtype):
    results = [PROGRAMS[name](m.func, *tensors(m, dtype, X, Y)) for m in (pyml, torch)]
    assert_same(*results)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("captured", [True, False])
def test_what_is_in_a_graph_outside(dtype, recorded, captured):
    """A result requires grad where it depends on what does outside; and its gradient is right."""
    results = []
    for m in (pyml, torch):
        x, y = tensors(m, dtype, X, Y)
        x.requires_grad_(not captured)
        y.requires_grad_(captured)
        with m.set_grad_enabled(recorded):
            found = [
                m.func.grad(lambda a, y=y: (a**3 * y).sum())(x),
                m.func.grad(lambda a, y=y: (a**3 + y).sum())(x),
                *m.func.jvp(lambda a, y=y: a**3 * y, (x,), (x.detach(),)),
                m.func.jacrev(lambda a, y=y: a**3 * y)(x),
                *m.func.vjp(lambda a: a**3, x)[1](y),
            ]
        results.append(found)
        total = sum((t * t).sum() for t in found if t.requires_grad)
        if recorded:
            total.backward()
            results[-1] += [x.grad, y.grad]
    for got, wanted in zip(*results, strict=True):
        if wanted is None:
            assert got is None
        else:
            assert_same(got, wanted)


def nets(m):
    return m.nn.Sequential(
        m.nn.Linear(3, 4, bias=False), m.nn.BatchNorm1d(4), m.nn.Tanh(), m.nn.Linear(4, 2)
    )


@pytest.mark.parametrize("training", [True, False])
def test_functional_call(training):
    theirs, ours = nets(torch).train(training), nets(pyml).train(training)
    load_from_torch(ours, theirs)
    results = []
    for m, net in ((pyml, ours), (torch, theirs)):
        (x,) = tensors(m, "float32", B)
        params = {k: (p * 1.5).detach() for k, p in net.named_parameters()}
        buffers = {k: b.clone() for k, b in net.named_buffers()}

        def loss(params, m=m, net=net, buffers=buffers, x=x):
            return m.func.functional_call(net, (params, buffers), (x,)).square().sum()

        if training:  # torch refuses to change what a transform captures
            for p in params.values():
                p.requires_grad_()
            loss(params).backward()
            gradients = {k: p.grad for k, p in params.items()}
        else:
            gradients = m.func.grad(loss)(params)
        results.append((gradients, buffers, dict(net.named_buffers())))
    assert_same(*results)


def test_an_ensemble():
    theirs = [nets(torch).eval() for _ in range(3)]
    ours = [nets(pyml).eval() for _ in theirs]
    for a, b in zip(ours, theirs, strict=True):
        load_from_torch(a, b)
    results = []
    for m, models in ((pyml, ours), (torch, theirs)):
        params, buffers = m.func.stack_module_state(models)
        (x,) = tensors(m, "float32", B)

        def call(params, buffers, x, m=m, model=models[0]):
            return m.func.functional_call(model, (params, buffers), (x,))

        y = m.func.vmap(call, in_dims=(0, 0, None))(params, buffers, x)
        y.square().sum().backward()
        results.append((params, buffers, y, {k: p.grad for k, p in params.items()}))
    assert_same(*results)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_strategies(strategy):
    for name in ("jacobian", "hessian"):
        words = {"strategy" if name == "jacobian" else "outer_jacobian_strategy": strategy}
        results = []
        for m in (pyml, torch):
            call = getattr(m.autograd.functional, name)
            blocks = call(cubes, tensors(m, "float64", X, Y), vectorize=True, **words)
            if name == "hessian":
                blocks = [block.detach() for row in blocks for block in row]
            results.append(list(blocks))
        assert_same(*results)
