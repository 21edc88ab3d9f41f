"""What one does to parameters and gradients: clipping, all as one vector, two layers as one."""

from pyml.nn.utils import clip_grad, fusion, vector
from pyml.nn.utils.clip_grad import *
from pyml.nn.utils.fusion import *
from pyml.nn.utils.vector import *

__all__ = [*clip_grad.__all__, *fusion.__all__, *vector.__all__]
