"""Files of torch.save, of tensors and what holds them, without PyTorch and without running pickles.

Such a file is a zip of the bytes of each storage and of data.pkl, a pickle. Its instructions are
walked here one by one: what makes dicts, lists, tuples, numbers, texts and tensors is understood,
anything else is refused by name. No name of the file is ever imported or called.
"""

import pickletools
import struct
import zipfile
from collections import OrderedDict
from io import BytesIO
from typing import NamedTuple

import numpy as np

from pyml import io
from pyml.json_tree import native
from pyml.ops.outside import arrived
from pyml.tensor import Tensor

__all__ = ["load_torch", "save_torch"]

LONGEST_PICKLE = 2**26  # bytes of data.pkl
MOST_COPIES = 16  # of views of one storage
DEEPEST = 100  # of trees within trees
STORAGES = {  # names of torch's storages: of the numbers in the file
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
    "UntypedStorage": "u1",
}
WRITTEN = {np.dtype(code): name for name, code in STORAGES.items() if "BF" not in name}
WRITTEN[np.dtype(bool)] = "BoolStorage"
WRITTEN[np.dtype("u1")] = "ByteStorage"
UNTYPED = "torch.storage UntypedStorage"  # its tensors say of which numbers
NEWER = {f"torch {name}": np.dtype(name) for name in ("uint16", "uint32", "uint64")}
DICT, TENSOR, UNTYPED_TENSOR, PARAMETER = KNOWN = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_tensor_v3",
    "torch._utils _rebuild_parameter",
)


def load_torch(f):
    """Reads a file of torch.save that holds tensors, dicts, lists, tuples, numbers and texts.

    No code of the file runs, and PyTorch is not needed. Parameters are Tensors, float16 and
    bfloat16 float32.

    Args:
        f: str, bytes or os.PathLike; or an object with read(), which is read to its end.

    Returns:
        What was saved, as a state_dict.

    Raises:
        ValueError: if it is no such file, is damaged, or has anything else in it, which is named.
        OSError: if there is no such file.

    Example:
        >>> model.load_state_dict(export.load_torch("model.pt"))
        <All keys matched successfully>
    """
    return io._read_whole(f, read)


def read(content, place):
    """What the bytes of a file hold."""
    if content.startswith(io.OLD_TORCH_START):
        raise ValueError(f"{place}: {io.OLD_TORCH}")
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = {}
            if sum(info.file_size for info in archive.infolist()) > len(content):
                raise ValueError("its parts are longer than the file, or compressed")
            for info in archive.infolist():
                name = info.filename.partition("/")[2]
                if info.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{name!r} is compressed, which torch.save does not do")
                members[name] = info
            if "data.pkl" not in members:
                raise ValueError(
                    "it has no data.pkl, as files of torch.save have since version 1.6"
                )
            if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
                raise ValueError("its numbers are big-endian")
            if members["data.pkl"].file_size > LONGEST_PICKLE:
                raise ValueError("its data.pkl is longer than 64 MiB")
            walk = Walk(lambda key: archive.read(members[f"data/{key}"]), place, len(content))
            return walk.result(archive.read(members["data.pkl"]))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise ValueError(f"{place}: cannot be read as a file of torch.save: {error}") from None
    except (LookupError, struct.error, ArithmeticError, RuntimeError, TypeError) as error:
        raise ValueError(f"{place}: is damaged: {type(error).__name__} {error}") from None


class Name(str):
    """A name of Python in the file, which is compared and never looked up."""


class Storage(NamedTuple):
    """The numbers of a storage; key: its type and its name."""

    key: str
    numbers: np.ndarray


PUSHED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
SIZES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
SKIPPED = ("PROTO", "FRAME")  # for readers: which instructions there are, how long a part is


class Walk:
    """The instructions of a pickle, of which those that are known are carried out.

    Args:
        storage: a function of a key that gives the bytes of a storage.
        place: the file, for messages.
        size: of the file, in bytes.
    """

    def __init__(self, storage, place, size):
        self.storage, self.place = storage, place
        self.stack, self.memo = [], {}
        self.below = []  # the stacks before each mark
        self.size, self.copied = size, 0
        self.storages, self.made = {}, {}  # bytes, and tensors, of which equal ones are one

    def result(self, pickle):
        """What the pickle makes."""
        for instruction, argument, _ in pickletools.genops(pickle):
            name = instruction.name
            if name == "STOP":
                break
            if name in PUSHED:
                self.stack.append(PUSHED[name])
            elif name in EMPTY:
                self.stack.append(EMPTY[name]())
            elif name in TEXTS:
                self.stack.append(argument)
            elif name in SIZES:
                count = SIZES[name]
                if len(self.stack) < count:
                    raise ValueError("its pickle takes more than there is")
                self.stack[-count:] = [tuple(self.stack[-count:])]
            elif name in ("BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name == "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name not in SKIPPED:
                method = getattr(self, f"do_{name.lower()}", None)
                if method is None:
                    raise ValueError(f"its pickle has the instruction {name}, which tensors lack")
                method(argument)
        if len(self.stack) != 1 or self.below:
            raise ValueError("its pickle makes none or several values, it must make one")
        [made] = self.stack
        check_tree(made)
        return made

    def do_mark(self, _):
        self.below.append(self.stack)
        self.stack = []

    def items(self):
        """What is behind the last mark, which goes."""
        if not self.below:
            raise ValueError("its pickle takes what is behind a mark, and there is none")
        taken, self.stack = self.stack, self.below.pop()
        return taken

    def do_tuple(self, _):
        items = self.items()
        self.stack.append(tuple(items))

    def do_setitem(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        self.put([key, value])

    def do_setitems(self, _):
        self.put(self.items())

    def put(self, pairs):
        """Keys and values, in turn, into the dict on the stack."""
        if not isinstance(self.stack[-1], dict) or len(pairs) % 2:
            raise ValueError("its pickle puts items where no dict is")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise ValueError(f"a dict has a {type(key).__name__} as a key")
            self.stack[-1][key] = value

    def do_append(self, _):
        self.extend([self.stack.pop()])

    def do_appends(self, _):
        self.extend(self.items())

    def extend(self, items):
        """Items behind the list on the stack."""
        if not isinstance(self.stack[-1], list):
            raise ValueError("its pickle appends where no list is")
        self.stack[-1].extend(items)

    def do_global(self, name):
        module, _, last = name.partition(" ")
        known = name in (*KNOWN, *NEWER, UNTYPED) or (module == "torch" and last in STORAGES)
        if not known:
            raise ValueError(
                f"it holds a {name.replace(' ', '.')}, and only tensors, dicts, lists, tuples, "
                "numbers and texts are read; save a state_dict()"
            )
        self.stack.append(Name(name))

    def do_stack_global(self, _):
        last, module = self.stack.pop(), self.stack.pop()
        self.do_global(f"{module} {last}")

    def do_binpersid(self, _):
        kind, storage, key, _, count = self.stack.pop()
        if kind != "storage" or not isinstance(storage, Name) or not isinstance(key, str):
            raise ValueError("its pickle has a persistent id that is no storage")
        if key not in self.storages:
            self.storages[key] = self.storage(key)
        dtype = np.dtype(STORAGES[storage.partition(" ")[2]])
        numbers = np.frombuffer(self.storages[key], dtype)
        if len(numbers) != count:
            raise ValueError(f"storage {key} has {len(numbers)} numbers, it says {count}")
        if storage.endswith("BFloat16Storage"):
            numbers = io._bfloat16(self.storages[key])
        elif storage.endswith("BoolStorage"):
            numbers = numbers != 0
        self.stack.append(Storage(f"{storage} {key}", numbers))

    def do_reduce(self, _):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError("its pickle calls what is no function")
        if function == DICT and arguments == ():
            self.stack.append(OrderedDict())
        elif function in (TENSOR, UNTYPED_TENSOR):
            storage, *view = arguments[:4]
            marks = arguments[6:]  # of views that stand for other numbers
            if function == UNTYPED_TENSOR:
                storage, marks = self.typed(storage, arguments[6]), arguments[7:]
            if marks and marks[0]:
                raise ValueError(f"a tensor is marked {marks[0]}; save it by .resolve_neg()")
            self.stack.append(self.tensor(storage, *view))
        elif function == PARAMETER and isinstance(arguments[0], Tensor):
            self.stack.append(arguments[0])
        else:
            raise ValueError(f"its pickle calls {function.replace(' ', '.')} in another way")

    def do_build(self, _):
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, OrderedDict) or not isinstance(state, dict):
            raise ValueError("its pickle builds what is no state_dict")
        if set(state) - {"_metadata"}:
            raise ValueError(f"a state_dict has attributes: {', '.join(map(repr, state))}")

    def typed(self, storage, name):
        """A storage of bytes as one of the numbers that a tensor says."""
        if not isinstance(storage, Storage) or not isinstance(name, Name) or name not in NEWER:
            raise ValueError("a tensor of bytes does not say of which numbers")
        return Storage(f"{storage.key} {name}", storage.numbers.view(NEWER[name]))

    def tensor(self, storage, offset, size, strides):
        """A Tensor of numbers of a storage."""
        counts = (offset, *size, *strides)
        if not isinstance(storage, Storage) or any(type(n) is not int for n in counts):
            raise ValueError("a tensor's storage, sizes or strides are none")
        key, numbers = (storage.key, counts), storage.numbers
        if key in self.made:
            return self.made[key]
        if min(counts) < 0 or len(size) != len(strides) or len(size) > 32:
            raise ValueError(f"a tensor has offset {offset}, sizes {size} and strides {strides}")
        total = 1
        for n in size:
            total *= n
        last = offset + sum((n - 1) * step for n, step in zip(size, strides, strict=True))
        if total and last >= len(numbers):
            raise ValueError(f"a tensor of sizes {size} goes beyond its {len(numbers)} numbers")
        self.copied += total * numbers.itemsize
        if self.copied > MOST_COPIES * self.size:
            raise ValueError(f"its tensors are views, more than {MOST_COPIES} times of the file")
        if not total:
            array = np.zeros(size, numbers.dtype)
        else:
            steps = [step * numbers.itemsize for step in strides]
            array = np.lib.stride_tricks.as_strided(numbers[offset:], size, steps)
        self.made[key] = Tensor._on(arrived(array.copy(), f"{self.place}: a tensor"))
        return self.made[key]


def check_tree(made):
    """Raises ValueError for a tree that holds itself, is too deep, or has other things in it."""
    depths, path = {}, set()

    def depth(node):
        if isinstance(node, (Name, Storage)):
            raise ValueError("it holds a part of its machinery where a value should be")
        if not isinstance(node, (dict, list, tuple)):
            return 0
        if id(node) in path or len(path) > DEEPEST:
            raise ValueError(f"it holds itself, or is nested deeper than {DEEPEST}")
        if id(node) not in depths:
            path.add(id(node))
            children = node.values() if isinstance(node, dict) else node
            depths[id(node)] = 1 + max(map(depth, children), default=0)
            path.discard(id(node))
        if depths[id(node)] > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        return depths[id(node)]

    depth(made)


# ---- writing -------------------------------------------------------------------------------------


def save_torch(obj, f):
    """Writes tensors and what holds them as torch.load(f, weights_only=True) reads it.

    Args:
        obj: a tree: a dict, list or tuple of trees, a number, a text, None, a Tensor or a NumPy
            array, as Module.state_dict() is; what is of a subclass of these is of the type itself.
        f: the file: str, bytes or os.PathLike, and a file of that name is replaced; or an object
            with write(bytes).

    Raises:
        TypeError: if something in obj cannot be kept.
        ValueError: if a tree is nested deeper than 100, or holds itself.

    Example:
        >>> export.save_torch(model.state_dict(), "model.pt")
    """
    if not hasattr(f, "write"):
        f = io._checked_path(f, "f")
    check_tree(obj)
    writer = Pickle()
    writer.put(obj, "obj")
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        parts = {"data.pkl": b"\x80\x02" + b"".join(writer.parts) + b".", "byteorder": b"little"}
        parts |= {f"data/{i}": array.tobytes() for i, array in enumerate(writer.arrays)}
        for name, content in {**parts, "version": b"3\n"}.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    if hasattr(f, "write"):
        io._write_all(f, file.getvalue())
    else:
        io._write_whole(f, file.getvalue())


class Pickle:
    """The instructions of protocol 2 that make a tree, and the arrays of its tensors."""

    def __init__(self):
        self.parts, self.arrays = [], []

    def put(self, obj, place):
        """Instructions that put obj onto the stack."""
        add = self.parts.append
        if obj is None or isinstance(obj, (bool, np.bool_)):
            add(b"N" if obj is None else b"\x88" if obj else b"\x89")
        elif isinstance(obj, (int, np.integer)):
            self.integer(int(obj))
        elif isinstance(obj, (float, np.floating)):
            add(b"G" + struct.pack(">d", obj))
        elif isinstance(obj, str):
            text = obj.encode("utf-8", "surrogatepass")
            add(b"X" + struct.pack("<I", len(text)) + text)
        elif isinstance(obj, (Tensor, np.ndarray)):
            self.tensor(native(obj, place))
        elif isinstance(obj, dict):
            add(b"}(")
            for key, value in obj.items():
                if not isinstance(key, (str, int, float, bool, type(None))):
                    raise TypeError(f"{place} has a {type(key).__name__} as a key, {key!r}")
                self.put(key, place)
                self.put(value, f"{place}[{key!r}]")
            add(b"u")
        elif isinstance(obj, (list, tuple)):
            add(b"](" if isinstance(obj, list) else b"(")
            for i, value in enumerate(obj):
                self.put(value, f"{place}[{i}]")
            add(b"e" if isinstance(obj, list) else b"t")
        else:
            raise TypeError(
                f"save_torch: {place} is a {type(obj).__name__}; a file holds tensors, dicts, "
                "lists, tuples, numbers and texts: of a model its state_dict()"
            )

    def integer(self, number):
        """A whole number."""
        size = number.bit_length() // 8 + 1
        if size > 255:
            raise ValueError(f"save_torch: {number:.3e} is too large for the format")
        self.parts.append(b"\x8a" + bytes([size]) + number.to_bytes(size, "little", signed=True))

    def name(self, name):
        """A name of Python, behind that of its module."""
        self.parts.append(f"c{name}\n".replace(" ", "\n").encode())

    def tensor(self, array):
        """A tensor with a storage of its own."""
        newer = f"torch {array.dtype}" in NEWER
        if not newer and array.dtype not in WRITTEN:
            raise TypeError(f"save_torch: PyTorch's files have no {array.dtype}")
        self.name(UNTYPED_TENSOR if newer else TENSOR)
        self.parts.append(b"((")
        self.put("storage", "")
        self.name(UNTYPED if newer else f"torch {WRITTEN[array.dtype]}")
        self.put(str(len(self.arrays)), "")
        self.put("cpu", "")
        self.put(array.nbytes if newer else array.size, "")
        self.parts.append(b"tQ")
        strides = [int(np.prod(array.shape[i + 1 :], dtype=int)) for i in range(array.ndim)]
        for part in (0, tuple(array.shape), tuple(strides), False):
            self.put(part, "")
        self.name(DICT)
        self.parts.append(b")R")
        if newer:
            self.name(f"torch {array.dtype}")
        self.parts.append(b"tR")
        self.arrays.append(np.ascontiguousarray(array))
