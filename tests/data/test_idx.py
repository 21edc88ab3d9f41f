import gzip

import numpy as np
import pytest

from helpers.idx_files import idx
from pyml.data import read_idx


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 4), (2, 3, 5), (0, 28, 28)])
def test_reads_what_was_written(tmp_path, rng, shape):
    array = rng.integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(array)))
    read = read_idx(path, len(shape))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)
    assert read.shape == shape


def test_sizes_are_big_endian_and_may_be_huge(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
    with pytest.raises(
        ValueError, match=r"holds 0 bytes of data, its header says 79228162458924105385"
    ):
        read_idx(path, 3)


def test_a_directory_is_an_os_error(tmp_path):
    with pytest.raises(OSError):
        read_idx(tmp_path, 1)
