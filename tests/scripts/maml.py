"""Model-agnostic meta-learning on sines: gradients through gradients."""

import math

import start
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(1, 20)
        self.linear2 = nn.Linear(20, 1)

    def forward(self, x, params=None):
        w1, b1, w2, b2 = list(self.parameters()) if params is None else params
        return F.linear(torch.tanh(F.linear(x, w1, b1)), w2, b2)


model = start.begin(Net())
meta_optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
inner_lr, tasks = 0.05, 4


@start.step
def meta_step(xs, ys, xq, yq):
    meta_loss = 0.0
    for i in range(tasks):
        loss = F.mse_loss(model(xs[i]), ys[i])
        grads = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        fast = [p - inner_lr * g for p, g in zip(model.parameters(), grads)]
        meta_loss = meta_loss + F.mse_loss(model(xq[i], fast), yq[i])
    meta_loss = meta_loss / tasks
    meta_optimizer.zero_grad()
    meta_loss.backward()
    meta_optimizer.step()
    return meta_loss


losses = []
for i in range(40):
    amplitude = start.rand(tasks, 1, 1) * 2 + 0.5
    phase = start.rand(tasks, 1, 1) * math.pi
    x = start.rand(tasks, 20, 1) * 6 - 3
    y = amplitude * torch.sin(x - phase)
    losses.append(meta_step(x[:, :10], y[:, :10], x[:, 10:], y[:, 10:]).item())
