"""Two tables of losses, one row each: all tests of them use it.

First those of an input and a target of its shape, which have kernels; then those made of other
operations.

Kernels on every ISA (tests/kernels/test_pair_loss.py), first and second derivatives (tests/ops),
modules (tests/nn), PyTorch's values (tests/parity), effects and recordings.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


class PairLoss(NamedTuple):
    """A loss and its derivatives, in the dtype of the arrays.

    Attributes:
        name: of the function. Its kernels have the name without "_loss".
        module: the name of the class in nn.
        value: value(x, t, **options), of each element.
        slope: the derivative by x.
        slope_t: the derivative by t. Default: minus the slope.
        options: what to test, the defaults first; their order is that of alpha and beta. With
            each, an input between 0.5 and 1 must have a gradient: test_effects.py looks for it.
        refused: (options, message) of those that are out of range.
        signs: targets are 1 or -1, and have no gradient.
        unit: inputs and targets are between 0 and 1.
        same_shape: a target of another shape is refused.
        weights_divide: the mean of weighted losses is over the weights; None: it takes none.
        scale: of the rounding errors of each element. Default: its value.
        slope_scales: of those of the derivatives, by x and by t. Default: their values.
    """

    name: str
    module: str
    value: Callable
    slope: Callable
    slope_t: Callable = None
    options: tuple = ({},)
    refused: tuple = ()
    signs: bool = False
    unit: bool = False
    same_shape: bool = False
    weights_divide: bool = None
    scale: Callable = None
    slope_scales: Callable = None

    @property
    def kernel(self):
        return self.name.removesuffix("_loss")

    def derivatives(self, x, t, **options):
        """By x and by t; None for a target that has no gradient."""
        dx = self.slope(x, t, **options)
        if self.signs:
            return dx, None
        return dx, -dx if self.slope_t is None else self.slope_t(x, t, **options)

    def reduced(self, x, t, reduction, **options):
        return reduce(self.value(x, t, **options), reduction)

    def input(self, rng, shape):
        """Random values of an input."""
        return rng.uniform(0.05, 0.95, shape) if self.unit else rng.standard_normal(shape)

    def target(self, rng, shape):
        """Random values of a target."""
        return rng.choice([-1.0, 1.0], shape) if self.signs else self.input(rng, shape)


def reduce(values, reduction):
    """The mean of nothing is NaN."""
    if reduction == "none":
        return values
    divisor = values.dtype.type(values.size) if reduction == "mean" else 1
    return values.sum() / divisor


def alpha_beta(options):
    """Options as the kernels have them."""
    return dict(zip(("alpha", "beta"), (*options.values(), 0.0, 0.0), strict=False))


def quantile_slope(x, t, q):
    e = t - x
    return np.where(e > 0, -q, np.where(e < 0, 1 - q, e * 0))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cut_logs(x):
    """log x and log(1 - x), at least -100."""
    return np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)


def binary_cross_entropy(x, t):
    log_x, log_rest = cut_logs(x)
    return (t - 1) * log_rest - t * log_x


def binary_cross_entropy_scale(x, t):
    log_x, log_rest = cut_logs(x)
    return np.abs((t - 1) * log_rest) + np.abs(t * log_x)


def binary_cross_entropy_slopes(x, t):
    return (x - t) / np.maximum((1 - x) * x, 1e-12), cut_logs(x)[1] - cut_logs(x)[0]


def binary_cross_entropy_slope_scales(x, t):
    slope = np.abs(binary_cross_entropy_slopes(x, t)[0])
    return slope, np.abs(cut_logs(x)).sum(0)


def with_logits(x, t):
    return np.where(x > 0, x * (1 - t), -x * t) + np.log1p(np.exp(-np.abs(x)))


def with_logits_scale(x, t):
    return np.abs(np.where(x > 0, x * (1 - t), -x * t)) + np.log1p(np.exp(-np.abs(x)))


def with_logits_slope(x, t):
    return (1 - t) * sigmoid(x) - t * sigmoid(-x)


def with_logits_slope_scales(x, t):
    return np.abs((1 - t) * sigmoid(x)) + np.abs(t * sigmoid(-x)), np.abs(x)


PAIR_LOSSES = [
    PairLoss(
        "mse_loss",
        "MSELoss",
        value=lambda x, t: (x - t) ** 2,
        slope=lambda x, t: 2 * (x - t),
        weights_divide=True,
    ),
    PairLoss(
        "smooth_l1_loss",
        "SmoothL1Loss",
        value=lambda x, t, beta: np.where(
            abs(x - t) < beta, (x - t) ** 2 / (2 * (beta or 1)), abs(x - t) - beta / 2
        ),
        slope=lambda x, t, beta: np.where(abs(x - t) < beta, (x - t) / (beta or 1), np.sign(x - t)),
        options=({"beta": 1.0}, {"beta": 0.3}, {"beta": 0.0}),
        refused=(({"beta": -1.0}, "beta is -1.0, it must be at least 0"),),
    ),
    PairLoss(
        "hinge_embedding_loss",
        "HingeEmbeddingLoss",
        value=lambda x, t, margin: (
            np.where(t != -1, x, 0) + np.where(t != 1, np.maximum(margin - x, 0), 0)
        ),
        slope=lambda x, t, margin: np.where(t != -1, 1, 0) - ((t != 1) & (x <= margin)),
        options=({"margin": 1.0}, {"margin": 2.0}),
        signs=True,
    ),
    PairLoss(
        "l1_loss",
        "L1Loss",
        value=lambda x, t: np.abs(x - t),
        slope=lambda x, t: np.sign(x - t),
        weights_divide=True,
    ),
    PairLoss(
        "huber_loss",
        "HuberLoss",
        value=lambda x, t, delta: np.where(
            abs(x - t) < delta, (x - t) ** 2 / 2, delta * (abs(x - t) - delta / 2)
        ),
        slope=lambda x, t, delta: np.where(abs(x - t) < delta, x - t, delta * np.sign(x - t)),
        options=({"delta": 1.0}, {"delta": 0.25}),
        refused=tuple(
            ({"delta": d}, f"delta is {d}, it must be greater than 0") for d in (0.0, -1.0)
        ),
        weights_divide=False,
    ),
    PairLoss(
        "quantile_loss",
        "QuantileLoss",
        value=lambda x, t, q: np.where(t > x, q * (t - x), (q - 1) * (t - x)),
        slope=quantile_slope,
        options=({"q": 0.5}, {"q": 0.75}, {"q": 0.125}),
        refused=tuple(({"q": q}, f"q is {q}, it must be between 0 and 1") for q in (-0.5, 1.5)),
    ),
    PairLoss(
        "soft_margin_loss",
        "SoftMarginLoss",
        value=lambda x, t: np.logaddexp(0, -t * x),
        slope=lambda x, t: -t * sigmoid(-t * x),
        signs=True,
    ),
    PairLoss(
        "binary_cross_entropy",
        "BCELoss",
        value=binary_cross_entropy,
        slope=lambda x, t: binary_cross_entropy_slopes(x, t)[0],
        slope_t=lambda x, t: binary_cross_entropy_slopes(x, t)[1],
        unit=True,
        same_shape=True,
        weights_divide=False,
        scale=binary_cross_entropy_scale,
        slope_scales=binary_cross_entropy_slope_scales,
    ),
    PairLoss(
        "binary_cross_entropy_with_logits",
        "BCEWithLogitsLoss",
        value=with_logits,
        slope=with_logits_slope,
        slope_t=lambda x, t: -x,
        same_shape=True,
        weights_divide=False,
        scale=with_logits_scale,
        slope_scales=with_logits_slope_scales,
    ),
]
CASES = {  # id -> (loss, options)
    " ".join([loss.name, *(f"{name}={value}" for name, value in options.items())]): (loss, options)
    for loss in PAIR_LOSSES
    for options in loss.options
}

# ---- losses made of other operations -------------------------------------------------------------


class Loss(NamedTuple):
    """A loss of any inputs.

    Attributes:
        name: of the function.
        module: the name of the class in nn.
        draw: draw(rng) -> the inputs, arrays of float64 or integers.
        value: value(*inputs, **options), of each sample.
        options: what to test; arrays are tensors there.
        constant: positions of real inputs that have no gradient.
        divisor: divisor(*inputs, **options), of the mean. Default: the number of samples.
    """

    name: str
    module: str
    draw: Callable
    value: Callable
    options: tuple = ({},)
    constant: tuple = ()
    divisor: Callable = None

    def has_gradient(self, i):
        """Whether input i has one; options that are arrays stand behind the inputs."""
        drawn = self.draw(np.random.default_rng(0))
        if i >= len(drawn):
            return self.module not in ("NLLLoss", "MultiMarginLoss")  # whose weights have none
        return drawn[i].dtype.kind == "f" and i not in self.constant

    def reduced(self, *inputs, reduction, **options):
        values = np.asarray(self.value(*inputs, **options))
        if reduction == "mean" and self.divisor is not None:
            return values.sum() / self.divisor(*inputs, **options)
        return reduce(values, reduction)


def tensors(inputs, options, tensor=None):
    """Inputs and options as tensors."""
    if tensor is None:
        from pyml import tensor
    made = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return [tensor(a) for a in inputs], made


def classes(rng, shape=(5, 4)):
    return rng.standard_normal(shape), rng.integers(0, shape[1], (shape[0], *shape[2:]))


def nll_weights(x, t, weight=None, ignore_index=-100):
    return np.where(t == ignore_index, 0, 1 if weight is None else weight[t])


def nll(x, t, **options):
    moved = np.moveaxis(x, 1, -1)
    return -nll_weights(x, t, **options) * np.take_along_axis(moved, t[..., None], -1)[..., 0]


def poisson_nll(x, t, log_input=True, full=False, eps=1e-8):
    loss = np.exp(x) - t * x if log_input else x - t * np.log(x + eps)
    if full:
        loss = loss + np.where(t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0)
    return loss


def gaussian_nll(x, t, var, full=False, eps=1e-6):
    var = var[..., None] if var.ndim < x.ndim else var
    v = np.maximum(var, eps)
    return (np.log(v) + (x - t) ** 2 / v + np.log(2 * np.pi) * full) / 2


def multi_margin(x, t, p=1, margin=1.0, weight=None):
    loss = np.zeros(len(x))
    for i, y in enumerate(t):
        for j in range(x.shape[1]):
            if j != y:
                each = max(0, margin - x[i, y] + x[i, j]) ** p / x.shape[1]
                loss[i] += each * (1 if weight is None else weight[y])
    return loss


def multilabel_margin(x, t):
    loss = np.zeros(len(x))
    for i, row in enumerate(t):
        targets = list(row[: list(row).index(-1)] if -1 in row else row)
        for j in targets:
            for k in set(range(x.shape[1])) - set(targets):
                loss[i] += max(0, 1 - x[i, j] + x[i, k]) / x.shape[1]
    return loss


def cosine_embedding(a, b, t, margin=0.0):
    squares = [(x * x).sum(-1) + 1e-12 for x in (a, b)]
    cosine = (a * b).sum(-1) / np.sqrt(squares[0] * squares[1])
    return np.where(t == 1, 1 - cosine, np.maximum(0, cosine - margin))


def distance(a, b, p=2, eps=1e-6):
    return (np.abs(a - b + eps) ** p).sum(-1) ** (1 / p)


def triplet_margin(a, b, c, margin=1.0, swap=False, **norm):
    far = distance(a, c, **norm)
    if swap:
        far = np.minimum(far, distance(b, c, **norm))
    return np.maximum(0, margin + distance(a, b, **norm) - far)


def normals(rng, count, shape=(5, 4)):
    return tuple(rng.standard_normal(shape) for _ in range(count))


def positives(rng, shape=(5, 4)):
    return rng.uniform(0.5, 3, shape)


LABELS = np.array([[0, 2, -1, 1], [3, 1, 0, 2], [-1, 0, 0, 0], [1, -1, 2, -1], [2, 0, 3, -1]])
WEIGHT = np.array([0.5, 2.0, 1.5, 0.25])
LOSSES = [
    Loss(
        "nll_loss",
        "NLLLoss",
        classes,
        nll,
        options=(
            {},
            {"weight": WEIGHT},
            {"ignore_index": 1},
            {"weight": WEIGHT, "ignore_index": 2},
        ),
        divisor=lambda x, t, **options: nll_weights(x, t, **options).sum(),
    ),
    Loss(
        "kl_div",
        "KLDivLoss",
        lambda rng: (normals(rng, 1)[0], positives(rng)),
        lambda x, t, log_target=False: np.exp(t) * (t - x) if log_target else t * (np.log(t) - x),
        options=({}, {"log_target": True}),
    ),
    Loss(
        "poisson_nll_loss",
        "PoissonNLLLoss",
        lambda rng: (positives(rng), positives(rng)),
        poisson_nll,
        options=(
            {},
            {"full": True},
            {"log_input": False},
            {"log_input": False, "full": True},
            {"log_input": False, "eps": 0.5},
        ),
    ),
    Loss(
        "gaussian_nll_loss",
        "GaussianNLLLoss",
        lambda rng: (*normals(rng, 2), positives(rng)),
        gaussian_nll,
        options=({}, {"full": True}, {"eps": 0.25}),
    ),
    Loss(
        "gaussian_nll_loss",
        "GaussianNLLLoss",
        lambda rng: (*normals(rng, 2), positives(rng, 5)),
        gaussian_nll,
        options=({"full": False},),
    ),
    Loss(
        "margin_ranking_loss",
        "MarginRankingLoss",
        lambda rng: (*normals(rng, 2), rng.choice([-1.0, 1.0], (5, 4))),
        lambda a, b, t, margin=0.0: np.maximum(0, margin - t * (a - b)),
        options=({}, {"margin": 0.5}),
        constant=(2,),
    ),
    Loss(
        "multi_margin_loss",
        "MultiMarginLoss",
        classes,
        multi_margin,
        options=({}, {"p": 2}, {"margin": 0.5, "weight": WEIGHT}, {"p": 2, "weight": WEIGHT}),
    ),
    Loss(
        "multilabel_margin_loss",
        "MultiLabelMarginLoss",
        lambda rng: (*normals(rng, 1), LABELS),
        multilabel_margin,
    ),
    Loss(
        "multilabel_soft_margin_loss",
        "MultiLabelSoftMarginLoss",
        lambda rng: (*normals(rng, 1), rng.uniform(0.05, 0.95, (5, 4))),
        lambda x, t, weight=1: (weight * with_logits(x, t)).mean(-1),
        options=({}, {"weight": WEIGHT}),
    ),
    Loss(
        "cosine_embedding_loss",
        "CosineEmbeddingLoss",
        lambda rng: (*normals(rng, 2), rng.choice([-1, 1], 5)),
        cosine_embedding,
        options=({}, {"margin": -0.25}),
    ),
    Loss(
        "triplet_margin_loss",
        "TripletMarginLoss",
        lambda rng: normals(rng, 3),
        triplet_margin,
        options=({}, {"p": 3.0, "margin": 2.0}, {"swap": True}, {"p": 1, "eps": 0.5}),
    ),
    Loss(
        "triplet_margin_with_distance_loss",
        "TripletMarginWithDistanceLoss",
        lambda rng: normals(rng, 3),
        lambda *inputs, distance_function=None, **options: triplet_margin(
            *inputs, **options, **({"p": 1, "eps": 0} if distance_function else {})
        ),
        options=(
            {},
            {"margin": 2.0, "swap": True},
            {"distance_function": lambda x, y: (x - y).abs().sum(-1)},
        ),
    ),
]


def shown(options):
    """Options in the name of a test."""
    return " ".join(
        f"{name}={value if isinstance(value, (bool, int, float)) else '...'}"
        for name, value in options.items()
    )


LOSS_CASES = {
    f"{loss.name} {k} {shown(options)}".strip(): (loss, options)
    for k, loss in enumerate(LOSSES)
    for options in loss.options
}
