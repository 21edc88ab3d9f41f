"""Training steps of each library: zero grad, forward, backward, Adam, each in its best spelling.

A side is a function of a Network and its first weights, {name: array} as `state_dict` names them.
It returns a callable without arguments: a step on the network's next batch, which returns the loss,
or an epoch of network.epoch steps, which returns the losses of all. It, or its first call, raises
LeftOut where the library does not do a network.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

import pyml
from pyml import _kernels

from .networks import NETWORKS

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
BATCHNORM_MOMENTUM, BATCHNORM_EPS = 0.1, 1e-5


class LeftOut(Exception):
    """A library does not do a network; says why."""


def first_weights(network):
    """The weights that all sides start from."""
    pyml.manual_seed(0)
    return {name: x.numpy().copy() for name, x in network.build(pyml.nn).state_dict().items()}


def first_losses(call, count):
    """Of the first `count` steps of a side; none if it returns no losses."""
    losses = []
    while len(losses) < count and (loss := call()) is not None:
        losses.extend(np.ravel(loss.tolist()))
    return losses[:count]


def on_batches(step, network, array=np.asarray):
    """A step without arguments of one with (x, target)."""
    batches = network.batches(array)
    return lambda: step(*next(batches))


# ---- pyml and PyTorch ---------------------------------------------------------------------------


def start(torch, network, weights, transform=None, bfloat16=False):
    """Of pyml or PyTorch, the text is the same: (model, step, loss), the last two of (x, target).

    `transform` is applied to forward and loss; with bfloat16 they are under autocast.
    """
    model = network.build(torch.nn)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    criterion = getattr(torch.nn, network.loss)()

    def loss_of(x, target):
        return criterion(model(x), target)

    if bfloat16:
        loss_of = torch.autocast("cpu", torch.bfloat16)(loss_of)
    if transform:
        loss_of = transform(loss_of)

    def step(x, target):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, target)
        loss.backward()
        optimizer.step()
        return loss

    return model, step, loss_of


def eager_step(torch, network, weights, transform=None, bfloat16=False):
    _, step, _ = start(torch, network, weights, transform, bfloat16)
    return on_batches(step, network, torch.from_numpy)


def pyml_step(network, weights, bfloat16=False):
    return eager_step(pyml, network, weights, bfloat16=bfloat16)


def recorded_step(network, weights, bfloat16=False):
    """The same step, recorded."""
    _, step, _ = start(pyml, network, weights, bfloat16=bfloat16)
    return on_batches(pyml.record(step), network, pyml.from_numpy)


def recorded_run(network, weights, bfloat16=False):
    """The same step, recorded, and run over an epoch in C."""
    _, step, _ = start(pyml, network, weights, bfloat16=bfloat16)
    step = pyml.record(step)
    data = [pyml.from_numpy(part) for part in network.data(network.epoch)]
    return lambda: step.run(*data, batch_size=network.batch, shuffle=False)


def in_bfloat16(make):
    """A side of pyml under autocast, where the processor has instructions for it."""

    def made(network, weights):
        if _kernels.selected_bfloat16() is None:
            raise LeftOut("has no products in bfloat16 here")
        return make(network, weights, bfloat16=True)

    return made


def torch_step(network, weights, bfloat16=False):
    import torch

    return eager_step(torch, network, weights, bfloat16=bfloat16)


def torch_compile_step(network, weights):
    """Forward and loss are one compiled graph, whose backward is compiled with it."""
    if network is NETWORKS["wide"]:
        raise LeftOut("is not tried: it is all matrix products, which are not compiled")

    import torch

    torch.compiler.reset()  # it takes other networks for changes of one, and refuses the ninth
    compiled = partial(torch.compile, fullgraph=True, dynamic=False)
    step = eager_step(torch, network, weights, compiled)

    def call():
        try:
            return step()
        except RuntimeError as error:  # of the C++ compiler, or that there is none
            raise LeftOut(f"failed ({str(error).splitlines()[0]})") from None

    return call


def linears_and_norms(weights):
    """The dicts of the Linear layers, their weights of shape (in, out), and of the BatchNorms."""
    layers = {}
    for name, value in weights.items():
        index, _, last = name.partition(".")
        layers.setdefault(index, {})[last] = np.ascontiguousarray(value.T)
    linears = [layer for layer in layers.values() if "running_mean" not in layer]
    norms = [layer for layer in layers.values() if "running_mean" in layer]
    return linears, norms


# ---- JAX ----------------------------------------------------------------------------------------


def jax_update(network, weights, bfloat16=False):
    """The first state, and the step as a function (state, x, target) -> (state, loss).

    With bfloat16 the products are of operands rounded to it, and sums of float32.
    """
    import jax
    import jax.numpy as jnp
    import optax

    activation = {
        "Tanh": jnp.tanh,
        "ReLU": jax.nn.relu,
        "GELU": partial(jax.nn.gelu, approximate=False),
    }[network.activation]
    adam = optax.adam(LR, BETA1, BETA2, EPS)

    def product(x, w):
        if not bfloat16:
            return x @ w
        x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
        return jnp.matmul(x, w, preferred_element_type=jnp.float32)

    linears, norms = linears_and_norms(weights)
    averages = [(norm["running_mean"], norm["running_var"]) for norm in norms]
    params = linears, [{name: norm[name] for name in ("weight", "bias")} for norm in norms]

    def batchnorm(x, norm, averages):
        n = len(x)
        mean, var = x.mean(0), x.var(0)
        running_mean, running_var = averages
        averages = (
            running_mean + BATCHNORM_MOMENTUM * (mean - running_mean),
            running_var + BATCHNORM_MOMENTUM * (var * (n / (n - 1)) - running_var),
        )
        scale = norm["weight"] * jax.lax.rsqrt(var + BATCHNORM_EPS)
        return (x - mean) * scale + norm["bias"], averages

    def loss_of(params, averages, x, target):
        (*hidden, last), norms = params
        averages = list(averages)
        for i, layer in enumerate(hidden):
            x = product(x, layer["weight"]) + layer["bias"]
            if norms:
                x, averages[i] = batchnorm(x, norms[i], averages[i])
            x = activation(x)
        y = product(x, last["weight"]) + last["bias"]
        if network.loss == "MSELoss":
            return jnp.mean((y - target) ** 2), averages
        return optax.softmax_cross_entropy_with_integer_labels(y, target).mean(), averages

    def update(state, x, target):
        params, averages, moments = state
        value_and_grad = jax.value_and_grad(loss_of, has_aux=True)
        (loss, averages), grads = value_and_grad(params, averages, x, target)
        updates, moments = adam.update(grads, moments)
        return (optax.apply_updates(params, updates), averages, moments), loss

    return jax.tree.map(jnp.array, (params, averages, adam.init(params))), update


def jax_step(network, weights):
    """One jitted function of the whole step, its state donated."""
    import jax
    import jax.numpy as jnp

    state, update = jax_update(network, weights)
    update = jax.jit(update, donate_argnums=0)

    def step(x, target):
        nonlocal state
        state, loss = update(state, x, target)
        return loss.block_until_ready()

    return on_batches(step, network, jnp.asarray)


def jax_scan(network, weights, bfloat16=False):
    """One jitted function of a whole epoch, its state donated.

    Unrolling by two gains a tenth on tiny and costs nothing elsewhere; by more, only compile time.
    """
    import jax
    import jax.numpy as jnp

    state, update = jax_update(network, weights, bfloat16)
    x, target = (
        jnp.asarray(part.reshape(network.epoch, network.batch, *part.shape[1:]))
        for part in network.data(network.epoch)
    )

    @partial(jax.jit, donate_argnums=0)
    def scan(state, x, target):
        return jax.lax.scan(
            lambda state, batch: update(state, *batch), state, (x, target), unroll=2
        )

    def epoch():
        nonlocal state
        state, losses = scan(state, x, target)
        return losses.block_until_ready()

    return epoch


# ---- scikit-learn -------------------------------------------------------------------------------


def sklearn_step(network, weights):
    """One partial_fit. It starts from weights of its own and its step returns no loss."""
    if network.batchnorm:
        raise LeftOut("has no BatchNorm")

    import sklearn
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
    options = {
        "hidden_layer_sizes": network.widths[1:-1],
        "activation": network.activation.lower(),
        "batch_size": network.batch,
        "alpha": 0.0,
        "shuffle": False,
    }
    x, target = next(network.batches(np.squeeze))
    if network.loss == "MSELoss":
        model = MLPRegressor(**options).partial_fit(x, target)
    else:
        model = MLPClassifier(**options).partial_fit(x, target, classes=range(network.widths[-1]))

    def step(x, target):
        model.partial_fit(x, target)

    return on_batches(step, network, np.squeeze)


# ---- NumPy --------------------------------------------------------------------------------------


def numpy_step(network, weights):
    """By hand. All parameters are views of one array, so that Adam takes few calls."""
    if network.batchnorm:
        raise LeftOut("is written without BatchNorm")

    linears, _ = linears_and_norms(weights)
    params = [value for layer in linears for value in layer.values()]
    ends = np.cumsum([value.size for value in params])
    p = np.concatenate([value.ravel() for value in params])
    g, m, v = np.zeros((3, p.size), np.float32)

    def views(flat):
        """Weights and biases that lie in a flat array."""
        parts = np.split(flat, ends[:-1])
        parts = [part.reshape(value.shape) for part, value in zip(parts, params, strict=True)]
        return parts[::2], parts[1::2]

    (w, b), (dw, db) = views(p), views(g)
    activation, derivative = NUMPY_ACTIVATIONS[network.activation]
    loss_of = NUMPY_LOSSES[network.loss]
    t = 0

    def step(x, target):
        nonlocal t
        inputs = [x]
        for i in range(len(w) - 1):
            y = inputs[i] @ w[i]
            y += b[i]
            inputs.append(activation(y))
        y = inputs[-1] @ w[-1]
        y += b[-1]

        loss, dy = loss_of(y, target)
        for i in reversed(range(len(w))):
            np.matmul(inputs[i].T, dy, out=dw[i])
            np.add.reduce(dy, 0, out=db[i])
            if i > 0:
                dy = dy @ w[i].T
                dy *= derivative(inputs[i])

        # Kingma & Ba 2015 (arXiv:1412.6980), Algorithm 1, in the order at the end of section 2
        t += 1
        m[:] += (1 - BETA1) * (g - m)
        v[:] += (1 - BETA2) * (g * g - v)
        correction = math.sqrt(1 - BETA2**t)
        p[:] -= LR * correction / (1 - BETA1**t) * m / (np.sqrt(v) + EPS * correction)
        return loss

    return on_batches(step, network)


def numpy_mse(y, target):
    """The loss and its gradient."""
    y -= target
    return np.vdot(y, y) / y.size, 2 / y.size * y


def numpy_cross_entropy(y, target):
    """The loss and its gradient."""
    rows = np.arange(len(y))
    y -= y.max(1, keepdims=True)
    p = np.exp(y)
    total = p.sum(1, keepdims=True)
    loss = (np.log(total[:, 0]) - y[rows, target]).mean()
    p /= total
    p[rows, target] -= 1
    p /= len(y)
    return loss, p


# in place, and the derivative from the activation's value
NUMPY_ACTIVATIONS = {
    "Tanh": (lambda y: np.tanh(y, out=y), lambda y: 1 - y * y),
    "ReLU": (lambda y: np.maximum(y, 0, out=y), lambda y: y > 0),
}
NUMPY_LOSSES = {"MSELoss": numpy_mse, "CrossEntropyLoss": numpy_cross_entropy}


# ---- the table ----------------------------------------------------------------------------------


class Side(NamedTuple):
    """How a side is made.

    Attributes:
        make: of a network and its first weights.
        packages: as pip names them; without one of them the side is left out.
        is_epoch: a call makes not one step but an epoch.
        precision: of the products; sides are compared with those of the same.
    """

    make: Callable
    packages: tuple = ()
    is_epoch: bool = False
    precision: str = "float32"


SIDES = {
    "pyml": Side(pyml_step),
    "pyml recorded": Side(recorded_step),
    "pyml run": Side(recorded_run, is_epoch=True),
    "torch": Side(torch_step, ("torch",)),
    "torch.compile": Side(torch_compile_step, ("torch",)),
    "jax": Side(jax_step, ("jax", "optax")),
    "jax scan": Side(jax_scan, ("jax", "optax"), is_epoch=True),
    "sklearn": Side(sklearn_step, ("scikit-learn",)),
    "numpy": Side(numpy_step),
    "pyml bf16": Side(in_bfloat16(pyml_step), precision="bfloat16"),
    "pyml bf16 run": Side(in_bfloat16(recorded_run), is_epoch=True, precision="bfloat16"),
    "torch bf16": Side(partial(torch_step, bfloat16=True), ("torch",), precision="bfloat16"),
    "jax bf16 scan": Side(
        partial(jax_scan, bfloat16=True), ("jax", "optax"), is_epoch=True, precision="bfloat16"
    ),
}
