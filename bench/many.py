"""Many trainings in one call, beside the same trainings one after another, and other libraries.

Members that differ in their seed alone train for a few epochs by Adam on the same rows in memory,
each in an order of its own: by pyml.fit_many; by a recorded Trainer, one after another, on one
thread ("pyml lone") and with all threads in each ("pyml in turn"); by PyTorch's loop; and by JAX,
the whole training of all members as one jitted function, by vmap and by lax.map, without the time
of compiling. What all have learned must agree: the mean over the members of the loss on the rows.

"maf" is a block of a masked autoregressive flow (Papamakarios et al. 2017), 20-100-100-40 with
masks on the weights, whose outputs are a mean and a log scale of each input, and their negative
log likelihood. Each net takes less than two minutes in a quiet place:

    python -m bench.many --threads 2 --nets small
"""

import math
from functools import cache
from itertools import pairwise

import numpy as np

import pyml
from pyml import optim, train

from .compare import Table, about, agree, medians, parse, parser, version
from .jax_adam import BETAS, EPS, LR, adam

# name -> (widths, kind, batch, rows, epochs)
NETS = {
    "small": ((24, 64, 64, 4), "plain", 64, 2048, 20),
    "tabular": ((64, 256, 256, 10), "norm", 256, 1024, 10),
    "maf": ((20, 100, 100, 40), "masked", 128, 2048, 10),
}
MEMBERS = 32
TURNS = 3
TOLERANCE = 0.05  # of the mean loss: other first weights, other orders


class Case:
    """What all sides train on, and for how long."""

    def __init__(self, name, options):
        self.widths, self.kind, self.batch, count, epochs = NETS[name]
        self.members = 2 if options.quick else options.members
        self.epochs = 1 if options.quick else options.epochs or epochs
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(count, self.widths[0])).astype("f")
        labels = self.x @ rng.normal(size=(self.widths[0], self.widths[-1]))
        self.y = labels.argmax(1)
        if self.kind == "masked":
            mixed = self.x @ np.tril(rng.normal(size=(self.widths[0],) * 2))
            self.x = self.y = (mixed / mixed.std(0)).astype("f")

    def masks(self):
        """Of the weights (outputs, inputs): an output sees the inputs before its own (MADE)."""
        inputs, *hidden, outputs = self.widths
        degrees = [np.arange(inputs), *(np.arange(width) % (inputs - 1) for width in hidden)]
        masks = [b[:, None] >= a for a, b in pairwise(degrees)]
        last = np.tile(np.arange(inputs), outputs // inputs)[:, None] > degrees[-1]
        return [mask.astype("f") for mask in [*masks, last]]


def network(torch, case):
    """Of pyml or PyTorch."""
    masks = case.masks() if case.kind == "masked" else [None] * len(case.widths)
    layers = []
    for (i, o), mask in zip(pairwise(case.widths), masks, strict=False):
        norm = [torch.nn.BatchNorm1d(o)] if case.kind == "norm" else []
        linear = torch.nn.Linear(i, o) if mask is None else masked(torch, i, o, mask)
        layers += [linear, *norm, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[: -1 - (case.kind == "norm")])


def masked(torch, inputs, outputs, mask):
    """A Linear whose weights have a mask."""
    layer = masked_linear(torch)(inputs, outputs)
    layer.register_buffer("mask", torch.from_numpy(mask))
    return layer


@cache
def masked_linear(torch):
    """The class, of pyml or PyTorch."""

    class MaskedLinear(torch.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight * self.mask, self.bias)

    return MaskedLinear


def loss_of(torch, case):
    """A function of (outputs, target)."""
    return likelihood if case.kind == "masked" else torch.nn.CrossEntropyLoss()


def likelihood(outputs, x, exp=lambda scale: scale.exp()):
    """Negative, of x = mean + exp(scale) u, u of the normal distribution."""
    count = x.shape[1]
    mean, scale = outputs[:, :count], outputs[:, count:]
    u = (x - mean) * exp(-scale)
    return (0.5 * u * u + scale).sum(1).mean() + 0.5 * math.log(2 * math.pi) * count


def mean_loss(torch, models, case):
    """Of the training rows, in training mode: batch statistics where there are some."""
    x, y = torch.from_numpy(case.x), torch.from_numpy(case.y)
    with torch.no_grad():
        return np.mean([float(loss_of(torch, case)(m(x), y)) for m in models])


# ---- sides: each gives (a call that trains all members, the mean loss of what it returned) ------


def at_once(case):
    members = [train.Member(lambda: network(pyml, case), optim.Adam) for _ in range(case.members)]
    options = {"epochs": case.epochs, "batch_size": case.batch, "progress": False}

    def call():
        return train.fit_many(members, case.x, case.y, loss=loss_of(pyml, case), **options)

    return call, lambda trained: mean_loss(pyml, [m.predictor.train() for m in trained], case)


def lone(case, threads=None):
    def call():
        before, models = pyml.get_num_threads(), []
        pyml.set_num_threads(threads or before)
        for seed in range(case.members):
            pyml.manual_seed(seed)
            model = network(pyml, case)
            optimizer = optim.Adam(model.parameters())
            trainer = train.Trainer(model, loss_of(pyml, case), optimizer)
            options = {"epochs": case.epochs, "batch_size": case.batch, "progress": False}
            trainer.fit(case.x, case.y, seed=seed, **options)
            models.append(model)
        pyml.set_num_threads(before)
        return models

    return call, lambda models: mean_loss(pyml, [model.train() for model in models], case)


def by_torch(case):
    import torch

    x, y, loss = torch.from_numpy(case.x), torch.from_numpy(case.y), loss_of(torch, case)

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
    masks = [m.T for m in case.masks()] if case.kind == "masked" else None

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
            x = x @ (w if masks is None else w * masks[i]) + b
            if i < len(params) - 1:
                if case.kind == "norm":
                    centred = x - x.mean(0)
                    x = centred * jax.lax.rsqrt((centred**2).mean(0) + 1e-5) * gamma + beta
                x = jax.nn.relu(x)
        if masks is not None:
            return likelihood(x, y, jnp.exp)
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
    "pyml lone": (lambda case: lone(case, threads=1), None),
    "pyml in turn": (lone, None),
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
        case = Case(name, options)
        sides = {
            side: start(case)
            for side, (start, package) in SIDES.items()
            if (package is None or version(package)) and side in options.sides
        }
        losses = {side: loss(call()) for side, (call, loss) in sides.items()}
        agree(f"mean loss of {name}", losses, TOLERANCE)
        times = medians({side: call for side, (call, _) in sides.items()}, 0, options.turns)
        times = {side: time / 1e3 for side, time in times.items()}
        ratios = {f"{side} / pyml": time / times["pyml"] for side, time in times.items()}
        yield {"net": name, "members": case.members, "epochs": case.epochs, **times, **ratios}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--nets", nargs="+", choices=[*NETS], default=[*NETS])
    options.add_argument("--sides", nargs="+", choices=[*SIDES], default=[*SIDES])
    options.add_argument("--members", type=int, default=MEMBERS)
    options.add_argument("--epochs", type=int, help="instead of the net's own")
    options.add_argument("--turns", type=int, default=TURNS, help="of each side")
    options = parse(options, argv)
    columns = ["net", "members", "epochs", "threads", *SIDES, *PER]
    caption = "median milliseconds of a training of all members"
    Table(about(*PACKAGES), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
