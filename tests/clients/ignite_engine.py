"""ignite: a trainer and an evaluator with metrics, a schedule, early stopping and a checkpoint."""

import tempfile

import start
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver, EarlyStopping, LRScheduler
from ignite.metrics import Accuracy, Loss, RunningAverage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

start.draw_by_numpy()
data = TensorDataset(start.randn(96, 5), start.randint(3, 96))
loader = DataLoader(data, batch_size=16, shuffle=True)
model = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()
trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(
    model, metrics={"accuracy": Accuracy(), "loss": Loss(criterion)}
)
RunningAverage(output_transform=lambda loss: loss).attach(trainer, "running")
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
trainer.add_event_handler(Events.EPOCH_COMPLETED, LRScheduler(schedule))
losses = []


@trainer.on(Events.ITERATION_COMPLETED)
def keep(engine):
    losses.append(engine.state.output)


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate(engine):
    evaluator.run(loader)
    losses.extend([*evaluator.state.metrics.values(), engine.state.metrics["running"]])


stopping = EarlyStopping(3, lambda engine: -engine.state.metrics["loss"], trainer)
evaluator.add_event_handler(Events.COMPLETED, stopping)
with tempfile.TemporaryDirectory() as folder:
    saver = Checkpoint({"model": model, "optimizer": optimizer}, DiskSaver(folder), n_saved=2)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver)
    trainer.run(loader, max_epochs=5)
    state = torch.load(saver.last_checkpoint)
    Checkpoint.load_objects({"model": model, "optimizer": optimizer}, state)
