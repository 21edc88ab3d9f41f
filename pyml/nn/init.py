"""Initial values of parameters. Each function fills its tensor, outside the graph, and returns it.

A weight is (out_features, in_features): fan_in is in_features and fan_out is out_features, each
times the size of the dimensions after the second. Where random numbers are drawn, `generator` is
their source; by default it is the one that pyml.manual_seed seeds.
"""

import functools
import math
import warnings

import numpy as np

from pyml import ops
from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.ops.draws import will_draw_into
from pyml.recorder import refuse

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

GAINS = {
    "linear": 1,
    **{f"conv{d}d": 1 for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": 1 for d in (1, 2, 3)},
    "sigmoid": 1,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity, param=None):
    """The gain that keeps the variance through a nonlinearity, as PyTorch recommends it.

    1 for "linear", "sigmoid" and convolutions ("conv1d", "conv_transpose1d", and of 2 and 3
    dimensions), 5/3 for "tanh", sqrt(2) for "relu", sqrt(2 / (1 + slope^2)) for "leaky_relu", 3/4
    for "selu".

    Args:
        nonlinearity: the name of a function of nn.functional.
        param: the negative slope of "leaky_relu". Default: 0.01.

    Raises:
        ValueError: for an unknown name, or a slope that is not a number.

    Example:
        >>> nn.init.calculate_gain("leaky_relu", 1.0)
        1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ArgumentError(f"calculate_gain: negative_slope is {slope!r}, it must be a number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ArgumentError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}, it must be one of "
            f"{', '.join(sorted([*GAINS, 'leaky_relu']))}"
        )
    return GAINS[nonlinearity]


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fills with U(a, b)."""
    checked_tensor(tensor, "uniform_", "tensor")
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fills with N(mean, std^2)."""
    checked_tensor(tensor, "normal_", "tensor")
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fills with N(mean, std^2) restricted to [a, b]; a, b are values, not multiples of std.

    Draws again what falls outside: from the normal distribution, or where less than 0.3 of it lies
    in [a, b], from the uniform one, accepted with the ratio of the densities (Robert 1995,
    arXiv:0907.4010).

    Raises:
        ValueError: if a > b, std is not positive, or mean or std is not finite.
    """
    checked_tensor(tensor, "trunc_normal_", "tensor")
    refuse("trunc_normal_")
    if not a <= b or not 0 < std < math.inf or not math.isfinite(mean):
        raise ArgumentError(
            f"trunc_normal_: mean is {mean}, std is {std}, a is {a}, b is {b}; "
            "a <= b, a finite mean and a finite std > 0 are needed"
        )
    will_draw_into(tensor)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "trunc_normal_: mean is more than 2 std from [a, b], where few normal values lie",
            stacklevel=3,
        )

    def below(x):
        return (1 + math.erf((x - mean) / std / math.sqrt(2))) / 2

    peak = min(max(mean, a), b)
    low, high = max(a, peak - 9 * std), min(b, peak + 9 * std)  # beyond: exp(-40) of the peak

    def propose(count):
        """`count` values, and which of them are accepted."""
        values = ops.empty(count, dtype=tensor.dtype)
        if below(b) - below(a) > 0.3:
            values = values.normal_(mean, std, generator=generator).numpy()
            return values, (values >= a) & (values <= b)
        values = values.uniform_(low, high, generator=generator).numpy()
        level = ops.empty(count, dtype=tensor.dtype).uniform_(generator=generator).numpy()
        density = np.exp(
            ((peak - mean) ** 2 - (values.astype(np.float64) - mean) ** 2) / (2 * std**2)
        )
        return values, level <= density

    values, accepted = propose(tensor.numel())
    while not accepted.all():
        left = np.flatnonzero(~accepted)
        values[left], accepted[left] = propose(len(left))
    return tensor.copy_(ops.from_numpy(values.reshape(tensor.shape)))


@no_grad()
def constant_(tensor, val):
    """Fills with `val`."""
    checked_tensor(tensor, "constant_", "tensor")
    return tensor.fill_(val)


@no_grad()
def ones_(tensor):
    """Fills with 1."""
    checked_tensor(tensor, "ones_", "tensor")
    return tensor.fill_(1)


@no_grad()
def zeros_(tensor):
    """Fills with 0."""
    checked_tensor(tensor, "zeros_", "tensor")
    return tensor.zero_()


@no_grad()
def eye_(tensor):
    """Fills a matrix with the identity: 1 on the diagonal, else 0.

    Raises:
        ValueError: if the tensor does not have 2 dimensions.
    """
    checked_tensor(tensor, "eye_", "tensor")
    check_matrix(tensor, "eye_")
    return tensor.copy_(ops.eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor, groups=1):
    """Refused: it fills weights of convolutions, which pyml does not have.

    Raises:
        NotImplementedError: always. eye_ is the same for the weight of a Linear.
    """
    raise NotImplementedError(
        "dirac_: it fills weights of convolutions, which pyml does not have; eye_ fills the weight "
        "of a Linear so that it gives back its input"
    )


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Fills with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", eq. 16.

    Raises:
        ValueError: if the tensor has fewer than 2 dimensions.

    Example:
        >>> w = pyml.empty(3, 5)
        >>> nn.init.xavier_uniform_(w, gain=nn.init.calculate_gain("tanh")).shape
        (3, 5)
    """
    checked_tensor(tensor, "xavier_uniform_", "tensor")
    bound = gain * math.sqrt(6 / max(sum(fans(tensor)), 1))  # 0: there is nothing to fill
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Fills with N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)).

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", eq. 12.

    Raises:
        ValueError: if the tensor has fewer than 2 dimensions.
    """
    checked_tensor(tensor, "xavier_normal_", "tensor")
    return normal_(tensor, 0, gain * math.sqrt(2 / max(sum(fans(tensor)), 1)), generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fills with U(-bound, bound), bound = gain sqrt(3 / fan).

    He et al. 2015 (arXiv:1502.01852), eq. 10 and 15.

    Args:
        tensor: at least 2 dimensions.
        a: the negative slope of "leaky_relu". Default: 0.
        mode: "fan_in" keeps the variance in forward, "fan_out" in backward. Default: "fan_in".
        nonlinearity: the function that follows, which gives the gain. Default: "leaky_relu".
        generator: source of the random numbers.

    Raises:
        ValueError: for another mode, an unknown nonlinearity, or fewer than 2 dimensions.
    """
    checked_tensor(tensor, "kaiming_uniform_", "tensor")
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / fan_of(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fills with N(0, std^2), std = gain / sqrt(fan).

    He et al. 2015 (arXiv:1502.01852), eq. 10 and 15. Arguments and errors as for kaiming_uniform_.
    """
    checked_tensor(tensor, "kaiming_normal_", "tensor")
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(fan_of(tensor, mode))
    return normal_(tensor, 0, std, generator)


def lecun_uniform_(tensor, generator=None):
    """Fills with U(-a, a), a = sqrt(3 / fan_in): the variance is that of lecun_normal_.

    LeCun, Bottou, Orr & Muller 1998, "Efficient BackProp", eq. 16. PyTorch has no function of this
    name: it is its kaiming_uniform_ with nonlinearity="linear".

    Args:
        tensor: at least 2 dimensions.
        generator: source of the random numbers.

    Raises:
        ValueError: if the tensor has fewer than 2 dimensions.

    Example:
        >>> nn.init.lecun_uniform_(pyml.empty(5, 3)).abs().max().item() <= 1
        True
    """
    checked_tensor(tensor, "lecun_uniform_", "tensor")
    bound = math.sqrt(3 / max(fans(tensor)[0], 1))  # 0: there is nothing to fill
    return uniform_(tensor, -bound, bound, generator)


def lecun_normal_(tensor, generator=None):
    """Fills with N(0, std^2), std = 1 / sqrt(fan_in), which SELU networks need.

    LeCun, Bottou, Orr & Muller 1998, "Efficient BackProp", eq. 16; Klambauer et al. 2017
    (arXiv:1706.02515). PyTorch has no function of this name: it is its kaiming_normal_ with
    nonlinearity="linear". The normal distribution is not cut off.

    Args:
        tensor: at least 2 dimensions.
        generator: source of the random numbers.

    Raises:
        ValueError: if the tensor has fewer than 2 dimensions.

    Example:
        >>> nn.init.lecun_normal_(pyml.empty(4, 2)).shape
        (4, 2)
    """
    checked_tensor(tensor, "lecun_normal_", "tensor")
    return normal_(tensor, 0, 1 / math.sqrt(max(fans(tensor)[0], 1)), generator)


@no_grad()
def orthogonal_(tensor, gain=1, generator=None):
    """Fills with orthogonal rows or columns, whichever are fewer, of length `gain`.

    Saxe et al. 2013 (arXiv:1312.6120). Uniform over such matrices (Mezzadri 2006,
    arXiv:math-ph/0609050). Dimensions after the first are taken as one.

    Raises:
        ValueError: if the tensor has fewer than 2 dimensions.
    """
    checked_tensor(tensor, "orthogonal_", "tensor")
    refuse("orthogonal_")
    if tensor.dim() < 2:
        raise ArgumentError(
            f"orthogonal_: the tensor has shape {tensor.shape}, at least 2 dimensions are needed"
        )
    if tensor.numel() == 0:
        return tensor
    gain = float(gain)
    will_draw_into(tensor)
    rows = tensor.shape[0]
    gaussian = ops.empty(rows, tensor.numel() // rows, dtype=tensor.dtype)
    gaussian = gaussian.normal_(generator=generator).numpy()
    wide = gaussian.shape[0] < gaussian.shape[1]
    q, r = np.linalg.qr(gaussian.T if wide else gaussian)
    q = q * np.sign(np.diagonal(r)) * gain
    return tensor.copy_(ops.from_numpy((q.T if wide else q).reshape(tensor.shape)))


@no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Fills a matrix with N(0, std^2), and with zeros in a fraction `sparsity` of each column.

    Martens 2010, "Deep learning via Hessian-free optimization", section 5.

    Raises:
        ValueError: if the tensor does not have 2 dimensions, or sparsity is outside [0, 1].
    """
    checked_tensor(tensor, "sparse_", "tensor")
    refuse("sparse_")
    check_matrix(tensor, "sparse_")
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_: sparsity is {sparsity}, it must be between 0 and 1")
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    order = ops.empty(rows, columns, dtype=np.float64).uniform_(generator=generator).numpy()
    rank = order.argsort(0).argsort(0)
    return tensor.masked_fill_(ops.from_numpy(rank < math.ceil(sparsity * rows)), 0)


def check_matrix(tensor, name):
    if tensor.dim() != 2:
        raise ArgumentError(f"{name}: the tensor has shape {tensor.shape}, 2 dimensions are needed")


def fans(tensor):
    """(fan_in, fan_out) of a weight."""
    if tensor.dim() < 2:
        raise ArgumentError(
            f"fan in and fan out of a tensor of shape {tensor.shape} are not known, "
            "at least 2 dimensions are needed"
        )
    receptive_field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive_field, tensor.shape[0] * receptive_field


def fan_of(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"mode is {mode!r}, it must be 'fan_in' or 'fan_out'")
    fan_in, fan_out = fans(tensor)
    return fan_in if mode == "fan_in" else fan_out


# ---- old names -----------------------------------------------------------------------------------


def by_old_name(function):
    """A function by its name of long ago, without the `_`: it warns."""
    name = function.__name__[:-1]

    @functools.wraps(function)
    def called(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    called.__name__ = called.__qualname__ = name
    called.__doc__ = f"{name}_, by its old name, with a FutureWarning."
    return called


constant, eye, normal, orthogonal, sparse, uniform = map(
    by_old_name, (constant_, eye_, normal_, orthogonal_, sparse_, uniform_)
)
kaiming_normal, kaiming_uniform, xavier_normal, xavier_uniform = map(
    by_old_name, (kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_)
)
