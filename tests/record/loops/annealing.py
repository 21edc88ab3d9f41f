"""Counters in Python that feed the step: bias corrections, weights that grow, phases."""

import math
from types import SimpleNamespace

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


@loop
def adam_by_hand(record):
    class Adam:
        def __init__(self, parameters, lr=0.02, betas=(0.9, 0.999), eps=1e-8):
            self.parameters = list(parameters)
            self.lr, self.betas, self.eps, self.t = lr, betas, eps, 0
            self.m = [torch.zeros_like(p) for p in self.parameters]
            self.v = [torch.zeros_like(p) for p in self.parameters]

        @torch.no_grad()
        def step(self):
            self.t += 1
            b1, b2 = self.betas
            for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
                m.mul_(b1).add_(p.grad, alpha=1 - b1)
                v.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                rate = self.lr * math.sqrt(1 - b2**self.t) / (1 - b1**self.t)
                p.addcdiv_(m, v.sqrt() + self.eps, value=-rate)

        def zero_grad(self):
            for p in self.parameters:
                p.grad = None

    model, X = regressor(), inputs()
    Y = targets(X)
    optimizer = Adam(model.parameters())

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    yield optimizer.t
    yield from final(model)


@loop
def adam_by_hand_with_lists_that_are_rebound(record):
    model, X = regressor(), inputs()
    Y = targets(X)
    parameters = list(model.parameters())
    m, v, t = [0.0] * 4, [0.0] * 4, 0

    @record
    def step(x, y):
        nonlocal t
        t += 1
        loss = F.mse_loss(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for i, p in enumerate(parameters):
                m[i] = 0.9 * m[i] + 0.1 * p.grad
                v[i] = 0.999 * v[i] + 0.001 * p.grad**2
                p -= 0.01 * (m[i] / (1 - 0.9**t)) / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8)
        return loss

    yield from train(step, X, Y)
    yield t
    yield from final(model)


@loop
def bias_correction_in_a_dict(record):
    model, X = regressor(), inputs()
    Y = targets(X)
    state = {"step": 0, "mean": torch.zeros(1)}

    @record
    def step(x, y):
        with torch.no_grad():
            loss = F.mse_loss(model(x), y)
            state["step"] += 1
            state["mean"].mul_(0.9).add_(0.1 * loss)
            return state["mean"] / (1 - 0.9 ** state["step"])

    for x, y in batches(X, Y):
        yield step(x, y), state["step"]


@loop
def power_that_is_multiplied_up(record):
    """beta1_t *= beta1, as Adam's paper has it."""
    model, X = regressor(), inputs()
    Y = targets(X)
    power = 1.0
    m = [torch.zeros_like(p) for p in model.parameters()]

    @record
    def step(x, y):
        nonlocal power
        power *= 0.9
        loss = F.mse_loss(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p, mean in zip(model.parameters(), m, strict=True):
                mean.mul_(0.9).add_(p.grad, alpha=0.1)
                p.sub_(0.1 * mean / (1 - power))
        return loss

    for x, y in batches(X, Y):
        yield step(x, y), power
    yield from final(model)


@loop
def optimizer_of_ones_own_subclassed(record):
    class Lion(optim.Optimizer):
        def __init__(self, params, lr=0.01, beta=0.9):
            super().__init__(params, {"lr": lr, "beta": beta})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state.setdefault(p, {})
                    if "m" not in state:
                        state["m"] = torch.zeros_like(p)
                    m, beta = state["m"], group["beta"]
                    p.add_((beta * m + (1 - beta) * p.grad).sign(), alpha=-group["lr"])
                    m.mul_(0.99).add_(p.grad, alpha=0.01)

    model, X = regressor(), inputs()
    Y = targets(X)
    optimizer = Lion(model.parameters())

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        if t == 12:
            optimizer.param_groups[0]["lr"] = 0.001
        yield step(x, y)
    yield from final(model)


@loop
def optimizer_of_ones_own_that_counts_for_each_parameter(record):
    class Adam(optim.Optimizer):
        def __init__(self, params, lr=0.01):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if not state:
                        state["step"], state["v"] = 0, torch.zeros_like(p)
                    state["step"] += 1
                    state["v"].mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
                    size = state["v"] / (1 - 0.9 ** state["step"])
                    p.sub_(group["lr"] * p.grad / (size.sqrt() + 1e-8))

    model, X = regressor(), inputs()
    Y = targets(X)
    optimizer = Adam(model.parameters())

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    yield [optimizer.state[p]["step"] for p in model.parameters()]
    yield from final(model)


@loop
def annealed_weight_of_a_loss(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = regression()
            self.global_step = 0

        def beta(self):
            return min(1.0, self.global_step / 10)

        @record
        def step(self, x, y):
            output = self.model(x)
            loss = F.mse_loss(output, y) + self.beta() * output.abs().mean()
            update(self.optimizer, loss)
            self.global_step += 1
            return loss

    trainer = Trainer()
    for x, y in batches(trainer.X, trainer.Y):
        yield trainer.step(x, y), trainer.global_step, trainer.beta()
    yield from final(trainer.model)


@loop
def temperature_that_falls(record):
    model, optimizer, X, Y = classification()
    config = {"temperature": 5.0}

    @record
    def step(x, y):
        loss = update(optimizer, F.cross_entropy(model(x) / config["temperature"], y))
        config["temperature"] = max(0.5, config["temperature"] * 0.9)
        return loss

    for x, y in batches(X, Y):
        yield step(x, y), config["temperature"]


@loop
def noise_that_falls(record):
    model, optimizer, X, Y = regression()
    sigma = [1.0]

    @record
    def step(x, y):
        sigma[0] = sigma[0] * 0.9
        return update(optimizer, F.mse_loss(model(x + sigma[0] * torch.randn_like(x)), y))

    yield from train(step, X, Y)
    yield sigma


@loop(expect="either")
def dropout_that_grows_by_a_counter(record):
    model, X = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.0), nn.Linear(8, 1)), inputs()
    Y = targets(X)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    t = [0]

    @record
    def step(x, y):
        t[0] += 1
        model[1].p = 0.02 * t[0]
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    yield model[1].p


@loop
def something_every_fifth_step(record):
    model, optimizer, X, Y = regression()
    t = 0

    @record
    def step(x, y):
        nonlocal t
        t += 1
        loss = update(optimizer, F.mse_loss(model(x), y))
        if t % 5 == 0:
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(0.9)
        return loss

    yield from train(step, X, Y)
    yield t
    yield from final(model)


@loop
def warmup_by_a_branch(record):
    model, optimizer, X, Y = regression()
    state = SimpleNamespace(step=0)

    @record
    def step(x, y):
        output = model(x)
        loss = F.mse_loss(output, y)
        if state.step >= 10:
            loss = loss + 0.1 * output.abs().mean()
        state.step += 1
        return update(optimizer, loss)

    yield from train(step, X, Y)
    yield state.step


@loop
def phase_by_a_counter_that_wraps(record):
    model, optimizer, X, Y = regression()
    phase = {"i": 0}

    @record
    def step(x, y):
        phase["i"] = (phase["i"] + 1) % 3
        return update(optimizer, (1.0 + phase["i"]) * F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y), phase["i"]


@loop
def number_as_an_argument_in_a_tensor(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, weight):
        return update(optimizer, weight * F.mse_loss(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, torch.tensor(1.0 / (t + 1)))


@loop(expect="same")
def number_as_an_argument(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, weight):
        return update(optimizer, weight * F.mse_loss(model(x), y))

    for t, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, 1.0 / (t + 1))


@loop
def step_number_as_a_tensor_inside(record):
    model, optimizer, X, Y = regression()
    t = torch.zeros(())

    @record
    def step(x, y):
        t.add_(1)
        return update(optimizer, F.mse_loss(model(x), y) / t.sqrt())

    yield from train(step, X, Y)
    yield t
