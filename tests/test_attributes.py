"""What a tensor says of itself: dtype, Size, device; and the default dtype."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn

NAMES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
NAMES += ["float32", "float64"]


@pytest.fixture
def double():
    pyml.set_default_dtype(pyml.float64)
    yield
    pyml.set_default_dtype(pyml.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_numpys(name):
    ours, of_numpy = getattr(pyml, name), np.dtype(name)
    assert ours == of_numpy and of_numpy == ours and ours == name and ours == of_numpy.type
    assert hash(ours) == hash(of_numpy) and {ours: 1}[of_numpy] == 1
    assert (ours != of_numpy) is False and ours != None and ours != "complex64"  # noqa: E711
    assert np.zeros(2, dtype=ours).dtype == ours and pyml.zeros(2, dtype=of_numpy).dtype is ours
    assert str(ours) == repr(ours) == f"pyml.{name}" and f"{ours}" == name
    assert (ours.itemsize, ours.kind) == (of_numpy.itemsize, of_numpy.kind)
    assert ours.is_floating_point == (of_numpy.kind == "f") and not ours.is_complex
    assert ours.is_signed == (of_numpy.kind in "fi")
    assert pickle.loads(pickle.dumps(ours)) is copy.deepcopy(ours) is ours
    assert isinstance(ours, pyml.dtype)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "complex64", "complex128", "half"])
def test_names_alone(name):
    kind = getattr(pyml, name)
    for call in (
        lambda: pyml.zeros(2, dtype=kind),
        lambda: pyml.ones(2).to(kind),
        lambda: pyml.tensor([1.0], dtype=kind),
        lambda: pyml.set_default_dtype(kind),
    ):
        with pytest.raises(TypeError, match=r"not supported|must be float32 or float64"):
            call()
    with pytest.raises(TypeError, match="one object for each"):
        pyml.dtype()


def test_the_default_dtype(double):
    assert pyml.get_default_dtype() is pyml.float64
    assert pyml.ones(2).dtype == pyml.randn(2).dtype == pyml.tensor([1.5]).dtype == pyml.float64
    assert (pyml.arange(3) / 2).dtype == pyml.arange(3).exp().dtype == pyml.float64
    assert (pyml.arange(3) * 2.5).dtype == pyml.Tensor([1, 2]).dtype == pyml.float64
    assert nn.Linear(2, 3).weight.dtype == pyml.linspace(0, 1, 3).dtype == pyml.float64
    assert pyml.tensor(np.ones(2, np.float32)).dtype == pyml.float32
    pyml.set_default_tensor_type("torch.FloatTensor")
    assert pyml.ones(2).dtype == pyml.float32


def test_a_recorded_step_knows_the_default_dtype():
    step = pyml.record(lambda x: x * pyml.ones(2))
    x = pyml.ones(2)
    for _ in range(3):
        assert step(x).dtype == pyml.float32
    pyml.set_default_dtype(pyml.float64)
    try:
        assert step(x).dtype == pyml.float64
    finally:
        pyml.set_default_dtype(pyml.float32)


def test_size():
    x = pyml.zeros(2, 3)
    assert isinstance(x.shape, pyml.Size) and isinstance(x.shape, tuple) and x.shape == (2, 3)
    assert x.shape.numel() == x.size().numel() == 6 and pyml.zeros(()).shape.numel() == 1
    assert pyml.zeros(x.shape).shape == x.reshape(x.size()).shape == pyml.Size([2, 3])
    assert pickle.loads(pickle.dumps(x.shape)) == (2, 3)


def test_a_size_is_of_integers():
    size = pyml.Size([pyml.tensor(2), np.int64(3), 4])
    assert size == (2, 3, 4) and {*map(type, size)} == {int}
    assert pyml.Size(pyml.tensor([3, 4])) == (3, 4) and pyml.Size() == ()
    assert type(pickle.loads(pickle.dumps(size))) is type(copy.deepcopy(size)) is pyml.Size
    for wrong in ([1.5], pyml.ones(3), "23", 3):
        with pytest.raises(TypeError):
            pyml.Size(wrong)


def test_parts_and_sums_of_sizes_are_sizes():
    size = pyml.zeros(2, 3, 4).shape
    for part, wanted in (
        (size[:-1], (2, 3)),
        (size[::-1], (4, 3, 2)),
        (size + (5,), (2, 3, 4, 5)),  # noqa: RUF005
        ((5,) + size, (5, 2, 3, 4)),  # noqa: RUF005
        (size[:1] * 2, (2, 2)),
        (2 * size[:1], (2, 2)),
    ):
        assert type(part) is pyml.Size and part == wanted and part.numel() == np.prod(wanted)
    assert type(size[0]) is int and pyml.zeros(size[1:] + size[:1]).shape == (3, 4, 2)
    with pytest.raises(TypeError):
        size + [1]  # noqa: RUF005


def test_memory():
    x = pyml.arange(24).reshape(2, 3, 4)
    part = x[1:, 1:, 2:]
    assert (part.storage_offset(), x.storage_offset(), x.detach().storage_offset()) == (18, 0, 0)
    assert (x.itemsize, x.nbytes, part.nbytes, pyml.zeros(3).nbytes) == (8, 192, 32, 12)
    assert x.dim_order() == (0, 1, 2) and x.permute(2, 0, 1).dim_order() == (1, 2, 0)
    with pytest.raises(RuntimeError, match="several orders"):
        pyml.zeros(2, 1, 1).dim_order(ambiguity_check=True)
    assert x.is_cpu and not x.is_sparse_csr
    assert x[0, 0, 1].is_nonzero() and not pyml.is_nonzero(pyml.zeros(1))
    with pytest.raises(RuntimeError, match="ambiguous"):
        x.is_nonzero()
    y = pyml.empty_strided((2, 3), (1, 2))
    assert (
        y.stride() == (1, 2)
        and y.shape == (2, 3)
        and x.new_empty_strided((2,), (3,)).stride() == (3,)
    )
    assert pyml.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert pyml.empty_strided((0, 2), (5, 1)).shape == (0, 2)
    for call, match in (
        (lambda: pyml.empty_strided((2,), (1, 1)), "must be as long"),
        (lambda: pyml.empty_permuted((2, 3), (0, 0)), "each of the 2 dimensions once"),
        (lambda: x.new_zeros(2, layout="sparse"), "only strided"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    assert x.new_zeros(2, layout=pyml.strided, pin_memory=True).shape == (2,)


def test_of_buffers():
    array = np.arange(3.0)
    assert pyml.asarray(array).data_ptr() == array.ctypes.data
    assert pyml.asarray(array, copy=True).data_ptr() != array.ctypes.data
    assert pyml.asarray([1.0, 2.0], dtype=pyml.float64, requires_grad=True).requires_grad
    assert pyml.asarray(b"ab").tolist() == [97, 98]
    x = pyml.ones(2, requires_grad=True)
    assert pyml.asarray(x) is not x and not pyml.asarray(x).requires_grad
    with pytest.raises(ValueError, match="copy is False"):
        pyml.asarray([1.0], copy=False)
    memory = bytearray(array.tobytes())
    y = pyml.frombuffer(memory, dtype=pyml.float64, count=2, offset=8)
    y[0] = 5
    assert y.tolist() == [5, 2] and np.frombuffer(memory)[1] == 5


def test_device():
    x = pyml.zeros(2)
    assert x.device.type == "cpu" and x.device.index is None and x.device == "cpu"
    assert x.device == pyml.device("cpu") and str(x.device) == "cpu" and not x.is_cuda
    assert pyml.device("cuda:1").index == 1 and pyml.device("cuda", 1) == "cuda:1"
    assert x.to(pyml.device("cpu")) is x.to("cpu") is x.to(x.device) is x
    assert pyml.zeros(2, device=x.device).device == pyml.get_default_device()
    assert pickle.loads(pickle.dumps(x.device)) == x.device
    for wrong in ("gpu", "cpu:-1", "cpu:x"):
        with pytest.raises(ValueError, match="device: type is"):
            pyml.device(wrong)
        with pytest.raises(RuntimeError, match="device: type is"):  # as PyTorch's
            pyml.device(wrong)
    for call in (lambda d: x.to(d), lambda d: pyml.zeros(2, device=d), pyml.set_default_device):
        with pytest.raises(ValueError, match="only 'cpu' is available"):
            call(pyml.device("cuda"))
    with pyml.device("cpu") as device:
        assert device == pyml.zeros(2).device
    with pytest.raises(ValueError, match="only 'cpu' is available"), pyml.device("cuda"):
        pass
    with pytest.raises(ValueError, match=r"nn\.utils\.skip_init makes"), pyml.device("meta"):
        pass
    for call in (lambda: nn.Linear(3, 2, device="meta"), lambda: pyml.Generator("meta")):
        with pytest.raises(ValueError, match=r"nn\.utils\.skip_init makes"):
            call()
    with pytest.raises(ValueError, match="names are cpu"):
        pyml.device("gpu")
    with pytest.raises(TypeError, match="must be a name"):
        pyml.device(None)


def test_devices_that_are_not_there():
    assert not pyml.cuda.is_available() and pyml.cuda.device_count() == 0
    assert not pyml.mps.is_available() and not pyml.backends.mps.is_available()
    assert not pyml.xpu.is_available() and not pyml.accelerator.is_available()
    assert pyml.accelerator.current_accelerator() is None
    pyml.cuda.manual_seed_all(1)
    pyml.cuda.empty_cache()
    pyml.backends.cudnn.benchmark = True
    with pytest.raises(RuntimeError, match="there is no such device"):
        pyml.cuda.current_device()
    with pytest.raises(ValueError, match="only 'cpu'"):
        pyml.ones(1).cuda()


def test_classes_by_dtype():
    assert pyml.FloatTensor([1, 2]).dtype == pyml.float32
    assert pyml.LongTensor(2, 3).shape == pyml.FloatTensor(pyml.zeros(2, 3).shape).shape == (2, 3)
    assert isinstance(pyml.arange(3), pyml.LongTensor) and not isinstance(1, pyml.LongTensor)
    assert not isinstance(pyml.arange(3), pyml.FloatTensor)
    assert pyml.ones(2).type() == "pyml.FloatTensor" and pyml.LongTensor | None
    for name in ("torch.LongTensor", pyml.LongTensor, pyml.int64):
        assert pyml.ones(2).type(name).dtype == pyml.int64
    assert pyml.Tensor(2, 3).shape == (2, 3) and pyml.Tensor([2, 3]).shape == (2,)
    assert pyml.Tensor().shape == (0,) and pyml.Tensor(pyml.zeros(2, 3).size()).shape == (2, 3)
    with pytest.raises(TypeError, match="data, or sizes"):
        pyml.Tensor(2, 3.5)


def test_limits():
    assert pyml.finfo(pyml.float32).eps == np.finfo(np.float32).eps
    assert pyml.finfo().max == float(np.finfo(np.float32).max)
    assert pyml.finfo(pyml.bfloat16).bits == 16 and pyml.iinfo(pyml.int8).min == -128
    assert pyml.promote_types(pyml.int64, pyml.float32) is pyml.float32
    assert pyml.can_cast(pyml.int64, pyml.float32) and not pyml.can_cast(pyml.float32, pyml.int32)
    with pytest.raises(TypeError, match="integer dtype"):
        pyml.iinfo(pyml.float32)
    with pytest.raises(TypeError, match="floating point dtype"):
        pyml.finfo(pyml.int32)


def test_keywords_as_numpy_calls_them():
    x = pyml.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum(axis=0, keepdims=True).tolist() == [[4, 6]]
    assert pyml.cat([x, x], axis=1).shape == (2, 4) and x.argmax(axis=1).tolist() == [1, 1]
    out = pyml.zeros(2, 2)
    assert pyml.add(x, x, alpha=0.5, out=out) is out and out.tolist() == [[1.5, 3], [4.5, 6]]
    assert pyml.sum(x, 0, out=out[0]).tolist() == [4, 6] and out[0].tolist() == [4, 6]
    with pytest.raises(TypeError, match="sum: axis and dim mean the same"):
        x.sum(dim=0, axis=0)
    with pytest.raises(ValueError, match=r"mul: out has shape \(2, 2\)"):
        pyml.mul(x[0], 2, out=out)
    with pytest.raises(TypeError, match="mul: out has dtype int64"):
        pyml.mul(x, 2, out=pyml.zeros(2, 2, dtype=pyml.int64))
    with pytest.raises(RuntimeError, match="mul: out= is not differentiable"):
        pyml.mul(x.requires_grad_(), 2, out=out)


def test_sizes_by_keyword():
    assert pyml.zeros(size=(2, 3)).shape == pyml.rand(size=(2, 3)).shape == (2, 3)
    assert pyml.randint(5, size=(1,)).shape == pyml.randint(high=5, size=(1,)).shape == (1,)
    assert pyml.randint(3, 4, (2,)).tolist() == pyml.randint(low=3, high=4, size=(2,)).tolist()
    with pytest.raises(TypeError, match="given twice"):
        pyml.zeros(2, size=(2,))


def test_functions_of_numpy_give_tensors():
    y = np.sqrt(pyml.tensor([4.0, 9.0]))
    assert isinstance(y, pyml.Tensor) and y.tolist() == [2, 3]
    assert isinstance(np.add(pyml.ones(2), np.ones(2, np.float32)), pyml.Tensor)


def test_another_size_in_place():
    x = pyml.arange(6.0)
    assert x.resize_(2, 2) is x and x.tolist() == [[0, 1], [2, 3]]
    assert x.resize_as_(pyml.zeros(4)).tolist() == [0, 1, 2, 3]
    assert x.unsqueeze_(0).squeeze_().unsqueeze_(1).t_().shape == x.transpose_(0, 1).T.shape
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        pyml.ones(2, requires_grad=True).t_()
    with pytest.raises(RuntimeError, match="resize_: a tensor that requires grad"):
        pyml.ones(2, requires_grad=True).resize_(3)


def test_other_memory():
    x, y = pyml.arange(6.0).reshape(2, 3), pyml.empty(0)
    assert y.set_(x) is y and y.shape == (2, 3) and y.data_ptr() == x.data_ptr()
    assert y.set_(x, 1, (2, 2)).tolist() == [[1, 2], [3, 4]]
    assert y.set_(x, 0, (3, 2), (1, 3)).tolist() == [[0, 3], [1, 4], [2, 5]]
    y[0, 0] = 9
    assert x[0, 0] == 9
    with pytest.raises(ValueError, match=r"set_: size .* reach beyond"):
        y.set_(x, 3, (2, 2))


def test_of_the_same_kind():
    x = pyml.ones(2, dtype=pyml.float64)
    for y in (x.new(3), x.new_zeros(3), x.new_ones(size=(3,)), x.new_full((3,), 2), x.new_empty(3)):
        assert y.dtype == pyml.float64 and y.shape == (3,)
    assert x.new_tensor([1]).tolist() == x.new([1]).tolist() == [1]


def test_variable():
    x = pyml.ones(2)
    y = pyml.autograd.Variable(x, requires_grad=True)
    assert isinstance(y, pyml.autograd.Variable) and y.requires_grad and not x.requires_grad
    with pytest.warns(UserWarning, match="no effect"):
        pyml.autograd.Variable(x, volatile=True)


def test_print_options():
    x = pyml.tensor([1.23456])
    try:
        pyml.set_printoptions(precision=2)
        assert repr(x) == "tensor([1.23])"
        pyml.set_printoptions(sci_mode=True)
        assert repr(x) == "tensor([1.23e+00])"
    finally:
        pyml.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.2346])"
    with pytest.raises(ValueError, match="precision is -1"):
        pyml.set_printoptions(precision=-1)


def test_can_cast():
    """PyTorch's table: within a kind and upwards, signed or not."""
    kinds = ([pyml.bool], [pyml.uint8, pyml.int8, pyml.int64], [pyml.float32, pyml.float64])
    for i, sources in enumerate(kinds):
        for k, targets in enumerate(kinds):
            found = {pyml.can_cast(a, b) for a in sources for b in targets}
            assert found == {i <= k}, (sources, targets)
