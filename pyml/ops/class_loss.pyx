"""Losses of scores and a class, or classes, for each sample: nll_loss, and the margins of pyml.ops.losses.

The formulas stand in csrc/contracts/class_loss.h. size_average and reduce are PyTorch's old names of a reduction, see
pyml.ops.deprecated.
"""
from math import prod

cimport numpy as cnp
from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_scalar, empty_shape, full, real_tensor
from pyml.ops.reduction cimport MEAN, NONE, named_reduction, reduction_of
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError
from pyml.ops.creation import arange
from pyml.ops.cross_entropy import classes_of, ignored_index, one_for_each_class
from pyml.ops.elementwise import where
from pyml.ops.reduce import sum
from pyml.ops.shape import reshape

cnp.import_array()


cdef class Kind:
    """One of the losses."""
    cdef str name, node
    cdef int forward, backward

    def __init__(self, name, node, kernel):
        self.name, self.node = name, node
        self.forward, self.backward = _kernels.kernel(f"{kernel}_forward"), _kernels.kernel(f"{kernel}_backward")


cdef Kind NLL = Kind("nll_loss", "NLLLoss", "nll")
cdef Kind MULTI_MARGIN = Kind("multi_margin_loss", "MultiMarginLoss", "multi_margin")
cdef Kind MULTILABEL_MARGIN = Kind("multilabel_margin_loss", "MultilabelMarginLoss", "multi_margin")


cdef class ClassLoss(Node):
    """Kept: the scores of the margins, the classes, the weight, the total weight."""
    cdef Kind kind
    cdef int64_t ignore_index
    cdef double margin, p
    cdef int reduction
    cdef tuple shape, parts   # of the scores, and as the kernels take them: (n, c, inner)

    def _operation(self):
        return self.kind.node

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0)
        if self.reduction == MEAN:
            dy = dy / self.saved(3)
        elif self.reduction == NONE:
            dy = reshape(dy, (self.parts[0], 1, self.parts[2]))
        slopes = self.slopes(full((self.parts[0], self.parts[2]), dy.array, 1), NONE, 1)
        if self.p == 2:   # each slope times 2 z, and that of the class minus the sum of the others
            x = reshape(x, self.parts)
            is_class = reshape(self.saved(1), (-1, 1, 1)) == reshape(arange(self.parts[1]), (-1, 1))
            z = self.margin - sum(where(is_class, x, 0.0), 1, True) + x
            slopes = where(is_class, 0.0, 2 * slopes) * z
            slopes = where(is_class, -sum(slopes, 1, True), slopes)
        return (reshape(slopes * dy, self.shape),)

    cdef Tensor slopes(self, ndarray dloss, int reduction, double p):
        """The kernel's gradient, in parts."""
        cdef Tensor x = self.saved(0), weight = self.saved(2)
        self.saved(4)   # unchanged
        cdef ndarray dx = empty_shape(self.parts, dloss)
        _kernels.class_loss_backward(
            self.kind.backward, dx, dloss, self.saved(3).array, None if x is None else contiguous(x.array),
            self.saved(1).array, None if weight is None else contiguous(weight.array), self.ignore_index, self.margin, p,
            reduction,
        )
        return wrap(dx)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef Tensor dx = self.slopes(contiguous(dy.array), self.reduction, self.p)
        return (wrap(dx.array.reshape(self.shape)),)


cdef Tensor class_loss(
    Kind kind, Tensor x, target, weight, reduction, int64_t ignore_index, str ignored, double margin=0, double p=1
):
    """The loss of scores, (n, c, ...) or (c).

    Args:
        ignore_index, ignored: as classes_of takes them.
    """
    cdef int how = reduction_of(reduction, kind.name)
    cdef tuple shape = shape_of(x), parts, samples
    cdef ndarray a, loss, total
    cdef ClassLoss node
    if x.array.ndim == 1:
        parts, samples = (1, shape[0], 1), ()
    else:
        parts, samples = (shape[0], shape[1], prod(shape[2:])), shape[:1] + shape[2:]
    cdef Tensor w = one_for_each_class(kind.name, weight, x, parts[1])
    cdef bint labels = kind is MULTILABEL_MARGIN
    cdef Tensor index = classes_of(kind.name, target, shape if labels else samples, parts[1], ignore_index, ignored)
    if labels:
        index = wrap(index.array.reshape(parts[0], 1, parts[1]))
    a = contiguous(x.array)
    loss = empty_shape(samples, a) if how == NONE else empty_scalar(a)
    total = empty_scalar(a)
    _kernels.class_loss_forward(
        kind.forward, loss, total, a.reshape(parts), index.array, None if w is None else contiguous(w.array), ignore_index,
        margin, p, how,
    )
    cdef Tensor out = wrap(loss)
    if tracks(x):
        node = ClassLoss.__new__(ClassLoss)
        node.kind, node.ignore_index, node.margin, node.p, node.reduction = kind, ignore_index, margin, p, how
        node.shape, node.parts = shape, parts
        node.connect(out, (x,))
        node.keep(None if kind is NLL else x)
        node.keep(index)
        node.keep(w)
        node.keep(wrap(total))
        node.keep(target)   # on whose memory index may be
    return out


def nll_loss(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
):
    """The negative log likelihood -w_y x_y of the class y of each sample.

    Args:
        input: log-probabilities, such as log_softmax gives: (n, c), (c) or (n, c, d...).
        target: class indices, an integer Tensor of input's shape without the class dimension.
        weight: (c), a factor for each class; it gets no gradient. Default: None.
        size_average, reduce: deprecated, see reduction.
        ignore_index: an index that adds nothing to the loss. Default: -100.
        reduction: "mean" (over the weights of the targets), "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together.
        IndexError: on a class index outside [0, c).
        TypeError: on dtypes.

    Example:
        >>> F.nll_loss(pyml.tensor([[-0.5, -1.5]]), pyml.tensor([1])).item()
        1.5
    """
    cdef Tensor x = real_tensor(input, "nll_loss", "input")
    if x.array.ndim == 0:
        raise ArgumentError("nll_loss: input is a single number, it must be (n, c), (c) or (n, c, d...)")
    ignore_index = ignored_index("nll_loss", ignore_index)
    return class_loss(
        NLL, x, target, weight, named_reduction(size_average, reduce, reduction), ignore_index, None)


def margin_loss(bint labels, Tensor x, target, reduction, weight=None, double p=1, double margin=1):
    """multilabel_margin_loss of scores (n, c) or (c), or multi_margin_loss."""
    if labels:
        return class_loss(MULTILABEL_MARGIN, x, target, None, reduction, -1, "-1", margin)
    return class_loss(MULTI_MARGIN, x, target, weight, reduction, 0, "another input", margin, p)
