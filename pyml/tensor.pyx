"""Tensor and Node.

A Tensor is a NumPy array that may know what computed it: a Node. A Node has an edge to what computed each of its
inputs and keeps what its derivative needs. Nodes are numbered as they are made, so an input's number is always
smaller than that of its consumers.
"""
import numbers
from operator import index
from warnings import warn
from weakref import ref

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.string cimport memcmp
from numpy cimport ndarray

from pyml.attributes cimport default_float, dtype_of_number, sized
from pyml.grad_mode cimport grad_enabled, switch_grad
from pyml.no_gil cimport added, pyml_lock, pyml_mutex, pyml_unlock
from pyml.recorder cimport Recorder, note_altered, recorder, unwatched

from pyml.errors import ArgumentError, DtypeError
from pyml.device_names import CPU
from pyml.hooks import AfterAccumulation, AfterNode, BeforeNode, HookHandle
from pyml.node_names import NAMES
from pyml.recorder import refuse

cnp.import_array()

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        PyObject *tp_dict
        PyTypeObject *tp_base
        unsigned long tp_flags
    unsigned long Py_TPFLAGS_HEAPTYPE
    Py_ssize_t Py_REFCNT(PyObject *)
    void PyType_Modified(PyTypeObject *)

cdef extern from *:
    """
    /* o.__class__ = subclass, which adds nothing to the memory of an instance. Python refuses that to classes of C. */
    static int pyml_become(PyObject *o, PyObject *subclass) {
        if (Py_TYPE(o)->tp_flags & Py_TPFLAGS_HEAPTYPE)
            return PyObject_SetAttrString(o, "__class__", subclass);
        Py_INCREF(subclass);   /* an instance holds a class that is no static one */
        Py_SET_TYPE(o, (PyTypeObject *)subclass);
        return 0;
    }
    """
    int become "pyml_become"(object o, object subclass) except -1

cdef extern from *:
    """
    struct __pyx_obj_4pyml_6tensor_Tensor;

    /* Cython makes a dict for each object of a class with a __dict__; Python makes one when it is first needed, where
     * the type says that NULL may stand for it. */
    #define pyml_without_attributes(t) Py_CLEAR(((struct __pyx_obj_4pyml_6tensor_Tensor *)(t))->attributes)
    #define pyml_take_attributes(cls) \
        (((PyTypeObject *)(cls))->tp_dictoffset = offsetof(struct __pyx_obj_4pyml_6tensor_Tensor, attributes))
    """
    void without_attributes "pyml_without_attributes"(object t)
    void take_attributes "pyml_take_attributes"(object cls)
    object PyObject_GenericGetDict(object, void *)
    int PyObject_GenericSetDict(object, object, void *) except -1

cdef extern from *:
    """
    /* How a Link knows its view, and a new reference to that, or NULL if it is about to go. Where that may be on another
     * thread, by a weak reference. */
    #ifdef Py_GIL_DISABLED
    #define pyml_known(view) PyWeakref_NewRef(view, NULL)
    #define pyml_forget(known) Py_XDECREF(known)
    static PyObject *pyml_held(PyObject *known) {
        PyObject *view;
        return PyWeakref_GetRef(known, &view) > 0 ? view : NULL;
    }
    #else
    #define pyml_known(view) (view)
    #define pyml_forget(known) ((void)(known))
    #define pyml_held(known) (Py_REFCNT(known) > 0 ? (Py_INCREF(known), known) : NULL)
    #endif
    """
    PyObject *known "pyml_known"(PyObject *view) except NULL
    void forget "pyml_forget"(PyObject *known) noexcept
    PyObject *held "pyml_held"(PyObject *known) noexcept

cdef extern from *:
    """
    static _Thread_local PyObject *pyml_saved_hooks = NULL;   /* owned: the hooks of `keep` on this thread */
    """
    PyObject *pyml_saved_hooks

cdef extern from "numpy/arrayobject.h":
    """
    static PyObject *pyml_own_object(PyArrayObject *a) { return PyArray_View(a, NULL, &PyArray_Type); }
    """
    # An array object of its own on the memory of `a`: whoever has `a` may give it another shape or dtype.
    ndarray own_object "pyml_own_object"(ndarray a)

cdef object ops = None
cdef pyml_mutex versions   # of Tensor.version when there is none yet, and of the lists of Links

PRINTED = {"precision": 4, "threshold": 1000}   # how repr shows numbers, as numpy.array2string takes it


# ---- Tensor ---------------------------------------------------------------------------------------------------


@cython.final
cdef class Version:
    """How often an array was changed in place. One object for a tensor, its views and its detached aliases."""

    def __dealloc__(self):
        cdef PyObject *link
        pyml_lock(&versions)
        link = self.links
        while link != NULL:   # only the garbage collector takes it from tensors that are there
            (<Link>link).version = NULL
            link = (<Link>link).after
        pyml_unlock(&versions)


@cython.final
@cython.freelist(64)
cdef class Link:
    """A view that gradients go through, and the tensor whose memory it looks at.

    A view of a view leads to the same base. When a view is changed in place, the base takes a node that puts the view's
    values among its own (`pass_to_base`), and every view whose node is older than the last change takes a new one that
    leads to the base when it is next used (`check_current`). A base that did not require grad before must tell its views
    that they do now: so they are in a list, which holds none of them alive.
    """

    def __dealloc__(self):
        pyml_lock(&versions)
        if self.version != NULL:
            if self.before == NULL:
                (<Version>self.version).links = self.after
            else:
                (<Link>self.before).after = self.after
            if self.after != NULL:
                (<Link>self.after).before = self.before
        pyml_unlock(&versions)
        forget(self.view)


cdef Link linked(Tensor view, Tensor base):
    cdef Link link = Link.__new__(Link)
    link.base, link.address, link.view = base, cnp.PyArray_DATA(base.array), known(<PyObject *>view)
    pyml_lock(&versions)
    link.version, link.after = <PyObject *>view.version, view.version.links
    if link.after != NULL:
        (<Link>link.after).before = <PyObject *>link
    view.version.links = <PyObject *>link
    pyml_unlock(&versions)
    return link


cdef char[3] HIDDEN   # an element of a size that nothing moves, see Tensor._hidden
cdef ndarray NOTHING = np.zeros(0, np.float32)   # what a Tensor is on that was never given an array


cdef ndarray taken(ndarray array):
    """An array that comes from outside, checked, as a Tensor may have it."""
    cdef int kind = cnp.PyArray_TYPE(array)
    if not 0 <= kind <= cnp.NPY_DOUBLE or not cnp.PyArray_ISNOTSWAPPED(array):
        raise TypeError(
            f"dtype {array.dtype.str} cannot be that of a tensor; use float32, float64, an integer type or bool, in this "
            "machine's byte order")
    if type(array) is not ndarray and isinstance(array, np.ma.MaskedArray):
        raise TypeError("a masked array cannot be that of a tensor; .filled(value) says what is behind the mask")
    return own_object(array)


cdef bint operand(x):
    """Whether operators take it. Nothing else is equal to a tensor."""
    if isinstance(x, (Tensor, float, int)):   # the usual ones
        return True
    return isinstance(unwatched(x), (Tensor, int, float, ndarray, numbers.Number, np.generic))


cdef Tensor wrap(ndarray array):
    cdef Tensor t = Tensor.__new__(Tensor)
    t.array = array
    return t


cdef Tensor view_of(Tensor base, ndarray array):
    """A tensor that looks at base's memory: it shares base's count of changes."""
    cdef Tensor t = alias_of(base, array)
    t.is_view = True
    if grad_enabled() and cnp.PyArray_ISFLOAT(array):
        if not base.is_view or (base._requires_grad and base.node is None):   # a view that is a leaf begins a graph
            t.link = linked(t, base)
        elif base.link is not None:
            t.link = linked(t, base.link.base)
    return t


cdef Tensor alias_of(Tensor base, ndarray array):
    """The same, but one that may be changed in place while gradients are recorded: detach()."""
    cdef Tensor t = wrap(array)
    t.version = version_of(base)
    return t


cdef Version version_of(Tensor t):
    """Its Version, made if there is none yet: of a tensor that many threads read, by one of them."""
    cdef Version new
    if t.version is None:
        new = Version.__new__(Version)
        pyml_lock(&versions)
        if t.version is None:
            t.version = new
        pyml_unlock(&versions)
    return t.version


cdef int reads(str what) except -1:
    """Call before values of a tensor are given to Python: a recorded step cannot give them anew."""
    cdef Recorder r = recorder()
    return 0 if r is None else r.refuse(what)


cdef int check_outside(Tensor t) except -1:
    """Raises for a tensor of the graph: what NumPy does is not recorded."""
    if t._requires_grad and grad_enabled():
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    return 0


cdef void will_change(Tensor t, bint tracked) except *:
    may_change(t, tracked)
    cdef str why = unwritable(t.array)
    if why is not None:
        raise ArgumentError(f"the tensor {why} and cannot be changed in place; use .clone() first")


cdef void may_change(Tensor t, bint tracked) except *:
    """Raises if the graph cannot take a change of t."""
    if tracked:
        if t.is_view:
            check_link(t)
        if t._requires_grad and t.node is None:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation: its gradient would be of the new value; "
                "use `with pyml.no_grad():`, or make a new tensor"
            )
        check_current(t)
    elif t.link is not None and t.link.base._requires_grad and grad_enabled():   # a leaf that the view was made before
        check_link(t)


cdef int check_link(Tensor t) except -1:
    """Raises if the base of t cannot take a change of t into its graph."""
    if t.link is None:
        raise RuntimeError(
            "a view that was created in no_grad mode, or inside a custom Function, is being modified inplace with grad mode "
            "enabled: the change would be unknown to its base; "
            "change the base by index (x[i] = value), or .clone() the view"
        )
    cdef Tensor base = t.link.base
    if base.is_view or (base._requires_grad and base.node is None):
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation: the leaf's gradient would be "
            "of the new value; use `with pyml.no_grad():`, or make a new tensor"
        )
    check_current(base)
    region_of(t)
    return 0


cdef object region_of(Tensor t):
    cdef Link link = t.link
    if link.address != cnp.PyArray_DATA(link.base.array):
        raise RuntimeError(
            "a view whose base was given other memory (base.data = ...) cannot be part of a graph with it; make the view anew")
    if link.region is None:
        link.region = ops.regions.Region(link.base.array, t.array)
    return link.region


cdef list views_of(Tensor base):
    """Its views that are still there."""
    cdef PyObject *link
    cdef PyObject *found
    cdef list views = []
    if base.version is None:   # no view yet
        return views
    pyml_lock(&versions)
    link = base.version.links
    while link != NULL:
        found = held((<Link>link).view) if (<Link>link).base is base else NULL
        if found != NULL:
            views.append(<Tensor>found)
            Py_XDECREF(found)
        link = (<Link>link).after
    pyml_unlock(&versions)
    return views


cdef int pass_to_base(Tensor t) except -1:
    cdef Tensor base = t, view
    if t.version is None:   # no view yet
        return 0
    if t.link is not None:
        base = t.link.base
        base.graph_version = t.graph_version = t.version.n   # checked before the change was made
        ops.regions.CopySlices(region_of(t))._connect(base, (base, t))
        t.graph_version -= 1   # whoever uses t again uses what the base holds
    for view in views_of(base):
        if not view._requires_grad:
            regenerate(view)
    return 0


cdef int regenerate(Tensor view) except -1:
    """Gives a view a node that leads to what its base holds now."""
    check_current(view.link.base)
    with cython.critical_section(view):   # where there is no GIL, several threads may be the first that use it again
        if view.node is None or view.graph_version != view.version.n:
            ops.regions.connect_view(region_of(view), view, view.link.base)
    return 0


cdef int refresh(Tensor t) except -1:
    if t.link is not None and t.node is not None and t.graph_version != t.version.n:
        regenerate(t)
    return 0


cpdef str unwritable(ndarray a):
    """Why the elements of `a` cannot be written each for itself, as what is said of a tensor; None if they can."""
    if cnp.PyArray_ISCARRAY(a):
        return None
    if not cnp.PyArray_ISWRITEABLE(a):
        return "is on read-only memory"
    if overlaps_itself(a):
        return f"has elements that share memory (shape {(<object>a).shape}, strides {(<object>a).strides} bytes)"
    return None


cdef bint overlaps_itself(ndarray a):
    """Whether elements may share memory: the step of a dimension is no longer than what those with shorter steps span.

    Sizes and steps can be such that elements interleave and share none; no slice or transpose has these.
    """
    cdef cnp.npy_intp sizes[64]     # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp steps[64]
    cdef cnp.npy_intp step, span = cnp.PyArray_ITEMSIZE(a)
    cdef int d, to, n = 0
    if cnp.PyArray_SIZE(a) == 0:
        return False
    for d in range(a.ndim):
        if a.shape[d] == 1:
            continue
        step = a.strides[d] if a.strides[d] > 0 else -a.strides[d]
        to = n
        while to > 0 and steps[to - 1] > step:
            sizes[to], steps[to] = sizes[to - 1], steps[to - 1]
            to -= 1
        sizes[to], steps[to] = a.shape[d], step
        n += 1
    for d in range(n):
        if steps[d] < span:
            return True
        span += (sizes[d] - 1) * steps[d]
    return False


cdef void check_current(Tensor t) except *:
    """Raises if the values of t are no longer those that its node computed."""
    if t.node is not None and t.version is not None and t.graph_version != t.version.n:
        if t.link is not None:
            regenerate(t)
            return
        raise RuntimeError(
            "a tensor whose memory was changed in place through another tensor (its base or a view of it) "
            "is used in a computation that needs its gradient; .clone() it before the change"
        )


cdef int lay(Tensor t, ndarray array) except -1:
    """Puts t on another array."""
    note_altered(t, "data", t.array)
    t.array = array
    t.mark_changed()
    if t._grad is not None and not takes(t, t._grad):   # it was of the values before
        t.note_gradient(True, False)
        t._grad = None
    return 0


cdef object place_of(Tensor t, dim, str name):
    """`dim`, if t has it."""
    try:
        dim = index(dim)
    except TypeError:
        raise TypeError(f"{name}: dim must be an integer, not {dim!r}") from None
    if not -t.array.ndim <= dim < t.array.ndim:
        raise IndexError(f"{name}: dim is {dim}, the tensor has {t.array.ndim} dimensions")
    return dim


cdef object number_of(Tensor t):
    """The one number of a tensor."""
    if t.array.size != 1:
        raise ArgumentError(f"a tensor of shape {t.shape} is not one number; tolist() gives all of them")
    return t.array.item()


@cython.binding(False)   # C methods check that self is a Tensor
@cython.freelist(256)
cdef class Tensor:
    """Tensor(*data, device=None, requires_grad=False)\n--\n\nAn n-dimensional array of one dtype that records operations for backward.

    Make one with `pyml.tensor`, `pyml.from_numpy`, `pyml.zeros` and the like. The methods are those of
    PyTorch's Tensor that have a meaning on a CPU, and mean the same.

    Args:
        data: anything NumPy can make an array of, copied to the default dtype; or sizes, integers or a Size, of a
            tensor whose values are not set.
    """

    __array_priority__ = 1000   # numpy_array * tensor is a tensor

    def __cinit__(self):
        self.array = NOTHING
        without_attributes(self)

    def __init__(self, *data, device=None, bint requires_grad=False):
        if self.array is not NOTHING:
            raise RuntimeError("__init__ of a tensor that has its values; copy_() changes them")
        cdef Tensor t = ops.of_data_or_sizes(data, default_float(), device, "Tensor")
        self.array = t.array
        self._requires_grad = requires_grad

    @staticmethod
    def _on(ndarray array not None, cls=None, *, bint requires_grad=False):
        """A Tensor of class `cls` that shares the memory of `array`."""
        cdef Tensor t = Tensor.__new__(Tensor if cls is None else cls)
        t.array = taken(array)
        if requires_grad:
            t.requires_grad_()
        return t

    @staticmethod
    def _hidden(object shape not None, cls not None):
        """A Tensor of class `cls`, a subclass, that holds its values elsewhere: its array has a dtype that no kernel knows."""
        cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
        cdef cnp.npy_intp strides[64]
        cdef int d, ndim = <int>len(shape)
        for d in range(ndim):
            sizes[d], strides[d] = shape[d], 0
        cdef Tensor t = Tensor.__new__(cls)
        t.array = cnp.PyArray_New(ndarray, ndim, sizes, cnp.NPY_VOID, strides, <void *>HIDDEN, sizeof(HIDDEN), 0, None)
        return t

    cdef int mark_changed(self) except -1:
        """Call after writing into self.array."""
        cdef Version version = version_of(self)
        version.n += 1
        self.graph_version = version.n
        cdef Recorder r = recorder()
        if r is not None:
            r.changed(self)
        return 0

    cdef unsigned long changes(self):
        return 0 if self.version is None else self.version.n

    def _mark_changed(self):
        """Says that self.array was written from outside: backward then refuses to use values saved before."""
        self.mark_changed()

    def _will_change(self, bint tracked):
        will_change(self, tracked)

    def _check_current(self):
        check_current(self)

    def _pass_to_base(self):
        pass_to_base(self)

    def _view(self, ndarray array not None):
        """A tensor on `array`, which looks at the memory of this one."""
        return view_of(self, array)

    def _gated(self):
        """The same memory, for a node of its own that gradients must not go round: refused to changes that are recorded."""
        cdef Tensor t = alias_of(self, self.array)
        t.is_view = True
        return t

    def _is_part(self, ndarray part, Tensor t not None):
        """Whether t, a view of the same base, looks at just the elements of `part`, which is memory of this tensor."""
        return (
            t.link is not None and t.link.base is (self if self.link is None else self.link.base)
            and cnp.PyArray_DATA(part) == cnp.PyArray_DATA(t.array)
            and (<object>part).shape == (<object>t.array).shape and (<object>part).strides == (<object>t.array).strides
        )

    def _changes(self):
        return self.changes()

    @property
    def _version(self):
        refuse("_version of a tensor")
        return self.changes()

    @property
    def _base(self):
        self._locate()
        return self._viewed()

    def _viewed(self):
        """_base, for pyml's own: a recording lets them look."""
        cdef Tensor t = self
        while t.link is not None:
            t = t.link.base
        return None if t is self else t

    # -- what it is --

    @property
    def shape(self):
        """The sizes of the dimensions, a Size: a tuple."""
        return sized((<object>self.array).shape)

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        if dim is None:
            return sized((<object>self.array).shape)
        return (<object>self.array).shape[place_of(self, dim, "size")]

    @property
    def dtype(self):
        """The dtype of the elements."""
        return dtype_of_number(cnp.PyArray_TYPE(self.array))

    @property
    def ndim(self):
        """The number of dimensions."""
        return self.array.ndim

    def dim(self):
        """The number of dimensions."""
        return self.array.ndim

    def numel(self):
        """The number of elements."""
        return self.array.size

    def nelement(self):
        """The number of elements."""
        return self.array.size

    def element_size(self):
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.array.nbytes

    def stride(self, dim=None):
        """Steps between neighbours of each dimension, in elements."""
        strides = tuple(s // self.array.itemsize for s in (<object>self.array).strides)
        return strides if dim is None else strides[place_of(self, dim, "stride")]

    def is_contiguous(self, memory_format=None):
        """True if the elements lie row by row without gaps.

        Args:
            memory_format: None or contiguous_format for that; channels_last or channels_last_3d ask
                whether they do with the second dimension moved behind the others.
        """
        array = self.array
        if memory_format in ("channels_last", "channels_last_3d"):
            if array.ndim != (4 if memory_format == "channels_last" else 5):
                return False
            array = np.moveaxis(array, 1, -1)
        elif memory_format not in (None, "contiguous_format"):
            raise ArgumentError(
                f"is_contiguous: memory_format is {memory_format!r}, it must be contiguous_format, "
                "channels_last or channels_last_3d"
            )
        return bool(cnp.PyArray_IS_C_CONTIGUOUS(array))

    def is_floating_point(self):
        """True for float32 and float64."""
        return bool(cnp.PyArray_ISFLOAT(self.array))

    def _locate(self, is_address=False):
        cdef Recorder r = recorder()
        if r is not None:
            r.located(self, is_address)

    def data_ptr(self):
        """The address of the first element."""
        self._locate(True)
        return <size_t>cnp.PyArray_DATA(self.array)

    @property
    def device(self):
        """Always that of the CPU."""
        return CPU

    is_cpu = True
    is_cuda = is_mps = is_xpu = is_sparse = is_quantized = is_meta = is_mkldnn = is_nested = is_sparse_csr = False
    layout = "strided"

    @property
    def requires_grad(self):
        """True if operations on it are recorded. Can be set on leaf tensors."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, bint value):
        self.requires_grad_(value)

    def requires_grad_(self, bint requires_grad=True):
        """Sets requires_grad in place; returns self.

        Raises:
            RuntimeError: for a tensor that is not a leaf, or is not floating point.
        """
        if self.node is not None and not requires_grad:
            raise RuntimeError(
                "requires_grad can be turned off on leaf tensors only; use .detach() for a tensor outside the graph"
            )
        if requires_grad and not cnp.PyArray_ISFLOAT(self.array):
            raise RuntimeError(f"only floating point tensors can require gradients, this one has dtype {self.dtype}")
        if requires_grad != self._requires_grad:
            note_altered(self, "requires_grad", self._requires_grad)
        self._requires_grad = requires_grad
        return self

    @property
    def is_leaf(self):
        """True if no recorded operation computed it."""
        return self.node is None

    @property
    def grad_fn(self):
        """The Node that computed it, None for a leaf."""
        refresh(self)
        return None if self.node is None else named(self.node)

    @property
    def grad(self):
        """The gradient that backward accumulated here, or None. Of a tensor that is no leaf there is one by retain_grad()."""
        self.note_gradient(False, False)
        if self._grad is None and self.node is not None and not self.retains:
            warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: it is None; call retain_grad() "
                "before backward, or look at the leaf")
        return self._grad

    @grad.setter
    def grad(self, Tensor value or None):
        if value is not None:
            if shape_of(value) != shape_of(self):
                raise ArgumentError(f"grad: shape {value.shape}, the tensor has shape {self.shape}; they must be the same")
            if cnp.PyArray_TYPE(value.array) != cnp.PyArray_TYPE(self.array):
                raise DtypeError(f"grad: dtype {value.dtype}, the tensor has dtype {self.dtype}; they must be the same")
            if value is self:
                raise RuntimeError("grad: a tensor cannot be its own gradient")
        self.note_gradient(True, False)
        self._grad = value

    @grad.deleter
    def grad(self):
        self.note_gradient(True, False)
        self._grad = None

    cdef int note_gradient(self, bint assigned, bint accumulates) except -1:
        """Call before _grad is assigned, or added to, or else read."""
        cdef Recorder r = recorder()
        return 0 if r is None else r.gradient(self, assigned, accumulates)

    @property
    def data(self):
        """The same memory outside the graph; changes through it are not seen by backward. Prefer detach()."""
        cdef Tensor t = wrap(self.array)
        cdef Recorder r = recorder()
        if r is not None:
            r.lent(t)
        return t

    @data.setter
    def data(self, Tensor value not None):
        if self._requires_grad and not cnp.PyArray_ISFLOAT(value.array):
            raise DtypeError(
                f"data: dtype {value.dtype} cannot take the place of that of a tensor that requires grad: it must be floating "
                "point")
        cdef Recorder r = recorder()
        if r is not None and r.replaced(self, value):
            return
        self.link = None
        lay(self, value.array)

    def _see_as(self, Tensor view not None, str name):
        """The shape of `view`, a view of this tensor, becomes its own; returns self."""
        if self.node is not None and not view._requires_grad:
            raise RuntimeError(f"{name}: in no_grad mode, of a tensor in a graph; use {name[:-1]}()")
        may_change(self, view._requires_grad)
        if self.shape == view.shape and (<object>self.array).strides == (<object>view.array).strides:
            return self
        refuse(f"{name} (use {name[:-1]}())")
        lay(self, view.array)
        cdef Tensor each
        for each in (self, *views_of(self)):   # regions are of the shapes before
            if each.link is not None:
                each.link.region = None
        if view._requires_grad:
            if self.retains:
                view.node._pass_retention(self)
            self.node, self._requires_grad = view.node, True
            if self.link is not None:   # no value has changed: those of the base are of its node
                self.link.base.graph_version = self.version.n
        return self

    @property
    def T(self):
        """The transpose of a matrix; all dimensions reversed."""
        return ops.permute(self, tuple(range(self.array.ndim))[::-1])

    @property
    def mT(self):
        """The last two dimensions swapped."""
        if self.array.ndim < 2:
            raise ArgumentError(f"mT: the tensor has shape {self.shape}, not two dimensions or more")
        return ops.transpose(self, -2, -1)

    @property
    def mH(self):
        """mT: without complex numbers there is nothing to conjugate."""
        return self.mT

    @property
    def H(self):
        """The transpose of a matrix; of a tensor without dimensions the same."""
        if self.array.ndim not in (0, 2):
            raise RuntimeError(
                f"H: the tensor has shape {self.shape}, it must be a matrix; x.mH swaps the last two dimensions")
        return self.mT if self.array.ndim else self.T

    # -- to and from other things --

    def numpy(self, *, bint force=False):
        """The values as a NumPy array that shares memory.

        Args:
            force: also of a tensor that requires grad. Default: False.

        Raises:
            RuntimeError: if the tensor requires grad, outside no_grad(); call .detach() first.
        """
        if not force:
            check_outside(self)
        reads("numpy()")
        return own_object(self.array)

    def __array__(self, dtype=None, copy=None):
        check_outside(self)
        reads("making a NumPy array of a tensor")
        if copy:
            return np.array(self.array, dtype=dtype)
        if dtype is None or dtype == self.array.dtype:
            return own_object(self.array)
        if copy is False:
            raise ArgumentError(f"__array__: copy is False, and a tensor of {self.dtype} has to be copied to be of {np.dtype(dtype)}")
        return self.array.astype(dtype)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """A capsule of DLPack that shares memory, for from_dlpack() of another library.

        Args:
            stream: None or -1, as the CPU has no streams.
            max_version: the newest version of DLPack that is understood; from (1, 0) on a capsule can say that memory is
                read-only.
            dl_device: None or (1, 0), the CPU.
            copy: True for memory of its own. Default: None, none is made.

        Raises:
            BufferError: if the tensor requires grad; call .detach() first. If it is read-only, and max_version is older.
            TypeError: for another stream.
        """
        if stream not in (None, -1):
            raise TypeError(f"__dlpack__: stream is {stream!r}, a tensor is on the CPU, which has none: None or -1")
        if self._requires_grad:
            raise BufferError("__dlpack__: a tensor that requires grad cannot be given away; use tensor.detach()")
        if dl_device not in (None, ops.creation.DLPACK_CPU):
            raise BufferError(f"__dlpack__: dl_device is {dl_device}, a tensor is on the CPU, (1, 0)")
        reads("giving the memory of a tensor away by __dlpack__()")
        array = self.array.copy() if copy else own_object(self.array)
        options = {} if max_version is None else {"max_version": max_version}   # before NumPy 2.1 there is none
        return array.__dlpack__(**options)

    def __dlpack_device__(self):
        """(1, 0), as DLPack calls the CPU."""
        return ops.creation.DLPACK_CPU

    def __arrow_c_array__(self, requested_schema=None):
        """The capsules of Arrow's PyCapsule interface, for pyarrow.array() and polars: of one dimension, on the same memory.

        Raises:
            RuntimeError: if the tensor requires grad; call .detach() first.
            ModuleNotFoundError: without pyarrow.
        """
        import pyarrow

        return pyarrow.array(self.__array__()).__arrow_c_array__(requested_schema)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        """What a function of NumPy makes of a tensor is a tensor."""
        if not isinstance(array, (ndarray, np.generic)) or not array.dtype.kind in "fiub" or array.dtype.itemsize > 8 or \
                array.dtype == np.float16:
            return array
        return wrap(taken(np.asarray(array)))

    def item(self):
        """The value of a tensor of one element as a Python number."""
        cdef Recorder r = recorder()
        return number_of(self) if r is None else r.item(self)

    def tolist(self):
        """The values as nested lists of Python numbers."""
        reads("tolist()")
        return self.array.tolist()

    def detach(self):
        """The same memory, outside the graph."""
        return alias_of(self, self.array)

    def detach_(self):
        """Takes this tensor out of the graph; returns self.

        Raises:
            RuntimeError: for a view, whose base stays in the graph.
        """
        if self.is_view and self.node is not None:
            raise RuntimeError("detach_: a view cannot be detached in place; use .detach()")
        if self.node is not None or self._requires_grad:
            refuse("detach_() of a tensor that requires grad")
        self.node, self._requires_grad = None, False
        return self

    def cpu(self, memory_format=None):
        """self: every tensor is on the CPU."""
        return self

    def __float__(self):
        reads("float() of a tensor")
        return float(number_of(self))

    def __int__(self):
        reads("int() of a tensor")
        return int(number_of(self))

    def __index__(self):
        if not cnp.PyArray_ISINTEGER(self.array):
            raise DtypeError(f"only integer tensors can be used as an index, this one has dtype {self.dtype}")
        reads("a tensor as an index of Python")
        return int(number_of(self))

    def __bool__(self):
        if self.array.size != 1:
            raise RuntimeError(f"the truth of a tensor of {self.array.size} elements is ambiguous; use .any() or .all()")
        reads("the truth of a tensor (if, while, and, or, not, assert)")
        return bool(self.array.item())

    def __len__(self):
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return (<object>self.array).shape[0]

    def __iter__(self):
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (ops.getitem(self, i) for i in range((<object>self.array).shape[0]))

    def __reversed__(self):
        """flip() of the first dimension."""
        return ops.flip(self, 0) if self.array.ndim else self

    def __contains__(self, value):
        reads("`in` a tensor")
        return bool(ops.eq(self, value).any())

    def __hash__(self):
        return <Py_hash_t>(<size_t><void *>self >> 4)

    def __repr__(self):
        reads("printing a tensor")
        body = np.array2string(self.array, separator=", ", prefix="tensor(", **PRINTED)
        if self.array.size == 0 and self.array.ndim != 1:
            body += f", size={(<object>self.array).shape}"
        if self.array.dtype.name not in ("float32", "int64", "bool"):
            body += f", dtype={self.array.dtype.name}"
        if self.node is not None:
            body += f", grad_fn=<{type(self.grad_fn).__name__}>"
        elif self._requires_grad:
            body += ", requires_grad=True"
        return f"tensor({body})"

    def __format__(self, str spec not None):
        return format(self.item(), spec) if self.array.ndim == 0 and spec else repr(self)

    def __reduce__(self):
        reads("copying or pickling a tensor")
        return _rebuild, (type(self), own_object(self.array), self._requires_grad, self._grad), attributes_of(self)

    def __deepcopy__(self, memo):
        if self.node is not None:
            raise RuntimeError("only leaf tensors can be deep-copied, as matplotlib does; use tensor.detach()")
        reads("copying or pickling a tensor")
        if id(self) in memo:
            return memo[id(self)]
        cdef Tensor grad = None if self._grad is None else wrap(self._grad.array.copy())
        copied = _rebuild(type(self), self.array.copy(), self._requires_grad, grad)
        return _copy_attributes(self, copied, memo)

    # -- autograd --

    def retain_grad(self):
        """Makes backward leave .grad on this tensor even if it is not a leaf: of its values after all changes in place."""
        if not self._requires_grad:
            raise RuntimeError("retain_grad() on a tensor that does not require grad")
        refresh(self)
        if self.node is None or self.retains:
            return
        self.retains = True
        hooks_of(self.node).append(Retention(self))

    @property
    def retains_grad(self):
        """True for a tensor on which retain_grad() was called and is not a leaf."""
        return self.retains

    def register_hook(self, hook):
        """Calls hook(grad) when the gradient of this tensor has been computed; a tensor it returns takes its place.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        if not self._requires_grad:
            raise RuntimeError("register_hook() on a tensor that does not require grad")
        if not callable(hook) and type(hook) is not AfterNode:
            raise TypeError(f"register_hook: hook is a {type(hook).__name__}, it must be a function of the gradient")
        refresh(self)
        if self.node is not None:
            note_altered(self, "hooks", None)
            return add_hook(self.node, hook)
        if self.hooks is None:
            self.hooks = []
        self.hooks.append(hook)
        note_altered(self, "hooks", None)
        return HookHandle(self.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook):
        """Calls hook(tensor) when a backward has put this leaf's gradient into .grad.

        Args:
            hook: a function that gives None; backward raises RuntimeError for another result than that or the tensor.

        Returns:
            A handle; handle.remove() takes the hook away.

        Raises:
            RuntimeError: if it is no leaf that requires grad.
        """
        if not self._requires_grad or self.node is not None:
            raise RuntimeError(
                "register_post_accumulate_grad_hook: post accumulate grad hooks cannot be registered on non-leaf tensors, nor on "
                "those that do not require grad; use register_hook()")
        if not callable(hook):
            raise TypeError(
                f"register_post_accumulate_grad_hook: hook is a {type(hook).__name__}, it must be a function of the tensor")
        if self.hooks is None:
            self.hooks = []
        after = AfterAccumulation(hook)
        self.hooks.append(after)
        note_altered(self, "hooks", None)
        return HookHandle(self.hooks, after)

    # -- arithmetic: NotImplemented leaves the operator to what the other object's class has for it --

    def __add__(self, other):
        return ops.add(self, other) if operand(other) else NotImplemented

    def __radd__(self, other):
        return ops.add(other, self) if operand(other) else NotImplemented

    def __sub__(self, other):
        return ops.sub(self, other) if operand(other) else NotImplemented

    def __rsub__(self, other):
        return ops.sub(other, self) if operand(other) else NotImplemented

    def __mul__(self, other):
        return ops.mul(self, other) if operand(other) else NotImplemented

    def __rmul__(self, other):
        return ops.mul(other, self) if operand(other) else NotImplemented

    def __truediv__(self, other):
        return ops.div(self, other) if operand(other) else NotImplemented

    def __rtruediv__(self, other):
        return ops.div(other, self) if operand(other) else NotImplemented

    def __pow__(self, other, modulo):
        return ops.pow(self, other) if operand(other) else NotImplemented

    def __rpow__(self, other, modulo):
        return ops.pow(other, self) if operand(other) else NotImplemented

    def __matmul__(self, other):
        return ops.matmul(self, other) if operand(other) else NotImplemented

    def __rmatmul__(self, other):
        return ops.matmul(other, self) if operand(other) else NotImplemented

    def __floordiv__(self, other):
        return ops.floor_divide(self, other) if operand(other) else NotImplemented

    def __rfloordiv__(self, other):
        return ops.floor_divide(other, self) if operand(other) else NotImplemented

    def __mod__(self, other):
        return ops.remainder(self, other) if operand(other) else NotImplemented

    def __rmod__(self, other):
        return ops.remainder(other, self) if operand(other) else NotImplemented

    def __iadd__(self, other):
        return ops.add_(self, other) if operand(other) else NotImplemented

    def __isub__(self, other):
        return ops.sub_(self, other) if operand(other) else NotImplemented

    def __imul__(self, other):
        return ops.mul_(self, other) if operand(other) else NotImplemented

    def __itruediv__(self, other):
        return ops.div_(self, other) if operand(other) else NotImplemented

    def __ifloordiv__(self, other):
        return ops.floor_divide_(self, other) if operand(other) else NotImplemented

    def __imod__(self, other):
        return ops.remainder_(self, other) if operand(other) else NotImplemented

    def __ipow__(self, other, modulo):
        return ops.pow_(self, other) if operand(other) else NotImplemented

    def __iand__(self, other):
        return ops.bitwise_and_(self, other) if operand(other) else NotImplemented

    def __ior__(self, other):
        return ops.bitwise_or_(self, other) if operand(other) else NotImplemented

    def __ixor__(self, other):
        return ops.bitwise_xor_(self, other) if operand(other) else NotImplemented

    def __ilshift__(self, other):
        return ops.bitwise_left_shift_(self, other) if operand(other) else NotImplemented

    def __irshift__(self, other):
        return ops.bitwise_right_shift_(self, other) if operand(other) else NotImplemented

    def __lshift__(self, other):
        return ops.bitwise_left_shift(self, other) if operand(other) else NotImplemented

    def __rlshift__(self, other):
        return ops.bitwise_left_shift(other, self) if operand(other) else NotImplemented

    def __rshift__(self, other):
        return ops.bitwise_right_shift(self, other) if operand(other) else NotImplemented

    def __rrshift__(self, other):
        return ops.bitwise_right_shift(other, self) if operand(other) else NotImplemented

    def __neg__(self):
        return ops.neg(self)

    def __pos__(self):
        return self

    def __abs__(self):
        return ops.abs(self)

    def __invert__(self):
        return ops.bitwise_not(self)

    def __eq__(self, other):
        return ops.eq(self, other) if operand(other) else NotImplemented

    def __ne__(self, other):
        return ops.ne(self, other) if operand(other) else NotImplemented

    def __lt__(self, other):
        return ops.lt(self, other) if operand(other) else NotImplemented

    def __le__(self, other):
        return ops.le(self, other) if operand(other) else NotImplemented

    def __gt__(self, other):
        return ops.gt(self, other) if operand(other) else NotImplemented

    def __ge__(self, other):
        return ops.ge(self, other) if operand(other) else NotImplemented

    def __and__(self, other):
        return ops.bitwise_and(self, other) if operand(other) else NotImplemented

    def __or__(self, other):
        return ops.bitwise_or(self, other) if operand(other) else NotImplemented

    def __xor__(self, other):
        return ops.bitwise_xor(self, other) if operand(other) else NotImplemented

    def __rand__(self, other):
        return ops.bitwise_and(other, self) if operand(other) else NotImplemented

    def __ror__(self, other):
        return ops.bitwise_or(other, self) if operand(other) else NotImplemented

    def __rxor__(self, other):
        return ops.bitwise_xor(other, self) if operand(other) else NotImplemented

    def __getitem__(self, index):
        return ops.getitem(self, index)

    def __delitem__(self, index):
        raise TypeError("a Tensor has no items to delete; an index without them, as x[keep], is a smaller tensor")

    def __setitem__(self, index, value):
        ops.setitem(self, index, value)


def _array_of(Tensor t):
    """The values, as a NumPy array that shares memory."""
    return own_object(t.array)


cdef install_attributes(dict attributes):
    """What stands in no line of the class Tensor: it is built in C, and setattr() refuses."""
    (<dict><object>(<PyTypeObject *>Tensor).tp_dict).update(attributes)
    PyType_Modified(<PyTypeObject *>Tensor)


def _set_attributes_of(Tensor t):
    """What programs have set on it."""
    return PyObject_GenericGetDict(t, NULL)


def _set_attributes(Tensor t, dict attributes not None):
    PyObject_GenericSetDict(t, attributes, NULL)


take_attributes(Tensor)

# For Python. C reads the attribute `array`, so it cannot stand in the class; nor can `__dict__`: see without_attributes.
install_attributes({
    "array": property(_array_of, doc=_array_of.__doc__),
    "__dict__": property(_set_attributes_of, _set_attributes, doc=_set_attributes_of.__doc__),
})


def install(operations, dict methods not None):
    """Gives Tensor its methods, and the namespace where its operators find their operations: pyml.ops, which is built on
    this module."""
    global ops
    ops = operations
    install_attributes(methods)


cdef attributes_of(Tensor t):
    """What was set on a tensor of a subclass, or None."""
    return getattr(t, "__dict__", None) or None


def _copy_attributes(Tensor original, Tensor copied, dict memo):
    """Gives a deep copy what was set on the original; returns it."""
    import copy

    memo[id(original)] = copied   # before: an attribute may lead back to the original
    attributes = attributes_of(original)
    if attributes is not None:
        vars(copied).update(copy.deepcopy(attributes, memo))
    return copied


def _rebuild(cls, array, requires_grad, grad):
    """The tensor of a pickle. It has memory of its own also where the pickle's is mapped, and cannot be written."""
    cdef Tensor t = Tensor._on(array if array.flags.writeable else array.copy(), cls, requires_grad=requires_grad)
    t.grad = grad
    return t


# ---- Node -----------------------------------------------------------------------------------------------------

cdef unsigned long long created = 0   # Nodes so far

cdef bint anomalies_are_detected = False, nan_is_looked_for = False


cdef bint detects_anomalies() noexcept:
    return nan_is_looked_for


def anomaly_mode():
    """(whether nodes remember where they are made, whether a backward looks for NaN)"""
    return anomalies_are_detected, nan_is_looked_for


def set_anomaly_mode(bint remember, bint look):
    """Sets both, for all threads."""
    global anomalies_are_detected, nan_is_looked_for
    anomalies_are_detected, nan_is_looked_for = remember, look


cdef str place_in_program():
    """The stack of Python, as a traceback has it."""
    import traceback

    return "".join(traceback.format_stack())


@cython.binding(False)
@cython.trashcan(True)
cdef class Node:
    """Node()\n--\n\nOne recorded operation with one output.

    A subclass writes `backward` (in Cython: `gradients`) with differentiable operations: the gradient of the
    output in, a tuple with the gradient of each input out (None where it is none of its business). Where a
    kernel does that faster, it writes `gradients_fused` too, which is used when no graph of the gradient is
    wanted. Whoever calls them has checked shape and dtype of what goes in.
    """

    cdef void connect(self, Tensor output, tuple inputs) except *:
        """Makes this node what computed `output` from `inputs` (tensors, or None)."""
        cdef Tensor t
        cdef tuple edges = PyTuple_New(len(inputs))
        cdef Py_ssize_t i
        cdef object edge
        if cnp.PyArray_TYPE(output.array) == cnp.NPY_VOID:   # see _hidden: a graph of its own would be another one
            raise TypeError(f"{self.name()}: a tensor of vmap cannot be connected")
        for i in range(len(inputs)):
            t = inputs[i]
            if t is None or not t._requires_grad:
                edge = None
            elif t.node is None:
                edge = t
            else:
                check_current(t)
                edge = t.node
            Py_INCREF(edge)   # SET_ITEM takes a reference
            PyTuple_SET_ITEM(edges, i, edge)
        self.seq = added(created, 2)   # between two, a node can be put behind those that use it
        self.inputs = edges
        self.output_kind, self.output_ndim = cnp.PyArray_TYPE(output.array), output.array.ndim
        for i in range(min(self.output_ndim, NODE_SIZES)):
            self.output_sizes[i] = output.array.shape[i]
        if self.output_ndim > NODE_SIZES:
            self.output_shape = (<object>output.array).shape
        if output.retains:
            self._pass_retention(output)
        output.node = self
        output._requires_grad = True
        output.graph_version = output.changes()
        if anomalies_are_detected:
            self.made_at = place_in_program()

    cdef void keep(self, Tensor t) except *:
        """Keeps a tensor for backward. Call after connect. An output is kept without its node: no cycle."""
        self.keep_for(-1, t)

    cdef void keep_for(self, int gradients, Tensor t) except *:
        """The same of one whose values are read for the gradients of some inputs alone: bit i is that of input i.

        If none of these is asked for, it may be changed: what is kept is another tensor of its shape and dtype, on its
        memory.
        """
        cdef Py_ssize_t i
        cdef unsigned long version = 0
        cdef object kept = t
        cdef bint read = gradients < 0
        if not read:
            for i in range(len(self.inputs)):
                read |= gradients >> i & 1 and self.inputs[i] is not None
        if t is not None and read:
            version = t.changes()
            if t.node is self:
                kept = t = alias_of(t, t.array)
            if pyml_saved_hooks is not NULL and not is_number(t):
                kept = packed(t)
        elif t is not None:
            kept = wrap(t.array)
        if self.kept is None:
            self.kept = []
        i = len(self.kept)
        self.kept.append(kept)
        if i < NODE_VERSIONS:
            self.versions[i] = version
        else:
            if self.later_versions is None:
                self.later_versions = []
            self.later_versions.append(version)

    cdef unsigned long version_of(self, Py_ssize_t i) except? 1:
        """That of the i-th tensor kept, when it was."""
        return self.versions[i] if i < NODE_VERSIONS else self.later_versions[i - NODE_VERSIONS]

    cdef int keep_instead(self, Py_ssize_t i, Tensor t) except -1:
        """Puts a tensor that was never changed in the place of the i-th one kept."""
        self.kept[i] = t
        if i < NODE_VERSIONS:
            self.versions[i] = 0
        else:
            self.later_versions[i - NODE_VERSIONS] = 0
        return 0

    cdef Tensor saved(self, int i):
        """The i-th tensor kept, if it still has the values it had."""
        if self.freed:
            raise RuntimeError(
                "backward through the graph a second time, but what it saved has been freed: "
                "pass retain_graph=True to the first backward"
            )
        kept = self.kept[i]
        if kept is None:
            return None
        if type(kept) is Packed:
            return (<Packed>kept).unpacked()
        cdef Tensor t = kept
        if t.changes() != self.version_of(i):
            raise RuntimeError(
                f"{self.name()}: one of the variables needed for gradient computation has been modified by an inplace "
                f"operation: a tensor of shape {t.shape} was changed in place (version {t.changes()}, saved at "
                f"{self.version_of(i)}); use the form that makes a new tensor, or .clone()"
            )
        return t

    cdef Tensor saved_output(self, int i):
        """The same for an output: as a tensor of the graph, so that backward can be differentiated."""
        cdef Tensor kept = self.saved(i)
        cdef Tensor t = alias_of(kept, kept.array)
        t.node = self
        t._requires_grad = True
        t.graph_version = t.changes()
        return t

    cdef tuple gradients(self, Tensor dy):
        """The gradient of each input, or None, of operations that can be differentiated."""
        gradients = (<object>self)._gradients(dy)
        if not isinstance(gradients, tuple):
            raise TypeError(f"{self.name()}: backward gave {type(gradients).__name__}, it must be a tuple")
        return gradients

    cdef tuple gradients_fused(self, Tensor dy):
        """The same of kernels, where no graph of the gradient is wanted."""
        return self.gradients(dy)

    def _gradients(self, dy):
        if type(self).backward is Node.backward:
            raise NotImplementedError(f"{self.name()} has no backward")
        return (<object>self).backward(dy)

    def backward(self, Tensor dy):
        """The gradients of the inputs (None for one that needs none), from that of the output."""
        self.check_called(dy)
        return self.gradients(dy)

    def backward_fused(self, Tensor dy):
        """The same by kernels: they cannot be differentiated again."""
        self.check_called(dy)
        return self.gradients_fused(dy)

    cdef int check_called(self, Tensor dy) except -1:
        if self.inputs is None:
            raise RuntimeError(f"{self.name()}: backward of a node that is not part of a graph")
        if not takes(self, dy):
            refuse_gradient(f"{self.name()}: backward was called with", dy, self)
        return 0

    def _operation(self):
        """What pyml calls it."""
        return type(self).__name__

    def name(self):
        """The operation's name: PyTorch's, if it has the operation."""
        operation = type(self).__name__ if self.inputs is None else self._operation()   # or it is not connected
        return NAMES.get(operation, operation)

    @property
    def next_functions(self):
        """The edges as (node, 0) pairs, as PyTorch lists them: that to a leaf leads to an AccumulateGrad."""
        return tuple([(seen(edge), 0) for edge in self.inputs])

    def register_prehook(self, fn):
        """Calls fn(grad_outputs), a tuple with the gradient of the output, before backward of this node.

        A tuple that it returns takes the place of the gradients.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return add_hook(self, BeforeNode(checked_hook("register_prehook", fn)))

    def register_hook(self, fn):
        """Calls fn(grad_inputs, grad_outputs), tuples of gradients, after backward of this node.

        Args:
            fn: a function; a tuple that it returns takes the place of grad_inputs, an item for each input, None for
                an input without a gradient.

        Returns:
            A handle; handle.remove() takes the hook away.

        Example:
            >>> x = pyml.ones(2, requires_grad=True)
            >>> y = x * 3
            >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: (grad_inputs[0] * 2, None))
            >>> y.sum().backward()
            >>> x.grad
            tensor([6., 6.])
        """
        return add_hook(self, AfterNode(checked_hook("register_hook", fn)))

    def _stand_in(self):
        """A tensor of the output's shape and dtype that this node computed, on the memory of one number."""
        shape = self.output_shape
        if self.output_ndim <= NODE_SIZES:
            shape = tuple([self.output_sizes[d] for d in range(self.output_ndim)])
        return self._as_output(wrap(np.broadcast_to(np.zeros((), cnp.PyArray_DescrFromType(self.output_kind)), shape)))

    # for operations written in Python

    def _connect(self, Tensor output not None, tuple inputs not None, tuple keep=()):
        cls = type(self)
        cdef PyTypeObject *kind = <PyTypeObject *>cls
        while kind.tp_flags & Py_TPFLAGS_HEAPTYPE:   # classes written in Python
            kind = kind.tp_base
        if kind != <PyTypeObject *>Node:   # what a class written in C needs is not there
            raise TypeError(f"{self.name()}: only a node of a class derived from Node itself can be connected")
        if self.inputs is not None:
            raise RuntimeError(f"{self.name()}: the node has an output already")
        self.connect(output, inputs)
        for t in keep:
            self.keep(t)
        return output

    def _pass_retention(self, Tensor t not None):
        """What retain_grad() has left on the node of t goes to this one, which t is about to take."""
        cdef list hooks = [] if t.node is None else hooks_of(t.node)
        for hook in [each for each in hooks if type(each) is Retention and (<Retention>each).tensor() is t]:
            hooks.remove(hook)
            hooks_of(self).append(hook)

    def _keep(self, t):
        self.keep(t)

    def _saved(self, int i):
        return self.saved(i)

    def _as_output(self, Tensor t not None):
        """The values of t as those that this node computed."""
        cdef Tensor y = alias_of(t, t.array)
        y.node, y._requires_grad, y.graph_version = self, True, y.changes()
        return y


class AccumulateGrad(Node):
    """Where a graph ends: it stands for what adds a gradient to the .grad of `variable`, a leaf."""

    __module__ = "builtins"   # as PyTorch's, it shows none
    next_functions = ()

    def __init__(self, variable):
        self.variable = variable

    def register_prehook(self, fn):
        """Calls fn(grad_outputs), a tuple with the gradient, before it is added to that of the leaf."""
        return self.variable.register_hook(BeforeNode(checked_hook("register_prehook", fn)))

    def register_hook(self, fn):
        """Calls fn((), grad_outputs), a tuple with the gradient, after that was added."""
        return self.variable.register_hook(AfterNode(checked_hook("register_hook", fn)))

    def _stand_in(self):
        return self.variable

    def __eq__(self, other):
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self):
        return hash(self.variable)


cdef object seen(edge):
    """An edge as next_functions shows it."""
    if edge is None:
        return None
    return named(edge) if isinstance(edge, Node) else AccumulateGrad(edge)


def _node_of(Tensor t not None):
    """Where the gradient of t goes, as next_functions shows it."""
    refresh(t)
    return seen(t if t.node is None else t.node)


cdef dict named_classes = {}   # (class of nodes, name) -> its subclass of that name


cdef Node named(Node node):
    """The node, whose class has the name of its operation from now on.

    Most nodes are seen by nobody: so one is given such a class when it is first looked at.
    """
    cdef str name = node.name().rpartition("::")[2]
    cdef type kind = type(node), subclass
    if kind.__name__ != name:
        subclass = named_classes.get((kind, name))
        if subclass is None:
            subclass = named_classes.setdefault(
                (kind, name), type(name, (kind,), {"__slots__": (), "__module__": "builtins"}))
        become(node, subclass)
    return node


# ---- hooks of what is kept ------------------------------------------------------------------------------------


cpdef object _switch_saved_hooks(hooks):
    """Gives `keep` on this thread hooks, (pack, unpack, those before), or none for None; returns those it had."""
    global pyml_saved_hooks
    cdef object before = None if pyml_saved_hooks is NULL else <object>pyml_saved_hooks
    Py_XDECREF(pyml_saved_hooks)
    pyml_saved_hooks = NULL
    if hooks is not None:
        Py_INCREF(hooks)
        pyml_saved_hooks = <PyObject *>hooks
    return before


cdef bint is_number(Tensor t):
    return t.array.ndim == 0 and not t._requires_grad


@cython.final
cdef class Packed:
    """What a hook has made of a tensor that backward needs."""
    cdef object value, unpack
    cdef object edge             # to what the gradients of the tensor go: its Node, itself if it is a leaf, None
    cdef object shape, dtype
    cdef unsigned long version   # of the value, if that is a tensor

    cdef Tensor unpacked(self):
        cdef bint before = grad_enabled()
        cdef Tensor t, y
        refuse("saved_tensors_hooks")
        if isinstance(self.value, Tensor) and (<Tensor>self.value).changes() != self.version:
            raise RuntimeError(
                "saved_tensors_hooks: the tensor that pack_hook returned was changed in place; return a .clone()")
        hooks = None if pyml_saved_hooks is NULL else <object>pyml_saved_hooks
        switch_grad(False)
        try:
            result = self.unpack(self.value)
        finally:
            switch_grad(before)
            _switch_saved_hooks(hooks)   # unpack_hook may have left others
        if not isinstance(result, Tensor):
            raise TypeError(
                f"saved_tensors_hooks: unpack_hook returned a {type(result).__name__}, it must return a Tensor")
        t = result
        if t.shape != self.shape or t.dtype != self.dtype:
            raise RuntimeError(
                f"saved_tensors_hooks: unpack_hook returned shape {t.shape} and dtype {t.dtype} for a tensor of shape "
                f"{self.shape} and dtype {self.dtype}; it must return the values that pack_hook was given")
        y = alias_of(t, np.ascontiguousarray(t.array).reshape(self.shape))   # which makes (1,) of ()
        if isinstance(self.edge, Node):
            y.node, y._requires_grad, y.graph_version = self.edge, True, y.changes()
        elif self.edge is not None and before:
            (<ToLeaf>ToLeaf.__new__(ToLeaf)).connect(y, (self.edge,))
        return y


cdef class ToLeaf(Node):
    """Leads from an unpacked leaf to the leaf."""

    cdef tuple gradients(self, Tensor dy):
        return (dy,)


cdef Packed packed(Tensor t):
    cdef Packed p = Packed.__new__(Packed)
    cdef bint before = grad_enabled()
    cdef unsigned long version = t.changes()
    refuse("saved_tensors_hooks")
    pack, p.unpack, _ = <object>pyml_saved_hooks
    if t._requires_grad:
        p.edge = t if t.node is None else t.node
    p.shape, p.dtype = t.shape, t.dtype
    switch_grad(False)
    try:
        p.value = pack(t)
    finally:
        switch_grad(before)
    if t.changes() != version:
        raise RuntimeError(
            "saved_tensors_hooks: A saved tensor pack hook is modifying its input in place. Change a .clone() and return it")
    if isinstance(p.value, Tensor):
        p.version = (<Tensor>p.value).changes()
    return p


# ---- retain_grad ----------------------------------------------------------------------------------------------


@cython.final
cdef class Retention:
    """The hook that leaves the gradient on a tensor: the last one of the node of what the tensor holds."""
    cdef object tensor   # a weak reference

    def __init__(self, tensor):
        self.tensor = ref(tensor)

    def __call__(self, grad):
        cdef Tensor t = self.tensor()
        if t is not None:
            check_accumulates(t, grad)
            t.note_gradient(False, True)
            t._grad = grad.clone() if t._grad is None else ops.add(t._grad, grad)


cdef object checked_hook(str name, fn):
    if not callable(fn):
        raise TypeError(f"{name}: fn is a {type(fn).__name__}, it must be a function of gradients")
    return fn


cdef object add_hook(Node node, hook):
    cdef list hooks = hooks_of(node)
    cdef Py_ssize_t at = len(hooks)
    if node.inputs is None:
        raise RuntimeError(f"{node.name()}: a node that is not part of a graph takes no hooks")
    while at > 0 and type(hooks[at - 1]) is Retention:   # which sees what all others have made of the gradient
        at -= 1
    hooks.insert(at, hook)
    note_altered(node, "hooks", None)
    return HookHandle(hooks, hook)


cdef list hooks_of(Node node):
    if node.output_hooks is None:
        node.output_hooks = []
    return node.output_hooks


# ---- gradients that fit ---------------------------------------------------------------------------------------


@cython.nonecheck(False)   # the caller has seen what they are
cdef bint takes(object edge, Tensor grad) except -1:
    """The gradient has the shape and dtype of the output of a Node, or of a leaf."""
    cdef int kind = cnp.PyArray_TYPE(grad.array), ndim = cnp.PyArray_NDIM(grad.array)
    cdef const Py_ssize_t *sizes
    if isinstance(edge, Node):
        if kind != (<Node>edge).output_kind or ndim != (<Node>edge).output_ndim:
            return False
        if ndim > NODE_SIZES:
            return grad.shape == (<Node>edge).output_shape
        sizes = (<Node>edge).output_sizes
    else:
        if kind != cnp.PyArray_TYPE((<Tensor>edge).array) or ndim != cnp.PyArray_NDIM((<Tensor>edge).array):
            return False
        sizes = <const Py_ssize_t *>cnp.PyArray_DIMS((<Tensor>edge).array)
    return ndim == 0 or memcmp(sizes, cnp.PyArray_DIMS(grad.array), ndim * sizeof(Py_ssize_t)) == 0


cdef int refuse_gradient(str who, object grad, object edge) except -1:
    """Raises: `grad` is no gradient of what the edge leads to. `who` gave it."""
    cdef Node node
    cdef Py_ssize_t d
    if not isinstance(grad, Tensor):
        raise TypeError(f"{who} {type(grad).__name__} as a gradient, it must be a Tensor or None")
    if isinstance(edge, Node):
        node = edge
        shape = node.output_shape
        if node.output_ndim <= NODE_SIZES:
            shape = tuple([node.output_sizes[d] for d in range(node.output_ndim)])
        dtype = cnp.PyArray_DescrFromType(node.output_kind)
    else:
        shape, dtype = edge.shape, edge.dtype
    raise RuntimeError(
        f"{who} a gradient of shape {grad.shape} and dtype {grad.dtype} for a tensor of shape {shape} and dtype {dtype}; "
        "they must be the same")


cdef int check_accumulates(Tensor leaf, Tensor grad) except -1:
    """grad can be added to leaf.grad."""
    if not takes(leaf, grad):
        refuse_gradient("backward:", grad, leaf)
    if leaf._grad is not None and not takes(leaf, leaf._grad):
        refuse_gradient("backward: .grad already holds", leaf._grad, leaf)
    return 0
