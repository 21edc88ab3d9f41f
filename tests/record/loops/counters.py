"""Counters of every kind, in every place."""

from types import SimpleNamespace

from record.loops.common import batches, inputs, train
from record.loops.harness import loop


def add_one(s):
    s.n += 1


def add_two_and_a_half(s):
    s.n += 2.5


def subtract(s):
    s.n = s.n - 1


def double(s):
    s.n *= 2


def halve(s):
    s.n /= 2


def wrap(s):
    s.n = (s.n + 1) % 4


def integer_halves(s):
    s.n = (s.n + 7) // 2


def bounded(s):
    s.n = min(s.n + 1, 10)


def power(s):
    s.n = pow(s.n * 3, 1, 7)


def toggle(s):
    s.n = 1 - s.n


def flip_a_flag(s):
    s.n = not s.n


def two_at_once(s):
    s.n, s.m = s.n + s.m, s.n


COUNTERS = (
    add_one,
    add_two_and_a_half,
    subtract,
    double,
    halve,
    wrap,
    integer_halves,
    bounded,
    power,
    toggle,
    flip_a_flag,
    two_at_once,
)


@loop(each={f.__name__: f for f in COUNTERS if f is not flip_a_flag})
def counter_that_feeds_the_step(record, advance):
    state = SimpleNamespace(n=1, m=1)

    @record
    def step(x):
        advance(state)
        return x.mean() * state.n

    for (x,) in batches(inputs()):
        yield step(x), state.n, state.m


@loop(each={f.__name__: f for f in COUNTERS})
def counter_that_is_only_kept(record, advance):
    state = SimpleNamespace(n=1, m=1)

    @record
    def step(x):
        advance(state)
        return x.mean()

    for (x,) in batches(inputs()):
        yield step(x), state.n, state.m


@loop
def counter_that_is_also_set_outside(record):
    state = SimpleNamespace(n=0)

    @record
    def step(x):
        state.n += 1
        return x.mean() * state.n

    for i, (x,) in enumerate(batches(inputs())):
        if i == 12:
            state.n = 100
        yield step(x), state.n


@loop(expect="either")
def counter_of_every_length(record):
    """By the length of a string, a list, and a range."""
    state = SimpleNamespace(text="", items=[])

    @record
    def step(x):
        state.text += "x"
        state.items.append(0)
        return x.mean() * len(state.text) * len(state.items)

    yield from train(step, inputs())
    yield state.text, state.items


@loop(expect="either")
def counter_that_depends_on_the_shape(record):
    state = SimpleNamespace(rows=0)

    @record
    def step(x):
        state.rows += len(x)
        return x.sum() / state.rows

    X = inputs()
    for i in range(24):
        yield step(X[: 4 + i % 3]), state.rows


@loop
def counters_of_two_objects(record):
    class Agent:
        def __init__(self):
            self.t = 0

        @record
        def step(self, x):
            self.t += 1
            return x.mean() / self.t

    a, b = Agent(), Agent()
    for i, (x,) in enumerate(batches(inputs())):
        yield a.step(x)
        if i % 2:
            yield b.step(x)
    yield a.t, b.t


@loop
def counter_of_a_class(record):
    class Agent:
        total = 0

        @record
        def step(self, x):
            Agent.total += 1
            return x.mean() / Agent.total

    agents = [Agent(), Agent()]
    for i, (x,) in enumerate(batches(inputs(48))):
        yield agents[i % 2].step(x)
    yield Agent.total


@loop
def counter_shared_by_two_steps(record):
    state = {"t": 0}

    @record
    def one(x):
        state["t"] += 1
        return x.mean() * state["t"]

    @record
    def two(x):
        state["t"] += 10
        return x.sum() / state["t"]

    for i, (x,) in enumerate(batches(inputs(48))):
        yield (one, two)[i % 2](x), state["t"]


@loop
def counter_in_a_nested_object(record):
    trainer = SimpleNamespace(state=SimpleNamespace(progress={"global": {"step": 0}}))

    @record
    def step(x):
        trainer.state.progress["global"]["step"] += 1
        return x.mean() * trainer.state.progress["global"]["step"]

    yield from train(step, inputs())
    yield trainer.state.progress


@loop
def counter_behind_a_property(record):
    class State:
        def __init__(self):
            self._t = 0

        @property
        def t(self):
            return self._t

        @t.setter
        def t(self, value):
            self._t = value

        def tick(self):
            self.t += 1
            return self.t

    state = State()
    step = record(lambda x: x.mean() * state.tick())
    yield from train(step, inputs())
    yield state.t


@loop
def counter_in_slots(record):
    class State:
        __slots__ = ("t",)

        def __init__(self):
            self.t = 0

    state = State()

    @record
    def step(x):
        state.t += 1
        return x.mean() * state.t

    yield from train(step, inputs())
    yield state.t


@loop
def counter_in_the_default_of_an_argument(record):
    @record
    def step(x, state={"t": 0}):  # noqa: B006
        state["t"] += 1
        return x.mean() * state["t"]

    yield from train(step, inputs())


@loop
def counter_as_an_attribute_of_a_function(record):
    def helper(x):
        helper.t += 1
        return x * helper.t

    helper.t = 0
    step = record(lambda x: helper(x).mean())
    yield from train(step, inputs())
    yield helper.t
