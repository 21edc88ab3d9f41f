"""A softmax over many classes that spends little on rare ones."""

from collections import namedtuple

from pyml import ops
from pyml.errors import ArgumentError
from pyml.nn import functional as F
from pyml.nn.containers import ModuleList, Sequential
from pyml.nn.linear import Linear
from pyml.nn.module import Module
from pyml.ops.arrays import checked_tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

ASMoutput = namedtuple("_ASMoutput", ("output", "loss"))


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log-probability of a class, of many, by clusters: the frequent classes stand in the head.

    The head has an output for each class below cutoffs[0] and one for each cluster; a class of a
    cluster has the probability of its cluster times that within it, of a layer that is the smaller
    the rarer the classes are (Grave et al. 2017, arXiv:1609.04309).

    Args:
        in_features: size of each sample.
        n_classes: how many classes, the most frequent first.
        cutoffs: where clusters begin, increasing, each from 1 to n_classes - 1.
        div_value: cluster i computes in in_features / div_value^i features. Default: 4.
        head_bias: a bias in the head. Default: False.
        device, dtype: see Linear.

    Shape:
        input (n, in_features), target (n); or (in_features) and ().

    Returns:
        A named tuple (output, loss): the log-probability of each target, and minus their mean.

    Raises:
        ValueError: for cutoffs, or in forward shapes or classes, that do not fit.

    Example:
        >>> loss = nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[4, 10])
        >>> loss(pyml.zeros(2, 8), pyml.tensor([0, 15])).output.shape
        (2,)
    """

    def __init__(
        self,
        in_features,
        n_classes,
        cutoffs,
        div_value=4.0,
        head_bias=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        cutoffs = list(cutoffs)
        increasing = all(a < b for a, b in zip(cutoffs, [*cutoffs, n_classes][1:], strict=True))
        if not cutoffs or not increasing or cutoffs[0] < 1 or any(int(c) != c for c in cutoffs):
            raise ArgumentError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs is {cutoffs}, it must be increasing "
                f"integers from 1 to n_classes - 1 = {n_classes - 1}"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs, self.div_value, self.head_bias = [*cutoffs, n_classes], div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        kind = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **kind)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **kind),
                    Linear(hidden, size, bias=False, **kind),
                )
            )

    def reset_parameters(self):
        """Draws initial values anew."""
        self.head.reset_parameters()
        for projection, output in self.tail:
            projection.reset_parameters()
            output.reset_parameters()

    def forward(self, input, target):
        """The log-probabilities of the targets, and the loss."""
        name = type(self).__name__
        checked_tensor(input, name)
        checked_tensor(target, name, "target")
        if target.ndim > 1 or input.shape[:-1] != target.shape:
            raise ArgumentError(
                f"{name}: input has shape {input.shape}, target {target.shape}; (n, in_features) "
                "and (n) are needed, or (in_features) and ()"
            )
        if target.ndim == 0:
            output, loss = self.forward(input.unsqueeze(0), target.unsqueeze(0))
            return ASMoutput(output.squeeze(0), loss)
        if target.numel() and not 0 <= target.min() <= target.max() < self.n_classes:
            raise ArgumentError(
                f"{name}: target has classes from {target.min().item()} to {target.max().item()}, "
                f"they must be from 0 to {self.n_classes - 1}"
            )
        place, inside = target, None
        for i, layers in enumerate(self.tail):
            is_here = (target >= self.cutoffs[i]) & (target < self.cutoffs[i + 1])
            [rows] = ops.nonzero(is_here, as_tuple=True)
            if rows.numel() == 0:
                continue
            place = ops.where(is_here, self.shortlist_size + i, place)
            log_p = F.log_softmax(layers(input[rows]), 1)
            chosen = log_p.gather(1, (target[rows] - self.cutoffs[i]).unsqueeze(1)).squeeze(1)
            spread = ops.zeros(len(target), dtype=input.dtype).index_add(0, rows, chosen)
            inside = spread if inside is None else inside + spread
        output = F.log_softmax(self.head(input), 1).gather(1, place.unsqueeze(1)).squeeze(1)
        output = output if inside is None else output + inside
        return ASMoutput(output, -output.mean())

    def log_prob(self, input):
        """The log-probabilities of all classes, (n, n_classes), of an input (n, in_features)."""
        head = F.log_softmax(self.head(input), 1)
        clusters = [
            F.log_softmax(layers(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1)
            for i, layers in enumerate(self.tail)
        ]
        return ops.cat([head[:, : self.shortlist_size], *clusters], 1)

    def predict(self, input):
        """The most probable class of each sample, (n)."""
        return self.log_prob(input).argmax(1)
