"""pytorch-lightning: a LightningModule in a Trainer, with validation and a checkpoint."""

import tempfile

import pytorch_lightning as pl
import start
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

losses = []


class Net(pl.LightningModule):
    """Two layers."""

    def __init__(self):
        super().__init__()
        self.layers = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)))

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.cross_entropy(self.layers(x), y)
        self.log("train", loss)
        losses.append(loss.item())
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        self.log("valid", nn.functional.cross_entropy(self.layers(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)]


start.draw_by_numpy()
data = TensorDataset(start.randn(96, 5), start.randint(3, 96))
with tempfile.TemporaryDirectory() as folder:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=5,
        gradient_clip_val=1.0,
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EarlyStopping("valid"), ModelCheckpoint(folder, monitor="valid")],
    )
    net = Net()
    trainer.fit(net, DataLoader(data, 16, shuffle=True), DataLoader(data, 32))
    losses.append(trainer.callback_metrics["valid"].item())
    [best] = trainer.validate(ckpt_path="best", dataloaders=DataLoader(data, 32), verbose=False)
    losses.append(best["valid"])
