"""From raw rows to predictions, and all of it in one file."""

import contextlib
import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from attack.readers import damaged, damaged_json, header_damaged

import pyml
from pyml import io, json_tree, nn
from pyml.tabular import Categories, Preprocessor, Schema, Table, TabularModel, Target

N = 120
RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(2, N))
COLORS = [["red", "green", "blue", None][i % 4] for i in range(N)]
COLUMNS = {
    "x": np.where(np.arange(N) % 9 == 0, np.nan, X),
    "zä": Z,
    "color": COLORS,
    "town": [f"town {i % 70}" for i in range(N)],
    "when": [f"{1 + i % 28}.{1 + i % 12}.2020" for i in range(N)],
    "fresh": ["yes", "no"] * (N // 2),
}
KINDS = {"town": "category"}
TARGETS = {
    "regression": {"y": X * 3 + Z + 100},
    "counts": {"y": RNG.poisson(np.exp(X / 2))},
    "binary": {"y": np.where(X > Z, "up", "down").astype(object)},
    "multiclass": {"y": (np.digitize(X, [-0.5, 0.5]) * 10)},
    "multilabel": {"y": X > 0, "y2": (Z > 0).astype(int)},
    "multioutput": {"y": X - Z, "y2": (Z + X) * 1e6},
}


def table_of(task):
    return Table({**COLUMNS, **TARGETS[task]})


def model_of(task="multiclass", **options):
    table = table_of(task)
    pyml.manual_seed(0)
    schema = Schema.infer(table, list(TARGETS[task]), task=task, kinds=KINDS)
    return TabularModel.for_table(schema, table, **{"hidden": (16,), **options}), table


OPTIONS = [
    {},
    {"hidden": ()},
    {"hidden": [8, 4], "dropout": 0.3, "activation": "SELU", "numbers": "robust"},
    {"embedding": "piecewise", "embedding_dim": 3, "num_bins": 5},
    {"embedding": "periodic", "embedding_dim": 4, "num_frequencies": 6, "sigma": 0.5},
    {"embedding": "periodic-lite", "one_hot": 1, "category_dim": 3},
    {"one_hot": 1000, "numbers": "standard", "log": True},
]


@pytest.mark.parametrize("task", TARGETS)
def test_tasks_are_learned_and_predicted(task):
    model, table = model_of(task)
    inputs, y, loss = model.inputs(table), model.targets(table), model.loss()
    optimizer = pyml.optim.Adam(model.parameters(), lr=0.02)

    @pyml.record
    def step(numbers, categories, y):
        optimizer.zero_grad()
        value = loss(model(numbers, categories), y)
        value.backward()
        optimizer.step()
        return value.detach()

    losses = [step(*inputs, y).item() for _ in range(40)]
    assert losses[-1] < losses[0] - 0.2 * abs(losses[0]) and step.stats().replays > 20
    predicted = model.predict(table)
    wanted = np.stack([table[name] for name in model.target.names], 1)
    wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted
    assert predicted.shape == wanted.shape
    if task in ("binary", "multiclass", "multilabel"):
        assert (predicted == wanted).mean() > 0.85
        p = model.predict_proba(table)
        assert p.dtype == np.float64 and p.shape[0] == N
        assert task == "multilabel" or abs(p.sum(1) - 1).max() < 1e-6
    else:
        error = ((predicted - wanted) ** 2).mean(0)
        assert (error < 0.7 * wanted.var(0)).all()
        with pytest.raises(ValueError, match=f"the task is {task}, which has no probabilities"):
            model.predict_proba(table)
    assert model.training  # as it was


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(map(str, o.values())))
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_the_same_bits_from_a_file(options, task, tmp_path):
    model, table = model_of(task, **options)
    model.save(tmp_path / "model.safetensors", {"by": "me"})
    again = TabularModel.load(tmp_path / "model.safetensors")
    assert (
        not again.training and repr(again) == repr(model) and str(again.schema) == str(model.schema)
    )
    assert again.outputs(table).tobytes() == model.outputs(table).tobytes()
    assert again.predict(table).tolist() == model.predict(table).tolist()
    assert io.load_metadata(tmp_path / "model.safetensors") == {"by": "me"}
    other = copy.deepcopy(model)
    other.load_state_dict(again.state_dict())
    assert other.outputs(table).tobytes() == model.outputs(table).tobytes()


def csv(table, names, missing="", rows=slice(None)):
    lines = [",".join(names)]
    columns = [table[name][rows] for name in names]
    for row in zip(*columns, strict=True):
        values = (missing if v is None or v != v else str(v) for v in row)
        lines.append(",".join(values))
    return "\n".join(lines) + "\n"


def test_the_same_bits_in_another_process_from_the_raw_file(tmp_path):
    pytest.importorskip("pyarrow")
    model, table = model_of("binary", embedding="piecewise")
    raw = tmp_path / "raw.csv"
    raw.write_text(csv(table, table.names[::-1], missing="NA"))
    model.save(tmp_path / "model")
    program = f"""
import pyml
model = pyml.tabular.TabularModel.load({str(tmp_path / "model")!r})
print(model.outputs({str(raw)!r}).tobytes().hex())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == model.outputs(table).tobytes().hex(), done.stderr


def test_float64():
    model, table = model_of("regression")
    model.double()
    assert model.outputs(table).dtype == np.float64


def test_float64_from_a_file(tmp_path):
    model, table = model_of("regression", embedding="periodic", one_hot=1)
    model.double().save(tmp_path / "x")
    again = TabularModel.load(tmp_path / "x")
    assert again.outputs(table).tobytes() == model.outputs(table).tobytes()
    assert again.outputs(table).dtype == np.float64


def test_rows_alone_give_the_same_bits_and_none_gives_none():
    model, table = model_of("regression", embedding="periodic")
    model.eval()
    together = model.outputs(table)
    alone = np.concatenate([model.outputs(table.take([i])) for i in range(10)])
    assert together[:10].tobytes() == alone.tobytes()
    empty = model.predict(table.take([]))
    assert empty.shape == (0,) and empty.dtype == np.float64
    model, table = model_of("multiclass")
    assert model.predict_proba(table.take([])).shape == (0, 3)
    assert model.predict({name: [] for name in COLUMNS}).shape == (0,)


def test_unknown_categories_are_zeros():
    layer = Categories([2, 5, 3], one_hot=3, category_dim=4)
    assert layer.size == 2 + 3 + 4
    found = layer(pyml.tensor([[1, 5, 3], [0, 0, 0], [2, 1, 1]]))
    assert found[1].tolist() == [0] * 9
    assert found[0, :5].tolist() == [1, 0, 0, 0, 1] and found[2, :5].tolist() == [0, 1, 1, 0, 0]
    assert found[0, 5:].tolist() == layer.table.weight[4].tolist()
    assert found[2, 5:].tolist() == layer.table.weight[0].tolist()
    model, table = model_of("regression")
    new = {name: table[name][:3] for name in COLUMNS} | {"color": ["pink"] * 3, "town": [None] * 3}
    assert np.isfinite(model.predict(new)).all()


def test_numbers_of_parameters_are_the_published_ones():
    """Of diamonds: 6 numbers and 20 categories; arXiv:2410.24210."""
    rng = np.random.default_rng(0)
    numbers = {f"x{i}": rng.normal(size=2000) for i in range(6)}
    categories = {f"c{n}": [f"level {i % n}" for i in range(2000)] for n in (5, 7, 8)}
    table = Table({**numbers, **categories, "y": rng.normal(size=2000)})
    schema = Schema.infer(table, "y")
    for options, count in (
        ({"hidden": [96] * 5}, 39_937),
        (
            {"hidden": [176] * 3, "embedding": "piecewise", "embedding_dim": 24, "num_bins": 112},
            107_937,
        ),
        (
            {"hidden": [496], "embedding": "periodic", "embedding_dim": 24, "num_frequencies": 60},
            100_121,
        ),
    ):
        model = TabularModel.for_table(schema, table, **options)
        assert sum(p.numel() for p in model.parameters()) == count


def test_a_network_of_ones_own(tmp_path):
    def network(features, outputs):
        return nn.Sequential(nn.Linear(features, 5), nn.BatchNorm1d(5), nn.Linear(5, outputs))

    model, table = model_of("multiclass", network=network)
    model(*model.inputs(table))
    model.save(tmp_path / "x")
    again = TabularModel.load(tmp_path / "x", network=network)
    assert again.outputs(table).tobytes() == model.eval().outputs(table).tobytes()
    with pytest.raises(ValueError, match=r"is damaged: Error.* in loading state_dict"):
        TabularModel.load(tmp_path / "x")


def test_columns_that_are_missing_or_wrong_at_predict():
    model, table = model_of("binary")
    with pytest.raises(ValueError, match="the table lacks 'zä', 'color'"):
        model.predict(table.drop(["zä", "color"]))
    with pytest.raises(ValueError, match="column 'zä' has 'abc' in row 0, which is no number"):
        model.predict({name: table[name][:1] for name in COLUMNS} | {"zä": ["abc"]})
    more = {name: table[name][:2] for name in reversed(COLUMNS)} | {
        "new": [1, 2],
        "y": [None, None],
    }
    assert model.predict(more).tolist() == model.predict(table.take([0, 1])).tolist()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"hidden": "256"}, TypeError, "hidden is '256', it must be widths"),
        ({"hidden": 256}, TypeError, "hidden is 256, it must be widths"),
        ({"hidden": (0,)}, ValueError, r"hidden\[0\] is 0"),
        ({"hidden": (1.5,)}, TypeError, r"hidden\[0\] is 1.5"),
        ({"dropout": 1}, ValueError, "dropout is 1"),
        ({"activation": "Relu"}, ValueError, "activation is 'Relu', it must be 'ReLU'"),
        ({"embedding": "linear"}, ValueError, "embedding is 'linear'"),
        ({"embedding": "periodic", "sigma": 0}, ValueError, "sigma is 0"),
        ({"embedding": "piecewise", "bins": []}, ValueError, "bins must have edges for each of"),
        ({"numbers": "x"}, ValueError, "numbers is 'x'"),
        ({"wide": 1}, TypeError, "wide"),
    ],
)
def test_errors(options, error, words):
    with pytest.raises(error, match=words):
        model_of("binary", **options)


def test_parts_must_be_fitted():
    table = table_of("binary")
    schema = Schema.infer(table, "y", kinds=KINDS)
    with pytest.raises(RuntimeError, match="preprocessor is not fitted"):
        TabularModel(schema, Preprocessor(schema), Target(schema).fit(table))
    with pytest.raises(RuntimeError, match="target is not fitted"):
        TabularModel(schema, Preprocessor(schema).fit(table), Target(schema))
    with pytest.raises(ValueError, match="the schema has no target"):
        TabularModel.for_table(Schema.infer(table, kinds=KINDS), table)


# ---- files that are none, damaged or hostile -----------------------------------------------------


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "x"
    for tree in ({"weight": np.zeros(3)}, {"format": "x", "version": 1}, [1, 2]):
        pyml.save(tree, path)
        with pytest.raises(ValueError, match="x: is no model of a table"):
            TabularModel.load(path)
    pyml.save({"format": "pyml.tabular", "version": 2}, path)
    with pytest.raises(ValueError, match="is of version 2, pyml here reads 1"):
        TabularModel.load(path)
    pyml.save({"format": "pyml.tabular", "version": 1}, path)
    with pytest.raises(ValueError, match="x: is damaged: the model is not made of"):
        TabularModel.load(path)
    with pytest.raises(OSError):
        TabularModel.load(tmp_path / "none")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "x"
    options = {"hidden": (6,), "embedding": "piecewise", "embedding_dim": 2, "num_bins": 4}
    model_of("multiclass", **options)[0].save(path)
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_are_refused_or_models(seed, content, tmp_path):
    """As bytes, in the header, and in the tree with its checksum made right again."""
    rng, path = np.random.default_rng(seed), tmp_path / "x"
    _, table = model_of("multiclass")
    refused = 0
    for i in range(60):
        if i % 3 < 2:
            path.write_bytes([damaged, header_damaged][i % 3](rng, content))
        else:
            path.write_bytes(content)
            arrays, metadata = io._read(path)
            header = json.loads(metadata[io.KEY])
            header["content"] = damaged_json(rng, [header["content"]])[0]
            with contextlib.suppress(KeyError, TypeError):
                header["crc32"] = json_tree.checksum(header["content"], arrays)
            path.write_bytes(safetensors.numpy.save(arrays, {io.KEY: json.dumps(header)}))
        try:
            model = TabularModel.load(path)
        except (ValueError, TypeError) as error:
            assert str(path) in str(error), error
            refused += 1
            continue
        with contextlib.suppress(ValueError):
            model.predict(table)
    assert refused > 40


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["architecture"].update(hidden=(10**9,)),
        lambda tree: tree["architecture"].update(hidden=(10**5, 10**5)),
        lambda tree: tree["architecture"].update(embedding="periodic", num_frequencies=10**9),
        lambda tree: tree["architecture"].update(embedding_dim=10**12),
        lambda tree: tree["architecture"].update(one_hot=0, category_dim=10**12),
        lambda tree: tree["architecture"].update(activation="Linear"),
        lambda tree: tree["architecture"].update(bins=None),
        lambda tree: tree["architecture"].update(bins=["x"]),
        lambda tree: tree["architecture"].update(bins=[{}] * 3),
        lambda tree: tree["architecture"].update(more=1),
        lambda tree: tree["architecture"].pop("sigma"),
        lambda tree: tree["weights"][0].pop("network.0.weight"),
        lambda tree: tree["weights"][0].update({"network.0.weight": pyml.zeros(2, 2)}),
        lambda tree: tree["weights"][0].update({"network.0.weight": 3}),
        lambda tree: tree["schema"]["columns"].pop(0),
        lambda tree: tree["schema"].update(task="regression"),
        lambda tree: tree["preprocessor"]["features"].pop(0),
        lambda tree: tree["preprocessor"]["categories"].pop(0),
        lambda tree: tree["target"].update(classes=["a", "b"]),
        lambda tree: tree.update(schema=3),
    ],
)
def test_hostile_trees_are_refused(change, content, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(content)
    tree = pyml.load(path)
    change(tree)
    pyml.save(tree, path)
    with pytest.raises(ValueError, match="x: is damaged"):
        TabularModel.load(path)
