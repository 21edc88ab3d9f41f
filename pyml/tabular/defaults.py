"""How a network for a table is made and trained where nobody says: by its rows and columns."""

from typing import NamedTuple

import numpy as np

from pyml import nn

MOST_EMBEDDED = 128  # numbers of a row; the vectors of more make too large a first layer
ROWS_OF_A_BIN, MOST_BINS = 20, 48

# up to so many rows
WIDTHS = {500: 64, 2_000: 128}
LARGEST_WIDTH = 256
BATCHES = {1_000: 32, 4_000: 64, 8_000: 128, 32_000: 256, 108_000: 512}
LARGEST_BATCH = 1024

PATIENCE, PATIENT_STEPS = 8, 100
EPOCHS, STEPS = 200, 4000  # without rows to validate on: the fewer of both


class Defaults(NamedTuple):
    """A network and its training.

    Attributes:
        architecture: options of a TabularModel.
        batch_size, lr, weight_decay, clip: see Trainer and AdamW.
        averaged: the epochs of the exponential average of the weights, which is validated and
            predicts.
        epochs: at most so many; None: until the validation loss gets no better.
    """

    architecture: dict
    batch_size: int
    lr: float = 2e-3
    weight_decay: float = 1e-2
    clip: float = 1.0
    averaged: float = 2.0
    epochs: int | None = None

    def steps(self, rows):
        """Of an epoch."""
        return -(-rows // self.batch_size)

    def ema(self, rows):
        """The decay of the average in a step."""
        return 1 - 1 / (self.averaged * self.steps(rows))

    def patience(self, rows):
        """How many epochs without a better validation loss end the training."""
        return max(PATIENCE, -(-PATIENT_STEPS // self.steps(rows)))

    def enough(self, rows):
        """How many epochs a training makes without rows to validate on."""
        return min(EPOCHS, -(-STEPS // self.steps(rows)))


def defaults_for(numbers, values):
    """The Defaults of a table.

    Piecewise linear embeddings of numbers before an MLP (Gorishniy et al. 2022, arXiv:2203.05556),
    which reach on a CPU within seconds what plain networks do not; sizes of batches nearly as those
    of RealMLP (Holzmueller et al. 2024, arXiv:2407.04491).

    Args:
        numbers: of the training rows, an array as Preprocessor.transform gives it.
        values: how many of its columns are values; the others say what is missing.
    """
    rows = len(numbers)
    width = up_to(rows, WIDTHS, LARGEST_WIDTH)
    architecture = {"hidden": (width, width), "dropout": 0.1}
    if 0 < values <= MOST_EMBEDDED:
        num_bins = int(np.clip(rows // ROWS_OF_A_BIN, 2, MOST_BINS))
        bins = nn.quantile_bins(numbers[:, :values], num_bins)
        architecture |= {"embedding": "piecewise", "bins": bins}
    return Defaults(architecture, up_to(rows, BATCHES, LARGEST_BATCH))


def up_to(rows, table, largest):
    """The value of the first bound in a table that is not below the number of rows."""
    return next((value for bound, value in table.items() if rows <= bound), largest)
