"""Linear algebra, with the names of torch.linalg."""

from pyml.ops import linalg, products, rearranging
from pyml.ops.linalg import LinAlgError
from pyml.ops.matmul import matmul
from pyml.ops.names import LINALG, operations
from pyml.ops.operands import numpy_names

globals().update(operations(LINALG))

norm = linalg.linalg_norm
cross = numpy_names(products.cross)
diagonal = rearranging.diagonal
vander = linalg.vander

__all__ = ["LinAlgError", "cross", "diagonal", "matmul", "norm", "vander", *operations(LINALG)]
