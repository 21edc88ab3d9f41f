"""Operations against torch: values, gradients, second gradients, dtypes and shapes."""

import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import pyml  # noqa: E402
from parity.torch_side import assert_parity  # noqa: E402

# how an input is drawn
NORMAL = "normal"
POSITIVE = "positive"  # 0.5 to 2
TIES = "ties"  # small integers: equal elements, zeros
SHAPES = [(), (1,), (7,), (3, 4), (2, 3, 4), (0,), (3, 0), (0, 3)]
PAIRS = [
    ((7,), (7,)),
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 4), (3, 1)),
    ((3, 1), (1, 4)),
    ((3, 4), ()),
    ((), (3, 4)),
    ((), ()),
    ((1,), (3,)),
    ((2, 3, 4), (3, 1)),
    ((2, 1, 4), (3, 1)),
    ((2, 3, 4), (2, 1, 1)),
    ((2, 1, 3, 1), (1, 4, 1, 5)),
    ((0, 3), (3,)),
    ((0, 3), (1, 1)),
    ((3, 0), (3, 1)),
]


def unary(name, kind=NORMAL, **options):
    return [
        (name, lambda m, x: getattr(m, name)(x, **options), [shape], [kind]) for shape in SHAPES
    ]


def binary(name, kinds=(NORMAL, NORMAL), **options):
    return [
        (name, lambda m, a, b: getattr(m, name)(a, b, **options), pair, kinds) for pair in PAIRS
    ]


def call(name, function, *shapes, kind=NORMAL):
    return [(name, function, shapes, [kind] * len(shapes))]


def reductions():
    dims = [None, 0, 1, 2, -1, (0, 1), (1, 2), (0, 2), (0, 1, 2)]
    for name in ("sum", "mean", "var", "std", "amax", "amin", "logsumexp", "norm"):
        for dim in dims:
            if (name == "logsumexp" and dim is None) or (name == "norm" and dim == (0, 1, 2)):
                continue  # torch has no such
            for keepdim in (False, True):
                for kind in (NORMAL, TIES) if name in ("amax", "amin") else (NORMAL,):
                    options = {"dim": dim, "keepdim": keepdim}
                    if name in ("amax", "amin") and dim is None:
                        options["dim"] = ()
                    yield from call(
                        f"{name} {options}",
                        lambda m, x, name=name, options=options: getattr(m, name)(x, **options),
                        (3, 3, 4),
                        kind=kind,
                    )
    for dim, descending in ((0, False), (-1, True)):
        yield from call(
            f"sort {dim} {descending}",
            lambda m, x, d=dim, down=descending: m.sort(x, d, down).values,
            (4, 3, 2),
        )
    for name in ("sum", "mean", "std", "logsumexp", "prod", "cumsum"):
        for dim in (0, -1):
            yield from call(
                f"{name} wide {dim}",
                lambda m, x, n=name, d=dim: getattr(m, n)(x, d),
                (3, 70),
                kind=POSITIVE,
            )
    for name in ("max", "min"):
        yield from call(name, lambda m, x, n=name: getattr(m, n)(x), (3, 4), kind=TIES)
        for dim in (0, 1, -1):
            for keepdim in (False, True):
                yield from call(
                    f"{name} {dim} {keepdim}",
                    lambda m, x, n=name, d=dim, k=keepdim: getattr(m, n)(x, d, k)[0],
                    (3, 4, 5),
                )
    for correction in (0, 1, 2):
        yield from call(
            f"var {correction}", lambda m, x, c=correction: m.var(x, 0, correction=c), (5, 2)
        )
        yield from call(
            f"std {correction}", lambda m, x, c=correction: m.std(x, correction=c), (5, 2)
        )
    yield from call("std of equal", lambda m, x: m.std(x * 0 + 2.0, 0), (5, 2))
    for p in (1, 2, 3, 0.5, 1.5, float("inf"), float("-inf"), "fro"):
        for dim in (None, 1):
            if p == "fro" and dim == 1:
                continue
            yield from call(f"norm {p} {dim}", lambda m, x, p=p, d=dim: m.norm(x, p, d), (3, 4))
    yield from call("norm 3 with 0", lambda m, x: m.norm(x, 3, 0), (4, 3), kind=TIES)
    yield from call("prod", lambda m, x: m.prod(x), (5,), kind=TIES)
    yield from call("prod without zero", lambda m, x: m.prod(x), (2, 3))
    for dim in (0, 1, -1):
        yield from call(f"prod {dim}", lambda m, x, d=dim: m.prod(x, d), (4, 3, 2), kind=TIES)
        yield from call(f"prod keepdim {dim}", lambda m, x, d=dim: m.prod(x, d, True), (2, 3, 2))
        yield from call(f"cumsum {dim}", lambda m, x, d=dim: m.cumsum(x, d), (4, 3, 2))
    yield from call("sum of nothing", lambda m, x: m.sum(x, 0), (0, 3))
    yield from call("mean of nothing", lambda m, x: m.mean(x, 1), (3, 0))
    yield from call("sum 0-d", lambda m, x: m.sum(x, 0), ())
    yield from call("max 0-d", lambda m, x: m.max(x, 0)[0], ())
    yield from call("sum dtype", lambda m, x: m.sum(x, dtype=m.float64), (3,))


def products():
    for a, b in [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (6, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (1, 3, 4)),
        ((0, 3), (3, 4)),
        ((2, 0), (0, 4)),
        ((2, 3), (3, 0)),
        ((0, 2, 3), (0, 3, 4)),
        ((17, 33), (33, 9)),
        ((2, 1, 4, 3), (2, 5, 3, 2)),
        ((0, 2, 3), (3, 4)),
        ((1, 1), (1, 1)),
    ]:
        yield from call("matmul", lambda m, x, y: x @ y, a, b)
    yield from call("matmul of transposes", lambda m, x, y: x.t() @ y.t(), (4, 2), (3, 4))
    yield from call("matmul of slices", lambda m, x, y: x[::2, 1:] @ y[:, ::2], (5, 4), (3, 6))
    yield from call(
        "matmul batch of transposes",
        lambda m, x, y: x.transpose(0, 2) @ y.permute(2, 0, 1),
        (2, 3, 5),
        (2, 4, 5),
    )
    yield from call("mm", lambda m, x, y: m.mm(x, y), (2, 3), (3, 4))
    yield from call("mv", lambda m, x, y: m.mv(x, y), (2, 3), (3,))
    yield from call("dot", lambda m, x, y: m.dot(x, y), (40,), (40,))
    yield from call("bmm", lambda m, x, y: m.bmm(x, y), (2, 3, 4), (2, 4, 5))
    yield from call("x @ x", lambda m, x: x @ x, (3, 3))


def shapes():
    x = (2, 3, 4)
    for name, function in {
        "reshape": lambda m, x: x.reshape(4, 6),
        "reshape -1": lambda m, x: x.reshape((-1, 8)),
        "reshape of a transpose": lambda m, x: x.transpose(0, 2).reshape(-1),
        "view": lambda m, x: x.view(6, 4),
        "flatten": lambda m, x: x.flatten(),
        "flatten 1": lambda m, x: x.flatten(1),
        "flatten 0 1": lambda m, x: x.flatten(0, -2),
        "unflatten": lambda m, x: (
            x.unflatten(2, (2, -1)) if m is torch else m.unflatten(x, 2, (2, -1))
        ),
        "transpose": lambda m, x: x.transpose(0, -1),
        "permute": lambda m, x: x.permute(2, 0, 1),
        "permute negative": lambda m, x: m.permute(x, (-1, 0, 1)),
        "movedim": lambda m, x: m.movedim(x, 0, -1),
        "movedim 2": lambda m, x: m.movedim(x, (0, 1), (2, 0)),
        "mT": lambda m, x: x.mT,
        "unsqueeze": lambda m, x: x.unsqueeze(-1).unsqueeze(0),
        "squeeze": lambda m, x: x.unsqueeze(1).squeeze(),
        "squeeze 1": lambda m, x: x.unsqueeze(1).unsqueeze(3).squeeze(1),
        "squeeze none": lambda m, x: x.squeeze(0),
        "expand": lambda m, x: x.unsqueeze(0).expand(5, -1, 3, 4),
        "expand inner": lambda m, x: x.unsqueeze(-1).expand(2, 3, 4, 5),
        "repeat": lambda m, x: x.repeat(2, 1, 3),
        "repeat more": lambda m, x: x.repeat(3, 1, 2, 1),
        "repeat 0": lambda m, x: x.repeat(1, 0, 1),
        "flip": lambda m, x: m.flip(x, (0, 2)),
        "narrow": lambda m, x: m.narrow(x, 2, 1, 2),
        "select": lambda m, x: m.select(x, 1, -1),
        "chunk": lambda m, x: m.cat([2 * c for c in x.chunk(3, 2)][::-1], 2),
        "split": lambda m, x: m.cat(x.split(3, 2)[::-1], 2),
        "split list": lambda m, x: x.split([1, 2], 1)[1],
        "unbind": lambda m, x: x.unbind(1)[2],
        "clone": lambda m, x: x.clone(),
        "contiguous": lambda m, x: x.transpose(0, 1).contiguous(),
        "double": lambda m, x: x.double(),
        "to float and back": lambda m, x: x.to(m.float64).to(m.float32),
        "type_as": lambda m, x: x.type_as(x.double()),
    }.items():
        yield from call(name, function, x)
    yield from call("t of a vector", lambda m, x: x.t(), (3,))
    yield from call("cat", lambda m, a, b: m.cat([a, b, a], 1), (2, 3), (2, 5))
    yield from call("cat with empty", lambda m, a, b: m.cat([a, b]), (2, 3), (0,))
    yield from call("cat 0 rows", lambda m, a, b: m.cat([a, b]), (2, 3), (0, 3))
    yield from call("cat dtypes", lambda m, a, b: m.cat([a, b.double()]), (2,), (3,))
    yield from call("stack", lambda m, a, b: m.stack([a, b, a], -1), (2, 3), (2, 3))
    yield from call("stack 0-d", lambda m, a, b: m.stack([a, b]), (), ())
    yield from call("reshape empty", lambda m, x: x.reshape(5, 0), (0, 3))


def indexing():
    x = (4, 5, 3)
    for name, function in {
        "int": lambda m, x: x[1],
        "-1": lambda m, x: x[-1, 2],
        "all ints": lambda m, x: x[1, 2, 0],
        "slice": lambda m, x: x[1:3, ::2],
        "ellipsis": lambda m, x: x[..., 1],
        "none": lambda m, x: x[:, None, 1, None],
        "everything": lambda m, x: x[...],
        "rows": lambda m, x: x[m.tensor([2, 0, 2, 3])],
        "negative rows": lambda m, x: x[m.tensor([-1, 0])],
        "list": lambda m, x: x[[0, 2]],
        "matrix of rows": lambda m, x: x[m.tensor([[0, 1], [2, 2]])],
        "two vectors": lambda m, x: x[m.tensor([0, 1, 1]), m.tensor([4, 0, 0])],
        "vectors apart": lambda m, x: x[m.tensor([0, 1]), :, m.tensor([1, 2])],
        "vector and slice": lambda m, x: x[1:, m.tensor([0, 0, 4])],
        "mask": lambda m, x: x[x.detach() > 0],
        "mask of rows": lambda m, x: x[m.tensor([True, False, True, False])],
        "mask in the middle": lambda m, x: x[:, m.tensor([True, False, True, False, True]), 1],
        "0-d index": lambda m, x: x[m.tensor(1)],
        "no rows": lambda m, x: x[m.zeros(0, dtype=m.int64)],
        "index_select": lambda m, x: m.index_select(x, 1, m.tensor([4, 0, 4])),
        "index_select 0": lambda m, x: m.index_select(x, 0, m.tensor([3, 3])),
        "gather": lambda m, x: m.gather(
            x, 1, m.tensor([[[0, 1, 2], [4, 4, 4]], [[1, 1, 1], [0, 0, 0]]])
        ),
        "masked_select": lambda m, x: m.masked_select(x, x.detach() > 0.5),
        "masked_fill": lambda m, x: x.masked_fill(x.detach() > 0, -2.0),
        "scatter_add": lambda m, x: m.scatter_add(
            m.zeros(4, 2, 3, dtype=x.dtype), 1, m.tensor([[[0, 1, 0]] * 5] * 4), x
        ),
    }.items():
        yield from call(f"index {name}", function, x)

    def assigned(index, value):
        def function(m, x, *values):
            y = x * 2
            y[index(m)] = values[0] * 1 if values else value
            return y * y

        return function

    for name, index, shape in [
        ("int", lambda m: 1, (5, 3)),
        ("slice", lambda m: slice(1, 3), (5, 3)),
        ("ellipsis", lambda m: ..., (3,)),
        ("tuple", lambda m: (slice(None), 2), (4, 1)),
        ("vector", lambda m: m.tensor([0, 3]), (2, 1, 3)),
        ("mask", lambda m: m.tensor([True, False, True, False]), (1,)),
        ("element", lambda m: (0, 0, 0), ()),
    ]:
        yield from call(f"setitem {name}", assigned(index, None), x, shape)
        yield from call(f"setitem number {name}", assigned(index, 3.0), x)


def in_place():
    def changed(name, *args, **options):
        def function(m, x, *others):
            y = x * 1.5
            assert getattr(y, name)(*others, *args, **options) is y
            return y * 2

        return function

    for name in ("add_", "sub_", "mul_", "div_", "copy_"):
        for shape in ((3, 4), (4,), (3, 1), ()):
            if name != "mul_":
                yield from call(name, changed(name), (3, 4), shape)
        if name != "copy_":
            yield from call(f"{name} number", changed(name, 3.0), (3, 4))
    yield from call("add_ alpha", changed("add_", alpha=-2), (3, 4), (4,))
    yield from call("neg_", changed("neg_"), (3, 4))
    yield from call("exp_", changed("exp_"), (3, 4))
    yield from call("sqrt_", changed("sqrt_"), (3, 4), kind=POSITIVE)
    yield from call("tanh_", changed("tanh_"), (3, 4))
    yield from call("sigmoid_", changed("sigmoid_"), (3, 4))
    yield from call("relu_", changed("relu_"), (3, 4))
    yield from call("zero_", changed("zero_"), (3, 4))
    yield from call("fill_", changed("fill_", 2.5), (3, 4))
    yield from call("masked_fill_", lambda m, x: (x * 2).masked_fill_(x.detach() > 0, 1.0), (3, 4))
    yield from call("addcmul_", lambda m, x, a: (x * 2).addcmul_(a, a, value=0.5), (3, 4), (3, 4))
    yield from call(
        "addcdiv_", lambda m, x, a: (x * 2).addcdiv_(a, a + 9, value=0.5), (3, 4), (3, 4)
    )
    yield from call("lerp_", lambda m, x, a: (x * 2).lerp_(a, 0.3), (3, 4), (3, 4))
    yield from call("lerp_ tensor", lambda m, x, a, w: (x * 2).lerp_(a, w), (3, 4), (3, 4), (4,))
    yield from call("add_ chain", lambda m, x: (x * 2).add_(1).mul_(3).sub_(x), (3,))


def functions():
    for name in (
        "neg",
        "abs",
        "exp",
        "sign",
        "square",
        "sin",
        "cos",
        "expm1",
        "floor",
        "ceil",
        "round",
        "tanh",
        "sigmoid",
        "relu",
        "erf",
        "erfc",
    ):
        yield from unary(name)
    for name in ("log", "sqrt", "rsqrt", "reciprocal", "log1p", "lgamma", "digamma"):
        yield from unary(name, POSITIVE)
    yield from unary("abs", TIES)
    for name in ("add", "sub", "mul", "maximum", "minimum"):
        yield from binary(name)
    yield from binary("add", alpha=-1.5)
    yield from binary("sub", alpha=2)
    yield from binary("maximum", (TIES, TIES))
    yield from binary("minimum", (TIES, TIES))
    yield from binary("div", (NORMAL, POSITIVE))
    yield from binary("pow", (POSITIVE, NORMAL))
    yield from binary("remainder", (NORMAL, POSITIVE))
    for exponent in (0, 1, 2, 3, -1, 0.5, -0.5, 2.5, 2.0):
        yield from call(f"pow {exponent}", lambda m, x, p=exponent: x**p, (3, 4), kind=POSITIVE)
        yield from call(
            f"{exponent} pow",
            lambda m, x, p=exponent: m.pow(abs(p) + 0.25, x),
            (3, 4),
            kind=POSITIVE,
        )
    for exponent in (2, 3, 1):
        yield from call(
            f"pow {exponent} negative", lambda m, x, p=exponent: x**p, (3, 4), kind=TIES
        )
    for low, high in [(-0.5, 0.5), (None, 0.3), (0.1, None), (0, 1), (1, -1)]:
        yield from call(f"clamp {low} {high}", lambda m, x, a=low, b=high: m.clamp(x, a, b), (5, 5))
        yield from call(
            f"clamp ties {low} {high}",
            lambda m, x, a=low, b=high: x.clamp(min=a, max=b),
            (5, 5),
            kind=TIES,
        )
    yield from call("clamp tensors", lambda m, x, a, b: m.clamp(x, a, b), (5, 5), (5,), (5, 1))
    yield from call(
        "clamp tensors ties",
        lambda m, x, a, b: m.clamp(x, a, b + 9),
        (5, 5),
        (5,),
        (5, 1),
        kind=TIES,
    )
    yield from call("clamp min tensor", lambda m, x, a: m.clamp(x, min=a), (5, 5), (5,))
    yield from call("where", lambda m, a, b: m.where(a.detach() > 0, a, b), (3, 4), (4,))
    yield from call("where number", lambda m, a: m.where(a.detach() > 0, a, 0.5), (3, 4))
    yield from call(
        "where broadcast condition",
        lambda m, a, b: m.where(m.tensor([[True], [False]]), a, b),
        (3,),
        (),
    )
    yield from call("lerp", lambda m, a, b: m.lerp(a, b, 0.3), (3, 4), (3, 4))
    yield from call("lerp far", lambda m, a, b: m.lerp(a, b, 0.8), (3, 4), (4,))
    yield from call("lerp tensor", lambda m, a, b, w: m.lerp(a, b, w), (3, 4), (3, 4), (3, 4))
    yield from call(
        "addcmul", lambda m, x, a, b: m.addcmul(x, a, b, value=2.5), (3, 4), (4,), (3, 1)
    )
    yield from call(
        "addcdiv", lambda m, x, a, b: m.addcdiv(x, a, b + 9.0, value=2.5), (3, 4), (4,), (3, 1)
    )
    yield from call("softmax", lambda m, x: m.softmax(x, 1), (3, 4))
    yield from call("log_softmax", lambda m, x: m.log_softmax(x, 0), (3, 4))
    yield from call(
        "transposed operands", lambda m, a, b: a.t() * b + b.t().t() / 3, (4, 3), (3, 4)
    )
    yield from call("slices", lambda m, a, b: a[:, ::2] * b[1:, :2], (3, 4), (4, 3))
    yield from call(
        "expanded", lambda m, a, b: a.expand(3, 4) * b.unsqueeze(1).expand(3, 4), (4,), (3,)
    )
    yield from call(
        "number on the left", lambda m, x: (2 - x) * 3 / (5 + x) + 2**x, (3, 4), kind=POSITIVE
    )
    yield from call("x op x", lambda m, x: x * x + x - x / x, (3,), kind=POSITIVE)


CASES = [*functions(), *reductions(), *products(), *shapes(), *indexing(), *in_place()]
NAMES = [f"{name} {' '.join(map(str, shapes))}" for name, _, shapes, _ in CASES]


def drawn(rng, shape, kind, dtype):
    if kind == TIES:
        return rng.integers(-2, 3, shape).astype(dtype)
    if kind == POSITIVE:
        return rng.uniform(0.5, 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def results(m, backend_grad, function, arrays, weights):
    """The output, the gradients, and the gradients of a weighted sum of these."""
    inputs = [m.tensor(a, requires_grad=True) for a in arrays]
    y = function(m, *inputs)
    first = second = [None] * len(inputs)
    if y.requires_grad:
        first = backend_grad(
            y,
            inputs,
            m.tensor(np.asarray(weights(y.shape), str(y.dtype).split(".")[-1])),
            create_graph=True,
            allow_unused=True,
        )
        total = None
        for dx in first:
            if dx is not None and dx.requires_grad:
                term = (
                    dx * m.tensor(np.asarray(weights(dx.shape), str(dx.dtype).split(".")[-1]))
                ).sum()
                total = term if total is None else total + term
        if total is not None:
            second = backend_grad(total, inputs, allow_unused=True)
            second = [
                None if dx is None else dx + 0 for dx in second
            ]  # torch has tensors of zeros without memory
    return y, first, second


def nothing(gradient):
    """None and zeros are the same gradient."""
    return gradient is None or not np.any(np.asarray(gradient.detach().numpy()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", range(len(CASES)), ids=NAMES)
def test_operation(case, dtype):
    _, function, shapes, kinds = CASES[case]
    rng = np.random.default_rng(zlib.crc32(NAMES[case].encode()))
    arrays = [
        np.asarray(drawn(rng, shape, kind, dtype))
        for shape, kind in zip(shapes, kinds, strict=True)
    ]
    seed = int(rng.integers(1000))

    def weights(shape):
        return np.random.default_rng(seed).standard_normal(tuple(shape))

    y, first, second = results(pyml, pyml.autograd.grad, function, arrays, weights)
    ty, tfirst, tsecond = results(torch, torch.autograd.grad, function, arrays, weights)
    assert y.requires_grad == ty.requires_grad
    k = max([y.numel(), *(a.size for a in arrays)])
    assert_parity(y, ty, k)
    for got, wanted in zip([*first, *second], [*tfirst, *tsecond], strict=True):
        if not (nothing(got) and nothing(wanted)):
            assert_parity(got, wanted, 4 * k)


# ---- dtypes --------------------------------------------------------------------------------------

KINDS = ["bool", "uint8", "int32", "int64", "float32", "float64"]


def operand(m, kind, form):
    value = {"b": True, "u": 3, "i": 3, "f": 2.5}[np.dtype(kind).kind]
    if form == "number":
        return value
    return m.tensor(np.full((2,) if form == "vector" else (), value, kind))


@pytest.mark.parametrize("op", ["add", "mul", "div", "maximum", "where", "eq", "lt"])
@pytest.mark.parametrize(
    "forms",
    [
        ("vector", "vector"),
        ("vector", "0-d"),
        ("0-d", "vector"),
        ("0-d", "0-d"),
        ("vector", "number"),
        ("number", "vector"),
        ("0-d", "number"),
    ],
)
def test_promotion(op, forms):
    for a in KINDS:
        for b in KINDS:
            if "number" in forms and op == "maximum":
                continue

            def function(m, a=a, b=b):
                x, y = operand(m, a, forms[0]), operand(m, b, forms[1])
                if op in ("eq", "lt"):
                    return x == y if op == "eq" else x < y
                if op == "where":
                    return m.where(m.tensor([True, False]), x, y)
                return {
                    "add": lambda: x + y,
                    "mul": lambda: x * y,
                    "div": lambda: x / y,
                    "maximum": lambda: m.maximum(x, y),
                }[op]()

            got, wanted = function(pyml), function(torch)
            assert got.dtype.name == str(wanted.dtype).removeprefix("torch."), (a, b)
            np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6, err_msg=f"{a} {b}")


@pytest.mark.parametrize("kind", KINDS)
def test_dtype_of_result(kind):
    values = np.array([[1, 0, 1], [1, 1, 0]], kind)
    x, tx = pyml.tensor(values), torch.tensor(values)
    for name in (
        "sum",
        "prod",
        "any",
        "all",
        "cumsum",
        "exp",
        "sqrt",
        "abs",
        "square",
        "sign",
        "max",
        "argmax",
        "mean",
        "logical_not",
        "isnan",
        "floor",
        "neg",
        "sin",
        "clone",
        "reciprocal",
        "logsumexp",
        "std",
    ):
        if kind == "uint8" and name in ("any", "all"):
            continue  # uint8 in torch, from before it had bool
        args = (0,) if name in ("cumsum", "logsumexp") else ()
        try:
            wanted = getattr(torch, name)(tx, *args)
        except (RuntimeError, NotImplementedError):
            continue
        got = getattr(pyml, name)(x, *args)
        assert got.dtype.name == str(wanted.dtype).removeprefix("torch."), name
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6, err_msg=name)


CREATED = {
    "zeros": lambda m: m.zeros(2, 3),
    "ones": lambda m: m.ones((2, 3), dtype=m.int64),
    "full": lambda m: m.full((2, 3), 7),
    "full float": lambda m: m.full((2,), 7.0),
    "full bool": lambda m: m.full((2,), True),
    "eye": lambda m: m.eye(3, 4),
    "arange": lambda m: m.arange(5),
    "arange float": lambda m: m.arange(0, 1, 0.1),
    "arange float end": lambda m: m.arange(5.0),
    "arange backwards": lambda m: m.arange(5, 0, -2),
    "arange dtype": lambda m: m.arange(1, 5, dtype=m.float64),
    "linspace": lambda m: m.linspace(-1, 1, 7),
    "linspace 1": lambda m: m.linspace(3, 9, 1),
    "tensor int": lambda m: m.tensor(3),
    "tensor float": lambda m: m.tensor([1.0, 2]),
    "tensor ints": lambda m: m.tensor([[1, 2], [3, 4]]),
    "tensor bool": lambda m: m.tensor([True, False]),
    "tensor empty": lambda m: m.tensor([]),
    "tensor dtype": lambda m: m.tensor([1, 2], dtype=m.float64),
    "tensor of array": lambda m: m.tensor(np.arange(3.0)),
    "tensor of tensors": lambda m: m.tensor([m.tensor(1.0), m.tensor(2.0)]),
    "tensor of numpy numbers": lambda m: m.tensor([np.float64(1), np.float64(2)]),
    "zeros_like": lambda m: m.zeros_like(m.arange(3)),
    "ones_like": lambda m: m.ones_like(m.arange(3), dtype=m.float32),
    "full_like": lambda m: m.full_like(m.arange(3), 5),
    "nonzero": lambda m: m.nonzero(m.tensor([[0, 1], [2, 0]])),
    "where": lambda m: m.where(m.tensor([[False, True], [True, False]]))[1],
}


@pytest.mark.parametrize("name", CREATED)
def test_creation(name):
    assert_parity(CREATED[name](pyml), CREATED[name](torch))


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, np.inf, -np.inf, np.nan, 0.5]


@pytest.mark.parametrize("name", ["pow", "maximum", "minimum", "div", "mul", "add"])
def test_special_values(name):
    a, b = (g.reshape(-1) for g in np.meshgrid(SPECIAL, SPECIAL))
    y, first, _ = results(
        pyml, pyml.autograd.grad, lambda m, x, y: getattr(m, name)(x, y), [a, b], np.ones
    )
    ty, tfirst, _ = results(
        torch, torch.autograd.grad, lambda m, x, y: getattr(m, name)(x, y), [a, b], np.ones
    )
    for got, wanted in zip([y, *first], [ty, *tfirst], strict=True):
        assert_parity(got, wanted)


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "rsqrt", "abs", "sign", "reciprocal", "log1p", "expm1", "square"]
)
def test_special_values_of_one(name):
    values = np.array(SPECIAL)
    if name in ("abs", "sign"):
        values = values[~np.isnan(values)]  # the sign of NaN is 0 in torch, NaN here
    y, first, _ = results(
        pyml, pyml.autograd.grad, lambda m, x: getattr(m, name)(x), [values], np.ones
    )
    ty, tfirst, _ = results(
        torch, torch.autograd.grad, lambda m, x: getattr(m, name)(x), [values], np.ones
    )
    for got, wanted in zip([y, *first], [ty, *tfirst], strict=True):
        assert_parity(got, wanted)


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 1.5, 2, 3, -1, -0.5])
def test_power_of_special_values(exponent):
    values = np.array(SPECIAL)
    y, first, _ = results(pyml, pyml.autograd.grad, lambda m, x: x**exponent, [values], np.ones)
    ty, tfirst, _ = results(torch, torch.autograd.grad, lambda m, x: x**exponent, [values], np.ones)
    for got, wanted in zip([y, *first], [ty, *tfirst], strict=True):
        assert_parity(got, wanted)


@pytest.mark.parametrize(
    "row", [[np.inf, 1.0], [-np.inf, -np.inf], [-np.inf, 1.0], [np.nan, 1.0], [np.inf, np.inf]]
)
@pytest.mark.parametrize("name", ["logsumexp", "sum", "mean", "max", "amax", "argmax", "min"])
def test_reductions_of_special_values(name, row):
    x, tx = pyml.tensor([row]), torch.tensor([row])
    got, wanted = getattr(pyml, name)(x, 1), getattr(torch, name)(tx, 1)
    if name in ("max", "min"):
        assert_parity(got.indices, wanted.indices)
        got, wanted = got.values, wanted.values
    assert_parity(got, wanted)
