"""Where NaN comes from in a backward."""

from pyml.tensor import anomaly_mode, set_anomaly_mode

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:
    """Context manager and plain call: turns the search for NaN in backwards on or off, everywhere.

    While it is on, operations remember where in the program they were recorded, which takes time,
    and a backward that gives NaN raises a RuntimeError that names the operation and shows the
    place. A recorded step refuses it.

    Args:
        mode: True to search, False not to.
        check_nan: raise for NaN. False: only remember places. Default: True.
    """

    def __init__(self, mode, check_nan=True):
        self.before = anomaly_mode()
        set_anomaly_mode(mode, mode and check_nan)

    def __enter__(self):
        """Nothing to do: it is set already."""

    def __exit__(self, *error):
        set_anomaly_mode(*self.before)


class detect_anomaly:
    """Context manager: set_detect_anomaly(True) inside.

    Args:
        check_nan: raise for NaN. False: only remember places. Default: True.

    Example:
        >>> x = pyml.zeros(1, requires_grad=True)
        >>> with pyml.autograd.detect_anomaly():
        ...     try:
        ...         (x.sqrt() * 0).sum().backward()
        ...     except RuntimeError as error:
        ...         print(str(error).partition(",")[0])
        Function 'SqrtBackward0' returned nan values in its 0th output
    """

    def __init__(self, check_nan=True):
        self.check_nan, self.inside = check_nan, []

    def __enter__(self):
        self.inside.append(set_detect_anomaly(True, self.check_nan))

    def __exit__(self, *error):
        self.inside.pop().__exit__(*error)
