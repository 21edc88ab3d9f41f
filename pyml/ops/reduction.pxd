"""How a loss is reduced: PyTorch's `reduction`."""

cdef enum:   # as in csrc/contracts/types.h
    NONE = 0
    MEAN = 1
    SUM = 2


cdef inline int reduction_of(object reduction, str name) except -1:
    """The number of a reduction, for the function `name`."""
    if reduction == "mean":
        return MEAN
    if reduction == "sum":
        return SUM
    if reduction == "none":
        return NONE
    raise ValueError(f"{name}: reduction is {reduction!r}, it must be 'none', 'mean' or 'sum'")
