"""Trees of containers: taken apart, and put together again."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from pyml import pytree

Point = namedtuple("Point", "x y")
TREES = [
    3,
    None,
    [],
    [1, (2, [3, {}])],
    {"b": 1, "a": (2, None)},
    OrderedDict(b=1, a=[2]),
    defaultdict(list, b=1, a=[2]),
    deque([1, (2, 3)], maxlen=4),
    Point(1, [2, 3]),
]


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_there_and_back(tree):
    leaves, spec = pytree.tree_flatten(tree)
    again = pytree.tree_unflatten(leaves, spec)
    assert again == tree and type(again) is type(tree)
    assert spec.num_leaves == len(leaves) and spec.is_leaf() == (tree in (3, None))
    for name in ("default_factory", "maxlen"):
        assert getattr(again, name, None) == getattr(tree, name, None)
    if isinstance(tree, dict):
        assert list(again) == list(tree)


def test_leaves():
    tree = {"b": [1, 2], "a": Point(3, {"c": 4})}
    assert pytree.tree_leaves(tree) == [1, 2, 3, 4]
    assert pytree.tree_leaves(tree, is_leaf=lambda each: isinstance(each, list)) == [[1, 2], 3, 4]
    leaves, spec = pytree.tree_flatten(tree)
    for wrong in (leaves[:-1], [*leaves, 5]):
        with pytest.raises(ValueError, match=f"{len(wrong)} leaves, the tree has 4"):
            pytree.tree_unflatten(wrong, spec)


def test_map():
    tree = {"a": 1, "b": (2, 3)}
    assert pytree.tree_map(lambda x: -x, tree) == {"a": -1, "b": (-2, -3)}
    other = {"a": [10], "b": (20, 30)}
    assert pytree.tree_map(lambda x, y: (x, y), tree, other) == {
        "a": (1, [10]),
        "b": ((2, 20), (3, 30)),
    }
    turned = OrderedDict(b=(20, 30), a=10)
    assert pytree.tree_map(lambda x, y: x + y, tree, turned) == {"a": 11, "b": (22, 33)}
    for wrong in ({"a": 1, "b": [2, 3]}, {"a": 1, "c": (2, 3)}, {"a": 1, "b": (2,)}, 5):
        with pytest.raises(ValueError, match="not of the form of the first tree"):
            pytree.tree_map(lambda x, y: x, tree, wrong)


def test_a_class_of_ones_own(monkeypatch):
    class Pair:
        def __init__(self, *parts):
            self.parts = parts

    monkeypatch.setattr(pytree, "SUPPORTED_NODES", dict(pytree.SUPPORTED_NODES))
    pair = Pair(1, [2, 3])
    assert pytree.tree_leaves(pair) == [pair]
    pytree.register_pytree_node(Pair, lambda p: (p.parts, "word"), lambda c, _: Pair(*c))
    assert pytree.tree_map(lambda x: x * 2, pair).parts == (2, [4, 6])
    with pytest.raises(ValueError, match="Pair is registered already"):
        pytree.register_pytree_node(Pair, None, None)
