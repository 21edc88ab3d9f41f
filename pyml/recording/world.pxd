cdef tuple randomness()
cdef str asked_in_c(function, frame)
cdef str asked_in_python(frame)
