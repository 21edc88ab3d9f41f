"""vmap: against a loop, and what is refused; torch is in tests/parity."""

import importlib
import inspect
import threading

import numpy as np
import pytest

import pyml
from pyml import autograd, func, nn, ops
from pyml.func import batched
from pyml.nn import functional as F
from pyml.ops.methods import METHODS
from pyml.pytree import tree_leaves

X = pyml.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_dimensions():
    got = func.vmap(lambda x: x.cumsum(0), in_dims=1, out_dims=1)(X)
    np.testing.assert_array_equal(got.numpy(), X.cumsum(0).numpy())
    a, b = func.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(X)
    np.testing.assert_array_equal(a.numpy(), X.numpy().T)
    np.testing.assert_array_equal(b.numpy(), [6, 15])


def test_chunks():
    x = pyml.randn(7, 4)
    whole = func.vmap(lambda x: (x.sin(), x.sum()), in_dims=1, out_dims=(1, 0))(x.T)
    parts = func.vmap(lambda x: (x.sin(), x.sum()), 1, (1, 0), chunk_size=3)(x.T)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_gradients_of_each_sample():
    w = pyml.tensor([0.5, -1.0, 2.0])
    rows = func.vmap(func.grad(lambda w, x: (w * x).sum() ** 2), in_dims=(None, 0))(w, X)
    wanted = 2 * (X @ w).numpy()[:, None] * X.numpy()
    np.testing.assert_allclose(rows.numpy(), wanted)


def test_randomness():
    def noisy(x):
        return F.dropout(pyml.ones(100), 0.5)

    with pytest.raises(RuntimeError, match="vmap: func drew random numbers"):
        func.vmap(noisy)(X)
    a, b = func.vmap(noisy, randomness="different")(X)
    assert not pyml.equal(a, b)
    a, b = func.vmap(noisy, randomness="same")(X)
    assert pyml.equal(a, b)


def test_randomness_inside():
    def noisy(x, y):
        return x * F.dropout(pyml.ones(50), 0.5) * F.dropout(y * pyml.ones(50), 0.5)

    inner = func.vmap(noisy, (None, 0), randomness="same")
    y = func.vmap(inner, randomness="different")(X[:, :1], X[:, :2])
    assert pyml.equal(y[0, 0] != 0, y[0, 1] != 0) and not pyml.equal(y[0, 0] != 0, y[1, 0] != 0)
    with pytest.raises(RuntimeError, match="into a tensor that all indices share"):
        func.vmap(lambda x: x * pyml.empty(3).uniform_(), randomness="different")(X)
    with pytest.raises(RuntimeError, match="vmap: func drew random numbers"):
        func.vmap(lambda x: x * pyml.empty(3).uniform_())(X)


# ---- all samples at once -------------------------------------------------------------------------


@pytest.fixture
def no_loops(monkeypatch):
    """An operation that would run once for each sample is an error."""

    def refuse(level, call, args, kwargs):
        raise AssertionError(f"{call.__name__} ran sample by sample")

    monkeypatch.setattr(batched, "one_by_one", refuse)


def networks(count=4, *, norm=False):
    pyml.manual_seed(0)

    def network():
        middle = (nn.BatchNorm1d(8), nn.GELU(), nn.LayerNorm(8)) if norm else (nn.Tanh(),)
        return nn.Sequential(nn.Linear(3, 8), *middle, nn.Linear(8, 2)).double().eval()

    return [network() for _ in range(count)]


@pytest.mark.parametrize("norm", [False, True])
def test_an_ensemble(no_loops, norm):
    """PyTorch's tutorial on ensembles of models, and gradients."""
    models, x = networks(norm=norm), pyml.randn(5, 3, dtype=pyml.float64)
    state = func.stack_module_state(models)

    def call(params, buffers, x):
        return func.functional_call(models[0], (params, buffers), (x,))

    y = func.vmap(call, in_dims=(0, 0, None))(*state, x)
    np.testing.assert_allclose(
        y.detach().numpy(), pyml.stack([model(x) for model in models]).detach().numpy(), 1e-12
    )
    own = pyml.randn(4, 5, 3, dtype=pyml.float64)
    loss = func.vmap(call)(*state, own).square().sum()
    loss.backward()
    for i, model in enumerate(models):
        model(own[i]).square().sum().backward()
        for name, p in model.named_parameters():
            np.testing.assert_allclose(
                state[0][name].grad[i].numpy(), p.grad.numpy(), 1e-10, 1e-12, err_msg=name
            )


def drawn(*shape):
    return pyml.tensor(np.random.default_rng(0).standard_normal(shape))


X4, Y4, POSITIVE = drawn(4, 5, 3), drawn(4, 5, 3).flip(1), drawn(4, 5, 3).exp()
LABELS = pyml.tensor(np.random.default_rng(1).integers(0, 3, (4, 5)))
CLASSES, WEIGHT = drawn(3).exp(), drawn(5, 3).exp()
IN_ONE = {  # calls of one sample that take all, by rules, and what is mapped
    "prelu": (lambda x: F.prelu(x, CLASSES), X4),
    "prelu of one weight": (lambda x: F.prelu(x, CLASSES[:1]), X4),
    "prelu by weights": (F.prelu, X4, drawn(4, 3)),
    "prelu by one weight each": (F.prelu, X4, drawn(4)),
    "prelu of one input": (lambda w: F.prelu(X4[0], w), drawn(4, 3)),
    "kl_div": (lambda x, y: F.kl_div(x, y, reduction="batchmean"), X4, POSITIVE),
    "kl_div of logarithms": (lambda x, y: F.kl_div(x, y, log_target=True, reduction="sum"), X4, Y4),
    "poisson_nll_loss": (F.poisson_nll_loss, X4, POSITIVE),
    "gaussian_nll_loss": (F.gaussian_nll_loss, X4, Y4, POSITIVE),
    "margin_ranking_loss": (lambda x, y: F.margin_ranking_loss(x, y, Y4[0].sign()), X4, Y4),
    "hinge_embedding_loss": (lambda x, y: F.hinge_embedding_loss(x, y.sign(), 0.5), X4, Y4),
    "mse_loss": (lambda x, y, w: F.mse_loss(x, y, weight=w), X4, Y4, POSITIVE),
    "mse_loss, one weight": (lambda x, y: F.mse_loss(x, y, weight=WEIGHT), X4, Y4),
    "huber_loss": (lambda x, y, w: F.huber_loss(x, y, weight=w), X4, Y4, POSITIVE),
    **{
        f"{f.__name__}, {reduction}": (
            lambda x, y, f=f, r=reduction: f(x, y, CLASSES, reduction=r),
            X4,
            LABELS,
        )
        for f in (F.cross_entropy, F.nll_loss)
        for reduction in ("mean", "sum", "none")
    },
    "smooth labels": (
        lambda x, y: F.cross_entropy(x, y, CLASSES, ignore_index=1, label_smoothing=0.2), X4, LABELS
    ),
    "labels that are ignored": (lambda x, y: F.nll_loss(x, y, CLASSES, ignore_index=9), X4,
        pyml.where(LABELS == 2, 9, LABELS)),
    "probabilities": (lambda x, y: F.cross_entropy(x, y.softmax(1), CLASSES), X4, Y4),
    "classes of places": (lambda x, y: F.cross_entropy(x.T.unsqueeze(0), y.unsqueeze(0)), X4,
        LABELS),
    "a row": (lambda x, y: F.cross_entropy(x[0], y[0], CLASSES), X4, LABELS),
    "batch_norm": (lambda x: F.batch_norm(x, CLASSES, CLASSES, WEIGHT[0], WEIGHT[1]), X4),
    "batch_norm by each": (F.batch_norm, X4, drawn(4, 3), drawn(4, 3).exp(), drawn(4, 3)),
    "batch_norm, other options": (
        lambda x, m: F.batch_norm(x.unsqueeze(2), m, CLASSES, None, m, eps=0.1), X4, drawn(4, 3)
    ),
    "batch_norm of batches": (lambda x, w: F.batch_norm(x, None, None, w, training=True), X4,
        drawn(4, 3)),
    "dropout of none": (lambda x: F.dropout(x, 0.0), X4),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_ONE)
def test_rules(no_loops, name):
    """Values and gradients of calls that need no loop."""
    function, *inputs = IN_ONE[name]
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    got = func.vmap(function, randomness="same")(*inputs)
    wanted = pyml.stack([function(*each) for each in zip(*inputs, strict=True)])
    sources = [x for x in inputs if x.requires_grad]
    gradients = [
        autograd.grad(y.square().sum(), sources, materialize_grads=True) for y in (got, wanted)
    ]
    for a, b in ((got, wanted), *zip(*gradients, strict=True)):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-12, 1e-14)


@pytest.mark.parametrize("momentum", [0.25, None])
def test_running_statistics_of_each(momentum, monkeypatch):
    """Training changes the statistics that each sample has of its own; the cumulative by a loop."""
    loops, loop = [], batched.one_by_one
    monkeypatch.setattr(batched, "one_by_one", lambda *args: loops.append(1) or loop(*args))
    norms = [nn.BatchNorm1d(3, momentum=momentum).double() for _ in range(4)]
    params, buffers = func.stack_module_state(norms)

    def call(params, buffers, x):
        return func.functional_call(norms[0], (params, buffers), (x,))

    y = func.vmap(call)(params, buffers, X4)
    assert bool(loops) == (momentum is None)
    for i, norm in enumerate(norms):
        np.testing.assert_allclose(y[i].detach().numpy(), norm(X4[i]).detach().numpy(), 1e-12)
        for name, buffer in norm.named_buffers():
            np.testing.assert_allclose(buffers[name][i].numpy(), buffer.numpy(), 1e-12)


def test_dropout_of_all(no_loops):
    x = drawn(4, 1000).requires_grad_()
    masks = []
    for randomness in ("different", "same"):
        pyml.manual_seed(0)
        y = func.vmap(lambda x: F.dropout(x, 0.25), randomness=randomness)(x)
        kept = y != 0
        np.testing.assert_allclose(y[kept].detach().numpy(), x[kept].detach().numpy() / 0.75)
        assert 0.7 < kept.double().mean() < 0.8
        (dx,) = autograd.grad(y.sum(), x)
        np.testing.assert_allclose(dx.numpy(), kept.double().numpy() / 0.75)
        masks.append(kept)
    assert all(pyml.equal(row, masks[1][0]) for row in masks[1])
    assert not any(pyml.equal(row, masks[0][0]) for row in masks[0][1:])
    pyml.manual_seed(0)
    assert pyml.equal(F.dropout(x[0], 0.25) != 0, masks[1][0])
    inner = func.vmap(lambda x: F.dropout(x, 0.5), randomness="same")
    y = func.vmap(inner, randomness="different")(pyml.ones(2, 2, 50))
    assert pyml.equal(y[0, 0], y[0, 1]) and not pyml.equal(y[0, 0], y[1, 0])


@pytest.mark.parametrize("dropped", [F.alpha_dropout, F.feature_alpha_dropout, F.dropout1d])
def test_other_dropout_of_all(no_loops, dropped):
    """Elements or channels, of each sample its own."""
    y = func.vmap(lambda x: dropped(x, 0.25, True), randomness="different")(pyml.ones(5, 20, 30, 4))
    kept = y == y.max()
    assert 0.7 < kept.double().mean() < 0.8
    assert not any(pyml.equal(row, kept[0]) for row in kept[1:])
    whole = (kept == kept[..., :1]).all()
    assert whole == (dropped is not F.alpha_dropout)


SIGNS, PLACES = pyml.tensor([1, -1, 1, -1]), pyml.tensor([2, 0, 1, 1])
LOSSES_OF_ROWS = {
    "triplet_margin_loss": (lambda x: x * 2, lambda x: x - 1),
    "cosine_embedding_loss": (
        lambda x: x * x,
        lambda x: SIGNS[: len(x)] if x.ndim > 1 else SIGNS[0],
    ),
    "multi_margin_loss": (lambda x: PLACES[: len(x)] if x.ndim > 1 else PLACES[0],),
    "multilabel_margin_loss": (lambda x: pyml.tensor([1, -1, 0]).expand(x.shape),),
    "multilabel_soft_margin_loss": (lambda x: (x.detach() > 0).to(x.dtype),),
}


@pytest.mark.parametrize("name", LOSSES_OF_ROWS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(4, 3), (3,)])
def test_losses_of_rows_of_all(no_loops, name, reduction, shape):
    def function(x):
        others = [make(x) for make in LOSSES_OF_ROWS[name]]
        return getattr(F, name)(x, *others, reduction=reduction)

    x = drawn(5, *shape)
    got = func.vmap(function)(x)
    assert got.shape == (5, *(shape[:-1] if reduction == "none" else ()))
    for i in range(5):
        np.testing.assert_allclose(got[i].numpy(), function(x[i]).numpy(), 1e-12)


@pytest.mark.parametrize("options", [{}, {"dim": 0}, {"dim": -1, "eps": 2.0}])
def test_cosine_of_all(no_loops, options):
    x, t = drawn(5, 4, 3), drawn(5, 3)
    for in_dims, given in [((0, 0), (x, t)), ((0, None), (x, t[0])), ((None, 0), (x[0], t))]:
        got = func.vmap(lambda a, b: F.cosine_similarity(a, b, **options), in_dims)(*given)
        for i in range(5):
            a, b = (v if d is None else v[i] for d, v in zip(in_dims, given, strict=True))
            wanted = F.cosine_similarity(a, b, **options)
            np.testing.assert_allclose(got[i].numpy(), wanted.numpy(), 1e-12)


@pytest.mark.parametrize("options", [{}, {"p": 1.0, "keepdim": True}, {"eps": 0.5}])
def test_distance_of_all(no_loops, options):
    x, t = drawn(5, 4, 3), drawn(5, 3)
    got = func.vmap(lambda a, b: F.pairwise_distance(a, b, **options))(x, t)
    for i in range(5):
        wanted = F.pairwise_distance(x[i], t[i], **options)
        np.testing.assert_allclose(got[i].numpy(), wanted.numpy(), 1e-12)


def test_dropout_where_nothing_may_be_drawn():
    with pytest.raises(RuntimeError, match="vmap: func drew random numbers"):
        func.vmap(F.dropout)(X)


def test_kl_div_warns_once():
    with pytest.warns(UserWarning, match="kl_div: reduction 'mean'") as warned:
        func.vmap(F.kl_div)(X4, POSITIVE)
    assert len(warned) == 1


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss()])
def test_gradients_by_shared_parameters(no_loops, loss):
    """PyTorch's tutorial on gradients of each sample."""
    (model,) = networks(1)
    params = {name: p.detach() for name, p in model.named_parameters()}
    x = pyml.randn(6, 3, dtype=pyml.float64)
    classes = isinstance(loss, nn.CrossEntropyLoss)
    y = pyml.randint(0, 2, (6,)) if classes else pyml.rand(6, 2, dtype=pyml.float64)

    def of_one(params, x, y):
        output = func.functional_call(model, params, (x.unsqueeze(0),))
        return loss(output, y.unsqueeze(0))

    rows, values = func.vmap(func.grad_and_value(of_one), in_dims=(None, 0, 0))(params, x, y)
    for i in range(6):
        wanted = func.grad(of_one)(params, x[i], y[i])
        for name, row in rows.items():
            np.testing.assert_allclose(row[i].numpy(), wanted[name].numpy(), 1e-10, 1e-13)
    np.testing.assert_allclose(values.mean().item(), loss(model(x), y).item())


TRANSFORMS = {
    "grad": func.grad(lambda x, w: (x @ w).tanh().square().sum()),
    "jacrev": func.jacrev(lambda x, w: (x @ w).tanh()),
    "jacfwd by both": func.jacfwd(lambda x, w: (x @ w).softmax(0), argnums=(0, 1)),
    "hessian": func.hessian(lambda x, w: F.silu(x @ w).prod()),
    "grad of grad": func.grad(lambda x, w: func.grad(lambda w: (x @ w).exp().sum())(w).sum()),
    "vjp": lambda x, w: func.vjp(lambda x: (x @ w).sin(), x)[1](w[0]),
    "jvp": lambda x, w: func.jvp(lambda x: (x @ w).sin(), (x,), (x * w[:, 0],)),
    "linearize": lambda x, w: func.linearize(lambda x: (x @ w).sin(), x)[1](x),
    "vmap": lambda x, w: func.vmap(lambda a, b: (a * b).cumsum(0).max(), (None, 1))(x, w),
    "vmap of grad": func.vmap(func.grad(lambda a, b: (a * b).logsumexp(0)), (None, 1)),
    "autograd.grad": lambda x, w: autograd.grad((x @ w).sin().sum(), x, create_graph=True)[0],
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("dims", [(0, None), (0, 0), (None, 0)])
def test_transforms_inside(no_loops, name, dims):
    function, rng = TRANSFORMS[name], np.random.default_rng(0)
    x = pyml.tensor(rng.standard_normal((4, 3) if dims[0] == 0 else 3), requires_grad=True)
    w = pyml.tensor(rng.standard_normal((4, 3, 2) if dims[1] == 0 else (3, 2)))
    if name == "autograd.grad" and dims[0] is None:
        with pytest.raises(RuntimeError, match="a gradient by a tensor that all indices share"):
            func.vmap(function, dims)(x, w)
        return
    got = tree_leaves(func.vmap(function, dims)(x, w))
    rows = [
        tree_leaves(function(x if dims[0] is None else x[i], w if dims[1] is None else w[i]))
        for i in range(4)
    ]
    wanted = list(map(pyml.stack, zip(*rows, strict=True)))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-9, 1e-12)
    if got[0].requires_grad:
        np.testing.assert_allclose(
            autograd.grad(got[0].square().sum(), x)[0].numpy(),
            autograd.grad(wanted[0].square().sum(), x)[0].numpy(), 1e-9, 1e-12,
        )  # fmt: skip


def test_around_and_beside():
    """Gradients of what calls vmap; a captured tensor; another thread meanwhile."""
    w = pyml.tensor([1.0, 2.0, 3.0], requires_grad=True)
    func.vmap(lambda x: (x * w).sum())(X).sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), X.numpy().sum(0))
    slope = func.grad(lambda w: func.vmap(lambda x: (x * w).sum() ** 2)(X).sum())(w.detach())
    np.testing.assert_allclose(slope.numpy(), (2 * X.T @ (X @ w.detach())).numpy())

    def other(x):
        found = []
        thread = threading.Thread(target=lambda: found.append(pyml.sin(X).sum().item()))
        thread.start()
        thread.join()
        return x * found[0]

    np.testing.assert_allclose(func.vmap(other)(X).numpy(), (X * pyml.sin(X).sum()).numpy())


class Cube(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * dy


def test_functions_of_ones_own():
    got = func.vmap(func.grad(lambda x: Cube.apply(x).sum()))(X)
    np.testing.assert_allclose(got.numpy(), 3 * X.numpy() ** 2)


def test_changes_in_place():
    def changed(x):
        y = x * 1
        y[0] = y[1] * 2
        y += x
        y.mul_(x[2])
        return F.relu(y, inplace=True) + y

    got, wanted = func.vmap(changed)(X), pyml.stack(list(map(changed, X)))
    np.testing.assert_array_equal(got.numpy(), wanted.numpy())


def test_what_is_the_same_for_all_is_known():
    assert func.vmap(lambda x: x if x.sum() > 0 else -x)(X).shape == X.shape
    with pytest.raises(RuntimeError, match="a different value for each index"):
        func.vmap(lambda x: x if x.sum() > 8 else -x)(X)
    with pytest.raises(RuntimeError, match="a different value for each index"):
        func.vmap(lambda x: x * x[0].item())(X)
    with pytest.raises(RuntimeError, match="results of different shapes"):
        func.vmap(lambda x: x[x > 2])(X)
    with pytest.raises(RuntimeError, match=r"vmap: numpy of a tensor that stands for all"):
        func.vmap(lambda x: x.numpy())(X)
    with pytest.raises(RuntimeError, match=r"vmap: backward\(\) inside|vmap: backward of"):
        func.vmap(lambda x: x.requires_grad_().sum().backward())(X)
    with pytest.raises(ValueError, match="with out="):
        func.vmap(lambda x: pyml.exp(x, out=pyml.empty(3)))(X)
    with pytest.raises(RuntimeError, match="of a tensor that all indices share"):
        func.vmap(lambda x: pyml.zeros(3).add_(x))(X)


@pytest.mark.parametrize("path", ["elementwise", "activation", "linear", "reduce", "softmax"])
def test_no_operation_computes_unnoticed(path):
    """The functions behind the entries have an error for what they cannot see the values of."""
    family = importlib.import_module(f"pyml.ops.{path}")
    refused = []

    def call(x):
        for name, value in vars(family).items():
            if getattr(value, "__module__", "") == family.__name__ and not isinstance(value, type):
                try:
                    y = value(*[x] * len(required(value)))
                except Exception:
                    refused.append(name)
                else:
                    passed = (y is x) or name in ("shape_of", "checked_tensor")
                    assert isinstance(y, batched.Batched) or passed, (name, y)
        return x

    func.vmap(call)(X)
    assert refused


def required(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return [None]
    return [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


def test_rules_are_of_operations():
    known = {f.__name__ for m in (ops, F, pyml.linalg) for f in vars(m).values() if callable(f)}
    assert batched.RULES.keys() <= known | METHODS.keys()


def test_every_attribute_is_thought_of():
    """What Batched has from Tensor looks at an array without values, but for its shape."""
    inherited = {
        name for name in dir(pyml.Tensor)
        if getattr(batched.Batched, name, None) is getattr(pyml.Tensor, name)
    }  # fmt: skip
    assert inherited <= set(batched.OF_SHAPE.split())


@pytest.mark.parametrize("retain_graph", [True, False])
def test_products_with_a_jacobian_that_all_share(retain_graph):
    x = pyml.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x**3

    def product(v):
        return autograd.grad((y, x.sum()), (x, y), (v, None), retain_graph, allow_unused=True)

    by_x, by_y = func.vmap(product)(X)
    np.testing.assert_allclose(by_x.numpy(), X.numpy() * (3 * x**2).detach().numpy() + 1)
    np.testing.assert_array_equal(by_y.numpy(), X.numpy())
    if not retain_graph:
        with pytest.raises(RuntimeError, match="retain_graph"):
            y.sum().backward()


def test_a_tensor_outlives_its_vmap():
    kept = []
    func.vmap(lambda x: kept.append(x) or x)(X)
    with pytest.raises(TypeError, match="a tensor of vmap"):
        kept[0].add_(1.0)
    with pytest.raises(RuntimeError, match="of a vmap that has ended"):
        func.vmap(lambda x: x + kept[0])(X)


def test_draws_of_another_thread():
    """They are not those of func."""

    def beside(x):
        thread = threading.Thread(target=lambda: pyml.rand(3))
        thread.start()
        thread.join()
        return x.sin()

    np.testing.assert_array_equal(func.vmap(beside)(X).numpy(), X.sin().numpy())


def test_draws_of_a_generator_into_what_all_share():
    generator = pyml.Generator()
    with pytest.raises(RuntimeError, match="into a tensor that all indices share"):
        func.vmap(lambda x: x + pyml.empty(3).normal_(generator=generator), randomness="different")(
            X
        )


def test_the_same_draws_in_each_chunk():
    x = pyml.zeros(5, 3)
    y = func.vmap(lambda x: x + pyml.rand(3), randomness="same", chunk_size=2)(x)
    assert (y == y[0]).all()


@pytest.mark.parametrize("chunk_size", [None, 1])
def test_what_is_the_same_for_all_is_returned_once(chunk_size):
    def function(x):
        return x, pyml.ones(2), "name"

    assert func.vmap(pyml.sin, out_dims=(1,), chunk_size=chunk_size)(X).shape == X.T.shape
    a, b, name = func.vmap(function, out_dims=(0, None, None), chunk_size=chunk_size)(X)
    assert a.shape == X.shape and b.shape == (2,) and name == "name"


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: func.vmap(pyml.sin, in_dims=None)(X), ValueError, "in_dims is None for all"),
        (lambda: func.vmap(pyml.sin, in_dims=2)(X), ValueError, "in_dims is 2 for a tensor of 2"),
        (lambda: func.vmap(pyml.sin, in_dims=(0, 0))(X), ValueError, "does not fit the arguments"),
        (lambda: func.vmap(pyml.sin, in_dims="0")(X), TypeError, "in_dims is '0'"),
        (lambda: func.vmap(pyml.add)(X, 3), TypeError, "None for what is no Tensor"),
        (lambda: func.vmap(pyml.add)(X, X.T), ValueError, r"have the sizes \[2, 3\]"),
        (lambda: func.vmap(pyml.sin)(X[:0]), ValueError, "is empty"),
        (lambda: func.vmap(lambda x: 3)(X), TypeError, "func returned 3"),
        (lambda: func.vmap(pyml.sin, out_dims=(0, 0))(X), ValueError, "out_dims does not fit"),
        (lambda: func.vmap(pyml.sin, out_dims=None)(X), ValueError, "out_dims is None"),
        (lambda: func.vmap(pyml.sin, randomness="no"), ValueError, "randomness is 'no'"),
        (lambda: func.vmap(pyml.sin, chunk_size=0.5), TypeError, "chunk_size is 0.5"),
        (lambda: func.vmap(pyml.sin, chunk_size=0), ValueError, "chunk_size"),
    ],
)
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
