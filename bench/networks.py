"""The training steps that are timed: networks, batches and losses, by name."""

from typing import NamedTuple

import numpy as np


class Network(NamedTuple):
    """A multi-layer perceptron and its batch.

    Attributes:
        widths: inputs, hidden layers, outputs.
        activation: the name of its class, the same in pyml.nn and torch.nn.
        batchnorm: BatchNorm1d before each activation.
        batch: rows of a batch.
        loss: "MSELoss" or "CrossEntropyLoss".
        dropout: the probability of dropping an activation; no Dropout if zero.
    """

    widths: tuple
    activation: str
    batchnorm: bool
    batch: int
    loss: str
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

    def data(self):
        """One batch, x and its target, the same on every call."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, self.widths[0]), dtype=np.float32)
        if self.loss == "MSELoss":
            return x, rng.standard_normal((self.batch, self.widths[-1]), dtype=np.float32)
        return x, rng.integers(0, self.widths[-1], self.batch)


NETWORKS = {
    "tiny": Network((4, 32, 32, 1), "Tanh", False, 32, "MSELoss"),
    "small": Network((24, 64, 64, 4), "ReLU", False, 64, "CrossEntropyLoss"),
    "tabular": Network((64, 256, 256, 10), "ReLU", True, 256, "CrossEntropyLoss"),
    "fashion": Network((784, 512, 256, 10), "ReLU", True, 128, "CrossEntropyLoss"),
    "wide": Network((1024, 2048, 2048, 1000), "ReLU", True, 512, "CrossEntropyLoss"),
    "deep": Network((128, *[128] * 16, 10), "GELU", True, 128, "CrossEntropyLoss"),
}
