"""Digests of the weights of ten nets after 50 steps: equal for two commits if a change keeps bits.

    python tests/bits.py > before.txt      in one tree, built
    python tests/bits.py > after.txt       in the other
    diff before.txt after.txt

A line for each net, dtype, ISA of the machine, number of threads, and way to train it: by Python
step after step, recorded, and by `run`. Within a tree all lines of a net and dtype and ISA are
equal; the script fails if they are not.
"""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np

import pyml
from pyml import _kernels, nn, optim
from pyml.nn import functional as F

STEPS, BATCH = 50, 32
THREADS = (1, 2)


def mlp(sizes, activation, norm=False, dropout=0.0):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers.append(nn.Linear(inputs, outputs))
        layers += [nn.BatchNorm1d(outputs)] if norm else []
        layers.append(activation())
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def smoothed(outputs, target):
    return F.cross_entropy(outputs, target, label_smoothing=0.1)


NETS = {  # sizes and layers, loss, optimizer
    "tiny": (
        lambda: mlp((4, 32, 32, 1), nn.Tanh), F.mse_loss,
        lambda p: optim.Adam(p, lr=1e-3),
    ),
    "small": (
        lambda: mlp((24, 64, 64, 4), nn.ReLU), F.cross_entropy,
        lambda p: optim.Adam(p, lr=1e-3, amsgrad=True),
    ),
    "tabular": (
        lambda: mlp((64, 256, 256, 10), nn.ReLU, norm=True), F.cross_entropy,
        lambda p: optim.AdamW(p, lr=1e-3, weight_decay=0.1),
    ),
    "dropout": (
        lambda: mlp((48, 100, 100, 7), nn.LeakyReLU, norm=True, dropout=0.2), smoothed,
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    ),
    "deep": (
        lambda: mlp((128,) * 9 + (10,), nn.GELU, norm=True), F.cross_entropy,
        lambda p: optim.Adam(p, lr=1e-3),
    ),
    "regression": (
        lambda: mlp((13, 77, 33, 3), nn.SiLU), F.mse_loss,
        lambda p: optim.RMSprop(p, lr=1e-3, centered=True, momentum=0.9),
    ),
    "odd sizes": (
        lambda: mlp((7, 19, 23, 5), nn.ELU), F.cross_entropy,
        lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.01),
    ),
    "gates": (
        lambda: mlp((30, 60, 60, 2), nn.Sigmoid, norm=True), F.cross_entropy,
        lambda p: optim.SGD(p, lr=0.1, weight_decay=1e-3, dampening=0.1, momentum=0.5),
    ),
    "soft": (
        lambda: mlp((30, 60, 1), nn.Softplus), F.mse_loss,
        lambda p: optim.RMSprop(p, lr=1e-3),
    ),
    "wide": (
        lambda: mlp((300, 700, 20), nn.ReLU, norm=True), F.cross_entropy,
        lambda p: optim.SGD(p, lr=0.05),
    ),
}  # fmt: skip


def data_of(model, loss, dtype):
    rng = np.random.default_rng(1)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    x = rng.standard_normal((STEPS * BATCH, linear[0].in_features)).astype(dtype)
    classes = linear[-1].out_features
    if loss is F.mse_loss:
        return x, np.tanh(x[:, :classes])
    return x, np.abs(x[:, :classes]).argmax(1)


def trained(name, dtype, way):
    """The bytes of what a net has after its steps."""
    make, loss, make_optimizer = NETS[name]
    pyml.manual_seed(0)
    model = make()
    if dtype == "float64":
        model.double()
    optimizer = make_optimizer(model.parameters())
    x, y = map(pyml.from_numpy, data_of(model, loss, dtype))

    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    if way == "run":
        pyml.record(step).run(x, y, batch_size=BATCH, epochs=1, shuffle=False, progress=False)
    else:
        step = pyml.record(step) if way == "recorded" else step
        for i in range(0, len(x), BATCH):
            step(x[i : i + BATCH], y[i : i + BATCH])
    return b"".join(np.ascontiguousarray(t.numpy()).tobytes() for t in model.state_dict().values())


def lines_of(isa):
    """Prints the digests of one ISA; a process each, as users choose it."""
    failed = False
    for name in NETS:
        for dtype in ("float32", "float64"):
            digests = set()
            for threads in THREADS:
                pyml.set_num_threads(threads)
                for way in ("eager", "recorded", "run"):
                    digest = hashlib.sha256(trained(name, dtype, way)).hexdigest()[:16]
                    digests.add(digest)
                    print(f"{name}, {dtype}, {isa}, {threads} threads, {way}: {digest}")
            failed |= len(digests) > 1
    return failed


def main():
    if len(sys.argv) > 1:
        return lines_of(sys.argv[1])
    failed = False
    for isa in _kernels.available_isas():
        environment = os.environ | {"PYML_ISA": isa}
        failed |= subprocess.run([sys.executable, __file__, isa], env=environment).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
