"""Every optimizer with every combination of its options against NumPy; state, checks, threads."""

import inspect

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from optim import reference
from optim.cases import CASES, OPTIMIZERS, VALUES, case_id, parameter, starts, tensor, train
from pyml import _kernels, optim
from pyml.tensor import Tensor

NAMES = sorted(VALUES)


def test_every_optimizer_is_in_the_tables():
    assert OPTIMIZERS - VALUES.keys() == set()
    assert OPTIMIZERS - reference.UPDATES.keys() == set()


def make(name, params, **options):
    return getattr(optim, name)(params, **options)


@pytest.mark.parametrize("name, options", CASES, ids=case_id)
def test_fifty_steps(name, options, dtype):
    params = [parameter(w, dtype) for w in starts()]
    optimizer = train(
        lambda groups: make(name, groups, **options), params, lambda g: tensor(g, dtype)
    )
    wanted, states = reference.train(name, options, dtype)
    for p, w, state in zip(params, wanted, states, strict=True):
        assert p.dtype == dtype
        assert_close(p.array, w, tolerances.FIFTY_UPDATES, scale=1 + np.abs(w))
        for key, value in optimizer.state[p].items():
            assert_close(
                value.array,
                np.asarray(state[key]),
                tolerances.FIFTY_UPDATES,
                1 + np.abs(state[key]),
            )


@pytest.mark.parametrize("name", NAMES)
def test_defaults_and_float32_and_float64_in_one_group(name):
    mixed = [parameter([1.0, 2.0], np.float32), parameter([1.0, 2.0]), parameter([3.0], np.float32)]
    alone = [parameter(p.array, p.dtype) for p in mixed]
    optimizers = [make(name, mixed), *(make(name, [p]) for p in alone)]
    for p in mixed + alone:
        p.grad = tensor(np.full(p.shape, 0.5), p.dtype)
    for optimizer in optimizers:
        optimizer.step()
    for p, q in zip(mixed, alone, strict=True):
        assert not np.array_equal(p.array, [1.0, 2.0])
        assert_same_bits(p.array, q.array)


@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_change_a_bit(name, dtype):
    more = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9, "centered": True}}
    options, results = dict(more.get(name, {})), []
    for threads in (1, 2, 3):
        _kernels.set_num_threads(threads)
        rng = np.random.default_rng(0)
        params = [parameter(rng.normal(size=n), dtype) for n in (200_003, 5, 70_001, 1)]
        if name != "Rprop":
            options["weight_decay"] = 0.01
        optimizer = make(name, params, **options)
        for _ in range(3):
            for p in params:
                p.grad = tensor(rng.normal(size=p.shape), dtype)
            optimizer.step()
        results.append(params)
    for params in results[1:]:
        for p, q in zip(params, results[0], strict=True):
            assert_same_bits(p.array, q.array)


@pytest.mark.parametrize("name", NAMES)
def test_parameter_and_gradient_that_are_not_contiguous(name, dtype, rng):
    w, g = rng.normal(size=(2, 6, 4))
    strided = Tensor._on(w.astype(dtype).T, requires_grad=True)
    plain = parameter(w.T.copy(), dtype)
    strided.grad = Tensor._on(np.repeat(g.astype(dtype), 2, axis=0)[::2].T)
    plain.grad = tensor(g.T, dtype)
    for p in (strided, plain):
        optimizer = make(name, [p], lr=0.1)
        optimizer.step()
        optimizer.step()
    assert not strided.is_contiguous()
    assert_same_bits(strided.array, plain.array)


def test_a_gradient_may_be_read_only_or_shared():
    p, q = parameter([1.0]), parameter([2.0])
    grad = np.ones(1)
    grad.flags.writeable = False
    p.grad = q.grad = Tensor._on(grad)
    optim.SGD([p, q], lr=0.5).step()
    assert p.array == 0.5 and q.array == 1.5


def test_parameters_count_as_changed():
    p, q = parameter([1.0]), parameter([1.0])
    p.grad = tensor([1.0])
    optim.SGD([p, q]).step()
    assert p._version == 1
    assert q._version == 0  # it has no gradient


def test_lr_may_be_a_tensor():
    p, q = parameter([1.0]), parameter([1.0])
    p.grad = q.grad = tensor([1.0])
    lr = tensor(0.25)
    optim.SGD([p], lr=lr).step()
    optim.Adam([q], lr=lr, betas=(0.0, 0.5), eps=0).step()
    assert p.array == 0.75 and q.array == 0.75


def test_momentum_switched_on_between_steps():
    """The first step with momentum takes the gradient as it is, as if it were the first of all."""
    p = parameter([0.0])
    optimizer = optim.SGD([p], lr=1, momentum=0, dampening=0.5)
    p.grad = tensor([1.0])
    optimizer.step()
    assert p not in optimizer.state
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"].array == 1
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"].array == 1  # 0.5 * 1 + (1 - 0.5) * 1
    assert p.array == -3


def test_amsgrad_switched_on_between_steps():
    p = parameter([0.0])
    optimizer = optim.Adam([p])
    p.grad = tensor([1.0])
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.step()
    state = optimizer.state[p]
    assert state["max_exp_avg_sq"].array == state["exp_avg_sq"].array


@pytest.mark.parametrize("name", NAMES)
def test_state_is_made_for_parameters_with_a_gradient(name):
    p, q = parameter([1.0]), parameter([1.0])
    optimizer = make(name, [p, q])
    p.grad = tensor([1.0])
    optimizer.step()
    made = {"SGD": [], "Adagrad": [p, q]}.get(
        name, [p]
    )  # Adagrad makes it at once, SGD for momentum
    assert [key is p or key is q for key in optimizer.state] == [True] * len(made)
    for key in made:
        if not optimizer._numbers:  # it keeps no count
            continue
        assert optimizer.state[key]["step"].dtype == np.float64
        assert optimizer.state[key]["step"].item() == (key is p)


class TestNothingChangesWhenAStepRaises:
    """Two groups, of which the second has what is wrong."""

    @pytest.fixture(params=NAMES)
    def optimizer(self, request):
        self.good, self.bad = parameter([1.0, 2.0]), parameter([1.0, 2.0])
        self.good.grad, self.bad.grad = tensor([1.0, 1.0]), tensor([1.0, 1.0])
        options = {"momentum": 0.9} if request.param == "SGD" else {}
        groups = [{"params": [self.good]}, {"params": [self.bad]}]
        return make(request.param, groups, **options)

    def check(self, optimizer, error, match):
        keys = {p: set(values) for p, values in optimizer.state.items()}
        before = self.good.array.copy()
        with pytest.raises(error, match=match):
            optimizer.step()
        assert_same_bits(self.good.array, before)
        assert self.good._version == 0
        assert {p: set(values) for p, values in optimizer.state.items()} == keys

    def test_read_only_parameter(self, optimizer):
        array = self.bad.detach().numpy().copy()
        array.flags.writeable = False
        self.bad.data = pyml.from_numpy(array)
        self.check(optimizer, ValueError, "read-only")

    def test_parameter_of_another_dtype_than_its_gradient(self, optimizer):
        self.bad.grad.data = tensor([1.0, 2.0], np.float32)
        self.check(optimizer, TypeError, "gradient has shape .* and dtype float32")

    def test_parameter_of_another_shape_than_its_gradient(self, optimizer):
        self.bad.grad.data = tensor([1.0, 2.0, 3.0])
        self.check(optimizer, ValueError, r"gradient has shape \(3,\)")

    @pytest.mark.parametrize(
        "state, error",
        [
            (tensor([1.0]), ValueError),
            (tensor([1.0, 2.0], np.float32), TypeError),
            ([1, 2], TypeError),
        ],
        ids=["shape", "dtype", "list"],
    )
    def test_state_that_does_not_fit(self, optimizer, state, error):
        optimizer.step()
        self.good.data = tensor([1.0, 2.0])
        values = optimizer.state[self.bad]
        values[next(key for key in values if key not in optimizer._numbers)] = state
        keys = set(optimizer.state[self.good])
        before = self.good.array.copy()
        with pytest.raises(error, match="state"):
            optimizer.step()
        assert_same_bits(self.good.array, before)
        assert set(optimizer.state[self.good]) == keys

    @pytest.mark.parametrize("count", ["1", [1], tensor([1.0, 2.0])], ids=str)
    def test_step_count_that_is_no_number(self, optimizer, count):
        if not optimizer._numbers:
            pytest.skip("it keeps no count")
        optimizer.state[self.bad]["step"] = count
        self.check(optimizer, TypeError, "'step'")

    def test_missing_option(self, optimizer):
        del optimizer.param_groups[1]["lr"]
        self.check(optimizer, KeyError, "lr")

    def test_next_step_works(self, optimizer):
        del optimizer.param_groups[1]["lr"]
        with pytest.raises(KeyError):
            optimizer.step()
        optimizer.param_groups[1]["lr"] = 0.1
        optimizer.step()
        assert self.good._version == 1


@pytest.mark.parametrize(
    "name, options, match",
    [
        *[(name, {"lr": -1}, "lr is -1, it must be >= 0") for name in NAMES],
        *[(name, {"lr": np.nan}, "lr is nan") for name in NAMES],
        *[(name, {"weight_decay": -1}, "weight_decay is -1") for name in NAMES if name != "Rprop"],
        *[(name, {"eps": -1}, "eps is -1") for name in NAMES if "eps" in VALUES[name]],
        *[(name, {"lr": tensor([1.0, 2.0])}, "lr has 2 elements") for name in NAMES],
        ("SGD", {"momentum": -0.1}, "momentum is -0.1"),
        ("SGD", {"nesterov": True}, "nesterov needs momentum > 0"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening = 0"),
        ("Adagrad", {"lr_decay": -1}, "lr_decay is -1"),
        ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator_value is -1"),
        ("RMSprop", {"alpha": -1}, "alpha is -1"),
        ("RMSprop", {"momentum": -1}, "momentum is -1"),
        ("NAdam", {"momentum_decay": -1}, "momentum_decay is -1"),
        ("Adadelta", {"rho": 1.1}, r"rho is 1.1, it must be in \[0, 1\]"),
        ("Rprop", {"etas": (0.5, 1)}, r"etas\[1\] is 1, it must be > 1"),
        ("Rprop", {"etas": (0, 1.2)}, r"etas\[0\] is 0, it must be in \(0, 1\)"),
        ("Rprop", {"step_sizes": (1, 0.5)}, "the first must be <= the second"),
        ("ASGD", {"lambd": -1}, "lambd is -1"),
        ("ASGD", {"t0": np.nan}, "t0 is nan"),
        ("Lion", {"betas": (0.9, 1.0)}, r"Lion: betas\[1\] is 1.0"),
        ("NAdam", {"betas": (0.9, 1.0)}, r"NAdam: betas\[1\] is 1.0, it must be in \[0, 1\)"),
        ("Adam", {"betas": (1.0, 0.9)}, r"betas\[0\] is 1.0, it must be in \[0, 1\)"),
        ("AdamW", {"betas": (0.9, -0.1)}, r"AdamW: betas\[1\] is -0.1"),
        ("Adam", {"betas": 0.9}, "pair"),
    ],
    ids=case_id,
)
def test_options_out_of_range(name, options, match):
    with pytest.raises(ValueError, match=match):
        make(name, [parameter([1.0])], **options)
    with pytest.raises(ValueError, match=match):
        make(name, [{"params": [parameter([1.0])], **options}])


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_tensors_as_options_where_pytorch_has_none(name):
    one, two = tensor(0.5), tensor(0.75)
    for options, match in [
        ({"lr": one, "foreach": True}, "lr as a Tensor is not supported"),
        ({"betas": (one, two), "foreach": True}, r"betas\[0\] as a Tensor is not supported"),
        ({"betas": (0.5, two)}, "either both floats or both Tensors"),
        ({"betas": (one, 0.75)}, "either both floats or both Tensors"),
    ]:
        with pytest.raises(ValueError, match=match):
            make(name, [parameter([1.0])], **options)
    make(name, [parameter([1.0])], lr=one, betas=(one, two), foreach=True, capturable=True)


@pytest.mark.parametrize("name", NAMES)
def test_options_of_other_implementations_have_no_effect(name):
    names = inspect.signature(getattr(optim, name)).parameters
    option = "fused" if "fused" in names else "capturable"
    optimizer = make(name, [parameter([1.0])], **{option: True, "foreach": True})
    assert option not in optimizer.param_groups[0]


@pytest.mark.parametrize(
    "count", [0, 3.0, tensor(3, np.float32), tensor([3]), pyml.zeros(1)], ids=str
)
def test_a_count_that_the_program_made(count):
    """A class of optimizers of others makes its state: with a count of any kind."""
    runs = []
    for made in (count, tensor(float(count))):
        p = pyml.nn.Parameter(tensor([1.0, 2.0]))
        optimizer = optim.Adam([p], lr=0.1)
        optimizer.state[p].update(
            step=made, exp_avg=pyml.full_like(p, 0.5), exp_avg_sq=pyml.full_like(p, 0.25)
        )
        p.grad = tensor([3.0, 4.0])
        optimizer.step()
        kept = optimizer.state[p]["step"]
        assert kept.dtype == pyml.float64 and kept.shape == () and kept == float(count) + 1
        runs.append(p.detach().numpy())
    assert_same_bits(*runs)
