"""Models in files, as commands are given them."""

from pathlib import Path

from pyml.cli.failures import Refused, refusing
from pyml.tabular import TabularModel

__all__ = ["WEIGHTS", "add_model", "loaded", "path_of"]

WEIGHTS = "model.safetensors"


def add_model(parser):
    """The argument for a model."""
    parser.add_argument(
        "model", metavar="DIR", type=Path, help="what pyml train wrote, or its model's file"
    )


def path_of(given):
    """The file of a model: what is given, or the one in that folder."""
    if not given.is_dir():
        return given
    path = given / WEIGHTS
    if not path.exists():
        raise Refused(f"{given}: has no {WEIGHTS}; pyml train writes one")
    return path


def loaded(given):
    """The TabularModel of a folder or file."""
    with refusing():
        return TabularModel.load(path_of(given))
