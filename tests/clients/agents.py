"""What the programs with agents share."""

from stable_baselines3.common.callbacks import BaseCallback


class Losses(BaseCallback):
    """Keeps what was logged last, at each tenth step."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def _on_step(self):
        if self.n_calls % 10 == 0:
            self.keep()
        return True

    def keep(self):
        """Keeps the losses that are logged now."""
        logged = self.model.logger.name_to_value
        self.kept += [logged[name] for name in sorted(logged) if name.endswith("loss")]


class LossesOfRollouts(Losses):
    """Keeps what each epoch of training logged."""

    def _on_rollout_start(self):
        self.keep()

    def _on_step(self):
        return True
