"""What a class of optimizers declares is compared with its kernel when the class is made."""

import pytest

from optim.cases import parameter
from pyml import optim
from pyml.options import Range

RMSPROP = {name: getattr(optim.RMSprop, name) for name in ("_kernel", "_options", "_states")}
WRONG = {
    "an option is forgotten": (
        {"_options": tuple(set(RMSPROP["_options"]) - {"eps"})},
        r"Mine: _options are \['alpha', 'centered', 'lr'.*must be the fields of rmsprop_options",
    ),
    "an option is misspelt": (
        {"_options": ("esp", *(set(RMSPROP["_options"]) - {"eps"}))},
        "_options are .*'esp'.* must be .*'eps'",
    ),
    "an option is there twice": ({"_options": (*RMSPROP["_options"], "lr")}, "_options are"),
    "an array is forgotten": (
        {"_states": {"square_avg": True, "grad_avg": "centered"}},
        "_states has 2 arrays and _numbers 1 numbers, 'rmsprop' has 3 and 1 by its line of csrc",
    ),
    "an array needs what is no option": (
        {"_states": RMSPROP["_states"] | {"grad_avg": "center"}},
        "'grad_avg' needs 'center', which is none of _options",
    ),
    "the step count is forgotten": ({"_numbers": {}}, "_numbers 0 numbers, 'rmsprop' has 3 and 1"),
    "the step count is misspelt": ({"_numbers": {"steps": 0}}, "the first must be 'step'"),
    "a start is of no array": ({"_starts": {"sum": "lr"}}, r"_starts has \['sum'\]"),
    "a range is of no option": ({"_ranges": {"apha": Range(0)}}, r"_ranges has \['apha'\]"),
    "the kernel is no optimizer": ({"_kernel": "grad_norm"}, "'grad_norm' is no optimizer"),
}


@pytest.mark.parametrize("changes, match", WRONG.values(), ids=WRONG)
def test_a_wrong_declaration_is_an_error_of_the_class(changes, match):
    with pytest.raises(TypeError, match=match):
        type("Mine", (optim.Optimizer,), RMSPROP | changes)


def test_a_kernel_that_there_is_not():
    with pytest.raises(ImportError, match="no kernel is called 'rmsprob'"):
        type("Mine", (optim.Optimizer,), RMSPROP | {"_kernel": "rmsprob"})


def test_an_option_without_a_default():
    mine = type("Mine", (optim.Optimizer,), RMSPROP)
    with pytest.raises(TypeError, match=r"Mine: defaults lacks \['alpha', 'centered', 'eps'"):
        mine([parameter([1.0])], {"lr": 0.1})
