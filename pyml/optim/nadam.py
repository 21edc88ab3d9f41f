"""NAdam."""

from pyml.optim.optimizer import Optimizer, moments, with_decay
from pyml.options import Range

__all__ = ["NAdam"]


class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum, which is warmed up.

    With g the gradient, t = 1, 2, ... the count of updates, and m, v state that starts at zero::

        g = -g                                  if maximize
        g = g + weight_decay * w                or, if decoupled_weight_decay,
        w = w - lr * weight_decay * w
        mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        u = (1 - mu_t) / (1 - mu_1 ... mu_t) * g + mu_{t+1} / (1 - mu_1 ... mu_{t+1}) * m
        w = w - lr * u / (sqrt(v / (1 - beta2^t)) + eps)

    Dozat 2016, "Incorporating Nesterov momentum into Adam". State "mu_product" is mu_1 ... mu_t.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 2e-3.
        betas: (beta1, beta2), each in [0, 1). Default: (0.9, 0.999).
        eps: added to the root, against division by zero. Default: 1e-8.
        weight_decay: L2 penalty, or with decoupled_weight_decay AdamW's decay. Default: 0.
        momentum_decay: how fast mu_t goes from beta1 / 2 to beta1. Default: 4e-3.
        decoupled_weight_decay: decay as in AdamW. Default: False.
        maximize: ascend. Default: False.
        foreach, capturable: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.NAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.8944, -1.8944], requires_grad=True)
    """

    _kernel = "nadam"
    _options = (
        *("lr", "betas", "eps", "weight_decay"),
        *("momentum_decay", "decoupled_weight_decay", "maximize"),
    )
    _states = {"exp_avg": True, "exp_avg_sq": True}
    _numbers = {"step": 0, "mu_product": 1}
    _ranges = {
        "lr": Range(0),
        "eps": Range(0),
        "betas": (Range(0, 1, "[)"), Range(0, 1, "[)")),
        "weight_decay": Range(0),
        "momentum_decay": Range(0),
    }

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
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
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        beta1, beta2 = options.betas
        w, g = with_decay(w, g, options)
        now, then = (beta1 * (1 - 0.96 ** (at * options.momentum_decay) / 2) for at in (t, t + 1))
        m, v = moments(state, g, beta1, beta2)
        product = state["mu_product"] = state["mu_product"] * now
        u = (1 - now) / (1 - product) * g + then / (1 - product * then) * m
        return w - options.lr * u / ((v / (1 - beta2**t)).sqrt() + options.eps)
