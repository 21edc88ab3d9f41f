"""QRDQN of sb3-contrib on CartPole-v1."""

import start
from agents import Losses
from sb3_contrib import QRDQN

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = QRDQN(
    "MlpPolicy", "CartPole-v1", seed=0, device="cpu", learning_starts=200, exploration_fraction=0.5
)
start.begin(model.policy)
model.learn(600, callback=callback, log_interval=None)
