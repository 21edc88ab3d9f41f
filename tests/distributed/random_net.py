"""A program for mpiexec: trains a random net and prints what of it must not depend on the ranks.

Arguments: seeds, with commas; "eager" or "recorded"; and perhaps what becomes of rank 1: see ENDS.
"""

import hashlib
import os
import random
import signal
import sys
from contextlib import contextmanager

import numpy as np

import pyml
from pyml import distributed, nn, optim

SHARD_SIZE, EPOCHS = 8, 3


def net_of(choose):
    layers, width = [], 5
    for _ in range(choose.randint(1, 3)):
        out = choose.choice([3, 8, 17, 64])
        layers.append(nn.Linear(width, out, bias=choose.random() < 0.8))
        layers += [nn.BatchNorm1d(out)] * (choose.random() < 0.4)
        layers += [nn.LayerNorm(out)] * (choose.random() < 0.3)
        layers.append(choose.choice([nn.ReLU, nn.Tanh, nn.GELU, nn.PReLU])())
        layers += [nn.Dropout(0.3)] * (choose.random() < 0.5)
        width = out
    wide = [nn.Linear(width, 300), nn.Linear(300, 200)]  # its gradients go in halves
    layers += wide if choose.random() < 0.2 else [nn.Linear(width, 200)]
    return nn.Sequential(*layers, nn.Linear(200, 2))


def trained(seed, is_recorded, fails=None):
    """The digest of the losses, the state of the net and the generator."""
    choose = random.Random(seed)
    pyml.manual_seed(seed if distributed.get_rank() == 0 else 0)  # what rank 0 has is taken
    dtype = choose.choice([pyml.float32, pyml.float64])
    net = net_of(choose).to(dtype)
    if choose.random() < 0.5:
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    model = distributed.DistributedDataParallel(net)
    kind = choose.choice([optim.SGD, optim.Adam, optim.AdamW])
    optimizer = kind(net.parameters(), lr=1e-2)
    rows = choose.choice([64, 50, 20, 33, 8])  # some batches have fewer shards than ranks
    x, y = pyml.randn(2 * rows + 3, 5, dtype=dtype), pyml.randn(2 * rows + 3, 2, dtype=dtype)
    clips = choose.random() < 0.3

    def step(x, y):
        optimizer.zero_grad()
        loss = model.loss(lambda x, y: nn.functional.mse_loss(net(x), y), x, y)
        loss.backward()
        if clips:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss

    if is_recorded:
        recorded = pyml.record(step)
        with counted() as count:
            losses = recorded.run(x, y, batch_size=rows, epochs=EPOCHS).numpy()
        several = distributed.get_world_size() > 1
        called = min(count["loss"], count["gradients"] if several else count["loss"])
        if called < len(losses) or recorded.stats().replays == 0:
            raise AssertionError(
                f"{len(losses)} steps, {recorded.stats().replays} replays: {count}"
            )
    else:
        losses = []
        for _ in range(EPOCHS):
            for chosen in pyml.randperm(len(x)).split(rows):
                losses.append(step(x[chosen], y[chosen]).item())
                if fails is not None and len(losses) == 2:
                    fails()
        losses = np.array(losses, dtype)
    digest = hashlib.sha256(losses.tobytes())
    for t in net.state_dict().values():
        digest.update(t.numpy().tobytes())
    digest.update(pyml.get_rng_state().tobytes())
    return digest.hexdigest()


@contextmanager
def counted():
    """How often a loss, and gradients, went over the ranks: in steps of Python, and in replays."""
    count = {"loss": 0, "gradients": 0}
    group = distributed.group
    before = group.Group._total, group.all_reduce_together

    def total(*args, **how):
        count["loss"] += 1
        return before[0](*args, **how)

    def together(*args):
        count["gradients"] += 1
        return before[1](*args)

    group.Group._total, group.all_reduce_together = total, together
    try:
        yield count
    finally:
        group.Group._total, group.all_reduce_together = before


def raises():
    raise ArithmeticError("of one rank")


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


ENDS = {"raises": raises, "killed": is_killed, "leaves": sys.exit}


def ends(how):
    """A function of nothing: how rank 1 ends."""
    return ENDS[how] if distributed.get_rank() == 1 else None


if __name__ == "__main__":
    seeds, how, *rest = sys.argv[1:]
    distributed.init_process_group(shard_size=SHARD_SIZE)
    fails = ends(rest[0]) if rest else None
    said = [trained(int(seed), how == "recorded", fails) for seed in seeds.split(",")]
    everybody = [" ".join(said)]
    distributed.broadcast_object_list(everybody)
    if everybody != [" ".join(said)]:
        raise AssertionError(f"rank {distributed.get_rank()} has other bits than rank 0: {said}")
    if distributed.get_rank() == 0:
        print(everybody[0])
