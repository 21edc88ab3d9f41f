"""What people write down about a training: lists, means, files, bars, callbacks."""

import collections
import csv
import io
import json
import logging
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

import pyml as torch
from pyml.nn import functional as F
from record.loops.common import batches, classification, final, regression, train, update
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
        torch.host(print, "loss is", loss)
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


@loop(each={k: v for k, v in RETURNS.items() if k != "int"})
def numbers_returned(record, result):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        return result(loss, (output.argmax(1) == y).float().mean())

    yield from train(step, X, Y)
    yield from final(model)


@loop(expect="either", each={"int": RETURNS["int"], "scaled": lambda a, b: 100 * b.item()})
def numbers_computed_from_items_and_returned(record, result):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        return result(loss, (output.argmax(1) == y).float().mean())

    yield from train(step, X, Y)


# ---- inside of the step --------------------------------------------------------------------------


def append_item(log, loss):
    log.losses.append(loss.item())


def add_item(log, loss):
    log.total += loss.item()


def add_float(log, loss):
    log.total = log.total + float(loss)


def average(log, loss):
    log.mean = 0.9 * log.mean + 0.1 * loss.item()


def in_a_dict(log, loss):
    log.table["loss"] = loss.item()


def in_a_deque(log, loss):
    log.last.append(loss.item())


def in_an_array(log, loss):
    log.array[0] = loss.item()


def as_text(log, loss):
    log.lines.write(f"{loss.item():.4f}\n")


def as_a_print(log, loss):
    print(f"loss: {loss:.4f}")


def as_a_print_of_a_tensor(log, loss):
    print("loss", loss)


def as_json(log, loss):
    log.lines.write(json.dumps({"loss": loss.tolist()}))


def as_a_record_of_logging(log, loss):
    log.logger.warning("loss %s", loss.item())


INSIDE = (
    append_item,
    add_item,
    add_float,
    average,
    in_a_dict,
    in_a_deque,
    in_an_array,
    as_text,
    as_a_print,
    as_a_print_of_a_tensor,
    as_json,
    as_a_record_of_logging,
)


def new_log():
    lines = io.StringIO()
    logger = logging.Logger("loops")
    logger.addHandler(logging.StreamHandler(lines))
    return SimpleNamespace(
        logger=logger,
        losses=[],
        total=0.0,
        mean=0.0,
        table={},
        last=collections.deque(maxlen=4),
        array=np.zeros(3),
        lines=lines,
    )


def read(log):
    return log.losses, log.total, log.mean, log.table, log.last, log.array, log.lines.getvalue()


@loop(expect="refused", each={f.__name__: f for f in INSIDE})
def values_logged_inside(record, write):
    plain, X, Y = world()
    log = new_log()

    @record
    def step(x, y):
        loss = plain(x, y)
        write(log, loss)
        return loss

    yield from train(step, X, Y)
    yield read(log)


@loop(expect="same", each={f.__name__: f for f in INSIDE})
def values_logged_inside_of_a_step_that_may_run_eagerly(record, write):
    plain, X, Y = world()
    log = new_log()

    @record(unrecordable="eager")
    def step(x, y):
        loss = plain(x, y)
        write(log, loss)
        return loss

    yield from train(step, X, Y)
    yield read(log)


@loop(expect="either")
def tensors_appended_inside(record):
    plain, X, Y = world()
    losses = []

    @record
    def step(x, y):
        loss = plain(x, y)
        losses.append(loss.detach())
        return loss

    yield from train(step, X, Y)
    yield losses


@loop(expect="either")
def only_the_last_tensor_kept_inside(record):
    class Trainer:
        last = None

        def __init__(self):
            self.plain, self.X, self.Y = world()

        @record
        def step(self, x, y):
            self.last = self.plain(x, y).detach()

    trainer = Trainer()
    for x, y in batches(trainer.X, trainer.Y):
        trainer.step(x, y)
        yield trainer.last


@loop
def sum_in_a_tensor_inside(record):
    plain, X, Y = world()
    total, n = torch.zeros(()), torch.zeros(())

    @record
    def step(x, y):
        loss = plain(x, y)
        total.add_(loss.detach())
        n.add_(1)
        return loss

    yield from train(step, X, Y)
    yield (total / n).item()


@loop(expect="either")
def sum_in_a_tensor_with_its_graph(record):
    plain, X, Y = world()
    total = torch.zeros(())

    @record
    def step(x, y):
        loss = plain(x, y)
        total.add_(loss)
        return loss

    yield from train(step, X, Y)
    yield total.item()


@loop
def meter_with_tensors(record):
    class Meter:
        def __init__(self):
            self.sum, self.count = torch.zeros(()), 0

        def update(self, value, n):
            self.sum += value.detach() * n
            self.count += n

        @property
        def mean(self):
            return self.sum / self.count

    plain, X, Y = world()
    meter = Meter()

    @record
    def step(x, y):
        loss = plain(x, y)
        meter.update(loss, len(x))
        return loss

    for x, y in batches(X, Y):
        step(x, y)
        yield meter.mean, meter.count


@loop
def confusion_matrix_in_a_tensor(record):
    model, optimizer, X, Y = classification()
    matrix = torch.zeros(3, 3)

    @record
    def step(x, y):
        output = model(x)
        loss = update(optimizer, F.cross_entropy(output, y))
        rows = (y.unsqueeze(1) == torch.arange(3)).float()
        columns = (output.argmax(1).unsqueeze(1) == torch.arange(3)).float()
        matrix.add_(rows.T @ columns)
        return loss

    yield from train(step, X, Y)
    yield matrix


@loop
def count_of_steps_and_samples(record):
    plain, X, Y = world()
    counts = {"steps": 0, "samples": 0, "half": 0.0}

    @record
    def step(x, y):
        counts["steps"] += 1
        counts["samples"] += x.shape[0]
        counts["half"] += 0.5
        return plain(x, y)

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y) if i % 3 else step(x[:5], y[:5]), counts


@loop
def count_that_nothing_reads(record):
    plain, X, Y = world()

    @record
    def step(x, y):
        step.calls = getattr(step, "calls", 0) + 1
        return plain(x, y)

    yield from train(step, X, Y)
    yield step.calls


@loop(expect="either")
def list_of_indices_inside(record):
    """Appends what is no tensor."""
    plain, X, Y = world()
    seen = []

    @record
    def step(x, y):
        seen.append(len(seen))
        return plain(x, y)

    yield from train(step, X, Y)
    yield seen


@loop(expect="either")
def print_without_a_value_inside(record):
    plain, X, Y = world()

    @record
    def step(x, y):
        print("step")
        return plain(x, y)

    yield from train(step, X, Y)


@loop(expect="either")
def callback_that_counts_inside(record):
    class Callback:
        def __init__(self):
            self.events = []

        def __call__(self, event):
            self.events.append(event)

    plain, X, Y = world()
    callback = Callback()

    @record
    def step(x, y):
        callback("begin")
        loss = plain(x, y)
        callback("end")
        return loss

    yield from train(step, X, Y)
    yield callback.events


@loop
def print_every_tenth_step_by_the_host(record):
    class Trainer:
        def __init__(self):
            self.plain, self.X, self.Y = world()
            self.t = 0

        def show(self, loss):
            self.t += 1
            if self.t % 10 == 0:
                print(f"{self.t}: {loss.item():.4f}")

        @record
        def step(self, x, y):
            loss = self.plain(x, y)
            torch.host(self.show, loss)
            return loss

    trainer = Trainer()
    yield from train(trainer.step, trainer.X, trainer.Y)
    yield trainer.t


@loop(expect="refused")
def print_every_tenth_step_inside(record):
    plain, X, Y = world()
    n = [0]

    @record
    def step(x, y):
        n[0] += 1
        loss = plain(x, y)
        if n[0] % 10 == 0:
            print(f"step {n[0]}: {loss.item():.4f}")
        return loss

    yield from train(step, X, Y)
