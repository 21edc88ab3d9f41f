"""Makes the Program of a step whole, when a Recording has heard the step and there is no reason against it."""
import os

cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray

from pyml cimport _kernels
from pyml._kernels cimport EFFECT_READ, EFFECT_WRITE, csrc, program_call
from pyml.attributes cimport default_float
from pyml.grad_mode cimport grad_enabled
from pyml.memory cimport Block, size_bytes
from pyml.recording.allocations cimport REWRITTEN, Piece
from pyml.recording.diagnostics cimport Diagnosis
from pyml.recording.guards cimport ANY, Target
from pyml.recording.layout cimport first_of
from pyml.recording.listener cimport Recording, has_group
from pyml.recording.program cimport Gradient, Held, ParameterState, Program, Result, Slot, Stop, Updating, firsts_of, held
from pyml.recording.trace cimport FROM_BEFORE
from pyml.recording.verdict cimport altered, changes_view, handled, leaked, overlapping, strayed
from pyml.tensor cimport Tensor

from pyml.recording.program import NumberOf
from pyml.recording.refusal import RecordError

cnp.import_array()

cdef enum:
    SAVED = 4096       # bytes that a replay may copy at its begin, to be undone,
    SAVED_SHARE = 32   # or one in so many of those that its calls read and write

cdef int COPY = _kernels.kernel("copy")   # its number

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)


cdef str complete(Recording recording, list leaves):
    """Makes the Program whole. To be called after stop(), when the objects that the step made are gone.

    Args:
        leaves: the arguments themselves, not the copies that the step was given.

    Returns:
        Why the Program cannot be kept, or None.

    Raises:
        RecordError: an argument is also reached by another name.
    """
    cdef Program p = recording.program
    reason = overlapping(recording, leaves) or changes_view(recording, leaves)
    if reason is not None:   # what the step computed is not what it would compute without a recording
        raise RecordError(reason)
    reason = altered(recording) or leaked(recording)
    if reason is not None:
        return reason
    p.grad_mode, p.autocast, p.default = grad_enabled(), _kernels.autocast_enabled(), default_float()
    p.changed = list(recording.changed_tensors.values())
    complete_names(recording)
    p.diagnosis = Diagnosis()
    p.diagnosis.calls = p.calls
    p.diagnosis.insert(p.names)
    complete_constants(recording)
    complete_arguments(p, leaves)
    complete_inputs(recording, leaves)   # when all calls are there
    complete_faults(p)
    complete_check(recording)
    complete_gradients(recording)
    complete_updates(p)
    p.complete_stops()
    if os.environ.get("PYML_FUSE") != "0":
        complete_fusing(p)
    complete_guards(recording)
    p.computes = p.formula.asks()
    return strayed(recording) or handled(recording)


cdef int complete_names(Recording recording) except -1:
    """What the parameters are called: by the outermost module that was called."""
    cdef Program p = recording.program
    cdef Tensor t
    for module in recording.modules.values():
        for name, t in module.named_parameters():
            address = <size_t>cnp.PyArray_DATA(t.array)
            if len(p.names.get(address, "")) < len(name):
                p.names[address] = name
    return 0


cdef int complete_constants(Recording recording) except -1:
    """Constants that the step writes over have their first values again at the begin of each replay."""
    cdef Program p = recording.program
    cdef Piece *piece
    cdef bytes values
    for array, values in p.constants:
        piece = recording.memory.find(<size_t>cnp.PyArray_DATA(<ndarray>array))
        if piece != NULL and piece.marks & REWRITTEN and not any([array is other for other, _ in p.scalars]):
            if csrc.program_restore(p.calls, cnp.PyArray_DATA(<ndarray>array), <const char *>values, len(values)) != 0:
                raise MemoryError()
    return 0


cdef int complete_arguments(Program p, list leaves) except -1:
    """The form of the arguments that the Program is for."""
    p.shapes = [tuple(t.shape) for t in leaves]
    p.firsts = [first_of(leaves, i) for i in range(len(leaves))]
    p.types = [cnp.PyArray_TYPE((<Tensor>t).array) for t in leaves]
    p.needs_grad = [bool((<Tensor>t)._requires_grad) for t in leaves]
    for i, requires_grad in p.tracked:   # the step has set it: before, it was the other
        p.needs_grad[i] = not requires_grad
    p.is_apart = p.layout == tuple([(i, 0, None) for i in range(len(leaves))])
    return 0


cdef int complete_inputs(Recording recording, list leaves) except -1:
    """Memory that is another in each replay: of arguments, of gradients that were there, and of tensors in slots. Calls
    that point into it are bound anew."""
    cdef Program p = recording.program
    cdef ndarray array
    cdef int number
    p.inputs, p.written = [-1] * len(leaves), [False] * len(leaves)
    for i, (array, argument) in enumerate(zip(recording.input_arrays, recording.input_arguments)):
        number = csrc.program_input(p.calls, cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)))
        if number < 0:
            raise MemoryError()
        for k in range(len(leaves)) if argument >= 0 else ():
            if p.layout[k][0] == argument:
                p.inputs[k] = number
                p.written[k] = recording.has_changed(k)
    for i, slot in enumerate(p.slots):
        array = (<Slot>slot).before
        (<Slot>slot).input = csrc.program_input(p.calls, cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)))
        p.trace.rename(cnp.PyArray_DATA(array), max(1, cnp.PyArray_NBYTES(array)), i)
    p.writes = any(p.written)
    return 0


cdef int complete_faults(Program p) except -1:
    """Where a replay that meets an index out of range leaves nothing: a replay begins with a copy of what calls before
    there have written, such as the state of a generator. If that is too much, or other memory in each replay, there and
    behind it is left what Python leaves."""
    cdef Stop stop
    cdef Py_ssize_t begin = 0
    cdef set saved = set()
    limit = max(SAVED, p.trace.traffic() // SAVED_SHARE)
    for _, _, stop in p.faults:   # in the order of calls
        saved |= p.trace.written(begin, stop.calls)
        if any([kind != FROM_BEFORE for kind, _, _ in saved]) or sum([size for _, _, size in saved]) > limit:
            break
        stop.leaves_nothing, begin = True, stop.calls
    for _, address, size in p.trace.written(0, begin):
        if csrc.program_save(p.calls, <void *><size_t>address, size) != 0:
            raise MemoryError()
    return 0


cdef int complete_check(Recording recording) except -1:
    """After which call a replay stops if the first result is one number and not finite: where Python does, at the
    begin of a backward or at the end. If neither comes before weights are changed, at the call that gives it."""
    cdef Program p = recording.program
    cdef Result r = p.first_number()
    cdef program_call *calls = csrc.program_calls(p.calls)
    cdef list own = own_calls(p)
    cdef Py_ssize_t k
    cdef Stop stop
    cdef LastWrite last
    cdef list written = []   # (call, address) that give the number: the last one, then what that is a copy of
    if r is None:
        return 0
    last = LastWrite(<size_t>cnp.PyArray_DATA(r.array), 0, 0, False)
    for k in range(len(own) - 1, -1, -1):
        csrc.pyml_effects(calls[own[k]].kernel, calls[own[k]].dtype, calls[own[k]].args, see_last_write, &last)
        if last.found:
            written.append((k, last.address))
            if calls[own[k]].kernel != COPY or last.bytes > <size_t>cnp.PyArray_ITEMSIZE(r.array):
                break
            last = LastWrite(last.read, 0, 0, False)
    if not written:
        return 0
    p.check = held(r.array, True)
    for stop in recording.backward_stops:
        for k, address in written:
            if stop.calls > k:
                p.check_call, p.check.address, p.check_stop = own[stop.calls - 1], address, stop
                return 0
    p.checks_at_end = not p.trace.writes_outside(written[0][0] + 1)
    k, address = (len(own) - 1, written[0][1]) if p.checks_at_end else written[len(written) - 1]
    p.check_call, p.check.address = own[k], address
    return 0


cdef struct LastWrite:
    size_t address   # is it written?
    size_t read      # what is read
    size_t bytes     # that are written
    bint found


cdef void see_last_write(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef LastWrite *last = <LastWrite *>context
    if access & EFFECT_WRITE and last.address - (<size_t>field[0] - before) < size:
        last.found, last.bytes = True, size
    if access & EFFECT_READ:
        last.read = <size_t>field[0] - before


cdef int complete_gradients(Recording recording) except -1:
    """What a replay does about each .grad that the step reads or sets, and which of them it shares with others."""
    cdef Program p = recording.program
    cdef Gradient g
    cdef Tensor now
    cdef dict holders = recording.holders()
    for g in recording.gradients.values():
        now = g.tensor._grad
        g.kept = g.input >= 0 and now is not None and recording.input_arrays[g.input] is now.array
        g.sharing = [] if now is None else [other for other in holders[id(now)] if other is not g]
        for other in g.sharing:
            if (<Gradient>other).input >= 0 and recording.input_arrays[(<Gradient>other).input] is now.array and not g.kept:
                g.taken = other   # it is the one that the other has had before
        g.after = None if g.kept or g.taken is not None else now
        g.source = None if g.after is None else recording.source_of(now.array)
        if g.after is not None and recording.in_arena(now.array) and type(cnp.get_array_base(now.array)) is Block:
            g.block = cnp.get_array_base(now.array)
        p.gradients.append(g)
    p.first_of = firsts_of([recording.input_arrays[(<Gradient>g).input] for g in p.gradients if (<Gradient>g).input >= 0])
    p.shares = p.first_of is not None and p.first_of != list(range(len(p.first_of)))
    for i in range(len(recording.staged)):
        now = (<Tensor>recording.staged[i])._grad
        if now is not None:
            p.argument_gradients.append((i, now.array))
    return separate_gradients(recording)


cdef int separate_gradients(Recording recording) except -1:
    """Where a replay stops before a new gradient takes the place of the last one, this stays. So no call before the stop
    may use its memory for something else."""
    cdef Program p = recording.program
    cdef list own = own_calls(p)
    cdef Gradient g, other
    cdef Stop stop
    cdef Tensor before
    cdef Py_ssize_t first
    for g in p.gradients:
        if g.block is None:
            continue
        first = recording.made_before[<size_t>g.block.memory]
        stops = [stop for stop in p.stops() if not any([t is g.tensor for t, _ in (<Stop>stop).gradients])]
        if not any([write_into(p, own[:min(first, (<Stop>stop).calls)], g.block) for stop in stops]):
            continue
        before = g.after
        p.move_gradient(g, own[first], first)
        cnp.PyArray_CopyInto(g.after.array, before.array)
        for other in [g, *g.sharing]:
            other.tensor._grad = g.after
    return 0


cdef list own_calls(Program p):
    """The indices of the calls that the step itself makes, without those of the diagnosis: as stops count them."""
    cdef program_call *calls = csrc.program_calls(p.calls)
    return [i for i in range(csrc.program_count(p.calls)) if not calls[i].is_extra]


cdef bint write_into(Program p, list indices, Block block) except -1:
    """Whether some calls write into a block."""
    cdef program_call *calls = csrc.program_calls(p.calls)
    cdef Writes found = Writes(<size_t>block.memory, size_bytes(block.index), False)
    for i in indices:
        csrc.pyml_effects(
            calls[<Py_ssize_t>i].kernel, calls[<Py_ssize_t>i].dtype, calls[<Py_ssize_t>i].args, see_writes, &found)
    return found.found


cdef struct Writes:
    size_t begin, size   # into this memory?
    bint found


cdef void see_writes(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    cdef Writes *writes = <Writes *>context
    cdef size_t begin = <size_t>field[0] - before
    if access & EFFECT_WRITE and begin < writes.begin + writes.size and writes.begin < begin + size:
        writes.found = True


cdef int complete_updates(Program p) except -1:
    """The state that optimizers have now, and which schedulers make their steps after the updates."""
    cdef Updating u
    cdef Tensor t
    for u in p.updatings:
        u.states = [state_of(t, u.state[t]) for t in u.parameters if t in u.state]
    p.schedules = [   # one that sets options of no update may do it at the end, too
        (scheduler, stepped or not any([has_group(scheduler, (<Updating>u).group) for u in p.updatings]))
        for scheduler, stepped in p.schedules]
    return 0


cdef int complete_fusing(Program p) except -1:
    """Calls that work row by row become chains, but where a replay may stop and leave what lies in the program's memory."""
    cdef Stop stop
    for stop in p.stops():
        for _, value in stop.puts + stop.gradients + stop.argument_gradients:
            if isinstance(value, (Held, NumberOf)):
                return 0
    cdef bint behind = not any([keeps_gradients(p, stop) for stop in p.stops()])
    p.arena.bytes -= csrc.program_fuse(p.calls, is_left, <void *>p, behind)
    return 0


cdef bint keeps_gradients(Program p, Stop stop) except -1:
    """Whether a replay that stops here leaves a gradient of the one before: it is not None after a step, and not yet here."""
    cdef Gradient g
    for g in p.gradients:
        if (g.after is not None or g.taken is not None) and not any([t is g.tensor for t, _ in stop.gradients]):
            return True
    return False


cdef int is_left(void *context, const void *address) noexcept:
    """Whether a step leaves nothing at an address: it is memory of a result that was freed in the step."""
    return (<Program>context).arena.waits(address)


cdef ParameterState state_of(Tensor parameter, dict values):
    cdef ParameterState kept = ParameterState()
    kept.parameter, kept.values = parameter, values
    kept.names = [name for name, value in values.items() if isinstance(value, Tensor)]
    kept.tensors = [values[name] for name in kept.names]
    kept.arrays = [(<Tensor>t).array for t in kept.tensors]
    return kept


cdef int complete_guards(Recording recording) except -1:
    """What must be as it was before a replay: all that the step can read, without what each replay changes itself."""
    cdef Program p = recording.program
    cdef Target target
    cdef Slot slot
    cdef dict effects = dict(p.flags)
    for target, _, _ in recording.traced:
        p.numbers.append(target)
        effects[target.at()] = ANY
    for slot in p.slots:
        effects[slot.target.at()] = ANY
    modules = [module for module in recording.modules.values() if not is_passing(recording, module)]
    p.guards.reach.learn(recording.ran, recording.pickles)
    p.guards.complete(modules, recording.steppers, effects)
    return 0


cdef bint is_passing(Recording recording, module) except -1:
    """Whether a Module was made in the step, called, and is gone but for the Recording's own references and the caller's."""
    return Py_REFCNT(<PyObject *>module) <= 2 + sum([owner is module for owner, _, _ in recording.alterations])
