"""Random views of images, by a kernel of its own."""

from math import isqrt

from pyml import _kernels
from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import checked_tensor, contiguous, empty
from pyml.random import state_of
from pyml.tensor import Tensor


def as_images(input, channels, name):
    """The input as (n, channels, height, width), a view of it if it can be.

    Raises:
        TypeError: if it is not of floats.
        ValueError: for other shapes than (n, c, h, w), (n, h, w) and (n, channels * side * side).
    """
    if not checked_tensor(input, name).is_floating_point():
        raise DtypeError(f"{name}: input is of {input.dtype}, it must be of floats")
    if input.dim() == 4:
        return input
    if input.dim() == 3:
        return input.unsqueeze(1)
    side = isqrt(input.shape[1] // channels) if input.dim() == 2 else 0
    if input.dim() != 2 or channels * side * side != input.shape[1]:
        raise ArgumentError(
            f"{name}: input has shape {tuple(input.shape)}; images are (n, c, height, width), "
            f"(n, height, width) or rows of {channels} x side x side numbers; channels= says how "
            "many a row has"
        )
    return input.reshape(len(input), channels, side, side)


def check_window(images, size, name):
    """Raises ValueError unless a window of that height and width fits into the images."""
    for side, whole, part in zip(("height", "width"), images.shape[2:], size, strict=True):
        if part > whole:
            raise ArgumentError(f"{name}: the image has a {side} of {whole}, the window of {part}")


def random_view(
    images, name, *, flip=0.0, rotation=0.0, padding=0, size=None, cutout=0, generator=None
):
    """Each image mirrored, turned, moved and cut at random: csrc/contracts/image.h says how.

    Args:
        images: (n, c, height, width).
        name: of what asks for it, for messages.
        flip: probability of a mirror image.
        rotation: the largest angle, radians.
        padding: zeros around the image, from which the window may take some.
        size: (height, width) of the window. Default: the image's.
        cutout: side of a square of zeros.
    """
    out = tuple(images.shape[2:]) if size is None else size
    check_window(images, out, name)
    if images.requires_grad and is_grad_enabled():
        raise ArgumentError(f"{name}: input requires grad, its view has none; pass input.detach()")
    x = contiguous(images.array)
    y = empty(tuple(images.shape[:2]) + out, x.dtype)
    _kernels.image_view(y, state_of(generator, name), x, padding, cutout, flip, rotation)
    return Tensor._on(y)
