"""Padding as modules."""

from pyml.errors import ArgumentError
from pyml.nn import functional as F
from pyml.nn.module import Module
from pyml.ops.arrays import checked_tensor
from pyml.ops.shape import as_sizes

KINDS = {"Circular": "circular", "Reflection": "reflect", "Replication": "replicate"}
DIMENSIONS = (1, 2, 3)


class Padding(Module):
    """The base: pads the last `_dimensions` dimensions of (n, c, ...) or (c, ...).

    Args:
        padding: (left, right) of the last dimension, then of the one before it, and so on; or one
            number for all.
    """

    _mode = "constant"

    def __init__(self, padding):
        super().__init__()
        name, count = type(self).__name__, 2 * self._dimensions
        sizes = as_sizes(padding, name)
        sizes = sizes * count if len(sizes) == 1 else sizes
        if len(sizes) != count:
            raise ArgumentError(
                f"{name}: padding is {padding!r}, it must be a number or {count} numbers"
            )
        self.padding = sizes

    def forward(self, input):
        """The input with more elements at its ends, see nn.functional.pad."""
        name = type(self).__name__
        checked_tensor(input, name)
        one, many = self._dimensions + 1, self._dimensions + 2
        if input.ndim not in (one, many) and self._mode != "constant":
            raise ArgumentError(
                f"{name}: input has shape {input.shape}, expected {one}D or {many}D input (got "
                f"{input.ndim}D input)"
            )
        value = self.value if self._mode == "constant" else None
        return F.pad(input, self.padding, self._mode, value)

    def extra_repr(self):
        """The padding."""
        return f"{self.padding}"


class ConstantPad(Padding):
    """The base of those that pad with one value.

    Args:
        padding: see Padding.
        value: what is put there.
    """

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def extra_repr(self):
        """The padding and the value."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad:
    """What a ZeroPad has beside its ConstantPad."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        """The padding."""
        return f"{self.padding}"


def class_of(name, bases, dimensions, **attributes):
    how, base = attributes.pop("how"), bases[-1].__name__
    doc = f"""Pads the last {dimensions} dimensions {how}; see {base}.

    Example:
        >>> nn.{name}(1{attributes.pop("arguments", "")})
        {name}({attributes.pop("shown").format((1,) * 2 * dimensions)})
    """
    given = {"__doc__": doc, "__module__": __name__, "_dimensions": dimensions}
    return type(name, bases, given | attributes)


for _d in DIMENSIONS:
    for _kind, _mode in KINDS.items():
        _name = f"{_kind}Pad{_d}d"
        globals()[_name] = class_of(
            _name, (Padding,), _d, _mode=_mode, how=f"by mode {_mode!r} of pad", shown="{}"
        )
    _constant = class_of(
        f"ConstantPad{_d}d",
        (ConstantPad,),
        _d,
        how="with one value",
        arguments=", 2.0",
        shown="padding={}, value=2.0",
    )
    globals()[f"ConstantPad{_d}d"] = _constant
    globals()[f"ZeroPad{_d}d"] = class_of(
        f"ZeroPad{_d}d", (ZeroPad, _constant), _d, how="with zeros", shown="{}"
    )

__all__ = [f"{kind}Pad{d}d" for d in DIMENSIONS for kind in (*KINDS, "Constant", "Zero")]
