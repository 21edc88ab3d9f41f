"""What estimators minimise, by name."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from pyml import ops
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.ops.elementwise import where


class Loss(NamedTuple):
    """A loss, and what outputs mean under it.

    What is minimised is the mean over the rows of the sum over the outputs.

    Attributes:
        function: (z, target, reduction=) -> Tensor, with z the outputs of the network.
        link: z -> what is predicted: values or probabilities.
        out_activation: the link's name in scikit-learn.
        is_mean: whether curves show the mean over the outputs, as scikit-learn's of numbers do.
        least: targets are at least this, or None.
        of_rows: whether the function gives a number a row, and not one an output.
    """

    function: Callable
    link: Callable
    out_activation: str
    is_mean: bool = False
    least: float | None = None
    of_rows: bool = False

    def total(self, z, target, weight):
        """What is differentiated, a Tensor of one number."""
        if weight is None:
            value = self.function(z, target, reduction="mean")
            return value if self.of_rows or z.shape[1] == 1 else value * z.shape[1]
        losses = self.function(z, target, reduction="none")
        if not self.of_rows:
            losses = losses.sum(1)
        total = weight.sum()
        return (losses * weight).sum() / where(total > 0, total, ops.ones_like(total))

    @no_grad()
    def shown(self, total, outputs):
        """What curves show of `total`."""
        return total / outputs if self.is_mean and outputs > 1 else total.clone()


def identity(z):
    return z


def halved(function, z, target, reduction):
    return 0.5 * function(z, target, reduction=reduction)


def poisson(z, target, reduction):
    """Half of the Poisson deviance, t log(t / exp(z)) - t + exp(z); t log t is 0 for t = 0."""
    with no_grad():
        constant = target * where(target > 0, target, ops.ones_like(target)).log() - target
    return reduced(z.exp() - target * z + constant, reduction)


def gamma(z, target, reduction):
    """Half of the Gamma deviance, log(exp(z) / t) + t / exp(z) - 1."""
    return reduced(z - target.log() + target * (-z).exp() - 1, reduction)


def reduced(losses, reduction):
    return losses.mean() if reduction == "mean" else losses


def softmax(z):
    return F.softmax(z, 1)


REGRESSION = {  # names are those of scikit-learn's losses
    "squared_error": lambda options: Loss(
        partial(halved, F.mse_loss), identity, "identity", is_mean=True
    ),
    "absolute_error": lambda options: Loss(F.l1_loss, identity, "identity", is_mean=True),
    "huber": lambda options: Loss(
        partial(F.huber_loss, delta=options.delta), identity, "identity", is_mean=True
    ),
    "quantile": lambda options: Loss(
        partial(quantile_loss, options.quantile), identity, "identity", is_mean=True
    ),
    "poisson": lambda options: Loss(poisson, ops.exp, "exp", least=0),
    "gamma": lambda options: Loss(gamma, ops.exp, "exp", least=np.nextafter(0, 1)),
}


def quantile_loss(q, z, target, reduction):
    return F.quantile_loss(z, target, q, reduction=reduction)


CLASSIFICATION = {  # by the kind of the targets
    "multiclass": lambda options: Loss(
        partial(F.cross_entropy, label_smoothing=options.label_smoothing),
        softmax,
        "softmax",
        of_rows=True,
    ),
    "binary": lambda options: Loss(F.binary_cross_entropy_with_logits, ops.sigmoid, "logistic"),
}
CLASSIFICATION["multilabel"] = CLASSIFICATION["binary"]


def loss_of(estimator, kind):
    """The Loss of an estimator for targets of a kind."""
    if kind in CLASSIFICATION:
        return CLASSIFICATION[kind](estimator)
    return REGRESSION[estimator.loss](estimator)
