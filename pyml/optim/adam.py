"""Adam and AdamW."""

from pyml.ops.elementwise import maximum
from pyml.optim.optimizer import Optimizer, moments, with_decay
from pyml.options import Range
from pyml.tensor import Tensor

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam: a running mean of the gradient over the root of a running mean of its square.

    With g the gradient, t = 1, 2, ... the count of updates, and m, v, x state that starts at zero::

        g = -g                                  if maximize
        g = g + weight_decay * w                or, if decoupled_weight_decay,
        w = w - lr * weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        x = max(x, v)                           if amsgrad, else v
        w = w - lr * (m / (1 - beta1^t)) / (sqrt(x / (1 - beta2^t)) + eps)

    Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1; amsgrad: Reddi, Kale & Kumar 2018
    (arXiv:1904.09237), with the maximum taken before the bias is corrected, as in PyTorch.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr: learning rate, a number or a Tensor of one element. Default: 1e-3.
        betas: (beta1, beta2), each in [0, 1). Default: (0.9, 0.999).
        eps: added to the root, against division by zero. Default: 1e-8.
        weight_decay: L2 penalty, or with decoupled_weight_decay AdamW's decay. Default: 0.
        amsgrad: never let the denominator shrink. Default: False.
        maximize: ascend. Default: False.
        decoupled_weight_decay: AdamW. Default: False.
        foreach, capturable, fused: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range, one of betas alone is a Tensor, or lr or betas are
            and foreach is True without capturable.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.Adam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([ 0.9, -1.9], requires_grad=True)
    """

    _kernel = "adam"
    _options = (
        *("lr", "betas", "eps", "weight_decay"),
        *("amsgrad", "maximize", "decoupled_weight_decay"),
    )
    _states = {"exp_avg": True, "exp_avg_sq": True, "max_exp_avg_sq": "amsgrad"}
    _ranges = {
        "lr": Range(0),
        "eps": Range(0),
        "weight_decay": Range(0),
        "betas": (Range(0, 1, "[)"), Range(0, 1, "[)")),
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        pair = betas if isinstance(betas, (tuple, list)) else ()  # else the constructor raises
        given = {"lr": lr} | {f"betas[{i}]": beta for i, beta in enumerate(pair)}
        tensors = [name for name, value in given.items() if isinstance(value, Tensor)]
        if tensors and foreach and not capturable:
            raise ValueError(
                f"{type(self).__name__}: {tensors[0]} as a Tensor is not supported for "
                "capturable=False and foreach=True, as in PyTorch; leave foreach out"
            )
        if len({isinstance(beta, Tensor) for beta in pair}) > 1:
            raise ValueError(
                f"{type(self).__name__}: betas must be either both floats or both Tensors, they "
                f"are {betas}"
            )
        super().__init__(params, defaults, differentiable)

    def _updated(self, w, g, state, options, t):
        beta1, beta2 = options.betas
        w, g = with_decay(w, g, options)
        m, v = moments(state, g, beta1, beta2)
        if options.amsgrad:
            v = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        root = (v / (1 - beta2**t)).sqrt()
        return w - options.lr * (m / (1 - beta1**t)) / (root + options.eps)


class AdamW(Adam):
    r"""Adam with weight decay that bypasses the running means: w = w - lr * weight_decay * w.

    Loshchilov & Hutter 2019 (arXiv:1711.05101). As in PyTorch, the decay is scaled by lr.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of groups.
        lr, betas, eps, amsgrad, maximize: as in Adam.
        weight_decay: share of w that decays each update, by lr. Default: 1e-2.
        foreach, capturable, fused: accepted as in PyTorch, without effect: every step is fused.
        differentiable: make steps a part of the graph, as Optimizer says. Default: False.

    Raises:
        ValueError: if an option is out of range.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            decoupled_weight_decay=True,
        )

    def load_state_dict(self, state_dict):
        """Takes over what state_dict() gave; state of an Adam continues with decoupled decay."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
