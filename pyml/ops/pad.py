"""Padding."""

import math

from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import full as full_of
from pyml.ops.index import index_select
from pyml.ops.shape import as_sizes, cat, narrow

MODES = ("constant", "reflect", "replicate", "circular")


def pad(input, pad, mode="constant", value=None):
    """The input with more elements, or fewer, at the ends of its last dimensions.

    Args:
        input: any shape.
        pad: (left, right) of the last dimension, then of the one before it, and so on. Negative
            numbers take elements away; of "circular" before the ends are looked at.
        mode: "constant"; "reflect", from within, without the end itself; "replicate", the end;
            "circular", from the other end. Default: "constant".
        value: of "constant". Default: 0.

    Returns:
        A tensor with as many dimensions.

    Raises:
        ValueError: for a pad that does not fit, another mode, or a value without "constant".

    Example:
        >>> F.pad(pyml.tensor([1.0, 2.0]), (1, 2), value=9.0)
        tensor([9., 1., 2., 9., 9.])
    """
    checked_tensor(input, "pad")
    sizes = as_sizes(pad, "pad")
    if mode not in MODES:
        raise ArgumentError(f"pad: mode is {mode!r}, it must be one of {', '.join(MODES)}")
    if len(sizes) % 2 or len(sizes) > 2 * input.ndim:
        raise ArgumentError(
            f"pad: pad is {sizes}, it must be pairs (left, right), at most one for each of the "
            f"{input.ndim} dimensions"
        )
    if mode != "constant" and value is not None:
        raise ArgumentError(f"pad: value goes with mode='constant' alone, not {mode!r}")
    pairs = [
        (input.ndim - 1 - k, left, right)
        for k, (left, right) in enumerate(zip(sizes[::2], sizes[1::2], strict=True))
    ]
    for dim, left, right in pairs:
        check_pair(input, dim, left, right, mode)
    y = input
    for dim, left, right in pairs:
        if (left, right) != (0, 0):
            y = (
                with_constant(y, dim, left, right, 0 if value is None else value)
                if mode == "constant"
                else index_select(y, dim, source(input.shape[dim], left, right, mode))
            )
    return y.clone() if y is input else y


def check_pair(input, dim, left, right, mode):
    """Raises if a dimension cannot be padded so."""
    size = input.shape[dim]
    kept = size + min(left, 0) + min(right, 0)
    if mode == "constant":
        fits = kept >= 0
    else:
        most = {"reflect": size - 1, "replicate": math.inf, "circular": max(kept, 0)}[mode]
        fits = size > 0 and max(left, right) <= most and size + left + right > 0
    if not (fits or left == right == 0):
        raise ArgumentError(
            f"pad: ({left}, {right}) does not fit dimension {dim} of size {size} with mode {mode!r}"
        )


def with_constant(x, dim, left, right, value):
    def block(count):
        shape = (*x.shape[:dim], count, *x.shape[dim + 1 :])
        return [full_of(shape, value, dtype=x.dtype)] if count > 0 else []

    start = max(-left, 0)
    kept = narrow(x, dim, start, x.shape[dim] - start - max(-right, 0))
    parts = [*block(left), kept, *block(right)]
    return cat(parts, dim) if len(parts) > 1 else kept.clone()


def source(size, left, right, mode):
    """Where the elements of a padded dimension come from."""
    places = range(-left, size + right)
    if mode == "replicate":
        return [min(max(i, 0), size - 1) for i in places]
    if mode == "circular":
        first, last = max(-left, 0), size - max(-right, 0)
        return [first + (i - first) % (last - first) for i in places]
    return [abs(i) if i < size else 2 * (size - 1) - i for i in places]
