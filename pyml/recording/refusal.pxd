cdef tuple place()
cdef tuple place_of(error)
cdef str refusal_of(str what, tuple place)
cdef str no_stand_in(error)
