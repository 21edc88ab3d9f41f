import re

import numpy as np
import pytest

from helpers.idx_files import FAULTS, ROWS, write_data_set
from pyml.data import load_fashion_mnist

PART = {"train": "train", "t10k": "test"}


@pytest.mark.parametrize("prefix", PART)
def test_images_and_labels(tmp_path, rng, prefix):
    write_data_set(tmp_path, rng)
    images, labels = load_fashion_mnist(tmp_path, PART[prefix])
    assert images.shape == (ROWS[prefix], 784) and images.dtype == np.float32
    assert labels.shape == (ROWS[prefix],) and labels.dtype == np.int64
    pixels = images.numpy()
    assert 0 <= pixels.min() < 0.1 and 0.7 < pixels.max() <= 1
    assert labels.tolist() == [row % 10 for row in range(ROWS[prefix])]
    # class 3 is bright in rows 6 and 7 of its image
    assert pixels[3].reshape(28, 28).mean(1).argsort()[-2:].tolist() in ([6, 7], [7, 6])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_wrong_is_named(tmp_path, rng, fault):
    write_data_set(tmp_path, rng)
    prefix, kind, spoil, message = FAULTS[fault]
    spoil(tmp_path, prefix, kind)
    with pytest.raises((ValueError, OSError), match=re.escape(message)) as caught:
        load_fashion_mnist(tmp_path, PART[prefix])
    assert f"{prefix}-{kind}" in str(caught.value) or fault == "counts"


def test_no_directory(tmp_path):
    with pytest.raises(OSError, match="is not a directory"):
        load_fashion_mnist(tmp_path / "absent", "train")


def test_unknown_part(tmp_path):
    with pytest.raises(ValueError, match="part is 'validation'"):
        load_fashion_mnist(tmp_path, "validation")
