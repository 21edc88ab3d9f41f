import numpy as np

from pyml.data import load_digits


def test_digits():
    images, labels = load_digits()
    assert images.shape == (1797, 64) and images.dtype == np.float32
    assert labels.shape == (1797,) and labels.dtype == np.int64
    assert images.numpy().min() == 0 and images.numpy().max() == 1
    assert np.bincount(labels.numpy()).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    # the first image, a zero
    pixels = (images.numpy()[0] * 16).reshape(8, 8)
    assert pixels[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert labels.tolist()[:10] == list(range(10))
