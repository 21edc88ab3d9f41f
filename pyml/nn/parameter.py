"""Parameter and Buffer: the tensors of a module; and what stands for one without a shape yet."""

import inspect

from pyml.dispatch import checked_before_use
from pyml.errors import ArgumentError
from pyml.ops.creation import empty
from pyml.tensor import Tensor, _copy_attributes, _rebuild

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"]


class Parameter(Tensor):
    """A tensor that a module trains: as an attribute of a Module it is one of its parameters.

    Args:
        data: a Tensor, whose memory it shares. Default: an empty one.
        requires_grad: compute its gradient. Default: True.

    Raises:
        TypeError: if data is not a Tensor.
        RuntimeError: if requires_grad and data is of integers or bool.

    Example:
        >>> scale = nn.Parameter(pyml.ones(3))
        >>> scale.requires_grad
        True
    """

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = Tensor()
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter: data must be a Tensor, not {type(data).__name__}; "
                "pyml.tensor(data) makes one"
            )
        return Tensor._on(data.array, cls, requires_grad=requires_grad)

    def __init__(self, data=None, requires_grad=True):
        """Everything is done by __new__; Tensor.__init__ would copy."""

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"

    # As in PyTorch, a copy and a pickle have the values, not the gradient.

    def __deepcopy__(self, memo):
        copied = Tensor._on(
            self.detach().clone().array, type(self), requires_grad=self.requires_grad
        )
        return _copy_attributes(self, copied, memo)

    def __reduce__(self):
        _, (cls, array, requires_grad, _), *attributes = super().__reduce__()
        return _rebuild, (cls, array, requires_grad, None), *attributes


class Buffer(Tensor):
    """A tensor that is no parameter but part of a module's state: as an attribute it is a buffer.

    Args:
        data: a Tensor, whose memory it shares. Default: an empty one.
        persistent: is it part of state_dict()? Default: True.

    Raises:
        TypeError: if data is not a Tensor.

    Example:
        >>> module = nn.Module()
        >>> module.mean = nn.Buffer(pyml.zeros(3))
        >>> list(module.state_dict())
        ['mean']
    """

    def __new__(cls, data=None, persistent=True):
        data = Tensor() if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Buffer: data must be a Tensor, not {type(data).__name__}; "
                "pyml.tensor(data) makes one"
            )
        made = Tensor._on(data.array, cls, requires_grad=data.requires_grad)
        made.persistent = persistent
        return made

    def __init__(self, data=None, persistent=True):
        """Everything is done by __new__; Tensor.__init__ would copy."""


class ShapeNotKnown(RuntimeError, ValueError):
    """PyTorch raises the first for the shape, the second for what would need it."""


class Uninitialized:
    """What both have: no shape, and no use but to be made a tensor of one."""

    @property
    def shape(self):
        raise ShapeNotKnown(
            f"{type(self).__name__}: the shape is not known before the first call of its lazy "
            "module; call the module once"
        )

    def size(self, dim=None):
        """There is none yet.

        Raises:
            RuntimeError: always.
        """
        return self.shape

    def numel(self):
        """There is no number yet.

        Raises:
            ValueError: always.
        """
        return self.shape

    nelement = numel

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def _check_use(self, name):
        """Raises ValueError, unless the operation of this name needs no values."""
        if name not in WITHOUT_VALUES:
            raise ShapeNotKnown(
                f"{name}: an {type(self).__name__} has no values before the first call of its lazy "
                "module; call the module once, on a batch of its inputs"
            )


# Methods of Tensor that need no values: as PyTorch has them, and those of copies and of hooks.
WITHOUT_VALUES = {
    *("__deepcopy__", "copy_", "cpu", "cuda", "data_ptr", "detach", "detach_", "dim", "double"),
    *("float", "get_device", "int", "is_complex", "is_contiguous", "is_floating_point", "long"),
    *("register_hook", "register_post_accumulate_grad_hook", "requires_grad_", "retain_grad"),
    *("to", "type", "zero_"),
}


def needs_values(name):
    """The method of Tensor of this name, for a tensor that has no values yet: it raises."""

    def refuse(self, *args, **kwargs):
        self._check_use(name)

    refuse.__name__ = name
    refuse.__doc__ = "Refused: there are no values yet.\n\nRaises:\n    ValueError: always."
    return refuse


for name, _ in inspect.getmembers(Tensor, callable):
    special = name.startswith("_") and (not name.endswith("__") or hasattr(object, name))
    if not special and name not in {*WITHOUT_VALUES, *vars(Uninitialized)}:
        setattr(Uninitialized, name, needs_values(name))
for name in ("T", "mT", "H", "mH"):
    setattr(Uninitialized, name, property(needs_values(name)))


class UninitializedParameter(Uninitialized, Parameter):
    """A Parameter whose shape is not known yet: the first call of a lazy module gives it.

    Args:
        requires_grad: compute its gradient, once it is there. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Example:
        >>> weight = nn.UninitializedParameter()
        >>> weight.materialize((2, 3))
        >>> weight.shape
        (2, 3)
    """

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        made = empty(0, device=device, dtype=dtype)
        return Tensor._on(made.array, cls, requires_grad=requires_grad)

    def __init__(self, requires_grad=True, device=None, dtype=None):
        """Everything is done by __new__."""

    def materialize(self, shape, device=None, dtype=None):
        """Makes it a Parameter of this shape, with whatever the memory holds.

        Args:
            shape: the sizes.
            device: "cpu" or None.
            dtype: float32 or float64. Default: its own.
        """
        made = empty(shape, device=device, dtype=self.dtype if dtype is None else dtype)
        self.data = made
        self.__class__ = Parameter


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer whose shape is not known yet: the first call of a lazy module puts one in its place.

    Args:
        requires_grad: must be False, for buffers are not trained.
        device: "cpu" or None.
        dtype: Default: float32.
        persistent: is it part of state_dict(), as an attribute of a Module? Default: True.
    """

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        if requires_grad:
            raise ArgumentError("UninitializedBuffer: requires_grad must be False for a buffer")
        made = Tensor._on(empty(0, device=device, dtype=dtype).array, cls)
        made.persistent = persistent
        return made

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        """Everything is done by __new__."""


checked_before_use(UninitializedParameter, UninitializedBuffer)


def is_lazy(param):
    """True for an UninitializedParameter or UninitializedBuffer.

    Example:
        >>> nn.parameter.is_lazy(nn.LazyLinear(3).weight)
        True
    """
    return isinstance(param, Uninitialized)
