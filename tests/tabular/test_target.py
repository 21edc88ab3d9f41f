"""What is predicted: as numbers for a loss, and back."""

import numpy as np
import pytest

import pyml
from pyml.tabular import Schema, Table
from pyml.tabular.target import Target

N = 40
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, N))


def fitted(y, task=None, names=("y",)):
    columns = dict(zip(names, [y] if len(names) == 1 else y, strict=True))
    table = Table({"x": X[: len(columns[names[0]])], **columns})
    schema = Schema.infer(table, list(names), task=task)
    return Target(schema).fit(table), table


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["no", "yes", "maybe", "ünder"] * 10, ["maybe", "no", "yes", "ünder"]),
        (["1", "02"] * 20, ["02", "1"]),
        ([3, 7] * 20, [3, 7]),
        ([2**60, 2**60 + 1] * 20, [2**60, 2**60 + 1]),  # one number in float64
        ([0.5, 1.5] * 20, [0.5, 1.5]),
        ([True, False] * 20, [False, True]),
        ([*(["a", "b"] * 19), "a", "once"], ["a", "b", "once"]),
    ],
)
def test_classes_come_back_as_they_were(y, classes):
    target, table = fitted(y, "binary" if len(classes) == 2 else "multiclass")
    assert target.classes.tolist() == classes
    assert [type(a) for a in target.classes.tolist()] == [type(a) for a in classes]
    codes = target.encode(table)
    assert codes.dtype == np.int64 and [classes[code] for code in codes] == y
    assert target.outputs == len(classes) and not target.is_single
    scores = np.eye(len(classes))[codes] * 3
    assert target.decode(pyml.tensor(scores)).tolist() == y
    p = target.probabilities(scores)
    np.testing.assert_allclose(p, np.exp(scores) / np.exp(scores).sum(1, keepdims=True))
    assert isinstance(target.loss(), pyml.nn.CrossEntropyLoss)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e140])
def test_numbers_of_any_size(scale):
    target, table = fitted(Y * scale)
    y = target.encode(table)
    assert y.mean() == pytest.approx(0, abs=1e-6) and y.std() == pytest.approx(1)
    np.testing.assert_allclose(target.decode(y), Y * scale, 1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e30])
def test_a_number_that_is_always_the_same_is_what_is_predicted(value):
    target, table = fitted(np.full(N, value), "regression")
    assert target.encode(table).tolist() == [0.0] * N
    assert target.decode(np.array([-1.0, 0.0, 2.5], np.float32)).tolist() == [value] * 3
    assert target.outputs_of_mean(target.actual(table)) == 0
    again = Target.from_state_dict(Schema.infer(table, "y", task="regression"), target.state_dict())
    assert again.decode(np.float32([7])).tolist() == [value]
    several, table = fitted([np.full(N, value), Y], "multioutput", ("y", "z"))
    found = several.decode(several.encode(table))
    assert found[:, 0].tolist() == [value] * N
    np.testing.assert_allclose(found[:, 1], Y, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("y", "others"),
    [
        ([3, 7] * 20, [["3", "7.0"], [3.0, 7.0], np.array([3, 7], np.uint8)]),
        ([True, False] * 20, [["yes", "no"], [1, 0], ["True", "FALSE"]]),
        (["a", "b"] * 20, [[" a ", "b"], np.array([b"a", b"b"])]),
    ],
)
def test_classes_of_other_dtypes(y, others):
    target, table = fitted(y)
    wanted = target.encode(table)[:2].tolist()
    for other in others:
        assert target.encode(Table({"y": other})).tolist() == wanted


def test_numbers_are_standardised_and_back():
    y = RNG.normal(1e6, 20, N)
    target, table = fitted(y)
    encoded = target.encode(table)
    assert encoded.dtype == np.float32 and encoded.shape == (N,) and target.is_single
    np.testing.assert_allclose(encoded, (y - y.mean()) / y.std(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(target.decode(encoded), y, rtol=1e-6)
    text, _ = fitted([f"{value:.3f}".replace(".", ",") for value in y])
    np.testing.assert_allclose(text.mean, y.mean())
    with pytest.raises(ValueError, match="the task is regression, which has no probabilities"):
        target.probabilities(encoded)


def test_several_numbers():
    y = RNG.normal([[5], [100]], [[1], [20]], (2, N))
    target, table = fitted(list(y), names=("a", "b"))
    encoded = target.encode(table)
    assert encoded.shape == (N, 2) and target.outputs == 2
    np.testing.assert_allclose(encoded.mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(target.decode(encoded), y.T, rtol=1e-5)


def test_several_labels():
    y = [[0, 1] * 20, ["yes", "no"] * 20, [True, False, False, False] * 10]
    target, table = fitted(y, names=("a", "b", "c"))
    encoded = target.encode(table)
    assert encoded.dtype == np.float32
    assert encoded[:3].tolist() == [[0, 1, 1], [1, 0, 0], [0, 1, 0]]
    assert target.decode(encoded - 0.5).tolist() == encoded.astype(bool).tolist()
    np.testing.assert_allclose(target.probabilities([[0.0, 0, np.log(3)]]), [[0.5, 0.5, 0.75]])


def test_counts():
    y = RNG.poisson(2, N)
    target, table = fitted(y, "counts")
    assert target.encode(table).tolist() == y.tolist() and target.outputs == 1
    np.testing.assert_allclose(target.decode(np.log([2.0, 5.0])), [2, 5])
    loss = target.loss()(pyml.tensor([0.0]), pyml.tensor([3.0]))
    assert loss.item() == pytest.approx(1)  # exp(0) - 3 * 0


def test_missing_targets_are_told():
    y = [1.5, None, 2.5, float("nan")] * 10
    table = Table({"x": X, "y": y})
    schema = Schema.infer(table, "y")
    for call in (Target(schema).fit, Target(schema).fit(table.take(schema.labelled(table))).encode):
        with pytest.raises(
            ValueError,
            match=r"target 'y' is missing in 20 rows: 1, 3, 5, 7, 9, \.\.\.; fill them in",
        ):
            call(table)


@pytest.mark.parametrize(
    ("y", "task", "new", "words"),
    [
        (["a", "b"] * 20, None, ["a", "c"], "has 'c' in row 1, which is no class of the training"),
        ([1, 2] * 20, None, [1, 3], "has '3' in row 1, which is no class"),
        ([1, 2] * 20, None, ["x", 3], "has 'x' in row 0, which is no class"),
        (Y, None, ["1", "abc"], "has 'abc' in row 1, which is no number"),
        (Y, None, [1.0, np.inf], "has 'inf' in row 1, which is no number within 1e"),
        ([0, 1, 2] * 13, "counts", [1, -1], "has '-1' in row 1, which is no count"),
        (Y, None, [None, 1.0], "missing in 1 row: 0"),
    ],
)
def test_values_that_are_none_of_the_task(y, task, new, words):
    target, _ = fitted(y, task)
    with pytest.raises(ValueError, match=f"the target 'y' .*{words}"):
        target.encode(Table({"y": new}))
    with pytest.raises(ValueError, match="the table lacks the target 'y'; did you mean 'yy'"):
        target.encode(Table({"yy": [1]}))


def test_training_rows_that_do_not_do():
    y = ["a", "b"] * 20
    table = Table({"x": X, "y": y})
    with pytest.raises(ValueError, match="'y' is a in all training rows: there must be two"):
        Target(Schema.infer(table, "y")).fit(table.take([0, 2]))
    with pytest.raises(ValueError, match="there must be two"):
        Target(Schema.infer(table, "y")).fit(table.take([]))
    table = Table({"x": X, "y": Y})
    schema = Schema.infer(table, "y")
    with pytest.raises(ValueError, match="the table has no rows"):
        Target(schema).fit(table.take([]))
    assert Target(schema).fit(table.take([3])).encode(table.take([3])).tolist() == [0]
    with pytest.raises(ValueError, match="the schema has no target"):
        Target(Schema.infer(table))


TARGETS = {
    "classes": (["a", "b", "c", "d"] * 10, None, ("y",)),
    "numbers": (Y, None, ("y",)),
    "whole": ([3, 7] * 20, None, ("y",)),
    "truths": ([True, False] * 20, None, ("y",)),
    "labels": ([[0, 1] * 20, [0, 1, 1, 1] * 10], None, ("a", "b")),
    "several": ([Y, Y**2], None, ("a", "b")),
    "counts": ([0, 1, 2, 3] * 10, "counts", ("y",)),
}


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_kept_in_files(name, tmp_path):
    target, table = fitted(*TARGETS[name])
    schema = Schema.infer(table, target.names, task=target.task)
    pyml.save(target.state_dict(), tmp_path / "x")
    again = Target.from_state_dict(schema, pyml.load(tmp_path / "x"))
    encoded = target.encode(table)
    assert again.encode(table).tobytes() == encoded.tobytes()
    scores = RNG.normal(size=(5, target.outputs))
    scores = scores[:, 0] if target.is_single else scores
    assert again.decode(scores).tolist() == target.decode(scores).tolist()


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("classes", {"classes": None}),
        ("classes", {"classes": ["a"]}),
        ("classes", {"classes": ["a", "a"]}),
        ("classes", {"classes": ["a", 1]}),
        ("classes", {"classes": np.zeros((2, 2))}),
        ("classes", {"classes": np.zeros(2, np.int8)}),
        ("classes", {"mean": np.zeros(1)}),
        ("numbers", {"mean": None}),
        ("numbers", {"mean": np.zeros(2)}),
        ("numbers", {"std": np.array([np.nan])}),
        ("numbers", {"std": np.array([-1.0])}),
        ("numbers", {"std": np.ones(1, np.float32)}),
        ("numbers", {"classes": ["a", "b"]}),
        ("numbers", {"more": 1}),
    ],
)
def test_damaged_states_are_refused(name, change):
    target, table = fitted(*TARGETS[name])
    schema = Schema.infer(table, target.names, task=target.task)
    with pytest.raises(ValueError):
        Target.from_state_dict(schema, {**target.state_dict(), **change})
