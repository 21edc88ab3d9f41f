"""The benchmarks' own machinery. Their figures are not tested; .ci/run starts every script."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent.parent))  # bench; last: pyml is the one under test

from bench import bfloat16, compare
from bench.networks import DIFFERENT, NETWORKS
from bench.quality import UNTUNED
from bench.sides import (
    first_losses,
    first_weights,
    numpy_step,
    pyml_step,
    recorded_run,
    recorded_step,
)

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path.stem for path in (ROOT / "bench").glob("*.py") if '"__main__"' in path.read_text()
)
PEERS = ("torch", "jax", "optax", "sklearn", "matplotlib", "pytest_benchmark")


def test_medians_take_turns():
    order = []
    sides = {"pyml": lambda: order.append("pyml"), "torch": lambda: order.append("torch")}
    compare.medians(sides, seconds=0, least=5)
    turns = [side for i, side in enumerate(order) if i == 0 or order[i - 1] != side]
    assert turns == ["pyml", "torch"] * (1 + 5)  # the first tells how many calls make a group


def test_medians_are_microseconds():
    times = compare.medians(
        {"short": lambda: time.sleep(0.001), "long": lambda: time.sleep(0.004)}, seconds=0.05
    )
    assert 1e3 < times["short"] < times["long"] < 1e5


def test_short_calls_are_timed_in_groups():
    calls = []
    times = compare.medians({"pyml": lambda: calls.append(None)}, seconds=0, least=1)
    assert len(calls) > 100
    assert 0 < times["pyml"] < 20


def test_a_call_of_many_steps_is_divided_by_them():
    sides = {"pyml": lambda: time.sleep(0.002), "pyml run": lambda: time.sleep(0.002)}
    times = compare.medians(sides, seconds=0, least=1, steps={"pyml run": 100})
    assert times["pyml"] > 2e3
    assert 20 < times["pyml run"] < 1e3


def test_load_of_others_is_reported(monkeypatch, capsys):
    used = iter([0.0, 1000.0, 0.0, 0.0])
    monkeypatch.setattr(compare, "used_by_others", lambda: next(used))
    monkeypatch.setattr(compare, "LOAD_SECONDS", 0.0)
    compare.medians({"pyml": lambda: None}, seconds=0, least=1)
    assert "not a fair row" in capsys.readouterr().err
    compare.medians({"pyml": lambda: None}, seconds=0, least=1)
    assert capsys.readouterr().err == ""


def test_ratio_is_of_the_best_peer():
    times = {"pyml": 2.0, "pyml recorded": 1.0, "torch": 8.0, "jax": 5.0}
    assert compare.ratio(times) == 2.5
    assert compare.ratio(times, "pyml recorded") == 5.0
    assert compare.ratio({"pyml": 2.0}) is None
    assert compare.ratio({"torch": 8.0}) is None


def test_results_within_tolerance_agree():
    compare.agree("y", {"pyml": [1.0, 100.0], "torch": [1.0001, 100.01]}, rtol=2e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([1.0, 2.1, 3.0], r"y: 1 of 3 numbers differ, the first at \(1,\): pyml 2.0, torch 2.1"),
        ([1.0, np.nan, 3.0], "torch nan"),
        ([1.0, np.inf, 3.0], "torch inf"),
        ([1.0, 2.0], r"shapes differ: pyml \(3,\), torch \(2,\)"),
    ],
)
def test_a_wrong_result_ends_the_comparison(wrong, message):
    with pytest.raises(SystemExit, match=message):
        compare.agree("y", {"pyml": [1.0, 2.0, 3.0], "torch": wrong}, rtol=1e-3)


def test_nan_agrees_with_nothing():
    with pytest.raises(SystemExit, match="nan"):
        compare.agree("y", {"pyml": [np.nan], "torch": [np.nan]}, rtol=1e-3)


def rows_of_this_process(options):
    yield {"processors": len(os.sched_getaffinity(0)), "omp": os.environ["OMP_NUM_THREADS"]}
    if options == "wrong":
        sys.exit("wrong")


def test_rows_come_from_a_process_with_the_threads():
    affinity = os.sched_getaffinity(0)
    assert list(compare.with_threads(1, rows_of_this_process, None)) == [
        {"processors": 1, "omp": "1"}
    ]
    assert os.sched_getaffinity(0) == affinity


def test_an_error_in_the_process_ends_the_script():
    with pytest.raises(SystemExit) as error:
        list(compare.with_threads(1, rows_of_this_process, "wrong"))
    assert error.value.code == 1


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_an_epoch_has_the_rows_of_the_batches(network):
    assert network.epoch % DIFFERENT == 0
    x, target = network.data(2 * DIFFERENT)
    batches = network.batches()
    for first in range(0, len(x), network.batch):
        rows = slice(first, first + network.batch)
        for part, wanted in zip(next(batches), (x[rows], target[rows]), strict=True):
            np.testing.assert_array_equal(part, wanted)
    assert not np.array_equal(x[: network.batch], x[network.batch : 2 * network.batch])


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_a_step_of_numpy_is_a_step_of_pyml(name):
    network = NETWORKS[name]
    weights = first_weights(network)
    ours, theirs = (
        first_losses(make(network, weights), 2 * DIFFERENT) for make in (pyml_step, numpy_step)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert sum(ours[DIFFERENT:]) < sum(ours[:DIFFERENT])


@pytest.mark.parametrize("name", ["tiny", "deep"])
def test_recorded_sides_make_the_steps_of_the_eager_one(name):
    network = NETWORKS[name]._replace(epoch=2 * DIFFERENT)
    weights = first_weights(network)
    eager, recorded, run = (
        first_losses(make(network, weights), 3 * DIFFERENT)
        for make in (pyml_step, recorded_step, recorded_run)
    )
    assert recorded == run == eager


def test_first_losses_are_of_steps_and_of_epochs():
    assert first_losses(lambda: np.float32(2.0), 3) == [2.0, 2.0, 2.0]
    assert first_losses(lambda: np.arange(4.0), 3) == [0.0, 1.0, 2.0]
    assert first_losses(lambda: None, 3) == []


def test_every_preset_of_the_estimators_has_an_untuned_row():
    presets = pytest.importorskip("pyml.estimators.tabular").PRESETS.values()
    untuned = {row.recipe for row in UNTUNED.values() if not row.options}
    assert {options.get("recipe") for options in presets} <= untuned


def test_the_networks_of_bfloat16_are_fitted(rng, tmp_path):
    """On a made table of the columns of diamonds, which .ci/run has no file of."""
    path, n = tmp_path / "diamonds.csv", 150
    numbers = {name: rng.random(n) for name in ("carat", "depth", "table", "x", "y", "z")}
    texts = {name: rng.choice(list("abc"), n) for name in ("cut", "color", "clarity")}
    columns = {**numbers, **texts, "price": 1000 + rng.random(n)}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *lines]))
    score = bfloat16.diamonds(SimpleNamespace(diamonds=path, quick=True))
    assert 0 < score(0) < 100


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_no_peer(script, tmp_path):
    run = (
        "import runpy, sys\n"
        f"sys.path.append({str(ROOT)!r})\n"  # last, as above
        f"sys.modules.update(dict.fromkeys({PEERS}))\n"
        "sys.argv.append('--help')\n"
        f"runpy.run_module('bench.{script}', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", run]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--quick" in result.stdout
