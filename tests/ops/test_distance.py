"""normalize, cosine_similarity, pairwise_distance; bilinear."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of
from pyml.nn import functional as F


def norms(x, p, axis):
    if p == np.inf:
        return np.abs(x).max(axis, keepdims=True)
    return (np.abs(x) ** p).sum(axis, keepdims=True) ** (1 / p)


def normalize(p, dim, eps):
    return lambda x: x / np.maximum(norms(x, p, dim), eps)


def cosine(dim, eps):
    def reference(a, b):
        a, b = np.broadcast_arrays(a, b)
        a, b = (x / np.maximum(norms(x, 2, dim), eps) for x in (a, b))
        return (a * b).sum(dim)

    return reference


def distance(p, eps, keepdim=False):
    def reference(a, b):
        y = norms(a - b + eps, p, -1)
        return y if keepdim else y[..., 0]

    return reference


def case(name, function, reference, *shapes):
    return Case(name, function, reference, shapes, eps=tolerances.product(8) + tolerances.MATH)


CASES = [
    case("normalize", lambda x: F.normalize(x), normalize(2, 1, 0), (3, 4)),
    *[
        case(
            f"normalize {p} {dim} {eps}",
            lambda x, p=p, d=dim, e=eps: F.normalize(x, p=p, dim=d, eps=e),
            normalize(p, dim, eps),
            (3, 4),
        )
        for p, dim, eps in [(1.0, 0, 1e-12), (3.0, -1, 1e-12), (np.inf, 1, 1e-12), (2.0, 0, 9.0)]
    ],
    case(
        "cosine_similarity",
        lambda a, b: F.cosine_similarity(a, b),
        cosine(1, 0),
        *((3, 4), (3, 4)),
    ),
    case(
        "cosine_similarity broadcast",
        lambda a, b: pyml.cosine_similarity(a, b, dim=0, eps=1e-3),
        cosine(0, 1e-3),
        *((3, 4, 2), (4, 1)),
    ),
    case(
        "cosine_similarity below eps",
        lambda a, b: F.cosine_similarity(a, b, -1, 50.0),
        cosine(-1, 50.0),
        *((3, 4), (3, 4)),
    ),
    *[
        case(
            f"pairwise_distance {p} {eps} {keepdim}",
            lambda a, b, p=p, e=eps, k=keepdim: F.pairwise_distance(a, b, p, e, k),
            distance(p, eps, keepdim),
            *shapes,
        )
        for p, eps, keepdim, shapes in [
            (2.0, 1e-6, False, ((3, 4), (3, 4))),
            (1.0, 0.5, True, ((3, 4), (1, 4))),
            (3.0, 1e-6, False, ((4,), (4,))),
            (np.inf, 1e-6, False, ((3, 4), (3, 4))),
        ]
    ],
    case(
        "bilinear",
        lambda a, b, w: F.bilinear(a, b, w),
        lambda a, b, w: np.einsum("ni,kij,nj->nk", a, w, b),
        *((2, 3), (2, 2), (2, 3, 2)),
    ),
    case(
        "bilinear bias",
        lambda a, b, w, bias: F.bilinear(a, b, w, bias),
        lambda a, b, w, bias: np.einsum("...i,kij,...j->...k", a, w, b) + bias,
        *((2, 2, 3), (2, 2, 2), (2, 3, 2), (2,)),
    ),
    case(
        "bilinear of vectors",
        lambda a, b, w: F.bilinear(a, b, w),
        lambda a, b, w: np.einsum("i,kij,j->k", a, w, b),
        *((4,), (2,), (5, 4, 2)),
    ),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


def test_a_vector_of_zeros():
    """Has no direction: the result is zero, and so is its gradient by eps."""
    x = pyml.zeros(1, 3, requires_grad=True)
    for y in (F.normalize(x), F.cosine_similarity(x, pyml.ones(1, 3))):
        assert y.abs().sum().item() == 0
        assert pyml.autograd.grad(y.sum(), x)[0].isfinite().all().item()
    d = F.pairwise_distance(x, x.detach())
    np.testing.assert_allclose(d.item(), 3**0.5 * 1e-6, rtol=1e-5)


def test_normalize_into_out():
    x, out = pyml.tensor([[3.0, 4.0]]), pyml.zeros(1, 2)
    assert F.normalize(x, out=out) is out
    np.testing.assert_allclose(out.numpy(), [[0.6, 0.8]], rtol=1e-6)
    with pytest.raises(RuntimeError, match="out takes no gradient"):
        F.normalize(x.requires_grad_(), out=out)
    with pytest.raises(ValueError, match="out has shape"):
        F.normalize(x.detach(), out=pyml.zeros(2))


X = pyml.ones(3, 4)


@pytest.mark.parametrize("distance", [F.cosine_similarity, F.pairwise_distance])
def test_dtypes_are_computed_together(distance):
    a, b = pyml.tensor([[1, 2, 3]], dtype=pyml.int8), pyml.tensor([[0.5, -2.0, 1.0]])
    for x1, x2, dtype in [
        (a, b, "float32"),
        (b, a, "float32"),
        (b, a.double(), "float64"),
        (b[0, 0], b.double(), "float64"),
        (b[0, 0].double(), b, "float32"),
    ]:
        y, together = distance(x1, x2), distance(x1.to(dtype), x2.to(dtype))
        assert y.dtype == dtype
        assert_same_bits(y.numpy(), together.numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.normalize(X.long()), TypeError, "normalize: input has dtype int64"),
        (lambda: F.normalize(X, dim=2), IndexError, "dim is 2"),
        (lambda: F.cosine_similarity(X.long(), X.long()), TypeError, "x1 has dtype int64"),
        (lambda: F.cosine_similarity(X, pyml.ones(3, 5)), ValueError, "cosine_similarity"),
        (lambda: F.cosine_similarity(X, X, 2), IndexError, "cosine_similarity: dim is 2"),
        (lambda: F.pairwise_distance(X, 1.0), TypeError, "pairwise_distance: x2"),
        (lambda: F.pairwise_distance(X, pyml.ones(3, 5)), ValueError, "pairwise_distance"),
        (lambda: F.bilinear(X, X, pyml.ones(2, 4)), ValueError, "bilinear: weight has shape"),
        (lambda: F.bilinear(X, X, pyml.ones(2, 4, 3)), ValueError, "input2 has shape"),
        (lambda: F.bilinear(X, X[:2], pyml.ones(2, 4, 4)), ValueError, "must be the same"),
        (lambda: F.bilinear(X, X, pyml.ones(2, 4, 4), X), ValueError, "bias has shape"),
        (lambda: F.bilinear(X, X.double(), pyml.ones(2, 4, 4)), TypeError, "input2 has dtype"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_distances_of_integers():
    a, b, c = (pyml.tensor([[1, 2], numbers]) for numbers in ([3, 4], [3, 6], [0, 4]))
    real = [x.float() for x in (a, b, c)]
    assert F.pairwise_distance(a, b).tolist() == F.pairwise_distance(*real[:2]).tolist()
    assert F.pairwise_distance(a, real[1], 1).dtype == pyml.float32
    losses = [F.triplet_margin_loss(*each).item() for each in ((a, b, c), real)]
    assert losses[0] == losses[1]
    losses = [F.poisson_nll_loss(*each).item() for each in ((a, b), real[:2])]
    assert losses[0] == losses[1]
