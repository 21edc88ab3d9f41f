"""Training steps on a differential equation, by derivatives of a net by its inputs, beside others.

Burgers' equation as in DeepXDE's example: u(x, t) is a net 2-20-20-20-1 of tanh in float64, on
2,780 points, and a step lowers the mean square of u_t + u u_x - (0.01 / pi) u_xx by Adam. All sides
start from the same weights, and their first losses must agree. PyTorch and JAX differentiate each
in its best spelling: by backward twice, and by nested forward derivatives of a point, vectorized.
"""

import itertools
import math

import numpy as np

import pyml

from .compare import Table, about, agree, medians, parse, parser, ratio, version
from .jax_adam import BETAS, EPS, LR, adam

WIDTHS, POINTS, VISCOSITY = (2, 20, 20, 20, 1), 2780, 0.01 / math.pi
STEPS, TOLERANCE = 5, 1e-9  # of the first losses


def first_weights():
    rng = np.random.default_rng(0)
    sizes = list(itertools.pairwise(WIDTHS))
    return [(rng.normal(size=(o, i)) * math.sqrt(2 / (i + o)), np.zeros(o)) for i, o in sizes]


def points():
    return np.random.default_rng(1).uniform((-1, 0), (1, 1), (POINTS, 2))


def model_of(torch, weights):
    """Of pyml or PyTorch."""
    layers = []
    for w, b in weights:
        linear = torch.nn.Linear(*w.shape[::-1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def backward_twice(torch, model, x):
    """(u, u_x, u_t, u_xx), the text is that of both."""
    u = model(x)
    first = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    u_x, u_t = first[:, :1], first[:, 1:]
    u_xx = torch.autograd.grad(u_x.sum(), x, create_graph=True)[0][:, :1]
    return u, u_x, u_t, u_xx


def forward_once(pyml, model, x):
    return pyml.func.input_derivatives(model, x, [(), 0, 1, (0, 0)])


def step_of(torch, derivatives, weights):
    model = model_of(torch, weights)
    optimizer = torch.optim.Adam(model.parameters(), LR, BETAS, EPS, fused=True)
    x = torch.from_numpy(points()).requires_grad_(derivatives is backward_twice)

    def step():
        optimizer.zero_grad(set_to_none=True)
        u, u_x, u_t, u_xx = derivatives(torch, model, x)
        loss = ((u_t + u * u_x - VISCOSITY * u_xx) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def pyml_step(weights):
    return step_of(pyml, forward_once, weights)


def recorded_step(weights):
    return pyml.record(step_of(pyml, forward_once, weights))


def pyml_backward_twice(weights):
    return step_of(pyml, backward_twice, weights)


def torch_step(weights):
    import torch

    return step_of(torch, backward_twice, weights)


def jax_step(weights):
    """One jitted function of the whole step, its state donated."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    def u(params, point):
        h = point
        for w, b in params[:-1]:
            h = jnp.tanh(w @ h + b)
        w, b = params[-1]
        return (w @ h + b)[0]

    def residual(params, point):
        ex, et = jnp.eye(2)

        def along_x(p):
            return jax.jvp(lambda q: u(params, q), (p,), (ex,))

        (value, u_x), (_, u_xx) = jax.jvp(along_x, (point,), (ex,))
        _, u_t = jax.jvp(lambda q: u(params, q), (point,), (et,))
        return u_t + value * u_x - VISCOSITY * u_xx

    def loss_of(params, x):
        return jnp.mean(jax.vmap(residual, (None, 0))(params, x) ** 2)

    def update(state, x):
        loss, g = jax.value_and_grad(loss_of)(state[0], x)
        return adam(state, g), loss

    update = jax.jit(update, donate_argnums=0)
    params = jax.tree.map(jnp.array, weights)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state, x = (params, zeros, jax.tree.map(jnp.array, zeros), jnp.zeros(())), jnp.asarray(points())

    def step():
        nonlocal state
        state, loss = update(state, x)
        return loss.block_until_ready()

    return step


SIDES = {  # name -> (step of the weights, the package it needs)
    "pyml": (pyml_step, None),
    "pyml recorded": (recorded_step, None),
    "pyml twice": (pyml_backward_twice, None),
    "torch": (torch_step, "torch"),
    "jax": (jax_step, "jax"),
}
PACKAGES = [package for _, package in SIDES.values() if package]


def rows(options):
    weights = first_weights()
    sides = {
        name: start(weights)
        for name, (start, package) in SIDES.items()
        if package is None or version(package)
    }
    losses = {name: [float(step()) for _ in range(STEPS)] for name, step in sides.items()}
    agree("losses", losses, TOLERANCE)
    times = medians(sides, options.seconds)
    ratios = {
        f"{name} / recorded": times[name] / times["pyml recorded"]
        for name in PACKAGES
        if name in times
    }
    yield {"step": "burgers", **times, **ratios, "best peer / pyml": ratio(times)}


def main(argv=None):
    options = parse(parser(__doc__), argv)
    columns = ["step", "threads", *SIDES, *(f"{name} / recorded" for name in PACKAGES)]
    Table(about(*PACKAGES), columns).run(rows, options)


if __name__ == "__main__":
    main()
