"""pyml.host(function, ...): Python that a recorded step runs in every call."""

import collections
import contextlib
import ctypes
import functools
import io
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim

CALLS = 40
EXECUTIONS = 6  # of 40 calls: 1, 2, 4 and 16, and the first ones of a step that learns what it is


def logs(made, calls=CALLS, wrap=pyml.record, **options):
    """What `made(log)`, a step, tells its log in as many calls, recorded; how often it ran."""
    log, executions = [], ctypes.c_long()
    function = made(log)

    def step(x):
        executions.value += 1
        return function(x)

    step = wrap(step, **options)
    for call in range(1, calls + 1):
        step(pyml.full((3,), call / 7))
    return log, executions.value


def assert_same_log(made, calls=CALLS):
    """As eagerly, entry by entry, while Python ran in few of the calls."""
    wanted, _ = logs(made, calls, wrap=lambda function: function)
    got, executions = logs(made, calls)
    assert [*map(frozen, got)] == [*map(frozen, wanted)]
    assert len(wanted) >= calls
    assert executions <= EXECUTIONS


def frozen(value):
    """Comparable, with the types."""
    if isinstance(value, pyml.Tensor):
        return "tensor", value.dtype.name, value.shape, value.array.tobytes(), value.requires_grad
    if isinstance(value, dict):
        return [(key, frozen(item)) for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return type(value).__name__, [*map(frozen, value)]
    return type(value).__name__, value


# ---- what arrives --------------------------------------------------------------------------------

WEIGHT = nn.Parameter(pyml.tensor([1.0, -2.0, 0.5]))

ARGUMENTS = {
    "nothing": lambda x, y: (),
    "constants": lambda x, y: (1, 0.5, "text", None, True, (1, "a")),
    "a result": lambda x, y: (y,),
    "a result with a graph": lambda x, y: ((x * WEIGHT).sum(),),
    "an item": lambda x, y: (y.sum().item(),),
    "items": lambda x, y: (y[0].item(), y.argmax().item(), y.mean().item()),
    "an item twice": lambda x, y: (lambda n: (n, n))(y.sum().item()),
    "the argument": lambda x, y: (x,),
    "an item of the argument": lambda x, y: (x[1].item(),),
    "a parameter": lambda x, y: (WEIGHT,),
    "a view": lambda x, y: (y[1:], y[0]),
    "in a dict": lambda x, y: ({"loss": y.sum().item(), "y": y, "n": 3},),
    "in lists": lambda x, y: ([y, [y.sum().item()]], (y.sum(),)),
    "integers": lambda x, y: (y.argmax(), y > 0),
    "no elements": lambda x, y: (y[:0],),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_have_their_values_of_each_call(name):
    arguments = ARGUMENTS[name]

    def made(log):
        def write(*args):
            log.append(args)

        def step(x):
            y = x.sin() * 3
            pyml.host(write, *arguments(x, y))
            return y

        return step

    assert_same_log(made)


def test_keywords():
    def made(log):
        def write(first, *, loss, step="?"):
            log.append((first, loss, step))

        def step(x):
            y = x.sin()
            pyml.host(write, y, loss=y.sum().item())
            pyml.host(write, 1, loss=y, step="s")

        return step

    assert_same_log(made)


def test_counters():
    """Beside items; what is computed from a counter too."""

    def made(log):
        self = SimpleNamespace(n=0, rate=0.5)

        def write(*args):
            log.append(args)

        def step(x):
            self.n += 1
            self.rate *= 0.9
            pyml.host(write, self.n, self.rate, 1 - 0.9**self.n, x.sum().item())
            return x * self.rate

        return step

    assert_same_log(made)


def test_numbers_that_arrive_are_pythons_own():
    kinds = collections.Counter()
    self = SimpleNamespace(n=0)

    def look(n, loss, index):
        kinds[type(n), type(loss), type(index)] += 1

    def step(x):
        self.n += 1
        pyml.host(look, self.n, x.sum().item(), x.argmax().item())

    step = pyml.record(step)
    for _ in range(CALLS):
        step(pyml.ones(3))
    assert kinds == {(int, float, int): CALLS}


def test_methods_of_what_python_has():
    """`history.append` itself, not wrapped: what only the host uses is not looked at."""

    def play(wrap):
        history, known, table = [], set(), {}
        progress, counts = collections.deque(maxlen=5), collections.Counter()
        executions = ctypes.c_long()

        def step(x):
            executions.value += 1
            y = x.sum()
            pyml.host(history.append, y.item())
            pyml.host(known.add, y.item())
            pyml.host(table.update, loss=y.item())
            pyml.host(progress.appendleft, (y.item(), "y"))
            pyml.host(counts.update, ["calls"])
            return y

        step = wrap(step)
        for call in range(1, CALLS + 1):
            step(pyml.full((3,), call / 7))
        seen = history, known, table, progress, counts
        return seen, executions.value

    wanted, _ = play(lambda function: function)
    got, executions = play(pyml.record)
    assert got == wanted
    assert len(got[0]) == len(got[1]) == got[4]["calls"] == CALLS
    assert executions <= EXECUTIONS


def test_a_method_of_a_file(tmp_path):
    """Which is also an iterator, that the step must not advance."""

    def play(wrap, file):
        step = wrap(lambda x: pyml.host(file.write, "a line\n"))
        for call in range(1, CALLS + 1):
            step(pyml.full((3,), call / 7))

    stream = io.StringIO()
    play(pyml.record, stream)
    assert stream.getvalue() == "a line\n" * CALLS
    with open(tmp_path / "log", "w") as file:
        play(pyml.record, file)
    assert (tmp_path / "log").read_text() == "a line\n" * CALLS


def captured(log):
    """Name -> a step whose host function has a number in itself, and not as an argument."""
    self = SimpleNamespace(n=0)

    def counter_in_a_closure(x):
        self.n += 1
        number = self.n
        pyml.host(lambda: log.append(number))

    def item_in_a_closure(x):
        number = x.sum().item()
        pyml.host(lambda: log.append(number))

    def counter_as_a_default(x):
        self.n += 1
        pyml.host(lambda n=self.n: log.append(n))

    def item_as_a_default(x):
        number = x.sum().item()
        pyml.host(lambda n=number: log.append(n))

    def item_in_a_partial(x):
        pyml.host(functools.partial(log.append, x.sum().item()))

    steps = locals().values()
    return {step.__name__: step for step in steps if hasattr(step, "__code__")}


@pytest.mark.parametrize("name", captured([]))
def test_numbers_that_a_function_captures_are_right_or_refused(name):
    log, kind = [], int if "counter" in name else float
    step = pyml.record(captured(log)[name])
    with contextlib.suppress(pyml.RecordError):
        for call in range(1, 20):
            step(pyml.full((1,), float(call)))
    assert [frozen(n) for n in log] == [frozen(kind(call)) for call in range(1, len(log) + 1)]


# ---- when ----------------------------------------------------------------------------------------


def test_order():
    """Of several calls in a step, in loops and helpers; each once a call."""

    def made(log):
        def write(name, value):
            log.append((name, value))

        def helper(y, name):
            pyml.host(write, name, y.sum().item())
            return y * 2

        class Layer(nn.Module):
            def forward(self, x):
                pyml.host(write, "forward", x[0].item())
                return x + 1

        layer = Layer()

        def step(x):
            pyml.host(write, "begin", x[0].item())
            for i in range(3):
                x = helper(x, f"helper {i}")
            x = layer(x)
            pyml.host(write, "end", x[0].item())
            return x

        return step

    assert_same_log(made)


def test_an_argument_is_as_it_was_where_the_call_stands():
    """Though the tensor is changed later in the step, before the function runs."""

    def made(log):
        weight = nn.Parameter(pyml.ones(3))
        optimizer = optim.SGD([weight], lr=0.1)

        def write(*args):
            log.append(args)

        def step(x):
            y = x * 2
            pyml.host(write, y, weight)
            y.mul_(10)
            optimizer.zero_grad()
            (weight * x).sum().backward()
            optimizer.step()
            pyml.host(write, y, weight, weight.grad)
            return y

        return step

    assert_same_log(made)


def test_arguments_are_copies_of_the_functions_own():
    """What it keeps does not change, and what it changes is seen by nobody."""
    held, weight = [], nn.Parameter(pyml.ones(3))

    def keep(y, w):
        held.append((y, y.array.copy(), w, w.array.copy()))

    def spoil(y, w):
        y.array.fill(-1)
        w.array.fill(-1)

    def step(x):
        y = x * weight
        pyml.host(spoil, y, weight)
        pyml.host(keep, y, weight)
        return y

    step = pyml.record(pyml.no_grad()(step))
    for call in range(1, CALLS + 1):
        x = pyml.full((3,), float(call))
        assert_same_bits(step(x).array, x.array)
    for call, (y, y_then, w, w_then) in enumerate(held, 1):
        assert_same_bits(y.array, y_then)
        assert_same_bits(w.array, w_then)
        assert_same_bits(y_then, np.full(3, call, np.float32))
    assert len(held) == CALLS
    assert_same_bits(weight.detach().array, np.ones(3, np.float32))


def test_it_sees_what_the_step_has_done():
    """It runs when the kernels have run, and counters and gradients are there."""
    weight, seen = nn.Parameter(pyml.ones(3)), []
    self = SimpleNamespace(n=0)

    def look():
        seen.append((self.n, weight.grad.array.copy()))

    def step(x):
        self.n += 1
        weight.grad = None
        (x * weight).sum().backward()
        pyml.host(look)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        step(pyml.full((3,), float(call)))
    assert [n for n, _ in seen] == [*range(1, CALLS + 1)]
    for call, (_, gradient) in enumerate(seen, 1):
        assert_same_bits(gradient, np.full(3, call, np.float32))


def test_the_function_may_use_tensors():
    """And record, and call what is recorded: it is not a part of the step."""
    inner, seen = pyml.record(lambda x: x + 1), []

    def use(y):
        seen.append(inner(y).sum().item())

    def step(x):
        y = x * 2
        pyml.host(use, y)
        return y

    step = pyml.record(step)
    for call in range(1, 12):
        step(pyml.full((2,), float(call)))
    assert seen == [4.0 * call + 2 for call in range(1, 12)]


# ---- where ---------------------------------------------------------------------------------------


def test_outside_of_a_step_it_just_calls():
    got = []
    result = pyml.host(lambda *args, **kwargs: got.append((args, kwargs)), pyml.ones(2), 3, a="b")
    assert result is None
    ((tensor, number), keywords) = got[0]
    assert_same_bits(tensor.array, np.ones(2, np.float32))
    assert (number, keywords) == (3, {"a": "b"})


def test_outside_of_a_step_tensors_are_copies_too():
    x, held = nn.Parameter(pyml.ones(2)), []
    pyml.host(held.append, x * 2)
    pyml.host(held.append, x)
    x.detach().array.fill(5)
    for tensor, value in zip(held, (2, 1), strict=True):
        assert not tensor.requires_grad
        assert_same_bits(tensor.array, np.full(2, value, np.float32))


@pytest.mark.parametrize("shuffle", [False, True])
def test_in_a_run(shuffle):
    """Each step once, in order, with the loss that the run returns."""
    history = []

    def step(x):
        loss = x.square().sum()
        pyml.host(history.append, loss.item())
        return loss

    losses = pyml.record(step).run(pyml.randn(100, 3), batch_size=4, epochs=2, shuffle=shuffle)
    assert_same_bits(np.float32(history), losses.array)


def test_in_a_step_that_runs_eagerly():
    def made(log):
        def step(x):
            loss = x.sum()
            pyml.host(log.append, loss.item())
            return x * float(loss)

        return step

    wanted, _ = logs(made, wrap=lambda function: function)
    with pytest.warns(UserWarning, match="eagerly"):
        got, executions = logs(made, unrecordable="eager")
    assert got == wanted and executions == CALLS


def test_variants_have_their_own_calls():
    log = []

    def step(x):
        if len(x) == 2:
            pyml.host(log.append, "two")
        else:
            pyml.host(log.append, x.sum().item())

    step = pyml.record(step)
    for call in range(1, 20):
        step(pyml.ones(2))
        step(pyml.full((3,), float(call)))
    assert log == [entry for call in range(1, 20) for entry in ("two", 3.0 * call)]


class Wrapper:
    def __init__(self, func):
        self.func = func

    def __call__(self, value):
        self.func(value)


class AnswersToEverything:
    def __getattr__(self, name):
        return self if name[0] != "_" else object.__getattribute__(self, name)

    def __call__(self, value):
        seen.append(value)


seen = []


@pytest.mark.parametrize("called", [AnswersToEverything(), AnswersToEverything().add_scalar])
def test_an_object_that_is_called(called):
    seen.clear()

    @pyml.record
    def step(x):
        pyml.host(called, x.sum().item())
        return x * 2

    for call in range(CALLS):
        step(pyml.full((2,), float(call)))
    assert seen == [2.0 * call for call in range(CALLS)]


def test_an_object_with_an_attribute_func_is_no_partial():
    called = Wrapper(lambda value: None)
    step = pyml.record(lambda x: pyml.host(called, x) or x * 2)
    assert [step(pyml.ones(1)).item() for _ in range(3)] == [2, 2, 2]


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [3, None, "print", pyml.ones(2)])
def test_what_is_not_callable(thing):
    for step in (lambda x: pyml.host(thing), pyml.record(lambda x: pyml.host(thing))):
        with pytest.raises(
            TypeError, match=f"host: a function is needed, not {type(thing).__name__}"
        ):
            step(pyml.ones(2))


@pytest.mark.parametrize("at", range(1, 8))
def test_an_exception_of_the_function_is_raised(at):
    """By Python and by replays. Weights have been updated, and the next call goes on."""
    weight, calls, log = nn.Parameter(pyml.zeros(1)), ctypes.c_long(), []
    optimizer = optim.SGD([weight], lr=1.0)

    def check(loss):
        calls.value += 1
        if calls.value == at:
            raise KeyError("mine")
        log.append(loss)

    def step(x):
        optimizer.zero_grad()
        loss = (x * weight).sum()
        loss.backward()
        optimizer.step()
        pyml.host(check, loss.item())
        return loss

    step = pyml.record(step)
    for call in range(1, 20):
        if call == at:
            with pytest.raises(KeyError, match="mine"):
                step(pyml.ones(1))
        else:
            assert step(pyml.ones(1)).item() == 1 - call
        assert weight.item() == -call
    assert log == [1.0 - call for call in range(1, 20) if call != at]


def test_an_exception_ends_a_run():
    calls = ctypes.c_long()

    def check():
        calls.value += 1
        if calls.value == 30:
            raise KeyError("mine")

    def step(x):
        pyml.host(check)
        return x.sum()

    step = pyml.record(step)
    with pytest.raises(KeyError, match="mine"):
        step.run(pyml.ones(100, 1), batch_size=1)
    assert calls.value == 30


def test_without_it_the_same_step_is_refused():
    history = []

    def step(x):
        history.append(x.sum().item())

    step = pyml.record(step)
    with pytest.raises(pyml.RecordError, match=r"changes 'history' at .*pyml\.host"):
        for _ in range(2):
            step(pyml.ones(2))


def test_printing_by_the_host(capsys):
    def step(x):
        pyml.host(print, "loss", x.sum().item())

    step = pyml.record(step)
    for call in range(1, 20):
        step(pyml.full((2,), float(call)))
    assert capsys.readouterr().out == "".join(f"loss {2.0 * call}\n" for call in range(1, 20))


def test_printing_without_it_is_refused(capsys):
    step = pyml.record(lambda x: print("here") or x * 2)
    with pytest.raises(pyml.RecordError, match=rf"print\(\) at {__file__}"):
        step(pyml.ones(2))
    assert capsys.readouterr().out == ""


def test_a_function_that_the_step_calls_too():
    """What it reads is the step's, and guards leave functions of the host out."""
    table = {"factor": 1.0}

    def factor():
        return table["factor"]

    @pyml.record
    def step(x):
        pyml.host(factor)
        return x * factor()

    step(pyml.ones(2))
    with pytest.raises(pyml.RecordError, match=r"'factor' .* as well as pyml\.host\(\)"):
        for _ in range(3):
            step(pyml.ones(2))
