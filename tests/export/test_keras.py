"""pyml.export.load_keras: files of Keras 3, and of the older layout."""

import io
import os
import warnings
import zipfile

import numpy as np
import pytest

from export.keras_files import file_of
from export.nets import net, output_of
from pyml import export, nn

h5py = pytest.importorskip("h5py")


def layers():
    return (
        nn.Linear(4, 5),
        nn.ReLU(),
        nn.BatchNorm1d(5, eps=1e-3),
        nn.Linear(5, 6, bias=False),
        nn.LayerNorm(6, eps=1e-3),
        *(nn.Linear(6, 6) for _ in range(11)),  # so that layer 10 comes behind layer 2
        nn.PReLU(6),
        nn.Linear(6, 2),
    )


@pytest.mark.parametrize("layout", (3, 2, "model"))
def test_both_layouts(layout):
    model, other = net(*layers()), nn.Sequential(*layers()).eval()
    before = {name: values.clone() for name, values in other.state_dict().items()}
    state = export.load_keras(file_of(model, layout), other)
    assert list(state) == list(before)
    assert all((other.state_dict()[name] == values).all() for name, values in before.items())
    other.load_state_dict(state)
    x = np.random.RandomState(0).standard_normal((7, 4)).astype(np.float32)
    np.testing.assert_array_equal(output_of(other, [x]), output_of(model, [x]))


def test_embeddings(tmp_path):
    model = net(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 2))
    other = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 2))
    for layout in (3, 2):
        path = tmp_path / f"{layout}.weights.h5"
        path.write_bytes(file_of(model, layout).getvalue())
        other.load_state_dict(export.load_keras(path, other))
        assert (other[0].weight == model[0].weight).all()


def zipped(name="model.weights.h5", method=zipfile.ZIP_STORED, cut=None):
    """A file .keras of the layers."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(name, file_of(net(*layers()), 3).getvalue())
    return io.BytesIO(file.getvalue()[:cut])


def test_the_weights_in_a_keras(tmp_path):
    model = nn.Sequential(*layers()).eval()
    path = tmp_path / "model.keras"
    path.write_bytes(zipped().getvalue())
    wanted = export.load_keras(file_of(net(*layers()), 3), model)
    for file in (path, zipped()):
        state = export.load_keras(file, model)
        assert all((state[name] == values).all() for name, values in wanted.items())
    for file, words in (
        (zipped("other.h5"), "no item named 'model.weights.h5'"),
        (zipped(method=zipfile.ZIP_DEFLATED), "is compressed"),
        (zipped(cut=-40), "not a zip file"),
    ):
        with pytest.raises(ValueError, match=f"cannot be read for this model: .*{words}"):
            export.load_keras(file, model)


@pytest.mark.exhaustive  # Keras and JAX take half a minute to be imported
def test_of_keras_itself(tmp_path):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
        of = keras.layers
        theirs = keras.Sequential(
            [
                *(keras.Input((4,)), of.Dense(5, activation="relu"), of.BatchNormalization()),
                *(of.Dense(6, use_bias=False, name="mine"), of.LayerNormalization()),
                *(of.Dense(6, activation="elu") for _ in range(11)),
                *(of.RMSNormalization(), of.GroupNormalization(2)),
                *(of.PReLU(), of.Dense(2, activation="softmax")),
            ]
        )
        random = np.random.RandomState(3)
        theirs.set_weights(
            [random.uniform(0.1, 1, w.shape) - 0.4 * (w.ndim == 2) for w in theirs.get_weights()]
        )
        x = random.standard_normal((9, 4)).astype(np.float32)
        wanted = np.asarray(theirs(x))
        theirs.save_weights(tmp_path / "a.weights.h5")
        theirs.save(tmp_path / "a.h5")
        theirs.save(tmp_path / "a.keras")
    deep = [layer for _ in range(11) for layer in (nn.Linear(6, 6), nn.ELU())]
    for name in ("a.weights.h5", "a.h5", "a.keras"):
        norms = nn.RMSNorm(6, eps=1e-6), nn.GroupNorm(2, 6, eps=1e-3)
        last = nn.PReLU(6), nn.Linear(6, 2), nn.Softmax(1)
        ours = nn.Sequential(*layers()[:5], *deep, *norms, *last)
        ours.load_state_dict(export.load_keras(tmp_path / name, ours))
        np.testing.assert_allclose(output_of(ours, [x]), wanted, atol=1e-5)


def damaged(change):
    file = file_of(net(nn.Linear(4, 5), nn.LayerNorm(5)), 3)
    with h5py.File(file, "r+") as made:
        change(made)
    return file


def test_what_is_refused(tmp_path):
    model = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5))
    (tmp_path / "other.bin").write_bytes(bytes(80))

    def external(made):
        del made["layers/dense/vars/0"]
        outside = [(str(tmp_path / "other.bin"), 0, 80)]
        made.create_dataset("layers/dense/vars/0", (4, 5), "f4", external=outside)

    def link(made):
        del made["layers/dense/vars/0"]
        made["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "x")

    def huge(made):
        del made["layers/dense/vars/0"]
        made.create_dataset("layers/dense/vars/0", (2**40, 5), "f4", chunks=(1024, 5))

    def words_of(made):
        del made["layers/dense/vars/1"]
        made["layers/dense/vars/1"] = ["a"] * 5

    def rename(made):
        made.move("layers/dense", "layers/dense_of_mine")

    for file, words in (
        (io.BytesIO(b"garbage"), "cannot be read"),
        (damaged(external), "lies in another file"),
        (damaged(link), "has 1 variables|shape"),
        (damaged(huge), "shape"),
        (damaged(words_of), "dtype object"),
        (damaged(rename), "it has no dense for Linear"),
        (damaged(lambda made: made.move("layers/dense", "layers/m/layers/dense")), "model within"),
        (
            damaged(lambda made: made.create_dataset("layers/conv2d/vars/0", (1,), "f4")),
            "nothing for",
        ),
        (file_of(net(nn.Linear(4, 6), nn.LayerNorm(6)), 3), r"shape \(5, 4\), in .* \(6, 4\)"),
        (file_of(net(nn.Linear(4, 5, bias=False), nn.LayerNorm(5)), 2), "has 1 variables"),
        (file_of(net(nn.Linear(4, 5)), 2), "no layer_normalization for LayerNorm"),
    ):
        with pytest.raises(ValueError, match=words):
            export.load_keras(file, model)
    with pytest.raises(TypeError, match=r"Bilinear \(0\) has weights"):
        export.load_keras(file_of(model, 3), nn.Sequential(nn.Bilinear(1, 1, 1)))
    with pytest.raises(FileNotFoundError):
        export.load_keras(tmp_path / "none.h5", model)
    with pytest.raises(ValueError, match="is a pipe or device, not a regular file"):
        export.load_keras(os.devnull, model)


def test_damage_that_the_library_does_not_name(monkeypatch):
    """Some damaged files make h5py seek to where no file is."""

    def visit(*_):
        raise OverflowError("Python int too large to convert to C ssize_t")

    monkeypatch.setattr(h5py.File, "visititems", visit)
    model = nn.Sequential(nn.Linear(4, 5))
    with pytest.raises(ValueError, match=r"cannot be read for this model: .* too large"):
        export.load_keras(file_of(model, 3), model)
