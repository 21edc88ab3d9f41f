"""Writes calls.h, for kernels.c: the cases of tests/test_effects.py as calls in C, in both dtypes,
with what memory holds before each and, by the ISA baseline of this machine, after it.

    PYTHONPATH=tests python tests/c/calls.py > build/c/calls.h
"""

import math
import sys

import numpy as np
from test_effects import CASES, Array, Call

from pyml import _kernels

LEFT_OUT = {"callback", "multiply_adds"}  # a function of Python; what depends on the lanes


def literal(value):
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(map(literal, value)) + "}"
    if isinstance(value, (float, np.floating)):
        if math.isinf(value):
            return "INFINITY" if value > 0 else "-INFINITY"
        return "NAN" if math.isnan(value) else float(value).hex()
    return str(int(value))


def initializer(call, prefix, arguments):
    fields = []
    for field, value in arguments.items():
        if isinstance(value, (Array, str)):
            name = value if isinstance(value, str) else prefix + field
            begin, values = call.arrays[name]
            at = begin + (0 if isinstance(value, str) else value.at * values.itemsize)
            fields.append(f".{field} = (void *)(m + {at})")
        elif field != "segments":
            fields.append(f".{field} = {literal(value)}")
    return fields


def words(name, memory):
    return f"static const uint64_t {name}[] = {{{', '.join(map(hex, memory.view('<u8')))}}};"


def lines(number, call):
    case, arguments = call.case, call.case.arguments
    yield words(f"start_{number}", call.start)
    yield words(f"after_{number}", call.run(call.start))
    floats = [
        f"{{{begin}, {values.size}, {values.itemsize}}}, "
        for begin, values in call.arrays.values()
        if values.dtype.kind == "f" and values.size
    ]
    yield f"static const floats floats_{number}[] = {{{''.join(floats)}{{0}}}};"
    yield f"static int call_{number}(char *m)\n{{\n    (void)m;"
    fields = initializer(call, "", arguments)
    if "segments" in arguments:
        rows = [
            "{" + ", ".join(initializer(call, f"segments[{i}].", row)) + "}"
            for i, row in enumerate(arguments["segments"])
        ]
        fields += [".segments = NULL", ".count = 0"]
        if rows:
            yield f"    optim_segment table[] = {{{', '.join(rows)}}};"
            fields[-2:] = [".segments = table", f".count = {len(rows)}"]
    if "options" in arguments:
        fields.append(f".options_size = {arguments['options'].values.nbytes}")
    yield f"    {case.struct} a = {{{', '.join(fields)}}};"
    dtype = call.dtype.name.upper()
    yield f"    return pyml_submit(KERNEL_{case.kernel}, PYML_{dtype}, &a, sizeof a);\n}}"


def main():
    _kernels.select_isa("baseline")
    rows = []
    for case in CASES:
        for dtype in (np.float32, np.float64):
            if case.kernel in LEFT_OUT:
                continue
            number = len(rows)
            call = Call(case, np.dtype(dtype))
            print(*lines(number, call), sep="\n")
            rows.append(
                f'    {{"{case.kernel} {call.dtype}", call_{number}, start_{number}, '
                f"after_{number}, {call.size}, floats_{number}}},"
            )
    print("static const call calls[] = {", *rows, "};", sep="\n")


if __name__ == "__main__":
    sys.exit(main())
