"""A linear layer of its own for each feature of a row: products of rows where they stand."""

from pyml import _kernels
from pyml.grad_mode import is_grad_enabled, is_tracked
from pyml.ops.arrays import contiguous, copy_into, empty
from pyml.ops.elementwise import cos, mul, sin, sub
from pyml.ops.reduce import sum
from pyml.ops.shape import cat, chunk, transpose, unsqueeze
from pyml.tensor import Node, Tensor


def feature_linear(input, weight, bias=None):
    """y[:, i] = x[:, i] weight[i] + bias[i].

    Args:
        input: (n, features, k).
        weight: (features, k, o).
        bias: (features, o), or None for 0.

    Returns:
        (n, features, o).
    """
    inputs = input, weight, bias
    if not has_kernels(input.shape[2], *inputs):
        return composed(*inputs)
    y = Tensor._on(products(contiguous(input.array).transpose(1, 0, 2), weight.array, bias))
    if is_tracked(*inputs):
        FeatureLinear()._connect(y, inputs, keep=(input, weight))
    return y


class FeatureLinear(Node):
    """What feature_linear gives."""

    def _gradients(self, dy):
        """Of input, weight and bias."""
        of_input, of_weight, of_bias = (edge is not None for edge in self.inputs)
        input, weight = self._saved(0), self._saved(1)
        return (
            input_gradient(dy, weight) if of_input else None,
            weight_gradient(transpose(input.contiguous(), 0, 1), dy) if of_weight else None,
            sum(dy, 0) if of_bias else None,
        )


def wave_linear(input, frequencies, weight, bias=None):
    """feature_linear of waves: cos of input[:, i] frequencies[i] and, behind it, its sin.

    Args:
        input: (n, features).
        frequencies: (features, k), radians.
        weight: (features, 2 k, o).
        bias: (features, o), or None for 0.

    Returns:
        (n, features, o).
    """
    inputs = input, frequencies, weight, bias
    if not has_kernels(2 * frequencies.shape[1], *inputs):
        return composed(transpose(waves_of(input, frequencies), 0, 1), weight, bias)
    x, c = contiguous(input.array), contiguous(frequencies.array)
    waves = empty((c.shape[0], x.shape[0], 2 * c.shape[1]), x.dtype)
    _kernels.waves_forward(waves, x, c)
    y = Tensor._on(products(waves, weight.array, bias))
    if is_tracked(*inputs):
        WaveLinear()._connect(y, inputs, keep=(input, frequencies, weight, Tensor._on(waves)))
    return y


class WaveLinear(Node):
    """What wave_linear gives."""

    def _gradients(self, dy):
        """Of input, frequencies, weight and bias.

        That of frequencies is the sum over rows of x (ds cos - dc sin), where dc and ds, the
        gradients of cos and sin, are products of dy and weight. Summed over rows first, it takes
        the product that weight's gradient is, with dy times x for dy, and no dc and ds.
        """
        of_input, of_frequencies, of_weight, of_bias = (edge is not None for edge in self.inputs)
        input, frequencies, weight = (self._saved(i) for i in range(3))
        waves = waves_of(input, frequencies) if is_grad_enabled() else self._saved(3)
        dinput = dfrequencies = dweight = None
        if of_frequencies:
            dfrequencies, dweight = frequency_gradient(input, waves, weight, dy)
        elif of_weight:
            dweight = weight_gradient(waves, dy)
        if of_input:
            slopes = of_phases(transpose(input_gradient(dy, weight), 0, 1), waves, 2)
            dinput = transpose(sum(mul(slopes, unsqueeze(frequencies, 1)), 2), 0, 1)
        return (
            dinput,
            dfrequencies,
            dweight if of_weight else None,
            sum(dy, 0) if of_bias else None,
        )


def has_kernels(k, *inputs):
    """Whether kernels compute the products, of k terms; else operations do."""
    rounds = _kernels.is_autocast_enabled() and k > 1  # a number alone stays as it is
    dtypes = {t.dtype for t in inputs if t is not None}
    return not rounds and inputs[0].numel() > 0 and len(dtypes) == 1


# ---- by operations -------------------------------------------------------------------------------


def composed(input, weight, bias):
    """What feature_linear is."""
    y = transpose(transpose(input, 0, 1) @ weight, 0, 1)
    return y if bias is None else y + bias


def waves_of(input, frequencies):
    """(n, features) to (features, n, 2 k)."""
    angles = mul(unsqueeze(transpose(input, 0, 1), 2), unsqueeze(frequencies, 1))
    return cat([cos(angles), sin(angles)], -1)


def of_phases(slopes, waves, dim):
    """By the slopes of cos and, behind it along `dim`, of sin, that of their phase."""
    (of_cos, of_sin), (cosine, sine) = chunk(slopes, 2, dim), chunk(waves, 2, dim)
    return sub(mul(of_sin, cosine), mul(of_cos, sine))


# ---- by operations if they are to be differentiated again, else by kernels -----------------------


def input_gradient(dy, weight):
    """(n, features, k), by dy (n, features, o)."""
    if is_grad_enabled():
        return transpose(transpose(dy, 0, 1) @ transpose(weight, 1, 2), 0, 1)
    rows = contiguous(dy.array).transpose(1, 0, 2)
    return Tensor._on(products(rows, weight.array.transpose(0, 2, 1)))


def weight_gradient(x, dy):
    """(features, k, o), by x (features, n, k) and dy (n, features, o)."""
    if is_grad_enabled():
        return transpose(x, 1, 2) @ transpose(dy, 0, 1)
    return Tensor._on(products_of_rows(x.array, contiguous(dy.array)))


def frequency_gradient(input, waves, weight, dy):
    """Of frequencies and of weight."""
    if is_grad_enabled():
        by_x = weight_gradient(waves, mul(dy, unsqueeze(input, 2)))
        return sum(of_phases(weight, by_x, 1), 2), weight_gradient(waves, dy)
    x, w, dy = (contiguous(t.array) for t in (input, weight, dy))
    features, k, o = w.shape
    both = empty((*x.shape, 2 * o), x.dtype)
    _kernels.waves_both(both, dy, x)
    dweight, dfrequencies = empty(w.shape, x.dtype), empty((features, k // 2), x.dtype)
    _kernels.waves_backward(dweight, dfrequencies, products_of_rows(waves.array, both), w)
    return Tensor._on(dfrequencies), Tensor._on(dweight)


# ---- on arrays -----------------------------------------------------------------------------------


def steps(array):
    """How far apart elements are, along each dimension."""
    return [stride // array.itemsize for stride in array.strides]


def products(x, weight, bias=None):
    """x[i] weight[i] + bias[i] as y[:, i], for x (features, n, k) whose k stand side by side."""
    features, n, k = x.shape
    o = weight.shape[2]
    y = empty((n, features, o), weight.dtype)
    if bias is not None:
        copy_into(y, bias.array)
    (x_feature, x_row, _), (of_feature, of_row, of_column) = steps(x), steps(weight)
    _kernels.gemm(
        *(y, x, weight, n, o, k, x_row, 1, of_row, of_column, features * o),
        *(features, x_feature, of_feature, o, 1, float(bias is not None)),
    )
    return y


def products_of_rows(x, dy):
    """(features, k, o), by x as products() takes it and dy (n, features, o)."""
    (features, n, k), o = x.shape, dy.shape[2]
    x_feature, x_row, _ = steps(x)
    y = empty((features, k, o), dy.dtype)
    _kernels.gemm(
        *(y, x, dy, k, o, n, 1, x_row, features * o, 1, o),
        *(features, x_feature, o, k * o, 1, 0),
    )
    return y
