cdef class Guards:
    cdef list watches               # (where, container, key, value), see watches.py
    cdef list generators            # (a random number generator that is named, its state)
    cdef list objects               # Modules that the function was called with, or is a method of
    cdef list options               # the same of the groups of optimizers that are named
    cdef readonly list modules      # (Module, what it held, its hooks)
    cdef list tensors               # (Tensor, its array, requires_grad, its hooks)
    cdef list optimizers            # (Optimizer, its list of groups, what is in it, its state)
    cdef str broken                 # what was found to be other than it was, for a message
    cdef unsigned long structure    # at which modules and tensors were found unchanged

    cdef str change(self, bint scheduled)
    cdef bint hold(self) except -1
    cdef bint names_hold(self) except -1
    cdef bint structure_holds(self) except -1
    cdef bint optimizers_hold(self) except -1


cdef bint equal_values(object a, object b) except -1
cdef bint same_items(items, tuple_) except -1
