from numpy cimport ndarray


cdef class Outputs:
    cdef object tree        # of results, as unflatten takes it
    cdef list arrays        # one for each result; None: it is no new Tensor
    cdef list by_rows       # does it have a row for each row of the batch?
    cdef Py_ssize_t steps, rows, batch_size

    cdef int make(self, result, bint shuffle) except -1
    cdef int reserve(self, Py_ssize_t steps, Py_ssize_t rows) except -1
    cdef int put(self, result, Py_ssize_t step, Py_ssize_t row) except -1
    cdef object first(self, Py_ssize_t steps)
    cdef object all(self, Py_ssize_t steps, Py_ssize_t rows)


cdef ndarray with_room(ndarray array, Py_ssize_t needed, Py_ssize_t most)
