"""RMSProp."""

from pyml.optim.optimizer import Optimizer, decayed, is_on
from pyml.options import Range

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSProp: the gradient over the root of a running mean of its square.

    With g the gradient, and v, a, b state that starts at zero::

        g = -g                              if maximize
        g = g + weight_decay * w
        v = alpha * v + (1 - alpha) * g^2
        a = alpha * a + (1 - alpha) * g     if centered, else 0
        u = g / (sqrt(v - a^2) + eps)
        b = momentum * b + u                if momentum > 0, else u
        w = w - lr * b

    Tieleman & Hinton 2012, lecture 6e of "Neural networks for machine learning"; centered: Graves
    2013 (arXiv:1308.0850), eq. 38-45. As in PyTorch, eps stands outside of the root; unlike there,
    a variance v - a^2 that rounding made negative counts as zero.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-2.
        alpha: decay of the running means, 0 to 1. Default: 0.99.
        eps: added to the root, against division by zero. Default: 1e-8.
        weight_decay: L2 penalty. Default: 0.
        momentum: share of the last update that is kept. Default: 0.
        centered: divide by the estimated standard deviation. Default: False.
        maximize: ascend. Default: False.
        capturable, foreach: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.
    """

    _kernel = "rmsprop"
    _options = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize")
    _states = {"square_avg": True, "momentum_buffer": "momentum", "grad_avg": "centered"}
    _ranges = {
        "lr": Range(0),
        "eps": Range(0),
        "momentum": Range(0),
        "weight_decay": Range(0),
        "alpha": Range(0),
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        alpha = options.alpha
        g = decayed(g, w, options)
        spread = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * g * g
        if options.centered:
            a = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            spread = (spread - a * a).clamp(min=0)
        u = g / (spread.sqrt() + options.eps)
        if is_on(options.momentum):
            u = state["momentum_buffer"] = options.momentum * state["momentum_buffer"] + u
        return w - options.lr * u
