"""export.numpy: a model as a module of plain NumPy."""

from io import BytesIO
from pathlib import Path

from pyml import io
from pyml.config import __version__
from pyml.export.npz_file import save_npz
from pyml.export.traced import module_of, python_name, traced

__all__ = ["numpy"]


def numpy(model, path=None, *, inputs=None):
    """A model as a module of plain NumPy, for those who want to see the arithmetic.

    Its function `predict` takes arrays of rows and gives what the model gives in evaluation mode,
    to rounding; with several outputs a dict. WEIGHTS has the arrays by the names of state_dict(),
    `source` is the text.

    Args:
        model: as for export.c.
        path: a file NAME.py to write the module to, with NAME.npz beside it for the weights;
            files of these names are replaced. Default: none is written.
        inputs: rows as the model takes them. Default: random ones, if the first layer says how
            many numbers it takes.

    Returns:
        The module.

    Raises:
        TypeError: if a module cannot be exported; it says which, and why.
        ValueError: if inputs are needed, or do not fit; if path does not end in .py.

    Example:
        >>> net = export.numpy(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
        >>> print(net.source)
        def predict(x):
            \"\"\"Outputs of rows of inputs.
        <BLANKLINE>
            (n, 4) to (n, 3).
            \"\"\"
            # 0: Linear
            h1 = x @ WEIGHTS["0.weight"].T + WEIGHTS["0.bias"]
            # 1: ReLU
            h2 = np.maximum(h1, 0)
            return h2
        <BLANKLINE>
    """
    place = None if path is None else Path(io._checked_path(path))
    if place is not None and place.suffix != ".py":
        raise ValueError(f"export.numpy: path is {str(path)!r}, it must end in .py")
    made = traced(model, inputs, "export.numpy")
    name = python_name(place.stem if place else type(made.model).__name__)
    module = module_of(made.graph, name)
    if place is not None:
        weights = BytesIO()
        save_npz(module.WEIGHTS, weights)
        content = file_of(made.model, module.source).encode()
        io._write_together({place: content, place.with_suffix(".npz"): weights.getvalue()})
    return module


def file_of(model, source):
    """The text of the file: source behind what it imports and reads."""
    imports = ["from pathlib import Path", "", "import numpy as np", ""]
    imports = ["import math", *imports] if "math." in source else imports
    lines = [
        f'"""{type(model).__name__}, written by pyml {__version__}: see predict()."""',
        "",
        *imports,
        'WEIGHTS = dict(np.load(Path(__file__).with_suffix(".npz")))',
    ]
    return "\n".join(lines) + "\n\n\n" + source
