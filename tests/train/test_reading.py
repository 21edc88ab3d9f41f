"""What users have as data: arrays, frames, data sets, streams; and what is wrong with it."""

import collections
import copy

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.train import Trainer, evaluate, predict
from pyml.train.reading import Reader

X = np.arange(24, dtype=np.float32).reshape(8, 3) / 24
Y = np.array([0, 1] * 4)


def trainer(model=None, loss=None):
    pyml.manual_seed(0)
    model = model or nn.Linear(3, 2)
    return Trainer(model, loss or nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5))


def fitted(x, y=None, model=None, loss=None, **options):
    """The History of two epochs, and the weights behind them."""
    one = trainer(model, loss)
    options = {"epochs": 2, "shuffle": False, "progress": False, **options}
    history = one.fit(x, y, **options)
    return history.column("train_loss").tolist(), one.model.state_dict()


def batches(size=4):
    return [(X[i : i + size], Y[i : i + size]) for i in range(0, 8, size)]


def frames(name):
    module = pytest.importorskip(name)
    columns = {"a": X[:, 0], "b": X[:, 1], "ü c": X[:, 2]}
    if name == "pyarrow":
        return module.table(columns), module.chunked_array([Y])
    return module.DataFrame(columns), module.Series(Y)


FORMS = {
    "Tensors": lambda: (pyml.from_numpy(X), pyml.from_numpy(Y)),
    "lists": lambda: (X.tolist(), Y.tolist()),
    "float64": lambda: (X.astype(np.float64), Y.astype(np.int32)),
    "big-endian": lambda: (X.astype(">f4"), Y.astype(">i8")),
    "columns first": lambda: (np.asfortranarray(X), Y.astype(np.uint8)),
    "strides": lambda: (np.repeat(X, 2, 1)[:, ::2], np.repeat(Y, 3)[::3]),
    "classes as floats": lambda: (X, Y.astype(np.float64)),
    "a column of classes": lambda: (X, Y[:, None]),
    "requires grad": lambda: (pyml.tensor(X, requires_grad=True), Y),
    "a tuple of one": lambda: ((X,), Y),
    "a dict": lambda: ({"input": X}, Y),
    "pandas": lambda: frames("pandas"),
    "polars": lambda: frames("polars"),
    "pyarrow": lambda: frames("pyarrow"),
    "TensorDataset": lambda: (pyml.data.TensorDataset(pyml.tensor(X), pyml.tensor(Y)),),
    "batches": lambda: (batches(),),
    "a function": lambda: (lambda: iter(batches()),),
    "batches of lists": lambda: ([[x.tolist(), y.tolist()] for x, y in batches()],),
    "DataLoader": lambda: (
        pyml.data.DataLoader(pyml.data.TensorDataset(pyml.tensor(X), pyml.tensor(Y)), 4),
    ),
    "a Dataset": lambda: (Pairs(),),
    "samples": lambda: (Samples(),),
}
OWN_BATCHES = ("batches", "a function", "batches of lists", "DataLoader")


class Pairs(pyml.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return X[i], Y[i]


class Samples(pyml.data.IterableDataset):
    def __iter__(self):
        return zip(X, Y, strict=True)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_train_the_same(form):
    losses, weights = fitted(X, Y, batch_size=4)
    given = FORMS[form]()
    kept = copy.deepcopy(given) if form != "a function" else None
    size = {} if form in OWN_BATCHES else {"batch_size": 4}
    got, state = fitted(*given, **size)
    assert got == pytest.approx(losses, rel=1e-6)
    for name, value in weights.items():
        np.testing.assert_array_equal(state[name].numpy(), value.numpy())
    if form in ("Tensors", "float64"):
        for a, b in zip(given, kept, strict=True):
            np.testing.assert_array_equal(a, b)
    one = trainer()
    if form != "batches of lists":  # a list of lists is an array, to predict
        np.testing.assert_array_equal(one.predict_proba(given[0]), one.predict_proba(X))
    assert one.evaluate(*given)["loss"] == pytest.approx(one.evaluate(X, Y)["loss"])


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(4, 2), nn.Linear(5, 2)

    def forward(self, numbers, kinds):
        return self.linear(pyml.cat([numbers, self.embedding(kinds)], 1))


@pytest.mark.parametrize(
    "form", [tuple, lambda pair: dict(zip(("numbers", "kinds"), pair, strict=True))]
)
def test_several_inputs(form):
    kinds = np.arange(8) % 4
    pair = (X, kinds.astype(np.int16))
    one = trainer(Two())
    history = one.fit(form(pair), Y, epochs=20, validation=0.25, progress=False)
    assert history[-1].train_loss < history[0].train_loss
    scores = predict(one.model, form(pair))
    wanted = one.model(pyml.tensor(X), pyml.tensor(kinds)).detach().numpy()
    np.testing.assert_array_equal(scores, wanted)
    both = [(form((X[:5], kinds[:5])), Y[:5]), (form((X[5:], kinds[5:])), Y[5:])]
    assert one.evaluate(both)["loss"] == pytest.approx(one.evaluate(form(pair), Y)["loss"])
    with pytest.raises(ValueError, match=r"has 8 rows, x.* has 7 rows; they must be as many"):
        one.predict(form((X, kinds[:7])))


def test_integers_are_numbers_unless_the_model_embeds_them():
    numbers = np.arange(24).reshape(8, 3)
    trainer().fit(numbers, Y, epochs=1, progress=False)
    trainer().fit(numbers > 3, Y, epochs=1, progress=False)
    model = nn.Sequential(nn.Embedding(24, 2), nn.Flatten(), nn.Linear(6, 2))
    trainer(model).fit(numbers, Y, epochs=1, progress=False)


def test_a_model_of_float64_gets_float64():
    model = nn.Linear(3, 2).double()
    _, state = fitted(X, Y, model=model)
    assert str(state["weight"].dtype).endswith("float64")
    assert predict(model, X).dtype == np.float64


def test_targets_of_other_losses():
    model = nn.Linear(3, 1)
    fitted(X, Y, model, nn.MSELoss())  # integers become numbers
    fitted(X, Y > 0, nn.Linear(3, 1), nn.BCEWithLogitsLoss())
    fitted(X, np.eye(2)[Y], loss=nn.CrossEntropyLoss())  # probabilities

    def loss(output, target):
        assert str(target.dtype).endswith("int64")
        return (output.sum(1) - target).square().mean()

    fitted(X, Y, loss=loss)


# ---- streams -------------------------------------------------------------------------------------


def test_a_stream_is_read_anew_in_each_epoch_and_never_held():
    alive, most = collections.Counter(), 0

    class Large(np.ndarray):
        def __del__(self):
            alive["now"] -= 1

    def read():
        nonlocal most
        for x, y in batches(2) * 10:
            alive["now"] += 1
            most = max(most, alive["now"])
            yield x.copy().view(Large), y

    one = trainer()
    one.fit(read, epochs=2, progress=False)
    assert one.steps == 80 and most < 20
    assert one.batches is None


def test_batches_with_weights():
    weight = np.array([1.0, 0.0] * 4)
    losses, _ = fitted(X, Y, sample_weight=weight, batch_size=4)
    got, _ = fitted([(x, y, weight[:4]) for x, y in batches()])
    assert got == pytest.approx(losses)
    got, _ = fitted(batches(), class_weight={0: 1, 1: 0})
    assert got == pytest.approx(losses)


def test_a_batch_of_one_row_is_left_out_for_batchnorm():
    data = pyml.data.Subset(pyml.data.TensorDataset(pyml.tensor(X), pyml.tensor(Y)), range(7))
    for model, steps in (
        (nn.Linear(3, 2), 3),
        (nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)), 2),
    ):
        one = trainer(model)
        one.fit(data, epochs=1, batch_size=3, progress=False)
        assert one.steps == steps


def test_weights_of_1_change_nothing():
    y = np.stack([X[:, 0], -X[:, 1]], 1)
    for loss in (nn.MSELoss(), nn.SmoothL1Loss(), nn.functional.l1_loss):
        plain, weighted = (
            fitted(X, y, loss=loss, sample_weight=weight)[0] for weight in (None, np.ones(8))
        )
        assert weighted == pytest.approx(plain, rel=1e-5)


def test_batches_of_several_sizes():
    sizes = [(X[:1], Y[:1]), (X[1:4], Y[1:4]), (X[4:], Y[4:])]
    losses, _ = fitted(sizes, epochs=3)
    one = trainer()
    means = []
    for _ in range(3):
        total = 0
        for x, y in sizes:
            one.optimizer.zero_grad()
            value = one.loss(one.model(pyml.tensor(x)), pyml.tensor(y))
            value.backward()
            one.optimizer.step()
            total += value.item() * len(x)
        means.append(total / 8)
    assert losses == pytest.approx(means)


# ---- what is wrong -------------------------------------------------------------------------------


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


BIG = np.zeros((200, 5), np.float32)
WRONG = {
    "NaN": ((changed(BIG, (100, 3), np.nan), np.zeros(200, int)), "x has NaN in row 100, column 3"),
    "NaN of a vector": ((changed(BIG[:, 0], 7, np.nan), np.zeros(200, int)), "NaN in row 7;"),
    "NaN in y": ((X, changed(Y.astype(float), 5, np.nan)), "y has NaN in row 5"),
    "NaN in a part": (((X, changed(X, (2, 1), np.nan)), Y), r"x\[1\] has NaN in row 2, column 1"),
    "NaN in a stream": (
        ([*batches(), (changed(X, (1, 2), np.nan), Y)],),
        "batch 2: x has NaN in row 9, column 2",
    ),
    "rows": ((X, Y[:7]), "x has 8 rows, but y has 7"),
    "no rows": ((X[:0], Y[:0]), r"x has 0 rows \(shape \(0, 3\)\)"),
    "a number": ((3.0, Y), "x is a single number"),
    "y a number": ((X, 3), "y is a single number"),
    "ragged": (([[1, 2], [3]], [0, 1]), "x is not a regular array"),
    "text": ((X.astype(str), Y), "x is of type <U.*pyml.tabular"),
    "dates": ((X.astype("datetime64[s]"), Y), "x is of type datetime64"),
    "objects": (([[1, None]], [0]), "x is of type object"),
    "complex": ((X.astype(complex), Y), "x is of type complex128"),
    "names of classes": ((X, np.array(["cat", "dog"] * 4)), "y is of type <U3.*np.unique"),
    "a float class": ((X, Y + 0.5), r"y has 0\.5 in row 0, it must be the number of a class"),
    "masked": ((np.ma.masked_array(X, X > 0.5), Y), "masked array"),
    "nothing": ((X,), "y is missing.*it is a ndarray"),
    "None": ((None, Y), "x is of type object"),
    "a pair as x": (((X, Y),), "batch 0 is a ndarray, it must be"),
    "empty tuple": (((), Y), "x is empty"),
    "a key": (({0: X}, Y), "x has the key 0"),
    "batches of one": (([X],), "batch 0 is a ndarray"),
    "no batches": (([],), "X has no batches"),
    "an iterator": ((iter(batches()),), "X is an iterator"),
    "a path": (("data.csv",), "X is 'data.csv', it must be data; pyml.tabular reads files"),
    "a TensorDataset": ((pyml.data.TensorDataset(pyml.tensor(X)),), "has 1 tensors"),
}


@pytest.mark.parametrize("case", WRONG)
def test_data_that_cannot_be(case):
    data, message = WRONG[case]
    one = trainer()
    with pytest.raises((TypeError, ValueError), match=message):
        one.fit(*data, epochs=2, progress=False)
    if "stream" not in case:  # which is not read ahead
        assert (one.model.weight == trainer().model.weight).all()
    assert one.history == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 4}, "batch_size is given, but X has batches of its own"),
        ({"validation": 0.2}, r"validation is 0\.2, a fraction of rows that are not in memory"),
        ({"sample_weight": np.ones(8)}, "sample_weight is for arrays"),
        ({"class_weight": "balanced"}, "all rows must be in memory"),
        ({"validation": iter(batches())}, "validation is an iterator"),
    ],
    ids=range(5),
)
def test_options_that_do_not_go_with_streams(options, message):
    with pytest.raises(ValueError, match=message):
        trainer().fit(batches(), **{"epochs": 2, "progress": False, **options})


def test_targets_out_of_range():
    for y, message in ((Y * 2 - 1, "y has -1; targets"), (Y * 3, "y has 3; targets")):
        with pytest.raises(ValueError, match=message):
            fitted(X, y, nn.Linear(3, 1), nn.BCEWithLogitsLoss())
    too_large = "y has the class 2 in row 1, the model has 2 outputs: classes are 0 to 1"
    for y, message in ((Y + 1, too_large), (Y - 1, "y has the class -1 in row 0")):
        with pytest.raises(ValueError, match=message):
            fitted(X, y)
        with pytest.raises(ValueError, match=f"validation: {message}"):
            fitted(X, Y, validation=(X, y))
    fitted(X, np.where(Y == 1, -100, 0))
    with pytest.raises(IndexError):
        fitted([(X, Y + 1)])


def test_class_weights_need_classes():
    with pytest.raises(ValueError, match="one class in each row"):
        fitted(X, X[:, :2], loss=nn.MSELoss(), class_weight="balanced")


def test_weights_need_the_losses_of_rows():
    with pytest.raises(TypeError, match="loss mean has no reduction='none'"):

        def mean(output, target):
            return (output.sum(1) - target).square().mean()

        fitted(X, Y, loss=mean, sample_weight=np.ones(8))
    losses, _ = fitted(X, Y, loss=nn.functional.cross_entropy, sample_weight=np.ones(8))
    assert losses == pytest.approx(fitted(X, Y)[0])


# ---- frames --------------------------------------------------------------------------------------


def test_columns_are_found_by_name():
    pandas = pytest.importorskip("pandas")
    frame, y = frames("pandas")
    one = trainer()
    one.fit(frame, y, epochs=1, progress=False)
    other = frame.assign(more="text")[["more", "ü c", "a", "b"]]
    np.testing.assert_array_equal(one.predict_proba(other), one.predict_proba(X))
    with pytest.raises(ValueError, match=r"x lacks the columns 'b', 'ü c'"):
        one.predict(frame[["a"]])
    text = frame.assign(b="text")
    with pytest.raises(TypeError, match=r"x: column 'b' is of type .*pyml.tabular"):
        one.predict(text)
    missing = frame.copy()
    missing.loc[4, "b"] = None
    with pytest.raises(ValueError, match=r"x has NaN in row 4, column 1 \('b'\)"):
        one.predict(missing)
    twice = pandas.DataFrame(X, columns=["a", "a", "b"])
    again = trainer()
    again.fit(twice, y, epochs=1, progress=False)
    np.testing.assert_array_equal(again.predict_proba(twice), again.predict_proba(X))


def test_pandas_numbers_that_may_be_missing():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, None], "b": [True, False, True]})
    frame["a"] = frame["a"].astype("Int64")
    reader = Reader(nn.Linear(2, 2), trainer()._reader.meaning)
    with pytest.raises(ValueError, match=r"NaN in row 2, column 0 \('a'\)"):
        reader.inputs(frame, "fit")
    rows = reader.inputs(frame[:2], "fit")
    np.testing.assert_array_equal(rows.inputs[0].numpy(), [[1, 1], [2, 0]])
    with pytest.raises(TypeError, match="column 'a' is of type object"):
        reader.inputs(pandas.DataFrame({"a": ["1", 2], "b": [1, 2]}), "fit")


# ---- by hand -------------------------------------------------------------------------------------


def test_predict_and_evaluate_without_a_trainer():
    model = nn.Linear(3, 2)
    scores = predict(model, X)
    np.testing.assert_array_equal(scores, model(pyml.tensor(X)).detach().numpy())
    np.testing.assert_array_equal(predict(model, batches()), scores)
    np.testing.assert_array_equal(predict(model, (x for x, _ in batches()), batch_size=3), scores)
    found = evaluate(model, nn.CrossEntropyLoss(), X, Y, metrics=[lambda p, t: np.mean(p == t)])
    loss = nn.CrossEntropyLoss()(pyml.tensor(scores), pyml.tensor(Y)).item()
    assert found == {"loss": loss, "<lambda>": (scores.argmax(1) == Y).mean()}
    with pytest.raises(TypeError, match="predict: model must be a Module, not int"):
        predict(3, X)
    with pytest.raises(ValueError, match="predict: x has NaN in row 0, column 0"):
        predict(model, X * np.nan)
