"""Recipes of papers and blogs, with numbers that change at odd calls."""

import contextvars
import copy
import functools
import math
import random
from collections import defaultdict
from types import MappingProxyType, SimpleNamespace

import numpy as np

import pyml as torch
from pyml import func, nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    BATCH,
    CLASSES,
    FEATURES,
    HIDDEN,
    ODD,
    batches,
    classification,
    classifier,
    final,
    inputs,
    numbered,
    regression,
    regressor,
    targets,
    train,
    update,
)
from record.loops.harness import loop

# ---- mixing, smoothing, masks --------------------------------------------------------------------


@loop
def mixup_with_a_weight_of_python_given_as_a_tensor(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, lam, order):
        mixed = lam * x + (1 - lam) * x[order]
        output = model(mixed)
        loss = lam * F.cross_entropy(output, y) + (1 - lam) * F.cross_entropy(output, y[order])
        return update(optimizer, loss)

    for _, (x, y) in numbered(X, Y):
        lam = random.betavariate(0.4, 0.4)
        yield step(x, y, torch.tensor(lam), torch.randperm(len(x)))
    yield from final(model)


@loop(expect="same")
def mixup_with_a_weight_of_python_given_as_a_number(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, lam):
        x2, y2 = x.flip(0), y.flip(0)
        output = model(lam * x + (1 - lam) * x2)
        loss = lam * F.cross_entropy(output, y) + (1 - lam) * F.cross_entropy(output, y2)
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        yield step(x, y, 0.5 if i not in ODD else random.random())


@loop
def cutmix_of_columns_with_bounds_in_attributes(record):
    model, optimizer, X, Y = classification()
    box = SimpleNamespace(left=0, right=1)

    @record
    def step(x, y):
        x = x.clone()
        x[:, box.left : box.right] = x.flip(0)[:, box.left : box.right]
        share = (box.right - box.left) / x.shape[1]
        output = model(x)
        loss = (1 - share) * F.cross_entropy(output, y) + share * F.cross_entropy(output, y.flip(0))
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            box.left, box.right = i % 2, 2 + i % 3
        yield step(x, y)
    yield from final(model)


@loop
def label_smoothing_by_hand_that_grows(record):
    model, optimizer, X, Y = classification()
    smoothing = {"value": 0.0}

    def smoothed(output, y):
        e = smoothing["value"]
        logs = output.log_softmax(1)
        nll = -logs.gather(1, y.unsqueeze(1)).squeeze(1)
        return ((1 - e) * nll - e * logs.mean(1)).mean()

    step = record(lambda x, y: update(optimizer, smoothed(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            smoothing["value"] += 0.03
        yield step(x, y)
    yield from final(model)


@loop
def loss_of_chosen_rows(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, labelled):
        loss = F.cross_entropy(model(x), y, reduction="none")[labelled].mean()
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        yield step(x, y, torch.rand(len(x)) < (0.9 if i in ODD else 0.5))
    yield from final(model)


@loop
def pseudo_labels_above_a_threshold(record):
    model, optimizer, X, Y = classification()
    threshold = [0.3]

    @record
    def step(x, y, unlabelled):
        with torch.no_grad():
            top = model(unlabelled).softmax(1).max(1)
        sure = top.values > threshold[0]
        losses = F.cross_entropy(model(unlabelled + 0.1), top.indices, reduction="none")
        loss = F.cross_entropy(model(x), y) + losses[sure].sum() / len(x)
        return update(optimizer, loss), sure.float().mean()

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            threshold[0] = 0.3 + 0.02 * i
        yield step(x, y, x.flip(1))
    yield from final(model)


@loop
def missing_targets_are_left_out(record):
    model, optimizer, X, Y = regression()

    @record
    def step(x, y, known):
        errors = model(x) - y
        loss = (errors[known] ** 2).mean()
        return update(optimizer, loss)

    for x, y in batches(X, Y):
        yield step(x, y, torch.rand(*y.shape) < 0.7)
    yield from final(model)


@loop
def gradients_clipped_by_a_mask_in_place(record):
    model, optimizer, X, Y = regression()
    bound = SimpleNamespace(value=0.5)

    @record
    def step(x, y):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        for p in model.parameters():
            p.grad[p.grad > bound.value] = bound.value
            p.grad[p.grad < -bound.value] *= 0.5
        optimizer.step()
        return sum(p.grad.abs().sum() for p in model.parameters())

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            bound.value /= 2
        yield step(x, y)
    yield from final(model)


@loop(expect="refused")
def loss_divided_by_the_length_of_a_selection(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, labelled):
        chosen = F.cross_entropy(model(x), y, reduction="none")[labelled]
        return update(optimizer, chosen.sum() / max(len(chosen), 1))

    for x, y in batches(X, Y):
        yield step(x, y, torch.rand(len(x)) < 0.5)


@loop(expect="refused")
def rows_chosen_before_the_model(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y, labelled):
        return update(optimizer, F.cross_entropy(model(x[labelled]), y[labelled]))

    for x, y in batches(X, Y):
        yield step(x, y, torch.rand(len(x)) < 0.8)


@loop
def hard_examples_by_a_mean_of_losses(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        losses = F.cross_entropy(model(x), y, reduction="none")
        hard = losses.detach() > losses.detach().mean()
        return update(optimizer, losses[hard].mean()), hard.sum()

    yield from train(step, X, Y)
    yield from final(model)


# ---- optimizers around optimizers ----------------------------------------------------------------


@loop
def sam_with_a_radius_that_changes(record):
    model, optimizer, X, Y = classification()
    radius = SimpleNamespace(rho=0.05)

    @record
    def step(x, y):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        params = list(model.parameters())
        norm = sum(p.grad.square().sum() for p in params).sqrt()
        moves = [radius.rho * p.grad / (norm + 1e-12) for p in params]
        with torch.no_grad():
            for p, e in zip(params, moves, strict=True):
                p.add_(e)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p, e in zip(params, moves, strict=True):
                p.sub_(e)
        optimizer.step()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            radius.rho *= 1.5
        yield step(x, y)
    yield from final(model)


@loop(expect="same")
def lookahead_as_a_class_around_an_optimizer(record):
    class Lookahead:
        def __init__(self, optimizer, k=3, alpha=0.5):
            self.optimizer, self.k, self.alpha, self.count = optimizer, k, alpha, 0
            self.slow = [
                p.detach().clone() for group in optimizer.param_groups for p in group["params"]
            ]

        def zero_grad(self):
            self.optimizer.zero_grad()

        @torch.no_grad()
        def step(self):
            self.optimizer.step()
            self.count += 1
            if self.count % self.k == 0:
                fast = (p for group in self.optimizer.param_groups for p in group["params"])
                for slow, p in zip(self.slow, fast, strict=True):
                    slow.lerp_(p, self.alpha)
                    p.copy_(slow)

    model, optimizer, X, Y = classification()
    lookahead = Lookahead(optimizer)
    step = record(lambda x, y: update(lookahead, F.cross_entropy(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in (9, 15):
            lookahead.alpha = 0.8 if i == 9 else 0.2
        yield step(x, y)
    yield lookahead.count
    yield from final(model)


@loop
def swa_with_state_dicts_between_calls(record):
    model, optimizer, X, Y = regression()
    average, n = copy.deepcopy(model), 0
    step = record(lambda x, y: update(optimizer, F.mse_loss(model(x), y)))
    evaluate = record(lambda x, y: F.mse_loss(average(x), y))
    for i, (x, y) in numbered(X, Y):
        yield step(x, y)
        if i in ODD:
            new = model.state_dict()
            old = average.state_dict()
            average.load_state_dict({k: (old[k] * n + new[k]) / (n + 1) for k in new})
            n += 1
        yield evaluate(x, y)


@loop
def gradient_noise_that_anneals(record):
    model, optimizer, X, Y = regression()
    noise = SimpleNamespace(t=0, eta=0.3)

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        noise.t += 1
        deviation = math.sqrt(noise.eta / (1 + noise.t) ** 0.55)
        for p in model.parameters():
            p.grad.add_(torch.randn_like(p.grad) * deviation)
        optimizer.step()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            noise.eta *= 0.7
        yield step(x, y)
    yield noise.t
    yield from final(model)


@loop
def layerwise_rates_set_from_a_dict(record):
    model = classifier()
    groups = [{"params": [p], "lr": 0.1, "name": n} for n, p in model.named_parameters()]
    optimizer = optim.SGD(groups)
    X = inputs()
    Y = (X.sum(1) > 0).long()
    step = record(lambda x, y: update(optimizer, F.cross_entropy(model(x), y)))
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5 if "weight" in group["name"] else 2.0
        yield step(x, y)
    yield from final(model, optimizer)


@loop
def lars_trust_ratios_by_hand(record):
    model, optimizer, X, Y = regression()
    trust = {"eta": 0.01, "on": True}

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        if trust["on"]:
            for p in model.parameters():
                ratio = trust["eta"] * p.detach().norm() / (p.grad.norm() + 1e-9)
                p.grad.mul_(torch.where(ratio > 0, ratio, torch.ones_like(ratio)))
        optimizer.step()
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            trust["on"] = not trust["on"]
            trust["eta"] *= 1.1
        yield step(x, y)
    yield from final(model)


@loop
def lion_by_hand(record):
    model, _, X, Y = regression()
    moments = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    hyper = {"lr": 1e-2, "beta1": 0.9, "beta2": 0.99, "wd": 0.0}

    @record
    def step(x, y):
        for p in model.parameters():
            p.grad = None
        loss = F.mse_loss(model(x), y)
        loss.backward()
        with torch.no_grad():
            for name, p in model.named_parameters():
                m = moments[name]
                direction = (hyper["beta1"] * m + (1 - hyper["beta1"]) * p.grad).sign()
                p -= hyper["lr"] * (direction + hyper["wd"] * p)
                m.mul_(hyper["beta2"]).add_(p.grad * (1 - hyper["beta2"]))
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            hyper.update(lr=hyper["lr"] * 0.8, wd=0.01 * i)
        yield step(x, y)
    yield from final(model)


@loop
def accumulation_with_a_number_of_chunks_that_changes(record):
    model, optimizer, X, Y = classification()
    options = SimpleNamespace(chunks=2)

    @record
    def step(x, y):
        optimizer.zero_grad()
        total = 0.0
        for a, b in zip(x.chunk(options.chunks), y.chunk(options.chunks), strict=True):
            loss = F.cross_entropy(model(a), b) / options.chunks
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    for i, (x, y) in numbered(X, Y):
        options.chunks = 4 if i in ODD else 2
        yield step(x, y)
    yield from final(model)


@loop
def cosine_by_hand_with_restarts(record):
    model, optimizer, X, Y = classification()
    schedule = SimpleNamespace(t=0, period=5)

    @record
    def step(x, y):
        rate = 0.05 * (1 + math.cos(math.pi * schedule.t / schedule.period))
        for group in optimizer.param_groups:
            group["lr"] = rate
        schedule.t += 1
        return update(optimizer, F.cross_entropy(model(x), y))

    for x, y in batches(X, Y):
        if schedule.t == schedule.period:
            schedule.t, schedule.period = 0, schedule.period * 2
        yield step(x, y), optimizer.param_groups[0]["lr"]
    yield from final(model)


@loop
def sign_of_the_gradient_with_a_straight_through_step(record):
    model, optimizer, X, Y = regression()
    quantise = SimpleNamespace(levels=4)

    def rounded(w):
        scaled = w * quantise.levels
        hard = (scaled + 0.5).long().float() / quantise.levels
        return w + (hard - w).detach()

    @record
    def step(x, y):
        h = F.linear(x, rounded(model[0].weight), model[0].bias).tanh()
        loss = F.mse_loss(F.linear(h, rounded(model[2].weight), model[2].bias), y)
        return update(optimizer, loss)

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            quantise.levels *= 2
        yield step(x, y)
    yield from final(model)


@loop
def binary_activations_by_a_detach_trick(record):
    model, optimizer, X, Y = classification()
    slope = [1.0]

    @record
    def step(x, y):
        h = model[0](x)
        soft = (slope[0] * h).sigmoid()
        hard = (soft > 0.5).float()
        return update(optimizer, F.cross_entropy(model[2](hard.detach() + soft - soft.detach()), y))

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            slope[0] *= 1.2
        yield step(x, y)
    yield from final(model)


@loop
def reversed_gradients_of_a_domain_classifier(record):
    body, head, domain = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES), nn.Linear(8, 2)
    params = [*body.parameters(), *head.parameters(), *domain.parameters()]
    optimizer = optim.Adam(params, lr=0.01)
    weight = SimpleNamespace(value=0.0, t=0)

    @record
    def step(x, y, d):
        weight.t += 1
        lam = 2 / (1 + math.exp(-0.3 * weight.t)) - 1
        h = body(x).relu()
        back = -lam * h + (h + lam * h).detach()
        loss = F.cross_entropy(head(h), y) + F.cross_entropy(domain(back), d)
        return update(optimizer, loss)

    X = inputs()
    Y, D = (X[:, 0] > 0).long(), (X[:, 1] > 0).long()
    yield from train(step, X, Y, D)
    yield from final(body, head, domain)


# ---- several tasks, teachers ---------------------------------------------------------------------


@loop
def tasks_in_a_dict_with_weights_that_change(record):
    body = nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh())
    heads = nn.ModuleDict({"sum": nn.Linear(8, 1), "sign": nn.Linear(8, 2)})
    optimizer = optim.Adam([*body.parameters(), *heads.parameters()], lr=0.01)
    weights = {"sum": 1.0, "sign": 0.5}
    losses_of = {"sum": F.mse_loss, "sign": F.cross_entropy}

    @record
    def step(x, targets):
        h = body(x)
        losses = {name: losses_of[name](heads[name](h), t) for name, t in targets.items()}
        total = sum(weights[name] * loss for name, loss in losses.items())
        update(optimizer, total)
        return {"total": total, **losses}

    X = inputs()
    for i, (x,) in numbered(X):
        given = {"sum": x.sum(1, keepdim=True), "sign": (x[:, 0] > 0).long()}
        if i in ODD:
            weights["sign"] += 0.1
            given.pop("sum")
        yield step(x, given)
    yield from final(body, heads)


@loop
def distillation_with_a_temperature_that_cools(record):
    teacher, student = classifier(), classifier()
    teacher.requires_grad_(False).eval()
    optimizer = optim.SGD(student.parameters(), lr=0.1)
    settings = MappingProxyType(hidden := {"temperature": 4.0, "alpha": 0.5})

    @record
    def step(x, y):
        t, alpha = settings["temperature"], settings["alpha"]
        with torch.no_grad():
            wanted = (teacher(x) / t).softmax(1)
        output = student(x)
        soft = -(wanted * (output / t).log_softmax(1)).sum(1).mean() * t**2
        return update(optimizer, alpha * soft + (1 - alpha) * F.cross_entropy(output, y))

    X = inputs()
    Y = (X[:, 0] > 0).long()
    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            hidden["temperature"] = max(1.0, hidden["temperature"] - 0.5)
        yield step(x, y)
    yield from final(student)


@loop
def curriculum_by_an_attribute_of_the_epoch(record):
    class Course:
        def __init__(self):
            self.epoch = 0

        @property
        def hardness(self):
            return min(1.0, 0.2 + 0.1 * self.epoch)

    model, optimizer, X, Y = regression()
    course = Course()

    @record
    def step(x, y):
        noisy = x + (1 - course.hardness) * torch.randn_like(x)
        return update(optimizer, F.mse_loss(model(noisy), y))

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            course.epoch += 1
        yield step(x, y)
    yield from final(model)


@loop
def early_stopping_with_a_copy_of_the_best_state(record):
    model, optimizer, X, Y = regression()
    step = record(lambda x, y: update(optimizer, F.mse_loss(model(x), y)))
    best, state, patience = math.inf, None, 0
    for i, (x, y) in numbered(X, Y):
        loss = step(x, y).item()
        if loss < best:
            best, state, patience = loss, copy.deepcopy(model.state_dict()), 0
        elif (patience := patience + 1) >= 3:
            model.load_state_dict(state)
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
            patience = 0
        yield i, loss, best
    yield from final(model, optimizer)


@loop
def tied_weights_untied_at_a_call(record):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Linear(FEATURES, 3)
            self.decode_bias = nn.Parameter(torch.zeros(FEATURES))
            self.own = None

        def forward(self, x):
            w = self.encode.weight.T if self.own is None else self.own
            return F.linear(self.encode(x).tanh(), w, self.decode_bias)

    model = Tied()
    params = list(model.parameters())
    optimizer = optim.SGD(params, lr=0.1)
    step = record(lambda x: update(optimizer, F.mse_loss(model(x), x)))
    for i, (x,) in numbered(inputs()):
        if i == 9:
            model.own = nn.Parameter(model.encode.weight.detach().T.clone())
            optimizer.add_param_group({"params": [model.own], "lr": 0.2})
        yield step(x)
    yield from final(model)


# ---- reinforcement -------------------------------------------------------------------------------


@loop
def ppo_with_a_clip_range_that_shrinks(record):
    policy, value = classifier(), regressor()
    optimizer = optim.Adam([*policy.parameters(), *value.parameters()], lr=0.01)
    hyper = SimpleNamespace(clip=0.3, entropy=0.01, c_value=0.5)

    @record
    def step(state, action, old, advantage, returns):
        logs = policy(state).log_softmax(1)
        chosen = logs.gather(1, action.unsqueeze(1)).squeeze(1)
        ratio = (chosen - old).exp()
        clipped = ratio.clamp(1 - hyper.clip, 1 + hyper.clip)
        gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
        entropy = -(logs.exp() * logs).sum(1).mean()
        error = (value(state).squeeze(1) - returns).square().mean()
        optimizer.zero_grad()
        loss = -gain + hyper.c_value * error - hyper.entropy * entropy
        loss.backward()
        norm = nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
        optimizer.step()
        return {"loss": loss, "norm": norm, "kl": (old - chosen).mean()}

    for i, (s,) in numbered(inputs()):
        a = torch.randint(0, CLASSES, (len(s),))
        with torch.no_grad():
            old = policy(s).log_softmax(1).gather(1, a.unsqueeze(1)).squeeze(1)
        if i in ODD:
            hyper.clip, hyper.entropy = hyper.clip * 0.8, hyper.entropy / 2
        for _ in range(2):
            yield step(s, a, old, torch.randn(len(s)), torch.randn(len(s)))
    yield from final(policy, value)


@loop
def dqn_with_a_buffer_of_numpy(record):
    class Buffer:
        def __init__(self, size):
            self.states = np.zeros((size, FEATURES), np.float32)
            self.actions = np.zeros(size, np.int64)
            self.rewards = np.zeros(size, np.float32)
            self.at, self.full, self.size = 0, 0, size

        def add(self, s, a, r):
            self.states[self.at], self.actions[self.at], self.rewards[self.at] = s, a, r
            self.at = (self.at + 1) % self.size
            self.full = min(self.full + 1, self.size)

        def sample(self, n):
            rows = np.random.randint(0, self.full, n)
            return self.states[rows], self.actions[rows], self.rewards[rows]

    online, target = classifier(), classifier()
    target.load_state_dict(online.state_dict())
    optimizer = optim.Adam(online.parameters(), lr=0.01)
    buffer, gamma = Buffer(40), [0.9]

    @record
    def learn(s, a, r):
        with torch.no_grad():
            wanted = r + gamma[0] * target(s).amax(1)
        q = online(s).gather(1, a.unsqueeze(1)).squeeze(1)
        return update(optimizer, F.mse_loss(q, wanted))

    for i in range(1, 61):
        buffer.add(np.random.randn(FEATURES), np.random.randint(CLASSES), np.random.rand())
        if i < BATCH:
            continue
        if i % 7 == 0:
            target.load_state_dict(online.state_dict())
        if i in (21, 33):
            gamma[0] += 0.04
        yield learn(*map(torch.from_numpy, buffer.sample(BATCH)))
    yield from final(online, target)


@loop
def sac_with_a_learned_temperature_and_slow_critics(record):
    actor, critic, slow = regressor(2), nn.Linear(FEATURES + 1, 1), nn.Linear(FEATURES + 1, 1)
    slow.load_state_dict(critic.state_dict())
    log_alpha = nn.Parameter(torch.zeros(()))
    of_actor = optim.Adam(actor.parameters(), lr=0.01)
    of_critic = optim.Adam(critic.parameters(), lr=0.01)
    of_alpha = optim.Adam([log_alpha], lr=0.05)
    hyper = SimpleNamespace(tau=0.1, entropy=-1.0)

    def act(s):
        mean, log_std = actor(s).split(1, 1)
        noise = torch.randn_like(mean)
        action = (mean + noise * log_std.clamp(-3, 1).exp()).tanh()
        return action, -0.5 * noise.square() - log_std - (1 - action.square() + 1e-6).log()

    @record
    def step(s, r):
        alpha = log_alpha.exp().detach()
        with torch.no_grad():
            a, logp = act(s)
            wanted = r + 0.9 * (slow(torch.cat([s, a], 1)) - alpha * logp)
        error = update(of_critic, F.mse_loss(critic(torch.cat([s, a], 1)), wanted))
        a, logp = act(s)
        loss = update(of_actor, (alpha * logp - critic(torch.cat([s, a], 1))).mean())
        update(of_alpha, -(log_alpha * (logp.detach() + hyper.entropy)).mean())
        with torch.no_grad():
            for p, q in zip(slow.parameters(), critic.parameters(), strict=True):
                p.mul_(1 - hyper.tau).add_(hyper.tau * q)
        return error, loss, alpha

    for i, (s,) in numbered(inputs()):
        if i in ODD:
            hyper.tau, hyper.entropy = 0.01 * i, -1.0 - 0.1 * i
        yield step(s, torch.randn(len(s), 1))
    yield from final(actor, critic, slow)


@loop
def epsilon_greedy_by_a_mask_of_tensors(record):
    model, _, X, _ = classification()
    explore = SimpleNamespace(epsilon=0.9)

    @record
    def act(x):
        wild = (torch.rand(len(x), CLASSES)).argmax(1)
        return torch.where(torch.rand(len(x)) < explore.epsilon, wild, model(x).argmax(1))

    for i, (x,) in numbered(X):
        if i in ODD:
            explore.epsilon *= 0.8
        yield act(x)


@loop
def advantages_of_a_rollout_backwards(record):
    value = regressor()
    optimizer = optim.Adam(value.parameters(), lr=0.02)
    discount = {"gamma": 0.9, "lambda": 0.95}

    @record
    def step(states, rewards):
        with torch.no_grad():
            v = value(states).squeeze(1)
        gae, found = torch.zeros(()), []
        for t in reversed(range(len(rewards) - 1)):
            delta = rewards[t] + discount["gamma"] * v[t + 1] - v[t]
            gae = delta + discount["gamma"] * discount["lambda"] * gae
            found.insert(0, gae)
        advantage = torch.stack(found)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        returns = advantage + v[:-1]
        return update(optimizer, F.mse_loss(value(states).squeeze(1)[:-1], returns))

    for i, (s,) in numbered(inputs()):
        if i in ODD:
            discount["gamma"] = 0.9 + 0.001 * i
        yield step(s, torch.randn(len(s)))
    yield from final(value)


# ---- generative ----------------------------------------------------------------------------------


@loop
def vae_with_cyclical_annealing(record):
    encoder, decoder = regressor(4), nn.Linear(2, FEATURES)
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)

    class Beta:
        def __init__(self, period):
            self.step, self.period, self.ceiling = 0, period, 1.0

        def __call__(self):
            self.step += 1
            return self.ceiling * min(1.0, (self.step % self.period) / (self.period / 2))

    beta = Beta(8)

    @record
    def step(x):
        mean, logvar = encoder(x).chunk(2, 1)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1).mean()
        rebuilt = F.mse_loss(decoder(z), x, reduction="sum") / len(x)
        return update(optimizer, rebuilt + beta() * kl), kl

    for i, (x,) in numbered(inputs()):
        if i in ODD:
            beta.ceiling *= 0.9
        yield step(x)
    yield beta.step
    yield from final(encoder, decoder)


@loop
def coupling_flow_with_free_bits(record):
    half = FEATURES // 2
    nets = nn.ModuleList([nn.Linear(half, 2 * half) for _ in range(3)])
    optimizer = optim.Adam(nets.parameters(), lr=0.01)
    scale = SimpleNamespace(limit=1.0)

    def forward(x):
        total = torch.zeros(len(x))
        for i, net in enumerate(nets):
            a, b = x.chunk(2, 1)
            if i % 2:
                a, b = b, a
            s, t = net(a).chunk(2, 1)
            s = scale.limit * (s / scale.limit).tanh()
            b = b * s.exp() + t
            total = total + s.sum(1)
            x = torch.cat([b, a] if i % 2 else [a, b], 1)
        return x, total

    @record
    def step(x):
        z, log_det = forward(x)
        return update(optimizer, (0.5 * z.square().sum(1) - log_det).mean())

    for i, (x,) in numbered(inputs()):
        if i in ODD:
            scale.limit += 0.25
        yield step(x)
    yield from final(nets)


@loop
def pinn_with_weights_of_terms_that_change(record):
    u = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optim.Adam(u.parameters(), lr=0.01)
    weights = defaultdict(lambda: 1.0, boundary=10.0)

    @record
    def step():
        points = torch.rand(16, 2).requires_grad_()
        (slopes,) = torch.autograd.grad(u(points).sum(), points, create_graph=True)
        (second,) = torch.autograd.grad(slopes[:, 0].sum(), points, create_graph=True)
        residual = (slopes[:, 1] - 0.1 * second[:, 0]).square().mean()
        edge = torch.cat([torch.rand(8, 1), torch.zeros(8, 1)], 1)
        boundary = (u(edge) - (edge[:, :1] * math.pi).sin()).square().mean()
        loss = weights["residual"] * residual + weights["boundary"] * boundary
        return update(optimizer, loss)

    for i in range(1, 25):
        if i in ODD:
            weights["boundary"] /= 2
            weights["residual"] += 1
        yield step()
    yield from final(u)


@loop
def denoising_with_a_table_of_noises_that_is_rebuilt(record):
    model = nn.Sequential(nn.Linear(FEATURES + 1, 16), nn.ReLU(), nn.Linear(16, FEATURES))
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    class Schedule:
        def __init__(self, steps):
            self.steps = steps

        @functools.cached_property
        def alphas(self):
            return (1 - torch.linspace(1e-3, 0.2, self.steps)).log().cumsum(0).exp()

    schedule = Schedule(10)
    yield schedule.alphas

    @record
    def step(x, t):
        a = schedule.alphas[t].unsqueeze(1)
        noise = torch.randn_like(x)
        given = torch.cat([a.sqrt() * x + (1 - a).sqrt() * noise, t.float().unsqueeze(1) / 10], 1)
        return update(optimizer, F.mse_loss(model(given), noise))

    for i, (x,) in numbered(inputs()):
        if i == 9:
            schedule = Schedule(20)
            yield schedule.alphas
        yield step(x, torch.randint(0, schedule.steps, (len(x),)))
    yield from final(model)


@loop
def energy_model_with_a_replay_of_samples(record):
    energy = regressor()
    optimizer = optim.Adam(energy.parameters(), lr=0.01)
    chain = SimpleNamespace(x=torch.randn(BATCH, FEATURES), size=0.1)

    @record
    def step(real):
        fake = chain.x.clone()
        for _ in range(3):
            fake = fake.detach().requires_grad_()
            (slope,) = torch.autograd.grad(energy(fake).sum(), fake)
            fake = fake - chain.size * slope + 0.01 * torch.randn_like(fake)
        chain.x = fake.detach()
        loss = energy(real).mean() - energy(chain.x).mean()
        return update(optimizer, loss)

    for i, (x,) in numbered(inputs()):
        if i in ODD:
            chain.size *= 0.7
        if i == 13:
            chain.x = torch.randn(BATCH, FEATURES)
        yield step(x)
    yield chain.x
    yield from final(energy)


# ---- what libraries around a loop do -------------------------------------------------------------


@loop
def loss_scaled_by_a_tensor_that_adapts(record):
    """As GradScaler, without a branch: a step whose gradients are not finite changes nothing."""
    model, optimizer, X, Y = regression()
    scale, good = torch.tensor(1024.0), torch.zeros(())

    @record
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        (loss * scale).backward()
        finite = torch.ones(())
        for p in model.parameters():
            p.grad.div_(scale)
            finite = finite * torch.isfinite(p.grad).all().float()
        for p in model.parameters():
            p.grad.copy_(torch.where(finite > 0, p.grad, torch.zeros_like(p.grad)))
        optimizer.step()
        good.copy_(torch.where(finite > 0, good + 1, torch.zeros(())))
        grown = torch.where(good % 4 == 0, scale * 2, scale)
        scale.copy_(torch.where(finite > 0, grown, scale * 0.5))
        return loss

    for i, (x, y) in numbered(X, Y):
        yield step(x * 1e38 if i in ODD else x, y)
        yield scale


@loop
def gradients_of_each_sample_clipped_and_blurred(record):
    """DP-SGD, by vmap of grad."""
    model, optimizer, X, Y = regression()
    noise = SimpleNamespace(sigma=0.1)

    def loss_of_one(weights, x, y):
        return F.mse_loss(func.functional_call(model, weights, (x[None],)), y[None])

    @record
    def step(x, y):
        weights = {name: p.detach() for name, p in model.named_parameters()}
        each = func.vmap(func.grad(loss_of_one), in_dims=(None, 0, 0))(weights, x, y)
        norms = sum(g.flatten(1).square().sum(1) for g in each.values()).sqrt()
        factors = (1 / norms).clamp(max=1)
        for name, p in model.named_parameters():
            g = (each[name] * factors.reshape(-1, *[1] * p.dim())).mean(0)
            p.grad = g + noise.sigma * torch.randn_like(g)
        optimizer.step()
        return norms.mean()

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            noise.sigma *= 0.9
        yield step(x, y)


@loop
def penalty_of_inputs_at_every_fourth_step(record):
    """R1, lazily: whether the input needs a gradient hangs on a counter."""
    critic, state = regressor(), SimpleNamespace(step=0)
    optimizer = optim.Adam(critic.parameters(), lr=0.01)

    @record
    def step(real):
        penalized = state.step % 4 == 0
        state.step += 1
        real = real.detach().requires_grad_(penalized)
        output = critic(real)
        loss = F.softplus(-output).mean()
        if penalized:
            (slope,) = torch.autograd.grad(output.sum(), real, create_graph=True)
            loss = loss + slope.square().sum(1).mean()
        return update(optimizer, loss)

    for (x,) in batches(inputs()):
        yield step(x)


@loop
def adapters_of_low_rank_that_are_merged(record):
    model, X = regressor(), inputs()
    Y = targets(X)
    for p in model.parameters():
        p.requires_grad_(False)
    down, up = nn.Parameter(torch.randn(FEATURES, 2) * 0.1), nn.Parameter(torch.zeros(2, HIDDEN))
    optimizer, strength = optim.AdamW([down, up], lr=0.02), {"alpha": 1.0}

    @record
    def step(x, y):
        hidden = model[0](x) + strength["alpha"] * (x @ down @ up)
        return update(optimizer, F.mse_loss(model[2](model[1](hidden)), y))

    for i, (x, y) in numbered(X, Y):
        if i == 7:
            with torch.no_grad():
                model[0].weight.add_((down @ up).t())
                up.zero_()
        if i in ODD:
            strength["alpha"] *= 1.1
        yield step(x, y)


class Engine:
    """As ignite's: handlers of events, and a state that counts."""

    def __init__(self, function):
        self.function, self.handlers = function, {}
        self.state = SimpleNamespace(iteration=0, output=None)

    def on(self, event):
        def enter(handler):
            self.handlers.setdefault(event, []).append(handler)
            return handler

        return enter

    def run(self, data):
        for batch in data:
            self.state.iteration += 1
            self.state.output = self.function(self, batch)
            for handler in self.handlers.get("iteration", []):
                handler(self)
            yield self.state.output


@loop
def engine_whose_handlers_change_settings(record):
    model, optimizer, X, Y = regression()
    weight = {"value": 1.0}

    @record
    def step(engine, batch):
        x, y = batch
        return update(optimizer, weight["value"] * F.mse_loss(model(x), y))

    engine = Engine(step)

    @engine.on("iteration")
    def change(engine):
        if engine.state.iteration in ODD:
            weight["value"] *= 0.8

    yield from engine.run(batches(X, Y))


@loop
def rates_as_attributes_of_parameters(record):
    model, _, X, Y = regression()

    @record
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.05 * getattr(p, "rate", 1.0) * p.grad
        return loss

    for i, (x, y) in numbered(X, Y):
        if i in ODD:
            list(model.parameters())[i % 4].rate = 1 / i
        yield step(x, y)


@loop
def setting_in_a_context_that_is_entered_for_a_call(record):
    model, optimizer, X, Y = regression()
    weight = contextvars.ContextVar("weight", default=1.0)

    @record
    def step(x, y):
        return update(optimizer, weight.get() * F.mse_loss(model(x), y))

    for i, (x, y) in numbered(X, Y):
        context = contextvars.copy_context()
        context.run(weight.set, 2.0 if i in ODD else 1.0)
        yield context.run(step, x, y)
