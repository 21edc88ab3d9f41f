"""Norms of the weights: added to a loss, or held by a step of their own behind the optimizer's."""

from pyml import ops
from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import no_grad
from pyml.nn.module import Module
from pyml.nn.norm import Norm, RMSNorm
from pyml.ops.arrays import checked_tensor
from pyml.options import Range, check_integer, check_number
from pyml.tensor import Tensor

__all__ = [
    "decay_groups",
    "elastic_net_penalty",
    "l1_penalty",
    "l2_penalty",
    "max_norm_",
    "soft_threshold_",
    "weights_of",
]


def weights_of(module):
    """The parameters that a penalty is for: without biases, and without those of norms.

    A bias or the gain of a norm moves or scales a whole column of activations: to draw it to zero
    keeps no function simple. Left out are parameters of fewer than two dimensions, those named
    bias, and all of norm layers.

    Args:
        module: a Module.

    Returns:
        A list of Parameters, in the order of module.parameters().

    Raises:
        TypeError: if module is none.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
        >>> [tuple(weight.shape) for weight in nn.utils.weights_of(model)]
        [(2, 3), (1, 2)]
    """
    check_module("weights_of", module)
    left_out = set()
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.dim() < 2 or name == "bias" or isinstance(part, (Norm, RMSNorm)):
                left_out.add(id(parameter))
    return [parameter for parameter in module.parameters() if id(parameter) not in left_out]


def decay_groups(module, weight_decay):
    """Groups for an optimizer: weights_of(module) with the decay, all other parameters without.

    Args:
        module: a Module.
        weight_decay: of the weights, >= 0.

    Returns:
        A list of dicts, without those of no parameters.

    Raises:
        TypeError: if module is no Module.
        ValueError: if weight_decay is negative or NaN.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> groups = nn.utils.decay_groups(model, weight_decay=0.01)
        >>> optimizer = pyml.optim.AdamW(groups, lr=1e-3)
        >>> [group["weight_decay"] for group in optimizer.param_groups]
        [0.01, 0.0]
    """
    check_module("decay_groups", module)
    check_number("decay_groups", "weight_decay", weight_decay, Range(0))
    weights = weights_of(module)
    kept = {id(weight) for weight in weights}
    others = [parameter for parameter in module.parameters() if id(parameter) not in kept]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def l1_penalty(parameters, weight):
    """weight * sum |p|, to be added to a loss.

    Tibshirani 1996, "Regression shrinkage and selection via the lasso". Its gradient, weight *
    sign(p), moves values across zero and leaves none at zero: soft_threshold_ does.

    Args:
        parameters: Tensors or one Tensor, such as weights_of(model).
        weight: a number >= 0.

    Returns:
        A 0-d Tensor.

    Raises:
        TypeError: if an item is not a Tensor of floats.
        ValueError: if weight is negative or NaN, or there is no parameter.

    Example:
        >>> nn.utils.l1_penalty([pyml.tensor([1.0, -2.0])], 0.5)
        tensor(1.5)
    """
    check_number("l1_penalty", "weight", weight, Range(0))
    return total("l1_penalty", parameters, ops.abs) * weight


def l2_penalty(parameters, weight):
    """weight / 2 * sum p^2, to be added to a loss: its gradient is weight * p.

    The optimizers' own weight_decay is the same gradient without the cost of the sum; what AdamW
    and its like decay by is not (Loshchilov & Hutter 2019, arXiv:1711.05101).

    Args:
        parameters: Tensors or one Tensor, such as weights_of(model).
        weight: a number >= 0.

    Returns:
        A 0-d Tensor.

    Raises:
        TypeError: if an item is not a Tensor of floats.
        ValueError: if weight is negative or NaN, or there is no parameter.

    Example:
        >>> nn.utils.l2_penalty([pyml.tensor([1.0, -2.0])], 0.5)
        tensor(1.25)
    """
    check_number("l2_penalty", "weight", weight, Range(0))
    return total("l2_penalty", parameters, ops.square) * (weight / 2)


def elastic_net_penalty(parameters, l1, l2):
    """l1 * sum |p| + l2 / 2 * sum p^2, to be added to a loss.

    Zou & Hastie 2005, "Regularization and variable selection via the elastic net".

    Args:
        parameters: Tensors or one Tensor, such as weights_of(model).
        l1, l2: numbers >= 0.

    Returns:
        A 0-d Tensor.

    Raises:
        TypeError: if an item is not a Tensor of floats.
        ValueError: if l1 or l2 is negative or NaN, or there is no parameter.

    Example:
        >>> nn.utils.elastic_net_penalty([pyml.tensor([1.0, -2.0])], 0.5, 0.5)
        tensor(2.75)
    """
    check_number("elastic_net_penalty", "l1", l1, Range(0))
    check_number("elastic_net_penalty", "l2", l2, Range(0))
    checked = floats("elastic_net_penalty", parameters)
    return l1_penalty(checked, l1) + l2_penalty(checked, l2)


@no_grad()
def soft_threshold_(parameters, amount):
    """Draws values to zero by `amount`, in place; those that are nearer become exactly zero.

        p <- sign(p) * max(|p| - amount, 0)

    The proximal step of an L1 penalty (Parikh & Boyd 2014, "Proximal algorithms", 6.5.2). Behind
    the step of a gradient descent of rate lr, an amount of lr * weight is that of weight * sum |p|.

    Args:
        parameters: Tensors or one Tensor, such as weights_of(model).
        amount: a number >= 0.

    Raises:
        TypeError: if an item is not a Tensor of floats.
        ValueError: if amount is negative or NaN, or there is no parameter.

    Example:
        >>> p = pyml.tensor([0.3, -0.05])
        >>> nn.utils.soft_threshold_(p, 0.1)
        >>> p
        tensor([0.2, 0. ])
    """
    check_number("soft_threshold_", "amount", amount, Range(0))
    checked = floats("soft_threshold_", parameters)
    for parameter in checked:
        parameter._will_change(False)
    for parameter in checked:
        parameter.copy_(ops.softshrink(parameter, amount))


@no_grad()
def max_norm_(parameters, max_norm, dim=0):
    """Scales weights of units down, in place, whose 2-norm is more than max_norm.

    Srebro & Shraibman 2005, "Rank, trace-norm and max-norm"; with dropout, Srivastava et al. 2014,
    5.1. To be called behind the optimizer's step.

    Args:
        parameters: Tensors or one Tensor, of two or more dimensions, such as weights_of(model).
        max_norm: the largest norm allowed, >= 0.
        dim: a unit is what has one index of this dimension: 0 for the weights into a unit of a
            Linear, 1 for those out of an input. Default: 0.

    Raises:
        TypeError: if an item is not a Tensor of floats, or dim is not an integer.
        ValueError: if max_norm is negative or NaN, if there is no parameter, or for one of fewer
            than two dimensions.
        IndexError: if there is no such dimension.

    Example:
        >>> weight = pyml.tensor([[3.0, 4.0], [0.3, 0.4]])
        >>> nn.utils.max_norm_(weight, 1.0)
        >>> weight
        tensor([[0.6, 0.8],
                [0.3, 0.4]])
    """
    check_number("max_norm_", "max_norm", max_norm, Range(0))
    check_integer("max_norm_", "dim", dim)
    checked = floats("max_norm_", parameters)
    for i, parameter in enumerate(checked):
        if parameter.dim() < 2:
            raise ArgumentError(
                f"max_norm_: item {i} has {parameter.dim()} dimensions, units need two or more; "
                "nn.utils.weights_of(model) gives weights without biases"
            )
        if not -parameter.dim() <= dim < parameter.dim():
            raise IndexError(f"max_norm_: dim is {dim}, item {i} has {parameter.dim()} dimensions")
        parameter._will_change(False)
    for parameter in checked:
        parameter.renorm_(2, dim, max_norm)


def check_module(who, module):
    if not isinstance(module, Module):
        raise TypeError(f"{who}: module is a {type(module).__name__}, it must be a Module")


def floats(who, parameters):
    """Checked parameters, as a list."""
    if isinstance(parameters, Module):
        raise TypeError(
            f"{who}: parameters is a {type(parameters).__name__}, it must be Tensors; "
            "nn.utils.weights_of(model) gives those of a model"
        )
    items = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not items:
        raise ArgumentError(f"{who}: there is no parameter")
    for i, item in enumerate(items):
        if not checked_tensor(item, who, f"item {i}").is_floating_point():
            raise DtypeError(f"{who}: item {i} is of {item.dtype}, it must be of floats")
    return items


def total(who, parameters, function):
    """The sum of function(p) over the elements of all parameters."""
    first, *others = [function(parameter).sum() for parameter in floats(who, parameters)]
    for other in others:
        first = first + other
    return first
