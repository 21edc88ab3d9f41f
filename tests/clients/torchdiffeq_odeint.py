"""torchdiffeq: a field of a spiral, through the solver's steps and through the adjoint."""

import start
import torch
from torch import nn, optim
from torchdiffeq import odeint, odeint_adjoint


class Field(nn.Module):
    """dy/dt."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))

    def forward(self, t, y):
        return self.layers(y**3)


class Spiral(nn.Module):
    """What is learned."""

    def forward(self, t, y):
        return y**3 @ torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])


torch.set_default_dtype(torch.float64)  # rounding then changes no step of the solver
losses = []
t = torch.linspace(0, 2, 10)
y0 = torch.tensor([[2.0, 0.0]])
with torch.no_grad():
    wanted = odeint(Spiral(), y0, t, method="dopri5")
for solve, options in (
    (odeint, {"method": "rk4"}),
    (odeint, {"method": "dopri5", "rtol": 1e-4, "atol": 1e-5}),
    (odeint_adjoint, {"method": "dopri5", "rtol": 1e-4, "atol": 1e-5}),
):
    field = start.begin(Field())
    optimizer = optim.RMSprop(field.parameters(), lr=1e-3)
    for _ in range(8):
        optimizer.zero_grad()
        loss = (solve(field, y0, t, **options) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
