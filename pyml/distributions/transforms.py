"""Invertible functions with the logarithms of their Jacobians' determinants."""

import copy
import functools
import math
import operator

import numpy as np

from pyml.distributions import constraints
from pyml.distributions.distribution import checked_distribution
from pyml.distributions.matrices import cholesky, diag_embed, diagonal, running_sum
from pyml.distributions.utils import broadcast_all, finfo, log1p_exp, sum_rightmost, tensor_of
from pyml.ops import (
    arange,
    broadcast_shapes,
    cat,
    matmul,
    ones_like,
    sigmoid,
    softmax,
    stack,
    tril,
    zeros,
    zeros_like,
)
from pyml.ops.shape import as_sizes
from pyml.recorder import constant
from pyml.tensor import Tensor

__all__ = [
    *("AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform"),
    *("CorrCholeskyTransform", "CumulativeDistributionTransform"),
    *("ExpTransform", "IndependentTransform"),
    *("LowerCholeskyTransform", "PositiveDefiniteTransform", "PowerTransform"),
    *("ReshapeTransform", "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform"),
    *("StackTransform", "StickBreakingTransform", "TanhTransform", "Transform"),
    "identity_transform",
]


class Transform:
    """A function with an inverse, for TransformedDistribution.

    A subclass defines _call, _inverse, log_abs_det_jacobian, domain and codomain.

    Args:
        cache_size: 1 keeps the last argument and result, so that an inverse of the result is the
            argument itself, without rounding; 0 does not. Default: 0.

    Attributes:
        domain, codomain: constraints of arguments and results.
        bijective: whether the inverse is one.
        sign: 1 or -1 for increasing or decreasing functions of numbers.
    """

    bijective = False

    def __init_subclass__(cls):
        constraints.with_checked_tensors(cls, "log_abs_det_jacobian", "_call", "_inverse")

    _compared = None  # attributes that make two transforms of a class equal; None: only itself is

    def __init__(self, cache_size=0):
        if cache_size not in (0, 1):
            raise ValueError(
                f"{type(self).__name__}: cache_size is {cache_size}, it must be 0 or 1"
            )
        self._cache_size = cache_size
        self._inv = None
        self._cached_x_y = None, None

    def __getstate__(self):
        return {**self.__dict__, "_inv": None, "_cached_x_y": (None, None)}

    @property
    def event_dim(self):
        """How many dimensions an event has, if arguments and results have as many."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError(
                f"{type(self).__name__}: arguments and results have events of other dimensions; "
                "use domain.event_dim or codomain.event_dim"
            )
        return self.domain.event_dim

    @property
    def inv(self):
        """The inverse, a Transform; t.inv.inv is t."""
        if self._inv is None:
            self._inv = InverseTransform(self)
        return self._inv

    @property
    def sign(self):
        raise NotImplementedError(f"{type(self).__name__}: sign is not there")

    def with_cache(self, cache_size=1):
        """The same transform with another cache_size."""
        if self._cache_size == cache_size:
            return self
        new = copy.copy(self)
        Transform.__init__(new, cache_size)
        return new

    def __eq__(self, other):
        if self is other or self._compared is None:
            return self is other
        return type(self) is type(other) and all(
            is_same(getattr(self, name), getattr(other, name)) for name in self._compared
        )

    def __hash__(self):
        return hash(type(self))

    def __call__(self, x):
        if self._cache_size == 0:
            return self._call(x)
        known, y = self._cached_x_y
        if x is not known:
            y = self._call(x)
            self._cached_x_y = x, y
        return y

    def _inv_call(self, y):
        if self._cache_size == 0:
            return self._inverse(y)
        x, known = self._cached_x_y
        if y is not known:
            x = self._inverse(y)
            self._cached_x_y = x, y
        return x

    def _call(self, x):
        raise NotImplementedError(f"{type(self).__name__}: _call is not there")

    def _inverse(self, y):
        raise NotImplementedError(f"{type(self).__name__}: _inverse is not there")

    def log_abs_det_jacobian(self, x, y):
        """log |dy / dx| of an argument and its result, an event each."""
        raise NotImplementedError(f"{type(self).__name__}: log_abs_det_jacobian is not there")

    def forward_shape(self, shape):
        """The shape of the result for the shape of an argument."""
        return shape

    def inverse_shape(self, shape):
        """The shape of the argument for the shape of a result."""
        return shape

    def __repr__(self):
        return f"{type(self).__name__}()"


def is_same(a, b):
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a is b or bool((a == b).all())
    return a == b


class InverseTransform(Transform):
    """The inverse of a transform, which keeps the cache for both."""

    def __init__(self, transform):
        Transform.__init__(self, transform._cache_size)
        self._inv = transform

    def __getstate__(self):
        return {**self.__dict__, "_cached_x_y": (None, None)}

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return self._inv.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        return self._inv.domain

    @property
    def bijective(self):
        return self._inv.bijective

    @property
    def sign(self):
        return self._inv.sign

    @property
    def inv(self):
        return self._inv

    def with_cache(self, cache_size=1):
        return self._inv.with_cache(cache_size).inv

    def __eq__(self, other):
        return isinstance(other, InverseTransform) and self._inv == other._inv

    def __hash__(self):
        return ~hash(self._inv)

    def __call__(self, x):
        return self._inv._inv_call(x)

    def _inv_call(self, y):
        return self._inv(y)

    def log_abs_det_jacobian(self, x, y):
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape):
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape):
        return self._inv.forward_shape(shape)

    def __repr__(self):
        return f"{type(self).__name__}({self._inv!r})"


# ---- of other transforms -------------------------------------------------------------------------


def checked_transforms(transforms, name, cache_size=0):
    """A list of them, with caches if that is asked for."""
    transforms = list(transforms)
    for transform in transforms:
        if not isinstance(transform, Transform):
            raise TypeError(
                f"{name}: a {type(transform).__name__} among the transforms; all must be Transforms"
            )
    return [t.with_cache(cache_size) for t in transforms] if cache_size else transforms


def with_events(constraint, event_dim):
    """A constraint with as many dimensions to an event."""
    more = event_dim - constraint.event_dim
    return constraints.independent(constraint, more) if more else constraint


class ComposeTransform(Transform):
    """Transforms one after another.

    Args:
        parts: the transforms; the first is applied first. They have the caches.
        cache_size: 0 or 1, for all parts. Default: 0.

    Example:
        >>> t = distributions.ComposeTransform(
        ...     [distributions.AffineTransform(0.0, 2.0), distributions.ExpTransform()]
        ... )
        >>> t.inv(t(pyml.tensor([0.5])))
        tensor([0.5])
    """

    _compared = ("parts",)

    def __init__(self, parts, cache_size=0):
        Transform.__init__(self, cache_size)
        self.parts = checked_transforms(parts, "ComposeTransform", cache_size)

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        if not self.parts:
            return constraints.real
        events = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            events += part.domain.event_dim - part.codomain.event_dim
            events = max(events, part.domain.event_dim)
        return with_events(self.parts[0].domain, events)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        if not self.parts:
            return constraints.real
        events = self.parts[0].domain.event_dim
        for part in self.parts:
            events += part.codomain.event_dim - part.domain.event_dim
            events = max(events, part.codomain.event_dim)
        return with_events(self.parts[-1].codomain, events)

    @property
    def bijective(self):
        return all(part.bijective for part in self.parts)

    @property
    def sign(self):
        return functools.reduce(operator.mul, [part.sign for part in self.parts], 1)

    @property
    def inv(self):
        if self._inv is None:
            self._inv = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return ComposeTransform(self.parts, cache_size)

    def __call__(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return zeros_like(x)
        values = [x]
        for part in self.parts[:-1]:
            values.append(part(values[-1]))
        values.append(y)
        events, total = self.domain.event_dim, None
        for part, before, after in zip(self.parts, values, values[1:], strict=False):
            term = part.log_abs_det_jacobian(before, after)
            term = sum_rightmost(term, events - part.domain.event_dim)
            events += part.codomain.event_dim - part.domain.event_dim
            total = term if total is None else total + term
        return total

    def forward_shape(self, shape):
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape):
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self):
        parts = ",\n    ".join(map(repr, self.parts))
        return f"{type(self).__name__}(\n    {parts}\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform with more dimensions to an event: its log_abs_det_jacobian sums over them.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: how many dimensions more.
        cache_size: 0 or 1. Default: 0.
    """

    _compared = ("base_transform", "reinterpreted_batch_ndims")

    def __init__(self, base_transform, reinterpreted_batch_ndims, cache_size=0):
        Transform.__init__(self, cache_size)
        (base_transform,) = checked_transforms([base_transform], "IndependentTransform")
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self):
        return self.base_transform.bijective

    @property
    def sign(self):
        return self.base_transform.sign

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    def _call(self, x):
        return self.base_transform(with_dimensions(x, self.domain.event_dim, self))

    def _inverse(self, y):
        return self.base_transform.inv(with_dimensions(y, self.codomain.event_dim, self))

    def log_abs_det_jacobian(self, x, y):
        terms = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(terms, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape):
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape):
        return self.base_transform.inverse_shape(shape)

    def __repr__(self):
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


def with_dimensions(x, count, transform):
    """x, if it has at least so many dimensions."""
    if x.ndim < count:
        raise ValueError(
            f"{type(transform).__name__}: a tensor of {x.ndim} dimensions (shape "
            f"{tuple(x.shape)}), at least {count} are needed"
        )
    return x


class Parts(Transform):
    """Transforms of the parts along a dimension."""

    @property
    def bijective(self):
        return all(transform.bijective for transform in self.transforms)

    def _each(self, function, *tensors):
        parts = zip(self.transforms, *[self._split(x) for x in tensors], strict=True)
        return [function(*part) for part in parts]

    def _call(self, x):
        return self._joined(self._each(lambda transform, part: transform(part), x), self.dim)

    def _inverse(self, y):
        return self._joined(self._each(lambda transform, part: transform.inv(part), y), self.dim)

    def _terms(self, x, y, events):
        """log |dy / dx| of the parts, summed to events of so many dimensions."""
        return self._each(
            lambda transform, before, after: sum_rightmost(
                transform.log_abs_det_jacobian(before, after), events - transform.event_dim
            ),
            x,
            y,
        )


class CatTransform(Parts):
    """Transforms of neighbouring parts along a dimension, put together by cat.

    Args:
        tseq: the transforms.
        dim: the dimension. Default: 0.
        lengths: of the parts. Default: 1 each.
        cache_size: 0 or 1, for all parts. Default: 0.
    """

    _compared = ("transforms", "dim", "lengths")
    _joined = staticmethod(cat)

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        Transform.__init__(self, cache_size)
        self.transforms = checked_transforms(tseq, "CatTransform", cache_size)
        count = len(self.transforms)
        self.lengths = [1] * count if lengths is None else list(lengths)
        if len(self.lengths) != count:
            raise ValueError(
                f"CatTransform: {len(self.lengths)} lengths for {count} transforms; as many "
                "are needed"
            )
        self.dim = dim

    @property
    def event_dim(self):
        return max(transform.event_dim for transform in self.transforms)

    @property
    def length(self):
        return sum(self.lengths)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    @constraints.dependent_property
    def domain(self):
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _split(self, x):
        if x.size(self.dim) != self.length:
            raise ValueError(
                f"CatTransform: size {x.size(self.dim)} in dimension {self.dim}, lengths "
                f"{self.lengths} need {self.length}"
            )
        parts, start = [], 0
        for length in self.lengths:
            parts.append(x.narrow(self.dim, start, length))
            start += length
        return parts

    def log_abs_det_jacobian(self, x, y):
        terms = self._terms(x, y, self.event_dim)
        dim = (self.dim if self.dim < 0 else self.dim - x.ndim) + self.event_dim
        return cat(terms, dim) if dim < 0 else functools.reduce(operator.add, terms)


class StackTransform(Parts):
    """Transforms of the parts along a dimension, one for each index, put together by stack.

    Args:
        tseq: the transforms.
        dim: the dimension. Default: 0.
        cache_size: 0 or 1, for all parts. Default: 0.
    """

    _compared = ("transforms", "dim")
    _joined = staticmethod(stack)

    def __init__(self, tseq, dim=0, cache_size=0):
        Transform.__init__(self, cache_size)
        self.transforms = checked_transforms(tseq, "StackTransform", cache_size)
        self.dim = dim

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return StackTransform(self.transforms, self.dim, cache_size)

    @constraints.dependent_property
    def domain(self):
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _split(self, x):
        if x.size(self.dim) != len(self.transforms):
            raise ValueError(
                f"StackTransform: size {x.size(self.dim)} in dimension {self.dim}, there are "
                f"{len(self.transforms)} transforms"
            )
        return x.unbind(self.dim)

    def log_abs_det_jacobian(self, x, y):
        events = max(transform.event_dim for transform in self.transforms)
        terms = self._terms(x, y, events)
        if self.dim + events < 0:  # the parts are of one event
            return functools.reduce(operator.add, terms)
        return stack(terms, self.dim)


class ReshapeTransform(Transform):
    """Events in another shape.

    Args:
        in_shape, out_shape: the shapes of an event, of as many elements.
        cache_size: 0 or 1. Default: 0.
    """

    bijective = True
    _compared = ("in_shape", "out_shape")

    def __init__(self, in_shape, out_shape, cache_size=0):
        Transform.__init__(self, cache_size)
        self.in_shape = as_sizes(in_shape, "ReshapeTransform")
        self.out_shape = as_sizes(out_shape, "ReshapeTransform")
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ValueError(
                f"ReshapeTransform: in_shape {self.in_shape} and out_shape {self.out_shape} must "
                "have as many elements"
            )

    @constraints.dependent_property
    def domain(self):
        return with_events(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self):
        return with_events(constraints.real, len(self.out_shape))

    def _call(self, x):
        return x.reshape(x.shape[: x.ndim - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y):
        return y.reshape(y.shape[: y.ndim - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x, y):
        return zeros(x.shape[: x.ndim - len(self.in_shape)], dtype=x.dtype)

    def forward_shape(self, shape):
        return replaced(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return replaced(shape, self.out_shape, self.in_shape)


def replaced(shape, end, other):
    cut = len(shape) - len(end)
    if cut < 0 or tuple(shape[cut:]) != end:
        raise ValueError(f"ReshapeTransform: shape {tuple(shape)} must end in {end}")
    return tuple(shape[:cut]) + other


# ---- of numbers ----------------------------------------------------------------------------------


class Elementwise(Transform):
    """A bijection of numbers without options."""

    domain = constraints.real
    bijective = True
    sign = 1
    _compared = ()


class ExpTransform(Elementwise):
    """y = exp(x)."""

    codomain = constraints.positive

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class SigmoidTransform(Elementwise):
    """y = 1 / (1 + exp(-x)), kept off 0 and 1."""

    codomain = constraints.unit_interval

    def _call(self, x):
        return inside(sigmoid(x))

    def _inverse(self, y):
        y = inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -log1p_exp(-x) - log1p_exp(x)


def inside(y):
    limits = finfo(y)
    return y.clamp(float(limits.tiny), 1 - float(limits.eps))


class SoftplusTransform(Elementwise):
    """y = log(1 + exp(x))."""

    codomain = constraints.positive

    def _call(self, x):
        return log1p_exp(x)

    def _inverse(self, y):
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x, y):
        return -log1p_exp(-x)


class TanhTransform(Elementwise):
    """y = tanh(x). With cache_size=1 the inverse of its results is exact, also where y is 1."""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return (y.log1p() - (-y).log1p()) / 2

    def log_abs_det_jacobian(self, x, y):
        return 2 * (math.log(2) - x - log1p_exp(-2 * x))


class AbsTransform(Transform):
    """y = |x|; its inverse gives y."""

    domain = constraints.real
    codomain = constraints.positive
    _compared = ()

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


class PowerTransform(Transform):
    """y = x^exponent, of positive numbers.

    Args:
        exponent: a number or a tensor.
        cache_size: 0 or 1. Default: 0.
    """

    domain = constraints.positive
    codomain = constraints.positive
    bijective = True
    _compared = ("exponent",)

    def __init__(self, exponent, cache_size=0):
        Transform.__init__(self, cache_size)
        (self.exponent,) = broadcast_all(exponent)

    @property
    def sign(self):
        return self.exponent.sign()

    def _call(self, x):
        return x**self.exponent

    def _inverse(self, y):
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return broadcast_shapes(shape, self.exponent.shape, name="PowerTransform")

    def inverse_shape(self, shape):
        return self.forward_shape(shape)


class AffineTransform(Transform):
    """y = loc + scale x.

    Args:
        loc, scale: numbers or tensors.
        event_dim: how many of the last dimensions are one event. Default: 0.
        cache_size: 0 or 1. Default: 0.
    """

    bijective = True
    _compared = ("loc", "scale", "event_dim")

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        Transform.__init__(self, cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self):
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return with_events(constraints.real, self._event_dim)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        return with_events(constraints.real, self._event_dim)

    @property
    def sign(self):
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        scale = tensor_of(self.scale, x.dtype)
        shape = broadcast_shapes(x.shape, scale.shape, name="AffineTransform")
        return sum_rightmost(scale.abs().log().expand(shape), self._event_dim)

    def forward_shape(self, shape):
        shapes = [getattr(value, "shape", ()) for value in (self.loc, self.scale)]
        return broadcast_shapes(shape, *shapes, name="AffineTransform")

    def inverse_shape(self, shape):
        return self.forward_shape(shape)


class CumulativeDistributionTransform(Transform):
    """y = cdf(x) of a distribution.

    Args:
        distribution: one with cdf, icdf and log_prob.
        cache_size: 0 or 1. Default: 0.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution, cache_size=0):
        Transform.__init__(self, cache_size)
        self.distribution = checked_distribution(
            distribution, "CumulativeDistributionTransform", "distribution"
        )

    @property
    def domain(self):
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)


# ---- of vectors and matrices ---------------------------------------------------------------------


class SoftmaxTransform(Transform):
    """y = exp(x) / sum exp(x), along the last dimension; not a bijection."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    _compared = ()

    def _call(self, x):
        return softmax(x, -1)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        return of_vectors(shape, 0)

    def inverse_shape(self, shape):
        return of_vectors(shape, 0)


def of_vectors(shape, more):
    """The shape with a last size that is larger by `more`."""
    if len(shape) < 1:
        raise ValueError("a transform of vectors: the shape has no dimensions, one is needed")
    return (*shape[:-1], shape[-1] + more)


ENOUGH = 1e4  # exp(-ENOUGH) is 0; unlike inf, what is added up may contain it


class StickBreakingTransform(Transform):
    """K numbers to a simplex of K + 1: each sigmoid is the share that is taken of what is left.

    y_k = sigmoid(u_k) prod over j < k of (1 - sigmoid(u_j)), u_k = x_k - log(K - k), k from 0
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True
    _compared = ()

    def _shifted(self, x):
        count = with_dimensions(x, 1, self).shape[-1]
        return x - arange(count, 0, -1, dtype=x.dtype).log()

    def _call(self, x):
        u = self._shifted(x)
        left = running_sum(-log1p_exp(u).clamp(max=ENOUGH)).exp()
        one = ones_like(x[..., :1])
        return cat([sigmoid(u), one], -1) * cat([one, left], -1)

    def _inverse(self, y):
        taken = with_dimensions(y, 1, self)[..., :-1]
        left = (1 - running_sum(taken)).clamp(min=float(finfo(y).tiny))
        return taken.log() - left.log() + arange(taken.shape[-1], 0, -1, dtype=y.dtype).log()

    def log_abs_det_jacobian(self, x, y):
        u = self._shifted(x)
        return (y[..., :-1].log() - log1p_exp(u)).sum(-1)

    def forward_shape(self, shape):
        return of_vectors(shape, 1)

    def inverse_shape(self, shape):
        return of_vectors(shape, -1)


class LowerCholeskyTransform(Transform):
    """Matrices to lower triangular ones: what is above the diagonal goes, the diagonal's exp."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky
    _compared = ()

    def _call(self, x):
        x = square(x, self)
        return tril(x, -1) + diag_embed(diagonal(x).exp())

    def _inverse(self, y):
        y = square(y, self)
        return tril(y, -1) + diag_embed(diagonal(y).log())


def square(x, transform):
    """x, if it is of square matrices."""
    if with_dimensions(x, 2, transform).shape[-1] != x.shape[-2]:
        raise ValueError(
            f"{type(transform).__name__}: a tensor of shape {tuple(x.shape)}; matrices must have "
            "as many rows as columns"
        )
    return x


class PositiveDefiniteTransform(Transform):
    """L L^T of the L of LowerCholeskyTransform."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite
    _compared = ()

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return matmul(factor, factor.mT)

    def _inverse(self, y):
        factor = cholesky(square(y, self), "PositiveDefiniteTransform: y")
        return LowerCholeskyTransform().inv(factor)


class CorrCholeskyTransform(Transform):
    """D (D - 1) / 2 numbers to the lower Cholesky factor of a correlation matrix, D by D.

    They fill the matrix x below its diagonal, row by row; tanh x_ij^2 is the share that is taken
    of what is left of the squared length 1 of a row:
    y_ij = tanh x_ij prod over k < j of 1 / cosh x_ik, and with x_ii infinite on the diagonal

    log_abs_det_jacobian is that of the numbers of y below the diagonal.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True
    _compared = ()

    def _call(self, x):
        size = self.forward_shape(with_dimensions(x, 1, self).shape)[-1]
        zero = zeros_like(x[..., :1]) if x.shape[-1] else zeros((*x.shape[:-1], 1), dtype=x.dtype)
        place = Tensor._on(constant(places(size).reshape(-1)))
        x = cat([zero, x], -1).index_select(-1, place).unflatten(-1, (size, size))
        taken = log_cosh(x).clamp(max=ENOUGH)
        left = (taken - running_sum(taken)).exp()
        return x.tanh() * left + diag_embed(diagonal(left))

    def _inverse(self, y):
        y = square(y, self)
        below = Tensor._on(constant(np.flatnonzero(places(y.shape[-1]))))
        squares = y * y
        left = squares + squares.sum(-1, True) - running_sum(squares)  # of no terms of other signs
        y, left = (x.flatten(-2).index_select(-1, below) for x in (y, left))
        share = y / left.sqrt()
        return (share.log1p() - (-share).log1p()) / 2

    def log_abs_det_jacobian(self, x, y):
        row, column = np.tril_indices(square(y, self).shape[-1], -1)
        divides = Tensor._on(constant((row - column + 1).astype(x.dtype)))  # how many derivatives
        return -(log_cosh(with_dimensions(x, 1, self)) * divides).sum(-1)

    def forward_shape(self, shape):
        count = of_vectors(shape, 0)[-1]
        size = (1 + math.isqrt(1 + 8 * count)) // 2
        if size * (size - 1) // 2 != count:
            raise ValueError(
                f"CorrCholeskyTransform: {count} numbers (shape {tuple(shape)}); as many as are "
                "below the diagonal of a matrix are needed: 1, 3, 6, 10, ..."
            )
        return (*shape[:-1], size, size)

    def inverse_shape(self, shape):
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(
                f"CorrCholeskyTransform: shape {tuple(shape)}; as many rows as columns are needed"
            )
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)


def log_cosh(x):
    x = x.clamp(min=float(finfo(x).min))  # -inf + inf is NaN
    return x + log1p_exp(-2 * x) - math.log(2)


def places(size):
    """A matrix with 1, 2, 3, ... below the diagonal, row by row, and 0 elsewhere."""
    result = np.zeros((size, size), np.int64)
    result[np.tril_indices(size, -1)] = np.arange(1, size * (size - 1) // 2 + 1)
    return result
