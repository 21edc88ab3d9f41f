"""Numbers of Python that a step changes by arithmetic: replays compute them."""

import contextlib
import copy
import ctypes
import datetime
import decimal
import gc
import json
import math
import pickle
import statistics
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.recording.formula import Formula, Number, replace, same

CALLS = 40
BOUND = 7  # executions that a counter without branches takes: its variant is made once or twice

count = 0  # a global that a step counts in


class Slotted:
    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n


def boxes(start):
    """Place -> (get, set, a step's `advance(by)` that changes the number there)."""
    instance, slotted = SimpleNamespace(n=start), Slotted(start)
    table, things, inner = {"n": start}, [7, start], SimpleNamespace(table={"list": [start]})
    deep = 0
    module = nn.Linear(3, 3)
    module.n = start

    class Counter:
        n = start

        @property
        def number(self):
            return self._n

        @number.setter
        def number(self, value):
            self._n = value

    counter = Counter()
    counter._n = start
    group = optim.SGD(module.parameters(), lr=0.1).param_groups[0]
    group["n"] = start
    deep = start

    def attribute(change):
        instance.n = change(instance.n)
        return instance.n

    def slot(change):
        slotted.n = change(slotted.n)
        return slotted.n

    def entry(change):
        table["n"] = change(table["n"])
        return table["n"]

    def item(change):
        things[1] = change(things[1])
        return things[1]

    def nested(change):
        inner.table["list"][0] = change(inner.table["list"][0])
        return inner.table["list"][0]

    def closure(change):
        nonlocal deep
        deep = change(deep)
        return deep

    def name_of_the_module(change):
        global count
        count = change(count)
        return count

    def class_attribute(change):
        Counter.n = change(Counter.n)
        return Counter.n

    def function_attribute(change):
        attribute.n = change(attribute.n)
        return attribute.n

    def attribute_of_a_module(change):
        module.n = change(module.n)
        return module.n

    def behind_a_property(change):
        counter.number = change(counter.number)
        return counter.number

    def of_a_group(change):
        group["n"] = change(group["n"])
        return group["n"]

    def set_global(value):
        global count
        count = value

    def set_deep(value):
        nonlocal deep
        deep = value

    attribute.n = start
    set_global(start)
    return {
        "attribute": (lambda: instance.n, lambda v: setattr(instance, "n", v), attribute),
        "slot": (lambda: slotted.n, lambda v: setattr(slotted, "n", v), slot),
        "entry": (lambda: table["n"], lambda v: table.update(n=v), entry),
        "item": (lambda: things[1], lambda v: things.__setitem__(1, v), item),
        "nested": (
            lambda: inner.table["list"][0],
            lambda v: inner.table["list"].__setitem__(0, v),
            nested,
        ),
        "closure": (lambda: deep, set_deep, closure),
        "global": (lambda: count, set_global, name_of_the_module),
        "class": (lambda: Counter.n, lambda v: setattr(Counter, "n", v), class_attribute),
        "function": (
            lambda: attribute.n,
            lambda v: setattr(attribute, "n", v),
            function_attribute,
        ),
        "module": (lambda: module.n, lambda v: setattr(module, "n", v), attribute_of_a_module),
        "property": (lambda: counter._n, lambda v: setattr(counter, "_n", v), behind_a_property),
        "group": (lambda: group["n"], lambda v: group.update(n=v), of_a_group),
    }


def stepping(box, change):
    """(a step that multiplies by the number after `change`, its executions)."""
    advance, executions = box[2], ctypes.c_long()

    def step(x):
        executions.value += 1
        return x * advance(change)

    return step, executions


def assert_is_plain(value):
    """No Number, which would pass for one by its __class__."""
    assert type(value) in (int, float), type(value)


# ---- places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1.0], ids=["int", "float"])
@pytest.mark.parametrize("place", boxes(0))
def test_counts_in(place, start):
    box = boxes(start)[place]
    function, executions = stepping(box, lambda n: n + 1)
    step = pyml.record(function)
    for call in range(1, CALLS + 1):
        x = pyml.full((3,), call / 7)
        assert_same_bits(step(x).array, (x * (start + call)).array)
        assert_is_plain(box[0]())
        assert same(box[0](), start + call)
    assert executions.value <= BOUND


@pytest.mark.parametrize("place", boxes(0))
def test_is_set_from_outside(place):
    """Between two calls, as a loop does at each epoch; another type is recorded anew."""
    box = boxes(0)[place]
    function, executions = stepping(box, lambda n: n + 1)
    step, x = pyml.record(function), pyml.ones(3)
    for begin in (0, 100, -3, 0):
        box[1](begin)
        for call in range(1, 11):
            assert_same_bits(step(x).array, (x * (begin + call)).array)
            assert same(box[0](), begin + call)
    assert executions.value <= BOUND
    box[1](0.5)
    for call in range(1, 11):
        assert_same_bits(step(x).array, (x * (0.5 + call)).array)
        assert same(box[0](), 0.5 + call)


@pytest.mark.parametrize("place", boxes(0))
def test_counts_in_a_run(place):
    box = boxes(0)[place]
    advance, executions = box[2], ctypes.c_long()

    def step(x):
        executions.value += 1
        return x.sum() * advance(lambda n: n + 1)

    results = pyml.record(step).run(pyml.ones(CALLS, 1), batch_size=1)
    assert_same_bits(results.array, np.arange(1, CALLS + 1, dtype=np.float32))
    assert same(box[0](), CALLS)
    assert executions.value <= BOUND


@pytest.mark.parametrize("place", boxes(0))
def test_is_plain_after_an_exception(place):
    """In each of the first calls, of which some are replays, and do not raise."""
    for last in range(1, 8):
        box, fails, executions = boxes(0)[place], ctypes.c_long(), ctypes.c_long()

        def step(x, advance=box[2], fails=fails, executions=executions):
            executions.value += 1
            y = x * advance(lambda n: n + 1)
            if fails.value:
                raise KeyError("mine")
            return y

        step, x = pyml.record(step), pyml.ones(2)
        for _ in range(last - 1):
            step(x)
        fails.value, before, ran = 1, box[0](), executions.value
        try:
            step(x)
            raised = False
        except KeyError:
            raised = True
        assert raised == (executions.value > ran)
        assert_is_plain(box[0]())
        assert same(box[0](), before + 1)


@pytest.mark.parametrize("unrecordable", ["error", "eager"])
@pytest.mark.parametrize("place", boxes(0))
def test_is_plain_after_a_refusal(place, unrecordable):
    box = boxes(0)[place]

    def step(x):
        factor = box[2](lambda n: n + 1)
        return x * factor * (float(x.sum()) if refuses.value else 1)

    refuses = ctypes.c_long()
    step, x = pyml.record(step, unrecordable=unrecordable), pyml.ones(2)
    step(x)
    refuses.value = 1
    if unrecordable == "error":
        with pytest.raises(pyml.RecordError):
            step(x)
    else:
        with pytest.warns(UserWarning, match="eagerly"):
            assert step(x)[0].item() == 4
        assert step(x)[0].item() == 6
    assert_is_plain(box[0]())
    assert box[0]() == (2 if unrecordable == "error" else 3)


# ---- arithmetic ----------------------------------------------------------------------------------

CHANGES = {
    "+": lambda n: n + 3,
    "reflected +": lambda n: 3 + n,
    "-": lambda n: n - 2,
    "reflected -": lambda n: 5 - n,
    "*": lambda n: n * -1.01,
    "/": lambda n: n / 1.5,
    "reflected /": lambda n: 2 / (1 + n * n),
    "//": lambda n: n + 7 // (1 + n % 3),
    "%": lambda n: (n + 5) % 7,
    "reflected %": lambda n: n + 1 + 100 % (n + 1),
    "**": lambda n: 0.9 ** (n + 1),
    "** 2": lambda n: (n + 1) ** 2 % 11,
    "pow with a modulus": lambda n: pow(n + 2, 3, 13),
    "neg": lambda n: -n + 1,
    "pos": lambda n: +n + 1,
    "abs": lambda n: abs(n - 3),
    "divmod": lambda n: divmod(n * 3 + 4, 5)[1] + divmod(n, 2)[0],
    "reflected divmod": lambda n: divmod(17, n + 1)[1] + n % 3,
    "round": lambda n: round(n * 1.37 + 0.5),
    "round to digits": lambda n: round(n * 1.037 + 0.123, 2),
    "floor": lambda n: math.floor(n * 1.2) + 1,
    "ceil": lambda n: math.ceil(n * 1.2) + 1,
    "trunc": lambda n: math.trunc(-n * 1.2) + 1,
    "sqrt": lambda n: math.sqrt(n + 1),
    "exp": lambda n: math.exp(-n),
    "log": lambda n: math.log(n + 2.5),
    "cos": lambda n: 0.5 * (1 + math.cos(math.pi * n / 10)),
    "sin": lambda n: math.sin(n + 1),
    "tanh": lambda n: math.tanh(n) + 1,
    "a mean": lambda n: 0.9 * n + 0.1 * 3,
    "to float": lambda n: n + 0.5,
    "large": lambda n: n * 3 + 2**70,
}
BITS = {
    "&": lambda n: (n + 5) & 13,
    "reflected &": lambda n: (13 & n) + 3,
    "|": lambda n: (n | 2) + 1,
    "reflected |": lambda n: (2 | n) + 1,
    "^": lambda n: (n + 1) ^ 5,
    "reflected ^": lambda n: 5 ^ (n + 1),
    "<<": lambda n: (n << 1) % 101 + 1,
    "reflected <<": lambda n: 1 << (n % 5),
    ">>": lambda n: (n + 7) >> 1,
    "reflected >>": lambda n: (1000 >> (n % 5)) + n % 2,
    "~": lambda n: ~n - 1,
}


@pytest.mark.parametrize("start", [0, 1, 0.25])
@pytest.mark.parametrize("name", CHANGES)
def test_arithmetic_is_that_of_python(name, start):
    if name == "pow with a modulus" and type(start) is float:
        with pytest.raises(TypeError):
            assert_arithmetic_of_python(CHANGES[name], start)
    else:
        assert_arithmetic_of_python(CHANGES[name], start)


def assert_arithmetic_of_python(change, start):
    """Value and type of what is stored, and the bits of what it is multiplied with."""
    self, eager = SimpleNamespace(n=start), start
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        self.n = change(self.n)
        return x * self.n

    step, x = pyml.record(step), pyml.tensor([1.5, -2.0], dtype=pyml.float64)
    for call in range(1, CALLS + 1):
        eager = change(eager)
        result = step(x)
        assert same(self.n, eager), f"call {call}: {self.n!r}, eagerly {eager!r}"
        assert_same_bits(result.array, (x * eager).array)
    assert executions.value <= BOUND + 5


@pytest.mark.parametrize("start", [0, 6])
@pytest.mark.parametrize("name", BITS)
def test_bits_are_those_of_python(name, start):
    assert_arithmetic_of_python(BITS[name], start)


FACTORS = {
    "np.sqrt": lambda n: np.sqrt(n),
    "np.cos": lambda n: 0.5 * (1 + np.cos(np.pi * n / 10)),
    "np.exp": lambda n: np.exp(-n / 3),
    "np.log1p": lambda n: np.log1p(n),
    "np.power": lambda n: np.power(0.9, n),
    "np.minimum": lambda n: np.minimum(n / 10, 1.0),
    "np.float64": lambda n: np.float64(0.5) * n,
    "math": lambda n: math.sqrt(1 - 0.99**n) / (1 - 0.9**n),
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors_by_numpy_and_math(name):
    """What is not stored, but goes into a kernel."""
    factor, self, executions = FACTORS[name], SimpleNamespace(n=0), ctypes.c_long()

    def step(x):
        executions.value += 1
        self.n += 1
        return x * factor(self.n)

    step, x = pyml.record(step), pyml.tensor([1.5, -2.0], dtype=pyml.float64)
    for call in range(1, CALLS + 1):
        assert_same_bits(step(x).array, (x * factor(call)).array)
        assert same(self.n, call)
    assert executions.value <= BOUND


def test_a_number_of_numpy_is_refused():
    """Only Python's own are traced."""
    self = SimpleNamespace(n=0.0)

    def step(x):
        self.n = np.cos(self.n)
        return x * self.n

    step = pyml.record(step)
    with pytest.raises(pyml.RecordError, match=r"changes 'self\.n'"):
        for _ in range(2):
            step(pyml.ones(2))
    assert type(self.n) is np.float64


def test_several_numbers_of_each_other():
    """Bias correction by hand, of two betas and a rate that decays."""
    self = SimpleNamespace(t=0, rate=0.1, product=1.0)
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        self.t += 1
        self.rate *= 0.99
        self.product *= 0.9**self.t
        return x * (self.rate / (1 - 0.9**self.t)) + self.product

    rate, product = 0.1, 1.0
    step, x = pyml.record(step), pyml.tensor([1.0, 3.0], dtype=pyml.float64)
    for t in range(1, CALLS + 1):
        rate *= 0.99
        product *= 0.9**t
        assert_same_bits(step(x).array, (x * (rate / (1 - 0.9**t)) + product).array)
        assert (self.t, self.rate, self.product) == (t, rate, product)
    assert executions.value <= BOUND


def test_an_exception_of_arithmetic_is_that_of_python():
    self = SimpleNamespace(n=20)

    def step(x):
        self.n -= 1
        return x * (1 / self.n)

    step = pyml.record(step)
    for call in range(1, 20):
        assert step(pyml.ones(1, dtype=pyml.float64)).item() == 1 / (20 - call)
    with pytest.raises(ZeroDivisionError):
        step(pyml.ones(1, dtype=pyml.float64))
    assert same(self.n, 0)
    assert step(pyml.ones(1, dtype=pyml.float64)).item() == -1
    assert same(self.n, -1)


# ---- what looks at the number itself -------------------------------------------------------------


def match(n):
    match n:
        case 2:
            return "two"
        case int(k) if k > 5:
            return "many"
        case float():
            return "a float"
        case int():
            return "an int"


class Meta(type):
    pass


LOOKS = {
    "type is": lambda n: type(n) is int,
    "type in": lambda n: type(n) in (int, float),
    "a table of types": lambda n: {int: 1, float: 2}[type(n)],
    "a type's name": lambda n: type(n).__name__,
    "made by its type": lambda n: type(n)(7.5),
    "mapped types": lambda n: [kind.__name__ for kind in map(type, (n, 1.5))],
    "types of classes": lambda n: (type(int) is type, type(Meta) in (type,)),
    "an object of a metaclass": lambda n: type(Meta("M", (), {})),
    "isinstance of type": lambda n: (isinstance(int, type), isinstance(n, type)),
    "subclasses of type": lambda n: (issubclass(Meta, type), issubclass(int, type)),
    "a class by type": lambda n: type("Made", (), {"a": 1}).a,
    "a metaclass": lambda n: type(type("Kind", (type,), {})("Made", (), {})).__name__,
    "__class__": lambda n: n.__class__ is int,
    "the type of a power": lambda n: type((3 - n) ** (n % 3)),
    "isinstance of a power": lambda n: isinstance((4 - n) ** (6 - n), int) if n != 4 else None,
    "match": match,
    "texts": lambda n: f"{n} {n!r} {n:5.1f} " + "%d %s %.2f" % (n, n, n),  # noqa: UP031
    "a key": lambda n: {2: "two", 3: "three"}.get(n, "more"),
    "keys of a result": lambda n: {n: 1, "n": n},
    "copied": lambda n: copy.copy(n) + copy.deepcopy([n])[0],
    "np.asarray": lambda n: np.asarray(n).tolist(),
    "an array of it": lambda n: np.array([n, 1.5]).tolist(),
    "np.full": lambda n: np.full(2, n).tolist(),
    "np.float32": lambda n: float(np.float32(2) + n),
    "json": lambda n: json.dumps({"n": n}),
    "pickle": lambda n: pickle.dumps(n),
    "timedelta": lambda n: datetime.timedelta(n).days,
    "Decimal": lambda n: str(decimal.Decimal(n)),
    "a set": lambda n: {n},
    "statistics": lambda n: statistics.mean([n, 3]),
}
REFUSED = ("json", "pickle", "timedelta", "Decimal", "a set", "statistics")


@pytest.mark.filterwarnings("ignore:record. .* was recorded 12 times")
@pytest.mark.parametrize("start", [0, 0.5])
@pytest.mark.parametrize("name", LOOKS)
def test_the_number_is_what_it_seems(name, start):
    """What stands in its place while a step is recorded is not seen, or refused."""
    look, self = LOOKS[name], SimpleNamespace(n=start)

    def step(x):
        self.n += 1
        return x * 2, look(self.n)

    def play():
        n = start
        for _ in range(18):
            n += 1
            got, wanted = step(pyml.ones(2))[1], look(n)
            assert type(got) is type(wanted) and repr(got) == repr(wanted)

    step = pyml.record(step)
    if name in REFUSED:
        with pytest.raises(pyml.RecordError, match=r"record: .*number.*(/|<).*py.*") as error:
            play()
        assert "int(...)" in str(error.value) or "pyml.host" in str(error.value)
    else:
        play()
    assert_is_plain(self.n)
    assert "type" not in globals()


def test_a_name_type_of_the_users_own_is_left():
    namespace = {"self": SimpleNamespace(n=0), "type": lambda n: "mine"}
    exec("def step(x):\n    self.n += 1\n    return x * self.n, type(self.n)", namespace)
    step, mine = pyml.record(namespace["step"]), namespace["type"]
    for _ in range(6):
        assert step(pyml.ones(2))[1] == "mine"
    assert namespace["type"] is mine


@pytest.mark.parametrize("place", ["attribute", "entry", "closure"])
def test_an_item_that_a_step_has_put_somewhere_when_it_raises(place):
    box, table, cell, fails = SimpleNamespace(n=0.0), {"n": 0.0}, 0.0, ctypes.c_long()

    def step(x):
        nonlocal cell
        box.n = table["n"] = cell = x.sum().item()
        if fails.value:
            raise KeyError("mine")
        return x * 2

    step = pyml.record(step)
    for call in range(1, 8):
        fails.value = call in (1, 3, 4)
        with contextlib.suppress(KeyError):
            step(pyml.full((2,), float(call)))
        for n in (box.n, table["n"], cell):
            assert_is_plain(n)


# ---- branches ------------------------------------------------------------------------------------

BRANCHES = {
    "each fourth": lambda n: n % 4 == 0,
    "from 10 on": lambda n: n >= 10,
    "below": lambda n: n < 6,
    "between": lambda n: 5 < n <= 12,
    "not": lambda n: not n % 3,
    "truth": lambda n: n % 2,
    "equal": lambda n: n == 13,
    "unequal": lambda n: n != 13,
    "in": lambda n: n in (3, 9, 27),
    "as an int": lambda n: int(n) % 3 == 0,
    "as a text": lambda n: str(n).endswith("1"),
    "formatted": lambda n: f"{n:03d}"[-1] == "2",
    "as an index": lambda n: [True, False, False][n % 3],
    "as a key": lambda n: {0: True, 1: False}[n % 2],
    "in a range": lambda n: n in range(0, 100, 5),
    "by max": lambda n: max(n, 12) == 12,
    "by min": lambda n: min(n, 12) == n,
    "a method": lambda n: n.bit_length() > 3,
    "a type": lambda n: isinstance(n, int) and n > 4,
}


EACH_VALUE = (
    "as an int",
    "as a text",
    "formatted",
    "a method",
)  # Python is given the number itself


@pytest.mark.filterwarnings("ignore:record. .* was recorded 12 times")
@pytest.mark.parametrize("name", BRANCHES)
def test_branches(name):
    """Each way is a variant, and a replay goes the way that Python would."""
    decides = BRANCHES[name]
    self = SimpleNamespace(n=0)

    def step(x):
        self.n += 1
        return x.sin() if decides(self.n) else x * 2

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        x = pyml.full((3,), call / 7)
        wanted = x.sin() if decides(call) else x * 2
        assert_same_bits(step(x).array, wanted.array)
        assert same(self.n, call)


@pytest.mark.parametrize("name", EACH_VALUE)
def test_a_variant_for_each_value_is_warned_of(name):
    self = SimpleNamespace(n=0)

    def step(x):
        self.n += 1
        return x.sin() if BRANCHES[name](self.n) else x * 2

    step = pyml.record(step)
    with pytest.warns(UserWarning, match="recorded 12 times and replayed 0 times") as caught:
        for _ in range(CALLS):
            step(pyml.ones(2))
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["each fourth", "from 10 on", "below", "not", "truth"])
def test_branches_take_two_variants(name):
    decides, self, executions = BRANCHES[name], SimpleNamespace(n=0), ctypes.c_long()

    def step(x):
        executions.value += 1
        self.n += 1
        return x.sin() if decides(self.n) else x * 2

    step, x = pyml.record(step), pyml.ones(3)
    for _ in range(4 * CALLS):
        step(x)
    assert len(step._programs) == 2
    assert executions.value <= 1 + 2 * 5


def test_a_target_that_is_copied_each_tenth_step():
    """Of reinforcement learning, by a counter."""

    def script(wrap):
        pyml.manual_seed(0)
        online, target = nn.Linear(3, 1), nn.Linear(3, 1)
        optimizer = optim.SGD(online.parameters(), lr=0.05)
        self = SimpleNamespace(steps=0)

        def step(x):
            loss = (online(x) - target(x).detach() - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.steps += 1
            if self.steps % 10 == 0:
                target.load_state_dict(online.state_dict())
            return loss

        x = pyml.randn(80, 4, 3)
        step = wrap(step)
        return [step(x[i]).detach().array for i in range(80)], [
            *online.parameters(),
            *target.parameters(),
        ]

    wanted, wanted_parameters = script(lambda function: function)
    got, parameters = script(pyml.record)
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(a, b)
    for p, q in zip(parameters, wanted_parameters, strict=True):
        assert_same_bits(p.array, q.array)


@pytest.mark.parametrize(
    "make, option",
    [
        (lambda params: optim.SGD(params, lr=0.01), "momentum"),
        (lambda params: optim.RMSprop(params, lr=0.01), "momentum"),
        (lambda params: optim.RMSprop(params, lr=0.01), "centered"),
        (lambda params: optim.Adam(params, lr=0.01), "amsgrad"),
    ],
    ids=["SGD", "RMSprop", "centered", "Adam"],
)
def test_an_option_that_a_counter_turns_on_gets_its_state(make, option):
    """The call of before has no memory for it: Python makes it, in a variant of its own."""

    def script(wrap):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 2)
        optimizer = make(layer.parameters())
        self = SimpleNamespace(t=0)

        def step(x):
            self.t += 1
            optimizer.param_groups[0][option] = 0.25 * (self.t // 20)
            optimizer.zero_grad()
            loss = layer(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        x = pyml.randn(CALLS, 4, 3)
        step = wrap(step)
        losses = [step(x[i]).detach().array for i in range(CALLS)]
        return losses + [p.array for p in layer.parameters()]

    for got, wanted in zip(script(pyml.record), script(lambda function: function), strict=True):
        assert_same_bits(got, wanted)


# ---- what is left where --------------------------------------------------------------------------


def test_numbers_that_the_step_hands_on_are_plain_after_it():
    """Copies of the number, and what is computed from it, in places that the step does not read."""
    self = SimpleNamespace(n=0, last=0, half=0.0, old=0)

    def step(x):
        self.old = self.n
        self.n += 1
        self.last = self.n
        self.half = self.n / 2
        return x * self.n

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        step(pyml.ones(2))
        for value in vars(self).values():
            assert_is_plain(value)
        assert (self.old, self.n, self.last, self.half) == (call - 1, call, call, call / 2)


def test_a_holder_that_the_collector_does_not_look_at_gets_the_plain_number():
    """It is the collector that knows who has a number."""
    formula = Formula()
    number = formula.input(3)
    holder = [number]
    gc.freeze()
    replace(number)
    assert gc.get_freeze_count() > 0
    assert_is_plain(holder[0])


STORED = {
    "a number": lambda n, x: n,
    "a number twice as large": lambda n, x: 2 * n,
    "a tuple": lambda n, x: (n, 1),
    "a list": lambda n, x: [n],
    "an item": lambda n, x: x.sum().item(),
    "a tuple with an item": lambda n, x: (x.sum().item(), 1),
}


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_and_never_read_is_right_or_refused(name):
    """Of each call, plain; after a refusal too."""
    self = SimpleNamespace(n=0, last=None)

    def step(x):
        self.n += 1
        self.last = STORED[name](self.n, x)
        return x * self.n

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        x = pyml.full((1,), float(call))
        try:
            step(x)
        except pyml.RecordError:
            assert all(type(leaf) in (int, float) for leaf in leaves_of(self.last))
            return
        wanted = STORED[name](call, x)
        assert all(type(leaf) in (int, float) for leaf in leaves_of(self.last))
        assert self.last == wanted


@pytest.mark.parametrize("form", ["alone", "tuple", "dict", "tree"])
def test_numbers_are_returned(form):
    self = SimpleNamespace(n=0)
    forms = {
        "alone": lambda y, n: n,
        "tuple": lambda y, n: (y, n, n * 0.5),
        "dict": lambda y, n: {"y": y, "n": n},
        "tree": lambda y, n: [{"n": (n, -n)}, y],
    }

    def step(x):
        self.n += 1
        return forms[form](x * self.n, self.n)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        got, wanted = step(pyml.ones(2)), forms[form](pyml.ones(2) * call, call)
        assert flat(got) == flat(wanted)
        assert not any(isinstance(leaf, Number) for leaf in leaves_of(got))
        assert {type(leaf) for leaf in leaves_of(got)} <= {int, float, pyml.Tensor}


def leaves_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves_of(item)]
    return [value]


def flat(value):
    return [v.tolist() if isinstance(v, pyml.Tensor) else v for v in leaves_of(value)]


def test_functions_of_math_are_themselves_again():
    before = {name: value for name, value in vars(math).items() if callable(value)}
    self = SimpleNamespace(n=0)

    def step(x):
        self.n += 1
        if self.n == 5:
            raise KeyError
        return x * math.sqrt(self.n)

    step = pyml.record(step)
    for call in range(1, 20):
        try:
            step(pyml.ones(2))
        except KeyError:
            assert call == 5
        assert {name: value for name, value in vars(math).items() if callable(value)} == before


def test_steps_that_count_on_several_threads():
    """Each its own number, with functions of math that all of them use."""
    errors = []

    def work(seed):
        try:
            self = SimpleNamespace(n=seed)

            def step(x):
                self.n += 1
                return x * math.sqrt(self.n)

            step = pyml.record(step)
            x = pyml.ones(1, dtype=pyml.float64)
            for call in range(1, 300):
                assert step(x).item() == math.sqrt(seed + call)
                assert same(self.n, seed + call)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors


def test_same_tells_types_and_signs_apart():
    """What these tests compare with."""
    assert same(1, 1) and same(float("nan"), float("nan")) and same(0.5, 0.5)
    assert not same(1, 1.0) and not same(0.0, -0.0) and not same(1, 2) and not same(True, 1)
