"""SAC of Stable-Baselines3 on Pendulum-v1."""

import start
import torch
from agents import Losses
from stable_baselines3 import SAC

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = SAC("MlpPolicy", "Pendulum-v1", seed=0, device="cpu", learning_starts=100)
start.begin(model.policy)
with torch.no_grad():
    for p in model.actor.parameters():
        p *= 0.3  # where a squashed action is 1, rounding changes its density by a tenth
model.learn(300, callback=callback, log_interval=None)
