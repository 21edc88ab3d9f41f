"""Kernels and optimizers beside PyTorch's and beside what the machine allows, on one thread.

A kernel of pyml is called through _kernels, into arrays that are there, an optimizer by its step().
PyTorch's is called in its cheapest spelling without autograd: of the functional form and the one
with out= that which is faster for the shape; fused optimizers, where there is none foreach.

The bound is what one core needs at least (machine.limits): the bytes of each array once, at the
bandwidth measured for arrays that take as much memory, or the instructions an element of the
formula in csrc/, whichever takes longer. "limit" says which it is, and the cache.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

import pyml
from pyml import _kernels

from .compare import Table, about, agree, medians, parse, parser, ratio, timed, version
from .machine import aligned, level, limits

SHAPES = [(32, 64), (256, 256), (128, 512), (4096, 1024)]
PARAMETERS = [(4096,), (65536,), (1 << 20,), (1 << 24,)]
EPS, MOMENTUM = 1e-5, 0.1  # of BatchNorm
DROPOUT = 0.5
EACH = 8  # rows of a bag
FREQUENCIES = 16  # of a feature
MEAN = 1  # REDUCTION_MEAN, in PyTorch too
TOLERANCE = 1e-4  # of the largest number of a result: sums of 4,096 rows in other orders
NUMBER = _kernels.kernel_names().index


class Work(NamedTuple):
    """What is done for one element: numbers that are moved, and instructions.

    Instructions are those of the formulas in csrc/simd/vmath.h and csrc/kernels: products, sums,
    comparisons, and of integers half, as cores do twice as many; bit operations are not counted.
    """

    read: int
    written: int
    updated: int = 0  # in place
    products: int = 0
    divisions: int = 0
    roots: int = 0


class Case(NamedTuple):
    """A kernel and arrays of one size.

    Attributes:
        call: calls pyml.
        outputs: what it writes.
        spellings: makes a list of calls of PyTorch that return what the outputs are compared with.
        comparable: what of an output is compared: all of it where nothing is random.
        tolerance: of the largest number that is compared.
    """

    call: Callable
    outputs: list
    spellings: Callable
    comparable: Callable = np.asarray
    tolerance: float = TOLERANCE


def empty(*shape):
    return aligned(shape, np.float32)


def normal(*shape, seed=0):
    """Numbers of the normal distribution."""
    x = empty(*shape)
    np.random.default_rng(seed).standard_normal(out=x, dtype=np.float32)
    return x


FUNCTIONS = ("exp", "cos", "sin")


# ---- kernels: functions of a shape ---------------------------------------------------------------


def activation_forward(name, shape):
    x, y = normal(*shape), empty(*shape)
    is_function = name in FUNCTIONS
    call = _kernels.unary if is_function else _kernels.activation_forward
    kernel = NUMBER(name if is_function else f"{name}_forward")

    def spellings():
        import torch

        tx, ty = torch.from_numpy(x), torch.empty(shape)
        if name == "relu":
            return [lambda: torch.relu(tx), lambda: torch.clamp_min(tx, 0, out=ty)]
        function = torch._C._nn.gelu if name == "gelu" else getattr(torch, name)
        return [lambda: function(tx), lambda: function(tx, out=ty)]

    return Case(lambda: call(kernel, y, x, 0.0, 0.0), [y], spellings)


def activation_backward(name, shape):
    dy, s, dx = normal(*shape), normal(*shape, seed=1), empty(*shape)
    kernel = NUMBER(f"{name}_backward")

    def spellings():
        import torch

        backward = getattr(
            torch.ops.aten, "threshold_backward" if name == "relu" else f"{name}_backward"
        )
        arguments = [torch.from_numpy(dy), torch.from_numpy(s), *([0] if name == "relu" else [])]
        tdx = torch.empty(shape)
        return [
            lambda: backward.default(*arguments),
            lambda: backward.grad_input(*arguments, grad_input=tdx),
        ]

    return Case(lambda: _kernels.activation_backward(kernel, dx, dy, s, 0.0, 0.0), [dx], spellings)


def batchnorm_forward(shape):
    n, c = shape
    x, gamma, beta = normal(n, c), normal(c), normal(c, seed=1)
    y, mean, rstd, running_mean, running_var = empty(n, c), *np.ones((4, c), np.float32)
    count = np.zeros((), np.int64)

    def call():
        outputs = y, mean, rstd, running_mean, running_var, count
        _kernels.batchnorm_forward(*outputs, x, gamma, beta, EPS, MOMENTUM)

    def spellings():
        import torch

        arguments = [torch.tensor(array) for array in (x, gamma, beta, mean, rstd)]
        arguments += [True, MOMENTUM, EPS]
        outputs = tuple(torch.empty(array.shape) for array in (y, mean, rstd))
        return [
            lambda: torch.native_batch_norm(*arguments),
            lambda: torch.native_batch_norm(*arguments, out=outputs),
        ]

    return Case(call, [y, mean, rstd], spellings)


def batchnorm_backward(shape):
    n, c = shape
    x, dy, gamma = normal(n, c), normal(n, c, seed=1), normal(c)
    mean, rstd = x.mean(0), 1 / np.sqrt(x.var(0) + np.float32(EPS))
    dx, dgamma, dbeta = empty(n, c), empty(c), empty(c)

    def spellings():
        import torch

        dy_x_gamma = [torch.from_numpy(array) for array in (dy, x, gamma)]
        saved = [torch.from_numpy(mean), torch.from_numpy(rstd)]
        arguments = [*dy_x_gamma, None, None, *saved, True, EPS, [True] * 3]
        outputs = {f"out{i}": torch.empty(a.shape) for i, a in enumerate((dx, dgamma, dbeta))}
        backward = torch.ops.aten.native_batch_norm_backward
        return [
            lambda: backward.default(*arguments),
            lambda: backward.out(*arguments, **outputs),
        ]

    return Case(
        lambda: _kernels.batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma),
        [dx, dgamma, dbeta],
        spellings,
    )


def row_norm(name, shape):
    """x, gamma, beta, and the mean and rstd of the rows; RMSNorm has no beta and no mean."""
    n, c = shape
    x, gamma, beta = normal(n, c), normal(c), normal(c, seed=1)
    if name == "rms_norm":
        return x, gamma, None, None, 1 / np.sqrt((x**2).mean(1) + np.float32(EPS))
    return x, gamma, beta, x.mean(1), 1 / np.sqrt(x.var(1) + np.float32(EPS))


def row_norm_forward(name, shape):
    x, gamma, beta, mean, rstd = row_norm(name, shape)
    y = empty(*shape)
    arrays = y, mean, rstd, x, gamma, beta
    kernel = NUMBER(f"{name}_forward")

    def spellings():
        import torch

        tx, tgamma = torch.from_numpy(x), torch.from_numpy(gamma)
        if name == "rms_norm":
            return [lambda: torch.rms_norm(tx, shape[1:], tgamma, EPS)]
        tbeta = torch.from_numpy(beta)
        return [lambda: torch.native_layer_norm(tx, shape[1:], tgamma, tbeta, EPS)[0]]

    return Case(
        lambda: _kernels.row_norm_forward(kernel, *arrays, *shape, 1, 1, EPS),
        [y],
        spellings,
    )


def row_norm_backward(name, shape):
    x, gamma, beta, mean, rstd = row_norm(name, shape)
    dx, dgamma, dbeta = empty(*shape), empty(shape[1]), None if beta is None else empty(shape[1])
    dy = normal(*shape, seed=1)
    arrays = dx, dgamma, dbeta, dy, x, mean, rstd, gamma
    kernel = NUMBER(f"{name}_backward")

    def spellings():
        import torch

        if name == "rms_norm":  # which PyTorch composes on a CPU
            return []
        tensors = [torch.from_numpy(array) for array in (dy, x, mean[:, None], rstd[:, None])]
        parameters = [torch.from_numpy(array) for array in (gamma, beta)]
        function = torch.ops.aten.native_layer_norm_backward
        return [lambda: function(*tensors[:2], shape[1:], *tensors[2:], *parameters, [True] * 3)]

    return Case(
        lambda: _kernels.row_norm_backward(kernel, *arrays, *shape, 1, 1),
        [array for array in (dx, dgamma, dbeta) if array is not None],
        spellings,
    )


def row_pair(shape):
    """Two arrays, and a gradient for each pair of their rows."""
    return normal(*shape), normal(*shape, seed=1), normal(shape[0], seed=2)


def row_pair_forward(name, shape):
    x, t, y = row_pair(shape)
    kernel = NUMBER(f"{name}_forward")

    def spellings():
        import torch

        function = {"cosine": torch.cosine_similarity, "distance": torch.pairwise_distance}[name]
        tx, tt = torch.from_numpy(x), torch.from_numpy(t)
        return [lambda: function(tx, tt, eps=EPS)]

    return Case(lambda: _kernels.row_pair_forward(kernel, y, x, t, *shape, EPS), [y], spellings)


def row_pair_backward(name, shape):
    x, t, dy = row_pair(shape)
    dx, dt = empty(*shape), empty(*shape)
    kernel = NUMBER(f"{name}_backward")
    return Case(
        lambda: _kernels.row_pair_backward(kernel, dx, dt, dy, x, t, *shape, EPS),
        [dx, dt],
        list,  # PyTorch composes it
    )


def prelu_forward(shape):
    x, w, y = normal(*shape), normal(shape[1]), empty(*shape)

    def spellings():
        import torch

        tx, tw = torch.from_numpy(x), torch.from_numpy(w)
        return [lambda: torch.prelu(tx, tw)]

    return Case(lambda: _kernels.prelu_forward(y, x, w, shape[0], 1), [y], spellings)


def prelu_backward(shape):
    x, w, dy = normal(*shape), normal(shape[1]), normal(*shape, seed=1)
    dx, dw = empty(*shape), empty(shape[1])

    def spellings():
        import torch

        tdy, tx, tw = (torch.from_numpy(array) for array in (dy, x, w))

        def call():
            dx, dw = torch.ops.aten._prelu_kernel_backward(tdy, tx, tw)
            return dx, dw.sum(0)

        return [call]

    return Case(lambda: _kernels.prelu_backward(dx, dw, dy, x, w, shape[0], 1), [dx, dw], spellings)


LABELS = 5  # of a sample


def class_loss(name, shape):
    """A loss of classes, forward and backward."""
    n, c = shape
    x, dx = normal(n, c, 1), empty(n, c, 1)
    index = np.random.default_rng(0).integers(0, c, (n, 1))
    if name == "multilabel_margin":
        labels = np.arange(c) * 7
        index = np.where(np.arange(c) < LABELS, (index + labels) % c, -1)[:, None]
    loss, total, one = empty(), empty(), np.ones((), np.float32)
    target = (index, None, -100, 1.0, 1.0, MEAN)
    kernel = "nll" if name == "nll" else "multi_margin"
    forward, backward = NUMBER(f"{kernel}_forward"), NUMBER(f"{kernel}_backward")

    def call():
        _kernels.class_loss_forward(forward, loss, total, x, *target)
        _kernels.class_loss_backward(backward, dx, one, total, x, *target)

    def spellings():
        import torch

        aten = torch.ops.aten
        tx, target, one = torch.from_numpy(x[..., 0]), torch.from_numpy(index[:, 0]), torch.ones(())

        def nll():
            loss, total = aten.nll_loss_forward(tx, target, None, MEAN, -100)
            dx = aten.nll_loss_backward(one, tx, target, None, MEAN, -100, total)
            return loss, dx[..., None]

        def multi_margin():
            loss = aten.multi_margin_loss(tx, target)
            return loss, aten.multi_margin_loss_backward(one, tx, target, 1, 1)[..., None]

        def multilabel_margin():
            loss, is_label = aten.multilabel_margin_loss_forward(tx, target, MEAN)
            dx = aten.multilabel_margin_loss_backward(one, tx, target, MEAN, is_label)
            return loss, dx[..., None]

        return [{"nll": nll, "multi_margin": multi_margin}.get(name, multilabel_margin)]

    return Case(call, [loss, dx], spellings)


def cross_entropy(shape):
    """Softmax and cross entropy, forward and backward."""
    n, c = shape
    x, dx, softmax = normal(n, c), empty(n, c), empty(n, c)
    index = np.random.default_rng(0).integers(0, c, n)
    loss, total, one = empty(), empty(), np.ones((), np.float32)
    target = (index, None, None, -100, 0.0, MEAN)

    def call():
        _kernels.cross_entropy_forward(loss, softmax, total, x, *target)
        _kernels.cross_entropy_backward(dx, one, softmax, total, *target)

    def spellings():
        import torch

        nll, nll_backward = torch.ops.aten.nll_loss_forward, torch.ops.aten.nll_loss_backward
        tx, target, one = torch.from_numpy(x), torch.from_numpy(index), torch.ones(())
        ty, tdy, tdx = (torch.empty(shape) for _ in range(3))

        def functional():
            y = torch.log_softmax(tx, 1)
            loss, total = nll.default(y, target, None, MEAN, -100)
            dy = nll_backward.default(one, y, target, None, MEAN, -100, total)
            return loss, torch._log_softmax_backward_data(dy, y, 1, torch.float32)

        def into():
            torch.log_softmax(tx, 1, out=ty)
            loss, total = nll.default(ty, target, None, MEAN, -100)
            nll_backward.grad_input(one, ty, target, None, MEAN, -100, total, grad_input=tdy)
            torch._log_softmax_backward_data(tdy, ty, 1, torch.float32, out=tdx)
            return loss, tdx

        return [functional, into]

    return Case(call, [loss, dx], spellings)


def numbers(n):
    """n of the rows of a table of n, and where bags of EACH of them begin and end."""
    return np.random.default_rng(0).integers(0, n, n), np.arange(0, n + 1, EACH)


def embedding(shape):
    x, y, (index, _) = normal(*shape), empty(*shape), numbers(shape[0])

    def spellings():
        import torch

        tx, tindex = torch.from_numpy(x), torch.from_numpy(index)
        return [lambda: torch.embedding(tx, tindex)]

    return Case(lambda: _kernels.gather(y, x, index, 4 * shape[1]), [y], spellings)


def embedding_backward(shape):
    dy, dx, (index, _) = normal(*shape), empty(*shape), numbers(shape[0])

    def spellings():
        import torch

        tdy, tindex = torch.from_numpy(dy), torch.from_numpy(index)
        backward = torch.ops.aten.embedding_dense_backward
        return [lambda: backward(tdy, tindex, shape[0], -1, False)]

    return Case(lambda: _kernels.gather_backward(dx, dy, index), [dx], spellings)


def embedding_bag(shape):
    (n, c), x, (index, ends) = shape, normal(*shape), numbers(shape[0])
    y = empty(n // EACH, c)

    def spellings():
        import torch

        arguments = [torch.from_numpy(array) for array in (x, index, ends[:-1])]
        return [lambda: torch.ops.aten._embedding_bag(*arguments, False, 0)[0]]

    return Case(lambda: _kernels.bag_forward(y, x, index, ends, None, -1, False), [y], spellings)


def embedding_bag_backward(shape):
    (n, c), dx, (index, ends) = shape, empty(*shape), numbers(shape[0])
    dy = normal(n // EACH, c)

    def spellings():
        import torch

        tdy, tindex = torch.from_numpy(dy), torch.from_numpy(index)
        bag, size = torch.arange(n // EACH), torch.full((n // EACH,), EACH)
        saved = tdy, tindex, bag.repeat_interleave(EACH), size, size, n, False, 0, None
        return [lambda: torch.ops.aten._embedding_bag_dense_backward(*saved)]

    return Case(
        lambda: _kernels.bag_backward(dx, dy, index, ends, None, -1, False), [dx], spellings
    )


def waves(shape):
    """Cos and sin of a feature's number times each of its frequencies, c numbers in a row."""
    n, features, k = shape[0], shape[1] // (2 * FREQUENCIES), FREQUENCIES
    x, c, z = normal(n, features), normal(features, k, seed=1), empty(features, n, 2 * k)

    def spellings():
        import torch

        tx, tc = torch.from_numpy(x).t()[:, :, None], torch.from_numpy(c)[:, None]
        angles, tz = torch.empty(features, n, k), torch.empty(z.shape)
        cosine, sine = tz.split(k, 2)

        def functional():
            angles = tx * tc
            return torch.cat([torch.cos(angles), torch.sin(angles)], 2)

        def into():
            torch.mul(tx, tc, out=angles)
            torch.cos(angles, out=cosine)
            torch.sin(angles, out=sine)
            return tz

        return [functional, into]

    return Case(lambda: _kernels.waves_forward(z, x, c), [z], spellings)


def parts_linear(width, shape):
    """Rows, weights and bias of a linear layer for each part of a row: a feature, a member."""
    n, c = shape
    parts = c // width
    return normal(n, parts, width), normal(parts, width, width), normal(parts, width, seed=1)


def parts_linear_forward(width, shape):
    x, w, b = parts_linear(width, shape)
    (n, parts, _), y = x.shape, empty(*x.shape)
    bias = np.broadcast_to(b, y.shape)

    def call():
        _kernels.copy(y, bias)
        sizes = n, width, width, parts * width, 1, width, 1, parts * width
        _kernels.gemm(y, x, w, *sizes, parts, width, width * width, width, 1, 1)

    def spellings():
        import torch

        tx, tw, tb = (torch.from_numpy(array) for array in (x, w, b))
        tx, tb, ty = tx.transpose(0, 1), tb[:, None], torch.empty(parts, n, width)
        return [
            lambda: torch.baddbmm(tb, tx, tw).transpose(0, 1),
            lambda: torch.baddbmm(tb, tx, tw, out=ty).transpose(0, 1),
        ]

    return Case(call, [y], spellings)


def parts_linear_backward(width, shape):
    x, w, _ = parts_linear(width, shape)
    (n, parts, _), dy = x.shape, normal(*x.shape, seed=1)
    dx, dw, row = empty(*x.shape), empty(*w.shape), parts * width

    def call():
        by_weight = n, width, width, row, 1, 1, width, row
        _kernels.gemm(dx, dy, w, *by_weight, parts, width, width * width, width, 1, 0)
        by_rows = width, width, n, 1, row, row, 1, width
        _kernels.gemm(dw, x, dy, *by_rows, parts, width, width, width * width, 1, 0)

    def spellings():
        import torch

        tx, tdy = (torch.from_numpy(array).transpose(0, 1) for array in (x, dy))
        tw, tdx, tdw = torch.from_numpy(w).mT, torch.empty(parts, n, width), torch.empty(w.shape)
        return [
            lambda: (torch.bmm(tdy, tw).transpose(0, 1), torch.bmm(tx.mT, tdy)),
            lambda: (
                torch.bmm(tdy, tw, out=tdx).transpose(0, 1),
                torch.bmm(tx.mT, tdy, out=tdw),
            ),
        ]

    return Case(call, [dx, dw], spellings)


MUL = NUMBER("mul")


def scales_forward(shape):
    """The scales of all members are a row: (k, d) is (c,)."""
    (n, c), x, s, y = shape, normal(*shape), normal(shape[1], seed=1), empty(*shape)

    def spellings():
        import torch

        tx, ts, ty = torch.from_numpy(x), torch.from_numpy(s), torch.empty(shape)
        return [lambda: torch.mul(tx, ts), lambda: torch.mul(tx, ts, out=ty)]

    return Case(lambda: _kernels.binary(MUL, y, x, s, n, c, c, 1, 0, 1), [y], spellings)


def scales_backward(shape):
    (n, c), x, dy, s = shape, normal(*shape), normal(*shape, seed=1), normal(shape[1], seed=2)
    dx, ds, product = empty(*shape), empty(c), empty(*shape)

    def call():
        _kernels.binary(MUL, dx, dy, s, n, c, c, 1, 0, 1)
        _kernels.binary(MUL, product, dy, x, 1, n * c, n * c, 1, n * c, 1)
        _kernels.sum(ds, product, 1, n, c)

    def spellings():
        import torch

        tx, tdy, ts = (torch.from_numpy(array) for array in (x, dy, s))
        tdx, tds, both = torch.empty(shape), torch.empty(c), torch.empty(shape)

        def into():
            torch.mul(tdy, tx, out=both)
            return torch.mul(tdy, ts, out=tdx), torch.sum(both, 0, out=tds)

        return [lambda: (tdy * ts, (tdy * tx).sum(0)), into]

    return Case(call, [dx, ds], spellings)


def dropout_forward(shape):
    x, y = normal(*shape), empty(*shape)
    mask, state = np.zeros((x.size + 63) // 64, np.uint64), np.array([1, 0], np.uint64)

    def spellings():
        import torch

        tx = torch.from_numpy(x)
        return [
            lambda: torch.dropout(tx, DROPOUT, True),
            lambda: torch.native_dropout(tx, DROPOUT, True)[0],
        ]

    def comparable(y):
        """The share of kept numbers, and the smallest and largest scale of them."""
        scale = np.asarray(y) / x
        kept = scale[scale != 0]
        return np.array([kept.size / scale.size, kept.min(), kept.max()])

    return Case(
        lambda: _kernels.dropout_forward(y, mask, state, x, DROPOUT),
        *([y], spellings, comparable, 3 / y.size**0.5),
    )


def optimizer(name, options, peer_options, shape):
    w, g = normal(*shape), normal(*shape, seed=1)

    def make(library, options):
        parameter = library.tensor(w, requires_grad=True)
        parameter.grad = library.tensor(g)
        return parameter, getattr(library.optim, name)([parameter], **options).step

    parameter, step = make(pyml, options)

    def spellings():
        import torch

        parameter, step = make(torch, options | peer_options)
        values = parameter.detach()

        def call():
            step()
            return values

        return [call]

    return Case(step, [parameter.detach().numpy()], spellings)


FUSED, FOREACH = {"fused": True}, {"foreach": True}


class Kernel(NamedTuple):
    case: Callable
    work: Work


ACTIVATIONS = {  # what an element takes, forward and backward
    "relu": (Work(1, 1, products=1), Work(2, 1, products=1)),
    "sigmoid": (Work(1, 1, products=16, divisions=1), Work(2, 1, products=3)),
    "tanh": (Work(1, 1, products=18, divisions=1), Work(2, 1, products=4)),
    "gelu": (Work(1, 1, products=18, divisions=1), Work(2, 1, products=18, divisions=1)),
}
WAVE = Work(1, 1, products=22)  # cos or sin
KERNELS = {
    "batchnorm": {
        "batchnorm": Kernel(batchnorm_forward, Work(1, 1, products=4)),
        "batchnorm'": Kernel(batchnorm_backward, Work(2, 1, products=6)),
    },
    "row norm": {
        "layer_norm": Kernel(partial(row_norm_forward, "layer_norm"), Work(1, 1, products=8)),
        "layer_norm'": Kernel(partial(row_norm_backward, "layer_norm"), Work(2, 1, products=14)),
        "rms_norm": Kernel(partial(row_norm_forward, "rms_norm"), Work(1, 1, products=5)),
        "rms_norm'": Kernel(partial(row_norm_backward, "rms_norm"), Work(2, 1, products=11)),
    },
    "row pair": {
        "cosine": Kernel(partial(row_pair_forward, "cosine"), Work(2, 0, products=3)),
        "cosine'": Kernel(partial(row_pair_backward, "cosine"), Work(2, 2, products=7)),
        "distance": Kernel(partial(row_pair_forward, "distance"), Work(2, 0, products=3)),
        "distance'": Kernel(partial(row_pair_backward, "distance"), Work(2, 2, products=4)),
    },
    "prelu": {
        "prelu": Kernel(prelu_forward, Work(1, 1, products=2)),
        "prelu'": Kernel(prelu_backward, Work(2, 1, products=4)),
    },
    "activation": {
        **{
            name + mark: Kernel(partial(direction, name), work)
            for name, works in ACTIVATIONS.items()
            for mark, direction, work in zip(
                ("", "'"), (activation_forward, activation_backward), works, strict=True
            )
        },
        "exp": Kernel(partial(activation_forward, "exp"), Work(1, 1, products=15)),
        "cos": Kernel(partial(activation_forward, "cos"), WAVE),
        "sin": Kernel(partial(activation_forward, "sin"), WAVE),
    },
    "tables": {
        "waves": Kernel(waves, Work(0, 1, products=12)),
        **{
            name + mark: Kernel(partial(direction, width), work)
            for name, width in {"feature linear": 16, "ensemble linear": 64}.items()
            for mark, direction, work in (
                ("", parts_linear_forward, Work(1, 1, products=width)),
                ("'", parts_linear_backward, Work(2, 1, products=2 * width)),
            )
        },
        "scales": Kernel(scales_forward, Work(1, 1, products=1)),
        "scales'": Kernel(scales_backward, Work(2, 1, products=3)),
    },
    "loss": {
        "cross entropy + '": Kernel(cross_entropy, Work(2, 2, products=20)),
        "nll + '": Kernel(partial(class_loss, "nll"), Work(0, 1)),
        "multi margin + '": Kernel(partial(class_loss, "multi_margin"), Work(2, 1, products=11)),
        "multilabel margin + '": Kernel(
            partial(class_loss, "multilabel_margin"), Work(2, 1, products=9 * LABELS)
        ),
    },
    "rows": {
        "embedding": Kernel(embedding, Work(1, 1)),
        "embedding'": Kernel(embedding_backward, Work(1, 1, products=1)),
        "embedding_bag": Kernel(embedding_bag, Work(1, 0, products=1)),
        "embedding_bag'": Kernel(embedding_bag_backward, Work(0, 1, products=1)),
    },
    "dropout": {"dropout": Kernel(dropout_forward, Work(1, 1, products=20))},
}
ADAM = Work(1, 0, updated=3, products=8, divisions=1, roots=1)
SGD = {"lr": 1e-3, "momentum": 0.9}
OPTIMIZERS = {  # class, options, those of PyTorch alone, what an element takes
    "Adam": ("Adam", {}, FUSED, ADAM),
    "AdamW": ("AdamW", {}, FUSED, ADAM),
    "RMSprop": ("RMSprop", {}, FOREACH, Work(1, 0, 2, products=5, divisions=1, roots=1)),
    "Adagrad": ("Adagrad", {}, FUSED, Work(1, 0, 2, products=3, divisions=1, roots=1)),
    "SGD momentum": ("SGD", SGD, FUSED, Work(1, 0, 2, products=3)),
    "SGD Nesterov": ("SGD", SGD | {"nesterov": True}, FUSED, Work(1, 0, 2, products=4)),
}
KERNELS["optimizer"] = {
    name: Kernel(partial(optimizer, *arguments), work)
    for name, (*arguments, work) in OPTIMIZERS.items()
}


# ---- the table -----------------------------------------------------------------------------------


def rows(options):
    if version("torch"):
        import torch

        torch.set_grad_enabled(False)
    for group in options.groups:
        shapes = options.parameters if group == "optimizer" else options.shapes
        for name, kernel in KERNELS[group].items():
            for shape in shapes:
                yield {"group": group, **row(name, kernel, shape, options.seconds)}


def row(name, kernel, shape, seconds):
    case, text = kernel.case(shape), "x".join(map(str, shape))
    spellings = case.spellings() if version("torch") else []
    compare(f"{name} {text}", case, spellings)
    sides = {"pyml": case.call}
    if spellings:
        sides["torch"] = min(spellings, key=lambda call: min(timed(call) for _ in range(5)))
    times = medians(sides, seconds)

    n, work = math.prod(shape), kernel.work
    bounds = limits(*(n * count for count in work))
    limit = max(bounds, key=bounds.get)
    footprint = 4 * n * (work.read + work.written + work.updated)
    return {
        "kernel": name,
        "size": text,
        **times,
        "torch / pyml": ratio(times),
        "bound": bounds[limit],
        "% of bound": 100 * bounds[limit] / times["pyml"],
        "limit": level(footprint) if limit == "memory" else limit,
        "bounds": bounds,
    }


def compare(what, case, spellings):
    """Calls every side once; ends the script unless all agree."""
    case.call()
    for call in spellings:
        results = call()
        results = results if isinstance(results, tuple) else (results,)
        for ours, theirs in zip(case.outputs, results, strict=True):
            pair = {"pyml": case.comparable(ours), "torch": case.comparable(theirs)}
            agree(what, pair, rtol=0, atol=case.tolerance * abs(pair["pyml"]).max())


def main(argv=None):
    arguments = parser(__doc__)
    arguments.add_argument(
        "--groups", nargs="+", choices=KERNELS, default=list(KERNELS), help="(default: all)"
    )
    arguments.set_defaults(threads=[1])
    options = parse(arguments, argv)
    options.shapes = SHAPES[:2] if options.quick else SHAPES
    options.parameters = PARAMETERS[:2] if options.quick else PARAMETERS
    columns = ["kernel", "size", "pyml", "torch", "torch / pyml", "bound", "% of bound", "limit"]
    Table(about("torch"), columns, label=16).run(rows, options)


if __name__ == "__main__":
    main()
