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
    "rand": (1, lambda w, a: pyml.rand(a.shape, dtype=w.dtype)),
    "log": (1, lambda w, a: (a.abs() + 1).log()),
    "sin": (1, lambda w, a: a.sin()),
    "sign": (1, lambda w, a: a.sign()),
    "clamp": (1, lambda w, a: a.clamp(-0.5, 0.5)),
    "lerp": (2, lambda w, a, b: pyml.lerp(a, b, 0.3)),
    "addcmul": (2, lambda w, a, b: pyml.addcmul(a, a, b, value=0.3)),
    "std": (1, lambda w, a: a.std()),
    "norm": (1, lambda w, a: a.norm(dim=0)),
    "logsumexp": (1, lambda w, a: a.logsumexp(-1)),
    "log_softmax": (1, lambda w, a: F.log_softmax(a, 0)),
    "mse": (2, lambda w, a, b: F.mse_loss(a, b)),
    "norm layer": (1, lambda w, a: w.norm(a)),
    "other type": (1, lambda w, a: a.to(pyml.float64 if w.dtype == "float32" else pyml.float32)),
    "this type": (1, lambda w, a: a.to(w.dtype)),
    "mm": (2, lambda w, a, b: a.t() @ b),
    "dot": (2, lambda w, a, b: a.reshape(-1).dot(b.reshape(-1))),
    # comparisons, masks and indices
    "greater": (2, lambda w, a, b: a > b),
    "both": (2, lambda w, a, b: (a > 0) & (b > 0)),
    "any": (1, lambda w, a: (a > 0).any(0)),
    "largest": (1, lambda w, a: a.argmax(-1)),
    "max": (1, lambda w, a: a.max(0).values),
    "masked": (2, lambda w, a, b: a.masked_fill(b > 0, 0.25)),
    "gather": (2, lambda w, a, b: a.gather(0, b.argmax(0, keepdim=True))),
    "take": (2, lambda w, a, b: pyml.take_along_dim(a, b.argmin(1, keepdim=True), 1)),
    "rows of": (2, lambda w, a, b: a[b.argmax(0)]),
    "index_select": (2, lambda w, a, b: a.index_select(0, b.reshape(-1)[:2].argmax().reshape(1))),
    "scatter_add": (2, lambda w, a, b: a.scatter_add(0, a.argmax(0, keepdim=True), b)),
    "cross entropy": (2, lambda w, a, b: F.cross_entropy(w.model(a), b[:, :2].argmax(1))),
    "one_hot": (1, lambda w, a: (a.argmax(-1).unsqueeze(-1) == pyml.arange(3)).to(w.dtype)),
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
    "narrow": (1, lambda w, a: a.narrow(-1, 1, 2)),
    "half": (1, lambda w, a: a.chunk(2)[0]),
    "unbind": (1, lambda w, a: a.unbind(-1)[0]),
    "movedim": (1, lambda w, a: a.movedim(0, -1)),
    "flatten": (1, lambda w, a: a.flatten()),
    "unflatten": (1, lambda w, a: a.unflatten(-1, (3, -1))),
    "every other": (1, lambda w, a: a[..., ::2]),
    "squeeze": (1, lambda w, a: a.unsqueeze(1).squeeze()),
    "data": (1, lambda w, a: a.data),
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
    "div_": (2, lambda w, a, b: a.div_(b.abs() + 1)),
    "addcdiv_": (2, lambda w, a, b: a.addcdiv_(a, b.abs() + 1)),
    "lerp_": (2, lambda w, a, b: a.lerp_(b, 0.3)),
    "masked_fill_": (2, lambda w, a, b: a.masked_fill_(b > 0, 0.5)),
    "set masked": (2, lambda w, a, b: a.__setitem__(b > 0, 0.5)),
    "set column": (2, lambda w, a, b: a.__setitem__((slice(None), 0), b[:, 1])),
    "set reversed": (1, lambda w, a: a.copy_(a.flip(0))),
    "set transposed": (1, lambda w, a: a.copy_(a.t())),
    "uniform_": (1, lambda w, a: a.uniform_(-1, 1)),
    "exp_": (1, lambda w, a: a.clamp_(-1, 1).exp_()),
    "leaky_relu_": (1, lambda w, a: F.leaky_relu_(a, 0.1)),
    # what lasts
    "keep": (1, lambda w, a: w.buffer.add_(a.sum())),
    "decay": (0, lambda w: w.without_gradients(lambda: w.model[0].weight.mul_(0.99))),
    "mix": (1, lambda w, a: w.without_gradients(lambda: w.buffer.copy_(a.reshape(-1)[:3]))),
    "backward": (1, lambda w, a: (w.model(a).sum() * 0.1).backward()),
    "backward of": (1, lambda w, a: (a * w.model[0].bias.sum()).mean().backward()),
    "zero_grad": (0, lambda w: w.optimizer.zero_grad()),
    "step": (0, lambda w: w.optimizer.step()),
    "clip": (0, lambda w: w.clip()),
    "clip values": (0, lambda w: nn.utils.clip_grad_value_(w.model.parameters(), 0.01)),
    "zero gradients": (0, lambda w: w.optimizer.zero_grad(set_to_none=False)),
    "schedule": (0, lambda w: w.scheduler.step()),
    "replace": (1, lambda w, a: setattr(w, "kept", a.detach().sum(0) + w.kept)),
    "use kept": (1, lambda w, a: a + w.kept),
    "data of weight": (0, lambda w: w.put("data", w.model[0].weight.detach() * 0.9)),
    "gradient of weight": (0, lambda w: w.put("grad", w.model[0].weight.detach() * 0.1)),
    "no gradient": (0, lambda w: w.put("grad", None)),
    "derivative": (1, lambda w, a: w.derivative(a)),
    "count": (0, lambda w: setattr(w, "count", w.count + 1)),
    "counted": (1, lambda w, a: a * w.count),
    "hook": (1, lambda w, a: w.hooked(a)),
    "evaluate": (1, lambda w, a: w.evaluated(a)),
    "own numbers": (1, lambda w, a: a + pyml.rand(1, generator=w.generator, dtype=w.dtype)),
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
        self.norm = nn.BatchNorm1d(3, dtype=dtype)
        self.buffer = pyml.from_numpy(rng.normal(size=3).astype(dtype))
        self.kept = pyml.zeros(3, dtype=dtype)  # others take its place
        self.count = 0
        self.generator = pyml.Generator(seed)
        params = [*self.model.parameters(), *self.norm.parameters()]
        self.optimizer = getattr(optim, optimizer)(params, lr=0.01)
        self.scheduler = optim.lr_scheduler.StepLR(self.optimizer, step_size=2, gamma=0.5)
        self.random = pyml.get_rng_state()
        self.last = None

    def without_gradients(self, function):
        with pyml.no_grad():
            return function()

    def clip(self):
        nn.utils.clip_grad_norm_(list(self.model.parameters()), 0.5)

    def put(self, attribute, value):
        setattr(self.model[0].weight, attribute, value)

    def derivative(self, a):
        """Of something by a, or by the weights if a has no gradient; to be differentiated again."""
        y = (self.model(a) ** 2).sum()
        of = a if a.requires_grad else self.model[0].weight
        return pyml.autograd.grad(y, of, create_graph=True)[0]

    def hooked(self, a):
        """The same, with twice the gradient."""
        y = a * self.model[0].bias.sum()
        y.register_hook(lambda dy: dy * 2)
        return y

    def evaluated(self, a):
        """By the layers as they are outside of training."""
        self.norm.eval()
        y = self.norm(a)
        self.norm.train()
        return y

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
        found["own random numbers"] = np.asarray(self.generator.get_state())
        found["kept"] = self.kept.array
        numbers = [self.count, self.scheduler.last_epoch, self.optimizer.param_groups[0]["lr"]]
        found["numbers"] = np.array(numbers, float)
        for name, buffer in self.norm.named_buffers():
            found[name] = buffer.array
        for name, p in nn.Sequential(self.model, self.norm).named_parameters():
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
    plain = [k for k in LAYOUTS if k not in (*OVERLAP, "unaligned")]
    kinds = [*LAYOUTS, *plain, *plain, *plain, *SPECIAL] if shared else [*plain, "unaligned"]
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
