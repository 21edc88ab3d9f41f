"""Training."""

from pyml.train.classifier import evaluate, fit, mlp
from pyml.train.history import Epoch, History

__all__ = ["Epoch", "History", "evaluate", "fit", "mlp"]
