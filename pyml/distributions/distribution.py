"""What every distribution is."""

import warnings

from pyml.attributes import Size
from pyml.distributions import constraints
from pyml.distributions.utils import broadcast_all, derived, lazy_property
from pyml.errors import KindError
from pyml.grad_mode import no_grad
from pyml.ops import expand
from pyml.ops.shape import as_sizes
from pyml.recorder import is_recording
from pyml.tensor import Tensor

__all__ = ["Distribution"]


def checked_distribution(value, name, argument):
    """The value, if it is a Distribution."""
    if not isinstance(value, Distribution):
        raise TypeError(
            f"{name}: {argument} is a {type(value).__name__}, it must be a Distribution"
        )
    return value


class Distribution:
    """The base of all distributions.

    A sample has the shape sample_shape + batch_shape + event_shape: draws, then independent
    distributions that differ in their parameters, then what one draw consists of.

    Arguments and values are checked where `validate_args` says so, by default unless Python runs
    with -O. In a recorded step they are not: a check reads values.

    Args:
        batch_shape: a shape for each parameter. Default: ().
        event_shape: the shape of one draw. Default: ().
        validate_args: check parameters here, and values in log_prob, cdf and icdf. Default: what
            set_default_validate_args says.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _parameters = {}

    def __init_subclass__(cls):
        constraints.with_checked_tensors(cls, "log_prob", "cdf", "icdf")

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions check their arguments where they are not told.

        Args:
            value: True or False.
        """
        if value is not True and value is not False:
            raise ValueError(
                f"set_default_validate_args: value is {value!r}, it must be True or False"
            )
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = tuple(batch_shape), tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validates():
            self._check_parameters()

    def _take(self, validate_args, **parameters):
        """__init__ of a distribution of numbers: parameters that broadcast to the batch's shape."""
        tensors = broadcast_all(*parameters.values())
        for name, tensor in zip(parameters, tensors, strict=True):
            setattr(self, name, tensor)
        Distribution.__init__(self, tensors[0].shape, validate_args=validate_args)

    # ---- checks ----------------------------------------------------------------------------------

    def _validates(self):
        return self._validate_args and not is_recording()

    def _check_parameters(self):
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self).__name__} has no arg_constraints; set them to {{}}, or give "
                "validate_args=False",
                stacklevel=3,
            )
            return
        for name, constraint in arg_constraints.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), (derived, lazy_property)
            ):
                continue  # computed from one that is checked
            value = getattr(self, name)
            if not constraint.check(value.detach()).all():
                raise ValueError(
                    f"{type(self).__name__}: {name} must satisfy {constraint!r}, and has other "
                    f"values (shape {tuple(value.shape)}):\n{value.detach()}"
                )

    def _validate_sample(self, value):
        """Raises unless `value` has the shape and values of a sample. Nothing in a recorded step.

        Raises:
            TypeError: if it is no Tensor.
            ValueError: if its shape does not broadcast, or it lies outside the support.
        """
        name = type(self).__name__
        if not isinstance(value, Tensor):
            raise KindError(
                f"{name}: value is a {type(value).__name__}, it must be a Tensor; pyml.tensor() "
                "makes one"
            )
        shape, wanted = tuple(value.shape), self._batch_shape + self._event_shape
        events = len(self._event_shape)
        if shape[len(shape) - events :] != self._event_shape or len(shape) < events:
            raise ValueError(
                f"{name}: value has shape {shape}, its last sizes must be event_shape "
                f"{self._event_shape}"
            )
        for size, size_wanted in zip(reversed(shape), reversed(wanted), strict=False):
            if size != 1 and size_wanted != 1 and size != size_wanted:
                raise ValueError(
                    f"{name}: value has shape {shape}, it does not broadcast with batch_shape + "
                    f"event_shape, {wanted}"
                )
        if is_recording():
            return
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{name} has no support; give validate_args=False, or define it", stacklevel=3
            )
            return
        if not support.check(value.detach()).all():
            raise ValueError(
                f"{name}: Expected value argument (shape {shape}) to be within the support "
                f"{support!r}, but found invalid values:\n{value.detach()}"
            )

    def _checked(self, value):
        """`value`, checked if that is asked for."""
        if self._validate_args:
            self._validate_sample(value)
        return value

    # ---- shapes ----------------------------------------------------------------------------------

    @property
    def batch_shape(self):
        """The shape over which parameters differ."""
        return Size(self._batch_shape)

    @property
    def event_shape(self):
        """The shape of one draw."""
        return Size(self._event_shape)

    def _extended_shape(self, sample_shape=()):
        return as_sizes(sample_shape, "sample") + self._batch_shape + self._event_shape

    def expand(self, batch_shape, _instance=None):
        """The distribution with parameters expanded to a batch's shape; no memory is taken.

        Args:
            batch_shape: to which the present one broadcasts.
        """
        shape = as_sizes(batch_shape, "expand")
        return self._expanded(self._with_parameters(shape, _instance), shape)

    def _with_parameters(self, shape, _instance=None):
        """What an expand begins with: the parameters of the class that has `_parameters`."""
        owner = next(cls for cls in type(self).__mro__ if "_parameters" in vars(cls))
        if owner is Distribution:
            raise NotImplementedError(f"{type(self).__name__}: expand is not there")
        new = self._get_checked_instance(owner, _instance)
        for name, events in self._parameters.items():
            if name in self.__dict__:
                value = self.__dict__[name]
                setattr(new, name, expand(value, shape + value.shape[value.ndim - events :]))
        return new

    def _expanded(self, new, batch_shape):
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _get_checked_instance(self, cls, _instance=None):
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(
                f"{type(self).__name__}, a subclass of {cls.__name__} with an __init__ of its own, "
                "must have an expand of its own"
            )
        if _instance is None:
            return self.__new__(type(self))
        return checked_distribution(_instance, "expand", "_instance")

    # ---- what a distribution defines -------------------------------------------------------------

    @property
    def arg_constraints(self):
        """A dict from parameters to the constraints that they must satisfy."""
        raise NotImplementedError(f"{type(self).__name__}: arg_constraints are not there")

    @property
    def support(self):
        """The constraint that samples satisfy."""
        raise NotImplementedError(f"{type(self).__name__}: support is not there")

    @property
    def mean(self):
        """The mean, of shape batch_shape + event_shape."""
        raise NotImplementedError(f"{type(self).__name__}: mean is not there")

    @property
    def mode(self):
        """The most likely value."""
        raise NotImplementedError(f"{type(self).__name__}: mode is not there")

    @property
    def variance(self):
        """The variance of each number."""
        raise NotImplementedError(f"{type(self).__name__}: variance is not there")

    @property
    def stddev(self):
        """The standard deviation, the root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape=()):
        """Draws of shape sample_shape + batch_shape + event_shape, outside any graph.

        Args:
            sample_shape: how many. Default: (), one.
        """
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """Draws through which gradients go to the parameters (where has_rsample is True).

        Args:
            sample_shape: how many. Default: (), one.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: rsample is not there; sample() is, with log_prob for gradients"
        )

    def sample_n(self, n):
        """sample((n,))."""
        warnings.warn("sample_n(n) will go; use sample((n,))", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value):
        """The logarithm of the density or probability at `value`, an event each."""
        raise NotImplementedError(f"{type(self).__name__}: log_prob is not there")

    def cdf(self, value):
        """The probability of a draw that is not above `value`."""
        raise NotImplementedError(f"{type(self).__name__}: cdf is not there")

    def icdf(self, value):
        """The inverse of cdf, at probabilities."""
        raise NotImplementedError(f"{type(self).__name__}: icdf is not there")

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution, along a dimension put in front.

        Args:
            expand: to the batch's shape. Default: True.
        """
        raise NotImplementedError(f"{type(self).__name__}: enumerate_support is not there")

    def entropy(self):
        """The entropy in nats, of shape batch_shape."""
        raise NotImplementedError(f"{type(self).__name__}: entropy is not there")

    def _enumerated(self, values, expand):
        """The values along the first dimension as an enumerate_support."""
        count, batch, event = len(values), self._batch_shape, self._event_shape
        values = values.reshape((count, *(1 for _ in batch), *event))
        return values.expand((count, *batch, *event)) if expand else values

    def perplexity(self):
        """exp(entropy())."""
        return self.entropy().exp()

    def __repr__(self):
        try:
            names = [name for name in self.arg_constraints if name in self.__dict__]
        except NotImplementedError:
            names = []
        shown = []
        for name in names:
            value = self.__dict__[name]
            shown.append(f"{name}: {value if value.numel() == 1 else value.shape}")
        return f"{type(self).__name__}({', '.join(shown)})"
