"""BatchNorm1d."""

from pyml import ops
from pyml.nn import functional as F
from pyml.nn import init
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter
from pyml.ops.arrays import checked_tensor

__all__ = ["BatchNorm1d"]


class BatchNorm1d(Module):
    """Batch normalisation: y = (x - mean) / sqrt(var + eps) * weight + bias for each channel.

    In training mean and var are the batch's, and the running statistics follow them,
    running <- (1 - momentum) running + momentum batch; in evaluation they are the running ones. The
    variance divides by n, the one that goes into running_var by n - 1.

    Ioffe & Szegedy 2015 (arXiv:1502.03167), algorithms 1 and 2.

    Args:
        num_features: the number of channels, c.
        eps: added to the variance. Default: 1e-5.
        momentum: the weight of a batch in the running statistics, or None for their plain average.
            Default: 0.1.
        affine: learn weight and bias. Default: True.
        track_running_stats: keep running statistics; without, evaluation uses the batch's too.
            Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.
        bias: with `affine`, learn a bias. Default: True.

    Attributes:
        weight, bias: (c), begin as 1 and 0, or None.
        running_mean, running_var: buffers (c), begin as 0 and 1, or None.
        num_batches_tracked: buffer, the number of training batches seen, int64, or None.

    Shape:
        (n, c) or (n, c, length) to the same.

    Raises:
        ValueError: in forward, for another number of dimensions or channels, or one value per
            channel in training.

    Example:
        >>> nn.BatchNorm1d(3)(pyml.randn(5, 3)).mean(0).abs().max().item() < 1e-6
        True
    """

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats

        def vector():
            return ops.empty(num_features, device=device, dtype=dtype)

        for name, exists in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, Parameter(vector()) if exists else None)
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, vector() if track_running_stats else None)
        self.register_buffer("num_batches_tracked", ops.tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Sets the running statistics to mean 0 and variance 1, of no batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Sets the running statistics, weight and bias to where they begin."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        """(n, c) or (n, c, length) to the same."""
        if checked_tensor(input, "BatchNorm1d", "input").dim() not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input.dim()}D input)")
        if self.running_mean is None or (self.training and not self.track_running_stats):
            return F.batch_norm(
                input, None, None, self.weight, self.bias, training=True, eps=self.eps
            )
        return ops.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
            num_batches_tracked=self.num_batches_tracked,
        )

    def extra_repr(self):
        """The size and the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )
