"""Operations on tensors: one file a family, each with its forward and its backward."""

import sys

from pyml.backward import backward
from pyml.ops import names, regions
from pyml.ops.methods import METHODS
from pyml.tensor import Tensor, install

globals().update(names.operations())
install(
    sys.modules[__name__],
    names.operations(names.TENSOR)
    | {name: names.entered(method, names.TENSOR) for name, method in METHODS.items()}
    # for libraries that compare it, and that set it
    | {"backward": backward, "_cdata": property(id), "_grad": Tensor.grad},
)

__all__ = [*names.operations()]
