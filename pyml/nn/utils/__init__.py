"""What one does to parameters and gradients: clipping, and all of them as one vector."""

from pyml.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_
from pyml.nn.utils.vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "vector_to_parameters",
]
