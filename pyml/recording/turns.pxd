cdef class Place:
    cdef unsigned long thread   # that waits
    cdef object lock            # released when its turn comes
    cdef Place behind           # the next in the line


cdef class Turns:
    cdef unsigned long owner   # the thread whose turn it is; 0: nobody's
    cdef int depth             # how often it has taken it
    cdef unsigned long turn    # how many there were
    cdef int process           # forks before that it was taken: threads of a parent are none of its child
    cdef Place first, last     # of the line

    cdef int take(self) except -1
    cdef bint begin(self, Place mine) noexcept
    cdef int wait(self, Place mine) except -1
    cdef bint leave(self, Place mine) noexcept
    cdef int give(self) except -1
