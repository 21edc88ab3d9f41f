"""clip_grad_norm_: the norm of all gradients together, and their scaling."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from optim.cases import tensor
from pyml import _kernels, nn
from pyml.ops.clip_grad import clip_grad_norm_
from pyml.tensor import Tensor

SHAPES = [(3, 5), (), (0,), (70_001,), (17,)]


def draw(dtype):
    rng = np.random.default_rng(0)
    return [np.asarray(rng.normal(size=shape)).astype(dtype) for shape in SHAPES]


@pytest.mark.parametrize("max_norm", [0, 1e-3, 2.0, 1e4, np.inf])
def test_against_numpy(max_norm, dtype):
    arrays = draw(dtype)
    grads = [tensor(a, dtype) for a in arrays]
    norm = clip_grad_norm_(grads, max_norm)
    wanted = np.sqrt(sum((a.astype(np.longdouble) ** 2).sum() for a in arrays))
    assert norm.dtype == dtype and norm.shape == ()
    assert_close(norm.array, wanted, tolerances.FEW)
    for grad, a in zip(grads, arrays, strict=True):
        factor = min(1, max_norm / (wanted + np.longdouble(1e-6)))
        assert_close(grad.array, a * factor, tolerances.FEW)
        if max_norm > wanted:
            assert_same_bits(grad.array, a)
        assert grad._version == 1


def test_threads_do_not_change_a_bit(dtype):
    results = []
    for threads in (1, 2, 3):
        _kernels.set_num_threads(threads)
        grads = [tensor(a, dtype) for a in draw(dtype)]
        results.append([clip_grad_norm_(grads, 1.5), *grads])
    for result in results[1:]:
        for t, first in zip(result, results[0], strict=True):
            assert_same_bits(t.array, first.array)


def test_both_dtypes_have_one_norm():
    grads = [tensor([3.0], np.float32), tensor([4.0])]
    norm = clip_grad_norm_(grads, 1.0)
    assert norm.item() == 5 and norm.dtype == np.float64
    assert_close(grads[0].array, np.array([0.6]), 8)
    assert_close(grads[1].array, np.array([0.8 / (1 + 2e-7)]), 8)


def test_arrays_that_are_not_contiguous(dtype):
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    grad = Tensor._on(array[:, ::2])
    clip_grad_norm_([grad], 1.0)
    assert abs(np.linalg.norm(array[:, ::2]) - 1) < 1e-6
    assert array[1, 1] == 5  # between the elements


def test_nothing_to_clip():
    assert clip_grad_norm_([], 1.0).item() == 0


def test_a_gradient_twice_counts_once():
    grad = tensor([3.0])
    assert clip_grad_norm_([grad, grad], 10.0).item() == 3
    assert clip_grad_norm_([grad, grad], 1.5).item() == 3
    assert abs(grad.item() - 1.5) < 1e-5


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_norm_that_is_not_finite(bad):
    grad = tensor([1.0, bad])
    with pytest.raises(RuntimeError, match="must be finite"):
        clip_grad_norm_([grad], 1.0, error_if_nonfinite=True)
    assert grad.array[0] == 1
    norm = clip_grad_norm_([grad], 1.0)
    assert not np.isfinite(norm.item())
    assert np.isnan(grad.array[1])


def test_refusals():
    good, read_only = tensor([3.0]), tensor([4.0])
    array = np.full(1, 4.0)
    array.flags.writeable = False
    read_only.data = pyml.from_numpy(array)
    for grads, max_norm, error in [
        ([good], -1.0, ValueError),
        ([good], np.nan, ValueError),
        ([good, read_only], 1.0, ValueError),
        ([good, tensor([1], np.int64)], 1.0, TypeError),
        ([good, None], 1.0, TypeError),
    ]:
        with pytest.raises(error):
            clip_grad_norm_(grads, max_norm)
    assert good.array == 3 and good._version == 0


@pytest.mark.parametrize("norm_type", [2, np.inf, 3, 1.5, 1, 0.5])
@pytest.mark.parametrize("values", [[3e38, 3e38], [3e38, 0.0], [1e38, 1.0]])
def test_the_largest_gradients(norm_type, values):
    """The factor is smaller than the smallest normal number, and what it makes is not."""
    wanted = pyml.tensor(values, dtype=pyml.float64)
    norm = wanted.norm(norm_type).item()
    for more in ([], [pyml.zeros(1, dtype=pyml.float64)]):
        p = pyml.zeros(2, requires_grad=True)
        p.grad = pyml.tensor(values)
        others = [pyml.zeros(1, dtype=pyml.float64, requires_grad=True) for _ in more]
        for q in others:
            q.grad = pyml.ones(1, dtype=pyml.float64)
        nn.utils.clip_grad_norm_([p, *others], 1.0, norm_type)
        if norm > 3.4e38 and more and norm_type == 2:
            continue  # that of the float32 gradients is inf: all is scaled by 0, as in PyTorch
        np.testing.assert_allclose(p.grad.numpy(), wanted.numpy() / norm, rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize(
    "clip",
    [
        lambda params: nn.utils.clip_grad_norm_(params, 0.1),
        lambda params: nn.utils.clip_grad_norm_(params, 0.1, norm_type=1),
        lambda params: nn.utils.clip_grad_value_(params, 0.1),
    ],
)
def test_one_gradient_that_cannot_be_written_leaves_the_others(clip):
    params = [nn.Parameter(pyml.zeros(3)) for _ in range(2)]
    params[0].grad = pyml.ones(3)
    params[1].grad = pyml.ones(1).expand(3)
    with pytest.raises(ValueError, match="read-only"):
        clip(params)
    assert params[0].grad.tolist() == [1, 1, 1]
