import numpy as np
import pytest

import pyml
from pyml import nn


def test_initial_values():
    pyml.manual_seed(0)
    weight = nn.Embedding(500, 20, padding_idx=-1).weight
    assert weight[-1].abs().sum().item() == 0
    values = weight[:-1].detach().numpy()
    assert abs(values.mean()) < 0.05 and abs(values.std() - 1) < 0.05
    assert nn.EmbeddingBag(3, 2, dtype=pyml.float64).weight.dtype == np.float64


def test_padding_stays_zero_when_trained():
    layer = nn.Embedding(4, 3, padding_idx=1)
    layer(pyml.tensor([[1, 2], [1, 3]])).square().sum().backward()
    assert layer.weight.grad[1].tolist() == [0, 0, 0]
    assert layer.weight.grad[2].abs().sum().item() > 0


@pytest.mark.parametrize("cls", [nn.Embedding, nn.EmbeddingBag])
def test_from_pretrained(cls):
    table = pyml.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    layer = cls.from_pretrained(table, padding_idx=0)
    assert not layer.weight.requires_grad
    assert layer.weight.tolist() == table.tolist()
    table.fill_(7)
    assert layer.weight[2].tolist() == [7, 7]  # its memory is shared
    assert cls.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match="embeddings has shape"):
        cls.from_pretrained(pyml.ones(3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_is_reduced_rows(mode):
    rows, bag = nn.Embedding(5, 3), nn.EmbeddingBag(5, 3, mode=mode)
    bag.load_state_dict(rows.state_dict())
    index = pyml.tensor([[0, 2], [4, 4]])
    wanted = rows(index).detach().numpy()
    wanted = {"sum": wanted.sum, "mean": wanted.mean, "max": wanted.max}[mode](1)
    np.testing.assert_allclose(bag(index).detach().numpy(), wanted, rtol=1e-6)
    flat = bag(index.reshape(4), pyml.tensor([0, 2]))
    np.testing.assert_allclose(flat.detach().numpy(), wanted, rtol=1e-6)


def test_trains_in_a_recorded_step():
    """Of a sum of rows, the sum of the targets: the table finds the numbers."""
    pyml.manual_seed(0)
    layer = nn.EmbeddingBag(6, 1, mode="sum")
    optimizer = pyml.optim.Adam(layer.parameters(), lr=0.1)

    @pyml.record
    def step(index, target):
        loss = (layer(index)[:, 0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(0)
    for _ in range(150):
        index = rng.integers(0, 6, (32, 3))
        loss = step(pyml.tensor(index), pyml.tensor(index.sum(1), dtype=pyml.float32))
    assert loss.item() < 0.05


def test_what_is_refused():
    with pytest.raises(ValueError, match="Embedding: sparse=True"):
        nn.Embedding(3, 2, sparse=True)
    with pytest.raises(ValueError, match="Embedding: padding_idx is 3"):
        nn.Embedding(3, 2, padding_idx=3)
    with pytest.raises(ValueError, match="EmbeddingBag: mode is 'min'"):
        nn.EmbeddingBag(3, 2, mode="min")
    with pytest.raises(ValueError, match="weight has shape"):
        nn.Embedding(3, 2, _weight=pyml.ones(2, 2))
