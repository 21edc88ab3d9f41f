"""The exponential family, as a class to ask for."""

from pyml.distributions.distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions with densities exp(<t(x), theta> - F(theta) + k(x)). See Distribution."""
