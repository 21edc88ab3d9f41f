"""captum: attributions of a trained classifier."""

import start
import torch
from captum.attr import (
    DeepLift,
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    LayerConductance,
    NeuronGradient,
    Saliency,
)
from torch import nn

start.draw_by_numpy()
model = start.begin(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)))
x = start.randn(32, 6)
y = start.randint(3, 32)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
losses = []
for _ in range(20):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())


def keep(attributions):
    losses.extend(attributions.detach().flatten().tolist())


x = x[:4].clone().requires_grad_()
for method in (IntegratedGradients, Saliency, InputXGradient, DeepLift, FeatureAblation):
    keep(method(model).attribute(x, target=1))
keep(LayerConductance(model, model[0]).attribute(x, target=1, n_steps=20))
keep(NeuronGradient(model, model[0]).attribute(x, 3))
