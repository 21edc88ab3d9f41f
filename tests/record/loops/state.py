"""What a training carries from step to step: hidden states, statistics, memories."""

import collections
from types import SimpleNamespace

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import batches, final, inputs, regressor, targets, train, update
from record.loops.harness import loop


class Cell(nn.Module):
    """tanh(W [x, h])."""

    def __init__(self):
        super().__init__()
        self.linear, self.head = nn.Linear(4 + 6, 6), nn.Linear(6, 1)

    def forward(self, x, h):
        h = torch.cat([x, h], dim=1) @ self.linear.weight.T
        return (h + self.linear.bias).tanh()


def sequence():
    cell, X = Cell(), inputs()
    return cell, optim.Adam(cell.parameters(), lr=0.01), X, targets(X)


@loop
def hidden_state_as_an_argument(record):
    cell, optimizer, X, Y = sequence()
    h = torch.zeros(8, 6)

    @record
    def step(x, y, h):
        h = cell(x, h)
        return update(optimizer, F.mse_loss(cell.head(h), y)), h.detach()

    for x, y in batches(X, Y):
        loss, h = step(x, y, h)
        yield loss, h
    yield from final(cell)


@loop
def hidden_state_in_an_attribute(record):
    class Trainer:
        def __init__(self):
            self.cell, self.optimizer, self.X, self.Y = sequence()
            self.h = torch.zeros(8, 6)

        @record
        def step(self, x, y):
            h = self.cell(x, self.h)
            loss = update(self.optimizer, F.mse_loss(self.cell.head(h), y))
            self.h = h.detach()
            return loss

    trainer = Trainer()
    for i, (x, y) in enumerate(batches(trainer.X, trainer.Y)):
        if i == 12:
            trainer.h = torch.zeros(8, 6)
        yield trainer.step(x, y), trainer.h
    yield from final(trainer.cell)


class Recurrent(nn.Module):
    """Keeps its hidden state: with its graph, or detached."""

    def __init__(self, kept):
        super().__init__()
        self.cell, self.kept = Cell(), kept
        self.h = torch.zeros(8, 6)

    def forward(self, x):
        h = self.cell(x, self.h.detach())
        self.h = self.kept(h)
        return self.cell.head(h)


@loop(expect="either")
def hidden_state_of_a_module(record):
    """A replay has no graph that it could store."""
    yield from recurrent(record, lambda h: h)


@loop
def hidden_state_of_a_module_detached(record):
    yield from recurrent(record, lambda h: h.detach())


def recurrent(record, kept):
    model, X = Recurrent(kept), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, targets(X))
    yield model.h.detach()


@loop
def hidden_state_in_a_buffer_copied_in_place(record):
    cell, optimizer, X, Y = sequence()
    cell.register_buffer("h", torch.zeros(8, 6))

    @record
    def step(x, y):
        h = cell(x, cell.h.clone())
        loss = update(optimizer, F.mse_loss(cell.head(h), y))
        cell.h.copy_(h.detach())
        return loss

    yield from train(step, X, Y)
    yield from final(cell)


@loop
def hidden_state_in_a_closure(record):
    cell, optimizer, X, Y = sequence()
    h = torch.zeros(8, 6)

    @record
    def step(x, y):
        nonlocal h
        out = cell(x, h)
        loss = update(optimizer, F.mse_loss(cell.head(out), y))
        h = out.detach()
        return loss

    yield from train(step, X, Y)
    yield h


HIDDEN_STATE = None


@loop
def hidden_state_in_a_global(record):
    global HIDDEN_STATE
    cell, optimizer, X, Y = sequence()
    HIDDEN_STATE = torch.zeros(8, 6)

    @record
    def step(x, y):
        global HIDDEN_STATE
        out = cell(x, HIDDEN_STATE)
        loss = update(optimizer, F.mse_loss(cell.head(out), y))
        HIDDEN_STATE = out.detach()
        return loss

    yield from train(step, X, Y)
    yield HIDDEN_STATE


@loop(
    each={"list": lambda: ([torch.zeros(8, 6)], 0), "dict": lambda: ({"h": torch.zeros(8, 6)}, "h")}
)
def hidden_state_in_a(record, make):
    cell, optimizer, X, Y = sequence()
    state, key = make()

    @record
    def step(x, y):
        h = cell(x, state[key])
        loss = update(optimizer, F.mse_loss(cell.head(h), y))
        state[key] = h.detach()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 12:
            state[key] = torch.ones(8, 6)
        yield step(x, y)
    yield state


@loop(expect="either")
def two_states_that_are_swapped(record):
    """A double buffer: a tensor of before the step is in another place after it."""
    state = SimpleNamespace(now=torch.randn(6), before=torch.zeros(6))

    @record
    def step(x):
        state.now, state.before = 0.5 * state.now + 0.1 * state.before + x.mean(), state.now
        return state.now.sum()

    for (x,) in batches(inputs()):
        yield step(x), state.now, state.before


@loop(expect="either")
def state_that_is_none_at_first(record):
    class Mean:
        value = None

        def __call__(self, x):
            self.value = x.mean(0) if self.value is None else 0.9 * self.value + 0.1 * x.mean(0)
            return self.value

    mean = Mean()
    step = record(lambda x: mean(x).sum())
    yield from train(step, inputs())
    yield mean.value


@loop
def state_that_is_reset_at_times(record):
    class Trainer:
        def __init__(self):
            self.total, self.t = torch.zeros(4), 0

        @record
        def step(self, x):
            self.t += 1
            if self.t % 6 == 0:
                self.total = torch.zeros(4)
            self.total = self.total + x.mean(0)
            return self.total.norm()

    trainer = Trainer()
    yield from train(trainer.step, inputs())
    yield trainer.total, trainer.t


@loop(expect="either")
def windows_of_truncated_backpropagation(record):
    """Several steps of a sequence in one call; the state goes on by a result."""
    cell, optimizer, X, Y = sequence()
    h = torch.zeros(2, 6)

    @record
    def step(x, y, h):
        loss = torch.zeros(())
        for t in range(4):
            h = cell(x[t * 2 : t * 2 + 2], h)
            loss = loss + F.mse_loss(cell.head(h), y[t * 2 : t * 2 + 2])
        return update(optimizer, loss), h.detach()

    for x, y in batches(X, Y):
        loss, h = step(x, y, h)
        yield loss


# ---- statistics by hand --------------------------------------------------------------------------


@loop
def norm_by_hand_with_rebound_statistics(record):
    class Norm(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(n))
            self.mu, self.var = torch.zeros(n), torch.ones(n)

        def forward(self, x):
            if self.training:
                mu, var = x.mean(0), x.var(0)
                self.mu = 0.9 * self.mu + 0.1 * mu.detach()
                self.var = 0.9 * self.var + 0.1 * var.detach()
            else:
                mu, var = self.mu, self.var
            return self.gamma * (x - mu) / (var + 1e-5).sqrt()

    model, X = nn.Sequential(nn.Linear(4, 6), Norm(6), nn.Linear(6, 1)), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        return update(optimizer, loss) if model.training else loss

    for i, (x, y) in enumerate(batches(X, targets(X))):
        model.train(i % 4 != 3)
        yield step(x, y)
    yield model[1].mu, model[1].var
    yield from final(model)


@loop
def norm_by_hand_with_buffers_and_a_counter(record):
    class Norm(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.register_buffer("mean", torch.zeros(n))
            self.register_buffer("count", torch.tensor(0.0))

        def forward(self, x):
            with torch.no_grad():
                self.count += 1
                self.mean += (x.mean(0) - self.mean) / self.count
            return x - self.mean.clone()

    model, X = nn.Sequential(Norm(4), nn.Linear(4, 1)), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, targets(X))
    yield from final(model)


@loop
def whitening_with_a_covariance(record):
    model, X = nn.Linear(4, 1), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.02)
    state = {"C": torch.eye(4), "m": torch.zeros(4)}

    @record
    def step(x, y):
        c = x - state["m"]
        state["m"] = torch.lerp(state["m"], x.mean(0), 0.1)
        state["C"] = 0.9 * state["C"] + 0.1 * (c.T @ c) / len(x)
        return update(optimizer, F.mse_loss(model(c @ state["C"]), y))

    yield from train(step, X, targets(X))
    yield state


@loop
def statistics_of_activations_by_a_hook(record):
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    means = torch.zeros(8)

    def watch(module, args, output):
        means.mul_(0.9).add_(output.detach().mean(0), alpha=0.1)

    model[1].register_forward_hook(watch)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, targets(X))
    yield means


@loop(expect="either")
def activations_kept_by_a_hook(record):
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    kept = {}
    model[1].register_forward_hook(lambda m, i, output: kept.update(last=output.detach()))

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, targets(X)):
        yield step(x, y), kept["last"]


@loop
def calls_counted_by_a_module(record):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * (1 + 0.01 * self.calls)

    model, X = nn.Sequential(nn.Linear(4, 1), Counting()), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, targets(X))
    yield model[1].calls


# ---- memories ------------------------------------------------------------------------------------


@loop
def memory_written_by_slices_of_an_argument(record):
    bank = torch.zeros(6, 4)

    @record
    def step(x):
        bank.copy_(torch.cat([x.mean(0, keepdim=True), bank[:-1].clone()]))
        return bank.mean(0)

    yield from train(step, inputs())
    yield bank


INDICES = {
    "list_counter": lambda: ([0], lambda s: s[0], lambda s: s.__setitem__(0, s[0] + 1)),
    "attribute": lambda: (
        SimpleNamespace(i=0),
        lambda s: s.i,
        lambda s: setattr(s, "i", s.i + 1),
    ),
    "dict": lambda: ({"i": 0}, lambda s: s["i"], lambda s: s.update(i=s["i"] + 1)),
}


@loop(expect="same", each=INDICES)
def memory_written_at_a_counter_in_a(record, make):
    """An index is a place in memory: a variant for each of its values."""
    state, read, advance = make()
    memory = torch.zeros(5, 4)

    @record
    def step(x):
        memory[read(state) % 5] = x.mean(0)
        advance(state)
        return memory.sum()

    yield from train(step, inputs())
    yield memory, read(state)


@loop
def memory_written_from_a_number_given_as_a_flag(record):
    memory = torch.zeros(4, 4)

    @record
    def step(x, i):
        memory[i] = x.mean(0)
        return memory.sum()

    for i, (x,) in enumerate(batches(inputs())):
        yield step(x, i % 4)
    yield memory


@loop
def memory_written_at_an_index_in_a_tensor(record):
    memory = torch.zeros(6, 4)

    @record
    def step(x, i):
        rows = (torch.arange(6) == i).float().unsqueeze(1)
        memory.mul_(1 - rows).add_(rows * x.mean(0))
        return memory.sum()

    for i, (x,) in enumerate(batches(inputs())):
        yield step(x, torch.tensor(i % 6))
    yield memory


@loop(expect="same")
def history_written_once_for_each_step(record):
    """`history[t] = loss`, with t outside and a buffer for all steps: a variant for each t."""
    model, X = regressor(), inputs()
    optimizer, history = optim.SGD(model.parameters(), lr=0.05), torch.zeros(24)
    t = 0

    @record
    def step(x, y):
        nonlocal t
        loss = update(optimizer, F.mse_loss(model(x), y))
        history[t] = loss.detach()
        t += 1
        return loss

    yield from train(step, X, targets(X))
    yield history, t


@loop(expect="refused")
def history_in_an_array_of_numpy(record):
    model, X = regressor(), inputs()
    optimizer, history = optim.SGD(model.parameters(), lr=0.05), np.zeros(24)
    t = 0

    @record
    def step(x, y):
        nonlocal t
        loss = update(optimizer, F.mse_loss(model(x), y))
        history[t] = loss.item()
        t += 1
        return loss

    yield from train(step, X, targets(X))
    yield history


@loop(expect="either")
def numbers_of_steps_in_an_array_of_numpy(record):
    """An array that counts, by a sum in place."""
    counts = np.zeros(3)

    @record
    def step(x, k):
        counts[k] += 1
        return x.sum()

    for i, (x,) in enumerate(batches(inputs())):
        yield step(x, i % 3)
    yield counts


@loop(expect="either")
def an_array_of_numpy_feeds_the_step(record):
    weights = np.ones(3)

    @record
    def step(x):
        return x.sum() * float(weights[1])

    for i, (x,) in enumerate(batches(inputs())):
        if i == 12:
            weights[1] = 5.0
        yield step(x)


@loop(expect="either")
def queue_of_tensors_in_a_deque(record):
    queue = collections.deque([torch.zeros(4)] * 3, maxlen=3)

    @record
    def step(x):
        queue.append(x.mean(0))
        return torch.stack(list(queue)).sum()

    yield from train(step, inputs())
    yield list(queue)


@loop(expect="either")
def list_that_grows_and_is_read(record):
    seen = []

    @record
    def step(x):
        seen.append(x.mean())
        return torch.stack(seen).mean()

    yield from train(step, inputs())


@loop(expect="either")
def cache_of_results_by_a_key(record):
    cache = {}

    @record
    def step(x, key):
        if key not in cache:
            cache[key] = x.mean(0)
        return (x - cache[key]).sum()

    for i, (x,) in enumerate(batches(inputs())):
        yield step(x, i % 3)


@loop
def mask_made_once_and_kept(record):
    class Model(nn.Module):
        mask = None

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            if self.mask is None:
                self.mask = torch.tensor([1.0, 0.0, 1.0, 0.5])
            return self.linear(x) * self.mask

    model, X = Model(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x):
        return update(optimizer, F.mse_loss(model(x), x))

    for i, (x,) in enumerate(batches(X)):
        if i == 12:
            model.mask = torch.ones(4)
        yield step(x)
