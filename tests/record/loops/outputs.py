"""Steps that leave something in the world by way of libraries and C: a replay would not."""

import csv
import io
import json
import logging
import os
import pathlib
import pprint
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings

import numpy as np
from tqdm import tqdm

import pyml
from record.loops.harness import loop

WRITTEN = io.StringIO()
NUMBER, THREAD = os.getpid(), threading.get_ident()
DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
DATABASE.execute("create table t (a)")
QUEUE = queue.SimpleQueue()


def steps(record, act):
    """Calls a step that acts on something, in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        step = record(lambda x: x * 2 + 0 * (act(directory) is act))
        for i in range(12):
            yield step(pyml.full((3,), float(i)))


ACTS = {  # what is done in a directory
    "csv to a file": lambda path: csv.writer(WRITTEN).writerow([1]),
    "csv of dicts": lambda path: csv.DictWriter(WRITTEN, ["a"]).writerow({"a": 1}),
    "pprint": lambda path: pprint.pprint("text"),
    "tqdm.write": lambda path: tqdm.write("text"),
    "print_exc": lambda path: traceback.print_exc(),
    "json.dump": lambda path: json.dump([1], sys.stdout),
    "np.save": lambda path: np.save(path + "/a", np.ones(1)),
    "np.savetxt": lambda path: np.savetxt(path + "/a", [1.0]),
    "tofile": lambda path: np.ones(1).tofile(path + "/a"),
    "mkstemp": lambda path: os.close(tempfile.mkstemp(dir=path)[0]),
    "mkdtemp": lambda path: tempfile.mkdtemp(dir=path),
    "subprocess": lambda path: subprocess.run(["true"], check=True),
    "system": lambda path: os.system("true"),
    "sqlite3": lambda path: DATABASE.execute("insert into t values (1)"),
    "sqlite3.connect": lambda path: sqlite3.connect(":memory:").close(),
    "queue": lambda path: QUEUE.put(1),
    "os.write": lambda path: os.write(1, b""),
    "os.replace": lambda path: os.replace(__file__, __file__),
    "makedirs": lambda path: os.makedirs(path + "/a/b", exist_ok=True),
    "copy": lambda path: shutil.copy(__file__, path),
    "touch": lambda path: pathlib.Path(path, "a").touch(),
    "write_text": lambda path: pathlib.Path(path, "a").write_text("text"),
    "kill": lambda path: os.kill(NUMBER, 0),
    "pthread_kill": lambda path: signal.pthread_kill(THREAD, 0),
}


@loop(expect="refused", each=ACTS)
def acts(record, act):
    yield from steps(record, act)


def formats_a_traceback(path):
    try:
        raise ValueError("text")
    except ValueError:
        return traceback.format_exc()


HARMLESS = {  # what leaves nothing, and what Python does of itself
    "format_exc": formats_a_traceback,
    "pformat": lambda path: pprint.pformat([1, 2]),
    "json.dumps": lambda path: json.dumps([1, 2]),
    "level": lambda path: logging.getLogger("pyml.test").isEnabledFor(logging.DEBUG),
    "host": lambda path: pyml.host(pathlib.Path(path, "a").write_text, "text"),
}


@loop(each=HARMLESS)
def harmless(record, act):
    yield from steps(record, act)


@loop
def warns(record):
    """The warning is shown when Python runs, and no reason to refuse."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        yield from steps(record, lambda path: warnings.warn("text", stacklevel=2))


@loop
def imports_for_the_first_time(record):
    """A module is compiled, and its code kept in a file."""
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "lately_imported.py").write_text("value = 2.0\n")
        sys.path.insert(0, directory)

        @record
        def step(x):
            import lately_imported

            return x * lately_imported.value

        try:
            for i in range(12):
                if i == 6:
                    sys.modules["lately_imported"].value = 3.0
                yield step(pyml.full((3,), float(i)))
        finally:
            sys.path.remove(directory)
            sys.modules.pop("lately_imported", None)
