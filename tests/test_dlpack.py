"""Memory that goes to other libraries and comes from them without a copy: DLPack, __array__."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import pyml

DTYPES = [*(f"{k}{8 * n}" for k in ("int", "uint") for n in (1, 2, 4, 8)), "float32", "float64"]
DTYPES += ["bool"]


def of(dtype):
    return pyml.from_numpy(np.arange(12).reshape(3, 4).astype(dtype))


def same_memory(a, b):
    return a.__array_interface__["data"][0] == b.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_both_ways(dtype):
    t = of(dtype)
    array = np.from_dlpack(t)
    assert array.dtype == dtype and same_memory(array, t.numpy())
    back = pyml.from_dlpack(array)
    assert same_memory(back.numpy(), array) and back.tolist() == t.tolist()


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("uint16", "uint32", "uint64")])
def test_torch_both_ways(dtype):
    torch = pytest.importorskip("torch")
    t = of(dtype)
    theirs = torch.from_dlpack(t)
    assert theirs.data_ptr() == t.data_ptr() and theirs.tolist() == t.tolist()
    theirs[0, 0] = 1
    assert t[0, 0].item() == 1
    back = pyml.from_dlpack(theirs)
    assert back.data_ptr() == t.data_ptr()
    back[0, 1] = 0
    assert not theirs[0, 1]


JAX = """
import jax.numpy as jnp
import pyml
t = pyml.arange(6.0).view(2, 3)
assert jnp.from_dlpack(t).tolist() == t.tolist()
theirs = jnp.arange(4.0)
ours = pyml.from_dlpack(theirs)
assert ours.tolist() == [0, 1, 2, 3]
assert ours.data_ptr() == theirs.unsafe_buffer_pointer()
ours.add_(1)
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_both_ways():
    """In a process of its own: JAX's threads stay, and Python warns of each fork then."""
    run = subprocess.run([sys.executable, "-c", JAX], capture_output=True, text=True)
    assert "read-only memory" in run.stderr.splitlines()[-1]  # arrays of JAX do not change


def test_strides_and_sizes_of_all_kinds():
    t = of("float64")
    for view in (t.T, t[::2, 1:], t[1, 1], t[:0], pyml.ones(1, 3).expand(2, 3), t.flip(0)):
        array = np.from_dlpack(view)
        assert array.shape == tuple(view.shape) and array.tolist() == view.tolist()
        assert pyml.from_dlpack(array).tolist() == view.tolist()


def test_memory_lives_as_long_as_any_side():
    array = np.from_dlpack(pyml.arange(1000.0))
    others = [pyml.zeros(1000) for _ in range(10)]
    assert array.tolist() == list(range(1000)) and others
    t = pyml.from_dlpack(np.arange(1000.0))
    others = [np.zeros(1000) for _ in range(10)]
    assert t.tolist() == list(range(1000))


def test_versions_and_what_is_read_only():
    t = pyml.arange(3.0)
    assert 'capsule object "dltensor"' in repr(t.__dlpack__())
    assert 'capsule object "dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    array = np.arange(3.0)
    array.flags.writeable = False
    frozen = pyml.from_dlpack(array)
    with pytest.raises(ValueError, match="read-only memory"):
        frozen.add_(1)
    assert not np.from_dlpack(frozen).flags.writeable
    with pytest.raises(BufferError):
        frozen.__dlpack__()  # a capsule of old cannot say it


def test_capsules_are_used_up():
    t = pyml.arange(3.0)
    capsule = t.__dlpack__()
    assert pyml.from_dlpack(capsule).data_ptr() == t.data_ptr()
    assert pyml.from_dlpack(t.__dlpack__(stream=-1)).data_ptr() == t.data_ptr()
    with pytest.raises(BufferError, match="from_dlpack: "):
        pyml.from_dlpack(capsule)


def test_the_names_of_old():
    t = pyml.arange(3.0)
    capsule = pyml.utils.dlpack.to_dlpack(t)
    assert pyml.utils.dlpack.from_dlpack(capsule).data_ptr() == t.data_ptr()
    with pytest.raises(TypeError, match="to_dlpack"):
        pyml.utils.dlpack.to_dlpack([1.0])


def test_copies():
    t = pyml.arange(3.0)
    assert pyml.from_dlpack(t, copy=False).data_ptr() == t.data_ptr()
    copied = pyml.from_dlpack(t, copy=True)
    copied.add_(1)
    assert t.tolist() == [0, 1, 2]
    array = np.from_dlpack(t.__class__(t.numpy()))
    assert array.tolist() == [0, 1, 2]
    given = pyml.from_dlpack(t.__dlpack__(copy=True))
    assert given.data_ptr() != t.data_ptr()


def test_refusals():
    with pytest.raises(BufferError, match=r"use tensor\.detach"):
        pyml.ones(3, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="on the CPU"):
        pyml.ones(3).__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError, match="stream is 2"):
        pyml.ones(3).__dlpack__(stream=2)
    with pytest.raises(TypeError, match="from_dlpack: ext_tensor is a list"):
        pyml.from_dlpack([1, 2])
    with pytest.raises(TypeError, match=r"from_dlpack: ext_tensor.*complex64"):
        pyml.from_dlpack(np.ones(3, np.complex64))
    with pytest.raises(TypeError, match=r"from_dlpack: ext_tensor.*float16"):
        pyml.from_dlpack(np.ones(3, np.float16))
    torch = pytest.importorskip("torch")
    with pytest.raises(BufferError, match="as float32"):
        pyml.from_dlpack(torch.ones(3, dtype=torch.bfloat16))
    with pytest.raises(BufferError, match="on the CPU"):
        pyml.from_dlpack(torch.ones(3, device="meta"))


def test_recorded_steps_refuse():
    for call in (np.from_dlpack, pyml.from_dlpack):
        step = pyml.record(lambda x, call=call: pyml.ones(3) * float(call(x)[0]))
        with pytest.raises(RuntimeError, match="dlpack"):
            step(pyml.ones(3))


def test_array():
    t = pyml.arange(3.0)
    assert same_memory(np.asarray(t), t.numpy())
    assert np.asarray(t, np.float64).dtype == np.float64
    assert not same_memory(np.array(t), t.numpy())
    assert same_memory(t.__array__(copy=False), t.numpy())
    assert t.__array__("float32", copy=False).dtype == np.float32
    with pytest.raises(ValueError, match="copy is False"):
        t.__array__(np.float64, copy=False)
    with pytest.raises(ValueError, match="copy is False"):
        np.asarray(t, np.float64, copy=False)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(pyml.ones(3, requires_grad=True))
