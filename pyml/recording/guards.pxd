from libc.stdint cimport uint64_t


cdef class Target:
    """A place that a step itself changes."""
    cdef readonly int kind
    cdef readonly object container, key
    cdef readonly object owner      # the Module whose attribute it is, or None
    cdef readonly str name
    cdef readonly object before

    cdef tuple at(self)
    cdef object get(self)
    cdef int put(self, object value) except -1


cdef class Check:
    """A place and what was there, to be looked at before each replay."""
    cdef int kind, how
    cdef object container, key
    cdef object before              # ANY for a place whose value does not matter
    cdef str name

    cdef bint holds(self) except -1
    cdef bint holds_by_kind(self) except -1


cdef class HeldModule:
    """A Module and what it held."""
    cdef object module, lineage   # of its class: that and its bases
    cdef tuple names, values        # of its attributes, in order; ANY for a value that does not matter
    cdef tuple hooks
    cdef uint64_t version           # of the dict of its attributes when they were found unchanged

    cdef bint holds(self) except -1


cdef class Guards:
    cdef object reach               # pyml.recording.dependencies.Reach: all that the function can read
    cdef list before                # Checks of its places, as they were before the function ran
    cdef list checks                # those that are made before each replay
    cdef dict states                # of random number generators that can be reached: id -> its state
    cdef list modules               # HeldModules
    cdef list tensors               # (Tensor, its array, requires_grad, its hooks)
    cdef list optimizers            # (Optimizer, its list of groups, what is in it, its state)
    cdef readonly str broken        # what was found to be other than it was, for a message
    cdef unsigned long structure    # at which modules and tensors were found unchanged

    cdef list changes(self)
    cdef tuple drawn(self)
    cdef object strayed(self, dict ran)
    cdef tuple line_of(self, str name)
    cdef str where(self, Target target)
    cdef bint hold(self) except -1
    cdef bint checks_hold(self) except -1
    cdef bint modules_hold(self) except -1
    cdef bint structure_holds(self) except -1
    cdef bint optimizers_hold(self) except -1


cdef object now_at(int kind, object container, object key)
cdef object ANY       # in place of a value: it may be anything
cdef object MISSING   # there is nothing
cdef bint equal_values(object a, object b) except -1
cdef bint same_items(items, tuple_) except -1
