"""Reductions over all or some dimensions. Integers are computed by NumPy."""
from collections import namedtuple

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.grad_mode cimport grad_enabled
from pyml.memory cimport new_array
from pyml.ops.arrays cimport as_type, broadcast_to, contiguous, copied, empty_like, empty_shape, is_real
from pyml.ops.operands cimport cast, floating, lift, scalar
from pyml.recorder cimport recorder
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.elementwise import maximum, minimum, where
from pyml.ops.index import gather_backward
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import checked_dtype, numpy_names
from pyml.ops.selection import Selection
from pyml.ops.shape import wrapped_dim
from pyml.recorder import constant, is_recording, refuse

cnp.import_array()

# the numbers of kernels
cdef int DIV = _kernels.kernel("div")
cdef int MAX = _kernels.kernel("max")
cdef int MIN = _kernels.kernel("min")

cdef object FLOAT32 = np.dtype(np.float32), FLOAT64 = np.dtype(np.float64)
cdef object INT64 = np.dtype(np.int64), BOOL = np.dtype(np.bool_)


# ---- dimensions -----------------------------------------------------------------------------------------------


cdef class Dims:
    """The dimensions that a reduction of a tensor goes over."""
    cdef bint reduced[64]    # 64: NumPy's largest number of dimensions
    cdef bint keepdim
    cdef bint everything     # none was named
    cdef int first, last     # of the reduced ones
    cdef tuple input_shape
    cdef Py_ssize_t outer, n, inner   # sizes before, of, and between or after the reduced ones

    cdef bint adjacent(self):
        cdef int d
        for d in range(self.first, self.last):
            if not self.reduced[d]:
                return False
        return True

    cdef ndarray grouped(self, ndarray x):
        """x so that its memory is (outer, n, inner): reduced dimensions that are apart are moved to the end."""
        if not self.adjacent():
            rest = [d for d in range(x.ndim) if not self.reduced[d]]
            x = x.transpose(rest + [d for d in range(x.ndim) if self.reduced[d]])
            self.outer, self.inner = self.outer * self.inner, 1
        return contiguous(x)

    cdef ndarray result(self, ndarray x, int kind):
        """Memory for the result, of the NumPy type `kind`."""
        cdef cnp.npy_intp shape[64]
        cdef int d, ndim = 0
        for d in range(x.ndim):
            if not self.reduced[d] or self.keepdim:
                shape[ndim] = 1 if self.reduced[d] else x.shape[d]
                ndim += 1
        return new_array(ndim, shape, kind)

    cdef tuple dims(self):
        cdef Py_ssize_t d
        return tuple([d for d in range(len(self.input_shape)) if self.reduced[d]])

    cdef tuple kept(self):
        """The shape of the result with keepdim."""
        cdef Py_ssize_t d
        return tuple([1 if self.reduced[d] else self.input_shape[d] for d in range(len(self.input_shape))])

    cdef tuple shape(self):
        """The shape of the result."""
        cdef Py_ssize_t d
        if self.keepdim:
            return self.kept()
        return tuple([self.input_shape[d] for d in range(len(self.input_shape)) if not self.reduced[d]])

    cdef restored(self, y):
        """A result (a tensor or an array) so that it broadcasts with the input."""
        return y if self.keepdim or y.ndim == 0 else y.reshape(self.kept())


cdef Dims dims_of(ndarray x, object dim, bint keepdim, str name):
    """Dimensions given as None (all), one integer, or several."""
    cdef Dims dims = Dims.__new__(Dims)
    cdef int d
    cdef bint everything = dim is None or (isinstance(dim, (tuple, list)) and len(dim) == 0)
    dims.keepdim, dims.everything = keepdim, everything
    dims.input_shape = (<object>x).shape
    for d in range(x.ndim):
        dims.reduced[d] = everything
    if not everything:
        for item in dim if isinstance(dim, (tuple, list)) else (dim,):
            d = wrapped_dim(item, x.ndim, name)
            if dims.reduced[d]:
                raise ArgumentError(f"{name}: dim {dim} names a dimension twice")
            dims.reduced[d] = True
    dims.outer = dims.n = dims.inner = 1
    dims.first = dims.last = -1
    for d in range(x.ndim):
        if dims.reduced[d]:
            dims.n *= x.shape[d]
            dims.last = d
            if dims.first < 0:
                dims.first = d
        elif dims.first < 0:
            dims.outer *= x.shape[d]
        else:
            dims.inner *= x.shape[d]
    return dims


cdef ndarray total(ndarray x, Dims dims):
    """The sum of a real array."""
    cdef ndarray y = dims.result(x, cnp.PyArray_TYPE(x))
    x = dims.grouped(x)
    _kernels.sum(y, x, dims.outer, dims.n, dims.inner)
    return y


cdef void divide(ndarray y, double divisor) except *:
    """y /= divisor"""
    _kernels.binary(
        DIV, y, y, scalar(divisor, cnp.PyArray_TYPE(y)), 1, cnp.PyArray_SIZE(y), 0, 1, 0, 0
    )


# ---- what real does not hold ------------------------------------------------------------------------------------
#
# A sum of squares may be too large or too small for the dtype, and the deviation that is its root not. Where that is
# so, it is computed anew of x / s, s the largest size. A recorded step cannot know it beforehand: it computes both, and
# selects by the same rule.


cdef bint holds(ndarray y, double smallest):
    """No result needs to be computed anew: all are finite, and not below `smallest`."""
    cdef Py_ssize_t i, n = cnp.PyArray_SIZE(y)
    cdef float *floats = <float *>cnp.PyArray_DATA(y)
    cdef double *doubles = <double *>cnp.PyArray_DATA(y)
    cdef double value
    if recorder() is not None:
        return False
    for i in range(n):
        value = floats[i] if cnp.PyArray_TYPE(y) == cnp.NPY_FLOAT32 else doubles[i]
        if not smallest <= value < INFINITY:
            return False
    return True


cdef double smallest_square(ndarray y):
    """Smaller sums of squares have lost digits."""
    return 1e-30 if cnp.PyArray_TYPE(y) == cnp.NPY_FLOAT32 else 1e-290


cdef Tensor largest_size(Tensor x, Dims dims):
    """max |x|, of the shape kept(); 1 where that is no divisor, as a subnormal number, which kernels take for 0."""
    top = amax(x.abs(), dims.dims(), True)
    return where((top >= float(np.finfo(x.array.dtype).tiny)) & (top < np.inf), top, 1.0)


cdef Tensor chosen(Tensor y, Tensor anew, double smallest, Tensor square):
    """`anew` where the square that y was made of does not hold."""
    return where((square >= smallest) & (square < np.inf), y, anew)


cdef tuple root_of_squares(Tensor x, Dims dims, double divisor):
    """sum x^2 / divisor and its root, outside any graph; x is outside of one."""
    cdef Tensor square = wrap(total((x * x).array, dims)), y, s
    if divisor != 1:
        divide(square.array, divisor)
    y = square.sqrt()
    cdef double smallest = smallest_square(square.array)
    if dims.n == 0 or not divisor > 0 or holds(square.array, smallest):
        return square, y
    s = largest_size(x, dims)
    part = x / s
    cdef Tensor anew = wrap(total((part * part).array, dims))
    if divisor != 1:
        divide(anew.array, divisor)
    s = s.reshape(anew.shape)
    return chosen(square, anew * s * s, smallest, square), chosen(y, anew.sqrt() * s, smallest, square)


# ---- sum, mean ------------------------------------------------------------------------------------------------


cdef class Sum(Node):
    cdef Dims dims

    def _operation(self):
        return "Sum" if self.dims.everything else "SumOfDims"

    cdef tuple gradients(self, Tensor dy):
        return (self.dims.restored(dy).expand(self.dims.input_shape),)

    cdef tuple gradients_fused(self, Tensor dy):
        return (wrap(broadcast_to(self.dims.restored(dy.array), self.dims.input_shape)),)


@numpy_names
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum; of nothing it is 0. Integers and bool are summed as int64.

    Args:
        dim: one dimension or several. Default: all.
        keepdim: leave the reduced dimensions, with size 1.
        dtype: the dtype to sum in.
    """
    if type(input) is Selection:
        return input.sum(dim, keepdim, dtype=dtype)
    cdef Tensor x = lift(input, "sum"), y
    if dtype is not None:
        x = cast(x, checked_dtype(dtype, "sum"))
    cdef Dims dims = dims_of(x.array, dim, keepdim, "sum")
    if not is_real(x.array):
        if dtype is None and cnp.PyArray_ITEMSIZE(x.array) < 4:   # sums of doubles are exact
            return wrap(as_type(total(as_type(x.array, FLOAT64), dims), INT64))
        kind = np.dtype(np.int64) if dtype is None else x.array.dtype
        return wrap(by_numpy("sum", reduced, (x.array,), np.sum, dims.dims(), kind, tuple(dims.shape())))
    y = wrap(total(x.array, dims))
    cdef Sum node
    if tracks(x):
        node = Sum.__new__(Sum)
        node.dims = dims
        node.connect(y, (x,))
    return y


def reduced(x, function, dims, dtype, shape):
    return np.asarray(function(x, dims, dtype)).reshape(shape)


cdef class Mean(Node):
    cdef Dims dims

    def _operation(self):
        return "Mean" if self.dims.everything else "MeanOfDims"

    cdef tuple gradients(self, Tensor dy):
        return ((self.dims.restored(dy) / self.dims.n).expand(self.dims.input_shape),)


@numpy_names
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean; of nothing it is NaN. See sum for the arguments.

    Raises:
        TypeError: for integers without dtype=.
    """
    if type(input) is Selection:
        return input.mean(dim, keepdim, dtype=dtype)
    cdef Tensor x = real_or_cast(input, dtype, "mean")
    cdef Dims dims = dims_of(x.array, dim, keepdim, "mean")
    cdef Tensor y = wrap(total(x.array, dims)), part
    cdef double down = 2.0 ** -64   # a sum of so many is not too large
    divide(y.array, dims.n)
    if dims.n > 0 and not holds(y.array, -1.7976931348623157e308):   # the sum may have been too large, and the mean not
        part = wrap(total((wrap(x.array) * down).array, dims))
        divide(part.array, dims.n)
        y = where(wrap(y.array).abs() < np.inf, y, part * 2.0 ** 64)
    cdef Mean node
    if tracks(x):
        node = Mean.__new__(Mean)
        node.dims = dims
        node.connect(y, (x,))
    return y


cdef Tensor real_or_cast(input, dtype, str name):
    cdef Tensor x = lift(input, name)
    if dtype is not None:
        x = cast(x, checked_dtype(dtype, name))
    if not is_real(x.array):
        raise DtypeError(f"{name}: dtype {x.dtype}, it must be float32 or float64; .float() converts it")
    return x


# ---- var, std -------------------------------------------------------------------------------------------------


cdef class Var(Node):
    # sum (x - mean)^2 / (n - correction):  dx = 2 (x - mean) / (n - correction) dy
    cdef Dims dims
    cdef double divisor

    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        centred = x - mean(x, self.dims.dims(), True)
        return (self.dims.restored(dy) * (2 / self.divisor if self.divisor else np.nan) * centred,)


@numpy_names
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance, sum (x - mean)^2 / (n - correction).

    Args:
        dim: one dimension or several. Default: all.
        unbiased: True for correction=1, False for correction=0.
        correction: what is taken from n. Default: 1.
    """
    return variance(input, dim, unbiased, keepdim, correction, False)


cdef Tensor variance(input, dim, unbiased, bint keepdim, correction, bint take_root):
    """var, or std, its root."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ArgumentError("var: unbiased and correction mean the same, only one can be given")
    if correction is None:
        correction = 0 if unbiased is False else 1
    cdef Tensor x = real_or_cast(input, None, "var")
    cdef Dims dims = dims_of(x.array, dim, keepdim, "var")
    cdef double divisor = dims.n - correction if dims.n > correction else 0
    values = wrap(x.array)
    cdef Tensor y, deviation
    y, deviation = root_of_squares(values - mean(values, dims.dims(), True), dims, divisor)
    cdef Var node
    if tracks(x):
        node = Var.__new__(Var)
        node.dims, node.divisor = dims, divisor
        node.connect(y, (x,))
        node.keep(x)
    return root(y, deviation) if take_root else y


cdef class Root(Node):
    """A square root whose derivative at 0 is 0: that of a norm or a deviation."""

    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        zero = y == 0
        return (where(zero, 0.0, dy / (2 * where(zero, 1.0, y))),)


cdef Tensor root(Tensor x, Tensor y):
    """y, which is the root of x, as its node."""
    cdef Root node
    if tracks(x):
        node = Root.__new__(Root)
        node.connect(y, (x,))
        node.keep(y)
    return y


@numpy_names
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation, the root of var; where it is 0 so is its gradient. See var for the arguments."""
    return variance(input, dim, unbiased, keepdim, correction, True)


# ---- max, min -------------------------------------------------------------------------------------------------

maximum_result = namedtuple("max", ("values", "indices"))
minimum_result = namedtuple("min", ("values", "indices"))


cdef extreme(ndarray x, Dims dims, bint largest, bint with_index, str name):
    """The extreme values, and the indices of their first places if wanted."""
    if dims.n == 0:
        raise IndexError(f"{name}: a tensor of shape {dims.input_shape} has no elements to choose from")
    cdef ndarray y = dims.result(x, cnp.PyArray_TYPE(x))
    cdef ndarray index = dims.result(x, cnp.NPY_INT64) if with_index else None
    x = dims.grouped(x)
    if is_real(x):
        _kernels.extremum(MAX if largest else MIN, y, index, x, dims.outer, dims.n, dims.inner)
        return y, index
    grouped = x.reshape(dims.outer, dims.n, dims.inner)
    y = by_numpy(name, np.amax if largest else np.amin, (grouped,), 1).reshape(dims.shape())
    if with_index:
        index = by_numpy(name, np.argmax if largest else np.argmin, (grouped,), 1).reshape(dims.shape())
    return y, index


cdef class Extreme(Node):
    # equal elements share the gradient
    cdef Dims dims
    cdef str function

    def _operation(self):
        return self.function

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), y = self.dims.restored(self.saved(1))
        cdef Tensor places = cast((x == y) | (x.isnan() & y.isnan()), x.array.dtype)
        return ((self.dims.restored(dy) / sum(places, self.dims.dims(), True)) * places,)


cdef Tensor extreme_value(input, dim, bint keepdim, bint largest, str name):
    cdef Tensor x = lift(input, name)
    cdef Dims dims = dims_of(x.array, dim, keepdim, name)
    cdef Tensor y = wrap(extreme(x.array, dims, largest, False, name)[0])
    cdef Extreme node
    if tracks(x):
        node = Extreme.__new__(Extreme)
        node.dims, node.function = dims, name
        node.connect(y, (x,))
        node.keep(x)
        node.keep(y)
    return y


@numpy_names
def amax(input, dim=None, keepdim=False):
    """The largest value; NaN if there is one. Equal elements share the gradient.

    Args:
        dim: one dimension or several. Default: all.
        keepdim: leave the reduced dimensions, with size 1.
    """
    return extreme_value(input, dim, keepdim, True, "amax")


@numpy_names
def amin(input, dim=None, keepdim=False):
    """The smallest value; see amax."""
    return extreme_value(input, dim, keepdim, False, "amin")


cdef class Select(Node):
    # the element at the index gets the gradient
    cdef ndarray index
    cdef int dim
    cdef bint keepdim
    cdef tuple shape
    cdef str function

    def _operation(self):
        return f"{self.function} of a dimension"

    cdef tuple gradients(self, Tensor dy):
        if not self.shape:
            return (dy,)
        if not self.keepdim:
            dy = dy.unsqueeze(self.dim)
        return (gather_backward(dy, self.shape, self.dim, self.index),)


cdef extreme_at(Tensor x, dim, bint keepdim, bint largest, result, str name):
    cdef Dims dims = dims_of(x.array, (dim,), keepdim, name)
    cdef ndarray index
    values, index = extreme(x.array, dims, largest, True, name)
    cdef Tensor y = wrap(values)
    cdef Select node
    if tracks(x):
        node = Select.__new__(Select)
        node.dim = 0 if dims.first < 0 else dims.first
        node.keepdim, node.shape, node.function = keepdim, shape_of(x), name
        node.index = copied(index).reshape(dims.kept())
        node.connect(y, (x,))
    return result(y, wrap(index))


@numpy_names
def max(input, dim=None, keepdim=False, *, other=None):
    """The largest value.

    Args:
        dim: None for that of all elements, as amax; a dimension for a named tuple (values, indices), where the
            gradient goes to the element at the index, the first among equals; a tensor for maximum(input, dim).
        keepdim: leave the reduced dimension, with size 1.
        other: a tensor, for maximum(input, other).
    """
    if other is not None or isinstance(dim, Tensor):
        return maximum(input, dim if other is None else other)
    if dim is None:
        return extreme_value(input, None, keepdim, True, "max")
    return extreme_at(lift(input, "max"), dim, keepdim, True, maximum_result, "max")


@numpy_names
def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest value; see max."""
    if other is not None or isinstance(dim, Tensor):
        return minimum(input, dim if other is None else other)
    if dim is None:
        return extreme_value(input, None, keepdim, False, "min")
    return extreme_at(lift(input, "min"), dim, keepdim, False, minimum_result, "min")


cdef Tensor extreme_index(input, dim, bint keepdim, bint largest, str name):
    cdef Tensor x = lift(input, name)
    if dim is not None:
        dim = wrapped_dim(dim, x.array.ndim, name)
    return wrap(extreme(x.array, dims_of(x.array, dim, keepdim, name), largest, True, name)[1])


@numpy_names
def argmax(input, dim=None, keepdim=False):
    """The index of the largest value, the first among equals; without `dim`, in the flattened tensor."""
    return extreme_index(input, dim, keepdim, True, "argmax")


@numpy_names
def argmin(input, dim=None, keepdim=False):
    """The index of the smallest value; see argmax."""
    return extreme_index(input, dim, keepdim, False, "argmin")


# ---- any, all -------------------------------------------------------------------------------------------------


cdef Tensor extreme_truth(input, dim, bint keepdim, bint largest, str name):
    cdef Tensor x = lift(input, name)
    if isinstance(dim, (tuple, list)) and not dim:   # of no dimensions, as in PyTorch: for its sum they are all
        return wrap(copied(as_type(x.array, BOOL)))
    cdef Dims dims = dims_of(x.array, dim, keepdim, name)
    if dims.n == 0:
        return wrap(constant(np.full(dims.shape(), not largest)))
    truth = as_type(as_type(x.array, BOOL), FLOAT32)
    return wrap(as_type(extreme(truth, dims, largest, False, name)[0], BOOL))


@numpy_names
def any(input, dim=None, keepdim=False):
    """True if an element is not zero. Of no dimensions, `dim=()`, for each element."""
    return extreme_truth(input, dim, keepdim, True, "any")


@numpy_names
def all(input, dim=None, keepdim=False):
    """True if no element is zero. Of no dimensions, `dim=()`, for each element."""
    return extreme_truth(input, dim, keepdim, False, "all")


# ---- prod, cumsum ---------------------------------------------------------------------------------------------


cdef class Prod(Node):
    # dx[i] = dy * the product of the others: y / x[i], unless there is a zero
    cdef Dims dims

    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        product = self.dims.restored(dy) * self.dims.restored(self.saved_output(1))
        if is_recording():   # which path is taken depends on values: both, and one of them is chosen
            if grad_enabled():
                refuse("the second derivative of prod")
            return (where(all(x), product / where(x == 0, 1.0, x), self.with_zeros(dy)),)
        return (product / x if x.array.all() else self.with_zeros(dy),)

    cdef Tensor with_zeros(self, Tensor dy):
        """The gradient, also where there are zeros."""
        x, dy = self.saved(0), self.dims.restored(dy)
        cdef Py_ssize_t n = self.dims.n, d = self.dims.first
        if x.ndim == 0 or self.dims.first != self.dims.last:   # all dimensions
            rows, d = x.reshape(n), 0
        else:
            rows = x
        rows = rows.unsqueeze(d)       # (..., n, n, ...): row i is x with a 1 in place of x[i]
        diagonal = wrap(constant(np.eye(n, dtype=bool).reshape((n, n) + (1,) * (rows.ndim - d - 2))))
        others = prod(where(diagonal, 1.0, rows), d + 1)
        return dy * others.reshape(x.shape)


@numpy_names
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product of all elements, or along one dimension; of nothing it is 1. Integers give int64.

    Args:
        dtype: the dtype to multiply in.
    """
    cdef Tensor x = lift(input, "prod")
    if dtype is not None:
        x = cast(x, checked_dtype(dtype, "prod"))
    if dim is not None:
        dim = wrapped_dim(dim, x.array.ndim, "prod")
    cdef Dims dims = dims_of(x.array, dim, keepdim, "prod")
    kind = x.array.dtype if is_real(x.array) or dtype is not None else np.dtype(np.int64)
    cdef Tensor y = wrap(by_numpy("prod", reduced, (contiguous(x.array),), np.prod, dims.dims(), kind, tuple(dims.shape())))
    cdef Prod node
    if tracks(x):
        node = Prod.__new__(Prod)
        node.dims = dims
        node.connect(y, (x,))
        node.keep(x)
        node.keep(y)
    return y


cdef class CumSum(Node):
    cdef int dim
    cdef bint backwards

    cdef tuple gradients(self, Tensor dy):
        return (running_sum(dy, self.dim, not self.backwards, dy.dtype),)


def running(x, dim, backwards, dtype):
    if x.ndim == 0:
        return x.astype(dtype)
    return np.flip(np.cumsum(np.flip(x, dim), dim, dtype), dim) if backwards else np.cumsum(x, dim, dtype)


cdef Tensor running_sum(Tensor x, int dim, bint backwards, dtype):
    """The sum of x up to each element, or from each element on. Each is the other's derivative."""
    cdef Tensor y = wrap(by_numpy("cumsum", running, (x.array,), dim, backwards, dtype))
    cdef CumSum node
    if tracks(x):
        node = CumSum.__new__(CumSum)
        node.dim, node.backwards = dim, backwards
        node.connect(y, (x,))
    return y


@numpy_names
def cumsum(input, dim, *, dtype=None):
    """The sums of the elements up to each one along `dim`.

    Args:
        dtype: the dtype to sum in. Default: the input's, int64 for integers.
    """
    cdef Tensor x = lift(input, "cumsum")
    if dtype is not None:
        x = cast(x, checked_dtype(dtype, "cumsum"))
    kind = x.array.dtype if is_real(x.array) or dtype is not None else np.dtype(np.int64)
    return running_sum(x, wrapped_dim(dim, x.array.ndim, "cumsum"), False, kind)


# ---- norm, pairs of rows, logsumexp ---------------------------------------------------------------------------


cdef class SquareNorm(Node):
    # y = sqrt(sum x^2):  dx = x dy / y, and 0 where y is
    cdef Dims dims

    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(1)
        zero = y == 0
        return (self.saved(0) * self.dims.restored(where(zero, 0.0, dy / where(zero, 1.0, y))),)


cdef class PowerNorm(Node):
    # y = (sum |x|^p)^(1/p):  dx = sign(x) (|x| / y)^(p-1) dy, and 0 where x or y is
    cdef Dims dims
    cdef double p

    cdef tuple gradients(self, Tensor dy):
        x, y = self.saved(0), self.dims.restored(self.saved_output(1))
        zero = (x == 0) | (y == 0)
        ratio = where(zero, 1.0, x.abs() / where(y == 0, 1.0, y))
        return (where(zero, 0.0, x.sign() * ratio ** (self.p - 1) * self.dims.restored(dy)),)


@numpy_names
def norm(input, p=2, dim=None, keepdim=False, *, dtype=None):
    """The p-norm (sum |x|^p)^(1/p); where it is 0 so is its gradient.

    Args:
        p: a number, inf, -inf, or "fro", which is 2. 0 counts what is not zero.
        dim: one dimension or several. Default: all.
        keepdim: leave the reduced dimensions, with size 1.
        dtype: float32 or float64, to compute in. Default: the input's.
    """
    cdef Tensor x = real_or_cast(input, dtype, "norm"), y
    cdef Dims dims
    cdef SquareNorm of_squares
    if isinstance(p, str) and p != "fro":
        raise ArgumentError(f"norm: p is {p!r}, it must be a number or 'fro'; linalg.matrix_norm has 'nuc'")
    p = 2.0 if p == "fro" or p is None else float(p)
    if p == 2:
        dims = dims_of(x.array, dim, keepdim, "norm")
        square, y = root_of_squares(wrap(x.array), dims, 1)
        if tracks(x):
            of_squares = SquareNorm.__new__(SquareNorm)
            of_squares.dims = dims
            of_squares.connect(y, (x,))
            of_squares.keep(x)
            of_squares.keep(y)
        return y
    if p == 1:
        return sum(x.abs(), dim, keepdim)
    if p == np.inf:
        return amax(x.abs(), dim, keepdim)
    if p == -np.inf:
        return amin(x.abs(), dim, keepdim)
    if p == 0:
        return sum(where(x != x, 1.0, x).sign().abs(), dim, keepdim)   # NaN is not zero; the gradient is 0
    dims = dims_of(x.array, dim, keepdim, "norm")
    sizes = wrap(x.array).abs()
    powers = sum(sizes ** p, dim, keepdim)
    y = powers ** (1 / p)
    cdef double smallest = smallest_square(x.array)
    if dims.n > 0 and not holds((<Tensor>powers).array, smallest):
        s = largest_size(sizes, dims)
        anew = sum((sizes / s) ** p, dim, keepdim) ** (1 / p)
        y = chosen(y, anew * s.reshape(anew.shape), smallest, powers)
    cdef PowerNorm node
    if tracks(x):
        node = PowerNorm.__new__(PowerNorm)
        node.dims = dims
        node.p = p
        node.connect(y, (x,))
        node.keep(x)
        node.keep(y)
    return y


cdef class RowPair(Node):
    """A number for each pair of rows: see csrc/contracts/row_pair.h. Kept: both."""
    cdef str name
    cdef object derivative
    cdef int backward
    cdef double eps
    cdef Py_ssize_t n, c

    def _operation(self):
        return self.name

    cdef tuple gradients(self, Tensor dy):
        return self.derivative(dy, self.saved(0), self.saved(1), self.eps)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), t = contiguous(self.saved(1).array)
        cdef ndarray dx = None if self.inputs[0] is None else empty_like(x)
        cdef ndarray dt = None if self.inputs[1] is None else empty_like(t)
        _kernels.row_pair_backward(self.backward, dx, dt, contiguous(dy.array), x, t, self.n, self.c, self.eps)
        return None if dx is None else wrap(dx), None if dt is None else wrap(dt)


def row_pair(str kernel, str name, derivative, Tensor x, Tensor t, double eps):
    """Of the last dimension of two tensors of one shape and dtype.

    Args:
        kernel: <kernel>_forward and <kernel>_backward.
        name: of the node.
        derivative: derivative(dy, x, t, eps), the gradients as operations.
    """
    cdef tuple shape = shape_of(x)
    cdef ndarray a = contiguous(x.array), b = contiguous(t.array), y = empty_shape(shape[:-1], a)
    cdef Py_ssize_t n = y.size, c = shape[-1]
    _kernels.row_pair_forward(_kernels.kernel(f"{kernel}_forward"), y, a, b, n, c, eps)
    cdef Tensor out = wrap(y)
    cdef RowPair node
    if tracks(x) or tracks(t):
        node = RowPair.__new__(RowPair)
        node.name, node.derivative, node.backward = name, derivative, _kernels.kernel(f"{kernel}_backward")
        node.eps, node.n, node.c = eps, n, c
        node.connect(out, (x, t))
        node.keep(x)
        node.keep(t)
    return out


cdef class LogSumExp(Node):
    cdef Dims dims

    cdef tuple gradients(self, Tensor dy):
        return (self.dims.restored(dy) * (self.saved(0) - self.dims.restored(self.saved_output(1))).exp(),)


@numpy_names
def logsumexp(input, dim=None, keepdim=False):
    """log(sum(exp(x))) without overflow; of nothing it is -inf.

    Args:
        dim: one dimension or several. Default: all.
        keepdim: leave the reduced dimensions, with size 1.
    """
    cdef Tensor x = floating(input, "logsumexp"), values = wrap(x.array), y
    cdef Dims dims = dims_of(x.array, dim, keepdim, "logsumexp")
    if dims.n == 0:
        y = wrap(constant(np.full(dims.shape(), -np.inf, x.array.dtype)))
    else:
        top = amax(values, dims.dims(), True)
        top = where(top.isfinite(), top, 0.0)
        y = sum((values - top).exp(), dims.dims(), keepdim).log() + top.reshape(dims.shape())
    cdef LogSumExp node
    if tracks(x):
        node = LogSumExp.__new__(LogSumExp)
        node.dims = dims
        node.connect(y, (x,))
        node.keep(x)
        node.keep(y)
    return y
