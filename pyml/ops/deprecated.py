"""Old keywords of PyTorch that are still met."""

import warnings


def reduction_named(size_average, reduce, reduction):
    """The reduction, or the one that its old keywords mean, with PyTorch's warning.

    Args:
        size_average: "mean", else "sum"; None is True if `reduce` is given.
        reduce: one number, else "none"; None is True if `size_average` is given.
        reduction: what counts if both are None.

    Raises:
        TypeError: for a text, which is a reduction that stands in the wrong place.
    """
    if size_average is None and reduce is None:
        return reduction
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if isinstance(value, str):
            raise TypeError(
                f"{name} is {value!r}, it must be True or False; pass reduction={value!r}"
            )
    if reduce is not None and not reduce:
        meant = "none"
    else:
        meant = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce are deprecated, please use reduction='{meant}' instead",
        stacklevel=3,
    )
    return meant
