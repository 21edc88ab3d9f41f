"""All parameters as one vector, and back."""

from pyml import ops
from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import checked_tensor
from pyml.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """The elements of all parameters in one vector. Differentiable.

    Args:
        parameters: an iterable of Tensors.

    Example:
        >>> nn.utils.parameters_to_vector(nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    tensors = checked(parameters, "parameters_to_vector")
    return ops.cat([parameter.reshape(-1) for parameter in tensors])


def vector_to_parameters(vec, parameters):
    """Makes consecutive parts of a vector the values of parameters, which then share its memory.

    Args:
        vec: 1-d Tensor with as many elements as the parameters together.
        parameters: an iterable of Tensors.

    Raises:
        TypeError: if vec is not a Tensor, or not of floating point.
        ValueError: if it has another number of elements.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: vec must be a Tensor, not {type(vec).__name__}")
    if not vec.is_floating_point():
        raise DtypeError(
            f"vector_to_parameters: vec has dtype {vec.dtype}, it must be float32 or float64; "
            "vec.float() converts it"
        )
    parameters = checked(parameters, "vector_to_parameters")
    needed = sum(parameter.numel() for parameter in parameters)
    if vec.shape != (needed,):
        raise ArgumentError(
            f"vector_to_parameters: vec has shape {vec.shape}, the parameters need ({needed},)"
        )
    vec = vec.detach()
    begin = 0
    for parameter in parameters:
        end = begin + parameter.numel()
        parameter.data = vec[begin:end].view(parameter.shape)
        parameter._mark_changed()
        begin = end


def checked(parameters, name):
    return [checked_tensor(p, name, f"parameter {i}") for i, p in enumerate(parameters)]
