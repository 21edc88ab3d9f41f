"""What can go wrong, as one line and an exit code."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_USAGE",
    "Refused",
    "file_or_folder",
    "line_of",
    "refusing",
    "sentence",
    "warn",
]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Refused(Exception):
    """What was asked for cannot be done: a file is none, a column is not there."""


@contextmanager
def refusing():
    """Files that cannot be opened in here are the user's mistake, not the machine's."""
    try:
        yield
    except OSError as error:
        raise Refused(sentence(error)) from error


def file_or_folder(path):
    """A path that can be read more than once, as tables are.

    Raises:
        Refused: if it is a pipe.
    """
    if Path(path).is_fifo():
        raise Refused(f"{path}: is a pipe, and a table is read more than once; save it first")
    return path


# how Python's words are said at the shell
FUNCTION = re.compile(
    r"^(?:fit|split|given_split|evaluate|baseline|read|read_batches|predict|predict_proba|Table"
    r"|(?:Schema|Preprocessor|Target|TabularModel)(?:\.\w+)?)(?:: validation)?: "
)
WORDS = {
    "kinds={name: 'category'}, or 'number', makes": "--kind COLUMN=category, or number, makes",
    "fill them in, or leave these rows out: table.take(schema.labelled(table))": "fill them in",
    "mend it, or skip= lines above the table, or give the separator=": "mend the file",
    "; give another, as encoding='latin-1'": "; save it as UTF-8",
    "; give another encoding, as encoding='cp1252'": "; save it as UTF-8",
    "kinds or drop; task= says": "--kind or --drop; --task says",
    "encoding='utf-16-le' or 'utf-16-be' reads it": "save it as UTF-8",
    "Schema.infer(table, target=...) has one": "--target names one",
}


def at_the_shell(message):
    """A message of a function in the words of the command line."""
    text = FUNCTION.sub("", str(message))
    for words, said in WORDS.items():
        text = text.replace(words, said)
    return text


def sentence(error):
    """An error in one line."""
    text = at_the_shell(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"not enough memory ({text})" if text else "not enough memory"
    return line_of(text) or type(error).__name__


def warn(message):
    """A line on stderr."""
    print(f"pyml: warning: {line_of(at_the_shell(message))}", file=sys.stderr, flush=True)


def line_of(message):
    """Text as one line of a terminal: names in a file may have control characters."""
    text = " ".join(str(message).split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
