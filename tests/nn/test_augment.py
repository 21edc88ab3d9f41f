"""Layers that change images at random; tests/kernels/test_image.py has the views themselves."""

import numpy as np
import pytest

import pyml
from pyml import nn

LAYERS = {
    "flip": nn.RandomHorizontalFlip(),
    "rotation": nn.RandomRotation(20),
    "shift": nn.RandomShift(2),
    "crop": nn.RandomCrop(8, padding=1),
    "cutout": nn.RandomCutout(3),
}


@pytest.fixture(params=LAYERS.values(), ids=list(LAYERS))
def layer(request):
    return request.param.train()


@pytest.fixture
def images():
    return pyml.rand(16, 1, 8, 8, generator=pyml.Generator().manual_seed(1))


def test_all_forms_are_the_same_images(layer, images):
    seen = []
    for form in (images, images.squeeze(1), images.flatten(1)):
        pyml.manual_seed(3)
        result = layer(form)
        assert result.shape == form.shape and result.dtype == form.dtype
        seen.append(result.reshape(images.shape))
    assert (seen[0] == seen[1]).all() and (seen[0] == seen[2]).all()
    assert not (seen[0] == images).all()


def test_channels_have_one_view(layer, images):
    layer = type(layer)(**{**vars_of(layer), "channels": 3})
    rows = layer(images.expand(16, 3, 8, 8).flatten(1)).reshape(16, 3, 8, 8)
    assert (rows[:, 0] == rows[:, 1]).all() and (rows[:, 0] == rows[:, 2]).all()


def vars_of(layer):
    names = ("p", "degrees", "pixels", "size", "padding")
    return {name: getattr(layer, name) for name in names if hasattr(layer, name)}


def test_images_of_a_batch_differ(layer, images):
    first = layer(images[:1].expand(16, 1, 8, 8).contiguous())
    assert not (first == first[0]).all()


def test_in_evaluation_nothing_is_changed_or_drawn(layer, images):
    before = pyml.get_rng_state()
    assert (layer.eval()(images) == images).all()
    assert (pyml.get_rng_state() == before).all()


def test_recorded_steps_draw_anew(layer, images):
    step = pyml.record(lambda x: layer(x))
    pyml.manual_seed(5)
    recorded = [step(images) for _ in range(6)]
    pyml.manual_seed(5)
    eager = [layer(images) for _ in range(6)]
    assert all((a == b).all() for a, b in zip(recorded, eager, strict=True))
    assert not (eager[4] == eager[5]).all()


def test_crop_takes_the_middle_in_evaluation():
    x = pyml.arange(30.0).reshape(1, 1, 5, 6)
    crop = nn.RandomCrop((3, 2)).eval()
    assert (crop(x) == x[:, :, 1:4, 2:4]).all()
    assert crop.train()(x).shape == (1, 1, 3, 2)


def test_gradients_go_through_in_evaluation(layer, images):
    x = images.clone().requires_grad_()
    (layer.eval()(x) * images).sum().backward()
    assert (x.grad == images).all()


def test_without_gradients_any_input_is_taken(images):
    with pyml.no_grad():
        assert not nn.RandomShift(2)(images.clone().requires_grad_()).requires_grad


def test_a_generator_of_its_own(images):
    made = [nn.RandomShift(2, generator=pyml.Generator().manual_seed(9))(images) for _ in range(2)]
    assert (made[0] == made[1]).all()


def test_a_flip_of_probability_one_mirrors(images):
    assert (nn.RandomHorizontalFlip(1.0)(images) == images.flip(3)).all()


def test_angles_are_in_degrees():
    """A slope that is turned by t has the height of sin(t) across."""
    x = pyml.arange(-10.0, 11).expand(500, 21, 21).contiguous()
    across = nn.RandomRotation(30, generator=pyml.Generator().manual_seed(2))(x)[:, 5, 10] / 5
    assert across.abs().max().item() == pytest.approx(0.5, abs=0.01)
    assert across.mean().abs().item() < 0.05


def test_every_shift_is_as_likely():
    x = pyml.zeros(5000, 5, 5)
    x[:, 2, 2] = 1
    places = nn.RandomShift(1, generator=pyml.Generator().manual_seed(0))(x).mean(0).numpy()
    assert np.abs(places[1:4, 1:4] - 1 / 9).max() < 0.02 and places.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.RandomHorizontalFlip(1.5), "p is 1.5"),
        (lambda: nn.RandomRotation(-1), "degrees is -1"),
        (lambda: nn.RandomShift(-1), "pixels is -1"),
        (lambda: nn.RandomShift(2**40), "pixels is 1099511627776"),
        (lambda: nn.RandomCrop(0), "size is 0"),
        (lambda: nn.RandomCrop((1, 2, 3)), "it must be a number or two"),
        (lambda: nn.RandomCutout(-3), "size is -3"),
        (lambda: nn.RandomShift(1, channels=0), "channels is 0"),
        (lambda: nn.RandomCrop(9)(pyml.zeros(2, 8, 8)), "height of 8, the window of 9"),
        (lambda: nn.RandomCrop(9).eval()(pyml.zeros(2, 8, 8)), "height of 8, the window of 9"),
        (lambda: nn.RandomShift(1)(pyml.zeros(2, 63)), "rows of 1 x side x side"),
        (lambda: nn.RandomShift(1)(pyml.zeros(2)), "images are"),
        (lambda: nn.RandomShift(1)(pyml.zeros(2, 64, requires_grad=True)), "requires grad"),
    ],
    ids=range(13),
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_types():
    with pytest.raises(TypeError, match=r"pixels is 1\.5"):
        nn.RandomShift(1.5)
    with pytest.raises(TypeError, match="must be of floats"):
        nn.RandomShift(1)(pyml.zeros(2, 64, dtype=pyml.uint8))
