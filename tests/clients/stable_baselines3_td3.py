"""TD3 of Stable-Baselines3 on Pendulum-v1."""

import start
from stable_baselines3 import TD3
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
model = TD3(
    "MlpPolicy", "Pendulum-v1", seed=0, device="cpu", learning_starts=100, target_policy_noise=0.0
)
start.begin(model.policy)
model.learn(300, callback=Losses(), log_interval=None)
