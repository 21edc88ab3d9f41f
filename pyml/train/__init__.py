"""Training."""

from pyml.train import metrics
from pyml.train.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    LearningCurvePlot,
    ProgressBar,
    ReduceOnPlateau,
    TensorBoard,
    TimeLimit,
)
from pyml.train.checkpoint import LoadedCheckpoint, load_checkpoint, save_checkpoint
from pyml.train.early_stopping import EarlyStopping
from pyml.train.evaluation import evaluate, predict
from pyml.train.history import Epoch, History
from pyml.train.lr_finder import LearningRates
from pyml.train.many import fit_many
from pyml.train.member import Member, Trained, TrainedMember
from pyml.train.mlp import mlp
from pyml.train.snapshots import Snapshots
from pyml.train.trainer import Trainer
from pyml.train.tune import Integers, Trial, Tuning, Uniform, tune

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Epoch",
    "History",
    "Integers",
    "LearningCurvePlot",
    "LearningRates",
    "LoadedCheckpoint",
    "Member",
    "ProgressBar",
    "ReduceOnPlateau",
    "Snapshots",
    "TensorBoard",
    "TimeLimit",
    "Trained",
    "TrainedMember",
    "Trainer",
    "Trial",
    "Tuning",
    "Uniform",
    "evaluate",
    "fit_many",
    "load_checkpoint",
    "metrics",
    "mlp",
    "predict",
    "save_checkpoint",
    "tune",
]
