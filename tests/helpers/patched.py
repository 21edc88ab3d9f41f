"""Other functions in place of pyml's, for as long as a test looks at what is called."""

import contextlib

import pytest

import pyml
from pyml import ops
from pyml.tensor import install


@contextlib.contextmanager
def patched(attributes, methods):
    """Gives modules and classes other attributes, and Tensor other methods, until it ends.

    Args:
        attributes: {(module or class, name): what it has instead}.
        methods: {name: function}. Tensor is built in C: setattr() refuses.
    """
    there = vars(pyml.Tensor)
    before = {name: there[name] for name in methods}
    with pytest.MonkeyPatch.context() as patch:
        for (owner, name), value in attributes.items():
            patch.setattr(owner, name, value)
        install(ops, methods)
        try:
            yield
        finally:
            install(ops, before)
