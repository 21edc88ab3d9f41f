"""A program for mpiexec: a Trainer's training, and what of it must not depend on the ranks.

Arguments: the folder of its checkpoint; and, in any order, what else is asked of it: see trained.
"""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import pyml
from pyml import data, distributed, nn, optim
from pyml.train import Callback, Checkpoint, CSVLogger, EarlyStopping, TimeLimit, Trainer

EPOCHS = 8


class Fault(Callback):
    """Something happens to a rank after a step."""

    def __init__(self, words):
        self.words = words

    def on_batch_end(self, batch, logs=None):
        if "slow" in self.words:
            time.sleep(0.01)
        if len(self.trainer.history) < 2 or batch != 1:
            return
        if "interrupted" in self.words:
            os.kill(os.getpid(), signal.SIGINT)
        if distributed.get_rank() != distributed.get_world_size() - 1:
            return
        if "killed" in self.words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "raises" in self.words:
            raise ArithmeticError("of one rank")
        if "stops" in self.words:
            self.trainer.stop("the last rank stops")


def trained(folder, words):
    pyml.manual_seed(distributed.get_rank())
    net = nn.Sequential(
        *(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 3))
    )
    net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    optimizer = optim.AdamW(net.parameters(), lr=1e-2)
    checkpoint, best = Path(folder, "checkpoint.safetensors"), EarlyStopping(patience=3)
    faults = [Fault(words)] if words else []
    if "timed" in words:
        faults.append(TimeLimit(0.2))
    trainer = Trainer(
        *(net, nn.CrossEntropyLoss(), optimizer, optim.lr_scheduler.StepLR(optimizer, 2, 0.7)),
        metrics=["accuracy"],
        callbacks=[best, *faults, Checkpoint(checkpoint), CSVLogger(Path(folder, "log.csv"))],
        clip=1.0,
        ema=0.9,
    )
    generator = pyml.Generator(1)
    x = pyml.randn(150, 6, generator=generator)
    y = (x @ pyml.randn(6, 3, generator=generator)).argmax(1)
    if "other rows" in words and distributed.get_rank() == 1:
        x = x + 1
    weight = pyml.rand(150, generator=generator) if "weighted" in words else None
    if "stream" in words:
        rows = data.DataLoader(data.TensorDataset(x, y), batch_size=32, shuffle=True)
        trainer.fit(rows, epochs=EPOCHS, validation=(x, y), seed=3)
        return trainer
    trainer.fit(
        x,
        y,
        epochs=10**6 if "timed" in words else EPOCHS,
        batch_size=32,
        validation=0.2,
        sample_weight=weight,
        seed=3,
        resume=checkpoint if checkpoint.exists() else None,
    )
    return trainer


def digest_of(trainer):
    digest = hashlib.sha256()
    for t in (*trainer.model.state_dict().values(), *trainer.averaged.state_dict().values()):
        digest.update(t.numpy().tobytes())
    for epoch in trainer.history:
        digest.update(repr([v for name, v in epoch.items() if name != "seconds"]).encode())
    digest.update(pyml.get_rng_state().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    folder, *words = sys.argv[1:]
    distributed.init_process_group(shard_size=4)
    trainer = trained(folder, words)
    said = [digest_of(trainer), trainer.stopped, trainer.steps]
    distributed.group.group.check_same("training.py", said=said)
    if distributed.get_rank() == 0:
        print(said[0], len(trainer.history), trainer.stopped, sep="|")
