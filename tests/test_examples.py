"""The examples in the docstrings of all that is public run, and print what they say.

What the pages of the API reference show is what runs here: docs/stubs.py finds it.
"""

import doctest
import inspect
from functools import partial
from pathlib import Path

import numpy
import pytest

import pyml
from helpers.files import module_of
from pyml import (
    data,
    distributed,
    distributions,
    export,
    func,
    io,
    nn,
    optim,
    plot,
    recording,
    tabular,
    train,
)

DOCS = Path(__file__).parent.parent / "docs"
MODULES = module_of(DOCS / "stub_rows.py").MODULES
PACKAGES = (data, distributed, distributions, export, func, io, nn, optim, plot, recording)
NAMES = {
    **{"pyml": pyml, "np": numpy, "numpy": numpy, "F": nn.functional, "init": nn.init},
    **{"lr_scheduler": optim.lr_scheduler, "partial": partial},
    **{module.__name__[5:]: module for module in (*PACKAGES, tabular, train)},
}

# ---- what examples take for granted: by name, of which the longest beginning counts --------------

DIGITS = """
images, labels = pyml.data.load_digits()
x, y = X, Y = images[:256], labels[:256]
target = y
model = pyml.train.mlp(64, (16,), 10)
loss = criterion = loss_of = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters())
"""
TRAINING = (
    DIGITS
    + """
trainer = pyml.train.Trainer(model, loss, optimizer)
validation_loss = lambda: 1.0
@pyml.record
def step(x, y):
    optimizer.zero_grad()
    value = loss_of(model(x), y)
    value.backward()
    optimizer.step()
    return value
train_step = step
step.run(X, Y, batch_size=128, epochs=1)
history = train.History({"epoch": i, "train_loss": 0.9 / 3**i} for i in range(3))
"""
)
PLOTS = TRAINING + "loss = loss_of(model(x), y)\n"
NUMBERS = "model, x = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), pyml.randn(50, 4)\n"
TABLE = """
rows = range(300)
table = tabular.Table({
    "carat": [0.2 + i / 100 for i in rows],
    "cut": [("Fair", "Good", "Ideal")[i % 3] for i in rows],
    "color": ["DE"[i % 2] for i in rows],
    "zip code": [8000 + i % 7 for i in rows],
    "price": [5000 * (0.2 + i / 100) + 100 * (i % 3) for i in rows],
})
import pandas
frame = pandas.DataFrame({name: list(table.columns[name]) for name in table.names})
for name in ("diamonds.csv", "diamonds.csv.gz", "new.csv"):
    frame.to_csv(name, index=False)
schema = tabular.Schema.infer(table, "price")
train, test = range(200), range(200, 300)
"""
CLASSES = """
import pandas
x = [i % 10 for i in range(300)]
table = pandas.DataFrame({"x": x, "y": ["ab"[x[i] > 4 + i % 3] for i in range(300)]})
for name in ("train.csv", "test.csv"):
    table.to_csv(name, index=False)
fitted = tabular.fit(table, "y", epochs=2)
"""
ESTIMATORS = (
    TABLE
    + """
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier as Theirs
X, y = load_iris(return_X_y=True)
theirs = Theirs(tol=1, random_state=0).fit(X, y)
ours = from_sklearn(theirs)
"""
)
EXPORT = """
import h5py, pyarrow
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
export.save_npz(model.state_dict(), "model.npz")
export.save_torch(model.state_dict(), "model.pt")
export.onnx(model, "model.onnx")
with h5py.File("model.weights.h5", "w") as file:
    for i, name in ((0, "dense"), (2, "dense_1")):
        file[f"layers/{name}/vars/0"] = model[i].weight.detach().numpy().T
        file[f"layers/{name}/vars/1"] = model[i].bias.detach().numpy()
"""
GIVEN = {
    **dict.fromkeys(("autocast", "save", "data"), DIGITS),
    **dict.fromkeys(("record", "recording", "fit_many", "tune", "train"), TRAINING),
    **{"plot": PLOTS, "tabular": TABLE, "estimators": ESTIMATORS},
    **{"plot.calibration": NUMBERS + "y = pyml.arange(50) % 2\n", "export": EXPORT},
    **dict.fromkeys(("plot.predicted", "plot.residuals"), NUMBERS + "y = pyml.randn(50)\n"),
    "plot.importance": "model, x, y = nn.Linear(4, 1), pyml.randn(50, 4), pyml.randn(50, 1)\n",
    **dict.fromkeys(("tabular.evaluate", "tabular.baseline"), CLASSES),
    "tabular.TabularModel": TABLE + "train = table\n",
    "tabular.split": TABLE.replace('"cut"', '"species"').replace('"diamonds', '"flowers'),
    "distributed.all_reduce": "distributed.init_process_group()\n",
}

EXTRAS = {"estimators": ["sklearn"], "export": ["h5py", "onnx", "pyarrow"]}

# ---- the examples -------------------------------------------------------------------------------


def examples(stubs, name):
    """(name, docstring) of what is public in a module and at home there."""
    module = stubs.module_of(name)
    yield name, inspect.getdoc(module)
    for short, value in stubs.public(module).items():
        path = short if name == "pyml" else f"{name}.{short}"
        if inspect.isclass(value):
            if stubs.homes()[value] == (name, short):
                yield path, inspect.getdoc(value)
                for member in stubs.members_of(value):
                    yield f"{path}.{member}", inspect.getdoc(getattr(value, member))
        elif callable(value) and stubs.functions()[id(value)] == (name, short):
            yield path, inspect.getdoc(value)


def given(path):
    start = max((start for start in GIVEN if path.startswith(start)), key=len, default=None)
    return GIVEN.get(start, "")


def play(stubs, module, texts, out):
    """Runs examples of a module, of which out(text) gets what is wrong; how many lines failed."""
    own = {} if module == "pyml" else stubs.public(stubs.module_of(module))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for path, text in texts:
        if not text or ">>>" not in text:
            continue
        names = {**own, **NAMES}
        exec(given(path), names)
        test = doctest.DocTestParser().get_doctest(text, names, f"pyml.{path}", None, 0)
        runner.run(test, out=out)
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return runner.failures


@pytest.mark.filterwarnings("ignore:autocast:UserWarning")  # where nothing multiplies bfloat16
@pytest.mark.parametrize("module", MODULES)
def test_examples(stubs, module, tmp_path, monkeypatch):
    for library in EXTRAS.get(module, ()):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    printed = []
    assert not play(stubs, module, examples(stubs, module), printed.append), "".join(printed)
