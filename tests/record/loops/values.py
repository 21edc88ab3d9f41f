"""Steps in which Python decides by values of tensors, and their cures."""

import math

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import batches, classification, final, inputs, regression, train, update
from record.loops.harness import loop


def world():
    """(model, optimizer, X, Y, loss)."""
    model, optimizer, X, Y = regression(lr=0.1)
    return model, optimizer, X, Y, lambda x, y: F.mse_loss(model(x), y)


CONDITIONS = {
    "item": lambda loss: loss.item() > 0.4,
    "truth": lambda loss: loss > 0.4,
    "float": lambda loss: float(loss) > 0.4,
    "int": lambda loss: int(loss * 10) % 2 == 0,
    "isnan": lambda loss: not math.isnan(loss),
    "isfinite": lambda loss: bool(torch.isfinite(loss).all()),
    "numpy": lambda loss: loss.detach().numpy() > 0.4,
    "numpy_isnan": lambda loss: not np.isnan(loss.item()),
    "tolist": lambda loss: loss.tolist() > 0.4,
    "format": lambda loss: f"{loss:.3f}" > "0.400",
    "any": lambda loss: (loss.reshape(1) > 0.4).any(),
    "max": lambda loss: max(loss, torch.tensor(0.4)) is loss,
    "in": lambda loss: loss.item() in (0.1, 0.2),
    "equal": lambda loss: loss == loss.detach(),
    "round": lambda loss: round(loss.item(), 1) > 0.4,
    "array": lambda loss: np.asarray(loss.detach()).sum() > 0.4,
}


@loop(expect="refused", each=CONDITIONS)
def step_skipped_by(record, condition):
    model, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        loss = loss_of(x, y)
        if condition(loss):
            update(optimizer, loss)
        return loss

    yield from train(step, X, Y)
    yield from final(model)


@loop(expect="same", each=CONDITIONS)
def step_skipped_eagerly_by(record, condition):
    model, optimizer, X, Y, loss_of = world()

    @record(unrecordable="eager")
    def step(x, y):
        loss = loss_of(x, y)
        if condition(loss):
            update(optimizer, loss)
        return loss

    yield from train(step, X, Y)
    yield from final(model)


SHAPES = {
    "mask": lambda x: x[x > 0].max(),
    "mask_of_rows": lambda x: len(x[x[:, 0] > 0]) * x.sum(),
    "masked_select": lambda x: torch.masked_select(x, x > 0),
    "nonzero": lambda x: x[torch.nonzero(x[:, 0] > 0)[:, 0]].sum(),
    "count": lambda x: x.sum() / (x > 0).sum().item(),
    "split_by_values": lambda x: x[: int((x[:, 0] > 0).sum())].sum(),
    "range_of_a_value": lambda x: sum(x[i].sum() for i in range(int(x[:, 0].argmax()) + 1)),
}


@loop(expect="refused", each=SHAPES)
def shape_by(record, function):
    yield from train(record(function), inputs())


@loop
def values_assigned_by_a_mask(record):
    @record
    def step(x):
        x = x.clone()
        x[x > 0] = 0.0
        return x.sum()

    yield from train(step, inputs())


CURES = {
    "sum_of_a_mask": lambda x: x[x > 0].sum(),
    "mean_of_rows": lambda x: x[x[:, 0] > 0].mean(),
    "sum_of_a_masked_select": lambda x: torch.masked_select(x, x > 0).sum(),
    "where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)).sum(),
    "product": lambda x: (x * (x > 0).float()).sum(),
    "masked_fill": lambda x: x.masked_fill(x <= 0, 0.0).sum(),
    "clamp": lambda x: x.clamp(min=0).sum(),
    "mean_of_some": lambda x: (x * (x > 0).float()).sum() / (x > 0).float().sum(),
    "best_row": lambda x: x[x[:, 0].argmax().reshape(1)].sum(),
    "gather": lambda x: x.gather(1, x.argmax(1, keepdim=True)).sum(),
    "topmost": lambda x: x.max(0)[0].sum() + x.min(1)[0].mean(),
}


@loop(each=CURES)
def values_chosen_by(record, function):
    yield from train(record(function), inputs())


@loop
def step_scaled_to_nothing_instead_of_skipped(record):
    model, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        loss = loss_of(x, y)
        optimizer.zero_grad()
        loss.backward()
        go = (loss.detach() > 0.4).float()
        for p in model.parameters():
            p.grad.mul_(go)
        optimizer.step()
        return loss

    yield from train(step, X, Y)
    yield from final(model)


@loop(expect="refused")
def loop_until_it_converges(record):
    @record
    def root(x):
        guess = torch.ones_like(x)
        while ((guess * guess - x).abs() > 1e-3).any():
            guess = 0.5 * (guess + x / guess)
        return guess

    yield from train(root, inputs().abs() + 0.1)


@loop
def loop_of_a_fixed_number(record):
    @record
    def root(x):
        guess = torch.ones_like(x)
        for _ in range(8):
            guess = 0.5 * (guess + x / guess)
        return guess

    yield from train(root, inputs().abs() + 0.1)


@loop(expect="refused")
def line_search(record):
    w, X = torch.zeros(4), inputs()

    @record
    def step(x):
        gradient = (x @ w - 1) @ x / len(x)
        rate = 1.0
        while ((x @ (w - rate * gradient) - 1) ** 2).mean() > ((x @ w - 1) ** 2).mean():
            rate *= 0.5
        w.sub_(rate * gradient)
        return w.sum()

    yield from train(step, X)


@loop(expect="refused")
def metric_of_numpy(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        output = model(x)
        update(optimizer, F.cross_entropy(output, y))
        return float((output.detach().numpy().argmax(1) == y.numpy()).mean())

    yield from train(step, X, Y)


@loop(expect="refused")
def rate_by_the_loss(record):
    _, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        loss = loss_of(x, y)
        optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, loss.item())
        return update(optimizer, loss)

    yield from train(step, X, Y)


@loop(expect="refused")
def rate_by_the_loss_in_a_tensor(record):
    """Options are read before the kernels of a step run, and the loss is one of their results."""
    model, _, X, Y, loss_of = world()
    lr = torch.tensor(0.1)
    optimizer = optim.SGD(model.parameters(), lr=lr)

    @record
    def step(x, y):
        loss = loss_of(x, y)
        lr.copy_(0.1 * loss.detach().clamp(max=1.0))
        return update(optimizer, loss)

    yield from train(step, X, Y)
    yield lr


@loop(expect="refused")
def weight_by_an_item(record):
    """A ratio of two losses, as a Python number."""
    model, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        a, b = loss_of(x, y), model[0].weight.abs().mean()
        return update(optimizer, a + (a.item() / b.item()) * b)

    yield from train(step, X, Y)


@loop
def weight_by_a_detached_tensor(record):
    model, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        a, b = loss_of(x, y), model[0].weight.abs().mean()
        return update(optimizer, a + (a / b).detach() * b)

    yield from train(step, X, Y)


@loop(expect="refused")
def curriculum_by_the_loss(record):
    class Curriculum:
        difficulty = 1.0

        def update(self, loss):
            if loss.item() < 0.3:
                self.difficulty += 0.5

    _, optimizer, X, Y, loss_of = world()
    curriculum = Curriculum()

    @record
    def step(x, y):
        loss = update(optimizer, loss_of(x * curriculum.difficulty, y))
        curriculum.update(loss)
        return loss

    yield from train(step, X, Y)


@loop
def curriculum_from_outside(record):
    class Curriculum:
        difficulty = 1.0

        def update(self, loss):
            if loss.item() < 0.3:
                self.difficulty = 2.0

    model, optimizer, X, Y, loss_of = world()
    curriculum = Curriculum()

    @record
    def step(x, y):
        return update(optimizer, loss_of(x * curriculum.difficulty, y))

    for x, y in batches(X, Y):
        loss = step(x, y)
        curriculum.update(loss)
        yield loss, curriculum.difficulty
    yield from final(model)


@loop
def curriculum_by_a_counter(record):
    class Curriculum:
        def __init__(self):
            self.t = 0

        def __call__(self, x):
            self.t += 1
            return x * (1.0 + self.t // 8)

    _, optimizer, X, Y, loss_of = world()
    curriculum = Curriculum()

    @record
    def step(x, y):
        return update(optimizer, loss_of(curriculum(x), y))

    yield from train(step, X, Y)
    yield curriculum.t


@loop
def curriculum_of_features(record):
    """More columns of the inputs with time: the model's width is a setting."""
    layers = {n: nn.Linear(n, 1) for n in (2, 4)}
    optimizer = optim.SGD([p for m in layers.values() for p in m.parameters()], lr=0.05)
    X, n = inputs(), 2

    @record
    def step(x):
        return update(optimizer, (layers[n](x[:, :n]) - 1).square().mean())

    for i, (x,) in enumerate(batches(X)):
        n = 2 if i < 12 else 4
        yield step(x)


@loop
def teacher_forcing_by_a_mask(record):
    cell, X = nn.Linear(8, 4), inputs()
    optimizer = optim.SGD(cell.parameters(), lr=0.05)

    @record
    def step(x, probability):
        h, total = torch.zeros(4), torch.zeros(())
        for t in range(7):
            h = cell(torch.cat([x[t], h])).tanh()
            total = total + F.mse_loss(h, x[t + 1])
            forced = (torch.rand(()) < probability).float()
            h = forced * x[t + 1] + (1 - forced) * h
        return update(optimizer, total)

    for i, (x,) in enumerate(batches(X)):
        yield step(x, torch.tensor(0.9**i))
    yield from final(cell)


@loop(expect="refused")
def assertion_on_a_value(record):
    _, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        loss = loss_of(x, y)
        assert not torch.isnan(loss), "diverged"
        return update(optimizer, loss)

    yield from train(step, X, Y)


@loop
def assertion_on_a_shape(record):
    _, optimizer, X, Y, loss_of = world()

    @record
    def step(x, y):
        assert x.shape == (len(y), 4) and x.dtype == torch.float32
        return update(optimizer, loss_of(x, y))

    yield from train(step, X, Y)


@loop
def assertion_by_the_host(record):
    _, optimizer, X, Y, loss_of = world()

    def check(loss):
        assert not math.isnan(loss.item())

    @record
    def step(x, y):
        loss = update(optimizer, loss_of(x, y))
        torch.host(check, loss)
        return loss

    yield from train(step, X, Y)


@loop
def exception_by_the_host(record):
    """It comes out of the call in which it was raised."""
    _, optimizer, X, Y, loss_of = world()
    seen = []

    def check(loss):
        seen.append(loss.item())
        if len(seen) == 20:
            raise ArithmeticError("diverged")

    @record
    def step(x, y):
        loss = update(optimizer, loss_of(x, y))
        torch.host(check, loss)
        return loss

    for x, y in batches(X, Y):
        try:
            yield step(x, y)
        except ArithmeticError as error:
            yield str(error)
    yield seen


@loop
def stopping_by_a_flag_of_the_host(record):
    _, optimizer, X, Y, loss_of = world()
    state = {"low": 0}

    def look(loss):
        state["low"] += loss.item() < 0.3

    @record
    def step(x, y):
        loss = update(optimizer, loss_of(x, y))
        torch.host(look, loss)
        return loss

    for x, y in batches(X, Y):
        yield step(x, y)
        if state["low"] > 15:
            break
    yield state
