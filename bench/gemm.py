"""The three products of a layer, batch x in x out, beside MKL (PyTorch) and OpenBLAS (NumPy).

    y = x w^T + b        dx = dy w        dw = dy^T x

Each side is called from Python and writes into an array that is there: pyml by _kernels (as its
layers do), PyTorch by addmm and mm with out=, NumPy by matmul with out=, and one more pass for b.
The row 1x1x1 is what such a call costs. % is of the multiply-add peak of as many cores as there are
threads; "bound %" is what pyml reaches of the roofline, memory included, of one core.
"""

import math
import statistics

import numpy as np

from pyml import _kernels

from .compare import Table, about, agree, medians, parse, parser, picture, version
from .machine import aligned, limits, peak

LAYERS = [  # the mean is over these
    (32, 64, 64),
    (32, 784, 128),
    (64, 784, 256),
    (128, 512, 512),
    (512, 1024, 1024),
    (1024, 2048, 2048),
]
SWEEP = [
    *[(1, 1, 1), (1, 64, 64), (1, 784, 256), (1, 1024, 1024), (1, 4096, 4096)],
    *[(2, 512, 512), (4, 512, 512), (8, 512, 512), (8, 1, 4096), (8, 4096, 8)],
    *[(32, 4, 32), (32, 32, 1), (128, 10, 46), (128, 256, 10), (256, 64, 256)],
    *[(1024, 16, 1), (1024, 1, 16), (4096, 8, 4), (64, 4096, 64), (64, 1024, 4096)],
    *[(100, 100, 100), (130, 515, 259), (10000, 64, 64), (10000, 16, 4)],
]
LAYERS_NAMED = "32x64x64 to 1024x2048x2048"
QUICK = [(1, 1, 1), (32, 64, 64), (128, 10, 46), (130, 515, 259)]
PRODUCTS = {"y": "y = x w^T + b", "dx": "dx = dy w", "dw": "dw = dy^T x"}


def pyml_calls(layer):
    x, w, b, dy, y, dx, dw = layer
    return {
        "y": lambda: _kernels.linear_forward(y, x, w, b),
        "dx": lambda: _kernels.linear_backward(dx, None, None, dy, x, w),
        "dw": lambda: _kernels.linear_backward(None, dw, None, dy, x, w),
    }


def torch_calls(layer):
    import torch

    torch.set_grad_enabled(False)
    x, w, b, dy, y, dx, dw = map(torch.from_numpy, layer)
    wt, dyt = w.t(), dy.t()
    return {
        "y": lambda: torch.addmm(b, x, wt, out=y),
        "dx": lambda: torch.mm(dy, w, out=dx),
        "dw": lambda: torch.mm(dyt, x, out=dw),
    }


def numpy_calls(layer):
    x, w, b, dy, y, dx, dw = layer
    wt, dyt = w.T, dy.T

    def forward():
        np.matmul(x, wt, out=y)
        np.add(y, b, out=y)

    return {
        "y": forward,
        "dx": lambda: np.matmul(dy, w, out=dx),
        "dw": lambda: np.matmul(dyt, x, out=dw),
    }


SIDES = {"pyml": pyml_calls, "torch": torch_calls, "numpy": numpy_calls}


def arrays(n, k, o, dtype):
    """x, w, b, dy, filled; y, dx, dw."""
    rng = np.random.default_rng(0)
    shapes = [(n, k), (o, k), (o,), (n, o), (n, o), (n, k), (o, k)]
    layer = [aligned(shape, dtype) for shape in shapes]
    for array in layer[:4]:
        rng.standard_normal(out=array, dtype=array.dtype)
    return layer


def rows(options):
    sides = {side: calls for side, calls in SIDES.items() if side == "pyml" or version(side)}
    threads = _kernels.get_num_threads()
    roof = threads * peak("multiply_add", options.dtype)
    for n, k, o in options.shapes:
        layer = arrays(n, k, o, options.dtype)
        calls = {side: make(layer) for side, make in sides.items()}
        sizes = {"y": (n * k + o * k + o, n * o, k), "dx": (n * o + o * k, n * k, o)}
        sizes["dw"] = (n * o + n * k, o * k, n)
        for product, out in zip(PRODUCTS, layer[4:], strict=True):
            name = f"{product} {n}x{k}x{o}"
            read, written, depth = sizes[product]
            results = {}
            for side in sides:
                out.fill(np.nan)
                calls[side][product]()
                results[side] = out.copy()
            agree(name, results, rtol=0, atol=4 * (depth + 2) * np.finfo(options.dtype).eps)

            times = medians({side: calls[side][product] for side in sides}, options.seconds)
            gflops = {side: 2e-3 * n * k * o / us for side, us in times.items()}
            bounds = limits(read, written, products=n * k * o, dtype=options.dtype)
            yield {
                "layer": name,
                "product": product,
                "shape": (n, k, o),
                "us": times,
                **{f"{side} GFLOP/s": value for side, value in gflops.items()},
                **{f"{side} %": 100 * value / roof for side, value in gflops.items()},
                "bound %": 100 * max(bounds.values()) / times["pyml"] if threads == 1 else None,
                "torch / pyml": times["torch"] / times["pyml"] if "torch" in times else None,
            }


def summarize(table):
    """Prints, for each thread count, torch / pyml over LAYERS and what the smallest call costs."""
    for threads in sorted({row["threads"] for row in table.rows}):
        found = [row for row in table.rows if row["threads"] == threads]
        ratios = {row["layer"]: row["torch / pyml"] for row in found if row["shape"] in LAYERS}
        calls = [row["us"] for row in found if row["layer"] == "y 1x1x1"]
        print(f"\n{threads} thread{'s' if threads > 1 else ''}:")
        if ratios and None not in ratios.values():
            least = min(ratios, key=ratios.get)
            print(
                f"  torch / pyml, geometric mean over {len(ratios)} products of {LAYERS_NAMED}: "
                f"{statistics.geometric_mean(ratios.values()):.2f}, "
                f"least: {ratios[least]:.2f} ({least})"
            )
        if calls:
            costs = ", ".join(f"{side} {us:.2f}" for side, us in calls[0].items())
            print(f"  a call from Python (y 1x1x1), us: {costs}")


def draw(table, path, options):
    """A panel a product: the share of the peak that each side reaches, shape by shape."""
    threads = options.threads[0]
    found = [row for row in table.rows if row["threads"] == threads and math.prod(row["shape"]) > 1]
    shapes = sorted({row["shape"] for row in found}, key=math.prod)
    title = (
        f"Products of a layer, {options.dtype}, {threads} thread{'s' if threads > 1 else ''}: "
        "% of the measured multiply-add peak"
    )
    with picture(path, title, table.about, (13, 1.5 + 0.26 * len(shapes))) as figure:
        panels = figure.subplots(1, len(PRODUCTS), sharex=True, sharey=True)
        for axis, (product, formula) in zip(panels, PRODUCTS.items(), strict=True):
            for side, marker in zip(SIDES, "osD", strict=True):
                points = [
                    (row[f"{side} %"], shapes.index(row["shape"]))
                    for row in found
                    if row["product"] == product and f"{side} %" in row
                ]
                if points:
                    axis.scatter(*zip(*points, strict=True), s=22, marker=marker, label=side)
            axis.set_title(formula)
            axis.set(xlim=(0, 100), xlabel="% of peak")
            axis.set_yticks(range(len(shapes)), ["x".join(map(str, shape)) for shape in shapes])
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("batch x in x out, by work")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def main(argv=None):
    arguments = parser(__doc__, plot=True)
    arguments.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    arguments.add_argument(
        "--shapes",
        type=lambda text: [tuple(map(int, layer.split("x"))) for layer in text.split(",")],
        default=LAYERS + SWEEP,
        metavar="32x64x64,...",
        help="batch x in x out (default: a sweep)",
    )
    options = parse(arguments, argv)
    if options.quick:
        options.shapes = QUICK
    table = Table(
        about("torch"),
        [
            *("layer", "threads"),
            *(f"{side} {unit}" for unit in ("GFLOP/s", "%") for side in SIDES),
            *("bound %", "torch / pyml"),
        ],
        18,
        "GFLOP/s from median times, and % of the measured multiply-add peak",
    )
    table.run(rows, options)
    summarize(table)
    if options.plot:
        draw(table, options.plot, options)


if __name__ == "__main__":
    main()
