"""Bilinear maps."""

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import real_tensor
from pyml.ops.reduce import sum
from pyml.ops.shape import permute, reshape


def bilinear(input1, input2, weight, bias=None):
    """y[k] = x1^T weight[k] x2 + bias[k] of the last dimensions.

    Args:
        input1: (..., in1_features), float32 or float64.
        input2: (..., in2_features), the other sizes those of input1.
        weight: (out_features, in1_features, in2_features).
        bias: (out_features), or None.

    Returns:
        (..., out_features).

    Raises:
        ValueError: on shapes that do not go together.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.bilinear(pyml.tensor([2.0]), pyml.tensor([3.0]), pyml.ones(1, 1, 1))
        tensor([6.])
    """
    given = {"input1": input1, "input2": input2, "weight": weight, "bias": bias}
    for argument, t in given.items():
        if t is None and argument == "bias":
            continue
        real_tensor(t, "bilinear", argument)
        if t.dtype != input1.dtype:
            raise DtypeError(
                f"bilinear: {argument} has dtype {t.dtype}, input1 has {input1.dtype}; convert one "
                "of them"
            )
    if weight.ndim != 3:
        raise ArgumentError(
            f"bilinear: weight has shape {weight.shape}, it must be (out_features, in1_features, "
            "in2_features)"
        )
    o, n1, n2 = weight.shape
    for argument, x, size in (("input1", input1, n1), ("input2", input2, n2)):
        if x.ndim == 0 or x.shape[-1] != size:
            raise ArgumentError(
                f"bilinear: {argument} has shape {x.shape}, its last dimension must be {size}, as "
                f"weight has shape {weight.shape}"
            )
    if input1.shape[:-1] != input2.shape[:-1]:
        raise ArgumentError(
            f"bilinear: input1 has shape {input1.shape} and input2 {input2.shape}; all sizes but "
            "the last must be the same"
        )
    if bias is not None and bias.shape != (o,):
        raise ArgumentError(f"bilinear: bias has shape {bias.shape}, it must be ({o},)")
    before = input1.shape[:-1]
    maps = reshape(permute(weight, (1, 0, 2)), (n1, o * n2))
    mapped = reshape(input1 @ maps, (*before, o, n2))
    y = sum(mapped * reshape(input2, (*before, 1, n2)), -1)
    return y if bias is None else y + bias
