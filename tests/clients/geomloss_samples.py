"""geomloss: Sinkhorn, energy and Gaussian losses between a generator's points and others."""

import geomloss
import start
import torch
from torch import nn

start.draw_by_numpy()
wanted = start.randn(32, 2) * 0.5 + 1
noise = start.randn(24, 3)
losses = []
for name in ("sinkhorn", "energy", "gaussian", "laplacian"):
    distance = geomloss.SamplesLoss(name, blur=0.1, backend="tensorized")
    model = start.begin(nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(10):
        optimizer.zero_grad()
        loss = distance(model(noise), wanted)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
