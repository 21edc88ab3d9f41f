"""Words that are none, and what goes wrong around a command: one line, and an exit code."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys

import pytest

import pyml
from cli.conftest import one_line
from pyml.cli import main

BAD_OPTIONS = {
    "--epochs": ["0", "-1", "1.5", "many", str(2**31), "9" * 400, "9" * 5000],
    "--batch-size": ["0", "1", "x", str(2**31)],
    "--lr": ["0", "-1", "nan", "inf", "fast"],
    "--dropout": ["1", "-0.1", "nan", "x"],
    "--hidden": ["", "64,", "0", "64,-1", "a", "1" + "0" * 20],
    "--seed": ["-1", str(2**64), "x"],
    "--threads": ["0", "-2", str(2**31), "x"],
    "--validation": ["0", "1", "-0.1", "nan", "x"],
    "--test": ["1", "-0.1", "nan", "x"],
    "--max-seconds": ["0", "-1", "nan", "inf"],
    "--ensemble": ["0", "-1", "1.5", "1001"],
    "--task": ["guess", ""],
}


TEXTS = ("--out", "--fashion-mnist", "--target", "--drop", "--kind")
PARSER = argparse.ArgumentParser()
PARSER.add_argument("--out")
NO_TEXTS = ["--"] if PARSER.parse_args(["--out=--"]).out != "--" else []  # before Python 3.13


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, values in BAD_OPTIONS.items() for value in (*values, "--")]
    + [(option, value) for option in TEXTS for value in NO_TEXTS],
    ids=lambda text: text[:20],
)
def test_a_bad_option_is_exit_code_2(tmp_path, monkeypatch, capsys, option, value):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["train", f"{option}={value}"])
    assert caught.value.code == 2
    error = one_line(capsys.readouterr().err)
    assert error.startswith(f"pyml train: error: argument {option}: ") and len(error) < 250
    assert not list(tmp_path.iterdir())


WORDS = {
    "": "pyml: error: the following arguments are required: command",
    "tarin": "pyml: error: there is no command 'tarin'; did you mean 'train'?",
    "train --epoch 3": "pyml train: error: there is no option --epoch; did you mean '--epochs'?",
    "train --epoch=3": "pyml train: error: there is no option --epoch; did you mean '--epochs'?",
    "train a.csv b.csv": "pyml train: error: there is no place for 'b.csv'",
    "train --target price": "pyml train: error: argument --target: is for tables; give one, as "
    "pyml train data.csv --target ...",
    "train a.csv --dropout 0": "pyml train: error: argument --dropout: is for images, and a.csv is "
    "a table",
    "predict": "pyml predict: error: the following arguments are required: DIR, TABLE",
    "predict a b --ids c": "pyml predict: error: there is no option --ids; did you mean '--id'?",
    "bench tinny": "pyml bench: error: argument NETWORK: there is no 'tinny'; there are tiny, "
    "small, tabular, fashion, wide, deep",
    "train -- --epochs 3": "pyml train: error: there is no place for '3'",
    "train --plots": "pyml train: error: there is no option --plots; did you mean '--plot'?",
}


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_what_it_does_not_know_is_one_line(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    captured = capsys.readouterr()
    assert (caught.value.code, captured.out) == (2, "")
    assert captured.err == WORDS[words] + "\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", [*BAD_OPTIONS, "--out", "--no-plot", "--fashion-mnist", "--target", "--force"]),
        ("train", ["--drop", "--kind", "--split-file", "--json", "--quiet", "--groups", "--time"]),
        ("predict", ["--output", "--id", "--force", "--json", "--quiet", "DIR", "TABLE"]),
        ("evaluate", ["--json", "DIR", "TABLE"]),
        ("inspect", ["--json", "DIR"]),
        ("bench", ["--json", "--seconds", "--threads", "NETWORK"]),
        ("info", ["--json"]),
    ],
)
def test_help_names_every_option(command, options, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert [option for option in options if option not in text] == []


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in ("train", "predict", "evaluate", "inspect", "bench", "info"):
        assert re.search(rf"^ +{command}  ", text, re.MULTILINE)


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"pyml {pyml.__version__}\n")


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^isa  +\w+$", text, re.MULTILINE)
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pyml"] == pyml.__version__ and found["isa"] in found["isas available"]


def test_info_says_which_extra_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("pyml.cli.info.find_spec", lambda name: None if name == "pandas" else 1)
    main(["info"])
    text = capsys.readouterr().out
    assert re.search(
        r'^extra table +no pandas: pip install "pyml-nn\[table\]"$', text, re.MULTILINE
    )
    assert re.search(r"^extra plot +installed$", text, re.MULTILINE)


def test_bench(capsys):
    assert main(["bench", "tiny", "small", "--seconds", "0.01"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("tiny", "small")] == ["tiny", "small"]
    assert main(["bench", "tiny", "--seconds", "0.01", "--json"]) == 0
    [network] = json.loads(capsys.readouterr().out)["networks"]
    assert network["widths"] == [4, 32, 32, 1] and network["batch"] == 32
    assert 0 < network["microseconds"] < 1e6
    rate = network["batch"] / network["microseconds"] * 1e6
    assert network["rows_per_second"] == pytest.approx(rate)
    assert 0 < network["gflops"] < 1e4


# ---- as a process --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["pyml", "-m pyml"])
def test_an_isa_that_is_none(command, monkeypatch):
    """The command's words are seen where `pyml` is imported, before there is a main()."""
    program = "import sys; sys.argv[0] = '/usr/bin/pyml'; import pyml"
    words = ["-m", "pyml", "info"] if command == "-m pyml" else ["-c", program]
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYML_ISA": "foo"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "PYML_ISA: ISA 'foo' is unknown" in one_line(done.stderr)


def test_an_isa_that_is_none_is_an_import_error_in_python():
    done = subprocess.run(
        [sys.executable, "-c", "import pyml"],
        env={**os.environ, "PYML_ISA": "foo"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "\nImportError: PYML_ISA" in done.stderr


def test_a_closed_pipe(start):
    read, write = os.pipe()
    os.close(read)
    process = start("info", stdout=write)
    os.close(write)
    _, error = process.communicate(timeout=60)
    assert one_line(error) == "pyml info: error: standard output: Broken pipe\n"
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk(start):
    with open("/dev/full", "w") as full:
        process = start("info", stdout=full)
        _, error = process.communicate(timeout=60)
    assert one_line(error).endswith("error: standard output: No space left on device\n")
    assert process.returncode == 1


def test_ctrl_c(tmp_path, start):
    process = start("train", "--epochs", 100000, "--out", tmp_path, "--no-plot")
    while not process.stdout.readline().lstrip().startswith("1 "):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    path = tmp_path / "model.safetensors"
    assert one_line(error) == (f"pyml train: interrupted; the best weights so far are in {path}\n")
    assert process.returncode == 130
    assert out.splitlines()[-1].startswith("test accuracy")
    assert "0.weight" in pyml.load(path)
