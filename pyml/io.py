"""Weights in files: safetensors, which holds arrays and text and nothing that could run."""

import errno
import fcntl
import json
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from pyml.ops.outside import arrived, unmasked
from pyml.tensor import Tensor

__all__ = ["load", "load_metadata", "save"]

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *INTEGERS, "float16", "float32", "float64")

# A safetensors file: the length of the header, little-endian; the header, JSON; the arrays.
HEADER_LENGTH_BYTES = 8

ZIP_START = b"PK\x03\x04"
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # protocols 2 to 5


def save(state_dict, path, metadata=None):
    """Writes a dict of tensors to a safetensors file.

    The file takes its name when it is whole and on the disk: a crash, a kill or a full disk leaves
    what was there before. What a killed save() left beside it, the next one removes.

    Args:
        state_dict: {name: Tensor or NumPy array}, as Module.state_dict() gives it.
        path: the file: str, bytes or os.PathLike. A file of that name is replaced.
        metadata: {name: text} to keep beside the tensors; load_metadata() reads it.

    Raises:
        TypeError: if state_dict is not such a dict, or has a dtype that the format lacks.
        ValueError: if names and metadata are longer than the format allows, 100 MB; or if path is
            something else than a file, as a device is.
        OSError: if the file cannot be written.

    Example:
        >>> pyml.save(model.state_dict(), "model.safetensors")
        >>> model.load_state_dict(pyml.load("model.safetensors"))
    """
    path = _checked_path(path)
    try:
        content = safetensors.numpy.save(_arrays(state_dict), _checked_metadata(metadata))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: safetensors cannot hold this: {error}") from None
    _write_whole(path, content)


def load(path):
    """Reads the tensors of a safetensors file.

    Args:
        path: the file, from pyml.save or any other library: str, bytes or os.PathLike.

    Returns:
        {name: Tensor}. Values of 16 bits, float16 and bfloat16, are float32 here.

    Raises:
        ValueError: if it is not a safetensors file, or is damaged. A pickle (PyTorch's .pt and
            .pth) is not read: loading one can run any code that its author put there.
        TypeError: if it has a dtype that a Tensor cannot have, such as complex64.
        OSError: if there is no such file.
    """
    path = _checked_path(path)
    arrays, _ = _read(path)
    return {name: Tensor._on(arrived(array, f"{path}: {name!r}")) for name, array in arrays.items()}


def load_metadata(path):
    """Reads the text that pyml.save was given as metadata: {name: text}, empty if there is none."""
    with _open(_checked_path(path)) as (file, _):
        return file.metadata() or {}


def _read(path):
    """The arrays and the metadata of one file, though another may take its name meanwhile."""
    with _open(path) as (file, raw):
        raw.seek(0)
        header = raw.read(int.from_bytes(raw.read(HEADER_LENGTH_BYTES), "little"))
        entries = json.loads(header)
        arrays = {}
        for name in file.keys():  # noqa: SIM118
            dtype, shape = entries[name]["dtype"], entries[name]["shape"]
            begin, end = entries[name]["data_offsets"]
            try:
                if dtype == "BF16":
                    raw.seek(HEADER_LENGTH_BYTES + len(header) + begin)
                    arrays[name] = _bfloat16(raw.read(end - begin)).reshape(shape)
                else:
                    arrays[name] = np.array(file.get_tensor(name))
            except ValueError as error:
                raise ValueError(f"{path}: {name!r} has shape {tuple(shape)}: {error}") from None
            except (TypeError, AttributeError, KeyError, safetensors.SafetensorError):
                raise TypeError(
                    f"{path}: {name!r} has dtype {dtype}, which NumPy lacks; convert it to float32 "
                    "where it was made"
                ) from None
        return arrays, file.metadata() or {}


def _bfloat16(content):
    """Numbers of bfloat16, which NumPy lacks, as float32: bfloat16 is its upper half."""
    return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)


# ---- writing -------------------------------------------------------------------------------------


def _write_whole(path, content):
    """Writes bytes to a file that takes its name when it is whole and on the disk."""
    target = Path(os.path.realpath(path))  # a link stays a link
    mode = _replaced_mode(target)
    _remove_stale(target)
    while True:
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
        try:
            # within `try` from before there is a file: Ctrl-C may come at any moment
            with open(partial, "xb") as file:
                if not _locked(file, partial):
                    continue
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.replace(partial, target)
            break
        except BaseException as error:
            if not isinstance(error, FileExistsError):
                partial.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename in (None, str(partial)):
                error.filename = str(path)  # which the caller knows
            raise
    _sync_folder(target.parent)


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
    with suppress(OSError):  # a file system without locks: then _remove_stale removes nothing
        fcntl.flock(file, fcntl.LOCK_EX)
    return partial.exists()  # else another writer took it for stale before it was locked


def _remove_stale(target):
    """Removes what killed writers of the target left: partial files that nobody holds a lock on."""
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


def _arrays(state_dict):
    """The checked content of state_dict as native, contiguous arrays."""
    accepted = (
        "save() takes a dict of names to Tensors or NumPy arrays, as Module.state_dict() gives it"
    )
    if not isinstance(state_dict, dict):
        raise TypeError(f"state_dict is a {type(state_dict).__name__}; {accepted}")
    arrays = {}
    for name, value in state_dict.items():
        if not isinstance(name, str):
            raise TypeError(f"state_dict has the key {name!r}, which is not a string; {accepted}")
        if name == "__metadata__":
            raise ValueError(
                "state_dict has the key '__metadata__', which the format keeps for itself"
            )
        if not isinstance(value, (Tensor, np.ndarray, np.generic)):
            raise TypeError(f"state_dict[{name!r}] is a {type(value).__name__}; {accepted}")
        arrays[name] = _native(value, f"state_dict[{name!r}]")
    return arrays


def _native(value, place):
    """A Tensor or array as a native, contiguous array of a dtype that the format has."""
    unmasked(value, place)
    array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{place} has dtype {array.dtype}; safetensors holds {', '.join(DTYPES)}")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _checked_metadata(metadata):
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata is a {type(metadata).__name__}, it must be a dict of strings")
    for name, text in metadata.items():
        if not (isinstance(name, str) and isinstance(text, str)):
            raise TypeError(f"metadata[{name!r}] is {text!r}; names and values must be strings")
    return metadata


def _checked_path(path):
    """A path as a string. A descriptor is none: whoever opened the file closes it."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(
            f"path is of type {type(path).__name__}, it must be str, bytes or os.PathLike"
        )
    return os.fsdecode(path)


def _without_waiting(path, flags):
    """Opens also a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def _open(path):
    """The file, opened by safetensors, and the same one as bytes; or what is wrong with it."""
    while True:
        with open(path, "rb", opener=_without_waiting) as raw:
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
    status = os.fstat(raw.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: is a pipe or device, not a regular file")
    start, size = raw.read(HEADER_LENGTH_BYTES + 1), status.st_size
    # The length of a header may begin with the bytes of a pickle; its brace tells them apart.
    if start[HEADER_LENGTH_BYTES:] != b"{":
        if start.startswith((ZIP_START, *PICKLE_STARTS)):
            raise ValueError(
                f"{path}: is a pickle or zip, as torch.save writes, not a safetensors file. "
                "It is not read, for a pickle can run any code when it is loaded. Convert it "
                "where PyTorch is: "
                "safetensors.torch.save_file(torch.load(path, weights_only=True), new_path)"
            )
        raise ValueError(f"{path}: is not a safetensors file ({size} bytes, no header)")
    try:
        return safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: is damaged or incomplete ({size} bytes): {error}") from None
