"""Special functions, with the names of torch.special."""

from pyml.ops.names import PYML, SPECIAL, operations

SAME = {  # as pyml names them
    "exp2": "exp2",
    "expit": "sigmoid",
    "expm1": "expm1",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "log1p": "log1p",
    "logsumexp": "logsumexp",
    "multigammaln": "mvlgamma",
    "psi": "digamma",
    "round": "round",
}
globals().update(operations(SPECIAL))
globals().update({name: operations(PYML)[ours] for name, ours in SAME.items()})

__all__ = [*SAME, *operations(SPECIAL)]
