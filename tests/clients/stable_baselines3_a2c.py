"""A2C of Stable-Baselines3 on CartPole-v1."""

import start
from stable_baselines3 import A2C
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
model = A2C("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
start.begin(model.policy)
model.learn(2000, callback=Losses(), log_interval=None)
