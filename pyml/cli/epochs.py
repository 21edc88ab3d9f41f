"""Lines about the epochs of a training."""

import sys

from tqdm import tqdm

from pyml.cli.output import say
from pyml.train import Callback

__all__ = ["EpochLines"]

FORMATS = {"epoch": "d", "learning_rate": ".6f", "seconds": ".3f"}  # of others .4f
ALL = 10  # epochs that have a line each; of later ones those that are a multiple of it have one


class EpochLines(Callback):
    """A line for each epoch, below the names of its numbers, beside a progress bar.

    Args:
        every: whether each epoch has a line, also the later ones. Default: True.
    """

    rank_0_alone = True

    def __init__(self, every=True):
        self.every = every
        self._names = None

    def on_train_begin(self, logs=None):
        self._names = None

    def on_epoch_end(self, epoch, logs=None):
        if not (self.every or epoch <= ALL or epoch % ALL == 0):
            return
        with tqdm.external_write_mode(file=sys.stdout):
            if self._names is None:
                self._names = [name for name in logs if is_shown(name)]
                say("  ".join(self._title(name) for name in self._names))
            say("  ".join(self._cell(name, logs[name]) for name in self._names))

    def _title(self, name):
        return name.replace("_", " ").rjust(self._width(name))

    def _cell(self, name, value):
        return f"{value:{self._width(name)}{FORMATS.get(name, '.4f')}}"

    @staticmethod
    def _width(name):
        return len(name) if name in ("epoch", "seconds") else max(len(name), 9)


def is_shown(name):
    """Whether a column of epochs is in the lines: metrics of the training rows are not."""
    return name == "train_loss" or not name.startswith("train_")
