"""Pruning: entries of a module's tensor that a mask holds at zero, with PyTorch's names.

The parameter `weight` becomes `weight_orig`, which is trained, beside the buffer `weight_mask`; a
forward pre-hook, the method, sets `weight` to their product before each call. It makes networks of
which less matters, as in experiments with lottery tickets (Frankle & Carbin 2019,
arXiv:1803.03635); it makes none faster: a kernel takes as long for a zero as for another number.
Recorded steps refuse a hook that sets an attribute; there, make the mask a parametrization.
"""

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable

from pyml.errors import ArgumentError
from pyml.nn.containers import place_of
from pyml.nn.hooks import pre_hooks, without_pre_hook
from pyml.nn.utils.penalty import check_module
from pyml.nn.utils.vector import parameters_to_vector
from pyml.ops import norm, ones_like, rand, rand_like, topk
from pyml.ops.arrays import checked_tensor
from pyml.tensor import Tensor

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """What chooses the entries of a tensor to prune; as a forward pre-hook it applies the mask.

    A subclass has `PRUNING_TYPE`: "unstructured" where it chooses among single entries,
    "structured" among slices along its attribute `dim`, "global" where it makes the whole mask. It
    writes compute_mask(), and its __init__ takes the options that apply() is given.
    """

    _tensor_name = None  # of the parameter, once apply() has made the method

    def __call__(self, module, inputs):
        """Sets the module's tensor to its pruned value."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The new mask of a tensor t, its scores; default_mask is the one so far, of its shape."""

    def apply_mask(self, module):
        """The pruned value: the mask times the original."""
        check_module(type(self).__name__, module)
        name = self._tensor_name
        original = getattr(module, f"{name}_orig", None)
        if original is None:
            raise ArgumentError(
                f"{type(self).__name__}: parameter {name!r} of the {type(module).__name__} is not "
                "pruned; apply() prunes one"
            )
        return getattr(module, f"{name}_mask").to(original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prunes a parameter of a module, or what is left of it if it is pruned already.

        Args:
            module: the module.
            name: the parameter's name.
            importance_scores: a Tensor of the parameter's shape, by which to choose. Default: the
                parameter.
            args, kwargs: the options of the method.

        Returns:
            The method, or the PruningContainer of all that prune this parameter.
        """
        method = cls(*args, **kwargs)
        method._tensor_name = name
        original = parameter_of(cls.__name__, module, name)
        earlier = [hook for hook in methods_of(module) if hook._tensor_name == name]
        if not earlier and name not in module._parameters:
            raise ArgumentError(f"{cls.__name__}: {name!r} of the module is no parameter")
        if importance_scores is None:
            importance_scores = original
        check_shape(importance_scores, original)
        if earlier:
            [first] = earlier
            chain = first if isinstance(first, PruningContainer) else PruningContainer(first)
            method = chained(chain, method)
            mask = getattr(module, f"{name}_mask").detach().clone()
        else:
            mask = ones_like(original)
        mask = method.compute_mask(importance_scores, default_mask=mask)
        if earlier:
            without_pre_hook(module, first)
        else:
            del module._parameters[name]
            module.register_parameter(f"{name}_orig", original)
        module.register_buffer(f"{name}_mask", mask)
        method(module, None)
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """The pruned value of a tensor, which belongs to no module.

        Args:
            t: the tensor.
            default_mask: the mask so far. Default: ones.
            importance_scores: a Tensor of t's shape, by which to choose. Default: t.
        """
        scores = t if importance_scores is None else importance_scores
        check_shape(scores, t)
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module):
        """Makes the pruned value a parameter again, the original one, of the original name."""
        name = self._tensor_name
        value = self.apply_mask(module)
        original = module._parameters.pop(f"{name}_orig")
        original.data = value.data
        del module._buffers[f"{name}_mask"]
        delattr(module, name)
        module.register_parameter(name, original)


class PruningContainer(BasePruningMethod):
    """Methods that prune one parameter, one after another: each chooses among what is left.

    Args:
        args: the methods, all of the same parameter.
    """

    def __init__(self, *args):
        self._pruning_methods = ()
        if len(args) == 1:
            self._tensor_name = getattr(args[0], "_tensor_name", None)
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Adds a method.

        Raises:
            TypeError: if it is none.
            ValueError: if it is of another parameter.
        """
        if method is not None and not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and method._tensor_name != self._tensor_name:
            raise ArgumentError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, index):
        return self._pruning_methods[place_of(index, len(self))]

    def compute_mask(self, t, default_mask):
        """The mask of the last method, which chooses among what default_mask has left."""
        method = self._pruning_methods[-1] if self._pruning_methods else None
        if method is None:
            raise ArgumentError("PruningContainer: it has no method; add_pruning_method() adds one")
        check_shape(default_mask, t)
        mask = default_mask.to(t.dtype, copy=True)
        if method.PRUNING_TYPE == "unstructured":
            left = default_mask == 1
        elif method.PRUNING_TYPE == "structured":
            dim = checked_dim(t, method.dim)
            others = [d for d in range(t.dim()) if d != dim]
            left = (*[slice(None)] * dim, default_mask.sum(dim=others) != 0)
        elif method.PRUNING_TYPE == "global":
            left = ...
        else:
            raise ArgumentError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        chosen = method.compute_mask(t.detach()[left], default_mask=default_mask[left])
        mask[left] = chosen.to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing: the mask stays."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """default_mask."""
        return default_mask


class Amount(BasePruningMethod):
    """A method that prunes so many entries or slices, those of the lowest scores.

    Args:
        amount: how many, an int, or which part of them, a float from 0 to 1.

    Raises:
        TypeError, ValueError: if amount is neither.
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount):
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (amount > 1 and not isinstance(amount, numbers.Integral)):
            raise ArgumentError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
                "integer"
            )
        self.amount = amount

    def _scores(self, t):
        """What the entries or slices of t are chosen by."""
        raise NotImplementedError

    def _count(self, size):
        """How many of `size` are pruned."""
        if not isinstance(self.amount, numbers.Integral):
            return round(self.amount * size)
        if self.amount > size:
            raise ArgumentError(
                f"amount={self.amount} should be smaller than the number of parameters to "
                f"prune={size}"
            )
        return self.amount

    def compute_mask(self, t, default_mask):
        """default_mask without the entries that t has least of."""
        check_shape(default_mask, t)
        mask, count = default_mask.clone(), self._count(t.numel())
        if count:
            mask.view(-1)[lowest(self._scores(t.detach()).reshape(-1), count)] = 0
        return mask


class RandomUnstructured(Amount):
    """Prunes entries at random; see random_unstructured."""

    def _scores(self, t):
        """Random numbers."""
        return rand_like(t)


class L1Unstructured(Amount):
    """Prunes the entries of the smallest absolute values; see l1_unstructured."""

    def _scores(self, t):
        """Absolute values."""
        return t.abs()


class Structured(Amount):
    """A method that prunes whole slices along `dim`, whose mask the shape of the tensor gives."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t, default_mask):
        """default_mask without the slices that t has least of."""
        check_shape(default_mask, t)
        if t.dim() < 2:
            raise ArgumentError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.dim()} dims"
            )
        dim = checked_dim(t, self.dim)
        count = self._count(t.shape[dim])
        if not count:
            return default_mask
        mask = default_mask.to(t.dtype, copy=True)
        mask[(*[slice(None)] * dim, lowest(self._scores(t.detach()), count))] = 0
        return mask


class RandomStructured(Structured):
    """Prunes slices at random; see random_structured."""

    def _scores(self, t):
        """Random numbers."""
        return rand(t.shape[self.dim])


class LnStructured(Structured):
    """Prunes the slices of the smallest n-norms; see ln_structured."""

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t):
        """n-norms."""
        dim = self.dim % t.dim()
        return norm(t, p=self.n, dim=[d for d in range(t.dim()) if d != dim])


class CustomFromMask(BasePruningMethod):
    """Prunes where a mask is 0; see custom_from_mask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """default_mask times the mask."""
        check_shape(default_mask, t)
        check_shape(self.mask, t)
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module, name):
    """Gives a parameter its mask, of ones, and prunes nothing. Returns the module.

    Args:
        module: the module, which is changed: see the text of this file.
        name: the parameter's name.
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prunes entries of a parameter at random. Returns the module.

    Args:
        module, name: as for identity.
        amount: how many of those that are left, an int; or which part of them, a float.

    Example:
        >>> layer = nn.utils.prune.random_unstructured(nn.Linear(2, 3), "weight", amount=1)
        >>> int((layer.weight_mask == 0).sum())
        1
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prunes the entries of a parameter that are smallest in absolute value. Returns the module.

    Args:
        module, name, amount: as for random_unstructured.
        importance_scores: a Tensor of its shape, by whose absolute values to choose. Default: the
            parameter itself.

    Example:
        >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 3), "weight", amount=0.5)
        >>> list(layer.state_dict())
        ['bias', 'weight_orig', 'weight_mask']
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prunes slices of a parameter along `dim` at random. Returns the module.

    Args:
        module, name: as for identity.
        amount: how many slices, an int; or which part of them, a float.
        dim: 0 are the outputs of a Linear, 1 its inputs.
    """
    RandomStructured.apply(module, name, amount, dim=dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prunes the slices of a parameter along `dim` of the smallest n-norms. Returns the module.

    Args:
        module, name, amount, dim: as for random_structured.
        n: the p of norm().
        importance_scores: a Tensor of its shape, whose norms to take. Default: the parameter
            itself.
    """
    LnStructured.apply(module, name, amount, n, dim=dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Prunes a parameter where a mask is 0. Returns the module.

    Args:
        module, name: as for identity.
        mask: a Tensor of the parameter's shape, of ones and zeros.
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prunes parameters together: entries are chosen among those of all.

    Args:
        parameters: pairs (module, name).
        pruning_method: an unstructured class, as L1Unstructured.
        importance_scores: {(module, name): a Tensor to choose by}. Default: the parameters.
        kwargs: the options of pruning_method, as amount.

    Raises:
        TypeError: for another pruning_method, parameters or importance_scores.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        >>> weights = [(net[0], "weight"), (net[2], "weight")]
        >>> nn.utils.prune.global_unstructured(weights, nn.utils.prune.L1Unstructured, amount=0.5)
        >>> sum(int((layer.weight == 0).sum()) for layer, _ in weights)
        20
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    if importance_scores is not None and not isinstance(importance_scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters, scores = list(map(checked_pair, parameters)), importance_scores or {}
    if not (isinstance(pruning_method, type) and issubclass(pruning_method, BasePruningMethod)):
        raise TypeError(
            f"global_unstructured: pruning_method is {pruning_method!r}, it must be a subclass of "
            "BasePruningMethod"
        )
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    values = [parameter_of("global_unstructured", *pair).detach() for pair in parameters]
    by = [scores.get(pair, value) for pair, value in zip(parameters, values, strict=True)]
    masks = [
        getattr(module, f"{name}_mask", ones_like(value))
        for (module, name), value in zip(parameters, values, strict=True)
    ]
    chain = PruningContainer()
    chain._tensor_name = method._tensor_name = "temp"
    chain.add_pruning_method(method)
    mask = chain.compute_mask(parameters_to_vector(by), parameters_to_vector(masks))
    parts = mask.split([value.numel() for value in values])
    for (module, name), value, part in zip(parameters, values, parts, strict=True):
        custom_from_mask(module, name, part.view_as(value))


def remove(module, name):
    """Makes the pruned value of a parameter permanent, and takes its mask away. Returns the module.

    Args:
        module, name: as for identity.

    Raises:
        ValueError: if the parameter is not pruned.
    """
    for method in methods_of(module):
        if method._tensor_name == name:
            method.remove(module)
            without_pre_hook(module, method)
            return module
    raise ArgumentError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    )


def is_pruned(module):
    """Whether a parameter of the module, or of one below it, is pruned.

    Example:
        >>> nn.utils.prune.is_pruned(nn.Linear(2, 3))
        False
    """
    check_module("is_pruned", module)
    return any(methods_of(each) for each in module.modules())


def methods_of(module):
    """The pruning methods among the hooks of a module."""
    check_module("prune", module)
    return [f for f in pre_hooks(module) if isinstance(f, BasePruningMethod)]


def chained(chain, method):
    """A container of the methods of another, and one more."""
    longer = PruningContainer()
    longer._tensor_name = chain._tensor_name
    for each in (*chain, method):
        longer.add_pruning_method(each)
    return longer


def checked_pair(pair):
    """An item of global_unstructured's parameters."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"global_unstructured: {pair!r} is no pair (module, name)")
    return tuple(pair)


def parameter_of(who, module, name):
    """The tensor of a module that is to be pruned; an AttributeError is PyTorch's, too."""
    check_module(who, module)
    if not hasattr(module, name):
        raise AttributeError(f"{who}: {module._get_name()} has no parameter named {name!r}")
    tensor = getattr(module, name)
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{who}: {name!r} of the module is no parameter")
    return tensor


def check_shape(scores, tensor):
    checked_tensor(tensor, "prune", "a tensor to prune")
    if checked_tensor(scores, "prune", "a mask or importance_scores").shape != tensor.shape:
        raise ArgumentError(
            f"importance_scores and masks should have the same shape as the parameter, "
            f"{tuple(tensor.shape)}, not {tuple(scores.shape)}"
        )


def checked_dim(t, dim):
    if not -t.dim() <= dim < t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {tuple(t.shape)}")
    return dim % t.dim()


def lowest(scores, count):
    """The places of the lowest scores."""
    return topk(scores, count, largest=False).indices
