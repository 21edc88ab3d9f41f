"""Views whose base, or that themselves, are changed in place while gradients are recorded.

A view looks at some elements of its base: its Region. What a write into the view is to the base,
and what the base's change is to a view made before, are linear maps between the two:

    take   base -> view   the elements of the region
    put    view -> base   zeros with the view's elements in the region; adds what a view repeats
    rest   base -> base   the elements outside the region, zeros inside

put is the transpose of take, rest is its own: each is the derivative of the other.

A view by any sizes and steps may look at an element more than once, and put adds these.
"""

import numpy as np

from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import contiguous, copied, copy_into, full, strided
from pyml.ops.index import scatter_add
from pyml.ops.operands import sum_to
from pyml.ops.shape import Rearrange, tracked
from pyml.recorder import constant
from pyml.tensor import Node, Tensor, unwritable


class Region:
    """Where the elements of a view lie among those of its base.

    Args:
        base, view: arrays on one memory.
    """

    def __init__(self, base, view):
        size = base.itemsize
        first, end = extent(base)
        start = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        low, high = extent(view)
        if any(n % size for n in (start, *base.strides, *view.strides)):
            refuse("its base has elements that do not lie at multiples of their size")
        if view.size and not first <= start + low < start + high <= end:
            refuse("it lies outside its base")
        self.count = (end - first) // size  # elements from the first to the last in memory
        self.of_base = (-first // size, base.shape, in_elements(base))
        self.of_view = ((start - first) // size, view.shape, in_elements(view))
        self.dense = base.flags.c_contiguous
        once = tuple(1 if s == 0 and n > 1 else n for n, s in zip(*self.of_view[1:], strict=True))
        self.repeats = once != view.shape
        self.once = (self.of_view[0], once, self.of_view[2])  # without repetition
        memory = np.empty(self.count, np.bool_)
        if unwritable(look(memory, self.of_base)) is not None:
            refuse("elements of its base share memory")
        self.overlaps = unwritable(look(memory, self.once)) is not None

    def take(self, x, place=None):
        """The elements of the region, of x of the base's shape; those at `place`."""
        y = Tensor._on(copied(look(self.memory_of(x.array), place or self.of_view)))
        return tracked(x, y, "TakeRegion", self.put)

    def put(self, x):
        """Zeros of the base's shape, with x of the view's shape in the region."""
        if self.repeats:
            x = sum_to(x, self.once[1])
        memory = full((self.count,), x.array, 0)
        if self.overlaps:
            places = constant(look(np.arange(self.count), self.once).reshape(-1))
            parts = Tensor._on(memory), 0, Tensor._on(places), x.detach().reshape(-1)
            memory = scatter_add(*parts).array
        else:
            copy_into(look(memory, self.once), x.array)
        y = Tensor._on(self.as_base(memory))
        return tracked(x, y, "PutRegion", lambda dy: self.take(dy, self.once))

    def rest(self, x):
        """x of the base's shape, with zeros in the region."""
        memory = copied(self.memory_of(x.array))
        copy_into(look(memory, self.of_view), full((), x.array, 0))
        return tracked(x, Tensor._on(self.as_base(memory)), "RestOfRegion", self.rest)

    def memory_of(self, array):
        """The base's memory from its first to its last element, with the elements of `array`."""
        if self.dense:
            return contiguous(array).reshape(-1)
        memory = full((self.count,), array, 0)
        copy_into(look(memory, self.of_base), array)
        return memory

    def as_base(self, memory):
        """The base's elements of such memory, contiguous."""
        return memory.reshape(self.of_base[1]) if self.dense else copied(look(memory, self.of_base))


def seen(x, start, sizes, steps, name):
    """A view of a tensor by other sizes and steps, which the caller has checked.

    Args:
        start: its first element, counted from that of x.
        steps: in elements, as start.
    """
    array = strided(x.array, start, sizes, steps)
    y = x._view(array)
    if x.requires_grad and is_grad_enabled():
        Rearrange(name, Region(x.array, array).put)._connect(y, (x,))
    return y


def extent(array):
    """The first byte, and that behind the last, counted from the first element; (0, 0) if empty."""
    if array.size == 0:
        return 0, 0
    spans = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    return sum(s for s in spans if s < 0), sum(s for s in spans if s > 0) + array.itemsize


def in_elements(array):
    return tuple(step // array.itemsize for step in array.strides)


def look(memory, place):
    """An array on a vector's memory: (start, sizes, steps), in elements."""
    start, sizes, steps = place
    if 0 in sizes:
        return memory[:0].reshape(sizes)
    size = memory.itemsize
    return np.ndarray(sizes, memory.dtype, memory, start * size, tuple(s * size for s in steps))


def refuse(why):
    raise RuntimeError(
        f"a view cannot follow changes of its base in the graph: {why}; .clone() it before"
    )


class CopySlices(Node):
    """A base of which a view was changed: its elements outside the region, the view's inside."""

    def __init__(self, region):
        self._region = region

    def _gradients(self, dy):
        before, view = self.inputs
        return (
            None if before is None else self._region.rest(dy),
            None if view is None else self._region.take(dy),
        )


def connect_view(region, view, base):
    """Makes `view` what its region of the base holds now."""
    Rearrange("AsStrided", region.put)._connect(view, (base,))
