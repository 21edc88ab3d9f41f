"""accelerate: a loop with gradients of several batches, clipped, and a saved state."""

import tempfile

import start
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

start.draw_by_numpy()
set_seed(0)
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = start.begin(nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3)))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
loader = DataLoader(TensorDataset(start.randn(96, 5), start.randint(3, 96)), batch_size=16)
model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
losses = []
for _ in range(5):
    for x, y in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(x), y)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(accelerator.gather(loss).mean().item())
with tempfile.TemporaryDirectory() as folder:
    accelerator.save_state(folder, safe_serialization=False)
    accelerator.load_state(folder)
