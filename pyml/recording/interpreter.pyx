"""What a step does inside of C, which profiling does not hear of: hooks that a process gets at its first recording.

They tell the recording of their thread, and else do nothing. Python's audit events tell of files that are opened for
writing, of processes and of the like, whoever does it. partial() and map() call print. A SimpleNamespace is compared and
shown in C, which then reads all of its attributes.
"""
import os
import types

from cpython.ref cimport PyObject

from pyml.recorder cimport Recorder, recorder, recordings
from pyml.recording.listener cimport Recording
from pyml.recording.world cimport is_of_step

cdef extern from "Python.h":
    ctypedef int (*Py_AuditHookFunction)(const char *, PyObject *, void *)
    ctypedef PyObject *(*vectorcallfunc)(PyObject *, PyObject **, size_t, PyObject *)
    ctypedef PyObject *(*richcmpfunc)(PyObject *, PyObject *, int)
    ctypedef PyObject *(*reprfunc)(PyObject *)
    ctypedef struct PyCFunctionObject:
        vectorcallfunc vectorcall
    ctypedef struct PyWrapperDescrObject:
        void *d_wrapped
    ctypedef struct PyTypeObject:
        richcmpfunc tp_richcompare
        reprfunc tp_repr
    int PySys_AddAuditHook(Py_AuditHookFunction, void *) except -1
    void PyType_Modified(PyTypeObject *)
    PyObject *PyEval_GetFrame()

CHANGES = frozenset(   # audit events
    b"os.chdir os.chflags os.chmod os.chown os.exec os.fork os.forkpty os.kill os.killpg os.link os.mkdir os.posix_spawn "
    b"os.remove os.removexattr os.rename os.rmdir os.setxattr os.spawn os.startfile os.symlink os.system os.truncate "
    b"os.utime shutil.chown shutil.copyfile shutil.copymode shutil.copystat shutil.copytree shutil.make_archive "
    b"shutil.move shutil.rmtree shutil.unpack_archive signal.pthread_kill socket.bind socket.connect socket.sendmsg "
    b"socket.sendto sqlite3.connect subprocess.Popen tempfile.mkdtemp tempfile.mkstemp webbrowser.open".split())
cdef int WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

cdef bint are_installed = False
cdef vectorcallfunc print_of_python
cdef richcmpfunc compare_of_python
cdef reprfunc repr_of_python


cdef int install() except -1:
    """Once in a process."""
    global are_installed, print_of_python, compare_of_python, repr_of_python
    cdef PyCFunctionObject *function = <PyCFunctionObject *><PyObject *>print
    cdef PyTypeObject *namespace = <PyTypeObject *><PyObject *>types.SimpleNamespace
    if are_installed:
        return 0
    are_installed = True
    PySys_AddAuditHook(<Py_AuditHookFunction>hear, NULL)
    print_of_python, function.vectorcall = function.vectorcall, <vectorcallfunc>printing
    compare_of_python, repr_of_python = namespace.tp_richcompare, namespace.tp_repr
    for each in vars(types.SimpleNamespace).values():
        if isinstance(each, types.WrapperDescriptorType):   # from which classes below it are made
            put_wrapped(<PyWrapperDescrObject *><PyObject *>each)
    return put_slots(types.SimpleNamespace)


cdef void put_wrapped(PyWrapperDescrObject *method) noexcept:
    """What `__eq__`, `__repr__` and their like call."""
    if method.d_wrapped == <void *>compare_of_python:
        method.d_wrapped = <void *>comparing
    if method.d_wrapped == <void *>repr_of_python:
        method.d_wrapped = <void *>showing


cdef int put_slots(cls) except -1:
    """In a class and those below it that there are."""
    cdef PyTypeObject *slots = <PyTypeObject *><PyObject *>cls
    if slots.tp_richcompare == compare_of_python:
        slots.tp_richcompare = <richcmpfunc>comparing
    if slots.tp_repr == repr_of_python:
        slots.tp_repr = <reprfunc>showing
    PyType_Modified(slots)
    for each in cls.__subclasses__():
        put_slots(each)
    return 0


cdef int hear(const char *event, PyObject *args, void *data) except -1:
    """An audit event. It also comes when Python has ended."""
    return hear_of(event, <object>args) if recordings > 0 else 0


cdef int hear_of(bytes event, args) except -1:
    cdef Recorder r = recorder()
    if r is None:
        return 0
    if event == b"open":
        if opens_for_writing(args) and is_of_step(<object>PyEval_GetFrame()):
            r.refuse(f"writing to a file ({args[0]!r})")
    elif event == b"builtins.id":
        (<Recording?>r).identified(args[0])
    elif event in CHANGES and is_of_step(<object>PyEval_GetFrame()):
        r.refuse(f"{event.decode()}()")
    return 0


cdef bint opens_for_writing(args) except -1:
    """(path, mode, flags): one of the last two says how."""
    mode, flags = args[1], args[2]
    return not set(mode).isdisjoint("wax+") if isinstance(mode, str) else isinstance(flags, int) and bool(flags & WRITING)


cdef PyObject *printing(PyObject *function, PyObject **args, size_t count, PyObject *names) except NULL:
    cdef Recorder r = recorder()
    if r is not None and is_of_step(<object>PyEval_GetFrame()):
        r.refuse("print()")
    return print_of_python(function, args, count, names)


cdef PyObject *comparing(PyObject *one, PyObject *other, int how) except NULL:
    note_namespace()
    return compare_of_python(one, other, how)


cdef PyObject *showing(PyObject *one) except NULL:
    note_namespace()
    return repr_of_python(one)


cdef int note_namespace() except -1:
    """The recording of this thread is told that a SimpleNamespace is read as a whole."""
    cdef Recorder r = recorder()
    if r is not None:
        (<Recording?>r).compares_namespaces = True
    return 0
