"""CosineSimilarity and PairwiseDistance."""

from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """x1 . x2 / (max(||x1||, eps) max(||x2||, eps)) along a dimension.

    Args:
        dim: the dimension of the vectors. Default: 1.
        eps: the least length that is divided by. Default: 1e-8.

    Shape:
        Two inputs that broadcast, to their shape without the dimension.

    Example:
        >>> nn.CosineSimilarity()(pyml.tensor([[1.0, 0.0]]), pyml.tensor([[3.0, 4.0]]))
        tensor([0.6])
    """

    def __init__(self, dim=1, eps=1e-8):
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1, x2):
        """Two inputs to their similarity."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """||x1 - x2 + eps||_p over the last dimension.

    Args:
        p: of the norm. Default: 2.
        eps: added to each difference. Default: 1e-6.
        keepdim: keep the last dimension, of size 1. Default: False.

    Shape:
        (n, d) or (d), twice, to (n) or ().

    Example:
        >>> nn.PairwiseDistance(p=1)(pyml.tensor([[1.0, 2.0]]), pyml.tensor([[4.0, 6.0]]))
        tensor([7.])
    """

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1, x2):
        """Two inputs to their distance."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
