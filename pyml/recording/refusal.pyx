"""How a step is refused: the exception, its message, and the line of the user's code that it names."""
import sys

from pyml.recording.code import is_installed, is_library_file


class RecordError(RuntimeError):
    """A step has something in it that cannot be recorded."""


cdef tuple place():
    """The line of the user's code that runs: (file, line)."""
    frame, outside = sys._getframe(), None
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_library_file(file):
            if not is_installed(file):
                break
            outside = frame if outside is None else outside
        frame = frame.f_back
    frame = outside if frame is None else frame   # None: all of it is installed software
    return ("?", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


cdef tuple place_of(error):
    """The line of the user's code that an exception came from: (file, line)."""
    found, traceback = ("?", 0), error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not is_installed(file) and not file.endswith(".pyx"):   # compiled: its name is that of the place of the build
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


cdef str refusal_of(str what, tuple place):
    """The message of a RecordError."""
    file, line = place
    return (
        f"record: {what} at {file}:{line} cannot be recorded: a replay would not compute it anew; "
        "move it out of the step, call it by pyml.host(function, ...), or use @pyml.record(unrecordable=\"eager\")"
    )


cdef str no_stand_in(error):
    """The message when a function has raised a TypeError for the Number that stands for a number of the step."""
    file, line = place_of(error)
    return (
        f"record: a number that the step changes or reads from a tensor, at {file}:{line}, cannot be recorded: while a step "
        f"is recorded, something else stands for the number, which the function there does not take ({error}); pass "
        "int(...) or float(...) of a counter, or call it by pyml.host(function, ...)")
