"""Adamax."""

from pyml.ops.elementwise import maximum
from pyml.optim.optimizer import Optimizer, decayed
from pyml.options import Range

__all__ = ["Adamax"]


class Adamax(Optimizer):
    r"""Adam with a running maximum of the gradient's size in place of the root of its mean square.

    With g the gradient, t = 1, 2, ... the count of updates, and m, u state that starts at zero::

        g = -g                                  if maximize
        g = g + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        w = w - lr / (1 - beta1^t) * m / u

    Kingma & Ba 2015 (arXiv:1412.6980), section 7.1.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 2e-3.
        betas: (beta1, beta2), each in [0, 1). Default: (0.9, 0.999).
        eps: added to the gradient's size, against division by zero. Default: 1e-8.
        weight_decay: L2 penalty. Default: 0.
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.Adamax([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.9, -1.9], requires_grad=True)
    """

    _kernel = "adamax"
    _options = ("lr", "betas", "eps", "weight_decay", "maximize")
    _states = {"exp_avg": True, "exp_inf": True}
    _ranges = {
        "lr": Range(0),
        "eps": Range(0),
        "betas": (Range(0, 1, "[)"), Range(0, 1, "[)")),
        "weight_decay": Range(0),
    }

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        *,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        beta1, beta2 = options.betas
        g = decayed(g, w, options)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        u = state["exp_inf"] = maximum(beta2 * state["exp_inf"], g.abs() + options.eps)
        return w - options.lr / (1 - beta1**t) * m / u
