"""A function of one sample as a function of many."""

import functools

from pyml.errors import ArgumentError
from pyml.func import batching_rules  # noqa: F401
from pyml.func.batched import Level, check_randomness, has_drawn, of_each
from pyml.ops import cat, contiguous
from pyml.options import check_choice, check_counts, check_integer
from pyml.pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from pyml.random import draws, generator_of_thread
from pyml.tensor import Tensor

__all__ = ["vmap"]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """The function that runs `func` for each index of a dimension of its arguments.

    func runs once, on tensors that look as one index has them and hold all: most operations, also
    those of gradients, compute all indices at once. Those that cannot run for one index after
    another, and their results are stacked: the numbers are always those of a loop. vmap nests with
    itself and with the other transforms: vmap(grad(f)) has a gradient for each index, also by an
    argument that all share.

    What Python goes by (`if`, item()) must be the same for all indices.

    Args:
        func: a function of tensors, or of tuples, lists and dicts of them, that returns such.
        in_dims: for each argument the dimension of the indices, or None for one that each call gets
            whole; a number for all of them, or a tuple with a number, or a tree of numbers, for
            each. Keyword arguments go whole to each call. Default: 0.
        out_dims: where it is in the result, a number or a tree of numbers; None for what
            all indices have in common, which is returned once. Default: 0.
        randomness: "error" if func draws no random numbers, "different" if each call draws its own,
            "same" if each draws the same. Default: "error".
        chunk_size: how many indices are computed at once, for less memory. Default: all.

    Returns:
        A function of the same arguments.

    Raises:
        ValueError: when called, if no argument has the dimension, or sizes differ, or are zero.
        TypeError: if func is no function; when called, if it returns something else than tensors.
        RuntimeError: when called, if func draws random numbers with randomness="error"; if it asks
            for a value that differs between indices, or for NumPy arrays, memory or backward();
            if it changes a tensor in place that all indices share by what they do not.

    Example:
        >>> x = pyml.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> pyml.func.vmap(pyml.dot, in_dims=(0, None))(x, pyml.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    if not callable(func):
        raise TypeError(f"vmap: func is {func!r}, it must be a function of tensors")
    check_choice("vmap", "randomness", randomness, ("error", "different", "same"))
    if chunk_size is not None:
        check_counts("vmap", least=1, chunk_size=chunk_size)

    @functools.wraps(func)
    def call(*args, **kwargs):
        dims, (tensors, form) = dims_of(in_dims, args), tree_flatten(args)
        size = common_size(tensors, dims)
        if chunk_size is None or chunk_size >= size:
            return of_all(size, tensors, dims, form, kwargs)
        parts, generator = [], generator_of_thread()
        drawn = generator._state.copy()
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            part = [
                t if d is None else t.narrow(d, start, count)
                for t, d in zip(tensors, dims, strict=True)
            ]
            if randomness == "same" and has_drawn(generator, drawn):
                generator.set_state(drawn)
            parts.append(of_all(count, part, dims, form, kwargs))
        leaves, result_form = zip(*map(tree_leaves, parts), strict=True), tree_flatten(parts[0])[1]
        ends = dims_of_result(out_dims, parts[0])
        whole = [
            column[0] if d is None else cat(column, d)
            for column, d in zip(leaves, ends, strict=True)
        ]
        return tree_unflatten(whole, result_form)

    def of_all(size, tensors, dims, form, kwargs):
        with Level(size, randomness) as level:
            values = [
                t if d is None else level.wrap(t.movedim(d, 0))
                for t, d in zip(tensors, dims, strict=True)
            ]
            result = of_each(func)(*tree_unflatten(values, form), **kwargs)
            if draws.count != level.drawn:
                check_randomness(level)
                raise RuntimeError(
                    "vmap: func drew random numbers into a tensor that all indices share; use a "
                    "function that returns them"
                )
            return placed(level, result)

    def placed(level, result):
        leaves, form = tree_flatten(result)
        try:
            dims = dims_of_result(out_dims, result)
        except ValueError as error:
            raise ArgumentError(f"vmap: out_dims does not fit what func returns: {error}") from None
        values = [placed_leaf(level, x, d) for x, d in zip(leaves, dims, strict=True)]
        return tree_unflatten(values, form)

    return call


def dims_of_result(out_dims, result):
    one = isinstance(out_dims, tuple) and len(out_dims) == 1 and isinstance(result, Tensor)
    return broadcast(out_dims[0] if one else out_dims, result)


def placed_leaf(level, x, dim):
    """A result with the dimension of the indices at `dim`."""
    if dim is not None and not isinstance(x, Tensor):
        raise TypeError(
            f"vmap: func returned {x!r}, it must return a Tensor, or a tuple, list or dict of "
            "Tensors"
        )
    if dim is None:
        if level.has(x):
            raise ArgumentError(
                "vmap: out_dims is None for a result that differs between indices; it must say "
                "where their dimension is"
            )
        return x
    check_integer("vmap", "out_dims", dim)
    return contiguous(level.spread(x).movedim(0, dim))


def dims_of(in_dims, args):
    """For each leaf of the arguments the dimension that is mapped, or None."""
    try:
        dims = broadcast(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args)
    except ValueError as error:
        raise ArgumentError(f"vmap: in_dims does not fit the arguments: {error}") from None
    for value, dim in zip(tree_leaves(args), dims, strict=True):
        if dim is None:
            continue
        check_integer("vmap", "in_dims", dim)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"vmap: in_dims is {dim} for an argument of type {type(value).__name__}; it must "
                "be None for what is no Tensor"
            )
        if not -value.dim() <= dim < value.dim():
            raise ArgumentError(
                f"vmap: in_dims is {dim} for a tensor of {value.dim()} dimensions; None passes it "
                "whole"
            )
    return dims


def broadcast(prefix, tree):
    """The leaves of `prefix`, each as often as there are leaves of `tree` in its place."""
    found = []
    tree_map(lambda leaf, part: found.extend([leaf] * len(tree_leaves(part))), prefix, tree)
    return found


def common_size(tensors, dims):
    sizes = {t.shape[d] for t, d in zip(tensors, dims, strict=True) if d is not None}
    if not sizes:
        raise ArgumentError(
            "vmap: no argument has a dimension to map over; in_dims is None for all"
        )
    if len(sizes) > 1:
        raise ArgumentError(f"vmap: the dimensions to map over have the sizes {sorted(sizes)}")
    if 0 in sizes:
        raise ArgumentError(
            "vmap: the dimension to map over is empty; func needs one index at least"
        )
    return sizes.pop()
