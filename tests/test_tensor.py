"""Tensor: what it is, how it becomes other things, and who shares its memory."""

import copy
import gc
import inspect
import operator
import pickle
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from helpers.memory import from_read_only_memory
from pyml import nn


def test_attributes():
    x = pyml.zeros(2, 3, 4).transpose(0, 2)
    assert x.shape == x.size() == (4, 3, 2) and x.size(-1) == 2 and len(x) == 4
    assert x.ndim == x.dim() == 3 and x.numel() == x.nelement() == 24
    assert x.stride() == (1, 4, 12) and x.stride(1) == 4 and not x.is_contiguous()
    assert x.dtype == pyml.float32 and x.element_size() == 4 and x.is_floating_point()
    assert x.device == "cpu" and x.is_leaf and x.grad is None and x.grad_fn is None
    assert x.data_ptr() == x.numpy().ctypes.data and pyml.is_tensor(x) and not pyml.is_tensor(1)
    assert x.T.shape == (2, 3, 4) and x.mT.shape == (4, 2, 3) and pyml.numel(x) == 24


def test_attributes_of_ones_own_are_put_in_a_dict():
    x, own = pyml.ones(2), {"name": "x"}
    x.other = 1
    x.__dict__ = own
    assert x.name == "x" and not hasattr(x, "other") and vars(x) is own
    with pytest.raises(TypeError, match="expected dict"):
        x.__dict__ = None


def test_is_contiguous_in_a_format():
    x = pyml.zeros(2, 3, 4, 5)
    assert x.is_contiguous(memory_format="contiguous_format")
    assert not x.is_contiguous(memory_format="channels_last")
    assert x.permute(0, 3, 1, 2).is_contiguous(memory_format="channels_last")
    assert x[None].permute(0, 4, 1, 2, 3).is_contiguous(memory_format="channels_last_3d")
    assert not x[0].is_contiguous(memory_format="channels_last")
    with pytest.raises(ValueError, match="is_contiguous: memory_format is 'rows'"):
        x.is_contiguous(memory_format="rows")


def test_a_gradient_can_be_deleted():
    x = pyml.ones(2, requires_grad=True)
    x.sum().backward()
    del x.grad
    assert x.grad is None


def test_sizes_may_be_tensors():
    two = pyml.tensor(2)
    assert pyml.ones(two).shape == (2,) and pyml.zeros(two, two + 1).shape == (2, 3)
    with pytest.raises(TypeError, match="ones: sizes must be integers"):
        pyml.ones(pyml.tensor(2.0))


def test_constructor():
    assert pyml.Tensor([1, 2]).dtype == pyml.float32 and pyml.Tensor().shape == (0,)
    assert pyml.Tensor([1.0], requires_grad=True).requires_grad


def test_numbers():
    x = pyml.tensor([[2.5]])
    assert x.item() == float(x) == 2.5 and int(x) == 2 and bool(x) and x.tolist() == [[2.5]]
    assert f"{pyml.tensor(1.23456):.2f}" == "1.23" and list(range(5))[pyml.tensor(3)] == 3
    with pytest.raises(TypeError, match="integer"):
        [1, 2][pyml.tensor(1.0)]
    with pytest.raises(ValueError):
        pyml.ones(2).item()
    with pytest.raises(RuntimeError, match="ambiguous"):
        bool(pyml.ones(2))
    for use in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            use(pyml.tensor(1.0))


def test_iteration_and_membership():
    x = pyml.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    rows = list(x)
    assert [r.tolist() for r in rows] == [[1, 2], [3, 4]] and all(r.requires_grad for r in rows)
    assert 3 in x and 5 not in x and pyml.tensor(4.0) in x


def test_hash_is_that_of_the_object():
    x, y = pyml.ones(2), pyml.ones(2)
    assert {x: 1, y: 2}[x] == 1 and x in {x} and len({x, y}) == 2


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: pyml.tensor([1.0, 2]), "tensor([1., 2.])"),
        (lambda: pyml.tensor([1, 2]), "tensor([1, 2])"),
        (lambda: pyml.tensor(True), "tensor(True)"),
        (lambda: pyml.tensor([1.0], dtype=pyml.float64), "tensor([1.], dtype=float64)"),
        (lambda: pyml.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: pyml.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: pyml.tensor([[1.0, 2], [3, 4]]), "tensor([[1., 2.],\n        [3., 4.]])"),
    ],
)
def test_repr(make, text):
    assert repr(make()) == text


def test_numpy():
    x = pyml.ones(3)
    array = x.numpy()
    array[0] = 5
    assert x[0] == 5 and np.shares_memory(np.asarray(x), array)
    assert not np.shares_memory(np.array(x), array)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64 and np.sum(x.numpy()) == 7
    for function in (pyml.Tensor.numpy, np.asarray):
        with pytest.raises(RuntimeError, match="detach"):
            function(x.clone().requires_grad_())


@pytest.mark.filterwarnings("ignore:Setting the .* on a NumPy array:DeprecationWarning")
def test_an_array_has_a_shape_of_its_own_on_each_side():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for made in (pyml.from_numpy, pyml.as_tensor, pyml.Tensor._on):
        given = array.view()
        x = made(given)
        given.shape = (6,)
        assert x.shape == (2, 3) and np.shares_memory(x.numpy(), array)
        for taken in (x.numpy(), np.asarray(x), x.array, x.detach().numpy(), x.__reduce__()[1][1]):
            assert np.shares_memory(taken, array)
            taken.shape = (3, 2)
            taken.dtype = np.int32
        assert x.shape == (2, 3) and x.dtype == np.float32
    other = np.ones((2, 3), np.float32)
    x = pyml.tensor(array).requires_grad_()
    y = (x * other).sum()
    other.shape = (6, 1)
    y.backward()
    assert x.grad.shape == (2, 3)


def test_arrays_that_no_tensor_can_be_on():
    for array in (
        np.array(["a"]),
        np.array([object()]),
        np.ones(2, ">f4"),
        np.ones(2, complex),
        np.ones(2, "longdouble"),
        np.ones(2, "float16"),
    ):
        with pytest.raises(TypeError, match=r"dtype .* cannot be that of a tensor"):
            pyml.Tensor._on(array)
    for value in (None, 1, [1.0]):
        with pytest.raises(TypeError):
            pyml.Tensor._on(value)


def test_a_tensor_that_no_constructor_made_is_empty():
    x = pyml.Tensor.__new__(pyml.Tensor)
    assert x.shape == (0,) and x.dtype == np.float32 and x.sum() == 0 and x.tolist() == []
    assert repr(x.exp()) == "tensor([])" and copy.deepcopy(x).shape == (0,)


def test_a_tensor_without_numbers_shows_its_shape():
    assert repr(pyml.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(pyml.zeros(0)) == "tensor([])"


def test_reversed_is_a_tensor():
    x = pyml.arange(6.0).reshape(3, 2).requires_grad_()
    y = reversed(x)
    assert y.tolist() == [[4, 5], [2, 3], [0, 1]]
    (y * pyml.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    assert x.grad.tolist() == [[3, 3], [2, 2], [1, 1]]
    assert reversed(pyml.tensor(1.0)).item() == 1


class Tagged(pyml.Tensor):
    pass


def test_copies_keep_what_was_set_on_a_subclass():
    for kind in (Tagged, nn.Parameter):
        x = kind(pyml.ones(2))
        x.tag, x.me = [1], x
        for made in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
            assert type(made) is kind and made.tag == [1] and made.tolist() == [1, 1]
            assert made.requires_grad == x.requires_grad
        assert copy.copy(x).tag is x.tag
        deep = copy.deepcopy(x)
        assert deep.tag is not x.tag and deep.me is deep
        assert not np.shares_memory(deep.detach().numpy(), x.detach().numpy())


def test_copies():
    x = pyml.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert made.tolist() == [1, 1] and made.requires_grad and made.grad.tolist() == [2, 2]
        assert not np.may_share_memory(made.detach().numpy(), x.detach().numpy())
    both = copy.deepcopy([x, x])
    assert both[0] is both[1]
    for made in map(from_read_only_memory, (x.detach(), nn.Parameter(x.detach()))):
        with pyml.no_grad():
            assert made.add_(1).tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="leaf"):
        copy.deepcopy(x * 2)
    loaded = pickle.loads(pickle.dumps(x * 2))  # as in PyTorch, without the graph
    assert loaded.tolist() == [2, 2] and loaded.requires_grad and loaded.is_leaf


def test_detach_and_data_share_memory():
    x = pyml.ones(2, requires_grad=True)
    x.detach()[0] = 3.0
    assert x.tolist() == [3, 1] and not x.detach().requires_grad and x._version == 1
    x.data = pyml.tensor([7.0, 8])
    assert x.tolist() == [7, 8] and x.requires_grad
    x.data.fill_(0)
    assert x.tolist() == [0, 0] and x._version == 2


def test_numpy_by_force():
    x = pyml.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        x.numpy()
    x.numpy(force=True)[0] = 3.0
    assert x.tolist() == [3, 1] and x.requires_grad


def test_requires_grad():
    x = pyml.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with pytest.raises(RuntimeError, match="floating point"):
        pyml.ones(2, dtype=pyml.int64).requires_grad_()
    y = x.requires_grad_() * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False


def test_grad_is_checked():
    x = pyml.ones(2, requires_grad=True)
    x.grad = pyml.ones(2)
    x.grad = None
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        x.grad = pyml.ones(3)
    with pytest.raises(TypeError, match="float64"):
        x.grad = pyml.ones(2, dtype=pyml.float64)
    with pytest.raises(RuntimeError, match="its own"):
        x.grad = x
    with pytest.raises(TypeError):
        x.grad = np.ones(2)


def test_read_only_memory_is_not_written():
    array = np.ones(3)
    array.flags.writeable = False
    x = pyml.from_numpy(array)
    for change in (
        lambda: x.add_(1),
        lambda: x.add_(x.clone()),
        lambda: x.fill_(2),
        lambda: x.copy_(x),
        lambda: x.uniform_(),
        lambda: pyml.ones(1).expand(3).add_(1),
    ):
        with pytest.raises(ValueError, match="read-only"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1.0
    assert x._version == 0


OVERLAPPING = {  # shapes and strides, in elements, of writable memory
    "one row": ((4, 3), (0, 1)),
    "sliding rows": ((4, 3), (1, 1)),
    "half a row": ((4, 4), (2, 1)),
    "backwards": ((4, 4), (-2, 1)),
    "one element": ((3,), (0,)),
}


@pytest.mark.parametrize("layout", OVERLAPPING)
def test_elements_that_share_memory_are_not_written(layout):
    shape, strides = OVERLAPPING[layout]
    memory = np.arange(40.0)
    array = np.lib.stride_tricks.as_strided(memory[10:], shape, [8 * step for step in strides])
    x = pyml.from_numpy(array)
    for change in (
        lambda: x.add_(1),
        lambda: x.fill_(2),
        lambda: x.copy_(x.clone()),
        lambda: x.uniform_(),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.__setitem__(x > 0, 1.0),
        lambda: pyml.nn.functional.relu(x, inplace=True),
        lambda: pyml.nn.utils.clip_grad_norm_([gradient_of(x)], 0.1),
        lambda: pyml.nn.utils.clip_grad_value_([gradient_of(x)], 0.1),
    ):
        with pytest.raises(ValueError, match=r"share memory .*clone"):
            change()
    assert_same_bits(memory, np.arange(40.0))
    assert x._version == 0


def gradient_of(gradient):
    """A parameter that has it."""
    p = pyml.zeros(gradient.shape, dtype=gradient.dtype, requires_grad=True)
    p.grad = gradient
    return p


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::-3],
        lambda a: a.T[1:],
        lambda a: a[:, :1],
        lambda a: a[:0],
        lambda a: np.lib.stride_tricks.as_strided(a, (1, 3), (0, 8)),
        lambda a: a.reshape(2, 2, 3, 2).transpose(3, 1, 0, 2)[::-1],
    ],
)
def test_views_whose_elements_are_apart_are_written(view):
    array = np.zeros((4, 6))
    x = pyml.from_numpy(view(array))
    x.add_(1)
    assert array.sum() == x.numel() == x.sum()


def test_a_method_refuses_another_self():
    for self in (np.ones(3), 1.0, None):
        for name in ("numel", "dim", "item", "backward", "is_contiguous", "_mark_changed"):
            with pytest.raises(TypeError, match="Tensor"):
                getattr(pyml.Tensor, name)(self)
        with pytest.raises(TypeError, match="Node"):
            pyml.autograd.Node.name(self)


def test_help_shows_the_arguments_of_backward():
    arguments = ["gradient", "retain_graph", "create_graph", "inputs"]
    assert [*inspect.signature(pyml.ones(1).backward).parameters] == arguments
    assert "retain_graph: keep what the nodes saved" in pyml.Tensor.backward.__doc__


def test_every_operator_has_its_operation():
    """Each operation named in Tensor's operators, and by the walk of backward, exists."""
    files = [Path(__file__).parents[1] / "pyml" / name for name in ("tensor.pyx", "backward.pyx")]
    names = {name for file in files for name in re.findall(r"\bops\.(\w+)\(", file.read_text())}
    assert len(names) >= 30 and [n for n in sorted(names) if not hasattr(pyml.ops, n)] == []


def test_methods_do_what_the_functions_do():
    x = pyml.tensor([[0.5, 2.0], [1.5, 0.25]])
    for name in (
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "abs",
        "neg",
        "tanh",
        "sigmoid",
        "relu",
        "square",
        "reciprocal",
        "sign",
        "sin",
        "cos",
        "log1p",
        "expm1",
        "floor",
        "ceil",
        "round",
        "isnan",
        "isinf",
        "isfinite",
        "sum",
        "mean",
        "var",
        "std",
        "max",
        "min",
        "amax",
        "amin",
        "argmax",
        "argmin",
        "any",
        "all",
        "norm",
        "prod",
        "t",
        "clone",
    ):
        assert pyml.equal(getattr(x, name)(), getattr(pyml, name)(x)), name


def test_data_of_another_shape_takes_the_gradient_away():
    x = pyml.ones(2, requires_grad=True)
    x.sum().backward()
    x.data = pyml.ones(2) * 3
    assert x.grad.tolist() == [1, 1]
    for data in (pyml.ones(3), pyml.ones(3).double()):
        x.grad = pyml.ones_like(x)
        x.data = data
        assert x.grad is None
        x.sum().backward()
        assert x.grad.shape == (3,) and x.grad.dtype == data.dtype


def test_the_constructor_runs_once():
    x = pyml.ones(2, requires_grad=True)
    x.sum().backward()
    with pytest.raises(RuntimeError, match="has its values"):
        x.__init__([1.0, 2.0, 3.0])
    assert x.shape == (2,) and x.requires_grad and x.grad.tolist() == [1, 1]


def test_a_format_is_a_string():
    for x in (pyml.tensor(1.0), pyml.ones(2)):
        with pytest.raises(TypeError, match="str"):
            x.__format__(3)
    assert f"{pyml.tensor(1.5):.2f}" == "1.50"


def test_a_hook_is_a_function():
    for x in (pyml.ones(2, requires_grad=True), pyml.ones(2, requires_grad=True).exp()):
        with pytest.raises(TypeError, match="register_hook: hook is a int"):
            x.register_hook(3)
        x.sum().backward()


def test_what_is_set_on_a_tensor():
    """Programs mark tensors; marks are of the object, not of its values."""
    t = pyml.ones(2)
    t.mark, t.mine = 3, [t]
    assert t.mark == 3 and not hasattr(t.detach(), "mark") and not hasattr(t * 1, "mark")
    for same in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert same.mark == 3 and same.mine[0] is same
    assert t._cdata == t._cdata != pyml.ones(2)._cdata
    with pytest.raises(AttributeError, match="nothing"):
        t.nothing  # noqa: B018
    gone = weakref.ref(t)
    del t, same
    gc.collect()
    assert gone() is None


def test_a_tensor_has_a_dict_when_something_is_set():
    t = pyml.zeros(2)
    assert not any(type(each) is dict for each in gc.get_referents(t))
    t.itself = t
    assert {"itself": t} in [each for each in gc.get_referents(t) if type(each) is dict]
    gone = weakref.ref(t)
    del t
    gc.collect()
    assert gone() is None


def test_a_recorded_step_heeds_what_is_set_on_a_tensor():
    x = pyml.ones(2)
    x.factor = 2.0

    @pyml.record
    def step(y):
        return y * x.factor

    assert [step(pyml.ones(1)).item() for _ in range(3)] == [2, 2, 2]
    x.factor = 5.0
    assert step(pyml.ones(1)).item() == 5


@pytest.mark.parametrize("number", [float, int, pyml.Tensor.item, operator.index])
def test_several_are_not_one_number(number):
    """PyTorch raises RuntimeError, NumPy ValueError: it is both."""
    for shape in ((2,), (0,)):
        for error in (RuntimeError, ValueError):
            with pytest.raises(error, match=r"tensor of shape .* is not one number; tolist\(\)"):
                number(pyml.zeros(shape, dtype=pyml.int64))
    assert number(pyml.tensor([[3]])) == 3


def test_items_cannot_be_deleted():
    x = pyml.zeros(3)
    with pytest.raises(TypeError, match="no items to delete"):
        del x[0]
