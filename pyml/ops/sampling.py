"""Draws from distributions by kernels, an element each for an element of the parameter."""

from pyml import _kernels
from pyml.attributes import default_float
from pyml.ops.arrays import contiguous, empty
from pyml.ops.operands import cast, result_type
from pyml.ops.shape import tracked
from pyml.random import state_of
from pyml.tensor import Tensor

BINOMIAL = _kernels.kernel("random_binomial")
LOG_GAMMA = _kernels.kernel("random_log_gamma")
POISSON = _kernels.kernel("random_poisson")
VON_MISES = _kernels.kernel("random_von_mises")
SLOPE = _kernels.kernel("log_gamma_slope")


def drawn(kernel, name, generator, *parameters):
    """What a kernel draws for each element of parameters of one shape, outside of any graph.

    Parameters of several dtypes, or of integers, are brought to one of floats.
    """
    dtype = result_type(*parameters)
    dtype = dtype if dtype.kind == "f" else default_float()
    arrays = [contiguous(cast(parameter, dtype).array) for parameter in parameters]
    y = empty(arrays[0].shape, arrays[0].dtype)
    _kernels.random_of(kernel, y, state_of(generator, name), *arrays)
    return Tensor._on(y)


def poisson(rate, generator=None):
    """Poisson variables of the means `rate`. Not differentiable."""
    return drawn(POISSON, "poisson", generator, rate)


def binomial(count, prob, generator=None):
    """How many of `count` trials succeed, with probabilities `prob`; both of one shape.

    Not differentiable.
    """
    return drawn(BINOMIAL, "binomial", generator, count, prob)


def von_mises(loc, concentration, generator=None):
    """Angles about `loc`, in [-pi, pi]; both of one shape.

    Not differentiable.
    """
    return drawn(VON_MISES, "von_mises", generator, loc, concentration)


def log_gamma_variable(concentration, generator=None):
    """Logarithms of gamma variables of scale 1, with gradients by implicit reparametrisation.

    Marsaglia & Tsang 2000, "A simple method for generating gamma variables"; Figurnov, Mohamed &
    Mnih 2018 (arXiv:1805.08498). Logarithms, as variables of a small concentration are smaller than
    any number of the dtype.

    Raises:
        RuntimeError: in a second backward: the derivative of the derivative is not known.
    """
    y = drawn(LOG_GAMMA, "gamma", generator, concentration)

    def backward(dy):
        return dy * slope(concentration.detach(), y.detach())

    def slope(a, log_x):
        out = empty(a.shape, a.dtype)
        x = contiguous(log_x.array)
        n = out.size
        _kernels.binary(SLOPE, out, contiguous(a.array), x, 1, n, n, 1, n, 1)
        return tracked(concentration, Tensor._on(out), "LogGammaSlope", no_second_derivative)

    return tracked(concentration, y, "LogGamma", backward)


def no_second_derivative(dy):
    raise RuntimeError(
        "gamma: samples of Gamma, Beta and Dirichlet have no second derivatives; take them of what "
        "does not depend on rsample(), or use sample()"
    )
