"""A function of one sample as a function of many."""

import functools

from pyml.ops import stack
from pyml.options import check_choice, check_integer
from pyml.pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from pyml.random import default_generator, get_rng_state, set_rng_state
from pyml.tensor import Tensor

__all__ = ["vmap"]


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """The function that runs `func` for each index of a dimension of its arguments.

    The indices are taken one after another and the results stacked: what `func` may do is not
    limited, and a call costs what its calls of func cost. In a step under @pyml.record they are
    replayed without Python. Transforms may stand inside, vmap(grad(f)), and outside, grad(g) of a g
    that calls vmap(f).

    Args:
        func: a function of tensors, or of tuples, lists and dicts of them, that returns such.
        in_dims: for each argument the dimension of the indices, or None for one that each call gets
            whole; a number for all of them, or a tuple with a number, or a tree of numbers, for
            each. Keyword arguments go whole to each call. Default: 0.
        out_dims: where it is in the result, a number or a tree of numbers. Default: 0.
        randomness: "error" if func draws no random numbers, "different" if each call draws its own,
            "same" if each draws the same. Default: "error".
        chunk_size: taken for its name.

    Returns:
        A function of the same arguments.

    Raises:
        ValueError: when called, if no argument has the dimension, or sizes differ, or are zero.
        TypeError: if func is no function; when called, if it returns something else than tensors.
        RuntimeError: when called, if func draws random numbers with randomness="error".

    Example:
        >>> x = pyml.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> pyml.func.vmap(pyml.dot, in_dims=(0, None))(x, pyml.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    if not callable(func):
        raise TypeError(f"vmap: func is {func!r}, it must be a function of tensors")
    check_choice("vmap", "randomness", randomness, ("error", "different", "same"))
    if chunk_size is not None:
        check_integer("vmap", "chunk_size", chunk_size)

    @functools.wraps(func)
    def call(*args, **kwargs):
        dims, (tensors, form) = dims_of(in_dims, args), tree_flatten(args)
        size = common_size(tensors, dims)
        counter, results = default_generator._state[1], []
        start = get_rng_state() if randomness == "same" else None
        for i in range(size):
            if start is not None:
                set_rng_state(start)
            parts = [t if d is None else t.select(d, i) for t, d in zip(tensors, dims, strict=True)]
            results.append(func(*tree_unflatten(parts, form), **kwargs))
            if randomness == "error" and default_generator._state[1] != counter:
                raise RuntimeError(
                    "vmap: func drew random numbers; say randomness='different' or 'same'"
                )
        return stacked(results)

    def stacked(results):
        first, form = tree_flatten(results[0])
        for value in first:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"vmap: func returned {value!r}, it must return a Tensor, or a tuple, list or "
                    "dict of Tensors"
                )
        try:
            dims = broadcast(out_dims, results[0])
        except ValueError as error:
            raise ValueError(f"vmap: out_dims does not fit what func returns: {error}") from None
        for dim in dims:
            check_integer("vmap", "out_dims", dim)
        columns = zip(*map(form.flatten_up_to, results), strict=True)
        return tree_unflatten([stack(c, d) for c, d in zip(columns, dims, strict=True)], form)

    return call


def dims_of(in_dims, args):
    """For each leaf of the arguments the dimension that is mapped, or None."""
    try:
        dims = broadcast(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args)
    except ValueError as error:
        raise ValueError(f"vmap: in_dims does not fit the arguments: {error}") from None
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
            raise ValueError(
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
        raise ValueError("vmap: no argument has a dimension to map over; in_dims is None for all")
    if len(sizes) > 1:
        raise ValueError(f"vmap: the dimensions to map over have the sizes {sorted(sizes)}")
    if 0 in sizes:
        raise ValueError("vmap: the dimension to map over is empty; func needs one index at least")
    return sizes.pop()
