from numpy cimport ndarray

cdef ndarray to_rows(ndarray a, int axis)   # `a` as a matrix whose rows run along `axis`
