"""From constraints to transforms whose results satisfy them."""

from pyml.distributions import constraints, transforms
from pyml.distributions.utils import is_number

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """A table from constraints to transforms of all real numbers; calling it looks up.

    Example:
        >>> distributions.transform_to(distributions.constraints.positive)(pyml.tensor(0.0))
        tensor(1.)
    """

    def __init__(self):
        self._registry = {}

    def register(self, constraint, factory=None):
        """Enters a factory for a class of constraints; a decorator without `factory`.

        Args:
            constraint: a subclass of Constraint, or an instance, which stands for its class.
            factory: factory(constraint), a Transform.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError(
                f"register: constraint is {constraint!r}, it must be a Constraint or its class"
            )
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint):
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(
                f"no transform is registered for {type(constraint).__name__}; register() enters one"
            ) from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def both(*names):
    """A decorator that enters a factory in both tables."""

    def enter(factory):
        for constraint in names:
            biject_to.register(constraint, factory)
            transform_to.register(constraint, factory)
        return factory

    return enter


@both(constraints.real)
def to_real(constraint):
    return transforms.identity_transform


@both(constraints.greater_than, constraints.greater_than_eq)
def to_half_line(constraint):
    bound = constraint.lower_bound
    if is_number(bound) and bound == 0:
        return transforms.ExpTransform()
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(bound, 1)]
    )


@both(constraints.less_than)
def to_lower_half_line(constraint):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


@both(constraints.interval, constraints.half_open_interval)
def to_interval(constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    if is_number(low) and is_number(high) and low == 0 and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)]
    )


for registry in (biject_to, transform_to):
    registry.register(
        constraints.independent,
        lambda c, to=registry: transforms.IndependentTransform(
            to(c.base_constraint), c.reinterpreted_batch_ndims
        ),
    )
    registry.register(
        constraints.cat,
        lambda c, to=registry: transforms.CatTransform(
            [to(part) for part in c.cseq], c.dim, c.lengths
        ),
    )
    registry.register(
        constraints.stack,
        lambda c, to=registry: transforms.StackTransform([to(part) for part in c.cseq], c.dim),
    )


@both(constraints.corr_cholesky)
def to_corr_cholesky(constraint):
    return transforms.CorrCholeskyTransform()


biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
for definite in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(definite, lambda c: transforms.PositiveDefiniteTransform())
