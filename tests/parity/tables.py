"""PyTorch's own tables of cases, torch.testing._internal, and their values in pyml.

The tables are in PyTorch's wheel; to be imported they need the package expecttest, as .ci/run
installs it.
"""

import warnings

import torch

import pyml
from parity.torch_side import array_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

__all__ = ["ModuleErrorEnum", "OptimizerErrorEnum", "module_db", "optim_db"]


def mapped(function, value):
    """A tree of lists, tuples and dicts with function(each) in place of each of its values."""
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(function, item) for item in value)
    if isinstance(value, dict):
        return {key: mapped(function, item) for key, item in value.items()}
    return function(value)


def leaves(value, kind):
    """The values of a tree that are of a kind, in order."""
    found = []
    mapped(lambda item: found.append(item) if isinstance(item, kind) else None, value)
    return found


def fresh(value):
    """A tree of torch's with tensors of its own, all of them leaves of the graph."""
    return mapped(
        lambda item: (
            item.detach().clone().requires_grad_(item.requires_grad)
            if isinstance(item, torch.Tensor)
            else item
        ),
        value,
    )


def to_pyml(value):
    """A tree of torch's with pyml's tensors, dtypes and words."""
    return mapped(one_to_pyml, value)


def one_to_pyml(value):
    if isinstance(value, torch.nn.Parameter):
        return pyml.nn.Parameter(pyml.tensor(array_of(value)))
    if isinstance(value, torch.Tensor):
        return pyml.tensor(array_of(value), requires_grad=value.requires_grad)
    if isinstance(value, torch.dtype):
        return getattr(pyml, str(value).removeprefix("torch."))
    return value
