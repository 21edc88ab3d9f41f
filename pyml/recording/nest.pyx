"""Arguments and results: Tensors in tuples, lists and dicts."""
import numpy as np

from pyml.tensor cimport Tensor

SAMPLE = Tensor()   # stands for any Tensor


class Same:
    """An object that is compared by identity."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Same) and self.value is other.value

    __hash__ = None


cdef object flatten(object value, list leaves):
    """Adds the Tensors inside of tuples, lists and dicts to `leaves`; returns what is left, which can be compared."""
    if isinstance(value, Tensor):
        leaves.append(value)
        return Tensor
    kind = type(value)
    if kind is tuple or kind is list:
        return (kind, [flatten(item, leaves) for item in value])
    if kind is dict:
        return (dict, [(name, flatten(item, leaves)) for name, item in value.items()])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return (kind, [flatten(item, leaves) for item in value])
    if kind is float:
        return (float, repr(value))   # NaN is itself
    if kind in (int, str, bool, bytes, type(None), complex):
        return (kind, value)
    if isinstance(value, np.generic):
        return (kind, value.item())
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


cdef list objects_in(object spec):
    """The objects that are compared by identity in what flatten() returned."""
    if isinstance(spec, Same):
        return [spec.value]
    if isinstance(spec, (tuple, list)):
        return [value for item in spec for value in objects_in(item)]
    return []
