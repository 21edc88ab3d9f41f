from numpy cimport ndarray


cdef struct Span:      # of the memory that an array's elements lie in
    size_t begin, end


cdef Span span_of(ndarray a) noexcept
cdef Py_ssize_t first_of(list tensors, Py_ssize_t i)
cdef tuple layout_of(list tensors)
cdef list copies_of(list tensors, tuple layout)
cdef object form_of(ndarray a)
