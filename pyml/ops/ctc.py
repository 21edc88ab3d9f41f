"""Connectionist temporal classification: a sequence of labels without their places.

Graves et al. 2006, "Connectionist temporal classification: labelling unsegmented sequence data with
recurrent neural networks".
"""

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import checked_tensor, real_tensor
from pyml.ops.elementwise import where
from pyml.ops.functions import logaddexp
from pyml.ops.index import gather
from pyml.ops.losses import checked_reduction, reduced
from pyml.ops.reduce import logsumexp
from pyml.ops.shape import cat, expand, integer, squeeze, stack, unsqueeze
from pyml.recorder import refuse
from pyml.tensor import Tensor

NEVER = -1e30  # the logarithm of a probability of 0: finite, so that differences are numbers


def ctc_loss(
    log_probs,
    targets,
    input_lengths,
    target_lengths,
    blank=0,
    reduction="mean",
    zero_infinity=False,
):
    """Minus the logarithm of the probability of a sequence, summed over all its alignments.

    The gradient is that of this function. PyTorch's has exp(log_probs) added, which log_softmax
    behind it takes away again.

    Args:
        log_probs: (t, n, c) or (t, c), such as log_softmax gives.
        targets: classes, (n, s), padded; or those of all samples one after another.
        input_lengths, target_lengths: tensors or sequences (n), or () for one sample.
        blank: the class between two labels. Default: 0.
        reduction: "mean" of the losses divided by the target lengths, "sum" or "none".
        zero_infinity: 0 in place of inf, for targets that the input is too short for.

    Raises:
        ValueError: on shapes and lengths that do not go together, or a class out of range.

    Example:
        >>> x = pyml.zeros(3, 1, 2).log_softmax(2)  # of 8 paths 6 are the label 1 once
        >>> F.ctc_loss(x, pyml.tensor([[1]]), [3], [1]).exp()
        tensor(1.3333)
    """
    name = "ctc_loss"
    reduction = checked_reduction(name, reduction)
    x = real_tensor(log_probs, name, "log_probs")
    checked_tensor(targets, name, "targets")
    refuse(name)
    if x.ndim == 2:
        lengths = input_lengths, target_lengths
        loss = ctc_loss(
            unsqueeze(x, 1), targets.reshape(1, -1), *lengths, blank, reduction, zero_infinity
        )
        return squeeze(loss, 0) if reduction == "none" else loss
    if x.ndim != 3:
        raise ArgumentError(
            f"{name}: log_probs has shape {x.shape}, it must be (t, n, c) or (t, c)"
        )
    steps, samples, classes = x.shape
    lengths = checked_lengths(input_lengths, samples, steps, name, "input_lengths")
    sizes = as_lengths(target_lengths, name, "target_lengths")
    labels = padded(targets, sizes, samples, name)
    sizes = checked_lengths(target_lengths, samples, labels.shape[1], name, "target_lengths")
    blank = integer(blank, f"{name}: blank")
    if not 0 <= blank < classes:
        raise ArgumentError(f"{name}: blank is {blank}, it must be from 0 to {classes - 1}")
    inside = np.arange(labels.shape[1]) < np.array(sizes)[:, None]
    if ((labels < 0) | (labels >= classes))[inside].any():
        raise ArgumentError(f"{name}: targets has a class outside 0 to {classes - 1}")
    loss = alignments(x, np.where(inside, labels, blank), lengths, sizes, blank)
    impossible = loss.detach() > -NEVER / 2
    loss = where(impossible, 0.0 if zero_infinity else np.inf, loss)
    if reduction == "mean":
        loss = loss / Tensor._on(np.maximum(np.array(sizes), 1).astype(loss.dtype.dtype))
    return reduced(loss, reduction)


def alignments(x, labels, lengths, sizes, blank):
    """The losses (n): the forward recursion over labels with blanks around them, (n, 2 s + 1)."""
    steps, samples, _ = x.shape
    states = np.full((samples, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    skips = np.zeros(states.shape, bool)  # the blank before a label may be left out
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    index = Tensor._on(np.ascontiguousarray(np.broadcast_to(states, (steps, *states.shape))))
    log_p, may_skip = gather(x, 2, index), Tensor._on(skips)
    never = Tensor._on(np.full((samples, 2), NEVER, x.dtype.dtype))
    first = Tensor._on(np.arange(states.shape[1]) < 2)
    alpha = expand(Tensor._on(np.array(0, x.dtype.dtype)), states.shape)
    ends = Tensor._on(np.array(lengths)[:, None])
    for t in range(steps):
        if t == 0:
            following = where(first, log_p[0], NEVER)
        else:
            by_one = cat([never[:, :1], alpha[:, :-1]], 1)
            by_two = where(may_skip, cat([never, alpha], 1)[:, : states.shape[1]], NEVER)
            following = logsumexp(stack([alpha, by_one, by_two]), 0) + log_p[t]
        alpha = where(ends > t, following, alpha)
    last = Tensor._on(2 * np.array(sizes)[:, None])
    before = Tensor._on(np.maximum(2 * np.array(sizes) - 1, 0)[:, None])
    is_empty = Tensor._on(np.array(sizes) == 0)
    end = squeeze(gather(alpha, 1, last), 1)
    total = where(is_empty, end, logaddexp(end, squeeze(gather(alpha, 1, before), 1)))
    waits = Tensor._on((np.array(lengths) == 0) & (np.array(sizes) > 0))
    return -where(waits, NEVER, total)


def as_lengths(lengths, name, what):
    """A tensor or a sequence as a list of integers."""
    if isinstance(lengths, Tensor) and lengths.array.dtype.kind not in "iu":
        raise DtypeError(f"{name}: {what} has dtype {lengths.dtype}, it must be an integer type")
    values = lengths.reshape(-1).tolist() if isinstance(lengths, Tensor) else lengths
    values = values if isinstance(values, (list, tuple)) else [values]
    return [integer(n, f"{name}: {what}") for n in values]


def checked_lengths(lengths, samples, most, name, what):
    values = as_lengths(lengths, name, what)
    if len(values) != samples or not all(0 <= n <= most for n in values):
        raise ArgumentError(
            f"{name}: {what} is {values}, it must be {samples} numbers from 0 to {most}"
        )
    return values


def padded(targets, sizes, samples, name):
    """The labels (n, s) as an array."""
    labels = targets.array
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{name}: targets has dtype {targets.dtype}, it must be an integer type")
    if labels.ndim == 2 and len(labels) == samples:
        return labels
    if labels.ndim != 1 or len(sizes) != samples or sum(sizes) != len(labels):
        raise ArgumentError(
            f"{name}: targets has shape {targets.shape}; ({samples}, s) is needed, or as many "
            f"classes as target_lengths {sizes} add up to"
        )
    y = np.zeros((samples, max(sizes, default=0)), np.int64)
    y[np.arange(y.shape[1]) < np.array(sizes)[:, None]] = labels
    return y
