"""Averages of the weights that a training goes through: SWA and EMA."""

from copy import deepcopy
from functools import partial

from pyml import recorder
from pyml.grad_mode import no_grad
from pyml.nn.modes import modes_kept
from pyml.nn.module import Module
from pyml.nn.norm import BatchNorm
from pyml.ops.creation import tensor
from pyml.ops.elementwise import where
from pyml.ops.shape import check_device
from pyml.optim.lr_scheduler.swa import SWALR
from pyml.options import Range, check_number
from pyml.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_ema_multi_avg_fn(decay=0.999):
    """A function that moves averages towards the weights: a <- decay * a + (1 - decay) * w.

    Args:
        decay: the share of an average that stays, 0 to 1. Default: 0.999.

    Returns:
        f(averages, weights, number averaged), which changes the first list's tensors in place.

    Raises:
        ValueError: if decay is out of range.

    Example:
        >>> average, w = pyml.tensor([1.0]), pyml.tensor([2.0])
        >>> pyml.optim.swa_utils.get_ema_multi_avg_fn(0.5)([average], [w], 1)
        >>> average
        tensor([1.5])
    """
    check_number("get_ema_multi_avg_fn", "decay", decay, Range(0, 1))
    return partial(ema_updates, decay)


def get_swa_multi_avg_fn():
    """A function that makes averages of equal weights: a <- a + (w - a) / (n + 1).

    Returns:
        f(averages, weights, n), with n the number of weights averaged so far, which changes the
        first list's tensors in place.
    """
    return swa_updates


def get_ema_avg_fn(decay=0.999):
    """A function of one average: decay * a + (1 - decay) * w.

    Args:
        decay: the share of an average that stays, 0 to 1. Default: 0.999.

    Returns:
        f(average, weight, number averaged), which returns the new average.

    Raises:
        ValueError: if decay is out of range.
    """
    check_number("get_ema_avg_fn", "decay", decay, Range(0, 1))
    return partial(ema_update, decay)


def get_swa_avg_fn():
    """A function of one average of equal weights: a + (w - a) / (n + 1).

    Returns:
        f(average, weight, n), with n the number of weights averaged so far, which returns the new
        average.
    """
    return swa_update


# functions of the module, so that what holds them can be pickled


@no_grad()
def ema_updates(decay, ema_param_list, current_param_list, _):
    for average, w in zip(ema_param_list, current_param_list, strict=True):
        if average.is_floating_point():
            average.lerp_(w, 1 - decay)
        else:
            average.copy_(average.double() * decay + w.double() * (1 - decay))


@no_grad()
def swa_updates(averaged_param_list, current_param_list, num_averaged):
    count = as_count(num_averaged) + 1
    for average, w in zip(averaged_param_list, current_param_list, strict=True):
        if average.is_floating_point():
            average.lerp_(w, 1 / count)
        else:
            average.copy_(average.double() + (w.double() - average.double()) / count)


@no_grad()
def ema_update(decay, ema_param, current_param, num_averaged):
    return decay * ema_param + (1 - decay) * current_param


@no_grad()
def swa_update(averaged_param, current_param, num_averaged):
    return averaged_param + (current_param - averaged_param) / (as_count(num_averaged) + 1)


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those that the model goes through.

    The first update_parameters() copies the model's parameters, the others average: with equal
    weights (stochastic weight averaging, SWA), with exponential ones (EMA: get_ema_multi_avg_fn),
    or as a function says. A recorded step takes the functions of this module; it may refuse others.

    SWA: Izmailov et al. 2018 (arXiv:1803.05407); EMA: Polyak & Juditsky 1992, with exponential
    weights.

    Args:
        model: a Module; it is copied.
        device: "cpu" or None.
        avg_fn: a function (average, weight, number averaged) that returns the new average.
            Default: none.
        multi_avg_fn: a function of lists (averages, weights, number averaged) that changes the
            averages in place, called once for each dtype. Default: equal weights.
        use_buffers: average buffers too, rounded towards 0 where they are integers; else they are
            copied from the model each time. Default: False.

    Attributes:
        module: the copy.
        n_averaged: buffer, the number of updates, int64.

    Raises:
        TypeError: if model is no Module, or a function none.
        ValueError: if avg_fn and multi_avg_fn are both given.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> averaged = pyml.optim.swa_utils.AveragedModel(model)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(model.weight, value)
        ...     averaged.update_parameters(model)
        >>> averaged.module.weight.item()
        3.0
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel: model is a {type(model).__name__}, not a Module")
        for name, function in (("avg_fn", avg_fn), ("multi_avg_fn", multi_avg_fn)):
            if function is not None and not callable(function):
                raise TypeError(f"AveragedModel: {name} is {function!r}, it must be a function")
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: pass avg_fn or multi_avg_fn, not both")
        check_device(device, "AveragedModel")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """What the copy makes of its input."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model):
        """Takes the parameters of a model into the averages.

        Args:
            model: a Module with the parameters and buffers of the one that was copied.

        Raises:
            TypeError: if it is no Module.
            ValueError: if it has other parameters or buffers. Nothing has changed then.
        """
        if not isinstance(model, Module):
            raise TypeError(f"update_parameters: model is a {type(model).__name__}, not a Module")
        averaged = pairs("parameters", self.module.parameters(), model.parameters())
        copied = pairs("buffers", self.module.buffers(), model.buffers())
        if self.use_buffers:
            averaged, copied = averaged + copied, []
        if recorder.is_recording():  # which may have no branch on a number of a tensor
            first = as_count(self.n_averaged) == 0
            self._average(averaged)
            for average, w in averaged:
                average.copy_(where(first, as_real(w), as_real(average)))
        elif self.n_averaged == 0:
            copied = averaged + copied
        else:
            self._average(averaged)
        for copy, original in copied:
            copy.copy_(original)
        self.n_averaged.copy_(as_count(self.n_averaged) + 1)

    def _average(self, averaged):
        if self.avg_fn is not None:
            for average, w in averaged:
                average.copy_(self.avg_fn(average, w, self.n_averaged))
            return
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        by_dtype = {}
        for average, w in averaged:
            by_dtype.setdefault(average.dtype, []).append((average, w))
        for of_dtype in by_dtype.values():
            averages, weights = zip(*of_dtype, strict=True)
            update(list(averages), list(weights), self.n_averaged)


@no_grad()
def update_bn(loader, model, device=None):
    """Computes the running statistics of BatchNorm layers anew, as plain averages over batches.

    An AveragedModel needs it: the statistics of its layers are not those of averaged weights.

    Args:
        loader: what yields batches: Tensors, or lists or tuples whose first is the model's input.
        model: a Module; its layers are in training mode meanwhile, and then in the mode they had.
        device: "cpu" or None.

    Raises:
        TypeError: if model is no Module.
        what loader and model raise; momentum and modes are as before then.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(1))
        >>> pyml.optim.swa_utils.update_bn([pyml.tensor([[1.0], [3.0]])], model)
        >>> model[0].running_mean
        tensor([2.])
    """
    if not isinstance(model, Module):
        raise TypeError(f"update_bn: model is a {type(model).__name__}, not a Module")
    check_device(device, "update_bn")
    layers = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    with modes_kept(model):
        model.train()
        try:
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


def pairs(what, own, others):
    """[(the average, the model's)] of parameters or buffers, on the model's memory; checked."""
    own = [each.detach() for each in own]
    others = [each.detach() for each in others]
    if [each.shape for each in own] != [each.shape for each in others]:
        raise ValueError(
            f"update_parameters: the model has {what} of shapes "
            f"{[tuple(each.shape) for each in others]}, the averages "
            f"{[tuple(each.shape) for each in own]}; pass the model that was copied"
        )
    return list(zip(own, others, strict=True))


def as_count(number):
    """A count to compute with: a recorded step computes with float64, not with integers."""
    return number.double() if isinstance(number, Tensor) else number


def as_real(values):
    return values if values.is_floating_point() else values.double()
