"""PPO of Stable-Baselines3 on CartPole, with its own settings."""

import start
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

losses = []


class Losses(BaseCallback):
    """Keeps what each epoch of training logged."""

    def _on_rollout_start(self):
        logged = self.model.logger.name_to_value
        losses.extend(logged[name] for name in sorted(logged) if name.endswith("loss"))

    def _on_step(self):
        return True


start.draw_by_numpy()
model = PPO("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
start.begin(model.policy)
model.learn(5 * 2048, callback=Losses(), log_interval=None)
