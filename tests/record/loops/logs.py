"""What people write down about a training, outside of the step, by the host, and as a result."""

import collections
import csv
import io

import numpy as np
from tqdm import tqdm

import pyml as torch
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    final,
    inputs,
    regression,
    train,
    update,
)
from record.loops.harness import loop


def world():
    """(step without logs, X, Y): what each loop below adds its log to."""
    model, optimizer, X, Y = classification()

    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    return step, X, Y


# ---- outside of the step -------------------------------------------------------------------------


def list_of_items(log, loss):
    log.setdefault("losses", []).append(loss.item())


def list_of_tensors(log, loss):
    log.setdefault("losses", []).append(loss)


def running_sum(log, loss):
    log["sum"] = log.get("sum", 0.0) + loss.item()
    log["n"] = log.get("n", 0) + 1


def running_tensor(log, loss):
    log["sum"] = log.get("sum", 0) + loss


def smoothed(log, loss):
    log["smooth"] = 0.9 * log.get("smooth", float(loss)) + 0.1 * float(loss)


def deque_of_floats(log, loss):
    log.setdefault("last", collections.deque(maxlen=5)).append(float(loss))


def text(log, loss):
    log["text"] = log.get("text", "") + f"{loss.item():.4f} {loss:.3e}\n"


def numpy_array(log, loss):
    log["array"] = np.append(log.get("array", np.zeros(0)), loss.detach().numpy())


def printed(log, loss):
    print(f"loss {loss.item():.6f}", loss.detach())


OUTSIDE = (
    list_of_items,
    list_of_tensors,
    running_sum,
    running_tensor,
    smoothed,
    deque_of_floats,
    text,
    numpy_array,
    printed,
)


@loop(each={f.__name__: f for f in OUTSIDE})
def logged_outside(record, write):
    plain, X, Y = world()
    step, log = record(plain), {}
    for x, y in batches(X, Y):
        write(log, step(x, y))
    yield log


@loop(each={f.__name__: f for f in OUTSIDE})
def logged_by_the_host(record, write):
    plain, X, Y = world()
    log = {}

    @record
    def step(x, y):
        loss = plain(x, y)
        torch.host(write, log, loss)
        return loss

    yield from train(step, X, Y)
    yield log


@loop
def progress_bar_outside(record):
    plain, X, Y = world()
    step, screen = record(plain), io.StringIO()
    bar = tqdm(list(batches(X, Y)), file=screen, mininterval=1e9)
    for x, y in bar:
        loss = step(x, y)
        bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    yield bar.n, bar.postfix


@loop
def progress_bar_by_the_host(record):
    plain, X, Y = world()
    bar = tqdm(total=24, file=io.StringIO(), mininterval=1e9)

    @record
    def step(x, y):
        loss = plain(x, y)
        torch.host(bar.update)
        torch.host(lambda value: bar.set_postfix(loss=value.item(), refresh=False), loss)
        return loss

    yield from train(step, X, Y)
    yield bar.n, bar.postfix


@loop
def csv_writer_by_the_host(record):
    plain, X, Y = world()
    file = io.StringIO()
    writer = csv.writer(file)

    @record
    def step(x, y):
        loss = plain(x, y)
        torch.host(lambda value: writer.writerow(["loss", float(value)]), loss)
        return loss

    yield from train(step, X, Y)
    yield file.getvalue()


@loop
def host_with_several_tensors_and_plain_values(record):
    model, optimizer, X, Y = regression()
    seen = []

    def note(name, loss, norm, scale):
        seen.append((name, loss.item(), norm.item(), scale))

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        torch.host(note, "before", loss, norm, 2.0)
        optimizer.step()
        torch.host(note, "after", loss, model[0].weight.norm(), 3)
        return loss

    yield from train(step, X, Y)
    yield seen


@loop
def host_sees_the_weights_of_its_moment(record):
    """Before and after the update, in one step."""
    model, optimizer, X, Y = regression()
    seen = []

    def note(weight):
        seen.append(weight.detach().numpy().copy())

    @record
    def step(x, y):
        torch.host(note, model[0].weight)
        loss = update(optimizer, F.mse_loss(model(x), y))
        torch.host(note, model[0].weight)
        return loss

    yield from train(step, X, Y)
    yield seen


@loop
def host_changes_a_setting_of_the_next_step(record):
    model, optimizer, X, Y = regression()

    def decay():
        optimizer.param_groups[0]["lr"] *= 0.9

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        torch.host(decay)
        return loss

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def host_that_keeps_what_it_is_given(record):
    """Its Tensors are those of the step, also later."""
    plain, X, Y = world()
    kept = []

    @record
    def step(x, y):
        loss = plain(x, y)
        torch.host(kept.append, loss)
        return loss

    yield from train(step, X, Y)
    yield kept


@loop
def host_that_counts(record):
    plain, X, Y = world()
    counter = collections.Counter()

    @record
    def step(x, y):
        torch.host(counter.update, ["steps"])
        return plain(x, y)

    yield from train(step, X, Y)
    yield dict(counter)


@loop
def host_that_prints(record):
    plain, X, Y = world()

    @record
    def step(x, y):
        loss = plain(x, y)
        torch.host(print, "loss is", loss.detach())
        return loss

    yield from train(step, X, Y)


@loop
def callbacks_by_the_host(record):
    class History:
        def __init__(self):
            self.losses, self.best = [], float("inf")

        def on_batch_end(self, loss):
            self.losses.append(loss.item())
            self.best = min(self.best, self.losses[-1])

    plain, X, Y = world()
    callbacks = [History(), History()]

    @record
    def step(x, y):
        loss = plain(x, y)
        for callback in callbacks:
            torch.host(callback.on_batch_end, loss)
        return loss

    yield from train(step, X, Y)
    yield [(c.losses, c.best) for c in callbacks]


# ---- numbers that are returned -------------------------------------------------------------------

RETURNS = {
    "item": lambda loss, accuracy: loss.item(),
    "float": lambda loss, accuracy: float(loss),
    "dict_of_items": lambda loss, accuracy: {"loss": loss.item(), "accuracy": accuracy.item()},
    "tuple_of_items": lambda loss, accuracy: (loss.item(), accuracy.item()),
    "both": lambda loss, accuracy: (loss, accuracy.item()),
    "with_a_constant": lambda loss, accuracy: {"loss": loss.item(), "kind": "train", "n": 8},
    "detached": lambda loss, accuracy: loss.detach().item(),
    "nested": lambda loss, accuracy: {"a": {"loss": loss.item()}, "b": [accuracy.item()]},
    "int": lambda loss, accuracy: int((accuracy * 8).item()),
}


@loop(each={k: v for k, v in RETURNS.items() if k not in ("float", "int")})
def numbers_returned(record, result):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        return result(loss, (output.argmax(1) == y).float().mean())

    yield from train(step, X, Y)
    yield from final(model)


@loop(expect="refused")
def number_returned_by_float(record):
    """float() must give a float of Python itself, for which nothing can stand in."""
    step = record(lambda x: float(x.mean()))
    yield from train(step, inputs())


@loop(expect="either", each={"int": RETURNS["int"], "scaled": lambda a, b: 100 * b.item()})
def numbers_computed_from_items_and_returned(record, result):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        return result(loss, (output.argmax(1) == y).float().mean())

    yield from train(step, X, Y)
