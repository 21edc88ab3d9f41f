"""Lengths, angles and distances of vectors: normalize, cosine_similarity, pairwise_distance."""

from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor, real_tensor
from pyml.ops.elementwise import clamp, where
from pyml.ops.functions import floating
from pyml.ops.operands import broadcast_shapes, result_type
from pyml.ops.reduce import norm, row_pair, sum
from pyml.ops.shape import to, wrapped_dim


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """x / max(||x||_p, eps) along a dimension.

    Args:
        input: float32 or float64.
        p: of the norm. Default: 2.
        dim: the dimension, or several, whose norm becomes one. Default: 1.
        eps: the least norm that is divided by. Default: 1e-12.
        out: a tensor that takes the result, where no gradient is asked for. Default: none.

    Returns:
        A tensor of the input's shape, or `out`.

    Raises:
        IndexError: if there is no such dimension.
        RuntimeError: if out is given and a gradient is asked for.

    Example:
        >>> F.normalize(pyml.tensor([[3.0, 4.0]]))
        tensor([[0.6, 0.8]])
    """
    real_tensor(input, "normalize")
    y = input / clamp(norm(input, p, dim, keepdim=True), min=eps)
    if out is None:
        return y
    if y.requires_grad:
        raise RuntimeError(
            "normalize: out takes no gradient; leave it out, or call within pyml.no_grad()"
        )
    real_tensor(out, "normalize", "out")
    if out.shape != y.shape:
        raise ArgumentError(f"normalize: out has shape {out.shape}, it must be {y.shape}")
    return out.copy_(y)


def pair_of(x1, x2, name):
    """Both in the dtype in which they are computed together, and the shape they broadcast to."""
    checked_tensor(x1, name, "x1")
    checked_tensor(x2, name, "x2")
    if x1.dtype != x2.dtype:
        dtype = result_type(x1, x2)
        x1, x2 = to(x1, dtype), to(x2, dtype)
    real_tensor(x1, name, "x1")
    shape = x1.shape
    return x1, x2, shape if x2.shape == shape else broadcast_shapes(shape, x2.shape, name=name)


def rows_of(x, shape):
    """x, spread out to this shape; a number is a row of one."""
    return x if x.shape == shape and shape else x.expand(shape or (1,))


def cosine_slopes(dy, x1, x2, eps):
    """The gradients of the cosine of rows, by operations."""
    dy, lengths = dy.unsqueeze(-1), [norm(x, 2, -1, True) for x in (x1, x2)]
    by1, by2 = (clamp(length, min=eps) for length in lengths)
    x1, x2 = x1 / by1, x2 / by2
    y = sum(x1 * x2, -1, True)
    along1, along2 = (where(length >= eps, y, 0.0) for length in lengths)
    return dy / by1 * (x2 - along1 * x1), dy / by2 * (x1 - along2 * x2)


def distance_slopes(dy, x1, x2, eps):
    """The gradients of the distance of rows, by operations."""
    d = x1 - x2 + eps
    y = norm(d, 2, -1, True)
    zero = y == 0
    d = d * where(zero, 0.0, dy.unsqueeze(-1) / where(zero, 1.0, y))
    return d, -d


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (max(||x1||, eps) max(||x2||, eps)) along a dimension.

    Args:
        x1, x2: of shapes that broadcast, float32 or float64; one may be of integers.
        dim: the dimension of the vectors, in the shape that they broadcast to. Default: 1.
        eps: the least length that is divided by. Default: 1e-8.

    Returns:
        A tensor of that shape without the dimension.

    Raises:
        ValueError: if the shapes do not broadcast.
        IndexError: if there is no such dimension.

    Example:
        >>> F.cosine_similarity(pyml.tensor([[1.0, 0.0]]), pyml.tensor([[3.0, 4.0]]))
        tensor([0.6])
    """
    x1, x2, shape = pair_of(x1, x2, "cosine_similarity")
    dim = wrapped_dim(dim, len(shape), "cosine_similarity")
    x1, x2 = rows_of(x1, shape), rows_of(x2, shape)
    if dim < len(shape) - 1:
        x1, x2 = x1.movedim(dim, -1), x2.movedim(dim, -1)
    return row_pair("cosine", "CosineSimilarity", cosine_slopes, x1, x2, eps)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """||x1 - x2 + eps||_p over the last dimension.

    Args:
        x1, x2: (n, d) or (d), of shapes that broadcast; integers are taken as the default dtype.
        p: of the norm. Default: 2.
        eps: added to each difference, so that a distance of zero has a derivative. Default: 1e-6.
        keepdim: keep the last dimension, of size 1. Default: False.

    Returns:
        (n), or (n, 1).

    Raises:
        ValueError: if the shapes do not broadcast.

    Example:
        >>> F.pairwise_distance(pyml.tensor([[1.0, 2.0]]), pyml.tensor([[4.0, 6.0]]))
        tensor([5.])
    """
    name = "pairwise_distance"
    x1, x2 = checked_tensor(x1, name, "x1"), checked_tensor(x2, name, "x2")
    x1, x2, shape = pair_of(floating(x1, name), floating(x2, name), name)
    if p != 2:
        return norm(x1 - x2 + eps, p, -1, keepdim)
    x1, x2 = rows_of(x1, shape), rows_of(x2, shape)
    y = row_pair("distance", "PairwiseDistance", distance_slopes, x1, x2, eps)
    return y.unsqueeze(-1) if keepdim and shape else y
