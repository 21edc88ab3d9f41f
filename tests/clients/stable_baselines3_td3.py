"""TD3 of Stable-Baselines3 on Pendulum-v1."""

import start
from agents import Losses
from stable_baselines3 import TD3

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = TD3(
    "MlpPolicy", "Pendulum-v1", seed=0, device="cpu", learning_starts=100, target_policy_noise=0.0
)
start.begin(model.policy)
model.learn(300, callback=callback, log_interval=None)
