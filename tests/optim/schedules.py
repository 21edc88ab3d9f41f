"""A table of all schedules: tested against their closed forms, saved and resumed, recorded, and
beside PyTorch's."""

import functools
import importlib
import math
from collections.abc import Callable
from typing import NamedTuple

from helpers.ids import without_addresses
from pyml.optim import lr_scheduler


class Schedule(NamedTuple):
    """A schedule with options.

    Attributes:
        name: in pyml.optim.lr_scheduler and torch.optim.lr_scheduler.
        options: keyword arguments.
        rate: (epoch, initial rate) -> the rate, in closed form.
    """

    name: str
    options: dict
    rate: Callable

    def __str__(self):
        return without_addresses(f"{self.name} {self.options}")

    def make(self, optimizer, modules=lr_scheduler, **more):
        """The scheduler of an optimizer."""
        options = dict(self.options)
        if "schedulers" in options:  # (name, options) of each
            parts = options["schedulers"]
            options["schedulers"] = [getattr(modules, n)(optimizer, **o) for n, o in parts]
        return found(modules, self.name)(optimizer=optimizer, **options, **more)


def found(modules, name):
    """A class of lr_scheduler, or of its neighbour swa_utils."""
    if not hasattr(modules, name):
        neighbour = modules.__name__.replace("lr_scheduler", "swa_utils")
        modules = importlib.import_module(neighbour)
    return getattr(modules, name)


SCHEDULES = []


def rows(name, rate, *options):
    """Adds a row for each dict of options; `rate` takes them too."""
    for chosen in options:
        SCHEDULES.append(
            Schedule(name, chosen, lambda epoch, first, o=chosen: rate(epoch, first, **o))
        )


def step(epoch, first, step_size, gamma=0.1):
    return first * gamma ** (epoch // step_size)


def multi_step(epoch, first, milestones, gamma=0.1):
    return first * gamma ** sum(milestone <= epoch for milestone in milestones)


def exponential(epoch, first, gamma):
    return first * gamma**epoch


def constant(epoch, first, factor=1 / 3, total_iters=5):
    return first * (factor if epoch < total_iters or total_iters == 0 else 1)


def polynomial(epoch, first, total_iters=5, power=1.0):
    done = min(epoch, total_iters) / total_iters if total_iters else 0
    return first * (1 - done) ** power


def linear(epoch, first, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    done = min(epoch, total_iters) / total_iters if total_iters else 0
    return first * (start_factor + (end_factor - start_factor) * done)


def cosine(epoch, first, T_max, eta_min=0.0):
    return eta_min + (first - eta_min) * (1 + math.cos(math.pi * epoch / T_max)) / 2


def restarts(epoch, first, T_0, T_mult=1, eta_min=0.0):
    while epoch >= T_0:
        epoch, T_0 = epoch - T_0, T_0 * T_mult
    return cosine(epoch, first, T_0, eta_min)


HORIZON = 20


class Slope:
    """A function with a state of its own, which is saved."""

    def __init__(self, slope):
        self.slope = slope

    def __call__(self, epoch):
        return 1 / (1 + self.slope * epoch)


def by_function(epoch, first, lr_lambda):
    """The groups' functions are told by the groups' rates, 0.5 and 0.2."""
    f = lr_lambda[first == 0.2] if isinstance(lr_lambda, list) else lr_lambda
    return first * f(epoch)


def by_product(epoch, first, lr_lambda):
    f = lr_lambda[first == 0.2] if isinstance(lr_lambda, list) else lr_lambda
    return first * math.prod(f(k) for k in range(1, epoch + 1))


def one_cycle(
    step, first, max_lr, total_steps, pct_start=0.3, anneal_strategy="cos", three_phase=False, **_
):
    most = max_lr[first == 0.2] if isinstance(max_lr, list) else max_lr
    low, end = most / 25, most / 25e4
    up, last = pct_start * total_steps - 1, total_steps - 1
    ends = [(0, low), (up, most), (2 * up, low), (last, end)]
    if not three_phase:
        del ends[2]
    i = next(i for i in range(1, len(ends)) if step <= ends[i][0] or i == len(ends) - 1)
    (begin, a), (stop, b) = ends[i - 1], ends[i]
    f = (step - begin) / (stop - begin)
    return a + (b - a) * (f if anneal_strategy == "linear" else (1 - math.cos(math.pi * f)) / 2)


def cyclic(step, first, base_lr, max_lr, step_size_up, step_size_down, scale=None, **_):
    low = base_lr[first == 0.2] if isinstance(base_lr, list) else base_lr
    cycle, place = divmod(step, step_size_up + step_size_down)
    h = min(place / step_size_up, 1 - (place - step_size_up) / step_size_down)
    return low + (max_lr - low) * h * CYCLES[scale](cycle + 1, step)


def cyclic_of(**options):
    """`scale` names the scale in closed form."""
    scale = {"triangular2": "halves", "exp_range": "gamma"}.get(options.get("mode"))
    scale = "function" if "scale_fn" in options else scale
    return lambda step, first, **o: cyclic(step, first, **o, scale=scale)


CYCLES = {
    None: lambda cycle, step: 1,
    "halves": lambda cycle, step: 0.5 ** (cycle - 1),
    "gamma": lambda cycle, step: 0.97**step,
    "function": lambda cycle, step: 1 / (1 + step),
}


def closed(name):
    """The closed form of a part of another schedule."""
    return {"ConstantLR": constant, "ExponentialLR": exponential, "LinearLR": linear}[name]


def sequential(epoch, first, schedulers, milestones):
    i = sum(milestone <= epoch for milestone in milestones)
    name, options = schedulers[i]
    return closed(name)(epoch - (milestones[i - 1] if i else 0), first, **options)


def chained(epoch, first, schedulers):
    return math.prod([first, *(closed(name)(epoch, 1.0, **o) for name, o in schedulers)])


PARTS = [
    ("LinearLR", {"start_factor": 0.25, "total_iters": 6}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}),
]
rows(
    "SequentialLR",
    sequential,
    {"schedulers": PARTS[:2], "milestones": [8]},
    {"schedulers": PARTS, "milestones": [4, 10]},
    {"schedulers": PARTS, "milestones": [0, 9]},
    {"schedulers": PARTS, "milestones": [5, 5]},
    {"schedulers": PARTS[:1], "milestones": []},
)
rows("ChainedScheduler", chained, {"schedulers": PARTS}, {"schedulers": PARTS[1:2]})
rows(
    "OneCycleLR",
    one_cycle,
    {"max_lr": 0.8, "total_steps": 75},
    {"max_lr": [0.8, 0.4], "total_steps": 75, "anneal_strategy": "linear", "pct_start": 0.5},
    {"max_lr": 0.8, "total_steps": 80, "three_phase": True, "cycle_momentum": False},
    {"max_lr": 0.8, "total_steps": 75, "base_momentum": [0.5, 0.6], "max_momentum": 0.99},
)
for chosen in (
    {},
    {"mode": "triangular2", "cycle_momentum": False},
    {"mode": "exp_range", "gamma": 0.97, "base_momentum": [0.5, 0.6]},
    {"scale_fn": lambda step: 1 / (1 + step), "scale_mode": "iterations", "max_momentum": 0.95},
    {"base_lr": [0.01, 0.1]},
):
    chosen = {"base_lr": 0.05, "max_lr": 0.9, "step_size_up": 6, "step_size_down": 3} | chosen
    rows("CyclicLR", cyclic_of(**chosen), chosen)
rows(
    "StepLR",
    step,
    {"step_size": 1, "gamma": 0.9},
    {"step_size": 1},
    {"step_size": 7, "gamma": 0.5},
    {"step_size": 50, "gamma": 0.5},
)
rows(
    "MultiStepLR",
    multi_step,
    {"milestones": [30, 3, 12]},
    {"milestones": [0, 5, 5, 20], "gamma": 0.5},
    {"milestones": [], "gamma": 0.5},
)
rows("ExponentialLR", exponential, {"gamma": 0.9}, {"gamma": 1.05})
rows(
    "ConstantLR",
    constant,
    {},
    {"factor": 0.1, "total_iters": 30},
    {"factor": 1.0, "total_iters": 1},
    {"factor": 0.5, "total_iters": 0},
)
rows(
    "PolynomialLR",
    polynomial,
    {},
    {"total_iters": 30, "power": 2.0},
    {"total_iters": 40, "power": 0.5},
    {"total_iters": 1, "power": 0.0},
    {"total_iters": 0},
)
rows(
    "LinearLR",
    linear,
    {},
    {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 30},
    {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20},
    {"start_factor": 0.5, "end_factor": 0.5, "total_iters": 1},
    {"start_factor": 0.25, "total_iters": 0},
)
rows(
    "CosineAnnealingWarmRestarts",
    restarts,
    {"T_0": 10},
    {"T_0": 3, "T_mult": 2, "eta_min": 0.01},
    {"T_0": 1, "T_mult": 3},
)
rows(
    "LambdaLR",
    by_function,
    {"lr_lambda": lambda epoch: 0.9**epoch},
    {"lr_lambda": [lambda epoch: min(1, (epoch + 1) / HORIZON), lambda epoch: math.erfc(epoch)]},
    {"lr_lambda": Slope(0.01)},
)
rows(
    "MultiplicativeLR",
    by_product,
    {"lr_lambda": lambda epoch: 0.95},
    {"lr_lambda": [lambda epoch: 1 + math.sin(epoch) / 9, functools.partial(pow, 0.9)]},
    {"lr_lambda": Slope(0.01)},
)
rows("CosineAnnealingLR", cosine, {"T_max": 10}, {"T_max": 30, "eta_min": 0.01}, {"T_max": 1})


def swa(epoch, first, swa_lr, anneal_epochs=10, anneal_strategy="cos"):
    last = swa_lr[first == 0.2] if isinstance(swa_lr, list) else swa_lr
    t = min(1, epoch / anneal_epochs) if anneal_epochs else 1
    return last + (first - last) * (
        1 - t if anneal_strategy == "linear" else (1 + math.cos(math.pi * t)) / 2
    )


rows(
    "SWALR",
    swa,
    {"swa_lr": 0.05},
    {"swa_lr": [0.05, 0.6], "anneal_epochs": 30},
    {"swa_lr": 0.0, "anneal_epochs": 7, "anneal_strategy": "linear"},
    {"swa_lr": 0.05, "anneal_epochs": 1},
    {"swa_lr": 0.05, "anneal_epochs": 0},
)


def cos_log(epoch, first, total_steps, num_cycles=4, flat_cos_decay=False):
    t = min(epoch / total_steps, 1)
    return first * (0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + (2**num_cycles - 1) * t)))


def flat_cos(epoch, first, total_steps):
    t = min(epoch / total_steps, 1)
    return first * (1 if t < 0.5 else (1 + math.cos(math.pi * (2 * t - 1))) / 2)


OWN = "CosLogLR", "FlatCosLR"  # PyTorch has none
rows(
    "CosLogLR",
    cos_log,
    {"total_steps": 60},
    {"total_steps": 200, "num_cycles": 2, "flat_cos_decay": True},
)
rows("FlatCosLR", flat_cos, {"total_steps": 60}, {"total_steps": 1})
