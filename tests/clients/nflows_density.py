"""nflows: masked affine, and rational-quadratic coupling transforms of two moons."""

import numpy as np
import start
import torch
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.nn.nets import ResidualNet
from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform
from nflows.transforms.base import CompositeTransform
from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform
from nflows.transforms.lu import LULinear
from nflows.transforms.normalization import BatchNorm
from nflows.transforms.permutations import ReversePermutation

start.draw_by_numpy()
angle = start.rng.random(256) * np.pi
side = start.rng.integers(0, 2, 256)
moons = np.stack([np.cos(angle) + side, np.sin(angle) * (1 - 2 * side)], 1)
x = torch.tensor(moons.astype("float32"))


def coupling(mask):
    return PiecewiseRationalQuadraticCouplingTransform(
        torch.tensor(mask),
        lambda n, m: ResidualNet(n, m, hidden_features=16),
        num_bins=5,
        tails="linear",
        tail_bound=3.0,
    )


losses = []
for parts in (
    [
        MaskedAffineAutoregressiveTransform(2, 16),
        BatchNorm(2),
        ReversePermutation(2),
        MaskedAffineAutoregressiveTransform(2, 16),
    ],
    [coupling([1, 0]), LULinear(2), coupling([0, 1])],
):
    flow = start.begin(Flow(CompositeTransform(parts), StandardNormal([2])))
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        loss = -flow.log_prob(inputs=x).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    flow.eval()
    losses.append(flow.sample(16).mean().item())
