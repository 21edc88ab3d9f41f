"""What the outputs of a model mean, which follows from its loss."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyml import nn, ops
from pyml.nn import functional as F
from pyml.ops.arrays import checked_tensor


class Meaning(NamedTuple):
    """What outputs of shape (n, ...) mean.

    Attributes:
        probabilities: a function of a Tensor of outputs that gives probabilities, or None.
        classes: outputs have a column for each class, and targets are numbers of classes; else
            each output is a number, or the probability that a label is 1.
    """

    probabilities: Callable | None = None
    classes: bool = False

    @property
    def has_labels(self):
        """Whether outputs say a class, or yes and no."""
        return self.probabilities is not None

    @property
    def wants(self):
        """What a metric is given that does not say what it wants."""
        return "labels" if self.has_labels else "values"

    def read(self, outputs, wants):
        """Outputs as what a metric or a user wants.

        Args:
            outputs: a Tensor, (n, ...).
            wants: "labels", "probabilities" or "values".

        Returns:
            An array: labels (n,), or (n, k) of several labels; probabilities (n, classes), or (n,)
            that the label is 1; values as they are.
        """
        if wants == "values":
            return outputs.numpy()
        if self.classes and outputs.ndim < 2:
            raise ValueError(
                f"the model gives shape {tuple(outputs.shape)}, it must be (n, classes); x of one "
                "row is x[None]"
            )
        probabilities = self.probabilities(outputs).numpy()
        if self.classes:
            return probabilities if wants == "probabilities" else outputs.numpy().argmax(1)
        probabilities = as_one_column(probabilities)
        return probabilities if wants == "probabilities" else (probabilities > 0.5).astype(np.int64)

    def read_target(self, target, wants):
        """A target beside what `read` gives of the outputs."""
        target = target.numpy()
        if wants == "values":
            return target
        if self.classes:
            return target.argmax(1) if target.dtype.kind == "f" and target.ndim > 1 else target
        target = as_one_column(target)
        return (target > 0.5).astype(np.int64)


def softmax_of_classes(x):
    return F.softmax(x, 1)


def themselves(x):
    return x


VALUES = Meaning()

MEANINGS = {  # by the class of the loss, or its function
    nn.CrossEntropyLoss: Meaning(softmax_of_classes, classes=True),
    nn.NLLLoss: Meaning(ops.exp, classes=True),
    nn.BCEWithLogitsLoss: Meaning(ops.sigmoid),
    nn.BCELoss: Meaning(themselves),
}
MEANINGS |= {
    F.cross_entropy: MEANINGS[nn.CrossEntropyLoss],
    F.nll_loss: MEANINGS[nn.NLLLoss],
    F.binary_cross_entropy_with_logits: MEANINGS[nn.BCEWithLogitsLoss],
    F.binary_cross_entropy: MEANINGS[nn.BCELoss],
}


def meaning_of(loss):
    """The Meaning of outputs that are trained by a loss, a module or a function.

    CrossEntropyLoss: scores of classes, whose softmax are probabilities. NLLLoss: their logarithms.
    BCEWithLogitsLoss: scores of yes, whose sigmoid are probabilities. BCELoss: probabilities of
    yes. Any other: values.

    Example:
        >>> meaning_of(nn.CrossEntropyLoss()).read(pyml.tensor([[0.0, 2.0]]), "labels")
        array([1])
    """
    for known, meaning in MEANINGS.items():
        if loss is known or (isinstance(known, type) and isinstance(loss, known)):
            return meaning
    return VALUES


def aligned(output, target):
    """The target in the shape of the output, where one is (n,) and the other (n, 1).

    Elementwise losses would else broadcast them to (n, n).
    """
    checked_tensor(output, "fit", "what model returns")
    if output.ndim != target.ndim and output.numel() == target.numel():
        pair = {tuple(output.shape), tuple(target.shape)}
        if pair == {(len(target),), (len(target), 1)}:
            return target.reshape(output.shape)
    return target


def as_one_column(values):
    """(n, 1) as (n,)."""
    return values.reshape(len(values)) if values.ndim == 2 and values.shape[1] == 1 else values
