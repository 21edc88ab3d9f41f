"""gpytorch: an exact Gaussian process, its predictions, and a deep kernel."""

import gpytorch
import start
import torch
from torch import nn

start.draw_by_numpy()


class GP(gpytorch.models.ExactGP):
    def __init__(self, x, y, likelihood, net):
        super().__init__(x, y, likelihood)
        self.net = net
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

    def forward(self, x):
        x = self.net(x)
        covariance = self.covar_module(x)
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), covariance)


x = start.rand(30, 2)
y = (6 * x[:, 0]).sin() + x[:, 1]
deep = start.begin(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)))
losses = []
for net in (nn.Identity(), deep):
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    model = GP(x, y, likelihood, net)
    model.train(), likelihood.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    likelihoods = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    for _ in range(15):
        optimizer.zero_grad()
        loss = -likelihoods(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval(), likelihood.eval()
    with torch.no_grad():
        prediction = likelihood(model(start.rand(5, 2)))
    losses += [*prediction.mean.tolist(), *prediction.variance.tolist()]
