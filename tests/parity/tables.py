"""PyTorch's own tables of cases, torch.testing._internal, and their values in pyml.

The tables are in PyTorch's wheel; to be imported they need the package expecttest, as .ci/run
installs it.
"""

import dataclasses
import warnings

import torch

import pyml
from parity.torch_side import array_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal import common_nn
    from torch.testing._internal.common_modules import (
        FunctionInput,
        ModuleErrorEnum,
        ModuleInput,
        module_db,
    )
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

__all__ = ["ModuleErrorEnum", "OptimizerErrorEnum", "module_db", "older_rows", "optim_db"]

OLDER = (*common_nn.module_tests, *common_nn.get_new_module_tests(), *common_nn.criterion_tests)


def older_rows(name, dtype):
    """The rows for a module of common_nn, PyTorch's older tables, as those of module_db.

    What they say of functions, in closures around torch's, is not among them.
    """
    for row in OLDER:
        fullname, _, reduction = row.get("fullname", "").partition("_no_batch_dim_")
        if name == row.get("module_name"):
            made = FunctionInput(*given(row, "constructor_args"))
        elif name == fullname and reduction:
            made = FunctionInput(reduction=reduction)
        else:
            continue
        inputs = [floating(x, dtype, True) for x in given(row, "input")]
        inputs += [floating(x, dtype, False) for x in given(row, "target")]
        if not any(isinstance(x, torch.Tensor) and x.is_complex() for x in inputs):
            yield ModuleInput(constructor_input=made, forward_input=FunctionInput(*inputs))


def given(row, word):
    """What an older row has of a word: the value, a function that makes it, or sizes."""
    if f"{word}_size" in row:
        sizes = row[f"{word}_size"]
        value = tuple(map(torch.randn, sizes)) if isinstance(sizes, list) else torch.randn(sizes)
    else:
        value = row[f"{word}_fn"]() if f"{word}_fn" in row else row.get(word, ())
    return value if isinstance(value, tuple) else (value,)


def floating(value, dtype, requires_grad):
    """Tensors of floating point numbers in a dtype, others as they are."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return value
    return value.to(dtype).requires_grad_(requires_grad)


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
    if isinstance(value, torch.nn.LinearCrossEntropyOptions):
        return pyml.nn.LinearCrossEntropyOptions(**to_pyml(dataclasses.asdict(value)))
    if isinstance(value, torch.dtype):
        return getattr(pyml, str(value).removeprefix("torch."))
    return value
