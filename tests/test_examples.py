"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import pyml
from pyml import distributions, nn, optim, train

MODULES = [
    module.name
    for package in (distributions, nn, optim, train.metrics)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    names = {"pyml": pyml, "nn": nn, "F": nn.functional, "distributions": distributions}
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert failed == 0
