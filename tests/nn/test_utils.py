import math

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def parameters(*grads, dtypes=("float64",)):
    made = []
    for i, grad in enumerate(grads):
        dtype = dtypes[i % len(dtypes)]
        p = nn.Parameter(pyml.tensor(np.zeros(np.shape(grad), dtype)))
        p.grad = pyml.tensor(np.array(grad, dtype))
        made.append(p)
    return made


def flat(params):
    return np.concatenate([p.grad.numpy().ravel() for p in params]).astype(np.float64)


GRADS = ([[3.0, -4.0], [0.0, 1.0]], [12.0], [-0.5, 2.0, 0.25])


@pytest.mark.parametrize("norm_type", [2, 2.0, 1, 3, 0.5, math.inf])
@pytest.mark.parametrize("max_norm", [0, 1.0, 5.0, 1000.0])
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")])
def test_clip_grad_norm(norm_type, max_norm, dtypes):
    params = parameters(*GRADS, dtypes=dtypes)
    before = flat(params)
    wanted = (
        np.abs(before).max()
        if norm_type == math.inf
        else (np.abs(before) ** norm_type).sum() ** (1 / norm_type)
    )
    objects = [p.grad for p in params]
    total = clip_grad_norm_(params, max_norm, norm_type)
    assert total.shape == ()
    assert total.item() == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(flat(params), before * min(1, max_norm / (wanted + 1e-6)), rtol=1e-6)
    assert all(p.grad is grad for p, grad in zip(params, objects, strict=True))


def test_clip_grad_norm_of_what():
    [p] = parameters([3.0, 4.0])
    assert clip_grad_norm_(p, 1.0).item() == 5
    [p] = parameters([3.0, 4.0])
    without = nn.Parameter(pyml.zeros(2))
    assert clip_grad_norm_((q for q in [p, without, p]), 1.0).item() == 5
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    assert without.grad is None
    assert clip_grad_norm_([without], 1.0).item() == 0
    assert clip_grad_norm_([], 1.0, math.inf).item() == 0


@pytest.mark.parametrize("norm_type", [2, 1, math.inf])
def test_clip_grad_norm_by_less_than_the_smallest_normal_number(norm_type):
    [p] = parameters([1e30, 0.0], dtypes=["float32"])
    clip_grad_norm_([p], 1e-12, norm_type)
    assert p.grad.tolist() == pytest.approx([1e-12, 0.0], rel=1e-5, abs=0)


@pytest.mark.parametrize("norm_type", [2, math.inf])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_clip_grad_norm_of_a_norm_that_is_not_finite(norm_type, bad):
    params = parameters([1.0, bad], [2.0])
    before = flat(params)
    with pytest.raises(RuntimeError, match="must be finite"):
        clip_grad_norm_(params, 1.0, norm_type, error_if_nonfinite=True)
    np.testing.assert_array_equal(flat(params), before)
    assert not math.isfinite(clip_grad_norm_(params, 1.0, norm_type).item())
    assert params[1].grad.item() == 0 if bad == math.inf else math.isnan(params[1].grad.item())


@pytest.mark.parametrize("max_norm", [-1.0, math.nan])
@pytest.mark.parametrize("norm_type", [2, 1])
def test_clip_grad_norm_refuses(max_norm, norm_type):
    with pytest.raises(ValueError, match="it must be >= 0"):
        clip_grad_norm_(parameters(*GRADS), max_norm, norm_type)


NORMS = [2, 2.0, 1, 3, 0.5, math.inf]


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")])
def test_get_total_norm(norm_type, dtypes):
    grads = [p.grad for p in parameters(*GRADS, dtypes=dtypes)]
    versions = [grad._version for grad in grads]
    numbers = np.abs(np.concatenate([grad.numpy().ravel() for grad in grads]).astype(np.float64))
    wanted = (
        numbers.max() if norm_type == math.inf else (numbers**norm_type).sum() ** (1 / norm_type)
    )
    total = get_total_norm((grad for grad in grads), norm_type)
    assert total.shape == () and total.dtype == max(dtypes)
    assert total.item() == pytest.approx(wanted, rel=1e-6)
    assert [grad._version for grad in grads] == versions  # nothing was changed


def test_get_total_norm_of_what():
    x = pyml.tensor([3.0, 4.0], requires_grad=True)
    assert get_total_norm(x).item() == 5 and not get_total_norm(x).requires_grad
    assert get_total_norm([x, x]).item() == pytest.approx(math.sqrt(50))
    assert get_total_norm([]).item() == 0 and get_total_norm([]).dtype == "float32"
    assert get_total_norm([pyml.full((3,), 1e30)]).item() == pytest.approx(math.sqrt(3) * 1e30)
    with pytest.raises(TypeError, match="item 1 has dtype int64, it must be float32 or float64"):
        get_total_norm([x, pyml.arange(3)])
    with pytest.raises(TypeError, match="item 1 must be a Tensor, not NoneType"):
        get_total_norm([x, None])
    for norm_type in (2, math.inf):
        for bad in (math.inf, math.nan):
            assert not math.isfinite(get_total_norm([pyml.tensor([bad])], norm_type).item())
            with pytest.raises(RuntimeError, match=r"get_total_norm: the norm .* must be finite"):
                get_total_norm([pyml.tensor([bad])], norm_type, error_if_nonfinite=True)


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", [0, 1.0, 1000.0])
def test_measuring_and_clipping_is_clip_grad_norm(norm_type, max_norm):
    params, others = (parameters(*GRADS, dtypes=("float32", "float64")) for _ in range(2))
    total = get_total_norm([p.grad for p in params], norm_type)
    assert clip_grads_with_norm_(params, max_norm, total) is None
    clip_grad_norm_(others, max_norm, norm_type)
    np.testing.assert_allclose(flat(params), flat(others), rtol=1e-6)


@pytest.mark.parametrize("total", [10, 10.0, np.float32(10), pyml.tensor(10.0), pyml.tensor([10])])
def test_clip_grads_with_norm(total):
    params = parameters(*GRADS)
    before = flat(params)
    without = nn.Parameter(pyml.zeros(2))
    clip_grads_with_norm_([*params, params[0], without], 5.0, total)
    np.testing.assert_allclose(flat(params), before / 2, rtol=1e-6)
    clip_grads_with_norm_(params[1], 5.0, total)
    np.testing.assert_allclose(flat(params[1:2]), [3.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("max_norm", "total", "error", "message"),
    [
        (-1.0, 1.0, ValueError, "max_norm is -1.0, it must be >= 0"),
        (math.nan, 1.0, ValueError, "max_norm is nan, it must be >= 0"),
        (1.0, pyml.ones(2), ValueError, "total_norm has shape \\(2,\\), it must have one element"),
        (1.0, "1", TypeError, "total_norm must be a Tensor, not str"),
    ],
)
def test_clip_grads_with_norm_refuses(max_norm, total, error, message):
    params = parameters(*GRADS)
    before = flat(params)
    with pytest.raises(error, match=message):
        clip_grads_with_norm_(params, max_norm, total)
    np.testing.assert_array_equal(flat(params), before)


def test_norms_in_a_recorded_step():
    def trained(record):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 2)

        def step(x):
            layer.zero_grad()
            layer(x).square().sum().backward()
            total = get_total_norm([p.grad for p in layer.parameters()])
            clip_grads_with_norm_(layer.parameters(), 0.5, total)
            with pyml.no_grad():
                for p in layer.parameters():
                    p.sub_(p.grad)
            return total

        step = pyml.record(step) if record else step
        totals = [step(pyml.randn(4, 3)).item() for _ in range(6)]
        return totals, [p.tolist() for p in layer.parameters()]

    assert trained(True) == trained(False)


def test_clip_grad_value():
    params = parameters(*GRADS)
    before = flat(params)
    clip_grad_value_(params, 1.5)
    np.testing.assert_array_equal(flat(params), before.clip(-1.5, 1.5))
    clip_grad_value_(params[0], 0.5)
    assert np.abs(params[0].grad.numpy()).max() == 0.5
    with pytest.raises(ValueError, match="it must be >= 0"):
        clip_grad_value_(params, -1)


def test_parameters_to_vector_and_back():
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
    vector = parameters_to_vector(net.parameters())
    assert vector.tolist() == [
        number for p in net.parameters() for number in p.detach().numpy().ravel()
    ]
    (vector * vector).sum().backward()
    for p in net.parameters():
        np.testing.assert_allclose(p.grad.numpy(), 2 * p.detach().numpy())

    ids = [id(p) for p in net.parameters()]
    other = pyml.tensor(np.arange(11.0))
    vector_to_parameters(other, net.parameters())
    assert [id(p) for p in net.parameters()] == ids
    assert parameters_to_vector(net.parameters()).tolist() == list(range(11))
    assert net[1].weight.shape == (1, 2)
    assert np.shares_memory(net[0].bias.array, other.array)


def test_vector_to_parameters_refuses():
    layer = nn.Linear(2, 1)
    before = parameters_to_vector(layer.parameters()).tolist()
    with pytest.raises(ValueError, match=r"vec has shape \(4,\), the parameters need \(3,\)"):
        vector_to_parameters(pyml.zeros(4), layer.parameters())
    with pytest.raises(TypeError, match="must be a Tensor, not ndarray"):
        vector_to_parameters(np.zeros(3), layer.parameters())
    layer.weight.requires_grad_(False)
    with pytest.raises(TypeError, match="vec has dtype int64, it must be float32 or float64"):
        vector_to_parameters(pyml.arange(3), layer.parameters())
    layer.weight.requires_grad_(True)
    assert parameters_to_vector(layer.parameters()).tolist() == before


def test_vector_to_parameters_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 1)
    y = layer(pyml.ones(1, 2, requires_grad=True)).sum()
    vector_to_parameters(pyml.zeros(3), layer.parameters())
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"bias": False}, {"eps": 0.5}])
@pytest.mark.parametrize("channels", [4, 1])
def test_fuse_linear_bn(dtype, bias, options, channels, rng):
    linear, bn = nn.Linear(3, 4, bias=bias), nn.BatchNorm1d(channels, **options)
    for tensor in [*bn.parameters(), *bn.buffers()][:4]:
        if tensor.is_floating_point():
            tensor.data = pyml.tensor(rng.uniform(0.5, 2, tensor.shape))
    linear, bn = linear.to(getattr(pyml, dtype)).eval(), bn.to(getattr(pyml, dtype)).eval()
    before = parameters_to_vector([*linear.parameters(), *bn.buffers()]).tolist()
    fused = fuse_linear_bn_eval(linear, bn)
    x = pyml.tensor(rng.normal(size=(6, 3)).astype(dtype))
    y = linear(x)
    wanted = bn(y) if channels > 1 else bn(y.reshape(-1, 1)).reshape(y.shape)
    np.testing.assert_allclose(
        fused(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-5, atol=1e-5
    )
    assert fused is not linear and not fused.training
    assert fused.weight.dtype == fused.bias.dtype == dtype
    assert isinstance(fused.bias, nn.Parameter) and fused.bias.requires_grad is bias
    assert not np.shares_memory(fused.bias.array, bn.running_mean.array)
    assert parameters_to_vector([*linear.parameters(), *bn.buffers()]).tolist() == before


def test_fuse_linear_bn_refuses():
    linear, bn = nn.Linear(3, 4).eval(), nn.BatchNorm1d(4).eval()
    for wrong, error, message in (
        ((nn.Linear(3, 4), bn), RuntimeError, r"linear is in training mode.*linear.eval\(\)"),
        ((linear, nn.BatchNorm1d(4)), RuntimeError, r"bn is in training mode.*bn.eval\(\)"),
        ((linear, nn.BatchNorm1d(3).eval()), ValueError, "bn has 3 channels, they must be .*4, or"),
        ((linear, nn.ReLU().eval()), TypeError, "bn must be a BatchNorm1d, not ReLU"),
        ((nn.ReLU().eval(), bn), TypeError, "linear must be a Linear, not ReLU"),
        (
            (linear, nn.BatchNorm1d(4, track_running_stats=False).eval()),
            RuntimeError,
            "bn has no running statistics",
        ),
    ):
        with pytest.raises(error, match=message):
            fuse_linear_bn_eval(*wrong)
    w, b = pyml.ones(4, 3), pyml.ones(4)
    for wrong, error, message in (
        ((b, b, b, b, 0.1, b, b), ValueError, r"linear_w has shape \(4,\), it must be \(o, i\)"),
        ((w, b, b[:2], b, 0.1, b, b), ValueError, r"bn_rm has shape \(2,\), it must be \(4,\)"),
        ((w, b[:1], b, b, 0.1, b, b), ValueError, r"linear_b has shape \(1,\), it must be \(4,\)"),
        ((w, b, None, b, 0.1, b, b), TypeError, "bn_rm must be a Tensor, not NoneType"),
    ):
        with pytest.raises(error, match=message):
            fuse_linear_bn_weights(*wrong)


def test_clipping_of_an_exhausted_generator_warns():
    model = nn.Linear(2, 1)
    model(pyml.ones(1, 2)).sum().backward()
    parameters = model.parameters()
    clip_grad_norm_(parameters, 1.0)
    for clip in (clip_grad_norm_, clip_grad_value_, lambda p, n: clip_grads_with_norm_(p, n, 1.0)):
        with pytest.warns(UserWarning, match="is an empty generator") as seen:
            clip(parameters, 1.0)
        assert seen[0].filename == __file__
        clip([], 1.0)
