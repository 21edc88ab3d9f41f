"""save and load: what comes back is what went in, whole or not at all."""

import errno
import fcntl
import json
import os
import pickle
import re
import stat
import sys
import threading
import zipfile

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from pyml import io
from pyml.tensor import Tensor

DTYPES = [*io.DTYPES]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def same(got, wanted):
    assert isinstance(got, Tensor) and not got.requires_grad
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    assert np.array_equal(got.array, wanted)
    assert got.array.flags.writeable and got.array.flags.aligned and got.is_contiguous()


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(dtype, path):
    arrays = {
        name: np.ones(shape, dtype)
        for name, shape in {"a.weight": (2, 3), "scalar": (), "empty": (0, 4), "odd": (3,)}.items()
    }
    io.save(arrays, path)
    loaded = io.load(str(path))
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        same(loaded[name], array.astype(np.float32) if dtype == "float16" else array)


def test_tensors_also_strided_shared_and_of_the_other_byte_order(path):
    base = np.arange(12.0).reshape(3, 4)
    parameter = Tensor._on(base, requires_grad=True)
    io.save(
        {"p": parameter, "q": Tensor._on(base.T), "r": base[::-1, 1:3], "s": base.astype(">f4")},
        path,
    )
    loaded = io.load(path)
    same(loaded["p"], base)
    same(loaded["q"], base.T)
    same(loaded["r"], base[::-1, 1:3])
    same(loaded["s"], base.astype(np.float32))
    loaded["p"].array[...] = 0
    assert loaded["q"].array.any()


def test_special_values_keep_their_bits(path):
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3e38], np.float32)
    io.save({"x": values}, path)
    assert np.array_equal(io.load(path)["x"].array.view(np.uint32), values.view(np.uint32))


def test_an_empty_dict(path):
    io.save({}, path)
    assert io.load(path) == {}


def test_metadata(path):
    io.save({"x": np.ones(1)}, path, metadata={"epoch": "3", "ü": "ö"})
    assert io.load_metadata(path) == {"epoch": "3", "ü": "ö"}
    io.save({"x": np.ones(1)}, path)
    assert io.load_metadata(path) == {}


def test_files_of_other_libraries(path):
    safetensors.numpy.save_file({"x": np.arange(3)}, path)
    same(io.load(path)["x"], np.arange(3))


# ---- what is not saved ----


@pytest.mark.parametrize(
    "state_dict, error, match",
    [
        ([np.ones(1)], TypeError, "state_dict is a list"),
        ({1: np.ones(1)}, TypeError, "key 1, which is not a string"),
        ({"x": [1.0]}, TypeError, r"state_dict\['x'\] is a list; save\(\) takes a dict of names"),
        ({"state": {}, "param_groups": []}, TypeError, r"state_dict\['state'\] is a dict"),
        ({"x": np.array(["a"])}, TypeError, "dtype <U1; safetensors holds bool"),
        ({"x": np.array([None])}, TypeError, "dtype object"),
        ({"x": np.ones(1, complex)}, TypeError, "dtype complex128"),
        ({"__metadata__": np.ones(1)}, ValueError, "__metadata__"),
    ],
)
def test_refused(state_dict, error, match, path):
    path.write_bytes(b"before")
    with pytest.raises(error, match=match):
        io.save(state_dict, path)
    assert path.read_bytes() == b"before"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("metadata", [{"epoch": 3}, {3: "epoch"}, ["epoch"]])
def test_metadata_refused(metadata, path):
    with pytest.raises(TypeError, match="metadata"):
        io.save({}, path, metadata)
    assert not path.exists()


# ---- the file appears whole or not at all ----


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failure_leaves_what_was_there(call, path, monkeypatch):
    io.save({"x": np.zeros(3)}, path)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        io.save({"x": np.ones(3)}, path)
    same(io.load(path)["x"], np.zeros(3))
    assert os.listdir(path.parent) == [path.name]


def test_the_names_of_the_folder_reach_the_disk_after_the_content(path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_replace(source, target):
        calls.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    io.save({"x": np.ones(1)}, path)
    assert calls == ["file", "replace", "folder"]


@pytest.mark.parametrize("number, raised", [(22, False), (13, False), (5, True)])
def test_a_folder_that_cannot_be_synced(number, raised, path, monkeypatch):
    """File systems that cannot are no fault; a disk that fails is."""
    fsync = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    if raised:
        with pytest.raises(OSError, match=os.strerror(number)):
            io.save({"x": np.ones(1)}, path)
    else:
        io.save({"x": np.ones(1)}, path)
    same(io.load(path)["x"], np.ones(1))


STALE = ".model.safetensors.0123456789abcdef.partial"  # of `path`


def test_what_killed_writers_left_is_removed_and_nothing_else(path):
    others = [
        ".model.0123456789abcdef.partial",
        ".model_safetensors.0123456789abcdef.partial",
        ".model.safetensors.0123456789abcdef.partial.0123456789abcdef.partial",
        ".model.safetensors.0123456789abcde.partial",
        ".model.safetensors.0123456789ABCDEF.partial",
        "model.safetensors.0123456789abcdef.partial",
        ".model.safetensors.best.partial",
        ".model.safetensors.0123456789abcdef.partial2",
    ]
    for name in [*others, STALE, STALE.replace("0", "f")]:
        (path.parent / name).write_bytes(b"part")
    folder = path.parent / STALE.replace("0", "a")
    folder.mkdir()
    io.save({"x": np.ones(1)}, path)
    assert sorted(os.listdir(path.parent)) == sorted([*others, folder.name, path.name])


def test_what_another_writer_writes_is_not_removed(path):
    with open(path.parent / STALE, "xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        io.save({}, path)
        assert (path.parent / STALE).exists()
    io.save({}, path)
    assert os.listdir(path.parent) == [path.name]


def test_a_partial_file_that_is_removed_before_it_is_locked(path, monkeypatch):
    """As another writer may, that takes it for stale."""
    flock, removed = fcntl.flock, []

    def late(file, operation):
        if not removed:
            removed.append(file.name)
            os.unlink(file.name)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    io.save({"x": np.ones(1)}, path)
    same(io.load(path)["x"], np.ones(1))
    assert removed and os.listdir(path.parent) == [path.name]


def test_without_locks(path, monkeypatch):
    def fail(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", fail)
    (path.parent / STALE).write_bytes(b"part")
    io.save({"x": np.ones(1)}, path)
    assert sorted(os.listdir(path.parent)) == sorted([STALE, path.name])


def test_many_writers_of_one_file(path):
    errors = []

    def write(value):
        try:
            for _ in range(20):
                io.save({"x": np.full(1000, value)}, path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[value]) for value in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            array = io.load(path)["x"].array
            assert np.all(array == array[0])
    for thread in threads:
        thread.join()
    assert not errors
    assert os.listdir(path.parent) == [path.name]


def test_more_text_than_the_format_holds(path, monkeypatch):
    def refuse(*args):
        raise safetensors.SafetensorError("Error while serializing: header too large")

    monkeypatch.setattr(safetensors.numpy, "save", refuse)
    with pytest.raises(ValueError, match=r"model\.safetensors: .* header too large"):
        io.save({}, path)


def test_missing_directory(tmp_path):
    with pytest.raises(FileNotFoundError):
        io.save({"x": np.ones(1)}, tmp_path / "missing" / "x.safetensors")
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "x.safetensors")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_permissions(path):
    mask = os.umask(0o027)
    try:
        io.save({}, path)
    finally:
        os.umask(mask)
    assert mode(path) == 0o640
    path.chmod(0o604)
    io.save({"x": np.ones(1)}, path)
    assert mode(path) == 0o604


def test_a_link_stays_a_link(tmp_path):
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    io.save({"x": np.ones(1)}, link)
    assert link.is_symlink() and not target.is_symlink()
    same(io.load(target)["x"], np.ones(1))


# ---- what is not read ----


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_not_read(protocol, path):
    path.write_bytes(pickle.dumps({"x": 1}, protocol))
    with pytest.raises(
        ValueError, match=r"a pickle can run any code .* safetensors.torch.save_file"
    ):
        io.load(path)


def test_a_zip_as_torch_writes_it_is_not_read(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(ValueError, match="a pickle can run any code"):
        io.load(path)


def test_a_header_whose_length_looks_like_a_pickle(path):
    """A header of 0x280 bytes: the file begins with 80 02, as pickles of protocol 2 do."""
    io.save({"x": np.ones(1)}, path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    content = path.read_bytes()
    header = content[8 : 8 + length].rstrip()
    content = (0x280).to_bytes(8, "little") + header.ljust(0x280) + content[8 + length :]
    path.write_bytes(content)
    assert content.startswith(b"\x80\x02")
    same(io.load(path)["x"], np.ones(1))


def test_every_cut_is_noticed(path):
    io.save({"weight": np.arange(4.0), "bias": np.arange(2)}, path, {"epoch": "1"})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        for read in (io.load, io.load_metadata):
            with pytest.raises(
                ValueError, match=f"not a safetensors file|damaged or incomplete .{length} bytes"
            ):
                read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        io.load(path)


@pytest.mark.parametrize("content", [b"\x93NUMPY\x01\x00", b"text of some length", bytes(100)])
def test_other_files(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a safetensors file"):
        io.load(path)


def put(path, dtype, content):
    """A file of one array `x` of shape (n,), written by hand."""
    count = int(len(content) / {"BF16": 2, "F16": 2, "F8_E4M3": 1, "C64": 8, "F4": 0.5}[dtype])
    entry = {"dtype": dtype, "shape": [count], "data_offsets": [0, len(content)]}
    header = json.dumps({"x": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)


@pytest.mark.parametrize(
    "dtype, error",
    [("F8_E4M3", "which NumPy lacks"), ("F4", "which NumPy lacks"), ("C64", "complex64")],
)
def test_dtypes_that_a_tensor_cannot_have(dtype, error, path):
    put(path, dtype, bytes(8))
    with pytest.raises(TypeError, match=f"model.safetensors: 'x'.* dtype .*{error}"):
        io.load(path)


@pytest.mark.parametrize("shape", [[1] * 70, [0, 2**63]])
@pytest.mark.parametrize("dtype", ["U8", "BF16"])
def test_shapes_that_an_array_cannot_have(shape, dtype, path):
    size = 0 if 0 in shape else 2 if dtype == "BF16" else 1
    header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(ValueError, match=r"model.safetensors: 'x' has shape \([01],"):
        io.load(path)


def test_a_file_whose_name_another_takes_while_it_is_opened(path, monkeypatch):
    """All that is read is of one file."""
    other = path.with_name("other")
    put(path, "BF16", bytes(4))
    put(other, "BF16", b"\x80\x3f")
    safe_open = safetensors.safe_open

    def late(*args, **kwargs):
        if other.exists():
            os.replace(other, path)
        return safe_open(*args, **kwargs)

    monkeypatch.setattr(safetensors, "safe_open", late)
    same(io.load(path)["x"], np.ones(1, np.float32))


def test_every_number_of_16_bits_is_read_as_float32(path):
    bits = np.arange(2**16, dtype="<u2")
    put(path, "F16", bits.tobytes())
    same_bits(io.load(path)["x"], bits.view(np.float16).astype(np.float32))
    put(path, "BF16", bits.tobytes())
    wanted = np.zeros((2**16, 2), "<u2")  # the upper half of a float32
    wanted[:, 1] = bits
    same_bits(io.load(path)["x"], wanted.view("<f4")[:, 0])


def same_bits(got, wanted):
    assert got.dtype == np.float32
    assert np.array_equal(got.array.view(np.uint32), wanted.view(np.uint32))


# ---- paths ----


def test_paths_are_text_bytes_or_path_like(tmp_path):
    for i, path in enumerate([str(tmp_path / "a"), os.fsencode(tmp_path / "b"), tmp_path / "c"]):
        io.save({"x": np.full(2, i)}, path, {"i": str(i)})
        same(io.load(path)["x"], np.full(2, i))
        assert io.load_metadata(path) == {"i": str(i)}
    odd = os.path.join(os.fsencode(tmp_path), b"\xff")  # is not UTF-8
    io.save({"x": np.ones(2)}, odd)
    same(io.load(odd)["x"], np.ones(2))


@pytest.mark.parametrize("read", [io.load, io.load_metadata, lambda path: io.save({}, path)])
def test_a_descriptor_is_refused_and_stays_open(read, path):
    io.save({"x": np.ones(2)}, path)
    with open(path, "rb") as file:
        for wrong in (file.fileno(), file, None, True):
            with pytest.raises(TypeError, match=r"path is of type .*, it must be str, bytes or"):
                read(wrong)
        assert file.read(8)


@pytest.mark.parametrize("read", [io.load, io.load_metadata, lambda path: io.save({}, path)])
def test_what_is_no_file_is_refused_and_left_alone(read, tmp_path):
    """A pipe that nobody writes to would be waited for without an end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"pipe: is .* regular file"):
        read(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        read(tmp_path)
    assert os.listdir(tmp_path) == ["pipe"]


# ---- interrupts ----


class Interrupted(BaseException):
    pass


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # not closed by `with`
def test_ctrl_c_at_any_line_of_save_leaves_the_old_file_or_the_new_one(path):
    """And nothing beside it."""
    io.save({"x": np.zeros(2)}, path)
    outcomes = []
    for line in range(1000):
        ahead = line

        def trace(frame, event, _):
            nonlocal ahead
            if frame.f_code.co_filename != io.__file__:
                return None
            if event == "line":
                ahead -= 1
                if ahead == -1:
                    raise Interrupted
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            io.save({"x": np.ones(2)}, path)
        except Interrupted:
            sys.settrace(before)
            assert os.listdir(path.parent) == [path.name]
            outcomes.append(io.load(path)["x"].tolist())
            io.save({"x": np.zeros(2)}, path)
        else:
            break
        finally:
            sys.settrace(before)
    assert 20 < len(outcomes) < 1000
    assert [0.0, 0.0] in outcomes and [1.0, 1.0] in outcomes


@pytest.mark.parametrize("name, number", [("open", errno.EACCES), ("fsync", errno.ENOSPC)])
def test_errors_name_the_path_that_was_given(name, number, path, monkeypatch):
    io.save({"x": np.zeros(3)}, path)

    def fail(name, *args):
        raise OSError(number, os.strerror(number), *([str(name)] if args else []))

    monkeypatch.setattr(io if name == "open" else os, name, fail, raising=False)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        io.save({"x": np.ones(3)}, path)
    assert caught.value.filename == str(path)
    monkeypatch.undo()
    same(io.load(path)["x"], np.zeros(3))
    assert os.listdir(path.parent) == [path.name]
