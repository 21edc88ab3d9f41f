"""Views that are changed in place, and views of what was changed, while gradients are recorded."""

import gc
import weakref

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops.cases import Case, positive, tests_of
from pyml.nn import functional as F


def leaf(*numbers):
    return pyml.tensor(numbers, dtype=pyml.float64, requires_grad=True)


# ---- values and derivatives ----------------------------------------------------------------------
# a view of (3, 4), and the same of an array


def strided(a, start, sizes, steps):
    steps = [step * a.itemsize for step in steps]
    return np.lib.stride_tricks.as_strided(a.reshape(-1)[start:], sizes, steps)


VIEWS = {
    "row": (lambda y: y[1], lambda a: a[1]),
    "column": (lambda y: y[:, 2], lambda a: a[:, 2]),
    "step": (lambda y: y[::2, 1:], lambda a: a[::2, 1:]),
    "element": (lambda y: y[1, 2], lambda a: a[1:2, 2:3]),
    "view": (lambda y: y.view(-1)[3:9], lambda a: a.reshape(-1)[3:9]),
    "reshape": (lambda y: y.reshape(2, 6)[1], lambda a: a.reshape(2, 6)[1]),
    "transpose": (lambda y: y.T[1:3], lambda a: a.T[1:3]),
    "unsqueeze": (lambda y: y.unsqueeze(1)[1:], lambda a: a[1:]),
    "squeeze": (lambda y: y[:1].squeeze(0), lambda a: a[:1]),
    "narrow": (lambda y: y.narrow(1, 1, 2), lambda a: a[:, 1:3]),
    "part of a part": (lambda y: y[1:][0][:2], lambda a: a[1:][0][:2]),
    "all": (lambda y: y[...], lambda a: a),
    "none": (lambda y: y[3:], lambda a: a[3:]),
    "diagonal": (lambda y: y.diagonal(1), lambda a: strided(a, 1, (3,), (5,))),
    "diagonal below": (lambda y: y.diagonal(-1, 1, 0), lambda a: strided(a, 1, (3,), (5,))),
    "unfold": (lambda y: y.unfold(1, 2, 2), lambda a: a.reshape(3, 2, 2)),
    "unfold of a part": (lambda y: y[1:].unfold(0, 1, 2), lambda a: a[1:2]),
    "as_strided": (
        lambda y: y.as_strided((2, 3), (5, 1), 2),
        lambda a: strided(a, 2, (2, 3), (5, 1)),
    ),
    "as_strided of a part": (
        lambda y: y[:, 1:].as_strided((2, 2), (1, 4)),
        lambda a: strided(a, 1, (2, 2), (1, 4)),
    ),
}
WRITES = {
    "add_": (lambda v, b: v.add_(b.sum()), lambda a, b: a + b.sum()),
    "mul_": (lambda v, b: v.mul_(b.sum()), lambda a, b: a * b.sum()),
    "copy_": (lambda v, b: v.copy_(b.sum()), lambda a, b: 0 * a + b.sum()),
    "fill_": (lambda v, b: v.fill_(2), lambda a, b: 0 * a + 2),
    "exp_": (lambda v, b: v.exp_(), lambda a, b: np.exp(a)),
    "clamp_": (lambda v, b: v.clamp_(0.8, 1.3), lambda a, b: np.clip(a, 0.8, 1.3)),
    "relu_": (lambda v, b: v.sub_(1.2).relu_(), lambda a, b: np.maximum(a - 1.2, 0)),
}


def written(view, write):
    def function(x, b):
        y = x * 2
        before = y.T
        write[0](view[0](y), b)
        return y * before.T + x

    def reference(x, b):
        y = x * 2
        part = view[1](y)
        part[...] = write[1](part, b)
        return y * y + x

    return function, reference


CASES = [
    Case(f"{name} of a view: {view}", *written(VIEWS[view], WRITES[name]), ((3, 4), (2,)), positive)
    for view in VIEWS
    for name in WRITES
    if name == "mul_" or view in ("column", "part of a part")
] + [
    Case(
        "views that look at elements more than once",
        lambda x: x.unfold(0, 2, 1) * (x * 1).as_strided((2, 4, 2), (0, 1, 1), 3),
        lambda a: (
            np.lib.stride_tricks.sliding_window_view(a, 2, 0)
            * strided(a.copy(), 3, (2, 4, 2), (0, 1, 1))
        ),
        ((3, 4),),
    ),
]


def plain(x, w):
    """A tensor that required no grad until a part of it was changed."""
    y = x.detach() * 1
    view = y.T[1]
    y[:, 0] += w[:, 1] * x[:, 0]
    y[..., -1] *= w[..., 0]
    return y * w + view.sum()


def plain_of_arrays(x, w):
    y = x.copy()
    y[:, 0] += w[:, 1] * x[:, 0]
    y[..., -1] *= w[..., 0]
    return y * w + y[:, 1].sum()


def transposed(x):
    """The base is not contiguous, and one of its views repeats memory."""
    y = pyml.from_numpy(np.zeros((4, 6)).T[::2])
    repeated = y[:, :1].expand(3, 4)
    y[:2] += x[:2]
    y[1:].mul_(x[1:])
    return repeated * x * y


def transposed_of_arrays(x):
    y = np.zeros((3, 4))
    y[:2] += x[:2]
    y[1:] *= x[1:]
    return y[:, :1] * x * y


test_values, test_layouts, test_gradients = tests_of(CASES)


def test_a_plain_tensor_that_is_written_into_requires_grad():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    tensors = pyml.tensor(x), pyml.tensor(w, requires_grad=True)
    np.testing.assert_allclose(plain(*tensors).detach().numpy(), plain_of_arrays(x, w), rtol=1e-14)
    assert pyml.autograd.gradcheck(lambda w: plain(tensors[0], w), tensors[1])
    assert pyml.autograd.gradgradcheck(lambda w: plain(tensors[0], w), tensors[1])


def test_a_base_that_is_not_contiguous():
    x = np.random.default_rng(0).standard_normal((3, 4))
    t = pyml.tensor(x, requires_grad=True)
    np.testing.assert_allclose(transposed(t).detach().numpy(), transposed_of_arrays(x), rtol=1e-14)
    assert pyml.autograd.gradcheck(transposed, t)
    assert pyml.autograd.gradgradcheck(transposed, t)


# ---- what is what --------------------------------------------------------------------------------


def test_the_base_of_a_view():
    y = leaf(1, 2) * 1
    assert y[0]._base is y and y.view(2, 1)[:1]._base is y and y._base is None
    assert (y * 1)._base is None and y.detach()._base is None


def test_a_changed_view_leads_to_its_base():
    y = leaf(1, 2) * 3
    view = y[:1]
    view.mul_(2)
    assert type(y.grad_fn).__name__ == "CopySlices"
    assert view.grad_fn.name().startswith("AsStrided")
    (dy,) = pyml.autograd.grad(view.sum(), y)
    assert dy.tolist() == [1, 0]
    view.retain_grad()
    y.sum().backward()
    assert view.grad is None  # the sum is of the base


def test_views_made_before_follow():
    x = leaf(1, 2, 3)
    y = x * 1
    tail, middle = y[1:], y[1]
    y[1:].mul_(10)
    y.add_(1)
    middle.mul_(2)
    assert y.tolist() == [2, 42, 31] and tail.tolist() == [42, 31] and middle.item() == 42
    for t, wanted in ((tail.sum(), [0, 20, 10]), (middle, [0, 20, 0]), (y.sum(), [1, 20, 10])):
        (dx,) = pyml.autograd.grad(t, x, retain_graph=True)
        assert dx.tolist() == wanted


def test_views_that_look_at_elements_more_than_once_follow():
    x = leaf(1, 2, 3)
    y = x * 1
    pairs, twice = y.unfold(0, 2, 1), y.as_strided((2, 2), (0, 1), 1)
    y[1:].mul_(10)
    assert pairs.tolist() == [[1, 20], [20, 30]] and twice.tolist() == [[20, 30]] * 2
    for view, wanted in ((pairs, [1, 20, 10]), (twice, [0, 20, 20])):
        (dx,) = pyml.autograd.grad(view.sum(), x, retain_graph=True)
        assert dx.tolist() == wanted
    for view in (pairs, twice, x.detach().unfold(0, 2, 1)):
        with pytest.raises(ValueError, match=r"share memory|read-only"):
            view.add_(1)


def test_where_strided_views_lie():
    x = pyml.arange(12).view(3, 4)
    part = x[1:, 1:]
    assert part.storage_offset() == 5
    assert part.as_strided((2, 2), (1, 2)).tolist() == [[5, 7], [6, 8]]
    assert part.as_strided((2, 2), (1, 2), 6).tolist() == [[6, 8], [7, 9]]
    assert part.unfold(1, 2, 1).storage_offset() == 5 and part.diagonal(1).storage_offset() == 6
    assert part.T.as_strided((7,), (1,)).tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert part.as_strided((0, 3), (100, 100), 50).shape == (0, 3)
    for size, stride, start in (((8,), (1,), None), ((1,), (1,), 4), ((2,), (7,), 5)):
        with pytest.raises(ValueError, match="whose elements lie from 5 to 11"):
            part.as_strided(size, stride, start)
    with pytest.raises(ValueError, match="must go together"):
        part.as_strided((2,), (1, 1))
    assert pyml.as_strided_(x, (2, 2), (4, 1), 1) is x and x.tolist() == [[1, 2], [5, 6]]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf(1, 2).as_strided_((1,), (1,))
    memory = pyml.from_numpy(np.frombuffer(b"abc", np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        memory.unfold(0, 2, 2).fill_(0)


def test_iteration():
    x = leaf(1, 2)
    y = x * 1
    for i in range(2):
        y[i] += i
        y[i] *= 3
    y.sum().backward()
    assert y.tolist() == [3, 9] and x.grad.tolist() == [3, 3]


def test_views_of_a_plain_tensor_require_grad_with_it():
    x = pyml.zeros(3, 2)
    row, repeated, other = x[0], x[:1].expand(3, 2), pyml.zeros(3, 2)[0]
    twice = row[1:]
    w = pyml.ones(2, requires_grad=True)
    gone = x[1]
    del gone
    x[0].add_(w)
    for t in (x, row, repeated, twice):
        assert t.requires_grad and not t.is_leaf
    assert not other.requires_grad
    (repeated.sum() + twice.sum() + row.sum()).backward()
    assert w.grad.tolist() == [4, 5]


def test_nothing_is_kept_alive():
    gc.disable()
    try:
        y = leaf(1, 2) * 2
        view = y[0]
        view.mul_(3)
        gone = [weakref.ref(y), weakref.ref(view)]
        del y
        assert gone[0]() is not None  # by its view
        del view
        assert [r() for r in gone] == [None, None]
    finally:
        gc.enable()


def test_garbage_with_views_is_collected():
    held = []
    for _ in range(3):
        x = pyml.zeros(4)
        holder = [x, x[1:], x[2:], pyml.nn.Identity()]
        holder.append(holder)
        t = pyml.nn.Parameter(pyml.zeros(2))
        t.view_of_itself, t.others, t.held = t[1:], [t[:1], t], pyml.nn.Identity()
        held += [weakref.ref(holder[3]), weakref.ref(t.held)]
        del x, holder, t
    gc.collect()
    assert [ref() for ref in held] == [None] * 6


# ---- what is refused -----------------------------------------------------------------------------


def test_views_made_before_their_base_requires_grad_are_refused():
    for change in (
        lambda v: v.add_(1),
        lambda v: v.__setitem__(0, 1.0),
        lambda v: v.copy_(pyml.ones(2)),
        lambda v: F.relu(v, inplace=True),
        lambda v: pyml.add(v, 1, out=v),
        lambda v: v[:1].mul_(2),
    ):
        x = pyml.zeros(2, 2)
        v = x[0]
        x.requires_grad_()
        with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
            change(v)
        with pyml.no_grad():
            change(v)
        x.detach()[0].fill_(3)
        assert x.tolist() == [[3, 3], [0, 0]]


def test_views_of_leaves_are_refused():
    x = leaf(1, 2)
    for change in (
        lambda: x[0].add_(1),
        lambda: x.view(2, 1)[0].fill_(0),
        lambda: x[:1].copy_(x[1:]),
        lambda: x[:1].exp_(),
        lambda: x[1:].__setitem__(0, 5.0),
        lambda: x.reshape(2, 1).uniform_(),
    ):
        with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
            change()
    assert x.tolist() == [1, 2] and x._version == 0
    own = pyml.zeros(2)[:1].requires_grad_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        own.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        own[0].add_(1)
    assert own.tolist() == [0]


def test_views_made_without_a_graph_are_refused():
    y = leaf(1, 2) * 1
    with pyml.no_grad():
        view = y[:1]
        again = view[:1]
    for t in (view, again, again[0]):
        with pytest.raises(RuntimeError, match="created in no_grad mode"):
            t.add_(leaf(1)[0])
    assert y.tolist() == [1, 2]


def test_what_repeats_memory_is_refused():
    y = leaf(1, 2) * 1
    with pytest.raises(ValueError, match="read-only memory"):
        y.expand(3, 2).add_(1)


def test_a_base_of_another_kind_of_memory_is_refused():
    windows = np.lib.stride_tricks.sliding_window_view(np.zeros(4), 3, writeable=True)
    field = np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])["a"]
    for array, message in (
        (windows, "elements of its base share memory"),
        (field, "do not lie at multiples of their size"),
    ):
        with pytest.raises(RuntimeError, match=message):
            pyml.from_numpy(array)[:1].mul_(leaf(2)[0])
        assert not array.any()


def test_values_that_backward_needs_are_refused():
    for use in (lambda y: y * y, lambda y: y[:1] * y[:1], lambda y: y.T.reshape(1, 2).exp()):
        y = leaf(1, 2) * 1
        z = use(y)
        (z if z.ndim == 2 else y)[:1].add_(1)
        with pytest.raises(RuntimeError, match="changed in place"):
            z.sum().backward()


def test_a_base_with_other_memory_is_refused():
    y = leaf(1, 2) * 1
    view = y[:1]
    y.data = pyml.ones(2, dtype=pyml.float64)
    with pytest.raises(RuntimeError, match="other memory"):
        view.add_(1)


def test_a_change_that_raised_leaves_the_base_alone():
    y = leaf(1, 2) * 1
    node = y.grad_fn
    with pytest.raises(ValueError, match="shape"):
        y[:1].add_(pyml.ones(3, 2, dtype=pyml.float64))
    with pytest.raises((ValueError, IndexError)):
        y[:1][0:1] = pyml.ones(3, dtype=pyml.float64)
    assert y.grad_fn is node and y._version == 0


# ---- recorded steps ------------------------------------------------------------------------------

STEPS = {
    "column": lambda h, v: h[:, 0].add_(v),
    "iadd": lambda h, v: h.__setitem__((..., -1), h[..., -1].mul_(v)),
    "row": lambda h, v: h[0].mul_(2),
    "clamp": lambda h, v: h[:, 1].clamp_(-0.5, 0.5),
    "view": lambda h, v: h.view(-1)[2:7].sub_(v),
    "transpose": lambda h, v: h.T[1:].relu_(),
    "unfold": lambda h, v: h.unfold(1, 2, 2)[..., 0].mul_(v),
    "diagonal": lambda h, v: h.diagonal().add_(h.unfold(1, 3, 1).sum()),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "plain"])
def test_recorded(name, tracked):
    rng = np.random.default_rng(0)
    w = pyml.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    v = pyml.tensor(0.7, dtype=pyml.float64, requires_grad=True)

    def step(x):
        w.grad = v.grad = None
        h = x @ w if tracked else x @ w.detach()
        before = h[1:]
        STEPS[name](h, v)
        loss = (h * h).sum() + before.sum() + (w * v).sum()
        loss.backward()
        return loss

    play = pyml.record(step)
    for _ in range(6):
        x = pyml.tensor(rng.standard_normal((2, 3)))
        wanted = [step(x).detach().numpy(), w.grad.numpy().copy(), v.grad.numpy().copy()]
        got = [play(x).numpy(), w.grad.numpy(), v.grad.numpy()]
        for a, b in zip(got, wanted, strict=True):
            assert_same_bits(a, b)


# ---- another shape, in place ---------------------------------------------------------------------

SHAPES = {  # of (2, 3)
    "t_": (),
    "transpose_": (0, 1),
    "swapaxes_": (0, 1),
    "swapdims_": (0, 1),
    "unsqueeze_": (1,),
    "squeeze_": (),
    "as_strided_": ((3, 2), (1, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_another_shape_in_place_is_a_step_of_the_graph(name):
    x = pyml.arange(6.0).view(2, 3).requires_grad_()
    y = x * 2
    assert getattr(y, name)(*SHAPES[name]) is y
    wanted = getattr(x * 2, name[:-1])(*SHAPES[name])
    assert y.shape == wanted.shape and y.tolist() == wanted.tolist()
    weight = pyml.arange(6.0).view(y.shape)
    slopes = [pyml.autograd.grad((each * weight).sum(), x)[0].tolist() for each in (y, wanted)]
    assert slopes[0] == slopes[1]


@pytest.mark.parametrize("name", SHAPES)
def test_a_view_of_another_shape_is_still_one_of_its_base(name):
    base, scale = pyml.ones(2, 3), leaf(3.0)
    view = base.view_as(base)
    getattr(view, name)(*SHAPES[name])
    assert view._base is base
    view.mul_(scale)
    base.sum().backward()
    assert scale.grad.item() == 6


VIEWS = {  # of six numbers; most have elements that share memory
    "expand": lambda x: x.expand(2, 6),
    "unfold": lambda x: x.unfold(0, 3, 1),
    "as_strided": lambda x: x.as_strided((2, 4), (1, 1)),
    "slice": lambda x: x[1:5].view(2, 2),
}


@pytest.mark.parametrize("name", ["t_", "unsqueeze_"])
@pytest.mark.parametrize("kind", VIEWS)
def test_another_shape_of_a_view_changes_no_gradient(kind, name):
    x = pyml.arange(6.0).requires_grad_()
    base, other = x * 1, x * 1
    view, wanted, made_by = VIEWS[kind](base), VIEWS[kind](other), base.grad_fn
    for _ in range(3):
        getattr(view, name)(*SHAPES[name][:1])
        wanted = getattr(wanted, name[:-1])(*SHAPES[name][:1])
    assert base.grad_fn is made_by
    losses = [(y * pyml.arange(float(y.numel())).view(y.shape)).sum() for y in (view, wanted)]
    slopes = [pyml.autograd.grad(loss, x, retain_graph=True)[0].tolist() for loss in losses]
    assert slopes[0] == slopes[1]
    assert pyml.autograd.grad((base * 2).sum(), x)[0].tolist() == [2] * 6


def test_another_shape_in_place_is_not_recorded():
    @pyml.record
    def step(x):
        y = x * 2
        return y.t_()

    with pytest.raises(pyml.RecordError, match=r"record: t_ \(use t\(\)\) at "):
        step(pyml.ones(2, 3))


def test_views_follow_a_base_of_another_shape():
    x = leaf([1, 2, 3], [4, 5, 6])
    base = x * 1
    row = base[1]
    row.mul_(2)
    base.t_()
    base[0].mul_(10)
    assert row.tolist() == [80, 10, 12]
    (dx,) = pyml.autograd.grad(row.sum(), x, retain_graph=True)
    assert dx.tolist() == [[0, 0, 0], [20, 2, 2]]
    (dx,) = pyml.autograd.grad(base.sum(), x)
    assert dx.tolist() == [[10, 1, 1], [20, 2, 2]]


def test_another_shape_in_no_grad_mode():
    x = leaf([1, 2, 3], [4, 5, 6])
    y = x * 1
    with pyml.no_grad():
        assert x.t_().shape == (3, 2) and x.is_leaf and x.requires_grad
        with pytest.raises(RuntimeError, match=r"t_: in no_grad mode.*use t\(\)"):
            y.t_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.t_()
