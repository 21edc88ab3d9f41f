"""A multi-layer perceptron of the usual layers."""

from pyml import nn

__all__ = ["mlp"]


def mlp(in_features, hidden, classes, dropout=0.0):
    """A multi-layer perceptron: Linear, BatchNorm1d, ReLU, Dropout a hidden layer, and a Linear.

    Args:
        in_features: columns of the input.
        hidden: the widths of the hidden layers, input side first.
        classes: columns of the output, one score (logit) a class.
        dropout: the probability of dropping an activation. Default: 0.

    Returns:
        An nn.Sequential.

    Example:
        >>> model = mlp(64, (256, 128), 10, dropout=0.2)
    """
    layers = []
    for width in hidden:
        layers += [
            nn.Linear(in_features, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
        in_features = width
    return nn.Sequential(*layers, nn.Linear(in_features, classes))
