"""A2C of Stable-Baselines3 on CartPole-v1."""

import start
from agents import Losses
from stable_baselines3 import A2C

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = A2C("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
start.begin(model.policy)
model.learn(2000, callback=callback, log_interval=None)
