"""Files of torch.save, read and written without PyTorch."""

import io
import os
import pickle
import time
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyml
from export.nets import CASES, net, output_of, rows
from pyml import export, nn


def written(obj):
    file = io.BytesIO()
    export.save_torch(obj, file)
    return file.getvalue()


def loaded(content):
    return export.load_torch(io.BytesIO(content))


def archive(pickle_bytes, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in {"data.pkl": pickle_bytes, **members}.items():
            made.writestr(f"archive/{name}", content)
    return file.getvalue()


def same(a, b):
    if isinstance(a, (pyml.Tensor, np.ndarray)):
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


WHOLE = ["int64", "int8", "uint8", "uint16", "uint32", "uint64"]
TENSORS = st.sampled_from(["float32", "float64", "bool", *WHOLE]).flatmap(
    lambda dtype: st.lists(st.integers(0, 3), max_size=3).map(
        lambda shape: pyml.tensor(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype))
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | TENSORS
TREES = st.recursive(
    LEAVES,
    lambda t: st.lists(t, max_size=3) | st.tuples(t) | st.dictionaries(st.text(max_size=3), t),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_trees_come_back(tree):
    assert same(loaded(written(tree)), tree)


def test_pytorch_reads_ours_and_we_read_its():
    torch = pytest.importorskip("torch")
    for name, (model, inputs) in CASES.items():
        state = model.state_dict()
        theirs = torch.load(io.BytesIO(written(state)), weights_only=True)
        assert list(theirs) == list(state)
        assert all(same(theirs[k].numpy(), state[k].numpy()) for k in state), name
        file = io.BytesIO()
        torch.save(
            {
                k: torch.nn.Parameter(v, v.is_floating_point()) if v.is_floating_point() else v
                for k, v in theirs.items()
            },
            file,
        )
        wanted = output_of(model, inputs)
        model.load_state_dict(loaded(file.getvalue()))
        assert same(output_of(model, inputs), wanted)


def test_models_of_pytorch():
    torch = pytest.importorskip("torch")
    layers = lambda n: n.Sequential(  # noqa: E731
        n.Linear(4, 8), n.BatchNorm1d(8), n.PReLU(), n.LayerNorm(8), n.GELU(), n.Linear(8, 3)
    )
    theirs, ours = layers(torch.nn).eval(), layers(nn)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    ours.load_state_dict(loaded(file.getvalue()))
    x = rows(4)
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(output_of(ours, [x]), wanted, atol=2e-6)
    halves = {"h": torch.ones(3).half(), "b": torch.ones(3).bfloat16(), "t": torch.ones(2, 3).T}
    file = io.BytesIO()
    torch.save(halves, file)
    found = loaded(file.getvalue())
    assert found["h"].tolist() == found["b"].tolist() == [1, 1, 1]
    assert found["t"].shape == (3, 2)


def test_newer_protocols():
    tree = {"a": [1, 2.5, "x" * 300, None], "b": OrderedDict(c=(1, True), d={}), "e": 2**70}
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert same(loaded(archive(pickle.dumps(tree, protocol))), tree)


def test_dtypes_and_protocols_of_pytorch():
    torch = pytest.importorskip("torch")
    for protocol in (2, 4):
        for name in WHOLE:
            whole = torch.arange(12).to(getattr(torch, name)).view(4, 3)[1:, ::2]
            file = io.BytesIO()
            torch.save({"a": whole, "again": whole}, file, pickle_protocol=protocol)
            found = loaded(file.getvalue())
            assert same(found["a"], whole.numpy()) and found["again"] is found["a"]
            theirs = torch.load(io.BytesIO(written(found)), weights_only=True)
            assert same(theirs["a"].numpy(), whole.numpy())


def test_time_grows_with_the_pickle():
    """Looking for each mark from the bottom of the stack took minutes here."""
    count, begun = 40_000, time.process_time()
    content = b"\x80\x02](" + b"N" * count + b"(t" * count + b"e."
    assert loaded(archive(content)) == [None] * count + [()] * count
    assert time.process_time() - begun < 20


def changed(content, old, new):
    """A file with other bytes in its pickle."""
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        parts = {name.partition("/")[2]: made.read(name) for name in made.namelist()}
    data = parts.pop("data.pkl")
    assert old in data
    return archive(data.replace(old, new), **parts)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/export_evil",)


def test_what_is_refused():
    plain = {"a": pyml.ones(2, 2)}
    content, whole = written(plain), written(np.arange(3, dtype=np.uint16))
    for damaged, words in (
        (pickle.dumps(plain["a"].numpy()), "not a zip file"),
        (archive(pickle.dumps(Evil(), 2)), r"it holds a posix\.system"),
        (archive(pickle.dumps(Evil(), 4)), r"it holds a posix\.system"),
        (archive(pickle.dumps(b"bytes", 4)), "instruction SHORT_BINBYTES"),
        (pickle.dumps(0x1950A86A20F9469CFC6C, 2), r"before PyTorch 1\.6.*weights_only=True"),
        (archive(b"\x80\x02(N."), "must make one"),
        (archive(b"\x80\x02t."), "there is none"),
        (archive(b"\x80\x02}q\x00h\x00."), "taken|unpack|hold|values"),
        (archive(b"\x80\x02]q\x00h\x00a."), "holds itself"),
        (archive(b"\x80\x02]e."), "cannot be read"),
        (archive(b"\x80\x02cbuiltins\neval\n."), r"builtins\.eval"),
        (archive(b"\x80\x02}", byteorder=b"big"), "big-endian"),
        (archive(b"garbage"), "cannot be read"),
        (content[:-30], "zip"),
        (changed(content, b"FloatStorage", b"EvilxStorage"), r"torch\.EvilxStorage"),
        (changed(content, b"\x8a\x01\x04tQ", b"\x8a\x01\x09tQ"), "has 4 numbers, it says 9"),
        (changed(content, b"0", b"9"), "is damaged"),
        (changed(whole, b"torch\nuint16", b"torch\nfloat8"), r"it holds a torch\.float8"),
        (changed(whole, b"torch\nuint16", b"torch\nByteStorage"), "does not say of which numbers"),
        (changed(whole, b"torch\nuint16", b"torch\nuint64"), "itemsize|divisor"),
    ):
        with pytest.raises(ValueError, match=words):
            loaded(damaged)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("archive/data.pkl", bytes(10**6))
    with pytest.raises(ValueError, match="compressed"):
        loaded(file.getvalue())
    assert not os.path.exists("/tmp/export_evil")


def tensor_of(size, strides, offset=0):
    """A file with a tensor of four numbers seen in some way."""
    content = written({"a": pyml.arange(4.0)})
    writer = export.torch_file.Pickle()
    for part in (offset, size, strides):
        writer.put(part, "")
    old = export.torch_file.Pickle()
    for part in (0, (4,), (1,)):
        old.put(part, "")
    return changed(content, b"".join(old.parts), b"".join(writer.parts))


def test_sizes_strides_and_offsets_stay_within_the_numbers():
    assert loaded(tensor_of((2, 2), (1, 2)))["a"].tolist() == [[0, 2], [1, 3]]
    assert loaded(tensor_of((2,), (2,), 1))["a"].tolist() == [1, 3]
    for size, strides, offset in (
        ((5,), (1,), 0),
        ((4,), (1,), 1),
        ((2,), (-1,), 1),
        ((2**62, 4), (0, 0), 0),
        ((-4,), (1,), 0),
        ((4,), (2**62,), 0),
        ((4,), (), 0),
    ):
        with pytest.raises(ValueError, match=r"a tensor|tensors are views"):
            loaded(tensor_of(size, strides, offset))


def test_views_of_one_storage():
    """Equal ones are one tensor; there cannot be more numbers of them than the file is long."""
    writer = export.torch_file.Pickle()
    writer.tensor(np.arange(1000, dtype=np.float32))
    once = b"".join(writer.parts)
    content = written({"a": pyml.arange(1000.0)})

    def many(count):
        parts = []
        for i in range(count):  # each begins at another place
            shorter = export.torch_file.Pickle()
            shorter.put(i, "")
            shorter.put((1000 - i,), "")
            zero = export.torch_file.Pickle()
            zero.put(0, "")
            zero.put((1000,), "")
            parts.append(once.replace(b"".join(zero.parts), b"".join(shorter.parts)))
        return changed(content, once, b"](" + b"".join(parts) + b"e")

    found = loaded(many(3))["a"]
    assert [each.tolist() for each in found] == [list(range(i, 1000)) for i in range(3)]
    with pytest.raises(ValueError, match="its tensors are views"):
        loaded(many(500))
    same_one = loaded(changed(content, once, b"](" + once + once + b"e"))["a"]
    assert same_one[0] is same_one[1]


def test_views_that_pytorch_writes():
    """Expanded ones, as far as the file is long; none that stand for other numbers."""
    torch = pytest.importorskip("torch")

    def theirs(tensor):
        file = io.BytesIO()
        torch.save({"a": tensor}, file)
        return loaded(file.getvalue())["a"]

    t = torch.arange(6.0).view(2, 3)
    for view in (t.T, t[1:, ::2], t[:1].expand(4, 3), t[:, None].expand(2, 5, 3), t[:0]):
        assert theirs(view).tolist() == view.tolist() and theirs(view).shape == tuple(view.shape)
    with pytest.raises(ValueError, match="its tensors are views"):
        theirs(t[:1].expand(2**40, 3))
    with pytest.raises(ValueError, match=r"is marked .'neg': True.; save it by .resolve_neg"):
        theirs(torch._neg_view(t))


def test_arrays_are_tensors_in_a_file():
    assert same(loaded(written({"a": np.arange(3.0)})), {"a": pyml.arange(3.0).double()})


def test_parts_that_are_longer_than_the_file():
    content = bytearray(written({"a": pyml.ones(1000)}))
    for i in range(content.rfind(b"PK\x01\x02") - 400, len(content) - 4):
        if content[i : i + 4] == (4000).to_bytes(4, "little"):  # sizes in the list of parts
            content[i : i + 4] = (400_000).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"longer than the file|cannot be read"):
        loaded(bytes(content))


def test_what_cannot_be_kept():
    for obj, words in ((net(nn.Linear(2, 2)), "state_dict"), ({(1,): 2}, "as a key")):
        with pytest.raises(TypeError, match=words):
            written(obj)
    tree = []
    tree.append(tree)
    with pytest.raises(ValueError, match="holds itself"):
        written(tree)
