"""What a tensor is beside its values: its class, what programs have set on it, its hooks."""

from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from pyml import nn

CALLS = 8


class Scaled(pyml.Tensor):
    def scaled(self):
        return self * self.scale


def with_attribute(t, **attributes):
    vars(t).update(attributes)
    return t


def with_hook(t, hook):
    t.requires_grad_().register_hook(hook)
    return t


def ones():
    return pyml.ones(3)


def twice(g):
    return g * 2


MASK = pyml.full((3,), 2.0)

# name -> (step, call number -> argument)
EQUAL = {
    "a class": (
        lambda x: x * (2.0 if isinstance(x, nn.Parameter) else 1.0),
        lambda i: nn.Parameter(ones()),
    ),
    "a class at times": (
        lambda x: x * (2.0 if isinstance(x, nn.Parameter) else 1.0),
        lambda i: nn.Parameter(ones()).requires_grad_(False) if i in (0, 5) else ones(),
    ),
    "a method": (Scaled.scaled, lambda i: with_attribute(Scaled(ones()), scale=3.0)),
    "an attribute": (lambda x: x * x.scale, lambda i: with_attribute(ones(), scale=3.0)),
    "an attribute that changes": (
        lambda x: x * x.scale,
        lambda i: with_attribute(ones(), scale=float(i > 4)),
    ),
    "an attribute that appears": (
        lambda x: x * getattr(x, "scale", 1.0),
        lambda i: with_attribute(ones(), scale=3.0) if i > 4 else ones(),
    ),
    "a tensor as an attribute": (
        lambda x: x * x.mask,
        lambda i: with_attribute(ones(), mask=MASK),
    ),
    "a hook": (
        lambda x: pyml.autograd.grad((x * x).sum(), x)[0],
        lambda i: with_hook(ones(), twice),
    ),
    "a hook at times": (
        lambda x: pyml.autograd.grad((x * x).sum(), x)[0],
        lambda i: with_hook(ones(), twice) if i > 4 else ones().requires_grad_(),
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_an_argument_has(name):
    step, argument = EQUAL[name]
    recorded = pyml.record(step)
    for i in range(CALLS):
        assert pyml.equal(recorded(argument(i)), step(argument(i))), i
    assert recorded.stats().replays > 0


def test_of_two_arguments_on_one_memory():
    def step(x, y):
        return y * x.scale

    recorded = pyml.record(step)
    for i in range(CALLS):
        x = with_attribute(pyml.arange(6.0), scale=2.0)
        assert recorded(x, x[2:]).tolist() == step(x, x[2:]).tolist(), i


def asked(t):
    return getattr(t, "rate", 1.0)


def tried(t):
    try:
        return t.rate
    except AttributeError:
        return 1.0


@pytest.mark.parametrize("rate_of", [asked, tried])
def test_a_tensor_gets_an_attribute(rate_of):
    factor = ones()

    def step(x):
        return factor * rate_of(factor) * x

    recorded = pyml.record(step)
    for i in range(CALLS):
        if i == 5:
            factor.rate = 3.0
        assert pyml.equal(recorded(ones()), step(ones())), i


def sets(x):
    x.seen = True
    return x * 2


def hooks(x):
    x.register_hook(twice)
    return pyml.autograd.grad((x * x).sum(), x)[0]


def labels(x):
    return with_attribute(x * 2, label=3)


def makes(x):
    return nn.Buffer(x * 2)


state = SimpleNamespace(mean=pyml.zeros(3))


def keeps(x):
    state.mean = with_attribute(0.9 * state.mean + x.detach(), count=1)
    return x * 2


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (sets, "sets an attribute or a hook of a Tensor that is an argument"),
        (hooks, "sets an attribute or a hook of a Tensor that is an argument"),
        (labels, "returning a tensor with attributes"),
        (makes, "returning a tensor with attributes, or of a class of its own"),
        (keeps, "changes 'state.mean'"),
    ],
)
def test_what_no_replay_does_is_refused(step, words):
    recorded = pyml.record(step)
    with pytest.raises(pyml.RecordError, match=words):
        for _ in range(2):
            recorded(ones().requires_grad_())


def test_eagerly_it_is_set_all_the_same():
    recorded = pyml.record(sets, unrecordable="eager")
    with pytest.warns(UserWarning, match="sets an attribute"):
        for _ in range(3):
            x = ones()
            recorded(x)
            assert x.seen


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array(["a", "b", "c"]), "dtype <U1, which"),
        (np.ma.array(np.ones(3), mask=[1, 0, 0]), "a masked array"),
    ],
)
def test_an_array_that_kernels_do_not_know(array, words):
    def step(batch):
        return batch["x"] * 2

    batch = {"x": ones(), "other": array}
    with pytest.raises(pyml.RecordError, match=rf"{words}.*leave it out"):
        pyml.record(step)(batch)
    recorded = pyml.record(step, unrecordable="eager")
    with pytest.warns(UserWarning, match=words):
        assert [recorded(batch)[0].item() for _ in range(3)] == [2, 2, 2]
