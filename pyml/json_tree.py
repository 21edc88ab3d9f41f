"""Trees of numbers, text and arrays as JSON beside named arrays.

A tree is a dict, list or tuple of trees, a number, a string, None, a Tensor or a NumPy array. As
JSON, True, None, strings, finite numbers and lists are themselves. An object has one entry, its
kind:

    {"dict": [[key, value], ...]}  {"tuple": [...]}  {"float": "inf"}
    {"state": [{"dict": ...}, metadata]}                    Module.state_dict(), an OrderedDict
    {"tensor": name}  {"array": name}  {"scalar": name}     Tensor, NumPy array, NumPy scalar
"""

import json
import math
import zlib
from collections import OrderedDict

import numpy as np

from pyml.ops.outside import arrived, unmasked
from pyml.tensor import Tensor

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *INTEGERS, "float16", "float32", "float64")

MAX_DEPTH = 100  # of a tree: far from where Python's recursion ends


# ---- writing -------------------------------------------------------------------------------------


class Writer:
    """Makes JSON of trees, and collects their arrays.

    Args:
        who: the function that writes, for messages.
        what: what it writes, for messages.
        outer: how many of the first words of a path are no part of the names of arrays. Default: 0.
    """

    def __init__(self, who, what, outer=0):
        self.who, self.what, self.outer = who, what, outer
        self.arrays = {}

    def encoded(self, value, path):
        """A tree as JSON; its arrays go into `arrays`, by names made of their paths."""
        if len(path) > MAX_DEPTH:
            raise ValueError(
                f"{self.who}: {path[0]} is nested deeper than {MAX_DEPTH}, or holds itself"
            )
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (Tensor, np.ndarray, np.generic)):
            kind = "scalar"
            if not isinstance(value, np.generic):
                kind = "tensor" if isinstance(value, Tensor) else "array"
            name = self.new_name(path)
            self.arrays[name] = native(value, f"{self.who}: {place(path)}")
            return {kind: name}
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, (list, tuple)):
            items = [self.encoded(item, (*path, i)) for i, item in enumerate(value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        if isinstance(value, dict):
            for key in value:
                if not is_key(key):
                    raise TypeError(
                        f"{self.who}: {place(path)} has the key {key!r}; {self.what} keeps "
                        "keys that are numbers, strings, None, or tuples of these"
                    )
            items = [
                [self.encoded(key, path), self.encoded(item, (*path, key))]
                for key, item in value.items()
            ]
            versions = versions_of(value)
            if versions is None:
                return {"dict": items}
            return {"state": [{"dict": items}, self.encoded(versions, (*path, "_metadata"))]}
        raise TypeError(
            f"{self.who}: {place(path)} is a {type(value).__name__}; {cure(value)}{self.what} "
            "keeps dicts, lists, tuples, numbers, strings, None, Tensors and NumPy arrays"
        )

    def new_name(self, path):
        """The path with dots between; with a number behind if another array has that name."""
        words = path[self.outer :] or path
        name = ".".join(map(str, words)).encode(errors="replace").decode()
        unique, n = name, 1
        while unique in self.arrays or unique == "__metadata__":  # which is the format's
            n += 1
            unique = f"{name}#{n}"
        return unique


def versions_of(state_dict):
    """The attribute _metadata of a state dict, {name of a module: {"version": number}}.

    None if it is something else, as of other dicts, and if all versions are 1, the first.
    """
    metadata = getattr(state_dict, "_metadata", None)
    if not isinstance(metadata, dict) or not all(map(is_flat, metadata.values())):
        return None
    return None if all(of == {"version": 1} for of in metadata.values()) else metadata


def is_flat(value):
    return isinstance(value, dict) and all(map(is_key, value.values()))


def cure(value):
    """What to keep in place of an object that is no tree."""
    if isinstance(value, type) or not callable(getattr(value, "state_dict", None)):
        return ""
    return (
        "its code is no part of a file: keep its state_dict(), and load_state_dict() that into an "
        "object that your program made; "
    )


def is_key(key):
    if isinstance(key, tuple):
        return all(map(is_key, key))
    return key is None or isinstance(key, (bool, int, float, str, np.generic))


def place(path):
    return path[0] + "".join(f"[{key!r}]" for key in path[1:])


def native(value, place):
    """A Tensor or array as a native, contiguous array of a dtype that the format has."""
    unmasked(value, place)
    array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{place} has dtype {array.dtype}; safetensors holds {', '.join(DTYPES)}")
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def checksum(nodes, arrays):
    """The CRC-32 of JSON and arrays."""
    crc = zlib.crc32(json.dumps(nodes).encode())
    for name in sorted(arrays):
        array = arrays[name]
        crc = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), crc)
        crc = zlib.crc32(array, crc)
    return crc


# ---- reading -------------------------------------------------------------------------------------


def parsed(text):
    """JSON, in which no object has a name twice."""
    return json.loads(text, object_pairs_hook=unique)


def unique(pairs):
    entries = dict(pairs)
    if len(entries) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has {twice!r} twice")
    return entries


def entry(values, name):
    if not (isinstance(values, dict) and name in values):
        raise ValueError(f"it lacks {name!r}")
    return values[name]


def read_header(text, place, version, read, what=""):
    """read(header) of a header's JSON, if it is of this version and not damaged.

    Raises:
        ValueError: that tells what is wrong with the file `place`, which is `what` ("a ... ").
    """
    try:
        header = parsed(text)
        found = entry(header, "version")
        if found == version:
            return read(header)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{place}: is damaged: {error}") from None
    raise ValueError(
        f"{place}: is {what}of version {found!r}, pyml here reads version {version}; a newer pyml "
        "may read it"
    )


def check_sum(header, nodes, arrays):
    """Raises ValueError unless the header's checksum is that of these JSON and arrays."""
    if checksum(nodes, arrays) != entry(header, "crc32"):
        raise ValueError("its checksum is not that of its content")


def decoded(node, arrays, depth=0):
    """The tree that `node` is of. Takes its arrays out of `arrays`: each belongs to one place."""
    if depth > MAX_DEPTH + 1:
        raise ValueError(f"its content is nested deeper than {MAX_DEPTH}")
    if isinstance(node, list):
        return [decoded(item, arrays, depth + 1) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) != 1:
        raise ValueError(f"its content has an object of the kinds {', '.join(node) or 'none'}")
    [(kind, value)] = node.items()
    if kind == "dict" and is_list(value) and all(is_list(pair, 2) for pair in value):
        keys = [decoded(key, arrays, depth + 1) for key, _ in value]
        if not all(map(is_key, keys)) or len(set(keys)) != len(keys):
            raise ValueError("its content has a dict with keys that cannot be, or are there twice")
        items = (decoded(item, arrays, depth + 1) for _, item in value)
        return dict(zip(keys, items, strict=True))
    if kind == "state" and is_list(value, 2):
        items, metadata = (decoded(item, arrays, depth + 1) for item in value)
        is_state = isinstance(items, dict) and isinstance(metadata, dict)
        if is_state and all(map(is_flat, metadata.values())):
            state_dict = OrderedDict(items)
            state_dict._metadata = OrderedDict(metadata)
            return state_dict
    if kind == "tuple" and is_list(value):
        return tuple(decoded(item, arrays, depth + 1) for item in value)
    if kind == "float" and value in ("inf", "-inf", "nan"):
        return float(value)
    if kind in ("tensor", "array", "scalar") and isinstance(value, str):
        if value not in arrays:
            raise ValueError(f"its content lacks the array {value!r}, or has it twice")
        array = arrays.pop(value)
        if kind == "tensor":
            return Tensor._on(arrived(array, f"its tensor {value!r}"))
        if kind == "array":
            return array
        if array.ndim == 0:
            return array[()]
    raise ValueError(f"its content has {kind!r} of what this cannot be")


def is_list(value, length=None):
    return isinstance(value, list) and (length is None or len(value) == length)
