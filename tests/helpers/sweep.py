"""One check for every kernel: each ISA, dtype, size around the lane count, kind of values and
thread count.

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
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers.compare import bits, first_mismatch
from helpers.memory import Guarded, at_page_end
from pyml import _kernels

KERNEL = {name: i for i, name in enumerate(_kernels.kernel_names())}
DTYPES = (np.dtype("float32"), np.dtype("float64"))
LARGE = 200_003  # elements: enough work for three threads in the cheapest kernel
LARGE_MATH = 60_003  # ... and in one that computes an exponential
SHARED = 20_000  # elements of a call that threads may share
MANY = 3001  # elements that show every special value, alone and beside another
THREADS = (2, 3)  # whose results must be those of one thread, to the bit
WIDE = {
    DTYPES[0]: np.dtype("float64"),
    DTYPES[1]: np.dtype(np.longdouble),
}  # what a reference computes in


@dataclass
class Selection:
    """What the options --isa, --dtype, --size and --values of pytest leave of the sweeps; None:
    all."""

    isa: str = None
    dtype: str = None
    size: int = None
    values: str = None

    def keeps(self, **case):
        return all(getattr(self, axis) in (None, value) for axis, value in case.items())


selection = Selection()


class Scaled(NamedTuple):
    """A wanted output and the scale of its errors, where that is not its own size."""

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
    """Random inputs of one dtype. draw(shape) has the values of the sweep's axis:

    normal   N(0, 1)
    offset   1e4 + N(0, 1)
    special  among normal numbers: +-0, infinities, NaN, subnormals, the largest and smallest
    numbers, offsets
    extreme  the same without NaN and infinities
    """

    def __init__(self, rng, dtype, values):
        self.rng, self.dtype, self.values = rng, dtype, values

    def __call__(self, shape):
        x = self.normal(shape)
        if self.values == "offset":
            return x + self.dtype.type(1e4)
        if self.values in ("special", "extreme"):
            odd = self.specials()
            chosen = self.rng.random(shape) < 0.5
            x = np.where(chosen, odd[self.rng.integers(len(odd), size=shape)], x)
        return x

    def specials(self):
        info = np.finfo(self.dtype)
        positive = [
            0,
            info.tiny / 2,
            info.smallest_subnormal,
            info.tiny,
            info.eps,
            0.5,
            1,
            30,
            88,
            100,
            710,
            1e4,
            info.max,
        ]
        if self.values == "special":
            positive += [np.inf, np.nan]
        return np.array([*positive, *(-np.array(positive, self.dtype))], self.dtype)

    def normal(self, shape, mean=0, std=1):
        return self.rng.normal(mean, std, shape).astype(self.dtype)

    def uniform(self, shape, low, high):
        return self.rng.uniform(low, high, shape).astype(self.dtype)

    def index(self, below, shape):
        return self.rng.integers(below, size=shape) if below > 0 else np.zeros(shape, np.int64)


def flushed(x):
    """x with its subnormals as the kernels take them."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def without_largest(x):
    """x without the numbers whose sums overflow on the way to a result that does not."""
    return np.where(np.abs(x) == np.finfo(x.dtype).max, x.dtype.type(1), x)


def widened(argument):
    """What a reference sees of an argument: flushed, in the wider type."""
    if not isinstance(argument, np.ndarray) or argument.dtype.kind != "f":
        return argument
    return flushed(argument).astype(WIDE[argument.dtype])


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
):
    """Calls a kernel on everything it must get right and raises one AssertionError that lists the
    first failure of
    each ISA and dtype.

    name        of the kernel in csrc/kernel_list.h
    call        call(**outputs, **inputs), arrays by the names of the contract
    arguments   arguments(draw, size) -> inputs by name, arrays or None; see Draw
    reference   reference(**inputs) -> outputs by name, computed in a wider type: an array, or
    Scaled.
                A floating-point output gets the dtype under test. One that is also an input is read
                and written.
    eps         the tolerance, one of helpers.tolerances, or a dict of them by output
    sizes       sizes(lanes) -> what `arguments` takes
    values      the kinds of values, see Draw
    in_place    pairs (output, input) that may be one array, and must then give the same bits
    """
    failures, before = [], _kernels.selected_isa()
    try:
        for isa in _kernels.available_isas():
            _kernels.select_isa(isa)
            for dtype in dtypes:
                for case in cases(isa, dtype, sizes(_kernels.lanes(dtype)), values):
                    failure = check_case(
                        name, call, case, arguments, reference, eps, in_place, signed_zero
                    )
                    if failure is not None:
                        failures.append(f"{name} {case}: {failure}\n    {case.reproduction()}")
                        break
    finally:
        _kernels.select_isa(before)
    if failures:
        raise AssertionError("\n".join(failures))


@dataclass(frozen=True)
class Case:
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
        seed = zlib.crc32(f"{name} {self.dtype} {self.size} {self.values}".encode())
        return Draw(np.random.default_rng(seed), self.dtype, self.values)


def cases(isa, dtype, sizes, values):
    """All sizes with the first kind of values; with the others no more than MANY elements."""
    for kind in values:
        for size in sizes if kind == values[0] else sorted({min(size, MANY) for size in sizes}):
            if selection.keeps(isa=isa, dtype=str(dtype), size=size, values=kind):
                yield Case(isa, dtype, size, kind)


def check_case(name, call, case, arguments, reference, eps, in_place, signed_zero):
    """What is wrong, in words, or None."""
    inputs = arguments(case.draw(name), case.size)
    with np.errstate(all="ignore"):
        wanted = reference(**{key: widened(value) for key, value in inputs.items()})
    wanted = {
        key: value if isinstance(value, Scaled) else Scaled(np.asarray(value), None)
        for key, value in wanted.items()
    }

    _kernels.set_num_threads(1)
    outputs, failure = run(call, case, inputs, wanted)
    if failure is not None:
        return failure
    for key, (value, scale) in wanted.items():
        try:
            mismatch = first_mismatch(
                outputs[key], value, eps[key] if isinstance(eps, dict) else eps, scale, signed_zero
            )
        except AssertionError as error:
            mismatch = error
        if mismatch is not None:
            return f"{key}: {mismatch}"

    elements = sum(np.size(array) for array in [*inputs.values(), *outputs.values()])
    again = [(f"{threads} threads", threads, None) for threads in THREADS if elements >= SHARED]
    again += [(f"{output} is {source}", 1, (output, source)) for output, source in in_place]
    for what, threads, shared in again:
        _kernels.set_num_threads(threads)
        others, failure = run(call, case, inputs, wanted, shared)
        _kernels.set_num_threads(1)
        if failure is not None:
            return f"{what}: {failure}"
        for key in wanted:
            different = np.flatnonzero(bits(outputs[key]) != bits(others[key]))
            if len(different):
                i = different[0]
                return (
                    f"{what}: {key} has other bits, first at flat index {i}: "
                    f"{others[key].flat[i]!r}, was {outputs[key].flat[i]!r}"
                )
    return None


def run(call, case, inputs, wanted, shared=None):
    """Runs the kernel on guarded outputs and inputs at the end of their pages; (outputs, what is
    wrong or None).
    `shared` is a pair (output, input) that is one array."""
    output, source = shared or (None, None)
    guarded = {
        key: Guarded(
            value.shape,
            case.dtype if value.dtype.kind == "f" else value.dtype,
            inputs[source] if key == output else inputs.get(key),
        )
        for key, (value, _) in wanted.items()
    }
    arrays = {
        key: at_page_end(value) if isinstance(value, np.ndarray) else value
        for key, value in inputs.items()
        if key not in guarded and key != source
    }
    outputs = {key: guard.array for key, guard in guarded.items()}
    if shared:
        arrays[source] = outputs[output]
    for array in arrays.values():
        if isinstance(array, np.ndarray) and not shared:
            array.flags.writeable = False
    call(**outputs, **arrays)
    for key, guard in guarded.items():
        if guard.broken():
            return outputs, f"{key}: {guard.broken()}"
    for key, array in arrays.items():
        if (
            isinstance(array, np.ndarray)
            and key != source
            and not np.array_equal(bits(array), bits(inputs[key]))
        ):
            return outputs, f"the input {key} was changed"
    return outputs, None
