"""Several networks in one, which share weights: activations are (rows, k, features).

Wen et al. 2020 (arXiv:2002.06715), "BatchEnsemble"; Gorishniy et al. 2024 (arXiv:2410.24210),
"TabM: advancing tabular deep learning with parameter-efficient ensembling", whose names these are.
"""

import math

from pyml import ops
from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn import init
from pyml.nn.module import Module
from pyml.nn.numeric import FeatureLinear, check_last
from pyml.nn.parameter import Parameter
from pyml.ops.arrays import checked_tensor
from pyml.options import check_choice, check_counts

__all__ = ["ElementwiseAffine", "EnsembleView", "LinearBatchEnsemble", "LinearEnsemble"]

STARTS = ("ones", "normal", "random-signs")


class EnsembleView(Module):
    """The same rows for each of k members: (n, d) as (n, k, d).

    What is (n, k, d) already, other rows for each member, stays as it is.

    Args:
        k: how many members.

    Shape:
        (n, d) or (n, k, d) to (n, k, d).

    Raises:
        TypeError, ValueError: if k is not a positive integer; ValueError in forward, for another
            shape.

    Example:
        >>> nn.EnsembleView(4)(pyml.zeros(8, 3)).shape
        (8, 4, 3)
    """

    def __init__(self, k):
        super().__init__()
        check_counts(self._get_name(), least=1, k=k)
        self.k = k

    def forward(self, input):
        """(n, d) or (n, k, d) to (n, k, d)."""
        if checked_tensor(input, "EnsembleView").dim() == 2:
            return input.unsqueeze(1).expand(-1, self.k, -1)
        if input.dim() != 3 or input.shape[1] != self.k:
            raise ArgumentError(
                f"EnsembleView: input has shape {tuple(input.shape)}, it must be (n, d) or (n, "
                f"{self.k}, d), with k in the middle"
            )
        return input

    def extra_repr(self):
        """k."""
        return f"k={self.k}"


class ElementwiseAffine(Module):
    """y[..., i, :] = x[..., i, :] weight[i] + bias[i]: a scale of its own for each of k members.

    Args:
        k: how many members.
        num_features: the last dimension.
        scaling_init: how weight begins: "ones", "normal" (N(0, 1)) or "random-signs" (1 or -1).
            Default: "random-signs".
        chunks: sizes of parts of the features that begin with the same number, as the columns of
            one category do; they sum up to num_features. Default: each feature alone.
        bias: add a learned bias, which begins as 0. Default: False.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (k, num_features).
        bias: (k, num_features), or None.

    Shape:
        (..., k, num_features) to the same.

    Raises:
        TypeError, ValueError: for options that are not as said; ValueError in forward, for another
            shape.

    Example:
        >>> nn.ElementwiseAffine(4, 3)(pyml.zeros(8, 4, 3)).shape
        (8, 4, 3)
    """

    def __init__(
        self,
        k,
        num_features,
        scaling_init="random-signs",
        chunks=None,
        bias=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        check_counts(self._get_name(), least=1, k=k, num_features=num_features)
        self.k, self.num_features = k, num_features
        self.scaling_init = scaling_init
        self.chunks = checked_chunks(self, scaling_init, chunks, num_features)
        self.weight = Parameter(ops.empty(k, num_features, device=device, dtype=dtype))
        self.register_parameter(
            "bias",
            Parameter(ops.empty(k, num_features, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight anew; bias is 0."""
        begin_scales(self.weight, self.scaling_init, self.chunks)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        """(..., k, num_features) to the same."""
        check_members(self, input, self.k, self.num_features, "num_features")
        output = input * self.weight
        return output if self.bias is None else output + self.bias

    def extra_repr(self):
        """The sizes, and how it begins."""
        return f"k={self.k}, {self.num_features}, scaling_init={self.scaling_init!r}"


class LinearEnsemble(FeatureLinear):
    """A Linear of its own for each of k members: y[..., i, :] = x[..., i, :] weight[i] + bias[i].

    weight and bias begin as U(-1/sqrt(in_features), 1/sqrt(in_features)). It is the FeatureLinear
    of members.

    Args:
        in_features: size of each input row.
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        k: how many members.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (k, in_features, out_features).
        bias: (k, out_features), or None.

    Shape:
        (..., k, in_features) to (..., k, out_features).

    Raises:
        TypeError, ValueError: if a size is not a positive integer; ValueError in forward, for
            another shape.

    Example:
        >>> nn.LinearEnsemble(3, 2, k=4)(pyml.zeros(8, 4, 3)).shape
        (8, 4, 2)
    """

    def __init__(self, in_features, out_features, bias=True, *, k, device=None, dtype=None):
        super().__init__(k, in_features, out_features, bias, device, dtype)

    @property
    def k(self):
        """How many members."""
        return self.num_features


class LinearBatchEnsemble(Module):
    """A Linear that k members share but for scales and bias.

        y[..., i, :] = ((x[..., i, :] r[i]) weight^T) s[i] + bias[i]

    Wen et al. 2020 (arXiv:2002.06715), eq. 5. weight begins as U(-1/sqrt(in_features),
    1/sqrt(in_features)); bias too, the same for all members.

    Args:
        in_features: size of each input row.
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        k: how many members.
        scaling_init: how r and s begin, "ones", "normal" or "random-signs"; or a pair.
            Default: "ones".
        first_scaling_init_chunks: sizes of parts of the inputs for which r begins with the same
            number. Default: each input alone.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (out_features, in_features).
        r: (k, in_features).
        s: (k, out_features).
        bias: (k, out_features), or None.

    Shape:
        (..., k, in_features) to (..., k, out_features).

    Raises:
        TypeError, ValueError: for options that are not as said; ValueError in forward, for another
            shape.

    Example:
        >>> nn.LinearBatchEnsemble(3, 2, k=4)(pyml.zeros(8, 4, 3)).shape
        (8, 4, 2)
    """

    def __init__(
        self,
        in_features,
        out_features,
        bias=True,
        *,
        k,
        scaling_init="ones",
        first_scaling_init_chunks=None,
        device=None,
        dtype=None,
    ):
        super().__init__()
        sizes = {"in_features": in_features, "out_features": out_features}
        check_counts(self._get_name(), least=1, **sizes, k=k)
        self.in_features, self.out_features, self.k = in_features, out_features, k
        pair = scaling_init if isinstance(scaling_init, (tuple, list)) else (scaling_init,) * 2
        if len(pair) != 2:
            raise ArgumentError(
                f"LinearBatchEnsemble: scaling_init is {scaling_init!r}, it must be one of "
                f"{', '.join(STARTS)}, or a pair of these"
            )
        self.scaling_init = tuple(pair)
        self.chunks = checked_chunks(self, pair[0], first_scaling_init_chunks, in_features)
        check_choice(self._get_name(), "scaling_init", pair[1], STARTS)
        made = {"device": device, "dtype": dtype}
        self.weight = Parameter(ops.empty(out_features, in_features, **made))
        self.r = Parameter(ops.empty(k, in_features, **made))
        self.s = Parameter(ops.empty(k, out_features, **made))
        self.register_parameter(
            "bias", Parameter(ops.empty(k, out_features, **made)) if bias else None
        )
        self.reset_parameters()

    @no_grad()
    def reset_parameters(self):
        """Draws all anew."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        begin_scales(self.r, self.scaling_init[0], self.chunks)
        begin_scales(self.s, self.scaling_init[1], None)
        if self.bias is not None:
            init.uniform_(self.bias[0], -bound, bound)
            self.bias.copy_(self.bias[0].clone())

    def forward(self, input):
        """(..., k, in_features) to (..., k, out_features)."""
        check_members(self, input, self.k, self.in_features, "in_features")
        output = ops.linear(input * self.r, self.weight) * self.s
        return output if self.bias is None else output + self.bias

    def extra_repr(self):
        """The sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, k={self.k}, "
            f"bias={self.bias is not None}"
        )


@no_grad()
def begin_scales(scales, start, chunks):
    """Scales (k, d) as they begin, with one number for the features of a chunk."""
    k, sizes = len(scales), chunks or [1] * scales.shape[1]
    if start == "ones":
        init.ones_(scales)
        return
    drawn = ops.empty(k, len(sizes), dtype=scales.dtype)
    init.normal_(drawn)
    if start == "random-signs":
        drawn = ops.where(drawn < 0, -1.0, 1.0).to(scales.dtype)
    columns = [i for i, size in enumerate(sizes) for _ in range(size)]
    scales.copy_(drawn[:, columns])


def checked_chunks(module, start, chunks, count):
    """Chunks as a list or None, checked with how scales begin."""
    who = module._get_name()
    check_choice(who, "scaling_init", start, STARTS)
    if chunks is None:
        return None
    chunks = list(chunks)
    check_counts(who, least=1, **{f"chunks[{i}]": size for i, size in enumerate(chunks)})
    if sum(chunks) != count:
        raise ArgumentError(f"{who}: chunks sum up to {sum(chunks)}, there are {count} features")
    return chunks


def check_members(module, input, k, size, name):
    """Raises ValueError unless the last dimensions are k and the size."""
    check_last(module, input, size, name)
    if input.dim() < 2 or input.shape[-2] != k:
        raise ArgumentError(
            f"{module._get_name()}: input has shape {tuple(input.shape)}, it must end in (k, "
            f"{name}), {(k, size)}; nn.EnsembleView(k) makes it of (n, {name})"
        )
