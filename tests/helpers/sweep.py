"""One check for every kernel: each ISA, dtype, size around the lane count, values and threads.

def test_relu():
    check_kernel(
        "relu_forward",
        lambda y, x: _kernels.activation_forward(KERNEL["relu_forward"], y, x, 0, 0),
        arguments=lambda draw, n: {"x": draw(n)},
        reference=lambda x: {"y": np.maximum(x, 0)},
        eps=tolerances.EXACT,
        in_place=[("y", "x")],
    )
"""

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers.compare import bits, first_mismatch
from helpers.memory import Guarded, at_page_end
from pyml import _kernels

KERNEL = {name: i for i, name in enumerate(_kernels.kernel_names())}
DTYPES = (np.dtype("float32"), np.dtype("float64"))
WIDE = {DTYPES[0]: DTYPES[1], DTYPES[1]: np.dtype(np.longdouble)}  # what a reference computes in

LARGE = 200_003  # elements: enough work for three threads in the cheapest kernel
LARGE_MATH = 60_003  # the same of a kernel that computes exponentials
MANY = 3001  # elements that show every special value, alone and beside another
SHARED = 20_000  # elements of a call that threads may share
THREADS = (2, 3)  # counts whose results must be those of one thread, to the bit


@dataclass
class Selection:
    """What pytest's options --isa, --dtype, --size and --values leave of the sweeps."""

    isa: str = None
    dtype: str = None
    size: int = None
    values: str = None

    def keeps(self, **case):
        return all(getattr(self, axis) in (None, value) for axis, value in case.items())


selection = Selection()


class Scaled(NamedTuple):
    """A wanted output and the scale of its errors; None: its own size."""

    wanted: np.ndarray
    scale: np.ndarray


def around_lanes(lanes, large=LARGE):
    return [0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, large]


def around_lanes_math(lanes):
    return around_lanes(lanes, LARGE_MATH)


def columns_around_lanes(lanes):
    """Sizes of a second dimension."""
    return sorted({0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 4 * lanes + 1, 131})


class Draw:
    """Random inputs of one dtype. draw(shape) has the values that the sweep is at.

    normal   N(0, 1)
    offset   1e4 + N(0, 1)
    special  among normal numbers +-0, infinities, NaN, subnormals, the largest and the smallest
    """

    def __init__(self, rng, dtype, values):
        self.rng, self.dtype, self.values = rng, dtype, values

    def __call__(self, shape):
        x = self.normal(shape)
        if self.values == "offset":
            return x + self.dtype.type(1e4)
        if self.values == "special":
            specials = self.specials()
            chosen = specials[self.rng.integers(len(specials), size=shape)]
            return np.where(self.rng.random(shape) < 0.5, chosen, x)
        return x

    def specials(self):
        info = np.finfo(self.dtype)
        small = [0, info.smallest_subnormal, info.tiny / 2, info.tiny, info.eps]
        positive = np.array([*small, 0.5, 1, 30, 88, 100, 710, 1e4, info.max, np.inf], self.dtype)
        return np.concatenate([positive, -positive, np.full(2, np.nan, self.dtype)])

    def normal(self, shape):
        return self.rng.normal(size=shape).astype(self.dtype)

    def uniform(self, shape, low, high):
        return self.rng.uniform(low, high, shape).astype(self.dtype)

    def index(self, below, shape):
        """Integers in [0, below); zeros if there are none."""
        return self.rng.integers(max(below, 1), size=shape)


def flushed(x):
    """x with its subnormals as the kernels take them."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def without_largest(x):
    """x without the numbers whose sums overflow on the way to a result that does not."""
    return np.where(np.abs(x) == np.finfo(x.dtype).max, x.dtype.type(1), x)


def widened(argument, flushes):
    """What a reference sees of an argument: flushed if the kernel does that, in the wider type."""
    if not is_real(argument):
        return argument
    return (flushed(argument) if flushes else argument).astype(WIDE[argument.dtype])


def is_real(argument):
    return isinstance(argument, np.ndarray) and argument.dtype.kind == "f"


@dataclass(frozen=True)
class Check:
    """What check_kernel was asked."""

    name: str
    call: Callable
    arguments: Callable
    reference: Callable
    eps: float | dict
    in_place: tuple
    signed_zero: bool
    flushes: bool

    def eps_of(self, output):
        return self.eps[output] if isinstance(self.eps, dict) else self.eps


@dataclass(frozen=True)
class Case:
    """One point of the sweep."""

    isa: str
    dtype: np.dtype
    size: int
    values: str

    def __str__(self):
        return f"on {self.isa}, {self.dtype}, size {self.size}, {self.values} values"

    def reproduction(self):
        test = os.environ.get("PYTEST_CURRENT_TEST", "tests").rsplit(" ", 1)[0]
        axes = f"--isa {self.isa} --dtype {self.dtype} --size {self.size} --values {self.values}"
        return f"pytest '{test}' {axes}"

    def draw(self, name):
        """The same numbers on every ISA, and in a run of this case alone."""
        seed = zlib.crc32(f"{name} {self.dtype} {self.size} {self.values}".encode())
        return Draw(np.random.default_rng(seed), self.dtype, self.values)


def check_kernel(
    name,
    call,
    *,
    arguments,
    reference,
    eps,
    sizes=around_lanes,
    values=("normal",),
    in_place=(),
    dtypes=DTYPES,
    signed_zero=False,
    flushes=True,
):
    """Calls a kernel on all that it must get right.

    Inputs end where memory does and must not change; outputs start as NaN, between guard bands.

    Args:
        name: the kernel's, in csrc/kernel_list.h.
        call: call(**outputs, **inputs), arrays by the names of the contract.
        arguments: arguments(draw, size), the inputs by name, arrays or None. See Draw.
        reference: reference(**inputs), the outputs by name: arrays, or Scaled. It computes in a
            wider type. An output that is also an input is read and written.
        eps: a tolerance, one of helpers.tolerances, or a dict of them by output.
        sizes: sizes(lanes), what `arguments` takes.
        values: kinds of values, see Draw.
        in_place: pairs (output, input) that may be one array, and must then give the same bits.
        dtypes: those of the kernel.
        signed_zero: -0 is not +0.
        flushes: the kernel takes subnormals for zeros.

    Raises:
        AssertionError: listing the first failure of each ISA and dtype.
    """
    check = Check(name, call, arguments, reference, eps, tuple(in_place), signed_zero, flushes)
    failures, before = [], _kernels.selected_isa()
    try:
        for isa in _kernels.available_isas():
            _kernels.select_isa(isa)
            for dtype in dtypes:
                failures += first_failure(check, cases(isa, dtype, sizes, values))
    finally:
        _kernels.select_isa(before)
    if failures:
        raise AssertionError("\n".join(failures))


def cases(isa, dtype, sizes, values):
    """All sizes with the first kind of values; with the others no more than MANY elements."""
    sizes = sizes(_kernels.lanes(dtype))
    for kind in values:
        for size in sizes if kind == values[0] else sorted({min(size, MANY) for size in sizes}):
            if selection.keeps(isa=isa, dtype=str(dtype), size=size, values=kind):
                yield Case(isa, dtype, size, kind)


def first_failure(check, cases):
    """A list of one message, or of none."""
    for case in cases:
        failure = failure_of(check, case)
        if failure is not None:
            return [f"{check.name} {case}: {failure}\n    {case.reproduction()}"]
    return []


def failure_of(check, case):
    """What is wrong in a case, in words, or None."""
    inputs = check.arguments(case.draw(check.name), case.size)
    with np.errstate(all="ignore"):
        seen = {key: widened(value, check.flushes) for key, value in inputs.items()}
        wanted = check.reference(**seen)
    for key, value in wanted.items():
        if not isinstance(value, Scaled):
            wanted[key] = Scaled(np.asarray(value), None)

    _kernels.set_num_threads(1)
    outputs, failure = run(check, case, inputs, wanted)
    if failure is not None:
        return failure
    for key, (value, scale) in wanted.items():
        mismatch = first_mismatch(outputs[key], value, check.eps_of(key), scale, check.signed_zero)
        if mismatch is not None:
            return f"{key}: {mismatch}"

    elements = sum(np.size(array) for array in [*inputs.values(), *outputs.values()])
    for threads in THREADS if elements >= SHARED else ():
        _kernels.set_num_threads(threads)
        again, failure = run(check, case, inputs, wanted)
        failure = failure or difference(again, outputs)
        if failure is not None:
            return f"{threads} threads: {failure}"
    _kernels.set_num_threads(1)
    for shared in check.in_place:
        again, failure = run(check, case, inputs, wanted, shared)
        failure = failure or difference(again, outputs)
        if failure is not None:
            return f"{shared[0]} is {shared[1]}: {failure}"
    return None


def difference(outputs, expected):
    """The first other bit of the outputs, in words, or None."""
    for key, array in expected.items():
        different = np.flatnonzero(bits(outputs[key]) != bits(array))
        if len(different):
            i = different[0]
            got, was = outputs[key].flat[i], array.flat[i]
            return f"{key} has other bits, first at flat index {i}: {got!r}, was {was!r}"
    return None


def run(check, case, inputs, wanted, shared=(None, None)):
    """Calls the kernel once: (outputs, what it did to its neighbours, in words, or None).

    `shared` is a pair (output, input) that is one array.
    """
    output, source = shared
    guarded = {
        key: Guarded(
            value.shape,
            case.dtype if value.dtype.kind == "f" else value.dtype,
            inputs[source] if key == output else inputs.get(key),
        )
        for key, (value, _) in wanted.items()
    }
    outputs = {key: guard.array for key, guard in guarded.items()}
    read_only = {
        key: at_page_end(value)
        for key, value in inputs.items()
        if isinstance(value, np.ndarray) and key not in outputs and key != source
    }
    for array in read_only.values():
        array.flags.writeable = False
    nothing = {key: None for key, value in inputs.items() if value is None}
    check.call(**outputs, **read_only, **nothing, **({source: outputs[output]} if source else {}))
    for key, guard in guarded.items():
        if guard.broken():
            return outputs, f"{key}: {guard.broken()}"
    for key, array in read_only.items():
        if not np.array_equal(bits(array), bits(inputs[key])):
            return outputs, f"the input {key} was changed"
    return outputs, None
