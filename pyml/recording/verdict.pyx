"""The verdict on a step that a Recording has heard: why replays would not do what it did.

Each function asks one question about what the step has left behind. It returns None, or the reason: the message of a
RecordError.
"""
import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray

from pyml.recording.allocations cimport CONSTANT, NUMPY, Piece
from pyml.recording.guards cimport Target, equal_values
from pyml.recording.listener cimport Recording
from pyml.recording.program cimport COPIED, Gradient, HostCall, Result, Slot, Stop, Updating
from pyml.recording.world cimport randomness
from pyml.tensor cimport Tensor

from pyml.recording.code import described, of_function

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)


cdef str overlapping(Recording recording, list leaves):
    """Whether an argument shares memory with a tensor that the step has changed by another name. The step was given copies
    of its arguments: it has not changed this one, and without a recording it would."""
    for t in leaves:
        if any([np.may_share_memory((<Tensor>t).array, (<Tensor>other).array)
                for other in recording.changed_tensors.values()]):
            return (
                f"record: an argument of shape {t.shape} is also a tensor that the step reaches by another name and "
                "changes; pass a clone")
    return None


cdef str changes_view(Recording recording, list leaves):
    """Whether an argument is a view that the step has changed while gradients are recorded: its base would be in the graph,
    and after a replay it is not."""
    cdef Tensor t
    for i, _ in recording.program.tracked:
        t = leaves[i]
        if t.link is not None:
            return (
                f"record: the step changes an argument of shape {t.shape}, which is a view of another tensor, while gradients "
                "are recorded; pass a clone, or change it in the step by index of its base")
    return None


cdef str changes_argument(Recording recording, changed):
    """`changed` is an argument (a list, a dict, an object, of a Tensor more than its values) that the step has changed: a
    replay would not."""
    what = "sets an attribute or a hook of a Tensor" if isinstance(changed, Tensor) else f"changes a {type(changed).__name__}"
    return (
        f"record: the step{of_function(recording.function, ' ')} {what} that is an argument, and a "
        "replay would not; return what it puts there, or put it there outside of the step")


cdef str strayed(Recording recording):
    """Whether code has run in the step that guards have not found. To be asked when guards are complete."""
    code = recording.program.guards.strayed(recording.ran)
    if code is None:
        return None
    what, cure = ("as well as pyml.host(), whose functions guards leave out", "make a function of its own for one of them") \
        if code in recording.hosts else ("in a way in which guards do not find it", "call it by its name")
    return (
        f"record: the step calls {described(code)} {what}, so that changes "
        f"of what it reads would not be seen; {cure}, or use @pyml.record(unrecordable=\"eager\")")


cdef str handled(Recording recording):
    """Whether the step would go on after an index out of range by code that a replay does not run, where it has changed
    before what a replay cannot take back."""
    cdef Stop stop
    for _, _, stop in recording.program.faults:
        if stop.handlers and not stop.leaves_nothing:
            return (
                f"record: an exception, as of an index out of range at {recording.program.trace.line_of(stop.calls - 1)} would run "
                f"{stop.handlers[0]}, and a replay would not, as it has changed weights, gradients or arguments before it; "
                "compute it before these changes, check the index outside of the step, or move it out of there")
    return None


# ---- what it has altered: places that the step can read --------------------------------------------


cdef str altered(Recording recording):
    """Whether the step has changed what it depends on, in a way that a replay would not. Leaves plain numbers where the
    step has put Numbers."""
    cdef bint keeps_numbers = recording.plain_numbers()
    return (
        drawn(recording) or unexplained(recording) or counted(recording)
        or (number_kept(recording) if keeps_numbers else None)
        or shared(recording) or option_changed(recording) or attribute_set(recording))


cdef str drawn(Recording recording):
    """Whether it has drawn random numbers that are not pyml's."""
    of = recording.program.guards.drawn()
    if of is None and recording.randomness != randomness():
        of = "Python or NumPy", recording.program.guards.line_of("random")
    if of is None:
        return None
    name, line = of
    at = "" if line is None else f" at {line[0]}:{line[1]}"
    return (
        f"record: the step draws random numbers of {name}{at}, and a replay would not draw new ones; "
        "draw them from pyml, or outside of the step")


cdef str unexplained(Recording recording):
    """Whether it has changed a place to something that a replay cannot put there."""
    cdef Target target
    if not recording.unexplained:
        return None
    target = recording.unexplained[0]
    return (
        f"record: the step changes {target.name!r}{recording.program.guards.where(target)}, which it can also read, and "
        f"a replay would not; {cure_of(recording, target)}")


cdef str cure_of(Recording recording, Target target):
    """What the user can do about such a place."""
    now = target.get()
    if isinstance(now, np.generic):
        return f"it is an np.{type(now).__name__}: make it a number of Python, int(...) or float(...)"
    if isinstance(now, Tensor) and not recording.is_new((<Tensor>now).array):
        return "it keeps an argument there, or a tensor that was there before: keep a copy, .clone()"
    items = list(now.values()) if isinstance(now, dict) else now if isinstance(now, (tuple, list)) else ()
    if any([isinstance(item, Tensor) for item in items]):
        return (
            f"it is a {type(now).__name__} of tensors: keep each at a place of its own (self.h, self.c = h, c), where a "
            "replay puts a new one")
    return "return the value, change it outside of the step, or run that part by pyml.host(function, ...)"


cdef str counted(Recording recording):
    """Whether it has changed numbers that no Number stood for. The next recording knows these places, and hears what is
    computed for them."""
    cdef Target target
    cdef str reason = None
    for target in recording.fresh_numbers:
        recording.numbers[target.at()] = target
        reason = (
            f"record: the step changes {target.name!r}{recording.program.guards.where(target)}, in a way that a replay "
            "cannot compute; keep it in a Tensor, or change it by pyml.host(function, ...)")
    return reason


cdef str number_kept(Recording recording):
    """A Number was found at a place that a replay does not know of."""
    return (
        f"record: a number that the step{of_function(recording.function, ' of ')} changes or reads from a tensor is kept elsewhere, "
        "or a function for the host has it from outside of its arguments; a replay would not put a new one there; pass it "
        "to pyml.host(function, number), or return it")


cdef str shared(Recording recording):
    """Whether a tensor that it replaces is also elsewhere, so that the program's own cannot take its place."""
    if recording.shared is None:
        return None
    return (
        f"record: the tensor that the step replaces at {recording.shared!r} is a view, or one that it also reaches by "
        "another name; "
        "begin with a clone")


cdef str option_changed(Recording recording):
    """Whether it has changed the values of an optimizer's option that is a Tensor."""
    for u in recording.program.updatings:
        for option, value in (<Updating>u).group.items():
            if isinstance(value, Tensor) and id(value) in recording.changed_tensors:
                return (
                    f"record: the step{of_function(recording.function, ' ')} changes the option {option!r} of an optimizer; a "
                    "scheduler may, or change it outside of the step")
    return None


cdef str attribute_set(Recording recording):
    """Whether it has set an attribute of a Tensor that is still in use to another value."""
    cdef set seen = set()
    for owner, attribute, before in recording.alterations:
        if (id(owner), attribute) in seen:
            continue
        seen.add((id(owner), attribute))
        if not isinstance(owner, Tensor) or Py_REFCNT(<PyObject *>owner) <= 2:   # `owner` and the list: it is gone
            continue
        now = bool((<Tensor>owner)._requires_grad) if attribute == "requires_grad" else None
        if now is not before and not equal_values(now, before):
            return (
                f"record: the step sets {attribute!r} of a {type(owner).__name__} anew each time, which a replay "
                "would not; set it outside, or return the value")
    return None


# ---- what has leaked: tensors that the step made, and somebody has kept -----------------------------


cdef str leaked(Recording recording):
    """Whether what the step made is still in use elsewhere: by a tensor that the function stored somewhere. To be asked
    when what it returned is gone, because references are counted."""
    cdef set known = memory_of_program(recording)
    return (
        gradient_kept(recording) or argument_kept(recording) or result_kept(recording)
        or memory_kept(recording, known) or constant_kept(recording, known))


cdef str is_kept(Recording recording, str what):
    return (
        f"record: {what} is kept after the step{of_function(recording.function, ' ')} (an attribute, a list, a global), and a replay "
        "would not put a new one there; make it before the step, return it, or keep it by pyml.host(function, tensor)")


cdef set memory_of_program(Recording recording):
    """Where memory begins that is new and in use by what the Program keeps."""
    cdef set known = set()
    cdef Gradient g
    cdef Result r
    cdef Tensor copy
    for g in recording.gradients.values():
        if g.tensor._grad is not None:
            add_memory(recording, known, g.tensor._grad.array)
    for fault, _, _ in recording.program.faults:
        add_memory(recording, known, fault)
    for slot in recording.program.slots:
        add_memory(recording, known, (<Slot>slot).array)
    for call in recording.program.host_calls:
        for array in (<HostCall>call).arrays:
            add_memory(recording, known, array)
    for copy in recording.staged:
        if copy._grad is not None:
            add_memory(recording, known, copy._grad.array)
    for r in recording.program.results:
        if r.kind == COPIED:
            add_memory(recording, known, r.array)
    return known


cdef int add_memory(Recording recording, set known, ndarray array) except -1:
    cdef Piece *piece = recording.memory.find(<size_t>cnp.PyArray_DATA(array))
    if piece != NULL:
        known.add(piece.begin)
    return 0


cdef str gradient_kept(Recording recording):
    """Whether a new .grad is in use beside the tensors whose .grad it is."""
    cdef Gradient g
    cdef Tensor t
    cdef dict holders = recording.holders()
    for g in recording.gradients.values():
        t = g.tensor._grad
        if t is not None and recording.is_new(t.array) and (
                Py_REFCNT(<PyObject *>t) > 1 + len(holders[id(t)]) or Py_REFCNT(<PyObject *>t.array) > 1):
            return is_kept(recording, f"a gradient of shape {t.shape}")
    return None


cdef str argument_kept(Recording recording):
    """Whether the copy of an argument is in use beside the list of them."""
    cdef Tensor t
    cdef Py_ssize_t i, tensors, arrays
    for i in range(len(recording.staged)):
        t = recording.staged[i]
        tensors = arrays = 0
        for other in recording.staged:
            tensors += other is t
        for other in {id(other): other for other in recording.staged}.values():
            arrays += (<Tensor>other).array is t.array
        other = None
        if Py_REFCNT(<PyObject *>t) > tensors + 1 or Py_REFCNT(<PyObject *>t.array) > arrays + 1:   # `t`; input_arrays
            return is_kept(recording, f"an argument of shape {t.shape}")
    return None


cdef str result_kept(Recording recording):
    """Whether the array of a result is in use beside the results, some of which may be views of others."""
    cdef Result r, other
    cdef ndarray array
    cdef Py_ssize_t count
    for r in recording.program.results:
        if r.kind != COPIED:
            continue
        array, count = r.array, 0
        for other in recording.program.results:
            if other.kind == COPIED:
                count += (other.array is array) + (cnp.get_array_base(other.array) is array)
        for slot in recording.program.slots:
            count += ((<Slot>slot).array is array) + (cnp.get_array_base((<Slot>slot).array) is array)
        if Py_REFCNT(<PyObject *>array) > count + 1:   # `array`
            return is_kept(recording, f"a result of shape {(<object>array).shape}")
    return None


cdef str memory_kept(Recording recording, set known):
    """Whether memory of a tensor that the step computed is not free yet."""
    cdef Py_ssize_t i
    cdef Piece *piece
    for i in range(recording.memory.count):
        piece = &recording.memory.pieces[i]
        if piece.marks & (NUMPY | CONSTANT) or piece.begin in known:
            continue
        file, line = recording.places.get(piece.begin, ("?", 0))
        return is_kept(recording, f"a tensor that was computed at {file}:{line}")
    return None


cdef str constant_kept(Recording recording, set known):
    """Whether a constant, or the array of a tensor on its memory, is in use beside the Program, which keeps all of them."""
    cdef dict holds = {}   # id of an array -> references to it from what the program keeps
    cdef list arrays = [array for array, _ in recording.program.constants]
    cdef set constants = {id(array) for array in arrays}
    for array in arrays:
        holds[id(array)] = 1   # the tuple in the list
    for array in recording.program.kept:   # themselves, and the arrays that they are views of
        base = cnp.get_array_base(<ndarray>array)
        for held in (array, base):
            holds[id(held)] = holds.get(id(held), 0) + 1
        if id(base) in constants and id(array) not in constants:
            arrays.append(array)
    for array, _ in recording.program.scalars:   # and the trace
        holds[id(array)] = holds.get(id(array), 0) + 2
    array = base = held = None
    for array in arrays:
        if <size_t>cnp.PyArray_DATA(array) in known:
            continue
        if Py_REFCNT(<PyObject *>array) > 2 + holds.get(id(array), 0):   # `array` and the list
            return is_kept(recording, f"a tensor of shape {array.shape} that the step made")
    return None
