"""Activations as modules."""

import inspect
from operator import attrgetter

from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = [
    "ELU",
    "GELU",
    "Hardswish",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class Elementwise(Module):
    """A function as a module: its options are attributes, and the arguments behind the input.

        class Mish(Elementwise, function=F.mish): ...

    Args:
        options: those of the subclass, whose __init__ takes them in the function's order.
    """

    def __init_subclass__(cls, function=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if function is not None:
            cls._options = tuple(inspect.signature(cls.__init__).parameters)[1:]
            cls.forward = forward_of(function, cls._options)

    def __init__(self, **options):
        super().__init__()
        for name, value in options.items():
            setattr(self, name, value)

    def extra_repr(self):
        """All options, but an `inplace` that is not set."""
        values = {name: getattr(self, name) for name in self._options}
        if not values.get("inplace", True):
            del values["inplace"]
        return ", ".join(
            f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}"
            for name, value in values.items()
        )


def forward_of(function, options):
    """The forward of a module that calls function(input, options...), as fast as if written out."""
    values = attrgetter(*options) if options else None
    if len(options) == 0:

        def forward(self, input):
            return function(input)

    elif len(options) == 1:

        def forward(self, input):
            return function(input, values(self))

    else:

        def forward(self, input):
            return function(input, *values(self))

    forward.__doc__ = "Any shape; the output has the same."
    return forward


class ReLU(Elementwise, function=F.relu):
    """max(x, 0).

    Args:
        inplace: change the input itself. Default: False.

    Example:
        >>> nn.ReLU()(pyml.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class LeakyReLU(Elementwise, function=F.leaky_relu):
    """x where x > 0, else negative_slope * x (Maas et al. 2013).

    Args:
        negative_slope: the slope for x < 0. Default: 0.01.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class ELU(Elementwise, function=F.elu):
    """x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015, arXiv:1511.07289).

    Args:
        alpha: minus the limit for x -> -inf. Default: 1.0.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(alpha=alpha, inplace=inplace)


class SiLU(Elementwise, function=F.silu):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv:1702.03118).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class Sigmoid(Elementwise, function=F.sigmoid):
    """1 / (1 + exp(-x))."""

    def __init__(self):
        super().__init__()


class Tanh(Elementwise, function=F.tanh):
    """The hyperbolic tangent."""

    def __init__(self):
        super().__init__()


class GELU(Elementwise, function=F.gelu):
    """x * Phi(x), with Phi the normal distribution (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Args:
        approximate: "none" for Phi by erf, or "tanh" for
            0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Default: "none".

    Raises:
        ValueError: in forward, for another `approximate`.
    """

    def __init__(self, approximate="none"):
        super().__init__(approximate=approximate)


class Softplus(Elementwise, function=F.softplus):
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold.

    Args:
        beta: sharpness. Default: 1.
        threshold: where it becomes linear. Default: 20.
    """

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__(beta=beta, threshold=threshold)


class Mish(Elementwise, function=F.mish):
    """x * tanh(softplus(x)) (Misra 2019, arXiv:1908.08681).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class Hardswish(Elementwise, function=F.hardswish):
    """x * relu6(x + 3) / 6 (Howard et al. 2019, arXiv:1905.02244).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class Softmax(Elementwise, function=F.softmax):
    """exp(x) / sum(exp(x)) along `dim`.

    Args:
        dim: the dimension whose entries sum to one. Left out, it is chosen as in PyTorch, with a
            warning.
    """

    def __init__(self, dim=None):
        super().__init__(dim=dim)


class LogSoftmax(Elementwise, function=F.log_softmax):
    """log(softmax(x)) along `dim`, without overflow or loss of digits.

    Args:
        dim: the dimension whose probabilities sum to one. Left out, it is chosen as in PyTorch,
            with a warning.
    """

    def __init__(self, dim=None):
        super().__init__(dim=dim)
