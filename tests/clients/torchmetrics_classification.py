"""torchmetrics: metrics of a classifier and of a regression while they learn."""

import start
import torch
import torchmetrics
from torch import nn

x, y = start.randn(96, 5), start.randint(3, 96)
model = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
options = {"task": "multiclass", "num_classes": 3}
metrics = torchmetrics.MetricCollection(
    [
        torchmetrics.Accuracy(**options),
        torchmetrics.F1Score(**options, average="macro"),
        torchmetrics.AUROC(**options),
        torchmetrics.CalibrationError(**options),
        torchmetrics.CohenKappa(**options),
    ]
)
numbers = torchmetrics.MetricCollection(
    [
        torchmetrics.MeanSquaredError(),
        torchmetrics.R2Score(),
        torchmetrics.PearsonCorrCoef(),
        torchmetrics.SpearmanCorrCoef(),
    ]
)
confusion = torchmetrics.ConfusionMatrix(**options)
losses = []
for _ in range(10):
    for rows in torch.arange(96).split(32):
        optimizer.zero_grad()
        scores = model(x[rows])
        loss = nn.functional.cross_entropy(scores, y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        metrics.update(scores.detach().softmax(1), y[rows])
        confusion.update(scores.detach(), y[rows])
        numbers.update(scores.detach()[:, 0], x[rows, 0])
    losses.extend(float(value) for value in metrics.compute().values())
    losses.extend(float(value) for value in numbers.compute().values())
    losses.extend(confusion.compute().float().flatten().tolist())
    metrics.reset()
    numbers.reset()
    confusion.reset()
