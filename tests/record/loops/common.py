"""Data, models and ends of loops."""

from types import SimpleNamespace

import numpy as np

import pyml
from pyml import nn, optim

CALLS = 24  # more than a recording needs to be sure of itself
BATCH = 8
FEATURES, CLASSES, HIDDEN = 4, 3, 8


def inputs(calls=CALLS, features=FEATURES):
    return pyml.randn(calls * BATCH, features)


def labels(X):
    """Classes that can be learned."""
    return (X @ pyml.randn(X.shape[1], CLASSES)).argmax(1)


def targets(X, outputs=1):
    """Numbers that can be learned."""
    return (X @ pyml.randn(X.shape[1], outputs)).tanh() + 0.1 * pyml.randn(len(X), outputs)


def classifier():
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def regressor(outputs=1):
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))


def classification(lr=0.1, calls=CALLS):
    """(model, optimizer, X, Y)."""
    model = classifier()
    X = inputs(calls)
    return model, optim.SGD(model.parameters(), lr=lr, momentum=0.9), X, labels(X)


def regression(lr=0.05, calls=CALLS):
    """(model, optimizer, X, Y)."""
    model = regressor()
    X = inputs(calls)
    return model, optim.Adam(model.parameters(), lr=lr), X, targets(X)


def batches(*data, size=BATCH):
    """Tuples of as many rows of each."""
    for i in range(0, len(data[0]), size):
        yield tuple(t[i : i + size] for t in data)


ODD = (3, 5, 7, 9)  # calls before which something changes


def numbered(*data):
    """(number of the call, batch), from 1 on."""
    return enumerate(batches(*data), 1)


def train(step, *data, size=BATCH):
    """What the step returns, of each batch."""
    for batch in batches(*data, size=size):
        yield step(*batch)


def update(optimizer, loss):
    """The end of most steps."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def final(*objects):
    """What there is at the end of modules and optimizers."""
    for thing in objects:
        if isinstance(thing, nn.Module):
            yield from thing.parameters()
            yield from thing.buffers()
        else:
            for group in thing.param_groups:
                yield float(group["lr"])
                for p in group["params"]:
                    yield sorted((k, v) for k, v in thing.state.get(p, {}).items())


def run(step, *data, batch_size, **options):
    """step.run(), or the loop that it is documented to be: what the steps return, put together."""
    if hasattr(step, "run"):
        return step.run(*data, batch_size=batch_size, **options)
    return eager_run(step, *data, batch_size=batch_size, **options)


def eager_run(
    step,
    *data,
    batch_size,
    epochs=1,
    shuffle=True,
    drop_last=False,
    generator=None,
    scheduler=None,
    callback=None,
    every_steps=None,
):
    results, rows, done = [], len(data[0]), 0
    steps = rows // batch_size if drop_last else -(-rows // batch_size)

    def ends(epoch, batch):
        if callback is None or (done % every_steps if every_steps else batch):
            return False
        losses = stacked(results) if isinstance(results[0], pyml.Tensor) else None
        progress = SimpleNamespace(epoch=epoch, batch=batch, step=done, losses=losses)
        return callback(progress) is True

    for epoch in range(epochs):
        order = pyml.randperm(rows, generator=generator) if shuffle else pyml.arange(rows)
        for batch, chosen in enumerate(order.split(batch_size)[:steps]):
            results.append(step(*(t[chosen] for t in data)))
            done += 1
            if batch + 1 < steps and ends(epoch, batch + 1):
                return together(results)
        if scheduler is not None:
            scheduler.step()
        if ends(epoch + 1, 0):
            break
    return together(results)


def together(results):
    """As run() returns what its steps returned."""
    first = results[0]
    if isinstance(first, pyml.Tensor):
        return stacked(results)
    if isinstance(first, dict):
        return {name: together([result[name] for result in results]) for name in first}
    if isinstance(first, tuple):
        return tuple(together(list(column)) for column in zip(*results, strict=True))
    return first


def stacked(tensors):
    arrays = [t.detach().array for t in tensors]
    return pyml.from_numpy(np.stack(arrays) if arrays[0].ndim == 0 else np.concatenate(arrays))
