"""Parametrizations that are ready to use: weight_norm, spectral_norm and orthogonal."""

import math

import numpy as np

from pyml import ops
from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn.module import Module
from pyml.nn.utils.parametrize import register_parametrization
from pyml.recorder import refuse
from pyml.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

MAPS = ("matrix_exp", "cayley", "householder")
SQUARINGS = (
    12  # of matrix_exp: for norms up to 2^12, where float32 has three digits of an angle left
)


def weight_norm(module, name="weight", dim=0):
    """Trains length and direction of a weight apart: weight = g v / ||v||.

    g is parametrizations.weight.original0 and v is original1. They begin so that the weight is what
    it was. load_state_dict() reads the keys of nn.utils.weight_norm, too.

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
    register_parametrization(module, name, _WeightNorm(dim))
    module.register_load_state_dict_pre_hook(OlderNames(name))
    return module


class OlderNames:
    """A hook that reads the keys of nn.utils.weight_norm, weight_g and weight_v."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, state_dict, prefix, *unused):
        older = [f"{prefix}{self.name}_{end}" for end in "gv"]
        if all(key in state_dict for key in older):
            for i, key in enumerate(older):
                new = f"{prefix}parametrizations.{self.name}.original{i}"
                state_dict[new] = state_dict.pop(key)


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
    weight = tensor_of("spectral_norm", module, name)
    made = _SpectralNorm(weight, n_power_iterations, 0 if dim is None else dim, eps)
    return register_parametrization(module, name, made)


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keeps a matrix orthogonal: Q^T Q = I if it is tall or square, else Q Q^T = I.

    With A the lower triangle of the original less its transpose, and v[i] the columns below the
    diagonal, each with 1 in front, Q is the first columns of

        matrix_exp    exp(A)
        cayley        (I - A/2)^-1 (I + A/2)
        householder   (I - t[1] v[1] v[1]^T) (I - t[2] v[2] v[2]^T) ...,   t[i] = 2 / v[i]^T v[i]

    With use_trivialization, Q is B times that, where B, the buffer `base`, is what the tensor was
    when it was parametrized, or last assigned: made orthogonal, if it is not.

    Lezcano-Casado 2019 (arXiv:1909.09501).

    Args:
        module: a Module.
        name: its tensor, a matrix or a batch of matrices. Default: "weight".
        orthogonal_map: "matrix_exp", "cayley" or "householder". Default: "matrix_exp" for square
            matrices, else "householder".
        use_trivialization: have a base. Without, "matrix_exp" and "cayley" take the tensor for the
            original, and cannot be assigned to. Default: True.

    Returns:
        module.

    Raises:
        ValueError: if it has no such tensor, the tensor has fewer than two dimensions, or for
            another map.

    Example:
        >>> layer = nn.utils.parametrizations.orthogonal(nn.Linear(4, 3))
        >>> error = layer.weight @ layer.weight.T - pyml.eye(3)
        >>> error.abs().max().item() < 1e-5
        True
    """
    weight = tensor_of("orthogonal", module, name)
    if weight.dim() < 2:
        raise ArgumentError(
            f"orthogonal: {name} has shape {weight.shape}, it must be a matrix or a batch of them"
        )
    if orthogonal_map is None:
        is_square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if is_square else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentError(
            f"orthogonal: orthogonal_map is {orthogonal_map!r}, it must be one of {', '.join(MAPS)}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


def tensor_of(who, module, name):
    """The tensor of a module that is to be parametrized."""
    if not isinstance(module, Module):
        raise TypeError(f"{who}: module must be a Module, not {type(module).__name__}")
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(
            f"{who}: {module._get_name()} has no parameter or buffer named {name!r}"
        )
    return tensor


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
            raise ArgumentError(
                f"spectral_norm: n_power_iterations is {n_power_iterations}, it must be positive"
            )
        self.dim = dim if dim >= 0 else dim + weight.dim()
        self.n_power_iterations = n_power_iterations
        self.eps = eps
        if weight.dim() > 1:
            with no_grad():
                matrix = matrix_of(weight, self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    drawn = ops.randn(size, dtype=weight.dtype)
                    self.register_buffer(name, self.normalized(drawn))
            self.iterate(matrix, 15)  # so that sigma is not far off from the beginning

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
        matrix = matrix_of(weight, self.dim)
        if self.training:
            self.iterate(matrix, self.n_power_iterations)
        # copies: backward needs them as they are now, the next use changes them
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix @ v)

    def right_inverse(self, value):
        return value


def matrix_of(weight, dim):
    """A weight with `dim` for its rows."""
    return (weight.movedim(dim, 0) if dim else weight).flatten(1)


class _Orthogonal(Module):
    def __init__(self, weight, orthogonal_map, use_trivialization=True):
        super().__init__()
        self.size = tuple(weight.shape)
        self.orthogonal_map = orthogonal_map
        n, k = sorted(self.size[-2:], reverse=True)
        lower = np.tril(np.ones((n, k)), -1 if orthogonal_map == "householder" else 0)
        for name, array in (("_lower", lower), ("_unit", np.eye(n))):
            made = ops.tensor(array, dtype=weight.dtype)
            self.register_buffer(name, made, persistent=False)
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x):
        is_wide = self.size[-2] < self.size[-1]
        x = x.mT if is_wide else x
        q = self.reflected(x) if self.orthogonal_map == "householder" else self.rotated(x)
        if getattr(self, "base", None) is not None:
            q = self.base @ q
        return q.mT if is_wide else q

    def rotated(self, x):
        """By exp or Cayley's map of the skew-symmetric matrix, as many columns as x."""
        n, k = x.shape[-2:]
        x = x * self._lower
        if n != k:
            x = ops.cat([x, ops.zeros((*x.shape[:-1], n - k), dtype=x.dtype)], -1)
        a = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            q = matrix_exp(a, self._unit)
        else:
            q = inverse(self._unit - a / 2, self._unit) @ (self._unit + a / 2)
        return q[..., :k] if n != k else q

    def reflected(self, x):
        """By Householder's reflections, each of one column of x; its diagonal says the signs."""
        k = x.shape[-1]
        unit = self._unit[:, :k]
        vectors = x * self._lower + unit
        scale = 2 / vectors.square().sum(-2, keepdim=True)
        q = unit.expand(x.shape)
        for i in reversed(range(k)):
            v = vectors[..., i : i + 1]
            q = q - v @ (v.mT @ q) * scale[..., i : i + 1]
        return q * (x * unit).sum(-2, keepdim=True).detach().sign()

    @no_grad()
    def right_inverse(self, value):
        refuse("assigning to an orthogonal tensor")
        if value.shape != self.size:
            raise ArgumentError(
                f"orthogonal: the value has shape {value.shape}, it must be {self.size}"
            )
        is_wide = self.size[-2] < self.size[-1]
        q = value.detach().numpy()
        q = np.swapaxes(q, -1, -2) if is_wide else q
        n, k = q.shape[-2:]
        if not hasattr(self, "base"):
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    f"a tensor that is made orthogonal by {self.orthogonal_map!r} cannot be set "
                    "without use_trivialization"
                )
            return ops.tensor(np.swapaxes(reflections(q), -1, -2) if is_wide else reflections(q))
        if n != k:
            rest = ops.randn(*q.shape[:-1], n - k, dtype=value.dtype)
            q = np.concatenate([q, rest.numpy()], -1)
        if n != k or not is_orthogonal(q):
            q = made_orthogonal(q)
        self.base = ops.tensor(q)
        return ops.tensor(np.broadcast_to(-np.eye(*self.size[-2:], dtype=q.dtype), self.size))


def matrix_exp(a, unit):
    """exp(a) of square matrices: of a / 2^s by Taylor's series, squared s times.

    s is the least that makes the norm of a / 2^s at most 1. Which squarings count is chosen without
    a branch, so that a recorded step can do it; beyond 2^SQUARINGS the result is NaN.
    """
    norm = a.detach().abs().sum(-1, keepdim=True).amax(-2, keepdim=True)
    for i in range(SQUARINGS):
        a = a * ops.where(norm > 2.0**i, 0.5, 1.0).to(a.dtype)
    q = unit
    for k in range(10 if a.dtype.itemsize == 4 else 18, 0, -1):
        q = unit + a @ q / k
    for i in range(SQUARINGS):
        q = ops.where(norm > 2.0**i, q @ q, q)
    return ops.where(norm > 2.0**SQUARINGS, math.nan, q)


def inverse(a, unit):
    """The inverse of matrices whose symmetric part is the unit matrix; NaN where digits are lost.

    Where the rest is large, halves lose digits; two of Newton's steps, x <- x (2 - a x), find them.
    """
    x = by_halves(a)
    for _ in range(2):
        error = unit - a @ x
        x = x + x @ error
    is_lost = error.detach().abs().amax((-2, -1), keepdim=True) > 0.1
    return ops.where(is_lost, math.nan, x)


def by_halves(a):
    """The inverse of matrices whose symmetric part is positive definite.

    So are their parts on the diagonal, and Schur's complements: no rows need to be exchanged.
    """
    n = a.shape[-1]
    if n <= 1:
        return 1 / a
    m = n // 2
    upper = by_halves(a[..., :m, :m])
    right, below = upper @ a[..., :m, m:], a[..., m:, :m] @ upper
    lower = by_halves(a[..., m:, m:] - below @ a[..., :m, m:])
    corner = -(lower @ below)
    top = ops.cat([upper - right @ corner, -(right @ lower)], -1)
    return ops.cat([top, ops.cat([corner, lower], -1)], -2)


def is_orthogonal(q):
    """Whether Q^T Q is I, up to what rounding does."""
    n, k = q.shape[-2:]
    error = np.swapaxes(q, -1, -2) @ q - np.eye(k, dtype=q.dtype)
    return bool(np.abs(error).max(initial=0) <= 10 * n * np.finfo(q.dtype).eps)


def made_orthogonal(x):
    """Q of x = Q R where R has a positive diagonal."""
    q, r = np.linalg.qr(x)
    return q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1, 1)[..., None, :].astype(x.dtype)


def reflections(q):
    """The vectors of Householder's reflections that make Q, below a diagonal of its signs."""
    if q.ndim > 2:
        return np.stack([reflections(each) for each in q])
    vectors, scales = np.linalg.qr(q, mode="raw")
    made = vectors.T.copy()
    signs = np.where(np.diagonal(made) < 0, -1, 1) * np.where(scales == 0, -1, 1)
    np.fill_diagonal(made, signs)
    return made.astype(q.dtype)
