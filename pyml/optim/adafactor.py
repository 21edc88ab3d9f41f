"""Adafactor."""

import math

import numpy as np

from pyml.ops.elementwise import minimum
from pyml.optim.composite import Composite
from pyml.options import Range, check_number

__all__ = ["Adafactor"]


class Adafactor(Composite):
    r"""Adafactor: the mean square of a matrix's gradient, kept as that of its rows and columns.

    With G the gradient, t = 1, 2, ... the count of updates, means over the last two dimensions n
    and m, and R (n, 1), C (1, m) state that starts at zero::

        G = -G                                      if maximize
        s = t^beta2_decay
        a = max(eps[1], rms(W)) * min(lr, 1 / sqrt(t))
        W = W - lr * weight_decay * W
        R = (1 - s) * R + s * (row means of G^2)
        C = (1 - s) * C + s * (column means of G^2)
        V = R C / max(mean(R), eps[0])
        U = G / sqrt(max(V, eps[0]^2))
        W = W - a * U / max(1, rms(U) / d)

    where rms(X) is the root of the mean of X^2. A vector has V = (1 - s) * V + s * G^2 instead.

    Shazeer & Stern 2018 (arXiv:1804.04235), algorithms 4 and 5, with lr in place of the relative
    step's 1e-2, as in PyTorch.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-2.
        beta2_decay: power of the falling weight of a gradient, <= 0. Default: -0.8.
        eps: (least root of the mean square, or None for the dtype's eps; least size of W).
            Default: (None, 1e-3).
        d: the largest rms of an update, >= 1. Default: 1.
        weight_decay: share of W that decays each update, by lr. Default: 0.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([[1.0, -2.0]], requires_grad=True)
        >>> optimizer = pyml.optim.Adafactor([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([[ 0.8419, -1.8419]], requires_grad=True)
    """

    _numbers = {"step": 0}
    _states = {"row_var": "two dimensions", "col_var": "two dimensions", "variance": "fewer"}
    _ranges = {
        "lr": Range(0),
        "beta2_decay": Range(-math.inf, 0),
        "d": Range(1),
        "weight_decay": Range(0),
    }
    _words = {
        "lr": "Learning rate should be >= 0 but is: {lr}",
        "beta2_decay": "beta2_decay should be <= 0 but is: {beta2_decay}",
        "d": "Clipping threshold d should be >= 1 but is: {d}",
        "weight_decay": "weight_decay should be >= 0 but is: {weight_decay}",
    }

    def __init__(
        self,
        params,
        lr=1e-2,
        beta2_decay=-0.8,
        eps=(None, 1e-3),
        d=1.0,
        weight_decay=0.0,
        *,
        foreach=None,
        maximize=False,
    ):
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, options):
        super()._check(options)
        eps = options["eps"]
        if not (isinstance(eps, (tuple, list)) and len(eps) == 2):
            raise ValueError(f"Adafactor: eps is {eps}, it must be a pair, as (None, 1e-3)")
        for i, value in enumerate(eps):
            if i == 1 or value is not None:
                theirs = f"epsilon{i + 1} should be >= 0 but is: {value}"
                check_number("Adafactor", f"eps[{i}]", value, Range(0), theirs)

    def _shapes(self, param):
        shape = tuple(param.shape)
        if len(shape) < 2:
            return {"variance": shape}
        return {"row_var": (*shape[:-1], 1), "col_var": (*shape[:-2], 1, shape[-1])}

    def _update(self, group, options, param, grad, state):
        lr, (least, least_size) = options["lr"], group["eps"]
        if least is None:
            least = float(np.finfo(param.dtype).eps)
        step = state["step"].add_(1)
        if param.numel() == 0:
            return
        if group["maximize"]:
            grad = -grad
        share = step ** group["beta2_decay"]
        rate = rms(param).clamp(min=least_size) * minimum(step.rsqrt(), lr)
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])
        square = grad * grad
        if param.ndim < 2:
            spread = state["variance"].lerp_(square, share)
        else:
            rows = state["row_var"].lerp_(square.mean(-1, keepdim=True), share)
            columns = state["col_var"].lerp_(square.mean(-2, keepdim=True), share)
            spread = rows * columns / rows.mean(-2, keepdim=True).clamp(min=least)
        update = spread.clamp(min=least * least).rsqrt() * grad
        param.sub_(update * (rate / (rms(update) / group["d"]).clamp(min=1)))


def rms(x):
    """The root of the mean of squares, float64."""
    return x.norm().double() / math.sqrt(x.numel())
