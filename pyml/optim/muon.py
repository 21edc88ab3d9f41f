"""Muon."""

import math

from pyml.optim.composite import Composite
from pyml.options import Range, check_choice, check_integer, check_number

__all__ = ["Muon"]

ADJUSTMENTS = {  # of the learning rate, by the shape
    None: lambda n, m: math.sqrt(max(1, n / m)),
    "original": lambda n, m: math.sqrt(max(1, n / m)),
    "match_rms_adamw": lambda n, m: 0.2 * math.sqrt(max(n, m)),
}


class Muon(Composite):
    r"""Muon: momentum, made a nearly orthogonal matrix by Newton-Schulz iterations.

    For weights W (n, m) of hidden layers; biases and what is not a matrix are for another
    optimizer. With G the gradient, and B state that starts at zero::

        B = momentum * B + (1 - momentum) * G
        U = momentum * B + (1 - momentum) * G     with nesterov, else B
        X = U / max(norm(U), eps)
        X = a * X + (b * A + c * A A) X,  A = X X^T        ns_steps times, (a, b, c) ns_coefficients
        W = W - lr * weight_decay * W
        W = W - lr * r * X

    with r = sqrt(max(1, n / m)), or 0.2 * sqrt(max(n, m)) for adjust_lr_fn="match_rms_adamw".

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the second r: Liu
    et al. 2025 (arXiv:2502.16982). PyTorch iterates in bfloat16, this in the dtype of W.

    Args:
        params: Tensors of two dimensions, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-3.
        weight_decay: share of W that decays each update, by lr. Default: 0.1.
        momentum: share of B that is kept, 0 to 1. Default: 0.95.
        nesterov: look ahead along B. Default: True.
        ns_coefficients: (a, b, c). Default: (3.4445, -4.775, 2.0315).
        eps: the least norm to divide by. Default: 1e-7.
        ns_steps: iterations, an integer from 0 to 99. Default: 5.
        adjust_lr_fn: None or "original", or "match_rms_adamw". Default: None.

    Raises:
        TypeError: if ns_steps is not an integer.
        ValueError: if an option is out of range, or a parameter is not a matrix.

    Example:
        >>> w = pyml.tensor([[3.0, 4.0]], requires_grad=True)
        >>> optimizer = pyml.optim.Muon([w], lr=1, weight_decay=0, momentum=0, ns_steps=0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([[2.4, 3.2]], requires_grad=True)
    """

    _states = {"momentum_buffer": True}
    _options = ("lr", "momentum")
    _ranges = {
        "lr": Range(0),
        "weight_decay": Range(0),
        "momentum": Range(0),
        "eps": Range(0),
    }
    _words = {
        "lr": "Learning rate should be >= 0 but is: {lr}",
        "weight_decay": "weight decay should be >= 0 but is: {weight_decay}",
        "momentum": "momentum should be >= 0 but is: {momentum}",
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315),
        eps=1e-7,
        ns_steps=5,
        adjust_lr_fn=None,
    ):
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _check(self, options):
        coefficients = options["ns_coefficients"]
        if not (isinstance(coefficients, (tuple, list)) and len(coefficients) == 3):
            raise ValueError(f"Muon: ns_coefficients is {coefficients}, it must be three numbers")
        for i, value in enumerate(coefficients):
            check_number("Muon", f"ns_coefficients[{i}]", value, Range(-math.inf))
        super()._check(options)
        steps = options["ns_steps"]
        check_integer("Muon", "ns_steps", steps)
        if not 0 <= steps < 100:
            raise ValueError(f"Muon: ns_steps is {steps}, it must be from 0 to 99")
        name = options["adjust_lr_fn"]
        theirs = f"Adjust learning rate function {name} is not supported"
        check_choice("Muon", "adjust_lr_fn", name, tuple(ADJUSTMENTS), theirs)
        for i, p in enumerate(options.get("params", ())):
            if p.ndim != 2:
                raise ValueError(
                    f"Muon only supports 2D parameters: params[{i}] has shape {tuple(p.shape)}, it "
                    "must be a matrix; give the others to another optimizer, as AdamW"
                )

    def _update(self, group, options, param, grad, state):
        lr, momentum = options["lr"], options["momentum"]
        update = state["momentum_buffer"].lerp_(grad, 1 - momentum)
        if param.numel() == 0:
            return
        if group["nesterov"]:
            update = grad.lerp(update, momentum)
        update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        param.mul_(1 - lr * group["weight_decay"])
        param.sub_(update * (lr * ADJUSTMENTS[group["adjust_lr_fn"]](*param.shape)))


def orthogonal(x, coefficients, steps, eps):
    """U V^T of x = U S V^T, nearly: singular values between about 0.7 and 1.2."""
    a, b, c = coefficients
    is_tall = x.shape[0] > x.shape[1]
    x = x / x.norm().clamp(min=eps)
    if is_tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = x * a + (gram * b + gram @ gram * c) @ x
    return x.T if is_tall else x
