from numpy cimport ndarray

from pyml.tensor cimport Tensor

cdef ndarray compute(int kernel, ndarray a, ndarray b, str name)   # f(a, b) of two arrays of one dtype, broadcast
cdef ndarray scalar(double value, int kind)                         # 0-d, of the real dtype `kind`
cpdef ndarray number_as(object x, object dtype, str name)   # of Python's numbers
cdef Tensor lift(object x, str name)                               # a Tensor on an array or a Python number
cdef Tensor floating(object x, str name)                           # the same, integers made float32
cpdef Tensor cast(Tensor x, object dtype)
cpdef Tensor sum_to(Tensor x, tuple shape)
