"""Devices by their names. Tensors are on the CPU."""

from pyml.errors import ArgumentError

TYPES = (
    *("cpu", "cuda", "hip", "hpu", "ipu", "lazy", "maia", "meta", "mkldnn", "mps", "mtia"),
    *("opencl", "opengl", "ideep", "privateuseone", "vulkan", "ve", "xla", "xpu"),
)


class device:
    """A device by its name. Tensors are on the CPU; of others there are the names alone.

    Args:
        type: "cpu", "cuda" and the like, with or without an index ("cuda:0"); a device; or an index
            of a "cuda" one.
        index: which one. Default: None, the current one.

    Raises:
        ArgumentError: if there is no such name.

    Example:
        >>> pyml.device("cpu"), pyml.device("cuda:1").index, pyml.zeros(1).device == "cpu"
        (device(type='cpu'), 1, True)
    """

    __slots__ = ("index", "type")

    def __init__(self, type, index=None):
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        elif isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device: type is {type!r}, it must be a name such as 'cpu'")
        name, colon, number = type.partition(":")
        if name not in TYPES:
            raise ArgumentError(f"device: type is {type!r}; the names are {', '.join(TYPES)}")
        if colon:
            if index is not None or not number.isdecimal():
                raise ArgumentError(
                    f"device: type is {type!r} and index {index!r}; one index is needed, a number "
                    ">= 0"
                )
            index = int(number)
        if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
            raise TypeError(f"device: index is {index!r}, it must be an integer")
        if index is not None and index < 0:
            raise ArgumentError(f"device: index is {index}, it must be 0 or more")
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", index)

    def __setattr__(self, name, value):
        raise AttributeError(f"device: {name} cannot be set; make another device")

    def __enter__(self):
        """Tensors that the block makes are on this device: nothing changes, as all are on the CPU.

        Raises:
            ArgumentError: for another device.
        """
        if self.type != "cpu":
            raise ArgumentError(
                f"device: the block asks for tensors on {str(self)!r}, {only_cpu(self)}"
            )
        return self

    def __exit__(self, *exc):
        pass

    def __eq__(self, other):
        return str(self) == str(other) if isinstance(other, (device, str)) else NotImplemented

    def __hash__(self):
        return hash(str(self))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __reduce__(self):
        return device, (self.type, self.index)


def only_cpu(device):
    """What errors say of another device, with the cure for what "meta" is mostly used for."""
    if str(device).startswith("meta"):
        return (
            "only 'cpu' is available; nn.utils.skip_init makes a module whose values come from "
            "elsewhere"
        )
    return "only 'cpu' is available"


CPU = device("cpu")
