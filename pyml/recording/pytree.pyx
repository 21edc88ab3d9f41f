"""Arguments and results: Tensors in tuples, lists and dicts."""
import types
from collections import OrderedDict, defaultdict

import numpy as np

from cpython.dict cimport PyDict_Size
from cpython.ref cimport PyObject
from numpy cimport ndarray

from pyml.recorder cimport Traced
from pyml.tensor cimport Tensor, wrap

from pyml.attributes import Size

from pyml.recording.code import is_library_class
from pyml.recording.watched import Watched

SAMPLE = Tensor()   # stands for any Tensor


class Same:
    """An object that is compared by identity."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Same) and self.value is other.value

    __hash__ = None


class Outcome:
    """Stands in a result for a number of Python that each replay computes.

    Attributes:
        index: of what the number is.
    """

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index


class Fields:
    """An object of a dataclass or the like, taken apart.

    Attributes:
        cls: its class.
        values: name -> what it holds.
    """

    __slots__ = ("cls", "values")

    def __init__(self, cls, values):
        self.cls, self.values = cls, values

    def whole(self):
        """A new object, without its __init__."""
        if self.cls is types.SimpleNamespace:
            return self.cls(**self.values)
        made = object.__new__(self.cls)
        for name, value in self.values.items():
            object.__setattr__(made, name, value)   # it may be frozen
        return made


def fields_of(value):
    """name -> value of an object of a dataclass, of attrs, or a SimpleNamespace; None for others."""
    cls = type(value)
    if cls is types.SimpleNamespace:
        return dict(vars(value))
    known = getattr(cls, "__dataclass_fields__", None)
    if known is None:
        known = [each.name for each in getattr(cls, "__attrs_attrs__", ())]
    if not known or cls.__new__ is not object.__new__:
        return None
    values = {name: getattr(value, name) for name in known if hasattr(value, name)}
    values.update(getattr(value, "__dict__", {}))
    return values


cdef enum:
    DEEPEST = 100   # tuples, lists and dicts in one another; one that contains itself is deeper

TOO_DEEP = (
    f"record: an argument or a result has more than {DEEPEST} tuples, lists and dicts in one another, or one that contains "
    "itself; pass the tensors in a flat list")
PLAIN = (int, float, str, bool, bytes, complex, type(None))
KNOWN = frozenset(np.dtype(name) for name in (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))


cdef bint is_dict(object kind) noexcept:
    """Whether a class is dict, or one of Python's that a batch may be as well."""
    return kind is dict or kind is OrderedDict or kind is defaultdict


cdef object with_items(object value, list items):
    """A dict of the kind of `value` with other items."""
    if type(value) is defaultdict:
        return defaultdict(value.default_factory, items)
    return type(value)(items)


cdef object flatten(object value, list leaves, int depth=0, bint arrays=False):
    """Adds the Tensors inside of tuples, lists and dicts to `leaves`; returns what is left, which can be compared.
    With `arrays` also NumPy arrays.

    Raises:
        ValueError: if they contain themselves, or are deeper than DEEPEST.
    """
    if isinstance(value, Tensor):
        leaves.append(value)
        return Tensor if is_bare(value) else dress_of(value)
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if arrays and is_argument(value):
        leaves.append(wrap((<ndarray>value).view(ndarray)))
        return ndarray
    kind = type(value)
    if kind is tuple or kind is list or kind is Size:
        return (kind, [flatten(item, leaves, depth + 1, arrays) for item in value])
    if is_dict(kind):
        factory = Same(value.default_factory) if kind is defaultdict else None
        return (kind, [(name if type(name) is str else alone(name, depth, True), flatten(item, leaves, depth + 1, arrays))
                       for name, item in value.items()], factory)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return (kind, [flatten(item, leaves, depth + 1, arrays) for item in value])
    if kind is Fields:
        return (value.cls, [(name, flatten(item, leaves, depth + 1, arrays)) for name, item in value.values.items()])
    if kind is float:
        return (float, repr(value))   # NaN is itself
    if isinstance(value, Outcome):
        return (kind, value.index)
    if kind in (int, str, bool, bytes, type(None)):
        return (kind, value)
    if kind is complex:
        return (complex, repr(value))
    if isinstance(value, np.generic):
        return (kind, repr(value.item()))   # -0 is not 0
    if kind is slice:
        return (slice, [alone(bound, depth) for bound in (value.start, value.stop, value.step)])
    return Same(value)


cdef object alone(object value, int depth, bint is_key=False):
    """What flatten() leaves of a key or of a bound of a slice, in which Tensors are objects as others are: True is not 1.
    Other objects are the same key where a dict takes them for one."""
    cdef list tensors = []
    if is_key and type(value) is tuple and depth < DEEPEST:   # else flatten() says that it is too deep
        return (tuple, [alone(item, depth + 1, True) for item in value])
    left = flatten(value, tensors, depth + 1)
    if tensors:
        return Same(value)
    return (type(value), value) if type(left) is Same and is_key else left


cdef object unflatten(object value, iterator, bint arrays=False):
    """The same tree with other Tensors. With `arrays` also in place of NumPy arrays, as the arguments of a step have them."""
    if isinstance(value, Tensor):
        return next(iterator)
    if arrays and is_argument(value):
        return Watched((<Tensor>next(iterator)).array)
    kind = type(value)
    if kind is tuple or kind is list or kind is Size:
        return kind([unflatten(item, iterator, arrays) for item in value])
    if is_dict(kind):
        return with_items(value, [(name, unflatten(item, iterator, arrays)) for name, item in value.items()])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[unflatten(item, iterator, arrays) for item in value])
    if kind is Fields:
        return Fields(value.cls, {name: unflatten(item, iterator, arrays) for name, item in value.values.items()}).whole()
    return value


cdef object mapped(object value, function, int depth=0):
    """The same tree, with function(leaf) in place of what is no tuple, list or dict. A key that stands for a number, which
    Python has looked at by then, is the number."""
    kind = type(value)
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if kind is tuple or kind is list or kind is Size:
        return kind([mapped(item, function, depth + 1) for item in value])
    if is_dict(kind):
        return with_items(value, [(name.value if isinstance(name, Traced) else name, mapped(item, function, depth + 1))
                                  for name, item in value.items()])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[mapped(item, function, depth + 1) for item in value])
    if kind is Fields:
        return Fields(value.cls, {name: mapped(item, function, depth + 1) for name, item in value.values.items()})
    return function(value)


cdef object opened(object value, taken, int depth=0):
    """The same tree, with Fields in place of the objects of dataclasses and the like for which taken(object) is true."""
    kind = type(value)
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if kind is tuple or kind is list or kind is Size:
        return kind([opened(item, taken, depth + 1) for item in value])
    if is_dict(kind):
        return with_items(value, [(name, opened(item, taken, depth + 1)) for name, item in value.items()])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[opened(item, taken, depth + 1) for item in value])
    fields = None if isinstance(value, type) else fields_of(value)
    if fields is None or not taken(value):
        return value
    return Fields(kind, {name: opened(item, taken, depth + 1) for name, item in fields.items()})


cdef object put_back(object value, object given, dict originals, list changed):
    """After a call: makes the lists, dicts and objects among its arguments what the step has made of those that it was
    given in their place. Adds the ones that this changes to `changed`.

    Args:
        originals: id of a Tensor that was given -> the one in whose place.
    """
    kind = type(value)
    if isinstance(given, Watched) or value is given:
        return value
    if type(given) is not kind or isinstance(value, Tensor):
        return originals.get(id(given), given)
    if isinstance(value, tuple):
        for before, now in zip(value, given):
            put_back(before, now, originals, changed)
        return value
    if kind is list:
        before, now = dict(enumerate(value)), dict(enumerate(given))
    elif is_dict(kind):
        before, now = value, given
    else:
        before, now = fields_of(value), fields_of(given)
        if before is None:
            return originals.get(id(given), given)
    now = {name: put_back(before.get(name, given), item, originals, changed) for name, item in now.items()}
    if now.keys() != before.keys() or any([item is not before[name] for name, item in now.items()]):
        changed.append(value)
        if kind is list:
            value[:] = now.values()
        elif is_dict(kind):
            value.clear()
            value.update(now)
        else:
            for name in before.keys() - now.keys():
                object.__delattr__(value, name)
            for name, item in now.items():
                object.__setattr__(value, name, item)
    return value


cdef bint is_bare(Tensor t) except -1:
    """Whether a tensor is no more than its values: of no class of its own, without attributes and hooks."""
    cdef PyObject *attributes = <PyObject *>t.attributes
    return type(t) is Tensor and not t.hooks and (attributes == NULL or PyDict_Size(<object>attributes) == 0)


cdef tuple dress_of(Tensor t):
    """What it is more, which can be compared."""
    attributes = [(name, flatten(value, []) if type(value) in PLAIN else Same(value)) for name, value in vars(t).items()]
    return type(t), attributes, [Same(hook) for hook in t.hooks or ()]


cdef Tensor stand_in(Tensor t, ndarray array):
    """A tensor on `array` that is what `t` is beside its values."""
    if is_bare(t):
        return wrap(array)
    cdef Tensor made = Tensor.__new__(type(t))
    made.array = array
    vars(made).update(vars(t))
    made.hooks = None if t.hooks is None else list(t.hooks)
    return made


cdef bint is_dressed_as(Tensor t, Tensor other) except -1:
    """Whether two tensors are the same beside their values."""
    return (is_bare(t) and is_bare(other)) or dress_of(t) == dress_of(other)


cdef bint is_argument(object value) except -1:
    """Whether a NumPy array can take part in a recording: of a type that kernels know, and without a mask."""
    return isinstance(value, ndarray) and (<ndarray>value).dtype in KNOWN and not is_masked(value)


def is_masked(value):
    """Whether it is a masked array: np.ma is imported when it is asked for."""
    return type(value) is not ndarray and isinstance(value, np.ma.MaskedArray)


cdef list objects_in(object spec):
    """The objects that are compared by identity in what flatten() returned, and the classes of containers, whose methods
    a step may call."""
    if isinstance(spec, Same):
        return [spec.value]
    if isinstance(spec, type):
        return [] if is_library_class(spec) else [spec]
    if isinstance(spec, (tuple, list)):
        return [value for item in spec for value in objects_in(item)]
    return []
