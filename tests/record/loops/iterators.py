"""Iterators that a step moves on; the clock."""

import datetime
import itertools
import math
import time
from types import SimpleNamespace

import pyml as torch
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    regression,
    train,
    update,
)
from record.loops.harness import loop


@loop(expect="refused")
def batches_of_an_iterator(record):
    model, optimizer, X, Y = classification()
    data = batches(X, Y)

    @record
    def step():
        x, y = next(data)
        return update(optimizer, F.cross_entropy(model(x), y))

    for _ in range(24):
        yield step()


@loop(expect="refused")
def batches_of_a_cycle(record):
    model, optimizer, X, Y = classification()
    data = itertools.cycle(list(batches(X, Y)))

    @record
    def step():
        x, y = next(data)
        return update(optimizer, F.cross_entropy(model(x), y))

    for _ in range(48):
        yield step()


@loop(expect="refused")
def batches_of_an_iterator_of_ones_own(record):
    class Loader:
        def __init__(self, *data):
            self.data, self.i = data, 0

        def __iter__(self):
            return self

        def __next__(self):
            self.i = (self.i + 1) % 24
            return tuple(t[self.i * 8 : self.i * 8 + 8] for t in self.data)

    model, optimizer, X, Y = classification()
    loader = Loader(X, Y)

    @record
    def step():
        x, y = next(loader)
        return update(optimizer, F.cross_entropy(model(x), y))

    for _ in range(24):
        yield step()


@loop(expect="refused")
def negatives_of_a_second_iterator(record):
    """x comes as an argument; what it is compared with, from an iterator."""
    model, optimizer, X, Y = regression()
    others = iter(X.flip(0).split(8))

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y) + model(next(others)).square().mean())

    yield from train(step, X, Y)


@loop(expect="either")
def iterator_that_is_gone_through_inside(record):
    """zip and enumerate over what is the same in each step."""
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        total = torch.zeros(())
        for i, (a, b) in enumerate(zip(x.split(4), iter(y.split(4)), strict=True)):
            total = total + (i + 1) * F.mse_loss(model(a), b)
        return update(optimizer, total)

    yield from train(step, X, Y)


@loop(expect="refused")
def mapped_iterator(record):
    weights = map(math.exp, itertools.count(0, -1))
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        return update(optimizer, next(weights) * F.mse_loss(model(x), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def generator_that_is_sent_to(record):
    def schedule():
        w = 1.0
        while True:
            yield w
            w *= 0.9

    weights = schedule()
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        return update(optimizer, weights.send(None) * F.mse_loss(model(x), y))

    yield from train(step, X, Y)


# ---- the clock -----------------------------------------------------------------------------------


@loop(expect="refused", each={"time": time.time, "perf_counter": time.perf_counter})
def duration_of_each_step_in_a_list(record, clock):
    model, optimizer, X, Y = regression()
    durations = []

    @record
    def step(x, y):
        begin = clock()
        loss = update(optimizer, F.mse_loss(model(x), y))
        durations.append(clock() - begin)
        return loss

    yield from train(step, X, Y)
    yield len(durations)


@loop(expect="refused")
def duration_returned(record):
    model, optimizer, X, Y = regression()
    seen = []

    @record
    def step(x, y):
        begin = time.perf_counter()
        loss = update(optimizer, F.mse_loss(model(x), y))
        return loss, time.perf_counter() - begin

    for x, y in batches(X, Y):
        loss, seconds = step(x, y)
        seen.append(seconds)
        yield loss
    yield len(set(seen)) > 12


@loop(expect="refused")
def time_of_the_last_step_in_an_attribute(record):
    model, optimizer, X, Y = regression()
    state = SimpleNamespace(at=0.0)
    seen = []

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        state.at = time.monotonic()
        return loss

    for x, y in batches(X, Y):
        yield step(x, y)
        seen.append(state.at)
    yield len(set(seen)) > 12


@loop(expect="refused")
def clock_that_feeds_the_step(record):
    """What it multiplies is nothing, but a replay cannot know that."""
    model, optimizer, X, Y = regression()
    ticks = SimpleNamespace(n=0)

    def tick():
        time.perf_counter()
        ticks.n += 1
        return (time.time() * 0.0) + ticks.n

    @record
    def step(x, y):
        return update(optimizer, tick() * F.mse_loss(model(x), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def date_in_a_log(record):
    model, optimizer, X, Y = regression()
    lines = []

    @record
    def step(x, y):
        lines.append(f"{datetime.datetime.now():%Y}")
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    yield len(lines)


@loop
def clock_outside(record):
    model, optimizer, X, Y = regression()
    durations = []

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        begin = time.perf_counter()
        yield step(x, y)
        durations.append(time.perf_counter() - begin)
    yield len(durations)


@loop
def clock_by_the_host(record):
    model, optimizer, X, Y = regression()
    times = []

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        torch.host(lambda: times.append(time.perf_counter()))
        return loss

    yield from train(step, X, Y)
    yield len(times)
