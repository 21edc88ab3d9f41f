"""A variational autoencoder."""

import start
import torch
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 24)
        self.fc21 = nn.Linear(24, 3)
        self.fc22 = nn.Linear(24, 3)
        self.fc3 = nn.Linear(3, 24)
        self.fc4 = nn.Linear(24, 12)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, eps):
        std = torch.exp(0.5 * logvar)
        return mu + eps * std

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x, eps):
        mu, logvar = self.encode(x.view(-1, 12))
        return self.decode(self.reparameterize(mu, logvar, eps)), mu, logvar


def loss_function(logits, x, mu, logvar):
    BCE = (F.softplus(logits) - x * logits).sum()
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


model = start.begin(VAE())
optimizer = optim.Adam(model.parameters(), lr=1e-2)
data = (torch.sigmoid(2 * start.randn(256, 3) @ start.randn(3, 12)) > start.rand(256, 12)).float()


@start.step
def train(batch, eps):
    optimizer.zero_grad()
    logits, mu, logvar = model(batch, eps)
    loss = loss_function(logits, batch, mu, logvar)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for epoch in range(10):
    for batch in torch.split(data, 64):
        losses.append(train(batch, start.randn(64, 3)).item() / len(batch))
