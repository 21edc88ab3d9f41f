"""Normalisation: by statistics of the batch, or of each example."""

import threading

from pyml import ops
from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.nn import init
from pyml.nn.lazy import LazyModuleMixin
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from pyml.ops.arrays import checked_tensor
from pyml.ops.shape import as_sizes
from pyml.options import check_counts

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "LayerNorm",
    "LazyBatchNorm1d",
    "LazyInstanceNorm1d",
    "RMSNorm",
    "SyncBatchNorm",
]


class Norm(Module):
    """What all but RMSNorm share: weight and bias, which begin as 1 and 0."""

    def _register_affine(self, shape, weight, bias, device, dtype):
        for name, exists in (("weight", weight), ("bias", bias)):
            made = Parameter(ops.empty(shape, device=device, dtype=dtype)) if exists else None
            self.register_parameter(name, made)

    def reset_parameters(self):
        """Sets weight and bias to 1 and 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class RunningNorm(Norm):
    """What BatchNorm and InstanceNorm share: running statistics, too."""

    _version = 2  # as of PyTorch's

    def __init__(
        self, num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
    ):
        super().__init__()
        check_counts(self._get_name(), num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._register_affine(num_features, affine, affine and bias, device, dtype)
        for name in ("running_mean", "running_var"):
            made = None
            if track_running_stats:
                made = ops.empty(num_features, device=device, dtype=dtype)
            self.register_buffer(name, made)
        self.register_buffer("num_batches_tracked", ops.tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def _found_in(self, state_dict, prefix, metadata, *given):
        # a state without a version, or of version 1, may be from before PyTorch counted batches
        if self.track_running_stats and metadata.get("version", 1) < 2:
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        return super()._found_in(state_dict, prefix, metadata, *given)

    def reset_running_stats(self):
        """Sets the running statistics to mean 0 and variance 1, of no batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Sets the running statistics, weight and bias to where they begin."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self):
        """The size and the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(RunningNorm):
    """BatchNorm1d, BatchNorm2d and BatchNorm3d, which differ in the dimensions of their input."""

    _dims = ()  # how many the input may have
    _expected = ""

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
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input):
        """(n, c, ...) to the same."""
        self._check(input)
        if self.running_mean is None or (self.training and not self.track_running_stats):
            if not self.training and input.numel() == input.shape[1] > 0:
                raise ArgumentError(
                    f"{self._get_name()}: input of shape {input.shape} has one value per channel. "
                    "Without running statistics evaluation normalises by those of the batch: give "
                    "more rows, or train a module that has track_running_stats=True"
                )
            return F.batch_norm(
                input, None, None, self.weight, self.bias, training=True, eps=self.eps
            )
        return F.batch_norm(
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

    def _check(self, input):
        """Raises for what has another number of dimensions."""
        if checked_tensor(input, self._get_name(), "input").dim() not in self._dims:
            raise ArgumentError(
                f"{self._get_name()}: expected {self._expected} input (got {input.dim()}D input)"
            )


class BatchNorm1d(BatchNorm):
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
        (n, c) or (n, c, length) to the same. A batch of no examples is none for the statistics.

    Raises:
        ValueError: in forward, for another number of dimensions or channels, or one value per
            channel in training.

    Example:
        >>> nn.BatchNorm1d(3)(pyml.randn(5, 3)).mean(0).abs().max().item() < 1e-6
        True
    """

    _dims, _expected = (2, 3), "2D or 3D"


class BatchNorm2d(BatchNorm):
    """BatchNorm1d for input of four dimensions, (n, c, height, width).

    Each channel has one mean and one variance. Arguments, attributes and errors as there.

    Ioffe & Szegedy 2015 (arXiv:1502.03167), section 3.2.

    Example:
        >>> nn.BatchNorm2d(3)(pyml.zeros(2, 3, 4, 4)).shape
        (2, 3, 4, 4)
    """

    _dims, _expected = (4,), "4D"


class BatchNorm3d(BatchNorm):
    """BatchNorm1d for input of five dimensions, (n, c, depth, height, width).

    Each channel has one mean and one variance. Arguments, attributes and errors as there.

    Ioffe & Szegedy 2015 (arXiv:1502.03167), section 3.2.

    Example:
        >>> nn.BatchNorm3d(3)(pyml.zeros(2, 3, 2, 2, 2)).shape
        (2, 3, 2, 2, 2)
    """

    _dims, _expected = (5,), "5D"


class Shards(threading.local):
    """What a thread does with a batch of which it computes a part.

    Attributes:
        wait: a function (layer, input) of a part, which returns the input, and the mean and
            variance of the whole; or None: what a layer is given is the whole.
    """

    wait = None


shards = Shards()


class SyncBatchNorm(BatchNorm):
    """BatchNorm by the statistics of the whole batch, however many processes share it.

    In the loss of a pyml.distributed.DistributedDataParallel, in training, mean and var are those
    of all rows of all processes, with the same bits for any number of them. Everywhere else it is
    BatchNorm1d, 2d or 3d, by the dimensions of its input.

    Arguments, attributes and formula as of BatchNorm1d.

    Args:
        num_features, eps, momentum, affine, track_running_stats, device, dtype: see there.
        process_group: None: all processes. Default: None.

    Shape:
        (n, c, ...) of two to five dimensions, to the same.

    Raises:
        TypeError: if process_group is not None.
        ValueError: in forward, for another number of dimensions or channels, or one value per
            channel in training.

    Example:
        >>> nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm1d(3))
        SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    _dims, _expected = (2, 3, 4, 5), "2D to 5D"

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        process_group=None,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        check_all_processes("SyncBatchNorm", process_group)
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input):
        """(n, c, ...) to the same."""
        if shards.wait is None or not (self.training or self.running_mean is None):
            return super().forward(input)
        self._check(input)
        if input.shape[1] != self.num_features:
            raise ArgumentError(
                f"SyncBatchNorm: input of shape {input.shape} has {input.shape[1]} channels, "
                f"num_features is {self.num_features}"
            )
        x, mean, var = shards.wait(self, input)
        return F.batch_norm(x, mean, var, self.weight, self.bias, eps=self.eps)

    @no_grad()
    def _follow(self, mean, var):
        """The running statistics follow those of a batch."""
        if not (self.training and self.track_running_stats):
            return
        self.num_batches_tracked.add_(1)
        factor = self.momentum
        if factor is None:
            factor = 1 / self.num_batches_tracked.to(mean.dtype)
        for running, of_batch in ((self.running_mean, mean), (self.running_var, var)):
            running.mul_(1 - factor).add_(of_batch * factor)

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """Puts a SyncBatchNorm with the same parameters and buffers in the place of each BatchNorm.

        Args:
            module: a Module, whose children are replaced.
            process_group: None: all processes. Default: None.

        Returns:
            The module; a SyncBatchNorm if it is itself a BatchNorm.

        Raises:
            TypeError: if module is no Module, or process_group is not None.
        """
        check_all_processes("convert_sync_batchnorm", process_group)
        if not isinstance(module, Module):
            raise TypeError(
                f"convert_sync_batchnorm: module is a {type(module).__name__}, not a Module"
            )
        made = {}  # a layer that stands in several places is one in all of them

        def converted(layer):
            if not isinstance(layer, BatchNorm) or isinstance(layer, (cls, LazyModuleMixin)):
                return layer
            if layer not in made:
                made[layer] = cls._taking(layer)
            return made[layer]

        for owner in list(module.modules()):
            for name, child in owner._modules.items():
                if converted(child) is not child:
                    setattr(owner, name, converted(child))
        return converted(module)

    @classmethod
    def _taking(cls, layer):
        """One with the parameters and buffers of another BatchNorm."""
        made = cls(
            layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
        )
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(made, name, getattr(layer, name))
        return made.train(layer.training)


def check_all_processes(who, process_group):
    """Raises TypeError for another group than all processes."""
    if process_group is not None:
        raise TypeError(
            f"{who}: process_group is a {type(process_group).__name__}, there is one group, that "
            "of all processes; leave it out"
        )


class LazyNorm(LazyModuleMixin):
    """A norm that learns num_features from its first input.

    Attributes:
        _channels: which dimension of the input says it.
    """

    def __init__(
        self,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
        if affine and bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = ops.tensor(0)

    def reset_parameters(self):
        """Sets the running statistics, weight and bias to where they begin, once they are there."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Makes the parameters and statistics for an input of this shape."""
        if checked_tensor(input, self._get_name()).dim() not in (2, 3):
            raise ArgumentError(
                f"{self._get_name()}: expected 2D or 3D input (got {input.dim()}D input)"
            )
        self.num_features = input.shape[self._channels]
        if self.has_uninitialized_params():
            shape = (self.num_features,)
            self._materialize(weight=shape, bias=shape, running_mean=shape, running_var=shape)
            self.reset_parameters()


class LazyBatchNorm1d(LazyNorm, BatchNorm1d):
    """A BatchNorm1d that learns num_features from its first input; it is then a BatchNorm1d.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as for BatchNorm1d.

    Attributes:
        weight, bias, running_mean, running_var: uninitialized, after the first call as those of a
            BatchNorm1d; or None.

    Raises:
        ValueError: in forward, for another number of dimensions.

    Example:
        >>> norm = nn.LazyBatchNorm1d()
        >>> norm(pyml.zeros(2, 3)).shape, norm.num_features
        ((2, 3), 3)
    """

    cls_to_become = BatchNorm1d
    _channels = 1


class InstanceNorm1d(RunningNorm):
    """Instance normalisation: (x - mean) / sqrt(var + eps) * weight + bias for each channel of each
    example.

    Mean and var are over the length; with track_running_stats evaluation takes running ones, which
    in training follow the means over the examples.

    Ulyanov, Vedaldi & Lempitsky 2016 (arXiv:1607.08022).

    Args:
        num_features: the number of channels, c.
        eps: added to the variance. Default: 1e-5.
        momentum: the weight of a batch in the running statistics. Default: 0.1.
        affine: learn weight and bias. Default: False.
        track_running_stats: keep running statistics. Default: False.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.
        bias: with `affine`, learn a bias. Default: True.

    Attributes:
        weight, bias: (c), begin as 1 and 0, or None.
        running_mean, running_var: buffers (c), begin as 0 and 1, or None.

    Shape:
        (n, c, length) or (c, length) to the same.

    Raises:
        ValueError: in forward, for another number of dimensions or channels, or a length of one.

    Example:
        >>> nn.InstanceNorm1d(3)(pyml.randn(2, 3, 5)).mean(2).abs().max().item() < 1e-6
        True
    """

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input):
        """(n, c, length) or (c, length) to the same."""
        if checked_tensor(input, "InstanceNorm1d", "input").dim() not in (2, 3):
            raise ArgumentError(
                f"InstanceNorm1d: expected 2D or 3D input (got {input.dim()}D input)"
            )
        if input.shape[-2] != self.num_features:
            raise ArgumentError(
                f"InstanceNorm1d: input of shape {input.shape} has {input.shape[-2]} channels, "
                f"num_features is {self.num_features}"
            )
        is_one = input.dim() == 2
        y = F.instance_norm(
            input.unsqueeze(0) if is_one else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y.squeeze(0) if is_one else y


class LazyInstanceNorm1d(LazyNorm, InstanceNorm1d):
    """An InstanceNorm1d that learns num_features from its first input, then that alone.

    Args:
        affine, track_running_stats: as for InstanceNorm1d. Default: True.
        eps, momentum, device, dtype, bias: as for InstanceNorm1d.

    Attributes:
        weight, bias, running_mean, running_var: uninitialized, after the first call as those of an
            InstanceNorm1d; or None.

    Raises:
        ValueError: in forward, for another number of dimensions.

    Example:
        >>> norm = nn.LazyInstanceNorm1d()
        >>> norm(pyml.zeros(2, 3, 5)).shape, norm.num_features
        ((2, 3, 5), 3)
    """

    cls_to_become = InstanceNorm1d
    _channels = -2


class LayerNorm(Norm):
    """Layer normalisation: (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions.

    Mean and var are those of each example; the variance divides by the number of elements.

    Ba, Kiros & Hinton 2016 (arXiv:1607.06450).

    Args:
        normalized_shape: the sizes of the last dimensions, or one size.
        eps: added to the variance. Default: 1e-5.
        elementwise_affine: learn weight and bias. Default: True.
        bias: with `elementwise_affine`, learn a bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight, bias: of normalized_shape, begin as 1 and 0, or None.

    Shape:
        (..., *normalized_shape) to the same.

    Raises:
        ValueError: in forward, for an input of other sizes.

    Example:
        >>> nn.LayerNorm(2)(pyml.tensor([[1.0, 3.0]]))
        tensor([[-1.,  1.]], grad_fn=<NativeLayerNormBackward0>)
    """

    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape, "LayerNorm")
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        has_bias = elementwise_affine and bias
        self._register_affine(self.normalized_shape, elementwise_affine, has_bias, device, dtype)
        self.reset_parameters()

    def forward(self, input):
        """(..., *normalized_shape) to the same."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The sizes and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Root mean square normalisation: x / sqrt(mean(x^2) + eps) * weight over the last dimensions.

    Zhang & Sennrich 2019 (arXiv:1910.07467), eq. 4.

    Args:
        normalized_shape: the sizes of the last dimensions, or one size.
        eps: added to the mean square. Default: that of the input's dtype, 2^-23 in float32.
        elementwise_affine: learn a weight. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: of normalized_shape, begins as 1, or None.

    Shape:
        (..., *normalized_shape) to the same.

    Raises:
        ValueError: in forward, for an input of other sizes.

    Example:
        >>> nn.RMSNorm(2, elementwise_affine=False)(pyml.tensor([3.0, -3.0]))
        tensor([ 1., -1.])
    """

    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__()
        self.normalized_shape = as_sizes(normalized_shape, "RMSNorm")
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = None
        if elementwise_affine:
            weight = Parameter(ops.ones(self.normalized_shape, device=device, dtype=dtype))
        self.register_parameter("weight", weight)

    def reset_parameters(self):
        """Sets weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x):
        """(..., *normalized_shape) to the same."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        """The sizes and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Norm):
    """Group normalisation: (x - mean) / sqrt(var + eps) * weight + bias over groups of channels.

    Mean and var are those of each group of each example.

    Wu & He 2018 (arXiv:1803.08494).

    Args:
        num_groups: how many groups there are; it divides num_channels.
        num_channels: the number of channels, c.
        eps: added to the variance. Default: 1e-5.
        affine: learn weight and bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.
        bias: with `affine`, learn a bias. Default: True.

    Attributes:
        weight, bias: (c), begin as 1 and 0, or None.

    Shape:
        (n, c, ...) to the same.

    Raises:
        ValueError: if num_groups does not divide num_channels; in forward, for another number of
            channels.

    Example:
        >>> nn.GroupNorm(2, 4, affine=False)(pyml.tensor([[1.0, 3.0, 20.0, 40.0]]))
        tensor([[-1.,  1., -1.,  1.]])
    """

    def __init__(
        self,
        num_groups,
        num_channels,
        eps=1e-5,
        affine=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm: num_channels ({num_channels}) must be divisible by num_groups "
                f"({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._register_affine((num_channels,), affine, affine and bias, device, dtype)
        self.reset_parameters()

    def forward(self, input):
        """(n, c, ...) to the same."""
        if checked_tensor(input, "GroupNorm").dim() > 1 and input.shape[1] != self.num_channels:
            raise ArgumentError(
                f"GroupNorm: input of shape {input.shape} has {input.shape[1]} channels, "
                f"num_channels is {self.num_channels}"
            )
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The sizes and the options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
