"""Parameter: a tensor that a module trains; and what stands for one that has no shape yet."""

from pyml.ops.creation import empty
from pyml.tensor import Tensor, _copy_attributes, _rebuild

__all__ = ["Parameter", "UninitializedBuffer", "UninitializedParameter"]


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


class Uninitialized:
    """What both have: no shape, and no use but to be made a tensor of one."""

    @property
    def shape(self):
        raise RuntimeError(
            f"{type(self).__name__}: the shape is not known before the first call of its lazy "
            "module; call the module once"
        )

    def size(self, dim=None):
        """There is none yet.

        Raises:
            RuntimeError: always.
        """
        return self.shape

    def __repr__(self):
        return f"<{type(self).__name__}>"


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


class UninitializedBuffer(Uninitialized, Tensor):
    """A buffer whose shape is not known yet: the first call of a lazy module puts one in its place.

    Args:
        requires_grad: must be False, for buffers are not trained.
        device: "cpu" or None.
        dtype: Default: float32.
    """

    def __new__(cls, requires_grad=False, device=None, dtype=None):
        if requires_grad:
            raise ValueError("UninitializedBuffer: requires_grad must be False for a buffer")
        return Tensor._on(empty(0, device=device, dtype=dtype).array, cls)

    def __init__(self, requires_grad=False, device=None, dtype=None):
        """Everything is done by __new__."""


def is_lazy(param):
    """True for an UninitializedParameter or UninitializedBuffer.

    Example:
        >>> nn.parameter.is_lazy(nn.LazyLinear(3).weight)
        True
    """
    return isinstance(param, Uninitialized)
