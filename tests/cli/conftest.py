"""Commands, in this process and in their own."""

import subprocess
import sys

import pytest


@pytest.fixture(autouse=True)
def no_progress_bar(monkeypatch):
    """stderr is not a terminal, whatever the tests were started from."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)


@pytest.fixture
def start(interruptible):
    """start(arguments...): pyml as a process, which does not outlive the test."""
    processes = []

    def start(*argv, stdout=subprocess.PIPE, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "pyml", *map(str, argv)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def one_line(text):
    """`text`, which must be one line that is not a traceback."""
    assert text.count("\n") == 1 and text.startswith("pyml"), text
    return text
