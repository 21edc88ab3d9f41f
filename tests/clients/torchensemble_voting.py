"""torchensemble: voting, gradient boosting and a snapshot ensemble of MLPs."""

import start
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchensemble import (
    GradientBoostingRegressor,
    SnapshotEnsembleClassifier,
    VotingClassifier,
    VotingRegressor,
)


class Net(nn.Module):
    """Two layers."""

    def __init__(self, out):
        super().__init__()
        self.layers = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, out)))

    def forward(self, x):
        return self.layers(x)


start.draw_by_numpy()
x, y = start.randn(96, 5), start.randint(3, 96)
target = x[:, :1] * x[:, 1:2]
classes = DataLoader(TensorDataset(x, y), 32, shuffle=True)
numbers = DataLoader(TensorDataset(x, target), 32, shuffle=True)
losses = []
for ensemble, out, loader, epochs in (
    (VotingClassifier, 3, classes, 4),
    (SnapshotEnsembleClassifier, 3, classes, 4),
    (VotingRegressor, 1, numbers, 4),
    (GradientBoostingRegressor, 1, numbers, 4),
):
    options = {"n_estimators": 2, "cuda": False, "estimator_args": {"out": out}}
    model = ensemble(estimator=Net, **options)
    model.set_optimizer("Adam", lr=0.01)
    model.fit(loader, epochs=epochs, log_interval=100, save_model=False)
    losses.append(float(model.evaluate(loader)))
    losses.extend(model.predict(x[:4]).flatten().tolist())
