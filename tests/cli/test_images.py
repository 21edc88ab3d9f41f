import os
import re
import signal
import subprocess
import sys

import pytest

import pyml
from helpers.idx_files import FAULTS, write_data_set
from pyml import cli

QUICK = ["--epochs", "2", "--hidden", "16", "--no-plot"]
ROW = re.compile(r" +\d+ +\d+\.\d{4} +\d+\.\d{4} +\d\.\d{4} +\d\.\d{6} +\d+\.\d{3}")


def train(out, *options):
    return cli.main(["train", "--out", str(out), *map(str, options)])


def one_line(text):
    """`text`, which must be one line that is not a traceback."""
    assert text.count("\n") == 1 and text.startswith("pyml"), text
    return text


@pytest.fixture
def no_progress_bar(monkeypatch):
    """stderr is not a terminal, whatever the tests were started from."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)


# ---- the main job --------------------------------------------------------------------------------


def test_the_main_job(tmp_path, capsys, no_progress_bar):
    pytest.importorskip("matplotlib")
    assert train(tmp_path) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "digits: 1,295 images to train, 143 to validate, 359 to test"
    assert len([line for line in lines if ROW.fullmatch(line)]) == cli.DIGITS.epochs
    accuracy = float(re.fullmatch(r"test accuracy (0\.\d{4})", lines[-1])[1])
    assert accuracy >= 0.975
    assert captured.err == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [cli.CURVES, cli.WEIGHTS]


def test_the_lines_that_load_it_do(tmp_path, capsys):
    train(tmp_path, *QUICK)
    printed = capsys.readouterr().out
    lines = [line.strip() for line in printed.splitlines() if line.startswith("    ")]
    lines = [line for line in lines if not ROW.fullmatch("    " + line)]
    names = {}
    exec("\n".join(line for line in lines if line[0].isalpha()), names)
    dataset = cli._digits()
    images, labels = dataset.test
    accuracy = (pyml.train.predict(names["model"], images).argmax(1) == labels.numpy()).mean()
    assert printed.splitlines()[-1] == f"test accuracy {accuracy:.4f}"
    assert names["model"].training is False


def test_parts_of_the_digits_are_disjoint_and_whole():
    dataset = cli._digits()
    rows = [tuple(row) for images, _ in dataset[1:] for row in images.numpy()]
    assert len(rows) == 1797
    assert sorted(rows) == sorted(tuple(row) for row in pyml.data.load_digits()[0].numpy())


def without_seconds(text):
    return [
        line.rsplit(maxsplit=1)[0] if ROW.fullmatch(line) else line for line in text.splitlines()
    ]


def test_same_seed_same_bits_for_any_thread_count(tmp_path, capsys):
    printed, weights = [], []
    for threads in (1, 2, 3):
        assert train(tmp_path, *QUICK, "--threads", threads) == 0
        printed.append(without_seconds(capsys.readouterr().out))
        weights.append((tmp_path / cli.WEIGHTS).read_bytes())
    assert printed[0] == printed[1] == printed[2]
    assert weights[0] == weights[1] == weights[2]


def test_another_seed_another_network(tmp_path):
    weights = []
    for seed in (1, 2):
        train(tmp_path, *QUICK, "--seed", seed)
        weights.append((tmp_path / cli.WEIGHTS).read_bytes())
    assert weights[0] != weights[1]


def test_options_are_heeded(tmp_path, capsys):
    options = ["--lr", "0.01", "--dropout", "0", "--batch-size", "2000"]
    assert train(tmp_path, "--epochs", 1, "--hidden", "7,5", "--no-plot", *options) == 0
    printed = capsys.readouterr().out
    assert "64-7-5-10, BatchNorm, ReLU, dropout 0;" in printed
    assert " 0.010000 " in printed
    shapes = {name: tuple(t.shape) for name, t in pyml.load(tmp_path / cli.WEIGHTS).items()}
    assert shapes["0.weight"] == (7, 64) and shapes["4.weight"] == (5, 7)


def test_out_is_made_and_its_files_are_replaced(tmp_path):
    out = tmp_path / "a" / "b"
    assert train(out, *QUICK) == 0
    (out / cli.WEIGHTS).write_text("old")
    (out / "mine.txt").write_text("mine")
    assert train(out, *QUICK) == 0
    assert "0.weight" in pyml.load(out / cli.WEIGHTS)
    assert sorted(os.listdir(out)) == ["mine.txt", cli.WEIGHTS]


def test_without_matplotlib_it_says_so_and_goes_on(tmp_path, capsys, monkeypatch, no_progress_bar):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert train(tmp_path, *QUICK[:-1]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert 'pip install "pyml-nn[plot]"' in captured.err
    assert captured.out.splitlines()[-1].startswith("test accuracy")
    assert os.listdir(tmp_path) == [cli.WEIGHTS]


# ---- Fashion-MNIST -------------------------------------------------------------------------------


def test_fashion_mnist(tmp_path, rng, capsys):
    write_data_set(tmp_path, rng)
    options = ["--epochs", 5, "--lr", "0.01"]
    assert train(tmp_path / "out", "--fashion-mnist", tmp_path, *QUICK, *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Fashion-MNIST: 180 images to train, 20 to validate, 50 to test"
    assert float(lines[-1].removeprefix("test accuracy ")) > 0.8


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_file_is_one_line_and_exit_code_2(tmp_path, rng, capsys, fault):
    write_data_set(tmp_path, rng)
    prefix, kind, spoil, message = FAULTS[fault]
    spoil(tmp_path, prefix, kind)
    out = tmp_path / "out"
    assert train(out, "--fashion-mnist", tmp_path) == 2
    captured = capsys.readouterr()
    assert message in one_line(captured.err)
    assert captured.out == ""
    assert not out.exists()


def test_a_missing_directory(tmp_path, capsys):
    assert train(tmp_path / "out", "--fashion-mnist", tmp_path / "absent") == 2
    assert "absent: is not a directory" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_too_few_images(tmp_path, rng, capsys, monkeypatch):
    monkeypatch.setitem(FAULTS["counts"][2].__globals__["ROWS"], "train", 10)
    write_data_set(tmp_path, rng)
    assert train(tmp_path / "out", "--fashion-mnist", tmp_path) == 2
    assert "10 training images are too few" in one_line(capsys.readouterr().err)


# ---- what can go wrong ---------------------------------------------------------------------------

BAD_OPTIONS = {
    "--epochs": ["0", "-1", "1.5", "many", str(2**31), "9" * 400, "9" * 5000],
    "--batch-size": ["0", "1", "x", str(2**31)],
    "--lr": ["0", "-1", "nan", "inf", "fast"],
    "--dropout": ["1", "-0.1", "nan", "x"],
    "--hidden": ["", "64,", "0", "64,-1", "a", "1" + "0" * 20],
    "--seed": ["-1", str(2**64), "x"],
    "--threads": ["0", "-2", str(2**31), "x"],
}


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option, values in BAD_OPTIONS.items() for value in (*values, "--")]
    + [("--out", "--"), ("--fashion-mnist", "--")],
    ids=lambda text: text[:20],
)
def test_a_bad_option_is_exit_code_2(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit) as caught:
        train(tmp_path, f"{option}={value}")
    assert caught.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"pyml train: error: argument {option}: ") and len(error) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [[], ["tarin"], ["train", "--epoch", "3"], ["train", "data.csv"]])
def test_what_it_does_not_know_is_exit_code_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_out_is_a_file(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("mine")
    assert train(path) == 2
    assert "file: File exists" in one_line(capsys.readouterr().err)
    assert path.read_text() == "mine"


def test_an_output_is_a_directory(tmp_path, capsys, no_progress_bar):
    (tmp_path / cli.WEIGHTS).mkdir()
    assert train(tmp_path, *QUICK) == 1
    assert cli.WEIGHTS in one_line(capsys.readouterr().err)
    assert os.listdir(tmp_path) == [cli.WEIGHTS]


def test_divergence_is_one_line_and_nothing_is_written(tmp_path, capsys, no_progress_bar):
    assert train(tmp_path, *QUICK, "--lr", "1e30") == 1
    error = one_line(capsys.readouterr().err)
    assert "loss is" in error and "learning rate 1e+30" in error
    assert not list(tmp_path.iterdir())


def test_too_much_memory_is_one_line(tmp_path, capsys, no_progress_bar):
    assert train(tmp_path, "--hidden", 10**15) == 1  # more bytes than there are addresses
    assert "not enough memory" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


# ---- as a process --------------------------------------------------------------------------------


@pytest.fixture
def start(interruptible):
    """start(arguments...): pyml as a process, which does not outlive the test."""
    processes = []

    def start(*argv):
        process = subprocess.Popen(
            [sys.executable, "-m", "pyml", *map(str, argv)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_version(start):
    process = start("--version")
    assert process.communicate() == (f"pyml {pyml.__version__}\n", "")
    assert process.returncode == 0


def test_info(start):
    process = start("info")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert re.search(r"^isa  +\w+$", out, re.MULTILINE)


def test_help_names_every_option(start):
    process = start("train", "--help")
    out, _ = process.communicate()
    for option in (*BAD_OPTIONS, "--out", "--no-plot", "--fashion-mnist"):
        assert option in out


def test_ctrl_c_is_one_line_and_nothing_is_written(tmp_path, start):
    process = start("train", "--epochs", 100000, "--out", tmp_path)
    while not process.stdout.readline().lstrip().startswith("1 "):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "pyml: interrupted\n")
    assert not list(tmp_path.iterdir())
