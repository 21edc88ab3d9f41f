"""Derivatives of functions, and modules as functions of their state, with torch.func's names.

Reverse mode throughout: a product J v is a backward of a backward. Results may be differentiated
again, by transforms and by backward.
"""

from pyml.func import landscape, modules, taylor, transforms, vectorized
from pyml.func.landscape import *
from pyml.func.modules import *
from pyml.func.taylor import *
from pyml.func.transforms import *
from pyml.func.vectorized import *

__all__ = [
    *(*transforms.__all__, *vectorized.__all__, *modules.__all__),
    *(*taylor.__all__, *landscape.__all__),
]
