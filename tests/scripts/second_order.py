"""A sine by LBFGS, whose closure computes the loss anew."""

import start
import torch
from torch import nn

x = (start.rand(64, 1) * 6 - 3).double()
y = torch.sin(2 * x)
model = start.begin(nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)))
model.double()  # a line search turns roundings into other steps
criterion = nn.MSELoss()
optimizer = torch.optim.LBFGS(
    model.parameters(), lr=1, max_iter=4, history_size=10, line_search_fn="strong_wolfe"
)
losses = []


def closure():
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    losses.append(loss.item())
    return loss


for epoch in range(10):
    optimizer.step(closure)
