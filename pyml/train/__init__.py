"""Training."""

from pyml.train import metrics
from pyml.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from pyml.train.classifier import evaluate, fit, mlp
from pyml.train.early_stopping import EarlyStopping
from pyml.train.history import Epoch, History
from pyml.train.snapshots import Snapshots

__all__ = [
    "Checkpoint",
    "EarlyStopping",
    "Epoch",
    "History",
    "Snapshots",
    "evaluate",
    "fit",
    "load_checkpoint",
    "metrics",
    "mlp",
    "save_checkpoint",
]
