"""AdaGrad."""

import numpy as np

from pyml.optim.optimizer import Optimizer, decayed
from pyml.options import Range
from pyml.tensor import Tensor

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""AdaGrad: each element's steps shrink with the sum of its squared gradients.

    With g the gradient, t = 1, 2, ... the count of updates, and s a sum for each element::

        g = -g                              if maximize
        g = g + weight_decay * w
        s = s + g^2
        w = w - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-2.
        lr_decay: decay of the learning rate with t. Default: 0.
        weight_decay: L2 penalty. Default: 0.
        initial_accumulator_value: where s starts. Default: 0.
        eps: added to the root, against division by zero. Default: 1e-10.
        maximize: ascend. Default: False.
        foreach, fused: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.
    """

    _kernel = "adagrad"
    _options = ("lr", "lr_decay", "weight_decay", "eps", "maximize")
    _states = {"sum": True}
    _starts = {"sum": "initial_accumulator_value"}
    _ranges = {
        "lr": Range(0),
        "lr_decay": Range(0),
        "weight_decay": Range(0),
        "initial_accumulator_value": Range(0),
        "eps": Range(0),
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def add_param_group(self, param_group):
        """Adds a group of parameters; unlike elsewhere, their state is made at once."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            dtype = p.dtype if p.is_floating_point() else None  # a start fits no dtype of integers
            start = np.full(p.shape, float(group["initial_accumulator_value"]), dtype)
            self.state[p] = {"step": Tensor._on(np.zeros(())), "sum": Tensor._on(start)}

    def _updated(self, w, g, state, options, t):
        g = decayed(g, w, options)
        total = state["sum"] = state["sum"] + g * g
        rate = options.lr / (1 + (t - 1) * options.lr_decay)
        return w - rate * g / (total.sqrt() + options.eps)
