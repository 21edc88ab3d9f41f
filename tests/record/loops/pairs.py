"""Students and their teachers; pairs that attract."""

import copy
from types import SimpleNamespace

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    CLASSES,
    classifier,
    final,
    inputs,
    labels,
    train,
    update,
)
from record.loops.harness import loop


@loop
def distillation(record):
    teacher, student, T = classifier().eval(), nn.Linear(4, CLASSES), 2.0
    optimizer = optim.SGD(student.parameters(), lr=0.1)

    @record
    def step(x, y):
        with torch.no_grad():
            soft = (teacher(x) / T).softmax(1)
        logits = student(x)
        kl = (soft * (soft.log() - F.log_softmax(logits / T, 1))).sum(1).mean() * T * T
        return update(optimizer, 0.5 * kl + 0.5 * F.cross_entropy(logits, y))

    X = inputs()
    yield from train(step, X, labels(X))
    T = 4.0
    yield from train(step, X, labels(X))
    yield from final(student)


@loop
def distillation_from_itself(record):
    """The teacher is the student of an epoch ago."""
    student, X = classifier(), inputs(16)
    teacher, optimizer = copy.deepcopy(student), optim.SGD(student.parameters(), lr=0.1)

    @record
    def step(x, y):
        goal = teacher(x).detach().softmax(1)
        logits = student(x)
        return update(optimizer, F.cross_entropy(logits, y) + F.cross_entropy(logits, goal))

    Y = labels(X)
    for _ in range(3):
        yield from train(step, X, Y)
        teacher = copy.deepcopy(student)
    yield from final(student)


@loop
def distillation_of_features_by_a_hook(record):
    teacher, student, features = classifier(), classifier(), {}
    optimizer = optim.Adam(student.parameters(), lr=0.01)
    teacher[1].register_forward_hook(lambda module, i, output: features.update(teacher=output))
    student[1].register_forward_hook(lambda module, i, output: features.update(student=output))

    @record
    def step(x):
        with torch.no_grad():
            teacher(x)
        student(x)
        loss = update(optimizer, F.mse_loss(features["student"], features["teacher"]))
        features.clear()
        return loss

    yield from train(step, inputs())
    yield from final(student)


# ---- contrastive ---------------------------------------------------------------------------------


def unit(z):
    return z / z.norm(dim=1, keepdim=True)


@loop
def contrastive_pairs(record):
    """Chen et al. 2020, with noise as augmentation."""
    net = nn.Linear(4, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @record
    def step(x):
        a = unit(net(x + 0.1 * torch.randn_like(x)))
        b = unit(net(x + 0.1 * torch.randn_like(x)))
        logits = a @ b.T / 0.5
        y = torch.arange(len(x))
        return update(optimizer, (F.cross_entropy(logits, y) + F.cross_entropy(logits.T, y)) / 2)

    yield from train(step, inputs())
    yield from final(net)


@loop
def triplets(record):
    net = nn.Linear(4, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @record
    def step(anchor, positive, negative):
        a, p, n = net(anchor), net(positive), net(negative)
        distance = (a - p).norm(dim=1) - (a - n).norm(dim=1)
        return update(optimizer, F.relu(distance + 1.0).mean())

    X = inputs()
    yield from train(step, X, X + 0.1 * torch.randn_like(X), X.flip(0))
    yield from final(net)


@loop
def clip_with_a_learned_temperature(record):
    left, right, scale = nn.Linear(4, 3), nn.Linear(4, 3), nn.Parameter(torch.tensor(1.0))
    optimizer = optim.Adam([*left.parameters(), *right.parameters(), scale], lr=0.01)

    @record
    def step(x, y):
        logits = scale.exp() * unit(left(x)) @ unit(right(y)).t()
        i = torch.arange(len(x))
        loss = update(optimizer, F.cross_entropy(logits, i) + F.cross_entropy(logits.t(), i))
        with torch.no_grad():
            scale.clamp_(0, 1.2)
        return loss, scale.detach()

    X = inputs()
    yield from train(step, X, X @ torch.randn(4, 4))
    yield scale


@loop
def moco_queue_that_is_rebound(record):
    net = nn.Linear(4, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    state = SimpleNamespace(queue=unit(torch.randn(16, 3)))

    @record
    def step(x):
        q = unit(net(x))
        k = unit(net(x + 0.1 * torch.randn_like(x))).detach()
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ state.queue.T], dim=1)
        loss = update(optimizer, F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.int64)))
        state.queue = torch.cat([k, state.queue[: -len(k)]])
        return loss

    yield from train(step, inputs())
    yield state.queue


@loop
def moco_queue_with_a_pointer(record):
    class Queue:
        def __init__(self):
            self.rows, self.pointer = unit(torch.randn(24, 3)), 0

        @torch.no_grad()
        def put(self, k):
            n = len(k)
            self.rows[self.pointer : self.pointer + n] = k
            self.pointer = (self.pointer + n) % len(self.rows)

    net, queue = nn.Linear(4, 3), Queue()
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @record
    def step(x):
        q, k = unit(net(x)), unit(net(x * 1.01)).detach()
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.rows.T], dim=1)
        loss = update(optimizer, F.cross_entropy(logits, torch.zeros(len(x)).long()))
        queue.put(k)
        return loss

    yield from train(step, inputs())
    yield queue.rows, queue.pointer


@loop
def centre_of_outputs(record):
    """Caron et al. 2021: the teacher's outputs are centred by a running mean."""

    class DINO(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = nn.Linear(4, 3), nn.Linear(4, 3)
            self.register_buffer("center", torch.zeros(1, 3))

        def loss(self, x):
            t = self.teacher(x).detach()
            p = ((t - self.center) / 0.1).softmax(1)
            loss = -(p * (self.student(x) / 0.5).log_softmax(1)).sum(1).mean()
            self.center = self.center * 0.9 + t.mean(0, keepdim=True) * 0.1
            return loss

    model = DINO()
    optimizer = optim.SGD(model.student.parameters(), lr=0.1)

    @record
    def step(x):
        return update(optimizer, model.loss(x))

    yield from train(step, inputs())
    yield model.center
    yield from final(model)
