import numpy as np
import pytest

import pyml
from pyml import nn, ops
from pyml.nn import functional as F

X = np.array([[1.0, 10.0], [3.0, 30.0], [8.0, 20.0]])  # means 4, 20; variances by n: 26/3, 200/3


def normalised(x, mean, var, eps=1e-5):
    return (x - mean) / np.sqrt(np.add(var, eps))


def test_training_and_evaluation():
    norm = nn.BatchNorm1d(2).double()
    y = norm(pyml.tensor(X)).detach().numpy()
    np.testing.assert_allclose(y, normalised(X, [4, 20], [26 / 3, 200 / 3]), rtol=1e-12)
    np.testing.assert_allclose(norm.running_mean.numpy(), [0.4, 2.0], rtol=1e-12)
    np.testing.assert_allclose(norm.running_var.numpy(), [0.9 + 1.3, 0.9 + 10], rtol=1e-12)
    assert norm.num_batches_tracked.item() == 1
    norm.eval()
    y = norm(pyml.tensor(X)).detach().numpy()
    np.testing.assert_allclose(y, normalised(X, [0.4, 2.0], [2.2, 10.9]), rtol=1e-12)
    assert norm.num_batches_tracked.item() == 1


def test_cumulative_average():
    norm = nn.BatchNorm1d(2, momentum=None).double()
    for i in range(3):
        norm(pyml.tensor(X + i))
    np.testing.assert_allclose(norm.running_mean.numpy(), [5, 21], rtol=1e-12)
    np.testing.assert_allclose(norm.running_var.numpy(), [13, 100], rtol=1e-12)
    assert norm.num_batches_tracked.item() == 3


@pytest.mark.parametrize("momentum", [0.1, None])
def test_without_running_statistics(momentum):
    norm = nn.BatchNorm1d(2, momentum=momentum, track_running_stats=False).double()
    assert list(norm.state_dict()) == ["weight", "bias"]
    assert norm.running_mean is norm.running_var is norm.num_batches_tracked is None
    wanted = normalised(X, X.mean(0), X.var(0))
    for mode in (True, False):
        norm.train(mode)
        np.testing.assert_allclose(norm(pyml.tensor(X)).detach().numpy(), wanted, rtol=1e-12)


def test_tracking_turned_off_later():
    norm = nn.BatchNorm1d(2).double()
    norm.track_running_stats = False
    norm(pyml.tensor(X))
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [0, 0]
    norm.eval()
    np.testing.assert_allclose(
        norm(pyml.tensor(X)).detach().numpy(), normalised(X, 0, 1), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["weight", "bias"]),
        ({"bias": False}, ["weight"]),
        ({"affine": False}, []),
        ({"affine": False, "bias": True}, []),
    ],
)
def test_affine(options, names):
    norm = nn.BatchNorm1d(2, **options)
    assert [name for name, _ in norm.named_parameters()] == names
    assert list(norm._parameters) == ["weight", "bias"]
    norm(pyml.tensor(X.astype(np.float32)))


def test_three_dimensions():
    norm = nn.BatchNorm1d(2).double()
    x = np.random.randn(4, 2, 5)
    y = norm(pyml.tensor(x)).detach().numpy()
    wanted = normalised(x, x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True))
    np.testing.assert_allclose(y, wanted, rtol=1e-11)
    one = nn.BatchNorm1d(2)(pyml.ones(1, 2, 3))
    assert one.shape == (1, 2, 3)


def test_reset():
    norm = nn.BatchNorm1d(2)
    norm(pyml.tensor(X.astype(np.float32)))
    norm.weight.data.fill_(3)
    norm.reset_running_stats()
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.running_var.tolist() == [1, 1]
    assert norm.num_batches_tracked.item() == 0
    assert norm.weight.tolist() == [3, 3]
    norm.reset_parameters()
    assert norm.weight.tolist() == [1, 1]
    assert norm.bias.tolist() == [0, 0]


def test_dtype_and_device():
    norm = nn.BatchNorm1d(2, dtype=pyml.float64, device="cpu")
    assert {p.dtype for p in norm.parameters()} == {np.dtype("float64")}
    assert norm.running_var.dtype == np.float64
    assert norm.num_batches_tracked.dtype == np.int64
    assert norm.num_batches_tracked.shape == ()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), r"expected 2D or 3D input \(got 1D input\)"),
        ((2, 2, 2, 2), r"expected 2D or 3D input \(got 4D input\)"),
        ((3, 4), r"must be \(4,\)"),
        ((1, 2), "expected more than 1 value per channel when training"),
        ((1, 2, 1), "expected more than 1 value per channel when training"),
    ],
)
def test_errors_change_nothing(shape, message):
    norm = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match=f"(?i){message}"):
        norm(pyml.ones(*shape))
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.running_var.tolist() == [1, 1]


def test_one_row_in_evaluation():
    norm = nn.BatchNorm1d(2).eval()
    alone = norm(pyml.tensor(X[:1].astype(np.float32))).detach().numpy()
    among = norm(pyml.tensor(X.astype(np.float32))).detach().numpy()[:1]
    np.testing.assert_array_equal(alone, among)


def test_repr():
    assert repr(nn.BatchNorm1d(3, 1e-3, None, False, False)) == (
        "BatchNorm1d(3, eps=0.001, momentum=None, affine=False, bias=False, "
        "track_running_stats=False)"
    )


def test_running_statistics_that_are_not_aligned_are_refused():
    mean = pyml.from_numpy(np.ndarray(2, "float32", np.zeros(16, np.uint8), 1))
    with pytest.raises(ValueError, match="aligned in memory"):
        F.batch_norm(pyml.ones(3, 2), mean, pyml.ones(2), training=True)
    y = F.batch_norm(pyml.ones(3, 2), mean, pyml.ones(2))
    np.testing.assert_allclose(y.numpy(), 1, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e20), ("float64", 1e170)])
def test_gradients_where_squares_are_too_large(dtype, size):
    """By kernels and by operations: those of the normal numbers, smaller by the factor."""
    dy = pyml.tensor([[1.0, 2.0], [-3.0, 0.5], [1.5, 1.0]], dtype=dtype)
    given = []
    for factor, create_graph in ((1, False), (size, False), (size, True)):
        x = pyml.tensor(X * factor, dtype=dtype, requires_grad=True)
        y = ops.batch_norm(x, None, None, training=True, eps=0)
        (dx,) = pyml.autograd.grad(y, x, dy, create_graph=create_graph)
        given.append(dx.detach().numpy() * factor)
    for dx in given[1:]:
        np.testing.assert_allclose(dx, given[0], rtol=1e-3 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize(
    "eps, training, match",
    [
        (0.0, True, "eps must be positive in training, it is 0.0"),
        (float("nan"), True, "eps must be positive"),
        (-1e-5, False, "eps must be non-negative, it is -1e-05"),
    ],
)
def test_eps_out_of_range(eps, training, match):
    norm = nn.BatchNorm1d(2, eps=eps).train(training)
    with pytest.raises(ValueError, match=match):
        norm(pyml.tensor(X).float())
    assert norm.num_batches_tracked.item() == 0
    nn.BatchNorm1d(2, eps=0.0).eval()(pyml.tensor(X).float())


@pytest.mark.parametrize("affine", [True, False])
def test_second_derivatives_of_a_batch_without_values(affine):
    x = pyml.zeros(0, 2, 3, dtype=pyml.float64, requires_grad=True)
    norm = nn.BatchNorm1d(2, affine=affine).double()
    assert pyml.autograd.gradgradcheck(lambda x, *_: norm(x), (x, *norm.parameters()))


# ---- other layers than BatchNorm1d ---------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 2), (0, 2, 5), (3, 2, 0)])
def test_a_batch_without_values(shape):
    norm = nn.BatchNorm1d(2)
    x = pyml.zeros(*shape, requires_grad=True)
    y = norm(x)
    assert y.shape == shape
    y.sum().backward()
    assert x.grad.shape == shape
    assert norm.weight.grad.tolist() == norm.bias.grad.tolist() == [0, 0]
    assert norm.num_batches_tracked.item() == 1
    assert norm.running_mean.tolist() == [0, 0] and norm.running_var.tolist() == [1, 1]
    assert norm.eval()(x).shape == shape


@pytest.mark.parametrize("shape", [(1, 2), (1, 2, 1)])
def test_one_value_without_running_statistics_names_the_cure(shape):
    norm = nn.BatchNorm1d(2, track_running_stats=False).eval()
    with pytest.raises(ValueError, match=r"one value per channel.*track_running_stats=True"):
        norm(pyml.ones(*shape))


@pytest.mark.parametrize(
    ("name", "shape", "other"),
    [("BatchNorm2d", (3, 2, 4, 5), 3), ("BatchNorm3d", (3, 2, 2, 4, 5), 4)],
)
def test_more_dimensions_are_more_rows(name, shape, other):
    x = pyml.tensor(np.random.default_rng(0).normal(size=shape))
    norm, flat = getattr(nn, name)(2).double(), nn.BatchNorm1d(2).double()
    for mode in (True, False):
        y, wanted = norm.train(mode)(x), flat.train(mode)(x.flatten(2)).reshape(shape)
        np.testing.assert_array_equal(y.detach().numpy(), wanted.detach().numpy())
    for a, b in zip(norm.buffers(), flat.buffers(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.raises(ValueError, match=rf"expected {len(shape)}D input \(got {other}D input\)"):
        norm(pyml.ones(*(2,) * other))


def test_instance_norm_of_one_example():
    x = pyml.randn(2, 5, dtype=pyml.float64)
    norm = nn.InstanceNorm1d(2, affine=True).double()
    np.testing.assert_array_equal(norm(x).detach().numpy(), norm(x[None])[0].detach().numpy())
    for wrong in (pyml.ones(5), pyml.ones(2, 2, 2, 2), pyml.ones(2, 3, 5), pyml.ones(3, 2, 1)):
        with pytest.raises(ValueError, match=r"expected|3 channels"):
            norm(wrong.double())


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (lambda: nn.LayerNorm((2, 3)), ["weight", "bias"]),
        (lambda: nn.LayerNorm(3, bias=False), ["weight"]),
        (lambda: nn.LayerNorm(3, elementwise_affine=False), []),
        (lambda: nn.RMSNorm((2, 3)), ["weight"]),
        (lambda: nn.RMSNorm(3, elementwise_affine=False), []),
        (lambda: nn.GroupNorm(1, 2), ["weight", "bias"]),
        (lambda: nn.GroupNorm(2, 2, bias=False), ["weight"]),
        (lambda: nn.GroupNorm(2, 2, affine=False), []),
        (lambda: nn.InstanceNorm1d(2), []),
        (lambda: nn.InstanceNorm1d(2, affine=True), ["weight", "bias"]),
    ],
)
def test_parameters_of_norms(module, names):
    norm = module()
    assert [name for name, _ in norm.named_parameters()] == names
    x = pyml.randn(4, 2, 3)
    wanted = norm(x)
    for p in norm.parameters():
        p.data.fill_(7)
    norm.reset_parameters()
    np.testing.assert_array_equal(norm(x).detach().numpy(), wanted.detach().numpy())
    assert norm.double()(x.double()).dtype == np.float64


def test_sizes_that_do_not_go_together():
    with pytest.raises(ValueError, match="must be divisible by num_groups"):
        nn.GroupNorm(3, 4)
    with pytest.raises(ValueError, match="3 channels, num_channels is 4"):
        nn.GroupNorm(1, 4)(pyml.ones(2, 3))
    with pytest.raises(ValueError, match="its last dimensions must be normalized_shape"):
        nn.LayerNorm((2, 3))(pyml.ones(2, 2))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear("3", 4), "Linear: in_features is '3', it must be an integer"),
        (lambda: nn.Linear(3, 4.0), "Linear: out_features is 4.0, it must be an integer"),
        (lambda: nn.Linear(3, -1), "Linear: out_features is -1"),
        (lambda: nn.Bilinear(3, "4", 5), "Bilinear: in2_features is '4'"),
        (lambda: nn.Embedding("3", 4), "Embedding: num_embeddings is '3'"),
        (lambda: nn.BatchNorm2d("3"), "BatchNorm2d: num_features is '3'"),
        (lambda: nn.BatchNorm1d(3)(pyml.zeros(3)), "BatchNorm1d: expected 2D or 3D"),
        (lambda: nn.InstanceNorm1d(3)(pyml.zeros(3)), "InstanceNorm1d: expected 2D or 3D"),
    ],
)
def test_messages_name_the_layer_and_the_argument(make, words):
    with pytest.raises((TypeError, ValueError), match=f"^{words}"):
        make()
