"""Pairs of two views of a point: each finds its partner in the batch (InfoNCE)."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, x):
        z = self.net(x)
        return z / z.norm(dim=1, keepdim=True)


encoder = start.begin(Encoder())
optimizer = torch.optim.AdamW(encoder.parameters(), lr=3e-3, weight_decay=1e-2)
labels = torch.arange(32)


@start.step
def train(a, b):
    logits = encoder(a) @ encoder(b).T / 0.2
    loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses = []
for i in range(50):
    x = start.randn(32, 6)
    losses.append(train(x + 0.1 * start.randn(32, 6), x + 0.1 * start.randn(32, 6)).item())
