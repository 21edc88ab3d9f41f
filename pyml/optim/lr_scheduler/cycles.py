"""Schedules that let the learning rate rise and fall, and the momentum against it."""

import math
from collections.abc import Mapping

from pyml.optim.lr_scheduler.base import (
    LRScheduler,
    check_count,
    check_optimizer,
    set_lr,
    undone_if_raised,
)
from pyml.optim.lr_scheduler.functions import check_saved_function, saved_function
from pyml.optim.lr_scheduler.purity import impurity
from pyml.options import Range, check_choice, check_number, is_number

__all__ = ["CyclicLR", "OneCycleLR"]

RATES = Range(0, math.inf, "[)")
ABOVE_0 = Range(0, math.inf, "()")
STRATEGIES = ("cos", "linear")


class _WithMomentum(LRScheduler):
    """What the two have in common: with the rates a step sets momenta, or the first of betas."""

    def _set_momenta(self, momenta):
        for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _find_momentum(self, optimizer, cycle_momentum):
        """Sets which option is the momentum."""
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = "betas" in optimizer.defaults

    def _begin_momenta(self, optimizer, low, high):
        """Starts anew: the momenta begin with the highest."""
        for group, least, most in zip(optimizer.param_groups, low, high, strict=True):
            group["max_momentum"], group["base_momentum"] = most, least
        self._set_momenta(high)

    def _check_momentum(self, who, options):
        if not isinstance(options["cycle_momentum"], bool):
            raise TypeError(
                f"{who}: cycle_momentum is {options['cycle_momentum']!r}, it must be True or False"
            )
        defaults = options["optimizer"].defaults
        if options["cycle_momentum"] and not ("momentum" in defaults or "betas" in defaults):
            raise ValueError(
                f"{who}: {type(options['optimizer']).__name__} has no momentum or betas to change; "
                "pass cycle_momentum=False"
            )


class OneCycleLR(_WithMomentum):
    """Lets the learning rate rise to max_lr and fall far below where it began, in one cycle.

    In step k of n = total_steps, with f going from 0 to 1 between the ends of a phase::

        lr = end + (start - end) * (1 + cos(pi * f)) / 2      anneal_strategy "cos"
        lr = start + (end - start) * f                        anneal_strategy "linear"

    from max_lr / div_factor to max_lr until step pct_start * n - 1, and from there to
    max_lr / div_factor / final_div_factor in step n - 1; with three_phase first back to
    max_lr / div_factor, as long as it rose. The momentum falls from max_momentum to base_momentum
    while the rate rises, and the other way round. Smith & Topin 2017 (arXiv:1708.07120).

    step() is called after each batch. In step k > n it raises.

    Args:
        optimizer: an Optimizer.
        max_lr: the highest rate, or a list of them, one a group.
        total_steps: n, an integer >= 1. Default: epochs * steps_per_epoch.
        epochs, steps_per_epoch: integers >= 1, in place of total_steps. Default: none.
        pct_start: the share of steps in which the rate rises, in [0, 1]. Default: 0.3.
        anneal_strategy: "cos" or "linear". Default: "cos".
        cycle_momentum: whether "momentum", or the first of "betas", changes too. Default: True.
        base_momentum: the lowest momentum, or a list of them. Default: 0.85.
        max_momentum: the highest, or a list of them. Default: 0.95.
        div_factor: max_lr over the first rate, > 0. Default: 25.
        final_div_factor: the first rate over the last one, > 0. Default: 1e4.
        three_phase: whether the rate falls in two phases. Default: False.
        last_epoch: the step to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, there is no number of steps, the optimizer has no
            momentum; from step(), if all steps have been made.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        >>> scheduler = pyml.optim.lr_scheduler.OneCycleLR(
        ...     optimizer, max_lr=1.0, total_steps=5, pct_start=0.6, anneal_strategy="linear"
        ... )
        >>> rates = scheduler.get_last_lr()
        >>> for batch in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates += scheduler.get_last_lr()
        >>> [round(rate, 6) for rate in rates]
        [0.04, 0.52, 1.0, 0.500002, 4e-06]
    """

    def __init__(
        self,
        optimizer,
        max_lr,
        total_steps=None,
        epochs=None,
        steps_per_epoch=None,
        pct_start=0.3,
        anneal_strategy="cos",
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        last_epoch=-1,
    ):
        who = "OneCycleLR"
        check_optimizer(who, optimizer, last_epoch)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError(f"{who}: pass total_steps, or epochs and steps_per_epoch")
        if total_steps is None:
            check_count(who, "epochs", epochs, 1)
            check_count(who, "steps_per_epoch", steps_per_epoch, 1)
            total_steps = epochs * steps_per_epoch
        check_count(who, "total_steps", total_steps, 1)
        check_number(who, "pct_start", pct_start, Range(0, 1))
        check_number(who, "div_factor", div_factor, ABOVE_0)
        check_number(who, "final_div_factor", final_div_factor, ABOVE_0)
        max_lrs = one_a_group(who, "max_lr", max_lr, optimizer, RATES)
        low = one_a_group(who, "base_momentum", base_momentum, optimizer, RATES)
        high = one_a_group(who, "max_momentum", max_momentum, optimizer, RATES)
        self.optimizer = optimizer
        self.total_steps = total_steps
        self._schedule_phases = phases(total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        self._find_momentum(optimizer, cycle_momentum)
        self._check(self.__dict__)
        needed = ["max_lr", "min_lr", *(["max_momentum"] if cycle_momentum else [])]
        for i, group in enumerate(optimizer.param_groups):
            lacking = [name for name in needed if name not in group]
            if last_epoch != -1 and lacking:
                raise KeyError(
                    f"param_groups[{i}] has no {lacking[0]!r}, which last_epoch={last_epoch} "
                    "needs; load the optimizer's state_dict first, or start with last_epoch=-1"
                )
        with undone_if_raised(optimizer):
            if last_epoch == -1:
                for group, most in zip(optimizer.param_groups, max_lrs, strict=True):
                    group["initial_lr"] = most / div_factor
                    group["max_lr"] = most
                    group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    self._begin_momenta(optimizer, low, high)
            super().__init__(optimizer, last_epoch)

    def _check(self, options):
        who = "OneCycleLR"
        check_count(who, "total_steps", options["total_steps"], 1)
        check_choice(who, "anneal_strategy", options["_anneal_func_type"], STRATEGIES)
        for i, phase in enumerate(options["_schedule_phases"]):
            place = f"{who}: _schedule_phases[{i}]"
            if not isinstance(phase, Mapping) or set(phase) != {"end_step", *ENDS}:
                raise ValueError(f"{place} is {phase!r}, it must be a dict of a phase")
            if not is_number(phase["end_step"]) or not all(
                phase[name] in ENDS[name] for name in ENDS
            ):
                raise ValueError(f"{place} is {phase!r}, which is no phase of a cycle")
        if not options["_schedule_phases"]:
            raise ValueError(f"{who}: _schedule_phases is empty, it must have a phase")
        self._check_momentum(who, options)

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: step {self.last_epoch} is behind the cycle, whose total_steps is "
                f"{self.total_steps}; make it longer, or stop calling step()"
            )
        return self._annealed("lr")

    def _take_rates(self):
        rates = self.get_lr()
        momenta = self._annealed("momentum") if self.cycle_momentum else []
        self._set(rates)
        if momenta:
            self._set_momenta(momenta)

    def _annealed(self, what):
        """The rates or momenta, one a group."""
        first = 0.0
        for phase in self._schedule_phases:
            last = phase["end_step"]
            if self.last_epoch <= last or phase is self._schedule_phases[-1]:
                break
            first = last
        done = (self.last_epoch - first) / (last - first) if last != first else 1.0
        made = []
        for group in self.optimizer.param_groups:
            start, end = group[phase[f"start_{what}"]], group[phase[f"end_{what}"]]
            if self._anneal_func_type == "linear":
                made.append((end - start) * done + start)
            else:
                made.append(end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1))
        return made


# What the ends of a phase may be: options of a group.
ENDS = {
    "start_lr": ("initial_lr", "max_lr", "min_lr"),
    "end_lr": ("initial_lr", "max_lr", "min_lr"),
    "start_momentum": ("max_momentum", "base_momentum"),
    "end_momentum": ("max_momentum", "base_momentum"),
}


def phases(total_steps, pct_start, three_phase):
    """The phases of a cycle: their last steps, and of which option to which they go."""
    up = float(pct_start * total_steps) - 1
    rows = [(up, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
    last = total_steps - 1
    if three_phase:
        back = float(2 * pct_start * total_steps) - 2
        rows.append((back, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
        rows.append((last, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
    else:
        rows.append((last, "max_lr", "min_lr", "base_momentum", "max_momentum"))
    return [dict(zip(("end_step", *ENDS), row, strict=True)) for row in rows]


class CyclicLR(_WithMomentum):
    """Lets the learning rate rise and fall between two rates, again and again.

    In step k, with n = step_size_up + step_size_down, c = floor(1 + k / n) the cycle, and h that
    rises linearly from 0 to 1 in step_size_up steps and falls to 0 in step_size_down::

        lr = base_lr + (max_lr - base_lr) * h * scale
        momentum = max_momentum - (max_momentum - base_momentum) * h * scale

    where scale is 1 (mode "triangular"), 1 / 2**(c - 1) ("triangular2"), gamma**k ("exp_range"),
    or what scale_fn gives. Smith 2017 (arXiv:1506.01186). step() is called after each batch.

    Inside of a recorded step scale_fn must be of numbers alone, as functions of LambdaLR.

    Args:
        optimizer: an Optimizer; the rates that it has are not used.
        base_lr: the lowest rate, or a list of them, one a group.
        max_lr: the highest rate of the first cycle, or a list of them.
        step_size_up: steps in which the rate rises, > 0. Default: 2000.
        step_size_down: steps in which it falls, >= 0. Default: as many.
        mode: "triangular", "triangular2" or "exp_range"; not used with scale_fn. Default:
            "triangular".
        gamma: of "exp_range". Default: 1.
        scale_fn: a function of c or of k that returns a number. Default: as mode says.
        scale_mode: what scale_fn is a function of: "cycle" or "iterations". Default: "cycle".
        cycle_momentum: whether "momentum", or the first of "betas", changes too. Default: True.
        base_momentum: the lowest momentum of the first cycle, or a list of them. Default: 0.8.
        max_momentum: the highest, or a list of them. Default: 0.9.
        last_epoch: the step to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, or the optimizer has no momentum.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        >>> scheduler = pyml.optim.lr_scheduler.CyclicLR(optimizer, 0.25, 0.75, step_size_up=2)
        >>> rates = scheduler.get_last_lr()
        >>> for batch in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates += scheduler.get_last_lr()
        >>> rates
        [0.25, 0.5, 0.75, 0.5, 0.25]
    """

    _apart = ("_scale_fn_custom",)

    def __init__(
        self,
        optimizer,
        base_lr,
        max_lr,
        step_size_up=2000,
        step_size_down=None,
        mode="triangular",
        gamma=1.0,
        scale_fn=None,
        scale_mode="cycle",
        cycle_momentum=True,
        base_momentum=0.8,
        max_momentum=0.9,
        last_epoch=-1,
    ):
        who = "CyclicLR"
        check_optimizer(who, optimizer, last_epoch)
        check_number(who, "step_size_up", step_size_up, ABOVE_0)
        if step_size_down is not None:
            check_number(who, "step_size_down", step_size_down, RATES)
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"{who}: scale_fn is {scale_fn!r}, it must be a function of a number")
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        self.optimizer = optimizer
        self.base_lrs = one_a_group(who, "base_lr", base_lr, optimizer, RATES)
        self.max_lrs = one_a_group(who, "max_lr", max_lr, optimizer, RATES)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        self.mode, self.gamma = mode, gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._find_momentum(optimizer, cycle_momentum)
        if cycle_momentum:
            momenta = {"base_momentum": base_momentum, "max_momentum": max_momentum}
            for name, value in momenta.items():
                setattr(self, f"{name}s", one_a_group(who, name, value, optimizer, RATES))
        self._check(self.__dict__)
        with undone_if_raised(optimizer):
            if last_epoch == -1:
                for group, lr in zip(optimizer.param_groups, self.base_lrs, strict=True):
                    set_lr(group, lr)
                if cycle_momentum:
                    self._begin_momenta(optimizer, self.base_momentums, self.max_momentums)
            super().__init__(optimizer, last_epoch)

    def _check(self, options):
        who = "CyclicLR"
        if self._scale_fn_custom is None and options["mode"] not in MODES:
            raise ValueError(
                f"{who}: mode is {options['mode']!r}, it must be one of {', '.join(MODES)}; "
                "or pass scale_fn"
            )
        check_choice(who, "scale_mode", options["scale_mode"], ("cycle", "iterations"))
        check_number(who, "gamma", options["gamma"], Range(-math.inf, math.inf, "()"))
        check_number(who, "total_size", options["total_size"], ABOVE_0)
        check_number(who, "step_ratio", options["step_ratio"], Range(0, 1, "(]"))
        self._check_momentum(who, options)
        momenta = ("base_momentums", "max_momentums") if options["cycle_momentum"] else ()
        for name in ("max_lrs", *momenta):
            one_a_group(who, name, list(options[name]), self.optimizer, RATES)

    def scale_fn(self, x):
        """The scale of a cycle or of a step, as scale_mode says."""
        if self._scale_fn_custom is not None:
            scale = self._scale_fn_custom(x)
            if not is_number(scale):
                raise TypeError(
                    f"CyclicLR: scale_fn returned {scale!r} for {x}, it must return a number"
                )
            return float(scale)
        return self._scale_fn_ref(self.gamma, x)

    @property
    def _scale_fn_ref(self):
        """The function of the mode; None with a scale_fn."""
        return MODES[self.mode] if self._scale_fn_custom is None else None

    def get_lr(self):
        return self._rates(*self._height())

    def _rates(self, h, scale):
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * h * scale for low, high in pairs]

    def _take_rates(self):
        h, scale = self._height()  # scale_fn is asked once
        self._set(self._rates(h, scale))
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momenta([high - (high - low) * h * scale for low, high in pairs])

    def _height(self):
        """(h, scale) of the step."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        ratio = self.step_ratio
        h = x / ratio if x <= ratio else (x - 1) / (ratio - 1)
        return h, self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def _unrecordable(self):
        function = self._scale_fn_custom
        why = None if function is None else impurity(function)
        return f"the scale_fn of CyclicLR, which {why}," if why else None

    def state_dict(self):
        """Everything but the optimizer and scale_fn, as a dict of plain values.

        "_scale_fn_custom" has the attributes of a scale_fn that is an object with __call__, a copy
        of its __dict__; None of others.
        """
        return super().state_dict() | {"_scale_fn_custom": saved_function(self._scale_fn_custom)}

    def _read(self, state_dict):
        state = super()._read(state_dict)
        place = "CyclicLR: state_dict: _scale_fn_custom"
        check_saved_function(place, self._scale_fn_custom, state["_scale_fn_custom"])
        return state

    def _take(self, state):
        attributes = state.pop("_scale_fn_custom")
        super()._take(state)
        if attributes:
            vars(self._scale_fn_custom).update(attributes)


# (gamma, cycle or step) -> scale
MODES = {
    "triangular": lambda gamma, cycle: 1.0,
    "triangular2": lambda gamma, cycle: math.ldexp(1.0, 1 - cycle),
    "exp_range": lambda gamma, step: gamma**step,
}


def one_a_group(who, name, value, optimizer, allowed):
    """A list of numbers, one a group, of a list or of a number for all."""
    groups = len(optimizer.param_groups)
    several = isinstance(value, (list, tuple))
    if several and len(value) != groups:
        raise ValueError(
            f"{who}: {name} has {len(value)} numbers, the optimizer {groups} groups; {name} must "
            "be one for each, or a single number for all"
        )
    for i, each in enumerate(value if several else [value]):
        check_number(who, f"{name}[{i}]" if several else name, each, allowed)
    return [float(each) for each in value] if several else [float(value)] * groups
