"""Parametrizations that are ready to use: weight_norm and spectral_norm."""

from pyml import ops
from pyml.grad_mode import no_grad
from pyml.nn.module import Module
from pyml.nn.utils.parametrize import register_parametrization
from pyml.tensor import Tensor

__all__ = ["spectral_norm", "weight_norm"]


def weight_norm(module, name="weight", dim=0):
    """Trains length and direction of a weight apart: weight = g v / ||v||.

    g is parametrizations.weight.original0 and v is original1. They begin so that the weight is what
    it was.

    Salimans & Kingma 2016 (arXiv:1602.07868), eq. 2.

    Args:
        module: a Module.
        name: its tensor. Default: "weight".
        dim: a norm for each index of this dimension, 0 is a row of a Linear. None, or -1 as in
            PyTorch: one norm of all. Default: 0.

    Returns:
        module.

    Raises:
        ValueError: if it has no such tensor.
        IndexError: if the tensor has no such dimension.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> list(layer.state_dict())
        ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, _WeightNorm(dim))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divides a weight by its spectral norm, its largest singular value.

        weight = W / sigma,   sigma = u^T W v

    u and v are buffers, which follow W by power iterations in training mode, at each use of the
    weight: v <- W^T u / ||W^T u||, u <- W v / ||W v||. A vector is divided by its norm.

    Miyato et al. 2018 (arXiv:1802.05957), algorithm 1.

    Args:
        module: a Module.
        name: its tensor. Default: "weight".
        n_power_iterations: how many there are each time. Default: 1.
        eps: the least norm that u and v are divided by. Default: 1e-12.
        dim: the dimension of the tensor that is the rows of W. Default: 0.

    Returns:
        module.

    Raises:
        ValueError: if it has no such tensor, or n_power_iterations is not positive.
        IndexError: if the tensor has no such dimension.

    Example:
        >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2), n_power_iterations=20)
        >>> layer.weight.norm().item() >= 0.99  # of all singular values, the largest of which is 1
        True
    """
    if not isinstance(module, Module):
        raise TypeError(f"spectral_norm: module must be a Module, not {type(module).__name__}")
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(
            f"spectral_norm: {module._get_name()} has no parameter or buffer named {name!r}"
        )
    made = _SpectralNorm(weight, n_power_iterations, 0 if dim is None else dim, eps)
    return register_parametrization(module, name, made)


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def norm(self, v):
        """||v|| of each index of dim, in a shape that is multiplied by v's."""
        if self.dim == -1:
            return v.norm()
        if not -v.dim() <= self.dim < v.dim():
            raise IndexError(f"weight_norm: dim is {self.dim}, the tensor has {v.dim()} dimensions")
        others = tuple(d for d in range(v.dim()) if d != self.dim % v.dim())
        return v.norm(dim=others, keepdim=True) if others else v.abs()

    def forward(self, g, v):
        return v * (g / self.norm(v))

    def right_inverse(self, weight):
        return self.norm(weight), weight


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if not -weight.dim() <= dim < weight.dim():
            raise IndexError(
                f"spectral_norm: dim is {dim}, the tensor has {weight.dim()} dimensions"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"spectral_norm: n_power_iterations is {n_power_iterations}, it must be positive"
            )
        self.dim = dim if dim >= 0 else dim + weight.dim()
        self.n_power_iterations = n_power_iterations
        self.eps = eps
        if weight.dim() > 1:
            with no_grad():
                matrix = self.matrix_of(weight)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    drawn = ops.randn(size, dtype=weight.dtype)
                    self.register_buffer(name, self.normalized(drawn))
            self.iterate(matrix, 15)  # so that sigma is not far off from the beginning

    def matrix_of(self, weight):
        """The weight with `dim` for its rows."""
        return (weight.movedim(self.dim, 0) if self.dim else weight).flatten(1)

    def normalized(self, x):
        return x / x.norm().clamp(min=self.eps)

    @no_grad()
    def iterate(self, matrix, times):
        """Power iterations: u and v come nearer to the singular vectors of the largest value."""
        for _ in range(times):
            self._u.copy_(self.normalized(matrix @ self._v))
            self._v.copy_(self.normalized(matrix.T @ self._u))

    def forward(self, weight):
        if weight.dim() == 1:
            return self.normalized(weight)
        matrix = self.matrix_of(weight)
        if self.training:
            self.iterate(matrix, self.n_power_iterations)
        # copies: backward needs them as they are now, the next use changes them
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix @ v)

    def right_inverse(self, value):
        return value
