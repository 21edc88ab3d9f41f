"""The networks of the estimators."""

import inspect

import numpy as np

from pyml import nn, ops
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.random import fork_rng


class Dropout(nn.Dropout):
    """Dropout that draws from a generator of its own."""

    def __init__(self, p, generator):
        super().__init__(p)
        self.generator = generator

    def forward(self, input):
        """The output, of the input's shape."""
        return F.dropout(input, self.p, self.training, generator=self.generator)


class RReLU(nn.RReLU):
    """RReLU that draws from a generator of its own."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, input):
        """The output, of the input's shape."""
        return F.rrelu(input, self.lower, self.upper, self.training, generator=self.generator)


OPTIONS = {  # what a module that needs options is made with
    "dim": lambda dtype, generator: -1,
    "dtype": lambda dtype, generator: dtype,
    "generator": lambda dtype, generator: generator,
    "threshold": lambda dtype, generator: 0.0,
    "value": lambda dtype, generator: 0.0,
}
ACTIVATIONS = {name.lower(): getattr(nn, name) for name in nn.activation.__all__}
ACTIVATIONS |= {"rrelu": RReLU, "logistic": nn.Sigmoid, "identity": nn.Identity}
SKLEARN_ACTIVATIONS = {
    nn.Identity: "identity",
    nn.Sigmoid: "logistic",
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
}


def activation_named(name):
    """The class of an activation, by pyml's, PyTorch's functions' or scikit-learn's name, or None.

    Example:
        >>> activation_named("leaky_relu"), activation_named("LeakyReLU")
    """
    return ACTIVATIONS.get(name.lower().replace("_", "")) if isinstance(name, str) else None


def activation(name, dtype, generator):
    """An activation module."""
    made = activation_named(name)
    takes = inspect.signature(made).parameters if made is not nn.Identity else ()
    return made(**{key: give(dtype, generator) for key, give in OPTIONS.items() if key in takes})


def network(options, inputs, outputs, dtype, random, generator):
    """An nn.Sequential: Linear, norms, activation and dropout for each hidden layer, and a Linear.

    Args:
        options: an estimator.
        inputs, outputs: columns.
        dtype: of the weights.
        random: a RandomState that draws the weights as scikit-learn does.
        generator: what dropout draws from.
    """
    layers, bound = [], init_bound(options.activation)
    widens = 2 if activation_named(options.activation) is nn.GLU else 1  # it halves them again
    for width in widths_of(options):
        layers.append(linear(inputs, widens * width, dtype, random, bound))
        if options.batch_norm:
            layers.append(nn.BatchNorm1d(widens * width, dtype=dtype))
        if options.layer_norm:
            layers.append(nn.LayerNorm(widens * width, dtype=dtype))
        layers.append(activation(options.activation, dtype, generator))
        if options.dropout:
            layers.append(Dropout(options.dropout, generator))
        inputs = width
    layers.append(linear(inputs, outputs, dtype, random, bound))
    return nn.Sequential(*layers)


def architecture(options):
    """The parameters of an estimator by which its network is another, in plain words."""
    made = activation_named(options.activation)
    return {
        "hidden_layer_sizes": widths_of(options),
        "activation": SKLEARN_ACTIVATIONS.get(made, made.__name__),
        "dropout": float(options.dropout),
        "batch_norm": bool(options.batch_norm),
        "layer_norm": bool(options.layer_norm),
    }


def widths_of(options):
    """The widths of the hidden layers, a list of ints."""
    return [int(width) for width in np.atleast_1d(options.hidden_layer_sizes)]


def init_bound(name):
    """What bounds the first weights, times the root of the widths' sum: Glorot & Bengio 2010."""
    return 2.0 if activation_named(name) is nn.Sigmoid else 6.0


def linear(inputs, outputs, dtype, random, bound):
    """A Linear whose weights and biases are uniform within +-sqrt(bound / (inputs + outputs)).

    They are drawn in the order of scikit-learn's MLP: the same seed gives the same numbers.
    """
    with fork_rng():
        layer = nn.Linear(inputs, outputs, dtype=dtype)
    bound = np.sqrt(bound / (inputs + outputs))
    weight, bias = (random.uniform(-bound, bound, size) for size in ((inputs, outputs), outputs))
    with no_grad():
        layer.weight.copy_(as_tensor(weight.T, dtype))
        layer.bias.copy_(as_tensor(bias, dtype))
    return layer


def as_tensor(array, dtype):
    """A Tensor of an array's values."""
    return ops.tensor(np.ascontiguousarray(array, dtype=dtype))


class Arrays(list):
    """The memory of a network: what is put in the place of an array is copied into it.

    Args:
        name: of the whole, for messages.
        arrays: views of the memory.
    """

    def __init__(self, name, arrays):
        super().__init__(arrays)
        self.name = name

    def __setitem__(self, place, value):
        values = list(self)
        values[place] = value
        values = [np.array(each, self[0].dtype) for each in values]
        shapes, own = ([each.shape for each in arrays] for arrays in (values, self))
        if shapes != own:
            raise ValueError(
                f"{self.name}: shapes are {shapes}, they must be those of the layers, {own}; fit "
                "anew for others"
            )
        for mine, each in zip(self, values, strict=True):
            mine[...] = each

    def __reduce__(self):
        return list, (list(self),)  # copies and pickles are of no network


def linears(model):
    """The Linear layers of a network."""
    return [layer for layer in model if isinstance(layer, nn.Linear)]
