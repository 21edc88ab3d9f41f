"""What is written down inside of the step, without the host."""

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
from record.loops.common import batches, classification, train, update
from record.loops.harness import loop
from record.loops.logs import world


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


def as_a_row_of_csv(log, loss):
    csv.writer(log.lines).writerow(["loss", loss.item()])


def as_a_postfix_of_a_bar(log, loss):
    log.bar.update()
    log.bar.set_postfix(loss=loss.item(), refresh=False)


def as_a_mean_of_numpy(log, loss):
    log.array = 0.9 * log.array + 0.1 * loss.detach().numpy()


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
    as_a_row_of_csv,
    as_a_postfix_of_a_bar,
    as_a_mean_of_numpy,
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
        bar=tqdm(total=24, file=io.StringIO(), mininterval=1e9),
    )


def read(log):
    numbers = log.losses, log.total, log.mean, log.table, log.last, log.array
    return numbers, log.lines.getvalue(), log.bar.n, log.bar.postfix


@loop(expect="recorded", each={"in_a_dict": in_a_dict})
@loop(expect="refused", each={f.__name__: f for f in INSIDE if f is not in_a_dict})
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
def bar_that_moves_inside(record):
    plain, X, Y = world()
    bar = tqdm(total=24, file=io.StringIO(), mininterval=1e9)

    @record
    def step(x, y):
        bar.update(1)
        return plain(x, y)

    yield from train(step, X, Y)
    yield bar.n


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
