"""DQN of Stable-Baselines3 on CartPole-v1."""

import start
from agents import Losses
from stable_baselines3 import DQN

callback = Losses()
losses = callback.kept
start.draw_by_numpy()
model = DQN(
    "MlpPolicy",
    "CartPole-v1",
    seed=0,
    device="cpu",
    learning_starts=200,
    exploration_fraction=0.5,
    target_update_interval=100,
)
start.begin(model.policy)
model.learn(1200, callback=callback, log_interval=None)
