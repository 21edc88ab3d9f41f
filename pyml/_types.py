"""Types that the stubs name, for type checkers: no program needs them when it runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from types import EllipsisType
from typing import IO, Any, ParamSpec, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyml import Tensor, device, dtype

Array: TypeAlias = NDArray[Any]
Number: TypeAlias = float | np.number[Any] | np.bool_
Operand: TypeAlias = Tensor | Array | Number  # of arithmetic, beside a Tensor
Data: TypeAlias = ArrayLike  # numbers, sequences of them, arrays, Tensors, series
Frame: TypeAlias = Any  # what tabular.read() takes
DType: TypeAlias = dtype | np.dtype[Any] | type[Any] | str
Device: TypeAlias = device | str | int
Dims: TypeAlias = int | Sequence[int]
Sizes: TypeAlias = int | Sequence[int]
Place: TypeAlias = (
    int | slice | EllipsisType | Tensor | Array | Sequence[Any] | np.integer[Any] | None
)
Index: TypeAlias = Place | tuple[Place, ...]
Tensors: TypeAlias = Tensor | Iterable[Tensor]
Params: TypeAlias = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
State: TypeAlias = dict[str, Any]
Logs: TypeAlias = Mapping[str, Any]
Call: TypeAlias = Callable[..., Any]
Callbacks: TypeAlias = Sequence[Any]  # Callbacks, or functions of an Epoch
Path: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
File: TypeAlias = Path | IO[bytes]

_F = TypeVar("_F", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


@runtime_checkable
class Samples(Protocol[_T_co]):
    """What a DataLoader reads, as a list or a Tensor."""

    def __getitem__(self, index: int, /) -> _T_co: ...

    def __len__(self) -> int: ...
