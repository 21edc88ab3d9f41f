"""normflows: RealNVP, planar and neural spline flows."""

import normflows as nf
import numpy as np
import start
import torch

start.draw_by_numpy()
angle = start.rng.random(256) * np.pi
side = start.rng.integers(0, 2, 256)
moons = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side)], 1)
x = torch.tensor(moons.astype("float32"))
affine = []
for _ in range(3):
    affine.append(nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 16, 16, 2])))
    affine.append(nf.flows.Permute(2, mode="swap"))
spline = []
for _ in range(2):
    spline.append(nf.flows.AutoregressiveRationalQuadraticSpline(2, 1, 16))
    spline.append(nf.flows.LULinearPermute(2))
losses = []
for flows in (affine, spline):
    model = start.begin(nf.NormalizingFlow(nf.distributions.base.DiagGaussian(2), flows))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        loss = model.forward_kld(x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    losses.append(model.sample(16)[0].mean().item())
target = nf.distributions.TwoMoons()
model = nf.NormalizingFlow(
    nf.distributions.base.DiagGaussian(2), [nf.flows.Planar((2,)) for _ in range(4)], target
)
start.begin(model)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(10):
    optimizer.zero_grad()
    loss = model.reverse_kld(64)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
