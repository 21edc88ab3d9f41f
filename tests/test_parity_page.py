"""docs/parity.md says what pyml has of PyTorch's names."""

import json
from collections import Counter
from pathlib import Path

import pytest

import pyml
from helpers.files import module_of
from pyml import left_out

SCRIPT = Path(__file__).parent.parent / "docs" / "parity.py"


@pytest.fixture(scope="module")
def parity():
    return module_of(SCRIPT)


@pytest.fixture(scope="module")
def names(parity):
    return json.loads(parity.NAMES.read_text())


def test_the_page_is_of_today(parity, names):
    if parity.page(names) != parity.PAGE.read_text():
        pytest.fail("docs/parity.md is stale; write it anew: python docs/parity.py")


def test_every_name_is_on_the_page(parity, names):
    text = parity.PAGE.read_text()
    for module in parity.MODULES:
        section = text.split(f"## {parity.title(module).replace('methods', 'Methods')}\n")[1]
        section = section.partition("\n## ")[0].replace("\n", " ")
        assert [n for n in names[module] if f"`{n}`" not in section] == []


@pytest.mark.parametrize(
    ("module", "name", "wanted", "status"),
    [
        ("nn", "Linear", "in_features out_features bias device dtype", ("same", None)),
        ("nn", "Linear", "in_features nothing *like it", ("fewer", ["nothing", "like", "it"])),
        ("nn", "Linear", "in_features out_features bias device", ("extended", ["dtype"])),
        ("nn", "Conv2d", "", ("left out", "convolution")),
        ("nn", "Nothing", "", ("missing", None)),
        ("nothing", "Nothing", "", ("missing", None)),
        ("Tensor", "conj", "", ("left out", "complex")),
        ("Tensor", "T", None, ("same", None)),
        ("Tensor", "gather", "dim index *like it", ("fewer", ["like", "it"])),
    ],
)
def test_status(parity, module, name, wanted, status):
    assert parity.status(module, name, wanted) == status


def test_what_is_left_out_is_pytorchs_and_stands_once(names):
    rows = [
        (module, name)
        for family in left_out.FAMILIES.values()
        for module, row in family.names.items()
        for name in row.split()
    ]
    assert [row for row, count in Counter(rows).items() if count > 1] == []
    unknown = [(module, n) for module, n in rows if module in names and n not in names[module]]
    assert unknown == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (pyml, "conv2d"),
        (pyml.nn, "Conv2d"),
        (pyml.nn.functional, "conv2d"),
        (pyml.optim, "SparseAdam"),
    ],
)
def test_who_asks_for_a_name_that_is_left_out_is_told_why(module, name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': .*; use ") as raised:
        getattr(module, name)
    assert raised.value.obj is module  # by which Python finds what was meant
    with pytest.raises(AttributeError, match=r"has no attribute 'Relu'$"):
        module.Relu  # noqa: B018
