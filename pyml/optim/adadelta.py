"""Adadelta."""

from pyml.optim.optimizer import Optimizer, decayed
from pyml.options import Range

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    r"""Adadelta: the gradient by the ratio of the roots of mean squares, of updates and gradients.

    With g the gradient, and v, x state that starts at zero::

        g = -g                                  if maximize
        g = g + weight_decay * w
        v = rho * v + (1 - rho) * g^2
        u = sqrt(x + eps) / sqrt(v + eps) * g
        x = rho * x + (1 - rho) * u^2
        w = w - lr * u

    Zeiler 2012 (arXiv:1212.5701), algorithm 1, which has no lr.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1.
        rho: decay of the means, 0 to 1. Default: 0.9.
        eps: added under both roots; the first updates are of its root. Default: 1e-6.
        weight_decay: L2 penalty. Default: 0.
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.Adadelta([w], eps=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.1056, -1.0299], requires_grad=True)
    """

    _kernel = "adadelta"
    _options = ("lr", "rho", "eps", "weight_decay", "maximize")
    _states = {"square_avg": True, "acc_delta": True}
    _ranges = {"lr": Range(0), "rho": Range(0, 1), "eps": Range(0), "weight_decay": Range(0)}

    def __init__(
        self,
        params,
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        rho, eps = options.rho, options.eps
        g = decayed(g, w, options)
        v = state["square_avg"] = rho * state["square_avg"] + (1 - rho) * g * g
        u = (state["acc_delta"] + eps).sqrt() / (v + eps).sqrt() * g
        state["acc_delta"] = rho * state["acc_delta"] + (1 - rho) * u * u
        return w - options.lr * u
