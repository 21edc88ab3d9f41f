"""A flow of affine couplings (RealNVP) on two moons."""

import math

import start
import torch
import torch.nn as nn


class Coupling(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)
        self.scale = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 2), nn.Tanh())
        self.shift = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 2))

    def forward(self, x):
        kept = x * self.mask
        s = self.scale(kept) * (1 - self.mask)
        t = self.shift(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (x - t) * torch.exp(-s), -s.sum(dim=1)


class RealNVP(nn.Module):
    def __init__(self, layers):
        super().__init__()
        masks = [torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])] * layers
        self.layers = nn.ModuleList(Coupling(mask) for mask in masks)

    def log_prob(self, x):
        log_det = x.new_zeros(x.shape[0]) if hasattr(x, "new_zeros") else torch.zeros(x.shape[0])
        for layer in reversed(self.layers):
            x, change = layer(x)
            log_det = log_det + change
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + log_det


angle = start.rand(256) * math.pi
upper = (torch.arange(256) % 2).float()
moons = torch.stack(
    [
        upper * torch.cos(angle) + (1 - upper) * (1 - torch.cos(angle)),
        upper * torch.sin(angle) + (1 - upper) * (0.5 - torch.sin(angle)),
    ],
    dim=1,
) + 0.05 * start.randn(256, 2)
flow = start.begin(RealNVP(2))
optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=5e-3)


@start.step
def train(x):
    loss = -flow.log_prob(x).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    return loss


losses = [train(moons).item() for _ in range(40)]
