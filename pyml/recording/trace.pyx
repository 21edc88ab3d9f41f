"""The calls of a recorded step in a form in which two recordings of it can be compared.

Addresses differ from one recording to the next. So memory is named by where it comes from: an argument, something that
was there before the step (by its address), or new memory, numbered in the order in which the calls use it. Two
recordings in which all calls are of the same kernels, with the same numbers, on memory of the same names, compute
the same from the same values.
"""
cimport cython
import numpy as np
from libc.stdint cimport int64_t

from pyml._kernels cimport (
    FIELD_DOUBLE, FIELD_INT, FIELD_POINTER, EFFECT_READ, EFFECT_WRITE, argument_field, csrc,
)
from pyml.recording.allocations cimport CONSTANT, Piece

@cython.final
cdef class Call:
    """One call of a kernel: what it is, where it was made, and what it works on."""
    cdef int kernel, dtype
    cdef tuple place       # (file, line)
    cdef tuple numbers     # (name, value) of the arguments that are no pointers
    cdef tuple wires       # (kind, which, offset, bytes, access) of each piece of memory
    cdef tuple constants   # (number, dtype, bytes) of new memory with given values that it is the first to use

    cdef str name(self):
        return csrc.pyml_kernel_name(self.kernel).decode()


@cython.final
cdef class Trace:
    """All calls of a recording."""

    def __cinit__(self):
        self.calls, self.constants = [], {}

    cdef int note(self, int kernel, int dtype, void *args, tuple place) except -1:
        """Adds a call, with its arguments as the program keeps them."""
        cdef Call call = Call()
        self.wires, self.fresh = [], []
        csrc.pyml_effects(kernel, dtype, args, see, <void *>self)
        call.kernel, call.dtype, call.place = kernel, dtype, place
        call.numbers, call.wires, call.constants = numbers_of(kernel, args), tuple(self.wires), tuple(self.fresh)
        self.calls.append(call)
        return 0

    cdef int wire(self, void **field, ptrdiff_t before, size_t size, int access) except -1:
        """Names a piece of memory that a call touches."""
        cdef size_t begin = <size_t>field[0] - before
        cdef Piece *piece = self.inputs.find(begin)
        if piece != NULL:
            self.wires.append((FROM_INPUT, <Py_ssize_t>(piece - self.inputs.pieces), begin - piece.begin, size, access))
            return 0
        piece = self.memory.find(begin)
        if piece == NULL:
            owns = csrc.program_owns(self.program, field[0])
            self.wires.append((FROM_PROGRAM if owns else FROM_BEFORE, 0 if owns else begin, 0, size, access))
            return 0
        if piece.number < 0:
            piece.number = self.used
            self.used += 1
            if piece.marks & CONSTANT:
                array, values = self.constants[piece.begin]
                self.fresh.append((piece.number, None if array is None else array.dtype, values))
        self.wires.append((FROM_STEP, piece.number, begin - piece.begin, size, access))
        return 0

    cdef int rename(self, const void *memory, size_t size, Py_ssize_t slot) except -1:
        """What lies in [memory, memory + size) is the tensor of a slot: another one in each call."""
        cdef Call call
        cdef size_t begin = <size_t>memory
        for call in self.calls:
            call.wires = tuple([
                (FROM_SLOT, slot, which - begin, bytes_, access) if kind == FROM_BEFORE and begin <= which < begin + size
                else (kind, which, offset, bytes_, access)
                for kind, which, offset, bytes_, access in call.wires])
        return 0

    cdef set outside(self):
        """(address, bytes) of all memory that was there before the step."""
        cdef Call call
        return {(which, size) for call in self.calls for kind, which, _, size, _ in call.wires if kind == FROM_BEFORE}

    cdef str user_of(self, int kind, size_t which):
        """In words, the last call that writes some memory, or else uses it, and its line; "" if there is none."""
        cdef Call call
        for asked, does in ((EFFECT_WRITE, "writes"), (EFFECT_READ, "reads")):
            for call in reversed(self.calls):
                if any([of == kind and each == which and access & asked for of, each, _, _, access in call.wires]):
                    return f", which {call.name()} {does} at {call.place[0]}:{call.place[1]},"
        return ""

    cdef str line_of(self, Py_ssize_t call):
        """The line that makes a call."""
        file, line = (<Call>self.calls[call]).place
        return f"{file}:{line}"

    cdef bint writes_outside(self, Py_ssize_t begin):
        """Whether calls from `begin` on change memory that is not the step's own."""
        cdef Call call
        return any([kind != FROM_STEP and access & EFFECT_WRITE
                    for call in self.calls[begin:] for kind, _, _, _, access in call.wires])

    cdef set written(self, Py_ssize_t begin, Py_ssize_t end):
        """(kind, address, bytes) of the memory that is not the step's own and that calls from `begin` to `end` write. Only
        of what was there before (FROM_BEFORE) there is an address."""
        cdef Call call
        return {(kind, which, size) for call in self.calls[begin:end] for kind, which, _, size, access in call.wires
                if kind != FROM_STEP and access & EFFECT_WRITE}

    cdef Py_ssize_t traffic(self):
        """Bytes that all calls read or write."""
        cdef Call call
        return sum([size for call in self.calls for _, _, _, size, _ in call.wires])

    cdef tuple difference(self, Trace other):
        """(what is different in `other`, the later recording, its place), or None."""
        cdef Call a, b
        for a, b in zip(self.calls, other.calls):
            if a.kernel != b.kernel or a.dtype != b.dtype:
                return f"a call of {a.name()} has become one of {b.name()}", b.place
            for (name, before), (_, now) in zip(a.numbers, b.numbers):
                if name == "function" and before != now:   # numbers of callbacks, which mean nothing to who reads them
                    return "NumPy computes something else, or with other options or shapes", b.place
                if repr(before) != repr(now):   # 0 is not -0, and NaN is NaN
                    return f"{name} of {b.name()} was {before}, and is {now}", b.place
            for (_, kind, before), (_, _, now) in zip(a.constants, b.constants):
                if before != now:
                    return f"{b.name()} takes {shown(kind, before, now)}", b.place
            if a.wires != b.wires or a.constants != b.constants:
                return f"{b.name()} works on {other_memory(a.wires, b.wires)}", b.place
        if len(self.calls) > len(other.calls):
            a = self.calls[len(other.calls)]
            return f"{a.name()} is not called any more", a.place
        if len(self.calls) < len(other.calls):
            b = other.calls[len(self.calls)]
            return f"{b.name()} was not called before", b.place
        return None


cdef void see(void *context, void **field, ptrdiff_t before, size_t size, int access) noexcept:
    (<Trace>context).wire(field, before, size, access)


cdef tuple numbers_of(int kernel, void *args):
    """(name, value) of each argument that is no pointer."""
    cdef const argument_field *field = csrc.pyml_arguments(kernel)
    cdef list numbers = []
    cdef char *at
    cdef Py_ssize_t i
    while field.name != NULL:
        if field.kind != FIELD_POINTER:
            for i in range(field.count):
                at = <char *>args + field.offset
                if field.kind == FIELD_DOUBLE:
                    value = (<double *>at)[i]
                elif field.kind == FIELD_INT:
                    value = (<int *>at)[i]
                else:
                    value = (<int64_t *>at)[i]
                numbers.append((field.name.decode(), value))
        field += 1
    return tuple(numbers)


def shown(dtype, before, now):
    """Two constants, for a message: the first elements that differ."""
    if dtype is None:
        return "a number that is computed otherwise"
    before, now = np.frombuffer(before, dtype), np.frombuffer(now, dtype)
    if before.size != now.size:
        return f"{now.size} given numbers, and took {before.size}"
    i = next(i for i in range(now.size) if before[i].tobytes() != now[i].tobytes())
    return f"the number {now[i]}, and took {before[i]}"


def other_memory(before, now):
    """What the first piece of memory that differs was and is."""
    for a, b in zip(before, now):
        if a != b:
            if a[0] != b[0]:
                return f"{KINDS[b[0]]}, and worked on {KINDS[a[0]]}"
            if a[:2] != b[:2]:
                return f"another one: {KINDS[b[0]]} that is not the one of before"
            return "another part of the same memory"
    return "more or fewer tensors than before"


KINDS = {
    FROM_BEFORE: "a tensor that was there before the step", FROM_INPUT: "an argument or a gradient",
    FROM_STEP: "a result of the step", FROM_SLOT: "a tensor that the step replaces", FROM_PROGRAM: "the step counts of an optimizer",
}
