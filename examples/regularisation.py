"""A network learns wrong labels by heart; what each regulariser does to the gap behind that."""

import math
from functools import partial

from shown import COLOURS, panels, show

import pyml
from pyml import nn, optim
from pyml.nn import utils

ROWS, WRONG, EPOCHS = 400, 0.2, 60  # a fifth of the training labels is random
REGULARISERS: dict[str, dict] = {
    "none": {},
    **{"L2 (weight decay)": {"decay": 0.3}, "L1": {"l1": 1e-3}, "max-norm": {"max_norm": 0.6}},
    "dropout": {"layer": lambda: nn.Dropout(0.5)},
    "Gaussian noise": {"layer": lambda: nn.GaussianNoise(0.6)},
    "label smoothing": {"smoothing": 0.3},
    "shifted pictures": {"input": lambda: nn.RandomShift(1)},
    "mixup": {"mix": lambda: pyml.data.MixUp(1.0, 10)},
    "early stopping": {"patience": 6},
}


def trained(train, validation, layer=nn.Identity, input=nn.Identity, mix=None, **options):
    smoothing, decay, l1 = (options.get(name, 0.0) for name in ("smoothing", "decay", "l1"))
    hidden = (nn.Linear(64, 128), nn.ReLU(), layer(), nn.Linear(128, 128), nn.ReLU(), layer())
    model = nn.Sequential(input(), *hidden, nn.Linear(128, 10))
    optimizer = optim.AdamW(utils.decay_groups(model, decay), lr=2e-3)
    loss, weights = nn.CrossEntropyLoss(label_smoothing=smoothing), utils.weights_of(model)
    mixed = mix() if mix else lambda x, y: (x, y)
    stopping = pyml.train.EarlyStopping(model, options.get("patience", EPOCHS))

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        x, y = mixed(x, y)
        value = loss(model(x), y) + utils.l1_penalty(weights, l1)
        value.backward()
        optimizer.step()
        utils.max_norm_(weights, options.get("max_norm", math.inf))
        return value

    held_loss = partial(pyml.train.evaluate, model, loss, *validation)
    step.run(*train, batch_size=40, epochs=EPOCHS, callback=lambda _: stopping(held_loss()["loss"]))
    if "patience" in options:
        stopping.restore()
    return model.eval()


def main(small=False):
    images, labels = pyml.data.load_digits()
    test, accuracy = (images[800:], labels[800:]), dict[str, list]()
    for seed in range(1 if small else 5):
        pyml.manual_seed(seed)
        given = pyml.where(pyml.rand(800) < WRONG, pyml.randint(10, (800,)), labels[:800])
        train, validation = ((images[i], given[i]) for i in pyml.randperm(800).split(ROWS))
        for name, options in REGULARISERS.items():
            pyml.manual_seed(seed)
            predict = trained(train, validation, **options)
            right = [(predict(x).argmax(1) == y).float().mean() for x, y in (train, test)]
            accuracy.setdefault(name, []).append(pyml.stack(right))
    numbers, (figure, panel) = {}, panels(width=6.5, height=3.8)
    means = {name: pyml.stack(found).mean(0).tolist() for name, found in accuracy.items()}
    for i, (name, (on_train, on_test)) in enumerate(means.items()):
        numbers[f"{name}: accuracy on training rows"] = on_train
        numbers[f"{name}: accuracy on test rows"] = on_test
        panel.plot([on_test, on_train], [i, i], color="0.7", linewidth=3)
        panel.plot(on_train, i, "s", color=COLOURS[1])
        panel.plot(on_test, i, "o", color=COLOURS[0])
    panel.set_yticks(range(len(means)), means)
    panel.set(xlabel="accuracy, mean over the seeds", ylabel="regulariser", ylim=(9.5, -0.5))
    names = ["training rows (a fifth with random labels)", "test rows"]
    figure.legend(panel.lines[1:3], names, loc="outside upper center", ncols=2)
    return numbers, figure


if __name__ == "__main__":
    show(main)
