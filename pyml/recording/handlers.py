"""Code that would run if an operation of the step raised: `except`, `finally`, `with` around it.

A replay runs none of it. So a recording asks what is open where an operation may raise in a replay.
"""

import dis
import functools
import sys
from typing import NamedTuple

from pyml.recording.code import PACKAGE

# A replay leaves these modes as they were.
MODES = {"no_grad", "enable_grad", "set_grad_enabled", "autocast"}
MATCHES = {"CHECK_EXC_MATCH", "CHECK_EG_MATCH", "JUMP_IF_NOT_EXC_MATCH", "POP_EXCEPT"}


class Handler(NamedTuple):
    """One of them."""

    word: str
    """`except`, `finally` or `with`."""
    file: str
    line: int

    def __str__(self):
        return f"the {self.word} at {self.file}:{self.line}"


def open_handlers(caller):
    """The Handlers around what runs now, in frames above `caller`'s, the innermost first."""
    frame, found = sys._getframe(), []
    while frame is not None and frame is not caller:
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            found += [
                Handler(word, code.co_filename, line)
                for word, line in handlers_at(code, frame.f_lasti)
            ]
        frame = frame.f_back
    return found


@functools.lru_cache(maxsize=1000)
def handlers_at(code, at):
    """(word, line) of the handlers around the instruction at an offset, the innermost first."""
    bytecode = dis.Bytecode(code)
    instructions = list(bytecode)
    numbers = {each.offset: i for i, each in enumerate(instructions)}
    found = []
    for begin, target in entries_around(bytecode, instructions, at):
        word = word_of(instructions, numbers[target])
        if word is not None and not (
            word == "with" and MODES & names_before(instructions, numbers[begin])
        ):
            found.append((word, line_of(code, target)))
    return found


def entries_around(bytecode, instructions, at):
    """(where it begins, its handler) of each protected part of the code around an offset."""
    entries = getattr(bytecode, "exception_entries", None)
    if entries is None:  # Python 3.10 pushes blocks
        return [
            (each.offset, each.argval)
            for each in reversed(instructions)
            if each.opname in ("SETUP_FINALLY", "SETUP_WITH") and each.offset < at < each.argval
        ]
    found, seen = [], set()
    while True:  # the code of a handler is in turn protected by what is around it
        target = next((e.target for e in entries if e.start <= at < e.end), None)
        if target is None or target in seen:
            return found
        seen.add(target)
        found.append((min(e.start for e in entries if e.target == target), target))
        at = target


def word_of(instructions, first):
    """What the handler that begins at an instruction was written as; None: the compiler's own."""
    names = [each.opname for each in instructions[first:]]
    if names[0] != "PUSH_EXC_INFO" and sys.version_info >= (3, 11):
        return None
    if "WITH_EXCEPT_START" in names[:2]:
        return "with"
    for name in names:
        if name in MATCHES:
            return "except"
        if name == "RERAISE":
            break
    return "finally"


def names_before(instructions, first):
    """The names that the expression of a `with` is made of, which stands before its block."""
    found = set()
    for each in reversed(instructions[:first]):
        if each.opname.startswith(("STORE_", "POP_TOP", "NOP", "RESUME")):
            break
        if each.opname.startswith("LOAD_"):
            found.add(each.argval)
    return {name for name in found if isinstance(name, str)}


def line_of(code, offset):
    """The first line of what begins at an offset: some instructions have none."""
    lines = [line for _, end, line in code.co_lines() if end > offset and line is not None]
    return lines[0] if lines else code.co_firstlineno
