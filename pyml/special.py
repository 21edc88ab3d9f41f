"""Special functions, with the names of torch.special."""

from pyml.ops import activation, elementwise, functions, reduce, series
from pyml.ops import special as gammas
from pyml.ops.names import SPECIAL, operations
from pyml.ops.operands import numpy_names

globals().update(operations(SPECIAL))

SAME = {
    "exp2": functions.exp2,
    "expit": activation.sigmoid,
    "expm1": elementwise.expm1,
    "gammainc": series.igamma,
    "gammaincc": series.igammac,
    "gammaln": gammas.lgamma,
    "log1p": elementwise.log1p,
    "multigammaln": functions.mvlgamma,
    "psi": gammas.digamma,
    "round": elementwise.round,
}
globals().update({name: numpy_names(function) for name, function in SAME.items()})
logsumexp = reduce.logsumexp

__all__ = ["logsumexp", *SAME, *operations(SPECIAL)]
