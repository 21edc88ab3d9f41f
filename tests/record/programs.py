"""Random training programs: model, losses, optimizer, step and what happens between the steps.

A Plan is drawn from a seed and holds plain values alone, so that two Worlds made of it are twins:
one runs its step eagerly, the other recorded, and everything that can be looked at is compared.
"""

import ctypes
from dataclasses import dataclass, field

import numpy as np
from optim.cases import VALUES, is_valid

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.optim import lr_scheduler

ROWS = 23
SCALE = 1  # of the numbers of rows of batches
WIDER = 1  # times the widths of layers
CLASSES = 3
ACTIVATIONS = {
    "ReLU": {"inplace": [False, True]},
    "LeakyReLU": {"negative_slope": [0.01, 0.2], "inplace": [False, True]},
    "ELU": {"alpha": [1.0, 0.5], "inplace": [False, True]},
    "GELU": {"approximate": ["none", "tanh"]},
    "SiLU": {"inplace": [False, True]},
    "Sigmoid": {},
    "Softplus": {"beta": [1, 2]},
    "Tanh": {},
    "Softmax": {"dim": [1]},
    "LogSoftmax": {"dim": [1]},
}
NORMS = {
    "momentum": [0.1, None, 0.7],
    "affine": [True, True, False],
    "track_running_stats": [True, True, False],
}
CLIPS = [None, None, ("norm", 2.0), ("norm", float("inf")), ("norm", 1.0), ("value", None)]


# ---- what is drawn -------------------------------------------------------------------------------


@dataclass
class Plan:
    """All choices of one case."""

    seed: int
    dtype: str
    features: int
    layers: list  # (kind, options)
    frozen: bool  # the last bias does not require grad
    loss: tuple  # (kind, options)
    second_loss: str  # None, "weights" or "hidden"
    shape: str  # of the step: see STEPS
    clip: tuple
    zero_grad: str  # "none", "zeros", "after", "model"
    optimizer: tuple  # (name, options)
    groups: int
    rate_is_tensor: bool
    scheduler: tuple  # None, or (name, where)
    events: list = field(repr=False)

    def __str__(self):
        names = [kind for kind, _ in self.layers if kind not in ("Linear", "act")]
        scheduler = "" if self.scheduler is None else "-".join(self.scheduler)
        parts = (
            f"{self.seed:03}", self.optimizer[0], self.loss[0], self.shape, *names, scheduler,
            self.dtype,
        )  # fmt: skip
        return "-".join(part for part in parts if part)


def choose(rng, values):
    return values[rng.integers(len(values))]


def options(rng, values):
    """One of the values for each name."""
    return {name: choose(rng, choices) for name, choices in values.items()}


def plan(seed):
    """The choices that `seed` makes."""
    rng = np.random.default_rng(seed)
    classes = rng.random() < 0.6
    layers = draw_layers(rng)
    name = choose(rng, sorted(VALUES))
    while not is_valid(chosen := options(rng, VALUES[name])):
        pass
    return Plan(
        seed=seed,
        dtype="float64" if rng.random() < 0.25 else "float32",
        features=int(rng.integers(1, 10)),
        layers=layers,
        frozen=rng.random() < 0.1,
        loss=draw_classes_loss(rng) if classes else draw_numbers_loss(rng),
        second_loss=choose(rng, [None, None, "weights", "hidden"] if layers else [None, "weights"]),
        shape=choose(rng, sorted(STEPS)),
        clip=choose(rng, CLIPS),
        zero_grad=choose(rng, ["none", "none", "zeros", "after", "model"]),
        optimizer=(name, chosen),
        groups=int(rng.integers(1, 3)),
        rate_is_tensor=rng.random() < 0.1,
        scheduler=draw_scheduler(rng),
        events=draw_events(rng),
    )


def draw_layers(rng):
    layers = []
    for _ in range(rng.integers(0, 4)):
        kind = choose(rng, ["plain", "plain", "residual", "shared"])
        layers.append(
            ("Linear" if kind == "plain" else kind, {"width": WIDER * int(rng.integers(1, 18))})
        )
        if rng.random() < 0.3:
            layers.append(("BatchNorm1d", options(rng, NORMS)))
        if rng.random() < 0.2:
            layers.append(
                ("Dropout", {"p": choose(rng, [0.1, 0.5]), "inplace": rng.random() < 0.5})
            )
        act = choose(rng, sorted(ACTIVATIONS))
        layers.append(("act", {"name": act, **options(rng, ACTIVATIONS[act])}))
        if rng.random() < 0.2:
            layers.append(("Dropout", {"p": 0.3}))
    return layers


def draw_classes_loss(rng):
    choices = {
        "weight": [None, None, [0.5, 1.0, 2.0]],
        "ignore_index": [-100, -100, 1],
        "reduction": ["mean", "mean", "sum", "none"],
        "label_smoothing": [0.0, 0.0, 0.2],
    }
    kind = choose(rng, ["classes", "classes", "probabilities"])
    chosen = options(rng, choices)
    if kind == "probabilities":
        chosen["ignore_index"] = -100
    return kind, chosen


def draw_numbers_loss(rng):
    return choose(rng, ["squares", "smooth"]), {"reduction": choose(rng, ["mean", "sum", "none"])}


def draw_scheduler(rng):
    if rng.random() < 0.5:
        return None
    return choose(rng, ["StepLR", "LinearLR"]), choose(rng, ["inside", "outside", "run"])


def draw_events(rng):
    """Four calls of one shape, of which most are replays, and then all sorts of things."""
    rows = SCALE * int(rng.integers(2, 9))
    events = [("call", {"rows": rows, "start": int(rng.integers(0, ROWS - rows))})] * 4
    for _ in range(rng.integers(5, 9)):
        name = choose(rng, ["call"] * 4 + ["run"] * 3 + sorted(EVENTS))
        rows = choose(rng, [rows, rows, SCALE * int(rng.integers(2, 9))])
        details = {"rows": rows, "start": int(rng.integers(0, ROWS - 2 * rows))}
        if name == "run":
            details |= {
                "epochs": int(rng.integers(1, 4)),
                "shuffle": rng.random() < 0.7,
                "drop_last": rng.random() < 0.5 or ROWS % rows == 1,  # BatchNorm refuses one row
            }
        if name == "rate":
            details |= {"factor": choose(rng, [0.5, 2.0])}
        events.append((name, details))
    return events


# ---- models --------------------------------------------------------------------------------------


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class Net(nn.Module):
    """The layers of a Plan, then a Linear."""

    def __init__(self, plan, outputs):
        super().__init__()
        dtype = np.dtype(plan.dtype)
        self.layers = nn.ModuleList()
        width = plan.features
        for kind, chosen in plan.layers:
            if kind == "Linear":
                self.layers.append(nn.Linear(width, chosen["width"], dtype=dtype))
                width = chosen["width"]
            elif kind in ("residual", "shared"):
                inner = nn.Linear(width, width, dtype=dtype)
                shared = kind == "shared"
                self.layers.append(nn.Sequential(inner, inner) if shared else Residual(inner))
            elif kind == "BatchNorm1d":
                self.layers.append(nn.BatchNorm1d(width, dtype=dtype, **chosen))
            elif kind == "Dropout":
                self.layers.append(nn.Dropout(**chosen))
            else:
                rest = {name: value for name, value in chosen.items() if name != "name"}
                self.layers.append(getattr(nn, chosen["name"])(**rest))
        self.head = nn.Linear(width, outputs, dtype=dtype)
        self.unused = nn.Linear(2, 2, dtype=dtype)  # never has a gradient

    def forward(self, x):
        """The outputs, and what the head saw."""
        for layer in self.layers:
            x = layer(x)
        return self.head(x), x


# ---- steps ---------------------------------------------------------------------------------------


class World:
    """A Plan come true: the objects of a training script, and the functions it would write."""

    def __init__(self, plan, wrap=lambda function: function):
        self.plan = plan
        rng = np.random.default_rng(plan.seed)
        pyml.manual_seed(plan.seed)
        dtype = np.dtype(plan.dtype)
        self.x = pyml.tensor(rng.normal(size=(ROWS, plan.features)), dtype=dtype)
        self.y = pyml.from_numpy(self._targets(rng, dtype))
        self.model = Net(plan, CLASSES)
        if plan.frozen:
            self.model.head.bias.requires_grad_(False)
        self.optimizer = self._optimizer()
        self.scheduler = None
        if plan.scheduler is not None:
            chosen = {"StepLR": {"step_size": 2, "gamma": 0.7}, "LinearLR": {}}[plan.scheduler[0]]
            self.scheduler = getattr(lr_scheduler, plan.scheduler[0])(self.optimizer, **chosen)
        self.executions = ctypes.c_long()  # of the Python of the step; no guard looks into it
        self.plain = STEPS[plan.shape](self)
        self.step = {name: wrap(function) for name, function in self.plain.items()}
        self.predict = wrap(predictor(self.model))
        self.results = []  # (what a step returned, as it was)

    def _targets(self, rng, dtype):
        kind = self.plan.loss[0]
        if kind == "classes":
            return rng.integers(0, CLASSES, ROWS)
        y = rng.normal(size=(ROWS, CLASSES))
        if kind == "probabilities":
            y = np.exp(y) / np.exp(y).sum(1, keepdims=True)
        return y.astype(dtype)

    def _optimizer(self):
        name, chosen = self.plan.optimizer
        if self.plan.rate_is_tensor:
            chosen = {**chosen, "lr": pyml.tensor(chosen["lr"])}
        params = list(self.model.parameters())
        groups = [{"params": params}]
        if self.plan.groups == 2:
            second = {"lr": 0.03, "weight_decay": 0.02}
            groups = [{"params": params[:1]}, {"params": params[1:], **second}]
        return getattr(optim, name)(groups, **chosen)

    def criterion(self):
        """loss(outputs, targets)."""
        kind, chosen = self.plan.loss
        reduction = chosen["reduction"]
        if kind in ("classes", "probabilities"):
            weight = chosen["weight"]
            if weight is not None:
                weight = pyml.tensor(weight, dtype=np.dtype(self.plan.dtype))
            loss = nn.CrossEntropyLoss(**{**chosen, "weight": weight})
        elif kind == "squares":
            loss = nn.MSELoss(reduction=reduction)
        else:

            def loss(output, target):
                each = ((output - target) ** 2 + 1).sqrt()
                return {"mean": each.mean, "sum": each.sum, "none": lambda: each}[reduction]()

        return (lambda a, b: loss(a, b).mean()) if reduction == "none" else loss

    def losses(self):
        """(x, y) -> the losses, whose sum is what is minimised."""
        model, criterion, second = self.model, self.criterion(), self.plan.second_loss

        def losses(x, y):
            output, hidden = model(x)
            loss = criterion(output, y)
            if second == "weights":
                return loss, 0.01 * sum((p * p).sum() for p in model.parameters())
            return (loss, 0.1 * (hidden * hidden).mean()) if second == "hidden" else (loss,)

        return losses

    def clipper(self):
        kind, p = self.plan.clip or (None, None)
        parameters = list(self.model.parameters())
        if kind == "norm":
            return lambda: nn.utils.clip_grad_norm_(parameters, 0.5, norm_type=p)
        if kind == "value":
            return lambda: nn.utils.clip_grad_value_(parameters, 0.05)
        return lambda: None

    def clear(self):
        """(before the losses, after the update)."""
        optimizer, model = self.optimizer, self.model
        if self.plan.zero_grad == "model":
            return model.zero_grad, lambda: None
        if self.plan.zero_grad == "after":
            return lambda: None, optimizer.zero_grad
        to_none = self.plan.zero_grad == "none"
        return lambda: optimizer.zero_grad(set_to_none=to_none), lambda: None

    def update(self):
        """What comes after the gradients."""
        optimizer, scheduler, clip = self.optimizer, self.scheduler, self.clipper()
        after = self.clear()[1]
        inside = self.plan.scheduler is not None and self.plan.scheduler[1] == "inside"

        def update():
            norm = clip()
            optimizer.step()
            if inside:
                scheduler.step()
            after()
            return norm

        return update

    def versions(self):
        """name -> how often it was changed in place."""
        named = (*self.model.named_parameters(), *self.model.named_buffers())
        return {name: t._version for name, t in named}

    def keep(self, result):
        """Numbers of a result; it is looked at again at the end."""
        tensors = [result] if isinstance(result, pyml.Tensor) else list(result or ())
        self.results += [(t, t.detach().array.copy()) for t in tensors if t is not None]
        return [array for _, array in self.results[-len(tensors) :]] if tensors else []


def state_of(model, optimizer):
    """name -> array: a copy of all that a step may change."""
    seen = {"generator": pyml.get_rng_state()}
    for name, p in model.named_parameters():
        seen[f"weight {name}"] = p.array.copy()
        seen[f"gradient {name}"] = np.array(None) if p.grad is None else p.grad.array.copy()
        for key, value in optimizer.state.get(p, {}).items():
            seen[f"state {name} {key}"] = value.array.copy()
    for name, buffer in model.named_buffers():
        seen[f"buffer {name}"] = buffer.array.copy()
    for i, group in enumerate(optimizer.param_groups):
        seen[f"rate {i}"] = np.array(float(group["lr"]))
    return seen


def assert_same_state(got, wanted, where=""):
    """Both of state_of()."""
    assert got.keys() == wanted.keys(), where
    for name, array in wanted.items():
        if array.dtype == object:  # no gradient
            assert got[name].dtype == object, f"{where}{name} is not None"
        else:
            assert_same_bits(got[name], array, where + name)


def predictor(model):
    @pyml.no_grad()
    def predict(x):
        return F.softmax(model(x)[0], 1)

    return predict


def plain_step(world):
    losses, update, (before, _) = world.losses(), world.update(), world.clear()
    executions = world.executions

    def step(x, y):
        executions.value += 1
        before()
        parts = losses(x, y)
        sum(parts).backward()
        update()
        return parts

    return {"step": step}


def step_with_a_backward_for_each_loss(world):
    losses, update, (before, _) = world.losses(), world.update(), world.clear()
    executions = world.executions

    def step(x, y):
        executions.value += 1
        before()
        parts = losses(x, y)
        for i, part in enumerate(parts):
            part.backward(retain_graph=i < len(parts) - 1)
        (0.5 * losses(x, y)[0]).backward()
        return parts[0], update()

    return {"step": step}


def step_in_two(world):
    """Gradients of several batches, then one update: two recorded functions."""
    losses, update, (before, _) = world.losses(), world.update(), world.clear()
    executions = world.executions

    def accumulate(x, y):
        executions.value += 1
        loss = sum(losses(x, y)) / 2
        loss.backward()
        return loss

    def finish():
        norm = update()
        before()
        return norm

    return {"step": accumulate, "finish": finish}


def step_with_second_derivatives(world):
    """A penalty on the gradient of the loss by the weights."""
    losses, update, (before, _) = world.losses(), world.update(), world.clear()
    weight = world.model.head.weight
    executions = world.executions

    def step(x, y):
        executions.value += 1
        before()
        loss = losses(x, y)[0]
        (dw,) = pyml.autograd.grad(loss, weight, create_graph=True)
        total = loss + 0.1 * (dw * dw).sum()
        total.backward()
        update()
        return total

    return {"step": step}


def step_with_a_closure(world):
    losses, (before, after), optimizer = world.losses(), world.clear(), world.optimizer
    clip, executions = world.clipper(), world.executions

    def step(x, y):
        executions.value += 1

        def closure():
            before()
            loss = sum(losses(x, y))
            loss.backward()
            clip()
            return loss

        loss = optimizer.step(closure)
        after()
        return loss

    return {"step": step}


STEPS = {
    "plain": plain_step,
    "backwards": step_with_a_backward_for_each_loss,
    "two": step_in_two,
    "penalty": step_with_second_derivatives,
    "closure": step_with_a_closure,
}


# ---- what happens between steps ------------------------------------------------------------------


def finish(world):
    if "finish" in world.step:
        world.keep(world.step["finish"]())
    if world.plan.scheduler is not None and world.plan.scheduler[1] == "outside":
        world.scheduler.step()


def call(world, rows, start):
    result = world.step["step"](world.x[start : start + rows], world.y[start : start + rows])
    finish(world)
    return world.keep(result)


def call_on_strided_rows(world, rows, start):
    every_second = slice(start, start + 2 * rows, 2)
    return world.keep(world.step["step"](world.x[every_second], world.y[every_second]))


def call_eagerly(world, rows, start):
    result = world.plain["step"](world.x[start : start + rows], world.y[start : start + rows])
    return world.keep(result)


def infer(world, rows, start):
    was_training = world.model.training
    world.model.eval()
    probabilities = world.predict(world.x[start : start + rows])
    world.model.train(was_training)
    return world.keep(probabilities)


def flip_mode(world, rows, start):
    world.model.train(not world.model.training)


def change_rate(world, rows, start, factor=0.5):
    for group in world.optimizer.param_groups:
        if isinstance(group["lr"], pyml.Tensor):
            group["lr"].mul_(factor)
        else:
            group["lr"] *= factor


def reload(world, rows, start):
    """Both state_dicts, by way of copies."""
    saved = {name: value.clone() for name, value in world.model.state_dict().items()}
    world.model.load_state_dict(saved)
    world.optimizer.load_state_dict(world.optimizer.state_dict())


def set_gradients(world, rows, start):
    """Every second is None, the others are by hand."""
    for i, p in enumerate(world.model.parameters()):
        p.grad = None if i % 2 else pyml.ones_like(p)


def run(world, rows, start, epochs=2, shuffle=True, drop_last=False):
    scheduled = world.plan.scheduler is not None and world.plan.scheduler[1] == "run"
    scheduler = world.scheduler if scheduled else None
    step = world.step["step"]
    settings = {"batch_size": rows, "epochs": epochs, "shuffle": shuffle, "drop_last": drop_last}
    if hasattr(step, "run"):
        results = step.run(world.x, world.y, **settings, scheduler=scheduler, stop_on_nan=False)
    else:
        results = eager_run(step, world.x, world.y, **settings, scheduler=scheduler)
    return world.keep(results)


EVENTS = {
    "call": call,
    "strided": call_on_strided_rows,
    "eager": call_eagerly,
    "infer": infer,
    "flip": flip_mode,
    "rate": change_rate,
    "reload": reload,
    "gradients": set_gradients,
    "run": run,
}


def eager_run(step, *data, batch_size, epochs, shuffle, drop_last, scheduler=None, generator=None):
    """What run() is documented to do. Returns the numbers that the steps return, stacked."""
    results = []
    for _ in range(epochs):
        n = len(data[0])
        batches = [slice(at, min(at + batch_size, n)) for at in range(0, n, batch_size)]  # views
        if shuffle:
            batches = pyml.randperm(n, generator=generator).split(batch_size)
        for rows in batches[: n // batch_size] if drop_last else batches:
            result = step(*(t[rows] for t in data))
            results.append([result] if isinstance(result, pyml.Tensor) else result)
        if scheduler is not None:
            scheduler.step()
    stacked = [
        None if column[0] is None else pyml.from_numpy(np.stack([t.detach().array for t in column]))
        for column in zip(*results, strict=True)
    ]
    return stacked[0] if isinstance(result, pyml.Tensor) else tuple(stacked)


def history(plan, wrap):
    """What there is to see after each event, and the World."""
    world = World(plan, wrap)
    seen = []
    for name, details in plan.events:
        before = world.versions()
        result = EVENTS[name](world, **details) or []
        changed = {key for key, n in world.versions().items() if n != before[key]}
        results = {f"result {i}": array for i, array in enumerate(result)}
        state = state_of(world.model, world.optimizer) | results
        seen.append((name, details, changed, state, world.executions.value))
    return seen, world


def assert_same_history(plan, wrap):
    """Recorded by `wrap`, each event leaves the bits that it leaves eagerly.

    Returns:
        How often the Python of the step had run after each event.
    """
    return assert_same_as(eager_history(plan), plan, wrap)


def eager_history(plan):
    return history(plan, lambda function: function)[0]


def assert_same_as(wanted, plan, wrap):
    """The same, with what eager_history() gave."""
    got, world = history(plan, wrap)
    for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
        where = f"after event {i}, {a[0]} {a[1]}: "
        assert_same_state(a[3], b[3], where)
        assert a[2] == b[2], where + "what counts as changed"
    for result, array in world.results:
        assert_same_bits(result.detach().array, array, "a result that was held:")
    return [executions for *_, executions in got]
