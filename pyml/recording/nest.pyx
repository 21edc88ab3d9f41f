"""Arguments and results: Tensors in tuples, lists and dicts."""
import numpy as np

from numpy cimport ndarray

from pyml.recorder cimport Traced
from pyml.tensor cimport Tensor, wrap

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


cdef enum:
    DEEPEST = 100   # tuples, lists and dicts in one another; one that contains itself is deeper

TOO_DEEP = (
    f"record: an argument or a result has more than {DEEPEST} tuples, lists and dicts in one another, or one that contains "
    "itself; pass the tensors in a flat list")
KNOWN = frozenset(np.dtype(name) for name in (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))


cdef object flatten(object value, list leaves, int depth=0, bint arrays=False):
    """Adds the Tensors inside of tuples, lists and dicts to `leaves`; returns what is left, which can be compared.
    With `arrays` also NumPy arrays.

    Raises:
        ValueError: if they contain themselves, or are deeper than DEEPEST.
    """
    if isinstance(value, Tensor):
        leaves.append(value)
        return Tensor
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if arrays and is_argument(value):
        leaves.append(wrap((<ndarray>value).view(ndarray)))
        return ndarray
    kind = type(value)
    if kind is tuple or kind is list:
        return (kind, [flatten(item, leaves, depth + 1, arrays) for item in value])
    if kind is dict:
        return (dict, [(name, flatten(item, leaves, depth + 1, arrays)) for name, item in value.items()])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return (kind, [flatten(item, leaves, depth + 1, arrays) for item in value])
    if kind is float:
        return (float, repr(value))   # NaN is itself
    if isinstance(value, Outcome):
        return (kind, value.index)
    if kind in (int, str, bool, bytes, type(None), complex):
        return (kind, value)
    if isinstance(value, np.generic):
        return (kind, repr(value.item()))   # -0 is not 0
    if kind is slice:
        return (slice, (value.start, value.stop, value.step))
    return Same(value)


cdef object unflatten(object value, iterator):
    """The same nest with other Tensors."""
    if isinstance(value, Tensor):
        return next(iterator)
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([unflatten(item, iterator) for item in value])
    if kind is dict:
        return {name: unflatten(item, iterator) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[unflatten(item, iterator) for item in value])
    return value


cdef object mapped(object value, function, int depth=0):
    """The same nest, with function(leaf) in place of what is no tuple, list or dict. A key that stands for a number, which
    Python has looked at by then, is the number."""
    kind = type(value)
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    if kind is tuple or kind is list:
        return kind([mapped(item, function, depth + 1) for item in value])
    if kind is dict:
        return {name.value if isinstance(name, Traced) else name: mapped(item, function, depth + 1)
                for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[mapped(item, function, depth + 1) for item in value])
    return function(value)


cdef object with_arrays(object value, iterator):
    """The arguments of a step with what is recorded in place of Tensors and NumPy arrays."""
    if isinstance(value, Tensor):
        return next(iterator)
    if is_argument(value):
        return (<Tensor>next(iterator)).array.view(Watched)
    kind = type(value)
    if kind is tuple or kind is list:
        return kind([with_arrays(item, iterator) for item in value])
    if kind is dict:
        return {name: with_arrays(item, iterator) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[with_arrays(item, iterator) for item in value])
    return value


cdef bint is_argument(object value):
    """Whether a NumPy array can take part in a recording: of a type that kernels know."""
    return isinstance(value, ndarray) and (<ndarray>value).dtype in KNOWN


cdef list objects_in(object spec):
    """The objects that are compared by identity in what flatten() returned."""
    if isinstance(spec, Same):
        return [spec.value]
    if isinstance(spec, (tuple, list)):
        return [value for item in spec for value in objects_in(item)]
    return []
