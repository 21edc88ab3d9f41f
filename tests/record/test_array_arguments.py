"""NumPy arrays as arguments: replays read them anew, and no way to their values goes past pyml."""

import copy
import operator
import pickle
import struct
from array import array as array_of_python

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits

OF_AN_ARRAY = {
    "product": lambda x: x * 2,
    "made a tensor": lambda x: pyml.tensor(x + 1),
    "sum": lambda x: pyml.ones(3) * x.sum(),
    "mean": lambda x: pyml.ones(3) * np.mean(x),
    "asarray": lambda x: pyml.ones(3) * float(np.asarray(x)[0]),
    "array": lambda x: pyml.ones(3) * float(np.array(x)[0]),
    "array without a copy": lambda x: pyml.ones(3) * float(np.asarray(x[:2])[0]),
    "asanyarray": lambda x: pyml.ones(3) * float(np.asanyarray(x)[0]),
    "contiguous": lambda x: pyml.from_numpy(np.ascontiguousarray(x)),
    "require": lambda x: pyml.ones(3) * float(np.require(x)[0]),
    "view": lambda x: pyml.ones(3) * float(x.view(np.ndarray)[0]),
    "view of another dtype": lambda x: pyml.ones(3) * float(x.view(np.int64)[0]),
    "flat": lambda x: pyml.ones(3) * float(x.flat[0]),
    "memoryview": lambda x: pyml.ones(3) * memoryview(x)[0],
    "data": lambda x: pyml.ones(3) * x.data[0],
    "ctypes": lambda x: x.ctypes.data and pyml.ones(3),
    "interface": lambda x: x.__array_interface__["data"] and pyml.ones(3),
    "struct": lambda x: x.__array_struct__ and pyml.ones(3),
    "dlpack": lambda x: pyml.ones(3) * float(np.from_dlpack(x)[0]),
    "frombuffer": lambda x: pyml.ones(3) * float(np.frombuffer(x)[0]),
    "bytes": lambda x: pyml.ones(3) * bytes(x)[0],
    "bytearray": lambda x: pyml.ones(3) * bytearray(x)[0],
    "struct.unpack": lambda x: pyml.ones(3) * struct.unpack("3d", x)[0],
    "array.array": lambda x: pyml.ones(3) * array_of_python("d", x)[0],
    "pickle": lambda x: pyml.ones(3) * float(pickle.loads(pickle.dumps(x))[0]),
    "copy": lambda x: pyml.ones(3) * float(x.copy()[0]),
    "copy.copy": lambda x: pyml.ones(3) * float(copy.copy(x)[0]),
    "copy.deepcopy": lambda x: pyml.ones(3) * float(copy.deepcopy(x)[0]),
    "iter": lambda x: pyml.ones(3) * float(next(iter(x))),
    "list": lambda x: pyml.ones(3) * sum(list(x)),
    "unpacked": lambda x: pyml.ones(3) * sum([*x]),
    "tolist": lambda x: pyml.ones(3) * x.tolist()[0],
    "item": lambda x: pyml.ones(3) * x.item(0),
    "float": lambda x: pyml.ones(3) * float(x[0]),
    "element": lambda x: pyml.ones(3) * (2.0 if x[0] == 1 else 1.0),
    "flags": lambda x: pyml.ones(3) * (2.0 if x.flags.writeable else 1.0),
    "base": lambda x: pyml.ones(3) * (2.0 if x.base is None else 1.0),
    "real": lambda x: pyml.ones(3) * float(x.real[0]),
    "equality": lambda x: pyml.ones(3) * float((x == 1).all()),
    "contains": lambda x: pyml.ones(3) * (2.0 if 1.0 in x else 1.0),
    "maximum by Python": lambda x: pyml.ones(3) * float(max(x)),
    "sum by Python": lambda x: pyml.ones(3) * float(sum(x)),
    "from the right": lambda x: pyml.ones(3) * float((2 * x)[0]),
    "an array from the right": lambda x: pyml.ones(3) * float((np.ones(3) * x)[0]),
    "repr": lambda x: pyml.ones(3) * len(repr(x)),
    "str": lambda x: pyml.ones(3) * len(str(x)),
    "format": lambda x: pyml.ones(3) * len(f"{x}"),
    "astype": lambda x: pyml.from_numpy(x.astype(np.float32)),
    "mask": lambda x: pyml.from_numpy(x[x > 0]),
    "rows": lambda x: pyml.from_numpy(x[[0, 1]]),
    "stack": lambda x: pyml.from_numpy(np.stack([x, x])),
    "list of arrays": lambda x: pyml.tensor([x, x]),
    "nditer": lambda x: pyml.ones(3) * float(next(np.nditer(x))),
    "vectorize": lambda x: pyml.ones(3) * float(np.vectorize(lambda each: each + 1)(x)[0]),
    "setitem": lambda x: x.__setitem__(0, 5.0) or pyml.from_numpy(x),
    "in place": lambda x: pyml.from_numpy(operator.iadd(x, 1)),
    "out": lambda x: pyml.from_numpy(np.add(1, 1, out=x)),
    "fill": lambda x: x.fill(3) or pyml.from_numpy(x),
    "sort": lambda x: x.sort() or pyml.from_numpy(x),
    "copyto": lambda x: np.copyto(x, 3) or pyml.from_numpy(x),
    "shape that is set": lambda x: setattr(x, "shape", (3, 1)) or pyml.from_numpy(x),
    "returned": lambda x: (x, pyml.ones(3)),
    "a part returned": lambda x: [x[:2]],
    "for the host": lambda x: pyml.host(len, x) or pyml.ones(3),
}


@pytest.mark.parametrize("name", OF_AN_ARRAY)
def test_what_numpy_computes_of_an_argument_is_refused(name):
    step = OF_AN_ARRAY[name]
    with pytest.raises(pyml.RecordError, match=rf"NumPy arrays?,?.* at {__file__}:"):
        pyml.record(step)(np.ones(3))


@pytest.mark.filterwarnings("ignore:record:UserWarning")
@pytest.mark.parametrize("name", sorted(OF_AN_ARRAY.keys() - {"shape that is set"}))
def test_what_numpy_computes_of_an_argument_may_go_on_eagerly(name):
    made, wanted = np.ones(3), np.ones(3)
    step = pyml.record(OF_AN_ARRAY[name], unrecordable="eager")
    for _ in range(3):
        assert_same_result(step(made), OF_AN_ARRAY[name](wanted))
        assert_same_bits(made, wanted)


def assert_same_result(got, wanted):
    if isinstance(wanted, (list, tuple)):
        for a, b in zip(got, wanted, strict=True):
            assert_same_result(a, b)
    else:
        assert type(got) is type(wanted)
        assert_same_bits(*[t.array if isinstance(t, pyml.Tensor) else t for t in (got, wanted)])


FORMS = {
    "slice": lambda x: x[1:],
    "step": lambda x: x[:, ::2],
    "row": lambda x: x[1],
    "new dimension": lambda x: x[None],
    "transposed": lambda x: x.T,
    "transposed by a method": lambda x: x.transpose(1, 0),
    "reshaped": lambda x: x.reshape(4, 3),
    "flat": lambda x: x.ravel(),
    "swapped": lambda x: x.swapaxes(0, 1),
    "by its shape": lambda x: x[: x.shape[0] - 1, : len(x)],
    "squeezed": lambda x: x[:1].squeeze(),
}
USES = {
    "from_numpy": lambda x: pyml.from_numpy(x) * 2,
    "tensor": lambda x: pyml.tensor(x) * 2,
    "as_tensor": lambda x: pyml.as_tensor(x, dtype=pyml.float32) * 2,
    "operand": lambda x: pyml.ones(1) * x,
    "operand from the left": lambda x: x - pyml.ones(1),
    "bound": lambda x: pyml.clamp(pyml.zeros(1), min=x),
    "compared": lambda x: pyml.zeros(1) < x,
    "weight": lambda x: pyml.lerp(pyml.zeros(1), pyml.ones(1), x),
    "chosen": lambda x: pyml.where(pyml.ones(1) > 0, x, pyml.zeros(1)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("form", FORMS)
def test_an_array_is_read_anew_by_each_replay(form, use):
    def step(x):
        assert isinstance(x, np.ndarray)
        return USES[use](FORMS[form](x))

    recorded = pyml.record(step)
    for call in range(1, 9):
        x = np.random.default_rng(call).normal(size=(3, 4))
        assert_same_bits(recorded(x).array, step(x).array)
    assert recorded.stats().replays > 3


def test_an_array_as_an_argument():
    """For pyml to make a tensor of it."""
    step = pyml.record(lambda x: pyml.from_numpy(x) * 2)
    for call in range(8):
        x = np.full(3, call, np.float32)
        assert_same_bits(step(x).array, x * 2)
