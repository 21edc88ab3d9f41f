"""Special functions, with the names of torch.special."""

from pyml.ops import activation, elementwise, functions, reduce
from pyml.ops import special as gammas
from pyml.ops.names import SPECIAL, operations

globals().update(operations(SPECIAL))

exp2 = functions.exp2
expit = activation.sigmoid
expm1 = elementwise.expm1
gammaln = gammas.lgamma
log1p = elementwise.log1p
logsumexp = reduce.logsumexp
psi = gammas.digamma

__all__ = [
    *("exp2", "expit", "expm1", "gammaln", "log1p", "logsumexp", "psi"),
    *operations(SPECIAL),
]
