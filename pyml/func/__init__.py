"""Derivatives of functions, and modules as functions of their state, with torch.func's names.

Reverse mode throughout: a product J v is a backward of a backward. Results may be differentiated
again, by transforms and by backward.
"""

from pyml.func import modules, transforms, vectorized
from pyml.func.modules import *
from pyml.func.transforms import *
from pyml.func.vectorized import *

__all__ = [name for family in (transforms, modules, vectorized) for name in family.__all__]
