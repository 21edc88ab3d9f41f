"""Python runs calls 1, 2, 4, 16, ... of a variant, and what is not the same in them is found."""

import ctypes
import inspect
import signal
import warnings

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F

CONFIRMED = [1, 2, 4, 16, 64]  # calls that Python runs, below 256


def hidden(thing):
    """An object whose `value` no guard looks into."""
    return ctypes.py_object(thing)


def counted(function):
    """(a step that counts how often its Python runs, the count)."""
    executions = ctypes.c_long()

    def step(*args):
        executions.value += 1
        return function(*args)

    return step, executions


# ---- when ----------------------------------------------------------------------------------------


def test_calls_that_python_runs():
    function, executions = counted(lambda x: x * 2 + 1)
    step = pyml.record(function)
    ran = []
    for call in range(1, 256):
        x, before = pyml.full((3,), call / 7), executions.value
        assert_same_bits(step(x).array, x.array * np.float32(2) + 1)
        if executions.value > before:
            ran.append(call)
            assert executions.value == before + 1
    assert ran == CONFIRMED


def test_each_variant_counts_its_own_calls():
    function, executions = counted(lambda x: x * 2)
    step = pyml.record(function)
    ran = []
    for call in range(1, 41):
        for rows in (3, 5):
            before = executions.value
            step(pyml.ones(rows))
            ran += [(call, rows)] * (executions.value - before)
    assert ran == [(call, rows) for call in (1, 2, 4, 16) for rows in (3, 5)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_steps_of_a_run_that_python_runs(shuffle):
    """The losses are those of the loop, and the diagnostics tell which steps were replays."""
    layer = nn.Linear(3, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.0)

    def loss_of(x):
        optimizer.zero_grad()
        loss = layer(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    function, executions = counted(loss_of)
    step, x = pyml.record(function), pyml.randn(200, 3)
    losses = step.run(x, batch_size=2, shuffle=shuffle, diagnostics=True)
    ran = np.flatnonzero(np.isnan(step.diagnostics["grad_norm"])) + 1
    assert list(ran) == CONFIRMED
    assert executions.value == len(CONFIRMED)
    if not shuffle:
        wanted = [loss_of(rows).item() for rows in x.split(2)]
        assert_same_bits(losses.array, np.array(wanted, np.float32))


@pytest.mark.parametrize("rows, epochs", [(4095, 1), (585, 7)])
def test_a_run_of_4095_steps_runs_python_seven_times(rows, epochs):
    """Calls 1, 2, 4, 16, 64, 256 and 1024; the next one is call 4096."""
    function, executions = counted(lambda x: x.sum())
    step = pyml.record(function)
    step.run(pyml.ones(rows, 1), batch_size=1, epochs=epochs)
    assert executions.value == 7
    step(pyml.ones(1, 1))
    assert executions.value == 8


def test_calls_and_runs_are_counted_together():
    function, executions = counted(lambda x: x.sum())
    step = pyml.record(function)
    for _ in range(10):
        step(pyml.ones(2))
    assert executions.value == 3
    step.run(pyml.ones(10), batch_size=2)  # calls 11 to 15
    assert executions.value == 3
    step.run(pyml.ones(2), batch_size=2)
    assert executions.value == 4


def test_after_clear_it_begins_anew():
    function, executions = counted(lambda x: x.sum())
    step = pyml.record(function)
    for calls, ran in ((5, 3), (5, 6)):
        for _ in range(calls):
            step(pyml.ones(2))
        assert executions.value == ran
        step.clear()


# ---- what is found -------------------------------------------------------------------------------

CHANGES = {}  # name -> (make, words of the message)
WEIGHT, OTHER = nn.Parameter(pyml.ones(3)), nn.Parameter(pyml.ones(3))
TENSORS = pyml.full((3,), 2.0), pyml.full((3,), 3.0)
OPTIMIZER = optim.SGD([WEIGHT], lr=0.1)


def change(*words, line=True):
    """Enters f(x, i) into the table: a step that is another one when i, 0 at first, is 1.

    Args:
        words: of the message.
        line: whether this tells the line, the one that is marked with HERE.
    """

    def enter(function):
        CHANGES[function.__name__] = function, words, line
        return function

    return enter


@change("mul takes the number 3.0, and took 2.0")
def factor(x, i):
    return x * (3.0 if i else 2.0)  # HERE


@change("of leaky_relu_forward was 0.25, and is 0.5")
def argument_of_a_kernel(x, i):
    return F.leaky_relu(x, 0.5 if i else 0.25)  # HERE


@change("add takes the number 4.0, and took 3.0")
def constant(x, i):
    constant = pyml.tensor([1.0, 2.0, 3.0 + i])
    return x + constant  # HERE


@change("mul takes the number 7.0, and took 6.0")
def filled(x, i):
    return x * pyml.full((3,), 6.0 + i)  # HERE


@change("mul takes the number -0.0, and took 0.0")
def sign_of_zero(x, i):
    return x * (-0.0 if i else 0.0)  # HERE


@change("mul works on another one: a tensor that was there before the step")
def another_tensor(x, i):
    return x * TENSORS[i]  # HERE


@change("mul works on a tensor that was there before the step, and worked on a result of the step")
def a_tensor_for_a_result(x, i):
    y = x + 1
    return y * (TENSORS[0] if i else y)  # HERE


@change("mul works on another one: a result of the step")
def another_result(x, i):
    y, z = x.sin(), x.cos()
    return y * (z if i else y)  # HERE


@change("mul works on another part of the same memory")
def another_part(x, i):
    y = x.sin()
    return y[i : i + 2] * 2.0  # HERE


@change("mul works on another one: a tensor that was there before the step")
def another_tensor_is_changed(x, i):
    y = x * 2
    with pyml.no_grad():
        TENSORS[i].mul_(1.0)  # HERE
    return y


@change("tanh_forward was not called before")
def another_kernel(x, i):
    y = x * 2
    return y.tanh() if i else y  # HERE


@change("tanh_forward is not called any more")
def a_kernel_less(x, i):
    y = x * 2
    return y if i else y.tanh()  # HERE (where it was)


@change("a call of cos has become one of sin")
def a_kernel_for_another(x, i):
    return x.sin() if i else x.cos()  # HERE


@change("it returns another tensor", line=False)
def another_order_of_results(x, i):
    y, z = x.sin(), x.cos()
    return (y, z) if i else (z, y)


@change("it returns another tensor", line=False)
def an_argument_for_a_result(x, i):
    y = x.sin()
    return x if i else y


@change("it returns another value of Python", line=False)
def a_result_less(x, i):
    y, z = x.sin(), x.cos()
    return (y,) if i else (y, z)


@change("it returns another value of Python", line=False)
def another_number_beside_the_result(x, i):
    return x.sin(), i


@change("it returns another value of Python", line=False)
def another_key(x, i):
    return {"ab"[i]: x.sin()}


@change("it leaves the gradient of a tensor of shape (3,) otherwise", line=False)
def no_gradient(x, i):
    WEIGHT.grad = None
    (x * WEIGHT).sum().backward()
    if i:
        WEIGHT.grad = None


@change("works on another one", line=False)
def another_gradient(x, i):
    WEIGHT.grad = OTHER.grad = None
    (x * (OTHER if i else WEIGHT)).sum().backward()


@change("an option of an optimizer, which the step sets itself, is another", line=False)
def another_option(x, i):
    OPTIMIZER.zero_grad()
    (x * WEIGHT).sum().backward()
    OPTIMIZER.param_groups[0]["maximize"] = bool(i)
    OPTIMIZER.step()


@pytest.fixture(autouse=True)
def option():
    """Is the one that another_option begins with."""
    OPTIMIZER.param_groups[0]["maximize"] = False


def line_of(function):
    lines, begin = inspect.getsourcelines(function)
    return next(begin + i for i, line in enumerate(lines) if "# HERE" in line)


def changing(function, at):
    """A step that is another one from the execution `at` on, by what guards do not see."""
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        return function(x, int(executions.value >= at))

    return step


def calls_until_refused(step, most=300):
    """(how many there were with the one that is refused, the message)."""
    for call in range(1, most):
        try:
            step(pyml.full((3,), call / 7))
        except pyml.RecordError as error:
            return call, str(error)
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize("execution", [2, 3, 4, 5])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_at_the_next_call_that_python_runs(name, execution):
    function, words, has_line = CHANGES[name]
    call, message = calls_until_refused(pyml.record(changing(function, execution)))
    assert call == CONFIRMED[execution - 1]
    assert message.startswith("record: the step is not the same in every call")
    for word in words:
        assert word in message
    if has_line:
        assert f" at {__file__}:{line_of(function)}: " in message
    if execution == 2:
        assert "Replays may" not in message
    else:
        since = CONFIRMED[execution - 2]
        assert f"Replays may have used the old value since call {since}, this is call {call} " in (
            message
        )


@pytest.mark.parametrize("name", CHANGES)
def test_without_a_change_nothing_is_found(name):
    """The step itself can be recorded, so that the change alone is what is refused."""
    function = CHANGES[name][0]
    step = pyml.record(changing(function, 10**6))
    for call in range(1, 70):
        step(pyml.full((3,), call / 7))
    assert step.stats().replays >= 64


@pytest.mark.parametrize("execution", [2, 3, 4])
def test_a_run_finds_a_change_too(execution):
    step = pyml.record(changing(factor, execution))
    with pytest.raises(pyml.RecordError, match="takes the number 3"):
        step.run(pyml.ones(100, 3), batch_size=1, shuffle=False)
    assert step.progress.step == CONFIRMED[execution - 1] - 1


def test_an_iterator_that_no_guard_sees():
    """`next()` gives another batch to each execution."""
    batches = hidden(iter([pyml.full((3,), float(i)) for i in range(10)]))

    def step(x):
        return x * next(batches.value)

    call, message = calls_until_refused(pyml.record(step))
    assert call == 2
    assert "mul works on another one: a tensor that was there before the step" in message


@pytest.mark.parametrize("place", ["closure", "hidden"])
@pytest.mark.parametrize("what", ["clip", "scale", "shift"])
def test_numpy_that_changes_a_parameter_is_found(place, what):
    """By a view that was made outside, which a guard may see or not."""
    weight = nn.Parameter(pyml.tensor([-3.0, 0.5, 3.0]))
    optimizer = optim.SGD([weight], lr=0.25)
    view = weight.detach().numpy()
    box = hidden(view)

    def change(array):
        if what == "clip":
            np.clip(array, -1, 1, out=array)
        elif what == "scale":
            np.multiply(array, np.float32(0.5), out=array)
        else:
            array += 1

    def seen(x):
        optimizer.zero_grad()
        loss = (x * weight).sum()
        loss.backward()
        optimizer.step()
        change(view)
        return loss

    def unseen(x):
        optimizer.zero_grad()
        loss = (x * weight).sum()
        loss.backward()
        optimizer.step()
        change(box.value)
        return loss

    call, message = calls_until_refused(pyml.record(seen if place == "closure" else unseen))
    assert call == 2
    if place == "closure":
        assert "the step changes 'view'" in message
    else:
        assert f"which sgd writes at {__file__}:" in message
        assert "is changed by something else than pyml's operations, such as NumPy" in message


def test_numpy_that_changes_a_result_is_found():
    box = hidden(np.ones(3, np.float32))

    def step(x):
        y = x * 2
        np.copyto(box.value, y.detach().array)
        y.array[...] = box.value + 1
        return y

    call, message = calls_until_refused(pyml.record(step))
    assert call <= 2
    assert f"a result, which mul writes at {__file__}:" in message


def test_memory_is_as_python_left_it_after_a_change_was_found():
    """The call that is refused has been made."""
    weight = nn.Parameter(pyml.tensor([1.0, 2.0, 3.0]))
    optimizer = optim.SGD([weight], lr=0.25)

    def train(x, i):
        optimizer.zero_grad()
        (x * weight * (3.0 if i else 2.0)).sum().backward()
        optimizer.step()

    wanted = weight.detach().array.copy()
    for call in range(1, 17):
        wanted -= np.float32(0.25) * (np.float32(call / 7) * np.float32(3.0 if call == 16 else 2.0))
    call, _ = calls_until_refused(pyml.record(changing(train, 4)))
    assert call == 16
    np.testing.assert_allclose(weight.detach().array, wanted, rtol=1e-6)


# ---- what then -----------------------------------------------------------------------------------


@pytest.mark.parametrize("execution", [2, 3, 4])
@pytest.mark.parametrize("name", ["factor", "another_tensor", "another_order_of_results"])
def test_eagerly_with_one_warning(name, execution):
    """From the call on in which the change is found, the values are right again."""
    function = CHANGES[name][0]
    step = pyml.record(changing(function, execution), unrecordable="eager")
    found = CONFIRMED[execution - 1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in range(1, found + 20):
            x = pyml.full((3,), call / 7)
            got, wanted = step(x), function(x, int(call >= found))
            for a, b in zip(as_tuple(got), as_tuple(wanted), strict=True):
                assert_same_bits(a.array, b.array)
            assert len(caught) == (call >= found)
    assert "not the same in every call" in str(caught[0].message)
    assert "runs eagerly from now on" in str(caught[0].message)


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def test_eagerly_in_a_run():
    step = pyml.record(
        changing(lambda x, i: x.sum() * (3.0 if i else 2.0), 3), unrecordable="eager"
    )
    with pytest.warns(UserWarning, match="not the same in every call") as caught:
        losses = step.run(pyml.ones(40, 3), batch_size=1)
    assert len(caught) == 1
    assert_same_bits(losses.array, np.float32([6] * 3 + [9] * 37))


def test_a_step_that_was_refused_is_recorded_anew():
    """It may be another one by then."""
    step = pyml.record(changing(factor, 4))
    assert calls_until_refused(step)[0] == 16
    for call in range(1, 70):
        x = pyml.full((3,), float(call))
        assert_same_bits(step(x).array, x.array * np.float32(3))
    assert step.stats().replays == 69 - len(CONFIRMED)


@pytest.mark.parametrize("exceptions", [RuntimeError, Exception, BaseException])
def test_a_refusal_that_the_step_catches_is_raised_at_its_end(exceptions):
    reached = ctypes.c_long()

    def step(x):
        try:
            factor = float(x.sum())
        except exceptions:
            factor = 1.0
        reached.value += 1
        return x * factor

    step = pyml.record(step)
    for call in (1, 2, 3):
        with pytest.raises(pyml.RecordError, match="float") as error:
            step(pyml.ones(3))
        assert f" at {__file__}:" in str(error.value)
        assert reached.value == call
    assert pyml.ones(2).sum().item() == 2


def test_a_refusal_that_the_step_catches_leaves_it_eager():
    def step(x):
        try:
            factor = float(x.sum())
        except RuntimeError:
            factor = -1.0
        return x * factor

    step = pyml.record(step, unrecordable="eager")
    with pytest.warns(UserWarning, match="eagerly") as caught:
        for call in range(1, 10):
            x = pyml.full((2,), float(call))
            assert_same_bits(step(x).array, x.array * np.float32(2 * call))
    assert len(caught) == 1


def test_an_exception_in_a_call_that_python_confirms_is_the_steps_own():
    """And the next call is confirmed in its place."""
    fails, executions = ctypes.c_long(), ctypes.c_long()

    def step(x):
        executions.value += 1
        if fails.value:
            raise KeyError("mine")
        return x * 2

    step = pyml.record(step)
    step(pyml.ones(2))
    fails.value = 1
    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            step(pyml.ones(2))
    fails.value = 0
    assert executions.value == 4
    for call in range(2, 10):
        x = pyml.full((2,), float(call))
        assert_same_bits(step(x).array, x.array * np.float32(2))
    assert executions.value == 6


# ---- code that is not the step's -----------------------------------------------------------------


def test_a_generator_that_is_closed_while_the_step_runs():
    """As by the collector, at any line: it is none of the step's."""

    def numbers():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    @pyml.record
    def step(x):
        going.value.clear()
        return x * 2

    going, closed = hidden([]), []
    for call in range(1, 20):
        going.value.append(numbers())
        next(going.value[-1])
        step(pyml.full((3,), float(call)))
    assert len(closed) == 16  # at calls 1, 2, 4 and 16, which Python runs


def test_code_that_interrupts_the_step():
    """It may run at any line, also of a call that is compared with one before."""
    seen = []

    class Going:
        def __del__(self):
            note("an object that goes")

    def note(what):
        seen.append(what)

    @pyml.record
    def step(x):
        signal.raise_signal(signal.SIGALRM)
        going.value.clear()
        return x * 2

    going = hidden([])
    before = signal.signal(signal.SIGALRM, lambda *_: note("a signal"))
    try:
        for call in range(1, 20):
            going.value.append(Going())
            x = pyml.full((3,), call / 7)
            assert_same_bits(step(x).array, x.array * np.float32(2))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen.count("a signal") == 4
