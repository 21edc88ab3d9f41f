"""Comparison of a result with a reference, element by element."""

from dataclasses import dataclass

import numpy as np

from helpers.tolerances import FLUSHED


@dataclass(frozen=True)
class Mismatch:
    """Where a result is first wrong."""

    index: tuple
    got: object
    wanted: object
    ulps: float  # of the wanted number; inf where one of the two is not a number
    count: int  # elements that are wrong

    def __str__(self):
        return (
            f"first wrong index {self.index}: got {self.got!r}, wanted {self.wanted!r} "
            f"({self.ulps:.3g} ulp; {self.count} wrong)"
        )


def ulp_distance(got, wanted):
    """The error in units of the last place of the wanted number, at the precision of `got`."""
    with np.errstate(all="ignore"):
        rounded = np.abs(wanted).astype(got.dtype)
        spacing = np.spacing(np.maximum(rounded, np.finfo(got.dtype).tiny))
        return np.abs(got.astype(wanted.dtype) - wanted) / spacing


def first_mismatch(got, wanted, eps, scale=None, signed_zero=False):
    """The first element of `got` that is not as wanted; None if all are.

    A floating-point error is allowed up to `eps` times the dtype's eps times `scale`, which is
    |wanted| by default. NaN equals NaN alone, an infinity itself alone, and a wanted number too
    large for the dtype is infinite. As the kernels flush subnormals, an error below the smallest
    normal number is none, nor one below FLUSHED times that where the result was rounded. With
    `signed_zero`, -0 is not +0. Integers and booleans are compared exactly.
    """
    if got.shape != np.shape(wanted):
        raise AssertionError(f"shape {got.shape}, wanted {np.shape(wanted)}")
    wanted = np.asarray(wanted)
    if got.dtype.kind != "f":
        wrong = got != wanted
        ulps = np.where(wrong, np.inf, 0)
    else:
        info = np.finfo(got.dtype)
        with np.errstate(all="ignore"):
            rounded = wanted.astype(got.dtype)
            allowed = np.abs(wanted if scale is None else scale) * (eps * float(info.eps))
            allowed += info.tiny * (FLUSHED if eps > 0 else 1)
            near = np.abs(got.astype(wanted.dtype) - wanted) <= allowed
            same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
            wrong = ~np.where(np.isfinite(rounded), near, same)
        if signed_zero:
            wrong |= (rounded == 0) & (np.signbit(got) != np.signbit(rounded))
        ulps = np.nan_to_num(ulp_distance(got, wanted), nan=np.inf)
    where = np.flatnonzero(wrong)
    if len(where) == 0:
        return None
    index = np.unravel_index(where[0], got.shape)
    return Mismatch(
        tuple(int(i) for i in index), got[index], wanted[index], float(ulps[index]), len(where)
    )


def assert_close(got, wanted, eps, scale=None):
    """first_mismatch as an assertion, for results that no kernel sweep makes."""
    mismatch = first_mismatch(np.asarray(got), wanted, eps, scale)
    if mismatch is not None:
        raise AssertionError(str(mismatch))


def assert_same_bits(got, wanted, what=""):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    different = np.flatnonzero(bits(got) != bits(wanted))
    if len(different):
        index = tuple(int(i) for i in np.unravel_index(different[0], got.shape))
        raise AssertionError(
            f"{what} other bits at {index}: {got[index]!r} and {wanted[index]!r}, "
            f"{len(different)} differ"
        )


def bits(array):
    """The bits of each element as an integer, in a flat array."""
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.itemsize}")
