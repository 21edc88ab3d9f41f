"""One row of a network as C, in time and bytes, beside onnxruntime and emlearn.

C is compiled by gcc and called by a loop in C; emlearn's C likewise, of a network of scikit-learn
with the same weights; onnxruntime, on one thread, from Python, as it is used there. All outputs
must agree. Bytes of C are those of constants and of the stack, and of objects by -Os, as emlearn's:
code and constants, without the C library; of onnxruntime those of the file.
"""

import ctypes
import io
import os
import subprocess
import tempfile
import warnings
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np

import pyml
from pyml import export, nn

from .compare import Table, about, agree, medians, parse, parser

NETS = [(24, 64, 64, 4), (784, 512, 256, 10)]
CALLS = 100  # of a loop in C
LOOP = """
void loop(const float *x, float *y)
{{
    for (int t = 0; t < {calls}; t++) {{
        {call}
        __asm__ volatile("" ::: "memory"); /* each time anew */
    }}
}}
"""


def model_of(widths):
    pyml.manual_seed(0)
    layers = []
    for i, o in pairwise(widths):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Softmax(1)).eval()


def loop_of(folder, name, text, call, options, outputs):
    """A function of a row that runs the loop and gives the outputs of the last call."""
    source, target = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(text + LOOP.format(calls=CALLS, call=call))
    words = ["gcc", "-std=gnu99", *options, "-fPIC", "-shared", "-o", target, source, "-lm"]
    subprocess.run([*map(str, words)], check=True)
    loop, y = ctypes.CDLL(str(target)).loop, np.zeros(outputs, np.float32)

    def run(x):
        loop(x.ctypes, y.ctypes)
        return y

    return run


def object_bytes(folder, name, text, call, options=()):
    """Of an object with a function that makes the call: its code and constants."""
    source, target = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(f"{text}void predict(const float *x, float *y) {{ {call} }}\n")
    words = ["gcc", "-std=gnu99", "-Os", *options, "-c", "-o", target, source]
    subprocess.run([*map(str, words)], check=True)
    sizes = subprocess.run(["size", target], check=True, capture_output=True, text=True).stdout
    code, data, *_ = sizes.splitlines()[1].split()
    return int(code) + int(data)


def emlearn_c(folder, model, widths):
    """The C of emlearn, of a network of scikit-learn: (text, a call, options of the compiler)."""
    import emlearn
    from sklearn.neural_network import MLPClassifier

    linears = [layer for layer in model if isinstance(layer, nn.Linear)]
    mlp, classes = MLPClassifier(widths[1:-1], max_iter=1), np.arange(widths[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        mlp.fit(np.zeros((len(classes), widths[0])), classes)
    mlp.coefs_ = [layer.weight.detach().numpy().T for layer in linears]
    mlp.intercepts_ = [layer.bias.detach().numpy() for layer in linears]
    file = folder / "emlearn_net.h"
    here = os.getcwd()
    os.chdir(folder)  # it compiles in folders of its own there
    try:
        emlearn.convert(mlp, method="loadable").save(file=str(file), name="net")
    finally:
        os.chdir(here)
    call = f"eml_net_predict_proba(&net, x, {widths[0]}, y, {widths[-1]});"
    return f'#include "{file}"\n', call, [f"-I{emlearn.includedir}"]


def rows(options):
    import onnxruntime

    for widths in NETS:
        model = model_of(widths)
        x = np.random.default_rng(0).normal(size=(1, widths[0])).astype(np.float32)
        with tempfile.TemporaryDirectory() as folder:
            folder, sides, made, objects = Path(folder), {}, {}, {}
            for name, dtype in (("c", "float32"), ("int8", "int8")):
                header = folder / f"{name}.h"
                made[name] = export.c(model, header, inputs=x, name="net", dtype=dtype)
                text = f'#include "{header}"\n'
                objects[f"{name} -Os"] = object_bytes(folder, name, text, "net_predict(x, y);")
                for flags in ("-O2", "-O3 -march=native"):
                    side = f"{name} {flags.split()[0]}"
                    sides[side] = loop_of(
                        folder,
                        side.replace(" ", "_"),
                        text,
                        "net_predict(x, y);",
                        flags.split(),
                        widths[-1],
                    )
            if find_spec("emlearn") and find_spec("sklearn"):
                text, call, include = emlearn_c(folder, model, widths)
                objects["emlearn -Os"] = object_bytes(folder, "emlearn", text, call, include)
                for flags in ("-O2", "-O3 -march=native"):
                    side = f"emlearn {flags.split()[0]}"
                    options_of_gcc = [*flags.split(), *include]
                    sides[side] = loop_of(
                        folder, side.replace(" ", "_"), text, call, options_of_gcc, widths[-1]
                    )
            file = io.BytesIO()
            export.onnx(model, file)
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(file.getvalue(), settings)
            sides["onnxruntime"] = lambda x: session.run(None, {"x": x})[0][0]  # noqa: B023
            with pyml.no_grad():
                wanted = {"pyml": model(pyml.from_numpy(x)).numpy()[0]}
            found = {side: np.array(run(x)) for side, run in sides.items()}
            agree(
                str(widths),
                wanted | {s: v for s, v in found.items() if "int8" not in s},
                1e-4,
                1e-6,
            )
            agree(str(widths), wanted | {s: v for s, v in found.items() if "int8" in s}, 0.1, 0.02)
            calls = {side: lambda run=run: run(x) for side, run in sides.items()}  # noqa: B023
            steps = {side: 1 if side == "onnxruntime" else CALLS for side in sides}
            times = medians(calls, options.seconds, steps=steps)
        yield {
            "network": "-".join(map(str, widths)),
            **times,
            "bytes": f"{made['c'].weight_bytes:,}",
            "int8 bytes": f"{made['int8'].weight_bytes:,}",
            "stack": f"{made['c'].scratch_bytes:,}",
            **{f"{side} bytes": f"{count:,}" for side, count in objects.items()},
            "onnx bytes": f"{len(file.getvalue()):,}",
        }


def main(argv=None):
    options = parse(parser(__doc__), argv)
    columns = [f"{name} {flag}" for name in ("c", "int8") for flag in ("-O2", "-O3")]
    columns += ["emlearn -O2", "emlearn -O3", "onnxruntime"]
    sizes = ["bytes", "int8 bytes", "stack"]
    sizes += [*(f"{name} -Os bytes" for name in ("c", "int8", "emlearn")), "onnx bytes"]
    table = Table(about("onnxruntime", "emlearn", "scikit-learn"), ["network", *columns, *sizes])
    table.run(rows, options)


if __name__ == "__main__":
    main()
