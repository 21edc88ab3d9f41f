"""Draws by given weights: truth values, classes; numbers of distributions, in place."""

import math

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.ops import sampling
from pyml.ops.arrays import checked_tensor, real_tensor
from pyml.ops.creation import arange, check_range, integers_of, normal, rand
from pyml.ops.elementwise import log
from pyml.ops.inplace import copy_
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, cast
from pyml.ops.shape import broadcast_tensors, integer
from pyml.ops.softmax import softmax
from pyml.options import is_number
from pyml.recorder import refuse
from pyml.tensor import Tensor


def will_draw_into(input):
    """Raises, before a number is drawn, if the input may not be changed in place.

    Returns:
        bool: whether the change will be in the graph.
    """
    tracked = is_grad_enabled() and input.requires_grad
    input._will_change(tracked)
    return tracked


# ---- truth values --------------------------------------------------------------------------------


def bernoulli(input, p=None, *, generator=None):
    """0 or 1 for each element, 1 with a probability.

    Args:
        input: probabilities; with p, a tensor of the shape and dtype.
        p: one probability for all. Default: None, those of the input.
    """
    checked_tensor(input, "bernoulli")
    if input.dtype.kind != "f":
        raise DtypeError(f"bernoulli: input has dtype {input.dtype}, it must be float32 or float64")
    p = probability(input if p is None else p, input, "bernoulli")
    with no_grad():
        drawn = rand(input.shape, generator=generator, dtype=input.dtype)
        return cast(drawn < p, input.dtype)


def bernoulli_(input, p=0.5, *, generator=None):
    """Every element <- 0 or 1, 1 with probability p.

    Args:
        p: a number, or a tensor of probabilities.
    """
    checked_tensor(input, "bernoulli_")
    p = probability(p, input, "bernoulli_")
    will_draw_into(input)
    with no_grad():
        drawn = rand(input.shape, generator=generator, dtype=np.float64)
        values = cast(drawn < p, input.dtype)
    return copy_(input, values)


def probability(p, input, name):
    """p, if it is of probabilities for the elements of the input."""
    if not isinstance(p, Tensor):
        try:
            inside = np.all((p >= 0) & (p <= 1))
        except TypeError:
            raise TypeError(f"{name}: p is {p!r}, it must be a number or a tensor") from None
        if not inside:
            raise ArgumentError(f"{name}: p is {p!r}; probabilities are from 0 to 1")
        return p
    if broadcast_shapes(p.shape, input.shape, name=name) != input.shape:
        raise ArgumentError(
            f"{name}: p has shape {p.shape}, it must broadcast to the input's, {input.shape}"
        )
    return Tensor._on(by_numpy(name, probabilities, (p.detach().array,), name))


def probabilities(array, name):
    """The numbers, when it is known that they are probabilities. A replay looks, too."""
    if not ((array >= 0) & (array <= 1)).all():
        raise ArgumentError(f"{name}: p is {Tensor._on(array)!r}; probabilities are from 0 to 1")
    return array.copy()


def poisson(input, generator=None):
    """A Poisson variable for each element, its mean. Not differentiable.

    Args:
        input: means, not negative.
        generator: Default: None, pyml.default_generator.
    """
    checked_tensor(input, "poisson")
    if input.dtype.kind != "f":
        raise DtypeError(f"poisson: input has dtype {input.dtype}, it must be float32 or float64")
    refuse("poisson")
    if not (input.detach().array >= 0).all():
        raise ArgumentError("poisson: a mean is negative or NaN")
    return sampling.poisson(input.detach(), generator)


def binomial(count, prob, generator=None):
    """How many of `count` trials succeed, each with the probability `prob`. Not differentiable.

    Args:
        count: not negative, whole numbers.
        prob: from 0 to 1, of the dtype of count; shapes broadcast.
        generator: Default: None, pyml.default_generator.

    Example:
        >>> pyml.binomial(pyml.tensor([10.0, 10.0]), pyml.tensor([0.0, 1.0]))
        tensor([ 0., 10.])
    """
    for x, name in ((count, "count"), (prob, "prob")):
        checked_tensor(x, "binomial", name)
        if x.dtype.kind != "f":
            raise DtypeError(f"binomial: {name} has dtype {x.dtype}, it must be float32 or float64")
    if count.dtype != prob.dtype:
        raise DtypeError(
            f"binomial: count has dtype {count.dtype} and prob {prob.dtype}; they must be the same"
        )
    refuse("binomial")
    n, p = broadcast_tensors(count.detach(), prob.detach())
    if not ((n.array >= 0) & (n.array == np.floor(n.array)) & np.isfinite(n.array)).all():
        raise ArgumentError("binomial: a count is negative, or not a whole number")
    if not ((p.array >= 0) & (p.array <= 1)).all():
        raise ArgumentError("binomial: a prob is outside [0, 1], or NaN")
    return sampling.binomial(n, p, generator)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((logits + g) / tau) along `dim`, g of Gumbel's distribution: almost a drawn class.

    Jang, Gu & Poole 2017 (arXiv:1611.01144); Maddison, Mnih & Teh 2017 (arXiv:1611.00712).

    Args:
        logits: logarithms of weights, any shape.
        tau: the temperature; the smaller, the nearer to one class. Default: 1.
        hard: 1 for the largest and 0 for the others, with the gradient of the soft one.
        eps: deprecated in PyTorch, of no effect.
    """
    real_tensor(logits, "gumbel_softmax", "logits")
    if not tau > 0:
        raise ArgumentError(f"gumbel_softmax: tau is {tau}, it must be positive")
    with no_grad():
        noise = -log(-log(rand(logits.shape, dtype=logits.dtype)))
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    best = soft.detach().argmax(dim, keepdim=True)
    chosen = cast(arange_along(soft.shape, dim) == best, soft.dtype)
    return chosen - soft.detach() + soft


def arange_along(shape, dim):
    """0, 1, ... along `dim`, of a shape that broadcasts."""
    if not shape:
        return arange(1).reshape(())
    sizes = [1] * len(shape)
    sizes[dim] = -1
    return arange(shape[dim]).reshape(sizes)


# ---- classes -------------------------------------------------------------------------------------


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Classes drawn by their weights, int64: (num_samples), or a row of them for each row.

    Args:
        input: weights, a vector or rows, not negative; they need not add up to 1.
        num_samples: how many.
        replacement: a class may be drawn again. Default: False.
        generator: Default: None, pyml.default_generator.

    Example:
        >>> pyml.multinomial(pyml.tensor([0.0, 1.0]), 3, replacement=True)
        tensor([1, 1, 1])
    """
    checked_tensor(input, "multinomial")
    if input.dtype.kind != "f" or input.ndim not in (1, 2):
        raise ArgumentError(
            f"multinomial: input has shape {input.shape} and dtype {input.dtype}, it must be a "
            "vector or rows of float32 or float64"
        )
    num_samples = integer(num_samples, "multinomial: num_samples")
    rows = by_numpy("multinomial", weights_of, (input.array,), num_samples, bool(replacement))
    n = num_samples if replacement else rows.shape[1]
    u = rand((len(rows), n), generator=generator, dtype=np.float64).array
    classes = drawn_again if replacement else drawn_once
    index = by_numpy("multinomial", classes, (rows, u), num_samples)
    return Tensor._on(index if input.ndim == 2 else index[0])


def weights_of(array, num_samples, replacement):
    """Rows of weights in double, when it is known that classes can be drawn by them."""
    rows = np.atleast_2d(array.astype(np.float64))
    if not np.isfinite(rows).all() or (rows < 0).any() or not (rows.sum(1) > 0).all():
        raise ArgumentError(
            "multinomial: weights must be finite and not negative, and of each row one must be "
            "positive"
        )
    if num_samples < 1:
        raise ArgumentError(f"multinomial: num_samples is {num_samples}, it must be at least 1")
    most = (rows > 0).sum(1).min(initial=rows.shape[1])
    if not replacement and num_samples > most:
        raise ArgumentError(
            f"multinomial: num_samples is {num_samples}, a row has {most} classes of positive "
            "weight; pass replacement=True"
        )
    return rows


def drawn_again(rows, u, num_samples):
    """A class for each u, by where it falls between the sums of the weights."""
    ends = np.cumsum(rows, 1)
    last = rows.shape[1] - 1 - np.argmax((rows > 0)[:, ::-1], 1)
    found = [
        np.minimum(np.searchsorted(e, x * e[-1], "right"), k)
        for e, x, k in zip(ends, u, last, strict=True)
    ]
    return np.stack(found).astype(np.int64) if found else np.zeros((0, num_samples), np.int64)


def drawn_once(rows, u, num_samples):
    """Different classes: the order of arrivals of exponential clocks."""
    times = np.where(rows > 0, -np.log1p(-u) / np.where(rows > 0, rows, 1), np.inf)
    return np.argsort(times, 1, kind="stable")[:, :num_samples].astype(np.int64)


# ---- in place ------------------------------------------------------------------------------------


def exponential_(input, lambd=1.0, *, generator=None):
    """Every element <- a number of the exponential distribution of rate lambd."""
    if not lambd > 0:
        raise ArgumentError(f"exponential_: lambd is {lambd}, it must be positive")
    return drawn(input, "exponential_", exponentials, (lambd,), generator)


def exponentials(u, dtype, lambd):
    return (-np.log1p(-u) / lambd).astype(dtype)


def cauchy_(input, median=0.0, sigma=1.0, *, generator=None):
    """Every element <- a number of the Cauchy distribution."""
    if not is_number(median):
        raise TypeError(f"cauchy_: median is a {type(median).__name__}, it must be a number")
    if not sigma > 0:
        raise ArgumentError(f"cauchy_: sigma is {sigma}, it must be positive")
    return drawn(input, "cauchy_", cauchys, (median, sigma), generator)


def cauchys(u, dtype, median, sigma):
    return (median + sigma * np.tan(math.pi * (u - 0.5))).astype(dtype)


def geometric_(input, p, *, generator=None):
    """Every element <- how many trials it takes to succeed once, with probability p each."""
    if not 0 < p < 1:
        raise ArgumentError(f"geometric_: p is {p}, it must be between 0 and 1")
    return drawn(input, "geometric_", trials, (p,), generator, of_integers=True)


def trials(u, dtype, p):
    return np.maximum(np.ceil(np.log1p(-u) / math.log1p(-p)), 1).astype(dtype)


def log_normal_(input, mean=1.0, std=2.0, *, generator=None):
    """Every element <- exp of a number of the normal distribution."""
    checked_tensor(input, "log_normal_")
    will_draw_into(input)
    with no_grad():
        exponents = normal(mean, std, input.shape, generator=generator, dtype=input.dtype)
        values = exponents.exp()
    return copy_(input, values)


def random_(input, from_=0, to=None, *, generator=None):
    """Every element <- a random integer.

    Args:
        from_, to: from the first to before the second. With one number, from 0 to before it; with
            none, all that the dtype holds exactly, not negative.
    """
    checked_tensor(input, "random_")
    if to is None:
        kind = input.dtype
        most = 2**24 if kind == np.float32 else 2**53 if kind.kind == "f" else 2
        if kind.kind in "iu":
            most = min(np.iinfo(kind).max + 1, 2**53)
        from_, to = (0, from_) if from_ else (0, most)
    if not from_ < to or to - from_ > 2**53:
        raise ArgumentError(
            f"random_: from {from_} to {to}; the first must be smaller, by 2**53 at most"
        )
    check_range(from_, to - 1, input.dtype, "random_")
    return drawn(input, "random_", integers_of, (from_, to), generator, of_integers=True)


def drawn(input, name, function, options, generator, of_integers=False):
    """input <- function(u, dtype, *options), u uniform in [0, 1) in double."""
    checked_tensor(input, name)
    if input.dtype.kind != "f" and not of_integers:
        raise DtypeError(f"{name}: dtype {input.dtype}, it must be float32 or float64")
    for option in options:
        if not is_number(option):
            raise TypeError(f"{name}: an option is a {type(option).__name__}, it must be a number")
    options = [option.item() if isinstance(option, Tensor) else option for option in options]
    will_draw_into(input)
    u = rand(input.shape, generator=generator, dtype=np.float64).array
    return copy_(input, Tensor._on(by_numpy(name, function, (u,), input.dtype.dtype, *options)))
