"""Neural networks: modules, parameters, losses, initial values. Names and meaning are PyTorch's.

What a file gives stands in its __all__.
"""

from pyml.nn import (
    activation,
    adaptive,
    augment,
    batch_ensemble,
    containers,
    distance,
    dropout,
    embedding,
    ensemble,
    flatten,
    functional,
    init,
    lazy,
    linear,
    loss,
    loss_options,
    module,
    noise,
    norm,
    numeric,
    padding,
    parameter,
    scaled,
    utils,
)
from pyml.nn.activation import *
from pyml.nn.adaptive import *
from pyml.nn.augment import *
from pyml.nn.batch_ensemble import *
from pyml.nn.containers import *
from pyml.nn.distance import *
from pyml.nn.dropout import *
from pyml.nn.embedding import *
from pyml.nn.ensemble import *
from pyml.nn.flatten import *
from pyml.nn.linear import *
from pyml.nn.loss import *
from pyml.nn.loss_options import *
from pyml.nn.module import *
from pyml.nn.noise import *
from pyml.nn.norm import *
from pyml.nn.numeric import *
from pyml.nn.padding import *
from pyml.nn.parameter import *
from pyml.nn.scaled import *

_FAMILIES = (
    *(activation, adaptive, augment, batch_ensemble, containers, distance, dropout, embedding),
    *(ensemble, flatten, linear, loss, loss_options, module, noise, norm, numeric, padding),
    *(parameter, scaled),
)

__all__ = [
    "functional",
    "init",
    "utils",
    *(name for family in _FAMILIES for name in family.__all__),
]


def __getattr__(name):
    from pyml.left_out import absent

    raise absent("pyml.nn", name)
