"""Modules as functions of their state: the module stays as it is, and what is refused."""

import pytest

import pyml
from pyml import func, nn


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(pyml.tensor(1.0))
        self.b = self.a

    def forward(self, x):
        return x * self.a + self.b


def test_the_module_is_as_before():
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    before = dict(model.state_dict(keep_vars=True))
    params = {k: pyml.ones_like(p) for k, p in model.named_parameters()}
    buffers = {k: b.clone() for k, b in model.named_buffers()}
    func.functional_call(model, [params, buffers], pyml.rand(4, 2))
    with pytest.raises(ValueError):
        func.functional_call(model, params, pyml.rand(4, 3))
    assert all(model.state_dict(keep_vars=True)[k] is value for k, value in before.items())
    assert buffers["1.num_batches_tracked"] == 1 and before["1.num_batches_tracked"] == 0


def test_tied_weights():
    model, two = Tied(), pyml.tensor(2.0)
    assert func.functional_call(model, {"a": two}, pyml.tensor(3.0)) == 8
    assert func.functional_call(model, {"a": two}, pyml.tensor(3.0), tie_weights=False) == 7
    assert func.functional_call(model, {"a": two, "b": two}, pyml.tensor(3.0)) == 8
    other = {"a": two, "b": pyml.tensor(1.0)}
    assert func.functional_call(model, other, pyml.tensor(3.0), tie_weights=False) == 7
    with pytest.raises(ValueError, match="'a', 'b' are one tensor"):
        func.functional_call(model, other, pyml.tensor(3.0))


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1, bias=False)
        self.scale = pyml.tensor(2.0)  # neither a parameter nor a buffer
        self.word = "word"

    def forward(self, x):
        return self.linear(x) * self.scale + self.shift


def test_other_attributes_are_there_for_the_call():
    model, x = Shifted(), pyml.ones(3, 2)
    one = pyml.tensor(1.0)
    given = {"linear.weight": pyml.ones(1, 2), "linear.bias": pyml.ones(1)}
    given |= {"scale": one * 3, "shift": one}
    assert (func.functional_call(model, given, x) == 10).all()
    assert (func.functional_call(model, given | {"linear.bias": None}, x) == 7).all()
    assert (func.functional_call(model, given | {"of_no_use": one}, x) == 10).all()
    assert model.scale == 2 and not hasattr(model, "shift") and model.linear.bias is None
    for strange in ("word", "forward"):
        with pytest.raises(TypeError, match=f"'{strange}' of Shifted"):
            func.functional_call(model, {strange: one}, x)
    with pytest.raises(AttributeError, match="other"):
        func.functional_call(model, {"other.weight": one}, x)


def test_strict_counts_tied_weights():
    model, two, x = Tied(), pyml.tensor(2.0), pyml.tensor(3.0)
    assert func.functional_call(model, {"a": two}, x, strict=True) == 8
    with pytest.raises(RuntimeError, match="needs 'b' too"):
        func.functional_call(model, {"a": two}, x, strict=True, tie_weights=False)


def test_keyword_arguments():
    model = nn.Bilinear(2, 2, 1)
    x = pyml.rand(3, 2)
    wanted = model(x, x)
    got = func.functional_call(model, {}, (x,), {"input2": x})
    assert pyml.equal(got, wanted)


def linear(requires_grad=True, n=2):
    return nn.Linear(n, 1).requires_grad_(requires_grad)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: func.functional_call(3, {}), TypeError, "module is a int"),
        (lambda m: func.functional_call(m, 3), TypeError, "must be a dict"),
        (
            lambda m: func.functional_call(m, {"c": m.bias}, strict=True),
            RuntimeError,
            "buffer 'c'",
        ),
        (lambda m: func.functional_call(m, {"bias": 3}), TypeError, "'bias' is a int"),
        (lambda m: func.functional_call(m, {"bias": m.bias}, strict=True), RuntimeError, "weight"),
        (lambda m: func.functional_call(m, ({"bias": m.bias},) * 2), ValueError, "in two dicts"),
        (lambda m: func.stack_module_state([]), ValueError, "models is empty"),
        (lambda m: func.stack_module_state([m, nn.Tanh()]), ValueError, "not all of one class"),
        (lambda m: func.stack_module_state([m, linear().eval()]), ValueError, "one training mode"),
        (lambda m: func.stack_module_state([m, linear(False)]), ValueError, "in some models only"),
        (lambda m: func.stack_module_state([m, linear(n=3)]), ValueError, "weight has the shapes"),
        (lambda m: func.stack_module_state([m, nn.Linear(2, 1, False)]), ValueError, "names"),
    ],
)  # fmt: skip
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(linear())
