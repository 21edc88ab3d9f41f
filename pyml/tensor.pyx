"""Tensor, the tape, and backward.

A Tensor is a NumPy array that may know what computed it: a Node. A Node has an edge to what computed each of its
inputs and keeps what its derivative needs. Nodes are numbered as they are made, so an input's number is always
smaller than that of its consumers, and walking them from the largest number down is a topological order:
`run_backward` is that walk. It keeps its own queue, so a chain of any length takes no stack.
"""
from operator import index

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from numpy cimport ndarray

from pyml.memory cimport new_number, owns_memory
from pyml.recorder cimport Recorder, note_altered, recorder

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)   # not of `object`: for an attribute, Cython would count its own reference
    ctypedef struct PyTypeObject:
        PyObject *tp_dict
        PyTypeObject *tp_base
        unsigned long tp_flags
    unsigned long Py_TPFLAGS_HEAPTYPE
    void PyType_Modified(PyTypeObject *)

cdef extern from "numpy/arrayobject.h":
    """
    static PyObject *pyml_own_object(PyArrayObject *a) { return PyArray_View(a, NULL, &PyArray_Type); }
    """
    # An array object of its own on the memory of `a`: whoever has `a` may give it another shape or dtype.
    ndarray own_object "pyml_own_object"(ndarray a)

cdef extern from *:
    """
    static _Thread_local int pyml_grad_enabled = 1;
    """
    int pyml_grad_enabled

cdef object ops = None   # the operations behind Tensor's operators, given by pyml.ops when it is imported


# ---- grad mode ------------------------------------------------------------------------------------------------


cdef bint grad_enabled():
    return pyml_grad_enabled


def is_grad_enabled():
    """True if operations are recorded for backward on this thread."""
    return bool(pyml_grad_enabled)


cdef class set_grad_enabled:
    """Context manager, decorator and plain call: turns the recording of operations on or off on this thread.

    Args:
        mode: True to record, False not to.
    """
    cdef bint before

    def __init__(self, bint mode):
        global pyml_grad_enabled
        self.before = pyml_grad_enabled
        pyml_grad_enabled = mode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        global pyml_grad_enabled
        pyml_grad_enabled = self.before


class _GradMode:
    """What no_grad and enable_grad share: a context manager that nests, and a decorator."""

    _mode: bool

    def __new__(cls, function=None):
        self = super().__new__(cls)
        return self if function is None else self(function)

    def __init__(self, function=None):
        self._before = []

    def __enter__(self):
        global pyml_grad_enabled
        self._before.append(bool(pyml_grad_enabled))
        pyml_grad_enabled = self._mode

    def __exit__(self, *exc):
        global pyml_grad_enabled
        pyml_grad_enabled = self._before.pop()

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(_GradMode):
    """Context manager and decorator: operations inside are not recorded, so they cost no memory for backward.

    Example:
        >>> x = pyml.ones(2, requires_grad=True)
        >>> with pyml.no_grad():
        ...     (x * 2).requires_grad
        False
    """

    _mode = False


class enable_grad(_GradMode):
    """Context manager and decorator: operations inside are recorded, also within no_grad."""

    _mode = True


# ---- Tensor ---------------------------------------------------------------------------------------------------


@cython.final
cdef class Version:
    """How often an array was changed in place. One object for a tensor, its views and its detached aliases."""


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


cdef Tensor wrap(ndarray array):
    cdef Tensor t = Tensor.__new__(Tensor)
    t.array = array
    return t


cdef Tensor view_of(Tensor base, ndarray array):
    """A tensor that looks at base's memory: it shares base's count of changes."""
    cdef Tensor t = alias_of(base, array)
    t.is_view = True
    return t


cdef Tensor alias_of(Tensor base, ndarray array):
    """The same, but one that may be changed in place while gradients are recorded: detach()."""
    if base.version is None:
        base.version = Version.__new__(Version)
    cdef Tensor t = wrap(array)
    t.version = base.version
    return t


cdef int reads(str what) except -1:
    """Call before values of a tensor are given to Python: a recorded step cannot give them anew."""
    cdef Recorder r = recorder()
    return 0 if r is None else r.refuse(what)


cdef bint tracks(Tensor t):
    return pyml_grad_enabled and t._requires_grad


cdef void will_change(Tensor t, bint tracked) except *:
    if tracked:
        if t.is_view:
            raise RuntimeError(
                "a view cannot be changed in place while gradients are recorded: the change would be unknown to its base; "
                "change the base by index (x[i] = value), or .clone() the view"
            )
        if t._requires_grad and t.node is None:
            raise RuntimeError(
                "a leaf tensor that requires grad cannot be changed in place: its gradient would be of the new value; "
                "use `with pyml.no_grad():`, or make a new tensor"
            )
        check_current(t)
    cdef str why = unwritable(t.array)
    if why is not None:
        raise ValueError(f"the tensor {why} and cannot be changed in place; use .clone() first")


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
        raise RuntimeError(
            "a tensor whose memory was changed in place through another tensor (its base or a view of it) "
            "is used in a computation that needs its gradient; .clone() it before the change"
        )


cdef object place_of(Tensor t, dim, str name):
    """`dim`, if t has it."""
    try:
        dim = index(dim)
    except TypeError:
        raise TypeError(f"{name}: dim must be an integer, not {dim!r}") from None
    if not -t.array.ndim <= dim < t.array.ndim:
        raise IndexError(f"{name}: dim is {dim}, the tensor has {t.array.ndim} dimensions")
    return dim


@cython.binding(False)   # C methods check that self is a Tensor
@cython.freelist(256)
cdef class Tensor:
    """An n-dimensional array of one dtype that records operations for backward.

    Make one with `pyml.tensor`, `pyml.from_numpy`, `pyml.zeros` and the like. The methods are those of
    PyTorch's Tensor that have a meaning on a CPU, and mean the same.

    Args:
        data: anything NumPy can make an array of; copied to float32.
    """

    __array_priority__ = 1000   # numpy_array * tensor is a tensor

    def __cinit__(self):
        self.array = NOTHING

    def __init__(self, data=(), *, bint requires_grad=False):
        if self.array is not NOTHING:
            raise RuntimeError("__init__ of a tensor that has its values; copy_() changes them")
        cdef Tensor t = ops.tensor(data, dtype=np.float32)
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

    cdef int mark_changed(self) except -1:
        """Call after writing into self.array."""
        if self.version is None:
            self.version = Version.__new__(Version)
        self.version.n += 1
        self.graph_version = self.version.n
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

    def _view(self, ndarray array not None):
        """A tensor on `array`, which looks at the memory of this one."""
        return view_of(self, array)

    @property
    def _version(self):
        return self.changes()

    # -- what it is --

    @property
    def shape(self):
        """The sizes of the dimensions, a tuple."""
        return (<object>self.array).shape

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        return (<object>self.array).shape if dim is None else (<object>self.array).shape[place_of(self, dim, "size")]

    @property
    def dtype(self):
        """The NumPy dtype of the elements."""
        return self.array.dtype

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

    def stride(self, dim=None):
        """Steps between neighbours of each dimension, in elements."""
        strides = tuple(s // self.array.itemsize for s in (<object>self.array).strides)
        return strides if dim is None else strides[place_of(self, dim, "stride")]

    def is_contiguous(self):
        """True if the elements lie row by row without gaps."""
        return bool(cnp.PyArray_IS_C_CONTIGUOUS(self.array))

    def is_floating_point(self):
        """True for float32 and float64."""
        return bool(cnp.PyArray_ISFLOAT(self.array))

    def data_ptr(self):
        """The address of the first element."""
        cdef Recorder r = recorder()
        if r is not None:
            r.located(self)
        return <size_t>cnp.PyArray_DATA(self.array)

    @property
    def device(self):
        """Always "cpu"."""
        return "cpu"

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
        return self.node

    @property
    def grad(self):
        """The gradient that backward accumulated here, or None."""
        self.note_gradient(False, False)
        return self._grad

    @grad.setter
    def grad(self, Tensor value or None):
        if value is not None:
            if value.shape != self.shape:
                raise ValueError(f"grad: shape {value.shape}, the tensor has shape {self.shape}; they must be the same")
            if value.dtype != self.dtype:
                raise TypeError(f"grad: dtype {value.dtype}, the tensor has dtype {self.dtype}; they must be the same")
            if value is self:
                raise RuntimeError("grad: a tensor cannot be its own gradient")
        self.note_gradient(True, False)
        self._grad = value

    cdef int note_gradient(self, bint assigned, bint accumulates) except -1:
        """Call before _grad is assigned, or added to, or else read."""
        cdef Recorder r = recorder()
        return 0 if r is None else r.gradient(self, assigned, accumulates)

    @property
    def data(self):
        """The same memory outside the graph; changes through it are not seen by backward. Prefer detach()."""
        return wrap(self.array)

    @data.setter
    def data(self, Tensor value not None):
        if self._requires_grad and not cnp.PyArray_ISFLOAT(value.array):
            raise TypeError(f"data: dtype {value.dtype} cannot take the place of a tensor that requires grad")
        cdef Recorder r = recorder()
        if r is not None and r.replaced(self, value):
            return
        note_altered(self, "data", self.array)
        self.array = value.array
        self.mark_changed()
        if self._grad is not None and not takes(self, self._grad):   # it was of the values before
            self.note_gradient(True, False)
            self._grad = None

    @property
    def T(self):
        """The transpose of a matrix; all dimensions reversed."""
        return ops.permute(self, tuple(range(self.array.ndim))[::-1])

    @property
    def mT(self):
        """The last two dimensions swapped."""
        return ops.transpose(self, -2, -1)

    # -- to and from other things --

    def numpy(self):
        """The values as a NumPy array that shares memory.

        Raises:
            RuntimeError: if the tensor requires grad; call .detach() first.
        """
        if self._requires_grad:
            raise RuntimeError("numpy() on a tensor that requires grad; use tensor.detach().numpy()")
        reads("numpy()")
        return own_object(self.array)

    def __array__(self, dtype=None, copy=None):
        if self._requires_grad:
            raise RuntimeError("a tensor that requires grad cannot become a NumPy array; use tensor.detach().numpy()")
        reads("making a NumPy array of a tensor")
        if copy:
            return np.array(self.array, dtype=dtype)
        return own_object(self.array) if dtype is None or dtype == self.array.dtype else self.array.astype(dtype)

    def item(self):
        """The value of a tensor of one element as a Python number."""
        cdef Recorder r = recorder()
        return self.array.item() if r is None else r.item(self)

    def tolist(self):
        """The values as nested lists of Python numbers."""
        reads("tolist()")
        return self.array.tolist()

    def detach(self):
        """The same memory, outside the graph."""
        return alias_of(self, self.array)

    def cpu(self):
        """self: every tensor is on the CPU."""
        return self

    def __float__(self):
        reads("float() of a tensor")
        return float(self.array.item())

    def __int__(self):
        reads("int() of a tensor")
        return int(self.array.item())

    def __index__(self):
        if not cnp.PyArray_ISINTEGER(self.array):
            raise TypeError(f"only integer tensors can be used as an index, this one has dtype {self.dtype}")
        reads("a tensor as an index of Python")
        return int(self.array.item())

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

    def __contains__(self, value):
        reads("`in` a tensor")
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    def __hash__(self):
        return <Py_hash_t>(<size_t><void *>self >> 4)

    def __repr__(self):
        reads("printing a tensor")
        body = np.array2string(self.array, separator=", ", precision=4, threshold=1000, prefix="tensor(")
        if self.array.dtype.name not in ("float32", "int64", "bool"):
            body += f", dtype={self.array.dtype.name}"
        if self.node is not None:
            body += f", grad_fn=<{self.node.name()}>"
        elif self._requires_grad:
            body += ", requires_grad=True"
        return f"tensor({body})"

    def __format__(self, str spec not None):
        return format(self.item(), spec) if self.array.ndim == 0 and spec else repr(self)

    def __reduce__(self):
        if self.node is not None:
            raise RuntimeError("only leaf tensors can be pickled or deep-copied; use .detach() first")
        reads("copying or pickling a tensor")
        return _rebuild, (type(self), own_object(self.array), self._requires_grad, self._grad), attributes_of(self)

    def __deepcopy__(self, memo):
        if self.node is not None:
            raise RuntimeError("only leaf tensors can be pickled or deep-copied; use .detach() first")
        reads("copying or pickling a tensor")
        if id(self) in memo:
            return memo[id(self)]
        cdef Tensor grad = None if self._grad is None else wrap(self._grad.array.copy())
        copied = _rebuild(type(self), self.array.copy(), self._requires_grad, grad)
        return _copy_attributes(self, copied, memo)

    # -- autograd --

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Adds the gradient of this tensor to the .grad of every leaf that it was computed from.

        Args:
            gradient: the gradient of the final result by this tensor, of its shape; may be left out for a scalar.
            retain_graph: keep what the nodes saved, so that backward can run again. Default: create_graph.
            create_graph: record the gradient computation itself, for second derivatives.
            inputs: leaves to accumulate into; the others are left alone. Default: all.

        Raises:
            RuntimeError: if nothing requires grad; if a scalar is needed; if the graph was freed by an
                earlier backward; if a value that is needed was changed in place.
        """
        run_backward((self,), (gradient,), create_graph if retain_graph is None else retain_graph, create_graph,
                     None if inputs is None else ((inputs,) if isinstance(inputs, Tensor) else tuple(inputs)), True)

    def retain_grad(self):
        """Makes backward leave .grad on this tensor even if it is not a leaf."""
        if not self._requires_grad:
            raise RuntimeError("retain_grad() on a tensor that does not require grad")
        if self.node is None or self.retains:
            return
        self.retains = True
        import weakref
        reference = weakref.ref(self)

        def keep_grad(grad):
            cdef Tensor t = reference()
            if t is not None:
                check_accumulates(t, grad)
                t.note_gradient(False, True)
                t._grad = grad.clone() if t._grad is None else ops.add(t._grad, grad)

        if self.node.output_hooks is None:
            self.node.output_hooks = []
        self.node.output_hooks.append(keep_grad)

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
        if not callable(hook):
            raise TypeError(f"register_hook: hook is a {type(hook).__name__}, it must be a function of the gradient")
        cdef list hooks
        if self.node is not None:
            if self.node.output_hooks is None:
                self.node.output_hooks = []
            hooks = self.node.output_hooks
        else:
            if self.hooks is None:
                self.hooks = []
            hooks = self.hooks
        hooks.append(hook)
        note_altered(self, "hooks", None)
        return HookHandle(hooks, hook)

    # -- arithmetic --

    def __add__(self, other):
        return ops.add(self, other)

    def __radd__(self, other):
        return ops.add(other, self)

    def __sub__(self, other):
        return ops.sub(self, other)

    def __rsub__(self, other):
        return ops.sub(other, self)

    def __mul__(self, other):
        return ops.mul(self, other)

    def __rmul__(self, other):
        return ops.mul(other, self)

    def __truediv__(self, other):
        return ops.div(self, other)

    def __rtruediv__(self, other):
        return ops.div(other, self)

    def __pow__(self, other, modulo):
        return ops.pow(self, other)

    def __rpow__(self, other, modulo):
        return ops.pow(other, self)

    def __matmul__(self, other):
        return ops.matmul(self, other)

    def __rmatmul__(self, other):
        return ops.matmul(other, self)

    def __floordiv__(self, other):
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other):
        return ops.floor_divide(other, self)

    def __mod__(self, other):
        return ops.remainder(self, other)

    def __rmod__(self, other):
        return ops.remainder(other, self)

    def __iadd__(self, other):
        return ops.add_(self, other)

    def __isub__(self, other):
        return ops.sub_(self, other)

    def __imul__(self, other):
        return ops.mul_(self, other)

    def __itruediv__(self, other):
        return ops.div_(self, other)

    def __neg__(self):
        return ops.neg(self)

    def __pos__(self):
        return self

    def __abs__(self):
        return ops.abs(self)

    def __invert__(self):
        return ops.bitwise_not(self)

    def __eq__(self, other):
        return ops.eq(self, other)

    def __ne__(self, other):
        return ops.ne(self, other)

    def __lt__(self, other):
        return ops.lt(self, other)

    def __le__(self, other):
        return ops.le(self, other)

    def __gt__(self, other):
        return ops.gt(self, other)

    def __ge__(self, other):
        return ops.ge(self, other)

    def __and__(self, other):
        return ops.bitwise_and(self, other)

    def __or__(self, other):
        return ops.bitwise_or(self, other)

    def __xor__(self, other):
        return ops.bitwise_xor(self, other)

    def __getitem__(self, index):
        return ops.getitem(self, index)

    def __setitem__(self, index, value):
        ops.setitem(self, index, value)


def _array_of(Tensor t):
    """The values, as a NumPy array that shares memory."""
    return own_object(t.array)


cdef install_attributes(dict attributes):
    """What stands in no line of the class Tensor: it is built in C, and setattr() refuses."""
    (<dict><object>(<PyTypeObject *>Tensor).tp_dict).update(attributes)
    PyType_Modified(<PyTypeObject *>Tensor)


# For Python. C reads the attribute of the same name, so it cannot stand in the class.
install_attributes({"array": property(_array_of, doc=_array_of.__doc__)})


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
        copied.__dict__.update(copy.deepcopy(attributes, memo))
    return copied


def _rebuild(cls, array, requires_grad, grad):
    cdef Tensor t = Tensor._on(array, cls, requires_grad=requires_grad)
    t.grad = grad
    return t


class HookHandle:
    """Takes a hook away again; as a context manager, at the end of the block."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Removes the hook; a second call does nothing."""
        self._hooks[:] = [h for h in self._hooks if h is not self._hook]
        note_altered(self, "hooks", None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


# ---- Node -----------------------------------------------------------------------------------------------------

cdef unsigned long long created = 0   # Nodes so far; changed under the GIL


@cython.binding(False)
@cython.trashcan(True)
cdef class Node:
    """One recorded operation with one output.

    A subclass writes `backward` (in Cython: `gradients`) with differentiable operations: the gradient of the
    output in, a tuple with the gradient of each input out (None where it is none of its business). Where a
    kernel does that faster, it writes `gradients_fused` too, which is used when no graph of the gradient is
    wanted. Whoever calls them has checked shape and dtype of what goes in.
    """

    cdef void connect(self, Tensor output, tuple inputs) except *:
        """Makes this node what computed `output` from `inputs` (tensors, or None)."""
        global created
        cdef Tensor t
        cdef tuple edges = PyTuple_New(len(inputs))
        cdef Py_ssize_t i
        cdef object edge
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
        created += 1
        self.seq = created
        self.inputs = edges
        self.output_kind, self.output_ndim = cnp.PyArray_TYPE(output.array), output.array.ndim
        for i in range(min(self.output_ndim, NODE_SIZES)):
            self.output_sizes[i] = output.array.shape[i]
        if self.output_ndim > NODE_SIZES:
            self.output_shape = output.shape
        output.node = self
        output._requires_grad = True
        output.graph_version = output.changes()

    cdef void keep(self, Tensor t) except *:
        """Keeps a tensor for backward. Call after connect. An output is kept without its node: no cycle."""
        if self.kept is None:
            self.kept, self.versions = [], []
        if t is None:
            self.kept.append(None)
            self.versions.append(0)
            return
        self.kept.append(alias_of(t, t.array) if t.node is self else t)
        self.versions.append(t.changes())

    cdef Tensor saved(self, int i):
        """The i-th tensor kept, if it still has the values it had."""
        if self.freed:
            raise RuntimeError(
                "backward through the graph a second time, but what it saved has been freed: "
                "pass retain_graph=True to the first backward"
            )
        cdef Tensor t = self.kept[i]
        if t is None:
            return None
        if t.changes() != <unsigned long>self.versions[i]:
            raise RuntimeError(
                f"{type(self).__name__}: a tensor of shape {t.shape} that backward needs was changed in place "
                f"(version {t.changes()}, saved at {self.versions[i]}); use the form that makes a new tensor, or .clone()"
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
            raise RuntimeError(f"{type(self).__name__}: backward of a node that is not part of a graph")
        if not takes(self, dy):
            refuse_gradient(f"{self.name()}: backward was called with", dy, self)
        return 0

    def name(self):
        """The operation's name."""
        return type(self).__name__

    @property
    def next_functions(self):
        """The edges as (node, 0) pairs, as PyTorch lists them."""
        return tuple((None if edge is None else edge, 0) for edge in self.inputs)

    # for operations written in Python

    def _connect(self, Tensor output not None, tuple inputs not None, tuple keep=()):
        cls = type(self)
        cdef PyTypeObject *kind = <PyTypeObject *>cls
        while kind.tp_flags & Py_TPFLAGS_HEAPTYPE:   # classes written in Python
            kind = kind.tp_base
        if kind != <PyTypeObject *>Node:   # what a class written in C needs is not there
            raise TypeError(f"{type(self).__name__}: only a node of a class derived from Node itself can be connected")
        if self.inputs is not None:
            raise RuntimeError(f"{self.name()}: the node has an output already")
        self.connect(output, inputs)
        for t in keep:
            self.keep(t)
        return output

    def _saved(self, int i):
        return self.saved(i)

    def _saved_output(self, int i):
        return self.saved_output(i)


# ---- backward -------------------------------------------------------------------------------------------------


cdef void enqueue(list queue, Node node) except *:
    """Keeps `queue` sorted by seq, the largest last."""
    cdef Py_ssize_t low = 0, high = len(queue), middle
    while low < high:
        middle = (low + high) >> 1
        if (<Node>queue[middle]).seq < node.seq:
            low = middle + 1
        else:
            high = middle
    queue.insert(low, node)


cdef bint takes(object edge, Tensor grad) except -1:
    """The gradient has the shape and dtype of the output of a Node, or of a leaf."""
    cdef ndarray g = grad.array
    cdef Node node
    cdef Tensor leaf
    cdef int d
    if not isinstance(edge, Node):
        leaf = edge
        return (
            cnp.PyArray_TYPE(g) == cnp.PyArray_TYPE(leaf.array) and g.ndim == leaf.array.ndim
            and cnp.PyArray_SAMESHAPE(g, leaf.array)
        )
    node = edge
    if cnp.PyArray_TYPE(g) != node.output_kind or g.ndim != node.output_ndim:
        return False
    for d in range(min(g.ndim, NODE_SIZES)):
        if g.shape[d] != node.output_sizes[d]:
            return False
    return g.ndim <= NODE_SIZES or grad.shape == node.output_shape


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


cdef Tensor run_hooks(list hooks, Tensor grad, object edge):
    if hooks is not None:
        for hook in tuple(hooks):
            result = hook(grad)
            if result is not None and not isinstance(result, Tensor):
                refuse_gradient("hook: it gave", result, edge)
            if result is not None:
                grad = result
            if not takes(edge, grad):   # without a result too: the hook may have replaced grad.data
                refuse_gradient("hook: it gave", grad, edge)
    return grad


cdef int check_accumulates(Tensor leaf, Tensor grad) except -1:
    """grad can be added to leaf.grad."""
    if not takes(leaf, grad):
        refuse_gradient("backward:", grad, leaf)
    if leaf._grad is not None and not takes(leaf, leaf._grad):
        refuse_gradient("backward: .grad already holds", leaf._grad, leaf)
    return 0


cdef Tensor first_gradient(Tensor output, gradient):
    """The gradient that backward starts from, checked."""
    cdef Tensor grad
    if not output._requires_grad:
        raise RuntimeError("backward: the tensor does not require grad and was not computed from one that does (what a recorded step "
                           "returns is detached: its backward belongs inside the step)")
    if gradient is None:
        if output.array.size != 1:
            raise RuntimeError(
                f"backward: a gradient can be made implicitly for a scalar only, this tensor has shape {output.shape}; "
                "pass gradient=, or reduce with .sum() or .mean() first"
            )
        return wrap(new_number(output.array.ndim, output.array.shape, cnp.PyArray_TYPE(output.array), 1))
    if not isinstance(gradient, Tensor):
        raise TypeError(f"backward: gradient must be a Tensor or None, not {type(gradient).__name__}")
    grad = gradient
    if grad.shape != output.shape:
        raise RuntimeError(f"backward: gradient has shape {grad.shape}, the tensor has shape {output.shape}")
    if grad.dtype != output.dtype:
        raise RuntimeError(f"backward: gradient has dtype {grad.dtype}, the tensor has dtype {output.dtype}")
    return grad


def run_backward(tuple outputs, tuple gradients, bint retain_graph, bint create_graph, tuple inputs or None, bint accumulate):
    """Walks the graph from `outputs` and returns the gradients of `inputs` (None where not reached).

    With `accumulate`, gradients are added to the .grad of leaves instead: of `inputs`, or of all if None.
    Nothing is accumulated unless the whole walk succeeded.
    """
    global pyml_grad_enabled
    cdef dict pending = {}        # edge -> the gradient gathered for it so far
    cdef dict wanted = {}         # node -> gradient, for inputs that are not leaves
    cdef set path = None          # with inputs: the edges that lead to one of them
    cdef list queue = []          # nodes with a pending gradient, the newest last
    cdef Tensor output, grad, dx, leaf
    cdef Node node
    cdef tuple grads
    cdef Py_ssize_t i
    cdef bint before = pyml_grad_enabled
    cdef Recorder r = recorder()

    for item in outputs:
        if not isinstance(item, Tensor):
            raise TypeError(f"backward: gradients can be computed of a Tensor, not of {type(item).__name__}")
    if inputs is not None:
        for item in inputs:
            if not isinstance(item, Tensor):
                raise TypeError(f"backward: inputs must be Tensors, not {type(item).__name__}")
    if r is not None:
        r.backward(outputs)
    for output, gradient in zip(outputs, gradients):
        grad = first_gradient(output, gradient)
        edge = output if output.node is None else output.node
        if edge in pending:
            pending[edge] = ops.add(pending[edge], grad)
        else:
            pending[edge] = grad
            if output.node is not None:
                enqueue(queue, output.node)
    if inputs is not None:
        for leaf in inputs:
            if not leaf._requires_grad:
                raise RuntimeError("grad: one of the inputs does not require grad")
            if leaf.node is not None:
                wanted[leaf.node] = None
        path = edges_towards({leaf if leaf.node is None else leaf.node for leaf in inputs}, queue)

    pyml_grad_enabled = create_graph
    try:
        while queue:
            node = queue.pop()
            grad = pending.pop(node)
            if not takes(node, grad):   # checked as it came, but another hook may have replaced its data
                refuse_gradient(f"backward: {node.name()} has", grad, node)
            grad = run_hooks(node.output_hooks, grad, node)
            if node in wanted:
                wanted[node] = grad
            if path is not None and node not in path:
                continue
            grads = node.gradients(grad) if create_graph else node.gradients_fused(grad)
            if len(grads) != len(node.inputs):
                raise RuntimeError(
                    f"{node.name()}: backward gave {len(grads)} gradients for {len(node.inputs)} inputs")
            for i in range(len(grads)):
                edge = node.inputs[i]
                given = grads[i]
                if edge is None or given is None or (path is not None and edge not in path and edge not in wanted):
                    continue
                if not isinstance(given, Tensor) or not takes(edge, given):
                    refuse_gradient(f"{node.name()}: backward gave for input {i}", given, edge)
                dx = given
                if edge in pending:
                    pending[edge] = ops.add(pending[edge], dx)
                else:
                    pending[edge] = dx
                    if isinstance(edge, Node):
                        enqueue(queue, edge)
            if not retain_graph:
                node.freed = node.freed or node.kept is not None
                node.kept = node.versions = None
            grads = None
        grad = dx = given = None

        # only leaves are left in `pending`
        for edge in pending:
            leaf = edge
            if leaf.hooks is not None:
                pending[edge] = run_hooks(leaf.hooks, pending[edge], leaf)
        for edge in pending:
            check_accumulates(edge, pending[edge])
        for edge in wanted:
            if wanted[edge] is not None and not takes(edge, wanted[edge]):
                refuse_gradient(f"backward: {(<Node>edge).name()} has", wanted[edge], edge)
        if not accumulate:
            return tuple([pending.get(leaf) if leaf.node is None else wanted[leaf.node] for leaf in inputs])
        if inputs is not None:
            for leaf in inputs:
                if leaf.node is not None and wanted[leaf.node] is not None:
                    pending[leaf] = wanted[leaf.node]
                    check_accumulates(leaf, pending[leaf])
        while pending:
            edge, grad = pending.popitem()
            if inputs is None or any([edge is item for item in inputs]):
                accumulate_into(edge, grad, create_graph)
        return None
    finally:
        pyml_grad_enabled = before


cdef set edges_towards(set targets, list roots):
    """The nodes below `roots` from which a target is reached, and the targets."""
    cdef set seen = set(roots), path = set(targets)
    cdef list stack = list(roots), order
    cdef Node node
    while stack:
        node = stack.pop()
        for edge in node.inputs:
            if isinstance(edge, Node) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    order = sorted(seen, key=lambda n: (<Node>n).seq)
    for node in order:
        for edge in node.inputs:
            if edge in path:
                path.add(node)
                break
    return path


cdef void accumulate_into(Tensor leaf, Tensor grad, bint create_graph) except *:
    """leaf.grad = grad, or += grad: the first gradient is written, the next is added. The caller's reference to `grad`
    is the only one if nobody else can reach it: then it is taken as it is."""
    cdef bint alone = (
        Py_REFCNT(<PyObject *>grad) == 1 and Py_REFCNT(<PyObject *>grad.array) == 1
        and owns_memory(grad.array)
    )
    leaf.note_gradient(False, True)
    if leaf._grad is None:
        leaf._grad = grad if alone else ops.clone(grad)
    elif create_graph or leaf._grad._requires_grad:
        leaf._grad = ops.add(leaf._grad, grad)
    else:
        ops.add_(leaf._grad, grad)
