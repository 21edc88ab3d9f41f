"""pykan: a network of splines on a function of two variables, with Adam and with its L-BFGS."""

import tempfile

import start
import torch
from kan import KAN

torch.set_default_dtype(torch.float64)  # a line search makes much of a rounding
start.draw_by_numpy()
x = start.rand(64, 2).double() * 2 - 1
y = torch.exp(torch.sin(torch.pi * x[:, :1]) + x[:, 1:] ** 2)
data = {"train_input": x, "train_label": y, "test_input": x[:32], "test_label": y[:32]}
losses = []
for kind in ("Adam", "LBFGS"):
    with tempfile.TemporaryDirectory() as folder:
        model = KAN(width=[2, 3, 1], grid=3, k=3, seed=0, auto_save=False, ckpt_path=folder)
        for name, p in model.named_parameters():
            if p.requires_grad and "scale" not in name:
                with torch.no_grad():
                    p.copy_(0.1 * start.randn(*p.shape))
        model(x)
        result = model.fit(data, opt=kind, steps=6, lr=0.01, update_grid=False)
    losses.extend(float(value) for value in result["train_loss"])
    losses.extend(float(value) for value in result["test_loss"])
