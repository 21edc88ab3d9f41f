"""Padding, sequences of different lengths, and losses over them and over many classes."""

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn import functional as F
from pyml.nn.utils.rnn import pad_sequence, unpad_sequence


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: nn.ZeroPad1d((1, 2, 3)), "a number or 2 numbers"),
        (lambda: nn.ReflectionPad2d(1)(pyml.ones(2, 2)), "3D or 4D input"),
    ],
)
def test_padding_that_does_not_fit(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_sequences():
    sequences = [pyml.ones(3, 2), pyml.ones(1, 2) * 2]
    padded = pad_sequence(sequences, padding_value=9.0)
    assert padded.shape == (3, 2, 2) and padded[1:, 1].tolist() == [[9, 9], [9, 9]]
    left = pad_sequence(sequences, True, padding_side="left")
    assert left[1].tolist() == [[0, 0], [0, 0], [2, 2]]
    for x, y in zip(unpad_sequence(padded, pyml.tensor([3, 1])), sequences, strict=True):
        assert x.tolist() == y.tolist()
    for call, match in (
        (lambda: pad_sequence([pyml.ones(2, 2), pyml.ones(2, 3)]), "item 1 has shape"),
        (lambda: pad_sequence(sequences, padding_side="up"), "'left' or 'right'"),
        (lambda: unpad_sequence(padded, pyml.tensor([1])), "one for each sequence"),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_ctc_by_counting_paths():
    """Of 2 classes with equal probabilities: the share of the paths that read as the labels."""
    x = pyml.zeros(3, 1, 2, dtype=pyml.float64).log_softmax(2)
    for labels, paths in (([1], 6), ([], 1), ([1, 1], 1)):
        loss = F.ctc_loss(x, pyml.tensor([labels], dtype=pyml.int64), [3], [len(labels)], 0, "sum")
        np.testing.assert_allclose(loss.exp().item(), 8 / paths)
    assert F.ctc_loss(x, pyml.tensor([[1, 1, 1]]), [3], [3]).item() == np.inf
    assert F.ctc_loss(x, pyml.tensor([[1, 1, 1]]), [3], [3], zero_infinity=True).item() == 0
    assert F.ctc_loss(x, pyml.tensor([[1]]), [0], [1]).item() == np.inf
    assert F.ctc_loss(x, pyml.tensor([[1]]), [0], [0]).item() == 0


@pytest.mark.parametrize(
    "arguments, match",
    [
        (([[1]], [4], [1]), "input_lengths is .4., it must be 1 numbers from 0 to 3"),
        (([[1]], [3], [2]), "target_lengths is .2., it must be 1 numbers from 0 to 1"),
        (([[2]], [3], [1]), "a class outside 0 to 1"),
        (([1, 1], [3], [1]), "add up to"),
        (([[1]], [3], [1], 2), "blank is 2"),
    ],
)
def test_ctc_refuses(arguments, match):
    x = pyml.zeros(3, 1, 2).log_softmax(2)
    labels, *others = arguments
    with pytest.raises(ValueError, match=match):
        F.ctc_loss(x, pyml.tensor(labels), *others)


@pytest.mark.parametrize("floats", ["input_lengths", "target_lengths"])
def test_ctc_lengths_are_integers(floats):
    given = {"input_lengths": pyml.tensor([3]), "target_lengths": pyml.tensor([1])}
    given[floats] = given[floats].float()
    with pytest.raises(RuntimeError, match=f"{floats} has dtype float32"):
        F.ctc_loss(pyml.zeros(3, 1, 2).log_softmax(2), pyml.tensor([[1]]), **given)


def test_gumbel_softmax():
    pyml.manual_seed(0)
    logits = pyml.tensor([0.0, np.log(3.0)]).expand(4000, 2)
    hard = F.gumbel_softmax(logits, hard=True)
    assert set(hard.unique().tolist()) == {0, 1} and abs(hard[:, 1].mean().item() - 0.75) < 0.03
    soft = F.gumbel_softmax(logits, tau=0.5, dim=0)
    np.testing.assert_allclose(soft.sum(0).tolist(), [1, 1], rtol=1e-5)
    with pytest.raises(ValueError, match="tau is 0"):
        F.gumbel_softmax(logits, tau=0)


def test_adaptive_softmax():
    loss = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0)
    x, target = pyml.randn(6, 8), pyml.tensor([0, 3, 4, 9, 10, 19])
    log_p = loss.log_prob(x)
    np.testing.assert_allclose(log_p.exp().sum(1).tolist(), np.ones(6), rtol=1e-5)
    output, value = loss(x, target)
    np.testing.assert_allclose(output.tolist(), log_p.gather(1, target[:, None])[:, 0].tolist())
    np.testing.assert_allclose(value.item(), -output.mean().item())
    assert loss(x[0], target[0]).output.shape == ()
    assert loss.predict(x).tolist() == log_p.argmax(1).tolist()
    for cutoffs in ([], [4, 4], [0, 3], [20], [10, 4], [1.5]):
        with pytest.raises(ValueError, match="cutoffs"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs)
    with pytest.raises(ValueError, match="from 0 to 19"):
        loss(x[:1], pyml.tensor([20]))
    with pytest.raises(ValueError, match="are needed"):
        loss(x, target[:2])


def test_skip_init():
    pyml.manual_seed(0)
    expected = pyml.rand(2)
    pyml.manual_seed(0)
    assert nn.utils.skip_init(nn.Linear, 3, out_features=2).weight.shape == (2, 3)
    assert pyml.rand(2).tolist() == expected.tolist()
    with pytest.raises(TypeError, match="class of Modules"):
        nn.utils.skip_init(int)
    with pytest.raises(ValueError, match="takes no `device`"):
        nn.utils.skip_init(nn.ReLU)
