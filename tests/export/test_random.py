"""Random networks through every format and back: depth, widths, every layer, residuals, embeddings.

A test of a few networks is for every day; the same of many runs with --exhaustive.
"""

import copy
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import pyml
from export.compilers import (
    BARE,
    FOREIGN,
    HOSTED,
    STRICT,
    library,
    needed,
    rows_through,
    run,
    self_tests,
)
from export.keras_files import file_of
from export.nets import drawn, output_of
from export.test_torch_file import same
from pyml import export, nn
from pyml.export.modules import ACTIVATIONS, RULES

ULP = 256  # of the largest output
OWN = 16  # times what the model itself loses in float32: norms of rows that are nearly alike
OPTIONS = {  # what classes are made of, drawn anew each time; others have none
    nn.LeakyReLU: lambda x: {"negative_slope": x},
    nn.ELU: lambda x: {"alpha": x},
    nn.CELU: lambda x: {"alpha": x},
    nn.GELU: lambda x: {"approximate": "tanh" if x > 1 else "none"},
    nn.Softplus: lambda x: {"beta": x},
    nn.Hardtanh: lambda x: {"min_val": -x, "max_val": 2 * x},
    nn.Threshold: lambda x: {"threshold": x, "value": -x},
    nn.Hardshrink: lambda x: {"lambd": x},
    nn.Softshrink: lambda x: {"lambd": x},
}


class Residual(nn.Module):
    """x + layers(x)"""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, input):
        return input + self.layers(input)


@pytest.fixture(autouse=True, scope="module")
def rule_of_residuals():
    @export.rule(Residual)
    def _(tracer, module, x):
        return x + tracer(module.layers, x, name="layers")

    yield
    del RULES[Residual]


WIDTHS = st.sampled_from([1, 2, 3, 7, 15, 16, 17, 33])


@st.composite
def layers(draw, width, depth, residuals=True):
    """Layers from one width on, and the width behind them."""
    made = []
    for _ in range(depth):
        kind = draw(
            st.sampled_from(["linear", "linear", "act", "act", "norm", "drop", "residual", "twice"])
        )
        if kind == "linear":
            new = draw(WIDTHS)
            made.append(nn.Linear(width, new, bias=draw(st.booleans())))
            width = new
        elif kind == "act":
            cls = draw(
                st.sampled_from(
                    [*ACTIVATIONS, nn.PReLU, nn.GLU, nn.Softmax, nn.LogSoftmax, nn.Softmin]
                )
            )
            if cls is nn.GLU:
                if width % 2 == 0:
                    made.append(nn.GLU())
                    width //= 2
            elif cls in (nn.Softmax, nn.LogSoftmax, nn.Softmin):
                made.append(cls(draw(st.sampled_from([1, -1]))))
            elif cls is nn.PReLU:
                made.append(nn.PReLU(draw(st.sampled_from([1, width]))))
            else:
                number = draw(st.floats(0.125, 2, width=32))
                made.append(cls(**OPTIONS.get(cls, lambda x: {})(number)))
        elif kind == "norm":
            cls = draw(st.sampled_from([nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm]))
            if cls is nn.GroupNorm:  # a row of one number has no variance, and is refused
                cls = nn.LayerNorm if width == 1 else lambda width: nn.GroupNorm(1, width)
            made.append(cls(width))
        elif kind == "drop":
            made.append(
                draw(
                    st.sampled_from([nn.Dropout, nn.AlphaDropout, nn.Identity, nn.GaussianNoise])
                )()
            )
        elif kind == "residual" and residuals:
            inner, after = draw(layers(width, draw(st.integers(0, 2)), False))
            made.append(Residual(nn.Sequential(*inner, nn.Linear(after, width))))
        elif kind == "twice" and residuals:  # a layer that is shared
            layer = nn.Linear(width, width)
            made += [layer, nn.Tanh(), layer]
    return made, width


@st.composite
def nets(draw):
    """A network in evaluation mode, and rows that it takes."""
    inputs, count = draw(WIDTHS), draw(st.integers(1, 5))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    if draw(st.integers(0, 4)) == 0:
        table = nn.Embedding(draw(st.integers(1, 9)), draw(st.integers(1, 4)))
        front, width = [table, nn.Flatten()], table.embedding_dim * inputs
        rows = random.randint(0, table.num_embeddings, (count, inputs))
    else:
        front, width = [], inputs
        rows = random.standard_normal((count, inputs)).astype(np.float32)
    with pyml.random.fork_rng():
        made, width = draw(layers(width, draw(st.integers(0, 7))))
        model = nn.Sequential(*front, *made, nn.Linear(width, draw(WIDTHS)))
    if draw(st.booleans()):
        drawn(model)
    if draw(st.integers(0, 5)) == 0:
        model.double()
        rows = rows.astype(np.float64) if rows.dtype.kind == "f" else rows
    return model.eval(), rows


def agree(found, model, rows):
    """Does it compute what the model does?"""
    wanted = output_of(model, [rows])
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    state = {name: values.clone() for name, values in model.state_dict().items()}
    exact = output_of(model.double(), [rows.astype(np.float64) if rows.dtype.kind == "f" else rows])
    model.to(dtype=pyml.float32 if wanted.dtype == np.float32 else pyml.float64)
    model.load_state_dict(state)
    eps = np.finfo(wanted.dtype).eps
    own = np.abs(wanted - exact).max(initial=0)
    bound = max(ULP * eps * np.abs(wanted).max(initial=1e-30), OWN * own)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)


def through_files(model, rows):
    """Weights of a model through each file, bit by bit."""
    state = model.state_dict()
    for save, load in (
        (export.save_torch, export.load_torch),
        (export.save_npz, export.load_npz),
        (pyml.save, pyml.load),
    ):
        file = io.BytesIO()
        save(state, file)
        file.seek(0)
        found = load(file)
        assert list(found) == list(state)
        for name, values in state.items():
            assert found[name].dtype == values.dtype and (found[name] == values).all()
        model.load_state_dict(found)


def through_keras(model, rows):
    """Weights from each layout of Keras' files, into a network that has others."""
    pytest.importorskip("h5py")
    wanted = output_of(model, [rows])
    for layout in (3, 2, "model"):
        other, file = copy.deepcopy(model), file_of(model, layout)
        with pyml.no_grad():
            for weight in (*other.parameters(), *other.buffers()):
                weight.fill_(7)
        other.load_state_dict(export.load_keras(file, other))
        assert same(output_of(other, [rows]), wanted)


def through_memory(model, rows):
    """Weights of a model to NumPy, DLPack and Arrow and back: the same bits, on the same memory."""
    pa, state = pytest.importorskip("pyarrow"), model.state_dict()
    for values in state.values():
        for there in (np.asarray, np.from_dlpack, pyml.from_dlpack):
            back = pyml.from_dlpack(there(values))
            assert same(back, values) and back.data_ptr() == values.data_ptr()
    columns = {name: values if values.ndim else values[None] for name, values in state.items()}
    file = pa.BufferOutputStream()
    for column in columns.values():
        assert export.from_arrow(export.to_arrow(column)).data_ptr() == column.data_ptr()
        table = export.to_arrow({"": column})
        with pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    file, found = pa.BufferReader(file.getvalue()), {}
    for name, values in state.items():
        found[name] = export.from_arrow(pa.ipc.open_stream(file).read_all())[""].view(values.shape)
        assert same(found[name], values)
    wanted = output_of(model, [rows])
    with pyml.no_grad():
        for values in state.values():
            values.zero_()
    model.load_state_dict(found)
    assert same(output_of(model, [rows]), wanted)


def in_numpy(model, rows):
    with np.errstate(all="ignore"):
        agree(export.numpy(model, inputs=rows).predict(rows), model, rows)


def in_onnx(model, rows, opsets):
    """By onnxruntime, and back into a Module."""
    pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    is_double = any(p.dtype == pyml.float64 for p in model.parameters())
    if is_double and any(
        isinstance(m, nn.GELU) and m.approximate == "none" for m in model.modules()
    ):
        return  # onnxruntime has no Erf of float64
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    for opset in opsets:
        file = io.BytesIO()
        export.onnx(model, file, inputs=rows, opset=opset)
        session = ort.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
        agree(session.run(None, {"x": rows})[0], model, rows)
        file.seek(0)
        agree(output_of(export.load_onnx(file), [rows]), model, rows)


def in_torch(model, rows):
    """A state dict to PyTorch and back; networks of the same names compute the same."""
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    export.save_torch(model.state_dict(), file)
    file.seek(0)
    theirs = torch.load(file, weights_only=True)
    file = io.BytesIO()
    torch.save(theirs, file)
    file.seek(0)
    for name, values in export.load_torch(file).items():
        assert (values == model.state_dict()[name]).all()
    made = of_torch(torch, model)
    made.load_state_dict(theirs)
    if rows.dtype.kind == "f":  # that the networks are the same shows in float64
        rows = rows.astype(np.float64)
    with torch.no_grad():
        found = made.double().eval()(torch.from_numpy(rows)).numpy()
    wanted = output_of(model.double(), [rows])
    np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max(initial=1), rtol=0)


def of_torch(torch, module):
    """The network of torch.nn that a network of nn is."""
    if isinstance(module, nn.Sequential):
        seen = {}
        made = [seen.setdefault(id(child), of_torch(torch, child)) for child in module]
        return torch.nn.Sequential(*made)
    if isinstance(module, Residual):

        class TheirResidual(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = of_torch(torch, module.layers)

            def forward(self, input):
                return input + self.layers(input)

        return TheirResidual()
    if isinstance(module, nn.GaussianNoise):
        return torch.nn.Identity()
    dtype = (
        {"dtype": torch.float64}
        if any(p.dtype == pyml.float64 for p in module.parameters())
        else {}
    )
    name = type(module).__name__
    words = {
        "Linear": lambda m: (m.in_features, m.out_features, m.bias is not None),
        "Embedding": lambda m: (m.num_embeddings, m.embedding_dim),
        "PReLU": lambda m: (m.num_parameters,),
        "BatchNorm1d": lambda m: (m.num_features,),
        "LayerNorm": lambda m: (m.normalized_shape,),
        "RMSNorm": lambda m: (m.normalized_shape,),
        "GroupNorm": lambda m: (m.num_groups, m.num_channels),
        **{each: lambda m: (m.dim,) for each in ("GLU", "Softmax", "LogSoftmax", "Softmin")},
    }
    given = words[name](module) if name in words else ()
    options = {}
    for cls, names in OPTIONS.items():
        if type(module) is cls:
            options = {key: getattr(module, key) for key in names(1.0)}
    return getattr(torch.nn, name)(*given, **options, **dtype)


@st.composite
def c_files(draw):
    return draw(st.lists(nets(), min_size=1, max_size=8))


def in_c(models, compilers=("gcc",), others=()):
    """All in one program."""
    with tempfile.TemporaryDirectory() as folder:
        folder, names = Path(folder), [f"net_{i}" for i in range(len(models))]
        for name, (model, rows) in zip(names, models, strict=True):
            export.c(model, folder / f"{name}.h", inputs=rows)
        for compiler in compilers:
            loaded = library(compiler, folder, names)
            for name, (model, rows) in zip(names, models, strict=True):
                wanted = output_of(model, [rows])
                agree(rows_through(loaded, name, rows, wanted.shape[1:], wanted.dtype), model, rows)
                assert getattr(loaded, f"test_{name}")() == 0
        for compiler in others:
            if compiler in FOREIGN:
                assert self_tests(compiler, folder, names) == dict.fromkeys(names, 0)
            else:
                needed(compiler)
                text = "".join(f'#include "{name}.h"\n' for name in names)
                calls = " + ".join(f"{name}_self_test()" for name in names)
                (folder / "bare.c").write_text(f"{text}int main(void) {{ return {calls}; }}\n")
                run(
                    compiler,
                    *STRICT,
                    *BARE[compiler],
                    "-c",
                    "-o",
                    folder / "bare.o",
                    folder / "bare.c",
                )


def examples(count, strategy, check, phases=tuple(Phase)):
    """Checks so many examples."""
    limits = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    limits["phases"] = phases

    @settings(max_examples=count, **limits)
    @given(strategy)
    def each(example):
        check(example)

    each()


CHECKS = [through_files, through_keras, through_memory, in_numpy, in_torch]


@pytest.mark.parametrize("check", CHECKS)
def test_random_nets(check):
    examples(15, nets(), lambda net: check(*net))


def test_random_nets_in_onnx():
    examples(8, nets(), lambda net: in_onnx(*net, (13, 17, 22)))


def test_random_nets_in_c():
    examples(2, c_files(), lambda models: in_c(models, HOSTED[:1]), [Phase.generate])


@pytest.mark.exhaustive
@pytest.mark.parametrize("check", CHECKS)
def test_many_random_nets(check):
    examples(500, nets(), lambda net: check(*net))


@pytest.mark.exhaustive
def test_many_random_nets_in_onnx():
    examples(150, nets(), lambda net: in_onnx(*net, range(13, 23)))


@pytest.mark.exhaustive
def test_many_random_nets_in_c():
    examples(
        60, c_files(), lambda models: in_c(models, HOSTED, [*FOREIGN, *BARE]), [Phase.generate]
    )
