"""In-place forms of functions that have no kernel of their own: x.f_(...) writes f(x, ...) into x.

With gradients most are refused: their backward needs what they overwrite. They are for no_grad().
"""

from pyml.ops import (
    comparison,
    elementwise,
    functions,
    index,
    products,
    rearranging,
    reduce,
    scatter_reduce,
    series,
    special,
    statistics,
)
from pyml.ops.arrays import checked_tensor
from pyml.ops.inplace import replace
from pyml.ops.operands import cast

FAMILIES = (
    (
        elementwise,
        """
        cos expm1 floor_divide log1p maximum minimum remainder rsqrt sign sin""",
    ),
    (
        functions,
        """
        acos acosh asin asinh atan atan2 atanh bitwise_left_shift bitwise_right_shift clamp_max
        clamp_min copysign cosh deg2rad exp2 float_power fmod frac gcd heaviside hypot lcm ldexp
        log10 log2 logit mvlgamma nan_to_num nextafter rad2deg sinc sinh tan trunc xlogy""",
    ),
    (special, "digamma erf erfc erfinv lgamma"),
    (series, "i0 igamma igammac"),
    (
        comparison,
        """
        bitwise_and bitwise_not bitwise_or bitwise_xor eq ge gt le logical_and logical_not
        logical_or logical_xor lt ne""",
    ),
    (reduce, "cumsum"),
    (statistics, "cumprod renorm"),
    (rearranging, "index_add index_copy index_fill masked_scatter put tril triu"),
    (index, "scatter scatter_add"),
    (scatter_reduce, "index_reduce scatter_reduce"),
    (products, "addbmm addmm addmv addr baddbmm"),
)
OWN_DTYPE = {
    "eq",
    "ge",
    "gt",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
}


def rewriting(function, name):
    """The in-place form of a function."""

    def rewrite(input, *args, **kwargs):
        checked_tensor(input, name)
        if "out" in kwargs:
            raise TypeError(f"{name}: out is given, the result is written into the tensor itself")
        y = function(input, *args, **kwargs)
        if name[:-1] in OWN_DTYPE:  # truth values, as 0 and 1 of the tensor's dtype
            y = cast(y, input.dtype)
        return replace(input, y, name)

    rewrite.__name__ = rewrite.__qualname__ = name
    rewrite.__doc__ = f"{name[:-1]}, in place."
    rewrite.__wrapped__ = function  # whose signature it has; to make one takes long
    return rewrite


NAMES = []
for _family, _names in FAMILIES:
    for _name in _names.split():
        globals()[f"{_name}_"] = rewriting(getattr(_family, _name), f"{_name}_")
        NAMES.append(f"{_name}_")
