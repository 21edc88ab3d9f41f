"""Eight dimensions through a bottleneck of two."""

import start
import torch
from torch import nn


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        self.decoder = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8), nn.Sigmoid())

    def forward(self, x):
        encoded = self.encoder(x)
        return encoded, self.decoder(encoded)


data = torch.sigmoid(start.randn(128, 2) @ start.randn(2, 8))
autoencoder = start.begin(AutoEncoder())
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=0.02)
loss_func = nn.MSELoss()


@start.step
def train(batch):
    encoded, decoded = autoencoder(batch)
    loss = loss_func(decoded, batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses = []
for epoch in range(15):
    for batch in data.split(32):
        losses.append(train(batch).item())
