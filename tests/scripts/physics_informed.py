"""A physics-informed network solves u'' + u = 0 with u(0) = 0, u'(0) = 1."""

import start
import torch
import torch.nn as nn
from torch.autograd import grad

net = start.begin(nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh()))
net.append(start.begin(nn.Linear(24, 1)))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
t = torch.linspace(0, 3, 40).view(-1, 1).requires_grad_(True)
zero = torch.zeros(1, 1, requires_grad=True)


def derivative(u, t):
    return grad(u, t, torch.ones_like(u), create_graph=True)[0]


@start.step
def train():
    optimizer.zero_grad()
    u = net(t)
    du = derivative(u, t)
    physics = ((derivative(du, t) + u) ** 2).mean()
    at_zero = net(zero)
    boundary = at_zero.pow(2).sum() + (derivative(at_zero, zero) - 1).pow(2).sum()
    loss = physics + boundary
    loss.backward()
    optimizer.step()
    return loss


losses = [train().item() for _ in range(50)]
