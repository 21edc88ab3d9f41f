"""Norms of weights by hooks, as PyTorch had them before nn.utils.parametrizations.

The names of their parameters and buffers are those of that time. Recorded steps refuse a hook that
sets an attribute: there, use nn.utils.parametrizations.
"""

import warnings

from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn.functional import normalize
from pyml.nn.hooks import pre_hooks, without_pre_hook
from pyml.nn.parameter import Parameter, is_lazy
from pyml.nn.utils.clip_grad import clip_grad_norm_
from pyml.nn.utils.parametrizations import _WeightNorm, matrix_of, tensor_of
from pyml.nn.utils.penalty import check_module
from pyml.ops import randn
from pyml.options import Range, check_integer, check_number

__all__ = [
    "clip_grad_norm",
    "remove_spectral_norm",
    "remove_weight_norm",
    "spectral_norm",
    "weight_norm",
]


class Hook:
    """A forward pre-hook that computes one tensor of a module from others.

    `ends`: what the names of these have behind that of the tensor.
    """

    def __call__(self, module, inputs):
        setattr(module, self.name, self.value(module, module.training))

    def register(self, module):
        """Puts it among the hooks of a module, where no other of its kind has the tensor."""
        if found(type(self), module, self.name):
            raise RuntimeError(
                f"Cannot register two {self.word} hooks on the same parameter {self.name}"
            )
        weight = tensor_of(self.word, module, self.name)
        if is_lazy(weight):
            raise ArgumentError(
                f"{self.word}: {self.name} of {module._get_name()} is not initialized; call the "
                "module once before"
            )
        self.begin(module, weight)
        module.register_forward_pre_hook(self)
        return module

    def parts(self, module):
        """The tensors that it computes from."""
        return [getattr(module, self.name + end) for end in self.ends]

    def end(self, module):
        """Makes the tensor a parameter again."""
        value = self.value(module, is_training=False).detach()
        for end in ("", *self.ends):
            delattr(module, self.name + end)
        module.register_parameter(self.name, Parameter(value))


class WeightNorm(Hook):
    """weight = g v / ||v||, of the parameters weight_g and weight_v."""

    word, ends = "weight_norm", ("_g", "_v")

    def __init__(self, name, dim):
        self.name, self.norm = name, _WeightNorm(dim)

    def begin(self, module, weight):
        """Makes the parameters, in place of the weight."""
        length, value = self.norm.norm(weight.detach()), weight.detach()
        del module._parameters[self.name]
        module.register_parameter(f"{self.name}_g", Parameter(length))
        module.register_parameter(f"{self.name}_v", Parameter(value))
        self(module, None)

    def value(self, module, is_training):
        """The weight."""
        return self.norm(*self.parts(module))


class SpectralNorm(Hook):
    """weight = W / u^T W v, of the parameter weight_orig and the buffers weight_u and weight_v."""

    word, ends = "spectral_norm", ("_orig", "_u", "_v")

    def __init__(self, name, n_power_iterations, dim, eps):
        check_integer(self.word, "n_power_iterations", n_power_iterations)
        check_integer(self.word, "dim", dim)
        check_number(self.word, "eps", eps, Range(0))
        if n_power_iterations <= 0:
            raise ArgumentError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations = name, n_power_iterations
        self.dim, self.eps = dim, eps

    def begin(self, module, weight):
        """Makes the buffers, and gives the parameter its other name."""
        rows, columns = matrix_of(weight, self.dim).shape
        drawn = [randn(size, dtype=weight.dtype) for size in (rows, columns)]
        del module._parameters[self.name]
        module.register_parameter(f"{self.name}_orig", weight)
        setattr(module, self.name, weight.detach())
        for end, values in zip("uv", drawn, strict=True):
            module.register_buffer(f"{self.name}_{end}", normalize(values, dim=0, eps=self.eps))

    def value(self, module, is_training):
        """The weight; in training mode after power iterations of u and v."""
        weight, u, v = self.parts(module)
        matrix = matrix_of(weight, self.dim)
        if is_training:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(matrix.T @ u, dim=0, eps=self.eps))
                    u.copy_(normalize(matrix @ v, dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()  # the next call changes them, backward needs these
        return weight / u.dot(matrix @ v)


def found(kind, module, name):
    """The hooks of a kind that compute a tensor of a module: one, or none."""
    check_module(kind.word, module)
    return [f for f in pre_hooks(module) if isinstance(f, kind) and f.name == name]


def removed(kind, module, name):
    """The module, its tensor a parameter again."""
    hooks = found(kind, module, name)
    if not hooks:
        raise ArgumentError(f"{kind.word} of '{name}' not found in {module}")
    hooks[0].end(module)
    without_pre_hook(module, hooks[0])
    return module


def weight_norm(module, name="weight", dim=0):
    """Trains length and direction of a weight apart, by a hook: weight = g v / ||v||.

    Deprecated, with a FutureWarning: parametrizations.weight_norm has the same formula, and loads
    the same state dicts.

    Args:
        module: a Module, which gets the parameters weight_g and weight_v.
        name: its parameter. Default: "weight".
        dim: a norm for each index of this dimension; None for one norm of all. Default: 0.

    Returns:
        module.

    Raises:
        ValueError: if it has no such tensor.
        RuntimeError: if it has such a hook.
    """
    warnings.warn(
        "`nn.utils.weight_norm` is deprecated in favor of `nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    return WeightNorm(name, dim).register(module)


def remove_weight_norm(module, name="weight"):
    """Makes a weight of weight_norm a parameter again. Returns the module.

    Raises:
        ValueError: if it has no such hook.
    """
    return removed(WeightNorm, module, name)


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divides a weight by its spectral norm before each call of the module, by a hook.

    parametrizations.spectral_norm is newer: it begins with 15 power iterations, here there are
    none; and computes the weight whenever it is asked for.

    Args:
        module: a Module, which gets weight_orig, weight_u and weight_v.
        name: its parameter. Default: "weight".
        n_power_iterations: how many each call in training mode makes. Default: 1.
        eps: the least norm that u and v are divided by. Default: 1e-12.
        dim: the dimension of the tensor that is the rows of W. Default: 0.

    Returns:
        module.

    Raises:
        ValueError: if it has no such tensor, or n_power_iterations is not positive.
        RuntimeError: if it has such a hook.

    Example:
        >>> layer = nn.utils.spectral_norm(nn.Linear(3, 2))
        >>> list(layer.state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    return SpectralNorm(name, n_power_iterations, dim or 0, eps).register(module)


def remove_spectral_norm(module, name="weight"):
    """Makes a weight of spectral_norm a parameter again. Returns the module.

    Raises:
        ValueError: if it has no such hook.
    """
    return removed(SpectralNorm, module, name)


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """clip_grad_norm_, by its old name, with a FutureWarning."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)
