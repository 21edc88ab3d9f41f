"""A variational autoencoder with Normal, Independent and kl_divergence."""

import start
import torch
import torch.distributions as D
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Linear(32, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 10))
        self.softplus = nn.Softplus()

    def encode(self, x):
        mu, scale = torch.chunk(self.encoder(x), 2, dim=-1)
        return D.Independent(D.Normal(mu, self.softplus(scale) + 1e-6), 1)

    def forward(self, x, eps):
        q = self.encode(x)
        z = q.base_dist.loc + q.base_dist.scale * eps
        prior = D.Independent(D.Normal(torch.zeros_like(z), torch.ones_like(z)), 1)
        p = D.Independent(D.Normal(self.decoder(z), 0.3), 1)
        return -p.log_prob(x).mean() + D.kl_divergence(q, prior).mean()


data = start.randn(128, 2) @ start.randn(2, 10) + 0.1 * start.randn(128, 10)
model = start.begin(VAE())
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)


@start.step
def train(x, eps):
    optimizer.zero_grad()
    loss = model(x, eps)
    loss.backward()
    optimizer.step()
    return loss


losses = [train(data, start.randn(128, 2)).item() for _ in range(50)]
