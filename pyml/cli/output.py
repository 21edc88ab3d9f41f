"""What commands print and write."""

import io
import json
import math
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import numpy as np

from pyml.cli.failures import Refused, refusing, warn
from pyml.cli.ranks import is_first
from pyml.plot.canvas import figure_of
from pyml.tabular.arrow import pyarrow

__all__ = [
    "RunFolder",
    "can_draw",
    "columns",
    "default_folder",
    "flush",
    "say",
    "say_json",
    "whole_file",
]


def say(*lines):
    """Prints lines.

    Raises:
        OSError: if standard output is a closed pipe, or on a full disk. It is closed then.
    """
    with told_of_stdout():
        print(*lines, sep="\n", flush=True)


def say_json(content):
    """Prints a document of JSON; numbers that are not finite are null."""
    say(json.dumps(plain(content), indent=1, ensure_ascii=False))


def flush():
    """Sees to it that all is printed. Raises as say()."""
    if sys.stdout is not None:
        with told_of_stdout():
            sys.stdout.flush()


@contextmanager
def told_of_stdout():
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError, AttributeError):  # or Python tries once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "standard output") from None


def plain(value):
    """A tree as JSON has it: without NumPy's numbers, paths, NaN and infinity."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, type(None))) else str(value)


def columns(rows, right=()):
    """Lines of cells one below the other.

    Args:
        rows: lists of text, of one length.
        right: numbers of the columns that end on one line.
    """
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


# ---- files ---------------------------------------------------------------------------------------


def default_folder(name, force):
    """runs/name; where that is there, unless force is given, the first free of runs/name-2, ..."""
    folder = Path("runs", name)
    if force or not folder.exists():
        return folder
    others = (Path("runs", f"{name}-{number}") for number in count(2))
    return next(path for path in others if not path.exists())


def can_draw(plot):
    """Whether pictures are to be drawn.

    Args:
        plot: True if they must be, False if they must not, None if they may.

    Raises:
        ImportError: if they must be, and matplotlib is missing.
    """
    if plot is False:
        return False
    try:
        figure_of((1, 1))
    except ImportError as error:
        if plot:
            raise
        warn(f"no pictures: {error}")
        return False
    return True


class RunFolder:
    """A folder that a run writes into, each file when it is whole; of several ranks the first one.

    Args:
        path: the folder, made if it is missing.
        names: the files that may be written.
        force: whether files of these names are replaced.

    Attributes:
        written: paths of what was written, in its order.

    Raises:
        Refused: if it cannot be made, or without force has one of the files.
    """

    def __init__(self, path, names, force):
        self.path, self.written = Path(path), []
        if not is_first():
            return
        there = next((self.path / name for name in names if (self.path / name).exists()), None)
        if there is not None and not force:
            raise Refused(f"{there} is there; --out names another folder, --force replaces it")
        self._new = [path for path in (self.path, *self.path.parents) if not path.exists()]

    def __enter__(self):
        if not is_first():
            return self
        with refusing():
            self.path.mkdir(parents=True, exist_ok=True)
            self._unfinished = tempfile.TemporaryDirectory(prefix=".pyml-", dir=self.path)
        return self

    def __exit__(self, *error):
        if not is_first():
            return
        self._unfinished.cleanup()
        if not self.written:
            with suppress(OSError):
                for path in self._new:
                    path.rmdir()

    def write(self, name, writer):
        """writer(path) writes a file, which takes its name when it is whole."""
        if not is_first():
            return
        unfinished, path = Path(self._unfinished.name, name), self.path / name
        try:
            writer(unfinished)
            os.replace(unfinished, path)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        self.written.append(path)


@contextmanager
def whole_file(path, force):
    """A file of text to write, which takes its name when it is whole.

    Args:
        path: a file that is not there, unless force is given; or a device. Compressed as its
            ending says.

    Raises:
        Refused: if there is one of that name, its folder is missing, or its ending is of a file
            that is no text.
    """
    path = Path(path)
    codec = codec_of(path)
    is_device = path.exists() and not path.is_file() and not path.is_dir()
    if path.exists() and not is_device and not (force and path.is_file()):
        what = "a folder" if path.is_dir() else "there; --force replaces it"
        raise Refused(f"{path} is {what}")
    unfinished = path if is_device else path.with_name(f".{path.name}.{os.getpid()}.part")
    with refusing():
        file = text_file(unfinished, codec)
    try:
        with file:
            yield file
        if not is_device:
            os.replace(unfinished, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or str(path)) from None
    finally:
        if not is_device:
            unfinished.unlink(missing_ok=True)


CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".br": "brotli"}
NO_TEXT = (".xz", ".zip", ".parquet", ".feather", ".arrow", ".xlsx", ".xls")


def codec_of(path):
    """The compression that the ending of a name says, None if none.

    Raises:
        Refused: for an ending of what is not written.
    """
    ending = path.suffix.lower()
    if ending in NO_TEXT:
        raise Refused(
            f"{path}: {ending} is not written; a name that ends with .csv or .json is, also with "
            f"{', '.join(CODECS)} behind"
        )
    return CODECS.get(ending)


def text_file(path, codec):
    """A file of text to write, compressed by pyarrow."""
    if codec is None:
        return open(path, "w", encoding="utf-8", newline="")
    stream = pyarrow(f"{path}: {codec}").output_stream(str(path), compression=codec)
    return io.TextIOWrapper(stream, encoding="utf-8", newline="")
