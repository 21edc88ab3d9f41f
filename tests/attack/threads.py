"""Trainings that are disturbed: interrupts, too little memory, forks, and many threads at once.

A disturbed training has the bits of an undisturbed one, or raises cleanly and can go on: from what
it says of its progress, or from its beginning. Where it waits for ever, the parent of this process
sees it. Each of several threads with a training of its own has the bits that it has alone, and the
numbers that they draw from one generator are those that one thread would have drawn.
"""

import contextlib
import os
import resource
import select
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np

import pyml
from attack.children import SANITIZED, Fault
from pyml import config, memory, nn, optim

SECONDS = 20  # after which a thread or a fork is taken to wait for ever


class Training:
    """A small training, all of whose choices are made of a seed."""

    def __init__(self, seed, kind=None):
        rng = np.random.default_rng(seed)
        kinds = ["eager", "recorded", "run", "run"]
        self.kind = kinds[int(rng.integers(len(kinds)))]
        self.kind = kind or self.kind
        self.rows, inside, hidden = (int(n) for n in rng.choice([3, 16, 65, 130], 3))
        self.generator = pyml.Generator(seed % 1000)
        self.x = pyml.from_numpy(rng.normal(size=(4 * self.rows, inside)).astype(np.float32))
        self.y = pyml.from_numpy(rng.integers(0, 3, 4 * self.rows))
        layers = [
            nn.Linear(inside, hidden),
            nn.BatchNorm1d(hidden),
            nn.Tanh(),
            nn.Linear(hidden, 3),
        ]
        self.model = nn.Sequential(*layers)
        with pyml.no_grad():
            for p in self.model.parameters():  # not from the generator that all threads share
                p.copy_(pyml.from_numpy(rng.normal(size=p.shape).astype(np.float32) * 0.1))
        name = ["SGD", "Adam", "RMSprop"][int(rng.integers(3))]
        self.optimizer = getattr(optim, name)(self.model.parameters(), lr=0.01)
        self.loss = nn.CrossEntropyLoss()
        self.step = self.plain_step if self.kind == "eager" else pyml.record(self.plain_step)
        self.done = 0
        self.start = self.saved()

    def plain_step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def epochs(self, count, resume=None):
        if self.kind == "run":
            options = {"batch_size": self.rows, "epochs": count, "generator": self.generator}
            self.step.run(self.x, self.y, **options, resume=resume)
            return
        for _ in range(count):
            for i in range(0, len(self.x), self.rows):
                self.step(self.x[i : i + self.rows], self.y[i : i + self.rows])

    def saved(self):
        state = {name: t.clone() for name, t in self.model.state_dict().items()}
        return state, self.optimizer.state_dict(), self.generator.get_state()

    def restart(self):
        """Goes back to the beginning."""
        state, _, numbers = self.start
        self.model.load_state_dict(state)
        self.optimizer.state.clear()
        self.optimizer.zero_grad()
        self.generator.set_state(numbers)

    def bits(self):
        found = {name: t.array.tobytes() for name, t in self.model.state_dict().items()}
        for i, p in enumerate(self.model.parameters()):
            state = self.optimizer.state.get(p, {})
            found |= {f"{key} of {i}": value.array.tobytes() for key, value in state.items()}
        return found


def alone(seed, epochs):
    """The bits of a training that nothing disturbs."""
    training = Training(seed)
    training.epochs(epochs)
    return training.bits()


def same(what, got, wanted):
    different = [key for key in wanted.keys() | got.keys() if got.get(key) != wanted.get(key)]
    if different:
        raise Fault(f"{what}: {len(different)} of {len(wanted)} differ: {sorted(different)[:3]}")


def attack(rng, tell):
    trick = TRICKS[int(rng.integers(len(TRICKS)))]
    seed, epochs = int(rng.integers(2**31)), int(rng.integers(1, 12))
    pyml.set_grad_enabled(True)
    config.set_num_threads(int(rng.integers(1, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trick(rng, seed, epochs, lambda text="": tell(f"{trick.__name__} {seed} {epochs} {text}"))
    if not pyml.is_grad_enabled():
        raise Fault("gradients are left disabled")


# ---- one thread ----------------------------------------------------------------------------------


def interrupted(rng, seed, epochs, tell):
    """SIGINT at a random moment, up to three times."""
    wanted, training = alone(seed, epochs), Training(seed)
    tell(training.kind)
    begin = time.perf_counter()
    Training(seed).epochs(epochs)
    takes = time.perf_counter() - begin
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGALRM: lambda *_: signal.raise_signal(signal.SIGINT),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        go_on(rng, training, epochs, takes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    same(f"after an interrupt, {training.kind}", training.bits(), wanted)


def go_on(rng, training, epochs, takes):
    """Trains to the end, interrupted up to three times."""
    resume = None
    for _ in range(int(rng.integers(1, 4))):
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, max(1e-5, rng.random() * takes))
                training.epochs(epochs, resume)
                break
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            if not pyml.is_grad_enabled():
                raise Fault("an interrupt leaves gradients disabled") from None
            resume = training.step.progress if training.kind == "run" else None
            if resume is None:
                training.restart()
    else:
        training.epochs(epochs, resume)


def starved(rng, seed, epochs, tell):
    """No memory beyond a random amount; then there is some again."""
    if SANITIZED:
        return
    wanted, training = alone(seed, epochs), Training(seed)
    tell(training.kind)
    memory.empty_cache()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = int(rng.choice([0, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 22]))
    raised = None
    try:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, hard))
        training.epochs(epochs)
    except (MemoryError, RuntimeError, OSError) as error:
        raised = error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    if not pyml.is_grad_enabled():
        raise Fault(f"{raised!r} leaves gradients disabled")
    if isinstance(raised, RuntimeError) and "memory" not in str(raised).lower():
        raise Fault(f"out of memory: {raised!r}")
    if raised is not None:
        training.restart()
        training.epochs(epochs)
    same(f"after {raised!r}, {training.kind}", training.bits(), wanted)


# ---- several threads -----------------------------------------------------------------------------


def run_threads(functions):
    """Runs each in a thread, all at once; what they return. An exception of one is raised here."""
    results, barrier = [None] * len(functions), threading.Barrier(len(functions))

    def run(i):
        try:
            barrier.wait()
            results[i] = functions[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        if thread.is_alive():
            os.abort()  # the stacks of all threads are of interest
    return results


def raised(results, allowed=()):
    for error in results:
        if isinstance(error, BaseException) and not (isinstance(error, allowed) and str(error)):
            raise Fault(f"a thread raised {error!r}") from error


def many(rng, seed, epochs, tell):
    """Each thread has a training of its own; some change what all share."""
    count = int(rng.integers(2, 6))
    tell(f"{count} threads")
    wanted = [alone(seed + i, epochs) for i in range(count)]
    ended = threading.Event()

    def train(i):
        training = Training(seed + i)
        training.epochs(epochs)
        return training.bits()

    def disturb():
        numbers = np.random.default_rng(seed)
        while not ended.is_set():
            config.set_num_threads(int(numbers.integers(1, 5)))
            memory.empty_cache()
            memory.stats()
            with pyml.no_grad():
                pyml.ones(int(numbers.integers(1, 5000))).exp().sum()
            time.sleep(float(numbers.random()) * 0.002)

    other = threading.Thread(target=disturb, daemon=True)
    if rng.random() < 0.6:
        other.start()
    results = run_threads([lambda i=i: train(i) for i in range(count)])
    ended.set()
    if other.ident is not None:
        other.join(SECONDS)
    raised(results)
    for i, bits in enumerate(results):
        same(f"thread {i} of {count}, {Training(seed + i).kind}", bits, wanted[i])


def one_step(rng, seed, epochs, tell):
    """One recorded step, called by several threads: it serves one, others wait or are refused."""
    training = Training(seed, ["recorded", "run"][int(rng.integers(2))])
    tell(training.kind)
    results = run_threads([lambda: training.epochs(epochs)] * int(rng.integers(2, 4)))
    raised(results, (RuntimeError, ValueError))
    training.step.clear()
    training.restart()
    training.epochs(epochs)
    undisturbed = Training(seed, training.kind)
    undisturbed.epochs(epochs)
    same("after threads that shared a step", training.bits(), undisturbed.bits())


def draw(rng, seed, epochs, tell):
    """Several threads draw blocks of numbers from one generator."""
    count, blocks, size = (int(rng.choice(c)) for c in ([2, 3, 5], [20, 60], [1, 7, 64, 5000]))
    draws = {
        "rand": lambda g: pyml.rand(size, generator=g, dtype=pyml.float64),
        "randn": lambda g: pyml.randn(size, generator=g, dtype=pyml.float64),
        "randint": lambda g: pyml.randint(0, 2**53, (size,), generator=g),
        "uniform_": lambda g: pyml.empty(size, dtype=pyml.float64).uniform_(generator=g),
    }
    name = sorted(draws)[int(rng.integers(len(draws)))]
    tell(f"{name}({size}) {blocks} times in {count} threads")
    function, one, shared = draws[name], pyml.Generator(seed), pyml.Generator(seed)
    wanted = sorted(function(one).array.tobytes() for _ in range(count * blocks))
    results = run_threads([lambda: [function(shared) for _ in range(blocks)]] * count)
    raised(results)
    got = sorted(t.array.tobytes() for blocks in results for t in blocks)
    if got != wanted:
        again = len(got) - len(set(got))
        raise Fault(f"{name}: {again} of {len(got)} blocks are drawn twice, or others than by one")


def forked(rng, seed, epochs, tell):
    """A fork at a random moment, while other threads train; the child trains, too."""
    count = int(rng.integers(0, 3))
    tell(f"{count} threads")
    wanted = alone(seed, epochs)
    trainings = [Training(seed + 1 + i) for i in range(count)]
    ended = threading.Event()

    def train(training):
        while not ended.is_set():
            training.epochs(1)

    threads = [threading.Thread(target=train, args=(t,), daemon=True) for t in trainings]
    for thread in threads:
        thread.start()
    time.sleep(float(rng.random()) * 0.01)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(theirs, b"same" if alone(seed, epochs) == wanted else b"other bits")
        os._exit(0)
    os.close(theirs)
    answered = select.select([ours], [], [], SECONDS)[0]
    answer = os.read(ours, 100) if answered else b"nothing"
    os.close(ours)
    if not answered:
        os.kill(child, signal.SIGABRT)
    os.waitpid(child, 0)
    ended.set()
    for thread in threads:
        thread.join(SECONDS)
        if thread.is_alive():
            os.abort()
    if answer != b"same":
        raise Fault(f"the child of a fork: {answer.decode() or 'died or raised'}")
    same("after a fork", alone(seed, epochs), wanted)


TRICKS = [interrupted, interrupted, starved, many, one_step, draw, forked]
