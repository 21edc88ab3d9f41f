"""Options of linear_cross_entropy that PyTorch has."""

import re
from dataclasses import dataclass

from pyml.errors import ArgumentError
from pyml.options import check_choice, check_counts

__all__ = ["LinearCrossEntropyOptions"]

POLICIES = "auto", "accurate", "balanced", "compact"


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch's linear_cross_entropy spares memory; pyml computes in one way and reads none.

    Args:
        allow_retain_graph: may backward run twice? Here it may. Default: False.
        batch_chunk_size: samples that are computed at once. Default: all.
        chunking_method: "auto", "aspect_ratio", "aspect_ratio:" and a number, or None.
        acc_policy: "auto", "accurate", "balanced" or "compact".
        acc_dtype: of sums. Default: the inputs'.

    Raises:
        ValueError: for others.

    Example:
        >>> options = nn.LinearCrossEntropyOptions(batch_chunk_size=2)
        >>> nn.LinearCrossEntropyLoss(5, 3, options=options)(pyml.zeros(2, 5), pyml.tensor([0, 2]))
        tensor(1.0986, grad_fn=<NllLossBackward0>)
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: object = None

    def __post_init__(self):
        who, size, method = type(self).__name__, self.batch_chunk_size, self.chunking_method
        if size is not None:
            check_counts(who, 1, batch_chunk_size=size)
        if method not in (None, "auto") and not re.fullmatch(r"aspect_ratio(:0*[1-9]\d*)?", method):
            raise ArgumentError(
                f"{who}: chunking_method is {method!r}, it must be 'auto', 'aspect_ratio', "
                "'aspect_ratio:' and a number, or None"
            )
        check_choice(who, "acc_policy", self.acc_policy, POLICIES)
