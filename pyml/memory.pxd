from numpy cimport ndarray, npy_intp

cdef ndarray new_array(int ndim, const npy_intp *shape, int type_number)   # contiguous, uninitialised, 64-byte aligned
cdef ndarray new_number(int ndim, const npy_intp *shape, int type_number, double value)   # float32 or float64, one element
cdef bint owns_memory(ndarray a)   # nothing but `a` (and views, which refer to it) can reach its memory
