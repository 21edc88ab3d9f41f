"""Trees of Python's containers: their leaves in a row, and back, as in `torch.utils._pytree`.

A tree is a dict, list, tuple, named tuple, OrderedDict, defaultdict or deque of trees, an object of
a class that was registered, or a leaf: anything else, None too.
"""

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "SUPPORTED_NODES",
    "LeafSpec",
    "NodeDef",
    "PyTree",
    "TreeSpec",
    "register_pytree_node",
    "tree_flatten",
    "tree_leaves",
    "tree_map",
    "tree_unflatten",
]

PyTree = Any


class NodeDef(NamedTuple):
    """How a container is taken apart, and made again."""

    flatten_fn: Callable
    """container -> (its children, the context: what else it is made of)"""

    unflatten_fn: Callable
    """(children, context) -> container"""


class TreeSpec(NamedTuple):
    """A tree without its leaves."""

    type: Any
    """The key of SUPPORTED_NODES; None for a leaf."""

    context: Any
    children_specs: list

    @property
    def num_leaves(self):
        """How many leaves the tree has."""
        return 1 if self.is_leaf() else sum(spec.num_leaves for spec in self.children_specs)

    def is_leaf(self):
        """Whether the tree is one leaf."""
        return self.type is None

    def flatten_up_to(self, tree):
        """What another tree has where this one has leaves.

        It may have a dict of another kind, or with its keys in another order.

        Raises:
            ValueError: if it has another form.
        """
        if self.is_leaf():
            return [tree]
        kind, children, context = node_type(tree), (), None
        fits = kind is self.type
        if kind in KEYED and self.type in KEYED:
            keys = self.context[0]
            fits = tree.keys() == set(keys)
            children = [tree[key] for key in keys] if fits else ()
        elif fits:
            children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
            fits = len(children) == len(self.children_specs) and context == self.context
        if not fits:
            kind = getattr(self.type, "__name__", self.type)
            raise ValueError(
                f"{tree!r} is not of the form of the first tree, a {kind} of "
                f"{len(self.children_specs)} there"
            )
        pairs = zip(self.children_specs, children, strict=True)
        return [part for spec, child in pairs for part in spec.flatten_up_to(child)]


def LeafSpec():
    """That of a leaf."""
    return TreeSpec(None, None, [])


KEYED = (dict, OrderedDict, defaultdict)


def keyed(make):
    """Of a dict, which `make` makes of pairs and of the dict's `default_factory`, if it has one."""
    return NodeDef(
        lambda tree: (list(tree.values()), (list(tree), getattr(tree, "default_factory", None))),
        lambda children, context: make(zip(context[0], children, strict=True), context[1]),
    )


SUPPORTED_NODES = {
    dict: keyed(lambda pairs, _: dict(pairs)),
    OrderedDict: keyed(lambda pairs, _: OrderedDict(pairs)),
    defaultdict: keyed(lambda pairs, factory: defaultdict(factory, pairs)),
    list: NodeDef(lambda tree: (tree, None), lambda children, _: list(children)),
    tuple: NodeDef(lambda tree: (list(tree), None), lambda children, _: tuple(children)),
    deque: NodeDef(lambda tree: (list(tree), tree.maxlen), deque),
    namedtuple: NodeDef(
        lambda tree: (list(tree), type(tree)), lambda children, kind: kind(*children)
    ),
}


def register_pytree_node(cls, flatten_fn, unflatten_fn, **options):
    """Lets the functions here look into objects of a class.

    Args:
        cls: the class; its subclasses are others.
        flatten_fn: object -> (its children, the context: what else it is made of).
        unflatten_fn: (children, context) -> object.
        options: of PyTorch's, of no effect.

    Raises:
        TypeError: if cls is no class, or another argument no function.
        ValueError: if objects of the class are looked into already.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register_pytree_node: cls is {cls!r}, it must be a class")
    if cls in SUPPORTED_NODES:
        raise ValueError(f"register_pytree_node: {cls.__name__} is registered already")
    for name, function in (("flatten_fn", flatten_fn), ("unflatten_fn", unflatten_fn)):
        if not callable(function):
            raise TypeError(f"register_pytree_node: {name} is {function!r}, it must be a function")
    SUPPORTED_NODES[cls] = NodeDef(flatten_fn, unflatten_fn)


def node_type(tree):
    """The key in SUPPORTED_NODES, if there is one: the class, namedtuple for all of these."""
    kind = type(tree)
    named = kind not in SUPPORTED_NODES and issubclass(kind, tuple) and hasattr(kind, "_fields")
    return namedtuple if named else kind


def tree_flatten(tree, is_leaf=None):
    """The leaves of a tree from left to right, and what tree_unflatten makes a tree of.

    Args:
        tree: the tree.
        is_leaf: a function that is True for what is a leaf, though it could be looked into.
            Default: none.

    Returns:
        A list of leaves, and a TreeSpec.

    Example:
        >>> from pyml.pytree import tree_flatten
        >>> tree_flatten({"a": 1, "b": (2, 3)})[0]
        [1, 2, 3]
    """
    kind = node_type(tree)
    if kind not in SUPPORTED_NODES or (is_leaf is not None and is_leaf(tree)):
        return [tree], LeafSpec()
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    parts = [tree_flatten(child, is_leaf) for child in children]
    leaves = [leaf for part, _ in parts for leaf in part]
    return leaves, TreeSpec(kind, context, [spec for _, spec in parts])


def tree_unflatten(leaves, treespec):
    """The tree of a TreeSpec with these leaves.

    Raises:
        TypeError: if treespec is no TreeSpec.
        ValueError: if there are more or fewer than the tree has.
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"tree_unflatten: treespec is a {type(treespec).__name__}, it must be a TreeSpec; "
            "tree_flatten gives one"
        )
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten: {len(leaves)} leaves, the tree has {treespec.num_leaves}"
        )
    return _grown(iter(leaves), treespec)


def _grown(leaves, spec):
    if spec.is_leaf():
        return next(leaves)
    children = [_grown(leaves, each) for each in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(children, spec.context)


def tree_leaves(tree, is_leaf=None):
    """The leaves of a tree from left to right; is_leaf as in tree_flatten."""
    return tree_flatten(tree, is_leaf)[0]


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree of what the function gives of each leaf, and of those at its place in other trees.

    Args:
        func: a function of as many leaves as there are trees.
        tree: the tree.
        rests: trees of the same form; where `tree` has a leaf they may have trees.
        is_leaf: as in tree_flatten.

    Raises:
        ValueError: if a tree of `rests` has another form.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return tree_unflatten(map(func, leaves, *others), spec)
