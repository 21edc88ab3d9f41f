"""Activations as modules."""

import inspect
import warnings
from operator import attrgetter

from pyml import ops
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
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
            known = inspect.signature(function).parameters
            given = inspect.signature(cls.__init__).parameters
            cls._options = tuple(name for name in given if name in known)
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


class SELU(Elementwise, function=F.selu):
    """scale * elu(x, alpha), for mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class CELU(Elementwise, function=F.celu):
    """x where x > 0, else alpha (exp(x / alpha) - 1) (Barron 2017, arXiv:1704.07483).

    Args:
        alpha: minus the limit for x -> -inf. Default: 1.0.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(alpha=alpha, inplace=inplace)


class LogSigmoid(Elementwise, function=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""

    def __init__(self):
        super().__init__()


class Softsign(Elementwise, function=F.softsign):
    """x / (1 + |x|)."""

    def __init__(self):
        super().__init__()


class Tanhshrink(Elementwise, function=F.tanhshrink):
    """x - tanh(x)."""

    def __init__(self):
        super().__init__()


class Hardtanh(Elementwise, function=F.hardtanh):
    """x, but at least min_val and at most max_val.

    Args:
        min_val: the least output. Default: -1.0.
        max_val: the largest output. Default: 1.0.
        inplace: change the input itself. Default: False.
        min_value, max_value: old names of min_val and max_val, with a warning.
    """

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        if min_value is not None or max_value is not None:
            warnings.warn(
                "Hardtanh: min_value and max_value are now called min_val and max_val", stacklevel=2
            )
            min_val = min_val if min_value is None else min_value
            max_val = max_val if max_value is None else max_value
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class ReLU6(Elementwise, function=F.relu6):
    """min(max(x, 0), 6).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class Hardsigmoid(Elementwise, function=F.hardsigmoid):
    """relu6(x + 3) / 6.

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class Threshold(Elementwise, function=F.threshold):
    """x where x > threshold, else value.

    Args:
        threshold: where it begins to be linear.
        value: the output below.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, threshold, value, inplace=False):
        super().__init__(threshold=threshold, value=value, inplace=inplace)


class Hardshrink(Elementwise, function=F.hardshrink):
    """x where |x| > lambd, else 0.

    Args:
        lambd: what is cut away. Default: 0.5.
    """

    def __init__(self, lambd=0.5):
        super().__init__(lambd=lambd)

    def extra_repr(self):
        """The option, without its name."""
        return str(self.lambd)


class Softshrink(Elementwise, function=F.softshrink):
    """x moved towards 0 by lambd; 0 where |x| <= lambd.

    Args:
        lambd: how far, at least 0. Default: 0.5.
    """

    def __init__(self, lambd=0.5):
        super().__init__(lambd=lambd)

    def extra_repr(self):
        """The option, without its name."""
        return str(self.lambd)


class PReLU(Module):
    """x where x > 0, else weight * x, with a learned weight (He et al. 2015, arXiv:1502.01852).

    Args:
        num_parameters: 1, or as many as there are channels. Default: 1.
        init: what the weight begins with. Default: 0.25.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (num_parameters).

    Shape:
        (n, c, ...), any for one parameter; the output has the same.

    Example:
        >>> nn.PReLU()(pyml.tensor([-2.0, 2.0])).detach()
        tensor([-0.5,  2. ])
    """

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(ops.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Fills the weight with `init`."""
        with no_grad():
            self.weight.fill_(self.init)

    def forward(self, input):
        """The output, of the input's shape."""
        return F.prelu(input, self.weight)

    def extra_repr(self):
        """The number of parameters."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """x where x > 0, else slope * x, slopes random in training (Xu et al. 2015, arXiv:1505.00853).

    Args:
        lower: the least slope. Default: 1/8.
        upper: the largest slope. Default: 1/3. In evaluation the slope is (lower + upper) / 2.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, lower=1 / 8, upper=1 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        """The slopes, and an `inplace` that is set."""
        return f"lower={self.lower}, upper={self.upper}" + ", inplace=True" * bool(self.inplace)


class GLU(Elementwise, function=F.glu):
    """a * sigmoid(b), with a and b the halves of the input (Dauphin et al. 2016, arXiv:1612.08083).

    Args:
        dim: the dimension that is halved; the output's is half as large. Default: -1.
    """

    def __init__(self, dim=-1):
        super().__init__(dim=dim)


class Softmin(Elementwise, function=F.softmin):
    """softmax(-x) along `dim`.

    Args:
        dim: the dimension whose entries sum to one. Left out, it is chosen as in PyTorch, with a
            warning.
    """

    def __init__(self, dim=None):
        super().__init__(dim=dim)


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
