"""Rprop."""

from pyml.ops.elementwise import where
from pyml.optim.optimizer import Optimizer
from pyml.options import Range

__all__ = ["Rprop"]


class Rprop(Optimizer):
    r"""Resilient backpropagation: steps that grow while the gradient keeps its sign.

    With g the gradient of all data, p the one before, which starts at zero, and d a step size for
    each element, which starts as lr::

        g = -g                                                  if maximize
        d = d * etas[1] where g * p > 0, d * etas[0] where g * p < 0
        d = min(max(d, step_sizes[0]), step_sizes[1])
        g = 0 where g * p < 0
        w = w - d * sign(g)
        p = g

    Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm"; as in PyTorch, no step is taken back. Unlike there, g * p never underflows.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: the first step size, a number or a Tensor of one element. Default: 1e-2.
        etas: the factors, the first in (0, 1), the second > 1. Default: (0.5, 1.2).
        step_sizes: the least and the largest step size. Default: (1e-6, 50).
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.Rprop([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.9, -1.9], requires_grad=True)
    """

    _kernel = "rprop"
    _options = ("etas", "step_sizes", "maximize")
    _states = {"prev": True, "step_size": True}
    _starts = {"step_size": "lr"}
    _ranges = {
        "lr": Range(0),
        "etas": (Range(0, 1, "()"), Range(1, ends="(]")),
        "step_sizes": (Range(0), Range(0)),
    }
    _words = dict.fromkeys(("etas[0]", "etas[1]"), "Invalid eta values: {etas[0]}, {etas[1]}")

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        defaults = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        super().__init__(params, defaults, differentiable)

    def _check(self, options):
        super()._check(options)
        least, most = options["step_sizes"]
        if least > most:
            raise ValueError(
                f"Rprop: step_sizes is {options['step_sizes']}, the first must be <= the second"
            )

    def _updated(self, w, g, state, options, t):
        turn = g.sign() * state["prev"].sign()
        less, more = options.etas
        d = where(turn > 0, more * state["step_size"], state["step_size"])
        d = where(turn < 0, less * state["step_size"], d)
        d = state["step_size"] = d.clamp(*options.step_sizes)
        g = state["prev"] = g.masked_fill(turn < 0, 0)
        return w - d * g.sign()
