"""A neural ODE with Euler steps learns a spiral."""

import start
import torch
import torch.nn as nn

true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
dt, length = 0.05, 20


def integrate(f, y0):
    ys = [y0]
    for _ in range(length):
        ys.append(ys[-1] + dt * f(ys[-1]))
    return torch.stack(ys)


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 2))

    def forward(self, y):
        return self.net(y**3)


func = start.begin(ODEFunc())
optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-2)
y0 = start.rand(16, 2) * 2 - 1
with torch.no_grad():
    wanted = integrate(lambda y: (y**3) @ true_A, y0)


@start.step
def train(y0, wanted):
    optimizer.zero_grad()
    loss = torch.mean(torch.abs(integrate(func, y0) - wanted))
    loss.backward()
    optimizer.step()
    return loss


losses = [train(y0, wanted).item() for _ in range(30)]
