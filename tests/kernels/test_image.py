"""Random views of images, against the same view by NumPy from the generator's words."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.sweep import Scaled, check_kernel
from kernels.test_dropout import SEED, state, words
from pyml import _kernels

CHANNELS, HEIGHT, WIDTH = 2, 7, 6

VIEWS = {  # options of a call, and the size of its window
    "still": ({}, (HEIGHT, WIDTH)),
    "mirrored": ({"flip": 1.0}, (HEIGHT, WIDTH)),
    "some mirrored": ({"flip": 0.4}, (HEIGHT, WIDTH)),
    "shifted": ({"padding": 2}, (HEIGHT, WIDTH)),
    "cropped": ({}, (4, 3)),
    "cropped of padded": ({"padding": 1}, (5, 6)),
    "turned": ({"rotation": 0.7}, (HEIGHT, WIDTH)),
    "cut": ({"cutout": 3}, (HEIGHT, WIDTH)),
    "cut whole": ({"cutout": 50}, (HEIGHT, WIDTH)),
    "all": ({"flip": 0.5, "rotation": 3.0, "padding": 2, "cutout": 2}, (6, 5)),
}


def drawn(word, count):
    return int(word) * count // 2**32


def view(x, start, out, flip=0.0, rotation=0.0, padding=0, cutout=0):
    """The text of csrc/contracts/image.h, an image and a pixel at a time."""
    n, channels, height, width = x.shape
    y = np.zeros((n, channels, *out), x.dtype)
    each = words(start, 8 * n).reshape(n, 8) if n else []
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    for image, result, w in zip(x, y, each, strict=True):
        padded = np.zeros((channels, height + 2, width + 2), x.dtype)
        padded[:, 1:-1, 1:-1] = image[:, :, ::-1] if w[0] < flip * 2**32 else image
        angle = rotation * (int(w[1]) / 2**31 - 1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        top = drawn(w[2], height + 2 * padding - out[0] + 1) - padding
        left = drawn(w[3], width + 2 * padding - out[1] + 1) - padding
        for r in range(out[0]):
            for c in range(out[1]):
                at = np.array([r + top, c + left])
                if rotation:
                    at = middle + turn @ (at - middle)
                low = np.floor(at).astype(int)
                for i in (0, 1):
                    for j in (0, 1):
                        share = np.prod(np.where([i, j], at - low, 1 - (at - low)))
                        p, q = low[0] + i + 1, low[1] + j + 1
                        if 0 <= p < height + 2 and 0 <= q < width + 2:
                            result[:, r, c] += share * padded[:, p, q]
        row = drawn(w[4], out[0]) - cutout // 2
        column = drawn(w[5], out[1]) - cutout // 2
        result[:, max(row, 0) : max(row + cutout, 0), max(column, 0) : max(column + cutout, 0)] = 0
    return y


@pytest.mark.parametrize("name", VIEWS)
def test_the_views(name):
    options, out = VIEWS[name]
    flip, rotation = options.get("flip", 0.0), options.get("rotation", 0.0)
    padding, cutout = options.get("padding", 0), options.get("cutout", 0)

    def reference(x, state):
        moved = state.copy()
        moved[1] += np.uint64(2 * len(x))
        wanted = view(x, state, out, **options)
        scale = np.full_like(wanted, np.abs(x).max() if x.size else 0)  # differences of pixels
        return {"y": Scaled(wanted, scale) if rotation else wanted, "state": moved}

    check_kernel(
        "image_view",
        lambda y, state, x: _kernels.image_view(y, state, x, padding, cutout, flip, rotation),
        arguments=lambda draw, n: {
            "x": draw((n, CHANNELS, HEIGHT, WIDTH)),
            "state": state(SEED, 5),
        },
        reference=reference,
        eps={
            "y": tolerances.INTERPOLATED if rotation else tolerances.EXACT,
            "state": tolerances.EXACT,
        },
        sizes=lambda lanes: [0, 1, 2, 40],
        values=("normal",),
    )
