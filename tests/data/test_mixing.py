import pytest

import pyml
from pyml.data import CutMix, MixUp

BOTH = pytest.mark.parametrize("kind", [MixUp, CutMix])


@pytest.fixture
def batch():
    generator = pyml.Generator().manual_seed(0)
    x = pyml.randn(12, 20, generator=generator, dtype=pyml.float64)
    return x, pyml.randint(3, (12,), generator=generator)


def seeded():
    return pyml.Generator().manual_seed(7)


def test_mixup_mixes_rows_and_targets_by_one_share(batch):
    x, y = batch
    mixed, targets = MixUp(0.4, 3, generator=seeded())(x, y)
    other, hot = x.roll(1, 0), pyml.nn.functional.one_hot(y, 3).double()
    share = ((mixed - other) / (x - other)).mean().item()
    assert 0 < share < 1
    assert mixed.allclose(share * x + (1 - share) * other)
    assert targets.allclose(share * hot + (1 - share) * hot.roll(1, 0))


def test_cutmix_takes_columns(batch):
    x, y = batch
    mixed, targets = CutMix(1.0, 3, generator=seeded())(x, y)
    stays = (mixed == x).all(0)
    assert ((mixed == x) | (mixed == x.roll(1, 0))).all() and not stays.all() and stays.any()
    hot, share = pyml.nn.functional.one_hot(y, 3).double(), stays.double().mean()
    assert targets.allclose(share * hot + (1 - share) * hot.roll(1, 0))


def test_cutmix_takes_a_rectangle_of_pictures():
    x = pyml.arange(4.0).reshape(4, 1, 1, 1).expand(4, 2, 9, 7).contiguous()
    generator = seeded()
    for _ in range(20):
        mixed, targets = CutMix(generator=generator)(x, pyml.arange(4.0))
        cut = mixed[1, 0] == 0
        rows, columns = cut.any(1), cut.any(0)
        assert (cut == rows.unsqueeze(1) & columns).all()
        assert (mixed[:, 0] == mixed[:, 1]).all()
        assert targets[1].item() == pytest.approx(1 - cut.double().mean().item())


def test_the_sides_of_the_rectangle_are_the_root_of_its_share():
    """Half of a picture of 100 x 100, where no border cuts it."""
    x, cutmix = pyml.zeros(2, 1, 100, 100), CutMix(1e8, generator=seeded())
    x[1] = 1
    seen = 0
    for _ in range(60):
        mixed, _ = cutmix(x, pyml.arange(2.0))
        for sides in ((mixed[0, 0] == 1).any(1), (mixed[0, 0] == 1).any(0)):
            if not sides[0] and not sides[-1]:
                seen += 1
                assert abs(sides.sum().item() - 100 * 0.5**0.5) <= 1
    assert seen > 10


@pytest.mark.parametrize("shape", [(4, 0), (4, 3, 0, 5), (4, 3, 0, 0)])
def test_rows_without_numbers_keep_their_targets(shape):
    mixed, targets = CutMix(generator=seeded())(pyml.zeros(shape), pyml.arange(4.0))
    assert mixed.shape == shape and targets.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_the_share_is_of_the_beta_distribution(alpha):
    """Its mean 1/2 and variance 1 / (4 (2 alpha + 1))."""
    generator, x = seeded(), pyml.eye(2, dtype=pyml.float64)
    mixup = MixUp(alpha, generator=generator)
    shares = pyml.tensor([mixup(x, x)[0][0, 0].item() for _ in range(3000)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@BOTH
def test_targets_that_are_floats_are_mixed_as_they_are(kind, batch):
    x, _ = batch
    mixed, y = kind(generator=seeded())(x, x.sum(1, True).float())
    assert y.shape == (12, 1) and y.dtype == pyml.float32
    if kind is MixUp:
        assert y.double().allclose(mixed.sum(1, True), atol=1e-5)


@BOTH
def test_the_batch_is_left_as_it_is(kind, batch):
    x, y = (each.clone() for each in batch)
    kind(num_classes=3)(*batch)
    assert (x == batch[0]).all() and (y == batch[1]).all()


@BOTH
def test_recorded_steps_draw_anew(kind, batch):
    mixing = kind(0.5, 3)
    step = pyml.record(lambda x, y: mixing(x, y))
    pyml.manual_seed(4)
    recorded = [step(*batch) for _ in range(6)]
    pyml.manual_seed(4)
    eager = [mixing(*batch) for _ in range(6)]
    for a, b in zip(recorded, eager, strict=True):
        assert (a[0] == b[0]).all() and (a[1] == b[1]).all()


@BOTH
def test_errors(kind, batch):
    x, y = batch
    for make, error, message in [
        (lambda: kind(0), ValueError, "alpha is 0"),
        (lambda: kind(1e301), ValueError, r"alpha is 1e\+301"),
        (lambda: kind("a"), TypeError, "alpha is 'a'"),
        (lambda: kind(num_classes=0), ValueError, "num_classes is 0"),
        (lambda: kind(num_classes=2.0), TypeError, "num_classes is 2.0"),
        (lambda: kind()(x, y), ValueError, "num_classes be given"),
        (lambda: kind(num_classes=2)(x, y), IndexError, "2"),
        (lambda: kind(num_classes=3)(x, y[:5]), ValueError, "as many rows"),
        (lambda: kind(num_classes=3)(x.long(), y), TypeError, "of floats"),
        (lambda: kind(num_classes=3)(x[:, 0], y), ValueError, "two dimensions"),
        (lambda: kind()(x, y.double().requires_grad_()), ValueError, "y requires grad"),
        (lambda: kind(num_classes=3)(x.requires_grad_(), y), ValueError, "x requires grad"),
    ]:
        with pytest.raises(error, match=message):
            make()


@BOTH
@pytest.mark.parametrize("alpha", [1e-300, 1e-40, 1e39, 1e300])
def test_the_share_is_a_number_for_any_alpha(kind, alpha):
    """The smallest and largest that a float32 does not hold, too."""
    mixed, targets = kind(alpha, generator=seeded())(pyml.eye(8), pyml.eye(8))
    assert mixed.isfinite().all() and targets.sum(1).allclose(pyml.ones(8))
    assert alpha < 1 or kind is CutMix or mixed.max().item() == pytest.approx(0.5)
