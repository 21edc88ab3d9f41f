"""Weights, and trees that hold them, in files: safetensors, which holds arrays and text and nothing
that could run. Whole objects, as pickles, for those who ask for one by name on both sides.
"""

import errno
import io
import json
import os
import pickle
import re
import secrets
import stat
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from pyml import json_tree
from pyml.json_tree import native
from pyml.ops.outside import arrived
from pyml.ops.shape import check_device
from pyml.tensor import Tensor

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["load", "load_metadata", "save"]

KEY = "pyml_tree"  # in the metadata: {"version", "crc32", "content"}
VERSION = 1
CODES = {"BOOL": "?", "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "C64": "<c8"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IF" for size in (1, 2, 4, 8)
}

# A safetensors file: the length of the header, little-endian; the header, JSON; the arrays.
HEADER_LENGTH_BYTES = 8
ALIGNMENT_BYTES = 8  # of the header, and so of the arrays behind it

ZIP_START = b"PK\x03\x04"
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # protocols 2 to 5
OLD_TORCH_START = pickle.dumps(0x1950A86A20F9469CFC6C, 2)  # of torch.save before 1.6
OF_TORCH = (
    "Of PyTorch's files pyml.export.load_torch reads the tensors of torch.save's zip and runs "
    "nothing; convert an older one where PyTorch is: "
    "safetensors.torch.save_file(torch.load(path, weights_only=True), new_path)"
)
OLD_TORCH = f"is a file of torch.save before PyTorch 1.6. {OF_TORCH}"


def save(
    obj,
    f,
    metadata=None,
    *,
    pickle_module=None,
    pickle_protocol=None,
    _use_new_zipfile_serialization=True,
):
    """Writes tensors, and what holds them, to a safetensors file.

    A file of a path takes its name when it is whole and on the disk: a crash, a kill or a full disk
    leaves what was there before. What a killed save() left beside it, the next one removes.

    A dict of names to tensors or arrays is written as every library of safetensors reads it, and
    load() gives tensors for both. Beside the tensors of another tree stands JSON, by which load()
    puts them in their places.

    Args:
        obj: a tree: a dict, list or tuple of trees, a number, a string, None, a Tensor or a NumPy
            array, as Module.state_dict() and Optimizer.state_dict() are. What is of a subclass of
            these types comes back as the type itself, a Parameter as a Tensor; but a state_dict()
            with the versions of its modules, `_metadata`, as an OrderedDict. A module is none:
            its code is no part of a file; keep its state_dict().
        f: the file: str, bytes or os.PathLike, and a file of that name is replaced; or an object
            with write(bytes), such as io.BytesIO or a file opened with "wb".
        metadata: {name: text} to keep beside the tensors; load_metadata() reads it.
        pickle_module: pickle, or a module like it: what the format cannot keep, such as a module or
            an optimizer, is written as a pickle of all of obj, under any name but *.safetensors.
            load() reads it with weights_only=False only, as that can run any code, and its classes
            must be importable then. Default: None, no pickle; under the name torch, as PyTorch's,
            pickle.
        pickle_protocol: of such a pickle, 2 to 5. Default: Python's.

    Raises:
        TypeError: if something in obj cannot be kept, or has a dtype that the format lacks.
        ValueError: if a tree is nested deeper than 100, or holds itself; if names and metadata are
            longer than the format allows, 100 MB; or if a path is of something else than a file, as
            a device is.
        OSError: if the file cannot be written.

    Example:
        >>> pyml.save({"epoch": 1, "model": model.state_dict()}, "run.safetensors")
        >>> run = pyml.load("run.safetensors")
        >>> model.load_state_dict(run["model"])
        <All keys matched successfully>
    """
    stream = hasattr(f, "write")
    place = _named(f) if stream else _checked_path(f, "f")
    try:
        content = _content_of(obj, metadata, place)
    except TypeError:
        if pickle_module is None or metadata or str(place).lower().endswith(".safetensors"):
            raise
        content = pickle_module.dumps(obj, max(pickle_protocol or pickle.DEFAULT_PROTOCOL, 2))
    if stream:
        _write_all(f, content)
    else:
        _write_whole(place, content)


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None):
    """Reads what save() wrote, or the tensors of any safetensors file.

    Args:
        f: the file, from pyml.save or any other library: str, bytes or os.PathLike; or an object
            with read(), such as io.BytesIO or a member of an open zip, which is read to its end.
        map_location: where tensors are put: "cpu", a dict of names to it, or a function as PyTorch
            takes, which is not called, as there is one place. Default: None.
        pickle_module: what reads a pickle that save() wrote. Default: None, pickle.
        weights_only: False reads a pickle that save() wrote, too. It can run any code that its
            author put there: only of files that you trust. Default: True.
        mmap: taken for PyTorch's sake. Tensors are copies of what is in the file. Default: None.

    Returns:
        What was saved. Of another library's file: {name: Tensor}; values of 16 bits, float16 and
        bfloat16, are float32 in a Tensor.

    Raises:
        ValueError: if it is not a safetensors file, or is damaged. PyTorch's .pt and .pth, and
            without weights_only=False any pickle, are not read: loading one can run any code that
            its author put there. Or if map_location is another device than the CPU.
        TypeError: if it has a dtype that a Tensor cannot have, such as complex64.
        OSError: if there is no such file.

    Example:
        >>> pyml.save({"w": pyml.ones(2), "epoch": 3}, "run.safetensors")
        >>> pyml.load("run.safetensors")
        {'w': tensor([1., 1.]), 'epoch': 3}
    """
    _check_location(map_location)
    if not hasattr(f, "read"):
        place = _checked_path(f, "f")
        if not weights_only and (content := _pickle_at(place)) is not None:
            return _unpickled(content, place, pickle_module)
        return _loaded(*_read(place), place)
    place = _named(f)
    with _back_if_refused(f):
        content = _all_of(f)
        if not weights_only and _is_pickle(content):
            return _unpickled(content, place, pickle_module)
        return _loaded(*_read_bytes(content, place), place)


def load_metadata(path):
    """The text that pyml.save was given as metadata: {name: text}, empty if there is none.

    Args:
        path: of a safetensors file, str, bytes or os.PathLike.

    Raises:
        ValueError: if it is not a safetensors file, or is damaged.
        OSError: if there is no such file.

    Example:
        >>> pyml.save({"w": pyml.ones(2)}, "run.safetensors", metadata={"data": "digits"})
        >>> pyml.io.load_metadata("run.safetensors")
        {'data': 'digits'}
    """
    with _open(_checked_path(path)) as (file, _):
        metadata = file.metadata() or {}
    return {name: text for name, text in metadata.items() if name != KEY}


# ---- reading -------------------------------------------------------------------------------------


def _loaded(arrays, metadata, place):
    """What the arrays and the metadata of a file are of."""
    if KEY not in metadata:
        return {
            name: Tensor._on(arrived(array, f"{place}: {name!r}")) for name, array in arrays.items()
        }

    def content(header):
        node = json_tree.entry(header, "content")
        json_tree.check_sum(header, node, arrays)
        return json_tree.decoded(node, arrays)

    return json_tree.read_header(metadata[KEY], place, VERSION, content)


def _unpickled(content, place, pickle_module):
    """What a pickle is of, which may run any code."""
    if content.startswith(OLD_TORCH_START):
        raise ValueError(f"{place}: {OLD_TORCH}")
    try:
        return (pickle_module or pickle).loads(content)
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f"{place}: is a damaged or incomplete pickle: {error}") from error


def _pickle_at(path):
    """The content of a file that is a pickle; None of others."""
    with _regular(path) as file:
        start = file.read(HEADER_LENGTH_BYTES + 1)
        return start + file.read() if _is_pickle(start) else None


def _is_pickle(content):
    # The length of a header may begin with the bytes of a pickle; its brace tells them apart.
    brace = content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + 1]
    return brace != b"{" and content.startswith(PICKLE_STARTS)


def _read(path):
    """The arrays and the metadata of one file, though another may take its name meanwhile."""
    with _open(path) as (file, raw):
        raw.seek(0)
        header = raw.read(int.from_bytes(raw.read(HEADER_LENGTH_BYTES), "little"))

        def array_of(name, dtype, begin, end):
            if dtype != "BF16":
                return np.array(file.get_tensor(name))
            raw.seek(HEADER_LENGTH_BYTES + len(header) + begin)
            return _bfloat16(raw.read(end - begin))

        return _read_entries(path, header, array_of), file.metadata() or {}


@contextmanager
def _back_if_refused(f):
    """A file object is where it was if what it gives is refused."""
    start = None
    with suppress(AttributeError, OSError, ValueError):
        start = f.tell()
    try:
        yield
    except BaseException:
        if start is not None:
            with suppress(OSError, ValueError):
                f.seek(start)
        raise


def _read_whole(f, read):
    """What read(bytes, place) makes of a whole file, by its path or as an object with read()."""
    if hasattr(f, "read"):
        place = _named(f)
        with _back_if_refused(f):
            return read(_all_of(f), place)
    place = _checked_path(f, "f")
    with _regular(place) as file:
        return read(file.read(), place)


def _all_of(f):
    content = f.read()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"f gives {type(content).__name__}, it must give bytes, as of open(path, 'rb')"
        )
    return bytes(content)


def _read_bytes(content, place):
    _check_start(place, content[: HEADER_LENGTH_BYTES + 1], len(content))
    try:
        parts = dict(safetensors.deserialize(content))
    except safetensors.SafetensorError as error:
        raise _damaged(place, len(content), error) from None
    length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    header = content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length]

    def array_of(name, dtype, begin, end):
        data = parts[name]["data"]
        return _bfloat16(data) if dtype == "BF16" else np.frombuffer(data, CODES[dtype]).copy()

    arrays = _read_entries(place, header, array_of)
    return arrays, json.loads(header).get("__metadata__", {})


def _read_entries(place, header, array_of):
    """{name: array} in the order of the header; array_of(name, dtype, begin, end) reads one."""
    try:
        entries = json_tree.parsed(header)
    except ValueError as error:
        raise ValueError(f"{place}: is damaged: {error}") from None
    entries.pop("__metadata__", None)
    arrays = {}
    for name, entry in entries.items():
        dtype, shape = entry["dtype"], entry["shape"]
        try:
            arrays[name] = array_of(name, dtype, *entry["data_offsets"]).reshape(shape)
        except ValueError as error:
            raise ValueError(f"{place}: {name!r} has shape {tuple(shape)}: {error}") from None
        except (TypeError, AttributeError, KeyError, safetensors.SafetensorError):
            raise TypeError(
                f"{place}: {name!r} has dtype {dtype}, which NumPy lacks; convert it to float32 "
                "where it was made"
            ) from None
    return arrays


def _check_location(map_location):
    if map_location is None or callable(map_location):
        return
    places = map_location.values() if isinstance(map_location, dict) else [map_location]
    for place in places:
        check_device(place, "load: map_location")


def _bfloat16(content):
    """Numbers of bfloat16, which NumPy lacks, as float32: bfloat16 is its upper half."""
    return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)


# ---- writing -------------------------------------------------------------------------------------


def _content_of(obj, metadata, place):
    """The bytes of a safetensors file."""
    arrays, metadata = _arrays_of(obj, _checked_metadata(metadata))
    try:
        return _in_order(safetensors.numpy.save(arrays, metadata), arrays)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{place}: safetensors cannot hold this: {error}") from None


def _in_order(content, arrays):
    """A safetensors file whose header has the names in the order of `arrays`, not in its own."""
    length = int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    entries = json.loads(content[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length])
    names = [name for name in entries if name not in arrays] + list(arrays)  # metadata first
    if names == list(entries):
        return content
    entries = {name: entries[name] for name in names}
    header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    header = header.ljust(-(-len(header) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES)
    return b"".join(
        [
            len(header).to_bytes(HEADER_LENGTH_BYTES, "little"),
            header,
            memoryview(content)[HEADER_LENGTH_BYTES + length :],
        ]
    )


def _write_all(f, content):
    """Writes bytes to a file object; a raw one may take a part at a time."""
    if isinstance(f, io.TextIOBase):
        raise TypeError("a file is open for text, it must be for bytes, as by open(path, 'wb')")
    rest = memoryview(content)
    while len(rest):
        written = f.write(rest)
        rest = rest[written if isinstance(written, int) else len(rest) :]


def _write_whole(path, content):
    """Writes bytes to a file that takes its name when it is whole and on the disk."""
    _write_together({path: content})


def _write_together(files):
    """Writes {path: bytes} to files that take their names when all are whole and on the disk."""
    partials = {}  # {what is written: (its path, the file that it becomes)}

    def take_names():
        for partial, (_, target) in partials.items():
            os.replace(partial, target)

    try:
        with ExitStack() as opened:
            for path, content in files.items():
                file = _partial(path, partials, opened)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if fcntl is not None:  # while they are locked
                take_names()
        if fcntl is None:  # Windows: what is open keeps its name
            take_names()
    except BaseException as error:
        for partial in partials:
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):  # the caller knows the path
            named = {str(partial): str(path) for partial, (path, _) in partials.items()}
            error.filename = named.get(
                error.filename or next(reversed(named), None), error.filename
            )
        raise
    for folder in {target.parent for _, target in partials.values()}:
        _sync_folder(folder)


def _partial(path, partials, opened):
    """A new file beside a path, open and locked, with the permissions of what it will replace."""
    target = Path(os.path.realpath(path))  # a link stays a link
    mode = _replaced_mode(target)
    _remove_stale(target)
    while True:
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
        # it is noted before there is a file: Ctrl-C may come at any moment
        partials[partial] = path, target
        try:
            file = opened.enter_context(open(partial, "xb"))  # noqa: SIM115 (`opened` closes it)
        except FileExistsError:
            del partials[partial]
            raise
        if _locked(file, partial):
            break
        del partials[partial]
    if mode is not None:
        os.chmod(file.fileno() if os.chmod in os.supports_fd else partial, mode)
    return file


def _replaced_mode(target):
    """The permissions of the file that will be replaced, None if there is none."""
    try:
        mode = os.stat(target).st_mode
    except OSError:  # what else is wrong with the path, opening a file beside it says
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not stat.S_ISREG(mode):
        raise ValueError(f"{target}: is not a regular file, and would be replaced by one")
    return stat.S_IMODE(mode)


def _locked(file, partial):
    """Locks a new file for as long as it is open; is it still there then?"""
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks: then _remove_stale removes nothing
            fcntl.flock(file, fcntl.LOCK_EX)
    return partial.exists()  # else another writer took it for stale before it was locked


def _remove_stale(target):
    """Removes what killed writers of the target left: partial files that nobody holds a lock on."""
    if fcntl is None:
        return
    of_target = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{16}\.partial")
    with suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if of_target.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)


def _sync_folder(folder):
    """Puts the names in a folder on the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EBADF, errno.EINVAL):
            raise


# ---- checking ------------------------------------------------------------------------------------


def _arrays_of(obj, metadata):
    """The arrays of obj, and the metadata with what else it is."""
    is_flat = isinstance(obj, dict) and all(map(_is_entry, obj.items()))
    if is_flat and json_tree.versions_of(obj) is None:
        return {name: native(value, f"obj[{name!r}]") for name, value in obj.items()}, metadata
    writer = json_tree.Writer("save", "a file", outer=1)
    node = writer.encoded(obj, ("obj",))
    header = {
        "version": VERSION,
        "crc32": json_tree.checksum(node, writer.arrays),
        "content": node,
    }
    return writer.arrays, {**(metadata or {}), KEY: json.dumps(header)}


def _is_entry(item):
    name, value = item
    is_array = isinstance(value, (Tensor, np.ndarray))
    return is_array and isinstance(name, str) and name != "__metadata__"


def _checked_metadata(metadata):
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata is a {type(metadata).__name__}, it must be a dict of strings")
    for name, text in metadata.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise TypeError(f"metadata[{name!r}] is {text!r}; names and values must be strings")
    if KEY in metadata:
        raise ValueError(f"metadata has the name {KEY!r}, which save() keeps for itself")
    return metadata


def _checked_path(path, name="path"):
    """A path as a string. A descriptor is none: whoever opened the file closes it."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        more = "" if name == "path" else ", or a file object"
        raise TypeError(
            f"{name} is of type {type(path).__name__}, it must be str, bytes or os.PathLike{more}"
        )
    path = os.fsdecode(path)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError(f"{name} is {path!r}, which no file can be called") from None
    return path


def _named(f):
    """A file object, for messages."""
    name = getattr(f, "name", None)
    return name if isinstance(name, str) else type(f).__name__


def _without_waiting(path, flags):
    """Opens also a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def _regular(path):
    """A file as bytes; no pipe or device, which may be waited for or have no end."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(
                f"{path}: is a pipe or device, not a regular file; pass an open file of what comes "
                "from it, as sys.stdin.buffer"
            )
        yield file


@contextmanager
def _open(path):
    """The file, opened by safetensors, and the same one as bytes; or what is wrong with it."""
    while True:
        with _regular(path) as raw:
            file = _checked_file(path, raw)
            with file:
                if _is_still(path, raw):
                    yield file, raw
                    return


def _is_still(path, raw):
    try:
        return os.path.samestat(os.stat(path), os.fstat(raw.fileno()))
    except FileNotFoundError:
        return False


def _checked_file(path, raw):
    start, size = raw.read(HEADER_LENGTH_BYTES + 1), os.fstat(raw.fileno()).st_size
    _check_start(path, start, size)
    try:
        return safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise _damaged(path, size, error) from None


def _check_start(place, start, size):
    if _is_pickle(start):
        raise ValueError(
            f"{place}: is a pickle, not a safetensors file. It is not read, for a pickle can run "
            "any code when it is loaded. One that save() wrote, and that you trust, "
            "load(f, weights_only=False) reads; without risk is save(model.state_dict(), f). "
            f"{OF_TORCH}"
        )
    if start[HEADER_LENGTH_BYTES:] != b"{":
        if start.startswith(ZIP_START):
            raise ValueError(
                f"{place}: is a zip, as torch.save writes, not a safetensors file. It is not read, "
                "for there is a pickle in it, and a pickle can run any code when it is loaded. "
                f"{OF_TORCH}"
            )
        raise ValueError(f"{place}: is not a safetensors file ({size} bytes, no header)")


def _damaged(place, size, error):
    return ValueError(f"{place}: is damaged or incomplete ({size} bytes): {error}")
