"""Predictions of a trained network, one row at a time and many, beside other libraries.

A net of ReLU (64-64-64-8 and the like) answers NumPy rows with NumPy rows. All sides have the same
weights, and their answers must agree. A caller is a thread of Python that asks again as soon as it
is answered; with eight of them, the time is of all the calls by their number.

pyml's weights lie by columns (convert_linear_weight_to_columns); the bits are the same by rows.
PyTorch runs in inference_mode, traced and frozen too; --compile adds torch.compile, which compiles
for some ten seconds a row and needs a C++ compiler.
"""

import itertools
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import pyml

from .compare import Table, about, agree, medians, parse, parser, ratio, version

NETS = [(64, 64, 64, 8), (256, 256, 256, 8), (1024, 1024, 1024, 8)]
ROWS, CALLERS = (1, 1000), (1, 8)
CALLS = 8  # that each of several callers makes in a call of a side
TOLERANCE = 2e-5  # relative to the largest answer: float32, sums of a thousand in another order


def weights_of(widths):
    rng = np.random.default_rng(0)
    sizes = itertools.pairwise(widths)
    return [
        (rng.normal(0, (2 / i) ** 0.5, (o, i)).astype("f"), rng.normal(0, 0.1, o).astype("f"))
        for i, o in sizes
    ]


def model_of(torch, weights):
    """Of pyml or PyTorch."""
    layers = []
    for w, b in weights:
        linear = torch.nn.Linear(*w.shape[::-1])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()


def pyml_model(weights):
    return pyml.nn.utils.convert_linear_weight_to_columns(model_of(pyml, weights))


def pyml_predict(weights, _x):
    model = pyml_model(weights)

    def predict(x):
        with pyml.no_grad():
            return model(pyml.from_numpy(x)).numpy()

    return predict


def recorded_predict(weights, _x):
    model = pyml_model(weights)

    @pyml.record
    def forward(x):
        with pyml.no_grad():
            return model(x)

    return lambda x: forward(pyml.from_numpy(x)).numpy()


def torch_predict(weights, _x):
    import torch

    return torch_side(model_of(torch, weights))


def torch_frozen(weights, x):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as such
        traced = torch.jit.trace(model_of(torch, weights), torch.from_numpy(x))
        return torch_side(torch.jit.optimize_for_inference(torch.jit.freeze(traced)))


def torch_compiled(weights, _x):
    import torch

    return torch_side(torch.compile(model_of(torch, weights), mode="max-autotune-no-cudagraphs"))


def torch_side(model):
    import torch

    def predict(x):
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return predict


def jax_predict(weights, _x):
    import jax
    import jax.numpy as jnp

    layers = [(jnp.asarray(w.T), jnp.asarray(b)) for w, b in weights]

    @jax.jit
    def forward(x):
        for w, b in layers[:-1]:
            x = jnp.maximum(x @ w + b, 0)
        w, b = layers[-1]
        return x @ w + b

    return lambda x: np.asarray(forward(x))


def onnx_predict(weights, _x):
    """Gemm and Relu, as exporters write them."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []
    for i, (w, b) in enumerate(weights):
        constants += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [f"x{i}", f"w{i}", f"b{i}"], [f"y{i}"], transB=1))
        if i < len(weights) - 1:
            nodes.append(helper.make_node("Relu", [f"y{i}"], [f"x{i + 1}"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x0", weights[0][0].shape[1]), (f"y{i}", weights[-1][0].shape[0]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = pyml.get_num_threads()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x0": x})[0]


def sklearn_predict(weights, _x):
    from sklearn.neural_network import MLPRegressor

    (_, features), outputs = weights[0][0].shape, weights[-1][0].shape[0]
    widths = tuple(len(b) for _, b in weights[:-1])
    model = MLPRegressor(hidden_layer_sizes=widths, max_iter=1)
    some = np.random.default_rng(0).normal(size=(10, features)).astype("f")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one iteration is no convergence
        model.fit(some, some[:, :1] @ np.ones((1, outputs), "f"))
    model.coefs_ = [np.ascontiguousarray(w.T) for w, _ in weights]
    model.intercepts_ = [b for _, b in weights]
    return model.predict


SIDES = {  # name -> (predict of the weights and a sample of x, the package it needs)
    "pyml": (pyml_predict, None),
    "pyml recorded": (recorded_predict, None),
    "torch": (torch_predict, "torch"),
    "torch frozen": (torch_frozen, "torch"),
    "torch compiled": (torch_compiled, "torch"),
    "jax": (jax_predict, "jax"),
    "onnxruntime": (onnx_predict, "onnxruntime"),
    "scikit-learn": (sklearn_predict, "scikit-learn"),
}
PACKAGES = ["torch", "jax", "onnxruntime", "scikit-learn"]


def rows(options):
    for widths, count, callers in itertools.product(NETS, options.rows, options.callers):
        if options.quick and (widths, count) != (NETS[0], options.rows[0]):
            continue
        weights = weights_of(widths)
        x = np.random.default_rng(1).normal(size=(count, widths[0])).astype("f")
        sides = {
            name: start(weights, x)
            for name, (start, package) in SIDES.items()
            if (package is None or version(package))
            and (name != "torch compiled" or options.compile)
        }
        answers = {name: predict(x) for name, predict in sides.items()}
        agree("answers", answers, TOLERANCE, TOLERANCE * np.abs(answers["pyml"]).max())
        with ThreadPoolExecutor(callers) as pool:
            calls = {name: asked(predict, x, callers, pool) for name, predict in sides.items()}
            steps = dict.fromkeys(sides, callers * CALLS if callers > 1 else 1)
            times = medians(calls, options.seconds, steps=steps)
        net = "-".join(map(str, widths[:-1]))
        yield {
            **{"net": net, "rows": count, "callers": callers, **times},
            **{f"best / {ours}": ratio(times, ours) for ours in ("pyml", "pyml recorded")},
        }


def asked(predict, x, callers, pool):
    """A call of a side: one prediction, or CALLS by each of several callers."""
    if callers == 1:
        return lambda: predict(x)

    def caller(_):
        for _ in range(CALLS):
            predict(x)

    return lambda: list(pool.map(caller, range(callers)))


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--rows", nargs="+", type=int, default=ROWS, help="(default: 1 1000)")
    options.add_argument("--callers", nargs="+", type=int, default=CALLERS, help="(default: 1 8)")
    options.add_argument("--compile", action="store_true", help="torch.compile too")
    options = parse(options, argv)
    sides = [name for name in SIDES if name != "torch compiled" or options.compile]
    columns = ["net", "rows", "callers", "threads", *sides, "best / pyml", "best / pyml recorded"]
    caption = "median microseconds of a prediction"
    Table(about(*PACKAGES), columns, label=14, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
