"""Losses that are no kernel of their own: divergences, likelihoods, margins and distances.

size_average and reduce are PyTorch's old names of a reduction, see pyml.ops.deprecated.
"""

import math
import warnings

from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor, real_tensor
from pyml.ops.class_loss import margin_loss
from pyml.ops.cross_entropy import cross_entropy
from pyml.ops.deprecated import reduction_named
from pyml.ops.distance import pairwise_distance
from pyml.ops.elementwise import clamp, exp, log, minimum, where
from pyml.ops.functions import floating
from pyml.ops.linear import linear
from pyml.ops.pair_loss import binary_cross_entropy_with_logits
from pyml.ops.reduce import mean, sum
from pyml.ops.shape import reshape, to, unsqueeze
from pyml.recorder import is_recording
from pyml.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def checked_reduction(name, reduction, size_average=None, reduce=None, allowed=REDUCTIONS):
    """One of the allowed reductions, before anything is computed."""
    reduction = reduction_named(size_average, reduce, reduction)
    if reduction not in allowed:
        words = ", ".join(map(repr, allowed[:-1]))
        raise ArgumentError(
            f"{name}: reduction is {reduction!r}, it must be {words} or {allowed[-1]!r}"
        )
    return reduction


def reduced(loss, reduction):
    if reduction == "none":
        return loss
    return mean(loss) if reduction == "mean" else sum(loss)


def reals(name, **tensors):
    """Floating point Tensors, by their names."""
    return [real_tensor(x, name, what) for what, x in tensors.items()]


def like(name, target, x, what="target"):
    """The target, as real numbers."""
    checked_tensor(target, name, what)
    return target if target.dtype.kind == "f" else to(target, x.dtype)


def same_shape(name, target, x):
    if target.shape != x.shape:
        raise ArgumentError(
            f"{name}: target has shape {target.shape}, it must be that of the input, {x.shape}; "
            "reshape one of them"
        )


def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
):
    """cross_entropy of linear(input, linear_weight, linear_bias).

    Args:
        input: (n, in_features) or (in_features).
        linear_weight: (c, in_features), or (c, d..., in_features) for losses of several outputs.
        target: classes () or (n) or (n, d...); or probabilities (c) or (n, c, d...).
        linear_bias: (c) or (c, d...). Default: None.
        weight: (c), a factor for each class. Default: None.
        reduction: "mean", "sum" or "none".
        ignore_index: a class that adds nothing to the loss. Default: None, -100.
        label_smoothing: see cross_entropy.
        options: how PyTorch spares memory. Not read: pyml computes in one way.

    Raises:
        ValueError: on shapes that do not go together.
    """
    name = "linear_cross_entropy"
    x, w = reals(name, input=input, linear_weight=linear_weight)
    if x.ndim not in (1, 2) or w.ndim < 2 or (w.ndim > 2 and x.ndim == 1):
        raise ArgumentError(
            f"{name}: input has shape {x.shape}, linear_weight {w.shape}; (n, in_features) and "
            "(c, d..., in_features) are needed, or (in_features) and (c, in_features)"
        )
    if x.shape[-1] != w.shape[-1]:
        raise ArgumentError(
            f"{name}: expected equal input and linear_weight last dimensions (in_features), got "
            f"{x.shape[-1]} and {w.shape[-1]}, respectively (shapes {x.shape} and {w.shape})"
        )
    outputs = w.shape[:-1]
    if linear_bias is not None:
        real_tensor(linear_bias, name, "linear_bias")
        if linear_bias.shape != outputs:
            raise ArgumentError(
                f"{name}: linear_bias has shape {linear_bias.shape}, it must be {outputs}"
            )
        linear_bias = reshape(linear_bias, (-1,))
    logits = linear(x, reshape(w, (-1, w.shape[-1])), linear_bias)
    return cross_entropy(
        reshape(logits, (*x.shape[:-1], *outputs)),
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """The Kullback-Leibler divergence target (log target - input) of each element.

    Args:
        input: log-probabilities, any shape.
        target: probabilities, a shape that broadcasts with the input's; 0 adds nothing.
        size_average, reduce: deprecated, see reduction.
        reduction: "batchmean", the divergence: the sum over the size of the first dimension;
            "mean" over all elements, with a warning, "sum" or "none". Default: "mean".
        log_target: the target is the logarithm of probabilities. Default: False.

    Raises:
        ValueError: for another reduction.

    Example:
        >>> F.kl_div(pyml.tensor([[0.0]]), pyml.tensor([[2.0]]), reduction="batchmean").item()
        1.3862943649291992
    """
    reduction = checked_reduction(
        "kl_div", reduction, size_average, reduce, ("none", "batchmean", "mean", "sum")
    )
    real_tensor(input, "kl_div", "input")
    target = like("kl_div", target, input)
    if reduction == "mean":
        warn_of_mean(stacklevel=3)
    if log_target:
        loss = exp(target) * (target - input)
    else:
        loss = target * log(where(target == 0, 1.0, target)) - target * input
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.ndim else sum(loss)
    return reduced(loss, reduction)


def warn_of_mean(stacklevel):
    """Warns of the mean of kl_div."""
    warnings.warn(
        "kl_div: reduction 'mean' divides by the number of elements; 'batchmean' divides by "
        "the size of the batch, as the definition does",
        stacklevel=stacklevel,
    )


def poisson_nll_loss(
    input,
    target,
    log_input=True,
    full=False,
    size_average=None,
    eps=1e-8,
    reduce=None,
    reduction="mean",
):
    """The negative log likelihood of counts: exp(x) - t x for the logarithm x of the rate.

    Args:
        input: x, any shape; integers are taken as the default dtype.
        target: t, counts of any dtype.
        log_input: x is the logarithm of the rate; else the rate, and the loss x - t log(x + eps).
            Default: True.
        full: add Stirling's t log t - t + log(2 pi t) / 2 where t > 1. Default: False.
        size_average, reduce: deprecated, see reduction.
        eps: keeps the logarithm finite. Default: 1e-8.
        reduction: "mean", "sum" or "none".
    """
    reduction = checked_reduction("poisson_nll_loss", reduction, size_average, reduce)
    input = floating(input, "poisson_nll_loss")
    t = like("poisson_nll_loss", target, input)
    loss = exp(input) - t * input if log_input else input - t * log(input + eps)
    if full:
        large = where(t > 1, t, 1.0)
        stirling = large * log(large) - large + 0.5 * log(large * (2 * math.pi))
        loss = loss + where(t > 1, stirling, 0.0)
    return reduced(loss, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log v + (input - target)^2 / v) / 2, the negative log likelihood with the variance v.

    Args:
        input: the means, any shape.
        target: any shape that broadcasts with it.
        var: the variances: a number, the input's shape, the same with one size of 1, or without
            the last dimension. A variance below eps counts as eps, but has a gradient.
        full: add the constant log(2 pi) / 2. Default: False.
        eps: the least variance. Default: 1e-6.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if var has another shape, or a negative number; in a recorded step the loss
            is NaN then.

    Nix & Weigend 1994, "Estimating the mean and variance of the target probability distribution".
    """
    name = "gaussian_nll_loss"
    reduction = checked_reduction(name, reduction)
    real_tensor(input, name, "input")
    target = like(name, target, input)
    if not isinstance(var, Tensor):
        if not var >= 0:
            raise ArgumentError(f"{name}: var is {var}, it must not be negative")
        v = max(float(var), eps)
        loss = 0.5 * ((input - target) ** 2 / v + math.log(v))
    else:
        var = with_shape_of(name, like(name, var, input, "var"), input)
        if not is_recording() and (var < 0).any():
            raise ArgumentError(
                f"{name}: var has the number {var.min().item()}, it must not be negative"
            )
        least = where(var < 0, math.nan, var - var.detach() + eps)
        v = where(var < eps, least, var)
        loss = 0.5 * (log(v) + (input - target) ** 2 / v)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def with_shape_of(name, var, x):
    """var, as it broadcasts with x."""
    if var.shape == x.shape:
        return var
    if x.ndim and var.shape == x.shape[:-1]:
        return unsqueeze(var, -1)
    differing = [n for m, n in zip(x.shape, var.shape, strict=False) if m != n]
    if var.ndim == x.ndim and differing == [1]:
        return var
    raise ArgumentError(
        f"{name}: var has shape {var.shape}, it must be that of the input, {x.shape}, the same "
        "with one size of 1, or without the last"
    )


# ---- margins -------------------------------------------------------------------------------------


def margin_ranking_loss(
    input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"
):
    """max(0, margin - target (input1 - input2)): of two scores the target says which is larger.

    Args:
        input1, input2: one shape.
        target: 1 where input1 is to be larger, -1 where input2 is; as many dimensions.
        margin: by how much. Default: 0.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if the numbers of dimensions differ.
    """
    name = "margin_ranking_loss"
    reduction = checked_reduction(name, reduction, size_average, reduce)
    reals(name, input1=input1, input2=input2)
    target = like(name, target, input1)
    same_dimensions(name, input1=input1, input2=input2, target=target)
    return reduced(clamp(margin - target * (input1 - input2), min=0), reduction)


def same_dimensions(name, **tensors):
    if len({x.ndim for x in tensors.values()}) > 1:
        shapes = ", ".join(f"{what} {x.shape}" for what, x in tensors.items())
        raise ArgumentError(f"{name}: {shapes} must have as many dimensions")


def scores_of(name, input):
    """Scores (n, c) or (c), checked; a number is the score of one class."""
    x = real_tensor(input, name, "input")
    if x.ndim > 2:
        raise ArgumentError(f"{name}: input has shape {x.shape}, it must be (n, c) or (c)")
    if x.shape[-1:] == (0,):
        raise ArgumentError(f"{name}: input has shape {x.shape}, there must be a class or more")
    return x if x.ndim else reshape(x, (1,))


def multi_margin_loss(
    input,
    target,
    p=1,
    margin=1.0,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """sum_j w_y max(0, margin - x_y + x_j)^p / c over the classes j that are not the target y.

    Args:
        input: scores, (n, c), (c), or () for a single class.
        target: y, class indices, (n) or (). Of one sample either, then the shape of the loss.
        p: 1 or 2. Default: 1.
        margin: by how much the score of y is to be larger. Default: 1.
        weight: (c), a factor for each class; it gets no gradient. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: for another p, or shapes that do not go together.
        IndexError: on a class index outside [0, c).

    Crammer & Singer 2001, "On the algorithmic implementation of multiclass kernel-based vector
    machines".
    """
    name = "multi_margin_loss"
    reduction = checked_reduction(name, reduction, size_average, reduce)
    x = scores_of(name, input)
    if p not in (1, 2):
        raise ArgumentError(f"{name}: p is {p}, it must be 1 or 2")
    if x.shape[:-1] in ((), (1,)) and isinstance(target, Tensor) and target.shape in ((), (1,)):
        x = reshape(x, target.shape + x.shape[-1:])
    return margin_loss(False, x, target, reduction, weight, p, margin)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """sum_ij max(0, 1 - x_j + x_i) / c over the targets j and the classes i that are none.

    Args:
        input: scores, (n, c), (c), or () for a single class.
        target: class indices, the shape of the input; in each row those before the first -1 count.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ.
        IndexError: on a class index outside [-1, c).
    """
    name = "multilabel_margin_loss"
    reduction = checked_reduction(name, reduction, size_average, reduce)
    x = scores_of(name, input)
    if isinstance(target, Tensor) and target.shape == input.shape == ():
        target = reshape(target, (1,))
    return margin_loss(True, x, target, reduction)


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The binary cross entropy of each class, its mean over the classes for each sample.

    Args:
        input: logits, (..., c).
        target: 0 or 1 for each class, the same shape.
        weight: (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the samples, "sum" or "none".

    Raises:
        ValueError: if the shapes differ.
    """
    name = "multilabel_soft_margin_loss"
    reduction = checked_reduction(name, reduction, size_average, reduce)
    real_tensor(input, name, "input")
    target = like(name, target, input)
    same_shape(name, target, input)
    if input.ndim == 0:
        raise ArgumentError(f"{name}: input is a single number, it must be (..., c)")
    loss = binary_cross_entropy_with_logits(input, target, weight, reduction="none")
    return reduced(sum(loss, -1) / input.shape[-1], reduction)


# ---- distances -----------------------------------------------------------------------------------

LEAST_SQUARE = 1e-12  # added to squared norms


def cosine_embedding_loss(
    input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"
):
    """1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where -1.

    Args:
        input1, input2: (n, d) or (d); integers are taken as the default dtype.
        target: 1 or -1, (n) or ().
        margin: a cosine that has no loss, -1 to 1. Default: 0.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together.
    """
    name = "cosine_embedding_loss"
    reduction = checked_reduction(name, reduction, size_average, reduce)
    checked_tensor(input1, name, "input1")
    checked_tensor(input2, name, "input2")
    checked_tensor(target, name, "target")
    a, b = floating(input1, name), floating(input2, name)
    if a.ndim not in (1, 2) or b.ndim != a.ndim or target.ndim != a.ndim - 1:
        raise ArgumentError(
            f"{name}: inputs have the shapes {a.shape} and {b.shape}, target {target.shape}; they "
            "must be (n, d), (n, d) and (n), or (d), (d) and ()"
        )
    norms = [(sum(x * x, -1) + LEAST_SQUARE).sqrt() for x in (a, b)]
    cosine = sum(a * b, -1) / (norms[0] * norms[1])
    loss = where(target == 1, 1 - cosine, 0.0)
    loss = loss + where(target == -1, clamp(cosine - margin, min=0), 0.0)
    return reduced(loss, reduction)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), d(x, y) = |x - y + eps|_p.

    Args:
        anchor, positive, negative: (..., d); integers are taken as the default dtype.
        margin: by how much the negative is to be farther. Default: 1.
        p: of the norm. Default: 2.
        eps: added to each difference. Default: 1e-6.
        swap: take d(positive, negative) in place of d(anchor, negative) where it is smaller
            (Balntas et al. 2016). Default: False.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if margin is not positive, or the numbers of dimensions differ.
    """
    name, reduction = "triplet_margin_loss", reduction_named(size_average, reduce, reduction)
    triplet = [floating(x, name) for x in (anchor, positive, negative)]
    return of_triplets(name, *triplet, distance(p, eps), margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor,
    positive,
    negative,
    *,
    distance_function=None,
    margin=1.0,
    swap=False,
    reduction="mean",
):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) with a distance of one's own.

    Args:
        anchor, positive, negative: what distance_function takes two of.
        distance_function: d. Default: |x - y + 1e-6| along the last dimension.
        margin, swap, reduction: as for triplet_margin_loss.

    Raises:
        ValueError: if margin is not positive, or the numbers of dimensions differ.
    """
    d = distance(2, 1e-6) if distance_function is None else distance_function
    name = "triplet_margin_with_distance_loss"
    return of_triplets(name, anchor, positive, negative, d, margin, swap, reduction)


def distance(p, eps):
    """The distance of the rows of two tensors."""
    return lambda x, y: pairwise_distance(x, y, p, eps)


def of_triplets(name, anchor, positive, negative, distance, margin, swap, reduction):
    reduction = checked_reduction(name, reduction)
    if not margin > 0:
        raise ArgumentError(f"{name}: margin is {margin}, it must be greater than 0")
    triplet = {"anchor": anchor, "positive": positive, "negative": negative}
    reals(name, **triplet)
    same_dimensions(name, **triplet)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp(margin + near - far, min=0), reduction)
