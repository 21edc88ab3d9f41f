"""What each module computes in evaluation mode, as operations of graph.py: one row for a class."""

import math
from inspect import Parameter, signature

import numpy as np

from pyml import nn, ops
from pyml.export import graph as g
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.nn.augment import RandomView
from pyml.nn.hooks import FORWARD, FORWARD_PRE
from pyml.nn.lazy import LazyModuleMixin
from pyml.nn.loss import Loss
from pyml.nn.norm import BatchNorm
from pyml.nn.padding import Padding
from pyml.tensor import Tensor

__all__ = ["Tracer", "rule"]

POSITIONAL = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
RULES = {}  # {class: function(tracer, module, *values)}
REFUSED = {  # {class: why no row can be}
    Loss: "is a loss: export the network, whose outputs it takes",
    nn.AdaptiveLogSoftmaxWithLoss: "takes the targets: export the network in front of it",
    nn.CosineEmbeddingLoss: "is a loss: export the network, whose outputs it takes",
    LazyModuleMixin: "has no sizes before its first call: call the model once",
    nn.ModuleList: "has no forward: export the model that uses it",
    nn.ModuleDict: "has no forward: export the model that uses it",
    nn.ParameterList: "has no forward: export the model that uses it",
    nn.ParameterDict: "has no forward: export the model that uses it",
}


def rule(*classes):
    """Says how modules of some classes are exported: a decorator.

    The function gets a Tracer, the module and a Value for each input, of the shape of one row, and
    gives the Value of the output. Values are added, multiplied and so on; tracer(child, x, "name")
    is what a child computes, tracer.weight(tensor, "name") a parameter.

    Example:
        >>> class Residual(nn.Module):
        ...     def __init__(self, size):
        ...         super().__init__()
        ...         self.layer = nn.Linear(size, size)
        ...     def forward(self, input):
        ...         return input + self.layer(input).relu()
        >>> @export.rule(Residual)
        ... def residual(tracer, module, x):
        ...     return x + tracer(nn.ReLU(), tracer(module.layer, x, "layer"))
    """
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise TypeError(f"rule: {cls!r} is no class of modules")

    def register(function):
        RULES.update(dict.fromkeys(classes, function))
        return function

    return register


class Tracer:
    """Walks through a model, and gives what its modules compute as Values."""

    def __init__(self):
        self._path = []
        self._weights = {}  # {id: (tensor, which stays alive, its constant)}

    def __call__(self, module, *values, name=""):
        """What a module computes of Values.

        Args:
            name: of the module in its parent, for names of weights. Default: that of the parent.

        Raises:
            TypeError: if nothing says how the module is exported.
        """
        if not values:
            raise TypeError("export: there are no values; give the tracer what the module takes")
        for i, value in enumerate(values):
            if not isinstance(value, (g.Value, type(None))):  # None: a table has no such columns
                raise TypeError(
                    f"export: values[{i}] is a {type(value).__name__}, it must be what a rule was "
                    "given, or what was computed of that"
                )
        self._path.append(name)
        try:
            function = self._rule_of(module)
            self._check_count(module, function, len(values))
            result = function(self, module, *values)
            if not isinstance(result, g.Value):
                self.refuse(
                    module,
                    f"has a rule that gives a {type(result).__name__}; it must give what is "
                    "computed of its values",
                )
        finally:
            path = ".".join(filter(None, self._path))
            self._path.pop()
        where = f"{path}: {module._get_name()}" if path else module._get_name()
        g.mark(result, where, values)
        return result

    def weight(self, tensor, name):
        """A parameter or buffer of the module, or what is computed of one, as a constant.

        Args:
            tensor: a Tensor or array.
            name: its last part; the names of the modules around stand before it.
        """
        if id(tensor) not in self._weights:
            array = tensor.detach().numpy() if isinstance(tensor, Tensor) else np.asarray(tensor)
            path = ".".join(filter(None, [*self._path, name]))
            self._weights[id(tensor)] = tensor, g.constant(array.copy(), path)
        return self._weights[id(tensor)][1]

    def refuse(self, module, why):
        """Raises TypeError that says which module cannot be exported, and why."""
        if not isinstance(module, nn.Module):
            raise TypeError(f"refuse: module is a {type(module).__name__}, not a Module")
        path = ".".join(filter(None, self._path))
        at = f" ({path})" if path else ""
        raise TypeError(f"export: {module._get_name()}{at} {why}")

    def axis(self, module, dim, x):
        """A dimension of the batch as one of a row."""
        if not isinstance(x, g.Value):
            raise TypeError(f"axis: x is a {type(x).__name__}, it must be what a rule was given")
        rank = len(x.shape) + 1
        if dim is None:  # as softmax chooses, where PyTorch's warns
            dim = 0 if rank in (1, 3) else 1
        if not -rank <= dim < rank:
            self.refuse(module, f"has dim {dim}, its input {rank} dimensions")
        if dim % rank == 0:
            self.refuse(module, "computes over the batch: rows would not be by themselves")
        return dim % rank - 1

    def _check_count(self, module, function, count):
        """Refuses more or fewer values than a rule takes behind the tracer and the module."""
        try:
            signature(function).bind(self, module, *[None] * count)
        except TypeError:
            taken = sum(p.kind in POSITIONAL for p in signature(function).parameters.values()) - 2
            self.refuse(
                module,
                f"takes {taken} input{'s' * (taken != 1)}, and is given {count}; `inputs` is to be "
                "an array for each",
            )

    def _rule_of(self, module):
        if not isinstance(module, nn.Module):
            raise TypeError(f"export: {type(module).__name__} is no Module of pyml")
        known = (cls for cls in type(module).__mro__ if cls in RULES or cls in REFUSED)
        nearest = next(known, None)
        if nearest in REFUSED and nearest not in RULES:
            self.refuse(module, REFUSED[nearest])
        if any(hook.kind in (FORWARD_PRE, FORWARD) for hook in module._hooks):
            self.refuse(
                module,
                "has forward hooks, which no file can hold: remove them (of weight_norm by "
                "nn.utils.remove_weight_norm)",
            )
        if nearest is not None and type(module).forward is nearest.forward:
            return RULES[nearest]  # else it has a forward of its own
        return self.refuse(
            module,
            "has a forward that is not known: make it of nn.Sequential and the modules of nn, or "
            "say by export.rule what it computes",
        )


# ---- containers and what does nothing ------------------------------------------------------------


@rule(nn.Sequential)
def _(tracer, module, *values):
    for name, child in module._modules.items():  # also one that is there twice
        values = (tracer(child, *values, name=name),)
    return values[0]


@rule(nn.Identity, nn.GaussianNoise, nn.AnnealedDropout)
@rule(nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)
def _(tracer, module, x, *others):
    return x


@rule(nn.Ensemble)
def _(tracer, module, *values):
    functions = {"values": lambda x: x, "probabilities": softmax, "logits": log_softmax}
    total = None
    for i, model in enumerate(module.models):
        x = tracer(model, *values, name=f"models.{i}")
        if module.average != "values":
            x = functions[module.average](x, tracer.axis(module, module.dim, x))
        total = x if total is None else total + x
    return total / len(module)


@rule(nn.Flatten)
def _(tracer, module, x):
    first = tracer.axis(module, module.start_dim, x)
    last = tracer.axis(module, module.end_dim, x)
    sizes = x.shape
    return g.reshape(x, (*sizes[:first], math.prod(sizes[first : last + 1]), *sizes[last + 1 :]))


@rule(nn.Unflatten)
def _(tracer, module, x):
    axis = tracer.axis(module, module.dim, x)
    sizes = np.empty(x.shape[axis]).reshape(module.unflattened_size).shape
    return g.reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


@rule(Padding, RandomView)
def _(tracer, module, x):
    """Modules that put numbers of a row elsewhere: seen from where each number of a row went."""
    places = np.arange(1.0, x.size + 1).reshape(1, *x.shape)
    training = module.training
    module.eval()
    try:
        with no_grad():
            moved, mirrored = (module(ops.tensor(p)).numpy()[0] for p in (places, -places))
    finally:
        module.train(training)
    is_kept = moved == -mirrored
    is_kept &= moved != 0
    whole = g.reshape(x, (x.size,))
    picked = g.take(whole, np.where(is_kept, moved - 1, 0).astype(int).ravel(), 0)
    picked = g.reshape(picked, moved.shape)
    if is_kept.all():
        return picked
    put = tracer.weight(np.where(is_kept, 0, moved).astype(x.dtype), "value")
    return g.where(tracer.weight(is_kept, "kept"), picked, put)


# ---- linear --------------------------------------------------------------------------------------


def affine(tracer, module):
    """The weight and, if there is one, the bias of a module."""
    weight = tracer.weight(module.weight, "weight")
    return (weight,) if module.bias is None else (weight, tracer.weight(module.bias, "bias"))


@rule(nn.Linear)
def _(tracer, module, x):
    return g.linear(x, *affine(tracer, module))


@rule(nn.NTPLinear)
def _(tracer, module, x):
    return g.linear(x * (1 / math.sqrt(module.in_features)), *affine(tracer, module))


@rule(nn.Bilinear)
def _(tracer, module, x, y):
    outputs, first, second = module.weight.shape
    weight = module.weight.detach().numpy().transpose(0, 2, 1).reshape(-1, first)
    half = g.linear(x, tracer.weight(weight, "weight"))  # (..., outputs * second)
    half = g.reshape(half, (*x.shape[:-1], outputs, second))
    result = g.reduce("sum", half * g.reshape(y, (*y.shape[:-1], 1, second)), -1)
    result = g.reshape(result, (*x.shape[:-1], outputs))
    return result if module.bias is None else result + tracer.weight(module.bias, "bias")


@rule(nn.FeatureLinear, nn.LinearEnsemble)
def _(tracer, module, x):
    return g.members(x, *affine(tracer, module))


@rule(nn.LinearBatchEnsemble)
def _(tracer, module, x):
    r, s = tracer.weight(module.r, "r"), tracer.weight(module.s, "s")
    x = g.linear(x * r, tracer.weight(module.weight, "weight")) * s
    return x if module.bias is None else x + tracer.weight(module.bias, "bias")


@rule(nn.EnsembleView)
def _(tracer, module, x):
    if len(x.shape) == 2:
        return x
    return g.take(g.reshape(x, (1, *x.shape)), [0] * module.k, 0)


@rule(nn.ElementwiseAffine)
def _(tracer, module, x):
    x = x * tracer.weight(module.weight, "weight")
    return x if module.bias is None else x + tracer.weight(module.bias, "bias")


@rule(nn.ScalingLayer)
def _(tracer, module, x):
    return x * tracer.weight(module.scale, "scale")


# ---- activations ---------------------------------------------------------------------------------


def clamped(x, low, high):
    """x cut to an interval."""
    return g.minimum(g.maximum(x, low), high)


def positive_or(x, other):
    """x where it is positive, else another Value."""
    return g.where(x > 0, x, other)


def softmax(x, axis):
    """exp(x) / sum(exp(x)) along a dimension of a row."""
    powers = g.exp(x - g.reduce("max", x, axis))
    return powers / g.reduce("sum", powers, axis)


def log_softmax(x, axis):
    """Its logarithm."""
    x = x - g.reduce("max", x, axis)
    return x - g.call("log", g.reduce("sum", g.exp(x), axis))


def elu(x, alpha=1.0, sharpness=1.0):
    """x where it is positive, else alpha (exp(x / sharpness) - 1)."""
    return positive_or(x, alpha * g.call("elu", x if sharpness == 1 else x / sharpness))


def gelu(x, approximate):
    """x times the normal distribution function."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + g.call("tanh", inner))
    return 0.5 * x * (1 + g.call("erf", x * math.sqrt(0.5)))


def softplus(x, beta, threshold):
    """log(1 + exp(beta x)) / beta; x itself where that is large."""
    if beta == 1:
        return g.where(x > threshold, x, g.call("softplus", x))
    return g.where(beta * x > threshold, x, g.call("softplus", beta * x) / beta)


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

ACTIVATIONS = {  # {class: function(x, module)}
    nn.ReLU: lambda x, m: g.call("relu", x),
    nn.LeakyReLU: lambda x, m: positive_or(x, m.negative_slope * x),
    nn.RReLU: lambda x, m: positive_or(x, (m.lower + m.upper) / 2 * x),
    nn.ELU: lambda x, m: elu(x, m.alpha),
    nn.CELU: lambda x, m: elu(x, m.alpha, m.alpha),
    nn.SELU: lambda x, m: SELU_SCALE * elu(x, SELU_ALPHA),
    nn.SiLU: lambda x, m: x * g.call("sigmoid", x),
    nn.Sigmoid: lambda x, m: g.call("sigmoid", x),
    nn.Tanh: lambda x, m: g.call("tanh", x),
    nn.GELU: lambda x, m: gelu(x, m.approximate),
    nn.Softplus: lambda x, m: softplus(x, m.beta, m.threshold),
    nn.Mish: lambda x, m: x * g.call("tanh", g.call("softplus", x)),
    nn.Hardswish: lambda x, m: x * clamped(x + 3, 0, 6) / 6,
    nn.Hardsigmoid: lambda x, m: clamped(x + 3, 0, 6) / 6,
    nn.LogSigmoid: lambda x, m: -g.call("softplus", -x),
    nn.Softsign: lambda x, m: x / (1 + g.call("abs", x)),
    nn.Tanhshrink: lambda x, m: x - g.call("tanh", x),
    nn.Hardtanh: lambda x, m: clamped(x, m.min_val, m.max_val),
    nn.ReLU6: lambda x, m: clamped(x, 0, 6),
    nn.Threshold: lambda x, m: g.where(x <= m.threshold, m.value, x),
    nn.Hardshrink: lambda x, m: g.where(g.call("abs", x) <= m.lambd, 0, x),
    nn.Softshrink: lambda x, m: x - clamped(x, -m.lambd, m.lambd),
}


@rule(*ACTIVATIONS)
def _(tracer, module, x):
    [function] = [f for cls, f in ACTIVATIONS.items() if isinstance(module, cls)]
    return function(x, module)


@rule(nn.PReLU)
def _(tracer, module, x):
    weight = module.weight.detach().numpy()
    if weight.size > 1:
        weight = weight.reshape(-1, *[1] * (len(x.shape) - 1))
    return positive_or(x, tracer.weight(weight, "weight") * x)


@rule(nn.GLU)
def _(tracer, module, x):
    axis = tracer.axis(module, module.dim, x)
    half = x.shape[axis] // 2
    return g.take(x, range(half), axis) * g.call("sigmoid", g.take(x, range(half, 2 * half), axis))


@rule(nn.Softmax)
def _(tracer, module, x):
    return softmax(x, tracer.axis(module, module.dim, x))


@rule(nn.Softmin)
def _(tracer, module, x):
    return softmax(-x, tracer.axis(module, module.dim, x))


@rule(nn.LogSoftmax)
def _(tracer, module, x):
    return log_softmax(x, tracer.axis(module, module.dim, x))


@rule(nn.ParametricActivation)
def _(tracer, module, x):
    alpha = tracer.weight(module.alpha, "alpha")
    return x + alpha * (tracer(module.activation, x, name="activation") - x)


# ---- norms ---------------------------------------------------------------------------------------


def scaled(tracer, module, x, shape):
    """x weight + bias, both in a shape that broadcasts."""
    for name, function in (("weight", "mul"), ("bias", "add")):
        values = getattr(module, name, None)
        if values is not None:
            values = values.detach().numpy().reshape(shape)
            x = g.call(function, x, tracer.weight(values, name))
    return x


def normalised(x, eps, *axes):
    """(x - mean) / sqrt(var + eps) over dimensions of a row."""
    x = x - g.reduce("mean", x, *axes)
    return x / g.call("sqrt", g.reduce("mean", x * x, *axes) + eps)


def by_running(tracer, module, x):
    """x by the running statistics of each channel."""
    shape = -1, *[1] * (len(x.shape) - 1)
    var = module.running_var.numpy().astype(np.float64)
    scale = 1 / np.sqrt(var + module.eps)
    if module.weight is not None:
        scale = scale * module.weight.detach().numpy()
    mean = tracer.weight(module.running_mean.numpy().reshape(shape), "running_mean")
    x = (x - mean) * tracer.weight(scale.reshape(shape).astype(x.dtype), "scale")
    if module.bias is None:
        return x
    return x + tracer.weight(module.bias.detach().numpy().reshape(shape), "bias")


@rule(BatchNorm, nn.SyncBatchNorm)
def _(tracer, module, x):
    if module.running_mean is None:
        tracer.refuse(module, "has no running statistics: it normalises by those of the batch")
    return by_running(tracer, module, x)


@rule(nn.InstanceNorm1d)
def _(tracer, module, x):
    if len(x.shape) != 2:
        tracer.refuse(module, "needs rows of (channels, length)")
    if module.track_running_stats and module.running_mean is not None:
        return by_running(tracer, module, x)
    return scaled(tracer, module, normalised(x, module.eps, 1), (-1, 1))


@rule(nn.LayerNorm)
def _(tracer, module, x):
    axes = range(-len(module.normalized_shape), 0)
    return scaled(tracer, module, normalised(x, module.eps, *axes), module.normalized_shape)


@rule(nn.RMSNorm)
def _(tracer, module, x):
    eps = np.finfo(x.dtype).eps if module.eps is None else module.eps
    axes = range(-len(module.normalized_shape), 0)
    x = x / g.call("sqrt", g.reduce("mean", x * x, *axes) + float(eps))
    return scaled(tracer, module, x, module.normalized_shape)


@rule(nn.GroupNorm)
def _(tracer, module, x):
    grouped = g.reshape(x, (module.num_groups, x.size // module.num_groups))
    shape = -1, *[1] * (len(x.shape) - 1)
    whole = g.reshape(normalised(grouped, module.eps, 1), x.shape)
    return scaled(tracer, module, whole, shape)


# ---- embeddings ----------------------------------------------------------------------------------


def table_of(tracer, module):
    """The table of an embedding, whose rows are as long as they are in use."""
    with no_grad():
        every = ops.arange(module.num_embeddings)
        weight = module.weight.detach().clone()
        table = F.embedding(every, weight, None, module.max_norm, module.norm_type)
    return tracer.weight(table, "weight")


@rule(nn.Embedding)
def _(tracer, module, x):
    return g.lookup(table_of(tracer, module), x)


@rule(nn.EmbeddingBag)
def _(tracer, module, x, *others):
    if others or len(x.shape) != 1:
        tracer.refuse(module, "is exported for bags of one size, (bags, size), without weights")
    rows = g.lookup(table_of(tracer, module), x)
    size, dtype = x.shape[0], rows.dtype
    count = size
    if module.padding_idx is not None:
        kept = g.cast(1 - g.cast(x.equals(module.padding_idx), dtype), dtype)
        kept = g.reshape(kept, (size, 1))
        count = g.reduce("sum", kept, 0)
        if module.mode == "max":
            highest = g.reduce("max", g.where(kept > 0, rows, -math.inf), 0)
            return g.reshape(g.where(count > 0, highest, 0), (rows.shape[1],))
        rows = rows * kept
    result = g.reduce("max" if module.mode == "max" else "sum", rows, 0)
    if module.mode == "mean":
        result = result / (g.maximum(count, 1) if isinstance(count, g.Value) else count)
    return g.reshape(result, (rows.shape[1],))


# ---- numbers as vectors --------------------------------------------------------------------------


def components(tracer, module, x):
    """How far each number is through each of its bins, (..., features, bins)."""
    parts = (tracer.weight(getattr(module, n), n) for n in ("left", "scale", "low", "high"))
    left, scale, low, high = parts
    return clamped((g.reshape(x, (*x.shape, 1)) - left) * scale, low, high)


@rule(nn.PiecewiseLinearEncoding)
def _(tracer, module, x):
    output = components(tracer, module, x)
    output = g.reshape(output, (*x.shape[:-1], output.shape[-1] * output.shape[-2]))
    if len(module._used) == output.shape[-1]:
        return output
    return g.take(output, module._used, -1)


@rule(nn.PiecewiseLinearEmbedding)
def _(tracer, module, x):
    pieces = tracer(module.pieces, components(tracer, module, x), name="pieces")
    output = g.reshape(x, (*x.shape, 1)) * tracer.weight(module.weight, "weight")
    output = output + tracer.weight(module.bias, "bias") + pieces
    return g.call("relu", output) if module.activation else output


def angles(tracer, module, x):
    """2 pi c x, (..., features, frequencies)."""
    frequencies = tracer.weight(2 * math.pi * module.frequencies.detach(), "frequencies")
    return g.reshape(x, (*x.shape, 1)) * frequencies


@rule(nn.PeriodicEmbedding)
def _(tracer, module, x):
    phases = angles(tracer, module, x)
    waves = g.concat([g.call("cos", phases), g.call("sin", phases)])
    output = tracer(module.linear, waves, name="linear")
    return g.call("relu", output) if module.activation else output


@rule(nn.PBLDEmbedding)
def _(tracer, module, x):
    phases = angles(tracer, module, x) + tracer.weight(module.phases, "phases")
    waves = tracer(module.linear, g.call("cos", phases), name="linear")
    waves = g.reshape(waves, (*x.shape[:-1], waves.shape[-1] * waves.shape[-2]))
    return g.concat([waves, x])


# ---- two inputs ----------------------------------------------------------------------------------


def power_norm(x, p, axis):
    """(sum |x|^p)^(1/p) along a dimension of a row."""
    size = g.call("abs", x)
    if p == 2:
        return g.call("sqrt", g.reduce("sum", x * x, axis))
    if p == 1:
        return g.reduce("sum", size, axis)
    if p == math.inf:
        return g.reduce("max", size, axis)
    if p == -math.inf:
        return -g.reduce("max", -size, axis)
    if p == 0:
        return g.reduce("sum", g.cast(size > 0, x.dtype), axis)
    return g.call("pow", g.reduce("sum", g.call("pow", size, p), axis), 1 / p)


@rule(nn.PairwiseDistance)
def _(tracer, module, x, y):
    distance = power_norm(x - y + module.eps, module.norm, -1)
    return distance if module.keepdim else g.reshape(distance, distance.shape[:-1])


@rule(nn.CosineSimilarity)
def _(tracer, module, x, y):
    axis = tracer.axis(module, module.dim, x)
    x, y = (v / g.maximum(power_norm(v, 2, axis), module.eps) for v in (x, y))
    similarity = g.reduce("sum", x * y, axis)
    shape = [n for i, n in enumerate(similarity.shape) if i != axis]
    return g.reshape(similarity, shape)
