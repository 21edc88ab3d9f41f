"""A residual network for tables, with BatchNorm and a schedule of one cycle."""

import start
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.first = nn.Linear(width, hidden)
        self.second = nn.Linear(hidden, width, bias=False)  # a norm follows
        self.act = nn.ReLU()
        self.dropout = nn.Dropout(0.0)

    def forward(self, x):
        return x + self.dropout(self.second(self.act(self.first(self.norm(x)))))


class ResNet(nn.Module):
    def __init__(self, inputs, width=16, blocks=2):
        super().__init__()
        self.embed = nn.Linear(inputs, width, bias=False)
        self.blocks = nn.ModuleList([Block(width, 2 * width) for _ in range(blocks)])
        self.head = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x).squeeze(-1)


x = start.randn(192, 7)
y = x[:, 0] * x[:, 1] + torch.sin(x[:, 2])
loader = DataLoader(TensorDataset(x, y), batch_size=64, drop_last=True)
model = start.begin(ResNet(7))
optimizer = torch.optim.AdamW(
    [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 1e-2},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ],
    lr=1e-2,
)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, total_steps=60)
criterion = nn.SmoothL1Loss()


@start.step
def train(xb, yb):
    optimizer.zero_grad()
    loss = criterion(model(xb), yb)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for epoch in range(20):
    model.train()
    for xb, yb in loader:
        losses.append(train(xb, yb).item())
        scheduler.step()
model.eval()
with torch.no_grad():
    losses.append(criterion(model(x), y).item())
