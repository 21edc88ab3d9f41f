"""What one does to parameters and gradients: clipping, penalties, all as one vector, two layers as
one, weights by columns, tensors that are computed from others.
"""

from pyml.nn.utils import (
    clip_grad,
    fusion,
    initial,
    layout,
    older,
    parametrizations,
    parametrize,
    penalty,
    prune,
    rnn,
    vector,
)
from pyml.nn.utils.clip_grad import *
from pyml.nn.utils.fusion import *
from pyml.nn.utils.initial import *
from pyml.nn.utils.layout import *
from pyml.nn.utils.older import *
from pyml.nn.utils.penalty import *
from pyml.nn.utils.vector import *

__all__ = [
    "parametrizations",
    "parametrize",
    "prune",
    "rnn",
    *(
        name
        for family in (clip_grad, fusion, initial, layout, older, penalty, vector)
        for name in family.__all__
    ),
]
