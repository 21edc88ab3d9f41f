"""Random training programs, their calls fused and not: on any number of threads the eager bits."""

import re
from dataclasses import replace

import pytest

import pyml
from record import programs

THREADS = (1, 2, 3)
RELU = {"ACTIVATIONS": {"ReLU": {"inplace": [False, True]}}}
FAMILIES = {  # what is other than in programs.py
    "tall": {"SCALE": 600, "ROWS": 600 * programs.ROWS},  # chains
    "wide": {"WIDER": 16, "SCALE": 4, "ROWS": 4 * programs.ROWS, **RELU},  # products, what follows
    "large": {"WIDER": 96, **RELU},  # updates behind gradients
}
PLANS = {
    "large": {"shape": "plain", "clip": None, "second_loss": None, "zero_grad": "none"},
}
KINDS = {  # patterns of what is fused
    "tall": [r"linear_forward\+"],
    "wide": [r"linear_forward\+relu_forward", r"linear_backward\+relu_backward"],
    "large": [r"linear_backward(\+\w+_backward)*\+(?!\w+_backward)"],
}
BFLOAT16 = {"wide": range(6), "large": (4, 6, 7)}  # seeds, under autocast
SEEDS = {"tall": 12, "wide": 12, "large": 5}


def fused(seed, family, threads, monkeypatch):
    """The lines of stats() with a + in a program of a family, whose bits are checked."""
    for name, value in FAMILIES[family].items():
        monkeypatch.setattr(programs, name, value)
    plan, steps = replace(programs.plan(seed), **PLANS.get(family, {})), []

    def recorded(function):
        steps.append(pyml.record(function))
        return steps[-1]

    wanted, found = programs.eager_history(plan), set()
    for fuse, count in [*((True, count) for count in threads), (False, threads[0])]:
        monkeypatch.setenv("PYML_FUSE", str(int(fuse)))
        pyml.set_num_threads(count)
        steps.clear()
        programs.assert_same_as(wanted, plan, recorded)
        names = {kernel.name for step in steps if step._programs for kernel in step.stats().kernels}
        names = {name for name in names if "+" in name}
        assert fuse or not names
        found |= names
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_random_programs(family, monkeypatch):
    found = set()
    for seed in range(SEEDS[family]):
        found |= fused(seed, family, [THREADS[seed % 3]], monkeypatch)
    for kind in KINDS[family]:
        assert any(re.match(kind, name) for name in found), (kind, found)


@pytest.mark.parametrize("family", BFLOAT16)
def test_random_programs_in_bfloat16(unit, family, monkeypatch):
    found = set()
    with pyml.autocast():
        for seed in BFLOAT16[family]:
            found |= fused(seed, family, [THREADS[seed % 3]], monkeypatch)
    found = {name.replace("_bfloat16", "") for name in found if "_bfloat16" in name}
    for kind in KINDS[family]:
        assert any(re.match(kind, name) for name in found), (kind, found)


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(12, 180))
def test_500_random_programs(seed, family, monkeypatch):
    fused(seed, family, THREADS, monkeypatch)
