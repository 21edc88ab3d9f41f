"""Products that are stored as what follows them says, with the eager bits; when they are not."""

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F

ROWS = 39  # tiles of 13, 5 or 6, and 4 rows


def network(inputs, widths, dropout=0.0, bias=True, dtype=pyml.float32):
    pyml.manual_seed(0)
    layers = []
    for width in widths:
        layers += [nn.Linear(inputs, width, bias), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 3)).to(dtype)


def step_of(model, optimizer, also=lambda loss: ()):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss, *also(loss)

    return step


def history(make, rows=ROWS, steps=6, record=True, dtype=pyml.float32, inputs=24):
    """What steps return and leave, and the recorded step."""
    model, step = make()
    pyml.manual_seed(1)
    x, y = pyml.randn(rows, inputs, dtype=dtype), pyml.randn(rows, 3, dtype=dtype)
    x[0, 0], x[-1] = np.inf, 0
    step = pyml.record(step) if record else step
    found = [step(x, y) for _ in range(steps)]
    found += [(p, p.grad) for p in model.parameters()]
    return [t.detach().numpy().copy() for group in found for t in group], step


def follows(step):
    """The names of the products with what follows them."""
    names = {k.name for k in step.stats().kernels if k.name.startswith("linear") and "+" in k.name}
    return {name.replace("_bfloat16", "") for name in names}


def check(make, **parts):
    got, step = history(make, **parts)
    wanted, _ = history(make, record=False, **parts)
    for one, other in zip(got, wanted, strict=True):
        assert_same_bits(one, other)
    return follows(step)


def trained(*arguments, **options):
    def make():
        model = network(*arguments, **options)
        return model, step_of(model, optim.SGD(model.parameters(), lr=1e-3))

    return make


FORWARD, BACKWARD = "linear_forward+relu_forward", "linear_backward+relu_backward"
DROPPED = "linear_backward+dropout_backward+relu_backward"


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [13, 39, 64, 300, 5000])
def test_training_steps(isa, dtype, rows, threads):
    """Of shapes with whole and cut vectors, of one block of k and of several, on all tiles."""
    pyml.set_num_threads(threads)
    for widths in ([64, 32], [160, 144], [300, 64]):
        found = check(trained(24, widths, dtype=dtype), rows=rows, dtype=dtype)
        assert found >= {FORWARD, BACKWARD} or rows in (13, 5000)


@pytest.mark.parametrize("p", [0.3, 0.99, 1.0])
def test_dropout(isa, dtype, p):
    for widths in ([64, 32], [300, 200], [131, 160]):
        found = check(trained(24, widths, dropout=p, dtype=dtype), dtype=dtype)
        assert found >= {FORWARD, DROPPED}


@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize(("rows", "threads"), [(1, 1), (39, 2), (64, 1), (300, 3)])
def test_bfloat16(unit, rows, threads, p):
    """Of shapes with whole tiles and others, of one block of k and of several."""
    pyml.set_num_threads(threads)
    with pyml.autocast():
        for widths in ([64, 96], [150, 1100, 33]):
            found = check(trained(24, widths, dropout=p), rows=rows)
            assert found >= {FORWARD, DROPPED if p else BACKWARD}
        check(trained(24, [7, 5], dropout=p), rows=rows)  # where memory is short of places


def held_by_a_hook():
    """A step whose gradients somebody holds, so that what follows a product is not in its place."""
    model = network(24, [64, 96])
    optimizer = optim.SGD(model.parameters(), lr=1e-3)

    def step(x, y):
        optimizer.zero_grad()
        held = []
        for layer in model[:-1]:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                x.register_hook(held.append)
        loss = F.mse_loss(model[-1](x), y)
        loss.backward()
        held.clear()
        optimizer.step()
        return (loss,)

    return model, step


def test_a_hook_holds_the_gradient():
    assert check(held_by_a_hook) >= {FORWARD, BACKWARD}


def test_a_hook_holds_the_gradient_in_bfloat16(unit):
    with pyml.autocast():
        assert check(held_by_a_hook) >= {FORWARD, BACKWARD}


def test_without_bias(dtype):
    assert check(trained(24, [64, 64], bias=False, dtype=dtype), dtype=dtype) >= {FORWARD, BACKWARD}


def test_few_columns_and_rows_stay_as_they_are():
    """Their tiles do not finish in registers, and another call is as quick."""
    assert check(trained(24, [7, 5]), rows=ROWS) == set()
    assert check(trained(24, [64, 64]), rows=1) == set()


def test_in_a_run_with_updates_behind_gradients():
    def result(run):
        model = network(530, [1040, 528])
        step = pyml.record(step_of(model, optim.Adam(model.parameters())))
        pyml.manual_seed(1)
        x, y = pyml.randn(3 * 52, 530), pyml.randn(3 * 52, 3)
        for _ in range(0 if run else 5):
            for i in range(0, len(x), 52):
                step(x[i : i + 52], y[i : i + 52])
        if run:
            step.run(x, y, batch_size=52, epochs=5, shuffle=False)
        return step, [p.detach().numpy().copy() for p in model.parameters()]

    (step, got), (_, wanted) = result(True), result(False)
    assert {"linear_backward+relu_backward+adam", FORWARD} & follows(step)
    for one, other in zip(got, wanted, strict=True):
        assert_same_bits(one, other)


LOOKED_AT = {
    "what relu was given is returned": lambda h, kept: kept.append(h),
    "and summed": lambda h, kept: kept.append(h.sum()),
    "its gradient is kept": lambda h, kept: (h.retain_grad(), kept.append(h))[0],
}


@pytest.mark.parametrize("how", LOOKED_AT)
def test_what_lies_between_is_there_for_whoever_looks(how):
    def make():
        model = network(24, [64, 64])
        optimizer = optim.SGD(model.parameters(), lr=1e-3)

        def step(x, y):
            kept = []
            optimizer.zero_grad()
            h = model[0](x)
            LOOKED_AT[how](h, kept)
            loss = F.mse_loss(model[2:](F.relu(h)), y)
            loss.backward()
            optimizer.step()
            return loss, kept[0].grad if kept[0].retains_grad else kept[0].detach()

        return model, step

    check(make)


def test_a_relu_that_is_read_twice():
    """The relu's output is there, the layer's own is not; a residual branch reads the input."""

    def make():
        model = network(64, [64, 64])
        optimizer = optim.SGD(model.parameters(), lr=1e-3)

        def step(x, y):
            optimizer.zero_grad()
            first = F.relu(model[0](x))
            second = first + F.relu(model[2](first))
            loss = F.mse_loss(model[4](second), y) + first.mean()
            loss.backward()
            optimizer.step()
            return loss, first.detach(), second.detach()

        return model, step

    assert FORWARD in check(make, inputs=64)


def test_shared_layers_and_gradients_of_inputs():
    def make():
        model = network(64, [64])
        optimizer = optim.SGD(model.parameters(), lr=1e-3)

        def step(x, y):
            optimizer.zero_grad()
            x = x.clone().requires_grad_()
            h = F.relu(x)
            for _ in range(3):
                h = F.relu(model[0](h))
            loss = F.mse_loss(model[2](h), y)
            loss.backward()
            optimizer.step()
            return loss, x.grad

        return model, step

    assert check(make, inputs=64) >= {FORWARD, BACKWARD}


def test_what_is_not_a_number_stays_none(isa):
    """NaN goes through relu as it is, and its gradient too."""
    pyml.manual_seed(0)
    layer, after = (nn.Linear(k, 64).requires_grad_(False) for k in (24, 64))

    def step(x):
        x = x.clone().requires_grad_()
        h = F.relu(after(F.relu(layer(x))))
        h.backward(pyml.ones_like(h))
        return h.detach(), x.grad

    x = pyml.randn(ROWS, 24)
    x[3, 4], x[7] = np.nan, -np.inf
    recorded = pyml.record(step)
    wanted = step(x)
    assert wanted[0].isnan().any() and not wanted[0].isnan().all()
    for _ in range(5):
        for one, other in zip(recorded(x), wanted, strict=True):
            assert_same_bits(one, other)
    assert follows(recorded) >= {FORWARD, BACKWARD}


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_blocks_of_k_that_are_summed_side_by_side(isa, dtype, threads):
    """Of a small product with long sums each block of k is a task: their total is finished."""
    pyml.set_num_threads(threads)
    layer = nn.Linear(2100, 64).to(dtype)
    x = pyml.randn(60, 2100, dtype=dtype)

    def step(x):
        with pyml.no_grad():
            return F.relu(layer(x)) + 1

    recorded, wanted = pyml.record(step), step(x)
    for _ in range(4):
        assert_same_bits(recorded(x), wanted)
    assert follows(recorded) == {FORWARD}


def test_what_lies_between_counts_no_bytes(dtype):
    _, step = history(trained(24, [64, 64], dropout=0.3, dtype=dtype), dtype=dtype)
    got = {kernel.name: kernel.bytes for kernel in step.stats().kernels}
    real, hidden, mask = dtype.itemsize, ROWS * 64, ROWS * 64 // 8
    forward = [ROWS * k + 64 * k + 64 + hidden for k in (24, 64)]
    # of a layer dy, dw and w, db; its x, the mask, relu's output, and what is stored
    backward = [ROWS * o + 2 * 64 * o + o + 3 * hidden for o in (64, 3)]
    assert got[FORWARD] == sum(forward) * real
    assert got[DROPPED] == sum(backward) * real + 2 * mask
