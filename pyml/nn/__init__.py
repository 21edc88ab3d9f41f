"""Neural networks: modules, parameters, losses, initial values. Names and meaning are PyTorch's.

What a file gives stands in its __all__.
"""

from pyml.nn import (
    activation,
    containers,
    distance,
    dropout,
    embedding,
    flatten,
    functional,
    init,
    lazy,
    linear,
    loss,
    module,
    norm,
    parameter,
    utils,
)
from pyml.nn.activation import *
from pyml.nn.containers import *
from pyml.nn.distance import *
from pyml.nn.dropout import *
from pyml.nn.embedding import *
from pyml.nn.flatten import *
from pyml.nn.linear import *
from pyml.nn.loss import *
from pyml.nn.module import *
from pyml.nn.norm import *
from pyml.nn.parameter import *

_FAMILIES = (
    *(activation, containers, distance, dropout, embedding, flatten, linear, loss, module, norm),
    parameter,
)

__all__ = [
    "functional",
    "init",
    "utils",
    *(name for family in _FAMILIES for name in family.__all__),
]
