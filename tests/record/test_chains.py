"""Calls that work row by row are replayed in chains, by blocks of rows, with the eager bits."""

import sys

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn
from pyml.nn import functional as F

ROWS = 2500  # blocks have 512 rows or more, and a chain four of them
WIDTH = 12


def recorded(function, *arguments, calls=4):
    """What calls of a recorded function return, and the recorded function."""
    step = pyml.record(pyml.no_grad()(function))
    return [step(*arguments) for _ in range(calls)], step


def chains(step):
    """The names of the chains of a step, as lists of kernels."""
    return [kernel.name.split("+") for kernel in step.stats().kernels if "+" in kernel.name]


LINEARS = [nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)]
NORM = nn.BatchNorm1d(WIDTH).eval()
COLUMN, LINE, OTHER = pyml.rand(ROWS, 1), 1 + pyml.rand(WIDTH), pyml.rand(ROWS, WIDTH)
ROW_BY_ROW = {
    **{
        f"{name}_forward": getattr(F, name)
        for name in (
            *("relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "elu", "softplus", "mish"),
            *("hardswish", "selu", "celu", "logsigmoid", "softsign", "tanhshrink", "hardtanh"),
            *("hardsigmoid", "hardshrink", "softshrink"),
        )
    },
    "gelu_tanh_forward": lambda x: F.gelu(x, approximate="tanh"),
    "prelu_forward": nn.PReLU(WIDTH),
    "batchnorm_inference": NORM,
    "layer_norm_forward": nn.LayerNorm(WIDTH),
    "rms_norm_forward": nn.RMSNorm(WIDTH),
    "softmax_forward": lambda x: F.softmax(x, 1),
    "log_softmax_forward": lambda x: F.log_softmax(x, 1),
    "cosine_forward": lambda x: F.cosine_similarity(x, OTHER)[:, None] * x,
    "distance_forward": lambda x: F.pairwise_distance(OTHER, x, keepdim=True) + x,
    "gemm": lambda x: x @ LINEARS[0].weight,
    "copy": F.relu_,
    "exp": pyml.exp,
    "neg": pyml.neg,
    "sin": pyml.sin,
    "clamp": lambda x: x.clamp(-1, 0.5),
    "add": lambda x: x + x.abs(),
    "sub": lambda x: x - 2.5,
    "mul": lambda x: x * COLUMN,
    "div": lambda x: x / LINE,
    "maximum": lambda x: pyml.maximum(COLUMN, x),
}


@pytest.mark.parametrize("kernel", ROW_BY_ROW)
def test_every_kernel_that_works_row_by_row(kernel):
    x = pyml.randn(ROWS, WIDTH)
    operation = ROW_BY_ROW[kernel]

    def function(x):
        return LINEARS[1](operation(LINEARS[0](x)))

    with pyml.no_grad():
        expected = function(x)
    got, step = recorded(function, x)
    [chain] = chains(step)
    assert kernel in chain and step.stats().calls >= 3
    for threads in (1, 2, 3):
        pyml.set_num_threads(threads)
        got.append(step(x))
    for each in got:
        assert_same_bits(each, expected)


def test_a_row_may_be_several_of_a_norm():
    x = pyml.randn(ROWS, 6)
    norm = nn.GroupNorm(3, 6)
    got, step = recorded(lambda x: norm(F.linear(x, pyml.eye(6))), x)
    assert chains(step) == [["linear_forward", "layer_norm_forward"]]
    with pyml.no_grad():
        assert_same_bits(got[-1], norm(x))


def test_what_is_returned_or_read_later_is_written():
    """Values that stay in working memory are those that nobody asks for."""
    kept = {}

    def function(x):
        first = LINEARS[0](x)
        second = F.relu(first)
        third = F.tanh(second)
        return first, third.sum(0), F.tanh(third) * first.mean()

    x = pyml.randn(ROWS, WIDTH)
    with pyml.no_grad():
        kept = function(x)
    got, step = recorded(function, x)
    assert chains(step)
    for each in got:
        for one, other in zip(each, kept, strict=True):
            assert_same_bits(one, other)


def check_function(function, *arguments, calls=4):
    with pyml.no_grad():
        expected = function(*arguments)
    got, step = recorded(function, *arguments, calls=calls)
    assert chains(step)
    for each in got:
        for one, other in zip(flat(each), flat(expected), strict=True):
            assert_same_bits(one, other)


def flat(tensors):
    return tensors if isinstance(tensors, tuple) else (tensors,)


def test_in_place_and_memory_that_is_used_again():
    """Other widths come to lie where a value was that is over: it must never have got there."""
    wide, narrow, low = nn.Linear(WIDTH, 41), nn.Linear(41, 7), nn.Linear(7, 42)

    def function(x):
        first = F.relu_(wide(x))
        y = narrow(first)
        del first
        y = low(y)
        return y, F.tanh(y).mul_(2).add_(y)

    check_function(function, pyml.randn(ROWS, WIDTH), calls=7)


def test_a_product_does_not_read_where_it_writes():
    layers = [nn.Linear(WIDTH, 80), *(nn.Linear(80, 80) for _ in range(4))]
    check_function(nn.Sequential(*layers), pyml.randn(ROWS, WIDTH))


def test_a_value_that_is_read_after_a_part_of_it_was_written():
    weight = pyml.randn(6, 6)

    def function(x):
        first = LINEARS[0](x)
        second = first.exp()
        part = first.view(-1)[: 6 * ROWS].view(ROWS, 6)
        pyml.matmul(second[:, :6].contiguous(), weight, out=part)
        return first.sum() + second.sum()

    def other(x):
        first = LINEARS[0](x)
        part = first.view(-1)[: 6 * ROWS].view(ROWS, 6)
        pyml.matmul(x.view(2 * ROWS, 6)[:ROWS], weight, out=part)
        return F.relu(first)

    x = pyml.randn(ROWS, WIDTH)
    check_function(function, x)
    with pyml.no_grad():
        expected = other(x)
    for each in recorded(other, x)[0]:
        assert_same_bits(each, expected)


def test_rows_that_are_read_where_others_are_written():
    """A block of them would be written over before it is read."""
    layer, wide = nn.Linear(6, 6), nn.Linear(6, 24)

    def function(base):
        x = base.view(-1)[: 6 * ROWS].view(ROWS, 6)
        pyml.matmul(F.relu(layer(x)), wide.weight.T.contiguous(), out=base)
        return base.sum()

    values = pyml.randn(ROWS, 24)
    twins = [values.clone(), values.clone()]
    step = pyml.record(pyml.no_grad()(function))
    for _ in range(4):
        with pyml.no_grad():
            expected = function(twins[0])
        assert_same_bits(step(twins[1]), expected)
        assert_same_bits(*twins)


def random_function(seed):
    """Of x (ROWS, 6), row by row for the most part, in memory that is used again."""
    rng = np.random.default_rng(seed)
    linears = {}

    def linear(x, width):
        key = x.shape[1], width
        if key not in linears:
            linears[key] = nn.Linear(*key)
        return linears[key](x)

    plan = [(rng.integers(14), rng.integers(1 << 30)) for _ in range(rng.integers(4, 16))]
    for width in range(1, 13):
        for other in range(1, 13):
            linear(pyml.zeros(1, width), other)

    def function(x):
        alive = [linear(x, 9)]
        kept = []
        for kind, number in plan:
            i = number % len(alive)
            t, width = alive[i], 1 + number // 7 % 12
            if kind < 4:
                alive.append(linear(t, width))
            elif kind == 4:
                alive[i] = F.relu(t)
            elif kind == 5:
                alive[i] = F.tanh(t) * 0.5
            elif kind == 6:
                t.mul_(0.5)
            elif kind == 7:
                alive.append(F.silu(t) + alive[0][:, :1])
            elif kind == 8:
                part = t.view(-1)[: ROWS * width]
                if len(part) == ROWS * width:
                    part.view(ROWS, width).copy_(linear(alive[0], width))
            elif kind == 9 and len(alive) > 1:
                del alive[i], t
            elif kind == 10:
                kept.append(t.sum())
            elif kind == 11:
                kept.append(t)
            elif kind == 12:
                alive.append(pyml.exp(-t.abs(), out=pyml.empty(ROWS, t.shape[1])))
            else:
                alive[i] = F.softmax(t, 1)
        return (*alive[:2], *kept)

    return function


def check_random_function(seed):
    function = random_function(seed)
    x = pyml.randn(ROWS, 6)
    with pyml.no_grad():
        expected = function(x)
    for each in recorded(function, x, calls=5)[0]:
        for one, other in zip(each, expected, strict=True):
            assert_same_bits(one, other)


@pytest.mark.parametrize("seed", range(40))
def test_random_functions(seed):
    check_random_function(seed)


@pytest.mark.exhaustive
def test_1000_random_functions():
    for seed in range(40, 1000):
        check_random_function(seed)


def test_arguments_that_are_changed():
    def function(x, y):
        y.copy_(F.relu(LINEARS[0](x)))
        x.add_(F.tanh(y))
        return LINEARS[1](x)

    pairs = [(pyml.ones(ROWS, WIDTH), pyml.zeros(ROWS, WIDTH)) for _ in range(2)]
    step = pyml.record(pyml.no_grad()(function))
    for _ in range(6):
        with pyml.no_grad():
            expected = function(*pairs[0])
        assert_same_bits(step(*pairs[1]), expected)
        for one, other in zip(*pairs, strict=True):
            assert_same_bits(one, other)


@pytest.mark.parametrize("rows", [2047, 2048, 2049, 4096, 5003])
def test_rows_at_the_borders(rows, dtype):
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)).to(dtype)
    x = pyml.randn(rows, 3, dtype=dtype)
    with pyml.no_grad():
        expected = model(x)
    got, step = recorded(model, x)
    assert bool(chains(step)) == (rows >= 2048)
    for each in got:
        assert_same_bits(each, expected)


def test_wide_rows_stay_as_they_are():
    """Working memory is not for rows of any width."""
    model = nn.Sequential(nn.Linear(2, 9000), nn.Tanh(), nn.Linear(9000, 1))
    x = pyml.randn(2048, 2)
    got, step = recorded(model, x, calls=3)
    assert not chains(step)
    with pyml.no_grad():
        assert_same_bits(got[-1], model(x))


def test_other_arguments_lie_elsewhere():
    model = nn.Sequential(nn.Linear(WIDTH, 8), nn.Tanh(), nn.Linear(8, 2))
    step = pyml.record(pyml.no_grad()(model))
    for seed in range(6):
        x = pyml.randn(ROWS, WIDTH, generator=pyml.Generator().manual_seed(seed))
        got = step(x)
        with pyml.no_grad():
            assert_same_bits(got, model(x))
            model[0].weight.mul_(1.25)
    assert chains(step)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system takes no pages back")
def test_memory_that_no_replay_touches_is_given_back(monkeypatch):
    """But not what is returned, or read by another call."""
    model = nn.Sequential(
        nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2)
    )

    def forward(x):
        hidden = model[:3](x)
        return model[3:](hidden), hidden.sum()

    x = pyml.randn(40_000, 4)
    numbers = {}  # of a row, in memory
    for fuse in ("1", "0"):
        monkeypatch.setenv("PYML_FUSE", fuse)
        for name, function in {"layers": model, "looked at": forward}.items():
            got, step = recorded(function, x, calls=5)
            with pyml.no_grad():
                wanted = function(x)
            for each in got:
                assert_same_bits(each[0], wanted[0])
                assert_same_bits(each[-1], wanted[-1])
            numbers[name, fuse] = step.stats().memory / (4 * len(x))
    assert numbers["layers", "0"] >= 194 and numbers["looked at", "0"] >= 194
    assert numbers["layers", "1"] < 80, numbers  # 2 are needed; huge pages at the ends stay
    assert numbers["layers", "1"] + 20 < numbers["looked at", "1"] < 112, numbers
