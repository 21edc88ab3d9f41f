"""zuko: a masked autoregressive flow and a neural spline flow of two moons."""

import numpy as np
import start
import torch
import zuko

start.draw_by_numpy()
angle = start.rng.random(256) * np.pi
side = start.rng.integers(0, 2, 256)
moons = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side)], 1)
x = torch.tensor(moons.astype("float32"))
losses = []
for flow in (
    zuko.flows.MAF(2, transforms=3, hidden_features=(32, 32)),
    zuko.flows.NSF(2, transforms=2, hidden_features=(32, 32)),
):
    start.begin(flow)
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    for _ in range(20):
        loss = -flow().log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    losses.append(flow().sample((16,)).mean().item())
