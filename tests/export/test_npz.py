"""State dicts in .npz, and tensors as Arrow's arrays."""

import copy
import io
import zipfile

import numpy as np
import pytest

import pyml
from export.nets import CASES, net, output_of
from export.test_torch_file import same
from pyml import export, nn


def written(arrays):
    file = io.BytesIO()
    export.save_npz(arrays, file)
    return file.getvalue()


def loaded(content):
    return export.load_npz(io.BytesIO(content))


def test_state_dicts_come_back_and_numpy_reads_them(tmp_path):
    for model, given in CASES.values():
        state = model.state_dict()
        content = written(state)
        assert content == written(state)
        assert same(dict(loaded(content)), dict(state))
        with np.load(io.BytesIO(content)) as theirs:
            assert same(dict(theirs), dict(state))
        wanted = output_of(model, given)
        model.load_state_dict(loaded(content))
        assert same(output_of(model, given), wanted)
    export.save_npz(state, tmp_path / "net.npz")
    assert same(export.load_npz(tmp_path / "net.npz"), dict(state))


def test_names_and_arrays_of_all_kinds():
    arrays = {
        "file": np.arange(3),
        "a/b.npy": np.arange(6.0).reshape(2, 3).T,
        "": np.ones((), np.float32),
        "ü\n": np.zeros((0, 4), bool),
        "turned": np.arange(6)[::-2],
    }
    assert same(loaded(written(arrays)), {k: pyml.tensor(v) for k, v in arrays.items()})


def test_what_numpy_writes():
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(
            file,
            h=np.ones(3, np.float16),
            f=np.asfortranarray([[1, 2], [3, 4]]),
            b=np.array(3, ">i4"),
        )
        found = loaded(file.getvalue())
        assert found["h"].dtype == pyml.float32 and found["b"].item() == 3
        assert found["f"].tolist() == [[1, 2], [3, 4]]


def packed(header, data=b"", method=zipfile.ZIP_STORED, name="a.npy"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        head = repr(header).encode().ljust(117) + b"\n"
        archive.writestr(name, b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data)
    return file.getvalue()


def header(shape, descr="<f4"):
    return {"descr": descr, "fortran_order": False, "shape": shape}


def test_what_is_refused():
    content = written({"a": pyml.ones(3)})
    objects = io.BytesIO()
    np.savez(objects, a=np.array([object()]))
    for damaged, error, words in (
        (b"garbage", ValueError, "cannot be read"),
        (content[:-20], ValueError, "cannot be read"),
        (content.replace(b"(3,)", b"(9,)"), ValueError, "cannot be read|is damaged"),
        (packed(header((2**40, 2**30))), ValueError, "and is shorter"),
        (packed(header((-1, 4)), bytes(64)), ValueError, "and is shorter"),
        (packed(header((3,)), bytes(16)), ValueError, "has 16 bytes, the shape"),
        (packed(header((1,), "|O"), bytes(8)), TypeError, "dtype object"),
        (packed(header((1,), "<c8"), bytes(8)), TypeError, "dtype complex64"),
        (packed(header((1,), [("a", "<f4")]), bytes(8)), TypeError, "if it holds numbers"),
        (packed(header((1,)), bytes(4), zipfile.ZIP_LZMA), ValueError, "as NumPy does not"),
        (packed(header((1,)), bytes(4), name="a.txt"), ValueError, "is no .npy"),
        (packed("__import__('os')"), ValueError, "cannot be read"),
        (objects.getvalue(), TypeError, "dtype object"),
    ):
        with pytest.raises(error, match=words):
            loaded(damaged)
    for wrong in ([1], {"a": 1}, {1: pyml.ones(1)}, net(nn.Linear(1, 1))):
        with pytest.raises(TypeError, match="save_npz"):
            written(wrong)


# ---- Arrow ---------------------------------------------------------------------------------------

DTYPES = ["int8", "uint8", "int16", "int32", "int64", "uint64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (5,), (3, 2), (2, 3, 2), (0, 2)])
def test_arrow_both_ways_on_the_same_memory(dtype, shape):
    pytest.importorskip("pyarrow")
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    tensor = pyml.from_numpy(array)
    column = export.to_arrow(tensor)
    assert len(column) == shape[0]
    back = export.from_arrow(column)
    assert same(back, tensor)
    if array.size:
        assert back.data_ptr() == tensor.data_ptr()
        with pytest.raises(ValueError, match="read-only memory"):
            back.add_(1)


def test_arrow_tables():
    pa = pytest.importorskip("pyarrow")
    columns = {"x": pyml.arange(4.0), "y": pyml.ones(4, 2).T.T, "b": pyml.tensor([True, False] * 2)}
    table = export.to_arrow(columns)
    assert table.column_names == ["x", "y", "b"]
    assert same(export.from_arrow(table), columns)
    assert same(export.from_arrow(table.to_batches()[0]), columns)
    assert same(
        export.from_arrow(table.slice(1, 2)), {k: v[1:3].clone() for k, v in columns.items()}
    )
    two = pa.concat_tables([table, table])
    assert export.from_arrow(two)["x"].tolist() == [0, 1, 2, 3] * 2
    assert export.from_arrow(pa.chunked_array([], pa.int64())).shape == (0,)
    gaps = export.from_arrow(pa.array([1.5, None]))
    assert gaps[0] == 1.5 and gaps[1] != gaps[1]
    assert export.from_arrow(pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))).tolist() == [
        [1, 2],
        [3, 4],
    ]
    parameter = nn.Linear(2, 2).weight
    assert export.from_arrow(export.to_arrow(parameter)).tolist() == parameter.tolist()


def test_arrow_of_other_libraries():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for frame in (pd.DataFrame({"x": [1.0, 2.0]}), pl.DataFrame({"x": [1.0, 2.0]})):
        assert export.from_arrow(frame)["x"].tolist() == [1, 2]
    assert export.from_arrow(pl.Series([1, 2])).tolist() == [1, 2]
    assert pl.from_arrow(export.to_arrow({"x": pyml.arange(2)}))["x"].to_list() == [0, 1]


def test_tensors_are_arrays_to_arrow():
    pa, t = pytest.importorskip("pyarrow"), pyml.arange(3.0)
    column = pa.array(t)
    assert column.type == pa.float32() and column.buffers()[1].address == t.data_ptr()
    assert pytest.importorskip("polars").Series(t).to_list() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="requires grad"):
        pa.array(pyml.ones(2, requires_grad=True))


def test_arrow_refusals():
    pa = pytest.importorskip("pyarrow")
    turned = pa.fixed_shape_tensor(pa.int64(), (2, 1), permutation=[1, 0])
    turned = pa.ExtensionArray.from_storage(turned, pa.array([[1, 2]], pa.list_(pa.int64(), 2)))
    for data, error, words in (
        (turned, TypeError, "dimensions in another order"),
        ([1], TypeError, "data is a list"),
        (pa.array(["a"]), TypeError, "type string"),
        (pa.table({"a": ["x"]}), TypeError, "column 'a' is of Arrow's type string"),
        (pa.array([1, None]), ValueError, "1 gaps"),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), ValueError, "missing"),
    ):
        with pytest.raises(error, match=words):
            export.from_arrow(data)
    for data, error, words in (
        (3, TypeError, "tensors is a int"),
        (pyml.tensor(3), ValueError, "single number"),
        (pyml.ones(2, 0), ValueError, "its rows must have numbers"),
        ({"a": pyml.ones(1), "b": pyml.ones(2)}, ValueError, "different lengths"),
        ({1: pyml.ones(1)}, TypeError, "tensors has the name 1, a int"),
    ):
        with pytest.raises(error, match=words):
            export.to_arrow(data)


def test_parts_that_lie_on_each_other_are_refused(tmp_path):
    """A small file that would be read many times over."""
    path = tmp_path / "many.npz"
    np.savez(path, a=np.random.default_rng(0).normal(size=1000))
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(50):
            twin = copy.copy(archive.infolist()[0])
            twin.filename = f"b{i}.npy"
            archive.filelist.append(twin)
        archive._didModify = True  # writes the list anew
    with pytest.raises(ValueError, match="its parts are longer than the file"):
        export.load_npz(path)
