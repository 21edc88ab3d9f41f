"""Parametrizations: a tensor of a module that is computed from others, which are trained.

The module's class becomes a subclass in which the tensor is a property. What it is computed from,
and the modules that compute it, are in `module.parametrizations`, with PyTorch's names.
"""

import copyreg
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache

from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn.containers import ModuleDict, ModuleList
from pyml.nn.module import BUFFER, BUFFERS, PARAMETER, Module
from pyml.nn.parameter import Parameter
from pyml.recorder import is_recording, refuse
from pyml.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

# Within cached() (values by (module, name), does it stand in a recorded step?), else None: of one
# thread, and of one task
values_kept = ContextVar("values_kept", default=None)


@contextmanager
def cached():
    """Within it each parametrized tensor is computed once, when it is first asked for.

    For modules that use a tensor several times, such as weights that layers share. A change of
    what the tensor is computed from is not seen before the end. It holds for this thread. A
    recorded step may have it inside; recording one within it is refused.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> with nn.utils.parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    if values_kept.get() is not None:
        yield
        return
    token = values_kept.set(({}, is_recording()))
    try:
        yield
    finally:
        values_kept.reset(token)


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, one after another, and what they compute it from.

    Made by register_parametrization; `module.parametrizations.weight` is one.

    Args:
        modules: at least one module. The first gets the originals, each next one the value so far.
        original: the tensor that is parametrized, a Parameter or a buffer. It stays the same object
            and gets the value of right_inverse, if the modules have that. Where right_inverse
            gives several tensors, they are new.
        unsafe: do not check that shape and dtype stay. Default: False.

    Attributes:
        original: what the tensor is computed from; or original0, original1, ...
        is_tensor: is there one original?
        ntensors: how many there are.
        unsafe: as given.

    Raises:
        TypeError: if a module is not a Module, or original not a Tensor.
        ValueError: if there are no modules; if right_inverse gives neither a tensor nor a sequence
            of tensors, or changes the dtype; if the value has another shape or dtype than original.
    """

    _contexts = (values_kept,)

    def __init__(self, modules, original, unsafe=False):
        modules = list(modules)
        if not modules:
            raise ArgumentError("ParametrizationList: modules is empty, at least one is needed")
        super().__init__(modules)
        if not isinstance(original, Tensor):
            raise TypeError(
                f"ParametrizationList: original must be a Tensor, not {type(original).__name__}"
            )
        self.unsafe = unsafe
        new = original
        with no_grad():
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # then as if it were not there
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ArgumentError(
                "right_inverse must return a Tensor or a sequence of Tensors, not "
                f"{type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            check_kept("right_inverse", "dtype", original.dtype, new.dtype)
        parts = [original] if self.is_tensor else [as_original(t, original) for t in new]
        for name, part in zip(self._names(), parts, strict=True):
            registers(self, name, part)
        old = original.detach()
        try:
            if self.is_tensor and new is not original:
                original.data = new.detach().clone()
                original._mark_changed()
            if not unsafe:
                check_value("the parametrization", self(), old)
        except BaseException:
            if original.array is not old.array:
                original.data = old
            raise

    def _names(self):
        """The attributes of what the tensor is computed from."""
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def forward(self):
        """The value of the tensor."""
        attributes = self.__dict__
        value = attributes["0"](*[attributes[name] for name in self._names()])
        for i in range(1, len(self)):
            value = attributes[str(i)](value)
        return value

    @no_grad()
    def right_inverse(self, value):
        """Sets the originals so that the tensor is `value`; `module.weight = value` calls it.

        Raises:
            RuntimeError: if a module has no right_inverse.
            TypeError: if one gives another type than it gave before.
            ValueError: if it gives another number of tensors, shape or dtype.
        """
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(
                    f"parametrization {type(module).__name__} has no right_inverse: the tensor "
                    "cannot be set; change what it is computed from"
                )
            value = module.right_inverse(value)
        if isinstance(value, Tensor) or not isinstance(value, Sequence):
            value = [value]
        originals = [getattr(self, name) for name in self._names()]
        if len(value) != len(originals):
            raise ArgumentError(
                f"right_inverse gives {len(value)} tensors, there are {len(originals)} originals"
            )
        for each, original in zip(value, originals, strict=True):
            if not isinstance(each, Tensor):
                raise TypeError(f"right_inverse must give Tensors, not {type(each).__name__}")
            check_kept("right_inverse", "shape", original.shape, each.shape)
            check_kept("right_inverse", "dtype", original.dtype, each.dtype)
        for original in originals:
            original._will_change(False)
        for each, original in zip(value, originals, strict=True):
            original.copy_(each)


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Makes a tensor of a module parametrization(original), computed whenever it is read.

    `module.weight` is then no parameter, but `module.parametrizations.weight.original` is. If the
    parametrization has a method right_inverse, it gives the original for a value: that is called
    for the value that the tensor has, and when one assigns to the tensor. It may give several
    tensors, which forward then takes and which are called original0, original1, ... A tensor that
    is parametrized already is computed by one more module, of the value so far.

    Args:
        module: a Module, whose class becomes a subclass named Parametrized...
        tensor_name: a parameter, a buffer, or a tensor that is parametrized.
        parametrization: a Module from tensors to a tensor; put into the mode of `module`.
        unsafe: do not check that it keeps shape and dtype. Default: False.

    Returns:
        module.

    Raises:
        TypeError: if module or parametrization is not a Module.
        ValueError: if there is no such tensor, or its shape or dtype would change.
        RuntimeError: in a recorded step.

    Example:
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return (x + x.T) / 2
        >>> layer = nn.utils.parametrize.register_parametrization(
        ...     nn.Linear(3, 3), "weight", Symmetric()
        ... )
        >>> pyml.equal(layer.weight, layer.weight.T)
        True
    """
    refuse("register_parametrization")
    for name, value in (("module", module), ("parametrization", parametrization)):
        if not isinstance(value, Module):
            raise TypeError(
                f"register_parametrization: {name} must be a Module, not {type(value).__name__}"
            )
    before = parametrization.training
    if is_parametrized(module, tensor_name):
        several = getattr(module.parametrizations, tensor_name)
        parametrization.train(module.training)
        if not unsafe:
            try:
                check_added(parametrization, getattr(module, tensor_name))
            except BaseException:
                parametrization.train(before)
                raise
        several.append(parametrization)
        several.unsafe = several.unsafe or unsafe
        return module
    kind = module._registered.get(tensor_name)
    original = module.__dict__.get(tensor_name)
    if kind not in (PARAMETER, *BUFFERS) or original is None:
        raise ArgumentError(
            f"register_parametrization: {module._get_name()} has no parameter, buffer or "
            f"parametrized tensor named {tensor_name!r}"
        )
    parametrization.train(module.training)
    try:
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
    except BaseException:
        parametrization.train(before)
        raise
    made.train(module.training)
    if not is_parametrized(module):
        children = ModuleDict()
        children.training = module.training
        module.add_module("parametrizations", children)
    module.parametrizations.add_module(tensor_name, made)
    delattr(module, tensor_name)
    become(module, (*names_of(module), tensor_name))
    return module


def is_parametrized(module, tensor_name=None):
    """True if the tensor of that name, or with None any tensor, of the module is parametrized.

    Example:
        >>> nn.utils.parametrize.is_parametrized(nn.Linear(3, 2), "weight")
        False
    """
    names = names_of(module)
    return bool(names) if tensor_name is None else tensor_name in names


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Makes a parametrized tensor a parameter or buffer again. Returns the module.

    Args:
        module: the module.
        tensor_name: the tensor.
        leave_parametrized: it keeps the value that it has now; False gives it that of the original.
            Default: True.

    The original, if it is one tensor, becomes the module's again: an optimizer that has it keeps
    it. What was computed from several becomes a new Parameter, or a buffer if none is trained.

    Raises:
        ValueError: if the tensor is not parametrized, or is to become one of several originals.
        RuntimeError: in a recorded step.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> nn.utils.parametrize.remove_parametrizations(layer, "weight")
        Linear(in_features=3, out_features=2, bias=True)
    """
    refuse("remove_parametrizations")
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(
            f"remove_parametrizations: {type(module).__name__} has no parametrization of "
            f"{tensor_name!r}"
        )
    several = getattr(module.parametrizations, tensor_name)
    if several.is_tensor:
        tensor = several.original
        if leave_parametrized:
            with no_grad():
                value = several().detach().clone()
            tensor.data = value
            tensor._mark_changed()
    elif leave_parametrized:
        value = several()
        is_trained = value.requires_grad
        value = value.detach().clone()
        tensor = Parameter(value) if is_trained else value
    else:
        raise ArgumentError(
            f"remove_parametrizations: {tensor_name!r} is computed from {several.ntensors} "
            "tensors, of which it cannot become one; leave_parametrized must be True"
        )
    delattr(module.parametrizations, tensor_name)
    become(module, tuple(name for name in names_of(module) if name != tensor_name))
    if not is_parametrized(module):
        delattr(module, "parametrizations")
    registers(module, tensor_name, tensor)
    return module


def type_before_parametrizations(module):
    """The class that the module had before it was parametrized."""
    return type(module).__base__ if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Parametrizes tensors of a module as those of another are, and by the same parameters.

    Both modules share the parametrizations and what the tensors are computed from. A tensor that
    to_module does not have is made.

    Args:
        from_module: the module that is parametrized; one that is not changes nothing.
        to_module: the other.
        tensor_name: the tensor. Default: all that are parametrized.

    Returns:
        to_module.

    Raises:
        ValueError: if tensor_name is not parametrized in from_module, or has another shape in
            to_module.
        RuntimeError: in a recorded step.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> other = nn.utils.parametrize.transfer_parametrizations_and_params(
        ...     layer, nn.Linear(3, 2)
        ... )
        >>> pyml.equal(other.weight, layer.weight)
        True
    """
    refuse("transfer_parametrizations_and_params")
    if not is_parametrized(from_module):
        return to_module
    chosen = names_of(from_module) if tensor_name is None else (tensor_name,)
    for name in chosen:
        if not is_parametrized(from_module, name):
            raise ArgumentError(
                f"transfer_parametrizations_and_params: {type(from_module).__name__} has no "
                f"parametrization of {name!r}"
            )
        there = getattr(to_module, name, None)
        if there is not None and there.shape != getattr(from_module, name).shape:
            raise ArgumentError(
                f"transfer_parametrizations_and_params: {name!r} has shape {there.shape} in "
                f"to_module, and {getattr(from_module, name).shape} in from_module"
            )
    for name in chosen:
        several = getattr(from_module.parametrizations, name)
        if not hasattr(to_module, name):
            with no_grad():
                value = getattr(from_module, name).detach().clone()
            setattr(to_module, name, Parameter(value))
        for parametrization in list(several):
            register_parametrization(to_module, name, parametrization, unsafe=several.unsafe)
        made = getattr(to_module.parametrizations, name)
        for each in several._names():
            registers(made, each, getattr(several, each))
    return to_module


# ---- the class -----------------------------------------------------------------------------------


def names_of(module):
    """The names of the parametrized tensors."""
    return vars(type(module)).get("_parametrized", ())


def become(module, names):
    """Gives a module the class in which the tensors of these names are computed."""
    base = type_before_parametrizations(module)
    module.__class__ = parametrized_class(base, names) if names else base


@cache
def parametrized_class(base, names):
    """The subclass of `base` in which the tensors of these names are computed."""

    def __reduce_ex__(self, protocol):
        # pickle looks a class up by its name, and would not find this one
        make, args, *rest = base.__reduce_ex__(self, protocol)
        if make is copyreg.__newobj__:
            make, args = new_parametrized, (base, names, *args[1:])
        return make, args, *rest

    return type(
        f"Parametrized{base.__name__}",
        (base,),
        {
            "__module__": __name__,
            "__reduce_ex__": __reduce_ex__,
            "_parametrized": names,
            **{name: computed(name) for name in names},
        },
    )


def new_parametrized(base, names, *args):
    """An object of that class, which its state is then given to."""
    cls = parametrized_class(base, names)
    return cls.__new__(cls, *args)


def computed(name):
    """The property of a parametrized tensor."""

    def value(self):
        if values_kept.get() is None:
            return getattr(self.parametrizations, name)()
        kept, in_step = values_kept.get()
        if not in_step:
            refuse("a parametrized tensor within cached() that began before the step")
        if (self, name) not in kept:
            kept[self, name] = getattr(self.parametrizations, name)()
        return kept[self, name]

    def assign(self, value):
        getattr(self.parametrizations, name).right_inverse(value)

    return property(value, assign)


# ---- checks --------------------------------------------------------------------------------------


def registers(module, name, tensor):
    """Makes a tensor a parameter or a buffer of a module, whichever it is."""
    module._register(name, tensor, PARAMETER if isinstance(tensor, Parameter) else BUFFER)


def as_original(part, original):
    """`part`, of what right_inverse gave for `original`, as it is trained."""
    if not isinstance(part, Tensor):
        raise ArgumentError(
            f"right_inverse must return a Tensor or a sequence of Tensors, not of "
            f"{type(part).__name__}"
        )
    part = part.detach().clone()
    return Parameter(part, original.requires_grad) if isinstance(original, Parameter) else part


def check_kept(what, quality, wanted, got):
    if got != wanted:
        raise ArgumentError(
            f"{what} changes the {quality} from {wanted} to {got}; unsafe=True allows it where a "
            "parametrization is registered"
        )


def check_value(what, value, wanted):
    if not isinstance(value, Tensor):
        raise ArgumentError(f"{what} must return a Tensor, not {type(value).__name__}")
    check_kept(what, "shape", wanted.shape, value.shape)
    check_kept(what, "dtype", wanted.dtype, value.dtype)


@no_grad()
def check_added(parametrization, value):
    """Raises if a module cannot be the next to compute a tensor, which has this value so far."""
    result = parametrization(value)
    check_value("the parametrization", result, value)
    if hasattr(parametrization, "right_inverse"):
        check_value("right_inverse", parametrization.right_inverse(result), value)
