"""pytabkit: RealMLP, a classifier and a regressor of a table."""

import numpy as np
import start
import torch
from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

start.draw_by_numpy()
torch.randint = lambda low, high, size, **options: torch.tensor(start.rng.integers(low, high, size))
torch.distributions.Exponential.sample = lambda self, shape: -(1 - start.rand(*shape)).log()
x = np.random.default_rng(1).standard_normal((300, 5)).astype("float32")
product = x[:, 0] * x[:, 1]
options = {"n_epochs": 6, "hidden_sizes": [32, 32], "p_drop": 0.0, "batch_size": 64}
options |= {"n_cv": 1, "random_state": 0, "verbosity": 0, "device": "cpu"}
model = RealMLP_TD_Classifier(**options).fit(x, (product > 0).astype(int))
losses = model.predict_proba(x[:12])[:, 0].tolist()
model = RealMLP_TD_Regressor(**options).fit(x, product)
losses += model.predict(x[:12]).tolist()
