"""Tables of what asks the world outside of a step, or changes it: functions, methods and files of
Python and NumPy. pyml/recording/world.pyx looks into them."""

import builtins
import contextvars
import gc
import genericpath
import importlib
import inspect
import io
import os
import pathlib
import sys
import threading
import time
import warnings
import weakref

import numpy as np

OF_C = (
    (time, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time"),
    (time, "process_time_ns thread_time thread_time_ns sleep localtime gmtime ctime asctime"),
    (time, "strftime mktime"),
    (builtins, "input"),
    (os, "urandom"),
    # what they read is not compared before a replay
    (builtins, "eval exec globals __import__"),
    (io, "open"),
    (os, "access cpu_count getcwd getpid getppid listdir lstat scandir stat times"),
    (sys, "_getframe getrecursionlimit getrefcount getswitchinterval getallocatedblocks"),
    (gc, "get_count get_objects get_referrers get_threshold isenabled"),
    (threading, "get_ident get_native_id"),
    (contextvars, "copy_context"),
)
OF_PYTHON = (
    importlib.import_module,
    inspect.currentframe,
    inspect.stack,
    np.geterr,
    threading.active_count,
    threading.current_thread,
    threading.enumerate,
)
# ids of functions of C, and of the code of functions of Python
WORLD = {id(getattr(module, name)) for module, names in OF_C for name in names.split()}
WORLD.update(id(function.__code__) for function in OF_PYTHON if hasattr(function, "__code__"))
METHODS = {  # of C, by the module of their class
    "_queue": ("empty", "get", "get_nowait", "put", "put_nowait", "qsize"),
    "_thread": ("locked",),
    "datetime": ("now", "today", "utcnow"),
}
# what writes, also if library code calls it
OUTPUT = {id(print), id(os.write)}
WRITE = ("write", "writelines")  # of files
_OF_SOCKETS = "recv recv_into recvfrom recvfrom_into send sendall sendmsg sendto"
_OF_SQLITE = "commit execute executemany executescript fetchall fetchmany fetchone rollback"
WRITING = {
    "_csv": ("writerow", "writerows"),
    "mmap": ("flush", "resize", "write", "write_byte"),
    "_socket": tuple(_OF_SOCKETS.split()),
    "sqlite3": tuple(_OF_SQLITE.split()),
}
NAMES = {name for names in (*METHODS.values(), *WRITING.values(), WRITE) for name in names}
# the files of what Python does of itself
OF_ITSELF = (
    "<frozen importlib",
    warnings.__file__,
    os.path.join(os.path.dirname(os.__file__), "_py_warnings.py"),
    weakref.__file__,
)
PATHS = frozenset(  # os.path.exists() calls os.stat(), and pathlib.Path.read_text() io.open()
    function.__code__.co_filename
    for place in (genericpath, os.path, *pathlib.Path.__mro__)
    for function in vars(place).values()
    if inspect.isfunction(function)
)
LEVELS = frozenset(("debug", "info", "warning", "warn", "error", "critical", "exception", "log"))
LOGGING = os.path.join(os.path.dirname(os.__file__), "logging") + os.sep
