from cpython.ref cimport PyObject
from numpy cimport ndarray

from pyml.grad_mode cimport grad_enabled


cdef class Version:
    cdef unsigned long n
    cdef PyObject *links                   # the first Link of the tensors that share it; borrowed


cdef class Tensor:
    cdef ndarray array                     # the values; shared by detach(). Python gets views of it: see array_of
    cdef bint _requires_grad
    cdef Tensor _grad
    cdef Node node                         # what computed it; None for a leaf
    cdef Version version                   # counts changes in place; None: no view yet, never changed
    cdef unsigned long graph_version       # the version that `node` describes
    cdef list hooks
    cdef bint retains
    cdef bint is_view                      # looks at a part of another tensor's memory
    cdef Link link                         # to that tensor, if gradients go through it
    cdef object __weakref__
    cdef dict attributes                   # what programs set on it, its __dict__; NULL until they do

    cdef int mark_changed(self) except -1
    cdef int note_gradient(self, bint assigned, bint accumulates) except -1
    cdef unsigned long changes(self)


cdef class Link:
    cdef Tensor base                       # no view itself
    cdef object region                     # where the view lies in it: pyml.ops.regions.Region, or None: not yet asked
    cdef const void *address               # of base's first element when the view was made
    cdef PyObject *view                    # borrowed, as are those that follow
    cdef PyObject *version                 # whose list it is in, NULL for none
    cdef PyObject *before
    cdef PyObject *after


cdef enum:
    NODE_SIZES = 6      # dimensions of an output whose sizes a Node keeps without a tuple
    NODE_VERSIONS = 4   # kept tensors whose versions a Node keeps without a list


cdef class Node:
    cdef readonly tuple inputs             # an edge for each input: its Node, a leaf Tensor, or None
    cdef public unsigned long long seq     # even, in order of creation: inputs of a node have smaller ones
    cdef bint freed
    cdef list kept                         # what backward needs,
    cdef unsigned long versions[NODE_VERSIONS]   # and its version when it was kept
    cdef list later_versions               # those of the fifth and what follows
    cdef list output_hooks                 # run on the gradient of the output before backward
    cdef int output_kind, output_ndim      # of the output: NumPy's number of its dtype, its dimensions
    cdef Py_ssize_t output_sizes[NODE_SIZES]
    cdef tuple output_shape                # its shape, if it has more dimensions than that
    cdef str made_at                       # where in the program; of nodes that are made under detect_anomaly

    cdef void connect(self, Tensor output, tuple inputs) except *
    cdef void keep(self, Tensor t) except *
    cdef void keep_for(self, int gradients, Tensor t) except *
    cdef unsigned long version_of(self, Py_ssize_t i) except? 1
    cdef int keep_instead(self, Py_ssize_t i, Tensor t) except -1
    cdef Tensor saved(self, int i)
    cdef Tensor saved_output(self, int i)
    cdef tuple gradients(self, Tensor dy)
    cdef tuple gradients_fused(self, Tensor dy)
    cdef int check_called(self, Tensor dy) except -1


cdef object ops   # the operations behind Tensor's operators: pyml.ops, which is built on this module

cdef Tensor wrap(ndarray array)            # a new Tensor on `array`, outside any graph
cdef Tensor view_of(Tensor base, ndarray array)
cdef Tensor alias_of(Tensor base, ndarray array)
# Call before writing into t.array; `tracked`: is the change itself recorded? Raises where autograd forbids it.
cdef void will_change(Tensor t, bint tracked) except *
# Call after writing into t.array, when t has its new node and the change is counted.
cdef int pass_to_base(Tensor t) except -1
cdef int refresh(Tensor t) except -1       # t.node is that of a view's values now
cpdef str unwritable(ndarray a)
cdef bint detects_anomalies() noexcept     # is the gradient that a Node gives looked at?

# An edge is a Node or a leaf Tensor, as in Node.inputs.
cdef bint takes(object edge, Tensor grad) except -1
cdef int refuse_gradient(str who, object grad, object edge) except -1
cdef int check_accumulates(Tensor leaf, Tensor grad) except -1


cdef inline tuple shape_of(Tensor t):
    """t.shape for C: a tuple and no Size, without the call of a property."""
    return (<object>t.array).shape


cdef inline bint tracks(Tensor t):
    """Does a result of t need a Node now? Every operation asks: most answers need no call."""
    return t._requires_grad and grad_enabled()
