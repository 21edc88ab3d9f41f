cdef object flatten(object value, list leaves, int depth=*)
cdef object unflatten(object value, iterator)
cdef list objects_in(object spec)
cdef object mapped(object value, function)
