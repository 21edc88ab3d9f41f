"""pyml inspect: what is in a model's file."""

import numpy as np

from pyml import io, ops
from pyml.cli.failures import refusing
from pyml.cli.models import add_model, loaded, path_of
from pyml.cli.output import columns, say, say_json
from pyml.grad_mode import no_grad
from pyml.recording import record
from pyml.tensor import Tensor

HELP = "show a model's columns and its network"
DESCRIPTION = (
    "Shows what a model predicts from which columns, and its network layer by layer: the shape of "
    "a row's output, parameters, and the floating-point operations of a row."
)


def add_options(parser):
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print one document of JSON")


def run(options):
    path = path_of(options.model)
    with refusing():
        content = io.load(path)
    if is_weights(content):
        return show_weights(path, content, options.json)
    model = loaded(path)
    layers = layers_of(model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    flops = sum(layer["flops"] for layer in layers)
    schema = model.schema
    if options.json:
        say_json(
            {
                "file": path,
                "task": schema.task,
                "target": list(schema.targets),
                "classes": model.target.classes,
                "inputs": {column.name: column.kind for column in schema.inputs},
                "schema": schema.state_dict(),
                "layers": layers,
                "parameters": parameters,
                "flops_per_row": flops,
                "metadata": io.load_metadata(path),
            }
        )
        return 0
    rows = [["layer", "of", "output", "parameters", "FLOPs a row"]]
    rows += [
        [
            *(layer["name"], layer["layer"], "x".join(map(str, layer["output"])) or "1"),
            *(f"{layer['parameters']:,}", f"{layer['flops']:,.0f}"),
        ]
        for layer in layers
    ]
    rows.append(["all", "", "", f"{parameters:,}", f"{flops:,.0f}"])
    say(f"{path}\n", schema, "", *columns(rows, right=(3, 4)))
    return 0


def is_weights(content):
    """Whether a file has nothing but tensors."""
    return isinstance(content, dict) and all(isinstance(v, Tensor) for v in content.values())


def show_weights(path, weights, as_json):
    """Tells of tensors, as pyml train writes them for images."""
    numbers = sum(tensor.numel() for tensor in weights.values())
    if as_json:
        shapes = {name: tensor.shape for name, tensor in weights.items()}
        say_json({"file": path, "weights": shapes, "numbers": numbers})
        return 0
    rows = [["weights", "shape", "numbers"]]
    rows += [
        [name, "x".join(map(str, tensor.shape)) or "1", f"{tensor.numel():,}"]
        for name, tensor in weights.items()
    ]
    rows.append(["all", "", f"{numbers:,}"])
    say(f"{path}: weights of a network, without a table's columns\n", *columns(rows, right=(2,)))
    return 0


@no_grad()
def layers_of(model):
    """The layers that a row goes through, in their order.

    Returns:
        Dicts of name, layer (its class), output (the shape for a row), parameters and flops.
    """
    layers, handles = [], []

    def note(name):
        def hook(module, inputs, output):
            layers.append(
                {
                    "name": name,
                    "layer": type(module).__name__,
                    "output": tuple(output.shape[1:]),
                    "parameters": sum(parameter.numel() for parameter in module.parameters()),
                    "flops": flops_of(module, inputs),
                }
            )

        return hook

    for name, module in parts_of(model):
        handles.append(module.register_forward_hook(note(name)))
    try:
        model.eval()
        preprocessor = model.preprocessor
        numbers = np.zeros((1, len(preprocessor.numbers)), np.float32)
        categories = np.zeros((1, len(preprocessor.sizes)), np.int64)
        model(ops.tensor(numbers), ops.tensor(categories))
    finally:
        for handle in handles:
            handle.remove()
    return layers


def parts_of(module, name=""):
    """(name, module) of those that have weights of their own, or nothing below them."""
    children = dict(module.named_children())
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    if own or not children:
        yield name, module
        return
    for below, child in children.items():
        yield from parts_of(child, f"{name}.{below}".lstrip("."))


def flops_of(module, inputs):
    """Floating-point operations of a layer, as its kernels count them."""
    step = record(module.forward)
    for _ in range(2):
        step(*inputs)
    return step.stats().flops
