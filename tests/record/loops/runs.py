"""Whole epochs by run(), beside the loop that it is documented to be."""

from types import SimpleNamespace

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.optim import lr_scheduler
from record.loops.common import CLASSES, final, inputs, labels, regression, run, targets, update
from record.loops.harness import loop


class World:
    """A classifier with all that has state: BatchNorm, dropout, moments."""

    def __init__(self, rows=52, make=lambda p: optim.Adam(p, lr=0.02), dropout=0.2):
        self.model = nn.Sequential(
            nn.Linear(4, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(8, CLASSES),
        )
        self.optimizer = make(self.model.parameters())
        self.X = inputs(7)[:rows]
        self.Y = labels(self.X)

    def step(self, x, y):
        return update(self.optimizer, F.cross_entropy(self.model(x), y))

    def final(self):
        return final(self.model, self.optimizer)


SETTINGS = {
    "one_epoch": {"batch_size": 2},
    "six_epochs": {"batch_size": 8, "epochs": 6},
    "all_rows": {"batch_size": 52, "epochs": 12},
    "larger_than_all_rows": {"batch_size": 100, "epochs": 12},
    "ragged": {"batch_size": 5, "epochs": 4},
    "two_left": {"batch_size": 25, "epochs": 9},
    "drop_last": {"batch_size": 5, "epochs": 4, "drop_last": True},
    "in_order": {"batch_size": 8, "epochs": 4, "shuffle": False},
    "in_order_drop_last": {"batch_size": 6, "epochs": 4, "shuffle": False, "drop_last": True},
    "small_batches": {"batch_size": 2, "epochs": 2},
}


@loop(each=SETTINGS)
def run_of(record, settings):
    w = World()
    step = record(w.step)
    yield run(step, w.X, w.Y, **settings)
    yield from w.final()


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
}


@loop(each=OPTIMIZERS)
def run_with(record, make):
    w = World(make=make)
    yield run(record(w.step), w.X, w.Y, batch_size=6, epochs=3)
    yield from w.final()


SCHEDULERS = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=4),
}


@loop(each=SCHEDULERS)
def run_with_a_scheduler_of_epochs(record, make):
    w = World()
    scheduler = make(w.optimizer)
    yield run(record(w.step), w.X, w.Y, batch_size=7, epochs=5, scheduler=scheduler)
    yield scheduler.get_last_lr(), scheduler.last_epoch
    yield from w.final()


@loop(each=SCHEDULERS)
def run_with_a_scheduler_of_steps(record, make):
    w = World()
    scheduler = make(w.optimizer)

    @record
    def step(x, y):
        loss = w.step(x, y)
        scheduler.step()
        return loss

    yield run(step, w.X, w.Y, batch_size=7, epochs=5)
    yield scheduler.get_last_lr(), scheduler.last_epoch
    yield from w.final()


@loop
def run_with_schedulers_of_steps_and_of_epochs(record):
    w = World()
    steps = lr_scheduler.LinearLR(w.optimizer, start_factor=0.5, total_iters=20)
    epochs = lr_scheduler.StepLR(w.optimizer, step_size=1, gamma=0.9)

    @record
    def step(x, y):
        loss = w.step(x, y)
        steps.step()
        return loss

    yield run(step, w.X, w.Y, batch_size=8, epochs=4, scheduler=epochs)
    yield from w.final()


@loop
def scheduler_of_ones_own_for_a_run(record):
    w = World()

    class Halving:
        def __init__(self, optimizer):
            self.optimizer = optimizer

        def step(self):
            for group in self.optimizer.param_groups:
                group["lr"] /= 2

    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=4, scheduler=Halving(w.optimizer))
    yield from w.final()


@loop(each={"epochs": {}, "steps": {"every_steps": 3}})
def callback_that_changes_the_rate_at(record, when):
    w, seen = World(), []

    def decay(progress):
        seen.append((progress.epoch, progress.step))
        w.optimizer.param_groups[0]["lr"] *= 0.8

    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=4, callback=decay, **when)
    yield seen
    yield from w.final()


@loop(each={"epochs": {}, "steps": {"every_steps": 4}})
def callback_that_reads_losses_at(record, when):
    w, seen = World(), []

    def note(progress):
        seen.append(progress.losses.mean().item())

    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=4, callback=note, **when)
    yield seen


@loop
def callback_that_stops(record):
    w = World()

    def stop(progress):
        return progress.epoch == 2

    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=9, callback=stop)
    yield from w.final()


@loop
def callback_that_evaluates(record):
    w, seen = World(), []
    predict = record(torch.no_grad()(lambda x: w.model(x).argmax(1)))

    def evaluate(progress):
        w.model.eval()
        seen.append((predict(w.X) == w.Y).float().mean().item())
        w.model.train()

    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=4, callback=evaluate)
    yield seen
    yield from w.final()


def freeze(w, progress):
    w.model[0].requires_grad_(progress.epoch % 2 == 0)


def eval_mode_of_the_norm(w, progress):
    w.model[1].eval()


def change_dropout(w, progress):
    w.model[3].p = 0.1 * progress.epoch


def change_momentum(w, progress):
    w.optimizer.param_groups[0]["betas"] = (0.5, 0.99)


def scale_weights(w, progress):
    with torch.no_grad():
        w.model[0].weight.mul_(0.9)


def replace_the_optimizer(w, progress):
    w.optimizer = optim.SGD(w.model.parameters(), lr=0.1)


def replace_a_layer(w, progress):
    if progress.epoch == 2:
        w.model[4] = nn.Linear(8, CLASSES)


def draw(w, progress):
    torch.rand(1)


def shrink_gradients(w, progress):
    w.model[0].weight.grad = None


IN_CALLBACKS = (
    freeze,
    eval_mode_of_the_norm,
    change_dropout,
    change_momentum,
    scale_weights,
    replace_the_optimizer,
    replace_a_layer,
    draw,
    shrink_gradients,
)


@loop(each={f.__name__: f for f in IN_CALLBACKS})
def callback_that_does(record, change):
    w = World()
    step = record(w.step)
    yield run(step, w.X, w.Y, batch_size=8, epochs=5, callback=lambda progress: change(w, progress))
    yield from w.final()


@loop
def callback_that_changes_a_setting(record):
    w, config = World(), SimpleNamespace(w=1.0)

    @record
    def step(x, y):
        return update(w.optimizer, config.w * F.cross_entropy(w.model(x), y))

    def change(progress):
        config.w *= 0.5

    yield run(step, w.X, w.Y, batch_size=8, epochs=4, callback=change)
    yield from w.final()


@loop
def runs_one_after_another(record):
    w = World()
    step = record(w.step)
    for epochs, batch_size in ((1, 8), (2, 8), (2, 13)):
        yield run(step, w.X, w.Y, batch_size=batch_size, epochs=epochs)
        w.optimizer.param_groups[0]["lr"] *= 0.5
    yield from w.final()


@loop
def runs_and_calls_in_turns(record):
    w = World()
    step = record(w.step)
    for i in range(4):
        yield run(step, w.X, w.Y, batch_size=8, epochs=1)
        yield step(w.X[i : i + 8], w.Y[i : i + 8])
        w.model.eval()
        yield w.model(w.X).mean()
        w.model.train()
    yield from w.final()


@loop
def runs_of_train_and_evaluate(record):
    w = World()
    step = record(w.step)
    evaluate = record(torch.no_grad()(lambda x, y: F.cross_entropy(w.model(x), y)))
    for _ in range(3):
        w.model.train()
        yield run(step, w.X[:40], w.Y[:40], batch_size=8)
        w.model.eval()
        yield run(evaluate, w.X[40:], w.Y[40:], batch_size=4, shuffle=False)


@loop
def run_of_predictions(record):
    w = World()
    w.model.eval()
    predict = record(torch.no_grad()(w.model))
    for _ in range(3):
        yield run(predict, w.X, batch_size=8, shuffle=False)
        with torch.no_grad():
            w.model[0].weight.mul_(1.1)


@loop
def run_that_returns_a_tuple(record):
    w = World()

    @record
    def step(x, y):
        output = w.model(x)
        loss = update(w.optimizer, F.cross_entropy(output, y))
        return loss, (output.argmax(1) == y).float().mean()

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)


@loop
def run_that_returns_a_dict(record):
    w = World()

    @record
    def step(x, y):
        output = w.model(x)
        loss = update(w.optimizer, F.cross_entropy(output, y))
        return {"loss": loss, "norm": w.model[0].weight.grad.norm()}

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)


@loop
def run_with_three_arguments(record):
    model, optimizer, X, Y = regression(calls=5)
    weights = torch.rand(len(X), 1)

    @record
    def step(x, y, w):
        return update(optimizer, (w * (model(x) - y) ** 2).mean())

    yield run(step, X, Y, weights, batch_size=8, epochs=4)
    yield from final(model, optimizer)


@loop
def run_with_noise(record):
    model, optimizer, X, Y = regression(calls=5)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x + 0.1 * torch.randn_like(x)), y))

    yield run(step, X, Y, batch_size=7, epochs=4)
    yield from final(model, optimizer)


@loop
def run_with_a_generator(record):
    w = World()
    generator = torch.Generator()
    generator.manual_seed(4)
    yield run(record(w.step), w.X, w.Y, batch_size=8, epochs=3, generator=generator)
    yield torch.rand(2, generator=generator)
    yield from w.final()


@loop
def run_with_clipping_and_an_average_of_weights(record):
    w = World()
    shadow = [p.detach().clone() for p in w.model.parameters()]

    @record
    def step(x, y):
        w.optimizer.zero_grad()
        loss = F.cross_entropy(w.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(w.model.parameters(), 0.5)
        w.optimizer.step()
        for s, p in zip(shadow, w.model.parameters(), strict=True):
            s.lerp_(p.detach(), 0.1)
        return loss

    yield run(step, w.X, w.Y, batch_size=8, epochs=4)
    yield shadow


@loop
def run_of_a_method_that_counts(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = regression(calls=5)
            self.global_step = 0

        @record
        def step(self, x, y):
            self.global_step += 1
            weight = 1 / (1 + 0.1 * self.global_step)
            return update(self.optimizer, weight * F.mse_loss(self.model(x), y))

    trainer = Trainer()
    yield run(trainer.step, trainer.X, trainer.Y, batch_size=8, epochs=5)
    yield trainer.global_step
    yield from final(trainer.model)


@loop
def run_of_a_step_that_only_counts(record):
    w, seen = World(), {"steps": 0, "rows": 0}

    @record
    def step(x, y):
        seen["steps"] += 1
        seen["rows"] += len(x)
        return w.step(x, y)

    yield run(step, w.X, w.Y, batch_size=5, epochs=3)
    yield seen


@loop
def run_with_warmup_by_a_counter(record):
    w = World()
    t = 0

    @record
    def step(x, y):
        nonlocal t
        t += 1
        w.optimizer.param_groups[0]["lr"] = 0.02 * min(1.0, t / 10)
        return w.step(x, y)

    yield run(step, w.X, w.Y, batch_size=8, epochs=4)
    yield t
    yield from w.final()


@loop
def run_with_a_target_that_follows_at_times(record):
    model, X = nn.Linear(4, 1), inputs(6)
    target = nn.Linear(4, 1).requires_grad_(False)
    optimizer, state = optim.SGD(model.parameters(), lr=0.05), {"t": 0}

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y + 0.5 * target(x)))
        state["t"] += 1
        if state["t"] % 5 == 0:
            target.load_state_dict(model.state_dict())
        return loss

    yield run(step, X, targets(X), batch_size=8, epochs=5)
    yield from final(model, target)


@loop
def run_with_the_host(record):
    w, seen = World(), []

    @record
    def step(x, y):
        loss = w.step(x, y)
        torch.host(lambda value: seen.append(value.item()), loss)
        return loss

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)
    yield seen


@loop
def run_with_a_hidden_state(record):
    model, state = nn.Linear(8, 4), SimpleNamespace(h=torch.zeros(8, 4))
    X = inputs(5)
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x):
        h = model(torch.cat([x, state.h], dim=1)).tanh()
        loss = update(optimizer, F.mse_loss(h, x))
        state.h = h.detach()
        return loss

    yield run(step, X, batch_size=8, epochs=5)
    yield state.h


@loop(expect="refused")
def run_of_a_step_that_appends_items(record):
    w, seen = World(), []

    @record
    def step(x, y):
        loss = w.step(x, y)
        seen.append(loss.item())
        return loss

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)
    yield seen


@loop(expect="refused")
def run_of_a_step_that_draws_of_numpy(record):
    w = World()

    @record
    def step(x, y):
        return w.step(x * np.random.rand(), y)

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)


@loop(expect="same")
def run_of_a_step_that_may_run_eagerly(record):
    w, seen = World(), []

    @record(unrecordable="eager")
    def step(x, y):
        loss = w.step(x, y)
        seen.append(loss.item())
        return loss

    yield run(step, w.X, w.Y, batch_size=8, epochs=3)
    yield seen
    yield from w.final()
