"""Losses as modules. What they compute stands in pyml.ops."""

import math

from pyml.errors import ArgumentError
from pyml.nn import functional as F
from pyml.nn.distance import PairwiseDistance
from pyml.nn.linear import Linear
from pyml.nn.module import Module
from pyml.ops.deprecated import reduction_named
from pyml.options import Range, check_number, is_number
from pyml.tensor import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "QuantileLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class Loss(Module):
    """The base of the losses: an attribute for each option, which forward() hands to the function.

    Args:
        size_average, reduce: deprecated; given, they say what `reduction` is, with a warning.
        reduction: "mean", "sum" or "none". Default: "mean".
    """

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        super().__init__()
        self.reduction = reduction_named(size_average, reduce, reduction)


class WeightedLoss(Loss):
    """The base of those with a weight, a buffer.

    Args:
        weight: a tensor, or None. Default: None.
        size_average, reduce, reduction: see Loss.
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class MSELoss(Loss):
    """The mean squared error, (x - target)^2.

    Args:
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.

    Example:
        >>> nn.MSELoss()(pyml.tensor([1.0, 2.0]), pyml.tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(WeightedLoss):
    """Softmax and cross entropy: -sum_j w_j q_j log_softmax(x)_j for each sample.

    q is the target distribution, w the weight of each class.

    Args:
        weight: (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
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

    def __init__(
        self,
        weight=None,
        size_average=None,
        ignore_index=-100,
        reduce=None,
        reduction="mean",
        label_smoothing=0.0,
    ):
        super().__init__(weight, size_average, reduce, reduction)
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


class CTCLoss(Loss):
    """Connectionist temporal classification: minus the log-probability of a sequence of labels.

    Args:
        blank: the class between two labels. Default: 0.
        reduction: "mean" of the losses divided by the target lengths, "sum" or "none".
        zero_infinity: 0 in place of inf, for targets that the input is too short for.

    Shape, raises and source: see nn.functional.ctc_loss.

    Example:
        >>> x = pyml.zeros(3, 1, 2).log_softmax(2)
        >>> nn.CTCLoss()(x, pyml.tensor([[1]]), [3], [1])
        tensor(0.2877)
    """

    def __init__(self, blank=0, reduction="mean", zero_infinity=False):
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs, targets, input_lengths, target_lengths):
        """The loss of log-probabilities against sequences of classes."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )


class LinearCrossEntropyLoss(Loss):
    """A Linear layer and the cross entropy of what it gives.

    Args:
        in_features: size of each sample.
        num_classes: c.
        out_features: (d...) for losses of several outputs. Default: ().
        bias: of the layer. Default: False.
        device, dtype: see Linear.
        reduction, weight, label_smoothing: see CrossEntropyLoss.
        ignore_index: a class that adds nothing to the loss. Default: None, -100.
        options: how PyTorch spares memory. Not read: pyml computes in one way.

    Shape and raises: see nn.functional.linear_cross_entropy.

    Example:
        >>> loss = nn.LinearCrossEntropyLoss(5, 3)
        >>> loss(pyml.zeros(2, 5), pyml.tensor([0, 2]))  # log 3
        tensor(1.0986, grad_fn=<NllLossBackward0>)
    """

    def __init__(
        self,
        in_features,
        num_classes,
        *,
        out_features=(),
        bias=False,
        device=None,
        dtype=None,
        reduction="mean",
        weight=None,
        ignore_index=None,
        label_smoothing=0.0,
        options=None,
    ):
        if weight is not None and not isinstance(weight, Tensor):
            raise TypeError(
                f"LinearCrossEntropyLoss: weight is a {type(weight).__name__}, it must be a Tensor"
            )
        if weight is not None and weight.shape != (num_classes,):
            raise ArgumentError(
                f"LinearCrossEntropyLoss: expected weight shape to be ({num_classes},), got "
                f"{weight.shape}; it has one factor for each class"
            )
        check_number(
            "LinearCrossEntropyLoss",
            "label_smoothing",
            label_smoothing,
            Range(0, 1),
            f"expected label_smoothing to be in range [0, 1], got {label_smoothing}",
        )
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        size = math.prod(self.out_features, start=num_classes)
        self.linear = Linear(in_features, size, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input, target):
        """The loss of the logits of `input` against `target`."""
        outputs = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*outputs, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(outputs),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self):
        """The sizes and options."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


class SmoothL1Loss(Loss):
    """d^2 / (2 beta) where d = |input - target| is less than beta, else d - beta / 2.

    Less sensitive to outliers than MSELoss (Girshick 2015, arXiv:1504.08083).

    Args:
        size_average, reduce: deprecated, see reduction.
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

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HingeEmbeddingLoss(Loss):
    """input where target is 1, max(0, margin - input) where it is -1.

    Args:
        margin: the input from which a pair of target -1 has no loss. Default: 1.
        size_average, reduce: deprecated, see reduction.
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

    def __init__(self, margin=1.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input, target):
        """The loss of `input` against the signs `target`."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class L1Loss(Loss):
    """The mean absolute error, |input - target|.

    Args:
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.
    """

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(Loss):
    """d^2 / 2 where d = |input - target| is less than delta, else delta (d - delta / 2).

    Huber 1964, "Robust estimation of a location parameter".

    Args:
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".
        delta: where the line begins. Default: 1.

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        TypeError: if delta is not a number.
        ValueError: in forward, for another reduction, or a delta that is not positive.
    """

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        if not is_number(delta):
            raise TypeError(
                f"HuberLoss: delta must be a float or int, got: {type(delta)}, {delta!r}"
            )
        self.delta = delta

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class QuantileLoss(Loss):
    """q e where e = target - input is positive, else (q - 1) e; also called pinball loss.

    Koenker & Bassett 1978, "Regression quantiles". PyTorch has none.

    Args:
        q: the quantile of the target that the input is to be, 0 to 1. Default: 0.5.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, or a q outside [0, 1].

    Example:
        >>> nn.QuantileLoss(0.75)(pyml.tensor([0.0, 0.0]), pyml.tensor([1.0, -1.0])).item()
        0.5
    """

    def __init__(self, q=0.5, *, reduction="mean"):
        super().__init__(reduction=reduction)
        self.q = q

    def forward(self, input, target):
        """The loss of `input` against `target`."""
        return F.quantile_loss(input, target, self.q, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)), target 1 or -1, without overflow.

    Args:
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.
    """

    def forward(self, input, target):
        """The loss of `input` against the signs `target`."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class BCELoss(WeightedLoss):
    """Binary cross entropy of probabilities, -w (t log x + (1 - t) log(1 - x)).

    BCEWithLogitsLoss is more exact. The logarithms are at least -100, as in PyTorch.

    Args:
        weight: w, a factor for each element, or a shape that is broadcast. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, if the shapes differ, or an input is outside
            [0, 1].
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(weight, size_average, reduce, reduction)

    def forward(self, input, target):
        """The loss of the probabilities `input` against `target`."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross entropy of logits, -w (p t log s + (1 - t) log(1 - s)) with s = sigmoid(input).

    Args:
        weight: w, a factor for each element, or a shape that is broadcast. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".
        pos_weight: p, a factor of the positive targets, one for each of the last dimension, or any
            shape that is broadcast. Default: None.

    Shape:
        input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, or if the shapes differ.

    Example:
        >>> nn.BCEWithLogitsLoss()(pyml.tensor([1e4, -1e4]), pyml.tensor([1.0, 1.0])).item()
        5000.0
    """

    def __init__(
        self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input, target):
        """The loss of the logits `input` against `target`."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class NLLLoss(WeightedLoss):
    """The negative log likelihood -w_y x_y of the class y of each sample.

    Args:
        weight: w, (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
        ignore_index: a class index that adds nothing to the loss. Default: -100.
        reduction: "mean" over the weights of the targets, "sum", or "none". Default: "mean".

    Shape:
        input: log-probabilities (n, c), (c) or (n, c, d...).
        target: class indices (n), () or (n, d...).

    Raises:
        ValueError: in forward, on shapes that do not go together.
        IndexError: in forward, on a class index outside [0, c).

    Example:
        >>> nn.NLLLoss()(pyml.tensor([[-0.5, -1.5]]), pyml.tensor([1])).item()
        1.5
    """

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        """The loss of the log-probabilities `input` against the classes `target`."""
        return F.nll_loss(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence target (log target - input) of each element.

    Args:
        size_average, reduce: deprecated, see reduction.
        reduction: "batchmean", the divergence: the sum over the size of the first dimension;
            "mean" over all elements, with a warning, "sum" or "none". Default: "mean".
        log_target: the target is the logarithm of probabilities. Default: False.

    Shape:
        input, log-probabilities, and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.
    """

    def __init__(self, size_average=None, reduce=None, reduction="mean", log_target=False):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input, target):
        """The divergence of `target` from `input`."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(Loss):
    """The negative log likelihood of counts: exp(x) - t x for the logarithm x of the rate.

    Args:
        log_input: x is the logarithm of the rate; else the rate, and the loss x - t log(x + eps).
            Default: True.
        full: add Stirling's t log t - t + log(2 pi t) / 2 where t > 1. Default: False.
        size_average, reduce: deprecated, see reduction.
        eps: keeps the logarithm finite. Default: 1e-8.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        log_input and target the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction.
    """

    def __init__(
        self,
        log_input=True,
        full=False,
        size_average=None,
        eps=1e-8,
        reduce=None,
        reduction="mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input, target):
        """The loss of the rates `log_input` against the counts `target`."""
        return F.poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(Loss):
    """(log v + (input - target)^2 / v) / 2, the negative log likelihood with the variance v.

    Nix & Weigend 1994, "Estimating the mean and variance of the target probability distribution".

    Args:
        full: add the constant log(2 pi) / 2. Default: False.
        eps: the least variance. Default: 1e-6.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input and target the same; var too, or with one size of 1, or without the last dimension,
        or a number.

    Raises:
        ValueError: in forward, for another reduction, another shape of var, or a negative one.
    """

    def __init__(self, *, full=False, eps=1e-6, reduction="mean"):
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input, target, var):
        """The loss of the means `input` and variances `var` against `target`."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class MarginRankingLoss(Loss):
    """max(0, margin - target (input1 - input2)): of two scores the target says which is larger.

    Args:
        margin: by how much it is to be larger. Default: 0.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over all elements, "sum", or "none" for each element. Default: "mean".

    Shape:
        input1, input2 and target, 1 or -1, the same; a scalar, or the same with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, or other numbers of dimensions.
    """

    def __init__(self, margin=0.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1, input2, target):
        """The loss of two scores."""
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class MultiMarginLoss(WeightedLoss):
    """sum_j w_y max(0, margin - x_y + x_j)^p / c over the classes j that are not the target y.

    Args:
        p: 1 or 2. Default: 1.
        margin: by how much the score of y is to be larger. Default: 1.
        weight: w, (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the samples, "sum" or "none". Default: "mean".

    Shape:
        input: scores (n, c) or (c).
        target: class indices (n) or ().

    Raises:
        ValueError: in forward, for another reduction or p, or shapes that do not go together.
        IndexError: in forward, on a class index outside [0, c).
    """

    def __init__(
        self,
        p=1,
        margin=1.0,
        weight=None,
        size_average=None,
        reduce=None,
        reduction="mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input, target):
        """The loss of the scores `input` against the classes `target`."""
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class MultiLabelMarginLoss(Loss):
    """sum_ij max(0, 1 - x_j + x_i) / c over the targets j and the classes i that are none.

    Args:
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the samples, "sum" or "none". Default: "mean".

    Shape:
        input: scores (n, c) or (c).
        target: class indices, the same; in each row those before the first -1 count.

    Raises:
        ValueError: in forward, for another reduction, or if the shapes differ.
        IndexError: in forward, on a class index outside [-1, c).
    """

    def forward(self, input, target):
        """The loss of the scores `input` against the classes `target`."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The binary cross entropy of each class, its mean over the classes for each sample.

    Args:
        weight: (c), a factor for each class. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the samples, "sum" or "none". Default: "mean".

    Shape:
        input, logits, and target, 0 or 1, (..., c); a scalar, or (...) with reduction="none".

    Raises:
        ValueError: in forward, for another reduction, or if the shapes differ.
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(weight, size_average, reduce, reduction)

    def forward(self, input, target):
        """The loss of the logits `input` against `target`."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class CosineEmbeddingLoss(Loss):
    """1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where -1.

    Args:
        margin: a cosine that has no loss, -1 to 1. Default: 0.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the samples, "sum" or "none". Default: "mean".

    Shape:
        input1, input2: (n, d) or (d).
        target: 1 or -1, (n) or ().

    Raises:
        ValueError: in forward, for another reduction, or shapes that do not go together.
    """

    def __init__(self, margin=0.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1, input2, target):
        """The loss of two embeddings."""
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class TripletMarginLoss(Loss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), d(x, y) = |x - y + eps|_p.

    Args:
        margin: by how much the negative is to be farther. Default: 1.
        p: of the norm. Default: 2.
        eps: added to each difference. Default: 1e-6.
        swap: take d(positive, negative) in place of d(anchor, negative) where it is smaller
            (Balntas et al. 2016). Default: False.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean" over the triplets, "sum" or "none". Default: "mean".

    Shape:
        anchor, positive and negative (..., d); a scalar, or (...) with reduction="none".

    Raises:
        ValueError: for a margin that is not positive; in forward, for another reduction, or other
            numbers of dimensions.
    """

    def __init__(
        self,
        margin=1.0,
        p=2.0,
        eps=1e-6,
        swap=False,
        size_average=None,
        reduce=None,
        reduction="mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = positive_margin(self, margin)
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor, positive, negative):
        """The loss of triplets."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


def positive_margin(module, margin):
    if not margin > 0:
        name = type(module).__name__
        raise ArgumentError(f"{name}: margin is {margin}, it must be greater than 0")
    return margin


class TripletMarginWithDistanceLoss(Loss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) with a distance of one's own.

    Args:
        distance_function: d. Default: None, nn.PairwiseDistance().
        margin, swap, reduction: as for TripletMarginLoss.

    Shape:
        anchor, positive and negative: what distance_function takes two of.

    Raises:
        ValueError: for a margin that is not positive; in forward, for another reduction, or other
            numbers of dimensions.
    """

    def __init__(self, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
        super().__init__(reduction=reduction)
        self.distance_function = (
            PairwiseDistance() if distance_function is None else distance_function
        )
        self.margin = positive_margin(self, margin)
        self.swap = swap

    def forward(self, anchor, positive, negative):
        """The loss of triplets."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
