"""One step as a method: trainers, modules, and what they inherit."""

import copy
import dataclasses

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    classifier,
    final,
    inputs,
    labels,
    regression,
    train,
    update,
)
from record.loops.harness import loop


@loop
def method_of_a_trainer(record):
    class Trainer:
        def __init__(self, model, lr=0.1):
            self.model = model
            self.optimizer = optim.SGD(model.parameters(), lr=lr)
            self.criterion = nn.CrossEntropyLoss()

        @record
        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

    model, _, X, Y = classification()
    trainer = Trainer(model)
    yield from train(trainer.step, X, Y)
    yield from final(trainer.model, trainer.optimizer)


@loop
def method_wrapped_in_init(record):
    class Trainer:
        def __init__(self, model):
            self.model, self.losses = model, []
            self.optimizer = optim.Adam(model.parameters(), lr=0.01)
            self.step = record(self.step)

        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

        def fit(self, X, Y):
            for x, y in batches(X, Y):
                self.losses.append(self.step(x, y))
            return self

    model, _, X, Y = classification()
    yield Trainer(model).fit(X, Y).losses
    yield from final(model)


@loop
def two_trainers_of_one_class(record):
    class Trainer:
        def __init__(self, lr):
            self.model = classifier()
            self.optimizer = optim.SGD(self.model.parameters(), lr=lr)

        @record
        def step(self, x, y):
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    X = inputs()
    Y = labels(X)
    trainers = [Trainer(0.1), Trainer(0.2)]
    for x, y in batches(X, Y):
        yield [trainer.step(x, y) for trainer in trainers]


@loop
def trainer_that_is_copied(record):
    class Trainer:
        def __init__(self):
            self.model = classifier()
            self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

        @record
        def step(self, x, y):
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    X = inputs()
    Y = labels(X)
    trainer = Trainer()
    yield from train(trainer.step, X, Y)
    other = copy.deepcopy(trainer)
    for x, y in batches(X, Y):
        yield trainer.step(x, y), other.step(x * 0.5, y)


class Lightning(nn.Module):
    """A LightningModule in little."""

    def __init__(self):
        super().__init__()
        self.net = classifier()
        self.logged, self.global_step = {}, 0

    def forward(self, x):
        return self.net(x)

    def log(self, name, value):
        self.logged.setdefault(name, []).append(value)

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=0.01)


@loop
def lightning(record):
    class Model(Lightning):
        def training_step(self, batch, batch_idx=0):
            x, y = batch
            return F.cross_entropy(self(x), y)

    model = Model()
    optimizer = model.configure_optimizers()
    X = inputs()
    Y = labels(X)

    @record
    def step(batch):
        loss = model.training_step(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for batch in batches(X, Y):
        yield step(batch)
    yield from final(model, optimizer)


@loop
def lightning_that_counts_steps(record):
    class Model(Lightning):
        def training_step(self, batch):
            x, y = batch
            self.global_step += 1
            return F.cross_entropy(self(x), y)

    model = Model()
    optimizer = model.configure_optimizers()
    X = inputs()
    Y = labels(X)

    @record
    def step(x, y):
        return update(optimizer, model.training_step((x, y)))

    for x, y in batches(X, Y):
        yield step(x, y), model.global_step
    yield from final(model, optimizer)


@loop
def lightning_that_logs_by_the_host(record):
    class Model(Lightning):
        def training_step(self, batch):
            x, y = batch
            loss = F.cross_entropy(self(x), y)
            torch.host(self.log, "train_loss", loss)
            return loss

        def log(self, name, value):
            super().log(name, value.item())

    model = Model()
    optimizer = model.configure_optimizers()
    X = inputs()
    Y = labels(X)

    @record
    def step(x, y):
        return update(optimizer, model.training_step((x, y)))

    yield from train(step, X, Y)
    yield model.logged


@loop(expect="refused")
def lightning_that_logs_in_the_step(record):
    class Model(Lightning):
        def training_step(self, batch):
            x, y = batch
            loss = F.cross_entropy(self(x), y)
            self.log("train_loss", loss.item())
            return loss

    model = Model()
    optimizer = model.configure_optimizers()
    X = inputs()
    Y = labels(X)

    @record
    def step(x, y):
        return update(optimizer, model.training_step((x, y)))

    yield from train(step, X, Y)
    yield model.logged


@loop
def module_with_a_recorded_method(record):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = classifier()
            self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)

        def forward(self, x):
            return self.net(x)

        @record
        def learn(self, x, y):
            return update(self.optimizer, F.cross_entropy(self(x), y))

    net, X = Net(), inputs()
    Y = labels(X)
    yield from train(net.learn, X, Y)
    yield from final(net)


@loop
def recorded_module(record):
    """Inference: record(model)."""
    model, optimizer, X, Y = regression()
    predict = record(model)
    for x, y in batches(X, Y):
        update(optimizer, F.mse_loss(model(x), y))
        yield predict(x)


@loop
def recorded_forward(record):
    model, X = classifier(), inputs()
    forward = record(model.forward)
    for (x,) in batches(X):
        with torch.no_grad():
            model[0].weight.mul_(1.01)
        yield forward(x)


@loop
def inheritance_with_super(record):
    class Base:
        scale = 1.0

        def __init__(self, model):
            self.model = model
            self.optimizer = optim.SGD(model.parameters(), lr=0.1)

        def loss(self, x, y):
            return F.cross_entropy(self.model(x), y)

        @record
        def step(self, x, y):
            return update(self.optimizer, self.loss(x, y) * self.scale)

    class Regularised(Base):
        scale = 2.0

        def loss(self, x, y):
            return super().loss(x, y) + 1e-2 * sum(
                p.square().sum() for p in self.model.parameters()
            )

    model, _, X, Y = classification()
    trainer = Regularised(model)
    yield from train(trainer.step, X[:96], Y[:96])
    trainer.scale = 0.5  # of the object: shadows that of the class
    yield from train(trainer.step, X, Y)
    Base.scale = 9.0
    yield from train(trainer.step, X, Y)
    yield from final(model)


@loop
def super_whose_method_is_recorded_too(record):
    class Base:
        def __init__(self, model):
            self.model = model
            self.optimizer = optim.SGD(model.parameters(), lr=0.1)

        @record
        def step(self, x, y):
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    class Noisy(Base):
        @record
        def step(self, x, y):
            return super().step(x + 0.1 * torch.randn_like(x), y)

    model, _, X, Y = classification()
    yield from train(Noisy(model).step, X, Y)
    yield from final(model)


@loop
def class_method_and_static_method(record):
    class Job:
        weight = 2.0

        @staticmethod
        def loss(output, y):
            return F.cross_entropy(output, y)

        @classmethod
        def weighted(cls, output, y):
            return cls.weight * cls.loss(output, y)

    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, Job.weighted(model(x), y))

    yield from train(step, X, Y)
    Job.weight = 0.1
    yield from train(step, X, Y)
    yield from final(model)


@loop
def class_that_is_never_made(record):
    class Train:
        model, optimizer, X, Y = classification()

        @classmethod
        def step(cls, x, y):
            return update(cls.optimizer, F.cross_entropy(cls.model(x), y))

    step = record(Train.step)
    yield from train(step, Train.X[:96], Train.Y[:96])
    Train.model = classifier()
    Train.optimizer = optim.SGD(Train.model.parameters(), lr=0.5)
    yield from train(step, Train.X, Train.Y)
    yield from final(Train.model)


@loop
def property_that_computes_a_weight(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = classification()
            self.epoch = 0

        @property
        def weight(self):
            return 1.0 / (1 + self.epoch)

        @record
        def step(self, x, y):
            return update(self.optimizer, self.weight * F.cross_entropy(self.model(x), y))

    trainer = Trainer()
    for epoch in range(3):
        trainer.epoch = epoch
        yield from train(trainer.step, trainer.X, trainer.Y)
    yield from final(trainer.model)


@loop
def callable_object(record):
    class Step:
        def __init__(self, model, optimizer):
            self.model, self.optimizer = model, optimizer

        def __call__(self, x, y):
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    model, optimizer, X, Y = classification()
    yield from train(record(Step(model, optimizer)), X, Y)
    yield from final(model)


@loop
def callable_object_that_counts(record):
    class Step:
        calls = 0

        def __init__(self, model, optimizer):
            self.model, self.optimizer = model, optimizer

        def __call__(self, x, y):
            self.calls += 1
            return update(self.optimizer, F.cross_entropy(self.model(x), y))

    model, optimizer, X, Y = classification()
    step = Step(model, optimizer)
    recorded = record(step)
    for x, y in batches(X, Y):
        yield recorded(x, y), step.calls


@loop
def slots(record):
    class Trainer:
        __slots__ = ("factor", "model", "optimizer")

        def __init__(self, model, optimizer):
            self.model, self.optimizer, self.factor = model, optimizer, 1.0

        def step(self, x, y):
            return update(self.optimizer, self.factor * F.cross_entropy(self.model(x), y))

    model, optimizer, X, Y = classification()
    trainer = Trainer(model, optimizer)
    step = record(trainer.step)
    yield from train(step, X, Y)
    trainer.factor = 3.0
    yield from train(step, X, Y)


@loop
def dataclass_trainer(record):
    @dataclasses.dataclass
    class Trainer:
        model: nn.Module
        optimizer: optim.Optimizer
        smoothing: float = 0.0
        history: list = dataclasses.field(default_factory=list)

        @record
        def step(self, x, y):
            loss = F.cross_entropy(self.model(x), y, label_smoothing=self.smoothing)
            return update(self.optimizer, loss)

    model, optimizer, X, Y = classification()
    trainer = Trainer(model, optimizer)
    for i, (x, y) in enumerate(batches(X, Y)):
        trainer.smoothing = 0.1 if i >= 12 else 0.0
        trainer.history.append(trainer.step(x, y).item())
    yield trainer.history


@loop
def mixin(record):
    class Clips:
        limit = 0.1

        def before_update(self):
            nn.utils.clip_grad_norm_(self.model.parameters(), self.limit)

    class Trainer(Clips):
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = classification()

        @record
        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.before_update()
            self.optimizer.step()
            return loss

    trainer = Trainer()
    yield from train(trainer.step, trainer.X, trainer.Y)
    Clips.limit = 1.0
    yield from train(trainer.step, trainer.X, trainer.Y)


@loop
def trainer_in_an_engine_in_an_app(record):
    """Six objects deep."""

    class Holder:
        def __init__(self, **parts):
            self.__dict__.update(parts)

    model, optimizer, X, Y = classification()
    app = Holder(engine=Holder(trainer=Holder(loop=Holder(task=Holder(config=Holder(w=1.0))))))

    @record
    def step(x, y):
        w = app.engine.trainer.loop.task.config.w
        return update(optimizer, w * F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 8:
            app.engine.trainer.loop.task.config.w = 0.3
        if i == 16:
            app.engine.trainer.loop = Holder(task=Holder(config=Holder(w=3.0)))
        yield step(x, y)
