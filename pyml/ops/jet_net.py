"""The jet of a whole net in one kernel."""

from inspect import unwrap

import numpy as np

from pyml import _kernels
from pyml.backward import run_backward
from pyml.errors import ArgumentError
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import contiguous, real_tensor
from pyml.ops.creation import empty, zeros
from pyml.ops.jets import BLOCK_BYTES, KERNELS, LIMITS, check_pairs, jet, jet_linear
from pyml.ops.shape import cat
from pyml.recorder import constant
from pyml.tensor import Node

WIDEST = 128  # layer that the kernel takes


def jet_net(x, weights, biases, variables, pairs, function, *numbers):
    """The jet, by columns of x, of linear layers with an elementwise function between any two.

    What jet_linear and jet give, layer by layer. A kernel takes points through all layers at once,
    if there is one for the function and no layer is too wide.

    Args:
        x: (n, in_features).
        weights: (out_features, in_features) of each layer.
        biases: (out_features), or None, of each layer.
        variables: the column of x for each first derivative.
        pairs: as of jet.
        function, numbers: as of jet.

    Returns:
        (1 + firsts + seconds, n, out_features of the last layer).

    Raises:
        ValueError: if shapes do not go together, or variables or pairs name what is not there.
        TypeError: if the dtypes are not one floating point dtype.
    """
    x, variables, pairs = real_tensor(x, "jet_net", "x"), tuple(variables), tuple(pairs)
    if x.ndim != 2 or not all(0 <= i < x.shape[1] for i in variables):
        raise ArgumentError(
            f"jet_net: x has shape {tuple(x.shape)}, variables is {variables}; they must be "
            "(n, in_features) and columns of it"
        )
    check_pairs("jet_net", pairs, len(variables))
    weights = [real_tensor(w, "jet_net", "weight") for w in weights]
    biases = [None if b is None else real_tensor(b, "jet_net", "bias") for b in biases]
    channels, function = 1 + len(variables) + len(pairs), unwrap(function)
    if function not in KERNELS or not fits(x, weights, biases, channels):
        return composed(x, weights, biases, variables, pairs, function, *numbers)
    inputs = (x, *(t for layer in zip(weights, biases, strict=True) for t in layer))
    u = empty(channels, x.shape[0], weights[-1].shape[0], dtype=x.dtype)
    how = (variables, pairs, function, *numbers)
    if not is_grad_enabled() or not any(t is not None and t.requires_grad for t in inputs):
        _kernels.jet_net_forward(u.array, None, *given(inputs), *options(0, *how))
        return u
    points = BLOCK_BYTES // x.array.itemsize
    hidden = sum(w.shape[0] for w in weights[:-1])
    filled = -(-x.shape[0] // points) * points
    kept = empty(filled * (channels + 1) * hidden, dtype=x.dtype)
    _kernels.jet_net_forward(u.array, kept.array, *given(inputs), *options(0, *how))
    JetNet(how)._connect(u, inputs, keep=(*inputs, kept))
    return u


class JetNet(Node):
    """What jet_net gives. `how`: its variables, pairs, function and numbers."""

    def __init__(self, how):
        self._how = how

    def _gradients(self, du):
        *inputs, kept = (self._saved(i) for i in range(len(self.inputs) + 1))
        if is_grad_enabled():  # each by itself: a weight may be there twice
            x, *layers = (None if t is None else t[...] for t in inputs)
            u = composed(x, layers[::2], layers[1::2], *self._how)
            pairs = zip((x, *layers), self.inputs, strict=True)
            wanted = tuple(t for t, edge in pairs if edge is not None)
            found = iter(run_backward((u,), (du,), True, True, wanted, False))
            return tuple(None if edge is None else next(found) for edge in self.inputs)
        found = [
            None if edge is None else empty(*t.shape, dtype=t.dtype)
            for t, edge in zip(inputs, self.inputs, strict=True)
        ]
        dx, *dlayers = (None if t is None else t.array for t in found)
        x, weights, _ = given(inputs)
        _kernels.jet_net_backward(
            *(dx, dlayers[::2], dlayers[1::2], contiguous(du.array), kept.array),
            *(x, weights, *options(1, *self._how)),
        )
        return tuple(found)


def given(inputs):
    """Arrays of x, of the weights, and of the biases, from x, weight and bias of each layer."""
    x, *layers = (None if t is None else contiguous(t.array) for t in inputs)
    return x, layers[::2], layers[1::2]


def options(direction, variables, pairs, function, *numbers):
    """What the kernels take behind the arrays; direction: 0 for forward, 1 for backward."""
    columns = constant(np.array(variables, np.int64))
    channels = constant(np.array(pairs, np.int64).reshape(-1, 2))
    return KERNELS[function][direction], columns, channels, *(*numbers, 0.0, 0.0)[:2]


def fits(x, weights, biases, channels):
    """Is this a net that the kernel takes?"""
    widths = [x.shape[1]]
    for w, b in zip(weights, biases, strict=True):
        if w.ndim != 2 or w.shape[1] != widths[-1] or w.dtype != x.dtype:
            return False
        if b is not None and (b.shape != w.shape[:1] or b.dtype != x.dtype):
            return False
        widths.append(w.shape[0])
    layers, rows, parameters = LIMITS
    return (
        2 <= len(weights) <= layers
        and 0 < min(widths) <= max(widths) <= WIDEST
        and channels * max(widths) <= rows
        and sum((w.shape[1] + 1) * w.shape[0] for w in weights) <= parameters
    )


def composed(x, weights, biases, variables, pairs, function, *numbers):
    """jet_net by its layers."""
    y = jet_of(x, variables, len(pairs))
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if k > 0:
            y = jet(function, y, len(variables), pairs, *numbers)
        y = jet_linear(y, weight, bias)
    return y


def jet_of(x, variables, seconds):
    """(channels, n, features): x itself, ones where x is differentiated by, and zeros."""
    seeds = zeros(len(variables) + seconds, *x.shape, dtype=x.dtype)
    for k, i in enumerate(variables):
        seeds[k, :, i] = 1
    return cat([x.unsqueeze(0), seeds])
