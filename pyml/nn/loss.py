"""Losses as modules. What they compute stands in pyml.ops."""

import inspect

from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = ["CrossEntropyLoss", "HingeEmbeddingLoss", "MSELoss", "SmoothL1Loss"]


class Loss(Module):
    """The base of the losses: an attribute for each option, which forward() hands to the function.

    Args:
        reduction: "mean", "sum" or "none".
    """

    def __init__(self, reduction):
        super().__init__()
        self.reduction = reduction

    def extra_repr(self):
        """The options that are not their defaults."""
        options = inspect.signature(type(self).__init__).parameters.values()
        return ", ".join(
            f"{option.name}={self.__dict__[option.name]!r}"
            for option in options
            if option.name in self.__dict__
            and option.name not in self._registered
            and repr(self.__dict__[option.name]) != repr(option.default)
        )


class MSELoss(Loss):
    """The mean squared error, (x - target)^2.

    Args:
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.

    Example:
        >>> nn.MSELoss()(pyml.tensor([1.0, 2.0]), pyml.tensor([1.0, 4.0])).item()
        2.0
    """

    def __init__(self, *, reduction="mean"):
        super().__init__(reduction)

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(Loss):
    """Softmax and cross entropy: -sum_j w_j q_j log_softmax(x)_j for each sample.

    q is the target distribution, w the weight of each class.

    Args:
        weight: (c), a factor for each class. Default: None.
        ignore_index: a class index that adds nothing to the loss. Default: -100.
        reduction: "mean" over the weights of the targets (over the samples for probabilities),
            "sum", or "none".
            Default: "mean".
        label_smoothing: e in q <- (1 - e) q + e / c, 0 to 1 (Szegedy et al. 2015,
            arXiv:1512.00567). Default: 0.

    Shape:
        input: logits (n, c), (c) or (n, c, d...).
        target: int64 class indices (n), () or (n, d...); or probabilities with the shape of the
            input.

    Raises:
        ValueError: in forward, on shapes that do not go together, or options out of range.
        IndexError: in forward, on a class index outside [0, c).

    Example:
        >>> nn.CrossEntropyLoss()(pyml.zeros(1, 4), pyml.tensor([2])).item()  # log 4
        1.3862943649291992
    """

    def __init__(self, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input, target):
        """The loss of the logits `input` against `target`."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class SmoothL1Loss(Loss):
    """d^2 / (2 beta) where d = |input - target| is less than beta, else d - beta / 2.

    Less sensitive to outliers than MSELoss (Girshick 2015, arXiv:1504.08083).

    Args:
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".
        beta: where the line begins; 0 is the absolute error. Default: 1.

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, or a negative beta.

    Example:
        >>> nn.SmoothL1Loss()(pyml.tensor([1.0, 2.0]), pyml.tensor([1.0, 4.0])).item()
        0.75
    """

    def __init__(self, *, reduction="mean", beta=1.0):
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HingeEmbeddingLoss(Loss):
    """input where target is 1, max(0, margin - input) where it is -1.

    Args:
        margin: the input from which a pair of target -1 has no loss. Default: 1.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input, such as a distance between two embeddings, and target the same; a scalar, or the
        same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.

    Example:
        >>> nn.HingeEmbeddingLoss()(pyml.tensor([0.5, 0.25]), pyml.tensor([1, -1])).item()
        0.625
    """

    def __init__(self, margin=1.0, *, reduction="mean"):
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input, target):
        """The loss of `input` against the signs `target`."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)
