"""What Python asks of the world outside of a step: the clock, files, the screen, random numbers that are not pyml's.

A replay would not ask again, so a step that asks cannot be recorded.
"""
import io
import pickle
import random
import sys

from pyml.recording.code import is_installed
from pyml.recording.world_functions import (
    LEVELS, LOGGING, METHODS, NAMES, OF_ITSELF, OUTPUT, PATHS, WORLD, WRITE, WRITING)


cdef tuple randomness():
    """What the generators of Python and NumPy would draw next."""
    of_numpy = sys.modules.get("numpy.random")   # to import it takes longer than most recordings
    if of_numpy is None:
        return random.getstate(), None
    kind, keys, *rest = of_numpy.get_state()
    return random.getstate(), (kind, keys.tobytes(), rest)


cdef str asked_in_c(function, frame):
    """What a frame asks by calling a function of C, in words; None if it asks nothing, or is installed software."""
    if id(function) not in WORLD and id(function) not in OUTPUT and function.__name__ not in NAMES:
        return None   # as most do
    if (asks_the_world(function) and is_of_users(frame)) or (
            writes(function) and (is_of_users(frame) or not is_buffer(function.__self__) and is_of_step(frame))):
        return f"{function.__name__}()"
    return None


cdef bint pickles(function) except -1:
    """Whether a function of C reads all attributes of objects, to pickle them."""
    return function is pickle.dumps or function is pickle.dump or (
        function.__name__ == "dump" and module_of(function) == "_pickle")


cdef str asked_in_python(frame):
    """What the caller of a frame asks by that call, in words; None if it asks nothing, or is installed software."""
    code = frame.f_code
    if id(code) in WORLD and is_of_users(frame.f_back):
        return f"{code.co_name}()"
    if code.co_name in WRITE and is_installed(code.co_filename) and isinstance(first_of(frame), io.IOBase) \
            and is_of_step(frame.f_back):
        return f"{code.co_name}()"
    if code.co_name in LEVELS and code.co_filename.startswith(LOGGING) and frame.f_back is not None \
            and not is_installed(frame.f_back.f_code.co_filename):
        return f"logging ({code.co_name}())"
    return None


cdef bint asks_the_world(function) except -1:
    """Whether a function of C tells the time or the like."""
    return id(function) in WORLD or function.__name__ in METHODS.get(module_of(function), ())


cdef bint writes(function) except -1:
    """Whether a function of C prints or writes."""
    return id(function) in OUTPUT or function.__name__ in WRITING.get(module_of(function), ()) or (
        function.__name__ in WRITE and isinstance(getattr(function, "__self__", None), io.IOBase))


cdef bint is_buffer(file) except -1:
    """Whether what is written stays in memory: libraries put texts together there."""
    return type(file) in (io.StringIO, io.BytesIO) and file is not sys.stdout and file is not sys.stderr


cdef object module_of(function):
    """Of the class whose method a function of C is."""
    owner = getattr(function, "__self__", None)
    return (owner if isinstance(owner, type) else type(owner)).__module__


cdef object first_of(frame):
    """The first argument of the function whose frame it is."""
    return frame.f_locals.get(frame.f_code.co_varnames[0]) if frame.f_code.co_argcount else None


cdef bint is_of_users(frame) except -1:
    """Whether a frame is of the user's code, or of a function of os.path or pathlib that the user's code has called."""
    while frame is not None and frame.f_code.co_filename in PATHS:
        frame = frame.f_back
    return frame is not None and not is_installed(frame.f_code.co_filename)


cdef bint is_of_step(frame) except -1:
    """Whether a frame is of what the step does, in the user's code or in a library that this calls: not what Python does
    of itself, to import a module, to warn or when an object goes."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OF_ITSELF) or code.co_name == "__del__":
            return False
        if not is_installed(code.co_filename):
            return True
        frame = frame.f_back
    return True
