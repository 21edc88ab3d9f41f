"""Averages of weights, target networks, and other copies that follow."""

import copy
from collections import deque

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    final,
    inputs,
    regression,
    regressor,
    targets,
    train,
    update,
)
from record.loops.harness import loop

# ---- averages of weights -------------------------------------------------------------------------


def ema_lerp(shadow, model):
    for s, p in zip(shadow, model.parameters(), strict=True):
        s.lerp_(p.detach(), 0.1)


@torch.no_grad()
def ema_mul_add(shadow, model):
    for s, p in zip(shadow, model.parameters(), strict=True):
        s.mul_(0.9).add_(p, alpha=0.1)


def ema_copy(shadow, model):
    for s, p in zip(shadow, model.parameters(), strict=True):
        s.copy_(0.9 * s + 0.1 * p.detach())


def ema_data(shadow, model):
    for s, p in zip(shadow, model.parameters(), strict=True):
        s.data.mul_(0.9)
        s.data.add_(p.data * 0.1)


def ema_assigned_data(shadow, model):
    for s, p in zip(shadow, model.parameters(), strict=True):
        s.data = 0.9 * s.data + 0.1 * p.data


def ema_items(shadow, model):
    for i, p in enumerate(model.parameters()):
        shadow[i] = 0.9 * shadow[i] + 0.1 * p.detach()


def ema_sub(shadow, model):
    with torch.no_grad():
        for s, p in zip(shadow, model.parameters(), strict=True):
            s -= 0.1 * (s - p)


EMAS = (ema_lerp, ema_mul_add, ema_copy, ema_data, ema_assigned_data, ema_items, ema_sub)


@loop(each={f.__name__: f for f in EMAS})
def average_of_weights(record, follow):
    model, optimizer, X, Y = classification()
    shadow = [p.detach().clone() for p in model.parameters()]

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        follow(shadow, model)
        return loss

    yield from train(step, X, Y)
    yield from shadow
    yield from final(model, optimizer)


@loop(each={f.__name__: f for f in EMAS})
def average_of_weights_by_a_function_of_its_own(record, follow):
    """The step is not recorded; what follows is."""
    model, optimizer, X, Y = classification()
    shadow = [p.detach().clone() for p in model.parameters()]
    recorded = record(lambda: follow(shadow, model))
    for x, y in batches(X, Y):
        yield update(optimizer, F.cross_entropy(model(x), y))
        recorded()
    yield from shadow


@loop(each={"float": 0.9, "growing": None})
def average_of_weights_in_a_class(record, decay):
    class EMA:
        def __init__(self, model, decay):
            self.model, self.module = model, copy.deepcopy(model)
            self.decay, self.updates = decay, 0
            self.module.requires_grad_(False)

        @torch.no_grad()
        def update(self):
            self.updates += 1
            d = self.decay or min(0.99, (1 + self.updates) / (10 + self.updates))
            for name, value in self.module.state_dict().items():
                value.mul_(d).add_(self.model.state_dict()[name], alpha=1 - d)

    model, optimizer, X, Y = classification()
    ema = EMA(model, decay)

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        ema.update()
        return loss

    yield from train(step, X, Y)
    yield ema.updates
    yield from final(ema.module)


@loop
def average_in_a_dict_by_names(record):
    model, optimizer, X, Y = classification()
    shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        for name, p in model.named_parameters():
            shadow[name] = 0.9 * shadow[name] + 0.1 * p.detach()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i % 8 == 0:
            yield shadow
    yield shadow


@loop
def average_by_numpy_inside(record):
    """By the host: the arrays are NumPy's."""
    model, optimizer, X, Y = classification()
    shadow = [p.detach().numpy().copy() for p in model.parameters()]

    def follow(*weights):
        for s, p in zip(shadow, weights, strict=True):
            s *= 0.9
            s += 0.1 * p.detach().numpy()

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        torch.host(follow, *model.parameters())
        return loss

    yield from train(step, X, Y)
    yield shadow


@loop(expect="refused")
def average_by_numpy_in_the_step(record):
    model, optimizer, X, Y = classification()
    shadow = [p.detach().numpy().copy() for p in model.parameters()]

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x), y))
        for s, p in zip(shadow, model.parameters(), strict=True):
            s *= 0.9
            s += 0.1 * p.detach().numpy()
        return loss

    yield from train(step, X, Y)
    yield shadow


@loop
def average_by_numpy_outside(record):
    model, optimizer, X, Y = classification()
    shadow = [p.detach().numpy().copy() for p in model.parameters()]

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y)
        for s, p in zip(shadow, model.parameters(), strict=True):
            np.copyto(s, 0.9 * s + 0.1 * p.detach().numpy())
    yield shadow


@loop
def swa_with_a_count(record):
    model, optimizer, X, Y = regression()
    averaged, n = copy.deepcopy(model), 0

    @record
    def step(x, y):
        nonlocal n
        loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            for a, p in zip(averaged.parameters(), model.parameters(), strict=True):
                a.add_((p - a) / (n + 1))
        n += 1
        return loss

    yield from train(step, X, Y)
    yield n
    yield from final(averaged)


@loop
def swa_that_begins_late(record):
    class SWA:
        def __init__(self, model, start):
            self.model, self.start, self.t, self.n = model, start, 0, 0
            self.sums = [torch.zeros_like(p) for p in model.parameters()]

        def update(self):
            self.t += 1
            if self.t > self.start and self.t % 2 == 0:
                self.n += 1
                for s, p in zip(self.sums, self.model.parameters(), strict=True):
                    s.add_(p.detach())

    model, optimizer, X, Y = regression()
    swa = SWA(model, 8)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        swa.update()
        return loss

    yield from train(step, X, Y)
    yield [s / swa.n for s in swa.sums]


@loop
def swa_outside(record):
    model, optimizer, X, Y = regression()
    sums, n = {name: torch.zeros_like(p) for name, p in model.named_parameters()}, 0

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i >= 12:
            n += 1
            for name, p in model.named_parameters():
                sums[name] += p.detach()
    model.load_state_dict({name: value / n for name, value in sums.items()})
    yield step(X[:8], Y[:8])
    yield from final(model)


@loop
def evaluation_with_swapped_weights(record):
    """Averaged weights are put in for an evaluation, and taken out again."""
    model, optimizer, X, Y = regression()
    shadow = [p.detach().clone() for p in model.parameters()]

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        for s, p in zip(shadow, model.parameters(), strict=True):
            s.lerp_(p.detach(), 0.1)
        return loss

    @record
    @torch.no_grad()
    def evaluate(x, y):
        return F.mse_loss(model(x), y)

    def swap():
        for i, p in enumerate(model.parameters()):
            p.data, shadow[i] = shadow[i], p.data

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i % 6 == 5:
            swap()
            yield evaluate(x, y)
            swap()
    yield from shadow


@loop
def lookahead(record):
    """Zhang et al. 2019: slow weights, every k steps."""
    model, optimizer, X, Y = regression()
    slow = [p.detach().clone() for p in model.parameters()]
    state = {"t": 0, "k": 5}

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        state["t"] += 1
        if state["t"] % state["k"] == 0:
            with torch.no_grad():
                for s, p in zip(slow, model.parameters(), strict=True):
                    s.add_(0.5 * (p - s))
                    p.copy_(s)
        return loss

    yield from train(step, X, Y)
    yield from slow
    yield from final(model, optimizer)


@loop
def history_of_weights_in_a_deque(record):
    model, optimizer, X, Y = regression()
    history = deque(maxlen=3)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y)
        history.append([p.detach().clone() for p in model.parameters()])
    yield list(history)


@loop(expect="either")
def history_of_weights_in_a_deque_inside(record):
    model, optimizer, X, Y = regression()
    history = deque(maxlen=3)

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        history.append(model[0].weight.detach().clone())
        return loss

    yield from train(step, X, Y)
    yield list(history)


# ---- target networks -----------------------------------------------------------------------------


def copies(model):
    other = copy.deepcopy(model)
    other.load_state_dict(model.state_dict())
    return other.requires_grad_(False)


def soft(target, model):
    for t, p in zip(target.parameters(), model.parameters(), strict=True):
        t.data.mul_(0.95).add_(0.05 * p.data)


def soft_copy(target, model):
    for t, p in zip(target.parameters(), model.parameters(), strict=True):
        t.data.copy_(0.05 * p.data + 0.95 * t.data)


def soft_state_dict(target, model):
    a, b = target.state_dict(), model.state_dict()
    target.load_state_dict({k: 0.95 * a[k] + 0.05 * b[k] for k in a})


def hard(target, model):
    target.load_state_dict(model.state_dict())


def hard_copy(target, model):
    with torch.no_grad():
        for t, p in zip(target.parameters(), model.parameters(), strict=True):
            t.copy_(p)


def hard_data(target, model):
    for t, p in zip(target.parameters(), model.parameters(), strict=True):
        t.data = p.data.clone()


SYNCS = {f.__name__: f for f in (soft, soft_copy, soft_state_dict, hard, hard_copy, hard_data)}


def bootstrapped(online, target, x, y):
    """Like temporal differences: the target's output is part of the goal."""
    with torch.no_grad():
        goal = y + 0.9 * target(x)
    return F.mse_loss(online(x), goal)


@loop(each=SYNCS)
def target_in_every_step(record, sync):
    model, X = regressor(), inputs()
    Y, target = targets(X), copies(model)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @record
    def step(x, y):
        loss = update(optimizer, bootstrapped(model, target, x, y))
        sync(target, model)
        return loss

    yield from train(step, X, Y)
    yield from final(target, model, optimizer)


@loop(each=SYNCS)
def target_at_times_outside(record, sync):
    model, X = regressor(), inputs()
    Y, target = targets(X), copies(model)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @record
    def step(x, y):
        return update(optimizer, bootstrapped(model, target, x, y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i % 6 == 5:
            sync(target, model)
    yield from final(target, model)


@loop(each=SYNCS)
def target_by_a_counter_inside(record, sync):
    class Agent:
        def __init__(self):
            self.model, self.t = regressor(), 0
            self.target = copies(self.model)
            self.optimizer = optim.Adam(self.model.parameters(), lr=0.02)

        @record
        def learn(self, x, y):
            loss = update(self.optimizer, bootstrapped(self.model, self.target, x, y))
            self.t += 1
            if self.t % 5 == 0:
                sync(self.target, self.model)
            return loss

    agent, X = Agent(), inputs()
    Y = targets(X)
    yield from train(agent.learn, X, Y)
    yield agent.t
    yield from final(agent.target, agent.model, agent.optimizer)


@loop
def target_that_is_a_new_copy(record):
    model, X = regressor(), inputs()
    Y, target = targets(X), copies(model)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @record
    def step(x, y):
        return update(optimizer, bootstrapped(model, target, x, y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i % 8 == 7:
            target = copies(model)
    yield from final(target, model)


@loop
def mean_teacher(record):
    """Tarvainen & Valpola 2017: a student with noise, a teacher that follows."""
    student, X = regressor(3), inputs()
    teacher = copies(student)
    optimizer = optim.SGD(student.parameters(), lr=0.1)
    alpha = 0.9

    @record
    def step(x):
        noisy = x + 0.2 * torch.randn_like(x)
        with torch.no_grad():
            goal = teacher(x).softmax(1)
        loss = update(optimizer, F.mse_loss(student(noisy).softmax(1), goal) - student(x).mean())
        with torch.no_grad():
            for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
                t.mul_(alpha).add_(s, alpha=1 - alpha)
        return loss

    for i, (x,) in enumerate(batches(X)):
        alpha = 0.9 if i < 12 else 0.5
        yield step(x)
    yield from final(teacher)


@loop
def byol_with_buffers(record):
    """The target has BatchNorm, whose buffers are copied too."""
    online = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    head, target, X = nn.Linear(3, 3), copies(online), inputs()
    optimizer = optim.SGD([*online.parameters(), *head.parameters()], lr=0.05, momentum=0.9)

    @record
    def step(x):
        one, two = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
        p, z = head(online(one)), target(two).detach()
        loss = 2 - 2 * ((p * z).sum(1) / (p.norm(dim=1) * z.norm(dim=1))).mean()
        update(optimizer, loss)
        with torch.no_grad():
            for t, o in zip(target.parameters(), online.parameters(), strict=True):
                t.lerp_(o, 0.05)
            for t, o in zip(target.buffers(), online.buffers(), strict=True):
                t.copy_(o)
        return loss

    yield from train(step, X)
    yield from final(target, online, head)
