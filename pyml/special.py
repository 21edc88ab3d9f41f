"""Special functions, with the names of torch.special."""

from pyml.ops import activation, elementwise, functions, reduce, series
from pyml.ops import special as gammas
from pyml.ops.names import SPECIAL, operations

globals().update(operations(SPECIAL))

exp2 = functions.exp2
expit = activation.sigmoid
expm1 = elementwise.expm1
gammainc = series.igamma
gammaincc = series.igammac
gammaln = gammas.lgamma
log1p = elementwise.log1p
logsumexp = reduce.logsumexp
multigammaln = functions.mvlgamma
psi = gammas.digamma
round = elementwise.round

__all__ = [
    *("exp2", "expit", "expm1", "gammainc", "gammaincc", "gammaln", "log1p", "logsumexp"),
    *("multigammaln", "psi", "round"),
    *operations(SPECIAL),
]
