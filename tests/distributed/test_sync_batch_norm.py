"""BatchNorm by the statistics of all shards is BatchNorm of the whole batch.

That it has the same bits for any number of ranks is among the random nets of test_distributed.py.
"""

from copy import deepcopy

import pytest

import pyml
from pyml import distributed, nn
from pyml.nn.norm import shards

EXACT = 1e-12  # 4500 eps of float64: sums of at most 100 numbers, of size 1, in another order


@pytest.fixture
def group():
    distributed.init_process_group(shard_size=3)
    yield
    distributed.destroy_process_group()


def convert(module):
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)


def close(a, b):
    return (a - b).abs().max().item() < EXACT


OPTIONS = {
    "plain": {},
    "no affine": {"affine": False},
    "no bias": {"bias": False},
    "average": {"momentum": None},
    "no statistics": {"track_running_stats": False},
    "eps": {"eps": 0.5, "momentum": 0.7},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("length", [None, 4])
def test_it_is_of_the_whole_batch(group, options, length):
    """Values, gradients and running statistics, of 10 rows in shards of 2 and 3; two layers."""
    pyml.manual_seed(0)
    shape = (10, 4) if length is None else (10, 4, length)
    layers = [nn.BatchNorm1d(4, **options), nn.Tanh(), nn.BatchNorm1d(4, **options)]
    whole = nn.Sequential(nn.Linear(shape[-1], shape[-1]), *layers).double()
    parts = convert(deepcopy(whole))
    x, y = pyml.randn(*shape, dtype=pyml.float64) * 3 + 5, pyml.randn(*shape, dtype=pyml.float64)
    model = distributed.DistributedDataParallel(parts)
    for _ in range(2):  # the running statistics are of two batches
        losses = [
            nn.functional.mse_loss(whole(x), y),
            model.loss(lambda x, y: nn.functional.mse_loss(parts(x), y), x, y),
        ]
        assert close(*losses)
        for net, loss in zip((whole, parts), losses, strict=True):
            net.zero_grad()
            loss.backward()
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        assert close(p.grad, q.grad)
    for p, q in zip(whole.buffers(), parts.buffers(), strict=True):
        assert close(p.double(), q.double())
    whole.eval()
    model.eval()
    assert close(whole(x), model(x))
    loss = model.loss(lambda x, y: nn.functional.mse_loss(parts(x), y), x, y)
    assert close(nn.functional.mse_loss(whole(x), y), loss)


def test_far_from_zero(group):
    """The variance of numbers at 1e4, in float32, is as good as that of numbers at 0."""
    pyml.manual_seed(0)
    x = pyml.randn(90, 2) + 1e4
    norm = nn.SyncBatchNorm(2, momentum=1.0)
    distributed.DistributedDataParallel(norm).loss(lambda x: norm(x).sum(), x)
    exact = x.double().var(0)
    assert ((norm.running_var.double() - exact) / exact).abs().max().item() < 1e-6


def test_outside_of_a_loss_it_is_batch_norm():
    x = pyml.randn(7, 3)
    one, other = nn.BatchNorm1d(3), nn.SyncBatchNorm(3)
    assert pyml.equal(one(x), other(x)) and pyml.equal(one.running_var, other.running_var)
    assert pyml.equal(one.eval()(x), other.eval()(x))


def test_convert():
    shared = nn.BatchNorm1d(3, eps=0.1, momentum=0.2, bias=False).eval()
    shared.weight.requires_grad_(False)
    net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(shared, nn.ReLU()), shared, nn.LayerNorm(3))
    weight = shared.weight
    made = convert(net)
    layer = made[2]
    assert made is net and type(layer) is nn.SyncBatchNorm and made[1][0] is layer
    assert layer.weight is weight and layer.bias is None and not weight.requires_grad
    assert (layer.eps, layer.momentum, layer.training) == (0.1, 0.2, False)
    assert layer.running_mean is shared.running_mean
    assert type(made[3]) is nn.LayerNorm and convert(made)[2] is layer
    alone = convert(nn.BatchNorm2d(2, affine=False, track_running_stats=False))
    assert type(alone) is nn.SyncBatchNorm and alone.weight is None and alone.running_var is None


def test_what_is_refused(group):
    with pytest.raises(TypeError, match="process_group"):
        nn.SyncBatchNorm(2, process_group=1)
    with pytest.raises(TypeError, match="not a Module"):
        convert(2)
    norm = nn.SyncBatchNorm(2)
    model = distributed.DistributedDataParallel(norm)
    before = {name: t.clone() for name, t in norm.state_dict().items()}
    x = pyml.randn(7, 2)
    with pytest.raises(ValueError, match="one value per channel"):
        model.loss(lambda x: norm(x).sum(), x[:1])
    with pytest.raises(ValueError, match="num_features is 2"):
        model.loss(lambda x: norm(x).sum(), pyml.randn(7, 3))
    with pytest.raises(ValueError, match="expected 2D to 5D"):
        model.loss(lambda x: norm(x).sum(), x[:, 0])
    calls = []

    def uneven(x):
        calls.append(len(x))
        return (norm(x) if len(calls) != 2 else x).sum()

    with pytest.raises(RuntimeError, match="some shards of the batch come to a layer"):
        model.loss(uneven, x)

    def failing(x):
        y = norm(x)
        calls.append(len(x))
        if len(calls) == 5:
            raise ArithmeticError("of a shard")
        return y.sum()

    with pytest.raises(ArithmeticError, match="of a shard"):
        model.loss(failing, x)
    assert shards.wait is None and set(norm.parameters()) == {norm.weight, norm.bias}
    assert all(pyml.equal(t, before[name]) for name, t in norm.state_dict().items())


def test_modes_are_of_each_shard(group):
    """What a function turns off around the layer is on again for the next shard, and behind it."""
    norm, last = nn.SyncBatchNorm(2), nn.Linear(2, 1)
    net = nn.ModuleList([norm, last])
    model = distributed.DistributedDataParallel(net)

    def loss_of(x):
        assert pyml.is_grad_enabled()
        with pyml.no_grad():
            x = norm(x)
            assert not pyml.is_grad_enabled()
        return last(x).sum()

    model.loss(loss_of, pyml.randn(7, 2)).backward()
    assert pyml.is_grad_enabled() and norm.weight.grad is None and last.weight.grad is not None


def test_a_shard_that_the_function_empties(group):
    """A function that leaves out rows: all of a shard, too."""
    norm, whole = nn.SyncBatchNorm(2).double(), nn.BatchNorm1d(2).double()
    model = distributed.DistributedDataParallel(norm)
    x = pyml.randn(9, 2, dtype=pyml.float64)
    x[3:6] = -100.0
    loss = model.loss(lambda x: (norm(x[x[:, 0] > -50]) ** 3).sum(), x, reduction="sum")
    expected = (whole(x[x[:, 0] > -50]) ** 3).sum()
    assert close(loss, expected)
    loss.backward()
    expected.backward()
    assert close(norm.weight.grad, whole.weight.grad)
