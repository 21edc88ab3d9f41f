"""Many trainings in one call, beside the same trainings one after another, and other libraries.

Members that differ in their seed alone train for a few epochs by Adam on the same rows in memory,
each in an order of its own: by pyml.fit_many; by a recorded Trainer, one after another ("pyml
lone", which may use all threads in each); by PyTorch's loop; and by JAX, the whole training of all
members as one jitted function, by vmap and by lax.map, without the time of compiling. What all have
learned must agree: the mean over the members of the loss on the rows.
"""

import math
from itertools import pairwise

import numpy as np

import pyml
from pyml import nn, optim, train

from .compare import Table, about, agree, medians, parse, parser, version
from .jax_adam import BETAS, EPS, LR, adam

# name -> (widths, with BatchNorm, batch, rows)
NETS = {
    "small": ((24, 64, 64, 4), False, 64, 2048),
    "tabular": ((64, 256, 256, 10), True, 256, 1024),
}
MEMBERS, EPOCHS = 32, 20
TOLERANCE = 0.05  # of the mean loss: other first weights, other orders


class Case:
    """What all sides train on, and for how long."""

    def __init__(self, name, quick):
        self.widths, self.norm, self.batch, count = NETS[name]
        self.members, self.epochs = (2, 1) if quick else (MEMBERS, EPOCHS)
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(count, self.widths[0])).astype("f")
        labels = self.x @ rng.normal(size=(self.widths[0], self.widths[-1]))
        self.y = labels.argmax(1)


def network(torch, case):
    """Of pyml or PyTorch."""
    layers = []
    for i, o in pairwise(case.widths):
        norm = [torch.nn.BatchNorm1d(o)] if case.norm else []
        layers += [torch.nn.Linear(i, o), *norm, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[: -1 - case.norm])


def mean_loss(torch, models, case):
    """Of the training rows, in training mode: batch statistics where there are some."""
    x, y = torch.from_numpy(case.x), torch.from_numpy(case.y)
    with torch.no_grad():
        return np.mean([float(torch.nn.functional.cross_entropy(m(x), y)) for m in models])


# ---- sides: each gives (a call that trains all members, the mean loss of what it returned) ------


def at_once(case):
    members = [train.Member(lambda: network(pyml, case), optim.Adam) for _ in range(case.members)]
    options = {"epochs": case.epochs, "batch_size": case.batch, "progress": False}

    def call():
        return train.fit_many(members, case.x, case.y, loss=nn.CrossEntropyLoss(), **options)

    return call, lambda trained: mean_loss(pyml, [m.predictor.train() for m in trained], case)


def lone(case):
    def call():
        models = []
        for seed in range(case.members):
            pyml.manual_seed(seed)
            model = network(pyml, case)
            trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
            options = {"epochs": case.epochs, "batch_size": case.batch, "progress": False}
            trainer.fit(case.x, case.y, seed=seed, **options)
            models.append(model)
        return models

    return call, lambda models: mean_loss(pyml, [model.train() for model in models], case)


def by_torch(case):
    import torch

    x, y, loss = torch.from_numpy(case.x), torch.from_numpy(case.y), torch.nn.CrossEntropyLoss()

    def call():
        models = []
        for seed in range(case.members):
            torch.manual_seed(seed)
            model = network(torch, case)
            optimizer = torch.optim.Adam(model.parameters(), LR, BETAS, EPS, fused=True)
            for _ in range(case.epochs):
                for rows in torch.randperm(len(x)).split(case.batch):
                    optimizer.zero_grad(set_to_none=True)
                    loss(model(x[rows]), y[rows]).backward()
                    optimizer.step()
            models.append(model)
        return models

    return call, lambda models: mean_loss(torch, models, case)


def by_jax(case, mapped):
    """`mapped`: makes of a training of one member one of all."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(case.x), jnp.asarray(case.y)

    def first(key):
        params = []
        for i, o in pairwise(case.widths):
            key, *keys = jax.random.split(key, 3)
            bound = 1 / math.sqrt(i)
            w, b = (
                jax.random.uniform(k, shape, minval=-bound, maxval=bound)
                for k, shape in zip(keys, ((i, o), (o,)), strict=True)
            )
            params.append((w, b, jnp.ones(o), jnp.zeros(o)))
        return params

    def loss_of(params, x, y):
        for i, (w, b, gamma, beta) in enumerate(params):
            x = x @ w + b
            if i < len(params) - 1:
                if case.norm:
                    centred = x - x.mean(0)
                    x = centred * jax.lax.rsqrt((centred**2).mean(0) + 1e-5) * gamma + beta
                x = jax.nn.relu(x)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

    def step(state, rows):
        g = jax.grad(loss_of)(state[0], x[rows], y[rows])
        return adam(state, g), None

    def trained(key):
        key, *orders = jax.random.split(key, 1 + case.epochs)
        orders = jax.vmap(lambda k: jax.random.permutation(k, len(x)))(jnp.stack(orders))
        params = first(key)
        zeros = jax.tree.map(jnp.zeros_like, params)
        state = (params, zeros, zeros, jnp.zeros(()))
        return jax.lax.scan(step, state, orders.reshape(-1, case.batch))[0][0]

    keys = jax.random.split(jax.random.key(0), case.members)
    all_of_them = jax.jit(mapped(jax)(trained))
    losses = jax.jit(jax.vmap(lambda params: loss_of(params, x, y)))
    return lambda: jax.block_until_ready(all_of_them(keys)), lambda p: float(losses(p).mean())


SIDES = {  # name -> (start of a case, the package it needs)
    "pyml": (at_once, None),
    "pyml lone": (lone, None),
    "torch": (by_torch, "torch"),
    "jax vmap": (lambda case: by_jax(case, lambda jax: jax.vmap), "jax"),
    "jax map": (
        lambda case: by_jax(case, lambda jax: lambda one: lambda keys: jax.lax.map(one, keys)),
        "jax",
    ),
}
PACKAGES = ["torch", "jax"]
PER = [f"{name} / pyml" for name in SIDES if name != "pyml"]


def rows(options):
    for name in options.nets:
        case = Case(name, options.quick)
        sides = {
            side: start(case)
            for side, (start, package) in SIDES.items()
            if package is None or version(package)
        }
        losses = {side: loss(call()) for side, (call, loss) in sides.items()}
        agree(f"mean loss of {name}", losses, TOLERANCE)
        times = medians({side: call for side, (call, _) in sides.items()}, options.seconds)
        times = {side: time / 1e3 for side, time in times.items()}
        ratios = {f"{side} / pyml": time / times["pyml"] for side, time in times.items()}
        yield {"net": name, "members": case.members, **times, **ratios}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--nets", nargs="+", choices=[*NETS], default=[*NETS])
    options = parse(options, argv)
    columns = ["net", "members", "threads", *SIDES, *PER]
    caption = "median milliseconds of a training of all members"
    Table(about(*PACKAGES), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
