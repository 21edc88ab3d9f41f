"""pyml.export.load_onnx: files of our own, of PyTorch, skl2onnx and as tf2onnx writes them."""

import io
import tracemalloc
import warnings
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest

import pyml
from export.nets import CASES, net, output_of, rows
from export.test_numpy import close
from pyml import export, nn
from pyml.export import onnx_reader

onnx = pytest.importorskip("onnx")
MEMBERS = ("FeatureLinear", "PiecewiseLinearEmbedding", "PBLDEmbedding", "LinearEnsemble")
MEMBERS += ("PeriodicEmbedding-0",)  # products of many matrices: no layers of a perceptron
ULP = 256


def written(model, **options):
    file = io.BytesIO()
    export.onnx(model, file, **options)
    return file.getvalue()


def loaded(content, **options):
    return export.load_onnx(io.BytesIO(content), **options)


@pytest.mark.parametrize("opset", (13, 22))
def test_ours_come_back(opset):
    names = [name for name in CASES if not name.startswith(MEMBERS)]
    for model, given in map(CASES.get, names[opset % 2 :: 2]):
        made = loaded(written(model, inputs=tuple(given), opset=opset))
        close(output_of(made, given), output_of(model, given), ULP)


def test_chains_are_sequential_and_go_out_again(tmp_path):
    model = net(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 2))
    made = loaded(written(model))
    assert type(made) is nn.Sequential and not made.training
    assert [type(layer) for layer in made] == [type(layer) for layer in model]
    for name, values in model.state_dict().items():
        assert (made.state_dict()[name] == values).all()
    x = rows(4)
    branches = net(nn.Linear(4, 3), nn.LayerNorm(3), nn.GELU())
    made = loaded(written(branches))
    close(export.numpy(made, inputs=x).predict(x), output_of(branches, [x]), ULP)
    made.load_state_dict({name: values.clone() for name, values in made.state_dict().items()})


def test_an_embedding_comes_back_as_one():
    """Without the guard that the file has against numbers below 0."""
    x = np.array([[0, 6], [3, 2]])
    model = nn.Sequential(nn.Embedding(7, 3), nn.Tanh()).eval()
    for _ in range(2):
        model = loaded(written(model, inputs=x))
        assert list(map(type, model)) == [nn.Embedding, nn.Tanh]
    with pytest.raises(IndexError):
        model(pyml.tensor(x - 1))


def test_the_random_numbers_stay_as_they_were():
    content = written(net(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)))
    state = pyml.get_rng_state()
    loaded(content)
    assert (pyml.get_rng_state() == state).all()


def test_options_of_norms():
    arrays = {name: f32(4) ** 2 for name in ("s", "b", "m", "v")}
    attributes = {"epsilon": 0.01, "momentum": 0.75}
    content = file_of([("BatchNormalization", ["x", *arrays], "y", attributes)], arrays)
    [norm] = loaded(content)
    assert norm.momentum == 0.25 and norm.eps == pytest.approx(0.01)
    x = rows(4)
    wanted = (x - arrays["m"]) / np.sqrt(arrays["v"] + 0.01) * arrays["s"] + arrays["b"]
    close(output_of(loaded(content), [x]), wanted, ULP)


def test_float64():
    model = net(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.PReLU(), nn.Linear(6, 2)).double()
    x = rows(4).astype(np.float64)
    found = output_of(loaded(written(model)), [x])
    assert found.dtype == np.float64
    close(found, output_of(model, [x]), ULP)


def torch_nets(torch):
    n = torch.nn

    class Branches(n.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = n.Linear(6, 8), n.Linear(8, 8), n.Linear(16, 3)
            self.norm, self.batch = n.LayerNorm(8), n.BatchNorm1d(8)

        def forward(self, x):
            h = torch.relu(self.a(x))
            h = h + n.functional.gelu(self.b(self.norm(h)))
            return torch.softmax(self.c(torch.cat([h, self.batch(h) * 0.5], 1)), -1)

    class Rows(n.Module):
        def __init__(self):
            super().__init__()
            self.table, self.layer = n.Embedding(7, 3), n.Linear(12, 4)

        def forward(self, x):
            x = self.table(x)
            return n.functional.glu(self.layer(x.view(x.size(0), -1)))

    shapes = torch.randn(5, 6), torch.randint(0, 7, (5, 4)), torch.randn(5, 3, 6)
    deep = n.Sequential(n.Linear(6, 4), n.SELU(), n.Dropout(0.3), n.Linear(4, 4), n.Hardswish())
    return zip((Branches(), Rows(), deep), shapes, strict=True)


def torch_norms(torch):
    n, x = torch.nn, torch.randn(5, 6, 4)
    norms = n.GroupNorm(2, 6), n.GroupNorm(3, 6, eps=0.1), n.InstanceNorm1d(6, affine=True)
    for norm in norms:
        with torch.no_grad():
            norm.weight.normal_()
            norm.bias.normal_()
    rows = n.Sequential(n.Linear(4, 6), norms[0], n.GroupNorm(2, 6, affine=False), n.Tanh())
    images = n.Sequential(norms[1], n.InstanceNorm1d(6), norms[2])
    return [(rows, x[:, 0]), (images, x), (norms[0], x)]


def as_pytorch(torch, model, x, opset, **options):
    """A file of one of its exporters."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its exporter
        torch.onnx.export(model.eval(), (x,), file, opset_version=opset, **options)
    return file.getvalue()


@pytest.mark.parametrize("opset", (11, 18))
def test_of_pytorch(opset):
    torch = pytest.importorskip("torch")
    options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}, "dynamo": False}
    for model, x in [*torch_nets(torch), *torch_norms(torch)]:
        made = loaded(as_pytorch(torch, model, x, opset, **options))
        with torch.no_grad():
            wanted = model(x).numpy()
        close(output_of(made, [x.numpy()]), wanted, ULP)
        close(export.numpy(made, inputs=x.numpy()).predict(x.numpy()), wanted, ULP)


@pytest.mark.exhaustive  # the exporter takes seconds
@pytest.mark.parametrize("opset", (18, 21))
def test_norms_of_pytorchs_newer_exporter(opset):
    """GroupNorm is an operator from opset 21 on, before an InstanceNormalization among reshapes."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    for model, x in torch_norms(torch):
        content = as_pytorch(torch, model, x, opset, dynamic_shapes=({0: "n"},), verbose=False)
        made = loaded(content)
        with torch.no_grad():
            wanted = model(x).numpy()
        close(output_of(made, [x.numpy()]), wanted, ULP)
        assert opset < 21 or any(type(layer) is nn.GroupNorm for layer in made)


@pytest.mark.parametrize("opset", (9, 17))
def test_of_skl2onnx(opset):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.RandomState(0).standard_normal((40, 5)).astype(np.float32)
    for made, y in (
        (MLPRegressor, x[:, 0]),
        (MLPClassifier, x[:, 0] > 0),
        (MLPClassifier, np.digitize(x[:, 0], [-0.5, 0.5])),
        (MLPClassifier, np.array(["low", "middle", "high"])[np.digitize(x[:, 0], [-0.5, 0.5])]),
        (MLPClassifier, np.where(x[:, 0] > 0, "yes", "no")),
    ):
        mlp = made(hidden_layer_sizes=(6, 3), max_iter=3, activation="tanh", random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            model = make_pipeline(StandardScaler(), mlp).fit(x, y)
            content = skl2onnx.to_onnx(model, x[:1], target_opset=opset).SerializeToString()
        name = "predict_proba" if made is MLPClassifier else "predict"
        wanted = getattr(model, name)(x).astype(np.float32)
        found = output_of(loaded(content), [x])
        close(found.reshape(wanted.shape), wanted, ULP)


def test_preprocessing_of_skl2onnx():
    """Missing numbers, columns by themselves, and what each is scaled by."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    x = np.random.RandomState(0).standard_normal((40, 5)).astype(np.float32)
    y, gaps = x[:, 0].copy(), x.copy()
    gaps[::3, 1] = gaps[1::3, 4] = np.nan
    apart = ColumnTransformer([("a", StandardScaler(), [4, 0]), ("b", MinMaxScaler(), [1, 2])])
    mlp = MLPRegressor(hidden_layer_sizes=(6, 3), max_iter=3, random_state=0)
    for first, given in ((SimpleImputer(), gaps), (apart, x)):
        model = make_pipeline(first, mlp)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            model.fit(given, y)
            content = skl2onnx.to_onnx(model, given[:1], target_opset=17).SerializeToString()
        made = loaded(content)
        close(output_of(made, [given]).ravel(), model.predict(given), ULP)
        close(export.numpy(made, inputs=given).predict(given).ravel(), model.predict(given), ULP)


H = onnx.helper


def file_of(
    nodes, constants=(), shape=("n", 4), outputs=("y",), opset=17, dtype="FLOAT", **options
):
    """A file of nodes (op, inputs, outputs, attributes)."""
    made = [
        H.make_node(op, inputs, [outputs] if isinstance(outputs, str) else outputs, **attributes)
        for op, inputs, outputs, attributes in nodes
    ]
    arrays = [
        value
        if isinstance(value, onnx.TensorProto)
        else onnx.numpy_helper.from_array(np.asarray(value), name)
        for name, value in dict(constants).items()
    ]
    info = H.make_tensor_value_info
    graph = H.make_graph(
        made,
        "g",
        [info("x", onnx.TensorProto.DataType.Value(dtype), shape)],
        [info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        arrays,
    )
    return H.make_model(
        graph, opset_imports=[H.make_opsetid("", opset)], **options
    ).SerializeToString()


def whole(*numbers):
    return np.array(numbers, np.int64)


def f32(*shape):
    return np.random.RandomState(1).standard_normal(shape).astype(np.float32)


ML = {"domain": "ai.onnx.ml"}


@pytest.mark.parametrize("missing", (np.nan, -1.0))
def test_imputer_and_columns(missing):
    x, filled = rows(4), np.array([1, 2, 3, 4], np.float32)
    x[0, 0] = x[2, 3] = missing
    attributes = {"imputed_value_floats": filled, "replaced_value_float": missing}
    nodes = [
        ("Imputer", ["x"], "h", {**ML, **attributes}),
        ("ArrayFeatureExtractor", ["h", "places"], "y", ML),
    ]
    made = loaded(file_of(nodes, {"places": whole(3, 0)}))
    wanted = np.where(np.isnan(x) if np.isnan(missing) else x == missing, filled, x)[:, [3, 0]]
    np.testing.assert_array_equal(output_of(made, [x]), wanted)
    for numbers in ({"imputed_value_floats": filled[:3]}, {"imputed_value_int64s": [1]}):
        with pytest.raises(ValueError, match="node Imputer says no float for each column"):
            loaded(file_of([("Imputer", ["x"], "y", {**ML, **numbers})]))
    for places in (whole(4), whole(-1)):
        with pytest.raises(ValueError, match=r"node ArrayFeatureExtractor takes columns .* of 4"):
            loaded(file_of([("ArrayFeatureExtractor", ["x", "p"], "y", ML)], {"p": places}))
    with pytest.raises(ValueError, match=r"is of ai\.onnx\.ml, and is not known; of .* Scaler"):
        loaded(file_of([("Normalizer", ["x"], "y", ML)]))


def test_rms_norm_of_opset_23():
    weight, model = f32(4), nn.RMSNorm(4, eps=1e-3)
    model.load_state_dict({"weight": pyml.tensor(weight)})
    node = ("RMSNormalization", ["x", "w"], "y", {"epsilon": 1e-3})
    made = loaded(file_of([node], {"w": weight}, opset=23))
    assert type(made[0]) is nn.RMSNorm
    x = rows(4)
    np.testing.assert_array_equal(output_of(made, [x]), output_of(model, [x]))


def test_as_tf2onnx_writes_them():
    """Kernels of MatMul, biases of Add, BatchNormalization as Mul and Add, shapes as constants."""
    w, b, scale, shift = f32(4, 6), f32(6), f32(6), f32(6)
    content = file_of(
        [
            ("Cast", ["x"], "c", {"to": onnx.TensorProto.FLOAT}),
            ("MatMul", ["c", "model/dense/MatMul/ReadVariableOp:0"], "m", {}),
            ("Add", ["m", "b"], "h", {}),
            ("Relu", ["h"], "r", {}),
            ("Mul", ["r", "scale"], "s", {}),
            ("Add", ["s", "shift"], "t", {}),
            ("Reshape", ["t", "shape"], "u", {}),
            ("Identity", ["u"], "y", {}),
        ],
        {
            "model/dense/MatMul/ReadVariableOp:0": w,
            "b": b,
            "scale": scale,
            "shift": shift,
            "shape": np.array([-1, 6]),
        },
        opset=15,
    )
    x = rows(4)
    made = loaded(content)
    close(output_of(made, [x]), np.maximum(x @ w + b, 0) * scale + shift, ULP)
    assert type(made) is nn.Sequential and type(made[1]) is nn.Linear


@pytest.mark.parametrize("shape", ((6,), (6, 5)))
def test_group_norm_as_onnx_computes_it(shape):
    arrays = {"s": f32(6) ** 2, "b": f32(6)}
    given = f32(3, *shape)
    node = "GroupNormalization", ["x", "s", "b"], "y", {"num_groups": 2, "epsilon": 0.01}
    content = file_of([node], arrays, shape=("n", *shape), opset=21)
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator(content)
    [norm] = made = loaded(content)
    assert repr(norm) == "GroupNorm(2, 6, eps=0.009999999776482582, affine=True, bias=True)"
    close(output_of(made, [given]), reference.run(None, {"x": given})[0], ULP)
    again = loaded(written(made, inputs=given[:1], opset=21))
    close(output_of(again, [given]), output_of(made, [given]), ULP)


def test_group_norm_of_reshapes():
    """As PyTorch writes it for opsets before 21; and a Reshape to the shape of another."""
    arrays = {"g": np.array([0, 2, -1]), "one": np.ones(2, np.float32), "w": f32(6, 1)}
    arrays["zero"] = arrays["one"] - 1
    nodes = [
        ("Reshape", ["x", "g"], "r", {}),
        ("InstanceNormalization", ["r", "one", "zero"], "i", {"epsilon": 0.01}),
        ("Shape", ["x"], "s", {"start": 0}),
        ("Reshape", ["i", "s"], "t", {}),
        ("Mul", ["t", "w"], "y", {}),
    ]
    norm = nn.GroupNorm(2, 6, eps=0.01)
    with pyml.no_grad():
        norm.weight.copy_(pyml.tensor(arrays["w"][:, 0]))
    x = f32(3, 6, 5)
    made = loaded(file_of(nodes, arrays, shape=("n", 6, 5)))
    close(output_of(made, [x]), output_of(norm, [x]), ULP)
    close(export.numpy(made, inputs=x[:1]).predict(x), output_of(norm, [x]), ULP)


def test_what_is_odd_and_right():
    x, w, b, column = rows(4), f32(3, 4), f32(3), f32(4, 1)
    for nodes, constants, wanted in (
        # a bias that two take is none, and one that is used twice stays one
        (
            [
                ("MatMul", ["x", "w"], "m", {}),
                ("Add", ["m", "b"], "a", {}),
                ("Mul", ["a", "m"], "y", {}),
            ],
            {"w": w.T.copy(), "b": b},
            (x @ w.T + b) * (x @ w.T),
        ),
        (
            [
                ("MatMul", ["x", "w"], "m", {}),
                ("Identity", ["m"], "i", {}),
                ("Add", ["i", "b"], "a", {}),
                ("Mul", ["a", "m"], "y", {}),
            ],
            {"w": w.T.copy(), "b": b},
            (x @ w.T + b) * (x @ w.T),
        ),
        (
            [("Gemm", ["x", "w", "b"], "y", {"transB": 1, "alpha": 2.0, "beta": 0.5})],
            {"w": w, "b": b},
            2 * x @ w.T + 0.5 * b,
        ),
        ([("Gemm", ["x", "w", "one"], "y", {"transB": 1})], {"w": w, "one": b[:1]}, x @ w.T + b[0]),
        (
            [("Transpose", ["w"], "t", {}), ("MatMul", ["x", "t"], "y", {})],
            {"w": w},
            x @ w.T,
        ),
        ([("Sub", ["one", "x"], "y", {})], {"one": np.ones((1, 4), np.float32)}, 1 - x),
        (
            [("Split", ["x"], ["p", "q"], {"axis": -1}), ("Sub", ["q", "p"], "y", {})],
            {},
            x[:, 2:] - x[:, :2],
        ),
        (
            [("Clip", ["x", "", "high"], "y", {})],
            {"high": np.float32(0.5)},
            np.minimum(x, 0.5),
        ),
        ([("Softmax", ["x"], "y", {})], {}, np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        ([("ReduceSum", ["x", "w"], "y", {"noop_with_empty_axes": 1})], {"w": whole()}, x),
        # sizes of a Shape that the file says are numbers
        ([*WIDTH, FLOAT, DIV], {"place": whole(1)[0]}, x / 4),
        (
            [("Shape", ["x"], "i", {"start": -1}), FLOAT, ROOT, BY_ROOT],
            {"half": np.float32(0.5)},
            x / 2,
        ),
        (
            [*WIDTH, ("Div", ["i", "two"], "h", {}), ("Slice", ["x", "h", "end", "last"], "y", {})],
            {"place": whole(1), "two": whole(2), "end": whole(2**62), "last": whole(-1)},
            x[:, 2:],
        ),
        # what PyTorch ends a regression with
        (
            [("MatMul", ["x", "w"], "m", {}), ("Squeeze", ["m", "axes"], "y", {})],
            {"w": column, "axes": whole(-1)},
            (x @ column)[:, 0],
        ),
        ([("Gather", ["x", "place"], "y", {"axis": 1})], {"place": whole(-1)[0]}, x[:, -1]),
        (
            [
                ("Shape", ["x"], "s", {}),
                ("Slice", ["s", "zero", "zero"], "none", {}),
                ("Concat", ["none", "all"], "t", {"axis": 0}),
                ("MatMul", ["x", "w"], "m", {}),
                ("Reshape", ["m", "t"], "y", {}),
            ],
            {"w": column, "zero": whole(0), "all": whole(-1)},
            (x @ column)[:, 0],
        ),
    ):
        content = file_of(nodes, constants)
        made = loaded(content)
        close(output_of(made, [x]), np.asarray(wanted, np.float32), ULP)
        close(export.numpy(made, inputs=x).predict(x), np.asarray(wanted, np.float32), ULP)


def test_whole_numbers_are_divided_as_onnx_does():
    x = np.arange(-9, 9).reshape(9, 2)
    nodes = [("Div", ["x", "d"], "q", {}), ("Cast", ["q"], "y", {"to": onnx.TensorProto.FLOAT})]
    for dtype in "INT64", "INT32":
        given = x.astype(dtype.lower())
        content = file_of(nodes, {"d": given[:1] // 3}, shape=("n", 2), dtype=dtype)
        made, wanted = loaded(content), np.trunc(x / (x[:1] // 3)).astype(np.float32)
        assert (output_of(made, [given]) == wanted).all()
        with pytest.raises(TypeError, match="a quotient of whole numbers is not written"):
            export.numpy(made, inputs=given)


def test_a_guard_that_is_used_elsewhere_stays():
    table, x = f32(5, 1), np.array([[3], [2]])
    content = file_of(
        [
            ("Less", ["x", "zero"], "less", {}),
            ("Where", ["less", "five", "x"], "place", {}),
            ("Gather", ["table", "place"], "rows", {}),
            ("Reshape", ["rows", "shape"], "row", {}),
            ("Cast", ["less"], "number", {"to": onnx.TensorProto.FLOAT}),
            ("Add", ["row", "number"], "y", {}),
        ],
        {"zero": whole(0)[0], "five": whole(5)[0], "table": table, "shape": whole(0, 1)},
        shape=("n", 1),
        dtype="INT64",
    )
    assert (output_of(loaded(content), [x]) == table[x[:, 0]]).all()


def test_constants_that_the_output_does_not_take():
    """skl2onnx writes the classes of a classifier, which are texts, for the label alone."""
    content = file_of(
        [
            ("Gemm", ["x", "w"], "scores", {}),
            ("ArgMax", ["scores"], "place", {"axis": 1}),
            ("ArrayFeatureExtractor", ["classes", "place"], "label", {"domain": "ai.onnx.ml"}),
            ("Softmax", ["scores"], "y", {}),
        ],
        {"w": f32(4, 3), "classes": np.array(["a", "b", "c"], object)},
        outputs=("label", "y"),
    )
    scores, x = net(nn.Linear(4, 3, bias=False), nn.Softmax(-1)), rows(4)
    scores.load_state_dict({"0.weight": pyml.tensor(f32(4, 3).T.copy())})
    close(output_of(loaded(content, output="y"), [x]), output_of(scores, [x]), ULP)
    with pytest.raises(ValueError, match="node ArgMax is no operator"):
        loaded(content, output="label")


def external():
    tensor = onnx.numpy_helper.from_array(f32(4, 3), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def claimed(dims, data=b""):
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, raw_data=data)
    tensor.dims.extend(dims)
    return tensor


def doubled(count):
    names = ["w", *(f"w{i}" for i in range(count))]
    nodes = [("Concat", [a, a], b, {"axis": 0}) for a, b in pairwise(names)]
    return [*nodes, ("Mul", ["x", names[-1]], "y", {})]


MATMUL = [("MatMul", ["x", "w"], "y", {})]
WIDTH = [("Shape", ["x"], "s", {}), ("Gather", ["s", "place"], "i", {})]
FLOAT = "Cast", ["i"], "c", {"to": onnx.TensorProto.FLOAT}
ROOT = "Pow", ["c", "half"], "r", {}
DIV = "Div", ["x", "c"], "y", {}
BY_ROOT = "Div", ["x", "r"], "y", {}
GEMM = "Gemm", ["x", "w", "b"], "y", {}
ADD = "Add", ["y", "b"], "z", {}
MUL = "Mul", ["x", "s"], "y", {}
GROUPS = "GroupNormalization", ["x", "w", "w"], "y", {"num_groups": 2}


EMPTY = {"w": claimed([0, 2**40]), "one": f32(1)}


def chained(count):
    names = ["x", *(f"x{i}" for i in range(count - 1)), "y"]
    return [("MatMul", [a, "w"], b, {}) for a, b in pairwise(names)]


@pytest.mark.parametrize(
    ("nodes", "constants", "words"),
    [
        ([("Split", ["x"], ["y", "z"], {"axis": 1})], {}, None),
        (
            [("Gather", ["w", "places"], "v", {}), ("Mul", ["x", "v"], "y", {})],
            {"w": f32(1, 2500), "places": np.zeros(10_000, np.int64)},
            "larger than the file",
        ),
        (
            [("Concat", ["w"] * 10_000, "v", {"axis": 0}), ("Mul", ["x", "v"], "y", {})],
            {"w": f32(1, 2500)},
            "larger than the file",
        ),
        (
            [("Mul", ["w", "v"], "u", {}), ("Mul", ["x", "u"], "y", {})],
            {"w": f32(1, 5000), "v": f32(5000, 1)},
            "larger than the file",
        ),
    ],
    ids=["Split", "Gather", "Concat", "Mul"],
)
def test_memory_is_counted_before_it_is_taken(nodes, constants, words):
    content = file_of(nodes, constants, shape=("n", 2**21))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words) if words else nullcontext():
            loaded(content)
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def test_too_little_memory_is_named(monkeypatch):
    def none(*arguments):
        raise MemoryError

    monkeypatch.setattr(onnx_reader, "parameter", none)
    with pytest.raises(ValueError, match="takes more memory than there is"):
        loaded(file_of(MATMUL, {"w": f32(4, 3)}))


def test_what_is_refused():
    for content, words in (
        (b"", "it is empty, or has no graph"),
        (b"PK\x03\x04", "no file of ONNX"),
        (written(net(nn.Linear(4, 3)))[:-40], "no file of ONNX|cannot be read"),
        (file_of(MATMUL, {"w": external()}), "'w' of the graph lies in another file"),
        (file_of(MATMUL, {"w": claimed([2**40, 2**20])}), "constant 'w'"),
        (file_of(MATMUL, {"w": claimed([-1, 4], bytes(64))}), r"sizes \[-1, 4\]"),
        (file_of(MATMUL, {"w": claimed([4, 3], bytes(47))}), "constant 'w'"),
        (file_of(MATMUL, {"w": np.array([["a"]], object)}), "is of STRING"),
        (file_of(MATMUL, {"w": f32(5, 3)}), "takes 5 numbers, the layer before it gives 4"),
        (file_of(MATMUL, {"w": f32(4)}), "must be a matrix"),
        (file_of([("MatMul", ["x"], "y", {})]), "cannot be read"),
        (file_of(MATMUL), "'w', which nothing before it gives"),
        (file_of([("MatMul", ["x", "x"], "y", {})]), "argument 1 that is computed"),
        (file_of([("Relu", ["y"], "y", {})]), "'y', which nothing before it gives"),
        (file_of([("Conv", ["x", "w"], "y", {})], {"w": f32(1, 1, 1)}), "node Conv is no operator"),
        (file_of([("Softmax", ["x"], "y", {"axis": 0})]), "axis 0"),
        (file_of([("ReduceSum", ["x", "w"], "y", {})], {"w": whole()}), "over the rows"),
        (file_of([("ReduceSum", ["x"], "y", {})]), "over the rows"),
        (file_of([("ReduceMean", ["x"], "y", {"axes": [1, -2]})]), "over the rows"),
        (file_of([GEMM], {"w": f32(4, 5), "b": f32(5, 1)}), r"bias of shape \(5, 1\)"),
        (file_of([GEMM], {"w": f32(4, 5), "b": f32(1, 1, 1)}), r"bias of shape \(1, 1, 1\)"),
        (
            file_of([MATMUL[0], ADD], {"w": f32(4, 3), "b": f32(1, 1, 3)}, outputs="z"),
            "along the rows",
        ),
        (file_of([("PRelu", ["x", "w"], "y", {})], {"w": f32(4, 1)}), "along the rows"),
        (file_of(MATMUL, {"w": f32(4, 2)}, shape=("n",)), "rows of 1 dimensions"),
        (
            file_of([("LayerNormalization", ["x", "w"], "y", {})], {"w": f32(4)}, shape=("n",)),
            "has axis -1 and a weight",
        ),
        (file_of([("Mul", ["x", "w"], "y", {})], {"w": f32(3, 4)}), "along the rows"),
        (file_of([("Reshape", ["x", "w"], "y", {})], {"w": np.array([1, -1])}), "must be 0 or -1"),
        (file_of([("Reshape", ["x", "w"], "y", {})], {"w": np.array([-1, 2])}), "other rows"),
        (file_of(doubled(60), {"w": f32(1, 4)}), "larger than the file"),
        (file_of([("Relu", ["x"], "y", {})], opset=6), "opset 6"),
        (file_of([("Relu", ["x"], "a", {})]), "'y', which nothing"),
        (file_of([("Relu", ["x"], "y", {})], outputs=("y", "z")), "by output="),
        (file_of([("Mystery", ["x"], "y", {"domain": "com.evil"})]), "is of com.evil"),
        (
            file_of(
                [("ConstantOfShape", ["w"], "v", {}), ("Add", ["x", "v"], "y", {})],
                {"w": np.array([2**40])},
            ),
            "larger than the file",
        ),
        (file_of([("Selu", ["x"], "y", {"alpha": 2.0})]), "those of SELU"),
        (file_of([("Identity", ["w"], "y", {})], {"w": f32(2, 2)}), "is constant"),
        (file_of([("Shape", ["x"], "s", {"end": 1}), MUL]), "node Mul takes the number of rows"),
        (file_of([("Shape", ["x"], "s", {}), MUL]), "node Mul takes the number of rows"),
        (
            file_of([*WIDTH, FLOAT, DIV], {"place": whole(0)[0]}),
            "node Cast takes the number of rows",
        ),
        (
            file_of(
                [*WIDTH, ("ConstantOfShape", ["i"], "c", {}), DIV],
                {"place": whole(1)},
                shape=("n", "m"),
            ),
            "or a size that the file does not say",
        ),
        (
            file_of(
                [
                    *WIDTH,
                    ("Concat", ["all", "i"], "t", {"axis": 0}),
                    ("Reshape", ["x", "t"], "y", {}),
                ],
                {"place": whole(0), "all": whole(-1)},
            ),
            r"has the shape \[-1, 'rows'\]",
        ),
        (file_of([("Squeeze", ["x", "w"], "y", {})], {"w": whole(1)}), "not of size 1"),
        (file_of([("Squeeze", ["x"], "y", {})]), "over the rows of the batch"),
        (
            file_of([("Slice", ["x", "w", "w", "w"], "y", {})], {"w": whole(0)}),
            "not of the last dimension",
        ),
        (
            file_of([("Gemm", ["x", "w", "one"], "y", {})], EMPTY, shape=("n", "m")),
            "by a matrix of",
        ),
        (
            file_of(chained(40), {"w": f32(160, 160)}, shape=("n", 160)),
            "layers are larger than 16 times the file",
        ),
        (file_of([GROUPS], {"w": f32(4)}, opset=20), "before 21"),
        (
            file_of([GROUPS], {"w": f32(5)}, opset=21),
            r"\(5\) must be divisible by num_groups \(2\)",
        ),
        (
            file_of([("InstanceNormalization", ["x", "w", "w"], "y", {})], {"w": f32(4)}),
            r"not of rows of \(channels, length\)",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            loaded(content)
    with pytest.raises(ValueError, match="no output 'z', but y"):
        loaded(file_of([("Relu", ["x"], "y", {})]), output="z")
    file = io.BytesIO(b"garbage")
    with pytest.raises(ValueError, match="BytesIO: "):
        export.load_onnx(file)
    assert file.tell() == 0


def test_damaged_files_raise_value_errors():
    content = written(net(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 2)))
    random = np.random.RandomState(0)
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.randint(0, len(damaged), 3):
            damaged[place] = random.randint(256)
        try:
            loaded(bytes(damaged))
        except ValueError as error:
            assert "BytesIO: " in str(error)
