"""State dicts in NumPy's .npz: a zip of a file .npy for each array."""

import zipfile
from io import BytesIO

import numpy as np

from pyml import io
from pyml.json_tree import native
from pyml.ops.outside import arrived
from pyml.tensor import Tensor

__all__ = ["load_npz", "save_npz"]

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as savez and savez_compressed write
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def save_npz(arrays, f):
    """Writes a dict of Tensors or arrays, as a state_dict, to a file that numpy.load reads.

    Args:
        arrays: {name: Tensor or array}; a name is that of the array in the file.
        f: the file: str, bytes or os.PathLike, and a file of that name is replaced; or an object
            with write(bytes).

    Raises:
        TypeError: if it is no dict of these.

    Example:
        >>> export.save_npz(model.state_dict(), "model.npz")
        >>> numpy.load("model.npz")["0.weight"].shape
        (8, 4)
    """
    if not hasattr(f, "write"):
        f = io._checked_path(f, "f")
    if not isinstance(arrays, dict):
        raise TypeError(
            f"save_npz: arrays is a {type(arrays).__name__}, it must be a dict of names to "
            "tensors: of a model its state_dict()"
        )
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in arrays.items():
            if not isinstance(name, str) or not isinstance(value, (Tensor, np.ndarray)):
                raise TypeError(
                    f"save_npz: arrays[{name!r}] is a {type(value).__name__}; a file holds tensors "
                    "and arrays by text"
                )
            content = BytesIO()
            array = native(value, f"arrays[{name!r}]")
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    if hasattr(f, "write"):
        io._write_all(f, file.getvalue())
    else:
        io._write_whole(f, file.getvalue())


def load_npz(f):
    """Reads the arrays of a file of numpy.savez, savez_compressed or save_npz.

    Args:
        f: str, bytes or os.PathLike; or an object with read(), which is read to its end.

    Returns:
        {name: Tensor}, numbers of 16 bits as float32.

    Raises:
        ValueError: if it is no such file, is damaged, or says that it holds more than it does.
        TypeError: if an array is of objects, or of another dtype that a Tensor cannot have.
        OSError: if there is no such file.

    Example:
        >>> model.load_state_dict(export.load_npz("model.npz"))
        <All keys matched successfully>
    """
    return io._read_whole(f, read)


def read(content, place):
    """{name: Tensor} of the bytes of a file."""
    tensors = {}
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(info.compress_size for info in members) > len(content):
                raise ValueError("its parts are longer than the file")
            for info in members:
                name = info.filename.removesuffix(".npy")
                if info.compress_type not in METHODS or name == info.filename or name in tensors:
                    raise ValueError(
                        f"{info.filename!r} is there twice, is no .npy, or is packed as NumPy "
                        "does not"
                    )
                tensors[name] = tensor_of(archive, info, f"{place}: {name!r}")
    except (ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{place}: cannot be read as an .npz: {error}") from None
    except zipfile.zlib.error as error:
        raise ValueError(f"{place}: is damaged: {error}") from None
    return tensors


def tensor_of(archive, info, where):
    """The Tensor of a member; what its header says is compared with what is there."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{where} is of version {version} of NumPy's format")
        shape, is_fortran, dtype = HEADERS[version](file)
        if dtype.hasobject or dtype.names or dtype.kind not in "biuf":
            raise TypeError(f"{where} has dtype {dtype}; an .npz is read if it holds numbers")
        total = dtype.itemsize
        for n in shape:
            total *= n
        if min(shape, default=0) < 0 or total > info.file_size:
            raise ValueError(f"{where} says that it has the shape {shape}, and is shorter")
        data = file.read()
    if len(data) != total:
        raise ValueError(f"{where} has {len(data)} bytes, the shape {shape} takes {total}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
    return Tensor._on(arrived(np.array(array, order="C"), where))
