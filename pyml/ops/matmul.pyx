"""Matrix products. The kernel takes any strides, so transposes and slices are multiplied where they lie."""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport checked_tensor, broadcast_to, contiguous, empty_matrix, empty_shape, is_real
from pyml.ops.operands cimport lift, written
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, sum_to
from pyml.recorder import unwatched

cnp.import_array()


cdef inline Py_ssize_t stride(ndarray a, int d):
    return a.strides[d] // cnp.PyArray_ITEMSIZE(a)


cdef Py_ssize_t batch_stride(ndarray a, tuple batch):
    """Elements from one matrix of `a` (batch..., m, n) to the next, in the order of the batch; -1 if there is no such."""
    cdef Py_ssize_t between = 0, count = 1, s
    cdef int d
    for d in range(<int>len(batch) - 1, -1, -1):
        if batch[d] == 1:
            continue
        s = stride(a, d)
        if count == 1:
            between = s
        elif s != between * count:
            return -1
        count *= batch[d]
    return between


cdef ndarray batched(ndarray a, tuple batch):
    """`a` broadcast to the batch, its matrices at equal distances."""
    cdef Py_ssize_t ndim = a.ndim
    if (<object>a).shape[:ndim - 2] != batch:
        a = broadcast_to(a, batch + (a.shape[ndim - 2], a.shape[ndim - 1]))
    return a if batch_stride(a, batch) >= 0 else contiguous(a)


cdef ndarray product(ndarray a, ndarray b, bint bfloat16):
    """a @ b of arrays of one dtype with at least two dimensions, (..., m, k) and (..., k, n)."""
    cdef ndarray c
    cdef tuple batch = ()
    cdef Py_ssize_t m = a.shape[a.ndim - 2], k = a.shape[a.ndim - 1], n = b.shape[b.ndim - 1], matrices = 1
    if not is_real(a):
        return by_numpy("matmul", np.matmul, (a, b))
    if not cnp.PyArray_ISALIGNED(a):
        a = contiguous(a)
    if not cnp.PyArray_ISALIGNED(b):
        b = contiguous(b)
    if a.ndim > 2 or b.ndim > 2:
        batch = broadcast_shapes((<object>a).shape[:-2], (<object>b).shape[:-2], name="matmul")
        a, b = batched(a, batch), batched(b, batch)
        c = empty_shape(batch + (m, n), a)
        for size in batch:
            matrices *= size
    else:
        c = empty_matrix(m, n, a)
    _kernels.gemm(
        c, a, b, m, n, k, stride(a, a.ndim - 2), stride(a, a.ndim - 1), stride(b, b.ndim - 2), stride(b, b.ndim - 1), n,
        matrices, batch_stride(a, batch), batch_stride(b, batch), m * n, 1, 0, bfloat16
    )
    return c


cdef inline ndarray transposed(ndarray a):
    return cnp.PyArray_SwapAxes(a, a.ndim - 2, a.ndim - 1)


cdef class MatMul(Node):
    # y = a b:  da = dy b^T,  db = a^T dy, each summed over what was broadcast
    cdef tuple a_shape, b_shape
    cdef bint bfloat16

    def _operation(self):
        return "MatMul" if self.output_ndim == 2 else "MatMulOfBatches"

    cdef tuple gradients(self, Tensor dy):
        return (
            None if self.inputs[0] is None else sum_to(multiplied(dy, self.saved(1).mT, self.bfloat16), self.a_shape),
            None if self.inputs[1] is None else sum_to(multiplied(self.saved(0).mT, dy, self.bfloat16), self.b_shape),
        )

    cdef tuple gradients_fused(self, Tensor dy):
        da = db = None
        if self.inputs[0] is not None:
            da = sum_to(wrap(product(dy.array, transposed(self.saved(1).array), self.bfloat16)), self.a_shape)
        if self.inputs[1] is not None:
            db = sum_to(wrap(product(transposed(self.saved(0).array), dy.array, self.bfloat16)), self.b_shape)
        return da, db


cdef tuple operands(input, other, str name):
    input, other = unwatched(input), unwatched(other)
    if not (isinstance(input, (Tensor, ndarray)) and isinstance(other, (Tensor, ndarray))):
        raise TypeError(f"{name}: two Tensors are needed, not {type(input).__name__} and {type(other).__name__}")
    cdef Tensor a = lift(input, name), b = lift(other, name)
    if cnp.PyArray_TYPE(a.array) != cnp.PyArray_TYPE(b.array):
        raise DtypeError(f"{name}: dtypes {a.dtype} and {b.dtype} must be the same; .to() converts one")
    return a, b


def matmul(input, other, *, out=None):
    """The matrix product.

    Args:
        input: (..., m, k), or a vector (k).
        other: (..., k, n), or a vector (k). The leading dimensions broadcast.

    Returns:
        (..., m, n), without the dimension of a vector; two vectors give a 0-d tensor.

    Raises:
        ValueError: if the shapes do not go together.
        TypeError: if the dtypes differ.
    """
    if out is not None:
        return written(out, matmul(input, other), "matmul")
    cdef Tensor a, b, y
    a, b = operands(input, other, "matmul")
    if a.array.ndim == 0 or b.array.ndim == 0:
        raise ArgumentError(f"matmul: shapes {a.shape} and {b.shape}; both must have at least 1 dimension")
    if a.array.shape[a.array.ndim - 1] != b.array.shape[0 if b.array.ndim == 1 else b.array.ndim - 2]:
        raise ArgumentError(
            f"matmul: shapes {a.shape} and {b.shape}; the last size of the first must be the "
            f"{'only' if b.array.ndim == 1 else 'second to last'} size of the second"
        )
    if a.array.ndim == 1:
        return matmul(a.unsqueeze(0), b).squeeze(-1 if b.array.ndim == 1 else -2)
    if b.array.ndim == 1:
        return matmul(a, b.unsqueeze(1)).squeeze(-1)
    if a.array.ndim > 2 and b.array.ndim == 2:   # one matrix of all the rows
        shape = shape_of(a)
        rows = 1
        for size in shape[:-1]:
            rows *= size
        return matmul(a.reshape(rows, shape[-1]), b).reshape(shape[:-1] + (b.array.shape[1],))
    cdef bint bfloat16 = _kernels.rounds(a.array)
    y = wrap(product(a.array, b.array, bfloat16))
    cdef MatMul node
    if tracks(a) or tracks(b):
        node = MatMul.__new__(MatMul)
        node.a_shape, node.b_shape, node.bfloat16 = shape_of(a), shape_of(b), bfloat16
        node.connect(y, (a, b))
        node.keep(None if node.inputs[1] is None else a)
        node.keep(None if node.inputs[0] is None else b)
    return y


cdef Tensor multiplied(Tensor a, Tensor b, bint bfloat16):
    cdef bint before = _kernels.autocast_enabled()
    _kernels.switch_autocast(bfloat16)
    try:
        return matmul(a, b)
    finally:
        _kernels.switch_autocast(before)


cdef of_dimensions(input, other, str name, int a_ndim, int b_ndim):
    a, b = operands(input, other, name)
    if a.ndim != a_ndim or b.ndim != b_ndim:
        raise ArgumentError(f"{name}: shapes {a.shape} and {b.shape}; {a_ndim} and {b_ndim} dimensions are needed")
    return matmul(a, b)


def mm(input, mat2, *, out=None):
    """The product of two matrices."""
    if out is not None:
        return written(out, mm(input, mat2), "mm")
    return of_dimensions(input, mat2, "mm", 2, 2)


def mv(input, vec, *, out=None):
    """The product of a matrix and a vector."""
    if out is not None:
        return written(out, mv(input, vec), "mv")
    return of_dimensions(input, vec, "mv", 2, 1)


def dot(input, tensor, *, out=None):
    """The sum of the products of two vectors."""
    if out is not None:
        return written(out, dot(input, tensor), "dot")
    return of_dimensions(input, tensor, "dot", 1, 1)


def bmm(input, mat2, *, out=None):
    """The products of two batches of matrices, (b, m, k) and (b, k, n)."""
    if out is not None:
        return written(out, bmm(input, mat2), "bmm")
    checked_tensor(input, "bmm")
    checked_tensor(mat2, "bmm", "mat2")
    if input.ndim == 3 and mat2.ndim == 3 and input.shape[0] != mat2.shape[0]:
        raise ArgumentError(f"bmm: batches of {input.shape[0]} and {mat2.shape[0]} matrices; they must be as many")
    return of_dimensions(input, mat2, "bmm", 3, 3)
