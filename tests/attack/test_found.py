"""What attacks have found: a call for each kind of fault."""

import numpy as np
import pytest

import pyml
from attack import surface
from pyml import distributions, linalg, nn, optim, tabular
from pyml.nn.utils.prefix import consume_prefix_in_state_dict_if_present

inf = float("inf")


def hooked(register, make):
    """What make() raises under a registration hook that returns a number."""

    def call():
        handle = register(lambda module, name, value: 3)
        try:
            make()
        finally:
            handle.remove()

    return call


def gradcheck_of_other_outputs():
    outputs = iter([2, 1, 1, 1, 1, 1])
    x = pyml.ones(1, dtype=pyml.float64, requires_grad=True)
    pyml.autograd.gradcheck(lambda x: [x * 1 for _ in range(next(outputs))], x)


def nested_in_itself():
    nest = [1]
    nest.append(nest)
    adam = optim.Adam([pyml.ones(1, requires_grad=True)])
    state = adam.state_dict()
    state["state"][0] = {
        "step": 1.0,
        **{name: np.zeros(1, np.float32) for name in ("exp_avg", "exp_avg_sq")},
        "more": nest,
    }
    adam.load_state_dict(state)


REFUSED = [
    (lambda: nn.AnnealedDropout()(0), TypeError, "input must be a Tensor, not int"),
    (lambda: nn.Linear(1, 1).state_dict(prefix=slice(1)), TypeError, "prefix is slice"),
    (lambda: nn.MultiMarginLoss()(pyml.tensor(1.0), "x"), TypeError, "target must be a Tensor"),
    (
        lambda: distributions.ContinuousBernoulli(0.5, lims=slice(1)),
        TypeError,
        "lims is slice.*must be two numbers",
    ),
    (lambda: tabular.CategoryCodes([["a"]]).begin(1e308), TypeError, "must be a Tensor, not float"),
    (lambda: pyml.ones(2, 2).triu(-(2**64)), ValueError, "diagonal is .* fit into int64"),
    (lambda: pyml.tril_indices(2, 2, 2**64), ValueError, "offset is .* fit into int64"),
    (lambda: nn.functional.softmin(pyml.ones(2), _stacklevel=2**63), ValueError, "_stacklevel is"),
    (
        hooked(nn.hooks.register_module_parameter_registration_hook, nn.PReLU),
        TypeError,
        "returns a 'int' for 'weight' .nn.Parameter or None expected",
    ),
    (
        hooked(nn.hooks.register_module_buffer_registration_hook, lambda: nn.BatchNorm1d(1)),
        TypeError,
        "Tensor or None expected",
    ),
    (
        hooked(nn.hooks.register_module_module_registration_hook, lambda: nn.Sequential(nn.ReLU())),
        TypeError,
        "nn.Module or None expected",
    ),
    (lambda: pyml.plot.weight_histograms(nn.Linear(1, 1), path=[1]), TypeError, "path is a list"),
    (lambda: pyml.zeros(1).cos_(out=pyml.zeros(1)), TypeError, "out is given"),
    (
        lambda: distributions.transforms.CorrCholeskyTransform().log_abs_det_jacobian(
            pyml.tensor(1.0), pyml.tensor(1.0)
        ),
        ValueError,
        "2 are needed",
    ),
    (
        lambda: consume_prefix_in_state_dict_if_present(pyml.ones(1), "a"),
        TypeError,
        "state_dict is a Tensor",
    ),
    (
        lambda: consume_prefix_in_state_dict_if_present({"a": 1}, slice(1)),
        TypeError,
        "prefix is slice",
    ),
    (
        lambda: pyml.func.input_derivatives(True, pyml.ones(1), []),
        TypeError,
        "model is a bool",
    ),
    (
        lambda: pyml.tensordot(pyml.tensor(1), pyml.tensor(1), dims=(0, -1)),
        IndexError,
        "without dimensions",
    ),
    (lambda: pyml.zeros(1).histc(2**64), ValueError, "bins is .* fit into int64"),
    (lambda: pyml.frombuffer(b"", dtype="int8", count=2**64), ValueError, "count is"),
    (lambda: pyml.zeros(1).nonzero_static(size=1, fill_value=2**64), ValueError, "fill_value is"),
    (lambda: pyml.gradient(pyml.tensor(1.0), dim=0), ValueError, "no dimensions"),
    (
        lambda: pyml.autograd.gradgradcheck(
            pyml.exp, pyml.ones(1, dtype=pyml.float64, requires_grad=True), "x"
        ),
        TypeError,
        "grad_outputs must be a Tensor",
    ),
    (lambda: pyml.arange(3, step=2**64), ValueError, "step is .* fit into int64"),
    (gradcheck_of_other_outputs, pyml.autograd.GradcheckError, "called again"),
    (
        lambda: tabular.split(pyml.ones(5, 5), stratify="x"),
        TypeError,
        "stratify is 'x', the table is a Tensor",
    ),
    (nested_in_itself, ValueError, "holds itself"),
    (lambda: nn.utils.remove_spectral_norm(slice(1)), TypeError, "module is a slice"),
    (lambda: nn.utils.prune.identity(nn.ReLU(), "a"), AttributeError, "has no parameter named"),
    (lambda: nn.utils.prune.PruningContainer("a"), TypeError, "not a BasePruningMethod"),
    (lambda: nn.utils.prune.PruningContainer()[0], IndexError, "index 0 is out of range"),
    (lambda: nn.utils.prune.global_unstructured([3], None), TypeError, "3 is no pair"),
    (lambda: nn.utils.prune.global_unstructured([], 3), TypeError, "pruning_method is 3"),
    (
        lambda: consume_prefix_in_state_dict_if_present({None: 1}, "a"),
        TypeError,
        "names must be strings",
    ),
    (lambda: pyml.arange(0, 2**64, 2**62), ValueError, "do not fit into int64"),
    (lambda: pyml.arange(0.0, 10**400), ValueError, "does not fit dtype float64"),
    (lambda: optim.Adagrad([()]), TypeError, "is a tuple, it must be a Tensor"),
    (lambda: pyml.set_default_dtype("\ud800"), TypeError, "must be float32 or float64"),
    (lambda: pyml.io.load_metadata("\ud800"), ValueError, "which no file can be called"),
    (lambda: pyml.ones(3)[2**63], IndexError, "is out of range, whatever the size"),
    (lambda: pyml.ones(3)[[2**64 - 1]], IndexError, "is out of range"),
    (lambda: pyml.ones(3, 2)[:, :, None][[0], [2**64 - 1]], IndexError, "is out of"),
    (
        lambda: nn.functional.cross_entropy(
            pyml.ones(1, 3), pyml.from_numpy(np.array([2**64 - 100], np.uint64))
        ),
        IndexError,
        "9223372036854775807",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused_in_our_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    "change",
    [
        lambda items: nn.utils.soft_threshold_(items, 0.5),
        lambda items: nn.utils.max_norm_(items, 0.5),
    ],
)
def test_nothing_is_changed_before_all_can_be(change):
    first = pyml.ones(2, 2)
    array = np.ones((2, 2), np.float32)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        change([first, pyml.from_numpy(array)])
    assert (first.numpy() == 1).all()


@pytest.mark.parametrize("optimizer", [optim.Adafactor, optim.Muon])
def test_a_step_changes_nothing_where_a_parameter_is_read_only(optimizer):
    array = np.ones((2, 2), np.float32)
    array.flags.writeable = False
    params = [pyml.ones(2, 2), pyml.from_numpy(array)]
    optimizer = optimizer(params)
    for p in params:
        p.requires_grad_().grad = pyml.ones(2, 2)
    with pytest.raises(ValueError, match="parameter 1 is on read-only memory"):
        optimizer.step()
    assert not optimizer.state
    assert (params[0].detach().numpy() == 1).all()


def test_a_module_is_not_changed_where_eps_is_none():
    layer = nn.Linear(3, 2)
    with pytest.raises(TypeError, match=r"eps is .* it must be a number"):
        nn.utils.spectral_norm(layer, eps=slice(1))
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_category_codes_begin_changes_all_or_nothing():
    codes = tabular.CategoryCodes([["a", "b", "c"], ["a", "b"]])
    before = codes.codes_0.clone()
    with pytest.raises(IndexError):
        codes.begin(pyml.tensor([[1, 1], [2, 7]]))
    assert (codes.codes_0 == before).all()


def test_a_half_built_parameter_dict_is_not_changed():
    half_built = nn.ParameterDict.__new__(nn.ParameterDict)
    with pytest.raises(AttributeError):
        half_built["a"] = pyml.ones(1)
    assert not half_built._registered


@pytest.mark.parametrize(
    "function",
    [linalg.svd, linalg.pinv, linalg.svdvals, lambda A: linalg.lstsq(A, pyml.ones(3, 1))],
)
def test_singular_values_of_the_infinite(function):
    """LAPACK's iterations do not end for this matrix."""
    with pytest.raises(linalg.LinAlgError, match="an element is infinite or NaN"):
        function(pyml.tensor([[0.0] * 5, [inf] * 5, [1.0] * 5]))


@pytest.mark.parametrize("name", ["atan", "tan", "log10", "exp2", "cosh", "asinh", "atan2"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_strides(name, dtype):
    values = np.random.default_rng(0).uniform(0.1, 3, 1000).astype(dtype)
    more = [pyml.from_numpy(values)] if name == "atan2" else []
    wanted = getattr(pyml, name)(pyml.from_numpy(values), *more).numpy()
    backwards = values[::-1].copy()[::-1]
    more = [pyml.from_numpy(backwards)] if name == "atan2" else []
    np.testing.assert_array_equal(getattr(pyml, name)(pyml.from_numpy(backwards), *more), wanted)
    for i in range(0, 1000, 50):  # strides that no element needs
        one = pyml.from_numpy(values[i : i + 1][::-1])
        assert one.stride() == (-1,)
        more = [one] if name == "atan2" else []
        assert getattr(pyml, name)(one, *more).item() == wanted[i]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_parameters_of_several_dtypes_are_drawn_of(dtype):
    """The kernel has read an array of bytes as one of floats."""

    def draw(dtype):
        pyml.manual_seed(0)
        angles = distributions.VonMises(pyml.zeros(1000), pyml.full((1000,), 3, dtype=dtype))
        return angles.sample()

    assert draw(dtype).dtype == (pyml.float64 if dtype == "float64" else pyml.float32)
    np.testing.assert_allclose(draw(dtype), draw("float32"), rtol=1e-5, atol=1e-6)


def test_a_draw_of_targets_does_not_depend_on_the_others():
    targets = surface.targets()
    some = tuple(target for i, target in enumerate(targets) if i % 7)
    kept = set(some)
    for case in range(300):
        drawn, again = (surface.one_of(t, np.random.default_rng(case)) for t in (targets, some))
        assert again == drawn or drawn not in kept


def test_integers_of_any_size():
    assert pyml.linspace(-(2**64), pyml.tensor(0.0), 3).tolist() == [-(2.0**64), -(2.0**63), 0]
    large = pyml.arange(0, 2**64, 2**62, dtype=pyml.float64)
    assert large.tolist() == [0, 2.0**62, 2.0**63, 3 * 2.0**62]
    assert pyml.typed.UInt64Tensor(np.True_).item() == 1


def test_nothing_is_drawn_with_a_number_that_is_too_large():
    generator = pyml.Generator(1)
    before = generator.get_state().copy()
    with pytest.raises(ValueError, match="does not fit dtype float64"):
        pyml.normal(10**400, generator=generator)
    np.testing.assert_array_equal(generator.get_state(), before)


def test_numbers_may_be_tensors():
    assert (pyml.zeros(3).exponential_(pyml.tensor(2.0)) > 0).all()
    assert (pyml.zeros(3).random_(pyml.tensor(2.0)) < 2).all()
    assert pyml.take_along_dim(pyml.tensor(3.0), pyml.tensor(0), 0).item() == 3
