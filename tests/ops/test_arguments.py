"""Arguments of a wrong type, and numbers that are too large: errors that name them."""

import inspect

import pytest

import pyml
from pyml.nn import functional

LEFT = {  # of the arguments after the first
    **dict.fromkeys(("dim", "dim0", "dim1", "start", "source", "destination", "dims"), 0),
    **dict.fromkeys(("chunks", "length", "split_size_or_sections"), 1),
    **dict.fromkeys(("sizes", "shape"), (1,)),
    "index": pyml.zeros(1, dtype="int64"),
}
OTHERS = {  # what takes no Tensor first, and anything but a number
    *("export", "get_num_threads", "host", "initial_seed", "manual_seed", "record", "seed"),
    *("install", "load", "load_checkpoint", "save", "save_checkpoint", "set_grad_enabled"),
    *("set_deterministic_debug_mode", "set_flush_denormal", "set_num_interop_threads"),
    *("set_num_threads", "set_rng_state", "show_config", "is_tensor", "version"),
    *("get_autocast_dtype", "is_autocast_enabled", "set_autocast_enabled"),
    *(
        "einsum",
        "inference_mode",
        "set_anomaly_enabled",
        "set_default_device",
        "set_float32_matmul_precision",
        "set_printoptions",
        "typename",
        "use_deterministic_algorithms",
    ),
}


def functions_of_tensors():
    for home in (pyml, functional):
        for name in home.__all__ if hasattr(home, "__all__") else dir(home):
            function = getattr(home, name)
            if name.startswith("_") or name in OTHERS or inspect.isclass(function):
                continue
            if callable(function) and inspect.signature(function).parameters:
                yield pytest.param(function, id=f"{home.__name__}.{name}")


@pytest.mark.filterwarnings("ignore:.*dim is not given")
@pytest.mark.parametrize("function", list(functions_of_tensors()))
@pytest.mark.parametrize("wrong", [None, "x", object()], ids=["None", "text", "object"])
def test_another_type_is_named(function, wrong):
    _, *others = inspect.signature(function).parameters.values()
    needed = [p for p in others if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    arguments = [LEFT.get(p.name, pyml.ones(1)) for p in needed]
    with pytest.raises(TypeError, match=r"\w+: |Argument 'input'"):
        function(wrong, *arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t + 2**70,
        lambda t: 2**70 - t,
        lambda t: t == 2**70,
        lambda t: pyml.maximum(t, -(2**63) - 1),
        lambda t: pyml.clamp(t, min=2**70),
        lambda t: t.clamp_(max=-(2**70)),
        lambda t: pyml.where(t > 0, 2**70, t),
        lambda t: pyml.full((2,), 2**70, dtype="int64"),
        lambda t: t.fill_(2**70),
        lambda t: t.__setitem__(0, 2**70),
        lambda t: pyml.add(2**70, 1),
        lambda t: t.to(pyml.int8) + 300,
    ],
)
def test_numbers_that_no_integer_dtype_holds(call):
    t = pyml.ones(2, dtype="int64")
    with pytest.raises(ValueError, match=r"^\w+: .* do(es)? not fit (into|dtype) int"):
        call(t)
    assert t.tolist() == [1, 1]
    assert (pyml.ones(2) + 2**70)[0].item() == 2.0**70


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: functional.nll_loss(pyml.zeros(2, 3), pyml.tensor([0, 1]), ignore_index=2**70),
            ValueError,
            "nll_loss: ignore_index is",
        ),
        (
            lambda: functional.cross_entropy(
                pyml.zeros(2, 3), pyml.tensor([0, 1]), ignore_index=-(2**70)
            ),
            ValueError,
            "cross_entropy: ignore_index is",
        ),
        (
            lambda: pyml.nn.LinearCrossEntropyLoss(3, 2, weight=0.5),
            TypeError,
            "weight is a float, it must be a Tensor",
        ),
        (
            lambda: pyml.pytree.register_pytree_node(2.5, len, len),
            TypeError,
            "cls is 2.5, it must be a class",
        ),
        (
            lambda: pyml.func.stack_module_state({"weight": 1}),
            TypeError,
            r"models\[0\] is a str, it must be a Module",
        ),
    ],
)
def test_what_cannot_be_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_ends_may_be_tensors_of_one_number():
    ends = pyml.tensor(1.0), pyml.tensor([[3]])
    assert pyml.linspace(*ends, 3).tolist() == [1, 2, 3]
    assert pyml.logspace(*ends, 3, base=pyml.tensor(2.0)).tolist() == [2, 4, 8]
