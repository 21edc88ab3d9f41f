cdef tuple randomness()
cdef bint pickles(function) except -1
cdef bint is_of_step(frame) except -1
cdef bint is_of_users(frame) except -1
cdef str asked_in_c(function, frame)
cdef str asked_in_python(frame)
