"""Three spirals, with a DataLoader, a schedule and a validation."""

import math

import start
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 3)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


label = torch.arange(300) % 3
radius = start.rand(300)
angle = radius * 4 + label.float() * (2 * math.pi / 3) + 0.1 * start.randn(300)
points = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)
train_loader = DataLoader(TensorDataset(points[:240], label[:240]), batch_size=32)
test_loader = DataLoader(TensorDataset(points[240:], label[240:]), batch_size=60)

model = start.begin(Net(32))
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)


@start.step
def train(data, target):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(data), target)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for epoch in range(15):
    model.train()
    for data, target in train_loader:
        losses.append(train(data, target).item())
    scheduler.step()

model.eval()
correct = 0
with torch.no_grad():
    for data, target in test_loader:
        pred = model(data).argmax(dim=1, keepdim=True)
        correct += pred.eq(target.view_as(pred)).sum().item()
assert correct > 30, correct
