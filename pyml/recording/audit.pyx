"""What a step does inside of C, which profiling does not hear of: Python's audit events (PEP 578).

They tell of files that are opened for writing, of processes and of the like, whoever does it. The hook tells the recording
of its thread, and else does nothing.
"""
import os

from cpython.ref cimport PyObject

from pyml.no_gil cimport now, pyml_lock, pyml_mutex, pyml_unlock
from pyml.recorder cimport Recorder, recorder, recordings
from pyml.recording.listener cimport Recording
from pyml.recording.world cimport is_of_step

cdef extern from "Python.h":
    ctypedef int (*Py_AuditHookFunction)(const char *, PyObject *, void *)
    int PySys_AddAuditHook(Py_AuditHookFunction, void *) except -1
    ctypedef struct PyFrameObject
    PyFrameObject *PyEval_GetFrame()

CHANGES = frozenset(   # audit events
    b"os.chdir os.chflags os.chmod os.chown os.exec os.fork os.forkpty os.kill os.killpg os.link os.mkdir os.posix_spawn "
    b"os.remove os.removexattr os.rename os.rmdir os.setxattr os.spawn os.startfile os.symlink os.system os.truncate "
    b"os.utime shutil.chown shutil.copyfile shutil.copymode shutil.copystat shutil.copytree shutil.make_archive "
    b"shutil.move shutil.rmtree shutil.unpack_archive signal.pthread_kill socket.bind socket.connect socket.sendmsg "
    b"socket.sendto sqlite3.connect subprocess.Popen tempfile.mkdtemp tempfile.mkstemp webbrowser.open".split())
cdef int WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

cdef pyml_mutex installing
cdef bint is_installed = False


cdef int install() except -1:
    """Once in a process, at its first recording."""
    global is_installed
    cdef bint is_first
    pyml_lock(&installing)
    is_first, is_installed = not is_installed, True
    pyml_unlock(&installing)
    if is_first:
        PySys_AddAuditHook(<Py_AuditHookFunction>hear, NULL)
    return 0


cdef int hear(const char *event, PyObject *args, void *data) except -1:
    """An audit event. It also comes when Python has ended."""
    return hear_of(event, <object>args) if now(recordings) > 0 else 0


cdef int hear_of(bytes event, args) except -1:
    cdef Recorder r = recorder()
    if r is None:
        return 0
    if event == b"open":
        if opens_for_writing(args) and is_of_step(<object><PyObject *>PyEval_GetFrame()):
            r.refuse(f"writing to a file ({args[0]!r})")
    elif event == b"builtins.id":
        (<Recording?>r).identified(args[0])
    elif event in CHANGES and is_of_step(<object><PyObject *>PyEval_GetFrame()):
        r.refuse(f"{event.decode()}()")
    return 0


cdef bint opens_for_writing(args) except -1:
    """(path, mode, flags): one of the last two says how."""
    mode, flags = args[1], args[2]
    return not set(mode).isdisjoint("wax+") if isinstance(mode, str) else isinstance(flags, int) and bool(flags & WRITING)
