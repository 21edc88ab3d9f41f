"""A training that may be killed at any moment: started again, it goes on from its checkpoint.

    python interrupted.py CHECKPOINT WEIGHTS

It prints a line when it begins to train, saves CHECKPOINT every few steps, and in the end WEIGHTS.
"""

import sys
from pathlib import Path

import numpy as np

import pyml
from pyml import nn, optim
from pyml.train import mlp

ROWS, FEATURES, CLASSES = 96, 8, 3
BATCH_SIZE, EPOCHS, EVERY_STEPS = (
    16,
    60,
    4,
)  # a checkpoint within an epoch of 6 steps, or at its end


class Progress:
    """How far run() is: what comes next, and what drew the order of the rows."""

    def __init__(self, epoch=0, batch=0, step=0, order_state=None):
        self.epoch, self.batch, self.step, self.order_state = epoch, batch, step, order_state

    def state_dict(self):
        return dict(self.__dict__)


def run(step, x, y, *, batch_size, epochs, callback, every_steps, resume):
    """Calls step(x, y) with shuffled minibatches, and callback(progress) after every_steps."""
    progress = Progress(**(resume or {}))
    batches = len(y) // batch_size
    for _ in range(progress.epoch, epochs):
        if progress.batch == 0:
            progress.order_state = pyml.get_rng_state().tolist()
            order = pyml.randperm(len(y))
        else:
            state = np.array(progress.order_state, np.uint64)
            order = pyml.randperm(len(y), generator=pyml.Generator().set_state(state))
        for batch in range(progress.batch, batches):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            step(x[rows], y[rows])
            progress.step += 1
            progress.epoch, progress.batch = divmod(progress.step, batches)
            if progress.step % every_steps == 0:
                callback(progress)


def main(checkpoint_path, weights_path):
    rng = np.random.default_rng(0)
    x = pyml.tensor(rng.normal(size=(ROWS, FEATURES)).astype(np.float32))
    y = pyml.tensor(rng.integers(CLASSES, size=ROWS))
    pyml.manual_seed(1)
    model = mlp(FEATURES, (16, 16), CLASSES, dropout=0.3)
    loss = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=50)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}

    def train_step(x, y):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    def save(progress):
        scheduler.step()
        pyml.save_checkpoint(checkpoint_path, **parts, progress=progress)

    resume = None
    if Path(checkpoint_path).exists():
        resume = pyml.load_checkpoint(checkpoint_path, **parts).progress
    print("training", flush=True)
    run(
        train_step,
        x,
        y,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        callback=save,
        every_steps=EVERY_STEPS,
        resume=resume,
    )
    pyml.save(model.state_dict(), weights_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
