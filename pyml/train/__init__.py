"""Training."""

from pyml.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from pyml.train.classifier import evaluate, fit, mlp
from pyml.train.history import Epoch, History

__all__ = [
    "Checkpoint",
    "Epoch",
    "History",
    "evaluate",
    "fit",
    "load_checkpoint",
    "mlp",
    "save_checkpoint",
]
