"""FloatTensor, LongTensor and the others: classes by dtype, as PyTorch had them at first.

A class makes a tensor of its dtype of data or of sizes, and isinstance() asks for the dtype.
"""

from pyml.attributes import NAMES
from pyml.ops.creation import of_data_or_sizes
from pyml.ops.methods import CLASSES
from pyml.tensor import Tensor

__all__ = [*CLASSES.values()]


class OfDtype(type):
    """What a class of tensors of one dtype is."""

    def __instancecheck__(cls, value):
        return isinstance(value, Tensor) and value.dtype == cls.of_elements

    def __call__(cls, *data, device=None):
        return of_data_or_sizes(data, cls.of_elements, device, cls.__name__)


def _class_of(kind, name):
    def __init__(self, *data, device=None):
        """Made by the class of the class."""

    return OfDtype(
        name,
        (),
        {
            "__doc__": f"Tensors of {kind}: {name}([1, 2]) of data, {name}(2, 3) of sizes.",
            "__init__": __init__,
            "__module__": __name__,
            "of_elements": NAMES[kind],
        },
    )


globals().update({name: _class_of(kind, name) for kind, name in CLASSES.items()})
