"""NumPy arrays among the arguments of a step: what NumPy computes of them is refused."""

import numpy as np
import pytest

import pyml
from pyml.recording.watched import READING, Watched

ARRAY = np.array([[3.0, 1.0], [2.0, 4.0]], np.float32)
COMPUTED = {
    "np.exp": lambda a: np.exp(a),
    "np.multiply": lambda a: a * 2,
    "np.subtract": lambda a: 1 - a,
    "np.add": lambda a: np.add.reduce(a),
    "np.concatenate": lambda a: np.concatenate([a, a]),
    "np.where": lambda a: np.where([[True, False]] * 2, a, 0),
    "a number": lambda a: a[0, 1],
}


def refusal(compute):
    """What the recording of a step with this in it raises."""

    @pyml.record
    def step(a):
        compute(a)
        return pyml.from_numpy(a) * 2

    with pytest.raises(pyml.RecordError) as caught:
        step(ARRAY.copy())
    return str(caught.value)


@pytest.mark.parametrize("name", COMPUTED)
def test_what_numpy_computes_is_refused(name):
    assert f"{name} of an argument that is a NumPy array" in refusal(COMPUTED[name])


@pytest.mark.parametrize("name", READING)
def test_methods_that_read_are_refused(name):
    text = f"{name}() of an argument that is a NumPy array"
    assert text in refusal(lambda a: getattr(a, name)())


def test_nothing_is_refused_without_a_recording():
    a = ARRAY.copy().view(Watched)
    for compute in COMPUTED.values():
        np.testing.assert_array_equal(np.asarray(compute(a)), compute(ARRAY))
    assert a.sum().item() == 10 and a.tolist() == ARRAY.tolist() and a.argmax() == 3
    assert type(a * 2) is np.ndarray


def test_parts_and_other_shapes_are_allowed():
    @pyml.record
    def step(a):
        return pyml.from_numpy(a[0].reshape(2, 1)) * 2

    for i in range(8):
        assert step(ARRAY + i).tolist() == [[6 + 2 * i], [2 + 2 * i]]
