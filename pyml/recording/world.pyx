"""What Python asks of the world outside of a step: the clock, files, the screen, random numbers that are not pyml's.

A replay would not ask again, so a step that asks cannot be recorded.
"""
import builtins
import contextvars
import gc
import genericpath
import importlib
import inspect
import io
import os
import pathlib
import random
import sys
import threading
import time

import numpy as np

from pyml.recording.dependencies import is_installed

# ids of functions of C, and of the code of functions of Python
WORLD = {id(function) for function in (
    print, input, os.urandom, time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter,
    time.perf_counter_ns, time.process_time, time.process_time_ns, time.sleep,
    # what they read is not compared before a replay
    builtins.eval, builtins.exec, builtins.globals, builtins.__import__, io.open, os.access, os.getcwd, os.listdir,
    os.lstat, os.scandir, os.stat,
    sys._getframe, sys.getrecursionlimit, sys.getrefcount, gc.get_objects, gc.get_referrers, contextvars.copy_context)}
WORLD.update(id(function.__code__) for function in (
    importlib.import_module, inspect.currentframe, inspect.stack, np.geterr, threading.current_thread)
    if hasattr(function, "__code__"))
METHODS = frozenset(("now", "utcnow", "today", "write", "writelines"))   # of files and of datetime
PATHS = frozenset(   # os.path.exists() calls os.stat()
    function.__code__.co_filename for function in (genericpath.exists, os.path.realpath, pathlib.Path.exists))
LEVELS = frozenset(("debug", "info", "warning", "warn", "error", "critical", "exception", "log"))
LOGGING = os.path.join(os.path.dirname(os.__file__), "logging") + os.sep


cdef tuple randomness():
    """What the generators of Python and NumPy would draw next."""
    of_numpy = sys.modules.get("numpy.random")   # to import it takes longer than most recordings
    if of_numpy is None:
        return random.getstate(), None
    kind, keys, *rest = of_numpy.get_state()
    return random.getstate(), (kind, keys.tobytes(), rest)


cdef str asked_in_c(function, frame):
    """What a frame asks by calling a function of C, in words; None if it asks nothing, or is installed software."""
    return f"{function.__name__}()" if asks_the_world(function) and is_of_users(frame) else None


cdef str asked_in_python(frame):
    """What the caller of a frame asks by that call, in words; None if it asks nothing, or is installed software."""
    code = frame.f_code
    if id(code) in WORLD and is_of_users(frame.f_back):
        return f"{code.co_name}()"
    if code.co_name in LEVELS and code.co_filename.startswith(LOGGING) and frame.f_back is not None \
            and not is_installed(frame.f_back.f_code.co_filename):
        return f"logging ({code.co_name}())"
    return None


cdef bint asks_the_world(function) except -1:
    """Whether a function of C tells the time, prints or the like."""
    return id(function) in WORLD or (getattr(function, "__name__", None) in METHODS and hasattr(function, "__self__")) and (
        isinstance(function.__self__, io.IOBase) or getattr(function.__self__, "__module__", None) == "datetime")


cdef bint is_of_users(frame) except -1:
    """Whether a frame is of the user's code, or of a function of os.path or pathlib that the user's code has called."""
    while frame is not None and frame.f_code.co_filename in PATHS:
        frame = frame.f_back
    return frame is not None and not is_installed(frame.f_code.co_filename)
