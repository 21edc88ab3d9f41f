"""Stochastic gradient descent."""

from pyml.optim.optimizer import Optimizer, decayed, is_on
from pyml.options import Range

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    With g the gradient, t the count of updates, and b a velocity for each parameter::

        g = -g                              if maximize
        g = g + weight_decay * w
        b = g                               at the first update
        b = momentum * b + (1 - dampening) * g      later
        g = g + momentum * b  if nesterov, else b   (momentum != 0)
        w = w - lr * g

    Sutskever, Martens, Dahl & Hinton 2013, "On the importance of initialization and momentum in
    deep learning". As in PyTorch, lr is not part of the velocity: a change of lr acts at once.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-3.
        momentum: share of the velocity that is kept. Default: 0.
        dampening: share of the gradient that does not enter the velocity. Default: 0.
        weight_decay: L2 penalty. Default: 0.
        nesterov: look ahead along the velocity; needs momentum > 0, dampening = 0. Default: False.
        maximize: ascend. Default: False.
        foreach, fused: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = pyml.optim.SGD([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([0.8, 1.6], requires_grad=True)
    """

    _kernel = "sgd"
    _options = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
    _states = {"momentum_buffer": "momentum"}
    _numbers = {}
    _ranges = {"lr": Range(0), "momentum": Range(0), "weight_decay": Range(0)}

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _check(self, options):
        super()._check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum > 0 and dampening = 0, "
                f"not momentum = {options['momentum']} and dampening = {options['dampening']}"
            )

    def _updated(self, w, g, state, options, t):
        g = decayed(g, w, options)
        if is_on(options.momentum):
            kept = options.momentum * state["momentum_buffer"]
            b = state["momentum_buffer"] = g if t == 1 else kept + (1 - options.dampening) * g
            g = g + options.momentum * b if options.nesterov else b
        return w - options.lr * g
