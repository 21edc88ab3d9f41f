"""The exponential family."""

from pyml.autograd import grad
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import sum_rightmost

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions with densities exp(<t(x), theta> - F(theta) + k(x)). See Distribution.

    A subclass that defines _natural_params, the tuple of the tensors theta, its function F as
    _log_normalizer(*theta), and _mean_carrier_measure, the mean of k(x), has its entropy and
    divergences of its own kind by the derivatives of F, which are the means of t(x).

    Nielsen & Nock 2010, "Entropies and cross-entropies of exponential families".
    """

    @property
    def _mean_carrier_measure(self):
        raise NotImplementedError(f"{type(self).__name__}: _mean_carrier_measure is not there")

    @property
    def _natural_params(self):
        raise NotImplementedError(f"{type(self).__name__}: _natural_params is not there")

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError(f"{type(self).__name__}: _log_normalizer is not there")

    def _log_normalizer_and_means(self):
        """theta, F(theta), and dF / dtheta, the means of t(x)."""
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        log_normalizer = self._log_normalizer(*natural)
        return natural, log_normalizer, grad(log_normalizer.sum(), natural, create_graph=True)

    def entropy(self):
        natural, entropy, means = self._log_normalizer_and_means()
        for parameter, mean in zip(natural, means, strict=True):
            term = parameter * mean
            entropy = entropy - sum_rightmost(term, term.ndim - len(self._batch_shape))
        return entropy - self._mean_carrier_measure
