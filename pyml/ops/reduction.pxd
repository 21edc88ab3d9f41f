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


cdef inline object named_reduction(object size_average, object reduce, object reduction):
    """The reduction, by its keyword or by PyTorch's old ones, which hardly a call has."""
    if size_average is None and reduce is None:
        return reduction
    from pyml.ops.deprecated import reduction_named
    return reduction_named(size_average, reduce, reduction)
