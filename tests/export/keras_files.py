"""Files of HDF5 as Keras writes them, of models of pyml."""

import io

from pyml import nn


def keras_arrays(module):
    """What Keras has of a module."""
    weights = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    names = ("weight", "bias", "running_mean", "running_var")
    arrays = [weights[name] for name in names if name in weights]
    return [arrays[0].T, *arrays[1:]] if isinstance(module, nn.Linear) else arrays


NAMES = {
    nn.Linear: ("dense", ("kernel", "bias")),
    nn.BatchNorm1d: ("batch_normalization", ("gamma", "beta", "moving_mean", "moving_variance")),
    nn.LayerNorm: ("layer_normalization", ("gamma", "beta")),
    nn.GroupNorm: ("group_normalization", ("gamma", "beta")),
    nn.RMSNorm: ("rms_normalization", ("scale",)),
    nn.PReLU: ("p_re_lu", ("alpha",)),
    nn.Embedding: ("embedding", ("embeddings",)),
}


def file_of(model, layout):
    """A file as Keras writes it: 3, .weights.h5; 2, the older layout; "model", of a whole model."""
    import h5py

    file, counts, order = io.BytesIO(), {}, []
    with h5py.File(file, "w") as made:
        root = made.create_group("model_weights") if layout == "model" else made
        for module in model.modules():
            if type(module) not in NAMES:
                continue
            kind, variables = NAMES[type(module)]
            count = counts[kind] = counts.get(kind, -1) + 1
            name = f"{kind}_{count}" if count else kind
            arrays = keras_arrays(module)
            if layout == 3:
                for i, array in enumerate(arrays):
                    made[f"layers/{name}/vars/{i}"] = array
                continue
            order.append(name)
            paths = [f"{name}/{v}:0" for v in variables[: len(arrays)]]
            for path, array in zip(paths, arrays, strict=True):
                root[f"{name}/{path}"] = array
            root[name].attrs["weight_names"] = [path.encode() for path in paths]
        if layout == 3:
            made["optimizer/vars/0"] = 1
        else:
            root.attrs["layer_names"] = [name.encode() for name in order]
    file.seek(0)
    return file
