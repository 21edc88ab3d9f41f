"""Weights in files: safetensors, which holds arrays and text and nothing that could run."""

import errno
import fcntl
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

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
        path: the file. A file of that name is replaced.
        metadata: {name: text} to keep beside the tensors; load_metadata() reads it.

    Raises:
        TypeError: if state_dict is not such a dict, or has a dtype that the format lacks.
        ValueError: if names and metadata are longer than the format allows, 100 MB.
        OSError: if the file cannot be written.

    Example:
        >>> pyml.save(model.state_dict(), "model.safetensors")
        >>> model.load_state_dict(pyml.load("model.safetensors"))
    """
    try:
        content = safetensors.numpy.save(_arrays(state_dict), _checked_metadata(metadata))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: safetensors cannot hold this: {error}") from None
    _write_whole(path, content)


def load(path):
    """Reads the tensors of a safetensors file.

    Args:
        path: the file, from pyml.save or any other library.

    Returns:
        {name: Tensor}.

    Raises:
        ValueError: if it is not a safetensors file, or is damaged. A pickle (PyTorch's .pt and
            .pth) is not read: loading one can run any code that its author put there.
        OSError: if there is no such file.
    """
    return _read(path)[0]


def load_metadata(path):
    """Reads the text that pyml.save was given as metadata: {name: text}, empty if there is none."""
    with _open(path) as file:
        return file.metadata() or {}


def _read(path):
    """The tensors and the metadata of one file, though another may take its name meanwhile."""
    with _open(path) as file:
        try:
            tensors = {name: Tensor._on(np.array(file.get_tensor(name))) for name in file.keys()}  # noqa: SIM118
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(
                f"{path}: has a tensor of a dtype that NumPy lacks ({error})"
            ) from None
        return tensors, file.metadata() or {}


# ---- writing -------------------------------------------------------------------------------------


def _write_whole(path, content):
    """Writes bytes to a file that takes its name when it is whole and on the disk."""
    target = Path(os.path.realpath(path))  # a link stays a link
    _remove_stale(target)
    partial, file = _new_partial(target)
    try:
        with file:
            if target.exists():
                os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _new_partial(target):
    """The path of a new file beside the target, and the file: locked for as long as it is open."""
    while True:
        partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
        file = open(partial, "xb")  # noqa: SIM115
        with suppress(OSError):  # a file system without locks: then _remove_stale removes nothing
            fcntl.flock(file, fcntl.LOCK_EX)
        if partial.exists():  # else another writer took it for stale before it was locked
            return partial, file
        file.close()


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


def _open(path):
    """The file, opened by safetensors; or what is wrong with it."""
    with open(path, "rb") as file:
        start = file.read(HEADER_LENGTH_BYTES + 1)
        size = os.fstat(file.fileno()).st_size
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
        return safetensors.safe_open(os.fspath(path), framework="np")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: is damaged or incomplete ({size} bytes): {error}") from None
