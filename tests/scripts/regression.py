"""A noisy sine by an MLP."""

import start
import torch
import torch.nn as nn

x = start.rand(256, 1) * 6 - 3
y = torch.sin(x) + 0.1 * start.randn(256, 1)
layers = [nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)]
model = start.begin(nn.Sequential(*layers))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


@start.step
def train(x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for epoch in range(60):
    losses.append(train(x, y).item())
