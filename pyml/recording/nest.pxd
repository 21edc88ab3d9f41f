cdef object flatten(object value, list leaves)
cdef object unflatten(object value, iterator)
cdef list objects_in(object spec)
