import numpy as np
import pytest

import pyml
from pyml.train.metrics import permutation_importance


def linear(rng, n=200):
    """Rows of three columns, and targets of the first two: 3 a + b."""
    x = rng.normal(size=(n, 3))
    return x, 3 * x[:, 0] + x[:, 1]


def predict(x):
    return 3 * x[:, 0] + x[:, 1]


def test_squared_error_has_a_closed_form(rng):
    """A column of weight w that says nothing costs w^2 times twice its variance."""
    x, y = linear(rng, 5000)
    found = permutation_importance(predict, x, y, "mse", n_repeats=20)
    assert (found.columns, found.metric, found.base) == ([0, 1, 2], "mse", 0.0)
    assert found.losses.shape == (3, 20)
    wanted = np.array([9, 1, 0]) * 2 * x.var(0)
    np.testing.assert_allclose(found.means, wanted, rtol=0.02, atol=1e-15)
    np.testing.assert_allclose(found.stds, found.losses.std(1))
    assert (found.stds[:2] > 0).all()


def test_one_permutation_by_hand(rng):
    x, y = linear(rng, 50)
    found = permutation_importance(predict, x, y, "r2", n_repeats=2, seed=7)
    order = np.random.default_rng([7, 1, 0]).permutation(50)
    shuffled = x.copy()
    shuffled[:, 1] = x[order, 1]
    wanted = 1 - (1 - ((y - predict(shuffled)) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    assert found.losses[1, 0] == pytest.approx(wanted, rel=1e-12)  # worse is positive
    assert found.base == 1.0
    again = permutation_importance(predict, x, y, "r2", n_repeats=2, seed=7)
    np.testing.assert_array_equal(found.losses, again.losses)
    other = permutation_importance(predict, x, y, "r2", n_repeats=2, seed=8)
    assert (found.losses[:2] != other.losses[:2]).all()


def test_weights_count(rng):
    x, y = linear(rng, 60)
    weight = np.repeat([0.0, 1.0], 30)
    found = permutation_importance(predict, x, y, "mse", weight=weight, n_repeats=1)
    order = np.random.default_rng([0, 0, 0]).permutation(60)
    wanted = (9 * (x[order, 0] - x[:, 0])[30:] ** 2).mean()
    assert found.losses[0, 0] == pytest.approx(wanted, rel=1e-12)


class Frame:
    columns = ("a", "b")


def of_names(x):
    return 3 * np.asarray(x["a"]) + np.asarray(x["b"])


@pytest.mark.parametrize("kind", ["tensor", "dict", "pandas", "polars"])
def test_kinds_of_data(kind, rng):
    x, y = linear(rng, 40)
    wanted = permutation_importance(predict, x, y, "mae").losses
    columns = dict(zip("abc", x.T.copy(), strict=True))
    if kind == "tensor":
        data, call = pyml.tensor(x, requires_grad=True), predict
    elif kind == "dict":
        data, call = columns, of_names
    else:
        data, call = pytest.importorskip(kind).DataFrame(columns), of_names
    found = permutation_importance(call, data, y, "mae")
    np.testing.assert_allclose(found.losses, wanted)
    assert found.columns == ([0, 1, 2] if kind == "tensor" else ["a", "b", "c"])
    np.testing.assert_array_equal(x, np.stack([*columns.values()], 1))  # not changed


def test_a_name_that_occurs_twice(rng):
    pandas = pytest.importorskip("pandas")
    x, y = linear(rng, 40)
    frame = pandas.DataFrame(x, columns=["a", "a", "b"], index=range(40, 0, -1))
    found = permutation_importance(lambda f: predict(f.to_numpy()), frame, y, "mae")
    np.testing.assert_allclose(found.losses, permutation_importance(predict, x, y, "mae").losses)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((3, np.ones((2, 1)), [1, 2], "mae"), {}, TypeError, "predict is a int"),
        ((None, np.ones((2, 1)), [1, 2], "mae"), {}, TypeError, "predict is None"),
        ((predict, np.ones(2), [1, 2], "mae"), {}, TypeError, r"X is a ndarray of shape \(2,\)"),
        ((predict, [1, 2], [1, 2], "mae"), {}, TypeError, "X is a list, it must be an array"),
        ((predict, Frame(), [1, 2], "mae"), {}, TypeError, "X is a Frame, it must be"),
        ((len, {}, [1, 2], "mae"), {}, ValueError, "X has no columns"),
        ((predict, np.ones((2, 2)), [1, 2, 3], "mae"), {}, ValueError, "has 2 rows, target has 3"),
        ((predict, np.ones((2, 2)), [1, 2], "mea"), {}, ValueError, "did you mean .*'mae'"),
        ((predict, np.ones((2, 2)), [1, 2], "mae"), {"n_repeats": 0}, ValueError, "n_repeats is 0"),
        ((predict, np.ones((2, 2)), [1, 2], "mae"), {"seed": -1}, ValueError, "seed is -1"),
        (
            (predict, np.ones((2, 2)), [1, 2], lambda p, t: 1.0),
            *({}, ValueError, "whether more of <lambda> is better is not known"),
        ),
        (
            (lambda x: x[:, 0], np.ones((2, 2)), [1, 1], "confusion_matrix"),
            *({}, TypeError, r"metric confusion_matrix has shape \(1, 1\)"),
        ),
    ],
)
def test_refusals(arguments, options, error, words):
    with pytest.raises(error, match=words):
        permutation_importance(*arguments, **options)
