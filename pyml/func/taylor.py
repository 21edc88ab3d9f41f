"""Derivatives of a network by its inputs, forward through the layers."""

from pyml import ops
from pyml.errors import ArgumentError
from pyml.nn import activation
from pyml.nn import functional as F
from pyml.nn.containers import Sequential
from pyml.nn.dropout import Dropout
from pyml.nn.linear import Identity, Linear
from pyml.nn.module import Module
from pyml.ops.arrays import checked_tensor
from pyml.ops.jet_net import jet_of
from pyml.options import check_integer

__all__ = ["input_derivatives"]

# what a module computes of each element: (function, its numbers...)
ACTIVATIONS = {
    activation.Tanh: lambda module: (F.tanh,),
    activation.Sigmoid: lambda module: (F.sigmoid,),
    activation.Softplus: lambda module: (F.softplus, module.beta, module.threshold),
    activation.SiLU: lambda module: (F.silu,),
    activation.GELU: lambda module: (GELU[module.approximate],),
    activation.Mish: lambda module: (F.mish,),
    activation.LogSigmoid: lambda module: (F.logsigmoid,),
    activation.Tanhshrink: lambda module: (F.tanhshrink,),
}
GELU = {"none": F.gelu, "tanh": lambda x: F.gelu(x, "tanh")}


def input_derivatives(model, x, which, *, activations=None):
    """Values of a network and its derivatives by the inputs, in one pass forward.

    Each layer carries the derivatives on beside the values (Taylor mode): a linear layer is one
    product for all of them, an activation the chain rule to second order. The pass is as any other:
    backward goes through it, to the parameters and to x, and a step under @pyml.record replays it.

    Args:
        model: a Sequential, nested at will, of Linear, Tanh, Sigmoid, Softplus, SiLU, GELU, Mish,
            LogSigmoid, Tanhshrink and Identity, and of Dropout in evaluation; or one of these.
        x: (..., features).
        which: a list of what is wanted: () for the value, i for the derivative by feature i, (i, j)
            for the second derivative by i and j.
        activations: {class of modules: function}, for others that apply a function to each element
            alone, of operations of pyml: {Sine: pyml.sin}. Tanh, sigmoid, sin, softplus, silu and
            gelu have kernels. Default: none.

    Returns:
        A tuple with a tensor (..., outputs) for each of `which`.

    Raises:
        TypeError: for a layer that is none of these, or is not as its class has it: with hooks, or
            a Dropout in training; for x or `which` of another kind.
        ValueError: if x has not the features of the model, or `which` names one that it has not.

    Griewank & Walther 2008, "Evaluating derivatives", chapter 13.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        >>> points = pyml.rand(5, 2)  # x and t
        >>> u, u_x, u_t, u_xx = func.input_derivatives(model, points, [(), 0, 1, (0, 0)])
        >>> residual = u_t + u * u_x - 0.01 * u_xx
    """
    if not isinstance(model, Module):
        raise TypeError(f"input_derivatives: model is a {type(model).__name__}, not a Module")
    x = checked_tensor(x, "input_derivatives")
    if not x.is_floating_point() or x.dim() == 0:
        raise TypeError(
            f"input_derivatives: x has shape {tuple(x.shape)} and dtype {x.dtype}, it must be "
            "(..., features) of float32 or float64"
        )
    wanted = [checked_order(order, x.shape[-1]) for order in which]
    steps = list(steps_of(model, type(model).__name__, activations or {}))
    seconds = sorted({order for order in wanted if len(order) == 2})
    firsts = sorted({i for order in wanted for i in order})
    channel_of = {(): 0} | {(i,): 1 + k for k, i in enumerate(firsts)}
    pairs = [(channel_of[i,], channel_of[j,]) for i, j in seconds]
    channel_of |= {pair: 1 + len(firsts) + k for k, pair in enumerate(seconds)}

    jet = jet_of_steps(steps, x.reshape(-1, x.shape[-1]), firsts, pairs)
    shape = (*x.shape[:-1], jet.shape[-1])
    return tuple(jet[channel_of[order]].reshape(shape) for order in wanted)


def checked_order(order, features):
    """One of `which` as a tuple of features, the smaller first."""
    places = tuple(order) if isinstance(order, (tuple, list)) else (order,)
    if len(places) > 2:
        raise ArgumentError(
            f"input_derivatives: which has {order}; derivatives go to second order, for others "
            "apply pyml.autograd.grad with create_graph=True to these"
        )
    for place in places:
        check_integer("input_derivatives", "an index of which", place)
        if not 0 <= place < features:
            raise ArgumentError(
                f"input_derivatives: which has {order}, x has {features} features, from 0 on"
            )
    return tuple(sorted(places))


def jet_of_steps(steps, x, firsts, pairs):
    """Of x through all steps: at once, if they are layers with one function between any two."""
    layers, functions = steps[::2], [function for _, function in steps[1::2]]
    if (
        len(layers) == len(functions) + 1 > 1
        and all(function is None for _, function in layers)
        and all(function == functions[0] is not None for function in functions)
    ):
        weights, biases = zip(*((module.weight, module.bias) for module, _ in layers), strict=True)
        return ops.jet_net(x, weights, biases, firsts, pairs, *functions[0])
    jet = jet_of(x, firsts, len(pairs))
    for module, function in steps:
        if function is None:
            jet = ops.jet_linear(jet, module.weight, module.bias)
        else:
            jet = ops.jet(function[0], jet, len(firsts), pairs, *function[1:])
    return jet


def steps_of(module, place, activations):
    """(module, what it computes of each element or None for a linear layer), layer by layer."""
    kind = type(module)
    if module._hooks:
        raise TypeError(f"input_derivatives: {place} has hooks, which would not run; remove them")
    if kind in activations:
        yield module, (activations[kind],)
    elif kind in ACTIVATIONS:
        yield module, ACTIVATIONS[kind](module)
    elif has_forward_of(module, Linear):
        yield module, None
    elif has_forward_of(module, Sequential):
        for name, child in module.named_children():
            yield from steps_of(child, f"{place}.{name}", activations)
    elif kind is Dropout and module.training and module.p > 0:
        raise TypeError(
            f"input_derivatives: {place} is a Dropout in training; call model.eval() first"
        )
    elif kind not in (Identity, Dropout):
        raise TypeError(
            f"input_derivatives: {place} is a {kind.__name__}; it takes Sequentials of Linear and "
            f"of {', '.join(each.__name__ for each in ACTIVATIONS)}. For a module that applies a "
            f"smooth function to each element pass activations={{{kind.__name__}: function}}; for "
            "others use pyml.autograd.grad with create_graph=True"
        )


def has_forward_of(module, cls):
    return isinstance(module, cls) and type(module).forward is cls.forward
