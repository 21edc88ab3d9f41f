"""Supervised training: every loss and optimizer there is, and loops of their own."""

import math

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    CLASSES,
    batches,
    classification,
    classifier,
    final,
    inputs,
    labels,
    regression,
    regressor,
    targets,
    train,
    update,
)
from record.loops.harness import loop

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "decay": lambda p: optim.SGD(p, lr=0.05, weight_decay=0.01, maximize=False),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "rate_in_a_tensor": lambda p: optim.Adam(p, lr=torch.tensor(0.01)),
}


@loop(each=OPTIMIZERS)
def classify_with(record, make):
    model = classifier()
    X = inputs()
    Y = labels(X)
    optimizer = make(model.parameters())
    criterion = nn.CrossEntropyLoss()

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop(each=OPTIMIZERS)
def regress_and_return_a_number_with(record, make):
    model = regressor()
    X = inputs()
    Y = targets(X)
    optimizer = make(model.parameters())

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    yield from train(step, X, Y)
    yield from final(model, optimizer)


def huber(output, y, delta=0.5):
    error = (output - y).abs()
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


def r2(output, y):
    return ((output - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def pinball(output, y, q=0.9):
    return torch.maximum(q * (y - output), (q - 1) * (y - output)).mean()


REGRESSION_LOSSES = {
    "mse": F.mse_loss,
    "sum": nn.MSELoss(reduction="sum"),
    "none": lambda a, b: nn.MSELoss(reduction="none")(a, b).mean(0).sum(),
    "l1": lambda a, b: (a - b).abs().mean(),
    "huber": huber,
    "log_cosh": lambda a, b: (F.softplus(2 * (a - b)) - (a - b) - math.log(2)).mean(),
    "r2": r2,
    "pinball": pinball,
    "rmse": lambda a, b: F.mse_loss(a, b).sqrt(),
    "worst": lambda a, b: (a - b).abs().max(),
    "cosine": lambda a, b: 1 - (a * b).sum() / (a.norm() * b.norm() + 1e-8),
}


@loop(each=REGRESSION_LOSSES)
def regress_by(record, criterion):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        loss = criterion(model(x), y)
        return update(optimizer, loss)

    yield from train(step, X, Y)
    yield from final(model, optimizer)


def nll(output, y):
    return -F.log_softmax(output, 1).gather(1, y.unsqueeze(1)).mean()


def focal(output, y):
    logs = F.log_softmax(output, dim=1).gather(1, y.reshape(-1, 1))
    return -(((1 - logs.exp()) ** 2) * logs).mean()


def one_hot(y):
    return (y.unsqueeze(1) == torch.arange(CLASSES)).float()


def hinge(output, y):
    right = output.gather(1, y.unsqueeze(1))
    return ((output - right + 1).clamp(min=0) * (1 - one_hot(y))).sum(1).mean()


CLASSIFICATION_LOSSES = {
    "cross_entropy": F.cross_entropy,
    "weighted": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5])),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "ignoring": nn.CrossEntropyLoss(ignore_index=1),
    "each": lambda a, y: F.cross_entropy(a, y, reduction="none").square().mean(),
    "nll": nll,
    "focal": focal,
    "hinge": hinge,
    "brier": lambda a, y: ((a.softmax(1) - one_hot(y)) ** 2).sum(1).mean(),
    "binary": lambda a, y: (F.softplus(a) - a * one_hot(y)).mean(),
    "probabilities": lambda a, y: F.cross_entropy(a, 0.9 * one_hot(y) + 0.1 / CLASSES),
    "entropy": lambda a, y: F.cross_entropy(a, y) + 0.1 * (a.softmax(1) * a.log_softmax(1)).sum(),
}


@loop(each=CLASSIFICATION_LOSSES)
def classify_by(record, criterion):
    model, optimizer, X, Y = classification()

    def step(x, y):
        optimizer.zero_grad()
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()
        return loss, (logits.argmax(1) == y).float().mean()

    step = record(step)
    yield from train(step, X, Y)
    yield from final(model, optimizer)


ACTIVATIONS = {
    "ReLU": nn.ReLU,
    "LeakyReLU": lambda: nn.LeakyReLU(0.2),
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "ELU": nn.ELU,
    "Softplus": nn.Softplus,
    "Sigmoid": nn.Sigmoid,
    "Identity": nn.Identity,
}


@loop(each=ACTIVATIONS)
def deep_network_of(record, activation):
    layers = []
    for _ in range(3):
        layers += [nn.Linear(4, 4), nn.BatchNorm1d(4), activation(), nn.Dropout(0.1)]
    model = nn.Sequential(*layers, nn.Linear(4, CLASSES))
    X = inputs()
    Y = labels(X)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model, optimizer)


# ---- parts of an epoch ---------------------------------------------------------------------------


@loop
def training_and_validation(record):
    model, optimizer, X, Y = classification(calls=36)
    model.add_module("drop", nn.Dropout(0.1))

    @record
    def train_step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    @record
    @torch.no_grad()
    def evaluate(x, y):
        outputs = model(x)
        return F.cross_entropy(outputs, y), (outputs.argmax(1) == y).sum()

    for _ in range(3):
        model.train()
        yield from train(train_step, X[:192], Y[:192])
        model.eval()
        yield from train(evaluate, X[192:], Y[192:])
    yield from final(model, optimizer)


@loop
def modes_set_inside_of_both_steps(record):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
    X = inputs(48)
    Y = labels(X)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @record
    def train_step(x, y):
        model.train()
        return update(optimizer, F.cross_entropy(model(x), y))

    @record
    def validate(x, y):
        model.eval()
        with torch.no_grad():
            return F.cross_entropy(model(x), y)

    for i, (x, y) in enumerate(batches(X, Y)):
        yield train_step(x, y) if i % 3 else validate(x, y)
    yield from final(model, optimizer)


@loop
def mode_set_inside_and_elsewhere_by_an_eager_evaluation(record):
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    X = inputs()
    Y = labels(X)

    @record
    def step(x, y):
        model.train()
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i % 4 == 3:
            model.eval()
            yield (model(X).argmax(1) == Y).float().mean().item()
    yield from final(model, optimizer)


@loop
def early_stopping_outside(record):
    model, optimizer, X, Y = regression()
    best, patience, bad = float("inf"), 3, 0

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    @record
    @torch.no_grad()
    def validation(x, y):
        return F.mse_loss(model(x), y)

    for _ in range(6):
        for x, y in batches(X[:96], Y[:96]):
            step(x, y)
        value = validation(X[96:], Y[96:]).item()
        yield value
        bad = 0 if value < best else bad + 1
        best = min(best, value)
        if bad >= patience:
            break
    yield from final(model, optimizer)


@loop
def best_weights_kept_outside(record):
    model, optimizer, X, Y = regression(lr=0.2)
    best, kept = float("inf"), None

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x), y))

    for x, y in batches(X, Y):
        loss = float(step(x, y))
        if loss < best:
            best, kept = loss, {k: v.clone() for k, v in model.state_dict().items()}
        yield best
    model.load_state_dict(kept)
    yield step(X[:8], Y[:8])
    yield from final(model, optimizer)


@loop
def best_weights_kept_inside(record):
    """They stay on the device: where() chooses."""
    model, optimizer, X, Y = regression(lr=0.2)
    best = torch.tensor(float("inf"))
    kept = [p.detach().clone() for p in model.parameters()]

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            better = loss < best
            for k, p in zip(kept, model.parameters(), strict=True):
                k.copy_(torch.where(better, p, k))
            best.copy_(torch.minimum(loss, best))
        return loss

    yield from train(step, X, Y)
    yield best
    yield kept


@loop(expect="refused")
def best_weights_kept_by_a_comparison_inside(record):
    model, optimizer, X, Y = regression(lr=0.2)
    best = [float("inf")]

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        if loss.item() < best[0]:
            best[0] = loss.item()
        return loss

    yield from train(step, X, Y)
    yield best


@loop
def overfitting_one_batch(record):
    model, optimizer, X, Y = classification()
    x, y = X[:16], Y[:16]

    @record
    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(24):
        yield step()
    yield from final(model, optimizer)


@loop
def fit_of_a_line_without_a_module(record):
    X = torch.linspace(-1, 1, 192)
    Y = 3 * X + 1 + 0.1 * torch.randn(192)
    a = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)

    @record
    def step(x, y):
        loss = ((a * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (a, b):
                p -= 0.1 * p.grad
                p.grad.zero_()
        return loss

    yield from train(step, X, Y)
    yield from (a, b)


@loop
def fit_of_a_line_with_gradients_set_to_none(record):
    X = torch.linspace(-1, 1, 192)
    Y = 3 * X + 1 + 0.1 * torch.randn(192)
    a = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)

    @record
    def step(x, y):
        loss = ((a * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            a.sub_(0.1 * a.grad)
            b.sub_(0.1 * b.grad)
        a.grad = None
        b.grad = None
        return loss

    yield from train(step, X, Y)
    yield from (a, b)


@loop
def weights_by_hand_with_data(record):
    W = torch.randn(4, 3, requires_grad=True)
    X = inputs()
    Y = labels(X)

    @record
    def step(x, y):
        loss = F.cross_entropy(x @ W, y)
        loss.backward()
        W.data -= 0.5 * W.grad.data
        W.grad.data.zero_()
        return loss

    yield from train(step, X, Y)
    yield W


@loop
def weights_rebound_by_hand(record):
    """`W = W - lr * dW`, in a list."""
    weights = [torch.randn(4, 8) * 0.5, torch.randn(8, 1) * 0.5]
    X = inputs()
    Y = targets(X)

    @record
    def step(x, y):
        leaves = [w.detach().requires_grad_() for w in weights]
        loss = F.mse_loss((x @ leaves[0]).tanh() @ leaves[1], y)
        gradients = torch.autograd.grad(loss, leaves)
        for i, g in enumerate(gradients):
            weights[i] = weights[i] - 0.1 * g
        return loss

    yield from train(step, X, Y)
    yield from weights


@loop
def closure_for_the_optimizer(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def two_heads(record):
    body, heads = nn.Linear(4, 8), nn.ModuleDict({"a": nn.Linear(8, 1), "b": nn.Linear(8, 3)})
    X = inputs()
    A, B = targets(X), labels(X)
    optimizer = optim.Adam([*body.parameters(), *heads.parameters()], lr=0.01)

    @record
    def step(x, a, b):
        hidden = body(x).relu()
        losses = {
            "a": F.mse_loss(heads["a"](hidden), a),
            "b": F.cross_entropy(heads["b"](hidden), b),
        }
        update(optimizer, sum(losses.values()))
        return losses

    yield from train(step, X, A, B)
    yield from final(body, heads, optimizer)


@loop
def learned_weights_of_losses(record):
    """Kendall et al. 2018: exp(-s) L + s."""
    model, _, X, Y = regression()
    s = nn.Parameter(torch.zeros(2))
    optimizer = optim.Adam([{"params": model.parameters()}, {"params": [s], "lr": 0.05}], lr=0.01)

    @record
    def step(x, y):
        output = model(x)
        parts = torch.stack([F.mse_loss(output, y), (output - y).abs().mean()])
        return update(optimizer, ((-s).exp() * parts + s).sum())

    yield from train(step, X, Y)
    yield s


@loop
def autoencoder(record):
    encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
    X = inputs()
    parameters = list(encoder.parameters()) + list(decoder.parameters())
    optimizer = optim.RMSprop(parameters, lr=0.01)

    @record
    def step(x):
        return update(optimizer, F.mse_loss(decoder(torch.relu(encoder(x))), x))

    yield from train(step, X)
    yield parameters


@loop
def denoising_autoencoder(record):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 4))
    X = inputs()
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @record
    def step(x):
        noisy = x + 0.3 * torch.randn_like(x)
        return update(optimizer, ((model(noisy) - x) ** 2).mean())

    yield from train(step, X)
    yield from final(model, optimizer)


@loop
def embedding_by_index(record):
    table = nn.Parameter(torch.randn(10, 4) * 0.1)
    head = nn.Linear(4, 1)
    optimizer = optim.Adagrad([table, *head.parameters()], lr=0.1)
    rows = torch.randint(0, 10, (192,))
    Y = (rows.float() / 10).unsqueeze(1)

    @record
    def step(i, y):
        return update(optimizer, F.mse_loss(head(table[i]), y))

    yield from train(step, rows, Y)
    yield table


@loop
def columns_by_a_constant_list(record):
    model, X = nn.Linear(2, 1), inputs()
    Y = targets(X)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x[:, [0, 2]]), y))

    yield from train(step, X, Y)
    yield from final(model)


@loop
def columns_by_a_list_outside(record):
    model, X, columns = nn.Linear(3, 1), inputs(), [3, 0, 1]
    Y = targets(X)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(x, y):
        return update(optimizer, F.mse_loss(model(x[:, columns]), y))

    yield from train(step, X, Y)
    columns[0] = 2
    yield from train(step, X, Y)
    yield from final(model)
