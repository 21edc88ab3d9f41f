"""Tables: the preprocessing goes along into C, NumPy and ONNX."""

import io
import subprocess

import numpy as np
import pytest

from export.compilers import FOREIGN, HOSTED, library, needed, run, self_tests
from export.nets import drawn, net, rows
from export.tables import MODELS, model_of, table_of
from export.test_c import STRICT, ULP
from export.test_numpy import close
from pyml import export, nn, tabular
from pyml.export import graph as g
from pyml.export.graph import Graph
from pyml.export.table import columns_of, graph_of, normal_quantile, predictions, rows_of
from pyml.export.traced import computed
from pyml.tabular.preprocessor import PARTS, parts_of


def agree(found, wanted, ulp=ULP):
    """Of float64 that comes of float32: the errors are those of float32."""
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        if array.dtype.kind == "f":
            assert found[name].dtype == np.float64
            close(found[name].astype(np.float32), array.astype(np.float32), ulp)
        else:  # where two are as good, either
            assert found[name].shape == array.shape
            assert (found[name] == array).mean() > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_numpy(name):
    model, table = MODELS[name]
    found = export.numpy(model, inputs=table).predict(*rows_of(model, table))
    agree(found if isinstance(found, dict) else {"prediction": found}, predictions(model, table))


@pytest.fixture(scope="module")
def headers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for name, (model, table) in MODELS.items():
        export.c(model, folder / f"{name}.h", inputs=table)
        export.c(model, folder / f"{name}_drawn.h")
    return folder


def text_or_null(value):
    return "NULL" if value is None else '"' + "".join(f"\\{b:03o}" for b in value.encode()) + '"'


def literal(value):
    if isinstance(value, np.integer):
        return "INT64_MIN" if value == np.iinfo(np.int64).min else str(value)
    return "(double)NAN" if value != value else str(value).replace("inf", "HUGE_VAL")


def program(name, model, table):
    """Lines of C that print what a header gives of all rows of a table."""
    rows = rows_of(model, table)
    kinds = ["const char *" if r.dtype == object else str(r.dtype) for r in rows]
    kinds = [{"float64": "double ", "int64": "int64_t "}.get(k, k) for k in kinds]
    items = [
        "{" + ", ".join(text_or_null(v) if r.dtype == object else literal(v) for v in r) + "}"
        for r in rows
    ]
    count = table.rows
    lines = [
        f"static {kind}{name}_{i}[{count}] = {item};"
        for i, (kind, item) in enumerate(zip(kinds, items, strict=True))
    ]
    wanted = predictions(model, table)
    several = len(wanted) > 1
    lines += [f"static void show_{name}(void)", "{", f"for (int t = 0; t < {count}; t++) {{"]
    if len(rows) > 1:
        given = ", ".join(f"{name}_{i}[t]" for i in range(len(rows)))
        lines += [f"const {name}_inputs x = {{{given}}};"]
    sizes = {key: int(np.prod(a.shape[1:], dtype=int)) for key, a in wanted.items()}
    if several:
        lines += [f"{name}_outputs y;"]
    else:
        lines += [f"double y[{sizes['prediction']}];"]
    x = "&x" if len(rows) > 1 else f"{name}_0 + t"
    lines += [f'if ({name}_predict({x}, {"&y" if several else "y"})) printf("wrong");']
    for key, array in wanted.items():
        for j in range(sizes[key]):
            place = (f"y.{key}" + (f"[{j}]" if array.ndim > 1 else "")) if several else f"y[{j}]"
            is_text = array.dtype == object
            shown = place if is_text else f"(double){place}"
            lines += [f'printf("{"%s" if is_text else "%.17g"}\\t", {shown});']
    return [*lines, 'printf("\\n");', "}", "}"]


def table_from(text, wanted):
    """{name: array} of what a program has printed."""
    cells = [line.rstrip("\t").split("\t") for line in text.splitlines()]
    found, at = {}, 0
    for key, array in wanted.items():
        size = int(np.prod(array.shape[1:], dtype=int))
        part = np.array([row[at : at + size] for row in cells]).reshape(array.shape)
        at += size
        number = part if array.dtype == object else part.astype(float)
        found[key] = number if array.dtype.kind in "fO" else number.astype(array.dtype)
    return found


@pytest.mark.parametrize("compiler", HOSTED)
def test_c(compiler, headers):
    needed(compiler)
    names = [*MODELS, *(f"{name}_drawn" for name in MODELS)]
    lines = ["#include <stdio.h>", *(f'#include "{name}.h"' for name in names)]
    for name, (model, table) in MODELS.items():
        lines += program(name, model, table)
    lines += ["int main(void)", "{"]
    for name in MODELS:
        lines += [f'printf("%d\\n", {name}_self_test() + {name}_drawn_self_test());']
        lines += [f"show_{name}();"]
    source, target = headers / f"main_{compiler}.c", headers / f"main_{compiler}"
    source.write_text("\n".join([*lines, "return 0;", "}"]) + "\n")
    run(compiler, *STRICT, "-O0", "-o", target, source, "-lm")
    printed = run(target).splitlines()
    for model, table in MODELS.values():
        assert printed.pop(0) == "0"
        text = "\n".join(printed[: table.rows])
        del printed[: table.rows]
        wanted = predictions(model, table)
        agree(table_from(text, wanted), wanted)


@pytest.mark.parametrize("compiler", FOREIGN)
def test_c_for_other_processors(compiler, headers):
    assert self_tests(compiler, headers, MODELS) == dict.fromkeys(MODELS, 0)


def test_columns_in_c():
    model, _ = MODELS["noisy"]
    file = io.BytesIO()
    export.c(model, file, name="net")
    text = file.getvalue().decode()
    assert "same" not in text  # it is in no training row anything else
    for line in (
        "    double a_b; /* a number; NAN if it is missing */",
        "    double class_; /* 0, 1; NAN if it is missing */",
        "    int64_t date; /* microseconds since 1970; INT64_MIN if it is missing */",
        "    const char *prediction;",
        "    double probability[2];",
    ):
        assert line in text
    assert "NULL if it is missing */" in text


TAKEN = """
class concept requires co_await and_eq const_cast char16_t constinit typeof nullptr alignas M_PI
M_1_PI M_E INT64_MIN UINT8_MAX INT_FAST8_MAX SIZE_MAX PTRDIFF_MAX FP_NAN HUGE_VAL HUGE_VALF NAN NULL
MATH_ERRNO MAXFLOAT BIG_ENDIAN RAND_MAX EXIT_FAILURE WNOHANG int64_t size_t linux math_errhandling
"""


def test_names_of_columns_that_c_has_taken(tmp_path):
    names = TAKEN.split()
    columns = {name: np.arange(20) % 7 + 0.5 for name in [*names, "class!"]}
    model = of_columns(columns)
    export.c(model, tmp_path / "net.h")
    text = (tmp_path / "net.h").read_text()
    for name in names:
        assert f"    double {name}_; /*" in text
    assert "    double class_2; /*" in text
    assert library("gcc", tmp_path, ["net"]).test_net() == 0
    needed("g++")
    (tmp_path / "net.cpp").write_text('#include "net.h"\n')
    for standard in ("c++11", "gnu++20"):
        run("g++", f"-std={standard}", "-Wall", "-Werror", "-fsyntax-only", tmp_path / "net.cpp")


def test_a_missing_text_may_be_empty(tmp_path):
    model, _ = model_of("regression", "town")
    export.c(model, tmp_path / "net.h")
    source = tmp_path / "main.c"
    source.write_text(
        '#include <stdio.h>\n#include "net.h"\nint main(void)\n{\n'
        '    const char *texts[] = {NULL, "", "x", "Bern"};\n    double y[4];\n'
        "    for (int i = 0; i < 4; i++)\n        net_predict(texts + i, y + i);\n"
        "    return !(y[0] == y[1] && y[1] != y[2] && y[2] != y[3]);\n}\n"
    )
    run("gcc", *STRICT, "-o", tmp_path / "main", source, "-lm")
    run(tmp_path / "main")


def test_missing_texts_in_numpy():
    """What pandas gives, and what a text of C is."""
    pandas = pytest.importorskip("pandas")
    model, _ = model_of("regression", "town")
    net = export.numpy(model)
    gone = [None, np.nan, pandas.NA, pandas.NaT, float("nan"), ""]
    found = net.predict(np.array([*gone, "not in a training row", "Bern"], object))
    assert len({*found[:-2]}) == 1 and len({*found}) == 3
    assert "; None or nan if it is missing" in net.source


@pytest.mark.parametrize("opset", (13, 17, 22))
def test_onnx(opset):
    pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    names = list(MODELS) if opset == 17 else list(MODELS)[opset % 2 :: 2]
    for model, table in map(MODELS.get, names):
        file = io.BytesIO()
        export.onnx(model, file, opset=opset)
        session = ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        rows = [
            np.array([v or "" for v in r], object) if r.dtype == object else r
            for r in rows_of(model, table)
        ]
        assert [each.name for each in session.get_inputs()] == [
            column.name for column in columns_of(model)
        ]
        given = {each.name: r for each, r in zip(session.get_inputs(), rows, strict=True)}
        outputs = [each.name for each in session.get_outputs()]
        found = dict(zip(outputs, session.run(None, given), strict=True))
        agree(found, predictions(model, table), 2 * ULP)


def test_columns_called_as_the_outputs():
    pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    x = np.arange(20) % 7 + 0.5
    columns = {"prediction": x, "probability": -x}
    model, table = of_columns(columns, np.where(x > 3, "a", "b")), tabular.Table(columns)
    file = io.BytesIO()
    export.onnx(model, file)
    session = ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    assert names == ["prediction_2", "probability_2"]
    found = session.run(None, {"prediction": x, "probability": -x})
    agree(dict(zip(("prediction", "probability"), found, strict=True)), predictions(model, table))


def test_dates_are_those_of_numpy():
    model, _ = model_of("regression", "date", numbers="none")
    random = np.random.RandomState(0)
    days = np.concatenate([np.arange(-60_000, 60_000, 7), random.randint(-(10**7), 10**7, 2000)])
    dates = (days * 86_400_000_000 + random.randint(0, 86_400_000_000, len(days))).view("M8[us]")
    graph = graph_of(model)
    [numbers, *_] = [v for v in graph.values if v.op == "concat"]
    parts = computed(Graph(graph.inputs, {"x": numbers}), (dates.view(np.int64),))["x"]
    wanted = dict(zip(PARTS, parts_of(dates), strict=True))
    for feature, column in zip(model.preprocessor.features, parts.T, strict=True):
        np.testing.assert_array_equal(column, wanted[feature.part])


def test_the_normal_quantile():
    from scipy.special import ndtri

    share = np.concatenate([np.linspace(1e-7, 1 - 1e-7, 10_001), [1e-7, 0.075, 0.925, 0.5]])
    x = g.placeholder("x", (1,), np.float64)
    found = computed(Graph([x], {"y": normal_quantile(x)}), (share[:, None],))["y"][:, 0]
    np.testing.assert_allclose(found, ndtri(share), rtol=1e-14, atol=1e-16)


def test_int8_of_a_table(tmp_path):
    model, table = MODELS["noisy"]
    wanted = model.predict(table)
    written = export.c(model, tmp_path / "net.h", inputs=table, targets=wanted, dtype="int8")
    assert written.loss_before == 0 <= written.loss < 0.2
    assert library("gcc", tmp_path, ["net"]).test_net() == 0


@pytest.mark.parametrize("option", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_compilers_that_know_no_missing_numbers(tmp_path, option):
    needed("gcc")
    export.c(MODELS["noisy"][0], tmp_path / "table.h")
    export.c(net(nn.Linear(3, 2)), tmp_path / "net.h")
    export.c(net(nn.Linear(3, 2)), tmp_path / "eight.h", inputs=rows(3), dtype="int8")
    export.c(of_categories("NAN", "isnan("), tmp_path / "names.h")
    for name, code in (("net", 0), ("names", 0), ("table", 1), ("eight", 1)):
        (tmp_path / "main.c").write_text(f'#include "{name}.h"\n')
        words = ["gcc", option, "-fsyntax-only", tmp_path / "main.c"]
        done = subprocess.run([*map(str, words)], capture_output=True, text=True)
        assert done.returncode == code and ("compile without -ffast-math" in done.stderr) == code


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_table_without_rows(dtype):
    model, table = MODELS["noisy"]
    with pytest.raises(ValueError, match="inputs is a table of 0 rows, it must have rows"):
        export.c(model, io.BytesIO(), inputs=table.take(np.arange(0)), dtype=dtype, name="net")


def of_categories(*names, to="x"):
    """A TabularModel of one column of these categories, or one that predicts them."""
    texts, numbers = np.array([*names] * 10, object), np.arange(10 * len(names)) % 7.0
    return of_columns({"x": texts}, numbers) if to == "x" else of_columns({"x": numbers}, texts)


def of_columns(columns, y=None):
    """A TabularModel of these columns, that predicts y."""
    y = np.random.RandomState(0).standard_normal(20) if y is None else y
    table = tabular.Table(columns | {"y": y})
    schema = tabular.Schema.infer(table, ["y"])
    model = tabular.TabularModel.for_table(schema, table, hidden=(4,))
    drawn(model.network)
    return model.eval()


@pytest.mark.parametrize("to", ["x", "y"])
def test_long_texts(tmp_path, to):
    """Longer than a literal of C99 may be; it is short before, and after what is no ASCII."""
    export.c(of_categories("a", "ö" * 2000, "b" * 5000, to=to), tmp_path / "net.h")
    assert library("gcc", tmp_path, ["net"]).test_net() == 0


@pytest.mark.parametrize("to", ["x", "y"])
def test_texts_that_a_file_cannot_hold(to):
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match=r"'a\\x00b' has a NUL, where a text of C ends"):
        export.c(of_categories("a", "a\0b", to=to), io.BytesIO())
    for write in (export.c, export.onnx):
        with pytest.raises(ValueError, match=r"'a\\ud800' has letters that UTF-8 has not"):
            write(of_categories("b", "a\ud800", to=to), io.BytesIO())


def test_targets_that_are_no_names_of_classes():
    model, table = MODELS["noisy"]
    codes = (model.predict(table) == "ja").astype(int)
    with pytest.raises(ValueError, match="targets are numbers, and the model gives texts"):
        export.c(model, io.BytesIO(), inputs=table, targets=codes)


def test_estimators(tmp_path):
    pytest.importorskip("sklearn")
    from pyml.estimators import TabularRegressor

    table = table_of(60, 0, "regression")
    x = np.stack([table["h1"], np.abs(table["a b"])], 1)
    regressor = TabularRegressor(epochs=1, hidden=(4,), random_state=0).fit(x, table["y"])
    export.c(regressor, tmp_path / "net.h")
    assert library("gcc", tmp_path, ["net"]).test_net() == 0
    net = export.numpy(regressor)
    found = net.predict(*x.T)
    close(found.astype(np.float32), regressor.predict(x).astype(np.float32), ULP)
