import pytest

import pyml
from pyml import nn
from pyml.nn import functional as F


def same(a, b):
    assert a.tolist() == b.tolist()


def test_modules_are_their_functions():
    a, b = pyml.randn(3, 4), pyml.randn(3, 4)
    same(nn.CosineSimilarity(0, 0.5)(a, b), F.cosine_similarity(a, b, 0, 0.5))
    same(nn.PairwiseDistance(1.0, 0.1, True)(a, b), F.pairwise_distance(a, b, 1.0, 0.1, True))
    layer = nn.Bilinear(4, 4, 2)
    same(layer(a, b), F.bilinear(a, b, layer.weight, layer.bias))
    assert nn.Bilinear(4, 4, 2, bias=False).bias is None
    assert layer.weight.abs().max().item() <= 0.5


def test_repr():
    assert repr(nn.Bilinear(2, 3, 4)) == (
        "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"
    )
    assert repr(nn.CosineSimilarity()) == "CosineSimilarity()"


@pytest.mark.parametrize("count", [0, -1])
def test_no_features(count):
    with pytest.raises(ValueError, match=f"in1_features is {count}, it must be >= 1"):
        nn.Bilinear(count, 3, 4)
