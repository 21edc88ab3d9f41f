"""Modules whose initial values do not matter."""

import inspect

from pyml.errors import ArgumentError
from pyml.nn.module import Module
from pyml.random import get_rng_state, set_rng_state

__all__ = ["skip_init"]


def skip_init(module_cls, *args, **kwargs):
    """A module that will get its values from elsewhere; the generator is as it was before.

    In PyTorch the values are not set. Here they are the initial ones all the same.

    Args:
        module_cls: the class of a Module that takes `device`.
        args, kwargs: what it is made with.

    Example:
        >>> nn.utils.skip_init(nn.Linear, 3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise TypeError(f"skip_init: module_cls is {module_cls!r}, it must be a class of Modules")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ArgumentError(f"skip_init: {module_cls.__name__} takes no `device`, as it must")
    state = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(state)
