import copy

import pytest

import pyml
from pyml import nn


@pytest.fixture
def members():
    pyml.manual_seed(0)
    return [nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3)) for _ in range(4)]


def test_averages(members):
    x = pyml.randn(5, 4)
    for average, function in {
        "values": lambda y: y,
        "probabilities": lambda y: y.softmax(1),
        "logits": lambda y: y.log_softmax(1),
    }.items():
        ensemble = nn.Ensemble(members, average=average).eval()
        wanted = [function(member(x)) for member in members]
        assert (ensemble.outputs(x) == pyml.stack(wanted)).all()
        assert ensemble(x).allclose(sum(wanted) / 4, atol=1e-6)
    assert nn.Ensemble(members[:1]).eval()(x).allclose(members[0](x))


def test_dim_of_the_classes(members):
    ensemble = nn.Ensemble([nn.Identity(), nn.Identity()], "probabilities", dim=0)
    assert ensemble(pyml.randn(3, 5)).sum(0).allclose(pyml.ones(5))


def test_the_loss_is_at_most_the_mean_of_the_members(members):
    x, y = pyml.randn(200, 4), pyml.randn(200, 3)
    ensemble = nn.Ensemble(members).eval()
    each = [(member(x) - y).square().mean().item() for member in members]
    assert (ensemble(x) - y).square().mean().item() < sum(each) / 4
    labels = pyml.randint(3, (200,))
    ensemble = nn.Ensemble(members, "probabilities").eval()
    each = [nn.functional.cross_entropy(member(x), labels).item() for member in members]
    assert nn.functional.nll_loss(ensemble(x).log(), labels).item() < sum(each) / 4


def test_one_file(members, tmp_path):
    ensemble = nn.Ensemble(members, "probabilities").eval()
    pyml.save(ensemble.state_dict(), tmp_path / "all.safetensors")
    other = nn.Ensemble([copy.deepcopy(members[0]) for _ in members], "probabilities").eval()
    other.load_state_dict(pyml.load(tmp_path / "all.safetensors"))
    x = pyml.randn(5, 4)
    assert (other(x) == ensemble(x)).all()


def test_it_holds_the_members_themselves(members):
    ensemble = nn.Ensemble(members)
    assert len(ensemble) == 4 and list(ensemble) == members
    assert ensemble.eval() is ensemble and not members[2].training


def test_recorded(members):
    ensemble = nn.Ensemble(members, "logits").eval()
    predict, x = pyml.record(lambda x: ensemble(x)), pyml.randn(5, 4)
    assert all((predict(x) == ensemble(x)).all() for _ in range(5))


def test_errors(members):
    with pytest.raises(ValueError, match="models is empty"):
        nn.Ensemble([])
    with pytest.raises(TypeError, match=r"models\[1\] is a int"):
        nn.Ensemble([members[0], 3])
    with pytest.raises(TypeError, match="dim is 'last'"):
        nn.Ensemble(members, dim="last")
    with pytest.raises(ValueError, match="average is 'median'"):
        nn.Ensemble(members, "median")
    with pytest.raises(ValueError, match=r"models\[1\] gives the shape \(2, 1\)"):
        nn.Ensemble([nn.Linear(4, 3), nn.Linear(4, 1)])(pyml.ones(2, 4))
