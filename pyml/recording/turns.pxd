cdef class Turns:
    cdef unsigned long owner   # the thread whose turn it is; 0: nobody's
    cdef int depth             # how often it has taken it
    cdef unsigned long turn    # how many there were
    cdef int process           # forks before that it was taken: threads of a parent are none of its child
    cdef list waiting          # (thread, lock that is released when its turn comes)

    cdef int take(self) except -1
    cdef int wait(self, tuple mine) except -1
    cdef bint leave(self, mine) except -1
    cdef int give(self) except -1
