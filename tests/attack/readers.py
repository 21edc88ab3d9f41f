"""Damaged input for everything that reads: files, state dicts, the command line.

Files are damaged as bytes, and in their structure, with lengths and checksums made right again.
What is read is loaded, or refused with an ordinary exception of words: nothing of the model,
optimizer, scheduler and generators has changed then. Loading takes little time and memory. After
it, what was loaded is well formed, and a step of the training works or refuses.
"""

import contextlib
import gzip
import io
import json
import struct
import warnings
import zipfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import safetensors.numpy

import pyml
from attack.arguments import Hostile, Maker, bits_of, describe
from attack.calls import REFUSED, Slow, limited, quiet, well_formed
from attack.children import Fault
from helpers.idx_files import idx
from pyml import data, export, json_tree, nn, optim
from pyml.cli import failures
from pyml.cli.commands import parsers
from pyml.cli.options import parsed
from pyml.train import checkpoint

OF_FILES = (ValueError, TypeError, OSError, MemoryError)
OF_DICTS = (ValueError, TypeError, RuntimeError, KeyError, MemoryError, Hostile)
HOSTILE_JSON = [
    *(
        None,
        True,
        False,
        -1,
        0,
        2,
        2**70,
        1e300,
        "",
        "x",
        "lr",
        [],
        {},
        [[]],
        [1, 2],
        {"tensor": "no"},
    ),
    *(
        {"dict": []},
        {"dict": [[1, 2]]},
        {"dict": [[[1], 2]]},
        {"dict": 3},
        {"tuple": []},
        {"float": "x"},
    ),
    *({"float": "nan"}, {"a": 1, "b": 2}, {"array": "optimizer.state.0.step"}, "model.0.weight"),
    *({"scalar": "model.0.weight"}, {"tensor": "model.0.weight"}, {"dict": [["params", [0]]]}),
]
DTYPES = ["F32", "F64", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "U16", "C64", "x", 3, None]
ARRAYS = ["float32", "float64", "float16", ">f4", ">f8", "int64", "uint64", "bool", "complex64"]
WORDS = [
    "train",
    "info",
    "--epochs",
    "--lr",
    "--seed",
    "--hidden",
    "--threads",
    "--dropout",
    "--out",
]
WORDS += ["--batch-size", "--no-plot", "--fashion-mnist", "--version", "--help", "-h", "--", "-x"]
WORDS += ["1", "0", "-1", "nan", "inf", "1e400", "9" * 5000, "1,2", ",", "", "x", "\0", "é", "0x1"]
WORDS += [
    "--lr=",
    "--epochs=3",
    "--seed=18446744073709551616",
    "1_0",
    " 5 ",
    "٣",
    "@file",
    "\ud800",
]


class World:
    """A training after two steps."""

    def __init__(self, rng):
        kind = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"][int(rng.integers(5))]
        pyml.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        params = list(self.model.parameters())
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.2}]
        options = {"momentum": 0.9} if kind == "SGD" else {}
        self.optimizer = getattr(optim, kind)(groups, lr=0.1, **options)
        self.scheduler = optim.lr_scheduler.LinearLR(self.optimizer)
        for _ in range(2):
            self.step()

    def step(self):
        self.optimizer.zero_grad()
        self.model(pyml.ones(3, 3) * 0.5).sum().backward()
        self.optimizer.step()
        self.scheduler.step()

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def bits(self):
        schedule = {k: v for k, v in vars(self.scheduler).items() if k != "optimizer"}
        states = [self.model, self.optimizer, schedule, pyml.default_generator]
        return bits_of([*states, dict(self.optimizer.state)])


def attack(rng, tell):
    trick = TRICKS[int(rng.integers(len(TRICKS)))]
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        world = World(rng)
        trick(
            rng,
            world,
            lambda text="": tell(f"{trick.__name__} {type(world.optimizer).__name__} {text}"),
        )


def load_and_look(world, load, allowed, check=lambda result: None):
    """Runs `load`: it loads, or refuses and has changed nothing."""
    before = world.bits()
    try:
        with limited(of_processor=True):
            result = load()
    except Slow:
        raise Fault("reads for more than seconds") from None
    except BaseException as error:
        if isinstance(error, REFUSED) or not isinstance(error, allowed):
            raise Fault(f"{type(error).__name__}: {error!s:.300}") from error
        if not str(error).strip() and not isinstance(error, MemoryError):
            raise Fault(f"{type(error).__name__} without words") from error
        if world.bits() != before:
            raise Fault(f"raised {error!r:.200}, and changed something") from error
        return
    check(result)
    well_formed("what was read", [result, world.model.state_dict(), dict(world.optimizer.state)])
    for values in world.optimizer.state.values():
        well_formed("state", values)
    with contextlib.suppress(*OF_DICTS, FloatingPointError):
        world.step()
    well_formed("after a step", list(world.model.parameters()))


# ---- bytes ---------------------------------------------------------------------------------------


def damaged(rng, content):
    """The bytes with one to three damages."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at, kind = int(rng.integers(len(content) + 1)), int(rng.integers(7))
        if rng.random() < 0.3:
            at = min(at, int(rng.integers(64)))  # headers are at the beginning
        some = rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8).tobytes()
        if kind == 0 and at < len(content):
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            content[at:at] = some
        elif kind == 3:
            del content[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            content[at : at + len(some)] = some
        elif kind == 5:
            content[at : at + 8] = struct.pack("<q", int(rng.integers(-(2**63), 2**63 - 1)))
        else:
            content += some
    return bytes(content)


def header_damaged(rng, content):
    """A safetensors file with another header, whose length is right."""
    size = struct.unpack("<Q", content[:8])[0]
    header, rest = json.loads(content[8 : 8 + size]), content[8 + size :]
    names = list(header)
    name = names[int(rng.integers(len(names)))]
    entry, kind = header[name], int(rng.integers(6))
    if kind == 0 or name == "__metadata__":
        header[name] = HOSTILE_JSON[int(rng.integers(len(HOSTILE_JSON)))]
    elif kind == 1:
        entry["dtype"] = DTYPES[int(rng.integers(len(DTYPES)))]
    elif kind == 2:
        entry["shape"] = [
            int(n) for n in rng.choice([0, 1, 2, 3, 2**31, 2**62, 2**63], rng.integers(4))
        ]
    elif kind == 3:
        entry["data_offsets"] = [int(n) for n in rng.choice([0, 1, 8, 16, 2**31, 2**63], 2)]
    elif kind == 4:
        del header[name]
    else:
        header["x" * int(rng.integers(2000))] = entry
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = damaged(rng, text)
    return struct.pack("<Q", len(text)) + text + rest


def damaged_json(rng, tree):
    """The tree with one place replaced, removed or doubled."""
    places = []

    def walk(node):
        for key in node.keys() if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    tree = json.loads(json.dumps(tree))
    walk(tree)
    for _ in range(int(rng.integers(1, 3))):
        node, key = places[int(rng.integers(len(places)))]
        with contextlib.suppress(KeyError, IndexError):
            kind = int(rng.integers(5))
            if kind == 0:
                del node[key]
            elif kind == 1 and isinstance(node, list):
                node.append(node[key])
            elif kind == 2:
                for _ in range(int(rng.choice([1, 3, 200]))):
                    node[key] = [node[key]]
            else:
                node[key] = HOSTILE_JSON[int(rng.integers(len(HOSTILE_JSON)))]
    return tree


# ---- what is read --------------------------------------------------------------------------------


@cache
def scratch():
    """A file in the folder that the child has for itself."""
    return Path("damaged.safetensors").absolute()


def weights_file(rng, world, tell):
    path = scratch()
    pyml.save(world.model.state_dict(), path, {"a": "b"})
    change = [damaged, header_damaged][int(rng.integers(2))]
    path.write_bytes(change(rng, path.read_bytes()))
    tell(change.__name__)
    load_and_look(world, lambda: pyml.load(path), OF_FILES)
    load_and_look(world, lambda: pyml.io.load_metadata(path), OF_FILES)
    load_and_look(
        world, lambda: world.model.load_state_dict(pyml.load(path)), (*OF_FILES, RuntimeError)
    )


def torch_file(rng, world, tell):
    """A file as of torch.save, damaged as bytes or in the pickle of a whole zip."""
    file = io.BytesIO()
    export.save_torch({"model": world.model.state_dict(), "lr": [0.1, 3, None]}, file)
    content = file.getvalue()
    if rng.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = "archive/data.pkl" if rng.random() < 0.8 else list(parts)[int(rng.integers(3))]
        parts[name] = damaged(rng, parts[name])
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        content = file.getvalue()
    else:
        content = damaged(rng, content)
    tell()
    load_and_look(world, lambda: export.load_torch(io.BytesIO(content)), OF_FILES)


def tree_file(rng, world, tell):
    """A training in one file, and in a file object: damaged, or of another structure."""
    kept = {"epoch": 1, "model": world.model.state_dict(), "lr": (0.1, None, [float("inf")])}
    kept["optimizer"] = world.optimizer.state_dict()
    content = io.BytesIO()
    pyml.save(kept, content)
    path, what = scratch(), int(rng.integers(3))
    path.write_bytes(content.getvalue())
    if what < 2:
        path.write_bytes([damaged, header_damaged][what](rng, path.read_bytes()))
    else:
        arrays, metadata = pyml.io._read(path)
        header = json.loads(metadata[pyml.io.KEY])
        if rng.random() < 0.3:
            header = damaged_json(rng, header)
        else:
            header["content"] = damaged_json(rng, [header["content"]])
            header["content"] = (header["content"] or [None])[0]
        with contextlib.suppress(KeyError, TypeError):
            header["crc32"] = json_tree.checksum(header["content"], arrays)
        text = json.dumps(header)
        if rng.random() < 0.1:
            text = text[:1] + text[1 : text.index(",") + 1] * 2 + text[text.index(",") + 1 :]
        content = safetensors.numpy.save(arrays, {pyml.io.KEY: text})
        path.write_bytes(content)
    tell(f"kind {what}: {path.read_bytes()[:1500]!r}")
    world.step()
    read = (lambda: pyml.load(path)) if rng.random() < 0.5 else (lambda: loaded_stream(path))
    load_and_look(world, read, OF_FILES)
    load_and_look(world, lambda: world.optimizer.load_state_dict(part_of(read())), OF_DICTS)


def part_of(content):
    """What a file has of the optimizer; a file that is no dict is of it alone."""
    return content["optimizer"] if isinstance(content, dict) else content


def loaded_stream(path):
    """What is in a file object, which is where it was if it is refused."""
    stream = io.BytesIO(b"head" + path.read_bytes())
    stream.seek(4)
    try:
        return pyml.load(stream)
    except BaseException:
        if stream.tell() != 4:
            raise Fault("a file object is not where it was") from None
        raise


def checkpoint_file(rng, world, tell):
    path = scratch()
    pyml.save_checkpoint(path, **world.parts(), progress={"epoch": 1}, extra=[(1, 2.5, None)])
    change = [damaged, header_damaged][int(rng.integers(2))]
    path.write_bytes(change(rng, path.read_bytes()))
    tell(change.__name__)
    world.step()  # what is in the file differs
    load_and_look(world, lambda: pyml.load_checkpoint(path, **world.parts()), OF_FILES)


def checkpoint_tree(rng, world, tell):
    """The content is another, the checksum right."""
    path = scratch()
    pyml.save_checkpoint(path, **world.parts(), progress={"epoch": 1}, extra=[(1, 2.5, None)])
    arrays, metadata = pyml.io._read(path)
    header = json.loads(metadata[checkpoint.KEY])
    what = int(rng.integers(4))
    if what == 0:
        name = sorted(arrays)[int(rng.integers(len(arrays)))]
        arrays[name] = other_array(rng, arrays[name])
        if arrays[name].dtype.name not in json_tree.DTYPES:
            return
        arrays[name] = np.ascontiguousarray(arrays[name]).astype(
            arrays[name].dtype.newbyteorder("=")
        )
    elif what == 1:
        header = damaged_json(rng, header)
    else:
        part = sorted(header["content"])[int(rng.integers(len(header["content"])))]
        header["content"][part] = damaged_json(rng, [header["content"][part]])
        header["content"][part] = (header["content"][part] or [None])[0]
    with contextlib.suppress(KeyError, TypeError):
        crc = json_tree.checksum([header["named"], header["content"]], arrays)
        header["crc32"] = crc
    pyml.save(arrays, path, {checkpoint.KEY: json.dumps(header)})
    tell(f"kind {what}: {json.dumps(header)[:1500]}")
    world.step()
    load_and_look(world, lambda: pyml.load_checkpoint(path, **world.parts()), OF_FILES)


def other_array(rng, array):
    kind = int(rng.integers(5))
    if kind == 0:
        return array.astype(ARRAYS[int(rng.integers(len(ARRAYS)))])
    if kind == 1:
        return np.resize(array, [int(n) for n in rng.integers(0, 4, rng.integers(4))])
    if kind == 2:
        return np.asarray(array * np.nan if array.dtype.kind == "f" else array)
    if kind == 3:
        return array.reshape(1, *array.shape)
    return np.asarray(array)[..., None][..., 0].T


def damaged_dict(rng, tree):
    """A copy of a state dict with one entry damaged, somewhere."""
    maker = Maker(rng, half_built=False)
    places = []

    def copied(node):
        if isinstance(node, dict):
            node = {key: copied(value) for key, value in node.items()}
            places.extend((node, key) for key in node)
        elif isinstance(node, list):
            node = [copied(value) for value in node]
            places.extend((node, key) for key in range(len(node)))
        return node

    tree = copied(tree)
    if not places:
        return maker.anything()
    node, key = places[int(rng.integers(len(places)))]
    kind, value = int(rng.integers(5)), node[key]
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[maker.choose([0, 1, "x", None, (1,), -1, 2.5])] = value
    elif isinstance(value, pyml.Tensor) and kind < 4:
        array = other_array(rng, value.detach().array)
        node[key] = array
        if rng.random() < 0.5:
            with contextlib.suppress(TypeError):  # of a dtype that no Tensor has
                node[key] = pyml.Tensor._on(array)
    else:
        node[key] = maker.anything()
    return tree


def state_dict(rng, world, tell):
    name = ["model", "optimizer", "scheduler"][int(rng.integers(3))]
    part = world.parts()[name]
    state = damaged_dict(rng, part.state_dict())
    options = {"strict": bool(rng.random() < 0.5), "assign": bool(rng.random() < 0.3)}
    options = options if name == "model" else {}
    tell(f"{name} {options} {describe(state)}")
    load_and_look(world, lambda: part.load_state_dict(state, **options), OF_DICTS)


@cache
def bomb():
    """2 MB that become 2 GB."""
    packed = zlib.compressobj(1, wbits=31)
    block = bytes(1 << 20)
    return b"".join([*(packed.compress(block) for _ in range(2 << 10)), packed.flush()])


def idx_file(rng, world, tell):
    ndim = int(rng.integers(1, 4))
    content = idx(rng.integers(0, 256, rng.integers(0, 6, ndim)))
    path = scratch()
    if rng.random() < 0.5:
        path.write_bytes(damaged(rng, gzip.compress(content, mtime=0)))
    elif rng.random() < 0.01:
        path.write_bytes(bomb())
    else:
        path.write_bytes(gzip.compress(damaged(rng, content), mtime=0))
    tell(f"{path.read_bytes()[:300]!r}")

    def check(array):
        if array.dtype != np.uint8 or array.ndim != ndim:
            raise Fault(f"read {array.dtype}{array.shape}")

    load_and_look(world, lambda: data.read_idx(path, ndim), OF_FILES, check)


def command_line(rng, world, tell):
    argv = [WORDS[int(rng.integers(len(WORDS)))] for _ in range(int(rng.integers(0, 7)))]
    argv = ["train", *argv] if rng.random() < 0.6 else argv
    tell(f"{argv!r}"[:1000])
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parsed(*parsers(), argv)
    except SystemExit as end:
        if end.code not in (0, failures.EXIT_USAGE):
            raise Fault(f"exit code {end.code}") from None
        if end.code and not errors.getvalue().strip():
            raise Fault("exits without words") from None


TRICKS = [
    weights_file,
    tree_file,
    torch_file,
    checkpoint_file,
    *[checkpoint_tree, state_dict] * 2,
    idx_file,
    command_line,
]
