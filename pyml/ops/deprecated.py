"""Old keywords of PyTorch that are still met."""

import warnings


def reduction_named(size_average, reduce, reduction):
    """The reduction, or the one that its old keywords mean, with PyTorch's warning.

    Args:
        size_average: "mean", else "sum"; None is True if `reduce` is given.
        reduce: one number, else "none"; None is True if `size_average` is given.
        reduction: what counts if both are None.
    """
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        meant = "none"
    else:
        meant = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce are deprecated, please use reduction='{meant}' instead",
        stacklevel=3,
    )
    return meant
