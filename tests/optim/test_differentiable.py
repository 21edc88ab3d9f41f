"""Steps that gradients go through: differentiable=True.

The step of operations is held to that of the kernel, its derivatives to finite differences.
"""

from itertools import zip_longest

import numpy as np
import pytest

import pyml
from optim.cases import SHAPES, VALUES, case_id, is_valid, tensor
from pyml import nn, optim

STEPS = 6


def rows():
    """Of each optimizer the first values of all options, each other value alone, and the last."""
    for name, values in VALUES.items():
        first = {option: each[0] for option, each in values.items()}
        alone = [first | {o: v} for o, each in values.items() for v in each[1:]]
        for options in (first, *alone, {o: each[-1] for o, each in values.items()}):
            if is_valid(options):
                yield name, options
    yield "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}


ROWS = list(rows())


def make(name, params, **options):
    return getattr(optim, name)(params, **options)


def moved(name, options, dtype, differentiable):
    """The parameters, and their state, after some steps by given gradients."""
    rng = np.random.default_rng(0)
    params = [tensor(rng.normal(size=shape), dtype) for shape in SHAPES]
    optimizer = make(name, params, **options, differentiable=differentiable)
    for step in range(STEPS):
        for i, p in enumerate(params):
            p.grad = None if i == step else tensor(rng.normal(0.3, 1, size=p.shape), dtype)
        optimizer.step()
    state = [optimizer.state[p] for p in params]
    return params, [{k: v for k, v in each.items() if v is not None} for each in state]


@pytest.mark.parametrize("name, options", ROWS, ids=case_id)
@pytest.mark.parametrize("dtype, near", [("float64", 1e-12), ("float32", 2e-5)])
def test_the_step_is_that_of_the_kernel(name, options, dtype, near):
    (ours, state), (wanted, wanted_state) = (
        moved(name, options, dtype, differentiable) for differentiable in (True, False)
    )
    for a, b in zip(ours, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=near, atol=near)
    for a, b in zip_longest(state, wanted_state):
        assert a.keys() == b.keys()
        for key in a:
            assert a[key].dtype == b[key].dtype and a[key].shape == b[key].shape
            np.testing.assert_allclose(a[key].numpy(), b[key].numpy(), rtol=near, atol=near)


def numbers(options):
    """The options that gradients can go to and that can be moved, betas as betas0 and betas1."""
    found = {}
    for name, value in options.items():
        if name == "betas":
            found |= {f"{name}{i}": tensor(v or 0.1) for i, v in enumerate(value)}
        elif (
            isinstance(value, float)
            and value > 1e-5
            and name not in ("t0", "initial_accumulator_value")
        ):
            found[name] = tensor(value)
    return found


def assembled(options, names, values):
    given = dict(zip(names, values, strict=True))
    pair = [given.pop(name) for name in ("betas0", "betas1") if name in given]
    return options | given | ({"betas": tuple(pair)} if pair else {})


@pytest.mark.parametrize("name, options", ROWS, ids=case_id)
def test_derivatives_by_weights_gradients_and_options(name, options):
    if name == "Rprop":  # the first step size is taken as a number
        options, found = options | {"lr": 0.01}, {}
    else:
        found = numbers(options)
    rng = np.random.default_rng(1)
    inputs = [tensor(rng.normal(size=(3,))) for _ in range(3)] + list(found.values())
    for each in inputs:
        each.requires_grad_()

    def two_steps(w, *rest):
        gradients, values = rest[:2], rest[2:]
        w = w.clone()
        given = assembled(options, found, values)
        optimizer = make(name, [w], **given, differentiable=True)
        for g in gradients:
            w.grad = g
            optimizer.step()
        arrays = [optimizer.state[w].get(each) for each in type(optimizer)._states]
        return w, *(each for each in arrays if each is not None and each.requires_grad)

    assert pyml.autograd.gradcheck(two_steps, inputs)


@pytest.mark.parametrize("name", VALUES)
def test_the_learning_rate_of_two_steps(name):
    """A loss after steps by gradients that are in the graph, as those who learn a rate have it."""
    if name == "Rprop":
        pytest.skip("its steps have sizes of their own")
    lr = tensor(0.1).requires_grad_()

    def loss_after(lr):
        w = tensor([0.3, -0.2, 0.7]).requires_grad_().clone()
        optimizer = make(name, [w], lr=lr, differentiable=True)
        for _ in range(2):
            x = w.clone()  # w changes in place
            loss = ((x.sin() * x).sum() - 1) ** 2
            w.grad = None
            loss.backward(inputs=(w,), create_graph=True)
            with pyml.no_grad():  # the step is recorded all the same
                optimizer.step()
        return nn.functional.mse_loss(w.sum(), tensor(2.0))

    if name != "Lion":
        assert pyml.autograd.gradcheck(loss_after, lr)
    loss_after(lr).backward()
    assert lr.grad.item() != 0


def test_a_network_learns_its_first_weights():
    """MAML: the weights from which one step of SGD does best, by a descent through that step."""
    rng = np.random.default_rng(0)
    x, y = tensor(rng.normal(size=(20, 3))), tensor(rng.normal(size=(20, 1)))
    first = tensor(np.zeros((1, 3))).requires_grad_()
    outer = optim.SGD([first], lr=0.1)
    losses = []
    for _ in range(80):
        outer.zero_grad()
        w = first.clone()
        inner = optim.SGD([w], lr=0.1, differentiable=True)
        nn.functional.mse_loss(x @ w.T, y).backward(inputs=(w,), create_graph=True)
        inner.step()
        loss = nn.functional.mse_loss(x @ w.T, y)
        loss.backward(inputs=(first,))
        outer.step()
        losses.append(loss.item())
    best = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(w.detach().numpy(), best.T, atol=1e-2)
    assert losses[-1] < losses[0]


def test_what_is_refused():
    leaf = tensor([1.0, 2.0]).requires_grad_()
    other = tensor([1.0])
    optimizer = optim.Adam([other, leaf], differentiable=True)
    other.grad, leaf.grad = tensor([1.0]), tensor([1.0, 1.0])
    with pytest.raises(RuntimeError, match="Adam: parameter 1 is a leaf that requires grad"):
        optimizer.step()
    assert other.tolist() == [1.0] and not optimizer.state[other]
    optimizer = optim.Adam([other], differentiable=True)
    optimizer.state[other].update(exp_avg=tensor([1.0, 2.0]), exp_avg_sq=tensor([1.0]), step=3)
    with pytest.raises(ValueError, match="its state 'exp_avg'"):
        optimizer.step()
    with pytest.raises(ValueError, match="not a leaf"):
        optim.Adam([leaf.clone()])

    def step(x):
        other.grad = x
        optimizer.step()

    with pytest.raises(pyml.RecordError, match="differentiable=True"):
        pyml.record(step)(tensor([1.0]))


def test_it_is_shown_and_saved():
    optimizer = optim.SGD([tensor([1.0])], differentiable=True)
    assert "differentiable: True" in str(optimizer)
    assert optimizer.state_dict()["param_groups"][0]["differentiable"] is True
    assert "differentiable" not in optim.SGD([tensor([1.0])]).param_groups[0]
