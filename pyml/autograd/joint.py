"""Several tensors whose gradients are asked for together."""

import numpy as np

from pyml.recorder import constant
from pyml.tensor import Node, Tensor


class Joint(Node):
    """What computed several tensors. Its own output stands for all and has no value: the Branch of
    each leaves its gradient here, and a mark in the gradient of that one.

    Nodes run in the reverse of the order in which they were made: when it runs, every Branch that
    is reached has run.
    """

    def __init__(self, count):
        self.received = [None] * count

    def join(self, inputs):
        """The output, from which the Branches go out."""
        return self._connect(self.marks(), inputs)

    def marks(self, k=None):
        marks = np.zeros(len(self.received))
        if k is not None:
            marks[k] = 1
        return Tensor._on(constant(marks))

    def received_with(self, marks):
        """A gradient or None for each. What has no mark is of a backward that raised."""
        received, self.received = self.received, [None] * len(self.received)
        for k, mark in enumerate(marks.array.tolist()):
            if not mark:
                received[k] = None
        return tuple(received)


class Branch(Node):
    """What computed one of them, the k-th, from the output of a Joint."""

    def __init__(self, k):
        self._k = k

    def _gradients(self, dy):
        joint = self.inputs[0]
        joint.received[self._k] = dy
        return (joint.marks(self._k),)
