"""skorch in scikit-learn's GridSearchCV: hidden widths and learning rates of a classifier."""

import numpy as np
import start
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from torch import nn, optim


class Net(nn.Module):
    """Two layers."""

    def __init__(self, hidden=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, hidden), nn.ReLU(), nn.Linear(hidden, 3))

    def forward(self, x):
        return self.layers(x)


class Started(NeuralNetClassifier):
    """Begins with the same weights under each torch."""

    def initialize_module(self):
        super().initialize_module()
        start.begin(self.module_)
        return self


start.draw_by_numpy()
X = start.rng.standard_normal((120, 6)).astype("float32")
y = (X @ start.rng.standard_normal((6, 3))).argmax(1).astype("int64")
net = Started(
    Net,
    criterion=nn.CrossEntropyLoss,
    optimizer=optim.Adam,
    max_epochs=6,
    batch_size=16,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
search = GridSearchCV(
    net, {"lr": [0.003, 0.03], "module__hidden": [8, 32]}, cv=3, scoring="neg_log_loss"
)
search.fit(X, y)
losses = [
    *-search.cv_results_["mean_test_score"],
    *search.best_estimator_.history[:, "train_loss"],
    *np.ravel(search.predict_proba(X[:8])),
]
