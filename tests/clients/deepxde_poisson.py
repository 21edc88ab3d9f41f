"""deepxde: the heat equation by a physics-informed network, with Adam and then L-BFGS."""

import os

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
import start

start.draw_by_numpy()
dde.config.set_random_seed(0)


def equation(x, y):
    dy_t = dde.grad.jacobian(y, x, i=0, j=1)
    dy_xx = dde.grad.hessian(y, x, i=0, j=0)
    return dy_t - 0.4 * dy_xx


geometry = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))
data = dde.data.TimePDE(
    geometry,
    equation,
    [
        dde.icbc.DirichletBC(geometry, lambda x: 0, lambda _, on: on),
        dde.icbc.IC(geometry, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on),
    ],
    num_domain=80,
    num_boundary=20,
    num_initial=20,
    train_distribution="uniform",
)
net = start.begin(dde.nn.FNN([2, 16, 16, 1], "tanh", "Glorot normal"))
model = dde.Model(data, net)
model.compile("adam", lr=1e-3)
history, _ = model.train(iterations=20, display_every=2, verbose=0)
model.compile("L-BFGS")
dde.optimizers.set_LBFGS_options(maxiter=10)
history, _ = model.train(verbose=0)
losses = [float(part) for parts in history.loss_train for part in parts]
