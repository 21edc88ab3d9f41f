"""Settings that the code of the step names, changed between calls."""

import functools
import os
import types

from pyml import optim
from pyml.nn import functional as F
from record.loops.common import batches, inputs, regressor, targets, train, update
from record.loops.harness import loop


def world():
    model, X = regressor(), inputs()
    return model, optim.SGD(model.parameters(), lr=0.05), X, targets(X)


@loop
def attribute_that_appears(record):
    class Trainer:
        weight = 1.0

    model, optimizer, X, Y = world()
    trainer = Trainer()

    @record
    def step(x, y):
        return update(optimizer, trainer.weight * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    trainer.weight = 2.0
    yield from train(step, X, Y)
    del trainer.weight
    yield from train(step, X, Y)


@loop
def attribute_that_appears_in_a_subclass(record):
    class Base:
        weight = 1.0

    class Derived(Base):
        pass

    model, optimizer, X, Y = world()
    trainer = Derived()

    @record
    def step(x, y):
        return update(optimizer, trainer.weight * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    Derived.weight = 3.0
    yield from train(step, X, Y)


@loop
def key_that_appears(record):
    model, optimizer, X, Y = world()
    config = {"a": 1.0}

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        if "l1" in config:
            loss = loss + config["l1"] * model[0].weight.abs().sum()
        return update(optimizer, loss)

    yield from train(step, X, Y)
    config["l1"] = 0.1
    yield from train(step, X, Y)
    del config["l1"]
    yield from train(step, X, Y)


@loop
def key_that_comes_last_in_a_large_dict(record):
    model, optimizer, X, Y = world()
    config = {f"option{i}": 1.0 for i in range(100)}

    @record
    def step(x, y):
        return update(optimizer, config["option99"] * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    config["option99"] = 3.0
    yield from train(step, X, Y)


@loop
def item_of_a_long_list_by_a_variable_index(record):
    model, optimizer, X, Y = world()
    weights, index = [1.0 + 0.01 * i for i in range(200)], 0

    @record
    def step(x, y):
        return update(optimizer, weights[index] * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    index = 150
    yield from train(step, X, Y)
    weights[150] = 0.5
    yield from train(step, X, Y)


@loop
def sum_of_a_long_list(record):
    model, optimizer, X, Y = world()
    weights = [0.01] * 100

    @record
    def step(x, y):
        return update(optimizer, sum(weights) * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    weights[50] = 2.0
    yield from train(step, X, Y)


@loop
def terms_that_are_added(record):
    model, optimizer, X, Y = world()
    terms = {"mse": F.mse_loss}

    @record
    def step(x, y):
        output = model(x)
        return update(optimizer, sum(term(output, y) for term in terms.values()))

    yield from train(step, X, Y)
    terms["l1"] = lambda a, b: (a - b).abs().mean()
    yield from train(step, X, Y)
    terms["mse"] = lambda a, b: 0.5 * F.mse_loss(a, b)
    yield from train(step, X, Y)


@loop
def function_that_is_monkeypatched(record):
    module = types.SimpleNamespace(loss=lambda a, b: F.mse_loss(a, b))
    model, optimizer, X, Y = world()

    @record
    def step(x, y):
        return update(optimizer, module.loss(model(x), y))

    yield from train(step, X, Y)
    module.loss = lambda a, b: (a - b).abs().mean()
    yield from train(step, X, Y)


@loop(expect="either")
def function_of_the_library_that_is_monkeypatched(record):
    model, optimizer, X, Y = world()
    original = F.mse_loss

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    F.mse_loss = lambda a, b: (a - b).abs().mean()
    try:
        yield from train(step, X, Y)
    finally:
        F.mse_loss = original


@loop
def method_that_is_monkeypatched(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = world()

        def loss(self, x, y):
            return F.mse_loss(self.model(x), y)

        @record
        def step(self, x, y):
            return update(self.optimizer, self.loss(x, y))

    trainer = Trainer()
    yield from train(trainer.step, trainer.X, trainer.Y)
    trainer.loss = lambda x, y: (trainer.model(x) - y).abs().mean()
    yield from train(trainer.step, trainer.X, trainer.Y)
    del trainer.loss
    Trainer.loss = lambda self, x, y: 2 * F.mse_loss(self.model(x), y)
    yield from train(trainer.step, trainer.X, trainer.Y)


@loop(expect="either")
def environment_variable(record):
    model, optimizer, X, Y = world()
    os.environ["LOOP_WEIGHT"] = "1.0"

    @record
    def step(x, y):
        return update(optimizer, float(os.environ["LOOP_WEIGHT"]) * F.mse_loss(model(x), y))

    try:
        yield from train(step, X, Y)
        os.environ["LOOP_WEIGHT"] = "3.0"
        yield from train(step, X, Y)
    finally:
        del os.environ["LOOP_WEIGHT"]


@loop
def cached_property(record):
    class Config:
        scale = 1.0

        @functools.cached_property
        def weight(self):
            return 2.0 * self.scale

    model, optimizer, X, Y = world()
    config = Config()

    @record
    def step(x, y):
        return update(optimizer, config.weight * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    config.scale = 0.1
    yield from train(step, X, Y)
    del config.weight
    yield from train(step, X, Y)


@loop(expect="either")
def cache_of_a_function(record):
    base = {"w": 1.0}

    @functools.lru_cache
    def weight():
        return base["w"]

    model, optimizer, X, Y = world()

    @record
    def step(x, y):
        return update(optimizer, weight() * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    base["w"] = 3.0
    yield from train(step, X, Y)
    weight.cache_clear()
    yield from train(step, X, Y)


@loop
def config_in_a_default_argument(record):
    model, optimizer, X, Y = world()
    config = {"w": 1.0}

    @record
    def step(x, y, config=config):
        return update(optimizer, config["w"] * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    config["w"] = 3.0
    yield from train(step, X, Y)


@loop
def default_argument_of_a_helper_that_is_replaced(record):
    model, optimizer, X, Y = world()

    def weighted(loss, w=1.0):
        return w * loss

    @record
    def step(x, y):
        return update(optimizer, weighted(F.mse_loss(model(x), y)))

    yield from train(step, X, Y)
    weighted.__defaults__ = (3.0,)
    yield from train(step, X, Y)


@loop
def config_passed_as_an_argument(record):
    model, optimizer, X, Y = world()

    @record
    def step(x, y, config):
        return update(optimizer, config.w * F.mse_loss(model(x), y))

    config = types.SimpleNamespace(w=1.0)
    for i, (x, y) in enumerate(batches(X, Y)):
        config.w = 1.0 if i < 8 else 3.0
        yield step(x, y, config)


@loop(
    each={"dict": lambda w: {"w": w}, "list": lambda w: {"w": [w]}, "text": lambda w: {"w": str(w)}}
)
def plain_config_passed_as_an_argument(record, make):
    model, optimizer, X, Y = world()

    @record
    def step(x, y, config):
        w = config["w"][0] if isinstance(config["w"], list) else float(config["w"])
        return update(optimizer, w * F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, make(1.0 if i < 8 else 3.0))


@loop(expect="same")
def setting_that_changes_before_each_call(record):
    model, optimizer, X, Y = world()
    config = {"w": 1.0}

    @record
    def step(x, y):
        return update(optimizer, config["w"] * F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        config["w"] = 1 / (i + 1)
        yield step(x, y)


@loop
def setting_that_goes_back_and_forth(record):
    model, optimizer, X, Y = world()
    config = types.SimpleNamespace(phase="a", weights={"a": 1.0, "b": 0.2})

    @record
    def step(x, y):
        return update(optimizer, config.weights[config.phase] * F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        config.phase = "ab"[i % 2]
        yield step(x, y)


@loop(expect="either")
def settings_in_a_class_that_counts_its_reads(record):
    """__getattr__ with a side effect."""

    class Counting:
        def __init__(self):
            self.__dict__["reads"] = 0

        def __getattr__(self, name):
            self.__dict__["reads"] += 1
            return {"w": 2.0}[name]

    model, optimizer, X, Y = world()
    config = Counting()

    @record
    def step(x, y):
        return update(optimizer, config.w * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    yield config.reads


@loop
def objects_ten_deep(record):
    model, optimizer, X, Y = world()
    bottom = types.SimpleNamespace(w=1.0)
    top = bottom
    for _ in range(10):
        top = types.SimpleNamespace(next=top)

    @record
    def step(x, y):
        config = top
        while hasattr(config, "next"):
            config = config.next
        return update(optimizer, config.w * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    bottom.w = 3.0
    yield from train(step, X, Y)


@loop
def functions_ten_deep(record):
    model, optimizer, X, Y = world()
    setting = {"w": 1.0}

    def bottom():
        return setting["w"]

    def above(function):
        return lambda: function()

    top = bottom
    for _ in range(10):
        top = above(top)

    @record
    def step(x, y):
        return update(optimizer, top() * F.mse_loss(model(x), y))

    yield from train(step, X, Y)
    setting["w"] = 3.0
    yield from train(step, X, Y)
