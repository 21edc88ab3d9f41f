"""A GAN that learns points on a ring."""

import math

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

latent, batch = 4, 64
G = start.begin(nn.Sequential(nn.Linear(latent, 32), nn.ReLU(), nn.Linear(32, 2)))
D = start.begin(nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)))
opt_G = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.999))
opt_D = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.999))


@start.step
def train(real, z_D, z_G):
    opt_D.zero_grad()
    fake = G(z_D).detach()
    loss_D = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
    loss_D.backward()
    opt_D.step()

    opt_G.zero_grad()
    loss_G = F.softplus(-D(G(z_G))).mean()
    loss_G.backward()
    opt_G.step()
    return loss_D, loss_G


losses = []
for i in range(40):
    theta = start.rand(batch) * 2 * math.pi
    real = torch.stack((torch.cos(theta), torch.sin(theta)), 1) + 0.02 * start.randn(batch, 2)
    loss_D, loss_G = train(real, start.randn(batch, latent), start.randn(batch, latent))
    losses += [loss_D.item(), loss_G.item()]
