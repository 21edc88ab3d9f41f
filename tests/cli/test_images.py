"""pyml train without a table: digits, Fashion-MNIST."""

import json
import os
import re
import sys
from copy import deepcopy

import pytest

import pyml
from cli.conftest import one_line
from helpers.idx_files import FAULTS, write_data_set
from pyml.cli import images, main
from pyml.train import Callback

ROW = re.compile(r" +\d+ +\d+\.\d{4} +\d+\.\d{4} +\d\.\d{4} +\d\.\d{6} +\d+\.\d{3}")
QUICK = ["--epochs", "2", "--hidden", "16", "--no-plot"]


def train(out, *options):
    return main(["train", "--out", str(out), *map(str, options)])


# ---- the main job --------------------------------------------------------------------------------


def test_the_main_job(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert train(tmp_path) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "digits: 1,295 images to train, 143 to validate, 359 to test"
    assert len([line for line in lines if ROW.fullmatch(line)]) == images.DIGITS.epochs
    accuracy = float(re.fullmatch(r"test accuracy (0\.\d{4})", lines[-1])[1])
    assert accuracy >= 0.975
    assert captured.err == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [images.CURVES, images.WEIGHTS]


def test_the_lines_that_load_it_do(tmp_path, capsys):
    train(tmp_path, *QUICK)
    printed = capsys.readouterr().out
    lines = [line.strip() for line in printed.splitlines() if line.startswith("    ")]
    lines = [line for line in lines if not ROW.fullmatch("    " + line)]
    names = {}
    exec("\n".join(line for line in lines if line[0].isalpha()), names)
    pixels, labels = images.digits().test
    accuracy = (pyml.train.predict(names["model"], pixels).argmax(1) == labels.numpy()).mean()
    assert printed.splitlines()[-1] == f"test accuracy {accuracy:.4f}"
    assert names["model"].training is False


def test_parts_of_the_digits_are_disjoint_and_whole():
    dataset = images.digits()
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
        assert train(tmp_path, *QUICK, "--threads", threads, "--force") == 0
        printed.append(without_seconds(capsys.readouterr().out))
        weights.append((tmp_path / images.WEIGHTS).read_bytes())
    assert printed[0] == printed[1] == printed[2]
    assert weights[0] == weights[1] == weights[2]


def test_another_seed_another_network(tmp_path):
    weights = []
    for seed in (1, 2):
        train(tmp_path, *QUICK, "--seed", seed, "--force")
        weights.append((tmp_path / images.WEIGHTS).read_bytes())
    assert weights[0] != weights[1]


def test_options_are_heeded(tmp_path, capsys):
    options = ["--lr", "0.01", "--dropout", "0", "--batch-size", "2000"]
    assert train(tmp_path, "--epochs", 1, "--hidden", "7,5", "--no-plot", *options) == 0
    printed = capsys.readouterr().out
    assert "64-7-5-10, BatchNorm, ReLU, dropout 0;" in printed
    assert " 0.010000 " in printed
    shapes = {name: tuple(t.shape) for name, t in pyml.load(tmp_path / images.WEIGHTS).items()}
    assert shapes["0.weight"] == (7, 64) and shapes["4.weight"] == (5, 7)


def test_out_is_made_and_its_files_are_replaced_by_force_alone(tmp_path, capsys):
    out = tmp_path / "a" / "b"
    assert train(out, *QUICK) == 0
    (out / images.WEIGHTS).write_text("old")
    (out / "mine.txt").write_text("mine")
    capsys.readouterr()
    assert train(out, *QUICK) == 2
    assert "--force replaces it" in one_line(capsys.readouterr().err)
    assert (out / images.WEIGHTS).read_text() == "old"
    assert train(out, *QUICK, "--force") == 0
    assert "0.weight" in pyml.load(out / images.WEIGHTS)
    assert sorted(os.listdir(out)) == ["mine.txt", images.WEIGHTS]


def test_without_matplotlib_it_says_so_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert train(tmp_path, *QUICK[:-1]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert 'pip install "pyml-nn[plot]"' in captured.err
    assert captured.out.splitlines()[-1].startswith("test accuracy")
    assert os.listdir(tmp_path) == [images.WEIGHTS]


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


def test_out_is_a_file(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("mine")
    assert train(path) == 2
    assert "file: File exists" in one_line(capsys.readouterr().err)
    assert path.read_text() == "mine"


def test_an_output_is_a_directory(tmp_path, capsys):
    (tmp_path / images.WEIGHTS).mkdir()
    assert train(tmp_path, *QUICK, "--force") == 1
    assert images.WEIGHTS in one_line(capsys.readouterr().err)
    assert os.listdir(tmp_path) == [images.WEIGHTS]


def test_divergence_is_one_line_and_nothing_is_written(tmp_path, capsys):
    assert train(tmp_path / "a" / "b", *QUICK, "--lr", "1e30") == 1
    error = one_line(capsys.readouterr().err)
    assert "loss is" in error and "learning rate 1e+30" in error
    assert not list(tmp_path.iterdir())


def test_too_much_memory_is_one_line(tmp_path, capsys):
    assert train(tmp_path, "--hidden", 10**15) == 1  # more bytes than there are addresses
    assert "not enough memory" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_each_run_has_a_folder_of_its_own(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", *QUICK, "--quiet"]) == 0
    assert sorted(os.listdir("runs")) == ["digits", "digits-2"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    assert main(["train", *QUICK, "--force", "--json"]) == 0
    assert sorted(os.listdir("runs")) == ["digits", "digits-2"]
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == [f"runs/digits/{images.WEIGHTS}"]
    assert len(report["history"]) == 2 and 0 < report["test"]["accuracy"] <= 1


def test_ctrl_c_leaves_the_best_weights(tmp_path, capsys, monkeypatch):
    seen = []

    class Interrupt(Callback):  # in the first epoch that is worse than one before
        def on_epoch_end(self, epoch, logs=None):
            seen.append((logs.validation_loss, deepcopy(self.trainer.model.state_dict())))
            if logs.validation_loss > min(loss for loss, _ in seen):
                raise KeyboardInterrupt

    monkeypatch.setattr(images, "EpochLines", Interrupt)
    options = ["--epochs", 1000, "--hidden", 16, "--lr", 0.03, "--no-plot"]
    assert train(tmp_path, *options) == 130
    captured = capsys.readouterr()
    path = tmp_path / images.WEIGHTS
    assert f"interrupted; the best weights so far are in {path}" in one_line(captured.err)
    assert "test accuracy" in captured.out
    best = min(range(len(seen)), key=lambda i: seen[i][0])
    assert best < len(seen) - 1
    for name, value in pyml.load(path).items():
        assert value.equal(seen[best][1][name]), name


def test_ctrl_c_in_the_first_epoch_writes_nothing(tmp_path, capsys, monkeypatch):
    def fit(self, *data, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(images.Trainer, "fit", fit)
    assert train(tmp_path / "out", *QUICK) == 130
    assert "nothing was written" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
