"""Embeddings of numbers: each number of a row becomes a vector, by functions of its own feature.

A network of Linear and ReLU learns steep and wavy functions of a single column slowly; given such
vectors it learns them fast: Gorishniy et al. 2022 (arXiv:2203.05556), "On embeddings for numerical
features in tabular deep learning".
"""

import math

import numpy as np

from pyml import ops
from pyml.dispatch import entry
from pyml.errors import ArgumentError
from pyml.nn import init
from pyml.nn.linear import Linear
from pyml.nn.module import Module
from pyml.nn.parameter import Buffer, Parameter
from pyml.ops.arrays import checked_tensor
from pyml.ops.embedding import piecewise_linear
from pyml.ops.feature_linear import feature_linear, wave_linear
from pyml.options import Range, check_counts, check_number
from pyml.tensor import Tensor

__all__ = [
    "FeatureLinear",
    "PBLDEmbedding",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "PiecewiseLinearEncoding",
    "quantile_bins",
]

# where vmap looks
lines, products, of_waves = entry(piecewise_linear), entry(feature_linear), entry(wave_linear)


def quantile_bins(x, num_bins=48):
    """The edges of bins that have the same share of the rows, for each feature.

    They are the distinct ones of num_bins + 1 quantiles, evenly spaced from the smallest value to
    the largest, so that a feature with few values has fewer bins.

    Args:
        x: (rows, features), a Tensor or array of finite numbers: the training rows.
        num_bins: at most so many bins a feature, >= 1. Default: 48.

    Returns:
        A list of ascending float64 arrays, two or more edges each.

    Raises:
        ValueError: for another shape, no rows, a value that is not finite, or a feature that has
            one value alone.

    Example:
        >>> nn.quantile_bins(pyml.tensor([[0.0], [1.0], [2.0], [3.0]]), num_bins=3)
        [array([0., 1., 2., 3.])]
    """
    check_counts("quantile_bins", least=1, num_bins=num_bins)
    x = np.asarray(x.detach().numpy() if isinstance(x, Tensor) else x, np.float64)
    if x.ndim != 2 or len(x) == 0:
        raise ArgumentError(
            f"quantile_bins: x has shape {x.shape}, it must be (rows, features) with a row or more"
        )
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ArgumentError(
            f"quantile_bins: x[{row}, {column}] is {x[row, column]}, it must be finite"
        )
    bins = [np.unique(column) for column in np.quantile(x, np.linspace(0, 1, num_bins + 1), 0).T]
    for i, edges in enumerate(bins):
        if len(edges) < 2:
            raise ArgumentError(
                f"quantile_bins: feature {i} is {edges[0]} in every row; leave it out, it tells "
                "nothing"
            )
    return bins


class FeatureLinear(Module):
    """A Linear of its own for each feature: y[..., i, :] = x[..., i, :] weight[i] + bias[i].

    weight and bias begin as U(-1/sqrt(in_features), 1/sqrt(in_features)).

    Args:
        num_features: how many.
        in_features: size of each input vector.
        out_features: size of each output vector.
        bias: add a learned bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (num_features, in_features, out_features).
        bias: (num_features, out_features), or None.

    Shape:
        (..., num_features, in_features) to (..., num_features, out_features).

    Raises:
        TypeError, ValueError: if a size is not a positive integer; ValueError in forward, for
            another shape.

    Example:
        >>> nn.FeatureLinear(8, 4, 2)(pyml.zeros(32, 8, 4)).shape
        (32, 8, 2)
    """

    def __init__(self, num_features, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        sizes = {"in_features": in_features, "out_features": out_features}
        check_counts(self._get_name(), least=1, num_features=num_features, **sizes)
        self.num_features = num_features
        self.in_features = in_features
        self.out_features = out_features
        shape = num_features, in_features, out_features
        self.weight = Parameter(ops.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias",
            Parameter(ops.empty(num_features, out_features, device=device, dtype=dtype))
            if bias
            else None,
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight and bias anew."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input):
        """(..., num_features, in_features) to (..., num_features, out_features)."""
        wanted = self.num_features, self.in_features
        if checked_tensor(input, "FeatureLinear").shape[-2:] != wanted or input.dim() < 2:
            raise ArgumentError(
                f"FeatureLinear: input has shape {tuple(input.shape)}, it must end in (num_features"
                f", in_features), {wanted}"
            )
        rows = input.reshape(math.prod(input.shape[:-2]), *input.shape[-2:])
        output = products(rows, self.weight, self.bias)
        return output.reshape(*input.shape[:-1], self.out_features)

    def extra_repr(self):
        """The sizes, and whether there is a bias."""
        return (
            f"{self.num_features}, in_features={self.in_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Bins(Module):
    """What is piecewise linear has: bins of each feature, and where in them a number is.

    A feature with fewer bins than another has its last one at the last place, and zeros between.
    """

    def __init__(self, bins, device, dtype):
        super().__init__()
        bins = [self._checked(i, edges) for i, edges in enumerate(bins)]
        if not bins:
            raise ArgumentError(
                f"{self._get_name()}: bins is empty, there must be one feature or more"
            )
        self.counts = [len(edges) - 1 for edges in bins]
        size = max(self.counts)
        left, scale, low, high = np.zeros((4, len(bins), size))
        for i, (edges, count) in enumerate(zip(bins, self.counts, strict=True)):
            used = [*range(count - 1), size - 1]
            left[i, used] = edges[:-1]
            scale[i, used] = 1 / np.diff(edges)
            high[i, used] = 1
            low[i, 0 if count > 1 else -1], high[i, -1] = -math.inf, math.inf
        for name, values in (("left", left), ("scale", scale), ("low", low), ("high", high)):
            made = ops.tensor(values, device=device, dtype=dtype or np.float32)
            if name == "scale" and not np.isfinite(made.numpy()).all():
                raise ArgumentError(
                    f"{self._get_name()}: bins has edges too near to each other for {made.dtype}; "
                    "scale the numbers first"
                )
            setattr(self, name, Buffer(made))
        self._used = [  # places of all features, one after another
            i * size + place
            for i, count in enumerate(self.counts)
            for place in (*range(count - 1), size - 1)
        ]

    def _checked(self, i, edges):
        edges = np.asarray(edges.detach().numpy() if isinstance(edges, Tensor) else edges)
        fits = edges.ndim == 1 and edges.dtype.kind in "iuf" and len(edges) >= 2
        if not fits or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            raise ArgumentError(
                f"{self._get_name()}: bins[{i}] is {edges!r}, it must be two or more finite "
                "edges, each larger than the one before; nn.quantile_bins(x) makes them"
            )
        return edges.astype(np.float64)

    def _components(self, input):
        """(..., features) to (..., features, bins)."""
        self._check(input)
        return ((input.unsqueeze(-1) - self.left) * self.scale).clamp(self.low, self.high)

    def _check(self, input):
        count = len(self.counts)
        if checked_tensor(input, self._get_name()).dim() == 0 or input.shape[-1] != count:
            raise ArgumentError(
                f"{self._get_name()}: input has shape {tuple(input.shape)}, its last dimension "
                f"must be {count}, as there are bins"
            )


class PiecewiseLinearEncoding(Bins):
    """Each number as how far it is through each of the bins of its feature; nothing is learned.

        y[t] = (x - b[t]) / (b[t + 1] - b[t]),  clamped to [0, 1]

    for the bins b[t] to b[t + 1]: those below x are 1, those above are 0. The first component may
    be below 0 and the last above 1, so that numbers beyond the edges differ. Gorishniy et al. 2022
    (arXiv:2203.05556), section 3.1.

    Args:
        bins: the edges of the bins of each feature, ascending, two or more: quantile_bins(x).
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Shape:
        (..., features) to (..., bins of all features).

    Raises:
        ValueError: if bins are not as said; in forward, for another number of features.

    Example:
        >>> encoding = nn.PiecewiseLinearEncoding([[0.0, 1.0, 2.0, 3.0]])
        >>> encoding(pyml.tensor([[1.5], [-1.0]])).tolist()
        [[1.0, 0.5, 0.0], [-1.0, 0.0, 0.0]]
    """

    def __init__(self, bins, device=None, dtype=None):
        super().__init__(bins, device, dtype)

    def forward(self, input):
        """(..., features) to (..., bins of all features)."""
        output = self._components(input).flatten(-2)
        if len(self._used) == output.shape[-1]:
            return output
        return output[..., self._used]

    def extra_repr(self):
        """The number of bins of each feature."""
        return f"bins={self.counts}"


class PiecewiseLinearEmbedding(Bins):
    """Each number as a vector, a learned piecewise linear function of the number.

        y[i] = x[i] weight[i] + bias[i] + PLE(x)[i] pieces[i]

    with PLE of PiecewiseLinearEncoding. pieces begin as zero, so that the layer begins as a
    linear one; weight and bias as U(-1/sqrt(d), 1/sqrt(d)) with d of embedding_dim. Gorishniy et
    al. 2024 (arXiv:2410.24210), "TabM: advancing tabular deep learning with parameter-efficient
    ensembling": version B of their embedding. Where x needs no gradient, y is taken from the line
    between the values at the edges of its bin.

    Args:
        bins: the edges of the bins of each feature, ascending, two or more: quantile_bins(x).
        embedding_dim: the size of a vector.
        activation: ReLU of it. Default: False.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight, bias: (features, embedding_dim).
        pieces: a FeatureLinear, whose weight is (features, bins, embedding_dim).

    Shape:
        (..., features) to (..., features, embedding_dim).

    Raises:
        TypeError, ValueError: if bins are not as said or embedding_dim is not a positive integer;
            ValueError in forward, for another number of features.

    Example:
        >>> x = pyml.randn(100, 8)
        >>> layer = nn.PiecewiseLinearEmbedding(nn.quantile_bins(x, 16), 4)
        >>> nn.Sequential(layer, nn.Flatten(), nn.Linear(8 * 4, 1))(x).shape
        (100, 1)
    """

    def __init__(self, bins, embedding_dim, activation=False, device=None, dtype=None):
        super().__init__(bins, device, dtype)
        check_counts(self._get_name(), least=1, embedding_dim=embedding_dim)
        self.embedding_dim = embedding_dim
        self.activation = activation
        features, size = self.left.shape
        shape = features, embedding_dim
        self.weight = Parameter(ops.empty(shape, device=device, dtype=dtype))
        self.bias = Parameter(ops.empty(shape, device=device, dtype=dtype))
        self.pieces = FeatureLinear(features, size, embedding_dim, False, device, dtype)
        ones = np.tri(size + 1, size, -1)  # edge t is behind bins 0 to t - 1
        sums = ops.tensor(ones, device=device, dtype=self.left.dtype)
        self._sums = Buffer(sums, persistent=False)
        counts = ops.tensor(np.array(self.counts, np.int64))
        self._bins_of_each = Buffer(counts, persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight and bias anew; the weights of bins are zero."""
        bound = 1 / math.sqrt(self.embedding_dim)
        init.uniform_(self.weight, -bound, bound)
        init.uniform_(self.bias, -bound, bound)
        init.zeros_(self.pieces.weight)

    def forward(self, input):
        """(..., features) to (..., features, embedding_dim)."""
        self._check(input)
        if input.requires_grad:
            pieces = self.pieces(self._components(input))
            output = input.unsqueeze(-1) * self.weight + self.bias + pieces
        else:
            x = input.reshape(math.prod(input.shape[:-1]), len(self.counts))
            bins = self.left, self.scale, self._bins_of_each
            output = lines(x, self._values(), *bins).reshape(*input.shape, self.embedding_dim)
        return output.relu() if self.activation else output

    def _values(self):
        """The vectors at all edges, (features, bins + 1, embedding_dim)."""
        last, is_used = self.left[:, -1:], self.scale > 0
        left = ops.where(is_used, self.left, last)
        edges = ops.cat([left, last + 1 / self.scale[:, -1:]], 1)
        straight = edges.unsqueeze(-1) * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)
        return straight + self._sums @ (self.pieces.weight * is_used.unsqueeze(-1))

    def extra_repr(self):
        """The number of bins of each feature, the size of a vector."""
        return f"bins={self.counts}, embedding_dim={self.embedding_dim}"


class PeriodicEmbedding(Module):
    """Each number as a vector of waves of learned frequencies.

        y[i] = ReLU(linear[i]([cos(2 pi c[i] x[i]), sin(2 pi c[i] x[i])]))

    Gorishniy et al. 2022 (arXiv:2203.05556), section 3.3: "PLR". The frequencies c begin as
    N(0, sigma^2) within 3 sigma; sigma is the option that matters most.

    Args:
        num_features: how many numbers a row has.
        embedding_dim: the size of a vector. Default: 24.
        num_frequencies: of each feature. Default: 48.
        sigma: the standard deviation of frequencies at the beginning, > 0. Default: 0.01.
        activation: ReLU at the end. Default: True.
        lite: one linear layer that all features share, in place of one each. Default: False.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        frequencies: (num_features, num_frequencies).
        linear: a FeatureLinear; with lite, a Linear.

    Shape:
        (..., num_features) to (..., num_features, embedding_dim).

    Raises:
        TypeError, ValueError: if a size is not a positive integer or sigma not a positive number;
            ValueError in forward, for another number of features.

    Example:
        >>> layer = nn.PeriodicEmbedding(8, embedding_dim=4, sigma=0.1)
        >>> nn.Sequential(layer, nn.Flatten(), nn.Linear(8 * 4, 1))(pyml.randn(32, 8)).shape
        (32, 1)
    """

    def __init__(
        self,
        num_features,
        embedding_dim=24,
        num_frequencies=48,
        sigma=0.01,
        activation=True,
        lite=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        sizes = {"embedding_dim": embedding_dim, "num_frequencies": num_frequencies}
        check_counts(self._get_name(), least=1, num_features=num_features, **sizes)
        check_number("PeriodicEmbedding", "sigma", sigma, Range(0, ends="()"))
        self.num_features = num_features
        self.embedding_dim = embedding_dim
        self.num_frequencies = num_frequencies
        self.sigma = sigma
        self.activation = activation
        self.lite = lite
        self.frequencies = Parameter(
            ops.empty(num_features, num_frequencies, device=device, dtype=dtype)
        )
        sizes = 2 * num_frequencies, embedding_dim
        self.linear = (
            Linear(*sizes, device=device, dtype=dtype)
            if lite
            else FeatureLinear(num_features, *sizes, device=device, dtype=dtype)
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws frequencies and the linear layer anew."""
        init.trunc_normal_(self.frequencies, std=self.sigma, a=-3 * self.sigma, b=3 * self.sigma)
        self.linear.reset_parameters()

    def forward(self, input):
        """(..., num_features) to (..., num_features, embedding_dim)."""
        check_last(self, input, self.num_features, "num_features")
        if self.lite:
            angles = angles_of(input, self.frequencies)
            output = self.linear(ops.cat([angles.cos(), angles.sin()], -1))
        else:
            rows = input.reshape(math.prod(input.shape[:-1]), input.shape[-1])
            linear = self.linear
            output = of_waves(rows, 2 * math.pi * self.frequencies, linear.weight, linear.bias)
            output = output.reshape(*input.shape, self.embedding_dim)
        return output.relu() if self.activation else output

    def extra_repr(self):
        """The sizes and options."""
        return (
            f"{self.num_features}, {self.embedding_dim}, num_frequencies={self.num_frequencies}, "
            f"sigma={self.sigma}, activation={self.activation}, lite={self.lite}"
        )


class PBLDEmbedding(Module):
    """Each number as a few learned waves with a bias, and the number itself beside them.

        y[i] = linear[i](cos(2 pi c[i] x[i] + b[i])), then all x

    Holzmueller et al. 2024 (arXiv:2407.04491): "PBLD", periodic bias linear DenseNet. The
    frequencies c begin as N(0, sigma^2), the phases b as U(-pi, pi), the linear layer as
    U(-1/sqrt(num_frequencies), 1/sqrt(num_frequencies)).

    Args:
        num_features: how many numbers a row has.
        embedding_dim: numbers that a feature becomes, itself included, >= 2. Default: 4.
        num_frequencies: of each feature. Default: 16.
        sigma: the standard deviation of frequencies at the beginning, > 0. Default: 0.1.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        frequencies, phases: (num_features, num_frequencies).
        linear: a FeatureLinear.

    Shape:
        (..., num_features) to (..., num_features embedding_dim): the waves of all features, then
        the numbers.

    Raises:
        TypeError, ValueError: for options that are not as said; ValueError in forward, for another
            number of features.

    Example:
        >>> nn.PBLDEmbedding(8)(pyml.zeros(32, 8)).shape
        (32, 32)
    """

    def __init__(
        self,
        num_features,
        embedding_dim=4,
        num_frequencies=16,
        sigma=0.1,
        device=None,
        dtype=None,
    ):
        super().__init__()
        sizes = {"num_features": num_features, "num_frequencies": num_frequencies}
        check_counts(self._get_name(), least=1, **sizes)
        check_counts("PBLDEmbedding", least=2, embedding_dim=embedding_dim)
        check_number("PBLDEmbedding", "sigma", sigma, Range(0, ends="()"))
        self.num_features, self.num_frequencies = num_features, num_frequencies
        self.embedding_dim, self.sigma = embedding_dim, sigma
        made = {"device": device, "dtype": dtype}
        self.frequencies = Parameter(ops.empty(num_features, num_frequencies, **made))
        self.phases = Parameter(ops.empty(num_features, num_frequencies, **made))
        self.linear = FeatureLinear(num_features, num_frequencies, embedding_dim - 1, **made)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws all anew."""
        init.normal_(self.frequencies, std=self.sigma)
        init.uniform_(self.phases, -math.pi, math.pi)
        self.linear.reset_parameters()

    def forward(self, input):
        """(..., num_features) to (..., num_features embedding_dim)."""
        check_last(self, input, self.num_features, "num_features")
        angles = angles_of(input, self.frequencies, self.phases)
        return ops.cat([self.linear(angles.cos()).flatten(-2), input], -1)

    def extra_repr(self):
        """The sizes and options."""
        return (
            f"{self.num_features}, embedding_dim={self.embedding_dim}, "
            f"num_frequencies={self.num_frequencies}, sigma={self.sigma}"
        )


def angles_of(input, frequencies, phases=None):
    """2 pi frequencies[i] input[..., i] + phases[i], (..., features, num_frequencies)."""
    rows = input.reshape(math.prod(input.shape[:-1]), input.shape[-1], 1)
    angles = products(rows, (2 * math.pi * frequencies).unsqueeze(1), phases)
    return angles.reshape(*input.shape, frequencies.shape[1])


def check_last(module, input, size, name):
    """Raises ValueError unless that is the last dimension."""
    who = module._get_name()
    if checked_tensor(input, who).dim() == 0 or input.shape[-1] != size:
        raise ArgumentError(
            f"{who}: input has shape {tuple(input.shape)}, its last dimension must be {name}, "
            f"{size}"
        )
