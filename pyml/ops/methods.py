"""Methods of Tensor whose arguments are not those of a function: single sizes, named dtypes."""

import numpy as np

from pyml.ops import elementwise, shape
from pyml.ops.arrays import checked_tensor
from pyml.ops.inplace import fill_


def sizes_of(args):
    """x.reshape(2, 3) and x.reshape((2, 3)) mean the same."""
    return args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def expand(self, *sizes):
    """Dimensions of size 1 repeated to `sizes`, others put in front; a view that repeats memory.

    Args:
        sizes: the new shape; -1 leaves a size as it is.
    """
    return shape.expand(self, sizes_of(sizes))


def expand_as(self, other):
    """expand() to the shape of another tensor."""
    return shape.expand(self, checked_tensor(other, "expand_as", "other").shape)


def flip(self, *dims):
    """The elements in reverse order along `dims`; a copy."""
    return shape.flip(self, sizes_of(dims))


def permute(self, *dims):
    """The dimensions in the order `dims`; a view."""
    return shape.permute(self, sizes_of(dims))


def repeat(self, *sizes):
    """The tensor repeated sizes[d] times along each dimension; a copy."""
    return shape.repeat(self, sizes_of(sizes))


def reshape(self, *sizes):
    """The same elements in another shape; a view where that is possible.

    Args:
        sizes: of the dimensions, one of which may be -1: what is left.
    """
    return shape.reshape(self, sizes_of(sizes))


def reshape_as(self, other):
    """reshape() to the shape of another tensor."""
    return shape.reshape(self, checked_tensor(other, "reshape_as", "other").shape)


def split(self, split_size, dim=0):
    """See pyml.split."""
    return shape.split(self, split_size, dim)


def type_as(self, other):
    """The same values in the dtype of another tensor."""
    return shape.to(self, checked_tensor(other, "type_as", "other").dtype)


def view(self, *sizes):
    """The same memory in another shape.

    Raises:
        RuntimeError: if the strides do not allow it; reshape() copies then.
    """
    return shape.view(self, sizes_of(sizes))


def view_as(self, other):
    """view() in the shape of another tensor."""
    return shape.view(self, checked_tensor(other, "view_as", "other").shape)


def where(self, condition, other):
    """The elements of this tensor where `condition` holds, else those of `other`."""
    return elementwise.where(condition, self, other)


def zero_(self):
    """Sets every element to zero; returns self."""
    return fill_(self, 0)


def conversion(dtype):
    """A method that converts to a dtype."""

    def convert(self):
        return shape.to(self, dtype)

    convert.__doc__ = f"The same values as {dtype}."
    return convert


METHODS = {
    method.__name__: method
    for method in (
        expand, expand_as, flip, permute, repeat, reshape, reshape_as, split, type_as, view,
        view_as, where, zero_,
    )
} | {
    name: conversion(np.dtype(dtype))
    for name, dtype in {
        "bool": "bool", "double": "float64", "float": "float32", "int": "int32", "long": "int64",
    }.items()
}  # fmt: skip
