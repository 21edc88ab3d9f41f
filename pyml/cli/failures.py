"""What can go wrong, as one line and an exit code."""

import sys
from contextlib import contextmanager

__all__ = [
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_USAGE",
    "Refused",
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


def sentence(error):
    """An error in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"not enough memory ({text})" if text else "not enough memory"
    return " ".join(text.split()) or type(error).__name__


def warn(message):
    """A line on stderr."""
    print(f"pyml: warning: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
