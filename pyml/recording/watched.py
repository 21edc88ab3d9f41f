"""NumPy arrays among the arguments of a step that is recorded."""

import numpy as np

from pyml.recorder import ArrayArgument, refuse, unwatched
from pyml.tensor import Tensor

__all__ = ["Watched"]

# what says nothing of the values
FORM = frozenset(("dtype", "itemsize", "nbytes", "ndim", "shape", "size", "strides"))
# what gives a part of the array, or the array in another form, as long as it does not copy
VIEWS = frozenset(("T", "astype", "ravel", "reshape", "squeeze", "swapaxes", "transpose"))
CURES = {
    "astype": " (pass it converted, or convert it by pyml: pyml.tensor(x).float())",
}
OPERATORS = (
    "add", "and", "divmod", "floordiv", "lshift", "matmul", "mod", "mul", "or", "pow", "rshift",
    "sub", "truediv", "xor",
)  # fmt: skip
READING = (
    "__abs__", "__bool__", "__complex__", "__contains__", "__copy__", "__deepcopy__",
    "__delitem__", "__dir__", "__float__", "__format__", "__index__", "__int__", "__invert__",
    "__iter__", "__neg__", "__pos__", "__reduce__", "__reduce_ex__", "__repr__", "__setitem__",
    "__sizeof__", "__str__",
    *(f"__{kind}{name}__" for name in OPERATORS for kind in ("", "r", "i") if name != "divmod"),
    *(f"__{name}__" for name in ("divmod", "rdivmod", "eq", "ne", "lt", "le", "gt", "ge")),
)  # fmt: skip


class Watched(ArrayArgument):
    """An argument that is a NumPy array: it may be made a Tensor, sliced and reshaped.

    What NumPy computes from it would stay what it was at the recording, and is refused. It is no
    ndarray, as np.asarray() would make an unwatched one of that, but says it is one.
    """

    __hash__ = None

    @property
    def __class__(self):
        return np.ndarray

    def __len__(self):
        return len(unwatched(self))

    def __getitem__(self, index):
        return part(unwatched(self)[bare(index)], self, "an index that copies, or a number,")

    def __getattr__(self, name):
        value = getattr(unwatched(self), name)  # or says that there is none
        if name in FORM:
            return value
        if name not in VIEWS:
            refuse(f"{name} of an argument that is a NumPy array")
            return value
        if not callable(value):
            return part(value, self, name)
        return lambda *args, **options: part(value(*args, **options), self, name)

    def __setattr__(self, name, value):
        refuse(f"setting the {name} of an argument that is a NumPy array")
        raise AttributeError(f"{name} of an argument cannot be set in a step; set it outside")

    def __array__(self, *args, **options):
        refuse("np.asarray() of an argument that is a NumPy array")
        return np.array(unwatched(self), *args, **options)

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        refuse(f"np.{ufunc.__name__} of an argument that is a NumPy array")
        return getattr(ufunc, method)(*bare(operands), **bare(options))

    def __array_function__(self, function, types, args, kwargs):
        refuse(f"np.{function.__name__} of an argument that is a NumPy array")
        return function(*bare(args), **bare(kwargs))


def bare(value):
    """The arguments of a function of NumPy, with arrays in place of Watched ones."""
    if type(value) in (list, tuple):
        return type(value)(map(bare, value))
    if type(value) is dict:
        return {name: bare(each) for name, each in value.items()}
    return unwatched(value)


def part(value, whole, what):
    """`value` as an argument, too, if it lies on the memory of `whole`; else it is refused."""
    if isinstance(value, np.ndarray) and np.may_share_memory(value, unwatched(whole)):
        return Watched(value)
    refuse(f"{what} of an argument that is a NumPy array{CURES.get(what, '')}")
    return value


def reading(name):
    def read(self, *args):
        if args and isinstance(args[0], Tensor) and name[2] != "i":
            return NotImplemented  # array * tensor is a tensor
        refuse(f"{name}() of an argument that is a NumPy array")
        return getattr(unwatched(self), name)(*bare(args))

    return read


for name in READING:
    setattr(Watched, name, reading(name))
