"""Weights of Keras' HDF5 files for a model of pyml.

Two layouts: Keras 3's .weights.h5, where the variables of a layer are numbered and layers are named
by their class; and the older one, also of whole models in .h5, where both have names. A .keras is a
zip with a file of the first in it.
"""

import re
import zipfile
from contextlib import nullcontext
from io import BytesIO
from typing import NamedTuple

import numpy as np

from pyml import io, nn
from pyml.nn.norm import BatchNorm
from pyml.ops.outside import arrived
from pyml.tabular.arrow import needed
from pyml.tensor import Tensor

__all__ = ["load_keras"]

KINDS = {  # {class: (Keras' name of it, names of variables and of ours, in Keras' order)}
    nn.Linear: ("dense", {"kernel": "weight", "bias": "bias"}),
    BatchNorm: (
        "batch_normalization",
        {
            "gamma": "weight",
            "beta": "bias",
            "moving_mean": "running_mean",
            "moving_variance": "running_var",
        },
    ),
    nn.LayerNorm: ("layer_normalization", {"gamma": "weight", "beta": "bias"}),
    nn.GroupNorm: ("group_normalization", {"gamma": "weight", "beta": "bias"}),
    nn.RMSNorm: ("rms_normalization", {"scale": "weight"}),
    nn.Embedding: ("embedding", {"embeddings": "weight"}),
    nn.PReLU: ("p_re_lu", {"alpha": "weight"}),
}
FAILURES = (
    *(ValueError, TypeError, LookupError, RuntimeError, OverflowError),
    *(OSError, EOFError, zipfile.BadZipFile),
)
NOT_LAYERS = ("optimizer", "top_level_model_weights")
IN_ZIP = "model.weights.h5"
FREE = ("num_batches_tracked",)  # of a module, which Keras has not


class Layer(NamedTuple):
    """The variables of a layer: {name or number: dataset}."""

    name: str
    kind: str | None
    variables: dict


def load_keras(f, model):
    """The state_dict of a model with the weights of a file of Keras: .keras, .weights.h5, or .h5.

    The layers of Keras with weights are those of the model in their order: Dense, an nn.Linear;
    BatchNormalization, nn.BatchNorm1d; LayerNormalization, nn.LayerNorm; GroupNormalization,
    RMSNormalization, Embedding, PReLU. The file does not say what is computed: the model needs
    Keras' activations, and in its norms Keras' eps, 1e-3, or 1e-6 in nn.RMSNorm.

    Args:
        f: str, bytes or os.PathLike; or an object with read() and seek().
        model: a Module of the same layers, which is not changed.

    Returns:
        A state_dict for model.load_state_dict().

    Raises:
        ModuleNotFoundError: without h5py.
        ValueError: if it is no such file; if layers or shapes are not those of the model: they are
            named; for models within models, of whose order Keras 3's file says nothing.
        TypeError: if a module of the model has weights that Keras' layers have not.
        OSError: if there is no such file.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> model.load_state_dict(export.load_keras("model.weights.h5", model))
        <All keys matched successfully>
    """
    h5py = needed("h5py", "keras", "load_keras")
    if not isinstance(model, nn.Module):
        raise TypeError(f"load_keras: model is a {type(model).__name__}, it must be a Module")
    wanted = modules_of(model)
    is_open = hasattr(f, "read")
    place = io._named(f) if is_open else io._checked_path(f, "f")
    with nullcontext(f) if is_open else io._regular(place) as source:
        try:
            with h5py.File(weights_of(source), "r") as file:
                return filled(model, wanted, layers_of(h5py, file))
        except FAILURES as error:
            raise ValueError(f"{place}: cannot be read for this model: {error}") from None


def weights_of(source):
    """The file of HDF5: itself, or that in a .keras, which is not packed."""
    start = source.read(4)
    source.seek(0)
    if start != b"PK\3\4":
        return source
    with zipfile.ZipFile(source) as archive:
        info = archive.getinfo(IN_ZIP)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{IN_ZIP} in it is compressed, which Keras does not do")
        return BytesIO(archive.read(info))


def modules_of(model):
    """[(name, Module, its row of KINDS)] of those with weights."""
    found = []
    for name, module in model.named_modules():
        own = {*module._parameters, *module._buffers} - {*FREE}
        if not any(getattr(module, each, None) is not None for each in own):
            continue
        row = next((row for cls, row in KINDS.items() if isinstance(module, cls)), None)
        if row is None:
            raise TypeError(
                f"load_keras: {module._get_name()} ({name}) has weights, and is none of the layers "
                "that are read from Keras"
            )
        found.append((name, module, row))
    return found


# ---- the file ------------------------------------------------------------------------------------


def layers_of(h5py, file):
    """The Layers of a file, in the order of the model, or in that of each class."""
    datasets = {}

    def visit(name, item):  # links, also to other files, are not followed
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} lies in another file, which is not read")
            datasets[name] = item

    file.visititems(visit)
    for group in (file, file.get("model_weights")):
        if isinstance(group, h5py.Group) and "layer_names" in group.attrs:
            return named_layers(group, datasets)
    return numbered_layers(datasets)


def text(value):
    """Text of an attribute."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def named_layers(group, datasets):
    """The Layers of the older layout: variables of one prefix, in the order of weight_names."""
    layers, prefix = {}, group.name.strip("/")
    for layer in map(text, group.attrs["layer_names"]):
        path = f"{prefix}/{layer}".strip("/")
        for name in map(text, group[layer].attrs.get("weight_names", ())):
            where, _, variable = name.rpartition("/")
            variables = layers.setdefault((layer, where), {})
            variables[variable.partition(":")[0]] = datasets[f"{path}/{name}"]
    return [Layer(where or layer, None, found) for (layer, where), found in layers.items()]


def numbered_layers(datasets):
    """The Layers of Keras 3's layout: .../dense_1/vars/0, in the order of each class."""
    layers = {}
    for path, dataset in datasets.items():
        if path.split("/")[0] in NOT_LAYERS:
            continue
        where, _, number = path.rpartition("/vars/")
        if not where or not number.isdecimal():
            raise ValueError(f"{path} is no variable of a layer, as Keras writes them")
        container, _, name = where.rpartition("/")
        if "/" in container:
            raise ValueError(f"{where} is in a model within the model, whose order is not known")
        kind, count = re.fullmatch(r"(.*?)(?:_(\d+))?", name).groups()
        layers.setdefault((kind, int(count or 0)), Layer(where, kind, {}))
        layers[kind, int(count or 0)].variables[int(number)] = dataset
    return [layers[key] for key in sorted(layers)]


def filled(model, wanted, layers):
    """The state_dict of a model with what is in the layers."""
    state, layers = model.state_dict(), list(layers)
    for name, module, (kind, variables) in wanted:
        layer = next((each for each in layers if is_of(each, kind, variables)), None)
        described = f"{module._get_name()} ({name})" if name else module._get_name()
        if layer is None:
            raise ValueError(f"it has no {kind} for {described}")
        layers.remove(layer)
        names = [ours for ours in variables.values() if getattr(module, ours, None) is not None]
        found = layer.variables
        if layer.kind is None:
            found = {variables[variable]: dataset for variable, dataset in found.items()}
        else:
            found = dict(zip(names, (found[i] for i in sorted(found)), strict=False))
        if {*found} != {*names} or len(found) != len(layer.variables):
            raise ValueError(
                f"{layer.name} has {len(layer.variables)} variables, {described} has "
                f"{', '.join(names)}"
            )
        for ours, dataset in found.items():
            turned = isinstance(module, nn.Linear) and ours == "weight"
            shape = tuple(getattr(module, ours).shape)
            there = dataset.shape[::-1] if turned else dataset.shape
            if there != shape:
                raise ValueError(
                    f"{ours} of {described} has shape {shape}, in {layer.name} it has {there}"
                )
            array = arrived(np.asarray(dataset[()]), f"{layer.name}: {ours}")
            key = f"{name}.{ours}" if name else ours
            state[key] = Tensor._on(np.array(array.T if turned else array, order="C"))
    if layers:
        raise ValueError(f"the model has nothing for {', '.join(each.name for each in layers)}")
    return state


def is_of(layer, kind, variables):
    """Is a Layer of the file of a kind?"""
    if layer.kind is not None:
        return layer.kind == kind
    statistics = {"moving_mean", "moving_variance"}
    return {*layer.variables} <= {*variables} and (
        statistics <= {*layer.variables} if kind == "batch_normalization" else True
    )
