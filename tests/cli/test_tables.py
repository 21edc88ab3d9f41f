"""From a table to a model and its predictions, by commands."""

import csv
import gzip
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cli.conftest import one_line
from pyml import tabular
from pyml.cli import main, predict, scores, splits, tables
from pyml.train import Callback

pytest.importorskip("pyarrow")

QUICK = ("--epochs", "2", "--hidden", "8", "--no-plot")
ROWS = 120
FILES = ["history.csv", "history.json", "model.safetensors", "model_card.md"]


def rows_of(count=ROWS, seed=0):
    """Houses, of which each task has a target."""
    rng = np.random.default_rng(seed)
    area, city = rng.uniform(30, 200, count), rng.integers(0, 3, count)
    return {
        "id": [f"h{i:05}" for i in range(count)],
        "area m²": area.round(1).tolist(),
        "Stadt": np.array(["Zürich", "Bern", "Basel"])[city].tolist(),
        "price": (5000 * area * (1 + city / 4)).round().tolist(),
        "rent": (12 * area + rng.normal(0, 50, count)).round(2).tolist(),
        "sold": np.array(["no", "yes"])[(area > 100).astype(int)].tolist(),
        "new": (area < 80).tolist(),
        "near": (city == 1).tolist(),
        "visits": rng.poisson(area / 40).tolist(),
    }


TASKS = {
    "regression": ["price"],
    "binary": ["sold"],
    "multiclass": ["Stadt"],
    "multilabel": ["new", "near"],
    "multioutput": ["price", "rent"],
    "counts": ["visits"],
}


def write(path, columns):
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        lines.writerows(zip(*columns.values(), strict=True))
    return path


def error_of(text):
    """The error, one line, below the warnings."""
    *warnings, error = text.splitlines()
    assert all(line.startswith("pyml: warning: ") for line in warnings), text
    return one_line(error + "\n")


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(scores, "RESAMPLES", 50)
    monkeypatch.setattr(scores, "FEWEST_RESAMPLES", 50)


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """The path of a table, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return write(Path("houses.csv"), rows_of())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder, path of the table) of a model of classes."""
    folder = tmp_path_factory.mktemp("trained")
    path = write(folder / "houses.csv", rows_of())
    words = ["train", path, "--target", "sold", "--drop", "id,price", *QUICK, "--quiet"]
    assert main([*words, "--out", folder / "run"]) == 0
    return folder / "run", path


# ---- train ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_each_task(task, houses, capsys):
    """What is printed, what is written, and that the other commands take it."""
    targets = [word for name in TASKS[task] for word in ("--target", name)]
    assert main(["train", houses, *targets, "--task", task, *QUICK]) == 0
    captured = capsys.readouterr()
    out = captured.out
    assert captured.err == ""
    assert f"task: {task} of {', '.join(TASKS[task])}" in out
    assert "77 rows to train on, 19 rows to validate on, 24 rows to test on" in out or (
        task in ("binary", "multiclass") and "rows to train on" in out
    )
    assert out.index("rows to train on") < out.index("epoch  train loss") < out.index("baseline")
    first = tabular.SCORES[task][0]
    assert out.splitlines()[-1].startswith(f"test {first} ")
    assert sorted(os.listdir("runs/houses")) == FILES
    card = Path("runs/houses/model_card.md").read_text("utf-8")
    for part in (task, "120 rows", "SHA-256", "seed 0", "NumPy", "area m²", first):
        assert part in card
    epochs = read("runs/houses/history.csv")
    assert [epoch["epoch"] for epoch in epochs] == ["1", "2"]
    assert len(json.loads(Path("runs/houses/history.json").read_text())) == 2

    commands = [line.split() for line in out.splitlines() if line.startswith("    pyml ")]
    assert [words[1] for words in commands] == ["predict", "evaluate", "inspect"]
    for words in commands:
        words = ["houses.csv" if word == "new.csv" else word for word in words]
        assert main(words[1:]) == 0
    assert len(read("predictions.csv")) == ROWS
    assert capsys.readouterr().err == ""


def test_kinds(houses, capsys):
    words = ["train", houses, "--target", "price", "--drop", "id", *QUICK, "--json"]
    assert main([*words, "--kind", "visits=category", "--kind", "rent=dropped"]) == 0
    inputs = json.loads(capsys.readouterr().out)["inputs"]
    assert inputs["visits"] == "category" and "rent" not in inputs and inputs["near"] == "boolean"


def test_the_test_rows_had_no_part_in_training(houses, capsys):
    """The scores are those of rows that fit() was not given."""
    words = ["train", houses, "--target", "price", "--drop", "id", "--seed", 3]
    assert main([*words, *QUICK, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    table = tabular.read(houses)
    parts = tabular.split(table, seed=3)
    train, validation, test = (table.take(part) for part in parts[:3])
    schema = tabular.Schema.infer(table, "price", drop=["id"])
    options = {"hidden": (8,), "epochs": 2, "seed": 3, "progress": False}
    fitted = tabular.fit(train, schema=schema, validation=validation, **options)
    model = tabular.TabularModel.load("runs/houses/model.safetensors")
    assert np.array_equal(model.predict(table), fitted.model.predict(table))
    found = {name: score["value"] for name, score in report["scores"].items()}
    assert found == pytest.approx(tabular.evaluate(fitted.model, test), rel=1e-12)
    base = {name: score["baseline"] for name, score in report["scores"].items()}
    assert base == pytest.approx(tabular.baseline(fitted.model, train, test))
    assert report["scored"] == "test" and report["validation"] == pytest.approx(fitted.scores)
    for score in report["scores"].values():
        assert score["low"] < score["value"] < score["high"]


@pytest.mark.parametrize("target", ["$_{a$", "k$_{", "目標"])
def test_names_in_pictures(target, tmp_path, capsys):
    """No formulas; letters that the font lacks are one line."""
    pytest.importorskip("matplotlib")
    columns = {"x": [x * x for x in range(30)], target: [x % 7 + 0.5 for x in range(30)]}
    path, out = write(tmp_path / "x.csv", columns), tmp_path / "run"
    words = ["train", path, "--target", target, "--epochs", 1, "--hidden", 4, "--quiet"]
    assert main([*words, "--out", out]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == target.count("目") and all("the font of the pictures" in x for x in lines)
    assert len(os.listdir(out)) == 6


def test_pictures(houses, capsys):
    pytest.importorskip("matplotlib")
    for target, picture in (
        ("price,rent", "predicted_against_true.png"),
        ("sold", "confusion_matrix.png"),
        ("new,near", "roc.png"),
    ):
        words = ["train", houses, "--target", target, "--epochs", 2, "--hidden", 8, "--quiet"]
        assert main([*words, "--out", picture, "--force"]) == 0
        assert sorted(os.listdir(picture)) == sorted([*FILES, "curves.png", picture])
        assert (Path(picture) / picture).read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


def test_without_matplotlib(houses, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ["train", houses, "--target", "price", "--epochs", 1, "--hidden", 8, "--quiet"]
    assert main(words) == 0
    assert 'pip install "pyml-nn[plot]"' in error_of(capsys.readouterr().err)
    assert sorted(os.listdir("runs/houses")) == FILES
    assert main([*words, "--plot"]) == 2
    assert 'pip install "pyml-nn[plot]"' in error_of(capsys.readouterr().err)
    assert os.listdir("runs") == ["houses"]


def test_the_same_seed_gives_the_same_bits(houses):
    models = []
    for seed, threads in ((1, 1), (1, 2), (2, 1)):
        words = ["--seed", seed, "--threads", threads, "--out", f"{seed}-{threads}", "--quiet"]
        assert main(["train", houses, "--target", "price", *QUICK, *words]) == 0
        models.append(Path(words[5], "model.safetensors").read_bytes())
    assert models[0] == models[1] != models[2]


def test_an_ensemble(houses, capsys):
    assert main(["train", houses, "--target", "price", *QUICK, "--ensemble", 2, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["network"]["members"] == 2
    epochs = read("runs/houses/history.csv")
    assert [epoch["member"] for epoch in epochs] == ["1", "1", "2", "2"]
    assert main(["inspect", "runs/houses", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == report["network"]["parameters"]


def test_nothing_is_replaced_without_force(houses, capsys):
    words = ["train", houses, "--target", "price", *QUICK, "--quiet", "--out", "run"]
    Path("run").mkdir()
    for name in ("model_card.md", "mine.txt"):
        Path("run", name).write_text("mine")
    assert main(words) == 2
    assert "run/model_card.md is there" in error_of(capsys.readouterr().err)
    assert sorted(os.listdir("run")) == ["mine.txt", "model_card.md"]
    assert main([*words, "--force"]) == 0
    assert Path("run/mine.txt").read_text() == "mine"
    assert sorted(os.listdir("run")) == sorted([*FILES, "mine.txt"])


def test_ctrl_c_leaves_the_best_model(houses, capsys, monkeypatch):
    class Interrupt(Callback):
        def __init__(self, every):
            pass

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(tables, "EpochLines", Interrupt)
    words = ["train", houses, "--target", "sold", "--hidden", 8, "--no-plot"]
    assert main(words) == 130
    captured = capsys.readouterr()
    assert "interrupted; the best model so far is in runs/houses" in one_line(captured.err)
    assert "stopped by Ctrl-C" in captured.out
    assert sorted(os.listdir("runs/houses")) == FILES
    assert tabular.TabularModel.load("runs/houses/model.safetensors").schema.task == "binary"


def test_ctrl_c_before_there_is_a_model(houses, capsys, monkeypatch):
    def fit(*data, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(tabular, "fit", fit)
    assert main(["train", houses, "--target", "sold", "--no-plot"]) == 130
    assert one_line(capsys.readouterr().err) == (
        "pyml train: interrupted; there was no model yet, nothing was written\n"
    )
    assert os.listdir() == ["houses.csv"]


# ---- splits --------------------------------------------------------------------------------------


def split_of(words, capsys):
    assert main(["train", "houses.csv", "--target", "price", *QUICK, "--json", *words]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out)["split"], captured.err


def test_a_file_says_the_split(houses, capsys):
    parts = {"train": list(range(80)), "validation": [90, 91], "test": [118, 119, 117]}
    Path("split.json").write_text(json.dumps(parts))
    words = ["train"] * 80 + [""] * 10 + ["val"] * 2 + [None] * 25 + ["test"] * 3
    write("split.csv", {"split": words, "other": words})
    sizes = {"train": 80, "validation": 2, "test": 3}
    for name in ("split.json", "split.csv"):
        found, _ = split_of(["--split-file", name], capsys)
        assert found == {"how": f"by {name}", **sizes}
    Path("split.json").write_text(json.dumps({"train": parts["train"], "test": parts["test"]}))
    found, _ = split_of(["--split-file", "split.json"], capsys)
    assert (found["train"], found["validation"], found["test"]) == (67, 13, 3)


def test_row_numbers_are_those_of_the_file(tmp_path, monkeypatch, capsys):
    """Also where rows without a target are left out."""
    monkeypatch.chdir(tmp_path)
    columns = rows_of()
    columns["price"][0] = columns["price"][100] = ""
    write("houses.csv", columns)
    parts = {"train": list(range(80)), "validation": [90, 91], "test": [100, 101, 119]}
    Path("split.json").write_text(json.dumps(parts))
    found, error = split_of(["--split-file", "split.json"], capsys)
    assert (found["train"], found["validation"], found["test"]) == (79, 2, 2)
    assert "price is missing in 2 of 120 rows" in error


def test_rows_without_a_target_are_in_no_part(capsys):
    columns = rows_of()
    columns["price"][:40] = [None] * 40
    table = tabular.Table(columns)
    schema = tabular.Schema.infer(table, "price", drop=["id"])
    given = dict.fromkeys(("groups", "time", "validation", "test", "split_file"))
    parts = splits.parts_of(table, schema, SimpleNamespace(**given, seed=0))
    assert sorted(np.concatenate(parts[:3])) == list(range(40, ROWS))
    assert [len(part) for part in parts[:3]] == [51, 13, 16]
    assert "price is missing in 40 of 120 rows" in one_line(capsys.readouterr().err)


def test_shares_groups_and_time(houses, capsys):
    found, _ = split_of(["--validation", 0.25, "--test", 0], capsys)
    assert (found["train"], found["validation"], found["test"]) == (90, 30, 0)
    found, _ = split_of(["--groups", "Stadt", "--validation", 0.34, "--test", 0.34], capsys)
    assert found["how"].startswith("by groups of Stadt")
    assert split_of(["--time", "visits"], capsys)[0]["how"] == "by time of visits"


BAD_SPLITS = {
    "{": "is no JSON",
    '{"a":' * 100_000: "is no JSON",
    "{}": "it must have train, validation, test",
    '{"train": [0], "dev": [1]}': "it must have train, validation, test",
    '{"train": [500]}': "train[0] is 500, rows are 0 to 119",
    '{"train": [1, 1]}': "row 1 is there twice",
    '{"train": [0.5]}': "it must be row numbers",
    '{"train": "all"}': "it must be row numbers",
    "split\ntrain\ntest\n": "has 2 rows, the table has 120",
    "split\n" + "tarin\n" * 120: "row 0 has 'tarin', it must be train, ",
    "a,b\n" + "train,1\n" * 120: "has no column split",
    "": "is empty",
}


@pytest.mark.parametrize("text", BAD_SPLITS, ids=lambda text: repr(text[:20]))
def test_a_wrong_split(text, houses, capsys):
    Path("split").write_text(text)
    words = ["train", houses, "--target", "price", "--split-file", "split", *QUICK, "--quiet"]
    assert main(words) == 2
    assert BAD_SPLITS[text] in error_of(capsys.readouterr().err)
    assert not Path("runs").exists()


def test_parts_without_rows_are_warned_of(tmp_path, capsys):
    path = write(tmp_path / "few.csv", {"x": [1, 2, 4], "y": [1.5, 2.5, 0.5]})
    out = ["--out", tmp_path / "run"]
    assert main(["train", path, "--target", "y", *QUICK, "--quiet", *out]) == 0
    assert capsys.readouterr().err == (
        "pyml: warning: of 3 rows none is left to validate on: nothing says when to stop\n"
    )
    words = ["--test", "0.1", "--validation", "0.4", "--force"]
    assert main(["train", path, "--target", "y", *QUICK, "--quiet", *out, *words]) == 0
    assert "none is left to test on: the scores are of rows that" in capsys.readouterr().err
    words = ["--test", "0", "--validation", "0.4", "--force"]
    assert main(["train", path, "--target", "y", *QUICK, "--quiet", *out, *words]) == 0
    assert capsys.readouterr().err == ""


# ---- predict, evaluate, inspect ------------------------------------------------------------------


def test_predictions(trained, tmp_path, capsys):
    run, path = trained
    out = tmp_path / "with blank.csv"
    words = ["predict", run, path, "-o", out, "--id", "id", "--id", "Stadt"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"wrote 120 rows to {out}\n"
    rows, columns = read(out), rows_of()
    assert list(rows[0]) == ["id", "Stadt", "prediction", "probability_no", "probability_yes"]
    assert [row["id"] for row in rows] == columns["id"]
    assert [row["Stadt"] for row in rows] == columns["Stadt"]
    model = tabular.TabularModel.load(run / "model.safetensors")
    assert [row["prediction"] for row in rows] == model.predict(path).tolist()
    shares = [[float(row[f"probability_{name}"]) for name in ("no", "yes")] for row in rows]
    assert np.array_equal(shares, model.predict_proba(path))

    assert main(words) == 2
    assert "there; --force replaces it" in one_line(capsys.readouterr().err)
    assert main([*words, "--force", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert read(out) == rows
    assert main([*words[:3], "--id", "id"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "id,prediction,probability_no,probability_yes"
    assert main([*words[:3], "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["prediction"] for line in lines] == [row["prediction"] for row in rows]
    assert os.listdir(tmp_path) == ["with blank.csv"]


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.bz2", ".zst", ".lz4"])
def test_compressed_predictions(trained, tmp_path, ending):
    run, path = trained
    plain, out = tmp_path / "plain.csv", tmp_path / f"out{ending}"
    for name in (plain, out):
        assert main(["predict", run, path, "-o", name, "--quiet"]) == 0
    assert out.read_bytes()[:2] != b"pr"
    wanted, found = tabular.read(plain), tabular.read(out)
    assert all((found[name] == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize("ending", [".parquet", ".csv.xz", ".xlsx", ".ZIP"])
def test_endings_that_are_not_written(trained, tmp_path, ending, capsys):
    run, path = trained
    assert main(["predict", run, path, "-o", tmp_path / f"out{ending}"]) == 2
    assert f"{ending.rpartition('.')[2].lower()} is not written" in error_of(
        capsys.readouterr().err
    )
    assert not [name for name in os.listdir(tmp_path) if "out" in name]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "x,y\n1,2\n1,3\n",
            [],
            "no column can be an input: 'x' (constant); give a column whose values differ",
        ),
        (
            "x,y\n" + "".join(f"{i},{i % 5}\n" for i in range(12)),
            [],
            "no column can be an input: 'x' (identifier); --kind COLUMN=category, or number, makes",
        ),
        ("x,y\n1,2\n1,2\n", [], "the target 'y' is 2 in every row"),
        (
            "x,y\n1,2\n2,3\n",
            ["--kind", "y=number"],
            "the target, it must not be in --kind or --drop; --task says",
        ),
        ("a title\nx,y\n1,2\n", [], "row 2 has 2 fields, the first has 1: 'x,y'; mend the file"),
    ],
)
def test_errors_in_the_words_of_the_command(text, options, words, tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert main(["train", path, "--target", "y", *options]) == 2
    error = error_of(capsys.readouterr().err)
    assert words in error and "Schema" not in error and "kinds" not in error


def test_identifiers_stay_as_they_are_written(trained, tmp_path, monkeypatch, capsys):
    """Also where they look like numbers, in every batch, and where the model reads them."""
    run, _ = trained
    written = ["7", "007", "1.50", "12345678901234567890", "", "1,5"] * 3
    columns = rows_of(len(written))
    path = write(tmp_path / "new.csv", {"number": written, **columns})
    monkeypatch.setattr(predict, "ROWS", 4)
    words = ["predict", run, path, "-o", tmp_path / "out.csv"]
    assert main(words) == 0
    predicted = [row["prediction"] for row in read(tmp_path / "out.csv")]
    for given in (["--id", "number,rent"], ["--id", "number", "--id", "rent", "--id", "rent"]):
        assert main([*words, *given, "--force"]) == 0
        rows = read(tmp_path / "out.csv")
        assert [row["number"] for row in rows] == written
        assert [row["rent"] for row in rows] == list(map(str, columns["rent"]))
        assert [row["prediction"] for row in rows] == predicted
    capsys.readouterr()
    assert main([*words[:3], "--id", "number", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["number"] for line in lines] == [text or None for text in written]


def test_nothing_is_printed_of_rows_that_are_refused(trained, tmp_path, capsys):
    run, _ = trained
    path = write(tmp_path / "new.csv", {**rows_of(3), "rent": ["1", "much", "2"]})
    assert main(["predict", run, path]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "column 'rent' has 'much' in row 1" in one_line(captured.err)


def test_large_files_are_streamed(trained, tmp_path, monkeypatch, capsys):
    """Batches are cut anywhere, and each is written before the next is read."""
    run, path = trained
    assert main(["predict", run, path, "-o", tmp_path / "whole.csv"]) == 0
    monkeypatch.setattr(predict, "ROWS", 7)
    sizes = []

    def columns_of(model, batch, real=predict.columns_of):
        sizes.append(batch.rows)
        return real(model, batch)

    monkeypatch.setattr(predict, "columns_of", columns_of)
    assert main(["predict", run, path, "-o", tmp_path / "cut.csv"]) == 0
    assert sizes == [7] * 17 + [1]
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    capsys.readouterr()


def test_tables_as_they_come(trained, tmp_path, capsys):
    """Columns in another order, without those that are not needed, compressed."""
    run, path = trained
    columns = rows_of()
    wanted = ["visits", "near", "new", "rent", "Stadt", "area m²"]
    write(tmp_path / "part.csv", {name: columns[name] for name in wanted})
    packed = tmp_path / "part.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "part.csv").read_bytes()))
    for source in (path, packed):
        assert main(["predict", run / "model.safetensors", source]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * (ROWS + 1) and lines[: ROWS + 1] == lines[ROWS + 1 :]


def test_evaluate(trained, tmp_path, capsys):
    run, path = trained
    assert main(["evaluate", run, path, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    model = tabular.TabularModel.load(run / "model.safetensors")
    found = {name: score["value"] for name, score in report["scores"].items()}
    assert found == pytest.approx(tabular.evaluate(model, path), rel=1e-12)
    columns = rows_of()
    columns["sold"][:5] = [""] * 5
    assert main(["evaluate", run, write(tmp_path / "some.csv", columns)]) == 0
    captured = capsys.readouterr()
    assert "115 rows; 5 without a target are left out" in captured.out
    assert captured.err == ""
    for name in tabular.SCORES["binary"]:
        assert name in captured.out


def test_intervals(trained, monkeypatch, capsys):
    """That of a share is nearly 1.96 sqrt(p (1 - p) / n) wide to each side."""
    monkeypatch.setattr(scores, "RESAMPLES", 400)
    monkeypatch.setattr(scores, "FEWEST_RESAMPLES", 400)
    run, path = trained
    assert main(["evaluate", run, path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]["accuracy"]
    share = found["value"]
    half = 1.96 * np.sqrt(share * (1 - share) / ROWS)
    assert found["low"] == pytest.approx(share - half, abs=0.25 * half)
    assert found["high"] == pytest.approx(share + half, abs=0.25 * half)


def test_one_class_has_no_roc(trained, tmp_path, capsys):
    run, _ = trained
    columns = {name: values[:3] for name, values in rows_of().items()}
    columns["sold"] = ["no"] * 3
    path = write(tmp_path / "few.csv", columns)
    assert main(["evaluate", run, path, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["scores"]["roc_auc"]["value"] is None
    assert captured.err == ""
    assert main(["evaluate", run, path]) == 0


def test_inspect(trained, capsys):
    run, _ = trained
    assert main(["inspect", run, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    model = tabular.TabularModel.load(run / "model.safetensors")
    assert report["parameters"] == sum(p.numel() for p in model.parameters())
    assert report["parameters"] == sum(layer["parameters"] for layer in report["layers"])
    last = report["layers"][-1]
    assert (last["layer"], last["output"]) == ("Linear", [2])
    assert last["flops"] == 2 * 8 * 2 + 2  # of a product and the bias
    assert report["classes"] == ["no", "yes"]
    assert report["inputs"]["Stadt"] == "category" and "price" not in report["inputs"]
    assert main(["inspect", run]) == 0
    text = capsys.readouterr().out
    assert "task: binary of sold" in text and f"{report['parameters']:,}" in text


def test_inspect_weights(tmp_path, capsys):
    words = ["train", "--epochs", 1, "--hidden", 4, "--no-plot", "--quiet", "--out", tmp_path]
    assert main(words) == 0
    assert main(["inspect", tmp_path]) == 0
    text = capsys.readouterr().out
    assert "4x64" in text and "0.weight" in text
    assert main(["predict", tmp_path, tmp_path / "x.csv"]) == 2
    assert "is no model of a table" in one_line(capsys.readouterr().err)


# ---- what can go wrong ---------------------------------------------------------------------------

REFUSALS = {
    "train absent.csv --target price": "absent.csv: No such file or directory",
    "train folder --target price": "folder: is a folder without Parquet files",
    "train houses.csv": "argument --target: which column is to be predicted? there are id, area m²",
    "train houses.csv --target prise": "there is no column 'prise'; did you mean 'price'?",
    "train houses.csv --target price --drop idd": "--drop: there is no column 'idd'; did you mean",
    "train houses.csv --target price --groups Stat": "--groups: there is no column 'Stat'",
    "train houses.csv --target price --drop price": "'price' is the target, it must not be in ",
    "train houses.csv --target price --kind visit=number": "there is no column 'visit'; did you",
    "train houses.csv --target price --kind visits=word": "kind is 'word', it must be 'number', ",
    "train houses.csv --target price --kind visits": "argument --kind: 'visits' must be ",
    "train houses.csv --target price --kind price=number": "'price' is the target",
    "train houses.csv --target id": "the target 'id' is identifier",
    "train houses.csv --target Stadt --task regression": "the target 'Stadt' is no number",
    "train houses.csv --target price --test 0.9 --validation 0.2": "together they must be below 1",
    "train houses.csv --target price --split-file absent": "absent: No such file or directory",
    "train houses.csv --target price --split-file houses.csv --test 0.1": "argument --test: ",
    "train picture.png --target price": "picture.png: ",
    "train empty.csv --target price": "empty.csv: is empty",
    "train one.csv --target a": "the table has 1 row, it must have two or more",
    "train ragged.csv --target a": "ragged.csv: row 3 has 3 fields, the first has 2",
    "predict RUN absent.csv": "absent.csv: No such file or directory",
    "predict absent houses.csv": "absent: No such file or directory",
    "predict . houses.csv": ".: has no model.safetensors; pyml train writes one",
    "predict houses.csv houses.csv": "houses.csv: ",
    "predict RUN one.csv": "'Stadt'",
    "predict RUN houses.csv --id ids": "--id: there is no column 'ids'; did you mean 'id'?",
    "predict RUN houses.csv -o houses.csv --force": "houses.csv is the table itself; -o names",
    "predict RUN houses.csv -o absent/out.csv": "No such file or directory",
    "predict RUN houses.csv -o .": "is a folder",
    "evaluate RUN nothing.csv": "nothing.csv: has no row with sold",
    "evaluate RUN lacking.csv": "'sold'",
    "inspect absent": "absent: No such file or directory",
    "inspect picture.png": "picture.png: ",
}


@pytest.mark.parametrize("words", REFUSALS, ids=str)
def test_refusals(words, trained, houses, capsys):
    """One line, exit code 2, and nothing is written."""
    run, _ = trained
    columns = rows_of(20)
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    Path("empty.csv").write_text("")
    Path("folder").mkdir()
    Path("one.csv").write_text("a,b\n1,2\n")
    Path("ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    write("lacking.csv", {name: v for name, v in columns.items() if name != "sold"})
    write("nothing.csv", {**columns, "sold": [""] * 20})
    before = sorted(os.listdir())
    words = [str(run) if word == "RUN" else word for word in words.split()]
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert REFUSALS[" ".join("RUN" if w == str(run) else w for w in words)] in one_line(
        captured.err
    )
    assert sorted(os.listdir()) == before


def test_an_error_in_the_middle_leaves_no_file(trained, tmp_path, monkeypatch, capsys):
    run, _ = trained
    monkeypatch.setattr(predict, "ROWS", 10)
    spoilt = tmp_path / "spoilt.csv"
    columns = rows_of()
    columns["area m²"][70] = "wide"
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert main(["predict", run, write(spoilt, columns), "-o", out, "--force"]) == 2
    assert "'area m²' has 'wide'" in one_line(capsys.readouterr().err)
    assert out.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "spoilt.csv"]


def test_gaps(trained, tmp_path, capsys):
    """What is missing is predicted from all the same, and stays missing among the ids, as text."""
    run, _ = trained
    columns = {name: values[:2] for name, values in rows_of().items()}
    columns |= {"number": [7.5, ""], "area m²": ["", ""], "Stadt": ["", "Chur"]}
    path = write(tmp_path / "gaps.csv", columns)
    words = ["predict", run, path, "--id", "number", "--id", "Stadt"]
    assert main([*words, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["number"], first["Stadt"]) == ("7.5", None)
    assert (second["number"], second["Stadt"]) == (None, "Chur")
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["7.5", ""], ["", "Chur"]]


def test_no_rows(trained, tmp_path, capsys):
    run, path = trained
    none = tmp_path / "none.csv"
    none.write_text(path.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    assert main(["predict", run, none]) == 0
    assert capsys.readouterr().out == "prediction,probability_no,probability_yes\n"


def test_a_pipe(trained, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words in (["train", pipe, "--target", "a"], ["predict", trained[0], pipe]):
        assert main(words) == 2
        assert "is a pipe" in one_line(capsys.readouterr().err)


def test_names_as_they_come(tmp_path, monkeypatch, capsys):
    """Blanks, a dash in front, control characters: in files, folders and columns."""
    monkeypatch.chdir(tmp_path)
    columns = {"a\x1b[31m|b": [i * 5 % 9 for i in range(30)], "x, y": [i % 7 for i in range(30)]}
    path = write("-a b ü.csv", columns)
    assert main(["train", f"./{path}", "--target", "x, y", "--task", "regression", *QUICK]) == 0
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "    pyml inspect 'runs/-a b ü'" in captured.out
    card = Path("runs/-a b ü/model_card.md").read_text("utf-8")
    assert "\\|b (number)" in card and "\x1b" not in card
    assert main(["train", f"./{path}", "--target", "x,y"]) == 2
    assert "there is no column 'x'" in one_line(capsys.readouterr().err)


def test_a_full_disk(trained, capsys):
    run, path = trained
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    assert main(["predict", run, path, "-o", "/dev/full"]) == 1
    assert one_line(capsys.readouterr().err) == (
        "pyml predict: error: /dev/full: No space left on device\n"
    )
