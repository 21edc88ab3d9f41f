"""Regions of parameters and samples: `constraint.check(value)` tells what lies in them."""

import functools

import numpy as np

from pyml.distributions.matrices import factors
from pyml.errors import KindError
from pyml.ops import as_tensor, isclose
from pyml.ops import cat as cat_of
from pyml.ops import stack as stack_of
from pyml.tensor import Tensor

__all__ = [
    *("Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent"),
    *("dependent_property", "greater_than", "greater_than_eq", "half_open_interval"),
    *("independent", "integer_interval", "interval", "is_dependent", "less_than"),
    *("lower_cholesky", "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer"),
    *("one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite"),
    *("real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval"),
]


def with_checked_tensors(cls, *names):
    """Lets methods that a class of pyml defines say what they are given, where it is no Tensor."""
    for name in names if cls.__module__.startswith("pyml.") else ():
        if name in vars(cls):
            setattr(cls, name, of_tensors(vars(cls)[name], f"{cls.__name__}.{name}"))


def of_tensors(method, who):
    @functools.wraps(method)
    def checked(self, *tensors):
        # where PyTorch takes numbers, too
        if getattr(self, "_takes_numbers", False) or not getattr(self, "_validate_args", True):
            tensors = [as_tensor(x) if isinstance(x, (int, float)) else x for x in tensors]
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise KindError(
                    f"{who}: the value is a {type(tensor).__name__}, it must be a Tensor; "
                    "pyml.tensor() makes one"
                )
        return method(self, *tensors)

    return checked


class Constraint:
    """A region in which values are valid.

    Attributes:
        is_discrete: whether it consists of single points.
        event_dim: how many of the last dimensions of a value are one event.
    """

    is_discrete = False
    event_dim = 0
    _shown = ()  # attributes in the text

    def __init_subclass__(cls):
        with_checked_tensors(cls, "check")

    def check(self, value):
        """Which events of `value` lie in the region: bool, without the dimensions of an event."""
        raise NotImplementedError(f"{type(self).__name__}: check is not there")

    def __repr__(self):
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)
        return f"{type(self).__name__}({shown})"


# ---- what only an instance knows -----------------------------------------------------------------


class Dependent(Constraint):
    """A region that depends on other values; it cannot be checked.

    Args:
        is_discrete, event_dim: what is known of it nevertheless.
    """

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self):
        if self._is_discrete is NotImplemented:
            raise NotImplementedError("is_discrete is known of an instance only")
        return self._is_discrete

    @property
    def event_dim(self):
        if self._event_dim is NotImplemented:
            raise NotImplementedError("event_dim is known of an instance only")
        return self._event_dim

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        """The same, with more that is known."""
        return Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value):
        raise ValueError("a dependent constraint cannot be checked; ask the instance for its own")


class DependentProperty(property, Dependent):
    """A property of instances that is, of their class, a dependent constraint."""

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        property.__init__(self, fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn):
        return DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def is_dependent(constraint):
    """Whether the region depends on other values."""
    return isinstance(constraint, Dependent)


# ---- of other constraints ------------------------------------------------------------------------


def all_of_last(valid, count):
    """Whether all are true along the last `count` dimensions."""
    return valid.flatten(-count).all(-1) if count else valid


class IndependentConstraint(Constraint):
    """A constraint with more dimensions to an event, which is valid if all its parts are.

    Args:
        base_constraint: that of the parts.
        reinterpreted_batch_ndims: how many dimensions more.
    """

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        if not isinstance(base_constraint, Constraint):
            raise TypeError(
                f"independent: base_constraint is a {type(base_constraint).__name__}, it must be "
                "a Constraint"
            )
        if reinterpreted_batch_ndims < 0:
            raise ValueError(
                f"independent: reinterpreted_batch_ndims is {reinterpreted_batch_ndims}, it must "
                "not be negative"
            )
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self):
        return self.base_constraint.is_discrete

    @property
    def event_dim(self):
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value):
        valid = self.base_constraint.check(value)
        if valid.ndim < self.reinterpreted_batch_ndims:
            raise ValueError(
                f"{self}: the value has {value.ndim} dimensions, at least {self.event_dim} are "
                "needed"
            )
        return all_of_last(valid, self.reinterpreted_batch_ndims)

    def __repr__(self):
        return f"{type(self).__name__}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The region of a mixture: that of each of its components.

    Args:
        base_constraint: that of the components.
    """

    _shown = ("base_constraint",)

    def __init__(self, base_constraint):
        (self.base_constraint,) = checked_constraints([base_constraint], "MixtureSameFamily")

    @property
    def is_discrete(self):
        return self.base_constraint.is_discrete

    @property
    def event_dim(self):
        return self.base_constraint.event_dim

    def check(self, value):
        valid = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return all_of_last(valid, valid.ndim - (value.ndim - self.event_dim))


class Cat(Constraint):
    """Constraints of neighbouring parts along a dimension.

    Args:
        cseq: the constraints.
        dim: the dimension. Default: 0.
        lengths: of the parts. Default: 1 each.
    """

    def __init__(self, cseq, dim=0, lengths=None):
        self.cseq = checked_constraints(cseq, "cat")
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise ValueError(
                f"cat: {len(self.lengths)} lengths for {len(self.cseq)} constraints; as many are "
                "needed"
            )
        self.dim = dim

    @property
    def is_discrete(self):
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self):
        return max(c.event_dim for c in self.cseq)

    def check(self, value):
        starts = np.cumsum([0, *self.lengths]).tolist()
        return cat_of(
            [
                constraint.check(value.narrow(self.dim, start, length))
                for constraint, start, length in zip(self.cseq, starts, self.lengths, strict=False)
            ],
            self.dim,
        )


class Stack(Constraint):
    """Constraints of the parts along a dimension, one for each index.

    Args:
        cseq: the constraints.
        dim: the dimension. Default: 0.
    """

    def __init__(self, cseq, dim=0):
        self.cseq = checked_constraints(cseq, "stack")
        self.dim = dim

    @property
    def is_discrete(self):
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self):
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value):
        return stack_of(
            [c.check(part) for c, part in zip(self.cseq, value.unbind(self.dim), strict=True)],
            self.dim,
        )


def checked_constraints(cseq, name):
    cseq = list(cseq)
    for constraint in cseq:
        if not isinstance(constraint, Constraint):
            raise TypeError(
                f"{name}: a {type(constraint).__name__} among the constraints; all must be "
                "Constraints"
            )
    return cseq


# ---- numbers -------------------------------------------------------------------------------------


class Real(Constraint):
    """Numbers, infinite ones too; not NaN."""

    def check(self, value):
        return value == value


class Boolean(Constraint):
    """0 and 1."""

    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class Bounded(Constraint):
    """Values between bounds, which are numbers or tensors."""

    def __init__(self, *bounds, **named):
        names = dict(zip(self._shown, bounds, strict=False)) | named
        if names.keys() != set(self._shown) or len(bounds) + len(named) != len(names):
            raise TypeError(f"{type(self).__name__}: takes {', '.join(self._shown)}")
        self.__dict__.update(names)


class GreaterThan(Bounded):
    """lower_bound < value."""

    _shown = ("lower_bound",)

    def check(self, value):
        return self.lower_bound < value


class GreaterThanEq(Bounded):
    """lower_bound <= value."""

    _shown = ("lower_bound",)

    def check(self, value):
        return self.lower_bound <= value


class LessThan(Bounded):
    """value < upper_bound."""

    _shown = ("upper_bound",)

    def check(self, value):
        return value < self.upper_bound


class Interval(Bounded):
    """lower_bound <= value <= upper_bound."""

    _shown = ("lower_bound", "upper_bound")

    def check(self, value):
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class HalfOpenInterval(Bounded):
    """lower_bound <= value < upper_bound."""

    _shown = ("lower_bound", "upper_bound")

    def check(self, value):
        return (self.lower_bound <= value) & (value < self.upper_bound)


class IntegerInterval(Interval):
    """Integers in lower_bound <= value <= upper_bound."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & super().check(value)


class IntegerGreaterThan(Bounded):
    """Integers from lower_bound on."""

    is_discrete = True
    _shown = ("lower_bound",)

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


# ---- vectors -------------------------------------------------------------------------------------


class OneHot(Constraint):
    """Vectors of zeros and a single one."""

    is_discrete = True
    event_dim = 1

    def check(self, value):
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class Simplex(Constraint):
    """Vectors of numbers from 0 on whose sum is 1, to 1e-6."""

    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class Multinomial(Bounded):
    """Vectors of numbers from 0 on whose sum is at most upper_bound."""

    is_discrete = True
    event_dim = 1
    _shown = ("upper_bound",)

    def check(self, value):
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


# ---- matrices ------------------------------------------------------------------------------------


class Matrices(Constraint):
    """A constraint of matrices, computed by NumPy outside any graph."""

    event_dim = 2

    def check(self, value):
        if value.ndim < 2:
            raise ValueError(f"{self}: a value of shape {tuple(value.shape)} is no matrix")
        matrices = value.detach().numpy()
        return Tensor._on(np.asarray(self._holds(matrices), bool).reshape(matrices.shape[:-2]))


class LowerTriangular(Matrices):
    """Matrices with zeros above the diagonal."""

    def _holds(self, matrices):
        return (np.tril(matrices) == matrices).all((-2, -1))


class LowerCholesky(LowerTriangular):
    """Matrices with zeros above the diagonal and positive numbers on it."""

    def _holds(self, matrices):
        diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
        return super()._holds(matrices) & (diagonal > 0).all(-1)


class CorrCholesky(LowerCholesky):
    """The same, with rows of length 1."""

    def _holds(self, matrices):
        tolerance = np.finfo(matrices.dtype).eps * matrices.shape[-1] * 10
        lengths = np.sqrt((matrices * matrices).sum(-1))
        return super()._holds(matrices) & (np.abs(lengths - 1) <= tolerance).all(-1)


class Square(Matrices):
    """Matrices of as many rows as columns."""

    def _holds(self, matrices):
        return np.full(matrices.shape[:-2], matrices.shape[-2] == matrices.shape[-1])


class Symmetric(Square):
    """Matrices that equal their transposes, to 1e-6."""

    def check(self, value):
        square = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return square
        return all_of_last(isclose(value.detach(), value.detach().mT, atol=1e-6), 2)


class PositiveSemidefinite(Symmetric):
    """Symmetric matrices without negative eigenvalues."""

    def check(self, value):
        symmetric = super().check(value)
        if not symmetric.all():
            return symmetric
        return self._in_range(value.detach())

    def _in_range(self, matrices):
        return Tensor._on(np.asarray((np.linalg.eigvalsh(matrices.numpy()) >= 0).all(-1)))


class PositiveDefinite(PositiveSemidefinite):
    """Symmetric matrices with a Cholesky factor: positive eigenvalues, to the digits there are."""

    def _in_range(self, matrices):
        try:
            found = np.isfinite(np.linalg.cholesky(matrices.numpy()))
            return all_of_last(Tensor._on(found), 2)
        except np.linalg.LinAlgError:  # of one of them at least
            return all_of_last(factors(matrices).isfinite(), 2)


dependent = Dependent()
dependent_property = DependentProperty
independent = IndependentConstraint
boolean = Boolean()
one_hot = OneHot()
nonnegative_integer = IntegerGreaterThan(0)
positive_integer = IntegerGreaterThan(1)
integer_interval = IntegerInterval
real = Real()
real_vector = independent(real, 1)
positive = GreaterThan(0.0)
nonnegative = GreaterThanEq(0.0)
greater_than = GreaterThan
greater_than_eq = GreaterThanEq
less_than = LessThan
multinomial = Multinomial
unit_interval = Interval(0.0, 1.0)
interval = Interval
half_open_interval = HalfOpenInterval
simplex = Simplex()
lower_triangular = LowerTriangular()
lower_cholesky = LowerCholesky()
corr_cholesky = CorrCholesky()
square = Square()
symmetric = Symmetric()
positive_semidefinite = PositiveSemidefinite()
positive_definite = PositiveDefinite()
cat = Cat
stack = Stack
