"""A program for mpiexec: what users may do by hand, the same on all ranks, or else on one of them.

Argument: what is done: see `cases`. Prints a digest of the losses and the parameters.
"""

import hashlib
import sys

import pyml
from pyml import distributed, nn, optim


def trained(case):
    rank = distributed.get_rank()
    is_other = rank == distributed.get_world_size() - 1 and rank > 0
    pyml.manual_seed(rank)  # what rank 0 has is taken
    width = 5 if case == "modules" and is_other else 4
    net = nn.Sequential(
        *(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Tanh(), nn.Linear(width, 2))
    )
    if case == "frozen" and is_other:
        net[0].weight.requires_grad_(False)
    if case == "unused":
        net.more = nn.Parameter(pyml.ones(2))
    model = distributed.DistributedDataParallel(net)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    generator = pyml.Generator(3)
    x, y = pyml.randn(20, 3, generator=generator), pyml.randn(20, 2, generator=generator)
    if case == "rows" and is_other:
        x, y = x[:19], y[:19]

    def loss_of(x, y):
        if case == "raises" and is_other:
            raise ArithmeticError("of one rank")
        if case == "other parameters" and is_other:
            return nn.functional.mse_loss(net[3](pyml.ones(len(x), 4)), y)
        return nn.functional.mse_loss(net(x), y)

    digest = hashlib.sha256()
    for _ in range(3):
        optimizer.zero_grad()
        loss = model.loss(loss_of, x, y)
        if case == "accumulated":
            loss.backward()
            loss = model.loss(loss_of, x[:9], y[:9])
        if case == "two losses":
            loss = loss * 0.5 + model.loss(loss_of, x[:3], y[:3])
        if case == "no backward" and is_other:
            continue
        loss.backward()
        if case == "clipped":
            nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
        digest.update(loss.detach().numpy().tobytes())
    for t in net.state_dict().values():
        digest.update(t.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    distributed.init_process_group(shard_size=4)
    said = trained(sys.argv[1])
    distributed.group.group.check_same("mistakes.py", said=said)
    if distributed.get_rank() == 0:
        print(said)
