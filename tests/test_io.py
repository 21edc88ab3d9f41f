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
from io import BytesIO, StringIO

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import pyml
from helpers.trees import bits
from pyml import export, io, json_tree, nn, optim
from pyml.tensor import Tensor

DTYPES = [*json_tree.DTYPES]
READERS = [io.load, io.load_metadata, export.load_torch, export.load_npz]
READERS += [lambda path: io.load(path, weights_only=False), lambda path: io.save({}, path)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def str_of_type(value):
    """An id without an address."""
    return re.sub(r" at 0x\w+", "", str(value))[:40]


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


class OfVersion3(nn.Linear):
    """A layer that reads the versions of its keys, as PyTorch's do."""

    _version = 3
    seen = None

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *given):
        self.seen = local_metadata.get("version")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *given)


@pytest.mark.parametrize("place", [lambda d: d, lambda d: [1, {"model": d}]], ids=["alone", "in"])
def test_the_versions_of_a_state_dict(place, path):
    net = nn.Sequential(OfVersion3(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    state = net.state_dict()
    io.save(place(state), path)
    loaded = io.load(path)
    loaded = loaded[1]["model"] if isinstance(loaded, list) else loaded
    assert loaded._metadata == state._metadata and list(loaded) == list(state)
    assert loaded._metadata["0"] == {"version": 3}
    net.load_state_dict(loaded)
    assert net[0].seen == 3
    safetensors.numpy.load_file(path)  # others read the tensors
    if place(1) == 1:
        assert set(safetensors.numpy.load_file(path)) == set(state)
        assert io.load_metadata(path) == {}


def test_metadata_that_tells_nothing_is_left_out(path):
    """The file is that of a plain dict, which says nothing of pyml."""
    state = nn.Linear(2, 1).state_dict()
    files = []
    for metadata in (state._metadata, {}, {"": 3}, {"": {"version": object()}}, 7):
        state._metadata = metadata
        io.save(state, path)
        files.append(path.read_bytes())
    io.save(dict(state), path)
    assert {*files} == {path.read_bytes()}


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


def test_names_come_back_in_their_order(path):
    arrays = {"z": np.ones(1), "ü": np.ones(1, "i4"), "a": np.ones(1, bool), "b": np.ones(3)}
    for f in (path, BytesIO()):
        io.save(arrays, f, {"epoch": "1"})
        f.seek(0) if f is not path else None
        loaded = io.load(f)
        assert list(loaded) == list(arrays)
        for name, array in arrays.items():
            same(loaded[name], array)
    assert set(safetensors.numpy.load_file(path)) == set(arrays)
    assert io.load_metadata(path) == {"epoch": "1"}


# ---- trees ----


def trained(steps=2):
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = optim.Adam(model.parameters(), 0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(steps):
        model(pyml.rand(4, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer, scheduler


def run_of(model, optimizer, scheduler):
    return {
        "epoch": 1,
        "model": dict(model.state_dict()),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "best": (0.25, None, True, "é", float("inf"), {1: [Tensor([1.0, 2.0])], "1": []}),
    }


TREES = {
    "a run": run_of(*trained()),
    "a tensor": pyml.arange(6).reshape(2, 3),
    "an array": np.arange(3, dtype=np.float16),
    "a scalar": np.float32(0.5),
    "a number": 3,
    "a tuple": (1, 2.5, None, "x", True, {}, [], ()),
    "a list of tensors": [pyml.ones(2), pyml.zeros(0, 3), pyml.tensor(True)],
    "keys of numbers": {0: pyml.ones(1), 1: {"exp_avg": pyml.zeros(2)}},
    "a dict with a scalar": {"loss": np.float64(0.5), "weight": pyml.ones(2)},
    "names that meet": {"a.b": np.ones(1), "a": {"b": np.zeros(2)}, "n": 1},
    "a reserved name": {"__metadata__": np.ones(1)},
    "words of the format": [{"tensor": "0"}, {"dict": []}, {"pyml_tree": "{}"}],
}


@pytest.mark.parametrize("name", TREES)
def test_trees(name, path, tmp_path):
    wanted = TREES[name]
    io.save(wanted, path, {"by": "a test"})
    assert bits(io.load(path)) == bits(wanted)
    assert io.load_metadata(path) == {"by": "a test"}
    stream = BytesIO(b"before")
    stream.seek(6)
    io.save(wanted, stream)
    stream.seek(6)
    assert bits(io.load(stream)) == bits(wanted) and stream.read() == b""
    for buffering in (0, -1):  # raw and buffered
        with open(tmp_path / "opened", "wb", buffering=buffering) as file:
            io.save(wanted, file)
        with open(tmp_path / "opened", "rb", buffering=buffering) as file:
            assert bits(io.load(file)) == bits(wanted)
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive, archive.open("model", "w") as member:
        io.save(wanted, member)
    with zipfile.ZipFile(tmp_path / "zip") as archive, archive.open("model") as member:
        assert bits(io.load(member)) == bits(wanted)


def test_a_run_goes_on(path):
    whole, resumed = trained(), trained(0)
    io.save(run_of(*whole), path)
    run = io.load(path, map_location="cpu", weights_only=True)
    for part, name in zip(resumed, ("model", "optimizer", "scheduler"), strict=True):
        part.load_state_dict(run[name])
    for model, optimizer, _ in (whole, resumed):
        optimizer.zero_grad()
        model(pyml.ones(4, 2)).sum().backward()
        optimizer.step()
    assert bits(dict(whole[0].state_dict())) == bits(dict(resumed[0].state_dict()))


def test_a_file_object_that_takes_a_part_at_a_time():
    class Slow(BytesIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    slow = Slow()
    io.save([1, pyml.ones(3)], slow)
    slow.seek(0)
    assert bits(io.load(slow)) == bits([1, pyml.ones(3)])


def test_tensors_of_every_dtype_in_a_file_object():
    arrays = {dtype: np.arange(3).astype(dtype) for dtype in DTYPES}
    stream = BytesIO()
    io.save(arrays, stream)
    stream.seek(0)
    loaded = io.load(stream)
    for dtype, array in arrays.items():
        same(loaded[dtype], array.astype(np.float32) if dtype == "float16" else array)


def test_a_file_object_of_text_is_refused(tmp_path):
    for write in io.save, export.save_torch, export.save_npz:
        with open(tmp_path / "text", "w") as file, pytest.raises(TypeError, match="for bytes, as"):
            write({}, file)
    with pytest.raises(TypeError, match=r"f gives str, it must give bytes, as of open\(path, 'rb'"):
        io.load(StringIO("text"))


@pytest.mark.parametrize(
    "place", ["cpu", None, lambda storage, loc: storage, {"cuda:0": "cpu"}], ids=str_of_type
)
def test_map_location(place):
    stream = BytesIO()
    io.save(pyml.ones(2), stream, pickle_module=pickle, pickle_protocol=4)
    stream.seek(0)
    same(io.load(stream, place, pickle, weights_only=False, mmap=True), np.ones(2, np.float32))


@pytest.mark.parametrize("place", ["cuda", {"cpu": "cuda:1"}], ids=str)
def test_map_location_elsewhere(place):
    with pytest.raises(ValueError, match=r"load: map_location: device is 'cuda.*only 'cpu' is av"):
        io.load(BytesIO(), place)


def file_of(header):
    """A file without arrays whose structure is `header`."""
    text = header if isinstance(header, str) else json.dumps(header)
    return safetensors.numpy.save({}, {io.KEY: text})


def structured(content):
    return {"version": 1, "crc32": json_tree.checksum(content, {}), "content": content}


def nested(depth):
    node = []
    for _ in range(depth):
        node = [node]
    return node


@pytest.mark.parametrize(
    "header, match",
    [
        ("{", "is damaged: Expecting"),
        ("[" * 100_000, "is damaged: "),
        ([], "is damaged: it lacks 'version'"),
        ({"version": 2}, "is of version 2, pyml here reads version 1"),
        ({"version": 1}, "is damaged: it lacks 'content'"),
        ({"version": 1, "content": 1}, "is damaged: it lacks 'crc32'"),
        ({"version": 1, "content": 1, "crc32": 0}, "is damaged: its checksum"),
        ('{"version": 1, "version": 1}', "is damaged: it has 'version' twice"),
        (structured(nested(102)), "is damaged: its content is nested deeper than 100"),
        (structured({"dict": [["a", 1], ["a", 2]]}), "is damaged: .* or are there twice"),
        (structured({"dict": [[[1], 2]]}), "is damaged: its content has a dict with keys"),
        (structured({"dict": 3}), "is damaged: its content has 'dict' of what this cannot be"),
        (structured({"a": 1, "b": 2}), "is damaged: its content has an object of the kinds a, b"),
        (structured({"float": "x"}), "is damaged: its content has 'float'"),
        (structured({"tensor": "x"}), "is damaged: its content lacks the array 'x'"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_structures_that_cannot_be(header, match, path):
    path.write_bytes(file_of(header))
    stream = BytesIO(path.read_bytes())
    for f, name in ((path, str(path)), (stream, "BytesIO")):
        with pytest.raises(ValueError, match=re.escape(name) + ": " + match):
            io.load(f)
    assert stream.tell() == 0


def test_a_refused_file_object_stands_where_it_stood():
    stream = BytesIO(b"before" + b"not safetensors")
    stream.seek(6)
    with pytest.raises(ValueError, match="is not a safetensors file"):
        io.load(stream)
    assert stream.tell() == 6


def test_an_array_that_the_structure_has_twice(path):
    content = [{"tensor": "x"}, {"tensor": "x"}]
    arrays = {"x": np.ones(1)}
    header = {"version": 1, "crc32": json_tree.checksum(content, arrays), "content": content}
    path.write_bytes(safetensors.numpy.save(arrays, {io.KEY: json.dumps(header)}))
    with pytest.raises(ValueError, match="lacks the array 'x', or has it twice"):
        io.load(path)


def test_a_name_that_the_header_has_twice(path):
    entry = '"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    header = f"{{{entry},{entry}}}".encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    for f in (path, BytesIO(path.read_bytes())):
        with pytest.raises(ValueError, match="is damaged: it has 'x' twice"):
            io.load(f)


def test_the_checksum_is_of_the_arrays_too(path):
    io.save([pyml.ones(2)], path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="its checksum is not that of its content"):
        io.load(path)


# ---- what is not saved ----


def endless():
    tree = []
    tree.append(tree)
    return tree


@pytest.mark.parametrize(
    "obj, error, match",
    [
        ({"x": {1.0}}, TypeError, r"save: obj\['x'\] is a set; a file keeps dicts, lists"),
        ({b"x": 1}, TypeError, r"save: obj has the key b'x'; a file keeps keys that are numbers"),
        (
            nn.Linear(2, 1),
            TypeError,
            r"save: obj is a Linear; .* keep its state_dict\(\)",
        ),
        ([1, {"m": nn.Linear(2, 1)}], TypeError, r"obj\[1\]\['m'\] is a Linear; its code is no"),
        (optim.SGD([pyml.ones(1)], 0.1), TypeError, r"obj is a SGD; .* keep its state_dict\(\)"),
        (nn.Linear, TypeError, "obj is a type; a file keeps"),
        (endless(), ValueError, "save: obj is nested deeper than 100, or holds itself"),
        ({"x": np.array(["a"])}, TypeError, "dtype <U1; safetensors holds bool"),
        ({"x": np.array([None])}, TypeError, "dtype object"),
        ({"x": np.ones(1, complex)}, TypeError, "dtype complex128"),
    ],
    ids=str_of_type,
)
def test_refused(obj, error, match, path):
    path.write_bytes(b"before")
    stream = BytesIO(b"before")
    for f in (path, stream):
        with pytest.raises(error, match=match):
            io.save(obj, f)
    assert path.read_bytes() == stream.getvalue() == b"before"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("metadata", [{"epoch": 3}, {3: "epoch"}, ["epoch"]])
def test_metadata_refused(metadata, path):
    with pytest.raises(TypeError, match="metadata"):
        io.save({}, path, metadata)
    assert not path.exists()


def test_a_name_of_metadata_that_save_keeps(path):
    with pytest.raises(ValueError, match="metadata has the name 'pyml_tree', which save"):
        io.save({}, path, {"pyml_tree": ""})


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
        ValueError, match=r"any code .*export.load_torch.* safetensors.torch.save_file"
    ):
        io.load(path)


class Made:
    """Something with code of its own, that says whether it ran."""

    ran = False

    def __init__(self, module):
        self.module = module

    def __setstate__(self, state):
        Made.ran = True
        self.__dict__.update(state)


@pytest.mark.parametrize("stream", [False, True])
def test_a_whole_object_is_a_pickle_for_who_asks_for_it(stream, tmp_path):
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = optim.Adam(module.parameters())
    module(pyml.randn(4, 2)).sum().backward()
    optimizer.step()
    place = BytesIO() if stream else tmp_path / "model.pt"

    def back():
        return BytesIO(place.getvalue()) if stream else place

    io.save([Made(module), {"optimizer": optimizer}], place, pickle_module=pickle)
    Made.ran = False
    for options in ({}, {"weights_only": True}, {"pickle_module": pickle}):
        with pytest.raises(
            ValueError, match=r"that you trust, load\(f, weights_only=False\) reads"
        ):
            io.load(back(), **options)
    assert not Made.ran
    made, held = io.load(back(), weights_only=False)
    assert Made.ran
    assert bits(made.module.state_dict()) == bits(module.state_dict())
    assert made.module[1].training and made.module is not module
    [group] = held["optimizer"].param_groups
    assert group["params"][0] is made.module[0].weight  # one pickle of both
    before = made.module[0].weight.clone()
    made.module(pyml.randn(4, 2)).pow(3).sum().backward()
    held["optimizer"].step()
    assert not pyml.equal(before, made.module[0].weight)


def test_a_pickle_only_of_what_needs_one(tmp_path):
    """Trees stay without code; so does what is called safetensors, or has metadata."""
    io.save({"x": pyml.ones(2)}, tmp_path / "tree.pt", pickle_module=pickle)
    assert io.load(tmp_path / "tree.pt")["x"].tolist() == [1, 1]
    for name, options in [
        ("model.safetensors", {"pickle_module": pickle}),
        ("model.pt", {"pickle_module": pickle, "metadata": {"a": "b"}}),
        ("model.pt", {"pickle_protocol": 4}),
    ]:
        with pytest.raises(TypeError, match=r"obj is a Linear; .* keep its state_dict\(\)"):
            io.save(nn.Linear(1, 1), tmp_path / name, **options)
        assert not (tmp_path / name).exists()
    path = tmp_path / "model.pt"
    io.save(nn.Linear(1, 1), path, pickle_module=pickle, pickle_protocol=3)
    assert path.read_bytes().startswith(b"\x80\x03")
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        io.save([lambda: 0], path, pickle_module=pickle)
    content = path.read_bytes()
    assert isinstance(io.load(path, weights_only=False), nn.Linear)  # left as it was
    for damaged in (content[:-20], content[:12]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged or incomplete pickle"):
            io.load(path, weights_only=False)
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + content)
    with pytest.raises(ValueError, match=r"before PyTorch 1\.6"):
        io.load(path, weights_only=False)


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
        for read in (io.load, io.load_metadata, lambda path: io.load(BytesIO(path.read_bytes()))):
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
    with np.errstate(invalid="ignore"):
        wanted = bits.view(np.float16).astype(np.float32)
    same_bits(io.load(path)["x"], wanted)
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
        for wrong in (file.fileno(), None, True):
            with pytest.raises(TypeError, match=r"is of type .*, it must be str, bytes or"):
                read(wrong)
        assert file.read(8)


@pytest.mark.parametrize("read", READERS, ids=str_of_type)
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


@pytest.mark.parametrize("read", READERS[:-1], ids=str_of_type)
def test_a_device_is_refused(read):
    with pytest.raises(ValueError, match=r"/dev/null: is .* regular file"):
        read(os.devnull)


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
