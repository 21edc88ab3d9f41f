"""Gradients that can be differentiated again, by what they do not depend on too."""

from pyml.grad_mode import enable_grad
from pyml.tensor import Node, Tensor

__all__ = ["as_slope", "slopes_reach"]


class Slope(Node):
    """A gradient: the first input is the gradient itself, the others what it is the gradient of.

    The slope of a linear function or of a ReLU does not depend on where it is taken, and nothing
    flows to the others. They say that it is a slope of all that they were computed from: a second
    derivative by those is zero; by others it is an error, as an input that was forgotten.
    """

    def _operation(self):
        first = self.inputs[0]
        return first.name() if isinstance(first, Node) else "slope"

    def _gradients(self, dy):
        return (dy,) + (None,) * (len(self.inputs) - 1)


def as_slope(dx, outputs):
    """A gradient of outputs, as a Slope. None and tensors of vmap stay as they are."""
    if type(dx) is not Tensor:
        return dx
    with enable_grad():
        return Slope()._connect(dx.detach(), (dx, *outputs))


def slopes_reach(outputs):
    """A function of a tensor: is any slope that outputs were computed from one of the tensor?"""
    graph = reached([edge_of(y) for y in outputs])
    slopes = [edge for edge in graph if isinstance(edge, Slope)]
    below = {id(edge) for edge in reached([e for slope in slopes for e in slope.inputs[1:]])}
    return lambda x: id(edge_of(x)) in below


def edge_of(tensor):
    return tensor if tensor.is_leaf else tensor.grad_fn


def reached(edges):
    """These and all edges of the graph below them."""
    found = {}
    while edges:
        edge = edges.pop()
        if edge is not None and id(edge) not in found:
            found[id(edge)] = edge
            if isinstance(edge, Node):
                edges += edge.inputs
    return found.values()
