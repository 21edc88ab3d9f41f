"""How a network for a table is made and trained where nobody says: by its rows and columns."""

from typing import NamedTuple

import numpy as np

from pyml import nn

STEPS = 4000  # of a training without rows to validate on
MOST_EMBEDDED = 128  # numbers of a row; the vectors of more are a first layer that is too large
ROWS_OF_A_BIN = 20

BATCHES = {1_000: 32, 4_000: 64, 8_000: 128, 32_000: 256, 108_000: 512}  # up to so many rows
LARGEST_BATCH = 1024

WIDTHS = {500: 64, 2_000: 128}  # up to so many rows
LARGEST_WIDTH = 256


class Recipe(NamedTuple):
    """A network and its training.

    Attributes:
        architecture: options of a TabularModel.
        batch_size, lr, weight_decay, clip: see Trainer and AdamW.
        epochs: None: until patience ends it.
        averaged: the epochs of the exponential average of the weights, which predicts.
        patience: epochs without a better validation loss that end it.
    """

    architecture: dict
    batch_size: int
    epochs: int | None = None
    lr: float = 2e-3
    weight_decay: float = 1e-2
    clip: float = 1.0
    averaged: float = 4.0
    patience: int = 16

    def ema(self, rows):
        """The decay of the average, by the steps of an epoch."""
        return 1 - 1 / (self.averaged * -(-rows // self.batch_size))


def recipe_for(numbers, preprocessor, is_validated):
    """The Recipe of a table.

    Piecewise linear embeddings of numbers before an MLP (Gorishniy et al. 2022, arXiv:2203.05556),
    which reach on a CPU within seconds what plain networks do not; sizes of batches nearly as those
    of RealMLP (Holzmueller et al. 2024, arXiv:2407.04491).

    Args:
        numbers: of the training rows, as Preprocessor.transform gives them.
        preprocessor: which has made them.
        is_validated: whether there are rows to validate on.
    """
    rows, values = len(numbers), preprocessor.values
    width = up_to(rows, WIDTHS, LARGEST_WIDTH)
    batch_size = up_to(rows, BATCHES, LARGEST_BATCH)
    architecture = {"hidden": (width, width), "dropout": 0.1}
    if 0 < values <= MOST_EMBEDDED:
        num_bins = int(np.clip(rows // ROWS_OF_A_BIN, 2, 48))
        bins = nn.quantile_bins(numbers[:, :values], num_bins)
        architecture |= {"embedding": "piecewise", "bins": bins}
    epochs = None if is_validated else -(-STEPS * batch_size // rows)
    return Recipe(architecture, batch_size, epochs=epochs)


def up_to(rows, table, largest):
    """The value of the first bound in a table that is not below the number of rows."""
    return next((value for bound, value in table.items() if rows <= bound), largest)
