"""Sequences of different lengths in one tensor."""

from pyml import ops
from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor
from pyml.ops.shape import integer

__all__ = ["pad_sequence", "unpad_sequence"]


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences side by side in one tensor, filled up to the longest.

    Args:
        sequences: tensors (length, ...) with the same other sizes.
        batch_first: (n, longest, ...) rather than (longest, n, ...). Default: False.
        padding_value: what they are filled up with. Default: 0.
        padding_side: "right", behind the ends, or "left". Default: "right".

    Example:
        >>> nn.utils.rnn.pad_sequence([pyml.ones(2), pyml.ones(1)], batch_first=True)
        tensor([[1., 1.],
                [1., 0.]])
    """
    if padding_side not in ("left", "right"):
        raise ArgumentError(
            f"pad_sequence: padding_side is {padding_side!r}, it must be 'left' or 'right'"
        )
    sequences = ops.shape.several(sequences, "pad_sequence")
    for i, x in enumerate(sequences):
        if x.ndim == 0 or x.shape[1:] != sequences[0].shape[1:]:
            raise ArgumentError(
                f"pad_sequence: item {i} has shape {x.shape}, it must be (length, ...) with the "
                f"other sizes of item 0, {sequences[0].shape}"
            )
    longest = max(len(x) for x in sequences)
    padded = []
    for x in sequences:
        more = ops.full((longest - len(x), *x.shape[1:]), padding_value, dtype=x.dtype)
        padded.append(ops.cat([x, more] if padding_side == "right" else [more, x]))
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences that pad_sequence() filled up on the right, a list of views.

    Args:
        padded_sequences: (longest, n, ...); with batch_first, (n, longest, ...).
        lengths: of each, a vector of integers.
    """
    checked_tensor(padded_sequences, "unpad_sequence", "padded_sequences")
    checked_tensor(lengths, "unpad_sequence", "lengths")
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    if lengths.shape != x.shape[:1]:
        raise ArgumentError(
            f"unpad_sequence: lengths has shape {lengths.shape}, it must be ({len(x)},): one for "
            "each sequence"
        )
    ends = [integer(n, "unpad_sequence: a length") for n in lengths.tolist()]
    return [row[:end] for row, end in zip(x, ends, strict=True)]
