"""The training steps that are timed: networks, batches and losses, by name."""

from itertools import cycle
from typing import NamedTuple

import numpy as np

__all__ = ["DIFFERENT", "NETWORKS", "Network"]

DIFFERENT = 8  # batches of each network; what needs more takes them over and over


class Network(NamedTuple):
    """A multi-layer perceptron and its batches.

    Attributes:
        widths: inputs, hidden layers, outputs.
        activation: the name of its class, the same in pyml.nn and torch.nn.
        batchnorm: BatchNorm1d before each activation.
        batch: rows of a batch.
        loss: "MSELoss" or "CrossEntropyLoss".
        epoch: batches of an epoch, a multiple of DIFFERENT, for sides that run one in a call.
        dropout: the probability of dropping an activation; no Dropout if zero.
    """

    widths: tuple
    activation: str
    batchnorm: bool
    batch: int
    loss: str
    epoch: int = 64
    dropout: float = 0.0

    def build(self, nn):
        """The model from the layers of `nn`, pyml's or PyTorch's."""
        layers = []
        *hidden, outputs = self.widths[1:]
        inputs = self.widths[0]
        for width in hidden:
            layers.append(nn.Linear(inputs, width))
            if self.batchnorm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(getattr(nn, self.activation)())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def data(self, batches):
        """The rows of so many batches, x and their targets, the same on every call."""
        rng = np.random.default_rng(0)
        rows = DIFFERENT * self.batch
        x = rng.standard_normal((rows, self.widths[0]), dtype=np.float32)
        if self.loss == "MSELoss":
            target = rng.standard_normal((rows, self.widths[-1]), dtype=np.float32)
        else:
            target = rng.integers(0, self.widths[-1], rows)
        return [np.concatenate([part] * (batches // DIFFERENT)) for part in (x, target)]

    def batches(self, array=np.asarray):
        """Without end, x and target of each batch, as `array` makes them of NumPy's."""
        parts = [map(array, np.split(part, DIFFERENT)) for part in self.data(DIFFERENT)]
        return cycle(zip(*parts, strict=True))


NETWORKS = {
    "tiny": Network((4, 32, 32, 1), "Tanh", False, 32, "MSELoss", 1000),
    "small": Network((24, 64, 64, 4), "ReLU", False, 64, "CrossEntropyLoss", 1000),
    "tabular": Network((64, 256, 256, 10), "ReLU", True, 256, "CrossEntropyLoss"),
    "fashion": Network((784, 512, 256, 10), "ReLU", True, 128, "CrossEntropyLoss"),
    "wide": Network((1024, 2048, 2048, 1000), "ReLU", True, 512, "CrossEntropyLoss", 8),
    "deep": Network((128, *[128] * 16, 10), "GELU", True, 128, "CrossEntropyLoss"),
}
