"""Softmax and cross entropy in one operation."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport (
    as_indices, checked_index, contiguous, empty_like, empty_scalar, empty_vector, full, is_real, real_tensor,
    same_dtype,
)
from pyml.ops.reduction cimport MEAN, NONE, named_reduction, reduction_of
from pyml.ops.softmax cimport to_rows
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.elementwise import where
from pyml.ops.reduce import sum
from pyml.ops.shape import moveaxis, reshape
from pyml.ops.softmax import log_softmax, softmax

cnp.import_array()


def ignored_index(str name, ignore_index):
    """ignore_index as C takes it; `name` is the function's."""
    try:
        return <int64_t>ignore_index
    except OverflowError:
        raise ArgumentError(f"{name}: ignore_index is {ignore_index}, it must fit into 64 bits") from None


cdef class CrossEntropy(Node):
    """Kept: logits, weight, softmax, total weight, target; and the target's array, of indices or of probabilities."""
    cdef ndarray index, prob
    cdef int64_t ignore_index
    cdef double label_smoothing
    cdef int reduction

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0)
        q = self.weighted_target(x)
        if self.reduction == MEAN:
            total = self.saved(3)
            dy = dy / where(total == 0, 1.0, total)  # 0: all targets are ignored
        elif self.reduction == NONE:
            dy = reshape(dy, (-1, 1))
        return ((softmax(x, 1) * sum(q, 1, True) - q) * dy,)

    cdef Tensor weighted_target(self, Tensor x):
        """q with loss[i] = -sum_j q[i,j] log_softmax(x[i])[j]: the kernel's gradient, but for its sign, where the softmax
        is taken as 0."""
        cdef Tensor weight = self.saved(1)
        cdef ndarray q = full(x.shape, x.array, 0)
        self.saved(4)
        _kernels.cross_entropy_backward(
            q, full((x.array.shape[0],), x.array, -1), full(x.shape, x.array, 0), self.saved(3).array, self.index, self.prob,
            None if weight is None else contiguous(weight.array), self.ignore_index, self.label_smoothing, NONE,
        )
        return wrap(q)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray softmax = self.saved(2).array
        cdef Tensor weight = self.saved(1)
        cdef ndarray dx = empty_like(softmax)
        self.saved(4)
        _kernels.cross_entropy_backward(
            dx, contiguous(dy.array), softmax, self.saved(3).array, self.index, self.prob,
            None if weight is None else contiguous(weight.array), self.ignore_index, self.label_smoothing, self.reduction,
        )
        return (wrap(dx),)


cdef class ClassFault:
    """The exception for a target that is no class."""
    cdef Py_ssize_t classes
    cdef str name, other

    def __call__(self, position, target):
        allowed = f"0 to {self.classes - 1} or" if self.classes else "(the input has no classes)"
        return IndexError(
            f"{self.name}: target {target} at position {position} is out of bounds: a class index must be {allowed} "
            f"{self.other}"
        )


cdef ndarray checked_classes(str name, ndarray index, Py_ssize_t classes, int64_t ignore_index, str other=None):
    """The target as a vector of int64.

    Args:
        name: of the function, for the message.
        ignore_index: an index that is no class.
        other: what the message calls it. Default: ignore_index.
    """
    cdef ClassFault error = ClassFault.__new__(ClassFault)
    error.name, error.classes = name, classes
    error.other = f"ignore_index ({ignore_index})" if other is None else other
    index = as_indices(index)
    if index.ndim != 1:
        index = index.reshape(-1)
    return checked_index(index, classes, ignore_index, False, error)


cdef target_fault(str name, got, wanted, str kind="class indices"):
    """The exception for a target of another shape than `wanted`, with PyTorch's words."""
    words = f"Expected target size {list(wanted)}, but got {list(got)}"
    if len(wanted) == 1:
        words = f"target tensor should be 1-D with size equal to the number of samples. {words}"
    if wanted and got and got[0] != wanted[0]:
        words = f"Expected input batch_size ({wanted[0]}) to match target batch_size ({got[0]}); {words}"
    return ArgumentError(f"{name}: target of {kind} has shape {got}, it must be {wanted} ({words})")


def classes_of(name, target, shape, classes, ignore_index, other=None):
    """A target of class indices as a vector of int64, checked; arguments as for checked_classes.

    Args:
        target: an integer Tensor of `shape`.
    """
    if not isinstance(target, Tensor):
        raise TypeError(f"{name}: target must be a Tensor, not {type(target).__name__}")
    cdef ndarray index = (<Tensor>target).array
    if not cnp.PyArray_ISINTEGER(index):
        raise DtypeError(f"{name}: target has dtype {target.dtype}, it must be int64: class indices")
    if target.shape != shape:
        raise target_fault(name, target.shape, shape)
    return wrap(checked_classes(name, index, classes, ignore_index, other))


def one_for_each_class(str name, weight, Tensor x, Py_ssize_t classes):
    """A factor for each class, if it is that and of x's dtype; None stays None."""
    if weight is None:
        return None
    cdef Tensor w = real_tensor(weight, name, "weight")
    same_dtype(w, x, name, "weight")
    if shape_of(w) != (classes,):
        raise ArgumentError(
            f"{name}: weight has shape {w.shape}, it must be ({classes},) (weight tensor should be defined "
            f"either for all {classes} classes or no classes)")
    return w


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """Softmax and cross entropy: -sum_j q_j log_softmax(input)_j for each sample, with q the target distribution.

    Args:
        input: logits, (n, c), (c) or (n, c, d...).
        target: class indices, an integer Tensor of input's shape without the class dimension; or probabilities, a
            floating point Tensor of input's shape.
        weight: (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
        ignore_index: an index that adds nothing to the loss; negative for probabilities. Default: -100.
        reduction: "mean" (over the weights of the targets; over n for probabilities), "sum" or "none".
        label_smoothing: e in q <- (1 - e) q + e / c, 0 to 1 (Szegedy et al. 2015, arXiv:1512.00567). Default: 0.

    Raises:
        ValueError: on shapes that do not go together, or options out of range.
        IndexError: on a class index outside [0, c).
        TypeError: on dtypes.
    """
    cdef Tensor xt = real_tensor(input, "cross_entropy", "input")
    reduction = named_reduction(size_average, reduce, reduction)
    cdef int how = reduction_of(reduction, "cross_entropy")
    cdef Tensor w, tt, logits, out
    cdef ndarray index = None, prob = None, rows, loss, softmax_rows = None, total
    cdef CrossEntropy node
    if not isinstance(target, Tensor):
        raise TypeError(f"cross_entropy: target must be a Tensor, not {type(target).__name__}")
    tt = target
    if not 0.0 <= label_smoothing <= 1.0:
        raise ArgumentError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0, it is {label_smoothing}")
    if xt.array.ndim == 0:
        raise ArgumentError("cross_entropy: input is a single number, it must be (n, c), (c) or (n, c, d...)")
    cdef int axis = 0 if xt.array.ndim == 1 else 1
    shape = shape_of(xt)
    sample_shape = shape[:axis] + shape[axis + 1:]
    c = shape[axis]
    w = one_for_each_class("cross_entropy", weight, xt, c)
    ignore_index = ignored_index("cross_entropy", ignore_index)

    if is_real(tt.array):
        if shape_of(tt) != shape:
            if shape_of(tt) == sample_shape:
                raise ArgumentError(
                    f"cross_entropy: target has the shape of class indices, {tt.shape}, and dtype {tt.dtype}; target.long() "
                    "converts it (expected target dtype to be Long or Byte)")
            raise target_fault("cross_entropy", shape_of(tt), shape, "probabilities")
        same_dtype(tt, xt, "cross_entropy", "target")
        if ignore_index >= 0:
            raise ArgumentError(
                f"cross_entropy: ignore_index is not supported for floating point target; it is {ignore_index}, leave it out")
        if tracks(tt) or (w is not None and tracks(w)):
            return composite_cross_entropy(xt, tt, w, axis, reduction, label_smoothing)
        prob = to_rows(tt.array, axis)
    elif cnp.PyArray_ISINTEGER(tt.array):
        if shape_of(tt) != sample_shape:
            if shape_of(tt) == shape:
                raise ArgumentError(
                    f"cross_entropy: target has the input's shape, {shape}, and dtype {tt.dtype}; class indices have shape "
                    f"{sample_shape} (Expected floating point type for target with class probabilities)")
            raise target_fault("cross_entropy", shape_of(tt), sample_shape)
        index = checked_classes("cross_entropy", tt.array, c, ignore_index)
    else:
        raise DtypeError(f"cross_entropy: target has dtype {tt.dtype}, it must be int64 (indices) or {xt.dtype} (probabilities)")

    logits = xt if xt.array.ndim == 2 else reshape(moveaxis(xt, axis, -1), (tt.array.size if prob is None else prob.shape[0], c))
    rows = contiguous(logits.array)
    loss = empty_vector(rows.shape[0], rows) if how == NONE else empty_scalar(rows)
    total = empty_scalar(rows)
    if tracks(logits):
        softmax_rows = empty_like(rows)
    _kernels.cross_entropy_forward(
        loss, softmax_rows, total, rows, index, prob, None if w is None else contiguous(w.array), ignore_index, label_smoothing, how)
    out = wrap(loss)
    if tracks(logits):
        node = CrossEntropy.__new__(CrossEntropy)
        node.index, node.prob = index, prob
        node.ignore_index, node.label_smoothing, node.reduction = ignore_index, label_smoothing, how
        node.connect(out, (logits,))
        node.keep(logits)
        node.keep(w)
        node.keep(wrap(softmax_rows))
        node.keep(wrap(total))
        node.keep(tt)
    return reshape(out, sample_shape) if how == NONE and shape_of(out) != sample_shape else out


cdef Tensor composite_cross_entropy(Tensor x, Tensor target, Tensor weight, int axis, reduction, double label_smoothing):
    """The same by differentiable operations, for probabilities or weights that need a gradient."""
    x, target = moveaxis(x, axis, -1), moveaxis(target, axis, -1)
    q = target * (1 - label_smoothing) + label_smoothing / max(x.array.shape[x.array.ndim - 1], 1)
    if weight is not None:
        q = q * weight
    loss = -sum(q * log_softmax(x, -1), -1)
    if reduction == "none":
        return loss
    return sum(loss) / loss.numel() if reduction == "mean" else sum(loss)
