"""A linear layer of its own for each feature of a row: products of rows where they stand."""

from pyml import _kernels
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import contiguous, copy_into, empty
from pyml.ops.elementwise import cos, mul, sin, sub
from pyml.ops.reduce import sum
from pyml.ops.shape import cat, chunk, transpose
from pyml.tensor import Node, Tensor

COS, SIN = _kernels.kernel("cos"), _kernels.kernel("sin")


def feature_linear(input, weight, bias=None, waves=False):
    """y[:, i] = x[:, i] weight[i] + bias[i], with x the input, or its cos and behind it its sin.

    Args:
        input: (n, features, k).
        weight: (features, k, o), of waves (features, 2 k, o).
        bias: (features, o), or None for 0.
        waves: whether x is cos and sin of the input. Default: False.

    Returns:
        (n, features, o).
    """
    inputs = input, weight, bias
    dtypes = {t.dtype for t in inputs if t is not None}
    rounds = _kernels.is_autocast_enabled() and input.shape[2] > 1  # a number alone stays as it is
    if rounds or input.numel() == 0 or len(dtypes) > 1:
        return composed(*inputs, waves)
    x = contiguous(input.array)
    parts = [of_each(kernel, x) for kernel in (COS, SIN)] if waves else [x]
    y = Tensor._on(products(parts, weight.array, None if bias is None else bias.array))
    if is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs):
        kept = [Tensor._on(part) for part in parts] if waves else []
        FeatureLinear(waves)._connect(y, inputs, keep=(input, weight, *kept))
    return y


class FeatureLinear(Node):
    """What feature_linear gives."""

    def __init__(self, waves):
        self._waves = waves

    def _gradients(self, dy):
        """Of input, weight and bias."""
        of_input, of_weight, of_bias = (edge is not None for edge in self.inputs)
        input, weight = self._saved(0), self._saved(1)
        dinput = dweight = None
        if is_grad_enabled():
            x = cos_and_sin(input) if self._waves else input
            if of_weight:
                dweight = transpose(transpose(x, 0, 1), 1, 2) @ transpose(dy, 0, 1)
            if of_input:
                dx = transpose(transpose(dy, 0, 1) @ transpose(weight, 1, 2), 0, 1)
                dinput = of_phases(chunk(dx, 2, 2), chunk(x, 2, 2)) if self._waves else dx
        else:
            parts = [self._saved(2), self._saved(3)] if self._waves else [input]
            if of_weight:
                dweight = Tensor._on(products_of_rows(parts, dy, weight))
            if of_input:
                dx = [
                    Tensor._on(products([contiguous(dy.array)], each.transpose(0, 2, 1)))
                    for each in parted(weight.array, len(parts))
                ]
                dinput = of_phases(dx, parts) if self._waves else dx[0]
        return dinput, dweight, sum(dy, 0) if of_bias else None


def composed(input, weight, bias, waves):
    """The same by operations."""
    x = cos_and_sin(input) if waves else input
    y = transpose(transpose(x, 0, 1) @ weight, 0, 1)
    return y if bias is None else y + bias


def cos_and_sin(phases):
    """(..., k) to (..., 2 k)."""
    return cat([cos(phases), sin(phases)], -1)


def of_phases(dx, x):
    """The gradient of phases, by those of their cos and sin, and these."""
    return sub(mul(dx[1], x[0]), mul(dx[0], x[1]))


# ---- on arrays -----------------------------------------------------------------------------------


def of_each(kernel, x):
    y = empty(x.shape, x.dtype)
    _kernels.unary(kernel, y, x, 0, 0)
    return y


def parted(weight, count):
    """The parts of (features, count k, o) that stand beside each part of x, (features, k, o)."""
    k = weight.shape[1] // count
    return [weight[:, i * k : (i + 1) * k] for i in range(count)]


def steps(array):
    """How far apart elements are, along each dimension."""
    return [stride // array.itemsize for stride in array.strides]


def products(parts, weight, bias=None):
    """x[:, i] weight[i] + bias[i] for x of parts one behind the other, each (n, features, k)."""
    n, features, k = parts[0].shape
    o = weight.shape[2]
    y = empty((n, features, o), weight.dtype)
    if bias is not None:
        copy_into(y, bias)
    for i, (x, w) in enumerate(zip(parts, parted(weight, len(parts)), strict=True)):
        of_feature, of_row, of_column = steps(w)
        _kernels.gemm(
            *(y, x, w, n, o, k, features * k, 1, of_row, of_column, features * o),
            *(features, k, of_feature, o, 1, float(i > 0 or bias is not None)),
        )
    return y


def products_of_rows(parts, dy, weight):
    """The gradient of weight, by parts of x and dy (n, features, o)."""
    n, features, k = parts[0].shape
    dweight, dy, o = empty(weight.shape, weight.dtype), contiguous(dy.array), dy.shape[2]
    for x, dw in zip(parts, parted(dweight, len(parts)), strict=True):
        _kernels.gemm(
            *(dw, contiguous(x.array), dy, k, o, n, 1, features * k, features * o, 1, o),
            *(features, k, o, len(parts) * k * o, 1, 0),
        )
    return dweight
