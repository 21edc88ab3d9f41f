"""Schedules that a user's function computes."""

import types
from collections.abc import Mapping
from copy import deepcopy

from pyml.optim.lr_scheduler.base import LRScheduler, check_optimizer
from pyml.optim.lr_scheduler.purity import impurity
from pyml.options import is_number

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _OfFunctions(LRScheduler):
    """What the two have in common: functions of the epoch, one for each group."""

    _apart = ("lr_lambdas",)

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        who = type(self).__name__
        check_optimizer(who, optimizer, last_epoch)
        count = len(optimizer.param_groups)
        if isinstance(lr_lambda, (list, tuple)):
            if len(lr_lambda) != count:
                raise ValueError(
                    f"{who}: lr_lambda has {len(lr_lambda)} functions, the optimizer {count} "
                    "groups; pass one for each, or a single function for all"
                )
            functions = list(lr_lambda)
        else:
            functions = [lr_lambda] * count
        for i, function in enumerate(functions):
            place = f"lr_lambda[{i}]" if isinstance(lr_lambda, (list, tuple)) else "lr_lambda"
            if not callable(function):
                raise TypeError(
                    f"{who}: {place} is {function!r}, it must be a function of the epoch"
                )
        self.lr_lambdas = functions
        super().__init__(optimizer, last_epoch)

    def _factors(self):
        """What the functions give for the epoch, one number a group."""
        given = [function(self.last_epoch) for function in self.lr_lambdas]
        for i, factor in enumerate(given):
            if not is_number(factor):
                raise TypeError(
                    f"{type(self).__name__}: the function of group {i} returned {factor!r} for "
                    f"epoch {self.last_epoch}, it must return a number"
                )
        return [float(factor) for factor in given]

    def _unrecordable(self):
        for i, function in enumerate(self.lr_lambdas):
            if why := impurity(function):
                return f"the function of {type(self).__name__} for group {i}, which {why},"
        return None

    def state_dict(self):
        """Everything but the optimizer and functions, as a dict of plain values.

        "lr_lambdas" has the attributes of a function that is an object with __call__, a copy of
        its __dict__; None of others.
        """
        saved = [saved_function(function) for function in self.lr_lambdas]
        return super().state_dict() | {"lr_lambdas": saved}

    def _read(self, state_dict):
        state = super()._read(state_dict)
        who = f"{type(self).__name__}: state_dict"
        saved = state["lr_lambdas"]
        if len(saved) != len(self.lr_lambdas):
            raise ValueError(
                f"{who}: lr_lambdas has {len(saved)} items, the scheduler "
                f"{len(self.lr_lambdas)} functions"
            )
        for i, (function, attributes) in enumerate(zip(self.lr_lambdas, saved, strict=True)):
            check_saved_function(f"{who}: lr_lambdas[{i}]", function, attributes)
        return state

    def _take(self, state):
        saved = state.pop("lr_lambdas")
        super()._take(state)
        for function, attributes in zip(self.lr_lambdas, saved, strict=True):
            if attributes:
                vars(function).update(attributes)


class LambdaLR(_OfFunctions):
    """Multiplies the initial learning rate by what a function gives for the epoch.

    In epoch k::

        lr = initial_lr * lr_lambda(k)

    Inside of a recorded step the functions must be of numbers alone: constants, variables that the
    step does not change, arithmetic, functions of `math`; another makes the step be refused.

    Args:
        optimizer: an Optimizer.
        lr_lambda: a function of the epoch, an integer, that returns a number; or a list of
            functions, one a group.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if lr_lambda is no function; from step(), if it returns no number.
        ValueError: if there are not as many functions as groups.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        >>> for epoch in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def get_lr(self):
        pairs = zip(self.base_lrs, self._factors(), strict=True)
        return [base * factor for base, factor in pairs]


class MultiplicativeLR(_OfFunctions):
    """Multiplies the learning rate, every epoch, by what a function gives for the epoch.

    In epoch k::

        lr = initial_lr * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(k)

    Inside of a recorded step the functions must be of numbers alone, as those of LambdaLR.

    Args:
        optimizer: an Optimizer.
        lr_lambda: a function of the epoch, an integer >= 1, that returns a number; or a list of
            functions, one a group.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if lr_lambda is no function; from step(), if it returns no number.
        ValueError: if there are not as many functions as groups.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
        >>> for epoch in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def get_lr(self):
        if self._is_initial:
            return self._current()
        pairs = zip(self._current(), self._factors(), strict=True)
        return [lr * factor for lr, factor in pairs]


def saved_function(function):
    """What a state_dict has of a function: a copy of an object's attributes; None of others."""
    of_code = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
    if function is None or isinstance(function, of_code):
        return None
    return deepcopy(getattr(function, "__dict__", None))


def check_saved_function(place, function, attributes):
    """Raises unless `function` can take over the attributes that were saved of one."""
    if attributes is not None and not isinstance(attributes, Mapping):
        raise TypeError(f"{place} is {attributes!r}, it must be None or a dict of attributes")
    if attributes and saved_function(function) is None:
        raise ValueError(
            f"{place} has attributes of an object, the scheduler a {type(function).__name__}; "
            "make it with the object that was saved"
        )
