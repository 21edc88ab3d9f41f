"""Trees of arguments and results: tuples, lists and dicts, in one another, of leaves."""

from pyml.attributes import Size

__all__ = ["broadcast", "leaves", "mapped", "rebuilt"]


def mapped(function, tree):
    """The same tree with function(leaf) in place of each leaf: what is no tuple, list or dict."""
    if isinstance(tree, (tuple, list)) and not isinstance(tree, Size):
        items = [mapped(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return type(tree)((key, mapped(function, item)) for key, item in tree.items())
    return function(tree)


def leaves(tree):
    """The leaves of a tree in their order."""
    found = []
    mapped(found.append, tree)
    return found


def rebuilt(tree, values):
    """The same tree with these leaves."""
    values = iter(values)
    return mapped(lambda _: next(values), tree)


def broadcast(prefix, tree):
    """The leaves of `prefix`, each as often as there are leaves of `tree` in its place.

    Raises:
        ValueError: if the tree has another form than its prefix.
    """
    if not isinstance(prefix, (tuple, list, dict)):
        return [prefix] * len(leaves(tree))
    same = isinstance(tree, dict) if isinstance(prefix, dict) else isinstance(tree, (tuple, list))
    if not same or len(prefix) != len(tree):
        raise ValueError(f"{prefix!r} does not go with {mapped(type, tree)!r}")
    if isinstance(prefix, dict):
        if prefix.keys() != tree.keys():
            raise ValueError(f"{prefix!r} does not go with the keys {list(tree)}")
        pairs = [(prefix[key], tree[key]) for key in tree]
    else:
        pairs = zip(prefix, tree, strict=True)
    return [item for pair in pairs for item in broadcast(*pair)]
