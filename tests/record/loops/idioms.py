"""Python's idioms in and around a step, with numbers that change at odd calls."""

import argparse
import contextlib
import copy
import dataclasses
import enum
import functools
import itertools
import math
import operator
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, namedtuple
from types import SimpleNamespace
from typing import NamedTuple

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    ODD,
    batches,
    classification,
    classifier,
    final,
    inputs,
    numbered,
    regression,
    regressor,
    update,
)
from record.loops.harness import loop

# ---- metrics and callbacks -----------------------------------------------------------------------


@loop
def running_means_in_a_dict_by_the_host(record):
    model, optimizer, X, Y = classification()
    meters = defaultdict(lambda: [0.0, 0])

    def log(**values):
        for name, value in values.items():
            meters[name][0] += value
            meters[name][1] += 1

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        torch.host(log, loss=loss.item(), accuracy=(output.argmax(1) == y).float().mean().item())

    for i, (x, y) in numbered(X, Y):
        step(x, y)
        if i in ODD:
            yield {name: total / count for name, (total, count) in meters.items()}
            meters.clear()


@loop
def exponential_means_in_a_dict_inside(record):
    model, optimizer, X, Y = regression()
    means = {"loss": torch.zeros(()), "size": torch.zeros(())}
    decay = [0.9]

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.mse_loss(output, y))
        now = {"loss": loss.detach(), "size": output.detach().abs().mean()}
        for name, value in now.items():
            means[name] = decay[0] * means[name] + (1 - decay[0]) * value
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            decay[0] -= 0.05
        step(x, y)
        yield dict(means)


class Callback:
    """Of a trainer."""

    def on_loss(self, trainer, loss):
        return loss

    def on_gradients(self, trainer):
        pass

    def on_end(self, trainer):
        pass


class Decay(Callback):
    def __init__(self, weight):
        self.weight = weight

    def on_loss(self, trainer, loss):
        return loss + self.weight * sum(p.square().sum() for p in trainer.model.parameters())


class Clip(Callback):
    def __init__(self, bound):
        self.bound = bound

    def on_gradients(self, trainer):
        nn.utils.clip_grad_value_(trainer.model.parameters(), self.bound)


class CountSteps(Callback):
    def __init__(self):
        self.count = 0

    def on_end(self, trainer):
        self.count += 1
        if self.count % 5 == 0:
            trainer.optimizer.param_groups[0]["lr"] *= 0.9


@loop
def trainer_with_callbacks_that_come_and_go(record):
    class Trainer:
        def __init__(self, model, optimizer, callbacks):
            self.model, self.optimizer, self.callbacks = model, optimizer, callbacks

        @record
        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.mse_loss(self.model(x), y)
            for callback in self.callbacks:
                loss = callback.on_loss(self, loss)
            loss.backward()
            for callback in self.callbacks:
                callback.on_gradients(self)
            self.optimizer.step()
            for callback in self.callbacks:
                callback.on_end(self)
            return loss

    model, optimizer, X, Y = regression()
    trainer = Trainer(model, optimizer, [Decay(0.01), CountSteps()])
    for i, (x, y) in numbered(X, Y):
        if i == 5:
            trainer.callbacks.append(Clip(0.1))
        if i == 9:
            trainer.callbacks[0].weight = 0.1
        if i == 13:
            trainer.callbacks.pop(0)
        yield trainer.step(x, y)
    yield trainer.callbacks[0].count
    yield from final(model, optimizer)


@loop(expect="either")
def bar_with_a_postfix_inside(record):
    class Bar:
        def __init__(self):
            self.n, self.postfix = 0, {}

        def update(self, n=1):
            self.n += n

        def set_postfix(self, **values):
            self.postfix = values

    model, optimizer, X, Y = regression()
    bar = Bar()

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        bar.set_postfix(lr=optimizer.param_groups[0]["lr"], done=bar.n)
        bar.update()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            optimizer.param_groups[0]["lr"] *= 0.5
        yield step(x, y), bar.n, dict(bar.postfix)


@loop(expect="either")
def counter_of_labels_of_python(record):
    model, optimizer, X, Y = classification()
    seen = Counter()

    @record
    def step(x, y):
        seen["steps"] += 1
        seen["rows"] += len(x)
        loss = F.cross_entropy(model(x), y) / math.log(1 + seen["steps"])
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i == 9:
            seen["steps"] += 10
        yield step(x, y), dict(seen)


@loop
def history_of_a_named_tuple_by_the_host(record):
    class Row(NamedTuple):
        loss: float
        step: int

    model, optimizer, X, Y = regression()
    rows, count = [], SimpleNamespace(step=0)

    @record
    def step(x, y):
        count.step += 1
        loss = update(optimizer, F.mse_loss(model(x), y))
        torch.host(lambda *fields: rows.append(Row(*fields)), loss.item(), count.step)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            count.step += 100
        step(x, y)
    yield [tuple(row) for row in rows]


# ---- settings ------------------------------------------------------------------------------------


@loop
def arguments_parsed_again(record):
    parser = argparse.ArgumentParser()
    parser.add_argument("--weight", type=float, default=0.1)
    parser.add_argument("--norm", choices=["l1", "l2"], default="l2")
    args = parser.parse_args([])
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        size = [
            p.abs().sum() if args.norm == "l1" else p.square().sum() for p in model.parameters()
        ]
        return update(optimizer, F.mse_loss(model(x), y) + args.weight * sum(size))

    lines = {3: ["--weight", "0.2"], 7: ["--norm", "l1"], 13: ["--weight", "0.01", "--norm", "l1"]}
    for i, (x, y) in numbered(X, Y):
        if i in lines:
            parser.parse_args(lines[i], namespace=args)
        yield step(x, y)
    yield from final(model)


@loop
def frozen_dataclass_that_is_replaced(record):
    @dataclasses.dataclass(frozen=True)
    class Config:
        delta: float = 1.0
        kind: str = "huber"
        inner: tuple = (1, 2)

    model, optimizer, X, Y = regression()
    state = SimpleNamespace(config=Config())

    @record
    def step(x, y):
        c = state.config
        error = (model(x) - y).abs()
        huber = torch.where(error < c.delta, 0.5 * error**2, c.delta * (error - 0.5 * c.delta))
        return update(optimizer, (huber if c.kind == "huber" else error).mean() * c.inner[0])

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            state.config = dataclasses.replace(state.config, delta=1 / i, inner=(i, 0))
        yield step(x, y)
    yield from final(model)


@loop
def settings_of_a_chain_map(record):
    model, optimizer, X, Y = regression()
    defaults, user = {"scale": 1.0, "shift": 0.0}, {}
    settings = ChainMap(user, defaults)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(settings["scale"] * model(x) + settings["shift"], y))

    for i, (x, y) in numbered(X, Y):
        if i in (3, 9):
            user["scale"] = i / 10
        if i == 7:
            del user["scale"]
        if i == 13:
            settings.maps.insert(0, {"shift": 0.5})
        yield step(x, y)


@loop
def settings_with_a_default_for_missing_keys(record):
    class Settings(UserDict):
        def __missing__(self, key):
            return {"scale": 1.0}.get(key, 0.0)

    model, optimizer, X, Y = regression()
    settings = Settings()

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(settings["scale"] * model(x) + settings["shift"], y))

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            settings["scale" if i % 4 == 1 else "shift"] = i / 10
        yield step(x, y)


@loop
def flags_of_an_enum(record):
    class Use(enum.Flag):
        L1 = enum.auto()
        L2 = enum.auto()
        NOISE = enum.auto()

    model, optimizer, X, Y = regression()
    state = SimpleNamespace(use=Use.L1)

    @record
    def step(x, y):
        if Use.NOISE in state.use:
            x = x + 0.1 * torch.randn_like(x)
        loss = F.mse_loss(model(x), y)
        if Use.L1 in state.use:
            loss = loss + 0.01 * sum(p.abs().sum() for p in model.parameters())
        if Use.L2 in state.use:
            loss = loss + 0.01 * sum(p.square().sum() for p in model.parameters())
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            state.use ^= (Use.L2, Use.NOISE, Use.L1)[i % 3]
        yield step(x, y)
    yield from final(model)


@loop
def descriptor_that_checks_its_value(record):
    class Positive:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, instance, owner):
            return self if instance is None else getattr(instance, self.name)

        def __set__(self, instance, value):
            if value <= 0:
                raise ValueError(value)
            setattr(instance, self.name, value)

    class Hyper:
        weight = Positive()

        def __init__(self):
            self.weight = 0.5

    model, optimizer, X, Y = regression()
    hyper = Hyper()
    step = record(lambda x, y: update(optimizer, hyper.weight * F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            hyper.weight *= 1.1
        yield step(x, y)
    yield from final(model)


@loop
def attribute_of_a_class_shadowed_by_an_object(record):
    class Settings:
        weight = 1.0

    model, optimizer, X, Y = regression()
    settings = Settings()
    step = record(lambda x, y: update(optimizer, settings.weight * F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i == 3:
            Settings.weight = 2.0
        if i == 5:
            settings.weight = 3.0
        if i == 9:
            del settings.weight
        if i == 13:
            Settings.weight = 0.5
        yield step(x, y)


@loop
def settings_found_by_getattr(record):
    class Lazy:
        def __init__(self):
            self.__dict__["values"] = {"weight": 1.0}

        def __getattr__(self, name):
            try:
                return self.values[name]
            except KeyError:
                raise AttributeError(name) from None

    model, optimizer, X, Y = regression()
    lazy = Lazy()

    @record
    def step(x, y):
        extra = getattr(lazy, "extra", None)
        loss = lazy.weight * F.mse_loss(model(x), y)
        if extra is not None:
            loss = loss + extra * model(x).abs().mean()
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in (3, 9):
            lazy.values["weight"] += 0.5
        if i == 5:
            lazy.values["extra"] = 0.1
        if i == 13:
            lazy.values.pop("extra")
        yield step(x, y)


@loop(expect="refused")
def weak_reference_to_settings(record):
    class Settings:
        weight = 1.0

    model, optimizer, X, Y = regression()
    settings = Settings()
    reference = weakref.ref(settings)
    step = record(lambda x, y: update(optimizer, reference().weight * F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            settings.weight = i / 4
        yield step(x, y)


# ---- statements ----------------------------------------------------------------------------------


@loop
def match_on_settings(record):
    model, optimizer, X, Y = regression()
    state = SimpleNamespace(loss={"kind": "mse"})

    def measured(output, y):
        match state.loss:
            case {"kind": "mse", "scale": scale}:
                return scale * F.mse_loss(output, y)
            case {"kind": "mse"}:
                return F.mse_loss(output, y)
            case {"kind": "quantile", "q": float(q)} if q > 0:
                return torch.maximum(q * (y - output), (q - 1) * (y - output)).mean()
            case ["power", p]:
                return ((output - y).abs() + 1e-3).pow(p).mean()
            case _:
                return (output - y).abs().mean()

    step = record(lambda x, y: update(optimizer, measured(model(x), y)))
    forms = {
        3: {"kind": "mse", "scale": 2.0},
        5: {"kind": "quantile", "q": 0.7},
        7: ["power", 1.5],
        9: "absolute",
        13: {"kind": "quantile", "q": 0.2},
    }
    for i, (x, y) in numbered(X, Y):
        state.loss = forms.get(i, state.loss)
        yield step(x, y)
    yield from final(model)


@loop
def match_on_an_object(record):
    @dataclasses.dataclass
    class Clip:
        bound: float

    @dataclasses.dataclass
    class Scale:
        factor: float

    model, optimizer, X, Y = regression()
    rules = [Clip(0.5)]

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        for rule in rules:
            for p in model.parameters():
                match rule:
                    case Clip(bound=b):
                        p.grad.clamp_(-b, b)
                    case Scale(factor=f):
                        p.grad.mul_(f)
        optimizer.step()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i == 3:
            rules.append(Scale(2.0))
        if i == 7:
            rules[0].bound = 0.1
        if i == 9:
            rules.reverse()
        yield step(x, y)
    yield from final(model)


@loop
def walrus_in_a_step(record):
    model, optimizer, X, Y = regression()
    weights = {"l1": 0.0, "l2": 0.1}

    @record
    def step(x, y):
        loss = F.mse_loss(output := model(x), y)
        if w := weights.get("l1"):
            loss = loss + w * output.abs().mean()
        if (w := weights.get("l2")) and w > 0.05:
            loss = loss + w * output.square().mean()
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            weights["l1"] = 0.0 if i % 4 == 1 else 0.2
            weights["l2"] *= 0.7
        yield step(x, y)


@loop
def closures_made_in_a_loop(record):
    model, optimizer, X, Y = regression()
    terms, scale = [], [1.0]
    for power in (1, 2, 3):
        terms.append(lambda error, power=power: scale[0] * error.abs().pow(power).mean())

    step = record(lambda x, y: update(optimizer, sum(t(model(x) - y) for t in terms)))
    for i, (x, y) in numbered(X, Y):
        if i in (3, 9):
            scale[0] *= 0.5
        if i == 7:
            terms.pop()
        if i == 13:
            terms[0] = lambda error: error.square().mean()
        yield step(x, y)
    yield from final(model)


@loop
def late_binding_of_a_closure_in_a_loop(record):
    model, optimizer, X, Y = regression()
    terms = [lambda e: (e.abs() + 0.1).pow(power).mean() for power in (1, 2)]  # noqa: B023
    terms += [lambda e: factor * e.mean()]
    factor = 0.1
    step = record(lambda x, y: update(optimizer, sum(t(model(x) - y) for t in terms)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            factor += 0.1
        yield step(x, y)


@loop
def suppressed_exceptions_and_an_exit_stack(record):
    model, optimizer, X, Y = regression()
    settings = {"scale": 2.0}
    on = SimpleNamespace(frozen=False)

    @contextlib.contextmanager
    def frozen(module):
        for p in module.parameters():
            p.requires_grad_(False)
        try:
            yield module
        finally:
            for p in module.parameters():
                p.requires_grad_(True)

    @record
    def step(x, y):
        scale = 1.0
        with contextlib.suppress(KeyError):
            scale = settings["scale"]
        optimizer.zero_grad()
        with contextlib.ExitStack() as stack:
            if on.frozen:
                stack.enter_context(frozen(model[0]))
            loss = scale * F.mse_loss(model(x), y)
            loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i == 3:
            del settings["scale"]
        if i == 9:
            settings["scale"] = 0.5
        on.frozen = i in (5, 6, 7, 13, 14, 15)
        yield step(x, y)
    yield from final(model)


@loop
def finally_that_restores_a_setting(record):
    model, optimizer, X, Y = regression()
    settings = SimpleNamespace(p=0.1, base=0.1)

    @record
    def step(x, y):
        before, settings.p = settings.p, 2 * settings.base
        try:
            h = F.dropout(model[0](x).tanh(), settings.p)
            return update(optimizer, F.mse_loss(model[2](h), y))
        finally:
            settings.p = before

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            settings.base = i / 50
        yield step(x, y), settings.p
    yield from final(model)


@loop
def else_of_a_for_and_continue(record):
    model, optimizer, X, Y = regression()
    plan = ["l2", "skip", "l1"]

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        for word in plan:
            if word == "skip":
                continue
            if word == "stop":
                break
            loss = loss + 0.01 * sum(
                p.abs().sum() if word == "l1" else p.square().sum() for p in model.parameters()
            )
        else:
            loss = loss * 2
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i == 3:
            plan[1] = "l1"
        if i == 7:
            plan.append("stop")
        if i == 13:
            plan[:] = []
        yield step(x, y)


@loop
def recursion_over_a_tree_of_modules(record):
    @dataclasses.dataclass
    class Tree:
        module: object
        children: list

    X = inputs()
    leaves = [Tree(nn.Linear(4, 4), []) for _ in range(3)]
    root = Tree(nn.Linear(4, 4), [Tree(nn.Linear(4, 4), leaves[:2]), leaves[2]])

    def modules(tree):
        yield tree.module
        for child in tree.children:
            yield from modules(child)

    def forward(tree, x):
        if not tree.children:
            return tree.module(x)
        return tree.module(sum(forward(child, x) for child in tree.children).tanh())

    optimizer = optim.SGD([p for m in modules(root) for p in m.parameters()], lr=0.05)
    step = record(lambda x: update(optimizer, F.mse_loss(forward(root, x), x)))
    for i, (x,) in numbered(X):
        if i == 5:
            root.children.pop()
        if i == 9:
            root.children[0].children.append(leaves[2])
        yield step(x)
    yield from final(*modules(root))


@loop
def recursion_of_a_matrix_power(record):
    w = nn.Parameter(torch.eye(4) * 0.9)
    optimizer = optim.SGD([w], lr=0.01)
    exponent = [3]

    def power(a, n):
        if n == 1:
            return a
        half = power(a, n // 2)
        return half @ half @ a if n % 2 else half @ half

    step = record(lambda x: update(optimizer, F.mse_loss(x @ power(w, exponent[0]), x.flip(1))))
    for i, (x,) in numbered(inputs()):
        if i in (5, 9, 13):
            exponent[0] = i
        yield step(x)
    yield w


# ---- functions as objects ------------------------------------------------------------------------


@loop
def single_dispatch_on_a_setting(record):
    class L1:
        weight = 0.1

    class L2:
        weight = 0.2

    @functools.singledispatch
    def penalty(kind, p):
        raise TypeError(kind)

    @penalty.register(L1)
    def _(kind, p):
        return kind.weight * p.abs().sum()

    @penalty.register(L2)
    def _(kind, p):
        return kind.weight * p.square().sum()

    model, optimizer, X, Y = regression()
    state = SimpleNamespace(kind=L1())

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y) + sum(penalty(state.kind, p) for p in model.parameters())
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            state.kind = (L1, L2)[i % 4 == 1]()
            state.kind.weight = 1 / i
        yield step(x, y)


@loop
def composed_functions_of_a_reduce(record):
    model, optimizer, X, Y = regression()
    pipeline = [torch.tanh, lambda x: x * 2]

    @record
    def step(x, y):
        x = functools.reduce(lambda x, f: f(x), pipeline, x)
        return update(optimizer, F.mse_loss(model(x), y))

    for i, (x, y) in numbered(X, Y):
        if i == 3:
            pipeline.append(torch.sin)
        if i == 7:
            pipeline[1] = lambda x: x * 3
        if i == 13:
            del pipeline[0]
        yield step(x, y)


@loop
def getters_of_operator(record):
    model, optimizer, X, Y = regression()
    state = SimpleNamespace(inner=SimpleNamespace(weight=1.0))
    table = {"a": 0.5, "b": 2.0}
    weight_of, chosen = operator.attrgetter("inner.weight"), [operator.itemgetter("a")]

    @record
    def step(x, y):
        return update(optimizer, weight_of(state) * chosen[0](table) * F.mse_loss(model(x), y))

    for i, (x, y) in numbered(X, Y):
        if i in (3, 9):
            state.inner.weight += 1
        if i == 5:
            table["a"] = 0.25
        if i == 13:
            chosen[0] = operator.itemgetter("b")
        yield step(x, y)


@loop
def partial_method_and_keywords(record):
    class Trainer:
        def __init__(self, model, optimizer):
            self.model, self.optimizer, self.scale = model, optimizer, 1.0

        def loss(self, x, y, *, power):
            return self.scale * ((self.model(x) - y).abs() + 1e-3).pow(power).mean()

        square = functools.partialmethod(loss, power=2)

        @record
        def step(self, x, y):
            return update(self.optimizer, self.square(x, y))

    model, optimizer, X, Y = regression()
    trainer = Trainer(model, optimizer)
    for i, (x, y) in numbered(X, Y):
        if i in (3, 9):
            trainer.scale *= 2
        if i == 13:
            Trainer.square = functools.partialmethod(Trainer.loss, power=1.5)
        yield trainer.step(x, y)


@loop
def table_of_a_registry(record):
    registry = {}

    def register(name):
        return lambda function: registry.setdefault(name, function)

    @register("mse")
    def mse(output, y, weight=1.0):
        return weight * F.mse_loss(output, y)

    @register("mae")
    def mae(output, y, weight=1.0):
        return weight * (output - y).abs().mean()

    model, optimizer, X, Y = regression()
    used = [("mse", {})]

    @record
    def step(x, y):
        output = model(x)
        return update(optimizer, sum(registry[n](output, y, **kw) for n, kw in used))

    for i, (x, y) in numbered(X, Y):
        if i == 3:
            used.append(("mae", {"weight": 0.5}))
        if i == 5:
            used[1][1]["weight"] = 2.0
        if i == 9:
            registry["mae"] = lambda output, y, weight: weight * (output - y).square().sum()
        if i == 13:
            mse.__defaults__ = (3.0,)
        yield step(x, y)


@loop(expect="same")
def hooks_of_lambdas_that_come_and_go(record):
    model, optimizer, X, Y = regression()
    gain = SimpleNamespace(value=1.0)
    handle = model[1].register_forward_hook(lambda module, args, y: gain.value * y)
    step = record(lambda x, y: update(optimizer, F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in (3, 5):
            gain.value *= 0.5
        if i == 9:
            handle.remove()
        if i == 13:
            model[0].weight.register_hook(lambda grad: gain.value * grad)
        if i == 19:
            gain.value = 2.0
        yield step(x, y)
    yield from final(model)


@loop
def methods_bound_to_objects_by_types(record):
    model, optimizer, X, Y = regression()
    state = SimpleNamespace(scale=1.0)

    def scaled(self, x):
        return state.scale * nn.Sequential.forward(self, x)

    step = record(lambda x, y: update(optimizer, F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i == 3:
            model.forward = types.MethodType(scaled, model)
        if i in (5, 9):
            state.scale += 0.5
        if i == 13:
            del model.forward
        yield step(x, y)


@loop
def decorator_with_an_attribute(record):
    def scaled(function):
        @functools.wraps(function)
        def wrapper(*args):
            return wrapper.scale * function(*args)

        wrapper.scale = 1.0
        return wrapper

    model, optimizer, X, Y = regression()

    @scaled
    def loss_of(x, y):
        return F.mse_loss(model(x), y)

    step = record(lambda x, y: update(optimizer, loss_of(x, y)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            loss_of.scale = 1 / i
        yield step(x, y)


@loop(expect="either")
def cache_that_is_cleared(record):
    settings = {"n": 4}
    model, optimizer, X, Y = regression()

    @functools.lru_cache
    def weights():
        return tuple(1 / (1 + k) for k in range(settings["n"]))

    @record
    def step(x, y):
        error = (model(x) - y).square().mean()
        return update(optimizer, sum(w * error for w in weights()))

    for i, (x, y) in numbered(X, Y):
        if i in (5, 9):
            settings["n"] += 1
            weights.cache_clear()
        yield step(x, y)


# ---- data ----------------------------------------------------------------------------------------


@loop
def loader_that_is_a_generator_with_augmentations(record):
    model, optimizer, X, Y = classification()
    strength = SimpleNamespace(noise=0.1)

    def loader():
        for x, y in batches(X, Y):
            yield {"x": x + strength.noise * torch.randn_like(x), "y": y, "noise": strength.noise}

    @record
    def step(batch):
        return update(optimizer, F.cross_entropy(model(batch["x"]), batch["y"]))

    for i, batch in enumerate(loader(), 1):
        if i in ODD:
            strength.noise *= 0.5
        yield step({"x": batch["x"], "y": batch["y"]})
    yield from final(model)


@loop
def batches_of_a_named_tuple_with_an_optional_field(record):
    Batch = namedtuple("Batch", "x y weight", defaults=(None,))
    model, optimizer, X, Y = regression()

    @record
    def step(batch):
        losses = (model(batch.x) - batch.y).square().mean(1)
        loss = losses.mean() if batch.weight is None else (losses * batch.weight).sum()
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        yield step(Batch(x, y, torch.rand(len(x)) if i in ODD else None))
    yield from final(model)


@loop
def collated_lists_of_rows(record):
    model, optimizer, X, Y = regression()

    @record
    def step(rows):
        x = torch.stack([x for x, _ in rows])
        y = torch.stack([y for _, y in rows])
        return update(optimizer, F.mse_loss(model(x), y))

    for i, (x, y) in numbered(X, Y):
        n = 4 if i in ODD else 8
        yield step([(x[k], y[k]) for k in range(n)])


@loop
def sampler_weighted_by_losses_outside(record):
    model, optimizer, X, Y = regression()
    weights = torch.ones(len(X))

    @record
    def step(x, y):
        losses = (model(x) - y).square().mean(1)
        update(optimizer, losses.mean())
        return losses

    for _ in range(20):
        rows = (weights.log() - (-torch.rand(len(X)).log()).log()).argmax(0).reshape(1)
        rows = torch.cat([rows, torch.randint(0, len(X), (7,))])
        losses = step(X[rows], Y[rows])
        weights[rows] = losses + 0.1
        yield losses
    yield weights


@loop(expect="either")
def zip_of_two_lists_that_grow(record):
    model, optimizer, X, Y = regression()
    powers, weights = [2], [1.0]

    @record
    def step(x, y):
        error = (model(x) - y).abs() + 0.01
        loss = sum(w * error.pow(p).mean() for p, w in zip(powers, weights, strict=True))
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in (3, 7):
            powers.append(1 + i % 3)
            weights.append(1 / i)
        if i in (9, 13):
            weights[0] *= 0.5
        yield step(x, y)


@loop
def windows_by_itertools(record):
    model, optimizer, X, Y = regression()
    strides = [1]

    @record
    def step(x, y):
        output = model(x)
        pairs = itertools.islice(itertools.combinations(range(len(y)), 2), 0, None, strides[0])
        smooth = sum((output[a] - output[b]).square().sum() for a, b in pairs)
        return update(optimizer, F.mse_loss(output, y) + 0.001 * smooth)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            strides[0] = 1 + i % 5
        yield step(x, y)


# ---- modules -------------------------------------------------------------------------------------


@loop
def module_that_is_lazy(record):
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = None

        def forward(self, x):
            if self.inner is None:
                self.inner = nn.Linear(x.shape[1], 1)
            return self.inner(x)

    model = Lazy()
    X = inputs()
    model(X[:1])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = record(lambda x: update(optimizer, F.mse_loss(model(x), x.sum(1, keepdim=True))))
    for i, (x,) in numbered(X):
        if i == 9:
            model.inner = None
            model(x)
            optimizer.param_groups[0]["params"] = list(model.parameters())
        yield step(x)
    yield from final(model)


@loop
def blocks_skipped_by_a_list_of_flags(record):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])
            self.active = [True] * 4

        def forward(self, x):
            for block, active in zip(self.blocks, self.active, strict=True):
                x = x + block(x).tanh() if active else x
            return x

    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    step = record(lambda x: update(optimizer, F.mse_loss(model(x), x.flip(1))))
    for i, (x,) in numbered(inputs()):
        if i in ODD:
            model.active[i % 4] = not model.active[i % 4]
        yield step(x)
    yield from final(model)


@loop
def initial_values_drawn_again_at_a_call(record):
    model, optimizer, X, Y = regression()
    step = record(lambda x, y: update(optimizer, F.mse_loss(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in (5, 13):
            for module in model.modules():
                if isinstance(module, nn.Linear):
                    nn.init.xavier_uniform_(module.weight, gain=1 / i)
                    nn.init.zeros_(module.bias)
            optimizer.state.clear()
        yield step(x, y)
    yield from final(model)


@loop
def weights_made_by_another_network(record):
    hyper = nn.Linear(2, 4 * 3 + 3)
    optimizer = optim.Adam(hyper.parameters(), lr=0.01)
    code = SimpleNamespace(z=torch.ones(1, 2))

    @record
    def step(x, y):
        made = hyper(code.z).squeeze(0)
        return update(
            optimizer, F.cross_entropy(F.linear(x, made[:12].reshape(3, 4), made[12:]), y)
        )

    X = inputs()
    for i, (x,) in numbered(X):
        if i in ODD:
            code.z = torch.randn(1, 2)
        yield step(x, (x[:, 0] > 0).long())
    yield from final(hyper)


@loop
def ensemble_with_bootstrap_masks(record):
    models = nn.ModuleList([regressor() for _ in range(3)])
    optimizer = optim.Adam(models.parameters(), lr=0.01)
    share = [0.8]

    @record
    def step(x, y):
        losses = []
        for model in models:
            chosen = torch.rand(len(x)) < share[0]
            losses.append((model(x) - y).square().mean(1)[chosen].sum() / len(x))
        return update(optimizer, sum(losses)), torch.stack(losses)

    X = inputs()
    for i, (x,) in numbered(X):
        if i in ODD:
            share[0] -= 0.1
        yield step(x, x.sum(1, keepdim=True))
    yield from final(models)


@loop
def fisher_of_an_old_task(record):
    model, optimizer, X, Y = classification()
    anchor = OrderedDict()
    strength = SimpleNamespace(value=0.0)

    @record
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        for name, p in model.named_parameters():
            if name in anchor:
                importance, old = anchor[name]
                loss = loss + strength.value * (importance * (p - old).square()).sum()
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in (9, 17):
            model.zero_grad()
            F.cross_entropy(model(x), y).backward()
            for name, p in model.named_parameters():
                anchor[name] = p.grad.square(), p.detach().clone()
            strength.value += 10.0
        yield step(x, y)
    yield from final(model)


@loop
def weights_averaged_of_two_workers(record):
    workers = [classifier() for _ in range(2)]
    workers[1].load_state_dict(workers[0].state_dict())
    optimizers = [optim.SGD(m.parameters(), lr=0.1 * (k + 1)) for k, m in enumerate(workers)]

    @record
    def step(k, x, y):
        return update(optimizers[k], F.cross_entropy(workers[k](x), y))

    X = inputs()
    for i, (x,) in numbered(X):
        yield step(i % 2, x, (x[:, 0] > 0).long())
        if i in ODD:
            a, b = (m.state_dict() for m in workers)
            mean = {name: (a[name] + b[name]) / 2 for name in a}
            for m in workers:
                m.load_state_dict(mean)
    yield from final(*workers)


@loop
def copies_of_a_module_that_swap(record):
    model, _, X, Y = classification()
    shadow = copy.deepcopy(model)
    nets = SimpleNamespace(a=model, b=shadow)

    @record
    def step(x, y):
        with torch.no_grad():
            wanted = nets.b(x).softmax(1)
        loss = F.cross_entropy(nets.a(x), y) + F.mse_loss(nets.a(x).softmax(1), wanted)
        for p in [*nets.a.parameters(), *nets.b.parameters()]:
            p.grad = None
        loss.backward()
        with torch.no_grad():
            for p in nets.a.parameters():
                p -= 0.05 * p.grad
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            nets.a, nets.b = nets.b, nets.a
        yield step(x, y)
    yield from final(model, shadow)


@loop(expect="either")
def step_that_calls_itself_for_the_second_half(record):
    model, optimizer, X, Y = regression()

    def halves(x, y, depth):
        if depth == 0:
            return F.mse_loss(model(x), y)
        n = len(x) // 2
        return halves(x[:n], y[:n], depth - 1) + halves(x[n:], y[n:], depth - 1)

    depth = SimpleNamespace(value=1)
    step = record(lambda x, y: update(optimizer, halves(x, y, depth.value)))
    for i, (x, y) in numbered(X, Y):
        depth.value = 2 if i in ODD else 1
        yield step(x, y)
