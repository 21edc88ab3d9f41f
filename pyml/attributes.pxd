cdef class dtype:
    cdef readonly str name, kind
    cdef readonly int itemsize
    cdef object of_numpy     # None: NumPy has none
    cdef int number          # NumPy's; -1 where no tensor has it

cdef dtype dtype_of_number(int number)
cdef int number_of(object of_any) except -1
cpdef object default_float()
cdef object sized(object shape)    # a tuple as a Size
