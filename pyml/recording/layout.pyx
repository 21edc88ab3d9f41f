"""How the arguments of a step lie in memory: which of them share some, and where to each other.

A step that changes an argument changes all that overlap it. So arguments whose memory overlaps are one piece of memory
for a recording, and a replay needs arguments that lie to each other as they did then.
"""
import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy
from numpy cimport ndarray

from pyml.ops.arrays cimport contiguous
from pyml.recording.pytree cimport stand_in
from pyml.tensor cimport Tensor, alias_of

cnp.import_array()

cdef enum:
    LINE = 64   # bytes: an address in a copy is as far from a multiple of it as in the original


cdef Span span_of(ndarray a) noexcept:
    cdef Span s
    cdef int d
    s.begin = s.end = <size_t>cnp.PyArray_DATA(a)
    for d in range(a.ndim):
        if a.shape[d] == 0:
            s.end = s.begin
            return s
        if a.strides[d] < 0:
            s.begin += (a.shape[d] - 1) * a.strides[d]
        else:
            s.end += (a.shape[d] - 1) * a.strides[d]
    s.end += cnp.PyArray_ITEMSIZE(a)
    return s


cdef Py_ssize_t first_of(list tensors, Py_ssize_t i):
    """The place of the first that is the same object as that at i."""
    cdef Py_ssize_t k = 0
    while tensors[k] is not tensors[i]:
        k += 1
    return k


cdef tuple layout_of(list tensors):
    """For each argument the first one that it shares memory with, perhaps by way of others (itself, if there is none),
    and how far from the begin of their memory it lies."""
    cdef Py_ssize_t n = len(tensors), i, k
    cdef list spans = [], first = list(range(n)), begins
    for i in range(n):
        spans.append(span_of((<Tensor>tensors[i]).array))
    for i in range(n):
        for k in range(i):
            if spans[i]["begin"] < spans[k]["end"] and spans[k]["begin"] < spans[i]["end"] and first[i] != first[k]:
                low, high = sorted((first[i], first[k]))
                first = [low if each == high else each for each in first]
    begins = [min([spans[k]["begin"] for k in range(n) if first[k] == first[i]]) for i in range(n)]
    return tuple([
        (first[i], <size_t>cnp.PyArray_DATA((<Tensor>tensors[i]).array) - <size_t>begins[i], form_of((<Tensor>tensors[i]).array))
        for i in range(n)])


cdef object form_of(ndarray a):
    """The strides of an array, if it is not contiguous and aligned."""
    if cnp.PyArray_ISCARRAY_RO(a):
        return None
    return (<object>a).strides, bool(cnp.PyArray_ISALIGNED(a))


cdef list copies_of(list tensors, tuple layout):
    """(copy, its array or the memory that it shares with others) of each argument: they lie to each other as the
    arguments do. Where several arguments are one array, so are their copies; and where a change of one is seen by another,
    which is a view of it, that is so of their copies."""
    cdef Py_ssize_t i, n = len(tensors), pad
    cdef Span span
    cdef ndarray array, block
    cdef Tensor t, copy
    cdef list copies = [], members
    cdef dict blocks = {}
    for i in range(n):
        t = tensors[i]
        first = layout[i][0]
        members = [k for k in range(n) if layout[k][0] == first]
        if len(members) == 1 and layout[i][2] is None:
            array = contiguous(t.array).copy()
            copies.append((stand_in(t, array), array))
            continue
        if first not in blocks:
            blocks[first] = block_for([tensors[k] for k in members])
        block, begin = blocks[first]
        array = np.ndarray((<object>t.array).shape, t.array.dtype, block,
                           <size_t>cnp.PyArray_DATA(t.array) - <size_t>begin, (<object>t.array).strides)
        if len(members) == 1:
            cnp.PyArray_CopyInto(array, t.array)
        same = [copies[k][0] for k in members if k < i and tensors[k] is t]
        seen = [copies[k][0] for k in members if k < i and t.version is not None and (<Tensor>tensors[k]).version is t.version]
        copy = same[0] if same else stand_in(t, array)
        if seen and not same:
            copy.version = alias_of(seen[0], array).version
        copies.append((copy, block))
    for i in range(n):
        if not cnp.PyArray_ISWRITEABLE((<Tensor>tensors[i]).array):
            (<Tensor>copies[i][0]).array.setflags(write=False)
    return copies


cdef tuple block_for(list tensors):
    """(bytes, the address that their first stands for): room for copies of arguments that share memory, filled with it."""
    cdef Py_ssize_t k
    cdef Span span
    cdef size_t begin = <size_t>-1, end = 0, start
    cdef ndarray room
    for t in tensors:
        span = span_of((<Tensor>t).array)
        begin, end = min(begin, span.begin), max(end, span.end)
    room = np.empty(end - begin + 2 * LINE, np.uint8)
    start = <size_t>cnp.PyArray_DATA(room)
    start = (LINE - start % LINE) % LINE + begin % LINE
    room = room[start:start + (end - begin)]
    if len(tensors) > 1:
        memcpy(cnp.PyArray_DATA(room), <void *>begin, end - begin)
    return room, begin
