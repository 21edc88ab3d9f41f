"""What a step returns."""

import collections
import functools

import pyml as torch
from pyml import nn
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    final,
    inputs,
    labels,
    train,
    update,
)
from record.loops.harness import loop

Row = collections.namedtuple("Row", "loss out")

RESULTS = {
    "nothing": lambda loss, out, model: None,
    "constant": lambda loss, out, model: 42,
    "text": lambda loss, out, model: "done",
    "tuple": lambda loss, out, model: (loss, out),
    "list": lambda loss, out, model: [loss, out],
    "dict": lambda loss, out, model: {"loss": loss, "out": out, "n": out.shape[0]},
    "nested": lambda loss, out, model: {"a": (loss, [out, {"b": out.mean()}]), "c": None},
    "namedtuple": lambda loss, out, model: Row(loss, out),
    "same_twice": lambda loss, out, model: (loss, loss, out, out),
    "views": lambda loss, out, model: (out[0], out[:, 0], out.T, out[2:4]),
    "detached": lambda loss, out, model: (loss.detach(), out.detach().argmax(1)),
    "cloned_weight": lambda loss, out, model: model[0].weight.detach().clone(),
    "gradient_cloned": lambda loss, out, model: model[0].weight.grad.clone(),
    "empty": lambda loss, out, model: (),
    "boolean": lambda loss, out, model: out > 0,
    "mixed": lambda loss, out, model: (loss, 1.5, "x", None, True),
    "shape": lambda loss, out, model: (tuple(out.shape), loss),
}


@loop(each=RESULTS)
def result_is(record, result):
    """Results are kept until the end: they are their owner's."""
    model, optimizer, X, Y = classification()
    kept = []

    @record
    def step(x, y):
        out = model(x)
        loss = update(optimizer, F.cross_entropy(out, y))
        return result(loss, out, model)

    for x, y in batches(X, Y):
        kept.append(step(x, y))
        yield kept[-1]
    yield kept
    yield from final(model)


ALIASES = {
    "weight": lambda model, x: model[0].weight,
    "data": lambda model, x: model[0].weight.data,
    "row_of_a_weight": lambda model, x: model[0].weight.detach()[0],
    "gradient": lambda model, x: model[0].weight.grad,
    "argument": lambda model, x: x,
    "view_of_the_argument": lambda model, x: x[0],
}


@loop(expect="either", each=ALIASES)
def result_aliases(record, result):
    """What is returned shows what lives on; kept, it changes with that, as eagerly."""
    model, optimizer, X, Y = classification()
    kept = []

    @record
    def step(x, y):
        update(optimizer, F.cross_entropy(model(x), y))
        return result(model, x)

    for x, y in batches(X, Y):
        kept.append(step(x, y))
        yield kept[-1]
    yield kept


@loop
def results_changed_by_their_owner(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        out = model(x)
        return update(optimizer, F.cross_entropy(out, y)), out

    for x, y in batches(X, Y):
        loss, out = step(x, y)
        out.detach().mul_(0)
        yield loss, out
    yield from final(model)


@loop
def result_is_the_next_argument(record):
    """A state that goes through the calls."""
    cell, X = nn.Linear(8, 4), inputs()
    h = torch.zeros(8, 4)

    @record
    @torch.no_grad()
    def step(x, h):
        return cell(torch.cat([x, h], dim=1)).tanh()

    for (x,) in batches(X):
        h = step(x, h)
        yield h


@loop
def results_of_two_variants(record):
    model, _, X, Y = classification()

    @record
    @torch.no_grad()
    def evaluate(x, y=None):
        out = model(x)
        return out if y is None else {"out": out, "loss": F.cross_entropy(out, y)}

    for i, (x, y) in enumerate(batches(X, Y)):
        yield evaluate(x, y) if i % 2 else evaluate(x)


@loop
def step_given_by_a_partial_of_each_fold(record):
    def step(fold, x, y, model, optimizer):
        return update(optimizer, (fold + 1) * F.cross_entropy(model(x), y))

    model, optimizer, X, Y = classification()
    steps = [
        record(functools.partial(step, fold, model=model, optimizer=optimizer)) for fold in range(2)
    ]
    for i, (x, y) in enumerate(batches(X, Y)):
        yield steps[i % 2](x, y)


@loop
def labels_computed_inside(record):
    model, optimizer, X, _ = classification()
    W = torch.randn(4, 3)

    @record
    def step(x):
        return update(optimizer, F.cross_entropy(model(x), (x @ W).argmax(1)))

    yield from train(step, X)
    yield labels(X).sum()
