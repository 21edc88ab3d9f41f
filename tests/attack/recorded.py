"""A random step, eager and recorded, called with arguments of all layouts that may share memory.

A step is a list of instructions on the values so far: operations, views, changes in place, dropout,
backward, steps of an optimizer. Twin worlds run it, one of them recorded: after each call results,
arguments, parameters, gradients, states and random numbers have the same bits, or the call is
refused with RecordError or ValueError. A case is reproduced by its number; it says its steps.
"""

import contextlib
import warnings

import numpy as np
from record.programs import eager_run

import pyml
from attack.children import Fault
from helpers.compare import bits
from pyml import nn, optim
from pyml.nn import functional as F

CALLS = 7  # of one step: most are replays
ROWS = 7  # of the data of a run
MOST = 12  # instructions of a step
REFUSALS = (pyml.RecordError, ValueError)

# name -> (operands, function of a World and the operands)
OPERATIONS = {
    "exp": (1, lambda w, a: (a * 0.1).exp()),
    "tanh": (1, lambda w, a: a.tanh()),
    "relu": (1, lambda w, a: a.relu()),
    "sqrt": (1, lambda w, a: a.abs().sqrt()),
    "gelu": (1, lambda w, a: F.gelu(a)),
    "neg": (1, lambda w, a: -a),
    "scaled": (1, lambda w, a: a * 0.5 + 1),
    "power": (1, lambda w, a: a**2),
    "add": (2, lambda w, a, b: a + b),
    "sub": (2, lambda w, a, b: a - b),
    "mul": (2, lambda w, a, b: a * b),
    "div": (2, lambda w, a, b: a / (b.abs() + 1)),
    "maximum": (2, lambda w, a, b: pyml.maximum(a, b)),
    "where": (2, lambda w, a, b: pyml.where(a > b, a, b)),
    "matmul": (2, lambda w, a, b: a @ b.t()),
    "cat": (2, lambda w, a, b: pyml.cat([a, b])),
    "stack": (2, lambda w, a, b: pyml.stack([a, b])),
    "sum": (1, lambda w, a: a.sum()),
    "rows": (1, lambda w, a: a.sum(0)),
    "mean": (1, lambda w, a: a.mean(-1)),
    "amax": (1, lambda w, a: a.amax(0)),
    "var": (1, lambda w, a: a.var(0)),
    "softmax": (1, lambda w, a: F.softmax(a, -1)),
    "linear": (1, lambda w, a: w.model[0](a)),
    "model": (1, lambda w, a: w.model(a)),
    "dropout": (1, lambda w, a: F.dropout(a, 0.4)),
    "randn": (1, lambda w, a: pyml.randn_like(a)),
    # views and aliases
    "tail": (1, lambda w, a: a[1:]),
    "second": (1, lambda w, a: a[::2]),
    "first": (1, lambda w, a: a[0]),
    "column": (1, lambda w, a: a[..., 0]),
    "transposed": (1, lambda w, a: a.t()),
    "flat": (1, lambda w, a: a.reshape(-1)),
    "more": (1, lambda w, a: a.unsqueeze(0)),
    "expand": (1, lambda w, a: a.unsqueeze(0).expand(2, *a.shape)),
    "flip": (1, lambda w, a: a.flip(0)),
    "detach": (1, lambda w, a: a.detach()),
    "clone": (1, lambda w, a: a.clone()),
    "contiguous": (1, lambda w, a: a.contiguous()),
    # changes in place
    "mul_": (1, lambda w, a: a.mul_(0.9)),
    "add_": (2, lambda w, a, b: a.add_(b)),
    "sub_": (2, lambda w, a, b: a.sub_(b, alpha=0.5)),
    "copy_": (2, lambda w, a, b: a.copy_(b)),
    "relu_": (1, lambda w, a: a.relu_()),
    "tanh_": (1, lambda w, a: a.tanh_()),
    "zero_": (1, lambda w, a: a.zero_()),
    "clamp_": (1, lambda w, a: a.clamp_(-1, 1)),
    "dropout_": (1, lambda w, a: F.dropout(a, 0.4, inplace=True)),
    "normal_": (1, lambda w, a: a.normal_()),
    "set": (2, lambda w, a, b: a.__setitem__(slice(1, None), b[:-1])),
    "set rows": (1, lambda w, a: a.__setitem__(slice(None, -1), a[1:])),
    "increase": (2, lambda w, a, b: a.__iadd__(b)),
    # what lasts
    "keep": (1, lambda w, a: w.buffer.add_(a.sum())),
    "decay": (0, lambda w: w.without_gradients(lambda: w.model[0].weight.mul_(0.99))),
    "mix": (1, lambda w, a: w.without_gradients(lambda: w.buffer.copy_(a.reshape(-1)[:3]))),
    "backward": (1, lambda w, a: (w.model(a).sum() * 0.1).backward()),
    "backward of": (1, lambda w, a: (a * w.model[0].bias.sum()).mean().backward()),
    "zero_grad": (0, lambda w: w.optimizer.zero_grad()),
    "step": (0, lambda w: w.optimizer.step()),
    "clip": (0, lambda w: w.clip()),
}

LAYOUTS = {
    "fresh": lambda memory, n, c: memory[: n * c].copy().reshape(n, c),
    "rows": lambda memory, n, c: memory[: n * c].reshape(n, c),
    "later rows": lambda memory, n, c: memory[c : c + n * c].reshape(n, c),
    "odd": lambda memory, n, c: memory[1 : 1 + n * c].reshape(n, c),
    "transposed": lambda memory, n, c: memory[: n * c].reshape(c, n).T,
    "second": lambda memory, n, c: memory[: 2 * n * c].reshape(2 * n, c)[::2],
    "columns": lambda memory, n, c: memory[: 2 * n * c].reshape(n, 2 * c)[:, ::2],
    "reversed": lambda memory, n, c: memory[: n * c].reshape(n, c)[::-1, ::-1],
    "one row": lambda memory, n, c: np.lib.stride_tricks.as_strided(
        memory, (n, c), (0, memory.itemsize)
    ),
    "sliding": lambda memory, n, c: np.lib.stride_tricks.as_strided(
        memory, (n, c), (memory.itemsize,) * 2
    ),
    "read-only": lambda memory, n, c: _read_only(memory[: n * c].reshape(n, c)),
    "unaligned": lambda memory, n, c: _unaligned(memory, n, c),
}
OVERLAP = ("one row", "sliding")  # elements of one argument share memory
SPECIAL = ("weight", "weight rows", "buffer", "result", "same", "gradient", "x rows")


def _read_only(array):
    array.flags.writeable = False
    return array


def _unaligned(memory, n, c):
    bytes_of = memory.view(np.uint8)[1:]
    return np.ndarray((n, c), memory.dtype, bytes_of.data)


class World:
    """What a step works on, made of a seed."""

    def __init__(self, seed, dtype, optimizer):
        rng = np.random.default_rng(seed)
        pyml.manual_seed(seed)
        self.dtype = np.dtype(dtype)
        self.memory = rng.normal(size=400).astype(dtype)  # of the arguments
        self.memory_of_y = rng.normal(size=400).astype(dtype)  # of y, where nothing is shared
        self.model = nn.Sequential(
            nn.Linear(3, 3, dtype=dtype), nn.Tanh(), nn.Linear(3, 2, dtype=dtype)
        )
        self.buffer = pyml.from_numpy(rng.normal(size=3).astype(dtype))
        self.optimizer = getattr(optim, optimizer)(self.model.parameters(), lr=0.01)
        self.random = pyml.get_rng_state()
        self.last = None

    def without_gradients(self, function):
        with pyml.no_grad():
            return function()

    def clip(self):
        nn.utils.clip_grad_norm_(list(self.model.parameters()), 0.5)

    def argument(self, kind, shape, x=None, shared=True):
        """A Tensor of this shape; of the special kinds one of another."""
        n, c = shape
        if kind in LAYOUTS:
            memory = self.memory if shared or x is None else self.memory_of_y
            return pyml.from_numpy(LAYOUTS[kind](memory, n, c))
        if kind == "weight":
            return self.model[0].weight
        if kind == "weight rows":
            return self.model[0].weight.detach()[:n]
        if kind == "buffer":
            return self.buffer
        if kind == "gradient" and self.model[0].weight.grad is not None:
            return self.model[0].weight.grad
        if kind == "result" and self.last is not None:
            return self.last
        if kind == "x rows" and x is not None:
            return x[1:]
        return x if x is not None else self.argument("rows", shape)

    def seen(self):
        """name -> array: all that a step may change."""
        found = {
            "memory": self.memory,
            "memory of y": self.memory_of_y,
            "buffer": self.buffer.array,
        }
        found["random numbers"] = np.asarray(self.random)
        for name, p in self.model.named_parameters():
            found[name] = p.array
            found[f"gradient of {name}"] = np.zeros(0) if p.grad is None else p.grad.array
            for key, value in self.optimizer.state.get(p, {}).items():
                found[f"{key} of {name}"] = value.array
        return found


def step_of(world, program, results):
    """The function that runs a program: [(name, operands)]; it returns the values of `results`."""

    def step(x, y):
        values = [x, y]
        for name, operands in program:
            values.append(OPERATIONS[name][1](world, *(values[i] for i in operands)))
        return tuple(values[i] for i in results)

    return step


def draw_program(rng, seed, dtype, optimizer, arguments, shared):
    """Instructions that can be run with these arguments, and what the step returns."""
    world = World(seed, dtype, optimizer)
    x = world.argument(*arguments[0])
    values, program = [x, world.argument(*arguments[1], x, shared)], []
    names = list(OPERATIONS)
    for _ in range(int(rng.integers(2, MOST))):
        name = names[int(rng.integers(len(names)))]
        count, function = OPERATIONS[name]
        places = [i for i, v in enumerate(values) if isinstance(v, pyml.Tensor)]
        operands = [places[int(rng.integers(len(places)))] for _ in range(count)]
        try:
            value = function(world, *(values[i] for i in operands))
        except (ValueError, RuntimeError, TypeError, IndexError):
            continue  # an operation that failed has changed nothing
        values.append(value)
        program.append((name, operands))
    places = [i for i, v in enumerate(values) if isinstance(v, pyml.Tensor)]
    count = min(len(places), int(rng.integers(1, 4)))
    return program, [int(i) for i in rng.choice(places, count, replace=False)]


def draw_arguments(rng, last, shared):
    """((kind, shape) of x, (kind, shape) of y), mostly of the shapes that the last call had."""
    shape = (int(rng.choice([1, 2, 3, 3, 4, 0])), int(rng.choice([3, 3, 3, 1])))
    if last is not None and rng.random() < 0.8:
        shape = last[0][1]
    kinds = [*LAYOUTS, *LAYOUTS, *SPECIAL] if shared else [k for k in LAYOUTS if k not in OVERLAP]
    x, y = (kinds[int(rng.integers(len(kinds)))] for _ in range(2))
    return (x, shape), (y, shape)


def attack(rng, tell):
    seed = int(rng.integers(2**31))
    dtype = ["float32", "float64"][int(rng.integers(2))]
    optimizer = ["SGD", "Adam", "RMSprop"][int(rng.integers(3))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if rng.random() < 0.2:
            batch = {"batch_size": int(rng.integers(1, 5)), "epochs": int(rng.integers(1, 4))}
            flags = {name: bool(rng.random() < 0.5) for name in ("shuffle", "drop_last")}
            first = [("fresh", (batch["batch_size"], 3))] * 2
            program, results = draw_program(rng, seed, dtype, optimizer, first, shared=False)
            compare_runs(seed, dtype, optimizer, program, results, batch | flags, tell)
            return
        shared = bool(rng.random() < 0.7)  # may arguments share memory?
        calls = [draw_arguments(rng, None, shared)]
        program, results = draw_program(rng, seed, dtype, optimizer, calls[0], shared)
        for _ in range(CALLS):
            calls.append(draw_arguments(rng, calls[-1], shared))
        compare(seed, dtype, optimizer, shared, program, results, calls, tell)


def compare(seed, dtype, optimizer, shared, program, results, calls, tell, record=pyml.record):
    """Raises a Fault where the recorded step is not the eager one."""
    eager, recorded = (World(seed, dtype, optimizer) for _ in range(2))
    plain = step_of(eager, program, results)
    replayed = record(step_of(recorded, program, results))
    told = f"compare({seed}, {dtype!r}, {optimizer!r}, {shared=}, {program}, {results}, "
    for i, kinds in enumerate(calls):
        tell(f"{told}{calls[: i + 1]})")
        outcomes = call(eager, plain, kinds, shared), call(recorded, replayed, kinds, shared)
        if not look(f"call {i}", eager, recorded, *outcomes):
            return


def compare_runs(seed, dtype, optimizer, program, results, settings, tell):
    """The same for a run over rows of data, beside the loop that it is documented to be."""
    tell(f"compare_runs({seed}, {dtype!r}, {optimizer!r}, {program}, {results}, {settings})")
    eager, recorded = (World(seed, dtype, optimizer) for _ in range(2))
    numbers = [*program, *(("sum", [i]) for i in results)]  # one for each step
    results = range(2 + len(program), 2 + len(numbers))

    def run(world, start):
        pyml.set_rng_state(world.random)
        memories = (world.memory, world.memory_of_y)
        try:
            data = [pyml.from_numpy(memory[: ROWS * 3].reshape(ROWS, 3)) for memory in memories]
            return start(step_of(world, numbers, results), *data), None
        except Exception as error:
            return None, error
        finally:
            world.random = pyml.get_rng_state()

    wanted = run(eager, lambda step, *data: eager_run(step, *data, **settings))
    got = run(
        recorded,
        lambda step, *data: pyml.record(step).run(*data, **settings, stop_on_nan=False),
    )
    look("run", eager, recorded, wanted, got)


def look(what, eager, recorded, wanted, got):
    """Compares two outcomes and what they have left. False: there is nothing more to compare."""
    (wanted, error), (got, refusal) = wanted, got
    if refusal is not None and (isinstance(refusal, REFUSALS) or type(refusal) is type(error)):
        return False
    if refusal is not None or error is not None:
        raise Fault(f"{what}: eager {error!r:.200}, recorded {refusal!r:.200}")
    for j, (a, b) in enumerate(zip(got, wanted, strict=True)):
        same(f"{what}: result {j}", a.detach().array, b.detach().array)
    a, b = recorded.seen(), eager.seen()
    if a.keys() != b.keys():
        raise Fault(f"{what}: {sorted(a.keys() ^ b.keys())} on one side only")
    for name in a:
        same(f"{what}: {name}", a[name], b[name])
    return True


def call(world, step, kinds, shared):
    """(the results, None), or (None, the exception); its random numbers are the world's own."""
    pyml.set_rng_state(world.random)
    try:
        x = world.argument(*kinds[0])
        y = world.argument(*kinds[1], x, shared)
        results = step(x, y)
    except Exception as error:
        return None, error
    finally:
        world.random = pyml.get_rng_state()
    last = results[0].detach()
    world.last = last.clone() if last.ndim == 2 and last.dtype == world.dtype else world.last
    return results, None


def same(what, got, wanted):
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        raise Fault(f"{what}: {got.dtype}{got.shape}, eagerly {wanted.dtype}{wanted.shape}")
    different = np.flatnonzero(bits(got) != bits(wanted))
    if len(different) and not _both_nan(got, wanted, different):
        i = different[0]
        a, b = got.reshape(-1)[i], wanted.reshape(-1)[i]
        raise Fault(f"{what} [{i}]: {a!r}, eagerly {b!r}, {len(different)} differ")


def _both_nan(got, wanted, places):
    if got.dtype.kind != "f":
        return False
    with contextlib.suppress(TypeError):
        a, b = got.reshape(-1)[places], wanted.reshape(-1)[places]
        return bool((np.isnan(a) & np.isnan(b)).all())
    return False
