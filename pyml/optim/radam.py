"""RAdam."""

from pyml.optim.optimizer import Optimizer, moments, with_decay
from pyml.options import Range

__all__ = ["RAdam"]


class RAdam(Optimizer):
    r"""Adam that divides by the root mean square only when enough gradients have been seen.

    With g the gradient, t = 1, 2, ... the count of updates, and m, v state that starts at zero::

        g = -g                                  if maximize
        g = g + weight_decay * w                or, if decoupled_weight_decay,
        w = w - lr * weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        R = 2 / (1 - beta2) - 1
        r = R - 2 * t * beta2^t / (1 - beta2^t)
        q = sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))
        u = q * sqrt(1 - beta2^t) / (sqrt(v) + eps)     if r > 5, else 1
        w = w - lr * m / (1 - beta1^t) * u

    Liu et al. 2020 (arXiv:1908.03265), algorithm 2; as in PyTorch from r > 5 on, not r > 4.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-3.
        betas: (beta1, beta2), each in [0, 1). Default: (0.9, 0.999).
        eps: added to the root, against division by zero. Default: 1e-8.
        weight_decay: L2 penalty, or with decoupled_weight_decay AdamW's decay. Default: 0.
        decoupled_weight_decay: as in AdamW. Default: False.
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.RAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.8, -1.6], requires_grad=True)
    """

    _kernel = "radam"
    _options = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "maximize")
    _states = {"exp_avg": True, "exp_avg_sq": True}
    _ranges = {
        "lr": Range(0),
        "eps": Range(0),
        "betas": (Range(0, 1, "[)"), Range(0, 1, "[)")),
        "weight_decay": Range(0),
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        beta1, beta2 = options.betas
        w, g = with_decay(w, g, options)
        m, v = moments(state, g, beta1, beta2)
        most = 2 / (1 - beta2) - 1
        r = most - 2 * t * beta2**t / (1 - beta2**t)
        u = 1.0
        if float(r) > 5:
            q = ((r - 4) * (r - 2) * most / ((most - 4) * (most - 2) * r)) ** 0.5
            u = q * (1 - beta2**t) ** 0.5 / (v.sqrt() + options.eps)
        return w - options.lr * m / (1 - beta1**t) * u
