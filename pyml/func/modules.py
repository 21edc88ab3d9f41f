"""Modules as functions of their parameters and buffers."""

from collections.abc import Mapping, Sequence
from itertools import chain
from types import NoneType

from pyml.errors import ArgumentError
from pyml.nn.module import Module
from pyml.ops import stack
from pyml.tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]

NOTHING = object()  # before the call: no such attribute


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """module(*args, **kwargs) with other tensors in place of its parameters and buffers.

    The module is as before when the call returns or raises. A buffer that the call replaces, as a
    count of batches, is replaced in the dict that was given.

    Args:
        module: a Module.
        parameter_and_buffer_dicts: {name: Tensor}, or a tuple or list of such, with names as in
            named_parameters() and named_buffers(), or of other attributes, which the module need
            not have. What no dict has stays the module's own. None stands for no tensor.
        args: a tuple of arguments, or a single one. Default: none.
        kwargs: keyword arguments, a dict. Default: none.
        tie_weights: a tensor that the module has by several names is replaced in all of them.
            Default: True.
        strict: every parameter and buffer must be given, and nothing else. Default: False.

    Raises:
        TypeError: for a value that is no Tensor, or the name of an attribute that is none.
        ValueError: for a name in two dicts, or two values for one tied tensor.
        AttributeError: for a name in a module that is not there.
        RuntimeError: with strict, for a name that is not given, or that is no parameter or buffer.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> pyml.func.functional_call(model, {"weight": pyml.ones(1, 2)}, pyml.tensor([1.0, 2.0]))
        tensor([3.])
    """
    if not isinstance(module, Module):
        raise TypeError(f"functional_call: module is a {type(module).__name__}, not a Module")
    given = merged(parameter_and_buffer_dicts)
    values = {name: value for name, (value, _) in given.items()}
    places = places_of(module)
    if tie_weights:
        values = tied(values, places)
    if strict:
        check_names(module, values, places)
    places |= {key: other_place(module, key) for key in values if key not in places}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    before = [
        (owner, name, owner.__dict__.get(name, NOTHING)) for owner, name in map(places.get, values)
    ]
    try:
        for key, value in values.items():
            owner, name = places[key]
            owner.__dict__[name] = value
        return module(*args, **(kwargs or {}))
    finally:
        for key, (value, source) in given.items():
            owner, name = places[key]
            if owner.__dict__[name] is not value:
                source[key] = owner.__dict__[name]
        for owner, name, value in before:
            if value is NOTHING:
                owner.__dict__.pop(name, None)
            else:
                owner.__dict__[name] = value


def merged(dicts):
    """{name: (value, the dict that has it)}"""
    dicts = [dicts] if isinstance(dicts, Mapping) else dicts
    if not isinstance(dicts, Sequence) or not all(isinstance(d, Mapping) for d in dicts):
        raise TypeError(
            "functional_call: parameter_and_buffer_dicts must be a dict {name: Tensor}, or a tuple "
            f"or list of such, not {dicts!r}"
        )
    found = {}
    for source in dicts:
        for name, value in source.items():
            if name in found:
                raise ArgumentError(f"functional_call: {name!r} is in two dicts; give it once")
            if not isinstance(value, (Tensor, NoneType)):
                raise TypeError(
                    f"functional_call: {name!r} is a {type(value).__name__}, it must be a Tensor"
                )
            found[name] = value, source
    return found


def places_of(module):
    """{name: (the module that has it, its name there)} of all parameters and buffers."""
    named = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    found = {}
    for key, _ in named:
        path, _, name = key.rpartition(".")
        found[key] = module.get_submodule(path), name
    return found


def other_place(module, key):
    """(the module, the name there) of an attribute that `places_of` has not."""
    path, _, name = key.rpartition(".")
    owner = module.get_submodule(path)
    if hasattr(type(owner), name) or not isinstance(getattr(owner, name, None), (Tensor, NoneType)):
        raise TypeError(
            f"functional_call: {key!r} of {type(module).__name__} is an attribute of another kind, "
            "a Tensor cannot take its place"
        )
    return owner, name


def check_names(module, values, places):
    who = f"functional_call: {type(module).__name__}"
    unknown = [name for name in values if name not in places]
    if unknown:
        raise RuntimeError(
            f"{who} has no parameter or buffer {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(places) or 'none'}"
        )
    lacking = [name for name in places if name not in values]
    if lacking:
        raise RuntimeError(f"{who} needs {', '.join(map(repr, lacking))} too, as strict=True says")


def tied(values, places):
    """`values`, and each of them for the other names of the tensor that it replaces."""
    names_of = {}
    for key, (owner, name) in places.items():
        names_of.setdefault(id(owner.__dict__[name]), []).append(key)
    whole = dict(values)
    for names in names_of.values():
        given = {id(values[name]): values[name] for name in names if name in values}
        if len(given) > 1:
            raise ArgumentError(
                f"functional_call: {', '.join(map(repr, names))} are one tensor of the module and "
                "were given different values; give one, or pass tie_weights=False"
            )
        for value in given.values():
            whole.update(dict.fromkeys(names, value))
    return whole


def stack_module_state(models):
    """The parameters and buffers of modules of one kind, stacked: what vmap takes.

    Args:
        models: a list of Modules of one class and mode, or a ModuleList.

    Returns:
        ({name: (models, ...)}, {name: (models, ...)}): parameters, new leaves that require grad if
        those of the models do, and buffers.

    Raises:
        TypeError: if one of them is no Module.
        ValueError: if there are no models, or they differ in class, mode, names or shapes, or
            in what requires grad.

    Example:
        >>> models = [nn.Linear(3, 2) for _ in range(5)]
        >>> params, buffers = pyml.func.stack_module_state(models)
        >>> params["weight"].shape
        (5, 2, 3)
    """
    models = list(models)
    if not models:
        raise ArgumentError("stack_module_state: models is empty, at least one is needed")
    for i, model in enumerate(models):
        if not isinstance(model, Module):
            raise TypeError(
                f"stack_module_state: models[{i}] is a {type(model).__name__}, it must be a Module"
            )
    for what, quality in (("class", type), ("training mode", lambda model: model.training)):
        if len({quality(model) for model in models}) > 1:
            raise ArgumentError(f"stack_module_state: the models are not all of one {what}")
    return (
        stacked([dict(model.named_parameters()) for model in models]),
        stacked([dict(model.named_buffers()) for model in models]),
    )


def stacked(states):
    if any(state.keys() != states[0].keys() for state in states):
        raise ArgumentError("stack_module_state: the models have tensors of different names")
    result = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        shapes, graded = {tuple(t.shape) for t in tensors}, {t.requires_grad for t in tensors}
        if len(shapes) > 1:
            raise ArgumentError(f"stack_module_state: {name} has the shapes {sorted(shapes)}")
        if len(graded) > 1:
            raise ArgumentError(f"stack_module_state: {name} requires grad in some models only")
        result[name] = stack(tensors).detach().requires_grad_(graded.pop())
    return result
