"""What happened in training, epoch by epoch."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np

from pyml.html_table import html_table

__all__ = ["Epoch", "History"]


class Epoch(dict):
    """One pass over the training rows: numbers by name, which are attributes, too.

    A Trainer gives these:

    - epoch: 1, 2, ...
    - train_loss: mean over the rows, each at the time of its step: with dropout, and on moving
      weights.
    - train_<metric>: after the epoch, in evaluation mode, of some training rows; see Trainer.
    - validation_loss, validation_<metric>: after the epoch, in evaluation mode.
    - learning_rate: of the epoch's first step, of the first group of parameters.
    - seconds: training and validation.

    Example:
        >>> Epoch(epoch=1, train_loss=0.5).train_loss
        0.5
    """

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"epoch: there is no {name!r}; it has {', '.join(self)}") from None

    def __repr__(self):
        return f"Epoch({', '.join(f'{name}={shown(value)}' for name, value in self.items())})"


def as_epoch(epoch):
    """A dict as an Epoch."""
    if not isinstance(epoch, dict):
        raise TypeError(f"History: an epoch is a {type(epoch).__name__}, it must be a dict")
    for name in epoch:
        if not isinstance(name, str):
            raise TypeError(f"History: an epoch has the name {name!r}, names must be text")
    return epoch if isinstance(epoch, Epoch) else Epoch(epoch)


class History(list):
    """A list of Epochs. A dict of numbers by name that is put into it becomes one.

    Args:
        epochs: dicts of numbers. Default: none.

    Raises:
        TypeError: for what is no dict, or has a name that is no text.

    Attributes:
        stopped: why the training ended, in words; "" while it goes on, and where nobody said.

    Example:
        >>> history.column("train_loss")
        array([0.9, 0.3, 0.1])
    """

    def __init__(self, epochs=(), stopped=""):
        super().__init__(Epoch(as_epoch(epoch)) for epoch in epochs)
        self.stopped = stopped

    def __setitem__(self, i, value):
        super().__setitem__(i, map(as_epoch, value) if isinstance(i, slice) else as_epoch(value))

    def __iadd__(self, epochs):
        self.extend(epochs)
        return self

    def append(self, epoch):
        """Adds an Epoch, or a dict of numbers, at the end."""
        super().append(as_epoch(epoch))

    def extend(self, epochs):
        """Adds several at the end."""
        super().extend(map(as_epoch, epochs))

    def insert(self, i, epoch):
        """Adds one before the Epoch i."""
        super().insert(i, as_epoch(epoch))

    @property
    def columns(self):
        """The names of the numbers, in their order, as a list."""
        return list(dict.fromkeys(name for epoch in self for name in epoch))

    def column(self, name):
        """The values of a column as a NumPy array; NaN where an epoch lacks it.

        Raises:
            ValueError: if no epoch has it.
        """
        if name not in self.columns:
            has = ", ".join(self.columns) or "no columns, as there are no epochs"
            raise ValueError(f"column: name is {name!r}; the history has {has}")
        return np.array([epoch.get(name, math.nan) for epoch in self])

    def to_dict(self):
        """{name: list of values}."""
        return {name: self.column(name).tolist() for name in self.columns}

    def to_pandas(self):
        """A pandas.DataFrame whose index is the epoch.

        Raises:
            ImportError: if pandas is missing.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                f'to_pandas needs pandas ({error}): pip install "pyml-nn[table]"'
            ) from None
        frame = pandas.DataFrame(self.to_dict())
        return frame.set_index("epoch") if "epoch" in frame else frame

    def to_csv(self, path=None):
        """The epochs as text with a line of names and a line for each epoch.

        Args:
            path: a file to write it to; one of that name is replaced. Default: none.

        Returns:
            The text.
        """
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(self.columns)
        lines.writerows([epoch.get(name, "") for name in self.columns] for epoch in self)
        return written(text.getvalue(), path)

    def to_json(self, path=None):
        """The epochs as JSON, a list of objects; what is not finite is null.

        Args:
            path: a file to write it to; one of that name is replaced. Default: none.

        Returns:
            The text.
        """
        epochs = [{name: plain(value) for name, value in epoch.items()} for epoch in self]
        return written(json.dumps(epochs, indent=1, default=str) + "\n", path)

    def plot(self, ax=None, **options):
        """Learning curves; see pyml.plot.learning_curves, whose options are taken."""
        from pyml.plot import learning_curves

        return learning_curves(self, ax=ax, **options)

    def _repr_html_(self):
        """A table, for notebooks."""
        names = self.columns
        rows = ([shown(epoch.get(name)) for name in names] for epoch in self)
        return html_table(names, rows, self.stopped)


def shown(value):
    """A number in at most five digits; nothing for None."""
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def plain(value):
    """A value of an epoch as JSON has it, which a callback may have put there."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def written(text, path):
    """`text`, which is also written to a path, if there is one."""
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
