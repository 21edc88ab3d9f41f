"""nn.utils.prune: what is pruned, what is kept, and what is refused."""

import pickle

import pytest

import pyml
from pyml import nn
from pyml.nn.utils import prune
from pyml.recording.refusal import RecordError


def layer(values=((1.0, -2, 3), (-4, 5, 0.5))):
    made = nn.Linear(3, 2)
    made.weight.data = pyml.tensor(values)
    return made


def zeros(module, name="weight"):
    return (getattr(module, name) == 0).tolist()


def test_one_after_another():
    """Each method chooses among what is left; the gradient is that of the entries that are."""
    made = layer()
    weight = made.weight
    assert prune.l1_unstructured(made, "weight", 2) is made
    assert made.weight.tolist() == [[0, -2, 3], [-4, 5, 0]]
    assert made.weight_orig is weight and weight[0, 0] == 1
    assert list(made.state_dict()) == ["bias", "weight_orig", "weight_mask"]
    prune.ln_structured(made, "weight", 1, n=1, dim=1)  # norms 4, 7, 3 of what is left
    assert made.weight.tolist() == [[0, -2, 0], [-4, 5, 0]]
    [method] = made._forward_pre_hooks.values()
    assert isinstance(method, prune.PruningContainer)
    assert [type(each) for each in method] == [prune.L1Unstructured, prune.LnStructured]
    assert len(method) == 2 and method[0].amount == 2
    made(pyml.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[0, 1, 0], [1, 1, 0]]
    with pyml.no_grad():
        weight.fill_(7)
    made(pyml.ones(1, 3))
    assert made.weight.tolist() == [[0, 7, 0], [7, 7, 0]]
    assert prune.is_pruned(nn.Sequential(made))
    prune.remove(made, "weight")
    assert made.weight is weight and weight.tolist() == [[0, 7, 0], [7, 7, 0]]
    assert not made._hooks and not prune.is_pruned(made)
    assert sorted(made.state_dict()) == ["bias", "weight"]


def test_random_ones():
    pyml.manual_seed(0)
    for amount, count in ((5, 5), (0.25, 5), (0, 0), (1.0, 20)):
        made = prune.random_unstructured(nn.Linear(5, 4), "weight", amount)
        assert made.weight_mask.numel() - made.weight_mask.sum() == count
    prune.random_unstructured(nn.Linear(5, 4), "bias", 2)
    drawn = set()
    for _ in range(20):
        made = prune.random_structured(nn.Linear(5, 4), "weight", 2, dim=1)
        columns = made.weight_mask.sum(0).tolist()
        assert sorted(columns) == [0, 0, 4, 4, 4]
        prune.random_structured(made, "weight", 2, dim=1)  # of the three that are left
        assert sorted(made.weight_mask.sum(0).tolist()) == [0, 0, 0, 0, 4]
        drawn.add(tuple(columns))
    assert len(drawn) > 3


def test_masks_and_files():
    made = prune.custom_from_mask(layer(), "weight", pyml.eye(2, 3))
    assert made.weight.tolist() == [[1, 0, 0], [0, 5, 0]]
    other = prune.identity(layer(), "weight")
    assert other.weight_mask.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert other.load_state_dict(made.state_dict()) == ([], [])
    x = pyml.randn(4, 3)
    assert other(x).tolist() == made(x).tolist()
    loaded = pickle.loads(pickle.dumps(made))
    assert loaded(x).tolist() == made(x).tolist()
    prune.remove(loaded, "weight")
    assert loaded(x).tolist() == made(x).tolist()


def test_of_one_tensor():
    method = prune.L1Unstructured(amount=1)
    t = pyml.tensor([3.0, -1, 2])
    assert method.prune(t).tolist() == [3, 0, 2]
    assert method.prune(t, importance_scores=pyml.tensor([0.0, 1, 2])).tolist() == [0, -1, 2]
    assert method.prune(t, default_mask=pyml.tensor([1.0, 1, 0])).tolist() == [3, 0, 0]


def test_all_together():
    first, second = layer(), layer(((0.1, 10, 10), (10, 10, 0.2)))
    pairs = [(first, "weight"), (second, "weight")]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=3)
    assert zeros(first) == [[False] * 3, [False, False, True]]
    assert zeros(second) == [[True, False, False], [False, False, True]]
    scores = {pairs[1]: pyml.full((2, 3), 0.01)}
    prune.global_unstructured(iter(pairs), prune.L1Unstructured, scores, amount=4)
    assert zeros(second) == [[True] * 3] * 2 and zeros(first) == [[False] * 3, [False, False, True]]


class Halves(prune.BasePruningMethod):
    PRUNING_TYPE = "unheard-of"

    def compute_mask(self, t, default_mask):
        return default_mask * (t > 0)


def test_errors_change_nothing():
    made = layer()
    before = made.weight
    for call, kind, words in (
        (lambda: prune.l1_unstructured(made, "weight", "a"), TypeError, "amount: a"),
        (lambda: prune.l1_unstructured(made, "weight", 1.5), ValueError, "amount=1.5"),
        (lambda: prune.l1_unstructured(made, "weight", -1), ValueError, "amount=-1"),
        (lambda: prune.l1_unstructured(made, "weight", 7), ValueError, "prune=6"),
        (lambda: prune.random_structured(made, "weight", 3, 0), ValueError, "prune=2"),
        (lambda: prune.random_structured(made, "weight", 1, 2), IndexError, "index 2"),
        (lambda: prune.random_structured(made, "bias", 1, 0), ValueError, "multidimensional"),
        (lambda: prune.custom_from_mask(made, "weight", pyml.ones(3)), ValueError, "shape"),
        (lambda: prune.l1_unstructured(made, "weights", 1), AttributeError, "weights"),
        (lambda: prune.remove(made, "weight"), ValueError, "has to be pruned before"),
        (lambda: prune.global_unstructured(1, prune.Identity), TypeError, "Iterable"),
        (lambda: prune.global_unstructured([], prune.Identity, 1), TypeError, "dict"),
        (
            lambda: prune.global_unstructured(
                [(made, "weight")], prune.LnStructured, amount=1, n=1
            ),
            TypeError,
            "unstructured",
        ),
    ):
        with pytest.raises(kind, match=words):
            call()
        assert made.weight is before and not made._hooks
    Halves.apply(made, "weight")
    for call, kind in (
        (lambda: prune.l1_unstructured(made, "weight", 7), ValueError),  # two are left
        (lambda: Halves.apply(made, "weight"), ValueError),
    ):
        pruned = zeros(made)
        with pytest.raises(kind):
            call()
        [method] = made._forward_pre_hooks.values()
        assert isinstance(method, Halves) and zeros(made) == pruned
    chain = prune.PruningContainer(method)
    with pytest.raises(TypeError, match="not a BasePruningMethod"):
        chain.add_pruning_method(3)
    other = prune.Identity()
    other._tensor_name = "bias"
    with pytest.raises(ValueError, match="named 'weight'"):
        chain.add_pruning_method(other)


def test_recorded_steps_refuse_it():
    made = prune.l1_unstructured(layer(), "weight", 2)
    step = pyml.record(lambda x: made(x).sum())
    with pytest.raises(RecordError, match=r"Linear\.weight"):
        for _ in range(3):
            step(pyml.ones(1, 3))


def test_what_is_no_module_no_parameter_or_no_tensor_is_named():
    layer, mask = nn.Linear(2, 3), pyml.ones(3, 2)
    method = prune.RandomStructured(1)
    for call, error, message in (
        (lambda: method.remove(layer), ValueError, "parameter None of the Linear is not pruned"),
        (lambda: method.remove(3), TypeError, "module is a int"),
        (lambda: prune.is_pruned(3), TypeError, "module is a int"),
        (
            lambda: prune.CustomFromMask.apply("weight", mask),
            TypeError,
            "required|must be a Module",
        ),
        (lambda: prune.identity(mask, "weight"), TypeError, "must be a Module"),
        (lambda: prune.identity(layer, "forward"), ValueError, "'forward' of the module is no"),
        (lambda: prune.CustomFromMask(mask).compute_mask(mask, 1.0), TypeError, "not float"),
        (lambda: prune.L1Unstructured(1).compute_mask(mask, 1.0), TypeError, "not float"),
        (lambda: method.compute_mask(mask, 1.0), TypeError, "not float"),
        (lambda: prune.custom_from_mask(layer, "weight", [1]), TypeError, "not list"),
        (lambda: prune.PruningContainer().compute_mask(mask, mask), ValueError, "has no method"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert list(layer.state_dict()) == ["weight", "bias"]
