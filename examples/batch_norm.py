"""BatchNorm: before or after the activation, alone or in a batch, and where LayerNorm fits."""

from shown import STYLES, panels, show

import pyml
from pyml import nn, optim


def network(order, depth=8):
    layers = [nn.Linear(64, 64)]
    for _ in range(depth):
        layers += [*(make() for make in order), nn.Linear(64, 64)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(64, 10))


def losses_of(model, x, y, epochs):
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    model.train()
    return step.run(x, y, batch_size=50, epochs=epochs).reshape(epochs, -1).mean(1)


@pyml.no_grad()
def differs(model, row, some, others):
    """How far the answer for a row depends on the rows beside it."""
    answers = [model(pyml.cat([row, beside]))[0] for beside in (some, others)]
    return (answers[0] - answers[1]).abs().max().item()


def main(small=False):
    images, labels = pyml.data.load_digits()
    x, y, epochs = images[:1000], labels[:1000], 5 if small else 20
    orders = {
        "none": (nn.ReLU,),
        "BatchNorm before ReLU": (lambda: nn.BatchNorm1d(64), nn.ReLU),
        "BatchNorm after ReLU": (nn.ReLU, lambda: nn.BatchNorm1d(64)),
        "LayerNorm before ReLU": (lambda: nn.LayerNorm(64), nn.ReLU),
    }
    numbers, (figure, panel) = {}, panels(width=6)
    for (name, order), style in zip(orders.items(), STYLES, strict=False):
        pyml.manual_seed(0)
        model = network(order)
        losses = losses_of(model, x, y, epochs)
        numbers[f"{name}: median loss of the last three epochs"] = losses[-3:].median()
        panel.plot(range(1, epochs + 1), losses.numpy(), label=name, **style)
        if name == "BatchNorm before ReLU":
            rows = x[:1], x[1:50], x[50:99]
            numbers["a row beside others, in training"] = differs(model, *rows)
            numbers["a row beside others, in evaluation"] = differs(model.eval(), *rows)
    panel.set(xlabel="epoch", ylabel="cross entropy", yscale="log")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.legend()

    # sentences of 3 to 30 words, filled up with zeros: those after the end count for BatchNorm
    sentences = pyml.randn(1, 30, 4), pyml.randn(7, 30, 4), pyml.randn(7, 30, 4)
    sentences[1][:, 3:] = 0
    batch_norm, layer_norm = nn.BatchNorm1d(4), nn.LayerNorm(4)
    by_batch = differs(lambda x: batch_norm(x.transpose(1, 2)), *sentences)
    numbers["a sentence beside shorter ones, BatchNorm"] = by_batch
    numbers["a sentence beside shorter ones, LayerNorm"] = differs(layer_norm, *sentences)
    return numbers, figure


if __name__ == "__main__":
    show(main)
