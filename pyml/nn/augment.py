"""Random views of images as layers: in training each image is changed, in evaluation none is.

They stand in front of a network, or by themselves, and are one kernel call for a batch, also in a
recorded step. Names are torchvision's where it has them. Images are (n, c, height, width),
(n, height, width), or rows of channels x side x side numbers, as networks of dense layers take
them; the result has the same form. Each image of a batch has random numbers of its own, which its
channels share.
"""

import math

from pyml.errors import ArgumentError
from pyml.nn.module import Module
from pyml.ops.image import as_images, check_window, random_view
from pyml.options import Range, check_integer, check_number

__all__ = [
    "RandomCrop",
    "RandomCutout",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomShift",
]

MOST_PIXELS = 2**20  # of a side


class RandomView(Module):
    """What they share: how images lie in the input."""

    def __init__(self, channels, generator):
        super().__init__()
        self._check_count("channels", channels, 1)
        self.channels = channels
        self._generator = generator

    def _check_count(self, name, value, least):
        check_integer(self._get_name(), name, value)
        check_number(self._get_name(), name, value, Range(least, MOST_PIXELS))

    def forward(self, input):
        """Images; the output has the same form."""
        images = as_images(input, self.channels, self._get_name())
        if self.training:
            view = random_view(images, self._get_name(), **self._drawn(), generator=self._generator)
        else:
            view = self._still(images)
        if input.dim() == 4:
            return view
        return view.squeeze(1) if input.dim() == 3 else view.flatten(1)

    def _drawn(self):
        """Options of random_view."""
        raise NotImplementedError

    def _still(self, images):
        """The images in evaluation."""
        return images


class RandomHorizontalFlip(RandomView):
    """In training, mirrors an image left to right with probability p.

    Args:
        p: 0 to 1. Default: 0.5.
        channels: of rows. Default: 1.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        TypeError, ValueError: for a p that is no probability; in forward, for what is no images, or
            requires grad in training.

    Example:
        >>> model = nn.Sequential(nn.RandomHorizontalFlip(), nn.Linear(784, 10))
    """

    def __init__(self, p=0.5, *, channels=1, generator=None):
        super().__init__(channels, generator)
        check_number("RandomHorizontalFlip", "p", p, Range(0, 1))
        self.p = p

    def _drawn(self):
        return {"flip": self.p}

    def extra_repr(self):
        """p."""
        return f"p={self.p}"


class RandomRotation(RandomView):
    """In training, turns an image about its centre by a uniform angle of [-degrees, degrees].

    Pixels between others are interpolated linearly; what comes from beyond the border is 0.

    Args:
        degrees: the largest angle, >= 0.
        channels: of rows. Default: 1.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        TypeError, ValueError: for degrees that are no number >= 0; in forward, for what is no
            images, or requires grad in training.

    Example:
        >>> nn.RandomRotation(15)(pyml.rand(32, 1, 8, 8)).shape
        (32, 1, 8, 8)
    """

    def __init__(self, degrees, *, channels=1, generator=None):
        super().__init__(channels, generator)
        check_number("RandomRotation", "degrees", degrees, Range(0, 360))
        self.degrees = degrees

    def _drawn(self):
        return {"rotation": math.radians(self.degrees)}

    def extra_repr(self):
        """degrees."""
        return f"degrees={self.degrees}"


class RandomShift(RandomView):
    """In training, moves an image by up to so many pixels down or up, and right or left.

    Each of the 2 * pixels + 1 places of both is equally likely; what comes from beyond the border
    is 0.

    Args:
        pixels: >= 0.
        channels: of rows. Default: 1.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        TypeError, ValueError: for pixels that are no integer >= 0; in forward, for what is no
            images, or requires grad in training.

    Example:
        >>> nn.RandomShift(2)(pyml.rand(32, 64)).shape
        (32, 64)
    """

    def __init__(self, pixels, *, channels=1, generator=None):
        super().__init__(channels, generator)
        self._check_count("pixels", pixels, 0)
        self.pixels = pixels

    def _drawn(self):
        return {"padding": self.pixels}

    def extra_repr(self):
        """pixels."""
        return f"pixels={self.pixels}"


class RandomCrop(RandomView):
    """In training, a window of an image at a uniform place; in evaluation, the one in the middle.

    Args:
        size: height and width of the window, or one number for both, at most the image's.
        padding: zeros around the image, from which the window may take some. Default: 0.
        channels: of rows. Default: 1.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        TypeError, ValueError: for a size or padding that is no count; in forward, for what is no
            images, or smaller than the window, or requires grad in training.

    Example:
        >>> nn.RandomCrop(6)(pyml.rand(32, 1, 8, 8)).shape
        (32, 1, 6, 6)
    """

    def __init__(self, size, padding=0, *, channels=1, generator=None):
        super().__init__(channels, generator)
        size = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        if len(size) != 2:
            raise ArgumentError(f"RandomCrop: size is {size}, it must be a number or two")
        for part in size:
            self._check_count("size", part, 1)
        self._check_count("padding", padding, 0)
        self.size = size
        self.padding = padding

    def _drawn(self):
        return {"size": self.size, "padding": self.padding}

    def _still(self, images):
        check_window(images, self.size, "RandomCrop")
        for dim, part in ((2, self.size[0]), (3, self.size[1])):
            images = images.narrow(dim, (images.shape[dim] - part) // 2, part)
        return images

    def extra_repr(self):
        """size and padding."""
        return f"size={self.size}, padding={self.padding}"


class RandomCutout(RandomView):
    """In training, zeroes a square of an image, about a uniform centre and cut at the border.

    DeVries & Taylor 2017 (arXiv:1708.04552), "Improved regularization of convolutional neural
    networks with cutout".

    Args:
        size: side of the square, >= 0 pixels.
        channels: of rows. Default: 1.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        TypeError, ValueError: for a size that is no integer >= 0; in forward, for what is no
            images, or requires grad in training.

    Example:
        >>> nn.RandomCutout(4)(pyml.rand(32, 28, 28)).shape
        (32, 28, 28)
    """

    def __init__(self, size, *, channels=1, generator=None):
        super().__init__(channels, generator)
        self._check_count("size", size, 0)
        self.size = size

    def _drawn(self):
        return {"cutout": self.size}

    def extra_repr(self):
        """size."""
        return f"size={self.size}"
