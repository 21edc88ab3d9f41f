"""What NumPy computes in a recorded step. The bits of each operation: test_ops.py."""

import ctypes
import itertools
import threading

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn

CALLS = 6  # Python runs 1, 2 and 4, the others are replays


def matrices(singular=None):
    """Square ones; that of one call has no inverse."""
    pyml.manual_seed(0)
    for call in range(CALLS):
        yield call, pyml.zeros(3, 3) if call == singular else pyml.randn(3, 3)


@pytest.mark.parametrize("singular", range(CALLS))
@pytest.mark.parametrize("begins_with_a_step", [False, True])
def test_an_exception_arrives_where_it_does_eagerly(begins_with_a_step, singular):
    def play(wrap):
        layer = nn.Linear(3, 3, bias=False)
        layer.load_state_dict({"weight": pyml.eye(3)})
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
        results, count = [], []

        def step(x):
            if begins_with_a_step:
                optimizer.zero_grad()
                layer(x).square().mean().backward()
                optimizer.step()
            y = pyml.linalg.inv(x) @ layer.weight
            optimizer.zero_grad()
            y.sum().backward()
            return y.detach()

        step = wrap(step)
        for call, x in matrices(singular):
            try:
                result = step(x)
            except pyml.linalg.LinAlgError as error:
                assert "linalg.inv: Singular matrix (shape (3, 3))" in str(error)
                count.append(call)
                continue
            results += [t.array.copy() for t in (result, layer.weight, layer.weight.grad)]
        assert count == [singular]
        return results

    for got, wanted in zip(play(pyml.record), play(lambda f: f), strict=True):
        assert_same_bits(got, wanted)


def test_an_option_that_changes_unseen_is_found():
    decimals = ctypes.c_int(1)
    step = pyml.record(lambda x: x.round(decimals=decimals.value))
    for _ in range(3):
        step(pyml.ones(3))
    decimals.value = 2
    with pytest.raises(pyml.RecordError, match="NumPy computes something else"):
        step(pyml.ones(3))


def test_subnormal_numbers_are_what_they_are_eagerly():
    x = pyml.full((3,), 1e-40)
    step = pyml.record(lambda x: x.tan())
    for _ in range(CALLS):
        assert_same_bits(step(x).array, x.tan().array)
    assert x.tan().array.all()


def test_a_view_that_is_changed():
    def step(x, rows, columns):
        y = x * 2
        y[:, ::2][rows, columns] = x[0, 0]
        return y

    recorded = pyml.record(step)
    pyml.manual_seed(0)
    for _ in range(CALLS):
        x, rows = pyml.randn(4, 6), pyml.randint(4, (3,))
        columns = pyml.randint(3, (3,))
        assert_same_bits(recorded(x, rows, columns).array, step(x, rows, columns).array)


def test_what_numpy_made_of_an_argument_is_no_operand():
    step = pyml.record(lambda x: pyml.Tensor(np.ones(3, np.float32)).tan() * x)
    with pytest.raises(pyml.RecordError, match="NumPy"):
        step(pyml.ones(3))


def test_more_tensors_than_a_call_has():
    step = pyml.record(lambda x, i: x[(i,) * 16])
    with pytest.raises(pyml.RecordError, match="index of more than 16 tensors"):
        step(pyml.zeros((1,) * 16), pyml.zeros(2, dtype="int64"))


def test_a_run_takes_the_lock_for_each_and_leaves_it_to_others():
    """The same bits as its loop; another thread goes on meanwhile."""

    def train(play):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 2)
        optimizer = pyml.optim.Adam(layer.parameters())
        x = pyml.randn(60, 3)

        @pyml.record
        def step(x):
            optimizer.zero_grad()
            loss = (layer(x).cumprod(1) + layer(x).sort(1).values).sinh().mean()
            loss.backward()
            optimizer.step()
            return loss

        play(step, x)
        return layer

    counter, stop = itertools.count(), threading.Event()

    def count():
        while not stop.is_set():
            next(counter)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        ran = train(lambda step, x: step.run(x, batch_size=10, epochs=20, shuffle=False))
    finally:
        stop.set()
        thread.join()
    looped = train(lambda step, x: [step(rows) for _ in range(20) for rows in x.split(10)])
    assert next(counter) > 0
    for p, q in zip(ran.parameters(), looped.parameters(), strict=True):
        assert_same_bits(p.array, q.array)
