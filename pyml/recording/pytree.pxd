from numpy cimport ndarray

from pyml.tensor cimport Tensor

cdef object flatten(object value, list leaves, int depth=*, bint arrays=*)
cdef object unflatten(object value, iterator, bint arrays=*)
cdef list objects_in(object spec)
cdef object mapped(object value, function, int depth=*)
cdef object opened(object value, taken, int depth=*)
cdef object put_back(object value, object given, dict originals, list changed)
cdef bint is_argument(object value) except -1
cdef bint is_bare(Tensor t) except -1
cdef Tensor stand_in(Tensor t, ndarray array)
cdef bint is_dressed_as(Tensor t, Tensor other) except -1
