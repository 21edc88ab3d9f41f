"""Pictures of a model of a table, by its task."""

import numpy as np

from pyml import plot
from pyml.plot.canvas import grid_of, literal
from pyml.train.metrics import ConfusionMatrix

__all__ = ["PICTURES", "draw"]


def draw(path, model, rows, title):
    """The picture of a task: what a model says of rows beside what is true.

    Args:
        path: the file.
        model: a TabularModel.
        rows: a Table with the target.
        title: above it.
    """
    target = model.target
    _, function = PICTURES[target.task]
    function(path, target, model.outputs(rows), target.actual(rows), title)


def confusion(path, target, outputs, actual, title):
    names = [str(name) for name in target.classes.tolist()]
    matrix = ConfusionMatrix(labels=np.arange(len(names)))(target.labels(outputs), actual)
    plot.confusion_matrix(matrix, names, path=path, title=title)


def roc(path, target, outputs, actual, title):
    probabilities = target.probabilities(outputs)
    plot.roc(probabilities, actual, names=target.names, path=path, title=title)


def predicted(path, target, outputs, actual, title):
    """A panel for each target."""
    numbers = target.decode(outputs).reshape(len(actual), -1)
    figure, panels = grid_of(len(target.names), (4.8, 4.4), title)
    for i, (panel, name) in enumerate(zip(panels, target.names, strict=True)):
        true = actual.reshape(len(actual), -1)[:, i]
        plot.predicted_against_true(numbers[:, i], true, ax=panel, title=literal(name))
    figure.savefig(path, dpi=120)


PICTURES = {  # {task: (the name of the file, the function)}
    "binary": ("confusion_matrix.png", confusion),
    "multiclass": ("confusion_matrix.png", confusion),
    "multilabel": ("roc.png", roc),
    "regression": ("predicted_against_true.png", predicted),
    "multioutput": ("predicted_against_true.png", predicted),
    "counts": ("predicted_against_true.png", predicted),
}
