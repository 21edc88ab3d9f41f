"""Learning rates that change with time, inside and outside of the step."""

import itertools
import math
from types import SimpleNamespace

import pyml as torch
from pyml import optim
from pyml.nn import functional as F
from pyml.optim import lr_scheduler
from record.loops.common import (
    batches,
    classification,
    final,
    regression,
    train,
    update,
)
from record.loops.harness import loop


def set_lr(optimizer, lr):
    for group in optimizer.param_groups:
        group["lr"] = lr


# ---- outside of the step -------------------------------------------------------------------------

RATES = {
    "warmup": lambda t: 0.1 * min(1.0, (t + 1) / 10),
    "cosine": lambda t: 0.05 * (1 + math.cos(math.pi * t / 24)),
    "exponential": lambda t: 0.1 * 0.9**t,
    "steps": lambda t: 0.1 if t < 8 else 0.01,
    "inverse_root": lambda t: 0.1 / math.sqrt(t + 1),
    "one_cycle": lambda t: 0.1 * (t / 12 if t < 12 else (24 - t) / 12),
    "zero_at_times": lambda t: 0.0 if t % 3 == 0 else 0.1,
}


@loop(each=RATES)
def rate_set_before_each_call(record, rate):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        set_lr(optimizer, rate(t))
        yield step(x, y)
    yield from final(model, optimizer)


SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=5, gamma=0.5),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=10),
}


@loop(each=SCHEDULERS)
def scheduler_outside(record, make):
    model, optimizer, X, Y = regression()
    scheduler = make(optimizer)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y)
        scheduler.step()
    yield from final(model, optimizer)


@loop(each=SCHEDULERS)
def scheduler_inside(record, make):
    model, optimizer, X, Y = regression()
    scheduler = make(optimizer)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        scheduler.step()
        return loss

    for x, y in batches(X, Y):
        yield step(x, y), scheduler.get_last_lr(), scheduler.last_epoch
    yield from final(model, optimizer)


@loop(expect="either")
def scheduler_inside_read_inside(record):
    model, optimizer, X, Y = regression()
    scheduler = lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        scheduler.step()
        return loss, scheduler.get_last_lr()[0]

    yield from train(step, X, Y)


@loop
def scheduler_inside_and_saved_at_times(record):
    model, optimizer, X, Y = regression()
    scheduler = lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        scheduler.step()
        return loss

    for t, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if t == 10:
            saved = scheduler.state_dict()
        if t == 15:
            scheduler.load_state_dict(saved)
            set_lr(optimizer, 0.05)
    yield from final(model, optimizer)


@loop
def scheduler_inside_every_other_step_by_a_counter(record):
    model, optimizer, X, Y = regression()
    scheduler = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.7)
    count = [0]

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        count[0] += 1
        if count[0] % 2 == 0:
            scheduler.step()
        return loss

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def rate_of_two_groups(record):
    model, _, X, Y = regression()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}]
    optimizer = optim.SGD(groups, lr=0.01)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        for i, group in enumerate(optimizer.param_groups):
            group["lr"] *= 0.9 + 0.05 * i
        yield step(x, y)
        if t == 12:
            optimizer.param_groups[1]["weight_decay"] = 0.1
            optimizer.param_groups[0]["momentum"] = 0.9
    yield from final(model, optimizer)


@loop
def rate_in_a_tensor(record):
    model, _, X, Y = regression()
    lr = torch.tensor(0.1)
    optimizer = optim.SGD(model.parameters(), lr=lr)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        lr.mul_(0.9)
        yield step(x, y)
    yield from final(model, optimizer)


@loop(expect="refused")
def rate_in_a_tensor_changed_inside(record):
    """Options are read before the kernels of a step run."""
    model, _, X, Y = regression()
    lr = torch.tensor(0.1)
    optimizer = optim.Adam(model.parameters(), lr=lr)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        lr.mul_(0.95)
        return loss

    yield from train(step, X, Y)
    yield lr


@loop
def plateau_by_hand(record):
    model, optimizer, X, Y = regression(lr=0.1)
    best, bad = float("inf"), 0

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        loss = step(x, y).item()
        bad = 0 if loss < best else bad + 1
        best = min(best, loss)
        if bad > 2:
            set_lr(optimizer, optimizer.param_groups[0]["lr"] * 0.5)
            bad = 0
        yield loss, optimizer.param_groups[0]["lr"]
    yield from final(model)


@loop
def betas_changed_between_calls(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        optimizer.param_groups[0]["betas"] = (0.95 - 0.01 * t, 0.999)
        yield step(x, y)
    yield from final(model, optimizer)


# ---- inside, by counters -------------------------------------------------------------------------


@loop(each=RATES)
def rate_set_inside_by_a_counter(record, rate):
    model, optimizer, X, Y = classification()
    t = 0

    @record
    def step(x, y):
        nonlocal t
        for group in optimizer.param_groups:
            group["lr"] = rate(t)
        t += 1
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield t
    yield from final(model, optimizer)


@loop
def rate_decayed_inside(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        optimizer.param_groups[0]["lr"] *= 0.95
        return loss

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def rate_of_an_attribute_decayed_inside(record):
    class Trainer:
        def __init__(self):
            self.model, _, self.X, self.Y = regression()
            self.lr, self.decay = 0.1, 0.97

        @record
        def step(self, x, y):
            loss = F.mse_loss(self.model(x), y)
            self.model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in self.model.parameters():
                    p -= self.lr * p.grad
            self.lr *= self.decay
            return loss

    trainer = Trainer()
    for x, y in batches(trainer.X, trainer.Y):
        yield trainer.step(x, y), trainer.lr
    yield from final(trainer.model)


@loop
def lambda_lr_by_hand(record):
    class LambdaLR:
        def __init__(self, optimizer, function):
            self.optimizer, self.function, self.t = optimizer, function, 0
            self.base = [group["lr"] for group in optimizer.param_groups]

        def step(self):
            self.t += 1
            for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
                group["lr"] = base * self.function(self.t)

    model, optimizer, X, Y = classification()
    scheduler = LambdaLR(optimizer, lambda t: 1 / (1 + 0.1 * t))

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        scheduler.step()
        return loss

    yield from train(step, X, Y)
    yield scheduler.t
    yield from final(model, optimizer)


@loop
def cosine_written_out_with_a_list(record):
    model, optimizer, X, Y = classification()
    n = [0]

    @record
    def step(x, y):
        lr = 0.05 * (1 + math.cos(n[0] / 24 * math.pi))
        optimizer.param_groups[0]["lr"] = lr
        n[0] += 1
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield n


@loop
def rate_from_a_table_by_a_counter(record):
    model, optimizer, X, Y = classification()
    table, state = [0.1, 0.05, 0.02, 0.01], SimpleNamespace(t=0)

    @record
    def step(x, y):
        optimizer.param_groups[0]["lr"] = table[min(state.t // 6, 3)]
        state.t += 1
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop(expect="refused")
def rate_from_itertools_count(record):
    model, optimizer, X, Y = classification()
    counter = itertools.count(1)

    @record
    def step(x, y):
        optimizer.param_groups[0]["lr"] = 0.1 / next(counter)
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield next(counter)
    yield from final(model, optimizer)


@loop(expect="refused")
def rate_from_a_generator(record):
    model, optimizer, X, Y = classification()
    rates = (0.1 * 0.9**t for t in range(1000))

    @record
    def step(x, y):
        optimizer.param_groups[0]["lr"] = next(rates)
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop(expect="refused")
def weight_from_a_cycle(record):
    model, optimizer, X, Y = classification()
    weights = itertools.cycle([1.0, 0.5, 2.0])

    @record
    def step(x, y):
        return update(optimizer, next(weights) * F.cross_entropy(model(x), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def weight_popped_from_a_list(record):
    model, optimizer, X, Y = classification()
    weights = [1 / (i + 1) for i in range(24)]

    @record
    def step(x, y):
        return update(optimizer, weights.pop() * F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
