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

ROWS, FEATURES, CLASSES = 100, 8, 3
# an epoch of 7 steps, the last of a smaller batch: checkpoints are within epochs and at their ends
BATCH_SIZE, EPOCHS, EVERY_STEPS = 16, 60, 4


def main(checkpoint_path, weights_path):
    rng = np.random.default_rng(0)
    x = pyml.tensor(rng.normal(size=(ROWS, FEATURES)).astype(np.float32))
    y = pyml.tensor(rng.integers(CLASSES, size=ROWS))
    pyml.manual_seed(1)
    model = mlp(FEATURES, (16, 16), CLASSES, dropout=0.3)
    loss = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=300)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}

    @pyml.record
    def train_step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        scheduler.step()
        return value

    def save(progress):
        pyml.save_checkpoint(checkpoint_path, **parts, progress=progress)

    resume = None
    if Path(checkpoint_path).exists():
        resume = pyml.load_checkpoint(checkpoint_path, **parts).progress
    print("training", flush=True)
    train_step.run(
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
