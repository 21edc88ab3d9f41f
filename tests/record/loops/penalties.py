"""Penalties on weights and gradients, decay, masks, and steps of two halves."""

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    final,
    inputs,
    regression,
    regressor,
    targets,
    train,
    update,
)
from record.loops.harness import loop


def l1(model):
    return sum(p.abs().sum() for p in model.parameters())


def l2(model):
    return 0.5 * sum((p**2).sum() for n, p in model.named_parameters() if "bias" not in n)


def elastic(model):
    total = torch.zeros(())
    for p in model.parameters():
        total = total + 0.5 * p.abs().sum() + 0.5 * p.pow(2).sum()
    return total


def orthogonality(model):
    W = model[0].weight
    return ((W.T @ W - torch.eye(W.shape[1])) ** 2).sum()


def spectral(model):
    """The largest singular value, by three power iterations from ones."""
    W = model[0].weight
    v = torch.ones(W.shape[1])
    for _ in range(3):
        u = F.relu(W @ v) - F.relu(-(W @ v))
        u = u / u.norm()
        v = W.t() @ u
        v = v / v.norm()
    return u @ (W @ v)


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).square().sum()


@loop(each={f.__name__: f for f in (l1, l2, elastic, orthogonality, spectral, vector)})
def penalty_on_weights(record, penalty):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y) + 1e-2 * penalty(model)
        return update(optimizer, loss)

    yield from train(step, X, Y)
    yield from final(model)


@loop
def decay_by_hand_after_the_step(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name.endswith("weight"):
                    p.mul_(1 - 0.01 * optimizer.param_groups[0]["lr"])
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 12:
            optimizer.param_groups[0]["lr"] = 0.5
        yield step(x, y)
    yield from final(model)


@loop
def decay_by_hand_into_the_gradient(record):
    model, optimizer, X, Y = regression()
    decay = {"value": 0.01}

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        for p in model.parameters():
            p.grad.add_(p.detach(), alpha=decay["value"])
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        decay["value"] = 0.01 if i < 12 else 0.1
        yield step(x, y)
    yield from final(model)


@loop
def weights_kept_in_a_ball(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            W = model[0].weight
            W.div_(W.norm(dim=1, keepdim=True).clamp(min=0.5))
        return loss

    yield from train(step, X, Y)
    yield from final(model)


@loop
def pruning_by_a_mask(record):
    model, optimizer, X, Y = regression()
    masks = {n: torch.ones_like(p) for n, p in model.named_parameters()}

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            for n, p in model.named_parameters():
                p.mul_(masks[n])
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y)
        if i == 8:  # new tensors
            for n, p in model.named_parameters():
                masks[n] = (p.detach().abs() > 0.1).float()
        if i == 16:  # the same ones
            masks["0.weight"].mul_((model[0].weight.detach().abs() > 0.2).float())
    yield from final(model)


@loop
def pruning_by_data_and_a_mask(record):
    model, optimizer, X, Y = regression()
    mask = (torch.rand(8, 4) > 0.5).float()

    @record
    def step(x, y):
        loss = update(optimizer, F.mse_loss(model(x), y))
        model[0].weight.data = model[0].weight.data * mask
        return loss

    yield from train(step, X, Y)
    yield from final(model)


@loop
def gradient_penalty_on_inputs(record):
    model, X = regressor(), inputs()
    Y = targets(X)
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @record
    def step(x, y):
        x = x.detach().requires_grad_(True)
        output = model(x)
        (dx,) = torch.autograd.grad(output.sum(), x, create_graph=True)
        return update(optimizer, F.mse_loss(output, y) + 0.1 * (dx.norm(dim=1) - 1).square().mean())

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def gradient_penalty_on_weights(record):
    model, X = regressor(), inputs()
    Y = targets(X)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    params = list(model.parameters())

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        grads = torch.autograd.grad(loss, params, create_graph=True)
        return update(optimizer, loss + 0.05 * sum(g.square().sum() for g in grads))

    yield from train(step, X, Y)
    yield from final(model)


@loop
def sharpness_aware_minimisation(record):
    """Foret et al. 2020: up along the gradient, back, and down by the gradient found there."""
    model, optimizer, X, Y = regression()
    criterion = nn.MSELoss()

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
            moves = []
            for p in model.parameters():
                e = p.grad * (0.05 / (norm + 1e-12))
                p.add_(e)
                moves.append(e)
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        with torch.no_grad():
            for p, e in zip(model.parameters(), moves, strict=True):
                p.sub_(e)
        optimizer.step()
        return loss

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def projection_of_conflicting_gradients(record):
    """Yu et al. 2020, with where() for the sign."""
    model, optimizer, X, Y = regression()
    params = list(model.parameters())

    @record
    def step(x, y):
        output = model(x)
        a = torch.autograd.grad(F.mse_loss(output, y), params, retain_graph=True)
        b = torch.autograd.grad(output.abs().mean(), params)
        for p, g, h in zip(params, a, b, strict=True):
            dot = (g * h).sum()
            p.grad = g + h - torch.where(dot < 0, dot / (h * h).sum(), torch.zeros(())) * h
        optimizer.step()
        return output

    yield from train(step, X, Y)
    yield from final(model)


@loop(expect="refused")
def projection_by_a_condition(record):
    model, optimizer, X, Y = regression()
    params = list(model.parameters())

    @record
    def step(x, y):
        output = model(x)
        a = torch.autograd.grad(F.mse_loss(output, y), params, retain_graph=True)
        b = torch.autograd.grad(output.abs().mean(), params)
        for p, g, h in zip(params, a, b, strict=True):
            dot = (g * h).sum()
            p.grad = g + h if dot >= 0 else g + h - dot / (h * h).sum() * h
        optimizer.step()
        return output

    yield from train(step, X, Y)
    yield from final(model)


@loop
def manual_gradients_of_a_matrix(record):
    """No tape at all."""
    X = inputs()
    Y = targets(X)
    W = torch.zeros(4, 1)

    @record
    def step(x, y):
        error = x @ W - y
        W.sub_(0.1 * x.T @ error / len(x))
        return (error**2).mean()

    yield from train(step, X, Y)
    yield W
