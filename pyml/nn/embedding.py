"""Embedding and EmbeddingBag: tables whose rows are learned."""

from pyml import ops
from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn import functional as F
from pyml.nn import init
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter
from pyml.ops.arrays import checked_tensor
from pyml.ops.embedding import check_dense, padding_row
from pyml.options import check_choice, check_sizes

__all__ = ["Embedding", "EmbeddingBag"]


class Table(Module):
    """What both have: a table, a row of it that is padding, and the options of its gradient."""

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx,
        max_norm,
        norm_type,
        scale_grad_by_freq,
        sparse,
        weight,
        device,
        dtype,
        freeze,
    ):
        super().__init__()
        name = self._get_name()
        check_dense(sparse, name)
        check_sizes(name, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_row(padding_idx, num_embeddings, name)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = False
        if weight is None:
            made = ops.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(made, requires_grad=not freeze)
            self.reset_parameters()
            return
        if checked_tensor(weight, name, "weight").shape != (num_embeddings, embedding_dim):
            raise ArgumentError(
                f"{name}: weight has shape {weight.shape}, it must be (num_embeddings, "
                f"embedding_dim), {(num_embeddings, embedding_dim)}"
            )
        self.weight = Parameter(weight.detach(), requires_grad=not freeze)

    def reset_parameters(self):
        """Draws the table from N(0, 1); the row of padding is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def _options(self, *names):
        """The named options, and before them those of the gradient that are not as by default."""
        defaults = {"max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        given = [name for name, default in defaults.items() if getattr(self, name) != default]
        return "".join(f", {name}={getattr(self, name)!r}" for name in (*given, *names))


class Embedding(Table):
    """A table whose rows are looked up by their numbers: y[i] = weight[input[i]].

    The table begins as N(0, 1).

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        padding_idx: a row that begins as zero and gets no gradient. Default: none.
        max_norm: rows that are used and longer are made so long, in place. Default: none.
        norm_type: p of that norm. Default: 2.
        scale_grad_by_freq: divide the gradient of a row by the number of its uses in the input.
            Default: False.
        sparse: must be False: gradients are dense.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (num_embeddings, embedding_dim).

    Shape:
        Integers (...) to (..., embedding_dim).

    Raises:
        ValueError: if padding_idx is no row, or for sparse=True.
        IndexError: in forward, for a number that is no row.

    Example:
        >>> nn.Embedding(10, 3)(pyml.tensor([[1, 2], [9, 1]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
            device,
            dtype,
            _freeze,
        )

    def extra_repr(self):
        """The sizes, and the options that are not as by default."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{self._options()}"

    def forward(self, input):
        """(...) to (..., embedding_dim)."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings,
        freeze=True,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
    ):
        """An Embedding with a given table, whose memory it shares.

        Args:
            embeddings: (num_embeddings, embedding_dim), float32 or float64.
            freeze: do not train it. Default: True.
            padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse: as for Embedding; the row
                of padding keeps its numbers.

        Raises:
            ValueError: if the table does not have two dimensions.

        Example:
            >>> layer = nn.Embedding.from_pretrained(pyml.tensor([[1.0, 2.0], [3.0, 4.0]]))
            >>> layer(pyml.tensor([1]))
            tensor([[3., 4.]])
        """
        count, size = check_two(embeddings, cls.__name__)
        return cls(
            count,
            size,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )


class EmbeddingBag(Table):
    """The sum, mean or maximum of rows of a table, for each bag of row numbers.

    The table begins as N(0, 1). An empty bag gives zeros.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        max_norm: rows that are used and longer are made so long, in place. Default: none.
        norm_type: p of that norm. Default: 2.
        scale_grad_by_freq: divide the gradient of a row by the number of its uses; not for
            "max". Default: False.
        mode: "sum", "mean" or "max". Default: "mean".
        sparse: must be False: gradients are dense.
        include_last_offset: the last of offsets is the end of the last bag. Default: False.
        padding_idx: a row that begins as zero, is left out of bags and gets no gradient.
            Default: none.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (num_embeddings, embedding_dim).

    Shape:
        Integers (bags, size), or a vector and offsets (bags), to (bags, embedding_dim).

    Raises:
        ValueError: for another mode, padding_idx that is no row, or sparse=True.
        IndexError: in forward, for a number that is no row.

    Example:
        >>> bag = nn.EmbeddingBag(10, 3, mode="sum")
        >>> bag(pyml.tensor([1, 2, 9]), pyml.tensor([0, 2])).shape
        (2, 3)
    """

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        _weight=None,
        include_last_offset=False,
        padding_idx=None,
        device=None,
        dtype=None,
        _freeze=False,
    ):
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
            device,
            dtype,
            _freeze,
        )
        check_choice("EmbeddingBag", "mode", mode, ("sum", "mean", "max"))
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(self, input, offsets=None, per_sample_weights=None):
        """Numbers of rows, and where bags begin, to (bags, embedding_dim)."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self):
        """The sizes, and the options that are not as by default."""
        names = ["mode"] if self.padding_idx is None else ["mode", "padding_idx"]
        return f"{self.num_embeddings}, {self.embedding_dim}{self._options(*names)}"

    @classmethod
    def from_pretrained(
        cls,
        embeddings,
        freeze=True,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        include_last_offset=False,
        padding_idx=None,
    ):
        """An EmbeddingBag with a given table, whose memory it shares.

        Args:
            embeddings: (num_embeddings, embedding_dim), float32 or float64.
            freeze: do not train it. Default: True.
            max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx:
                as for EmbeddingBag; the row of padding keeps its numbers.

        Raises:
            ValueError: if the table does not have two dimensions.

        Example:
            >>> bag = nn.EmbeddingBag.from_pretrained(pyml.tensor([[1.0, 2.0], [3.0, 4.0]]))
            >>> bag(pyml.tensor([[0, 1]]))
            tensor([[2., 3.]])
        """
        count, size = check_two(embeddings, cls.__name__)
        return cls(
            count,
            size,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
            _freeze=freeze,
        )


def check_two(embeddings, name):
    """The sizes of a table."""
    if checked_tensor(embeddings, name, "embeddings").dim() != 2:
        raise ArgumentError(
            f"{name}.from_pretrained: embeddings has shape {embeddings.shape}, it must be "
            "(num_embeddings, embedding_dim)"
        )
    return embeddings.shape
