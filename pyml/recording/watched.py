"""NumPy arrays among the arguments of a step that is recorded."""

import numpy as np

from pyml.recorder import refuse

__all__ = ["Watched"]

# methods that give values to Python, compute something without asking __array_ufunc__, or change it
READING = (
    "__setitem__", "fill", "partition", "put", "resize", "setfield", "sort",
    "__bool__", "__complex__", "__contains__", "__float__", "__format__", "__index__", "__int__",
    "__iter__", "__repr__", "__str__", "all", "any", "argmax", "argmin", "choose", "compress",
    "dot", "dump", "dumps", "item", "nonzero", "searchsorted", "take", "tobytes", "tofile",
    "tolist", "trace",
)  # fmt: skip


class Watched(np.ndarray):
    """An argument that is a NumPy array: it may be made a Tensor, sliced and reshaped.

    What NumPy computes from it would stay what it was at the recording, and is refused.
    """

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        refuse(f"np.{ufunc.__name__} of an argument that is a NumPy array")
        operands = [
            each.view(np.ndarray) if isinstance(each, Watched) else each for each in operands
        ]
        return getattr(ufunc, method)(*operands, **options)

    def __array_function__(self, function, types, args, kwargs):
        refuse(f"np.{function.__name__} of an argument that is a NumPy array")
        return super().__array_function__(function, types, args, kwargs)

    def astype(self, dtype, *args, **kwargs):
        made = super().astype(dtype, *args, **kwargs)
        if not np.shares_memory(self.view(np.ndarray), made.view(np.ndarray)):
            refuse(
                "astype() of an argument that is a NumPy array (pass it converted, or convert it "
                "by pyml: pyml.tensor(x).float())"
            )
        return made

    def __getitem__(self, index):
        part = super().__getitem__(index)
        if not isinstance(part, np.ndarray):
            refuse("a number of an argument that is a NumPy array")
        return part


def reading(name):
    method = getattr(np.ndarray, name)

    def read(self, *args, **kwargs):
        refuse(f"{name}() of an argument that is a NumPy array")
        return method(self, *args, **kwargs)

    return read


for name in READING:
    setattr(Watched, name, reading(name))
