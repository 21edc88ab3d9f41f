from numpy cimport ndarray, npy_intp

cdef ndarray new_array(int ndim, const npy_intp *shape, int type_number)   # contiguous, uninitialised, 64-byte aligned
cdef bint owns_memory(ndarray a)   # nothing but `a` (and views, which refer to it) can reach its memory
