"""The examples of the pages run as they stand."""

import json
import re
import shlex
import subprocess
import threading
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import pyml
from pyml import distributed, nn, optim
from pyml.cli import main
from pyml.tabular import RECIPES
from pyml.train import Member

ROOT = Path(__file__).parent.parent


def blocks(page):
    """(first line, text) of each Python block."""
    text = (ROOT / page).read_text()
    return [
        (text.count("\n", 0, found.start(1)), found[1])
        for found in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    ]


def commands(page):
    """The words of each pyml command in the blocks of a page, without pyml."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    lines = re.findall(r"^pyml .*", "".join(blocks), re.M)
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """run(page): executes its blocks in a folder of their own; (their names, what they print)."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)

    def run(page):
        names = {"__name__": "__main__"}
        for line, text in blocks(page):
            # an exception then shows the line of the page
            exec(compile("\n" * line + text, str(ROOT / page), "exec"), names)
        return names, capsys.readouterr().out

    return run


def test_many(run, tmp_path):
    """Its members, and that its lone run is one of them."""
    names, _ = run("docs/many.md")
    images, labels, lone = names["images"], names["labels"], names["history"]
    member = Member(names["net"], partial(optim.Adam, lr=1e-2), seed=3)
    options = {"loss": nn.CrossEntropyLoss(), "epochs": 5, "batch_size": 64, "validation": 0.2}
    [found] = pyml.fit_many([member], images, labels, **options)
    assert [epoch["train_loss"] for epoch in found.history] == lone.column("train_loss").tolist()
    assert (tmp_path / "ensemble.safetensors").exists() and len(names["best"]) == 3
    assert names["tuning"].best.epochs == 4


def test_readme(run, monkeypatch, capsys):
    """The examples, after the training of the table, which is shortened; what is served."""
    pytest.importorskip("pyarrow")
    exec(blocks("docs/command_line.md")[0][1], {})
    [words] = [words for words in commands("README.md") if words[:2] == ["train", "houses.csv"]]
    assert main([*words, "--epochs", "1", "--no-plot", "--quiet"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(HTTPServer, "__init__", lambda self, address, handler: None)
        patch.setattr(HTTPServer, "serve_forever", lambda self: None)
        names, printed = run("README.md")
    accuracy = float(re.search(r"\d\.\d+", printed)[0])
    assert 0.9 < accuracy <= 1

    rows = re.search(r"^curl .* '(.*)'$", (ROOT / "README.md").read_text(), re.M)[1]
    with HTTPServer(("127.0.0.1", 0), names["Predict"]) as server:
        threading.Thread(target=server.handle_request).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with urlopen(address, rows.encode(), timeout=60) as answer:
            predicted = json.loads(answer.read())
        for wrong in ('"/etc/passwd"', '[{"area": 1}]', "{"):
            threading.Thread(target=server.handle_request).start()
            with pytest.raises(HTTPError, match="400") as refused:
                urlopen(address, wrong.encode(), timeout=60)
            refused.value.close()
    assert predicted == names["model"].predict(json.loads(rows)).tolist()


def test_command_line(run, capsys):
    """Blocks and commands in the order of the page; what it says of the table is printed."""
    pytest.importorskip("onnx")
    pytest.importorskip("pyarrow")
    text, names = (ROOT / "docs/command_line.md").read_text(), {}
    for part in re.findall(r"^```(?:python|sh)\n(.*?)^```", text, re.M | re.S):
        lines = [line for line in part.splitlines() if line.startswith("pyml ")]
        for line in lines:
            assert main(shlex.split(line)[1:]) == 0
        if not lines:
            exec(part, names)
    captured = capsys.readouterr()
    assert captured.err == ""
    printed = captured.out.splitlines()
    shown = re.search(r"^600 rows.*?(?=^```)", text, re.M | re.S)[0].splitlines()
    shown += re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    assert len(shown) == 13 and [line for line in shown if line not in printed] == []


def test_second_order(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/second_order.md")
    text = (ROOT / "docs/second_order.md").read_text()
    wanted = re.findall(r"^print\(.*\)  # (.*)$", text, re.M)
    lines = printed.splitlines()
    assert [line for line in wanted if line not in lines] == ["a gradient for each row"]


def test_estimators(run):
    """What a comment behind print says is what is printed."""
    pytest.importorskip("sklearn")
    _, printed = run("docs/estimators.md")
    text = (ROOT / "docs/estimators.md").read_text()
    wanted = re.findall(r"^print\(.*\)  # (.*)$", text, re.M)
    assert len(wanted) == 6 and printed.splitlines() == wanted


def test_training(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/training.md")
    text = (ROOT / "docs/training.md").read_text()
    wanted = re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    lines = printed.splitlines()
    assert len(wanted) > 5 and [line for line in wanted if line not in lines] == ["labels"]


def test_tables(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/tables.md")
    text = (ROOT / "docs/tables.md").read_text()
    wanted = re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    lines = printed.splitlines()
    said = "the scores of rows that were kept apart, beside those of the mean"
    assert len(wanted) > 4 and [line for line in wanted if line not in lines] == [said]


def test_published_networks(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/tabular.md")
    text = (ROOT / "docs/tabular.md").read_text()
    wanted = re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    assert len(wanted) > 1 and not set(wanted) - set(printed.splitlines())
    assert all(f"`{name}`" in text for name in RECIPES)


def test_recording(run, tmp_path):
    names, printed = run("docs/recording.md")
    text = (ROOT / "docs/recording.md").read_text()
    shape = re.search(r"scores = .*# (\(.*\))", text)[1]
    assert str(tuple(names["scores"].shape)) == shape
    assert names["losses"].shape == (10 * 29,)
    assert {path.name for path in tmp_path.iterdir()} == {"run.checkpoint", "diagnostics.png"}
    assert len(re.findall(r"^epoch \d+: loss \d+\.\d{4}$", printed, re.M)) == 10
    message = re.search(r"print\(error\)\s+# (.*)", text)[1]
    wanted = re.escape(message).replace(re.escape("..."), ".*")
    [refused] = re.findall(r"^record: .*$", printed, re.M)
    assert re.fullmatch(wanted, refused)
    line = 1 + text[: text.index("if x.sum() > 0:")].count("\n")
    assert f"recording.md:{line}" in refused


def test_scaling(run):
    try:
        names, _ = run("docs/scaling.md")
    finally:
        if distributed.is_initialized():  # where a block has failed
            distributed.destroy_process_group()
    assert names["losses"][-1] < names["losses"][0]
    assert Path("digits.safetensors").exists() and len(names["history"]) == 3


@pytest.mark.filterwarnings("ignore:autocast. this processor")
def test_bfloat16(run):
    names, _ = run("docs/bfloat16.md")
    assert names["losses"][-1] < names["losses"][0]
    assert names["model"][0].weight.grad.dtype == names["loss"].dtype == pyml.float32
    assert not pyml.is_autocast_enabled()


def test_exporting(run, tmp_path):
    """Its C, too, is compiled, beside the file that its Python wrote, and passes its self-test."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    names, printed = run("docs/exporting.md")
    text = (ROOT / "docs/exporting.md").read_text()
    [program] = re.findall(r"^```c\n(.*?)^```", text, re.M | re.S)
    (tmp_path / "main.c").write_text(program)
    subprocess.run(shlex.split("cc -std=c99 -Wall -Werror main.c -o main -lm"), check=True)
    subprocess.run([tmp_path / "main"], check=True)
    assert "def predict(x):" in printed
    costs = re.search(r"^Of these 397 digits (\S+) % .* by up to (\S+) of", text, re.M)
    assert names["small"].loss_before == pytest.approx(float(costs[1]) / 100, abs=0.02)
    assert names["small"].loss == pytest.approx(names["small"].loss_before, abs=0.01)
    assert names["small"].error == pytest.approx(float(costs[2]), rel=0.5)
    assert names["small"].weight_bytes < 0.4 * names["written"].weight_bytes


WITH_A_TEST = {  # of its own, above
    *("bfloat16", "command_line", "estimators", "exporting", "many", "recording", "scaling"),
    *("second_order", "tables", "tabular", "training"),
}
PAGES = sorted({path.stem for path in (ROOT / "docs").glob("*.md")} - WITH_A_TEST)
NEEDS = {"from_scikit_learn": "sklearn", "start": "pyarrow"}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(f"docs/{page}.md")])
def test_pages(run, page, capsys):
    """Commands run, then blocks; what comments behind print say is printed, in their order."""
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    for words in commands(f"docs/{page}.md"):
        assert main(words) == 0
    _, printed = run(f"docs/{page}.md")
    text = (ROOT / f"docs/{page}.md").read_text()
    wanted = re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    lines = iter(printed.splitlines())  # `in` goes on where the last one was found
    assert printed and [line for line in wanted if line not in lines] == []


def test_every_script_is_in_the_gallery():
    text = (ROOT / "docs/gallery.md").read_text()
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"shown"}
    assert scripts == {*re.findall(r"\(lecture/(\w+)\.png\)", text)}
    assert scripts == {*re.findall(r"\(\.\./examples/(\w+)\.py\)", text)}


def test_blocks_of_python_that_do_not_run_here():
    """Those of Optuna, Dask and Ray, which `make machines` tries, are marked py."""
    marked = [path.stem for path in (ROOT / "docs").glob("*.md") if "```py\n" in path.read_text()]
    assert marked == ["many"]
