"""pyml.export.c: every module compiled and run, by every compiler that is here."""

import io
import re
import tempfile
import warnings
from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest

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
from export.nets import CASES, drawn, net, output_of, rows
from export.test_numpy import close
from pyml import data, export, nn, optim, tabular
from pyml.export.modules import ACTIVATIONS, RULES

ULP = 64  # of the largest output: far within what a file's self-test allows
NAMES = {name: re.sub(r"\W", "_", name.lower()) for name in CASES}


@pytest.fixture(scope="module")
def headers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headers")
    for name, (model, given) in CASES.items():
        export.c(model, folder / f"{NAMES[name]}.h", inputs=tuple(given))
    return folder


@pytest.fixture(scope="module", params=HOSTED)
def compiled(request, headers):
    return library(request.param, headers, NAMES.values())


def test_equals_the_model_and_its_self_test(compiled):
    """One test for all, as each is a call of a function."""
    for name, (model, given) in CASES.items():
        wanted = output_of(model, given)
        x = np.concatenate([v.reshape(len(v), -1) for v in given], 1)
        close(rows_through(compiled, NAMES[name], x, wanted.shape[1:]), wanted, ULP)
        assert getattr(compiled, f"test_{NAMES[name]}")() == 0, name


@pytest.mark.parametrize("compiler", FOREIGN)
def test_other_processors(compiler, headers):
    found = self_tests(compiler, headers, NAMES.values())
    assert found == dict.fromkeys(NAMES.values(), 0)


@pytest.mark.parametrize("compiler", BARE)
def test_processors_without_a_system(compiler, headers):
    """Compiled and linked; what would run it is a board."""
    needed(compiler)
    lines = [f'#include "{name}.h"' for name in NAMES.values()]
    calls = " + ".join(f"{name}_self_test()" for name in NAMES.values())
    (headers / "bare.c").write_text("\n".join([*lines, f"int main(void) {{ return {calls}; }}\n"]))
    options = [*BARE[compiler], "--specs=nosys.specs", "--specs=nano.specs"]
    run(compiler, *STRICT, *options, "-o", headers / "bare", headers / "bare.c", "-lm")


def test_cpp(headers):
    needed("g++")
    lines = [f'#include "{name}.h"' for name in NAMES.values()]
    (headers / "all.cpp").write_text("\n".join(lines) + "\n")
    run("g++", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", headers / "all.cpp")


def written(model, **options):
    file = io.BytesIO()
    export.c(model, file, **options)
    return file.getvalue().decode()


def test_the_self_test_fails_for_a_wrong_weight(tmp_path):
    text = written(net(nn.Linear(4, 3)), name="net")
    first = re.search(r"net_0_bias\[3\] = \{ /\* \(3\) \*/\n    ([^,]+),", text).group(1)
    (tmp_path / "net.h").write_text(text.replace(first, "9.0f", 1))
    assert library("gcc", tmp_path, ["net"]).test_net() == 4


def test_names_sizes_and_nothing_but_the_library():
    model = net(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    text = written(model, name="my-net")
    for line in ("INPUTS 4", "OUTPUTS 2", "WEIGHT_BYTES 176", "SCRATCH_BYTES 48", "ULP 256"):
        assert f"#define MY_NET_{line}\n" in text
    for name in ("0_weight", "0_bias", "2_weight", "2_bias"):
        assert f"my_net_{name}[" in text
    assert re.findall(r"#include <(.*)>", text) == ["stddef.h", "stdint.h"]  # no libm for ReLU
    assert not re.search(r"\b(malloc|calloc|free|printf|static (?!const|inline))\b", text)
    assert text == written(model, name="my-net")


def test_no_row_of_an_embedding(tmp_path):
    export.c(net(nn.Embedding(7, 2)), tmp_path / "net.h", inputs=np.zeros((3, 2), int))
    loaded = library("gcc", tmp_path, ["net"])
    y = np.empty(4, np.float32)
    for row, code in (([0, 6], 0), ([0, 7], 1), ([-1, 0], 1)):
        assert loaded.run_net(np.array(row).ctypes, y.ctypes) == code


def test_float64(tmp_path):
    model = net(nn.Linear(4, 20), nn.GELU(), nn.Softplus(), nn.Linear(20, 2)).double()
    export.c(model, tmp_path / "net.h")
    x = rows(4).astype(np.float64)
    found = rows_through(library("gcc", tmp_path, ["net"]), "net", x, (2,), np.float64)
    close(found, output_of(model, [x]), ULP)


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_float64_without_a_float(tmp_path, mode):
    """STRICT warns of a float that becomes a double."""
    model = net(nn.EmbeddingBag(7, 3, mode=mode, padding_idx=2), nn.Linear(3, 2)).double()
    with pyml.no_grad():
        model[1].weight[0, 0], model[1].weight[1, 1] = np.inf, np.nan
    export.c(model, tmp_path / "net.h", inputs=np.array([[1, 2], [2, 2]]))
    assert library("gcc", tmp_path, ["net"]).test_net() == 0


def digits_net():
    pyml.manual_seed(0)
    images, labels = data.load_digits()
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(8):
        for batch in pyml.randperm(1400).split(100):
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval(), images, labels


def test_int8_with_what_it_costs(tmp_path):
    model, images, labels = digits_net()
    given = {"inputs": images[1400:], "targets": labels[1400:]}
    full = export.c(model, tmp_path / "full.h", **given)
    small = export.c(model, tmp_path / "small.h", dtype="int8", **given)
    wrong = (model(images[1400:]).argmax(1) != labels[1400:]).float().mean().item()
    assert full.loss == full.loss_before == small.loss_before == pytest.approx(wrong)
    assert abs(small.loss - small.loss_before) < 0.02
    assert full.error < 1e-5 < small.error < 0.1
    assert small.weight_bytes < 0.4 * full.weight_bytes
    loaded = library("gcc", tmp_path, ["full", "small"])
    assert loaded.test_full() == loaded.test_small() == 0
    x, wanted = images[1400:].numpy(), output_of(model, [images[1400:]])
    found = rows_through(loaded, "small", x, (10,))
    assert np.abs(found - wanted).max() / np.abs(wanted).max() == pytest.approx(
        small.error, rel=0.1
    )
    assert (found.argmax(1) != labels[1400:].numpy()).mean() == pytest.approx(small.loss, abs=3e-3)


def test_int8_of_missing_numbers_and_of_long_rows(tmp_path):
    small, x = net(nn.Linear(5, 3), nn.ReLU()), rows(5)
    long = nn.Linear(140_000, 1)  # whose sum is more than int32 has
    with pyml.no_grad():
        long.weight.fill_(1.0)
    export.c(small, tmp_path / "small.h", inputs=x, dtype="int8")
    export.c(long, tmp_path / "long.h", inputs=pyml.ones(2, 140_000), dtype="int8")
    loaded = library("gcc", tmp_path, ["small", "long"])
    assert loaded.test_small() == loaded.test_long() == 0
    found = rows_through(loaded, "long", np.ones((1, 140_000), np.float32), (1,))
    close(found, output_of(long, [np.ones((1, 140_000), np.float32)]))
    x[0, 2], x[1, 0] = np.nan, np.inf
    found = rows_through(loaded, "small", x, (3,))
    assert np.isnan(found[0]).all() and np.isfinite(found[1:]).all()


def test_targets_of_all_kinds():
    x = rows(3)
    first = (x[:, 0] > 0).astype(int)
    one, two, many = nn.Linear(3, 1), nn.Linear(3, 2), nn.Linear(3, 4)
    with pyml.no_grad():
        for model in (one, two, many):
            model.weight.zero_()
            model.bias.zero_()
            model.weight[0, 0] = 1

    def loss(model, targets, given=x):
        written = export.c(model, io.BytesIO(), inputs=given, targets=targets)
        assert written.loss == pytest.approx(written.loss_before, abs=1e-6)
        return written.loss

    for targets in (first, first[:, None], first == 1, pyml.tensor(first)):
        assert loss(one, targets) == 0
        assert loss(nn.Sequential(one, nn.Sigmoid()), targets) == 0
        assert loss(one, 1 - np.array(targets)) == 1
    mean = np.arange(9) - x[:, 0]
    assert loss(one, np.arange(9)) == pytest.approx((mean**2).mean(), rel=1e-5)
    assert loss(one, first.astype(float)) > 0  # numbers
    assert loss(two, 1 - first) == 0
    assert loss(many, np.zeros(9, int)) == pytest.approx(1 - first.mean())
    assert loss(many, pyml.zeros(9, 4, requires_grad=True)) > 0
    assert loss(many, output_of(many, [x[:1]])[0], x[:1]) == 0
    x = np.arange(60) % 7.0
    counts = tabular.fit({"x": x, "y": x % 2}, "y", task="counts", epochs=1).model
    found = counts.predict({"x": x})
    written = export.c(counts, io.BytesIO(), inputs={"x": x}, targets=(x % 2).astype(int))
    assert written.loss == pytest.approx(((found - x % 2) ** 2).mean(), rel=1e-3)
    for model, targets, words in (
        (many, np.zeros((4, 9)), r"shape \(4, 9\)"),
        (many, np.zeros(9), r"shape \(9,\) and dtype float64"),
        (many, np.arange(9), "classes from 0 to 8, the model has 4 outputs"),
        (one, np.zeros(8, int), r"that of outputs, \(9, 1\)"),
        (two, ["a"] * 9, "targets are texts, and the model gives numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            loss(model, targets)


ODD = ["a*/b", "**//x\nimport os; 1/0\n", "??/", "q\"\\'", "/*", "max", "predict", "NULL", "ﬁ", "²"]


def test_names_with_any_letters(tmp_path):
    """No name ends a comment, or is that of something else."""
    layers = {name: nn.Linear(3, 3) for name in ODD}
    model = drawn(nn.Sequential(OrderedDict(layers))).eval()
    x = rows(3)
    export.c(model, tmp_path / "net.h", inputs=x)
    loaded = library("gcc", tmp_path, ["net"])
    assert loaded.test_net() == 0
    close(rows_through(loaded, "net", x, (3,)), output_of(model, [x]), 4 * ULP)
    assert export.numpy(model, inputs=x).predict(x).shape == (9, 3)


class Named(nn.Module):
    """Parameters whose names are those of functions, macros and files."""

    NAMES = ("linear", "max", "predict", "test_x", "INPUTS", "file", "h1", "x", "y", "WEIGHTS")

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        for name in self.NAMES:
            setattr(self, name, nn.Parameter(pyml.ones(3)))

    def forward(self, input):
        input = self.layer(input).clamp(0, 6)
        for name in self.NAMES:
            input = input * getattr(self, name)
        return input


def test_names_of_parameters(tmp_path):
    @export.rule(Named)
    def _(tracer, module, x):
        x = tracer(nn.ReLU6(), tracer(module.layer, x, name="layer"))
        for name in module.NAMES:
            x = x * tracer.weight(getattr(module, name), name)
        return x

    try:
        model, x = drawn(Named()).eval(), rows(3)
        wanted = output_of(model, [x])
        export.c(model, tmp_path / "NET.h", inputs=x)
        loaded = library("gcc", tmp_path, ["NET"])
        assert loaded.test_NET() == 0
        close(export.numpy(model, tmp_path / "net.py", inputs=x).predict(x), wanted)
        assert list(np.load(tmp_path / "net.npz"))
        pytest.importorskip("onnx")
        file = io.BytesIO()
        export.onnx(model, file, inputs=x)
        file.seek(0)
        close(output_of(export.load_onnx(file), [x]), wanted)
    finally:
        del RULES[Named]


def test_rules_join_rows_of_one_number_of_dimensions():
    @export.rule(Named)
    def _(tracer, module, x):
        return x + tracer.weight(module.x, "x") * tracer.weight(module.y, "y")

    try:
        with pytest.raises(TypeError, match=r"before tracer\.weight"):
            export.numpy(Named(), inputs=rows(3))
    finally:
        del RULES[Named]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38])
def test_weights_of_all_values(tmp_path, value):
    for last in (nn.ReLU(), nn.Linear(3, 2)):
        model = net(nn.Linear(3, 3), last)
        with pyml.no_grad():
            model[0].weight[0, 0] = value
        export.c(model, tmp_path / "net.h", inputs=rows(3))
        assert library("gcc", tmp_path, ["net"]).test_net() == 0
        (tmp_path / "all_gcc.so").unlink()
    if not np.isfinite(value):
        with pytest.raises(ValueError, match="is not finite; use float32"):
            export.c(model, tmp_path / "net.h", inputs=rows(3), dtype="int8")


def test_missing_numbers_stay_missing(tmp_path):
    """In each activation, as in pyml and PyTorch."""
    x = np.array([[np.nan]], np.float32)
    names = {}
    for cls in ACTIVATIONS:
        model = cls(0.5, 7.0) if cls is nn.Threshold else cls()
        assert np.isnan(output_of(model, [x])), cls
        with np.errstate(invalid="ignore"):
            assert np.isnan(export.numpy(model, inputs=x).predict(x)), cls
        names[cls] = cls.__name__.lower()
        export.c(model, tmp_path / f"{names[cls]}.h", inputs=x)
    loaded = library("gcc", tmp_path, names.values())
    for cls, name in names.items():
        assert np.isnan(rows_through(loaded, name, x, (1,))), cls


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (0, 0), (1, 1), (2, 5_000, 1)])
def test_sizes_of_all_kinds(tmp_path, sizes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layer without numbers has no initial values
        model = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(sizes))).eval()
    x = rows(sizes[0])
    export.c(model, tmp_path / "net.h", inputs=x)
    loaded = library("gcc", tmp_path, ["net"])
    assert loaded.test_net() == 0
    close(rows_through(loaded, "net", x, sizes[-1:]), output_of(model, [x]))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(*(nn.Hardtanh() for _ in range(600))),
        nn.Ensemble([nn.Linear(3, 3) for _ in range(600)]),
    ],
)
def test_long_chains(tmp_path, model):
    x = rows(3)
    export.c(model, tmp_path / "net.h", inputs=x)
    wanted = output_of(model, [x])
    close(rows_through(library("gcc", tmp_path, ["net"]), "net", x, (3,)), wanted, 16 * ULP)
    close(export.numpy(model, inputs=x).predict(x), wanted, 16 * ULP)


def test_a_layer_that_is_there_twice(tmp_path):
    layer = nn.Linear(3, 3)
    model = net(layer, nn.Tanh(), layer)
    x, written = rows(3), export.c(model, tmp_path / "net.h")
    assert written.weight_bytes == 4 * 12
    close(rows_through(library("gcc", tmp_path, ["net"]), "net", x, (3,)), output_of(model, [x]))


def test_the_path_is_a_text(tmp_path):
    for path in (tmp_path / "net.h", str(tmp_path / "net.h"), bytes(tmp_path / "net.h")):
        assert export.c(net(nn.Linear(2, 2)), path).path == str(tmp_path / "net.h")


def test_a_file_without_a_name():
    with tempfile.TemporaryFile() as file:  # its name is a number
        export.c(net(nn.Linear(2, 2)), file)
        file.seek(0)
        assert b"model_predict(" in file.read()


def test_refusals(tmp_path):
    model = net(nn.Linear(4, 3))
    for options, words in (
        ({"dtype": "int8"}, "needs inputs"),
        ({"dtype": "int4"}, "must be 'float32' or 'int8'"),
        ({"inputs": np.zeros((0, 4))}, "it must have rows"),
        ({"inputs": np.zeros((2, 4)), "targets": [1, 2, 3]}, "targets has shape"),
        ({"inputs": (rows(4), rows(4))}, r"Linear \(0\) takes 1 input, and is given 2; `inputs`"),
        ({"name": 3}, "name is a int, it must be a str"),
        ({"name": b"net"}, "name is a bytes, it must be a str"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            export.c(model, tmp_path / "net.h", **options)
    with pytest.raises(TypeError, match="Bilinear takes 2 inputs, and is given 1"):
        export.c(nn.Bilinear(3, 4, 5), tmp_path / "net.h", inputs=rows(3))
    with pytest.raises(ValueError, match="no linear layer"):
        export.c(nn.ReLU(), tmp_path / "net.h", inputs=rows(3), dtype="int8")
    assert not (tmp_path / "net.h").exists()
