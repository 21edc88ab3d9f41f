"""The helper that all kernel tests trust: each kind of wrong kernel must fail it, and say where."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits, first_mismatch, ulp_distance
from helpers.memory import GUARD_BYTES, Guarded, at_page_end
from helpers.sweep import LARGE, Scaled, check_kernel
from pyml import _kernels

SINGLE = np.float32
EPS = np.finfo(SINGLE).eps


# ---- first_mismatch
# -----------------------------------------------------------------------------------


def mismatch(got, wanted, eps=tolerances.ROUNDED, **options):
    return first_mismatch(np.array(got, SINGLE), np.array(wanted, float), eps, **options)


def test_equal_numbers_pass():
    assert (
        mismatch([1, -2, 0, np.inf, -np.inf, np.nan], [1, -2, 0, np.inf, -np.inf, np.nan]) is None
    )


def test_the_first_wrong_number_is_reported():
    wrong = mismatch([[1, 2, 3], [4, 5.5, 7]], [[1, 2, 3], [4, 5, 6]])
    assert wrong.index == (1, 1) and wrong.count == 2
    assert (wrong.got, wrong.wanted) == (5.5, 5)
    assert wrong.ulps == 0.5 / np.spacing(SINGLE(5))
    assert "(1, 1)" in str(wrong) and "5.5" in str(wrong) and "ulp" in str(wrong)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (np.nan, 1),
        (1, np.nan),
        (np.inf, 1),
        (1, np.inf),
        (np.inf, -np.inf),
        (np.nan, np.inf),
        (np.inf, np.nan),
        (-1, 1),
    ],
)
def test_one_sided_nan_and_infinity_fail(got, wanted):
    assert mismatch([0, got], [0, wanted], eps=1e6).index == (1,)


def test_tolerance_is_a_multiple_of_eps_of_the_wanted_number():
    assert mismatch([1000 * (1 + 3 * EPS)], [1000], eps=4) is None
    assert mismatch([1000 * (1 + 5 * EPS)], [1000], eps=4) is not None
    assert mismatch([1e-10 * (1 + 50 * EPS)], [1e-10], eps=4) is not None


def test_scale_takes_the_place_of_the_wanted_number():
    assert mismatch([4 * EPS], [0], eps=4, scale=np.array([1.0])) is None
    assert mismatch([8 * EPS], [0], eps=4, scale=np.array([1.0])) is not None
    assert mismatch([np.nan], [0], eps=4, scale=np.array([np.inf])) is not None


def test_exact_means_exact():
    assert mismatch([1 + EPS], [1], tolerances.EXACT) is not None
    assert mismatch([np.nextafter(SINGLE(1), SINGLE(0))], [1], tolerances.EXACT) is not None


def test_what_is_flushed_to_zero_is_not_wrong():
    assert mismatch([0], [1e-40]) is None
    assert mismatch([0], [1e-30]) is not None


def test_what_is_too_large_is_infinite():
    assert mismatch([np.inf], [1e39]) is None
    assert mismatch([-np.inf], [1e39]) is not None
    assert mismatch([3e38], [1e39]) is not None


def test_sign_of_zero():
    assert mismatch([-0.0], [0.0]) is None
    assert mismatch([-0.0], [0.0], signed_zero=True) is not None


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (3,)])
def test_a_wrong_shape_fails(shape):
    with pytest.raises(AssertionError, match="shape"):
        mismatch(np.zeros(shape), np.zeros(2))


def test_integers_are_compared_exactly():
    assert first_mismatch(np.array([1, 2]), np.array([1, 2]), 0) is None
    assert first_mismatch(np.array([1, 2**53 + 1]), np.array([1, 2**53]), 1e6).index == (1,)


def test_ulp_distance():
    assert ulp_distance(np.array([1 + EPS], SINGLE), np.array([1.0])) == 1
    assert ulp_distance(np.array([1], SINGLE), np.array([1 + float(EPS) / 4])) == 0.25


def test_same_bits_tells_zeros_apart():
    with pytest.raises(AssertionError, match=r"\(1,\)"):
        assert_same_bits(np.array([1, 0.0]), np.array([1, -0.0]))
    with pytest.raises(AssertionError):
        assert_same_bits(np.zeros(2, SINGLE), np.zeros(2))


# ---- memory
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-GUARD_BYTES // 4, -1, 5, 5 + GUARD_BYTES // 4 - 1])
def test_an_overwritten_guard_is_seen(offset):
    guarded = Guarded(5, SINGLE)
    guarded.array[:] = 7
    assert guarded.broken() is None
    start = (
        guarded.array.__array_interface__["data"][0] - guarded.memory.__array_interface__["data"][0]
    )
    guarded.memory[start + 4 * offset] ^= 1
    assert ("before" if offset < 0 else "after") in guarded.broken()


def test_outputs_start_as_nan_and_are_aligned_to_their_element_only():
    guarded = Guarded((2, 3), SINGLE)
    assert np.isnan(guarded.array).all()
    assert guarded.array.ctypes.data % 8 == 4 or guarded.array.ctypes.data % 16 != 0


def test_reading_past_the_end_of_an_input_is_a_segmentation_fault():
    """In another process."""
    script = """
        import ctypes, numpy as np
        from helpers.memory import at_page_end
        x = at_page_end(np.arange(5, dtype=np.float32))
        print(ctypes.c_float.from_address(x.ctypes.data + 4 * 4).value, flush=True)
        print(ctypes.c_float.from_address(x.ctypes.data + 4 * 5).value, flush=True)
    """
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(line.strip() for line in script.splitlines())],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert run.stdout == "4.0\n" and run.returncode != 0


def test_at_page_end_copies():
    for x in (
        np.arange(6.0).reshape(2, 3).T,
        np.empty((0, 3), SINGLE),
        np.float64(3.0),
        np.arange(3, dtype=np.int64),
    ):
        np.testing.assert_array_equal(at_page_end(x), x)


# ---- check_kernel, on kernels written in Python
# -------------------------------------------------------


def check(call, **options):
    check_kernel(
        "double",
        call,
        **{
            "arguments": lambda draw, n: {"x": draw(n)},
            "reference": lambda x: {"y": 2 * x},
            "eps": tolerances.EXACT,
            "values": ("normal", "special"),
            **options,
        },
    )


def double(y, x):
    with np.errstate(all="ignore"):
        np.multiply(x, 2, out=y)


def memory_of(y):
    """The whole of a guarded output, as an attacker sees it."""
    return y.base


def test_a_right_kernel_passes():
    check(double, in_place=[("y", "x")])


def fails(call, match, **options):
    with pytest.raises(AssertionError, match=match) as failure:
        check(call, **options)
    return str(failure.value)


def test_the_message_names_everything_and_reproduces():
    def wrong_tail(y, x):
        double(y, x)
        if len(y) > 3:
            y[3] += 1

    message = fails(wrong_tail, "first wrong index")
    for part in (
        "double",
        "baseline",
        "float32",
        "size",
        r"(3,)",
        "got",
        "wanted",
        "ulp",
        "--isa",
        "--dtype",
        "--size",
    ):
        assert part in message
    assert "test_the_message_names_everything_and_reproduces" in message


def test_an_unwritten_output_fails():
    fails(lambda y, x: double(y[:-1], x[:-1]), r"got np\.float32\(nan\)")


def test_writing_around_the_output_fails():
    def overrun(y, x):
        double(y, x)
        memory_of(y)[-GUARD_BYTES] = 0

    assert "after the output" in fails(overrun, "element 1 after")


def test_changing_an_input_fails():
    def spoils(y, x):
        double(y, x)
        if x.size:
            x.flags.writeable = True
            x[0] += 1

    fails(spoils, "the input x was changed")


def test_a_kernel_that_cannot_work_in_place_fails():
    def clears_first(y, x):
        y[...] = 0
        double(y, x)

    check(clears_first)
    fails(clears_first, "y is x", in_place=[("y", "x")])


def test_other_bits_on_more_threads_fail():
    def depends_on_threads(y, x):
        double(y, x)
        if _kernels.get_num_threads() == 3:
            y[-1] = np.nextafter(y[-1], y[-1] * 2)

    fails(depends_on_threads, f"3 threads.*flat index {LARGE - 1}", values=("normal",))


def test_a_scale_is_used():
    check(
        lambda y, x: np.add(2 * x, y.dtype.type(np.finfo(y.dtype).eps), out=y),
        reference=lambda x: {"y": Scaled(2 * x, np.full(x.shape, 1e3))},
        eps=tolerances.FEW,
        values=("normal",),
    )
