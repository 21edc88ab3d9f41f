"""Names of a state dict that a wrapper of the model has put a word before."""

from collections.abc import MutableMapping

__all__ = ["consume_prefix_in_state_dict_if_present"]


def consume_prefix_in_state_dict_if_present(state_dict, prefix):
    """Takes a prefix off the names that have it, in place; the order of all names stays.

    Args:
        state_dict: a dict of state_dict(), its `_metadata` too if it has one.
        prefix: as "module.", which DataParallel puts before all names.

    Example:
        >>> state = {"module.weight": pyml.ones(1), "scale": pyml.ones(1)}
        >>> nn.utils.prefix.consume_prefix_in_state_dict_if_present(state, "module.")
        >>> list(state)
        ['weight', 'scale']
    """
    who = "consume_prefix_in_state_dict_if_present"
    if not isinstance(state_dict, MutableMapping):
        raise TypeError(f"{who}: state_dict is a {type(state_dict).__name__}, it must be a dict")
    if not isinstance(prefix, str):
        raise TypeError(f"{who}: prefix is {prefix!r}, it must be a string")
    replace_names(state_dict, lambda name: name.removeprefix(prefix))
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:  # the module's own name has no dot behind it: "module", then ""
        whole = prefix.removesuffix(".")
        replace_names(metadata, lambda name: "" if name == whole else name.removeprefix(prefix))


def replace_names(named, new):
    for name in named:
        if not isinstance(name, str):
            raise TypeError(
                "consume_prefix_in_state_dict_if_present: the state_dict has the name "
                f"{name!r}, names must be strings"
            )
    names = {name: new(name) for name in named}
    for name, instead in names.items():
        named[instead] = named.pop(name)
