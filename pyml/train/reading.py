"""What users have, as Tensors that a model takes: arrays, frames, data sets, batches."""

from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import suppress
from os import PathLike
from typing import NamedTuple

import numpy as np

from pyml import nn
from pyml.attributes import default_float
from pyml.data import DataLoader, Dataset, IterableDataset, TensorDataset, stratified_split
from pyml.ops.creation import randperm
from pyml.ops.outside import unmasked
from pyml.options import Range, check_number
from pyml.random import Generator
from pyml.tensor import Tensor

TO_NUMBERS = "make numbers of it first; pyml.tabular does, for whole tables"


# ---- what is read --------------------------------------------------------------------------------


class Rows(NamedTuple):
    """Rows in memory: the arguments of a model, the targets, and the weights.

    Attributes:
        names: of the inputs, if the model takes them by name, else None.
        inputs: Tensors, each (n, ...).
        target: (n, ...), or None.
        weight: of each row, (n,), or None.
    """

    names: tuple | None
    inputs: tuple
    target: Tensor | None = None
    weight: Tensor | None = None

    @property
    def count(self):
        """How many rows there are."""
        return len(self.inputs[0])

    @property
    def tensors(self):
        """Inputs, target and weight, as far as they are there, in one tuple."""
        others = (self.target, self.weight)
        return (*self.inputs, *(each for each in others if each is not None))

    def __getitem__(self, rows):
        """Some of the rows: a slice, or an int64 array of their numbers."""

        def taken(tensor):
            return None if tensor is None else tensor[rows]

        return Rows(
            self.names, tuple(map(taken, self.inputs)), taken(self.target), taken(self.weight)
        )

    def split(self, size):
        """One after another, Rows of this size, the last of what is left."""
        for start in range(0, self.count, size):
            yield self[start : start + size]


class Stream:
    """Batches that are read anew in each epoch.

    Args:
        reader: a Reader.
        source: an iterable of batches (x, y) or (x, y, weight), or a function that makes one.
        class_weight: {class: weight}, or None.
        who: for messages.
    """

    def __init__(self, reader, source, class_weight=None, who="fit"):
        self.reader, self.source, self.class_weight, self.who = reader, source, class_weight, who

    @property
    def is_spent_after_one(self):
        """Whether it can be read once only, as a generator."""
        return iter(self.source) is self.source if isinstance(self.source, Iterable) else False

    def __len__(self):
        """How many batches there are; TypeError if that is not known."""
        return len(self.source)

    def __iter__(self):
        first = 0  # row of the batch
        source = self.source if isinstance(self.source, Iterable) else self.source()
        for number, batch in enumerate(source):
            who = f"{self.who}: batch {number}"
            if not isinstance(batch, (tuple, list)) or not 2 <= len(batch) <= 3:
                raise TypeError(f"{who} is {described(batch)}, it must be (x, y) or (x, y, weight)")
            rows = self.reader.rows(*batch, who=who, first=first)
            yield self.reader.weighted(rows, self.class_weight, who, is_part=True)
            first += rows.count

    def inputs(self):
        """Batches of inputs alone: of batches that are x, (x, y) or (x, y, weight)."""
        source = self.source if isinstance(self.source, Iterable) else self.source()
        for number, batch in enumerate(source):
            x = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
            yield self.reader.inputs(x, f"{self.who}: batch {number}")


class Reader:
    """Reads data for a model and a loss.

    Floating-point numbers become the dtype of the model's parameters. So do integers and booleans,
    if there is one array (no tuple or dict of several) and the model has no embedding. Tensors of
    integers stay as they are. Targets become int64 for losses of classes, else the model's dtype;
    those of a loss that is no module of pyml's stay integers where they are.

    Args:
        model: a Module.
        meaning: of its outputs.
        keeps_integers: targets that are integers stay integers. Default: False.
    """

    def __init__(self, model, meaning, keeps_integers=False):
        self.model, self.meaning, self.keeps_integers = model, meaning, keeps_integers
        self.columns = None  # of the frame that was read first
        self._parameter = None

    @property
    def dtype(self):
        """Of the model's first parameter that is floating-point."""
        if self._parameter is None:
            floats = (p for p in self.model.parameters() if p.is_floating_point())
            self._parameter = next(floats, None)
        return np.dtype(default_float() if self._parameter is None else self._parameter.dtype)

    def inputs(self, x, who, first=0):
        """x as Rows without a target.

        Args:
            x: an array, Tensor or frame; a tuple or dict of these.
            who: for messages.
            first: the number of the first row, for messages. Default: 0.

        Raises:
            TypeError: for what is not made of numbers.
            ValueError: for other numbers of rows, no row, and NaN.
        """
        names = None
        if isinstance(x, Mapping):
            names, places = tuple(x), {f"x[{name!r}]": part for name, part in x.items()}
            for name in names:
                if not isinstance(name, str):
                    raise TypeError(f"{who}: x has the key {name!r}, it must be an argument's name")
        elif isinstance(x, tuple):
            places = {f"x[{i}]": part for i, part in enumerate(x)}
        else:
            places = {"x": x}
        if not places:
            raise ValueError(f"{who}: x is empty, it must have at least one array")
        floats = len(places) == 1 and names is None and not isinstance(x, tuple)
        tensors = [
            self._input(part, f"{who}: {place}", floats, first) for place, part in places.items()
        ]
        if len({len(tensor) for tensor in tensors}) > 1:
            counts = ", ".join(
                f"{place} has {len(tensor)} rows"
                for place, tensor in zip(places, tensors, strict=True)
            )
            raise ValueError(f"{who}: {counts}; they must be as many")
        return Rows(names, tuple(tensors))

    def rows(self, x, y, weight=None, *, who, first=0):
        """x, y and weight as Rows. Arguments and errors as of `inputs`."""
        rows = self.inputs(x, who, first)
        target = self.target(y, who, first)
        if len(target) != rows.count:
            raise ValueError(f"{who}: x has {rows.count} rows, but y has {len(target)}")
        if weight is not None:
            weight = self.weight(weight, rows.count, who)
        return rows._replace(target=target, weight=weight)

    def _input(self, value, place, floats, first):
        columns = columns_of(value)
        if columns is not None:
            value = self._in_order(value, columns, place)
        array, is_tensor = numbers_of(value, place), isinstance(value, Tensor)
        if array.ndim == 0:
            raise ValueError(f"{place} is a single number, it must have rows")
        if len(array) == 0:
            raise ValueError(f"{place} has 0 rows (shape {array.shape}), it must have at least one")
        if array.dtype.kind == "f":
            if not is_tensor or array.dtype != self.dtype:
                array = array.astype(self.dtype, copy=False)
            check_not_nan(array, place, first, self.columns if columns is not None else None)
        elif not is_tensor and floats and not self._embeds():
            array = array.astype(self.dtype)
        elif array.dtype.kind in "iu" and array.dtype != np.int64 and not is_tensor:
            array = array.astype(np.int64)
        return as_tensor(array, value)

    def _embeds(self):
        kinds = (nn.Embedding, nn.EmbeddingBag)
        return any(isinstance(module, kinds) for module in self.model.modules())

    def _in_order(self, frame, columns, place):
        """The frame with the columns of the first one, in its order."""
        if self.columns is None:
            self.columns = columns
        if columns == self.columns or len(set(columns)) != len(columns):
            return frame
        if missing := [name for name in self.columns if name not in columns]:
            raise ValueError(
                f"{place} lacks the columns {', '.join(map(repr, missing))}, which it had when the "
                "model was trained"
            )
        return {name: column_of(frame, columns.index(name)) for name in self.columns}

    def target(self, y, who, first=0):
        """y as a Tensor of the dtype that the loss takes."""
        place = f"{who}: y"
        columns = columns_of(y)
        array = numbers_of(y, place, "np.unique(y, return_inverse=True)[1] makes numbers of names")
        if columns is not None and len(columns) == 1:
            array = array.reshape(len(array))
        if array.ndim == 0:
            raise ValueError(f"{place} is a single number, it must have rows")
        if array.dtype.kind == "f":
            check_not_nan(array, place, first)
        if self.meaning.classes:
            array = self._classes(array, place)
        elif array.dtype.kind == "f" or not self.keeps_integers:
            array = array.astype(self.dtype, copy=False)
            if (
                self.meaning.has_labels
                and array.size
                and not (0 <= array.min() <= array.max() <= 1)
            ):
                outside = array.min() if array.min() < 0 else array.max()
                raise ValueError(
                    f"{place} has {outside:g}; targets of this loss are 0, 1, or between"
                )
        return as_tensor(array, y)

    def _classes(self, array, place):
        """Numbers of classes as int64; probabilities (n, classes) in the model's dtype."""
        if array.ndim == 2 and array.shape[1] == 1:
            array = array.reshape(len(array))
        if array.dtype.kind != "f":
            return array.astype(np.int64, copy=False)
        if array.ndim > 1:
            return array.astype(self.dtype, copy=False)
        if (wrong := array != np.round(array)).any():
            raise ValueError(
                f"{place} has {array[wrong][0]:g} in row {wrong.argmax()}, it must be the number "
                "of a class: 0, 1, ...; for a regression take another loss, as MSELoss"
            )
        return array.astype(np.int64)

    def weight(self, weight, count, who):
        """Weights of rows as a Tensor."""
        place = f"{who}: sample_weight"
        array = numbers_of(weight, place).astype(self.dtype)
        if array.shape != (count,):
            raise ValueError(
                f"{place} has shape {array.shape}, it must be ({count},): a number for each row"
            )
        check_weights(array, place)
        return as_tensor(array, array)

    def weighted(self, rows, class_weight, who, *, is_part=False):
        """Rows whose weight is multiplied by that of their class.

        Args:
            rows: Rows with a target.
            class_weight: {class: weight}, "balanced" for n / (classes * rows of the class), or
                None for none.
            is_part: there may be classes in other rows. Default: False.
        """
        if class_weight is None:
            return rows
        target = rows.target.numpy()
        if not self.meaning.has_labels or np.squeeze(target).ndim > 1:
            raise ValueError(
                f"{who}: class_weight is for one class in each row, by a loss as CrossEntropyLoss "
                "or BCEWithLogitsLoss"
            )
        labels, of_row = np.unique(target.reshape(-1), return_inverse=True)
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise ValueError(
                    f"{who}: class_weight is {class_weight!r}, it must be 'balanced' or a dict"
                )
            factors = target.size / (len(labels) * np.bincount(of_row))
        elif isinstance(class_weight, Mapping):
            check_weights(np.array([*class_weight.values()], float), f"{who}: class_weight")
            if not is_part and (others := [c for c in class_weight if c not in labels.tolist()]):
                raise ValueError(
                    f"{who}: class_weight has the class {others[0]!r}, which y lacks; it has "
                    f"{', '.join(f'{label:g}' for label in labels[:10])}"
                )
            factors = np.array([float(class_weight.get(label, 1)) for label in labels.tolist()])
        else:
            raise TypeError(
                f"{who}: class_weight is {described(class_weight)}, it must be 'balanced' or a "
                "dict {class: weight}"
            )
        weight = factors[of_row].astype(self.dtype)
        if rows.weight is not None:
            weight = weight * rows.weight.numpy()
        return rows._replace(weight=as_tensor(weight, weight))

    def data(self, x, y, weight, *, batch_size, shuffle, class_weight=None, who="fit"):
        """What is to be trained on or evaluated: Rows, or a Stream.

        Args:
            x, y: as of `rows`; or x is a Dataset, an iterable of batches, or a function that makes
                one, and y is None.
            weight: of each row, or None.
            batch_size: of a Dataset whose samples are not in memory.
            shuffle: whether such a Dataset is read in a new order each time.
            class_weight: of batches that are read; Rows are for `weighted`.
        """
        if y is not None:
            return self.rows(x, y, weight, who=who)
        if weight is not None:
            raise ValueError(
                f"{who}: sample_weight is for arrays; of {described(x)} each batch has its own: "
                "(x, y, weight)"
            )
        if isinstance(x, TensorDataset) and type(x).__getitem__ is TensorDataset.__getitem__:
            if not 2 <= len(x.tensors) <= 3:
                raise ValueError(
                    f"{who}: the TensorDataset has {len(x.tensors)} tensors, it must have x and y, "
                    "and may have a weight for each row"
                )
            return self.rows(*x.tensors, who=who)
        if isinstance(class_weight, str):
            raise ValueError(
                f"{who}: class_weight is {class_weight!r}, for which all rows must be in memory; "
                "pass a dict {class: weight}"
            )
        if isinstance(x, (str, bytes, PathLike)):
            raise TypeError(f"{who}: X is {x!r}, it must be data; pyml.tabular reads files")
        if not is_source(x):
            raise TypeError(
                f"{who}: y is missing; without it x must be a Dataset or an iterable of batches "
                f"(x, y), and it is {described(x)}"
            )
        return Stream(self, batches_of(x, batch_size, shuffle), class_weight, who)

    def divided(self, rows, fraction, seed, who="fit"):
        """Rows to train on and to validate on, at random; each class by its share, if there are.

        Args:
            rows: Rows.
            fraction: to validate on, in (0, 1).
            seed: of the choice.
        """
        check_number(who, "validation", fraction, Range(0, 1, "()"))
        target = rows.target.numpy()
        if self.meaning.has_labels and target.size == len(target):
            train, held = stratified_split(target.reshape(-1), fraction, seed)
        else:
            order = randperm(rows.count, generator=Generator(seed)).numpy()
            count = round(fraction * rows.count)
            held, train = np.sort(order[:count]), np.sort(order[count:])
        if len(train) == 0 or len(held) == 0:
            raise ValueError(
                f"{who}: validation is {fraction:g}, which leaves {len(train)} rows to train on "
                f"and {len(held)} to validate on, of {rows.count}; both need one: pass (X, y)"
            )
        return rows[train], rows[held]


# ---- arrays --------------------------------------------------------------------------------------


def numbers_of(value, place, cure=TO_NUMBERS):
    """The array of a Tensor, array, list, series or frame; of numbers or booleans."""
    if isinstance(value, Tensor):
        return value.detach().numpy()
    columns = tuple(value) if isinstance(value, dict) else columns_of(value)
    if columns is not None:
        parts = [
            numbers_of(
                value[name] if isinstance(value, dict) else column_of(value, i),
                f"{place}: column {name!r}",
            )
            for i, name in enumerate(columns)
        ]
        if not parts:
            raise ValueError(f"{place} has no columns")
        return np.stack(parts, 1)
    if hasattr(unmasked(value, place), "toarray"):
        raise TypeError(f"{place} is {described(value)}, which is sparse; pass its .toarray()")
    try:
        array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{place} is not a regular array: {error}") from None
    if array.dtype == object and hasattr(value, "isna") and not is_text(value):
        with suppress(TypeError, ValueError):  # numbers of pandas that may be missing
            array = value.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise TypeError(f"{place} is of type {array.dtype}, which is not of numbers; {cure}")
    if not array.dtype.isnative or array.dtype == np.float16:
        native = array.dtype.newbyteorder("=")
        array = array.astype(np.float32 if native == np.float16 else native)
    return array


def is_text(series):
    """Whether a series of objects has text in it, which NumPy would read as numbers."""
    return any(isinstance(value, (str, bytes)) for value in series)


def columns_of(value):
    """The names of the columns of a frame of pandas, polars or Arrow; None of what is no frame."""
    if isinstance(value, (Tensor, np.ndarray)) or not hasattr(value, "columns"):
        return None
    return tuple(getattr(value, "column_names", value.columns))


def column_of(frame, i):
    """A column of a frame, by its place: names may be there twice."""
    if hasattr(frame, "iloc"):  # pandas
        return frame.iloc[:, i]
    return frame.column(i) if hasattr(frame, "column_names") else frame[:, i]  # Arrow, polars


def as_tensor(array, given):
    """A Tensor on the memory of an array; the given one, if it has that array."""
    if isinstance(given, Tensor) and array.dtype == given.dtype and array.shape == given.shape:
        return given.detach()
    if array is given and not array.flags.writeable:
        array = array.copy()
    return Tensor._on(np.ascontiguousarray(array))


def check_not_nan(array, place, first=0, columns=None):
    """Raises ValueError that names the first row and column with NaN."""
    if array.size == 0 or not np.isnan(array.min()):
        return
    index = np.unravel_index(np.isnan(array).argmax(), array.shape)
    row, *others = map(int, index)
    where = f"row {first + row}"
    if others:
        where += f", column {others[0] if len(others) == 1 else tuple(others)}"
        if columns is not None:
            where += f" ({columns[others[0]]!r})"
    raise ValueError(
        f"{place} has NaN in {where}; fill what is missing, or leave the row out "
        "(np.isnan finds them)"
    )


def check_weights(array, place):
    if not (np.isfinite(array).all() and (array >= 0).all()):
        wrong = array[~(np.isfinite(array) & (array >= 0))][0]
        raise ValueError(f"{place} has {wrong:g}, a weight must be finite and >= 0")
    if array.size and not array.any():
        raise ValueError(f"{place} is 0 everywhere; at least one weight must be positive")


def is_source(value):
    """Whether it can be a source of batches: no array, frame, series, dict or text."""
    if isinstance(value, (Mapping, str, bytes)) or columns_of(value) is not None:
        return False
    if hasattr(value, "__array__") and not isinstance(value, Dataset):
        return False
    return isinstance(value, (Iterable, Callable)) or is_data_set(value)


def is_data_set(value):
    """Whether it gives samples: a Dataset, or what has samples by their index, and a length."""
    if isinstance(value, Iterable) and not isinstance(value, Dataset):
        return False
    return isinstance(value, Dataset) or (
        isinstance(value, Sized) and hasattr(value, "__getitem__")
    )


def batches_of(source, batch_size, shuffle):
    """A source of batches: of a data set a DataLoader; all else is one."""
    if not is_data_set(source):
        return source
    shuffle = shuffle and not isinstance(source, IterableDataset)
    return DataLoader(source, batch_size, shuffle=shuffle or None)


def described(value):
    """A value's type, for messages."""
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
