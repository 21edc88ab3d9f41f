"""torchsde: drift and diffusion of networks, through the solver and through the adjoint."""

import start
import torch
import torchsde
from torch import nn


class SDE(nn.Module):
    """dy = drift dt + diffusion dW."""

    noise_type, sde_type = "diagonal", "stratonovich"

    def __init__(self):
        super().__init__()
        self.drift = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        self.diffusion = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2), nn.Sigmoid())

    def f(self, t, y):
        return self.drift(y)

    def g(self, t, y):
        return self.diffusion(y)


class Path:
    """A Brownian path at multiples of a step, drawn by NumPy."""

    def __init__(self, steps, step, shape):
        self.shape, self.dtype, self.device = shape, torch.float32, torch.device("cpu")
        self.levy_area_approximation = "none"
        self.step = step
        self.at = torch.cat([torch.zeros(1, *shape), start.randn(steps, *shape) * step**0.5])
        self.at = self.at.cumsum(0)

    def __call__(self, ta, tb=None, return_U=False, return_A=False):
        first, last = round(float(ta) / self.step), round(float(tb) / self.step)
        return self.at[last] - self.at[first]


start.draw_by_numpy()
losses = []
t = torch.linspace(0, 1, 5)
y0 = torch.full((8, 2), 0.5)
for solve, method in (
    (torchsde.sdeint, "midpoint"),
    (torchsde.sdeint, "heun"),
    (torchsde.sdeint_adjoint, "midpoint"),
):
    sde = start.begin(SDE())
    optimizer = torch.optim.Adam(sde.parameters(), lr=1e-2)
    for _ in range(6):
        optimizer.zero_grad()
        path = Path(20, 0.05, (8, 2))
        loss = (solve(sde, y0, t, bm=path, dt=0.05, method=method)[-1] ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
path = torchsde.BrownianInterval(0.0, 1.0, size=(4, 2), entropy=0)
assert path(0.2, 0.7).shape == (4, 2)
