"""Operations on tensors: one file a family, each with its forward and its backward."""

import sys

from pyml.backward import backward
from pyml.ops import names, regions
from pyml.ops.methods import METHODS
from pyml.tensor import install

globals().update(names.operations())
install(
    sys.modules[__name__],
    names.operations(names.TENSOR)
    | {name: names.entered(method, names.TENSOR) for name, method in METHODS.items()}
    | {"backward": backward, "_cdata": property(id)},  # the latter for libraries that compare it
)

__all__ = [*names.operations()]
