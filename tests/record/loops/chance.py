"""Random numbers, of pyml and of others."""

import random

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    CLASSES,
    batches,
    classification,
    final,
    inputs,
    train,
    update,
)
from record.loops.harness import loop

# ---- pyml's own ----------------------------------------------------------------------------------

NOISES = {
    "randn_like": lambda x: x + 0.1 * torch.randn_like(x),
    "randn": lambda x: x + 0.1 * torch.randn(*x.shape),
    "rand": lambda x: x * (0.9 + 0.2 * torch.rand(x.shape[0], 1)),
    "normal": lambda x: torch.normal(x, 0.1),
    "normal_in_place": lambda x: x + torch.empty(x.shape).normal_(0, 0.1),
    "uniform_in_place": lambda x: x + torch.zeros_like(x).uniform_(-0.1, 0.1),
    "dropout": lambda x: F.dropout(x, 0.2, training=True),
    "mask": lambda x: x * (torch.rand_like(x) > 0.2).float(),
    "where": lambda x: torch.where(torch.rand(len(x), 1) < 0.5, x, -x),
    "feature_for_all_rows": lambda x: x * (torch.rand(1, x.shape[1]) > 0.1).float(),
}


@loop(each=NOISES)
def noise_by(record, noise):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(noise(x)), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i == 12:
            yield torch.rand(3)
    yield from final(model)


@loop(
    expect="either",
    each={"randint": lambda n: torch.randint(0, n, (n,)), "randperm": torch.randperm},
)
def rows_drawn_inside_by(record, draw):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        rows = draw(len(x))
        return update(optimizer, F.cross_entropy(model(x[rows]), y[rows]))

    yield from train(step, X, Y)


@loop
def generator_of_its_own(record):
    model, optimizer, X, Y = classification()
    generator = torch.Generator()
    generator.manual_seed(5)

    @record
    def step(x, y):
        noise = torch.randn(*x.shape, generator=generator)
        return update(optimizer, F.cross_entropy(model(x + 0.1 * noise), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 12:
            generator.manual_seed(5)
        yield step(x, y)
    yield torch.rand(2, generator=generator)


@loop(expect="either")
def seed_inside(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        torch.manual_seed(3)
        return update(optimizer, F.cross_entropy(model(x + 0.1 * torch.randn_like(x)), y))

    yield from train(step, X, Y)
    yield torch.rand(3)


@loop
def dropout_in_training_and_not_in_evaluation(record):
    model, X = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, CLASSES)), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    Y = torch.randint(0, CLASSES, (192,))

    @record
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        return update(optimizer, loss) if model.training else loss.detach()

    for i, (x, y) in enumerate(batches(X, Y)):
        model.train(i % 3 != 2)
        yield step(x, y)


@loop
def monte_carlo_dropout(record):
    model, X = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1)), inputs()

    @record
    @torch.no_grad()
    def predict(x):
        draws = torch.stack([model(x) for _ in range(5)])
        return draws.mean(0), draws.std(0)

    yield from train(predict, X)


# ---- mixing --------------------------------------------------------------------------------------


def one_hot(y):
    return (y.unsqueeze(1) == torch.arange(CLASSES)).float()


def mixed(x, y, lam):
    """With the rows in reverse as partners."""
    return lam * x + (1 - lam) * x.flip(0), lam * one_hot(y) + (1 - lam) * one_hot(y).flip(0)


@loop
def mixup_with_weights_of_pyml(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        x, y = mixed(x, y, torch.rand(len(x), 1))
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model)


@loop
def mixup_with_a_weight_given(record):
    model, optimizer, X, Y = classification()
    rng = np.random.default_rng(0)

    @record
    def step(x, y, lam):
        x, y = mixed(x, y, lam)
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        yield step(x, y, torch.tensor(rng.beta(0.4, 0.4), dtype=torch.float32))
    yield from final(model)


RNG = np.random.default_rng(0)
PYTHON_RNG = random.Random(0)

DRAWS = {
    "np_beta": lambda: np.random.beta(0.4, 0.4),
    "np_rand": lambda: np.random.rand(),
    "np_uniform": lambda: np.random.uniform(0, 1),
    "np_choice": lambda: np.random.choice([0.1, 0.5, 0.9]),
    "np_randint": lambda: np.random.randint(10) / 10,
    "default_rng_beta": lambda: RNG.beta(0.4, 0.4),
    "default_rng_random": lambda: RNG.random(),
    "default_rng_integers": lambda: int(RNG.integers(10)) / 10,
    "new_default_rng": lambda: np.random.default_rng().random(),
    "random_random": lambda: random.random(),
    "random_uniform": lambda: random.uniform(0, 1),
    "random_choice": lambda: random.choice([0.1, 0.5, 0.9]),
    "random_betavariate": lambda: random.betavariate(0.4, 0.4),
    "random_gauss": lambda: abs(random.gauss(0.5, 0.1)),
    "random_of_its_own": lambda: PYTHON_RNG.random(),
    "system_random": random.SystemRandom().random,
}
UNSEEDED = DRAWS["new_default_rng"], DRAWS["system_random"]  # their losses differ by chance


@loop(expect="refused", each=DRAWS)
def mixup_with_a_weight_drawn_by(record, draw):
    global PYTHON_RNG, RNG
    PYTHON_RNG, RNG = random.Random(0), np.random.default_rng(0)
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        x, y = mixed(x, y, draw())
        return update(optimizer, F.cross_entropy(model(x), y))

    for loss in train(step, X, Y):
        yield loss.shape if draw in UNSEEDED else loss


@loop(expect="refused")
def mixup_by_a_helper_of_a_class(record):
    class Mixup:
        def __init__(self, alpha=0.4):
            self.alpha, self.rng = alpha, np.random.default_rng(0)

        def __call__(self, x, y):
            return mixed(x, y, self.rng.beta(self.alpha, self.alpha))

    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = classification()
            self.augmentation = {"mixup": Mixup()}

        @record
        def step(self, x, y):
            x, y = self.augmentation["mixup"](x, y)
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    trainer = Trainer()
    yield from train(trainer.step, trainer.X, trainer.Y)


@loop(expect="refused")
def mixup_with_an_rng_in_a_closure_of_a_closure(record):
    def augmenter(seed):
        rng = np.random.default_rng(seed)

        def draw():
            return float(rng.beta(0.4, 0.4))

        return lambda x, y: mixed(x, y, draw())

    model, optimizer, X, Y = classification()
    augment = augmenter(0)

    @record
    def step(x, y):
        x, y = augment(x, y)
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def permutation_of_numpy(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        rows = torch.from_numpy(np.random.permutation(len(x)))
        return update(optimizer, F.cross_entropy(model(x[rows]), y[rows]))

    yield from train(step, X, Y)


@loop(expect="refused")
def noise_of_numpy(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        noise = torch.tensor(np.random.normal(size=x.shape), dtype=torch.float32)
        return update(optimizer, F.cross_entropy(model(x + 0.1 * noise), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def branch_by_chance(record):
    """Augments half of the time."""
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        if random.random() < 0.5:
            x = -x
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)


@loop(expect="refused")
def layer_dropped_by_chance(record):
    class Stochastic(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])
            self.head = nn.Linear(4, CLASSES)

        def forward(self, x):
            for layer in self.layers:
                if not self.training or np.random.rand() > 0.3:
                    x = x + layer(x).tanh()
            return self.head(x)

    model, X = Stochastic(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    Y = torch.randint(0, CLASSES, (192,))

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)


@loop
def layer_dropped_by_a_tensor(record):
    layers, head, X = [nn.Linear(4, 4) for _ in range(4)], nn.Linear(4, CLASSES), inputs()
    optimizer = optim.SGD([p for m in (*layers, head) for p in m.parameters()], lr=0.1)
    Y = torch.randint(0, CLASSES, (192,))

    @record
    def step(x, y):
        for layer in layers:
            x = x + (torch.rand(()) > 0.3).float() * layer(x).tanh()
        return update(optimizer, F.cross_entropy(head(x), y))

    yield from train(step, X, Y)


@loop
def chance_outside_of_the_step(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, flip):
        return update(optimizer, F.cross_entropy(model(-x if flip else x), y))

    for x, y in batches(X, Y):
        yield step(x, y, random.random() < 0.5)


@loop(expect="refused")
def shuffle_of_python_inside(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        rows = list(range(len(x)))
        random.shuffle(rows)
        x = torch.stack([x[i] for i in rows])
        y = torch.stack([y[i] for i in rows])
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
