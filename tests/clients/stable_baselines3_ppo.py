"""PPO of Stable-Baselines3 on CartPole, with its own settings."""

import start
from agents import LossesOfRollouts
from stable_baselines3 import PPO

callback = LossesOfRollouts()
losses = callback.kept
start.draw_by_numpy()
model = PPO("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
start.begin(model.policy)
model.learn(5 * 2048, callback=callback, log_interval=None)
