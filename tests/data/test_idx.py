import gzip
import os
import tracemalloc

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
        ValueError, match=r"its header says 792281624589241053\d+ bytes .* do not plausibly hold"
    ):
        read_idx(path, 3)


def test_a_directory_is_an_os_error(tmp_path):
    with pytest.raises(OSError):
        read_idx(tmp_path, 1)


def test_more_than_the_bytes_can_plausibly_hold_is_not_unpacked(tmp_path):
    """As 300 KB that unpack to 300 MB of zeros, which the header says or does not say."""
    path = tmp_path / "file.gz"
    zeros = gzip.compress(bytes(1 << 22)) * 75
    for size, match in [(75 << 22, "not plausibly hold"), (9, r"or more of data, its header")]:
        header = b"\0\0\x08\x01" + size.to_bytes(4, "big")
        path.write_bytes(gzip.compress(header) + zeros)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=match):
                read_idx(path, 1)
            assert tracemalloc.get_traced_memory()[1] < 1 << 24
        finally:
            tracemalloc.stop()


def test_what_compresses_well_is_read_if_it_is_modest(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(np.zeros((1000, 28, 28)))))
    assert not read_idx(path, 3).any()


def test_a_pipe_is_not_waited_for_and_a_descriptor_stays_open(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="pipe: is a pipe or device"):
        read_idx(pipe, 1)
    with open(__file__, "rb") as file:
        with pytest.raises(TypeError, match="PathLike"):
            read_idx(file.fileno(), 1)
        assert file.read(1)
