"""delu: batches, timers, early stopping and evaluation."""

import delu
import start
import torch
from torch import nn

start.draw_by_numpy()
delu.random.seed(0)
x, y = start.randn(96, 5), start.randint(3, 96)
model = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
stopping = delu.tools.EarlyStopping(3, mode="min")
timer = delu.tools.Timer()
timer.run()
losses = []
for _ in range(5):
    for batch in delu.iter_batches({"x": x, "y": y}, 16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch["x"]), batch["y"])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.inference_mode():
        model.eval()
        losses.append(delu.cat([model(rows) for rows in x.split(32)]).mean().item())
        model.train()
    stopping.update(losses[-2])
