"""pyml export: a model's file as C, NumPy, ONNX, or weights of another library."""

import zipfile
from pathlib import Path

import numpy as np

from pyml import export, io, tabular
from pyml.cli.failures import Refused, file_or_folder, refusing
from pyml.cli.inspect import is_weights
from pyml.cli.models import add_model, path_of
from pyml.cli.options import integer
from pyml.cli.output import say, say_json
from pyml.export.onnx_file import NEWEST, OLDEST
from pyml.tabular.model import FORMAT, TabularModel
from pyml.train import checkpoint, mlp

HELP = "write a model as C, NumPy, ONNX, or as weights of another library"
DESCRIPTION = (
    "Writes a model of pyml train to a file of C99, a module of plain NumPy or ONNX, with the "
    "preprocessing of a table; or its weights to a file of PyTorch, safetensors or NumPy. A "
    "checkpoint, a file of torch.save and one of ONNX are taken, too."
)

FORMATS = {  # {format: endings by which it is meant}
    "c": (".h", ".c"),
    "numpy": (".py",),
    "onnx": (".onnx",),
    "torch": (".pt", ".pth"),
    "safetensors": (".safetensors",),
    "npz": (".npz",),
}
OF_WEIGHTS = {"torch": export.save_torch, "safetensors": io.save, "npz": export.save_npz}


def add_options(parser):
    add_model(parser)
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    parser.add_argument("--to", choices=FORMATS, help="the format (default: by the name of FILE)")
    parser.add_argument(
        "--data",
        metavar="TABLE",
        help="rows as of the training, for the self-test in C and --int8 (default: random ones)",
    )
    parser.add_argument(
        "--int8", action="store_true", help="C: weights and what they are given of 8 bits"
    )
    parser.add_argument("--name", help="C: what all names begin with (default: that of FILE)")
    parser.add_argument(
        "--opset", type=integer(OLDEST, NEWEST), help="ONNX: the version of operators (default: 17)"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--json", action="store_true", help="print one document of JSON")
    parser.add_argument("--quiet", action="store_true", help="do not say what was written")


def run(options):
    kind = options.to or by_ending(options.file)
    for option, value, of in (
        ("--int8", options.int8, ("c",)),
        ("--name", options.name, ("c",)),
        ("--opset", options.opset, ("onnx",)),
        ("--data", options.data, ("c", "numpy", "onnx")),
    ):
        if value and kind not in of:
            raise Refused(f"argument {option}: is for {' and '.join(of)}, the format is {kind}")
    if options.int8 and options.data is None:
        raise Refused("argument --int8: needs --data, a table as of the training")
    files = [options.file]
    files += [options.file.with_suffix(".npz")] if kind == "numpy" else []
    for path in files:
        if path.exists() and not (options.force and path.is_file()):
            what = "there; --force replaces it" if path.is_file() else "no file"
            raise Refused(f"{path} is {what}")
    source = path_of(options.model)
    with refusing():
        model, weights = read(source)
    if kind in OF_WEIGHTS:
        with refusing():
            OF_WEIGHTS[kind](weights, options.file)
        told = {"tensors": len(weights), "numbers": sum(w.numel() for w in weights.values())}
    else:
        told = written(kind, model_of(source, model, weights), options)
    if options.json:
        say_json({"files": [str(path) for path in files], "format": kind, **told})
    elif not options.quiet:
        words = ", ".join(f"{value:,.10g} {name}" for name, value in told.items())
        say(f"wrote {' and '.join(map(str, files))}" + (f": {words}" if words else ""))
    return 0


def by_ending(path):
    """The format that the name of a file says."""
    for kind, endings in FORMATS.items():
        if path.suffix.lower() in endings:
            return kind
    known = ", ".join(ending for endings in FORMATS.values() for ending in endings)
    raise Refused(f"argument --to: the name {path} says no format; it may end in {known}")


def read(path):
    """The Module of a file, None if it has weights alone; and the weights."""
    start = open_start(path)
    if start.startswith(b"PK"):
        is_torch = any(name.endswith("data.pkl") for name in zipfile.ZipFile(path).namelist())
        return None, weights_in(path, (export.load_torch if is_torch else export.load_npz)(path))
    if path.suffix.lower() == ".onnx":
        model = export.load_onnx(path)
        return model, dict(model.state_dict())
    if checkpoint.KEY in io.load_metadata(path):
        content, _ = checkpoint._read(path)
        return None, weights_in(path, content.get("model"))
    content = io.load(path)
    if isinstance(content, dict) and content.get("format") == FORMAT:
        model = TabularModel.load(path)
        return model, dict(model.state_dict())
    return None, weights_in(path, content)


def open_start(path):
    """The first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(4)


def weights_in(path, content):
    """The tensors by name of a file, or what it has of a model beside other things."""
    whole = content if isinstance(content, dict) else {}
    for found in (whole, whole.get("model"), whole.get("state_dict")):
        if found and is_weights(found):
            return found
    raise Refused(f"{path}: holds no weights of a model by name")


def model_of(path, model, weights):
    """The Module; of weights alone the network that pyml train makes for images."""
    if model is not None:
        return model
    shapes = [tuple(w.shape) for w in weights.values() if w.dim() == 2]
    if shapes:
        made = mlp(shapes[0][1], [rows for rows, _ in shapes[:-1]], shapes[-1][0]).eval()
        if {n: v.shape for n, v in made.state_dict().items()} == {
            n: v.shape for n, v in weights.items()
        }:
            made.load_state_dict(weights)
            return made
    raise Refused(
        f"{path}: holds weights alone, and the network they are of is not that of pyml train; "
        "write it in Python by pyml.export, or its weights --to torch, safetensors or npz"
    )


def numbers_in(table):
    """The columns of a table as an array of float32."""
    names = [name for name in table.names if table[name].dtype.kind not in "biuf"]
    if names:
        raise Refused(f"argument --data: column {names[0]!r} has no numbers")
    return np.stack([table[name] for name in table.names], 1).astype(np.float32)


def written(kind, model, options):
    """What is to be told of a file with a network."""
    rows = None
    if options.data is not None:
        with refusing():
            schema = model.schema if isinstance(model, TabularModel) else None
            rows = tabular.read(file_or_folder(options.data), schema=schema)
        if schema is None:
            rows = numbers_in(rows)
    with refusing():
        if kind == "onnx":
            export.onnx(model, options.file, inputs=rows, opset=options.opset or 17)
            return {}
        if kind == "numpy":
            export.numpy(model, options.file, inputs=rows)
            return {}
        dtype = "int8" if options.int8 else "float32"
        made = export.c(model, options.file, inputs=rows, name=options.name, dtype=dtype)
    return {
        "bytes of constants": made.weight_bytes,
        "bytes of the stack": made.scratch_bytes,
        "of the largest output off at most": float(f"{made.error:.2g}"),
    }
