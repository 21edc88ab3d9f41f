"""Changes in place.

`t.f_(...)` computes f(t, ...) beside t, writes it into t's memory, and t takes the result's place in the graph. What
a backward still needs of the old values is refused by the version that was counted up.
"""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_type, copied, copy_into, empty_like, full, is_real
from pyml.ops.operands cimport cast, lift, number_as, sum_to
from pyml.tensor cimport (
    Node, Tensor, alias_of, pass_to_base, refresh, shape_of, tracks, will_change, wrap,
)

from pyml.errors import ArgumentError, DtypeError
from pyml.ops import elementwise
from pyml.ops.operands import broadcast_shapes, result_type
from pyml.random import state_of

cnp.import_array()

# the numbers of kernels
cdef int ADD = _kernels.kernel("add")
cdef int DIV = _kernels.kernel("div")
cdef int MUL = _kernels.kernel("mul")
cdef int RANDOM_NORMAL = _kernels.kernel("random_normal")
cdef int RANDOM_UNIFORM = _kernels.kernel("random_uniform")
cdef int SUB = _kernels.kernel("sub")


cdef int category(ndarray a):
    """0 bool, 1 integers, 2 floats: a dtype takes what is not above it."""
    return 2 if is_real(a) else cnp.PyArray_TYPE(a) != cnp.NPY_BOOL


cpdef Tensor replace(Tensor t, Tensor y, str name):
    """t <- y, computed from t."""
    cdef Node node = y.node
    if category(t.array) < category(y.array):
        raise DtypeError(f"{name}: the result has dtype {y.dtype}, it cannot be written into a tensor of {t.dtype}")
    if y.array.ndim != t.array.ndim or not cnp.PyArray_SAMESHAPE(y.array, t.array):
        raise ArgumentError(f"{name}: the result has shape {y.shape}, the tensor that takes it has shape {t.shape}")
    will_change(t, y._requires_grad)
    if y._requires_grad:
        keep_old_values(node, t)
    if t.array.dtype != y.array.dtype:
        y = cast(y, t.array.dtype)
        node = y.node
    copy_into(t.array, y.array)
    t.mark_changed()
    if y._requires_grad:
        if t.retains:
            node._pass_retention(t)
        t.node = node
        t._requires_grad = True
        pass_to_base(t)
    return t


cdef int keep_old_values(Node node, Tensor t) except -1:
    """What `node` keeps of t for backward becomes a copy: t is about to be overwritten, and to be reached from its node."""
    cdef Tensor old = None
    cdef Py_ssize_t i
    if node.kept is None:
        return 0
    for i in range(len(node.kept)):
        if node.kept[i] is t:
            if old is None:
                old = wrap(copied(t.array))
                old.node, old._requires_grad = t.node, t._requires_grad
            node.keep_instead(i, old)
    return 0


cdef apart(object x, Tensor t):
    """x, or if it is t a twin of it: what an inner node of f(t, x) keeps must not lead from t back to t."""
    if x is not t:
        return x
    refresh(t)
    cdef Tensor twin = alias_of(t, t.array)
    twin.node, twin._requires_grad, twin.graph_version = t.node, t._requires_grad, t.graph_version
    return twin


# ---- arithmetic -----------------------------------------------------------------------------------------------


cdef bint direct(Tensor t, object other):
    """The kernel can write into t at once: one real dtype and layout, not recorded."""
    if tracks(t) or not is_real(t.array) or not cnp.PyArray_ISCARRAY(t.array):
        return False
    if not isinstance(other, Tensor):
        return False
    cdef Tensor o = other
    if tracks(o) or cnp.PyArray_TYPE(o.array) != cnp.PyArray_TYPE(t.array) or not cnp.PyArray_ISCARRAY_RO(o.array):
        return False
    if o.array.ndim != t.array.ndim or not cnp.PyArray_SAMESHAPE(t.array, o.array):
        return False
    cdef char *p = <char *>cnp.PyArray_DATA(t.array)
    cdef char *q = <char *>cnp.PyArray_DATA(o.array)
    cdef Py_ssize_t bytes_ = cnp.PyArray_NBYTES(t.array)
    return p == q or p + bytes_ <= q or q + bytes_ <= p


cdef Tensor arithmetic(int kernel, Tensor t, object other, function, str name):
    if not direct(t, other):
        return replace(t, function(t, other), name)
    will_change(t, False)
    cdef ndarray b = (<Tensor>other).array
    _kernels.binary(kernel, t.array, t.array, b, 1, cnp.PyArray_SIZE(t.array), 0, 1, 0, 1)
    t.mark_changed()
    return t


def add_(Tensor input not None, other, *, alpha=1):
    """input += alpha * other."""
    other = other if alpha == 1 else elementwise.mul(other, alpha)
    return arithmetic(ADD, input, other, elementwise.add, "add_")


def sub_(Tensor input not None, other, *, alpha=1):
    """input -= alpha * other."""
    other = other if alpha == 1 else elementwise.mul(other, alpha)
    return arithmetic(SUB, input, other, elementwise.sub, "sub_")


def mul_(Tensor input not None, other):
    """input *= other."""
    return arithmetic(MUL, input, other, elementwise.mul, "mul_")


def div_(Tensor input not None, other, *, rounding_mode=None):
    """input /= other; see div."""
    if rounding_mode is not None:
        return replace(input, elementwise.div(input, other, rounding_mode=rounding_mode), "div_")
    return arithmetic(DIV, input, other, elementwise.div, "div_")


def pow_(Tensor input not None, exponent):
    """input raised to `exponent`, in place."""
    return replace(input, elementwise.pow(input, exponent), "pow_")


def neg_(Tensor input not None):
    """-input, in place."""
    return replace(input, elementwise.neg(input), "neg_")


def abs_(Tensor input not None):
    """The absolute value, in place."""
    return replace(input, elementwise.abs(input), "abs_")


def exp_(Tensor input not None):
    """exp, in place."""
    return replace(input, elementwise.exp(input), "exp_")


def log_(Tensor input not None):
    """log, in place."""
    return replace(input, elementwise.log(input), "log_")


def sqrt_(Tensor input not None):
    """sqrt, in place."""
    return replace(input, elementwise.sqrt(input), "sqrt_")


def square_(Tensor input not None):
    """square, in place."""
    return replace(input, elementwise.square(input), "square_")


def reciprocal_(Tensor input not None):
    """1 / input, in place."""
    return replace(input, elementwise.reciprocal(input), "reciprocal_")


def floor_(Tensor input not None):
    """floor, in place."""
    return replace(input, elementwise.floor(input), "floor_")


def ceil_(Tensor input not None):
    """ceil, in place."""
    return replace(input, elementwise.ceil(input), "ceil_")


def round_(Tensor input not None, *, decimals=0):
    """round, in place."""
    return replace(input, elementwise.round(input, decimals=decimals), "round_")


def clamp_(Tensor input not None, min=None, max=None):
    """clamp, in place."""
    return replace(input, elementwise.clamp(input, min, max), "clamp_")


def masked_fill_(Tensor input not None, mask, value):
    """masked_fill, in place."""
    return replace(input, elementwise.masked_fill(input, mask, value), "masked_fill_")


def lerp_(Tensor input not None, end, weight):
    """lerp, in place."""
    return replace(input, elementwise.lerp(input, end, apart(weight, input)), "lerp_")


def addcmul_(Tensor input not None, tensor1, tensor2, *, value=1):
    """addcmul, in place."""
    return replace(input, elementwise.addcmul(input, apart(tensor1, input), apart(tensor2, input), value=value), "addcmul_")


def addcdiv_(Tensor input not None, tensor1, tensor2, *, value=1):
    """addcdiv, in place."""
    return replace(input, elementwise.addcdiv(input, apart(tensor1, input), apart(tensor2, input), value=value), "addcdiv_")


# ---- values from elsewhere ------------------------------------------------------------------------------------


cdef class Overwrite(Node):
    """t <- source, in t's dtype: nothing of the gradient goes to the old t."""
    cdef tuple source_shape
    cdef object source_dtype

    cdef tuple gradients(self, Tensor dy):
        dsource = None
        if self.inputs[1] is not None:
            dsource = sum_to(cast(dy, self.source_dtype), self.source_shape)
        return (None if self.inputs[0] is None else wrap(full(shape_of(dy), dy.array, 0)), dsource)


cdef Tensor overwritten(Tensor t, Tensor source):
    """Records that t was overwritten with `source`, or with constants."""
    cdef Overwrite node = None
    if tracks(t) or (source is not None and tracks(source)):
        node = Overwrite.__new__(Overwrite)
        if source is not None:
            node.source_shape, node.source_dtype = shape_of(source), source.array.dtype
        node.connect(t, (t, source))   # before the change is counted: source may be a view of t
    t.mark_changed()
    if node is not None:
        pass_to_base(t)
    return t


def copy_(Tensor input not None, other, non_blocking=False):
    """input <- other, broadcast and converted to its dtype."""
    cdef Tensor source = lift(other, "copy_")
    if broadcast_shapes(input.shape, source.shape, name="copy_") != input.shape:
        raise ArgumentError(f"copy_: other has shape {source.shape}, it does not broadcast to {input.shape}")
    will_change(input, tracks(input) or (tracks(source) and is_real(input.array)))
    if tracks(source):
        source._check_current()
    copy_into(input.array, as_type(source.array, input.array.dtype))
    return overwritten(input, source if is_real(input.array) else None)


def fill_(Tensor input not None, value):
    """Every element <- value."""
    if isinstance(value, Tensor):
        if value.ndim != 0:
            raise ArgumentError(f"fill_: value has shape {value.shape}, it must be 0-d; copy_() copies a tensor")
        return copy_(input, value)
    if result_type(input, value, name="fill_") != input.dtype and is_real(np.asarray(value)) and \
            not float(value).is_integer():
        raise DtypeError(f"fill_: {value} does not fit into a tensor of dtype {input.dtype}")
    cdef ndarray number = number_as(value, input.array.dtype, "fill_")
    if number.ndim != 0:
        raise ArgumentError(f"fill_: value has shape {np.shape(value)}, it must be a number")
    will_change(input, tracks(input))
    copy_into(input.array, number)
    return overwritten(input, None)


cdef Tensor drawn(int kernel, Tensor t, double low, double high, generator, str name):
    cdef ndarray y
    if not is_real(t.array):
        raise DtypeError(f"{name}: dtype {t.dtype}, it must be float32 or float64")
    will_change(t, tracks(t))
    y = t.array if cnp.PyArray_ISCARRAY(t.array) else empty_like(t.array)
    _kernels.random(kernel, y, state_of(generator, name), low, high)
    if y is not t.array:
        copy_into(t.array, y)
    return overwritten(t, None)


def uniform_(Tensor input not None, from_=0.0, to=1.0, *, generator=None):
    """Every element <- a random number from [from_, to)."""
    if not from_ <= to:
        raise ArgumentError(f"uniform_: from is {from_}, to is {to}; from must not be larger")
    return drawn(RANDOM_UNIFORM, input, from_, to, generator, "uniform_")


def normal_(Tensor input not None, mean=0.0, std=1.0, *, generator=None):
    """Every element <- a random number from the normal distribution."""
    if not std >= 0:
        raise ArgumentError(f"normal_: std is {std}, it must not be negative")
    return drawn(RANDOM_NORMAL, input, mean, std, generator, "normal_")
