"""What a step is called with."""

import collections
import dataclasses
import types

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
    train,
    update,
)
from record.loops.harness import loop

# ---- forms of a batch ----------------------------------------------------------------------------

Pair = collections.namedtuple("Pair", "x y")


@dataclasses.dataclass
class Example:
    x: object
    y: object


class Bag:
    """An object that holds tensors, and one more."""

    def __init__(self, x, y):
        self.x, self.y, self.kind = x, y, "bag"


# name -> (make(x, y), read(batch) -> (x, y))
BATCHES = {
    "tuple": (lambda x, y: (x, y), lambda b: b),
    "list": (lambda x, y: [x, y], lambda b: (b[0], b[1])),
    "dict": (lambda x, y: {"x": x, "y": y}, lambda b: (b["x"], b["y"])),
    "nested": (lambda x, y: {"in": [x], "out": (y, None)}, lambda b: (b["in"][0], b["out"][0])),
    "namedtuple": (Pair, lambda b: (b.x, b.y)),
    "with_plain_values": (lambda x, y: (x, y, "train", 3, None), lambda b: b[:2]),
}


@loop(each=BATCHES)
def batch_is_a(record, form):
    make, read = form
    model, optimizer, X, Y = classification()

    @record
    def step(batch):
        x, y = read(batch)
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        yield step(make(x, y))
    yield from final(model)


OBJECTS = {
    "dataclass": Example,
    "namespace": lambda x, y: types.SimpleNamespace(x=x, y=y),
    "object": Bag,
}


@loop(expect="either", each=OBJECTS)
def batch_is_an_object(record, make):
    model, optimizer, X, Y = classification()

    @record
    def step(batch):
        return update(optimizer, F.cross_entropy(model(batch.x), batch.y))

    for x, y in batches(X, Y):
        yield step(make(x, y))
    yield from final(model)


@loop(expect="either", each=OBJECTS)
def batch_is_one_object_whose_tensors_are_replaced(record, make):
    model, optimizer, X, Y = classification()
    batch = make(X[:8], Y[:8])

    @record
    def step(batch):
        return update(optimizer, F.cross_entropy(model(batch.x), batch.y))

    for x, y in batches(X, Y):
        batch.x, batch.y = x, y
        yield step(batch)
    yield from final(model)


@loop(expect="either")
def batch_in_the_closure(record):
    """The step takes nothing: x and y are variables that the loop sets."""
    model, optimizer, X, Y = classification()
    x = y = None

    @record
    def step():
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):  # noqa: B007
        yield step()
    yield from final(model)


@loop(expect="either")
def batch_in_an_attribute(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = classification()

        @record
        def step(self):
            x, y = self.batch
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    trainer = Trainer()
    for batch in batches(trainer.X, trainer.Y):
        trainer.batch = batch
        yield trainer.step()


@loop
def batch_copied_into_fixed_tensors(record):
    model, optimizer, X, Y = classification()
    x, y = torch.zeros(8, 4), torch.zeros(8, dtype=torch.int64)

    @record
    def step():
        return update(optimizer, F.cross_entropy(model(x), y))

    for a, b in batches(X, Y):
        x.copy_(a)
        y.copy_(b)
        yield step()
    yield from final(model)


@loop
def keyword_arguments(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, *, y, weight=None):
        return update(optimizer, F.cross_entropy(model(x), y, weight=weight))

    for i, (x, y) in enumerate(batches(X, Y)):
        w = torch.tensor([1.0, 2.0, i / 10]) if i % 2 else None
        yield step(x, y=y, weight=w)
    yield from final(model)


@loop
def keywords_in_another_order(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(y=y, x=x) if i % 2 else step(x=x, y=y)


@loop
def star_arguments(record):
    model, optimizer, X, Y = classification()

    @record
    def step(*batch, **options):
        return update(optimizer, F.cross_entropy(model(batch[0]), batch[1], **options))

    for i, batch in enumerate(batches(X, Y)):
        yield step(*batch, label_smoothing=0.1 if i % 2 else 0.0)


@loop(each={"bool": (True, False), "int": (1, 2), "str": ("mse", "l1"), "none": (None, 1.0)})
def flag_is_a(record, flags):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, flag):
        output = model(x)
        first = flag in (True, 1, "mse") and flag is not None
        loss = F.mse_loss(output, y) if first else (output - y).abs().mean()
        return update(optimizer, loss)

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, flags[i % 2])
    yield from final(model)


@loop
def one_and_true_are_different(record):
    """1, 1.0 and True are equal, and yet the step sees which it is."""
    X = inputs()

    @record
    def step(x, k):
        return x * (2.0 if isinstance(k, bool) else 3.0 if isinstance(k, int) else 5.0)

    for i, (x,) in enumerate(batches(X)):
        yield step(x, (1, 1.0, True)[i % 3])


@loop
def zero_and_minus_zero_are_different(record):
    X = inputs()

    @record
    def step(x, k):
        return x * 0 + k

    for i, (x,) in enumerate(batches(X.abs())):
        yield step(-x, (0.0, -0.0)[i % 2])


@loop
def optimizer_as_an_argument(record):
    model, _, X, Y = classification()
    optimizers = [optim.SGD(model.parameters(), lr=0.1), optim.Adam(model.parameters(), lr=0.01)]

    @record
    def step(x, y, optimizer):
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, optimizers[i // 12])


@loop
def loss_function_as_an_argument(record):
    model, optimizer, X, Y = regression()
    criteria = [F.mse_loss, lambda a, b: (a - b).abs().mean(), nn.MSELoss(reduction="sum")]

    @record
    def step(x, y, criterion):
        return update(optimizer, criterion(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, criteria[i % 3])


@loop(expect="same")
def loss_function_that_is_a_new_lambda_each_time(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, criterion):
        return update(optimizer, criterion(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, lambda a, b, i=i: (i + 1) * F.mse_loss(a, b))


@loop
def arrays(record):
    model, optimizer, X, Y = classification()
    A, B = X.numpy(), Y.numpy()

    @record
    def step(x, y):
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        return update(optimizer, F.cross_entropy(model(x), y))

    for i in range(0, len(A), 8):
        yield step(A[i : i + 8], B[i : i + 8])
    yield from final(model)


@loop
def arrays_made_tensors_by_tensor(record):
    model, optimizer, X, Y = classification()
    A, B = X.numpy().copy(), Y.numpy().copy()

    @record
    def step(x, y):
        x, y = torch.tensor(x), torch.as_tensor(y)
        return update(optimizer, F.cross_entropy(model(x), y))

    for i in range(0, len(A), 8):
        yield step(A[i : i + 8], B[i : i + 8])


@loop(expect="either")
def arrays_that_numpy_works_on(record):
    model, optimizer, X, Y = classification()
    A, B = X.numpy(), Y.numpy()

    @record
    def step(x, y):
        x = torch.from_numpy((x - x.mean(0)) / (x.std(0) + 1e-6))
        return update(optimizer, F.cross_entropy(model(x), torch.from_numpy(y)))

    for i in range(0, len(A), 8):
        yield step(A[i : i + 8], B[i : i + 8])


@loop(expect="either", each={"list": list, "tuple": tuple})
def rows_as_python_numbers(record, kind):
    model, X = nn.Linear(4, 1), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(row):
        return update(optimizer, model(torch.tensor(row)).square().sum())

    for i in range(24):
        yield step(kind(X[i].tolist()))


@loop
def numpy_scalar_as_an_argument(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, w):
        return update(optimizer, float(w) * F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, np.float64(1 + i % 2))


@loop(expect="either", each={"ordered": collections.OrderedDict, "user": collections.UserDict})
def batch_is_another_dict(record, kind):
    model, optimizer, X, Y = classification()

    @record
    def step(batch):
        return update(optimizer, F.cross_entropy(model(batch["x"]), batch["y"]))

    for x, y in batches(X, Y):
        yield step(kind(x=x, y=y))
    yield from final(model)


# ---- shapes and memory ---------------------------------------------------------------------------


@loop
def smaller_last_batch(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y) * len(x) / 8)

    for _ in range(3):
        yield from train(step, X[:77], Y[:77])
    yield from final(model)


@loop(each={"sizes": (8, 5, 3, 1), "sizes_that_repeat": (8, 8, 4, 4)})
def batches_of_several(record, sizes):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for i in range(48):
        n = sizes[i % 4]
        yield step(X[i : i + n], Y[i : i + n])
    yield from final(model)


@loop(expect="same")
def sequences_of_every_length(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for n in range(1, 25):
        yield step(X[:n], Y[:n])


def transposed(X):
    return [x.t().contiguous().t() for x in X.split(8)]


def every_other(X):
    return [X[i::24] for i in range(24)]


def reversed_rows(X):
    return [X.flip(0)[i : i + 8] for i in range(0, 192, 8)]


def overlapping(X):
    return [X[i : i + 8] for i in range(24)]


def columns(X):
    wide = torch.cat([X, X], dim=1)
    return [wide[i * 8 : i * 8 + 8, 2:6] for i in range(24)]


def expanded(X):
    return [X[i].expand(8, 4) for i in range(24)]


def of_numpy(X):
    return [torch.from_numpy(X.numpy()[i * 8 : i * 8 + 8]) for i in range(24)]


def from_a_permutation(X):
    return [X[rows] for rows in torch.randperm(192).split(8)]


MEMORIES = (
    transposed,
    every_other,
    reversed_rows,
    overlapping,
    columns,
    expanded,
    of_numpy,
    from_a_permutation,
)


@loop(each={f.__name__: f for f in MEMORIES})
def rows_are(record, rows):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in zip(rows(X), Y.split(8), strict=True):
        yield step(x, y)
    yield from final(model)


@loop
def contiguous_and_not_in_turns(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x.t().contiguous().t() if i % 2 else x, y)


@loop
def the_same_tensor_twice(record):
    model, X = nn.Linear(4, 4), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for i, (x,) in enumerate(batches(X)):
        yield step(x, x if i % 2 else x + 1)
    yield from final(model)


@loop
def overlapping_arguments(record):
    """Windows of a series, one row apart."""
    X = inputs()
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(now, after):
        return update(optimizer, F.mse_loss(model(now), after))

    for i in range(24):
        yield step(X[i : i + 8], X[i + 1 : i + 9])


@loop(expect="either")
def argument_that_is_changed_in_place(record):
    X = inputs()

    @record
    def normalise(x):
        x.sub_(x.mean(0)).div_(x.std(0) + 1e-6)
        return x.sum()

    yield from train(normalise, X)
    yield X


@loop(expect="either")
def parameter_as_an_argument(record):
    model = classification()[0]

    @record
    def decay(w, rate):
        with torch.no_grad():
            w.mul_(1 - rate)

    for i in range(24):
        decay(model[i % 2 * 2].weight, torch.tensor(0.01 * i))
        yield model[0].weight, model[2].weight


@loop(expect="either")
def argument_that_requires_grad(record):
    model, _, X, _ = regression()
    x = X[:8].clone().requires_grad_(True)

    @record
    def step(x):
        loss = model(x).square().mean()
        loss.backward()
        return loss

    for _ in range(24):
        yield step(x)
        with torch.no_grad():
            x -= 0.1 * x.grad
            x.grad = None
    yield x


@loop
def double_precision_at_times(record):
    @record
    def step(x):
        return (x * 0.1).sum() + x.exp().mean()

    for i, (x,) in enumerate(batches(inputs())):
        yield step(x.double() if i % 2 else x)


@loop
def labels_of_several_dtypes(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y.long()))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, (y, y.to(torch.int32), y.float())[i % 3])


@loop
def empty_dict_and_more_keys(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, extras):
        loss = F.mse_loss(model(x), y)
        for value in extras.values():
            loss = loss + 0.1 * value.mean()
        return update(optimizer, loss)

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, {str(k): X[i + k] for k in range(i % 3)})
