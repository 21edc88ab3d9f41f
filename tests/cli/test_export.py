"""pyml export: from a file of a model to others."""

import json
import subprocess
import sys

import numpy as np
import pytest

import pyml
from cli.conftest import one_line
from cli.test_tables import QUICK, rows_of, write
from pyml import export, nn, tabular
from pyml.cli import main
from pyml.train import mlp

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a table, and a model of it in runs."""
    folder = tmp_path_factory.mktemp("export")
    table = write(folder / "houses.csv", rows_of())
    assert (
        main(["train", table, "--target", "price", "--out", folder / "run", "--quiet", *QUICK]) == 0
    )
    return folder


def test_a_table_to_every_format(run, capsys):
    pytest.importorskip("onnx")
    model = tabular.TabularModel.load(run / "run/model.safetensors")
    for name in ("a.h", "a.onnx", "net.py", "a.pt", "a.safetensors", "b.npz"):
        rows = ["--data", run / "houses.csv"] if name in ("a.h", "a.onnx", "net.py") else []
        assert main(["export", run / "run", run / name, *rows]) == 0
        assert f"wrote {run / name}" in capsys.readouterr().out
    state = model.state_dict()
    for made in (
        export.load_torch(run / "a.pt"),
        pyml.load(run / "a.safetensors"),
        export.load_npz(run / "b.npz"),
    ):
        assert all((made[key] == state[key]).all() for key in state)
    assert "#define A_WEIGHT_BYTES" in (run / "a.h").read_text()
    code = (
        "import numpy as np, net; given = {'Stadt': np.array(['Bern', 'Basel'], object)}; "
        "names = net.predict.__code__.co_varnames[: net.predict.__code__.co_argcount]; "
        "print(*net.predict(*[given.get(n, np.zeros(2)) for n in names]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=run, capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.split()) == 2, done.stderr


def test_int8_names_and_json(run, capsys):
    words = ["--int8", "--data", run / "houses.csv", "--name", "house", "--json", "--to", "c"]
    assert main(["export", run / "run", run / "small.txt", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "c" and told["files"] == [str(run / "small.txt")]
    assert "house_predict(" in (run / "small.txt").read_text()


def test_weights_checkpoints_and_files_of_others(run, capsys):
    pytest.importorskip("onnx")
    model = mlp(6, (5, 4), 3, 0.2)
    pyml.save(model.state_dict(), run / "weights.safetensors")
    pyml.save_checkpoint(run / "checkpoint.safetensors", model=model)
    export.save_torch(model.state_dict(), run / "weights.pt")
    export.save_npz(model.state_dict(), run / "weights.npz")
    for source in ("weights.safetensors", "checkpoint.safetensors", "weights.pt", "weights.npz"):
        assert main(["export", run / source, run / "out.onnx", "--force", "--quiet"]) == 0
        x = np.ones((2, 6), np.float32)
        made = export.load_onnx(run / "out.onnx")
        with pyml.no_grad():
            np.testing.assert_allclose(
                made(pyml.tensor(x)), model.eval()(pyml.tensor(x)), atol=1e-5
            )
    assert main(["export", run / "out.onnx", run / "again.h", "--quiet"]) == 0
    assert "AGAIN_INPUTS 6" in (run / "again.h").read_text()
    assert capsys.readouterr().out == ""


def test_what_is_refused(run, capsys):
    (run / "there.h").write_text("mine")
    pyml.save(nn.Linear(2, 2).state_dict(), run / "linear.safetensors")
    pyml.save({"epoch": 1}, run / "nothing.safetensors")
    model = run / "run"
    for words, said in (
        ((model, run / "x.bin"), "argument --to: the name"),
        ((model, run / "there.h"), "there.h is there; --force replaces it"),
        ((model, run / "x.pt", "--int8"), "argument --int8: is for c, the format is torch"),
        ((model, run / "x.h", "--int8"), "--int8: needs --data"),
        ((model, run / "x.h", "--opset", "17"), "--opset: is for onnx"),
        ((run / "linear.safetensors", run / "x.h"), "holds weights alone"),
        ((run / "nothing.safetensors", run / "x.pt"), "holds no weights"),
        ((run / "none", run / "x.h"), "none"),
        ((model, run / "x.h", "--data", run / "none.csv"), "none.csv"),
    ):
        assert main(["export", *words]) == 2
        assert said in one_line(capsys.readouterr().err)
    assert (run / "there.h").read_text() == "mine"
    assert not list(run.glob("x.*"))
