"""Averaged stochastic gradient descent."""

import math

import numpy as np

from pyml.ops.creation import as_tensor
from pyml.optim.optimizer import Optimizer, decayed
from pyml.options import Range

__all__ = ["ASGD"]


class ASGD(Optimizer):
    r"""Stochastic gradient descent with a falling rate, and beside it the average of the weights.

    With g the gradient, t = 1, 2, ... the count of updates, eta = lr and mu = 1 at first::

        g = -g                                  if maximize
        g = g + weight_decay * w
        w = w - eta * (lambd * w + g)
        a = a + mu * (w - a)
        eta = lr / (1 + lambd * lr * t)^alpha   for the next update, as
        mu = 1 / max(1, t - t0)

    a is state["ax"] of each parameter; nothing puts it in the parameter's place.

    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the rate: Xu
    2011 (arXiv:1107.2490).

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element; a change acts on the update after
            the next. Default: 1e-2.
        lambd: decay of the weights and of the rate. Default: 1e-4.
        alpha: power of the rate's fall. Default: 0.75.
        t0: updates after which the average begins. Default: 1e6.
        weight_decay: L2 penalty. Default: 0.
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.ASGD([w], lr=0.1, lambd=0, t0=0)
        >>> for i in range(2):
        ...     optimizer.zero_grad()
        ...     (w * w).sum().backward()
        ...     optimizer.step()
        >>> optimizer.state[w]["ax"]
        tensor([ 0.64, -1.28])
    """

    _kernel = "asgd"
    _options = ("lr", "lambd", "alpha", "t0", "weight_decay", "maximize")
    _states = {"ax": True}
    _numbers = {"step": 0, "eta": 0, "mu": 1}
    _ranges = {
        "lr": Range(0),
        "weight_decay": Range(0),
        "lambd": Range(0),
        "alpha": Range(-math.inf),
        "t0": Range(-math.inf),
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        lr, lambd = options.lr, options.lambd
        eta = lr if t == 1 else state["eta"]
        w = w - eta * (lambd * w + decayed(g, w, options))
        state["ax"] = state["ax"] + state["mu"] * (w - state["ax"])
        state["eta"] = as_tensor(lr / (1 + lambd * lr * t) ** options.alpha, dtype=np.float64)
        state["mu"] = as_tensor(1 / max(1, t - float(options.t0)), dtype=np.float64)
        return w
