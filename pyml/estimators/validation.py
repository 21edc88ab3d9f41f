"""What estimators' parameters may be, by name."""

import math
from collections.abc import Callable
from numbers import Integral

import numpy as np

from pyml.estimators.losses import REGRESSION
from pyml.estimators.networks import ACTIVATIONS, activation_named
from pyml.estimators.solvers import OPTIMIZERS, SCHEDULES, is_descent
from pyml.options import Range, check_choice, check_counts, check_number


def number(allowed, also=()):
    """A number in a Range, or one of some other values."""

    def check(who, name, value):
        if not any(value is other for other in also):
            if isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{who}: {name} is {value!r}, it must be a number")
            check_number(who, name, value, allowed)

    return check


def integer(least, also=()):
    """An integer of at least that, or one of some other values."""

    def check(who, name, value):
        is_other = isinstance(value, (str, float)) and value in also
        if not is_other:
            check_counts(who, least=least, **{name: value})

    return check


def boolean(who, name, value):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{who}: {name} is {value!r}, it must be True or False")


def choice(names, callables=False, also=()):
    """A name, or a function."""

    def check(who, name, value):
        if any(value is other for other in also) or (callables and isinstance(value, Callable)):
            return
        if not isinstance(value, str):
            kinds = "a name or a function" if callables else "a name"
            raise TypeError(f"{who}: {name} is {value!r}, it must be {kinds}")
        check_choice(who, name, value.lower() if callables else value, tuple(names))

    return check


def widths(who, name, value):
    values = np.atleast_1d(np.asarray(value, dtype=object))
    if values.ndim != 1:
        raise ValueError(f"{who}: {name} is {value!r}, it must be a width or a list of them")
    for width in values:
        if isinstance(width, (bool, np.bool_)) or not isinstance(width, Integral):
            raise TypeError(f"{who}: {name} is {value!r}, widths must be integers")
        if width <= 0:
            raise ValueError(f"{who}: {name} must be > 0, got {value!r}")


def known_activation(who, name, value):
    if not isinstance(value, str):
        raise TypeError(f"{who}: {name} is {value!r}, it must be a name")
    if activation_named(value) is None:
        check_choice(who, name, value, tuple(ACTIVATIONS))


def verbosity(who, name, value):
    if not isinstance(value, (bool, np.bool_)):
        integer(0)(who, name, value)


def weights(who, name, value):
    if value is not None and not isinstance(value, dict):
        if not isinstance(value, (str, list)):
            raise TypeError(f"{who}: {name} is {value!r}, it must be a dict, 'balanced' or None")
        if isinstance(value, str) and value != "balanced":
            raise ValueError(f"{who}: {name} is {value!r}, it must be a dict, 'balanced' or None")


def float_dtype(who, name, value):
    try:
        is_one = value is None or str(np.dtype(value)) in ("float32", "float64")
    except TypeError:  # no dtype
        is_one = False
    if not is_one:
        raise ValueError(f"{who}: {name} is {value!r}, it must be 'float32', 'float64' or None")


SHARE = number(Range(0, 1, "[)"))
POSITIVE = number(Range(0, ends="(]"))
PARAMETERS = {
    "hidden_layer_sizes": widths,
    "activation": known_activation,
    "solver": choice(("lbfgs", "sgd", "adam")),
    "alpha": number(Range(0)),
    "batch_size": integer(1, also=("auto",)),
    "learning_rate": choice(("constant", "invscaling", "adaptive")),
    "learning_rate_init": POSITIVE,
    "power_t": number(Range(0)),
    "max_iter": integer(1),
    "shuffle": boolean,
    "tol": number(Range(0)),
    "verbose": verbosity,
    "warm_start": boolean,
    "momentum": number(Range(0, 1)),
    "nesterovs_momentum": boolean,
    "early_stopping": boolean,
    "validation_fraction": SHARE,
    "beta_1": SHARE,
    "beta_2": SHARE,
    "epsilon": POSITIVE,
    "n_iter_no_change": integer(1, also=(math.inf,)),
    "max_fun": integer(1),
    "dropout": SHARE,
    "batch_norm": boolean,
    "layer_norm": boolean,
    "optimizer": choice(OPTIMIZERS, callables=True, also=(None,)),
    "schedule": choice(SCHEDULES, also=(None,)),
    "n_ensemble": integer(1),
    "max_seconds": number(Range(0, ends="(]"), also=(None,)),
    "dtype": float_dtype,
    "class_weight": weights,
    "label_smoothing": SHARE,
    "loss": choice(REGRESSION),
    "quantile": number(Range(0, 1)),
    "delta": POSITIVE,
}


def check_parameters(estimator):
    """Raises TypeError or ValueError for a parameter that is not as the estimator's class says."""
    who = type(estimator).__name__
    for name, value in estimator.get_params(deep=False).items():
        if name in PARAMETERS:
            PARAMETERS[name](who, name, value)
    if is_descent(estimator):
        if estimator.dropout:
            raise ValueError(
                f"{who}: dropout is {estimator.dropout}, and solver 'lbfgs' needs a loss that is "
                "the same each time; take solver 'adam'"
            )
        if estimator.schedule is not None:
            raise ValueError(f"{who}: schedule is {estimator.schedule!r}, 'lbfgs' has no rate")
