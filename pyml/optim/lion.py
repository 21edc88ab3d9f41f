"""Lion."""

from pyml.optim.optimizer import Optimizer, shrunk
from pyml.options import Range

__all__ = ["Lion"]


class Lion(Optimizer):
    r"""Evolved sign momentum: steps of one size, by the sign of a mean of gradients.

    With g the gradient, and m state that starts at zero::

        g = -g                                  if maximize
        w = w - lr * weight_decay * w
        w = w - lr * sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g

    Chen et al. 2023 (arXiv:2302.06675), algorithm 2. PyTorch has no Lion.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element; 3 to 10 times smaller than Adam's,
            with a weight_decay as many times larger. Default: 1e-4.
        betas: (beta1, beta2), each in [0, 1). Default: (0.9, 0.99).
        weight_decay: share of w that decays each update, by lr. Default: 0.
        maximize: ascend. Default: False.
        foreach, capturable: accepted, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.Lion([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.9, -1.9], requires_grad=True)
    """

    _kernel = "lion"
    _options = ("lr", "betas", "weight_decay", "maximize")
    _states = {"exp_avg": True}
    _numbers = {}
    _ranges = {
        "lr": Range(0),
        "betas": (Range(0, 1, "[)"), Range(0, 1, "[)")),
        "weight_decay": Range(0),
    }

    def __init__(
        self,
        params,
        lr=1e-4,
        betas=(0.9, 0.99),
        weight_decay=0,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        (beta1, beta2), m = options.betas, state["exp_avg"]
        state["exp_avg"] = beta2 * m + (1 - beta2) * g
        return shrunk(w, options) - options.lr * (beta1 * m + (1 - beta1) * g).sign()
