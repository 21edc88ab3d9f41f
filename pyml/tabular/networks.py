"""Networks of TabularModel by kind, and what they need of categories and losses."""

import math
from functools import partial

import numpy as np

from pyml import nn, ops
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.options import check_counts, check_integer
from pyml.tabular.scaling import smooth_clip

__all__ = ["CategoryCodes"]

ACTIVATIONS = {name: getattr(nn, name) for name in ("ReLU", "SELU", "GELU", "SiLU", "Mish", "Tanh")}
KINKS = 5  # rows in whose midst the kink of a unit begins, "he+5"


# ---- categories ----------------------------------------------------------------------------------


class CategoryCodes(nn.Module):
    """Numbers of categories as RealMLP takes them: one-hot, scaled and clipped as numbers are.

    Two categories are one column, 1 for the first and -1 for the second. What is missing, or in no
    training row, is 0 in all columns. begin() then scales each column: z = (x - median) / (q75 -
    q25), with half of the range where both quartiles are equal, and z / sqrt(1 + (z / 3)^2). Of
    more than one_hot categories it is a learned vector, also for what is missing. Holzmueller et
    al. 2024 (arXiv:2407.04491), section 3.

    Args:
        levels: the categories of each column, as of Preprocessor.categories.
        one_hot: the most categories that are one-hot. Default: 8.
        category_dim: the size of a learned vector; it begins as N(0, 1). Default: 8.

    Attributes:
        widths: numbers that each column gives, in the order in which they stand: those of codes,
            then learned vectors.
        size: numbers that a row gives.

    Shape:
        int64 (n, columns) to (n, size).

    Raises:
        TypeError, ValueError: if category_dim is not a positive integer; ValueError in forward, for
            another shape.

    Example:
        >>> tabular.CategoryCodes([["a", "b", "c"], ["no", "yes"]])(pyml.tensor([[2, 1], [0, 2]]))
        tensor([[ 0.,  1.,  0.,  1.],
                [ 0.,  0.,  0., -1.]])
    """

    def __init__(self, levels, one_hot=8, category_dim=8):
        super().__init__()
        check_integer("CategoryCodes", "one_hot", one_hot)
        check_counts("CategoryCodes", least=1, category_dim=category_dim)
        levels = [list(each) for each in levels]
        known = [sum(level is not None for level in each) for each in levels]
        self.columns = len(levels)
        self.coded = [i for i, count in enumerate(known) if count <= one_hot]
        self.learned = [i for i, count in enumerate(known) if count > one_hot]
        for i in self.coded:
            codes = np.zeros((len(levels[i]) + 1, known[i]), np.float32)
            codes[1 : known[i] + 1] = np.eye(known[i])
            if known[i] == 2:
                codes = codes[:, :1] - codes[:, 1:]
            setattr(self, f"codes_{i}", nn.Buffer(ops.tensor(codes)))
        for i in self.learned:
            setattr(self, f"table_{i}", nn.Embedding(len(levels[i]) + 1, category_dim))
        self.widths = [getattr(self, f"codes_{i}").shape[1] for i in self.coded]
        self.widths += [category_dim] * len(self.learned)
        self.size = sum(self.widths)

    @no_grad()
    def begin(self, categories):
        """Scales the columns by the training rows, int64 (n, columns)."""
        self._check(categories)
        scaled = []
        for i in self.coded:
            codes = getattr(self, f"codes_{i}")
            x = codes.numpy().astype(np.float64)
            rows = codes.index_select(0, categories[:, i]).numpy().astype(np.float64)
            low, center, high = np.quantile(rows, (0.25, 0.5, 0.75), 0)
            spread = np.where(high > low, high - low, (rows.max(0) - rows.min(0)) / 2)
            z = (x - center) * np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
            scaled.append((codes, ops.tensor(smooth_clip(z), dtype=codes.dtype)))
        for codes, values in scaled:
            codes.copy_(values)

    def forward(self, categories):
        """(n, columns) to (n, size)."""
        self._check(categories)
        parts = [getattr(self, f"codes_{i}").index_select(0, categories[:, i]) for i in self.coded]
        parts += [getattr(self, f"table_{i}")(categories[:, i]) for i in self.learned]
        return ops.cat(parts, 1)

    def _check(self, categories):
        shape = checked_tensor(categories, "CategoryCodes", "categories").shape
        if len(shape) != 2 or shape[1] != self.columns:
            raise ValueError(
                f"CategoryCodes: categories has shape {tuple(shape)}, it must be (n, "
                f"{self.columns}), as there are levels"
            )

    def extra_repr(self):
        """How many columns there are of both sorts, and the size."""
        return f"coded={len(self.coded)}, learned={len(self.learned)}, size={self.size}"


# ---- networks ------------------------------------------------------------------------------------
#
# Functions of the sizes of the parts of a row, one for each column of the table, of the number of
# outputs and of an architecture.


def hidden_layers(features, widths, linear, *behind):
    """For each width linear(features, width) and what functions of the width make behind it.

    Returns:
        A list of layers, and the width of the last.
    """
    layers = []
    for width in widths:
        layers += [linear(features, width), *(make(width) for make in behind)]
        features = width
    return layers, features


def usual(activation, dropout):
    """Activation and dropout, functions of the width."""
    drops = [lambda width: nn.Dropout(dropout)] if dropout else []
    return [lambda width: ACTIVATIONS[activation](), *drops]


def mlp(parts, outputs, hidden, dropout, activation, **options):
    """Linear, activation and dropout for each hidden layer, and a Linear."""
    layers, features = hidden_layers(sum(parts), hidden, nn.Linear, *usual(activation, dropout))
    return nn.Sequential(*layers, nn.Linear(features, outputs))


def tabm(parts, outputs, hidden, dropout, activation, embedding, members, **options):
    """TabM: an MLP of LinearBatchEnsemble, the first of which tells the members apart."""
    start = "random-signs" if embedding is None else "normal"
    first = {"scaling_init": (start, "ones"), "first_scaling_init_chunks": parts}
    linear, behind = partial(nn.LinearBatchEnsemble, k=members), usual(activation, dropout)
    layers, features = hidden_layers(sum(parts), hidden[:1], partial(linear, **first), *behind)
    others, features = hidden_layers(features, hidden[1:], linear, *behind)
    return nn.Sequential(
        nn.EnsembleView(members),
        *layers,
        *others,
        nn.LinearEnsemble(features, outputs, k=members),
    )


def tabm_mini(parts, outputs, hidden, dropout, activation, embedding, members, **options):
    """TabM-mini: scales of their own tell the members apart, all layers but the last are shared."""
    start = "random-signs" if embedding is None else "normal"
    view = nn.EnsembleView(members), nn.ElementwiseAffine(members, sum(parts), start, parts)
    layers, features = hidden_layers(sum(parts), hidden, nn.Linear, *usual(activation, dropout))
    return nn.Sequential(*view, *layers, nn.LinearEnsemble(features, outputs, k=members))


def realmlp(parts, outputs, hidden, activation, **options):
    """RealMLP-TD-S: a ScalingLayer, then NTPLinear and activation; the outputs begin as 0."""
    scale = nn.ScalingLayer(sum(parts))
    layers, features = hidden_layers(sum(parts), hidden, nn.NTPLinear, *usual(activation, 0))
    return nn.Sequential(scale, *layers, nn.NTPLinear(features, outputs, zero_init=True))


def realmlp_td(parts, outputs, hidden, dropout, activation, **options):
    """RealMLP-TD: the same with learned activations and dropout that is annealed."""
    scale = nn.ScalingLayer(sum(parts))
    behind = [lambda width: nn.ParametricActivation(ACTIVATIONS[activation](), width)]
    behind += [lambda width: nn.AnnealedDropout(dropout)] if dropout else []
    layers, features = hidden_layers(sum(parts), hidden, nn.NTPLinear, *behind)
    return nn.Sequential(scale, *layers, nn.NTPLinear(features, outputs), Within(outputs))


class Within(nn.Module):
    """In evaluation, outputs cut to what the training rows have; in training the identity."""

    def __init__(self, outputs):
        super().__init__()
        self.low = nn.Buffer(ops.full((outputs,), -math.inf))
        self.high = nn.Buffer(ops.full((outputs,), math.inf))

    @no_grad()
    def begin(self, y):
        """Sets the ends: the smallest and the largest of targets (n) or (n, outputs)."""
        y = y.reshape(len(y), -1)
        self.low.copy_(y.amin(0))
        self.high.copy_(y.amax(0))

    def forward(self, input):
        """(n, outputs) to the same."""
        return input if self.training else input.clamp(self.low, self.high)


KINDS = {
    "mlp": mlp,
    "tabm": tabm,
    "tabm-mini": tabm_mini,
    "realmlp": realmlp,
    "realmlp-td": realmlp_td,
}


@no_grad()
def begin_by_data(network, rows):
    """Initial values of NTPLinear by training rows (n, features), layer by layer, as in RealMLP-TD.

    Weights are scaled so that each unit has the standard deviation 1 before its bias ("std"); a
    bias is minus a random mean of the unit at some rows, so that its kink lies among the data
    ("he+5").
    """
    for layer in network:
        if isinstance(layer, nn.NTPLinear):
            gain = 1 / math.sqrt(layer.in_features)
            z = (rows * gain) @ layer.weight.T
            std = z.std(0, correction=0)
            std = ops.where(std > 0, std, ops.ones_like(std))
            layer.weight.copy_(layer.weight / std.unsqueeze(1))
            z = z / std
            chosen = z[ops.randint(0, len(rows), (KINKS * layer.out_features,))]
            chosen = chosen.reshape(KINKS, layer.out_features, layer.out_features)
            chosen = chosen.diagonal(dim1=1, dim2=2)
            shares = -ops.rand(KINKS, layer.out_features).clamp(min=1e-30).log()
            layer.bias.copy_(-(shares / shares.sum(0) * chosen).sum(0))
            rows = z + layer.bias
        else:
            rows = layer(rows)


# ---- losses --------------------------------------------------------------------------------------


class EachMember:
    """A loss of outputs (n, members, ...): the mean over the members, never the loss of their mean.

    A target is that of all members, (n, ...), or has one for each, (n, members, ...). Outputs
    without members, as of a model in evaluation mode, have their loss.
    """

    def forward(self, input, target):
        is_of_classes = not target.is_floating_point()
        if is_of_classes and target.dim() == 2:
            losses = super().forward(input.flatten(0, 1), target.flatten())
            return losses if losses.dim() == 0 else losses.unflatten(0, tuple(target.shape)).mean(1)
        if input.dim() == target.dim() + is_of_classes:
            return super().forward(input, target)
        members = input.shape[1]
        every = target.unsqueeze(1).expand(len(target), members, *target.shape[1:])
        losses = super().forward(input.flatten(0, 1), every.flatten(0, 1))
        return losses if losses.dim() == 0 else losses.unflatten(0, (-1, members)).mean(1)


class MSELossOfMembers(EachMember, nn.MSELoss):
    pass


class CrossEntropyLossOfMembers(EachMember, nn.CrossEntropyLoss):
    pass


class BCEWithLogitsLossOfMembers(EachMember, nn.BCEWithLogitsLoss):
    pass


class PoissonNLLLossOfMembers(EachMember, nn.PoissonNLLLoss):
    pass


OF_MEMBERS = {
    nn.MSELoss: MSELossOfMembers,
    nn.CrossEntropyLoss: CrossEntropyLossOfMembers,
    nn.BCEWithLogitsLoss: BCEWithLogitsLossOfMembers,
    nn.PoissonNLLLoss: PoissonNLLLossOfMembers,
}
