"""The examples of the pages run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def blocks(page):
    """(first line, text) of each Python block."""
    text = (ROOT / page).read_text()
    return [
        (text.count("\n", 0, found.start(1)), found[1])
        for found in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    ]


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


def test_readme(run):
    _, printed = run("README.md")
    accuracy = float(re.search(r"\d\.\d+", printed)[0])
    assert 0.9 < accuracy <= 1


def test_second_order(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/second_order.md")
    text = (ROOT / "docs/second_order.md").read_text()
    wanted = re.findall(r"^print\(.*\)  # (.*)$", text, re.M)
    lines = printed.splitlines()
    assert [line for line in wanted if line not in lines] == ["a gradient for each row"]


def test_training(run):
    """What a comment behind print says is what is printed."""
    _, printed = run("docs/training.md")
    text = (ROOT / "docs/training.md").read_text()
    wanted = re.findall(r"^ *print\(.*\)  # (.*)$", text, re.M)
    lines = printed.splitlines()
    assert len(wanted) > 5 and [line for line in wanted if line not in lines] == ["labels"]


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
