"""Linear algebra, with the names of torch.linalg."""

from pyml.dispatch import entry
from pyml.ops import linalg, linalg_norm, matmul, products
from pyml.ops.linalg import LinAlgError
from pyml.ops.names import LINALG, operations
from pyml.ops.operands import numpy_names

globals().update(operations(LINALG))

norm = linalg_norm
cross = entry(numpy_names(products.cross))
diagonal = entry(linalg.linalg_diagonal)
vander = entry(linalg.vander)

__all__ = ["LinAlgError", "cross", "diagonal", "matmul", "norm", "vander", *operations(LINALG)]
