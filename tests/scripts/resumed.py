"""A classifier as examples write it: a device, a test, a checkpoint from which training goes on."""

import io

import start
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR

torch.manual_seed(1)
use_cuda = torch.cuda.is_available()
device = torch.device("cuda:0" if use_cuda else "cpu")
if use_cuda:
    torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = True


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(10, 32)
        self.fc2 = nn.Linear(32, 4)

    def forward(self, x):
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


x = start.randn(240, 2, 5)
y = (x.view(240, 10) @ start.randn(10, 4)).argmax(1)


def make():
    model = start.begin(Net()).to(device)
    optimizer = optim.NAdam(model.parameters(), lr=0.01)
    return model, optimizer, StepLR(optimizer, step_size=4, gamma=0.7)


def epoch(model, optimizer):
    model.train()
    for data, target in zip(x[:200].split(50), y[:200].split(50)):
        data, target = data.to(device, non_blocking=True), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = -output.gather(1, target.unsqueeze(1)).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


def test(model):
    model.eval()
    with torch.no_grad():
        pred = model(x[200:].to(device)).argmax(dim=1)
    return pred.eq(y[200:].to(device)).float().mean().cpu().item()


losses = []
model, optimizer, scheduler = make()
for _ in range(6):
    epoch(model, optimizer)
    scheduler.step()
before = test(model)

buffer = io.BytesIO()
torch.save(
    {
        "epoch": 6,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "best": (before, None),
    },
    buffer,
)
buffer.seek(0)
checkpoint = torch.load(buffer, map_location=device, weights_only=True)
model, optimizer, scheduler = make()
model.load_state_dict(checkpoint["model_state_dict"])
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
scheduler.load_state_dict(checkpoint["scheduler"])
assert checkpoint["epoch"] == 6 and checkpoint["best"] == (test(model), None)
for _ in range(checkpoint["epoch"], 12):
    epoch(model, optimizer)
    scheduler.step()
