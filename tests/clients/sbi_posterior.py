"""sbi: the posterior of a simulator by a masked autoregressive flow."""

import os
import tempfile

import start
import torch
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn
from sbi.utils import BoxUniform

os.chdir(tempfile.mkdtemp())  # where it logs
start.draw_by_numpy()
torch.utils.data.SubsetRandomSampler.__iter__ = lambda self: iter(
    start.rng.permutation(self.indices).tolist()
)
build = posterior_nn("maf", hidden_features=20, num_transforms=3)
inference = NPE(
    BoxUniform(-2 * torch.ones(2), 2 * torch.ones(2)),
    density_estimator=lambda *data, **options: start.begin(build(*data, **options)),
    show_progress_bars=False,
)
start.again(False)  # a prior draws by ways of its own
theta = 4 * start.rand(300, 2) - 2
x = theta + 0.3 * start.randn(300, 2)
net = inference.append_simulations(theta, x).train(max_num_epochs=8, training_batch_size=50)
losses = [*inference.summary["training_loss"], *inference.summary["validation_loss"]]
posterior = inference.build_posterior(net)
draws = posterior.sample((500,), x=torch.zeros(2), show_progress_bars=False)
assert draws.shape == (500, 2) and draws.mean(0).abs().max() < 0.5
losses += posterior.log_prob(theta[:8], x=torch.zeros(2), norm_posterior=False).tolist()
