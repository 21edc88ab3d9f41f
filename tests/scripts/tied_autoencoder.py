"""An autoencoder whose decoder is the encoder transposed."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F


class Tied(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(hidden, inputs))
        nn.init.xavier_uniform_(self.weight)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.out_bias = nn.Parameter(torch.zeros(inputs))

    def forward(self, x):
        h = torch.tanh(F.linear(x, self.weight, self.bias))
        return F.linear(h, self.weight.t(), self.out_bias)


data = start.randn(128, 3) @ start.randn(3, 10)
model = start.begin(Tied(10, 5))
optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3, momentum=0.5)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)


@start.step
def train(x):
    optimizer.zero_grad(set_to_none=True)
    loss = F.mse_loss(model(x), x)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    return loss


losses = []
for epoch in range(60):
    losses.append(train(data).item())
    scheduler.step()
