"""A mixture density network: an inverse problem with several answers."""

import math

import start
import torch
import torch.nn as nn


class MDN(nn.Module):
    def __init__(self, hidden=24, gaussians=5):
        super().__init__()
        self.z_h = nn.Sequential(nn.Linear(1, hidden), nn.Tanh())
        self.z_pi = nn.Linear(hidden, gaussians)
        self.z_mu = nn.Linear(hidden, gaussians)
        self.z_sigma = nn.Linear(hidden, gaussians)

    def forward(self, x):
        z_h = self.z_h(x)
        return nn.functional.log_softmax(self.z_pi(z_h), -1), self.z_mu(z_h), self.z_sigma(z_h)


def mdn_loss(log_pi, mu, log_sigma, y):
    z = (y.expand_as(mu) - mu) * torch.exp(-log_sigma)
    log_prob = -0.5 * z * z - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(log_pi + log_prob, dim=1).mean()


y = start.rand(200, 1) * 2 - 1
x = y * 3 + torch.sin(y * 10) + 0.1 * start.randn(200, 1)
model = start.begin(MDN())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


@start.step
def train(x, y):
    loss = mdn_loss(*model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses = [train(x, y).item() for _ in range(60)]
