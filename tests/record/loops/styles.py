"""One step as a function, in many ways of writing; where models and parameters are kept."""

import argparse
import functools
import types
from collections import UserDict, namedtuple

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    classifier,
    final,
    inputs,
    targets,
    train,
    update,
)
from record.loops.harness import loop

# ---- functions -----------------------------------------------------------------------------------


@loop
def function_that_is_given_all(record):
    def step(model, optimizer, criterion, x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    model, optimizer, X, Y = classification()
    recorded, criterion = record(step), nn.CrossEntropyLoss()
    for x, y in batches(X, Y):
        yield recorded(model, optimizer, criterion, x, y)
    yield from final(model, optimizer)


@loop
def partial_with_model_and_optimizer(record):
    def step(model, optimizer, x, y, *, scale=1.0):
        return update(optimizer, scale * F.cross_entropy(model(x), y))

    model, optimizer, X, Y = classification()
    yield from train(record(functools.partial(step, model, optimizer, scale=0.5)), X, Y)
    yield from final(model, optimizer)


@loop
def partial_as_a_loss(record):
    model, optimizer, X, Y = classification()
    criterion = functools.partial(F.cross_entropy, label_smoothing=0.2)

    @record
    def step(x, y):
        return update(optimizer, criterion(model(x), y))

    yield from train(step, X[:96], Y[:96])
    criterion = functools.partial(F.cross_entropy, label_smoothing=0.0)
    yield from train(step, X, Y)


@loop
def decorated_step(record):
    def with_zero_grad(optimizer):
        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args):
                optimizer.zero_grad()
                return function(*args)

            return wrapper

        return decorate

    model, optimizer, X, Y = classification()

    @record
    @with_zero_grad(optimizer)
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    yield from train(step, X, Y)
    yield from final(model)


@loop
def decorator_that_counts_calls(record):
    def counting(function):
        @functools.wraps(function)
        def wrapper(*args):
            wrapper.calls += 1
            return function(*args)

        wrapper.calls = 0
        return wrapper

    model, optimizer, X, Y = classification()

    @counting
    def plain(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    step = record(plain)
    for x, y in batches(X, Y):
        yield step(x, y), plain.calls


@loop
def helpers_under_no_grad(record):
    model, optimizer, X, Y = classification()

    @torch.no_grad()
    def accuracy(output, y):
        return (output.argmax(dim=1) == y).float().mean()

    @torch.no_grad()
    def shrink(module):
        for p in module.parameters():
            p.mul_(0.999)

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        shrink(model)
        return {"loss": loss, "accuracy": accuracy(output, y)}

    yield from train(step, X, Y)
    yield from final(model)


@loop
def lambdas(record):
    model, optimizer, X, Y = classification()
    loss_of = lambda x, y: F.cross_entropy(model(x), y)  # noqa: E731
    step = record(lambda x, y: update(optimizer, loss_of(x, y)))
    yield from train(step, X, Y)
    yield from final(model)


@loop
def nested_recorded_functions(record):
    model, optimizer, X, Y = classification()

    @record
    def predict(x):
        return model(x)

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(predict(x), y))

    for x, y in batches(X, Y):
        yield step(x, y), predict(x)
    yield from final(model)


@loop
def closure_of_a_closure(record):
    def make(model):
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def make_step(weight):
            def step(x, y):
                return update(optimizer, weight * F.cross_entropy(model(x), y))

            return record(step)

        return make_step

    model, _, X, Y = classification()
    steps = [make(model)(w) for w in (1.0, 0.5)]
    for i, (x, y) in enumerate(batches(X, Y)):
        yield steps[i % 2](x, y)
    yield from final(model)


WEIGHT = 1.0
MODEL = OPTIMIZER = None


def global_loss(x, y):
    return WEIGHT * F.cross_entropy(MODEL(x), y)


@loop
def globals_that_are_rebound(record):
    global MODEL, OPTIMIZER, WEIGHT
    MODEL, OPTIMIZER, X, Y = classification()
    WEIGHT = 1.0

    @record
    def step(x, y):
        return update(OPTIMIZER, global_loss(x, y))

    yield from train(step, X[:96], Y[:96])
    WEIGHT = 0.25
    yield from train(step, X[:96], Y[:96])
    MODEL = classifier()
    OPTIMIZER = optim.Adam(MODEL.parameters(), lr=0.02)
    yield from train(step, X, Y)
    yield from final(MODEL)


STEP = 0


@loop
def global_counter(record):
    global STEP
    model, optimizer, X, Y = classification()
    STEP = 0

    @record
    def step(x, y):
        global STEP
        STEP += 1
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y), STEP


@loop
def default_arguments(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, model=model, scale=0.5, optimizer=optimizer):
        return update(optimizer, scale * F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y) if i % 2 else step(x, y, scale=2.0)
    yield from final(model)


@loop
def generator_inside(record):
    model, optimizer, X, Y = classification()

    def penalties():
        for p in model.parameters():
            yield p.abs().sum()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y) + 1e-3 * sum(penalties()))

    yield from train(step, X, Y)
    yield from final(model)


@loop
def context_managers_of_their_own(record):
    class Frozen:
        def __init__(self, module):
            self.module = module

        def __enter__(self):
            self.module.requires_grad_(False)

        def __exit__(self, *error):
            self.module.requires_grad_(True)

    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        with Frozen(model[0]):
            return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model)


@loop
def try_and_finally(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        try:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        finally:
            optimizer.zero_grad()
        return loss

    yield from train(step, X, Y)
    yield from final(model)


# ---- where modules and parameters are kept -------------------------------------------------------

Bundle = namedtuple("Bundle", "model optimizer")


def as_list(model, optimizer):
    return [model, optimizer], lambda b: b[0], lambda b: b[1]


def as_tuple(model, optimizer):
    return (model, optimizer), lambda b: b[0], lambda b: b[1]


def as_dict(model, optimizer):
    return {"model": model, "opt": optimizer}, lambda b: b["model"], lambda b: b["opt"]


def as_namedtuple(model, optimizer):
    return Bundle(model, optimizer), lambda b: b.model, lambda b: b.optimizer


def as_namespace(model, optimizer):
    return types.SimpleNamespace(m=model, o=optimizer), lambda b: b.m, lambda b: b.o


def as_argparse(model, optimizer):
    return argparse.Namespace(m=model, o=optimizer), lambda b: b.m, lambda b: b.o


def as_user_dict(model, optimizer):
    return UserDict(m=model, o=optimizer), lambda b: b["m"], lambda b: b["o"]


def as_function(model, optimizer):
    return (lambda: (model, optimizer)), lambda b: b()[0], lambda b: b()[1]


KEPT = {
    f.__name__: f
    for f in (
        as_list,
        as_tuple,
        as_dict,
        as_namedtuple,
        as_namespace,
        as_argparse,
        as_user_dict,
        as_function,
    )
}


@loop(each=KEPT)
def kept(record, keep):
    """The model and its optimizer in a container, which the step looks into."""
    model, optimizer, X, Y = classification()
    bundle, model_of, optimizer_of = keep(model, optimizer)

    @record
    def step(x, y):
        return update(optimizer_of(bundle), F.cross_entropy(model_of(bundle)(x), y))

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def layers_in_a_plain_list(record):
    layers = [nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)]
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer = optim.Adam(parameters, lr=0.02)
    X = inputs()
    Y = targets(X)

    @record
    def step(x, y):
        for layer in layers:
            x = layer(x)
        return update(optimizer, F.mse_loss(x, y))

    yield from train(step, X[:96], Y[:96])
    layers[1] = nn.Sigmoid()
    yield from train(step, X, Y)
    layers.insert(1, nn.Linear(6, 6))
    yield from train(step, X, Y)
    yield parameters


@loop
def parameters_in_a_dict_functional(record):
    P = {
        "w1": torch.randn(4, 8) * 0.5,
        "b1": torch.zeros(8),
        "w2": torch.randn(8, 1) * 0.5,
    }
    for p in P.values():
        p.requires_grad_(True)
    X = inputs()
    Y = targets(X)

    def net(P, x):
        return torch.tanh(x @ P["w1"] + P["b1"]) @ P["w2"]

    @record
    def step(x, y):
        loss = F.mse_loss(net(P, x), y)
        gradients = torch.autograd.grad(loss, list(P.values()))
        with torch.no_grad():
            for p, g in zip(P.values(), gradients, strict=True):
                p -= 0.1 * g
        return loss

    yield from train(step, X, Y)
    yield P


@loop
def many_models(record):
    """An ensemble of eighty heads: a list that is longer than a look at its items."""
    heads = [nn.Linear(4, 1) for _ in range(80)]
    optimizer = optim.SGD([p for head in heads for p in head.parameters()], lr=0.1)
    X = inputs()
    Y = targets(X)

    @record
    def step(x, y):
        return update(optimizer, sum(F.mse_loss(head(x), y) for head in heads))

    yield from train(step, X[:64], Y[:64])
    heads[70] = nn.Linear(4, 1)
    yield from train(step, X[:64], Y[:64])
    yield from final(heads[79])
