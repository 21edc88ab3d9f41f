"""A SIREN fits a picture of rings, and its gradient."""

import math

import start
import torch
from torch import nn


class SineLayer(nn.Module):
    def __init__(self, in_features, out_features, is_first=False, omega_0=10.0):
        super().__init__()
        self.omega_0 = omega_0
        self.in_features = in_features
        self.is_first = is_first
        self.linear = nn.Linear(in_features, out_features)
        self.init_weights()

    def init_weights(self):
        with torch.no_grad():
            bound = 1 / self.in_features
            if not self.is_first:
                bound = math.sqrt(6 / self.in_features) / self.omega_0
            self.linear.weight.copy_((start.rand(*self.linear.weight.shape) * 2 - 1) * bound)
            self.linear.bias.zero_()

    def forward(self, x):
        return torch.sin(self.omega_0 * self.linear(x))


class Siren(nn.Module):
    def __init__(self):
        super().__init__()
        first, second = SineLayer(2, 24, is_first=True), SineLayer(24, 24)
        self.net = nn.Sequential(first, second, nn.Linear(24, 1))

    def forward(self, coords):
        coords = coords.clone().detach().requires_grad_(True)
        return self.net(coords), coords


def gradient(y, x):
    return torch.autograd.grad(y, [x], grad_outputs=torch.ones_like(y), create_graph=True)[0]


steps = torch.linspace(-1, 1, steps=10)
coords = torch.stack([steps.repeat(10), steps.view(-1, 1).expand(10, 10).reshape(-1)], dim=-1)
radius = (coords**2).sum(1, keepdim=True).sqrt()
picture = torch.cos(4 * radius)
slope = -4 * torch.sin(4 * radius) * coords / radius

model = Siren()
start.begin(model.net[2])
optim = torch.optim.Adam(lr=1e-3, params=model.parameters())


@start.step
def train(coords, picture, slope):
    output, at = model(coords)
    loss = ((output - picture) ** 2).mean() + 0.01 * ((gradient(output, at) - slope) ** 2).mean()
    optim.zero_grad()
    loss.backward()
    optim.step()
    return loss


losses = [train(coords, picture, slope).item() for _ in range(40)]
