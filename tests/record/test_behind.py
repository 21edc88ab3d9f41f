"""Updates behind gradients in a run: the bits of steps in Python, and when none are made so."""

import os
import re
import signal
import threading

import numpy as np
import pytest

import pyml
from pyml import _kernels, nn, optim

INPUTS, WIDTH, OUTPUTS = 530, 1010, 3  # a first weight of 2 MB: with state, more than caches keep
ROWS = 96

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01, lr_decay=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.001, centered=True, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.001, weight_decay=0.1),
    "amsgrad": lambda p: optim.AdamW(p, lr=0.001, amsgrad=True, maximize=True),
    "nadam": lambda p: optim.NAdam(p, lr=0.001),
    "adamax": lambda p: optim.Adamax(p, lr=0.001),
    "adadelta": lambda p: optim.Adadelta(p, lr=0.5),
    "radam": lambda p: optim.RAdam(p, lr=0.001),
    "rprop": lambda p: optim.Rprop(p, lr=0.001),
    "asgd": lambda p: optim.ASGD(p, lr=0.01),
    "lion": lambda p: optim.Lion(p, lr=0.0001),
}


def network(dtype=pyml.float32, bias=True):
    pyml.manual_seed(0)
    layers = [nn.Linear(INPUTS, WIDTH, bias), nn.Tanh(), nn.Linear(WIDTH, OUTPUTS)]
    return nn.Sequential(*layers).to(dtype)


def data(dtype=pyml.float32, rows=ROWS):
    pyml.manual_seed(1)
    return pyml.randn(rows, INPUTS, dtype=dtype), pyml.randn(rows, OUTPUTS, dtype=dtype)


def step_of(model, optimizer, before=lambda loss: loss, after=lambda loss: loss):
    """A step; `before` and `after` the update its loss goes through functions."""

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        loss = before(loss)
        optimizer.step()
        return after(loss)

    return step


def numbers_of(model, optimizer):
    """All that a step leaves: parameters, gradients, state."""
    found = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    found |= {f"{name}.grad": p.grad.numpy().copy() for name, p in model.named_parameters()}
    for i, state in optimizer.state_dict()["state"].items():
        found |= {f"{i}.{name}": np.array(value) for name, value in state.items()}
    return found


def by_python(step, x, y, batch, epochs=2):
    return [
        step(x[i : i + batch], y[i : i + batch])
        for _ in range(epochs)
        for i in range(0, len(x), batch)
    ]


def by_run(step, x, y, batch, epochs=2):
    recorded = pyml.record(step)
    recorded.run(x, y, batch_size=batch, epochs=epochs, shuffle=False)
    return recorded


def stands_behind(recorded):
    return any(re.match(r"linear_backward(_bfloat16)?\+", k.name) for k in recorded.stats().kernels)


def same(make, x, y, batch, **parts):
    """Whether an update stood behind its gradient in a run, which left what Python does."""
    left = []
    for call in (by_python, by_run):
        model = network(x.dtype)
        optimizer = make(model.parameters())
        made = parts.get("step", step_of)(
            model, optimizer, **{k: v(model) for k, v in parts.items() if k != "step"}
        )
        result = call(made, x, y, batch)
        left.append(numbers_of(model, optimizer))
    for name, number in left[0].items():
        np.testing.assert_array_equal(left[1][name], number, err_msg=name)
    return stands_behind(result)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    assert same(OPTIMIZERS[name], *data(), 16)


@pytest.mark.parametrize("isa", _kernels.available_isas())
@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
@pytest.mark.parametrize(("threads", "batch"), [(1, 7), (2, 16), (3, 96), (1, 300)])
def test_shapes(isa, dtype, threads, batch):
    """A batch of 7 is too small for stripes, one of 300 too large."""
    _kernels.select_isa(isa)
    pyml.set_num_threads(threads)
    assert same(OPTIMIZERS["adam"], *data(dtype, max(ROWS, 3 * batch)), batch)


@pytest.mark.parametrize(("threads", "batch"), [(1, 7), (2, 16), (3, 96), (1, 300), (2, 1030)])
def test_bfloat16(unit, threads, batch):
    """Of one stripe and several, of whole tiles and others; one of 1030 is too large for them."""
    pyml.set_num_threads(threads)
    with pyml.autocast():
        assert same(OPTIMIZERS["adam"], *data(rows=max(ROWS, 2 * batch)), batch)


def left_by(call, w, rows, scale):
    """Weights after steps of a layer without bias, scaled."""
    w = w.clone().requires_grad_()
    optimizer = optim.SGD([w], lr=0.001, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        loss = pyml.ops.scaled_linear(x, w, alpha=scale).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    x = pyml.randn(8 * rows, w.shape[1], generator=pyml.Generator().manual_seed(2))
    if call is by_python:
        for i in range(0, len(x), rows):
            step(x[i : i + rows])
        return w.detach().numpy()
    recorded = pyml.record(step)
    recorded.run(x, batch_size=rows, epochs=1, shuffle=False)
    assert stands_behind(recorded)
    return w.detach().numpy()


# All but the first have the longest rows that stripes take by some instructions, or longer ones.
@pytest.mark.parametrize(
    ("shape", "rows"),
    [((600, 900), 8), ((33, 16384), 64), ((33, 16385), 64), ((33, 32769), 8), ((15, 65537), 8)],
    ids=str,
)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_scale_and_long_rows(shape, rows, bfloat16):
    w = pyml.randn(*shape, generator=pyml.Generator().manual_seed(1))
    with pyml.autocast(enabled=bfloat16 and _kernels.selected_bfloat16() is not None):
        results = [left_by(call, w, rows, 0.37) for call in (by_python, by_run)]
    np.testing.assert_array_equal(*results)


def test_layers_without_bias_and_two_in_a_row():
    left = []
    for call in (by_python, by_run):
        pyml.manual_seed(0)
        layers = [nn.Linear(INPUTS, WIDTH, False), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(WIDTH, OUTPUTS))
        optimizer = optim.Adam(model.parameters(), lr=0.001)
        result = call(step_of(model, optimizer), *data(), 32)
        left.append(numbers_of(model, optimizer))
    for name, number in left[0].items():
        np.testing.assert_array_equal(left[1][name], number, err_msg=name)
    calls = {kernel.name: kernel.calls for kernel in result.stats().kernels}
    behind = {name: count for name, count in calls.items() if name.endswith("+adam")}
    assert behind == {"linear_backward+adam": 1, "linear_backward+relu_backward+adam": 2}


def norms(model):
    def look(loss):
        return loss + 0 * model[0].weight.grad.square().sum().detach()

    return look


def clip(model):
    def clipped(loss):
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        return loss

    return clipped


def decay(model):
    def decayed(loss):
        with pyml.no_grad():
            model[0].weight.mul_(0.99)
        return loss

    return decayed


def accumulating(model, optimizer):
    def step(x, y):
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def twice(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        for part in (slice(0, 8), slice(8, None)):
            nn.functional.mse_loss(model(x[part]), y[part]).backward()
        optimizer.step()
        return y.sum()

    return step


def late_forward(model, optimizer):
    """The weight is read between its gradient and the update."""

    def step(x, y):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        with pyml.no_grad():
            again = nn.functional.mse_loss(model(x), y)
        optimizer.step()
        return again

    return step


@pytest.mark.parametrize(
    "parts",
    [
        {"before": clip},
        {"before": norms},
        {"after": norms},
        {"before": decay},
        {"step": accumulating},
        {"step": twice},
        {"step": late_forward},
    ],
    ids=lambda parts: "-".join(f"{k}_{v.__name__}" for k, v in parts.items()),
)
def test_where_somebody_else_asks(parts):
    assert not same(OPTIMIZERS["adam"], *data(), 16, **parts)


def test_the_gradient_is_a_result():
    def step_with_gradient(model, optimizer):
        step = step_of(model, optimizer)

        def with_gradient(x, y):
            step(x, y)
            return model[0].weight.grad

        return with_gradient

    seen = []
    for call in (by_python, lambda *args: args[0]):
        model = network()
        optimizer = OPTIMIZERS["adam"](model.parameters())
        made = step_with_gradient(model, optimizer)
        if call is by_python:
            seen.append([g.numpy().copy() for g in call(made, *data(), 32)])
        else:
            recorded = pyml.record(made)
            progress = recorded.run(*data(), batch_size=32, epochs=2, shuffle=False)
            seen.append(list(np.asarray(progress).reshape(6, WIDTH, INPUTS)))
    np.testing.assert_array_equal(seen[0], seen[1])


def test_rows_in_the_memory_of_the_weight():
    """A program recorded on other rows does not take the weight's own, which each step changes."""
    model = network()
    x, y = data()
    recorded = by_run(step_of(model, OPTIMIZERS["adam"](model.parameters())), x, y, 16)
    assert stands_behind(recorded)
    with pytest.raises(pyml.RecordError, match="pass a clone"):
        recorded.run(model[0].weight.detach()[:ROWS], y, batch_size=16, shuffle=False)


@pytest.mark.parametrize("when", [{"every_steps": 2}, {"every_seconds": 1e-9}, {}])
def test_a_callback_finds_the_gradients(when):
    left = []
    for recorded in (False, True):
        model = network()
        optimizer = OPTIMIZERS["adam"](model.parameters())
        step = step_of(model, optimizer)
        x, y = data()
        found = {}

        def look(progress, model=model, found=found):
            found[progress.step] = model[0].weight.grad.numpy().copy()

        if recorded:
            run = pyml.record(step)
            run.run(x, y, batch_size=16, epochs=3, shuffle=False, callback=look, **when)
        else:
            for i in range(18):
                step(x[i % 6 * 16 :][:16], y[i % 6 * 16 :][:16])
                found[i + 1] = model[0].weight.grad.numpy().copy()
        left.append(found)
    assert left[1]
    for i, gradient in left[1].items():
        np.testing.assert_array_equal(gradient, left[0][i], err_msg=str(i))


class Enough(Exception):
    """Raised by a handler."""


def enough(number, frame):
    raise Enough


@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finds_the_gradients(number, progress):
    """In the midst of a long epoch."""
    x, y = data(rows=16 * 1000)
    model = network()
    optimizer = OPTIMIZERS["adam"](model.parameters())
    recorded = pyml.record(step_of(model, optimizer))
    is_over = threading.Event()

    def interrupt():  # not while Python makes one of the first steps, or compares one of them
        while getattr(recorded.progress, "step", 0) < 5:
            if is_over.wait(0.05):
                return
        if not is_over.wait(0.3):
            os.kill(os.getpid(), number)

    timer = threading.Thread(target=interrupt)
    before = signal.signal(number, enough)
    timer.start()
    try:
        with pytest.raises(Enough):
            recorded.run(x, y, batch_size=16, epochs=1000, shuffle=False, progress=progress)
    finally:
        is_over.set()
        timer.join()
        signal.signal(number, before)
    left = numbers_of(model, optimizer)
    model = network()
    optimizer = OPTIMIZERS["adam"](model.parameters())
    step = step_of(model, optimizer)
    for i in range(recorded.progress.step):
        step(x[i % 1000 * 16 :][:16], y[i % 1000 * 16 :][:16])
    for name, numbers in numbers_of(model, optimizer).items():
        np.testing.assert_array_equal(left[name], numbers, err_msg=f"{name}, step {i}")


def test_a_function_for_the_host_finds_the_gradients():
    left = []
    for call in (by_python, by_run):
        model = network()
        seen = []

        def look(loss, model=model, seen=seen):
            seen.append(model[0].weight.grad.numpy().copy())
            return loss

        def hosted(loss, look=look):
            pyml.host(look, loss)
            return loss

        optimizer = OPTIMIZERS["adam"](model.parameters())
        call(step_of(model, optimizer, after=hosted), *data(), 16)
        left.append(seen)
    np.testing.assert_array_equal(*left)


def test_a_run_that_stops_at_nan():
    """Where the loss is not finite, the step before has left all that it leaves."""
    x, y = data()
    y[70] = float("nan")
    model = network()
    optimizer = OPTIMIZERS["adam"](model.parameters())
    recorded = pyml.record(step_of(model, optimizer))
    with pytest.raises(FloatingPointError):
        recorded.run(x, y, batch_size=8, epochs=1, shuffle=False)
    before = network()
    its = OPTIMIZERS["adam"](before.parameters())
    by_python(step_of(before, its), x[:64], y[:64], 8, epochs=1)
    for (name, p), q in zip(model.named_parameters(), before.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy(), err_msg=name)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("zeroed", ["first", "between", "last"])
def test_a_run_that_stops_at_an_index(zeroed):
    """A class out of range ends a step before its backward, with the gradients that Python has."""
    x, _ = data()
    classes = pyml.arange(ROWS) % OUTPUTS
    classes[70] = OUTPUTS
    left = []
    for call in (by_python, by_run):
        model = network()
        optimizer = OPTIMIZERS["adam"](model.parameters())

        def step(x, y, model=model, optimizer=optimizer):
            if zeroed == "first":
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            if zeroed == "between":
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if zeroed == "last":
                optimizer.zero_grad()
            return loss

        made = step if call is by_python else pyml.record(step)
        with pytest.raises(IndexError):
            if call is by_python:
                by_python(made, x, classes, 8)
            else:
                made.run(x, classes, batch_size=8, shuffle=False)
        found = {name: p.detach().numpy() for name, p in model.named_parameters()}
        if zeroed == "between":
            found |= {f"{name}.grad": p.grad.numpy() for name, p in model.named_parameters()}
        else:
            assert all(p.grad is None for p in model.parameters())
        left.append(found)
    for name, number in left[0].items():
        np.testing.assert_array_equal(left[1][name], number, err_msg=name)
    assert stands_behind(made) is (zeroed != "between")


def test_a_run_that_stops_between_two_models():
    """The loss of the first is not finite: the second has the gradients of the step before."""
    x, y = data()
    x[70] = float("nan")
    left = []
    for call in (by_python, by_run):
        models = network(), network()
        optimizers = [optim.SGD(model.parameters(), lr=0.01, momentum=0.9) for model in models]

        def step(x, y, models=models, optimizers=optimizers):
            for model, optimizer in zip(models, optimizers, strict=True):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(x), y)
                if model is models[0]:
                    first = loss
                loss.backward()
                optimizer.step()
            return first

        if call is by_python:
            by_python(step, x[:64], y[:64], 8, epochs=1)
        else:
            with pytest.raises(FloatingPointError):
                by_run(step, x, y, 8, epochs=1)
        left.append(numbers_of(models[1], optimizers[1]))
    for name, number in left[0].items():
        np.testing.assert_array_equal(left[1][name], number, err_msg=name)


@pytest.mark.parametrize(("batch", "written"), [(16, 0), (7, 1), (300, 1)])
def test_stats_count_an_update_where_it_is_made(batch, written):
    """The work is that of the step by calls, less a gradient that nobody writes and reads."""
    x, y = data(rows=6 * batch)
    model = network()
    recorded = pyml.record(step_of(model, optim.Adam(model.parameters())))
    recorded.run(x, y, batch_size=batch, epochs=2, shuffle=False)
    behind = recorded.stats()
    assert stands_behind(recorded)
    for i in range(130):
        recorded(x[i % 6 * batch :][:batch], y[i % 6 * batch :][:batch])
    alone = recorded.stats()
    assert not stands_behind(recorded)
    assert behind.flops == alone.flops
    assert behind.bytes == alone.bytes - (not written) * 2 * 4 * INPUTS * WIDTH
    parameters = [p.numel() for p in model.parameters()]
    rest, whole = (
        next(kernel for kernel in stats.kernels if kernel.name == "adam")
        for stats in (behind, alone)
    )
    share = 1 - INPUTS * WIDTH / sum(parameters)
    assert rest.flops == pytest.approx(share * whole.flops)
    assert rest.bytes == pytest.approx(share * whole.bytes, rel=1e-3)  # numbers of all are counted


@pytest.mark.parametrize("steps", range(5, 9))
def test_stats_are_of_steps_that_are_alike(steps):
    """The first and last step of a run write their gradients, and are not timed."""
    x, y = data(rows=16 * steps)
    model = network()
    recorded = pyml.record(step_of(model, optim.Adam(model.parameters())))
    for i in range(90):
        recorded.run(x, y, batch_size=16, shuffle=False)
        assert stands_behind(recorded) or i < 40
    assert recorded.stats().seconds > 0
