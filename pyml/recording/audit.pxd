cdef int install() except -1
