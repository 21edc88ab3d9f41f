"""A random graph of differentiable operations, and what can go wrong in its backward.

A case draws a program of smooth operations, some in place, on float64 leaves, and one trick: a hook
that misbehaves, a saved value that is changed, a second backward, second derivatives. The gradients
are those of central differences along a random direction, or there is a clean error, after which
nothing has changed and the next backward is right.
"""

import warnings

import numpy as np

import pyml
from attack.arguments import Hostile
from attack.calls import well_formed
from attack.children import Fault
from pyml import autograd
from pyml.nn import functional as F

CLEAN = (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, Hostile)
MOST = 9  # operations of a program
LARGEST = 30.0  # value of an operation: differences of larger ones are too coarse
EPS = 1e-6  # of central differences: their error is EPS^2 f''' + 1e-16 f / EPS
# |difference| that is allowed, relative to the sizes of the terms of the gradient; a wrong formula
# is wrong by far more
TOLERANCE = 2e-5

OPERATIONS = {
    "exp": (1, lambda a: (a * 0.1).exp()),
    "log": (1, lambda a: (a * a + 1).log()),
    "tanh": (1, lambda a: a.tanh()),
    "sigmoid": (1, lambda a: a.sigmoid()),
    "sin": (1, lambda a: a.sin()),
    "gelu": (1, lambda a: F.gelu(a)),
    "silu": (1, lambda a: F.silu(a)),
    "softplus": (1, lambda a: F.softplus(a)),
    "sqrt": (1, lambda a: (a * a + 1).sqrt()),
    "rsqrt": (1, lambda a: (a * a + 1).rsqrt()),
    "reciprocal": (1, lambda a: (a * a + 1).reciprocal()),
    "square": (1, lambda a: a.square()),
    "cube": (1, lambda a: a**3),
    "rpow": (1, lambda a: 1.5 ** (a * 0.2)),
    "pow": (2, lambda a, b: (a * a + 1) ** (b * 0.2)),
    "add": (2, lambda a, b: pyml.add(a, b, alpha=0.5)),
    "sub": (2, lambda a, b: 1 - a - b),
    "mul": (2, lambda a, b: a * b),
    "div": (2, lambda a, b: a / (b * b + 1)),
    "lerp": (2, lambda a, b: pyml.lerp(a, b, 0.3)),
    "addcmul": (2, lambda a, b: pyml.addcmul(a, a, b, value=0.3)),
    "addcdiv": (2, lambda a, b: pyml.addcdiv(a, a, b * b + 1)),
    "matmul": (2, lambda a, b: a @ b.t()),
    "mv": (2, lambda a, b: a @ b[0]),
    "linear": (2, lambda a, b: F.linear(a, b, b.sum(1))),
    "mse": (2, lambda a, b: F.mse_loss(a, b)),
    "where": (2, lambda a, b: pyml.where(pyml.from_numpy(np.arange(a.shape[-1]) % 2 == 0), a, b)),
    "cat": (2, lambda a, b: pyml.cat([a, b, a])),
    "stack": (2, lambda a, b: pyml.stack([a, b], 1)),
    "set": (2, lambda a, b: put(a * 2, b)),
    "sum": (1, lambda a: a.sum(0)),
    "total": (1, lambda a: a.sum()),
    "mean": (1, lambda a: a.mean(-1, keepdim=True)),
    "var": (1, lambda a: a.var(0)),
    "std": (1, lambda a: (a * 0.1 + pyml.arange(a.shape[-1])).std(-1)),
    "prod": (1, lambda a: (a * 0.5).prod(-1)),
    "norm": (1, lambda a: (a * a + 1).norm()),
    "logsumexp": (1, lambda a: a.logsumexp(0)),
    "softmax": (1, lambda a: F.softmax(a, 0)),
    "log_softmax": (1, lambda a: F.log_softmax(a, -1)),
    "cumsum": (1, lambda a: a.cumsum(0)),
    "sort": (1, lambda a: a.sort(0).values),
    "batch_norm": (1, lambda a: F.batch_norm(a, None, None, training=True, eps=0.1)),
    "cross_entropy": (1, lambda a: F.cross_entropy(a, pyml.zeros(len(a), dtype=pyml.int64))),
    "flip": (1, lambda a: a.flip(0)),
    "tail": (1, lambda a: a[1:]),
    "rows": (1, lambda a: a[pyml.tensor([0, 1, 0])]),
    "select": (1, lambda a: a.index_select(-1, pyml.tensor([1, 1, 0]))),
    "gather": (1, lambda a: a.gather(0, pyml.zeros((1, a.shape[-1]), dtype=pyml.int64))),
    "t": (1, lambda a: a.t()),
    "flat": (1, lambda a: a.reshape(-1)),
    "expand": (1, lambda a: a.unsqueeze(0).expand(2, *a.shape)),
    "masked": (1, lambda a: a.masked_fill(a.detach() * 0 != 0, 1.0)),
    "split": (1, lambda a: a.split(1)[0]),
    "add_": (2, lambda a, b: (a * 2).add_(b)),
    "tanh_": (1, lambda a: (a + 1).tanh_()),
    "exp_": (1, lambda a: (a * 0.1).exp_()),
    "mul_": (1, lambda a: (a + 2).mul_(0.3)),
    "masked_fill_": (1, lambda a: (a * 2).masked_fill_(a.detach() * 0 != 0, 1.0)),
}


def put(t, value):
    t[0] = value[0] * 3
    return t


# ---- hooks: (must the gradient still be right, the hook); else an error or what is well formed ---


def _raise():
    raise Hostile("hook")


HOOKS = {
    "nothing": (True, lambda g, t, y: None),
    "the same": (True, lambda g, t, y: g),
    "a copy": (True, lambda g, t, y: g.clone()),
    "a hook": (True, lambda g, t, y: t.register_hook(lambda g: None) and None),
    "another backward": (True, lambda g, t, y: (t.detach().requires_grad_() ** 2).sum().backward()),
    "more rows": (False, lambda g, t, y: pyml.ones(7, dtype=g.dtype)),
    "fewer rows": (False, lambda g, t, y: g.sum()),
    "more dimensions": (False, lambda g, t, y: g.unsqueeze(0)),
    "float32": (False, lambda g, t, y: g.float()),
    "int64": (False, lambda g, t, y: g.long()),
    "int": (False, lambda g, t, y: 3),
    "array": (False, lambda g, t, y: np.ones(g.shape)),
    "raise": (False, lambda g, t, y: _raise()),
    "in place": (False, lambda g, t, y: g.detach().mul_(0)),
    "shared": (False, lambda g, t, y: t.detach()),
    "part of the graph": (False, lambda g, t, y: t * 1.0),
    "overlapping": (False, lambda g, t, y: pyml.ones(1, dtype=g.dtype).expand(g.shape)),
    "change": (False, lambda g, t, y: change(t)),
    "grow": (False, lambda g, t, y: setattr(t, "data", pyml.ones(4, dtype=t.dtype))),
    "again": (False, lambda g, t, y: y.backward(retain_graph=True)),
    "free": (False, lambda g, t, y: y.backward()),
    "leaf": (False, lambda g, t, y: setattr(t, "grad", None)),
    "mode": (False, lambda g, t, y: pyml.set_grad_enabled(True) and None),
}


def change(t):
    with pyml.no_grad():
        t.detach().add_(1.0)


# ---- programs ------------------------------------------------------------------------------------


def run(program, leaves):
    """All values: the leaves, then the result of each instruction."""
    values = list(leaves)
    for name, operands in program:
        values.append(OPERATIONS[name][1](*(values[i] for i in operands)))
    return values


def loss_of(values, weights):
    """A number that every value of the last instructions moves."""
    return sum((value * w).sum() for value, w in zip(values[-len(weights) :], weights, strict=True))


def draw_program(rng, arrays):
    values, program = [pyml.tensor(a, dtype=pyml.float64) for a in arrays], []
    names = list(OPERATIONS)
    for _ in range(int(rng.integers(1, MOST))):
        name = names[int(rng.integers(len(names)))]
        operands = [int(rng.integers(len(values))) for _ in range(OPERATIONS[name][0])]
        try:
            value = OPERATIONS[name][1](*(values[i] for i in operands))
        except (ValueError, RuntimeError, TypeError, IndexError):
            continue
        if value.numel() and np.abs(value.array).max() < LARGEST:
            values.append(value)
            program.append((name, operands))
    return program, values


def draw_leaves(rng):
    shapes = [(2, 3), (2, 3), (3,), (1, 3), (2, 1), (), (3, 3)]
    arrays = []
    for _ in range(int(rng.integers(1, 4))):
        shape = shapes[int(rng.integers(len(shapes)))]
        array = rng.normal(size=shape)
        if rng.random() < 0.3:
            array = np.asarray(np.asfortranarray(array))
        arrays.append(array)
    return arrays


def leaves_on(arrays):
    return [pyml.from_numpy(np.array(a, order="K")).requires_grad_() for a in arrays]


class Case:
    """A program, its leaves, and the loss that weighs its last values."""

    def __init__(self, rng):
        self.arrays = draw_leaves(rng)
        self.program, values = draw_program(rng, self.arrays)
        count = int(rng.integers(1, len(self.program) + 1)) if self.program else 1
        self.weights = [pyml.from_numpy(rng.normal(size=v.shape)) for v in values[-count:]]
        self.directions = [rng.normal(size=a.shape) for a in self.arrays]

    def values(self, leaves):
        return run(self.program, leaves)

    def loss(self, leaves):
        return loss_of(self.values(leaves), self.weights)

    def moved(self, i, step):
        return leaves_on([a + step * v if j == i else a for j, (a, v) in self.numbered()])

    def numbered(self):
        return list(enumerate(zip(self.arrays, self.directions, strict=True)))

    def check(self, leaves, gradients, factor=1, what="gradient"):
        """Raises unless `factor` times the central difference is the gradient of each leaf."""
        for i, gradient in enumerate(gradients):
            with pyml.no_grad():
                above, below = (self.loss(self.moved(i, step)).item() for step in (EPS, -EPS))
            self.compare(i, gradient, factor * (above - below) / (2 * EPS), abs(above), what)

    def compare(self, i, gradient, wanted, size, what):
        terms = np.zeros(1) if gradient is None else gradient.detach().array * self.directions[i]
        allowed = TOLERANCE * (1 + np.abs(terms).sum() + abs(wanted) + size)
        if not abs(terms.sum() - wanted) <= allowed:
            raise Fault(f"{what} of leaf {i}: {terms.sum()!r}, by differences {wanted!r}")

    def slopes(self, leaves, create_graph=False):
        """d loss / d leaf, for each; zeros where it does not depend on it."""
        loss = self.loss(leaves)
        options = {"create_graph": create_graph, "materialize_grads": True}
        return autograd.grad(loss, leaves, **options)


def attack(rng, tell):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        pyml.set_grad_enabled(True)
        case = Case(rng)
        if not case.program:
            return
        trick = [plainly, twice, second_order, tampered, hooked, hooked, mixed][
            int(rng.integers(7))
        ]
        text = f"{trick.__name__}: {case.program} on {[a.shape for a in case.arrays]}"
        trick(case, rng, lambda more="": tell(f"{text} {more}"))
        if not pyml.is_grad_enabled():
            raise Fault("gradients are left disabled")


def clean_or_fault(error):
    if not isinstance(error, CLEAN) or not str(error):
        raise Fault(f"backward raised {error!r}") from error


def plainly(case, rng, tell):
    tell()
    leaves = leaves_on(case.arrays)
    loss = case.loss(leaves)
    if loss.requires_grad:
        loss.backward()
    case.check(leaves, [leaf.grad for leaf in leaves])


def twice(case, rng, tell):
    """Backward again through the same graph, retained or not."""
    retain = bool(rng.random() < 0.5)
    tell(f"{retain=}")
    leaves = leaves_on(case.arrays)
    loss = case.loss(leaves)
    if not loss.requires_grad:
        return
    loss.backward(retain_graph=retain)
    first = [None if leaf.grad is None else leaf.grad.array.copy() for leaf in leaves]
    try:
        loss.backward()
    except RuntimeError as error:
        if retain:
            raise Fault(f"a retained graph: {error!r}") from error
        for leaf, gradient in zip(leaves, first, strict=True):
            if gradient is not None and not np.array_equal(leaf.grad.array, gradient):
                raise Fault("a backward that raised has changed a gradient") from error
        case.check(leaves, [leaf.grad for leaf in leaves])
    else:
        case.check(leaves, [leaf.grad for leaf in leaves], factor=2)


def second_order(case, rng, tell):
    """The slope along a direction, differentiated again, against differences of slopes."""
    tell()
    leaves = leaves_on(case.arrays)
    if not case.loss(leaves).requires_grad:
        return
    weights = [pyml.from_numpy(rng.normal(size=a.shape)) for a in case.arrays]

    def along(slopes):
        return sum((s * w).sum() for s, w in zip(slopes, weights, strict=True))

    slope = along(case.slopes(leaves, create_graph=True))
    if slope.requires_grad:
        curvatures = autograd.grad(slope, leaves, materialize_grads=True)
    else:
        curvatures = [pyml.zeros_like(leaf).detach() for leaf in leaves]
    for i, curvature in enumerate(curvatures):
        above, below = (along(case.slopes(case.moved(i, step))).item() for step in (EPS, -EPS))
        wanted = (above - below) / (2 * EPS)
        case.compare(i, curvature, wanted, abs(above), "second derivative")


def tampered(case, rng, tell):
    """A value is changed in place between forward and backward."""
    leaves = leaves_on(case.arrays)
    values = case.values(leaves)
    loss = loss_of(values, case.weights)
    if not loss.requires_grad:
        return
    place = int(rng.integers(len(values)))
    how = ["detach", "no_grad", "grad", "view"][int(rng.integers(4))]
    tell(f"{how} {place}")
    try:
        if how == "grad":
            values[place].mul_(2)
        elif how == "view":
            values[place].detach().reshape(-1)[:1].add_(1)
        elif how == "no_grad":
            with pyml.no_grad():
                values[place].add_(1)
        else:
            values[place].detach().mul_(3)
    except CLEAN:
        return
    try:
        loss.backward()
    except RuntimeError as error:
        clean_or_fault(error)
        if any(leaf.grad is not None for leaf in leaves):
            raise Fault("a backward that raised has left gradients") from error
    else:
        case.check(leaves, [leaf.grad for leaf in leaves], what=f"after {how} of {place}: gradient")


def hooked(case, rng, tell):
    """Hooks on some values, one of which may misbehave."""
    leaves = leaves_on(case.arrays)
    values = case.values(leaves)
    loss = loss_of(values, case.weights)
    able = [i for i, v in enumerate(values) if v.requires_grad]
    if not able or not loss.requires_grad:
        return
    names = [list(HOOKS)[int(rng.integers(len(HOOKS)))] for _ in range(int(rng.integers(1, 3)))]
    places = [able[int(rng.integers(len(able)))] for _ in names]
    create, retain = bool(rng.random() < 0.3), bool(rng.random() < 0.5)
    tell(f"{names} at {places} {create=} {retain=}")
    called = []
    for name, place in zip(names, places, strict=True):
        t = values[place]

        def hook(g, name=name, t=t):
            called.append(name)
            if len(called) > 50:
                raise Hostile("too deep")
            if g.shape != t.shape and "grow" not in names:
                raise Fault(f"a hook sees a gradient of shape {g.shape} of {t.shape}")
            return HOOKS[name][1](g, t, loss)

        t.register_hook(hook)
    try:
        loss.backward(create_graph=create, retain_graph=retain)
    except Exception as error:
        clean_or_fault(error)
        if not {"again", "free"} & set(called) and any(leaf.grad is not None for leaf in leaves):
            raise Fault(f"a backward that raised {error!r} has left gradients") from error
    else:
        if all(HOOKS[name][0] for name in called):
            case.check(leaves, [leaf.grad for leaf in leaves])
    if "grow" not in names:
        well_formed("backward", leaves)
    plainly(case, rng, lambda: None)


def mixed(case, rng, tell):
    """grad, backward with inputs, and with gradients of its own, one after the other."""
    leaves = leaves_on(case.arrays)
    loss = case.loss(leaves)
    if not loss.requires_grad:
        return
    kinds = [int(k) for k in rng.integers(0, 4, 3)]
    tell(f"{kinds}")
    total = 0
    for kind in kinds:
        if kind == 0:
            case.check(leaves, autograd.grad(loss, leaves, retain_graph=True, allow_unused=True))
        elif kind == 1:
            autograd.backward([loss, loss], retain_graph=True)
            total += 2
        elif kind == 2:
            loss.backward(pyml.full(loss.shape, 0.5, dtype=loss.dtype), create_graph=True)
            total += 0.5
        else:
            loss.backward(retain_graph=True, inputs=leaves)
            total += 1
    if total:
        case.check(leaves, [leaf.grad for leaf in leaves], factor=total)
