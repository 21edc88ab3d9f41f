"""Two layers as one, for evaluation."""

import copy

from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn.linear import Linear
from pyml.nn.norm import BatchNorm1d
from pyml.nn.parameter import Parameter
from pyml.nn.utils.parametrize import is_parametrized
from pyml.ops.arrays import checked_tensor

__all__ = ["fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def fuse_linear_bn_eval(linear, bn):
    """One Linear that computes bn(linear(x)), both in evaluation mode.

    Args:
        linear: a Linear in evaluation mode.
        bn: a BatchNorm1d in evaluation mode, with running statistics, of linear.out_features
            channels or of one.

    Returns:
        A copy of `linear`, hooks included, with weight and bias of both.

    Raises:
        TypeError: if linear is not a Linear, or bn not a BatchNorm1d.
        RuntimeError: if one is in training mode or parametrized, or bn has no running statistics.
        ValueError: if bn has another number of channels.

    Example:
        >>> linear, bn = nn.Linear(3, 2).eval(), nn.BatchNorm1d(2).eval()
        >>> x = pyml.randn(5, 3)
        >>> pyml.allclose(nn.utils.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)), atol=1e-5)
        True
    """
    for name, module, kind in (("linear", linear, Linear), ("bn", bn, BatchNorm1d)):
        if not isinstance(module, kind):
            raise TypeError(
                f"fuse_linear_bn_eval: {name} must be a {kind.__name__}, not "
                f"{type(module).__name__}"
            )
        if is_parametrized(module):
            raise RuntimeError(
                f"fuse_linear_bn_eval: {name} is parametrized, its tensors are computed; call "
                "parametrize.remove_parametrizations first"
            )
        if module.training:
            raise RuntimeError(
                f"fuse_linear_bn_eval: {name} is in training mode, only evaluation can be fused; "
                f"call {name}.eval() first"
            )
    if bn.running_mean is None:
        raise RuntimeError(
            "fuse_linear_bn_eval: bn has no running statistics (track_running_stats=False), so "
            "that it depends on the batch and cannot be fused"
        )
    if bn.num_features not in (linear.out_features, 1):
        raise ArgumentError(
            f"fuse_linear_bn_eval: bn has {bn.num_features} channels, they must be "
            f"linear.out_features, {linear.out_features}, or one"
        )
    weight, bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = weight, bias
    return fused


@no_grad()
def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of a Linear and the batch normalisation after it, as those of one Linear.

        s = bn_w / sqrt(bn_rv + bn_eps)
        weight = linear_w * s,   bias = (linear_b - bn_rm) * s + bn_b,   s for each row

    Args:
        linear_w: (o, i), weight of the Linear.
        linear_b: (o), its bias, or None for 0.
        bn_rm, bn_rv: (o) or (1), running mean and variance.
        bn_eps: added to the variance.
        bn_w, bn_b: (o) or (1), or None for 1 and 0.

    Returns:
        Two Parameters, (o, i) and (o), of linear_w's dtype; they require grad as linear_w and
        linear_b do, of which None does not.

    Raises:
        TypeError: if one of them is not a Tensor.
        ValueError: if the shapes do not fit.

    Example:
        >>> w, one = pyml.ones(2, 3), pyml.ones(2)
        >>> weight, bias = nn.utils.fuse_linear_bn_weights(w, None, one, one, 0.0, one, one)
        >>> weight.shape, bias.tolist()
        ((2, 3), [0.0, 0.0])
    """
    name = "fuse_linear_bn_weights"
    if checked_tensor(linear_w, name, "linear_w").dim() != 2:
        raise ArgumentError(f"{name}: linear_w has shape {linear_w.shape}, it must be (o, i)")
    rows = len(linear_w)
    given = {
        "linear_b": (linear_b, True),
        "bn_rm": (bn_rm, False),
        "bn_rv": (bn_rv, False),
        "bn_w": (bn_w, True),
        "bn_b": (bn_b, True),
    }
    for argument, (tensor, optional) in given.items():
        if tensor is None and optional:
            continue
        shapes = [(rows,)] if argument == "linear_b" else [(rows,), (1,)]
        if checked_tensor(tensor, name, argument).shape not in shapes:
            raise ArgumentError(
                f"{name}: {argument} has shape {tensor.shape}, it must be ({rows},), a number for "
                "each row of linear_w"
            )
    scale = (bn_rv + bn_eps).rsqrt()
    scale = scale if bn_w is None else bn_w * scale
    shift = -bn_rm if linear_b is None else linear_b - bn_rm
    bias = shift * scale if bn_b is None else shift * scale + bn_b
    weight = linear_w * scale.unsqueeze(-1)
    bias = bias.expand(rows).clone()  # a Parameter shares no memory with the running mean
    return (
        Parameter(weight.to(linear_w.dtype), linear_w.requires_grad),
        Parameter(bias.to(linear_w.dtype), linear_b is not None and linear_b.requires_grad),
    )
