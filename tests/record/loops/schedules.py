"""Learning rates and other settings that change with time, inside and outside of the step."""

import itertools
import math
from types import SimpleNamespace

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.optim import lr_scheduler
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


@loop
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


@loop
def rate_in_a_tensor_changed_inside(record):
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


# ---- counters that feed the step -----------------------------------------------------------------


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
