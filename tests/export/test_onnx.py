"""pyml.export.onnx: every module, run by onnxruntime."""

import io
import sys

import numpy as np
import pytest

from export.nets import CASES, net, output_of, rows
from export.test_numpy import close
from pyml import export, nn

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
ULP = 128  # of the largest output: onnxruntime's exp, tanh and erf are less exact


def session(model, **options):
    file = io.BytesIO()
    export.onnx(model, file, **options)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    return ort.InferenceSession(file.getvalue(), settings, providers=["CPUExecutionProvider"])


def run(loaded, given):
    names = [each.name for each in loaded.get_inputs()]
    [output] = loaded.run(None, dict(zip(names, given, strict=True)))
    return output


@pytest.mark.parametrize("opset", (13, 17, 22))
def test_equals_the_model(opset):
    """All cases at the default; at others the first of each module, each half of them."""
    names = list(CASES) if opset == 17 else [n for n in CASES if n.endswith("-0")][opset % 2 :: 2]
    for model, given in map(CASES.get, names):
        loaded = session(model, inputs=tuple(given), opset=opset)
        wanted = output_of(model, given)
        close(run(loaded, given), wanted, ULP)
        close(run(loaded, [x[:1] for x in given]), wanted[:1], 2 * ULP)  # another batch


def test_no_row_of_an_embedding():
    model, x = net(nn.Embedding(7, 2)), np.array([[0, 6]])
    loaded = session(model, inputs=x)
    close(run(loaded, [x]), output_of(model, [x]))
    for rows_of_none in ([[-1, 0]], [[0, 7]]):
        with pytest.raises(Exception, match="out of data bounds"):
            run(loaded, [np.array(rows_of_none)])


def test_float64_and_names():
    model = net(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 2)).double()
    x = rows(4).astype(np.float64)
    loaded = session(model)
    assert [each.shape for each in loaded.get_inputs()] == [["n", 4]]
    assert [each.name for each in loaded.get_outputs()] == ["y"]
    close(run(loaded, [x]), output_of(model, [x]), ULP)


def test_refusals(monkeypatch):
    model = net(nn.Linear(4, 3))
    for opset, error in ((12, ValueError), (23, ValueError), ("17", TypeError)):
        with pytest.raises(error, match="opset"):
            export.onnx(model, io.BytesIO(), opset=opset)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"onnx needs onnx: pip .*pyml-nn\[onnx\]"):
        export.onnx(model, io.BytesIO())
