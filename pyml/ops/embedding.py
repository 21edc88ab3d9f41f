"""Rows of a table by their numbers: embedding, embedding_bag, and one_hot."""

import builtins
import math

import numpy as np

from pyml import _kernels
from pyml.errors import ArgumentError, DtypeError, OutOfRange
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.ops.arrays import checked_tensor, contiguous, copied, empty, full, real_tensor
from pyml.ops.comparison import eq, ne
from pyml.ops.creation import arange
from pyml.ops.elementwise import where
from pyml.ops.index import index_along, rows, rows_backward
from pyml.ops.operands import cast
from pyml.ops.reduce import any, max, sum
from pyml.ops.shape import integer, reshape, tracked
from pyml.ops.statistics import renorm
from pyml.options import with_words
from pyml.recorder import constant, refuse
from pyml.tensor import Node, Tensor

INT64 = np.dtype(np.int64)


def numbers_below(size, input, name, argument="input"):
    """`input` as an int64 array, if all of it is from 0 to size - 1."""
    checked_tensor(input, name, argument)
    if input.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}: {argument} has dtype {input.dtype}; {argument}.long() converts it (Expected "
            "tensor for argument 'indices' to have one of the following scalar types: Long, Int)"
        )
    try:
        return index_along(input, size, 0, name)
    except OutOfRange as fault:
        raise OutOfRange(with_words(str(fault), "index out of range in self")) from None


def check_table(input, weight, name, computes=True):
    """The numbers of rows, checked, of a table: floating point where its rows are computed with."""
    checked_tensor(input, name)
    (real_tensor if computes else checked_tensor)(weight, name, "weight")
    if weight.ndim != 2:
        raise ArgumentError(
            f"{name}: weight has shape {weight.shape}, it must be (num_embeddings, embedding_dim)"
        )
    return numbers_below(weight.shape[0], input, name)


def padding_row(padding_idx, count, name):
    """`padding_idx` counted from the front, or None."""
    if padding_idx is None:
        return None
    index = integer(padding_idx, f"{name}: padding_idx")
    if not -count <= index < count:
        raise ArgumentError(
            f"{name}: padding_idx is {index}, it must be from {-count} to {count - 1}, "
            "a row of weight"
        )
    return index % count


def check_dense(sparse, name):
    if sparse:
        raise ArgumentError(
            f"{name}: sparse=True asks for sparse gradients, which there are not; leave it out"
        )


def frequencies(index, count, like):
    """How often each number below `count` is in a vector, as numbers of like's dtype."""
    ones = Tensor._on(full((index.size, 1), like.array, 1))
    return reshape(rows_backward(ones, count, index), (-1,))


@no_grad()
def renormalise(weight, index, max_norm, norm_type, name):
    """Makes the rows that the index names, if they are longer than max_norm, so long: in place."""
    if not max_norm >= 0:
        raise ArgumentError(f"{name}: max_norm is {max_norm}, it must not be negative")
    weight._will_change(False)
    used = reshape(frequencies(index.reshape(-1), weight.shape[0], weight) > 0, (-1, 1))
    weight.copy_(where(used, renorm(weight, norm_type, 0, max_norm), weight))


class Embedding(Node):
    """Rows of a table, each a bag of its own: to a row goes the sum of the gradients of its uses.

    Args:
        index: int64, contiguous, checked.
        count: the number of rows.
        padding: a row that gets none, or NONE.
        share: divide by the number of uses.
    """

    def __init__(self, index, count, padding, share):
        self._index, self._count, self._padding, self._share = index, count, padding, share

    def _gradients(self, dy):
        index = self._index.reshape(-1)
        bags = Bags(index, constant(np.arange(index.size + 1)), self._padding, mean=False)
        if self._share:
            uses = frequencies(index, self._count, dy)
            bags.factors = rows(1 / uses, index).array
        return (bags.spread(reshape(dy, (index.size, dy.shape[-1])), self._count),)


def looked_up(weight, index, padding, share):
    """weight[index], for an index, contiguous, that has been checked."""
    if padding is None and not share:
        return rows(weight, index, "Embedding")
    y = rows(weight.detach(), index)
    if weight.requires_grad and is_grad_enabled():
        padding = NONE if padding is None else padding
        Embedding(index, weight.shape[0], padding, share)._connect(y, (weight,))
    return y


def embedding(
    input,
    weight,
    padding_idx=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    sparse=False,
):
    """The rows of a table that the input names: y[i] = weight[input[i]].

    Args:
        input: integers of any shape, from 0 to num_embeddings - 1.
        weight: (num_embeddings, embedding_dim); floating point with a max_norm.
        padding_idx: a row that gets no gradient; negative ones count from the end. Default: none.
        max_norm: rows that are used and longer are made so long, in place. Default: none.
        norm_type: p of that norm. Default: 2.
        scale_grad_by_freq: divide the gradient of a row by the number of its uses. Default: False.
        sparse: must be False: gradients are dense.

    Returns:
        (*input.shape, embedding_dim).

    Raises:
        IndexError: for a number that is no row.
        ValueError: on shapes, padding_idx or max_norm that cannot be, or sparse=True.
        TypeError: if input is not of integers, or weight not floating point where it must be.

    Example:
        >>> F.embedding(pyml.tensor([1, 0]), pyml.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [1., 2.]])
    """
    check_dense(sparse, "embedding")
    index = check_table(input, weight, "embedding", computes=max_norm is not None)
    padding = padding_row(padding_idx, weight.shape[0], "embedding")
    if max_norm is not None:
        renormalise(weight, index, max_norm, norm_type, "embedding")
    return looked_up(weight, contiguous(index), padding, bool(scale_grad_by_freq))


def bags_of(input, offsets, include_last_offset):
    """The first place of each bag and one more, the end, as an int64 array; for an input of one
    dimension.

    Raises:
        ValueError: if they do not divide the input.
    """
    checked_tensor(offsets, "embedding_bag", "offsets")
    refuse("embedding_bag with offsets (an input of two dimensions has bags of one size)")
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise ArgumentError(
            f"embedding_bag: offsets has shape {offsets.shape} and dtype {offsets.dtype}, it must "
            "be a vector of integers"
        )
    begins = offsets.array.astype(INT64)
    size = input.shape[0]
    if include_last_offset:
        if not begins.size:
            raise ArgumentError(
                "embedding_bag: offsets is empty; with include_last_offset it needs at least one"
            )
        if begins[-1] > size:
            raise ArgumentError(
                f"embedding_bag: the last of offsets is {begins[-1]}, input has {size} elements"
            )
        ends = begins
    else:
        ends = np.append(begins, size)
    if begins.size and begins[0] != 0:
        raise ArgumentError(f"embedding_bag: offsets[0] is {begins[0]}, it must be 0")
    if (np.diff(ends) < 0).any():
        raise ArgumentError(
            f"embedding_bag: offsets must ascend and not exceed the {size} elements of input"
        )
    return ends


def largest(weight, index, ends, kept, padding):
    """The maximum of each column over the rows of each bag that are kept, or 0.

    Args:
        index: (bags, size) or, with `ends`, a vector: the rows of the table.
        ends: where each bag begins, and the end of the last; or None.
        kept: a truth value for each of the index, (index.size, 1), or None for all.
    """
    if ends is not None:  # as many places for each as the longest has
        sizes = np.diff(ends)[:, None]
        columns = np.arange(sizes.max(initial=0))
        in_bag = columns < sizes
        places = np.where(in_bag, ends[:-1, None] + columns, 0)
        if kept is not None:
            in_bag &= kept.array[places, 0]
        index, kept = contiguous(index[places]), Tensor._on(contiguous(in_bag))
    values = looked_up(weight, contiguous(index), padding, False)
    if index.shape[1] == 0:
        return sum(values, 1)
    if kept is None:
        return max(values, 1).values
    kept = reshape(kept, (*index.shape, 1))
    return where(any(kept, 1), max(where(kept, values, -math.inf), 1).values, 0.0)


NONE = -1  # as padding: no row has this number


class Bags:
    """Which rows of a table are added up, and what each is multiplied by.

    Args:
        index: the rows, a vector, int64, checked.
        ends: where the rows of each bag begin in it, and the end of the last.
        padding: the row that is left out, or NONE.
        mean: divide by the number of rows.

    Attributes:
        factors: a vector, of the index's size and the table's dtype. Default: None, for 1.
    """

    factors = None

    def __init__(self, index, ends, padding, mean):
        self.index, self.ends, self.padding, self.mean = index, ends, padding, mean

    def _operands(self):
        return self.index, self.ends, self.factors, self.padding, self.mean

    def sums(self, x):
        """The sum of the rows of x in each bag."""
        table = contiguous(x.array)
        y = empty((len(self.ends) - 1, table.shape[1]), table.dtype)
        _kernels.bag_forward(y, table, *self._operands())
        count = len(table)
        return tracked(x, Tensor._on(y), "EmbeddingBag", lambda dy: self.spread(dy, count))

    def spread(self, x, count):
        """Zeros of `count` rows, to which the row of x of each bag is added at its rows."""
        y = empty((count, x.shape[1]), x.dtype)
        _kernels.bag_backward(y, contiguous(x.array), *self._operands())
        return tracked(x, Tensor._on(y), "EmbeddingBagBackward", self.sums)

    def sums_of_each(self, values):
        """The sums of values, which there is one of for each of the index: those of its rows."""
        places = constant(np.arange(self.index.size))
        if self.padding != NONE:
            kept = ne(Tensor._on(self.index.reshape(-1, 1)), self.padding)
            values = where(kept, values, 0.0)
        return Bags(places, self.ends, NONE, self.mean).sums(values)


def shared(weight, index):
    """The table, whose gradient is divided by how often the index names each row."""
    uses = frequencies(index, weight.shape[0], weight)
    uses = reshape(where(uses > 0, uses, 1.0), (-1, 1))
    return tracked(weight, Tensor._on(weight.array), "EmbeddingBag", lambda dw: dw / uses)


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """The sum, mean or maximum of the rows of a table, for each bag of row numbers.

    An empty bag gives zeros. The maximum is that of each column; its gradient goes to the first
    row that has it.

    Args:
        input: integers from 0 to num_embeddings - 1: (bags, size), or a vector with offsets.
        weight: (num_embeddings, embedding_dim), float32 or float64.
        offsets: of an input of one dimension, where each bag begins; ascending from 0.
        max_norm: rows that are used and longer are made so long, in place. Default: none.
        norm_type: p of that norm. Default: 2.
        scale_grad_by_freq: divide the gradient of a row by the number of its uses; not for
            "max". Default: False.
        mode: "sum", "mean" or "max". Default: "mean".
        sparse: must be False: gradients are dense.
        per_sample_weights: of the input's shape, what each row is multiplied by; for "sum" alone.
            Default: 1.
        include_last_offset: the last of offsets is the end of the last bag. Default: False.
        padding_idx: a row that is left out of bags and gets no gradient. Default: none.

    Returns:
        (bags, embedding_dim).

    Raises:
        IndexError: for a number that is no row.
        ValueError: on shapes, offsets and options that do not go together.
        TypeError: if input is not of integers or weight not floating point.

    Example:
        >>> table = pyml.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> F.embedding_bag(pyml.tensor([0, 1, 1]), table, pyml.tensor([0, 2]), mode="sum")
        tensor([[4., 6.],
                [3., 4.]])
    """
    check_dense(sparse, "embedding_bag")
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(f"embedding_bag: mode is {mode!r}, it must be 'sum', 'mean' or 'max'")
    if mode == "max" and scale_grad_by_freq:
        raise ArgumentError(
            "embedding_bag: scale_grad_by_freq does not go with mode='max'; leave one of them out"
        )
    index = check_table(input, weight, "embedding_bag")
    if input.ndim not in (1, 2):
        raise ArgumentError(
            f"embedding_bag: input has shape {input.shape}, it must be (bags, size) or a vector"
        )
    if (offsets is None) != (input.ndim == 2):
        raise ArgumentError(
            "embedding_bag: offsets must be None for an input of two dimensions, whose rows are "
            f"the bags, and a vector for one of one dimension; input has shape {input.shape}"
        )
    padding = padding_row(padding_idx, weight.shape[0], "embedding_bag")
    samples = per_sample_weights
    if samples is not None:
        real_tensor(samples, "embedding_bag", "per_sample_weights")
        if mode != "sum":
            raise ArgumentError(
                f"embedding_bag: per_sample_weights goes with mode='sum' alone, not {mode!r}"
            )
        if samples.shape != input.shape:
            raise ArgumentError(
                f"embedding_bag: per_sample_weights has shape {samples.shape}, it must be that of "
                f"input, {input.shape}"
            )
        if samples.dtype != weight.dtype:
            raise DtypeError(
                f"embedding_bag: per_sample_weights has dtype {samples.dtype}, weight has "
                f"{weight.dtype}; convert one of them"
            )
    ends = None if offsets is None else bags_of(input, offsets, include_last_offset)
    if max_norm is not None:
        renormalise(weight, index, max_norm, norm_type, "embedding_bag")
    if ends is not None:  # behind the last offset there may be more
        index = index[ends[0] : ends[-1]]
        samples = samples if samples is None else samples[int(ends[0]) : int(ends[-1])]
    if mode == "max":
        kept = None if padding is None else ne(Tensor._on(index.reshape(-1, 1)), padding)
        return largest(weight, index, ends, kept, padding)
    if ends is None:
        ends = constant(np.arange(len(index) + 1) * index.shape[1])
    index = contiguous(index.reshape(-1))
    if scale_grad_by_freq:
        weight = shared(weight, index)
    bags = Bags(index, ends, NONE if padding is None else padding, mode == "mean")
    if samples is None:
        return bags.sums(weight)
    if samples.requires_grad:
        return bags.sums_of_each(rows(weight, index) * reshape(samples, (-1, 1)))
    bags.factors = copied(samples.array).reshape(-1)
    return bags.sums(weight)


class Lines:
    """Piecewise linear functions, at numbers x (n, functions): what x says of their values.

    Args:
        x, left, scale, counts: as of csrc/contracts/gather.h, contiguous arrays.
    """

    def __init__(self, x, left, scale, counts):
        self.operands = x, left, scale, counts

    def at(self, values):
        """(functions, bins + 1, c), the values at edges, to (n, functions, c)."""
        y = empty((*self.operands[0].shape, values.shape[2]), values.dtype)
        _kernels.piecewise_forward(y, contiguous(values.array), *self.operands)
        return tracked(values, Tensor._on(y), "PiecewiseLinear", self.sums)

    def sums(self, dy):
        """(n, functions, c) to (functions, bins + 1, c): the gradient of at()."""
        functions, bins = self.operands[1].shape
        dvalues = empty((functions, bins + 1, dy.shape[2]), dy.dtype)
        _kernels.piecewise_backward(dvalues, contiguous(dy.array), *self.operands)
        return tracked(dy, Tensor._on(dvalues), "PiecewiseLinearBackward", self.at)


def piecewise_linear(input, values, left, scale, counts):
    """What piecewise linear functions have at numbers, each on the line between two edges.

    Args:
        input: (n, functions); no gradient goes to it.
        values: at the edges of bins, (functions, bins + 1, c).
        left, scale: (functions, bins): where bins begin, ascending, and 1 / their widths. The first
            and the last go on as they are beyond their edges.
        counts: int64, (functions), how many bins each function has: the first ones, and the last
            one at the last place.

    Returns:
        (n, functions, c).
    """
    parts = (contiguous(each.array) for each in (input, left, scale, counts))
    return Lines(*parts).at(values)


def one_hot(tensor, num_classes=-1):
    """A 1 at the place that each number names, and zeros: y[..., j] = 1 if x[...] is j.

    Args:
        tensor: integers from 0 to num_classes - 1, of any shape.
        num_classes: the size of the new dimension. Default: -1, the largest number and one more.

    Returns:
        (*tensor.shape, num_classes), int64.

    Raises:
        IndexError: for a number that is no class.
        ValueError: if num_classes is 0 or below -1, or to be found of no numbers.
        TypeError: if tensor is not of integers.

    Example:
        >>> F.one_hot(pyml.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    checked_tensor(tensor, "one_hot", "tensor")
    classes = integer(num_classes, "one_hot: num_classes")
    if classes == -1:
        refuse("one_hot without num_classes")
        if tensor.numel() == 0:
            raise ArgumentError(
                "one_hot: tensor is empty, its largest number is not known; give num_classes"
            )
        classes = int(tensor.array.max()) + 1 if tensor.dtype.kind in "iu" else 1
        classes = builtins.max(classes, 1)  # of negative numbers alone, which are then named
    if classes < 1:
        raise ArgumentError(f"one_hot: num_classes is {classes}, it must be positive, or -1")
    index = numbers_below(classes, tensor, "one_hot", "tensor")
    return cast(eq(Tensor._on(index.reshape(*index.shape, 1)), arange(classes)), INT64)
