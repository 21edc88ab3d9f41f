"""The scripts of the lecture: what they claim holds, and the page says what they print.

At a small size each script runs here; at its full size, as the page shows it, if
PYML_TEST_LECTURE=1 (`make test-all`), in a process with PYML_ISA=baseline, whose bits are those of
every x86-64.
"""

import importlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "lecture.md"
BLOCK = re.compile(r"^```text\n\$ python examples/(\w+)\.py\n(.*?)^```", re.M | re.S)
SCRIPTS = sorted(path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "shown")

# ---- claims --------------------------------------------------------------------------------------


def linear_layers(numbers):
    line, stacked, bent, same = numbers.values()
    assert stacked > 0.98 * line and bent < 0.1 * line and same == "True"


def vanishing_gradients(numbers):
    sigmoid, tanh, relu, batch_norm = numbers.values()
    assert sigmoid < 1e-10 and min(tanh, relu, batch_norm) > 0.05


def initial_values(numbers):
    small, small_loss, large, large_loss, xavier, _, he, he_loss = numbers.values()
    assert small < 1e-30 and small_loss > 2.29  # log 10: it has learnt nothing
    assert large > 1e15 and large_loss > 1e3
    assert xavier < 1e-3 and 0.1 < he < 10 and he_loss < 1


def chain_rule(numbers):
    hand, backward, difference, checked, softmax = numbers.values()
    assert abs(hand - backward) < 0.01 and difference < 1e-9 and checked == "True"
    assert softmax < 1e-12


def optimizer_paths(numbers):
    heights, steps = list(numbers.values())[::2], list(numbers.values())[1::2]
    sgd, momentum, nesterov, *_ = heights
    assert nesterov < momentum < sgd < 0.01
    assert steps[0] > 150 > steps[1] > 100 and all(step < 10 for step in steps[3:])


def adaptive_steps(numbers):
    adagrad, rmsprop, adam, not_corrected, largest = numbers.values()
    assert adagrad == pytest.approx(0.1, rel=0.01) and rmsprop > 0.8
    assert adam == pytest.approx(0.1, rel=0.01) and not_corrected > 0.3 and largest > 0.6


def curvature(numbers):
    before, after, descent, newton, new, trained, parameters, squared, spread = numbers.values()
    assert after < 1e-20 * before and abs(descent) < 1e-6 and newton == pytest.approx(-1)
    assert new == "not stationary, 1 negative direction found" and trained == "near a minimum"
    assert squared == parameters**2 and spread > 100


def nesterov(numbers):
    beyond, beyond_nesterov, distance, distance_nesterov, by_hand = numbers.values()
    assert beyond_nesterov < 0.8 * beyond and distance_nesterov < 0.1 * distance
    assert by_hand < 1e-12


def schedules(numbers):
    constant, *others = numbers.values()
    assert max(others) < constant / 10


def regularisation(numbers):
    training, test = list(numbers.values())[::2], list(numbers.values())[1::2]
    gaps = [a - b for a, b in zip(training, test, strict=True)]
    assert gaps[0] > 0.1 and max(gaps[1:]) < gaps[0] - 0.03
    assert min(test[1:]) > test[0] + 0.02


def early_stopping(numbers):
    training, validation, best, error, best_error = numbers.values()
    assert training < best / 2 and best < 0.6 * validation and best_error < error / 2


def ensembles(numbers):
    members, together, last, snapshots, mask, masks, whole = numbers.values()
    assert together < members and snapshots < last
    assert masks < whole < mask


def batch_norm(numbers):
    none, before, train, evaluation, after, _, by_batch, by_layer = numbers.values()
    assert max(before, after) < none / 2
    assert train > 0.01 and evaluation == 0 and by_batch > 0.1 and by_layer == 0


CLAIMS = {
    claim.__name__: claim
    for claim in (
        *(linear_layers, chain_rule, vanishing_gradients, initial_values, curvature),
        *(optimizer_paths, nesterov, adaptive_steps, schedules, regularisation, early_stopping),
        *(ensembles, batch_norm),
    )
}


@pytest.fixture(scope="module")
def examples():
    """The folder of the scripts is where they find shown.py."""
    pytest.importorskip("matplotlib")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        yield


@pytest.mark.parametrize("name", SCRIPTS)
def test_claims(examples, name, tmp_path):
    numbers, figure = importlib.import_module(name).main(small=True)
    CLAIMS[name](numbers)
    figure.savefig(tmp_path / "picture.png")
    for panel in figure.axes:
        assert panel.get_label() == "<colorbar>" or (panel.get_xlabel() and panel.get_ylabel())


# ---- the page ------------------------------------------------------------------------------------


def sections():
    """{script: (prose, output)} of the page."""
    found = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        prose = re.sub(r"^```.*?^```", "", section, flags=re.M | re.S)
        for block in BLOCK.finditer(section):
            found[block[1]] = prose, block[2]
    return found


def test_each_script_is_in_the_page():
    assert sorted(sections()) == SCRIPTS == sorted(CLAIMS)
    pictures = {path.stem for path in (ROOT / "docs" / "lecture").glob("*.png")}
    assert pictures == set(SCRIPTS) == set(re.findall(r"\(lecture/(\w+)\.png\)", PAGE.read_text()))


@pytest.mark.parametrize("name", SCRIPTS)
def test_claims_hold_in_the_page(name):
    """Of the numbers that it shows."""
    printed = dict(line.rsplit(": ", 1) for line in sections()[name][1].splitlines())
    CLAIMS[name]({what: number_of(value) for what, value in printed.items()})


def number_of(text):
    try:
        return float(text)
    except ValueError:
        return text


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_short(name):
    assert len((ROOT / "examples" / f"{name}.py").read_text().splitlines()) < 80


@pytest.mark.parametrize("name", SCRIPTS)
def test_numbers_of_the_prose_are_printed(name):
    """Those with a decimal point; what is a setting stands in the script."""
    prose, output = sections()[name]
    script = (ROOT / "examples" / f"{name}.py").read_text()
    for number in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", prose):
        assert number in output or number in script, number


@pytest.mark.skipif(
    not os.environ.get("PYML_TEST_LECTURE") or platform.machine() != "x86_64",
    reason="takes minutes; the numbers are those of PYML_ISA=baseline on x86-64",
)
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_page_has_what_is_printed(name, tmp_path):
    pytest.importorskip("matplotlib")
    printed = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", "--out", tmp_path],
        env=os.environ | {"PYML_ISA": "baseline"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == sections()[name][1]
