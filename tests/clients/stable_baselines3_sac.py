"""SAC of Stable-Baselines3 on Pendulum-v1."""

import start
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

losses = []


class Losses(BaseCallback):
    """Keeps what was logged last, at each tenth step."""

    def _on_step(self):
        logged = self.model.logger.name_to_value
        if self.n_calls % 10 == 0:
            losses.extend(logged[name] for name in sorted(logged) if name.endswith("loss"))
        return True


start.draw_by_numpy()
model = SAC("MlpPolicy", "Pendulum-v1", seed=0, device="cpu", learning_starts=100)
start.begin(model.policy)
with torch.no_grad():
    for p in model.actor.parameters():
        p *= 0.3  # where a squashed action is 1, rounding changes its density by a tenth
model.learn(300, callback=Losses(), log_interval=None)
