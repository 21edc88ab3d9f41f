"""What is done to gradients: accumulation, clipping, noise, signs."""

import pyml as torch
from pyml import nn
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    classification,
    final,
    train,
    update,
)
from record.loops.harness import loop

# ---- accumulation --------------------------------------------------------------------------------


@loop
def accumulation_in_two_functions(record):
    model, optimizer, X, Y = classification()

    @record
    def accumulate(x, y):
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        return loss

    @record
    def apply():
        optimizer.step()
        optimizer.zero_grad()

    for i, (x, y) in enumerate(batches(X, Y)):
        yield accumulate(x, y)
        if (i + 1) % 4 == 0:
            apply()
    yield from final(model, optimizer)


@loop
def accumulation_with_an_eager_update(record):
    model, optimizer, X, Y = classification()

    @record
    def accumulate(x, y):
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        yield accumulate(x, y)
        if (i + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
            yield [p.grad is None for p in model.parameters()]
    yield from final(model, optimizer)


@loop
def accumulation_by_a_flag(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, last):
        loss = F.cross_entropy(model(x), y)
        (loss / 3).backward()
        if last:
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        yield step(x, y, i % 3 == 2)
    yield from final(model, optimizer)


@loop
def accumulation_by_a_counter(record):
    class Trainer:
        def __init__(self):
            self.model, self.optimizer, self.X, self.Y = classification()
            self.micro_step = 0

        @record
        def step(self, x, y):
            loss = F.cross_entropy(self.model(x), y) / 4
            loss.backward()
            self.micro_step += 1
            if self.micro_step % 4 == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
            return loss

    trainer = Trainer()
    yield from train(trainer.step, trainer.X, trainer.Y)
    yield trainer.micro_step
    yield from final(trainer.model, trainer.optimizer)


@loop
def accumulation_over_chunks_of_a_batch(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        optimizer.zero_grad()
        total = 0.0
        for part, classes in zip(x.split(2), y.split(2), strict=True):
            loss = F.cross_entropy(model(part), classes) / 4
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop(expect="either")
def accumulation_of_numbers_over_chunks(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        optimizer.zero_grad()
        total = 0.0
        for part, classes in zip(x.split(4), y.split(4), strict=True):
            loss = F.cross_entropy(model(part), classes) / 2
            loss.backward()
            total += loss.item()
        optimizer.step()
        return total

    yield from train(step, X, Y)
    yield from final(model, optimizer)


@loop
def accumulation_in_buffers_of_ones_own(record):
    model, optimizer, X, Y = classification()
    sums = [torch.zeros_like(p) for p in model.parameters()]
    count = 0

    @record
    def step(x, y):
        nonlocal count
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        for total, p in zip(sums, model.parameters(), strict=True):
            total += p.grad
        count += 1
        if count % 3 == 0:
            for total, p in zip(sums, model.parameters(), strict=True):
                p.grad = total / 3
            optimizer.step()
            for total in sums:
                total.zero_()
        return loss

    yield from train(step, X, Y)
    yield sums
    yield from final(model, optimizer)


# ---- clipping and what is like it ----------------------------------------------------------------


def clip_norm(model):
    return nn.utils.clip_grad_norm_(model.parameters(), 0.3)


def clip_max_norm(model):
    return nn.utils.clip_grad_norm_(model.parameters(), 0.1, norm_type=float("inf"))


def clip_value(model):
    nn.utils.clip_grad_value_(model.parameters(), 0.05)


def clip_by_hand(model):
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
    scale = torch.clamp(0.3 / (norm + 1e-6), max=1.0)
    for p in model.parameters():
        p.grad.mul_(scale)
    return norm


def clip_each(model):
    for p in model.parameters():
        p.grad.clamp_(-0.1, 0.1)


def clip_adaptively(model):
    for p in model.parameters():
        limit = 0.1 * p.detach().norm().clamp(min=1e-3)
        p.grad.mul_((limit / (p.grad.norm() + 1e-6)).clamp(max=1.0))


def centralise(model):
    for p in model.parameters():
        if p.ndim > 1:
            p.grad.sub_(p.grad.mean(dim=1, keepdim=True))


def signs(model):
    for p in model.parameters():
        p.grad = p.grad.sign() * 0.1


def add_noise(model):
    for p in model.parameters():
        p.grad.add_(0.01 * torch.randn_like(p))


def mask_small(model):
    for p in model.parameters():
        p.grad = torch.where(p.grad.abs() < 1e-2, torch.zeros_like(p.grad), p.grad)


def normalise(model):
    for p in model.parameters():
        p.grad /= p.grad.norm() + 1e-8


GRADIENT_RULES = (
    clip_norm,
    clip_max_norm,
    clip_value,
    clip_by_hand,
    clip_each,
    clip_adaptively,
    centralise,
    signs,
    add_noise,
    mask_small,
    normalise,
)


@loop(each={rule.__name__: rule for rule in GRADIENT_RULES})
def gradients_after(record, rule):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norm = rule(model)
        optimizer.step()
        return loss, norm

    yield from train(step, X, Y)
    yield [p.grad for p in model.parameters()]
    yield from final(model, optimizer)


@loop(expect="refused")
def clip_by_a_comparison(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norm = sum(p.grad.norm() ** 2 for p in model.parameters()) ** 0.5
        if norm > 0.3:
            for p in model.parameters():
                p.grad.mul_(0.3 / norm)
        optimizer.step()
        return loss

    yield from train(step, X, Y)


@loop
def clip_at_a_running_norm(record):
    """The limit is a tensor that follows the norms."""
    model, optimizer, X, Y = classification()
    limit = torch.ones(())

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        for p in model.parameters():
            p.grad *= (limit / norm).clamp(max=1.0)
        limit.mul_(0.9).add_(0.1 * norm)
        optimizer.step()
        return loss, norm

    yield from train(step, X, Y)
    yield limit


@loop(expect="refused")
def skip_of_steps_that_are_not_finite(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if not torch.isfinite(loss):
            return loss
        loss.backward()
        optimizer.step()
        return loss

    yield from train(step, X, Y)


@loop
def norms_of_gradients_read_outside(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        step(x, y)
        yield [p.grad.norm().item() for p in model.parameters()]


@loop
def gradients_kept_from_call_to_call(record):
    """Gradients that somebody holds stay as they were."""
    model, optimizer, X, Y = classification()
    kept = []

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        step(x, y)
        kept.append(model[0].weight.grad)
    yield kept


@loop
def gradients_changed_outside(record):
    model, optimizer, X, Y = classification()

    @record
    def backward(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        yield backward(x, y)
        if i % 4 == 0:
            model[0].weight.grad.mul_(0.5)
        elif i % 4 == 1:
            model[0].weight.grad = torch.ones_like(model[0].weight)
        elif i % 4 == 2:
            model[0].weight.grad = None
        optimizer.step()
    yield from final(model, optimizer)


@loop
def hook_on_a_parameter(record):
    model, optimizer, X, Y = classification()
    model[0].weight.register_hook(lambda grad: grad * 0.5)

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    yield from train(step, X, Y)
    yield from final(model)


def share_a_new_one(a, b, x):
    b.grad = None
    (b * x).sum().backward()
    a.grad = b.grad
    (a * x).sum().backward()


def share_what_stays(a, b, x):
    ((b * x).sum() + (a * x * x).sum()).backward()
    a.grad = b.grad


def use_what_they_share(a, b, x):
    """Outside of the step they are made to share it, now and then."""
    ((b * x).sum() + (a * x * x).sum()).backward()


@loop(each={f.__name__: f for f in (share_a_new_one, share_what_stays, use_what_they_share)})
def gradients_that_two_tensors_share(record, backward):
    a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    kept = []

    @record
    def step(x):
        backward(a, b, x)

    for call, x in enumerate(torch.randn(60, 3), 1):
        if call % 7 == 0:
            a.grad = b.grad
        if call % 11 == 0:
            a.grad = b.grad = None
        if call % 13 == 0:
            b.grad = torch.zeros(3)
        step(x)
        if call % 17 == 0:
            kept.append(a.grad)
        yield a.grad, b.grad, a.grad is b.grad, kept
