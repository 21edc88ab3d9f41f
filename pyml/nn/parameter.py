"""Parameter: a tensor that a module trains."""

from pyml.tensor import Tensor, _copy_attributes, _rebuild

__all__ = ["Parameter"]


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
