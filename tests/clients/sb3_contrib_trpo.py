"""TRPO of sb3-contrib on CartPole-v1."""

import start
from agents import Losses
from sb3_contrib import TRPO

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = TRPO("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
start.begin(model.policy)
model.learn(3 * 2048, callback=callback, log_interval=None)
