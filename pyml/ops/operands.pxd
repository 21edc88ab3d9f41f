cimport numpy as cnp
from numpy cimport ndarray

from pyml.ops.arrays cimport is_real
from pyml.tensor cimport Tensor


cdef inline bint alike(object a, object b):
    """Two Tensors of one real dtype: nothing to convert."""
    return (
        isinstance(a, Tensor) and isinstance(b, Tensor)
        and cnp.PyArray_TYPE((<Tensor>a).array) == cnp.PyArray_TYPE((<Tensor>b).array) and is_real((<Tensor>a).array)
    )


cdef inline bint is_number(object x):
    return type(x) is float or type(x) is int


cpdef ndarray number_as(object x, object dtype, str name)   # of Python's numbers
cdef ndarray scalar(double value, int kind)                 # 0-d, of the real dtype `kind`
cdef Tensor lift(object x, str name)                        # a Tensor on an array or a Python number
cdef Tensor floating(object x, str name)                    # the same, integers made float32
cdef tuple converted(object a, object b, str name, bint to_float=*)   # two, of one dtype
cpdef Tensor cast(Tensor x, object dtype)
cpdef Tensor written(object out, Tensor y, str name)        # out=
cpdef Tensor sum_to(Tensor x, object shape)
cdef ndarray expanded(ndarray a, tuple shape)
cdef ndarray compute(int kernel, ndarray a, ndarray b, str name)   # f(a, b) of two arrays of one dtype, broadcast
cdef int broadcast(int kernel, ndarray y, ndarray a, ndarray b) except -1   # the same into y
cdef ndarray mapped(int kernel, ndarray a)                  # f(a)
